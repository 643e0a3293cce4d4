//! Tinyproxy on the way to the provider: what it sees is a host and a port.

use std::{fs, net::SocketAddr, process::Command};

use http::StatusCode;
use tempfile::TempDir;

use crate::{
    address::own_address,
    deployment::Plan,
    process::Process,
    provider::{CLIENT_SECRET, Provider},
    visitor::Visitor,
};

/// What Tinyproxy knows its user by.
const PASSWORD: &str = "canary.proxy-word";

/// A running Tinyproxy, which knows one user; it ends with this value.
async fn tinyproxy(address: SocketAddr) -> (Process, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("tinyproxy.conf");
    let configuration = format!(
        "Listen {}\nPort {}\nLogLevel Info\nTimeout 60\nMaxClients 50\nBasicAuth sidecar {PASSWORD}\n",
        address.ip(),
        address.port()
    );
    fs::write(&file, configuration).expect("a file in a folder of our own");
    let process = Process::start("tinyproxy", Command::new("tinyproxy").args(["-d", "-c"]).arg(&file));
    process.line("that it serves", |line| line.contains("Accepting connections").then_some(())).await;
    (process, folder)
}

#[tokio::test]
async fn every_call_to_the_provider_goes_through_the_proxy_that_is_configured() {
    let proxy = own_address();
    let (tinyproxy, _folder) = tinyproxy(proxy).await;
    let plan = Plan::usual().provider_lines(&format!("proxy = \"http://sidecar:{PASSWORD}@{proxy}\""));
    let (deployment, provider) = plan.start_with_provider().await;
    let mut ada = Visitor::default();
    assert_eq!(ada.sign_in(deployment.url("/"), "ada").await.status, StatusCode::OK);
    assert_eq!(provider.calls_to("/token").await.len(), 1);

    let tunnel = format!("CONNECT {} HTTP/1.1", deployment.provider_address);
    tinyproxy.line("that it made a tunnel", |line| line.contains(&tunnel).then_some(())).await;
    let seen = tinyproxy.output();
    assert!(seen.contains(&tunnel) && !seen.contains("/token") && !seen.contains(CLIENT_SECRET), "{seen}");
    assert!(!deployment.vestibule.output().contains(PASSWORD), "the proxy's password is nobody's to read");
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_away_is_named_and_its_password_is_not() {
    let (proxy, nobody) = (own_address(), own_address());
    let (_tinyproxy, _folder) = tinyproxy(proxy).await;
    for (url, cause) in [
        (format!("http://sidecar:wrong-password@{proxy}"), "tunnel error"),
        (format!("http://sidecar:wrong-password@{nobody}"), "Connection refused"),
    ] {
        let provider_address = own_address();
        let plan = Plan::usual().provider(provider_address).provider_lines(&format!("proxy = \"{url}\""));
        let deployment = plan.start().await;
        let _provider = Provider::start(provider_address, &deployment.origin).await;
        let refused = Visitor::default().open(deployment.url("/")).await;
        assert_eq!(refused.status, StatusCode::BAD_GATEWAY, "{refused:?}");
        let said = deployment.vestibule.output();
        assert!(said.contains("the outbound proxy http://127.") && said.contains(cause), "{said}");
        assert!(!said.contains("wrong-password") && !refused.text().contains("proxy"), "{said}");
    }
}
