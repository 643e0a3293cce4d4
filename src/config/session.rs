//! `[session]`, `[store]` and `[keys]`.

use std::time::Duration;

use crate::secret::Secret;

/// `[session]`
#[derive(Clone, Debug)]
pub struct SessionTimes {
    /// Where sessions are kept.
    pub store: SessionStore,
    /// How long a session lives without use.
    pub idle_timeout: Duration,
    /// How long a session lives at all.
    pub lifetime: Duration,
}

/// `session.store` resolved through `store.url`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStore {
    /// `memory:`: gone with the process.
    Memory,
}

/// One key of the ring: 32 bytes or more, decoded.
pub type KeyMaterial = Secret<Vec<u8>>;
