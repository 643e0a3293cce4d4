//! TLS towards visitors: which certificate for which name (RFC 6066 §3).

use std::{collections::HashMap, io, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

use crate::config::{App, TlsIdentity};

/// An acceptor with the server's certificate and those that apps have for their own hosts.
pub fn acceptor<'a>(server: &TlsIdentity, apps: impl IntoIterator<Item = &'a App>) -> io::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut by_name = HashMap::new();
    for app in apps {
        if let Some(identity) = &app.tls {
            let key = Arc::new(certified_key(identity, &provider)?);
            by_name.extend(app.hosts.iter().map(|host| (host.clone(), Arc::clone(&key))));
        }
    }
    let certificates = Certificates { default: Arc::new(certified_key(server, &provider)?), by_name };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[derive(Debug)]
struct Certificates {
    default: Arc<CertifiedKey>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // A name without a certificate of its own is answered with the server's: the
        // visitor's browser says what is wrong better than a broken handshake would.
        let own = hello.server_name().and_then(|name| self.by_name.get(&name.to_ascii_lowercase()));
        Some(Arc::clone(own.unwrap_or(&self.default)))
    }
}

fn certified_key(identity: &TlsIdentity, provider: &CryptoProvider) -> io::Result<CertifiedKey> {
    let at = |path: &std::path::Path, error: &dyn std::fmt::Display| {
        io::Error::other(format!("{}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&identity.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| at(&identity.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&identity.private_key).map_err(|error| at(&identity.private_key, &error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| at(&identity.private_key, &error))
}
