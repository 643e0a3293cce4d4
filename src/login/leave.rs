//! Signing out: here always, at the provider where it offers that (RP-Initiated Logout 1.0 §2).

use data_encoding::BASE64URL_NOPAD;
use url::Origin;

use super::{Error, Live, Login, Redirect, ReturnTarget};
use crate::session::EndReason;

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
        let cookies =
            [self.cookies.session(), self.cookies.loop_marker()].map(|name| self.cookies.remove(&name)).to_vec();
        Ok(Redirect { location, cookies })
    }

    /// The origins that our forms lead on to: browsers hold the redirects that answer a
    /// form to the page's `form-action` too.
    pub fn provider_origins(&self) -> Vec<Origin> {
        let metadata = self.parties.iter().filter_map(|party| party.relying_party.metadata());
        metadata.flat_map(|metadata| metadata.visited_origins()).collect()
    }
}
