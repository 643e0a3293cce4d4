//! Where an app's server is, and how it is spoken to.
//!
//! The scheme decides all of it: `http://` and `https://` are HTTP/1.1, `h2c://` is
//! HTTP/2 in the clear with prior knowledge (RFC 9113 §3.3), and `unix:` is HTTP/1.1
//! over a socket of the file system. The path of a request is the visitor's, so
//! none stands here.

use std::path::{Path, PathBuf};

use rustls::pki_types::{CertificateDer, ServerName};
use url::{Host, Url};

use crate::config::{
    app::Scheme,
    fault::Place,
    location, pem,
    section::{Placed, Reading, Section, Wrong},
    server::TlsIdentity,
};

/// The longest path that a socket's address can hold on Linux (unix(7)), its final zero left out.
const MAX_SOCKET_PATH: usize = 107;

/// Where the app's server is.
#[derive(Debug, PartialEq, Eq)]
pub enum UpstreamUrl {
    /// `http://`
    Http(HostPort),
    /// `https://`
    Https(HostPort, Box<UpstreamTls>),
    /// `h2c://`
    H2c(HostPort),
    /// `unix:/path`
    Unix(PathBuf),
}

/// Whom to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Name or address; IPv6 without brackets, as a resolver takes it.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// `upstream_tls`
#[derive(Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// `ca_file`: certificates trusted beside the system's.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// The name that is asked for and that the certificate must be for: `server_name`, or the URL's host.
    pub server_name: ServerName<'static>,
    /// `certificate` and `private_key`: what we show of ourselves.
    pub identity: Option<TlsIdentity>,
    /// `insecure_skip_verify`
    pub verification: Verification,
}

/// Whether the upstream has to prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// By a certificate for its name, of an authority that is trusted.
    Full,
    /// By nothing: whoever answers is the upstream.
    Skipped,
}

impl UpstreamUrl {
    /// Host and port as a `Host` header and a URL spell them; the scheme's own port is left out.
    pub fn authority(&self) -> String {
        match self {
            Self::Http(to) | Self::H2c(to) => to.spelled(Scheme::Http),
            Self::Https(to, _) => to.spelled(Scheme::Https),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }

    /// What the app takes for its own origin if it believes the `Host` that [`UpstreamUrl::authority`] gives.
    pub fn origin(&self) -> String {
        let scheme = if matches!(self, Self::Https(..)) { Scheme::Https } else { Scheme::Http };
        format!("{}://{}", scheme.as_str(), self.authority())
    }

    /// Host and port, where it has any.
    pub fn host_port(&self) -> Option<&HostPort> {
        match self {
            Self::Http(to) | Self::Https(to, _) | Self::H2c(to) => Some(to),
            Self::Unix(_) => None,
        }
    }
}

impl HostPort {
    fn of(url: &Url, scheme: Scheme) -> Self {
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        };
        Self { host, port: url.port().unwrap_or(scheme.default_port()) }
    }

    fn spelled(&self, scheme: Scheme) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }
}

/// `upstream` as it is written, before `upstream_tls` joins it.
enum Written {
    Http(HostPort),
    Https(HostPort),
    H2c(HostPort),
    Unix(PathBuf),
}

/// `upstream` and `upstream_tls`.
pub(super) fn read_upstream(section: &Section<'_>) -> Reading<Option<Placed<UpstreamUrl>>> {
    let tls = section.table("upstream_tls", "app.upstream_tls", read_tls);
    let url = section.optional("upstream", parse)?;
    let tls = tls?;
    let Some(url) = url else {
        return match tls {
            None => Ok(None),
            Some(_) => Err(section.report().add(
                section
                    .fault(&["upstream_tls"], "`upstream_tls` means nothing without `upstream`")
                    .absence(section.place(), &["upstream"])
                    .help("write, for example: upstream = \"https://127.0.0.1:8443\""),
            )),
        };
    };
    let value = match (url.value, tls) {
        (Written::Https(to), tls) => {
            let tls = tls.unwrap_or_else(Tls::usual);
            let server_name = match tls.server_name {
                Some(name) => name,
                None => own_name(section, url.place, &to)?,
            };
            let Tls { extra_roots, identity, verification, .. } = tls;
            UpstreamUrl::Https(to, Box::new(UpstreamTls { extra_roots, server_name, identity, verification }))
        }
        (_, Some(_)) => {
            return Err(section.report().add(
                section
                    .fault(&["upstream_tls"], "`upstream_tls` means nothing for an upstream without TLS")
                    .related(url.place, "this is not https"),
            ));
        }
        (Written::Http(to), None) => UpstreamUrl::Http(to),
        (Written::H2c(to), None) => UpstreamUrl::H2c(to),
        (Written::Unix(path), None) => UpstreamUrl::Unix(path),
    };
    Ok(Some(Placed { value, place: url.place }))
}

