//! Signing in and out: the visitor's way to the provider and back.
//!
//! [`Login::start`] begins an attempt and leads to the provider, [`Login::finish`]
//! takes the provider's answer and opens a session, [`Login::leave`] ends it here
//! and, where the provider offers it, there too (RP-Initiated Logout 1.0).
//!
//! What comes out is a [`Redirect`] or an [`Error`](enum@Error); how either looks is
//! `gateway`'s to say. The protocol itself is `relying_party`'s.

use std::sync::Arc;

use http::HeaderValue;
use thiserror::Error;
use tokio::runtime::Handle;

use crate::{
    clock::Clock,
    identity::{AppId, ProviderId},
    meter::ProviderMeter,
    random::Random,
    relying_party::{self, CallbackError, ErrorCode, RelyingParty},
    seal::Sealer,
    session::{
        self, Home, Sessions,
        cookie::{CookieNames, Keep},
    },
};

pub(crate) mod attempt;
mod clear;
mod finish;
mod leave;
mod redeemed;
mod start;
mod target;

pub(crate) use clear::expirations;
pub use finish::{Failed, Finished, Live};
pub use leave::{Destination, SignedOutPlaces};
pub use redeemed::Redeemed;
pub use start::{Asks, Begin, Initiative};
pub use target::{Origins, ReturnTarget};

/// Where the browser goes next, and what it is to remember on the way.
#[derive(Debug)]
pub struct Redirect {
    /// An absolute URL: on the app's origin, or the provider's endpoint.
    pub location: String,
    /// `Set-Cookie` values.
    pub cookies: Vec<HeaderValue>,
}

/// A provider as one app knows it.
#[derive(Clone)]
pub struct Party {
    /// The protocol.
    pub relying_party: Arc<RelyingParty>,
    /// Its counters.
    pub meter: ProviderMeter,
}

/// Signing in and out at one app.
pub struct Login {
    /// Whose visitors these are, and which sessions count.
    pub home: Home,
    /// Where a sign-in may lead.
    pub origins: Origins,
    /// Where the provider's answer goes; another app's, where several share one (`callback_url`).
    pub redirect_uri: String,
    /// What our cookies are called at this origin.
    pub cookies: CookieNames,
    /// How long the browser keeps the session's.
    pub keep_session: Keep,
    /// Expires those of the app's own cookies that go with a sign-in and a sign-out.
    pub expirations: Vec<HeaderValue>,
    /// Where else than here a sign-out may lead.
    pub signed_out: SignedOutPlaces,
    /// Whom a visitor may sign in with; at least one.
    pub parties: Vec<Party>,
    /// Seals attempts.
    pub sealer: Sealer,
    /// Among whom attempts are sealed: the app, or all that share its callback.
    pub realm: String,
    /// Seals what a sign-out takes along to the provider.
    pub sign_out_sealer: Sealer,
    /// Which attempts have been answered.
    pub redeemed: Redeemed,
    /// Where sessions are.
    pub sessions: Arc<Sessions>,
    /// The runtime that owns the provider's connections.
    pub background: Handle,
    /// The time.
    pub clock: Clock,
    /// What attempts are made of.
    pub random: Random,
}

/// Why a sign-in did not begin or did not end well.
#[derive(Debug, Error)]
pub enum Error {
    /// A provider that this app does not have.
    #[error("this app has no such provider")]
    UnknownProvider,
    /// No attempt of this browser fits the answer: none was begun here, or its cookie is gone or foreign.
    #[error("no sign-in of this browser fits the `state` of the answer")]
    StateMissing,
    /// The attempt has been answered before.
    #[error("this sign-in has been answered before")]
    StateReplayed,
    /// The attempt was begun anew once and came back too late again.
    #[error("the sign-in took too long twice")]
    ExpiredAgain,
    /// Sign-ins end well, yet the browser keeps coming back without the session.
    #[error("the browser came back from {0} finished sign-ins without our session cookie")]
    Loop(u32),
    /// The answer is no authorization response.
    #[error("the provider's answer cannot be read: {0}")]
    Callback(#[from] CallbackError),
    /// The provider, or the person there, said no (RFC 6749 §4.1.2.1).
    #[error("the provider answered `{0}`")]
    Refused(ErrorCode),
    /// The provider did not do its part.
    #[error(transparent)]
    Provider(#[from] relying_party::Error),
    /// The session could not be kept.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// The process is going down.
    #[error("the process is stopping")]
    Stopping,
}

impl Error {
    /// A label for logs and metrics: one of a fixed set.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownProvider => "unknown_provider",
            Self::StateMissing => "state_missing",
            Self::StateReplayed => "state_replayed",
            Self::ExpiredAgain => "state_expired_again",
            Self::Loop(_) => "sign_in_loop",
            Self::Callback(error) => error.reason(),
            Self::Refused(_) => "provider_refused",
            Self::Provider(error) => error.reason(),
            Self::Session(_) => "sessions_unavailable",
            Self::Stopping => "stopping",
        }
    }
}

impl Login {
    /// The party that was asked for, or the only one.
    fn party(&self, provider: Option<&ProviderId>) -> Result<&Party, Error> {
        match (provider, self.parties.as_slice()) {
            (Some(id), parties) => {
                parties.iter().find(|p| p.relying_party.provider().id == *id).ok_or(Error::UnknownProvider)
            }
            (None, [only]) => Ok(only),
            (None, _) => Err(Error::UnknownProvider),
        }
    }

    /// The provider of an issuer, to the letter. Where several are registrations at the same one, that of this name,
    /// else the first.
    pub fn provider_of(&self, issuer: &str, named: Option<&ProviderId>) -> Option<&ProviderId> {
        let mut providers = self.parties.iter().map(|party| party.relying_party.provider());
        let is_meant = |id: &ProviderId| named.is_none_or(|named| named == id);
        let found = providers.find(|provider| provider.issuer.as_str() == issuer && is_meant(&provider.id));
        found.map(|provider| &provider.id)
    }

    /// Whose visitors these are.
    fn app(&self) -> &AppId {
        self.home.app()
    }

    /// Whether this app's host gets the provider's answers itself.
    fn answers_here(&self) -> bool {
        self.redirect_uri.strip_prefix(&self.origins.own).is_some_and(|path| path.starts_with('/'))
    }

    /// Whether a provider's sessions count here (`providers`): siblings may share one of another.
    pub fn knows(&self, provider: &ProviderId) -> bool {
        self.parties.iter().any(|party| party.relying_party.provider().id == *provider)
    }

    /// The URL of one of our own endpoints.
    pub fn endpoint(&self, name: &str) -> String {
        format!("{}{}", self.origins.own, self.origins.premises.endpoint(name))
    }

    /// Runs a future on the runtime that owns the provider's connections.
    async fn in_background<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Error> {
        // A task fails only where it panics (logged by the hook) or where the runtime is gone.
        self.background.spawn(work).await.map_err(|_| Error::Stopping)
    }
}
