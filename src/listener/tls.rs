//! TLS towards visitors: 1.2 and 1.3 (RFC 8446), which certificate for which name (RFC 6066 §3), and renewal in place.
//!
//! Certificates are renewed under a running server: by cert-manager, which swaps a
//! symbolic link to a folder, by certbot, which renames, by hand. So the files are
//! read every few seconds and compared by content. Connections keep what they began
//! with; each handshake takes what is newest. A pair that does not fit together, as
//! one does between two writes, changes nothing and is told of once; what has been
//! read last goes on. Rejected: inotify, which sees neither network volumes nor,
//! without following every link and folder of the path, a swapped link.

use std::{
    collections::HashMap,
    fmt, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::digest::{Context, Digest, SHA256};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, NoClientAuth, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::config::{App, Tls, TlsIdentity, app::one_label_below};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The largest file that is read.
const MAX_FILE: u64 = 4 << 20;

/// What handshakes are made with.
pub struct Certificates {
    current: RwLock<Arc<ServerConfig>>,
    files: Mutex<Files>,
}

impl Certificates {
    /// Reads the server's certificate, those that apps have for their own hosts, and who vouches for clients.
    pub fn read<'a>(tls: &Tls, apps: impl IntoIterator<Item = &'a App>) -> io::Result<Self> {
        let files = Files::read(tls, apps)?;
        Ok(Self { current: RwLock::new(files.server_config()?), files: Mutex::new(files) })
    }

    /// For one handshake.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Reads the files again and again until told to stop.
    pub async fn keep_fresh(self: Arc<Self>, stop: CancellationToken) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            let certificates = Arc::clone(&self);
            // A volume that hangs is no reason for anything else to wait.
            if let Err(error) = tokio::task::spawn_blocking(move || certificates.refresh()).await {
                tracing::error!(%error, "the files of [server.tls] are not read again any more");
                return;
            }
        }
    }

    /// Takes what has changed and can be used.
    fn refresh(&self) -> Refreshed {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let refreshed = files.refresh();
        if refreshed == Refreshed::Taken {
            match files.server_config() {
                Ok(config) => *self.current.write().unwrap_or_else(PoisonError::into_inner) = config,
                Err(error) => tracing::error!(%error, "the certificates that were read cannot be used"),
            }
        }
        refreshed
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates")
    }
}

/// Every file that TLS needs, with what was made of it.
struct Files {
    provider: Arc<CryptoProvider>,
    default: Pair,
    /// With the hosts that each is for, `*.` included.
    of_apps: Vec<(Vec<String>, Pair)>,
    client_ca: Option<Watched<PathBuf, Arc<dyn ClientCertVerifier>>>,
}

type Pair = Watched<TlsIdentity, Arc<CertifiedKey>>;

impl Files {
    fn read<'a>(tls: &Tls, apps: impl IntoIterator<Item = &'a App>) -> io::Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let hosts = |app: &App| {
            let wildcards = app.wildcard_hosts.iter().map(ToString::to_string);
            app.hosts.iter().cloned().chain(wildcards).collect()
        };
        let of_apps = apps.into_iter().filter_map(|app| Some((hosts(app), app.tls.clone()?)));
        Ok(Self {
            default: Watched::read(tls.identity.clone(), &provider)?,
            of_apps: of_apps
                .map(|(hosts, identity)| Ok((hosts, Watched::read(identity, &provider)?)))
                .collect::<io::Result<_>>()?,
            client_ca: tls.client_ca.clone().map(|path| Watched::read(path, &provider)).transpose()?,
            provider,
        })
    }

    /// Looks at all of them, whatever became of the others.
    fn refresh(&mut self) -> Refreshed {
        let mut refreshed = self.default.refresh(&self.provider);
        for (_, identity) in &mut self.of_apps {
            refreshed = refreshed.max(identity.refresh(&self.provider));
        }
        if let Some(client_ca) = &mut self.client_ca {
            refreshed = refreshed.max(client_ca.refresh(&self.provider));
        }
        refreshed
    }

    fn server_config(&self) -> io::Result<Arc<ServerConfig>> {
        let by_name = self.of_apps.iter();
        let by_name =
            by_name.flat_map(|(hosts, own)| hosts.iter().map(|host| (host.clone(), Arc::clone(&own.current))));
        let names = Names { default: Arc::clone(&self.default.current), by_name: by_name.collect() };
        let clients = self.client_ca.as_ref().map_or_else(|| Arc::new(NoClientAuth) as _, |ca| Arc::clone(&ca.current));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::new(names));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
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

