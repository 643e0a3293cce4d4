//! `server.listen`, `server.ops_listen` and `server.trusted_proxies`: where visitors come in, and whose word on them counts.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use ipnet::IpNet;

use crate::config::{
    fault::quoted,
    section::{Reading, Section, Unique, Wrong},
};

/// Where visitors come in and where the ops listener is, unless the file says otherwise.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4180);
const DEFAULT_OPS_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4181);

/// The longest path of a Unix socket: `sun_path` of unix(7), without the zero at its end.
const MAX_SOCKET_PATH: usize = 107;

/// Who may connect to a Unix socket whose mode is not given: its owner and group, as in the contract's example.
const DEFAULT_MODE: u32 = 0o660;

/// One entry of `server.listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `127.0.0.1:4180`
    Tcp(SocketAddr),
    /// `unix:/run/vestibule.sock?mode=0660`
    Unix(UnixSocket),
    /// `systemd:` takes every socket that systemd passes, `systemd:NAME` those of that `FileDescriptorName=`.
    Systemd(Option<String>),
}

/// A socket in the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// Absolute.
    pub path: PathBuf,
    /// Who may connect: the permission bits of the file.
    pub mode: u32,
}

/// Whether `server.trusted_proxies` has `unix`: peers on Unix sockets have no address to be named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnixPeers {
    /// Whoever may open the socket is a proxy of ours.
    Trusted,
    /// It speaks for itself only.
    Untrusted,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(socket) => write!(f, "unix:{}", socket.path.display()),
            Self::Systemd(name) => write!(f, "systemd:{}", name.as_deref().unwrap_or_default()),
        }
    }
}

pub(super) fn read_listen(section: &Section<'_>) -> Reading<Vec<Listen>> {
    let Some(entries) = section.list("listen", parse_listen)? else { return Ok(vec![Listen::Tcp(DEFAULT_LISTEN)]) };
    if entries.is_empty() {
        return Err(section.report().add(
            section.fault(&["listen"], "`listen` names no address").help("without the key it is [\"127.0.0.1:4180\"]"),
        ));
    }
    let mut unique = Unique::new("the address");
    for entry in &entries {
        // Port 0 is any free port, another one each time.
        if !matches!(&entry.value, Listen::Tcp(address) if address.port() == 0) {
            unique.claim(section.report(), &entry.value.to_string(), entry.place)?;
        }
    }
    Ok(entries.into_iter().map(|entry| entry.value).collect())
}

/// Never on the visitors' listener: what it tells is not for them.
pub(super) fn read_ops_listen(section: &Section<'_>, listen: Option<&[Listen]>) -> Reading<Option<SocketAddr>> {
    let ops = section.optional("ops_listen", parse_address)?;
    if section.is_off("ops_listen") {
        return Ok(None);
    }
    let ops = ops.map_or(DEFAULT_OPS_LISTEN, |address| address.value);
    if ops.port() != 0 && listen.is_some_and(|listen| listen.contains(&Listen::Tcp(ops))) {
        return Err(section.report().add(
            section
                .fault(&["ops_listen", "listen"], format!("`ops_listen` is {ops}, and so is an address of `listen`"))
                .why("metrics and readiness are never answered where visitors come in")
                .help("give it a port of its own, or \"\" for none"),
        ));
    }
    Ok(Some(ops))
}

fn parse_listen(text: &str) -> Result<Listen, Wrong> {
    if let Some(rest) = text.strip_prefix("unix:") {
        return parse_unix(rest).map(Listen::Unix);
    }
    match text.strip_prefix("systemd:") {
        Some("") => Ok(Listen::Systemd(None)),
        Some(name) if is_descriptor_name(name) => Ok(Listen::Systemd(Some(name.to_owned()))),
        Some(_) => Err(Wrong::new("has a name that systemd cannot give")
            .help("write the FileDescriptorName= of the .socket unit, or \"systemd:\" for every socket of it")),
        None => parse_address(text).map(Listen::Tcp),
    }
}

/// `FileDescriptorName=` of systemd.socket(5).
fn is_descriptor_name(name: &str) -> bool {
    name.len() <= 255 && name.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b':')
}

