//! A certificate authority of the tests' own.

use std::{path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tempfile::TempDir;

const GENERATES: &str = "names of the tests make valid certificates";

/// An authority and the folder that its files are in, for as long as it lives.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) root: CertificateDer<'static>,
    folder: TempDir,
}

/// A certificate with its key, in files and in memory.
pub(crate) struct Identity {
    certificate_file: PathBuf,
    key_file: PathBuf,
    pub(crate) certificate: CertificateDer<'static>,
    key_pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).expect(GENERATES);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect(GENERATES);
        let certificate = params.self_signed(&key).expect(GENERATES);
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("a file in a folder of our own");
        Self { root: certificate.der().clone(), issuer: Issuer::new(params, key), folder }
    }

    /// The PEM file that a configuration names.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for a name or an address.
    pub(crate) fn issue(&self, name: &str) -> Identity {
        let key = KeyPair::generate().expect(GENERATES);
        let mut params = CertificateParams::new([name.to_owned()]).expect(GENERATES);
        // Another name than the issuer's, or OpenSSL takes the certificate for signed by itself.
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).expect(GENERATES);
        let file = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        let (certificate_file, key_file) = (file("crt"), file("key"));
        std::fs::write(&certificate_file, certificate.pem()).expect("a file in a folder of our own");
        std::fs::write(&key_file, key.serialize_pem()).expect("a file in a folder of our own");
        let key_pem = key.serialize_pem();
        Identity { certificate_file, key_file, certificate: certificate.der().clone(), key_pem }
    }
}

impl Identity {
    /// Writes another identity's content into the files of this one: the certificate first, as a careless script would.
    pub(crate) fn replace_with(&self, other: &Self) {
        for (from, to) in [(&other.certificate_file, &self.certificate_file), (&other.key_file, &self.key_file)] {
            std::fs::copy(from, to).expect("files in a folder of our own");
        }
    }

    /// What one side shows to the other: the chain and its key.
    pub(crate) fn shown(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("rcgen writes PEM");
        (vec![self.certificate.clone()], key)
    }

    /// `certificate` and `private_key`, as a configuration has them.
    pub(crate) fn lines(&self) -> String {
        let (certificate, key) = (self.certificate_file.display(), self.key_file.display());
        format!("certificate = \"{certificate}\"\nprivate_key = \"{key}\"\n")
    }

    /// How a server shows it.
    pub(crate) fn server_config(&self) -> ServerConfig {
        let verifier = WebPkiClientVerifier::no_client_auth();
        self.server_config_with(verifier)
    }

    /// The same for a server that serves only whom this authority vouches for.
    pub(crate) fn server_config_for(&self, clients: &Authority) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(clients.root.clone()).expect("an authority's own certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        self.server_config_with(verifier.expect("there is a root"))
    }

    fn server_config_with(&self, verifier: Arc<dyn ClientCertVerifier>) -> ServerConfig {
        let (chain, key) = self.shown();
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("aws-lc has what TLS needs")
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .expect("a certificate and its own key")
    }
}
