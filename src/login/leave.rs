//! Signing out: here always, at the provider where it offers that (RP-Initiated Logout 1.0 §2).
//!
//! Where a sign-out leads is asked for by `rd`: a URL that is configured as such
//! (`post_logout_url`, `post_logout_urls`) or a place on an origin of ours; whatever else
//! is asked for counts as nothing asked (threat 5). The provider leads back to registered
//! URIs only. So a configured URL is handed to it as it is, to be registered there, and a
//! place of ours is carried along in `state`, sealed: our landing page, which never
//! redirects, then has a link to it. Keeping it in a cookie was rejected: whatever brings
//! a `state` back brings the place too, and a sign-out leaves nothing behind.

use data_encoding::BASE64URL_NOPAD;
use http::HeaderValue;
use url::{Origin, Url};

use super::{Error, Live, Login, Redirect, ReturnTarget};
use crate::{
    config::app::SignOut,
    session::{CookieSecret, EndReason},
};

/// Where else than on origins of ours a sign-out may lead: as an operator has written it.
#[derive(Clone, Debug)]
pub struct SignedOutPlaces {
    default: Option<Url>,
    further: Vec<Url>,
}

impl SignedOutPlaces {
    /// `post_logout_url` and `post_logout_urls`
    pub fn new(sign_out: &SignOut) -> Self {
        Self { default: sign_out.default_url.clone(), further: sign_out.further_urls.clone() }
    }

    /// The one that is asked for, whole and exact (CVE-2024-52289: never a prefix or a pattern).
    fn find(&self, asked: &str) -> Option<&Url> {
        let asked = Url::parse(asked).ok()?;
        self.default.iter().chain(&self.further).find(|url| **url == asked)
    }
}

/// Where a sign-out leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Where it leads if nothing is asked for.
    Default,
    /// A place on an origin of ours.
    Ours(ReturnTarget),
    /// A URL that is configured.
    Configured(Url),
}

impl Destination {
    /// What `rd` says of it.
    pub fn asked(&self) -> Option<&str> {
        match self {
            Self::Default => None,
            Self::Ours(target) => Some(target.as_str()),
            Self::Configured(url) => Some(url.as_str()),
        }
    }
}

impl Login {
    /// Where a sign-out with this `rd` leads.
    pub fn destination(&self, asked: Option<&str>) -> Destination {
        let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Destination::Default };
        if let Some(url) = self.signed_out.find(asked) {
            return Destination::Configured(url.clone());
        }
        ReturnTarget::ours(asked, &self.origins).map_or(Destination::Default, Destination::Ours)
    }

    /// Ends the session and says where to go: to the provider's end-session
    /// endpoint, or else to the destination itself.
    pub async fn leave(&self, live: Option<&Live>, destination: &Destination) -> Result<Redirect, Error> {
        let ended = match live {
            Some((secret, _)) => self.sessions.end(secret, EndReason::SignedOut).await?,
            None => None,
        };
        let at_provider = ended.and_then(|ended| {
            let party = self.party(Some(&ended.visitor.provider)).ok()?;
            let metadata = party.relying_party.metadata()?;
            let (back, state) = match destination {
                Destination::Ours(target) => (self.endpoint("/signed_out"), self.seal_state(target)),
                Destination::Default | Destination::Configured(_) => (self.place(destination), self.empty_state()),
            };
            party.relying_party.end_session_url(&metadata, ended.id_token_hint.as_ref(), &back, &state)
        });
        let location = at_provider.unwrap_or_else(|| self.place(destination));
        Ok(Redirect { location, cookies: self.farewell() })
    }

    /// Ends the session of a cookie because the app has signed its visitor out by itself: here, not at
    /// the provider. What comes out is for the browser to forget.
    pub async fn leave_with_app(&self, secret: &CookieSecret) -> Result<Vec<HeaderValue>, Error> {
        self.sessions.end(secret, EndReason::SignedOut).await?;
        Ok(self.farewell())
    }

    /// What a browser forgets when somebody signs out.
    fn farewell(&self) -> Vec<HeaderValue> {
        let mut cookies = self.expirations.clone();
        for name in [self.cookies.session(), self.cookies.loop_marker()] {
            cookies.extend(self.cookies.remove_everywhere(&name));
        }
        cookies
    }

    /// Where a sign-out leads on, by the `state` with which the provider came back; `None` where it
    /// has none, or another's.
    pub fn after_sign_out(&self, state: &str) -> Option<ReturnTarget> {
        let sealed = BASE64URL_NOPAD.decode(state.as_bytes()).ok()?;
        let target = self.sign_out_sealer.open(self.app().as_str().as_bytes(), &sealed).ok()?;
        ReturnTarget::ours(std::str::from_utf8(target.expose()).ok()?, &self.origins)
    }

    fn place(&self, destination: &Destination) -> String {
        match destination {
            Destination::Ours(target) => target.url(&self.origins),
            Destination::Configured(url) => url.to_string(),
            Destination::Default => {
                self.signed_out.default.as_ref().map_or_else(|| self.endpoint("/signed_out"), Url::to_string)
            }
        }
    }

    fn seal_state(&self, target: &ReturnTarget) -> String {
        let sealed = self.sign_out_sealer.seal(self.app().as_str().as_bytes(), target.as_str().as_bytes());
        BASE64URL_NOPAD.encode(&sealed)
    }

    /// Tells a provider's return that we asked for from any visitor's.
    fn empty_state(&self) -> String {
        BASE64URL_NOPAD.encode(&self.random.bytes::<16>())
    }

    /// The origins that our forms lead on to: browsers hold the redirects that answer a
    /// form to the page's `form-action` too.
    pub fn provider_origins(&self) -> Vec<Origin> {
        let metadata = self.parties.iter().filter_map(|party| party.relying_party.metadata());
        let providers = metadata.flat_map(|metadata| metadata.visited_origins());
        let callback = Some(&self.redirect_uri).filter(|_| !self.answers_here());
        providers.chain(callback.and_then(|url| Url::parse(url).ok()).map(|url| url.origin())).collect()
    }

    /// The same for the form that signs out.
    pub fn sign_out_origins(&self, destination: &Destination) -> Vec<Origin> {
        let place = Url::parse(&self.place(destination)).map(|url| url.origin());
        self.provider_origins().into_iter().chain(place).collect()
    }
}