/// What came of looking at files again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Refreshed {
    Same,
    /// There is something new, and it cannot be used.
    Refused,
    Taken,
}

/// Files of which something is made, and made again when they change.
struct Watched<F, T> {
    files: F,
    current: T,
    /// Of the content that was read last, usable or not.
    seen: Digest,
}

/// What the content of files becomes.
trait Material<T>: Clone {
    fn paths(&self) -> Vec<&Path>;
    fn make(&self, contents: &[Zeroizing<Vec<u8>>], provider: &Arc<CryptoProvider>) -> io::Result<T>;
}

impl<T, F: Material<T>> Watched<F, T> {
    fn read(files: F, provider: &Arc<CryptoProvider>) -> io::Result<Self> {
        let (seen, contents) = look(&files.paths());
        Ok(Self { current: files.make(&contents?, provider)?, files, seen })
    }

    fn refresh(&mut self, provider: &Arc<CryptoProvider>) -> Refreshed {
        let (seen, contents) = look(&self.files.paths());
        if seen.as_ref() == self.seen.as_ref() {
            return Refreshed::Same;
        }
        self.seen = seen;
        let made = contents.and_then(|contents| self.files.make(&contents, provider));
        let files: Vec<_> = self.files.paths().iter().map(|path| path.display().to_string()).collect();
        match made {
            Ok(made) => {
                self.current = made;
                tracing::info!(?files, "changed files of TLS are in use from the next handshake on");
                Refreshed::Taken
            }
            Err(error) => {
                tracing::warn!(?files, "changed files of TLS cannot be used, what was read before goes on: {error}");
                Refreshed::Refused
            }
        }
    }
}

impl Material<Arc<CertifiedKey>> for TlsIdentity {
    fn paths(&self) -> Vec<&Path> {
        vec![&self.certificate, &self.private_key]
    }

    fn make(&self, contents: &[Zeroizing<Vec<u8>>], provider: &Arc<CryptoProvider>) -> io::Result<Arc<CertifiedKey>> {
        let [certificate, private_key] = contents else { return Err(io::Error::other("two files make a pair")) };
        let chain = certificates(&self.certificate, certificate)?;
        let key = PrivateKeyDer::from_pem_slice(private_key).map_err(|error| at(&self.private_key, error))?;
        let pair = CertifiedKey::from_der(chain, key, provider).map_err(|error| at(&self.private_key, error))?;
        Ok(Arc::new(pair))
    }
}

impl Material<Arc<dyn ClientCertVerifier>> for PathBuf {
    fn paths(&self) -> Vec<&Path> {
        vec![self]
    }

    fn make(
        &self,
        contents: &[Zeroizing<Vec<u8>>],
        provider: &Arc<CryptoProvider>,
    ) -> io::Result<Arc<dyn ClientCertVerifier>> {
        let mut roots = RootCertStore::empty();
        for content in contents {
            for certificate in certificates(self, content)? {
                roots.add(certificate).map_err(|error| at(self, error))?;
            }
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
        verifier.map(|verifier| verifier as _).map_err(|error| at(self, error))
    }
}

fn certificates(path: &Path, content: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(content).collect::<Result<_, _>>().map_err(|error| at(path, error))?;
    if certificates.is_empty() { Err(at(path, "it holds no certificate in PEM")) } else { Ok(certificates) }
}

fn at(path: &Path, error: impl fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

/// The content of files, and what tells it from any other; an error is a content of its own.
fn look(paths: &[&Path]) -> (Digest, io::Result<Vec<Zeroizing<Vec<u8>>>>) {
    let mut digest = Context::new(&SHA256);
    let mut contents = Ok(Vec::new());
    for path in paths {
        match read(path) {
            Ok(content) => {
                digest.update(&content.len().to_be_bytes());
                digest.update(&content);
                if let Ok(contents) = &mut contents {
                    contents.push(content);
                }
            }
            Err(error) => {
                digest.update(error.to_string().as_bytes());
                contents = Err(at(path, error));
            }
        }
    }
    (digest.finish(), contents)
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(Vec::new());
    fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests;
