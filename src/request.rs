//! What arrives, read once: the value that is judged is the value that is forwarded.
//!
//! The worst holes of authenticating proxies are one hole: a rule looked at another
//! path, host or address than the upstream did (CVE-2023-33189, CVE-2026-40575,
//! GHSA-5wcc-hf24-rf5h). So everything here is a pure function from a request's
//! head to a parsed value; nobody further down reads the head again to decide.
//!
//! | question | answer |
//! |---|---|
//! | what stands in its head? | [`Fields`], one look at each |
//! | is it of a size that anybody needs? | [`HeadLimits`] |
//! | is it one request, and for which host? | [`framing::check`], [`Host`] |
//! | which resource, and how else could an upstream read it? | [`Target`], [`Reading`] |
//! | what does HTTP/2 say otherwise? | [`http2`] |
//! | who sent it? | [`Peer`], [`Client`] |
//! | how far has its body come? | [`Body`], [`Bodies`] |
//! | what can its sender do with our own answer? | [`Audience`] |
//! | what is this header to us? | [`HeaderKind`] |
//! | and to this app? | [`ReservedNames`] |
//! | which protocols does it offer to change to? | [`Upgrade`] |
//! | does a browser ask before it asks? | [`is_preflight`] |
//! | which request does a proxy ask about? | [`original`] |
//!
//! All of it runs on every request: no allocation for an ordinary one, one pass
//! over the head, one over the path, nothing looked up twice.

mod audience;
mod body;
pub mod client;
mod fields;
pub mod framing;
mod header;
mod host;
pub mod http2;
mod limits;
pub mod original;
mod preflight;
mod reserved;
mod target;
mod upgrade;

pub use audience::Audience;
pub use body::{Bodies, Body, BodyError, Fate, Outcome};
pub use client::{Client, Peer};
pub use fields::{Fields, Presence, Removals};
pub use framing::FramingError;
pub use header::{HeaderKind, connection_options, declares_options, is_hop_by_hop};
pub use host::{Host, InvalidHost};
pub use limits::{HeadLimits, HeadTooLarge};
pub use preflight::is_preflight;
pub use reserved::ReservedNames;
pub use target::{Found, Hosts, Place, Premises, Readers, Reading, Site, Target, TargetError};
pub use upgrade::{Protocol, Upgrade};
