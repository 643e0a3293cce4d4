//! HTTP/2 with those who speak it: curl, by prior knowledge and by ALPN, and h2load, which
//! asks for many things at once.

use std::process::Command;

use tokio::task::spawn_blocking;

use crate::{
    certificate::certificate,
    curl::{curl, curl_reading},
    deployment::Plan,
    visitor::Visitor,
};

#[tokio::test]
async fn curl_speaks_it_by_prior_knowledge_and_the_app_notices_nothing() {
    let deployment = Plan::usual().public().start().await;
    let h2 = "--http2-prior-knowledge";
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        let target = format!("/method/{method}?a=%2F&b");
        let answer = curl(&[h2, "--request", method, &deployment.url(&target)]).await;
        assert!(answer.heads.starts_with("HTTP/2 200"), "{method}: {answer:?}");
        assert_eq!(answer.text(), format!("app: {method} {target} "));
        let asked = deployment.app.asked_for(&target);
        let host = deployment.origin.trim_start_matches("http://");
        assert_eq!((asked.header("host"), asked.header("x-forwarded-host")), (Some(host), Some(host)), "{asked:?}");
    }
    let head = curl(&[h2, "--head", &deployment.url("/head")]).await;
    assert!(head.heads.starts_with("HTTP/2 200") && head.status == 200, "{head:?}");

    let upload = vec![b'u'; 5 * 1024 * 1024];
    for arguments in [&["--data-binary", "@-"][..], &["--upload-file", "-"]] {
        let url = deployment.url("/count");
        let answer = curl_reading(&[&[h2], arguments, &[&*url]].concat(), upload.clone()).await;
        assert_eq!((answer.exit, &*answer.text()), (Some(0), "5242880 bytes"), "{arguments:?}: {answer:?}");
    }
    let down = curl(&[h2, &deployment.url("/zeros/20000000")]).await;
    assert_eq!((down.exit, down.body.len()), (Some(0), 20_000_000), "{}", down.complaint);
    let refused = curl(&[h2, "--path-as-is", &deployment.url("/../secret")]).await;
    assert_eq!((refused.exit, refused.status), (Some(0), 400), "{refused:?}");
    // `Upgrade: h2c` is not taken, and nothing is lost by it.
    let upgrade = curl(&["--http2", &deployment.url("/upgrade")]).await;
    assert!(upgrade.heads.starts_with("HTTP/1.1 200") && upgrade.text() == "app: GET /upgrade ", "{upgrade:?}");
    assert_eq!(deployment.app.asked_for("/upgrade").header("http2-settings"), None);
}

#[tokio::test]
async fn over_tls_each_gets_the_version_that_it_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let plan = Plan::usual().public();
    certificate(folder.path(), plan.listen().ip());
    let files = folder.path().display();
    let plan = plan.tls(&format!("certificate = \"{files}/tls.crt\"\nprivate_key = \"{files}/tls.key\""));
    let deployment = plan.start().await;
    let ca = format!("{files}/tls.crt");
    for (arguments, version) in [
        (&["--http2"][..], "HTTP/2 200"),
        (&["--http1.1"], "HTTP/1.1 200"),
        (&["--no-alpn"], "HTTP/1.1 200"),
        (&["--tlsv1.2", "--tls-max", "1.2", "--http2"], "HTTP/2 200"),
        (&["--tlsv1.3", "--http2"], "HTTP/2 200"),
    ] {
        let url = deployment.url("/page");
        let answer = curl(&[&["--cacert", &*ca], arguments, &[&*url]].concat()).await;
        assert!(answer.heads.starts_with(version) && answer.text() == "app: GET /page ", "{arguments:?}: {answer:?}");
    }
    let old = curl(&["--cacert", &ca, "--tls-max", "1.1", &deployment.url("/page")]).await;
    assert_ne!(old.exit, Some(0), "{old:?}");
    assert_eq!(deployment.app.asked().len(), 5);
}

/// What h2load counted, from its last lines.
async fn h2load(arguments: &[&str]) -> String {
    let mut command = Command::new("h2load");
    command.args(arguments);
    let output = spawn_blocking(move || command.output()).await.expect("it did not panic");
    let output = output.expect("h2load runs; tests/run installs it where it is missing");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn many_streams_on_few_connections_all_end_well() {
    let (deployment, _provider) = Plan::usual().start_with_provider().await;
    let mut ada = Visitor::default();
    ada.sign_in(deployment.url("/"), "ada").await;
    let cookie = format!("cookie: {}", ada.cookie(&deployment.origin));
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let body = folder.path().join("body");
    std::fs::write(&body, vec![b'b'; 20_000]).expect("a file of our own");
    let body = body.to_str().expect("a plain path");
    let before = deployment.app.asked().len();
    for (what, arguments, requests, class) in [
        ("many at once", &["-n", "2000", "-c", "4", "-m", "50"][..], 2_000, "2000 2xx"),
        ("one connection", &["-n", "500", "-c", "1", "-m", "100"], 500, "500 2xx"),
        ("uploads", &["-n", "400", "-c", "2", "-m", "20", "-d", body], 400, "400 2xx"),
        ("a small window", &["-n", "200", "-c", "2", "-m", "10", "-w", "16", "-W", "16"], 200, "200 2xx"),
    ] {
        let url = deployment.url("/page");
        let said = h2load(&[arguments, &["-H", &*cookie, &*url]].concat()).await;
        let done = format!("{requests} succeeded, 0 failed, 0 errored, 0 timeout");
        assert!(said.contains(&done) && said.contains(class), "{what}: {said}");
    }
    let asked = deployment.app.asked().split_off(before);
    assert_eq!(asked.len(), 3_100, "each once");
    assert!(asked.iter().all(|asked| asked.header("x-forwarded-user") == Some("ada")));
    assert_eq!(asked.iter().filter(|asked| asked.body.len() == 20_000).count(), 400);

    // Anonymous ones are all refused, and none of them reaches the app.
    let said = h2load(&["-n", "500", "-c", "2", "-m", "50", &deployment.url("/page")]).await;
    assert!(said.contains("500 4xx") && said.contains("0 errored, 0 timeout"), "{said}");
    assert_eq!(deployment.app.asked().len(), before + 3_100);
}
