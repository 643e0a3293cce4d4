//! What any change of protocol may and may not do (RFC 9110 §7.8): whatever is not HTTP passes once the upstream has
//! agreed, both ways, and nothing of it is read as a request (threat 76). What a WebSocket has
//! beyond that is in [`web_sockets`](crate::web_sockets).

use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::{
    demo::provider::people::ADA,
    harness::{
        RawClient, Request, Stage, patiently,
        upstream::{Answer, Conversation, Conversations},
        wire::Wire,
    },
};

/// What `kubectl exec` asks for.
fn exec() -> Request {
    Request::new("POST", "/exec?command=sh").headers(&[
        ("Connection", "Upgrade"),
        ("Upgrade", "SPDY/3.1"),
        ("Content-Length", "0"),
    ])
}

const SPDY: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";

/// Looks like a request, and is none.
const DECOY: &str = "GET /admin HTTP/1.1\r\nHost: app\r\nX-Forwarded-User: root\r\n\r\n";

/// A tunnel whose two ends are the test's; `client` has not said anything yet.
async fn open(stage: &Stage, mut client: RawClient, conversations: &mut Conversations) -> (RawClient, Conversation) {
    client.send(exec().to_host(stage.authority()).bytes()).await;
    let mut app = conversations.next().await;
    app.expect_head().await;
    app.send(SPDY).await;
    assert_eq!(client.response().await.expect("an answer").status, 101);
    (client, app)
}

#[tokio::test]
async fn any_protocol_passes_and_none_of_it_is_http() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    for (request, protocol) in [
        (exec(), "SPDY/3.1"),
        (Request::new("POST", "/containers/x/attach?stream=1").header("Connection", "Upgrade"), "tcp"),
        (Request::get("/masque").header("Connection", "keep-alive, upgrade"), "connect-udp"),
        (Request::get("/odd").header("Connection", "Upgrade, X-Hop").header("X-Hop", "1"), "a!b/2"),
    ] {
        let mut conversations = stage.upstream.by_hand();
        let mut client = stage.connect().await;
        let asked = if protocol == "SPDY/3.1" { request } else { request.header("Upgrade", protocol) };
        client.send(asked.header("Cookie", &cookie).to_host(stage.authority()).bytes()).await;
        let mut app = conversations.next().await;
        let head = app.expect_head().await;
        assert_eq!((head.all("connection"), head.all("upgrade")), (vec!["Upgrade"], vec![protocol]), "{head:?}");
        assert_eq!((head.get("x-hop"), head.get("x-forwarded-user")), (None, Some("ada")), "{head:?}");
        // A length says nothing in a 101, and what comes with the head comes through.
        let fields = format!("Connection: upgrade\r\nUpgrade: {protocol}\r\nContent-Length: 5\r\n\r\nfirst");
        app.send(format!("HTTP/1.1 101 UPGRADED\r\n{fields}")).await;
        let switched = client.response().await.expect("an answer");
        assert_eq!((switched.status, switched.header("upgrade")), (101, Some(protocol)), "{switched:?}");
        assert_eq!(switched.header("content-length"), None, "{switched:?}");
        assert_eq!(patiently("the app's bytes", client.wire.exactly(5)).await, b"first");
        for round in [DECOY, "\0\r\n\r\n", DECOY] {
            client.send(round).await;
            assert_eq!(patiently("the visitor's bytes", app.wire.exactly(round.len())).await, round.as_bytes());
            app.send(SPDY).await;
            assert_eq!(patiently("the app's bytes", client.wire.exactly(SPDY.len())).await, SPDY.as_bytes());
        }
        assert_eq!(stage.upstream.take().len(), 1, "{protocol}: one request, whatever the bytes look like");
    }
}

