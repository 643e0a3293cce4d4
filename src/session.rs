//! Sessions: one browser's signed-in state, from cookie to live handle.
//!
//! The cookie holds one secret ([`CookieSecret`]); the store holds a sealed record
//! under a name derived from that secret ([`store`]); what is used on every request
//! is an opened [`Session`] in a cache ([`Sessions`]). Endings travel through a feed
//! that every replica reads, so that a cache may be trusted at all.
//!
//! Two rules hold everywhere below:
//!
//! - *A store that cannot be asked has said nothing.* It is an [`Error`], never
//!   "signed out", and never "let in" (threat 88).
//! - *What has ended stays ended.* Ids do not repeat, so once an ending is applied
//!   here, no load that began before it, no late write and no cache brings the
//!   session back.

use std::{fmt, sync::Arc};

mod cookie_secret;
mod expiry;
mod feed;
mod home;
mod live;
mod recent;
pub(crate) mod record;
mod sessions;

pub mod cookie;
pub mod store;

pub use cookie_secret::{CookieSecret, SessionId};
pub use home::Home;
pub use recent::{CookieTag, Guest, Recent};
pub use record::{Landed, Tokens};
#[cfg(test)]
pub(crate) use sessions::Cached;
pub use sessions::{EndedSession, NewSession, Sessions};
pub use store::{EndReason, Feed, Store, StoreError};

use crate::{
    clock::Timestamp,
    identity::{AppId, Ended, Visitor},
    session::{cookie::AttemptId, live::Live, store::Position},
};

/// Why a session could not be looked up, opened or ended. Whether the visitor is
/// signed in is not known: 503, and the same cookie works again later.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store did not answer.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
    /// The feed of endings has not been read for so long that the cache may hold
    /// sessions that ended elsewhere.
    #[error("the feed of endings cannot be read, so cached sessions are not trusted")]
    Stale,
}

/// A session, opened: what a request needs to know of it.
pub struct Session {
    app: AppId,
    visitor: Visitor,
    terms: String,
    created_at: Timestamp,
    auth_time: Option<Timestamp>,
    landed: Option<Landed>,
    tokens: Option<Box<Tokens>>,
    pulse: Pulse,
}

/// What says whether a session still counts, apart from what it is: all that is
/// asked of it once its visitor has been judged.
#[derive(Clone, Debug)]
pub struct Pulse {
    /// What it shares with every other copy of the same session in this process.
    live: Arc<Live>,
    /// Where the feed stood, as far as it had been applied here, before this was loaded.
    position: Position,
}

impl Pulse {
    /// The session's name in the store and the log.
    pub fn id(&self) -> &SessionId {
        &self.live.id
    }

    /// Whether somebody or something has ended the session.
    pub fn has_ended(&self) -> bool {
        self.live.has_ended()
    }

    /// Tells whoever works on the session's behalf that it is over.
    pub fn ended(&self) -> &Ended {
        &self.live.ended
    }
}

impl Session {
    /// Its name in the store and the log.
    pub fn id(&self) -> &SessionId {
        &self.pulse.live.id
    }

    /// The app at which it began.
    pub fn app(&self) -> &AppId {
        &self.app
    }

    /// Who signed in.
    pub fn visitor(&self) -> &Visitor {
        &self.visitor
    }

    /// On what terms the provider's word was taken: the session counts as long as they hold.
    pub fn terms(&self) -> &str {
        &self.terms
    }

    /// When it began.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When the provider says that it last asked for credentials (`auth_time`), if it says.
    pub fn auth_time(&self) -> Option<Timestamp> {
        self.auth_time
    }

    /// When its lifetime is over.
    pub fn expires_at(&self) -> Timestamp {
        self.pulse.live.expires_at()
    }

    /// What says whether it still counts.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// The tokens that apps may be handed, where some app is.
    pub fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_deref()
    }

    /// Where the sign-in led that made this session, if `attempt` is that sign-in.
    pub fn landed_from(&self, attempt: AttemptId) -> Option<&str> {
        let landed = self.landed.as_ref()?;
        (landed.attempt == attempt.digest()).then_some(landed.target.as_str())
    }
}

/// Names the session and says nothing about the person.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", self.id()).field("app", &self.app).finish_non_exhaustive()
    }
}
