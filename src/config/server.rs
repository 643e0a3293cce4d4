//! `[server]`, `[server.tls]`, `[server.limits]` and `[log]`.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    ops::RangeInclusive,
    path::PathBuf,
    thread,
    time::Duration,
};

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use crate::config::{
    fault::quoted,
    listen::{self, Listen, UnixPeers},
    pem, plain_path,
    section::{Reading, Section, Wrong},
};

/// The longest that stopping may be made to take.
const MAX_DRAIN: Duration = Duration::from_hours(1);

/// The most worker threads: more than any machine has cores.
const MAX_WORKERS: u32 = 1024;

/// hyper reads heads into a buffer of 8 KiB at least; what is more than a megabyte is no head.
const HEADER_BYTES: RangeInclusive<u64> = 8 << 10..=1 << 20;

/// Browsers send about twenty fields, proxies before us some more.
const HEADER_COUNT: RangeInclusive<u32> = 16..=1000;

/// RFC 9110 §4.1 asks for 8,000 bytes, and hyper takes no target of 64 KiB.
const URI_BYTES: RangeInclusive<u64> = 1 << 10..=63 << 10;

/// More than one process can have descriptors for.
const MAX_CONNECTIONS: u32 = 10_000_000;

/// `[server]`: where it listens, whom it believes, how it stops.
#[derive(Debug)]
pub struct Server {
    /// Where visitors come in; at least one.
    pub listen: Vec<Listen>,
    /// Where `/livez`, `/readyz` and `/metrics` are; `None` = off.
    pub ops_listen: Option<SocketAddr>,
    /// The path of our own endpoints below each app's public URL: one slash in front, none behind.
    pub prefix: String,
    /// The path that says to whoever asks at a listener of visitors whether it serves; `None` = none.
    pub health_path: Option<String>,
    /// Whose `X-Forwarded-*` and PROXY headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether peers on Unix sockets are believed as well.
    pub unix_peers: UnixPeers,
    /// Whether each connection begins with a PROXY header.
    pub proxy_protocol: ProxyProtocol,
    /// How long it stays up, not ready, before it stops accepting.
    pub drain_delay: Duration,
    /// How long requests in flight may take after that.
    pub drain_timeout: Duration,
    /// How many worker threads.
    pub workers: NonZeroUsize,
    /// `[server.tls]`; `None` = plain HTTP.
    pub tls: Option<Tls>,
    /// `[server.limits]`
    pub limits: Limits,
}

/// `server.proxy_protocol`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// Every connection must begin with a header, and may come from trusted proxies only.
    Required,
    /// Connections begin with what the visitor sends.
    Off,
}

/// `[server.tls]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// For every name that no app has a certificate of its own for.
    pub identity: TlsIdentity,
    /// A file of authorities: who connects must show a certificate of one of them.
    pub client_ca: Option<PathBuf>,
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
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest head: request line and header fields together.
    pub header_bytes: usize,
    /// How many header fields a request may have.
    pub header_count: usize,
    /// The longest request target.
    pub uri_bytes: usize,
    /// How long a request's head may take to arrive.
    pub header_timeout: Duration,
    /// How long an idle connection is kept.
    pub keepalive: Duration,
    /// How many connections of visitors may stand at a time, on all listeners and workers together; `None` = any
    /// number.
    pub connections: Option<NonZeroU32>,
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

