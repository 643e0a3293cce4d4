//! Signing out: here always, at the provider where it offers that (RP-Initiated Logout 1.0 §2).

use data_encoding::BASE64URL_NOPAD;
use url::Url;

use super::{Error, Live, Login, Redirect, ReturnTarget};
use crate::session::{EndReason, Session};

impl Login {
    /// Ends the session and says where to go: to the provider's end-session
    /// endpoint, or else where the visitor asked, or else to our signed-out page.
    pub async fn leave(&self, live: Option<&Live>, asked: Option<&ReturnTarget>) -> Result<Redirect, Error> {
        let ended = match live {
            Some((secret, _)) => self.sessions.end(secret, EndReason::SignedOut).await?,
            None => None,
        };
        let at_provider = ended.and_then(|ended| {
            let party = self.party(Some(&ended.visitor.provider)).ok()?;
            let metadata = party.relying_party.metadata()?;
            let state = BASE64URL_NOPAD.encode(&self.random.bytes::<16>());
            let back = self.endpoint("/signed_out");
            party.relying_party.end_session_url(&metadata, ended.id_token_hint.as_ref(), &back, &state)
        });
        let location = at_provider.unwrap_or_else(|| match asked {
            Some(target) => target.url(&self.origins),
            None => self.endpoint("/signed_out"),
        });
        let cookies = [self.cookies.session(), self.cookies.loop_marker()].map(|name| self.cookies.remove(&name)).to_vec();
        Ok(Redirect { location, cookies })
    }

    /// The origin that signing out of this session leads to, where the provider takes part.
    pub fn end_session_origin(&self, session: &Session) -> Option<String> {
        let party = self.party(Some(&session.visitor().provider)).ok()?;
        let metadata = party.relying_party.metadata()?;
        let url = party.relying_party.end_session_url(&metadata, None, &self.endpoint("/signed_out"), "")?;
        Some(Url::parse(&url).ok()?.origin().ascii_serialization())
    }
}
