//! What arrives, read once: the value that is judged is the value that is forwarded.
//!
//! The worst holes of authenticating proxies are one hole: a rule looked at another
//! path, host or address than the upstream did (CVE-2023-33189, CVE-2026-40575,
//! GHSA-5wcc-hf24-rf5h). So everything here is a pure function from a request's
//! head to a parsed value; nobody further down reads the head again to decide.
//!
//! | question | answer |
//! |---|---|
//! | is it one request, and for which host? | [`framing::check`], [`Host`] |
//! | which resource, and how else could an upstream read it? | [`Target`], [`Reading`] |
//! | who sent it? | [`Peer`], [`Client`] |
//! | what can its sender do with our own answer? | [`Audience`] |
//! | what is this header to us? | [`HeaderKind`] |
//! | which protocols does it offer to change to? | [`Upgrade`] |
//!
//! All of it runs on every request: no allocation for an ordinary one, one pass
//! over the path, nothing looked up twice. [`Audience`] is only asked when we
//! answer ourselves.

mod audience;
pub mod client;
pub mod framing;
mod header;
mod host;
mod target;
mod upgrade;

pub use audience::Audience;
pub use client::{Client, Peer};
pub use framing::FramingError;
pub use header::{HeaderKind, connection_options, is_hop_by_hop};
pub use host::{Host, InvalidHost};
pub use target::{Place, Readers, Reading, Target, TargetError};
pub use upgrade::{Protocol, Upgrade};
