//! gRPC from end to end: Google's own client and server, with us in between speaking
//! HTTP/2 to both. Trailers, streams that talk both ways, deadlines and cancellation
//! (gRPC over HTTP/2, "Requests" and "Responses").

use std::process::Command;

use serde_json::{Value, json};

use crate::{address::own_address, deployment::Plan, process::Process, visitor::Visitor};

/// Debian's, which has Debian's packages.
const PYTHON: &str = "/usr/bin/python3";

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/grpc_peer.py");

/// What the client said of one of its calls.
async fn came_of(client: &Process, call: &str) -> Value {
    let is_it = |line: &str| serde_json::from_str::<Value>(line).ok().filter(|said| said["call"] == call);
    client.line(call, is_it).await
}

#[tokio::test]
async fn googles_client_and_server_speak_as_if_nobody_were_between_them() {
    let upstream = own_address();
    let server = Process::start("the gRPC server", Command::new(PYTHON).args([SCRIPT, "serve", &upstream.to_string()]));
    server.line("that it serves", |line| (line == r#"{"serving": true}"#).then_some(())).await;
    let (deployment, _provider) = Plan::usual().upstream(&format!("h2c://{upstream}")).start_with_provider().await;
    let mut ada = Visitor::default();
    // It leads to a page that this server does not have; the session is what we want of it.
    ada.sign_in(deployment.url("/"), "ada").await;
    let cookie = ada.cookie(&deployment.origin);
    assert!(cookie.contains("vestibule="), "signed in: {cookie}");

    let address = deployment.origin.trim_start_matches("http://");
    let client = Process::start("the gRPC client", Command::new(PYTHON).args([SCRIPT, "call", address, &cookie]));
    assert_eq!(came_of(&client, "anonymous").await["code"], "UNAUTHENTICATED", "a 401 as gRPC reads it");

    let unary = came_of(&client, "unary").await;
    assert_eq!((&unary["got"], &unary["initial"]["x-initial"]), (&json!(3_000_000), &json!("early")), "{unary}");
    assert_eq!(unary["trailing"], json!({ "x-trailing": "late", "x-bytes-bin": "00ff" }), "trailers, bytes included");
    let metadata = &unary["metadata"];
    assert_eq!((&metadata["x-forwarded-user"], &metadata["x-own"]), (&json!("ada"), &json!("mine")), "{metadata}");
    assert_eq!((&metadata["cookie"], &metadata["x-forwarded-host"]), (&Value::Null, &json!(address)), "{metadata}");

    let refused = came_of(&client, "refuse").await;
    assert_eq!(
        (&refused["code"], &refused["details"]),
        (&json!("FAILED_PRECONDITION"), &json!("not like this: 100 % ü"))
    );
    assert_eq!(refused["trailing"]["x-why"], "because", "a head that is all trailers: {refused}");
    assert_eq!(came_of(&client, "unknown").await["code"], "UNIMPLEMENTED");

    for (call, expected) in [
        ("count", json!({ "call": "count", "messages": 1000, "last": "999" })),
        ("total", json!({ "call": "total", "bytes": "5000000" })),
        ("talk", json!({ "call": "talk", "messages": 500, "last": "heard 499" })),
        ("at once", json!({ "call": "at once", "answered": 200 })),
        ("deadline", json!({ "call": "deadline", "code": "DEADLINE_EXCEEDED" })),
        ("cancelled", json!({ "call": "cancelled", "heard": "True" })),
    ] {
        assert_eq!(came_of(&client, call).await, expected);
    }
}
