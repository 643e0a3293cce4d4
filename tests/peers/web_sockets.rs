//! Both ends of a WebSocket in Python's `websockets`, compressed and fragmented as it likes (RFC 6455, RFC 7692): what
//! they tell each other, and what we tell them.

use std::{net::SocketAddr, path::Path, process::Command};

use crate::{address::own_address, deployment::Plan, process::Process, visitor::Visitor};

/// Debian's, which has Debian's packages.
const PYTHON: &str = "/usr/bin/python3";

fn python(script: &str, arguments: &[&str]) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/web_sockets").join(script);
    Process::start("Python", Command::new(PYTHON).arg(script).args(arguments))
}

/// Waits for an event of one of them.
async fn event(process: &Process, event: &str) {
    process.line(event, |line| (line == event).then_some(())).await;
}

/// A client of a visitor who has just signed in, when it has had its say.
async fn client(public: SocketAddr, visitor: &mut Visitor) -> Process {
    let origin = format!("http://{public}");
    visitor.sign_in(&origin, "ada").await;
    let client = python("client.py", &[&format!("ws://{public}/echo"), &visitor.cookie(&origin), &origin]);
    event(&client, "client opened permessage-deflate").await;
    event(&client, "client heard its echo").await;
    client
}

#[tokio::test]
async fn python_understands_python_through_us_and_us_when_we_close() {
    let upstream = own_address();
    let server = python("server.py", &[&upstream.ip().to_string(), &upstream.port().to_string()]);
    event(&server, "server listening").await;
    let plan = Plan::usual().upstream(&format!("http://{upstream}")).server("drain_delay = \"0s\"");
    let public = plan.listen();
    let (mut deployment, _provider) = plan.start_with_provider().await;

    let mut visitor = Visitor::default();
    let first = client(public, &mut visitor).await;
    let user = server.line("who is there", |line| line.strip_prefix("server opened ").map(str::to_owned)).await;
    assert_eq!(user, "ada permessage-deflate");
    visitor.post(format!("http://{public}/_vestibule/sign_out"), &[]).await;
    event(&first, "client closed 1008 session ended").await;
    event(&server, "server closed 1008 session ended").await;

    let second = client(public, &mut Visitor::default()).await;
    deployment.vestibule.terminate();
    event(&second, "client closed 1001 server restarts").await;
    event(&server, "server closed 1001 server restarts").await;
    assert_eq!(deployment.vestibule.end().await.code(), Some(0));
}
