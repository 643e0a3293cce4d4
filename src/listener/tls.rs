//! TLS towards visitors: 1.2 and 1.3 (RFC 8446), and which certificate for which name (RFC 6066 §3).
//!
//! Certificates are renewed under a running server: by cert-manager, by certbot, by
//! hand. They belong to the configuration, so a renewed one comes with the next reading
//! of that. Connections keep what they began with; each handshake takes what is newest.

use std::{collections::HashMap, io, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::CertificateDer,
    server::{ClientHello, NoClientAuth, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};

use crate::config::{App, Tls, app::one_label_below};

/// What handshakes are made with: the server's certificate, those that apps have for their own hosts, and who vouches
/// for clients.
pub fn server_config<'a>(tls: &Tls, apps: impl IntoIterator<Item = &'a App>) -> io::Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = match &tls.client_ca {
        None => Arc::new(NoClientAuth) as Arc<dyn ClientCertVerifier>,
        Some(authorities) => {
            let roots = Arc::new(roots(authorities)?);
            WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map_err(io::Error::other)?
        }
    };
    let of_apps = apps.into_iter().filter_map(|app| Some((app, app.tls.as_ref()?.pair())));
    let by_name = of_apps.flat_map(|(app, own)| {
        let wildcards = app.wildcard_hosts.iter().map(ToString::to_string);
        app.hosts.iter().cloned().chain(wildcards).map(move |host| (host, Arc::clone(own)))
    });
    let names = Names { default: Arc::clone(tls.identity.pair()), by_name: by_name.collect() };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(names));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn roots(authorities: &[CertificateDer<'static>]) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone()).map_err(io::Error::other)?;
    }
    Ok(roots)
}

#[derive(Debug)]
struct Names {
    default: Arc<CertifiedKey>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // A name without a certificate of its own is answered with the server's: the
        // visitor's browser says what is wrong better than a broken handshake would.
        let own = hello.server_name().and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || self.by_name.get(&format!("*.{}", one_label_below(&name)?));
            self.by_name.get(&name).or_else(wildcard)
        });
        Some(Arc::clone(own.unwrap_or(&self.default)))
    }
}
