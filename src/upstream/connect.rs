//! How a connection to an upstream comes to stand: TCP, and TLS where the URL says so.

use std::{io, sync::Arc};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{Error, RequestBody};
use crate::config::app::{Scheme, UpstreamUrl};

/// Whether a connection may leave HTTP behind (RFC 9110 §7.8).
#[derive(Clone, Copy)]
pub(super) enum Upgrades {
    Refused,
    Possible,
}

/// Makes connections to one upstream.
#[derive(Clone, Debug)]
pub struct Connector(Arc<Inner>);

struct Inner {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}{}", self.host, self.port, if self.tls.is_some() { " over TLS" } else { "" })
    }
}

impl Connector {
    /// Prepares for an upstream.
    ///
    /// # Errors
    /// Where its host is no name that TLS can check, or the roots cannot be read.
    pub fn new(url: &UpstreamUrl) -> io::Result<Self> {
        let tls = match url.scheme {
            Scheme::Http => None,
            Scheme::Https => {
                let name = ServerName::try_from(url.host.clone()).map_err(io::Error::other)?;
                Some((TlsConnector::from(Arc::new(client_config(&url.extra_roots)?)), name))
            }
        };
        Ok(Self(Arc::new(Inner { host: url.host.clone(), port: url.port, tls })))
    }

    /// One new connection; every address of the name is tried.
    pub(super) async fn connect(&self, upgrades: Upgrades) -> Result<SendRequest<RequestBody>, Error> {
        let address = (self.0.host.as_str(), self.0.port);
        let tcp = TcpStream::connect(address).await.map_err(Error::Connect)?;
        tcp.set_nodelay(true).map_err(Error::Connect)?;
        match &self.0.tls {
            None => handshake(tcp, upgrades).await,
            Some((connector, name)) => {
                let tls = connector.connect(name.clone(), tcp).await.map_err(Error::Connect)?;
                handshake(tls, upgrades).await
            }
        }
    }
}

async fn handshake<S>(stream: S, upgrades: Upgrades) -> Result<SendRequest<RequestBody>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Error::Broken)?;
    // The sender learns of a connection's end by itself; its own error says nothing more.
    match upgrades {
        Upgrades::Refused => tokio::spawn(async move { drop(connection.await) }),
        Upgrades::Possible => tokio::spawn(async move { drop(connection.with_upgrades().await) }),
    };
    Ok(sender)
}

/// The system's roots and further ones; an empty store is an error here rather than a riddle later.
fn client_config(extra_roots: &[CertificateDer<'static>]) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in extra_roots {
        roots.add(certificate.clone()).map_err(io::Error::other)?;
    }
    if roots.is_empty() {
        return Err(io::Error::other(
            "no trusted root certificate: install the system's ca-certificates or set upstream_tls.ca_file",
        ));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