fn parse(text: &str) -> Result<Written, Wrong> {
    if let Some(path) = text.strip_prefix("unix:") {
        return parse_socket(path).map(Written::Unix);
    }
    // The same rules as for http, which the URL parser knows.
    if let Some(rest) = text.strip_prefix("h2c://") {
        let url = location::parse_origin(&format!("http://{rest}"))?;
        return Ok(Written::H2c(HostPort::of(&url, Scheme::Http)));
    }
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return Err(Wrong::new("must start with http://, https://, h2c:// or unix:/"));
    }
    let url = location::parse_origin(text)?;
    let scheme = location::scheme(&url);
    let to = HostPort::of(&url, scheme);
    Ok(if scheme == Scheme::Https { Written::Https(to) } else { Written::Http(to) })
}

fn parse_socket(path: &str) -> Result<PathBuf, Wrong> {
    let example = "write, for example, \"unix:/run/wiki.sock\"";
    if !path.starts_with('/') || path.contains(['\0', '\n']) {
        return Err(Wrong::new("must have the absolute path of a socket after `unix:`").help(example));
    }
    if path.contains('?') {
        return Err(Wrong::new("takes no options after the path of a socket").help(example));
    }
    if path.len() > MAX_SOCKET_PATH {
        return Err(Wrong::new(format_args!("is a path longer than a socket can have, {MAX_SOCKET_PATH} bytes")));
    }
    Ok(Path::new(path).to_owned())
}

/// What TLS checks where `server_name` does not say it.
fn own_name(section: &Section<'_>, place: Place, to: &HostPort) -> Reading<ServerName<'static>> {
    ServerName::try_from(to.host.clone()).map_err(|error| {
        section.report().add(
            crate::config::fault::Fault::at(place, format!("TLS cannot ask for the host of `upstream`: {error}"))
                .help("name what its certificate is for: upstream_tls = { server_name = \"…\" }"),
        )
    })
}

/// `upstream_tls` as it is written.
struct Tls {
    extra_roots: Vec<CertificateDer<'static>>,
    server_name: Option<ServerName<'static>>,
    identity: Option<TlsIdentity>,
    verification: Verification,
}

impl Tls {
    /// Without the table.
    fn usual() -> Self {
        Self { extra_roots: Vec::new(), server_name: None, identity: None, verification: Verification::Full }
    }
}

fn read_tls(section: &Section<'_>) -> Reading<Tls> {
    let extra_roots = pem::read_roots(section, "ca_file");
    let server_name = section.optional("server_name", |text| {
        ServerName::try_from(text.to_owned()).map_err(|_| {
            Wrong::new("must be a host name or an address, as the upstream's certificate has it")
                .help("write, for example, \"wiki.internal\"")
        })
    });
    let shows_itself = section.place_of("certificate").or(section.place_of("private_key"));
    let identity = shows_itself.map(|_| pem::read_identity(section)).transpose();
    let skip = section.flag("insecure_skip_verify", false)?;
    if skip {
        section.report().warn(
            section.place_of("insecure_skip_verify"),
            "`insecure_skip_verify`: whoever stands between us and the upstream reads and changes everything",
        );
    }
    Ok(Tls {
        extra_roots: extra_roots?,
        server_name: server_name?.map(|name| name.value),
        identity: identity?,
        verification: if skip { Verification::Skipped } else { Verification::Full },
    })
}
