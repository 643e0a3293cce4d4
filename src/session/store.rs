//! What sessions need from wherever they are kept. `store` implements it.
//!
//! Two traits, because the rows and the endings need not live in one place:
//! [`Store`] keeps sealed records, [`Feed`] tells every replica what has ended.
//! A store that does both writes the ending and removes the row in one step.
//!
//! Session ids are hashes of random secrets. They do not repeat, so an id that has
//! ended never becomes a session again; much of `sessions` rests on this.

use std::{error::Error as StdError, fmt, sync::Arc};

use async_trait::async_trait;

use crate::{
    clock::Timestamp,
    identity::{AppId, Issuer, ProviderSessionId, Subject},
    session::SessionId,
};

/// Keeps sealed records by id, and finds them by who they belong to.
///
/// Whatever is committed before a call begins, that call sees: a store may not
/// read from a copy that lags.
#[async_trait]
pub trait Store: Send + Sync {
    /// Adds a session.
    async fn insert(&self, new: NewRecord) -> Result<(), StoreError>;

    /// The record, if the session exists and has not ended.
    async fn load(&self, id: &SessionId) -> Result<Option<StoredRecord>, StoreError>;

    /// Notes that the session was used; an earlier moment than the noted one changes
    /// nothing, nor does a session that is gone.
    async fn touch(&self, id: &SessionId, at: Timestamp) -> Result<(), StoreError>;

    /// Writes a new record if nobody else did since `expected` was loaded. Never
    /// brings an ended session back.
    async fn replace(&self, id: &SessionId, expected: Revision, record: Vec<u8>) -> Result<Replaced, StoreError>;

    /// Removes the session and puts its ending into the feed, in one step. Returns
    /// what was removed; `None` where there was nothing (any more).
    async fn end(&self, id: &SessionId, reason: EndReason) -> Result<Option<EndedRecord>, StoreError>;

    /// Ends all sessions of one person, as [`Store::end`] does; returns which.
    async fn end_all_of_subject(
        &self,
        issuer: &Issuer,
        subject: &Subject,
        reason: EndReason,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// Ends all sessions that came from one session at the provider (Back-Channel Logout §2.7).
    async fn end_all_of_provider_session(
        &self,
        issuer: &Issuer,
        sid: &ProviderSessionId,
        reason: EndReason,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// Removes what was created or last used at or before these moments; returns how
    /// many. Nothing goes into the feed: every replica sees by its own clock that
    /// they are over.
    async fn purge_expired(&self, created: Timestamp, last_used: Timestamp) -> Result<usize, StoreError>;
}

/// Tells all replicas what has ended, in order.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Where the feed stands now; what ends later stands behind it.
    async fn position(&self) -> Result<Position, StoreError>;

    /// What ended behind `position`, oldest first; possibly not all of it at once.
    async fn read_after(&self, position: Position) -> Result<FeedPage, StoreError>;

    /// Resolves when there may be something behind `position`. Only a wake-up: it may
    /// come for nothing or not at all; whoever waits also reads from time to time.
    async fn changed(&self, position: Position);
}

/// A session to be kept. The record is sealed; the rest is what it is found by.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// Its name.
    pub id: SessionId,
    /// Whose it is.
    pub owner: Owner,
    /// When it began, which is also its first use.
    pub created_at: Timestamp,
    /// The sealed record.
    pub record: Vec<u8>,
    /// The sealed ID token, wanted again only by [`Store::end`].
    pub id_token: Option<Vec<u8>>,
}

/// By what sessions are found without their cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The app.
    pub app: AppId,
    /// The provider's issuer identifier.
    pub issuer: Issuer,
    /// The person there.
    pub subject: Subject,
    /// The provider's name of its own session with them, if it gave one.
    pub provider_session: Option<ProviderSessionId>,
}

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// To be named by [`Store::replace`].
    pub revision: Revision,
    /// The last use that was noted.
    pub last_used: Timestamp,
    /// The sealed record.
    pub record: Vec<u8>,
}

/// What [`Store::end`] removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedRecord {
    /// The sealed record.
    pub record: Vec<u8>,
    /// The sealed ID token.
    pub id_token: Option<Vec<u8>>,
}

/// Counts the writes of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(u64);

impl Revision {
    /// From what a store keeps.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// As a store keeps it.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// What became of a [`Store::replace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// Written; this is its revision now.
    Written(Revision),
    /// Somebody else wrote first: load it again.
    Overtaken,
    /// There is no such session (any more).
    Gone,
}

/// A place in the feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

impl Position {
    /// From what a store keeps.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// As a store keeps it.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// An answer of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedPage {
    /// What ended, oldest first; empty if nothing did.
    Endings(Vec<Ending>),
    /// The feed no longer reaches back that far: what ended since is not known.
    Gap,
}

/// One row of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Where it stands.
    pub position: Position,
    /// Which session ended.
    pub session: SessionId,
    /// Why.
    pub reason: EndReason,
}

/// Why a session was ended (rather than expired).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The visitor signed out.
    SignedOut,
    /// The same browser signed in anew.
    Superseded,
    /// The provider said so (Back-Channel or Front-Channel Logout).
    ProviderLogout,
    /// An administrator said so.
    Administrator,
}

impl EndReason {
    /// As logs and stores spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Superseded => "superseded",
            Self::ProviderLogout => "provider_logout",
            Self::Administrator => "administrator",
        }
    }
}

/// The store could not be asked, or did not answer. Says nothing about any
/// session: a visitor is neither let in nor called signed out on its account.
#[derive(Clone, Debug)]
pub struct StoreError(Arc<dyn StdError + Send + Sync>);

impl StoreError {
    /// Keeps the cause for the log.
    pub fn unavailable(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(Arc::from(cause.into()))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session store is unavailable")
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}
