//! `[[app]]`: one protected web application.

use std::sync::Arc;

use crate::{
    config::{Access, Provider, Route, TlsIdentity},
    identity::AppId,
};

/// `[[app]]`
#[derive(Debug)]
pub struct App {
    /// `id`
    pub id: AppId,
    /// `name`, or the id.
    pub name: String,
    /// `public_url`
    pub public_url: PublicUrl,
    /// The host of `public_url` and further `hosts`, in lower case without a port.
    pub hosts: Vec<String>,
    /// `upstream`
    pub upstream: UpstreamUrl,
    /// `providers`, or all that exist; at least one.
    pub providers: Vec<Arc<Provider>>,
    /// `preserve_host`
    pub preserve_host: bool,
    /// `[app.tls]`: a certificate of its own, chosen by SNI.
    pub tls: Option<TlsIdentity>,
    /// `[app.access]`
    pub access: Access,
    /// `[[app.route]]`, the first match wins.
    pub routes: Vec<Route>,
}

/// Where visitors find the app: scheme, host and port, no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// Whether the visitor's side is https: decides cookie security, never the connection.
    pub scheme: Scheme,
    /// The host in lower case; IPv6 in brackets.
    pub host: String,
    /// The port, also where it is the scheme's own.
    pub port: u16,
}

impl PublicUrl {
    /// The origin as a browser writes it (RFC 6454 §6.2): the scheme's own port is left out.
    pub fn origin(&self) -> String {
        if self.port == self.scheme.default_port() {
            format!("{}://{}", self.scheme.as_str(), self.host)
        } else {
            format!("{}://{}:{}", self.scheme.as_str(), self.host, self.port)
        }
    }

    /// The same for another host of the app.
    pub fn origin_at(&self, host: &str) -> String {
        Self { host: host.to_owned(), ..self.clone() }.origin()
    }
}

/// Where the app's server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    /// Plain or over TLS.
    pub scheme: Scheme,
    /// Name or address; IPv6 without brackets, as a resolver takes it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// `upstream_tls.ca_file`: PEM certificates trusted beside the system's.
    pub extra_roots: Vec<rustls::pki_types::CertificateDer<'static>>,
}

impl UpstreamUrl {
    /// Host and port as a `Host` header and a URL spell them; the scheme's own port is left out.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }
}

/// `http` or `https`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As a URL spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL may leave out.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}
