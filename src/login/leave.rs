//! Signing out: here always, at the provider where it offers that (RP-Initiated Logout 1.0 §2).

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;

use super::{Error, Login, Redirect, ReturnTarget};
use crate::session::{CookieSecret, EndReason, Session};

impl Login {
    /// Ends the session and says where to go: to the provider's end-session
    /// endpoint, or else where the visitor asked, or else to our signed-out page.
    pub async fn leave(
        &self,
        live: Option<(&CookieSecret, &Arc<Session>)>,
        asked: Option<&ReturnTarget>,
    ) -> Result<Redirect, Error> {
        let mut at_provider = None;
        if let Some((secret, session)) = live {
            let id_token = self.sessions.id_token(secret).await?;
            self.sessions.end(session, EndReason::SignedOut).await?;
            let visitor = session.visitor();
            tracing::info!(app = %self.app, provider = %visitor.provider, subject = %visitor.subject, "signed out");
            at_provider = self.party(Some(&visitor.provider)).ok().and_then(|party| {
                let metadata = party.relying_party.metadata()?;
                let state = BASE64URL_NOPAD.encode(&self.random.bytes::<16>());
                let back = self.endpoint("/signed_out");
                party.relying_party.end_session_url(&metadata, id_token.as_ref(), &back, &state)
            });
        }
        let location = at_provider.unwrap_or_else(|| match asked {
            Some(target) => target.url(&self.origins),
            None => self.endpoint("/signed_out"),
        });
        let cookies = [self.cookies.session(), self.cookies.loop_marker()].map(|name| self.cookies.remove(&name)).to_vec();
        Ok(Redirect { location, cookies })
    }
}