pub(super) fn read_server(section: &Section<'_>) -> Reading<Server> {
    let listen = listen::read_listen(section);
    let ops_listen = listen::read_ops_listen(section, listen.as_deref().ok());
    let prefix = section.optional("prefix", |text| plain_path::parse(text, "/_vestibule"));
    let health_path = section.optional("health_path", |text| plain_path::parse(text, "/healthz"));
    let trusted_proxies = listen::read_trusted_proxies(section);
    let proxy_protocol = section.flag("proxy_protocol", false);
    let drain_delay = section.duration("drain_delay", Duration::from_secs(5), Duration::ZERO..=MAX_DRAIN);
    let drain_timeout = section.duration("drain_timeout", Duration::from_secs(20), Duration::ZERO..=MAX_DRAIN);
    let workers = section.integer("workers", 0, 0..=MAX_WORKERS);
    let tls = section.table("tls", "server.tls", read_tls);
    let limits = section.table_or_empty("limits", "server.limits", read_limits);
    let (listen, trusted_proxies, proxy_protocol) = (listen?, trusted_proxies?, proxy_protocol?);
    listen::check_peers(section, &listen, &trusted_proxies, proxy_protocol)?;
    let (trusted_proxies, unix_peers) = trusted_proxies;
    Ok(Server {
        listen,
        ops_listen: ops_listen?,
        prefix: prefix?.map_or_else(|| "/_vestibule".to_owned(), |prefix| prefix.value),
        health_path: health_path?.map(|path| path.value),
        trusted_proxies,
        unix_peers,
        proxy_protocol: if proxy_protocol { ProxyProtocol::Required } else { ProxyProtocol::Off },
        drain_delay: drain_delay?,
        drain_timeout: drain_timeout?,
        workers: worker_count(workers?),
        tls: tls?,
        limits: limits?,
    })
}

fn read_tls(section: &Section<'_>) -> Reading<Tls> {
    let identity = pem::read_identity(section);
    let client_ca = pem::check_authorities(section, "client_ca");
    Ok(Tls { identity: identity?, client_ca: client_ca? })
}

/// 0 is one for each core that the process may use.
fn worker_count(workers: u32) -> NonZeroUsize {
    usize::try_from(workers)
        .ok()
        .and_then(NonZeroUsize::new)
        .or_else(|| thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN)
}

fn read_limits(section: &Section<'_>) -> Reading<Limits> {
    let at_least = Duration::from_millis(100);
    let header_bytes = section.size("header_bytes", 64 << 10, HEADER_BYTES);
    let header_count = section.integer("header_count", 100, HEADER_COUNT);
    let uri_bytes = section.size("uri_bytes", 16 << 10, URI_BYTES);
    let header_timeout =
        section.duration("header_timeout", Duration::from_secs(10), at_least..=Duration::from_hours(1));
    let keepalive = section.duration("keepalive", Duration::from_secs(75), at_least..=Duration::from_hours(24));
    let connections = section.integer("connections", 20_000, 0..=MAX_CONNECTIONS);
    let sign_ins_per_client = section.rate("sign_ins_per_client", NonZeroU32::new(600));
    Ok(Limits {
        header_bytes: in_memory(header_bytes?),
        header_count: in_memory(header_count?.into()),
        uri_bytes: in_memory(uri_bytes?),
        header_timeout: header_timeout?,
        keepalive: keepalive?,
        connections: NonZeroU32::new(connections?),
        sign_ins_per_client: sign_ins_per_client?,
    })
}

/// A number within bounds that every machine can count to.
fn in_memory(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

pub(super) fn read_log(section: &Section<'_>) -> Reading<Log> {
    let level = section.optional("level", parse_level);
    let format =
        section.choice("format", &[("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)]);
    let access = section.flag("access", true);
    Ok(Log {
        level: level?.map_or_else(|| "info".to_owned(), |level| level.value),
        format: format?.unwrap_or(LogFormat::Auto),
        access: access?,
    })
}

/// `EnvFilter` takes a word that is no level for the name of a module, which it then traces: `inof` would silence
/// everything. So a directive without `=` has to be a level.
fn parse_level(text: &str) -> Result<String, Wrong> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let wrong = |problem: String| {
        Wrong::new(problem).help("write a level (off, error, warn, info, debug, trace), or levels by module: \"info,vestibule::session=debug\"")
    };
    EnvFilter::builder().parse(text).map_err(|error| wrong(format!("is no log filter: {error}")))?;
    for directive in text.split(',').filter(|directive| !directive.contains(['=', '[', ']', '{', '}', '"'])) {
        let directive = directive.trim();
        if !LEVELS.iter().any(|level| level.eq_ignore_ascii_case(directive)) {
            return Err(wrong(format!("has `{}`, which is no level", quoted(directive))));
        }
    }
    Ok(text.to_owned())
}
