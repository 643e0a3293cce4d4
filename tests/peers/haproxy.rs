//! HAProxy in front, which hands on connections as they are and says whose they are by the
//! PROXY protocol, version 1 and 2.

use std::{fs, net::SocketAddr, process::Command};

use tempfile::TempDir;

use crate::{
    address::own_address,
    certificate::certificate,
    curl::curl,
    deployment::{Deployment, Plan},
    process::Process,
};

/// A visitor's own address, which is nobody's proxy.
const ELSEWHERE: &str = "127.203.0.9";

/// A running HAProxy; it ends with this value.
struct HaProxy {
    _process: Process,
    _folder: TempDir,
}

/// Relays what comes to `address`; `server` says how.
async fn haproxy(address: SocketAddr, to: SocketAddr, server: &str) -> HaProxy {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("haproxy.cfg");
    let configuration = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
         listen front\n bind {address}\n server vestibule {to} {server}\n"
    );
    fs::write(&file, configuration).expect("a file in a folder of our own");
    let process = Process::start("haproxy", Command::new("haproxy").args(["-W", "-db", "-f"]).arg(&file));
    process.line("that it serves", |line| line.contains("Loading success").then_some(())).await;
    HaProxy { _process: process, _folder: folder }
}

/// Us, behind an HAProxy at this address.
async fn behind(address: SocketAddr, plan: Plan, server: &str) -> (Deployment, HaProxy, SocketAddr) {
    let listen = plan.listen();
    let plan = plan.server("proxy_protocol = true\ntrusted_proxies = [\"127.0.0.1/32\"]").public();
    let deployment = plan.start().await;
    (deployment, haproxy(address, listen, server).await, listen)
}

#[tokio::test]
async fn the_visitor_is_whom_its_header_names_in_both_versions() {
    for (version, server) in [
        ("1", "send-proxy"),
        ("2", "send-proxy-v2"),
        ("2, with its own health checks between", "send-proxy-v2 check check-send-proxy inter 100ms"),
        ("2, with what TLS would say", "send-proxy-v2-ssl-cn"),
    ] {
        let address = own_address();
        let plan = Plan::usual().public_url(&format!("http://{address}"));
        let (deployment, _haproxy, listen) = behind(address, plan, server).await;
        let url = deployment.url("/page");
        let answer = curl(&["--interface", ELSEWHERE, "--header", "X-Forwarded-For: 203.0.113.9", &url, &url]).await;
        assert_eq!(
            (answer.exit, &*answer.text()),
            (Some(0), "app: GET /page app: GET /page "),
            "{version}: {answer:?}"
        );
        let asked = deployment.app.asked_for("/page");
        assert_eq!(asked.header("x-real-ip"), Some(ELSEWHERE), "{version}: {asked:?}");
        assert!(
            asked.header("x-forwarded-for").is_some_and(|chain| !chain.contains("203.0.113.9")),
            "{version}: {asked:?}"
        );
        let line = deployment.vestibule.line("an access line", |line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            (line["path"] == "/page").then(|| line["client"].clone())
        });
        assert_eq!(line.await, ELSEWHERE, "{version}");

        // Past HAProxy, with no header or from somewhere else, nobody gets in.
        for from in ["127.0.0.1", ELSEWHERE] {
            let past = curl(&["--interface", from, &format!("http://{listen}/page")]).await;
            assert_ne!(past.exit, Some(0), "{version}, from {from}: {past:?}");
            let forged = curl(&["--interface", from, "--haproxy-protocol", &format!("http://{listen}/page")]).await;
            let status = if from == ELSEWHERE { 0 } else { 421 }; // another public URL than this one
            assert_eq!(forged.status, status, "{version}, from {from}: {forged:?}");
        }
        assert_eq!(deployment.app.asked().len(), 2, "{version}");
    }
}

#[tokio::test]
async fn tls_and_http_2_come_through_it_untouched() {
    let address = own_address();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    certificate(folder.path(), address.ip());
    let files = folder.path().display();
    let plan = Plan::usual()
        .tls(&format!("certificate = \"{files}/tls.crt\"\nprivate_key = \"{files}/tls.key\""))
        .public_url(&format!("https://{address}"));
    let (deployment, _haproxy, _) = behind(address, plan, "send-proxy-v2").await;
    for version in ["--http1.1", "--http2"] {
        let ca = format!("{files}/tls.crt");
        let answer = curl(&["--cacert", &ca, "--interface", ELSEWHERE, version, &deployment.url("/page")]).await;
        assert_eq!((answer.exit, answer.status), (Some(0), 200), "{version}: {answer:?}");
        assert_eq!(deployment.app.asked_for("/page").header("x-real-ip"), Some(ELSEWHERE), "{version}");
    }
}
