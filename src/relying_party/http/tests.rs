use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::relying_party::testing::{Server, provider, relying_party};

/// A TLS server on the loopback and the certificate that it trusts itself with.
async fn tls_server() -> (Server, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a key that fits");
    (Server::start_tls(TlsAcceptor::from(Arc::new(config))).await, certificate)
}

#[tokio::test]
async fn a_certificate_counts_only_with_a_root_and_ca_file_adds_one() {
    let (server, certificate) = tls_server().await;
    let mut stranger = provider(&server.issuer());
    // Some root must exist, or there is no client at all: another server's.
    stranger.extra_roots = vec![tls_server().await.1];
    let error = relying_party(stranger).0.metadata_or_fetch().await.expect_err("not trusted");
    assert_eq!(error.reason(), "unreachable");
    assert!(error.to_string().contains("certificate"), "{error}");

    let mut known = provider(&server.issuer());
    known.extra_roots = vec![certificate];
    relying_party(known).0.metadata_or_fetch().await.expect("trusted");
}

#[test]
fn a_root_that_is_no_certificate_is_named_at_start() {
    let mut provider = provider("https://op.example");
    provider.extra_roots = vec![CertificateDer::from(vec![1, 2, 3])];
    let error = Client::new(&provider, Arc::new(|_, _| ())).err().expect("refused");
    assert!(matches!(error, ClientError::ExtraRoot(_)), "{error}");
}

#[test]
fn a_media_type_is_known_by_its_essence() {
    let reply = |content_type: Option<&'static str>| Reply {
        status: StatusCode::OK,
        content_type: content_type.map(HeaderValue::from_static),
        date: None,
        body: Bytes::new(),
    };
    assert!(reply(Some("Application/JWT; charset=utf-8")).is("application/jwt"));
    for other in [None, Some("application/json"), Some("application/jwt+x"), Some("")] {
        assert!(!reply(other).is("application/jwt"), "{other:?}");
    }
}
