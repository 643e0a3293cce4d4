//! TLS towards visitors: whose certificate they see.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use crate::{
    demo::provider::people::ADA,
    harness::{
        Configuration, Request, Stage,
        client::{connect_tls, handshake},
        patiently,
        pki::{Authority, Identity},
    },
};

#[tokio::test]
async fn each_app_shows_its_own_certificate() {
    let authority = Authority::new();
    let (wiki, notes) = (authority.issue("wiki.test"), authority.issue("notes.test"));
    let reviews = authority.issue("*.review.test");
    let stage = Stage::builder()
        .public_host("wiki.test")
        .tls(&wiki.lines(), authority.root.clone())
        .more(&format!(
            "\n[[app]]\nid = \"notes\"\npublic_url = \"https://notes.test:PORT\"\nupstream = \"http://UPSTREAM\"\n\
             [app.tls]\n{}\n[app.access]\npolicy = \"anyone\"\n[[app.route]]\npath = \"/**\"\naccess = \"public\"\n\
             [[app]]\nid = \"reviews\"\npublic_url = \"https://reviews.test:PORT\"\nupstream = \"http://UPSTREAM\"\n\
             hosts = [\"*.review.test\"]\n[app.tls]\n{}\n[app.access]\npolicy = \"anyone\"\n",
            notes.lines(),
            reviews.lines()
        ))
        .start()
        .await;
    for (name, certificate) in
        [("wiki.test", &wiki), ("notes.test", &notes), ("NOTES.TEST", &notes), ("a.review.test", &reviews)]
    {
        let (_, shown) = connect_tls(stage.door_address(), name, &authority.root).await.expect("a handshake");
        assert_eq!(shown, certificate.certificate, "{name}");
    }
    let elsewhere = connect_tls(stage.door_address(), "elsewhere.test", &authority.root).await;
    assert!(elsewhere.is_err(), "a name of nobody is not vouched for");

    let landed = stage.browser(&ADA).open(&stage.url("/page?over=tls")).await;
    assert_eq!(landed.response.status, 200, "{landed:?}");
    let seen = stage.upstream.only();
    assert_eq!((seen.header("x-forwarded-proto"), seen.header("x-forwarded-user")), (Some("https"), Some("ada")));
    let port = stage.public_url.port().expect("a port of the tests");
    let landed = stage.browser(&ADA).open(&format!("https://notes.test:{port}/other")).await;
    assert_eq!((landed.response.status, landed.hops.len()), (200, 0));
}

