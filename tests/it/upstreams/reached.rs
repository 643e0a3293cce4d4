//! How an upstream is reached: over a Unix socket, and over TLS with the trust that the configuration gives.

use crate::harness::{RecordingUpstream, Request, Stage, pki::Authority};

#[tokio::test]
async fn an_upstream_on_a_unix_socket_is_like_any_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("wiki.sock");
    let upstream = RecordingUpstream::start_unix(&path);
    for (preserve_host, expected) in [(true, None), (false, Some("localhost"))] {
        let app = format!("upstream = \"unix:{}\"\npreserve_host = {preserve_host}", path.display());
        let stage = Stage::builder().app(&app).public("/**").start().await;
        let before = upstream.connections();
        let mut client = stage.connect().await;
        for n in 0..3 {
            let answer = client.exchange(&Request::post(&format!("/{n}"), "body").to_host(stage.authority())).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, "hello from the app"));
        }
        let seen = upstream.take();
        assert!(seen.iter().all(|request| request.header("host") == Some(expected.unwrap_or(stage.authority()))));
        assert!(seen.iter().all(|request| request.body == b"body"));
        assert_eq!((seen.len(), upstream.connections() - before), (3, 1));
    }
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_an_upstream_that_is_down() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("wiki.sock");
    let app = format!("upstream = \"unix:{}\"", path.display());
    let stage = Stage::builder().app(&app).public("/**").start().await;
    let answer = stage.send(Request::get("/page")).await;
    assert_eq!(answer.status, 502);
    assert!(!answer.text().contains("wiki.sock"), "where it would be is nobody's business: {}", answer.text());
    let upstream = RecordingUpstream::start_unix(&path);
    assert_eq!((stage.send(Request::get("/page")).await.status, upstream.take().len()), (200, 1));
}

#[tokio::test]
async fn an_upstream_over_tls_is_trusted_by_its_own_authority_and_by_no_other() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let upstream = RecordingUpstream::start_tls(authority.issue("localhost").server_config()).await;
    let url = format!("upstream = \"https://localhost:{}\"", upstream.address().port());
    for (what, ca_file, trusted) in
        [("its own", Some(&authority), true), ("another", Some(&stranger), false), ("the system's", None, false)]
    {
        let table = ca_file.map(|ca| format!("\n[app.upstream_tls]\nca_file = {:?}\n", ca.file())).unwrap_or_default();
        let stage = Stage::builder().app(&url).app_tables(&table).public("/**").start().await;
        let answer = stage.send(Request::get("/page").navigation()).await;
        assert_eq!(answer.status, if trusted { 200 } else { 502 }, "{what}: {answer:?}");
        assert_eq!(upstream.take().len(), usize::from(trusted), "{what}");
        assert!(!answer.text().to_lowercase().contains("certificate"), "{what}: {}", answer.text());
    }
    // The right authority, and a name that the certificate is not for.
    let url = format!("upstream = \"https://127.0.0.1:{}\"", upstream.address().port());
    let table = format!("\n[app.upstream_tls]\nca_file = {:?}\n", authority.file());
    let stage = Stage::builder().app(&url).app_tables(&table).public("/**").start().await;
    assert_eq!((stage.send(Request::get("/page")).await.status, upstream.take().len()), (502, 0));
}

#[tokio::test]
async fn the_name_of_an_upstream_can_be_pinned_and_we_can_show_who_we_are() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = authority.issue("wiki.internal");
    let upstream = RecordingUpstream::start_tls(server.server_config_for(&authority)).await;
    let (ours, strange) = (authority.issue("vestibule.internal"), stranger.issue("vestibule.internal"));
    let ca = format!("ca_file = {:?}\n", authority.file());
    let name = "server_name = \"wiki.internal\"\n";
    for (what, lines, reached) in [
        ("name and certificate", format!("{ca}{name}{}", ours.lines()), true),
        ("no name", format!("{ca}{}", ours.lines()), false),
        ("another name", format!("{ca}server_name = \"notes.internal\"\n{}", ours.lines()), false),
        ("no certificate", format!("{ca}{name}"), false),
        ("another's certificate", format!("{ca}{name}{}", strange.lines()), false),
        ("no trust", format!("{name}{}", ours.lines()), false),
        ("trust in anybody", format!("insecure_skip_verify = true\n{}", ours.lines()), true),
        ("trust in anybody, and no certificate", "insecure_skip_verify = true\n".to_owned(), false),
    ] {
        let url = format!("upstream = \"https://127.0.0.1:{}\"", upstream.address().port());
        let table = format!("\n[app.upstream_tls]\n{lines}");
        let stage = Stage::builder().app(&url).app_tables(&table).public("/**").start().await;
        let answer = stage.send(Request::get("/page")).await;
        assert_eq!((answer.status, upstream.take().len()), if reached { (200, 1) } else { (502, 0) }, "{what}");
    }
}