#[tokio::test]
async fn threat_76_http_in_another_guise_is_not_asked_for() {
    let stage = Stage::builder().public("/**").start().await;
    for (offer, status) in [
        ("h2c", 200),
        ("H2C", 200),
        ("h2c\t", 200),
        ("HTTP/2.0", 200),
        ("TLS/1.0, HTTP/1.1", 200),
        ("h2c, h2c", 200),
        ("h2c websocket", 200),
        ("\u{b}h2c", 400),
    ] {
        let request = Request::get("/page").headers(&[
            ("Connection", "Upgrade, HTTP2-Settings"),
            ("Upgrade", offer),
            ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
        ]);
        let mut client = stage.connect().await;
        client
            .send([&request.to_host(stage.authority()).bytes()[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"].concat())
            .await;
        assert_eq!(client.response().await.expect("an answer").status, status, "{offer:?}");
        client.until_closed().await;
        let seen = stage.upstream.take();
        assert_eq!(seen.len(), usize::from(status == 200), "{offer:?}: {seen:?}");
        for seen in seen {
            let fields = ["upgrade", "connection", "http2-settings"].map(|name| seen.header(name));
            assert_eq!((seen.target(), fields), ("/page", [None; 3]), "{offer:?}");
        }
    }
    // What stands beside it is.
    stage.upstream.answer(|_| Answer::Echo);
    let both = Request::get("/socket").headers(&[("Connection", "Upgrade"), ("Upgrade", "h2c, websocket")]);
    assert_eq!(stage.send(both).await.status, 101);
    assert_eq!(stage.upstream.only().headers("upgrade"), ["websocket"]);
}

#[tokio::test]
async fn threat_76_cve_2026_2833_what_follows_a_refused_offer_is_the_next_request_and_judged_as_such() {
    let stage = Stage::builder().public("/exec").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    // Whoever switched too early would send the decoy to the app.
    let early = format!("GET /admin HTTP/1.1\r\nHost: {}\r\n\r\n", stage.authority());
    client.send([&exec().to_host(stage.authority()).bytes()[..], early.as_bytes()].concat()).await;
    let mut app = conversations.next().await;
    app.expect_head().await;
    app.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno").await;
    let refused = client.response().await.expect("an answer");
    assert_eq!((refused.status, refused.text().as_str()), (400, "no"));
    assert_eq!(client.response().await.expect("an answer to the next").status, 401, "it is not public");
    assert_eq!(app.until_closed().await, b"", "no byte of it came, and the connection is not kept");
    assert_eq!(stage.upstream.take().len(), 1);
}

#[tokio::test]
async fn what_a_visitor_says_before_the_switch_waits_for_it() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send([&exec().to_host(stage.authority()).bytes()[..], DECOY.as_bytes()].concat()).await;
    let mut app = conversations.next().await;
    app.expect_head().await;
    app.send(SPDY).await;
    assert_eq!(client.response().await.expect("an answer").status, 101);
    assert_eq!(patiently("what was said early", app.wire.exactly(DECOY.len())).await, DECOY.as_bytes());
}

#[tokio::test]
async fn a_request_with_a_body_is_a_request() {
    let stage = Stage::builder().public("/**").start().await;
    let offer = [("Connection", "Upgrade"), ("Upgrade", "tcp")];
    let chunked = Request::new("POST", "/exec").header("Transfer-Encoding", "chunked").headers(&offer);
    for (mut bytes, body) in [
        (Request::post("/exec", "body").headers(&offer).to_host(stage.authority()).bytes(), ""),
        (chunked.to_host(stage.authority()).bytes(), "4\r\nbody\r\n0\r\n\r\n"),
    ] {
        bytes.extend_from_slice(body.as_bytes());
        let mut client = stage.connect().await;
        client.send(bytes).await;
        assert_eq!(client.response().await.expect("an answer").status, 200);
        let seen = stage.upstream.only();
        assert_eq!((seen.header("upgrade"), seen.header("connection"), &seen.body[..]), (None, None, &b"body"[..]));
    }
}

#[tokio::test]
async fn an_app_can_only_switch_to_what_was_offered() {
    let stage = Stage::builder().public("/**").start().await;
    for fields in ["Upgrade: h2c", "Upgrade: websocket", "Upgrade: SPDY/3.1, h2c", "Upgrade: SPDY", "X: y"] {
        let mut conversations = stage.upstream.by_hand();
        let mut client = stage.connect().await;
        client.send([&exec().to_host(stage.authority()).bytes()[..], DECOY.as_bytes()].concat()).await;
        let mut app = conversations.next().await;
        app.expect_head().await;
        app.send(format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n{fields}\r\n\r\n")).await;
        assert_eq!(client.response().await.expect("an answer").status, 502, "{fields}");
        assert_eq!(app.until_closed().await, b"", "{fields}");
    }
    // Nor where nobody has offered anything.
    stage.upstream.answer(|_| Answer::Keep(SPDY.into()));
    assert_eq!(stage.send(Request::get("/page")).await.status, 502);
}

#[tokio::test]
async fn an_app_that_does_not_switch_is_heard_and_its_connection_not_leaked() {
    let stage = Stage::builder().public("/**").start().await;
    for (status, fields, text) in [
        ("426 Upgrade Required", "Upgrade: websocket\r\n", "no"),
        ("400 Bad Request", "", ""),
        ("200 OK", "", "I speak HTTP only"),
        ("404 Not Found", "Connection: close\r\n", "not here"),
    ] {
        let mut conversations = stage.upstream.by_hand();
        let mut client = stage.connect().await;
        client.send(exec().to_host(stage.authority()).bytes()).await;
        let mut app = conversations.next().await;
        app.expect_head().await;
        app.send(format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n{text}", text.len())).await;
        let answer = client.response().await.expect("an answer");
        assert_eq!((answer.status.to_string().as_str(), answer.text().as_str()), (&status[..3], text));
        assert_eq!(app.until_closed().await, b"");
        stage.upstream.answer(|_| Answer::ok("next"));
        let next = client.exchange(&Request::get("/page").to_host(stage.authority())).await;
        assert_eq!(next.text(), "next", "the visitor's connection goes on after {status}");
    }
}

#[tokio::test]
async fn threat_114_a_foreign_page_gets_no_tunnel_whatever_the_protocol() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let answer = stage.send(exec().header("Cookie", &cookie).header("Origin", "https://evil.example")).await;
    assert_eq!((answer.status, stage.upstream.take().len()), (403, 0), "{answer:?}");
    assert_eq!(stage.send(exec().header("Origin", &stage.origin())).await.status, 401, "threat 113");
    assert_eq!(stage.upstream.connections(), 0);
}

#[tokio::test]
async fn a_side_that_finishes_is_passed_on_and_the_other_goes_on() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let (mut client, mut app) = open(&stage, stage.connect().await, &mut conversations).await;
    client.send("that is all").await;
    client.wire.finish().await.expect("an orderly end");
    assert_eq!(app.until_closed().await, b"that is all");
    for answer in ["first", "second"] {
        app.send(answer).await;
        assert_eq!(patiently("an answer", client.wire.exactly(answer.len())).await, answer.as_bytes());
    }
    drop(app);
    assert_eq!(client.until_closed().await, b"");

    let (mut client, mut app) = open(&stage, stage.connect().await, &mut conversations).await;
    app.send("bye").await;
    app.wire.finish().await.expect("an orderly end");
    assert_eq!(client.until_closed().await, b"bye");
    client.send("one more thing").await;
    assert_eq!(patiently("the last words", app.wire.exactly(14)).await, b"one more thing");
}

#[tokio::test]
async fn a_side_that_breaks_ends_both() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let stream = TcpStream::connect(stage.door_address()).await.expect("somebody listens");
    // It goes without a goodbye: RST instead of FIN.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a connected socket takes options");
    let (client, mut app) = open(&stage, RawClient { wire: Wire::new(stream) }, &mut conversations).await;
    drop(client);
    assert_eq!(app.until_closed().await, b"");
    drop(app);
    let mut connections = stage.metrics().await;
    while !connections.contains("\nvestibule_connections 0\n") {
        connections = patiently("the connection to be counted out", stage.metrics()).await;
    }
}

#[tokio::test]
async fn threat_84_a_tunnel_ends_with_the_session_without_a_word() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(exec().header("Cookie", &cookie).to_host(stage.authority()).bytes()).await;
    let mut app = conversations.next().await;
    app.expect_head().await;
    app.send(SPDY).await;
    assert_eq!(client.response().await.expect("an answer").status, 101);
    let signed_out = stage.send(Request::post("/_vestibule/sign_out", "").header("Cookie", &cookie)).await;
    assert_eq!(signed_out.status, 303, "{signed_out:?}");
    assert_eq!((client.until_closed().await, app.until_closed().await), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_tunnel_through_which_nothing_comes_ends_when_the_app_may_not_rest_longer() {
    let stage = Stage::builder().public("/**").app_tables("[app.limits]\nidle = \"300ms\"\n").start().await;
    let mut conversations = stage.upstream.by_hand();
    let (mut client, mut app) = open(&stage, stage.connect().await, &mut conversations).await;
    assert_eq!((client.until_closed().await, app.until_closed().await), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_stop_waits_for_tunnels_that_cannot_be_told() {
    let stage = Stage::builder().public("/**").server("drain_delay = \"0s\"\ndrain_timeout = \"1h\"").start().await;
    let mut conversations = stage.upstream.by_hand();
    let (mut client, mut app) = open(&stage, stage.connect().await, &mut conversations).await;
    let mut resting = stage.connect().await;
    resting.exchange(&Request::get("/_vestibule/signed_out").to_host(stage.authority())).await;
    stage.door.running().shut_down();
    resting.until_closed().await;
    client.send("still here").await;
    assert_eq!(patiently("the visitor's bytes", app.wire.exactly(10)).await, b"still here");
    drop((client, app));
    patiently("the end", stage.door.running().stopped()).await;
}
