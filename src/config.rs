//! The configuration: read, judged and published as values that are valid by construction.
//!
//! A file is read into a tree in which every value knows its place, each section
//! takes what it knows out of that tree, and whatever is wrong becomes a
//! [`Fault`] with its place. All faults are reported together. What comes out,
//! [`Config`], has no further way to be wrong: patterns are compiled, secrets
//! are read, references between sections resolve.

use std::sync::Arc;

pub mod access;
pub mod app;
pub mod provider;
pub mod server;
pub mod session;

pub use access::{Access, Condition, Policy, Route};
pub use app::App;
pub use provider::Provider;
pub use server::{Limits, Log, LogFormat, Server, TlsIdentity};
pub use session::{KeyMaterial, SessionStore, SessionTimes};

/// Everything that `serve` needs to know.
#[derive(Debug)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[log]`
    pub log: Log,
    /// `[keys]`, first the key that seals; empty = made at start, for the life of the process.
    pub keys: Vec<KeyMaterial>,
    /// `[session]`
    pub session: SessionTimes,
    /// `[[provider]]`, at least one.
    pub providers: Vec<Arc<Provider>>,
    /// `[[app]]`, at least one.
    pub apps: Vec<Arc<App>>,
    /// What is allowed and still deserves a line at start.
    pub warnings: Vec<String>,
}