/// TLS for `wiki.test`, with these lines more.
fn wiki(authority: &Authority, identity: &Identity, more: &str) -> Configuration {
    let lines = format!("{}{more}", identity.lines());
    Stage::builder().public_host("wiki.test").public("/**").tls(&lines, authority.root.clone())
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_from_the_next_handshake_on_and_nobody_is_cut_off() {
    let authority = Authority::new();
    let (first, second) = (authority.issue("wiki.test"), Authority::new());
    let renewed = second.issue("wiki.test");
    let stage = wiki(&authority, &first, "").start().await;
    let request = Request::get("/page").to_host(stage.authority());
    let (mut kept, shown) = connect_tls(stage.door_address(), "wiki.test", &authority.root).await.expect("a handshake");
    assert_eq!(shown, first.certificate);
    assert_eq!(kept.exchange(&request).await.status, 200);

    first.replace_with(&renewed);
    let (mut new, shown) = patiently("the new certificate", async {
        loop {
            if let Ok(connected) = connect_tls(stage.door_address(), "wiki.test", &second.root).await {
                return connected;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(shown, renewed.certificate);
    assert_eq!((new.exchange(&request).await.status, kept.exchange(&request).await.status), (200, 200));
    assert_eq!(stage.upstream.take().len(), 3);
}

#[tokio::test]
async fn tls_is_spoken_in_versions_1_2_and_1_3() {
    let authority = Authority::new();
    let stage = wiki(&authority, &authority.issue("wiki.test"), "").start().await;
    let (upstream, request) = (&stage.upstream, Request::get("/page").to_host(stage.authority()));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = client().with_protocol_versions(&[version]).expect("a version of rustls");
        let config = config.with_root_certificates(roots(&authority)).with_no_client_auth();
        let (mut client, _) = handshake(stage.door_address(), "wiki.test", config).await.expect("a handshake");
        assert_eq!((client.exchange(&request).await.status, upstream.take().len()), (200, 1), "{version:?}");
    }
}

fn client() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVersions> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
}

fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root.clone()).expect("a certificate of our own making");
    roots
}

#[tokio::test]
async fn where_clients_need_a_certificate_nobody_comes_in_without_one_of_the_right_authority() {
    let (authority, staff, stranger) = (Authority::new(), Authority::new(), Authority::new());
    let identity = authority.issue("wiki.test");
    let stage = wiki(&authority, &identity, &format!("client_ca = {:?}\n", staff.file())).start().await;
    let request = Request::get("/page").to_host(stage.authority());
    let (ada, eve) = (staff.issue("ada.test"), stranger.issue("ada.test"));
    for (what, shown, admitted) in
        [("one of staff", Some(&ada), true), ("one of a stranger", Some(&eve), false), ("none", None, false)]
    {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let config = client().with_protocol_versions(&[version]).expect("a version of rustls");
            let config = config.with_root_certificates(roots(&authority));
            let config = match shown.map(Identity::shown) {
                Some((chain, key)) => config.with_client_auth_cert(chain, key).expect("a pair"),
                None => config.with_no_client_auth(),
            };
            // In TLS 1.3 the client believes that it is connected before the server has seen its certificate.
            let answer = match handshake(stage.door_address(), "wiki.test", config).await {
                Ok((mut client, _)) => {
                    client.wire.write(request.bytes()).await.ok();
                    client.response().await
                }
                Err(_) => None,
            };
            let expected = admitted.then_some(200);
            assert_eq!(answer.map(|answer| answer.status), expected, "{what} {version:?}");
            assert_eq!(stage.upstream.take().len(), usize::from(admitted), "{what} {version:?}");
        }
    }
    let refused = stage.metrics().await;
    assert!(refused.contains("vestibule_connections_refused_total{reason=\"handshake\"} 4\n"), "{refused}");
}

#[tokio::test]
async fn a_proxy_header_comes_before_the_handshake() {
    let authority = Authority::new();
    let stage = wiki(&authority, &authority.issue("wiki.test"), "")
        .server("trusted_proxies = [\"127.0.0.0/8\"]\nproxy_protocol = true")
        .start()
        .await;
    for header in [&b"PROXY TCP4 198.51.100.7 192.0.2.1 56324 443\r\n"[..], V2] {
        let browser = stage.browser(&ADA).behind_a_load_balancer(&stage.public_url, header.to_vec());
        let answer = browser.clone().look_at(&stage.url("/page")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = stage.upstream.only();
        let headers = ["x-forwarded-for", "x-forwarded-proto"].map(|name| seen.header(name));
        assert_eq!(headers, [Some("198.51.100.7"), Some("https")], "{}", header.escape_ascii());
    }
}

/// 198.51.100.7 to 192.0.2.1, in version 2, with a TLV of no meaning.
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x10\xc6\x33\x64\x07\xc0\x00\x02\x01\x00\x50\x01\xbb\x04\x00\x01\x00";

#[tokio::test]
async fn threat_123_a_handshake_that_does_not_come_is_cut() {
    let authority = Authority::new();
    let stage = Stage::builder()
        .public_host("wiki.test")
        .tls(&authority.issue("wiki.test").lines(), authority.root.clone())
        .limits("header_timeout = \"100ms\"")
        .start()
        .await;
    let mut nothing = stage.connect().await;
    nothing.until_closed().await;
    let mut half = stage.connect().await;
    half.send(b"\x16\x03\x01\x02\x00\x01").await;
    half.until_closed().await;
    let mut plain = stage.connect().await;
    plain.send("GET / HTTP/1.1\r\nHost: wiki.test\r\n\r\n").await;
    let answer = plain.until_closed().await;
    assert!(!String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 200"), "no plain text where TLS is spoken");
}