fn parse_unix(text: &str) -> Result<UnixSocket, Wrong> {
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    if !Path::new(path).is_absolute() || path.ends_with('/') || path.contains('\0') {
        return Err(Wrong::new("must have the absolute path of a socket after `unix:`")
            .help("write, for example, \"unix:/run/vestibule.sock?mode=0660\""));
    }
    if path.len() > MAX_SOCKET_PATH {
        return Err(Wrong::new(format_args!(
            "has a path of {} bytes; the system takes {MAX_SOCKET_PATH} for a socket",
            path.len()
        )));
    }
    let mode = match query {
        None => DEFAULT_MODE,
        Some(query) => query.strip_prefix("mode=").and_then(parse_mode).ok_or_else(|| {
            Wrong::new("takes `?mode=` with permission bits in octal after the path")
                .help("write, for example, \"unix:/run/vestibule.sock?mode=0660\"")
        })?,
    };
    Ok(UnixSocket { path: PathBuf::from(path), mode })
}

fn parse_mode(text: &str) -> Option<u32> {
    let octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    u32::from_str_radix(text, 8).ok().filter(|mode| octal && *mode <= 0o777)
}

fn parse_address(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        let wrong = Wrong::new("must be an IP address with a port");
        match text.rsplit_once(':') {
            Some(("localhost", port)) => wrong.help(format!("write \"127.0.0.1:{}\"", quoted(port))),
            Some(("" | "*", port)) => {
                wrong.help(format!("all interfaces are \"0.0.0.0:{0}\" or \"[::]:{0}\"", quoted(port)))
            }
            _ => wrong.help("write, for example, \"127.0.0.1:4180\" or \"[::1]:4180\""),
        }
    })
}

pub(super) fn read_trusted_proxies(section: &Section<'_>) -> Reading<(Vec<IpNet>, UnixPeers)> {
    let parse = |text: &str| if text == "unix" { Ok(None) } else { parse_network(text).map(Some) };
    let proxies = section.list("trusted_proxies", parse)?.unwrap_or_default();
    let mut networks = Vec::new();
    let mut unix = UnixPeers::Untrusted;
    for proxy in proxies {
        let Some(network) = proxy.value else {
            unix = UnixPeers::Trusted;
            continue;
        };
        if is_wide(&network) {
            section.report().warn(
                Some(proxy.place),
                format_args!(
                    "`trusted_proxies` holds {network}: every client there can state its own address and host; no \
                     network of one's own is that wide"
                ),
            );
        }
        networks.push(network);
    }
    Ok((networks, unix))
}

/// Whether a range is more than anybody has proxies in: much of the Internet, or all of it in two halves.
fn is_wide(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() < 8,
        // fc00::/7 (RFC 4193) and fe80::/10 are wide and nobody else's.
        IpNet::V6(network) => {
            let own = network.addr().is_unique_local() || network.addr().is_unicast_link_local();
            network.prefix_len() < if own { 7 } else { 16 }
        }
    }
}

/// What `listen` and `trusted_proxies` only together can have wrong.
pub(super) fn check_peers(
    section: &Section<'_>,
    listen: &[Listen],
    trusted_proxies: &(Vec<IpNet>, UnixPeers),
    proxy_protocol: bool,
) -> Reading<()> {
    let (networks, unix) = trusted_proxies;
    if proxy_protocol && networks.is_empty() && *unix == UnixPeers::Untrusted {
        return Err(section.report().add(
            section
                .fault(&["proxy_protocol"], "`proxy_protocol` needs `trusted_proxies`")
                .why("a PROXY header is believed from a trusted proxy only, and nobody else may connect then")
                .help("name the load balancer: trusted_proxies = [\"192.0.2.0/24\"], or \"unix\" for a Unix socket"),
        ));
    }
    if *unix == UnixPeers::Untrusted && listen.iter().any(|listen| matches!(listen, Listen::Unix(_))) {
        section.report().warn(
            section.place_of("listen"),
            "`listen` has a Unix socket and `trusted_proxies` has no \"unix\": who comes through it has no address, \
             so `ip` conditions cannot match and all of them count as one client",
        );
    }
    Ok(())
}

/// One address, or a range in CIDR notation (RFC 4632 §3.1).
pub(super) fn parse_network(text: &str) -> Result<IpNet, Wrong> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let network: IpNet = text.parse().map_err(|_| {
        Wrong::new("must be an IP address or a range of them")
            .help("write, for example, \"10.0.0.0/8\" or \"192.0.2.1\"")
    })?;
    if network.trunc() == network {
        return Ok(network);
    }
    Err(Wrong::new(format_args!("has bits set beyond its first {}", network.prefix_len())).help(format!(
        "write \"{}\" for the range, or \"{}\" for the one address",
        network.trunc(),
        network.addr()
    )))
}
