//! `[server]`, `[server.tls]`, `[server.limits]` and `[log]`.

use std::{net::SocketAddr, num::NonZeroU32, num::NonZeroUsize, path::PathBuf, time::Duration};

use ipnet::IpNet;

/// `[server]`: where it listens, whom it believes, how it stops.
#[derive(Debug)]
pub struct Server {
    /// Where visitors come in; at least one.
    pub listen: Vec<SocketAddr>,
    /// Where `/livez`, `/readyz` and `/metrics` are; `None` = off.
    pub ops_listen: Option<SocketAddr>,
    /// The path of our own endpoints below each app's public URL: one slash in front, none behind.
    pub prefix: String,
    /// Whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long it stays up, not ready, before it stops accepting.
    pub drain_delay: Duration,
    /// How long requests in flight may take after that.
    pub drain_timeout: Duration,
    /// How many worker threads.
    pub workers: NonZeroUsize,
    /// `[server.tls]`; `None` = plain HTTP.
    pub tls: Option<TlsIdentity>,
    /// `[server.limits]`
    pub limits: Limits,
}

/// A certificate chain and its private key, both PEM; checked to belong together where they are read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsIdentity {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// PKCS#8, SEC1 or PKCS#1.
    pub private_key: PathBuf,
}

/// `[server.limits]`
#[derive(Debug)]
pub struct Limits {
    /// How long a request's head may take to arrive.
    pub header_timeout: Duration,
    /// How long an idle connection is kept.
    pub keepalive: Duration,
    /// How many sign-ins one client address may begin in a minute; `None` = any number.
    pub sign_ins_per_client: Option<NonZeroU32>,
}

/// `[log]`
#[derive(Debug)]
pub struct Log {
    /// An `EnvFilter` directive list: `info,vestibule::session=debug`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
    /// Whether each request leaves a line.
    pub access: bool,
}

/// `log.format`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    Auto,
    /// For eyes.
    Human,
    /// One JSON object a line.
    Json,
}
