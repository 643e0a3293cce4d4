//! Load: thousands of connections at rest, and what each of them costs.
//!
//! The real binary, because what counts is the memory of its process alone. As many
//! descriptors are open on the tests' side as on its own.

use futures_util::{StreamExt as _, stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    demo::provider::people::ADA,
    harness::{Request, Stage, client::WEB_SOCKET, patiently, upstream::Answer},
    resting::Rest,
};

const CONNECTIONS: usize = 4_000;

/// The most that a WebSocket may cost at rest, both its sockets together. Kernel memory is not in it.
const MOST_BYTES_A_SOCKET: usize = 24 * 1024;

/// The most that a connection may cost between two requests.
const MOST_BYTES_A_CONNECTION: usize = 12 * 1024;

/// So many come before those that came last have rested.
const BEFORE_A_REST: usize = 250;

/// So many are made at the same time.
const AT_ONCE: usize = 64;

/// A text frame of a client, and the Close frame that ends it with its session.
const FRAME: &[u8] = b"\x81\x82\x01\x02\x03\x04xy";
const CLOSE: &[u8] = b"\x88\x0f\x03\xf0session ended";

/// Two descriptors a connection for the tests, two for the program, which inherits the limit.
fn raise_limit() {
    let needed = 2 * CONNECTIONS as u64 + 1_000;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < needed) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum })
            .unwrap_or_else(|error| panic!("this test needs {needed} open files, of {maximum:?}: {error}"));
    }
}

#[tokio::test]
async fn load_four_thousand_web_sockets_stand_cost_little_and_end_with_their_session() {
    raise_limit();
    let stage = Stage::builder().log("access = false").start_binary().await;
    let cookie = stage.sign_in(&ADA).await;
    stage.upstream.answer(|_| Answer::Echo);
    let handshake = Request::get("/socket").headers(&WEB_SOCKET).header("Cookie", &cookie);
    let handshake = handshake.to_host(stage.authority());
    let open = |_| async {
        let mut client = stage.connect().await;
        assert_eq!(client.exchange(&handshake).await.status, 101);
        client.send(FRAME).await;
        assert_eq!(patiently("the echo", client.wire.exactly(FRAME.len())).await, FRAME);
        client
    };
    let before = stage.door.process.resident_kib();
    let clients: Vec<_> = stream::iter(0..CONNECTIONS).map(open).buffer_unordered(AT_ONCE).collect().await;
    let each = (stage.door.process.resident_kib() - before) * 1024 / CONNECTIONS;
    assert!(each <= MOST_BYTES_A_SOCKET, "{each} bytes each");
    assert_eq!(stage.upstream.take().len(), CONNECTIONS);

    let signed_out = stage.send(Request::post("/_vestibule/sign_out", "").header("Cookie", &cookie)).await;
    assert_eq!(signed_out.status, 303, "{signed_out:?}");
    for mut client in clients {
        assert_eq!(client.until_closed().await, CLOSE);
    }
}

#[tokio::test]
async fn load_four_thousand_kept_connections_cost_little_and_serve_again() {
    raise_limit();
    let (stage, rest) = (Stage::builder().public("/**").log("access = false").start_binary().await, Rest::new().await);
    let request = Request::get("/page").to_host(stage.authority());
    let open = |_| async {
        let mut client = stage.connect().await;
        assert_eq!(client.exchange(&request).await.status, 200);
        client
    };
    let before = stage.door.process.resident_kib();
    let mut clients = Vec::with_capacity(CONNECTIONS);
    // What the process holds is the most that it ever needed: all of them at once have not rested.
    while clients.len() < CONNECTIONS {
        clients.extend(stream::iter(0..BEFORE_A_REST).map(open).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await);
        rest.pass().await;
    }
    let each = (stage.door.process.resident_kib() - before) * 1024 / CONNECTIONS;
    assert!(each <= MOST_BYTES_A_CONNECTION, "{each} bytes each");
    for client in &mut clients {
        assert_eq!(client.exchange(&request).await.status, 200);
    }
    assert_eq!(stage.upstream.take().len(), 2 * CONNECTIONS);
}
