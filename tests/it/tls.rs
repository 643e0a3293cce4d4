//! TLS towards visitors: whose certificate they see.

use crate::{
    demo::provider::people::ADA,
    harness::{Stage, client::connect_tls, pki::Authority},
};

#[tokio::test]
async fn each_app_shows_its_own_certificate() {
    let authority = Authority::new();
    let (wiki, notes) = (authority.issue("wiki.test"), authority.issue("notes.test"));
    let stage = Stage::builder()
        .public_host("wiki.test")
        .tls(&wiki.lines(), authority.root.clone())
        .more(&format!(
            "\n[[app]]\nid = \"notes\"\npublic_url = \"https://notes.test:PORT\"\nupstream = \"http://UPSTREAM\"\n\
             [app.tls]\n{}\n[app.access]\npolicy = \"anyone\"\n[[app.route]]\npath = \"/**\"\naccess = \"public\"\n",
            notes.lines()
        ))
        .start()
        .await;
    for (name, certificate) in [("wiki.test", &wiki), ("notes.test", &notes), ("NOTES.TEST", &notes)] {
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
