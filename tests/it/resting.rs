//! Connections that rest between two requests, of which nothing is kept but the socket: whatever comes after a rest is
//! served as if there had been none, and nothing that is owed to either side is lost by one.

use crate::harness::{
    Configuration, RawClient, Request, Stage,
    client::{WEB_SOCKET, connect_tls},
    patiently,
    pki::Authority,
    upstream::Answer,
    wire::Complete,
};

/// Longer than it takes until somebody looks whether a connection rests.
pub(crate) struct Rest(Stage);

impl Rest {
    pub(crate) async fn new() -> Self {
        Self(Stage::builder().limits("header_timeout = \"400ms\"").start().await)
    }

    /// Passes exactly the time of a head.
    pub(crate) async fn pass(&self) {
        self.0.connect().await.until_closed().await;
    }
}

fn calm() -> Configuration {
    Stage::builder().public("/**").limits("header_timeout = \"1h\"\nkeepalive = \"1h\"")
}

/// A connection that has rested after one request.
async fn rested(stage: &Stage, rest: &Rest) -> RawClient {
    let mut client = stage.connect().await;
    assert_eq!(client.exchange(&Request::get("/first").to_host(stage.authority())).await.status, 200);
    rest.pass().await;
    stage.upstream.take();
    client
}

/// What the upstream got since it was asked before.
fn asked(stage: &Stage) -> Vec<String> {
    let requests = stage.upstream.take();
    requests.iter().map(|request| format!("{} {} {}", request.method(), request.target(), request.body.len())).collect()
}

#[tokio::test]
async fn what_comes_after_a_rest_is_served_whole_however_it_comes() {
    let (stage, rest) = (calm().start().await, Rest::new().await);
    let get = |target: &str| Request::get(target).to_host(stage.authority()).bytes();
    let post = Request::post("/post", vec![b'x'; 100_000]).to_host(stage.authority()).bytes();
    let long = Request::get("/long").header("X-Long", &"x".repeat(10_000)).to_host(stage.authority()).bytes();
    for (pieces, expected) in [
        (vec![get("/a")], vec!["GET /a 0"]),
        (vec![[get("/a"), get("/b"), get("/c")].concat()], vec!["GET /a 0", "GET /b 0", "GET /c 0"]),
        (vec![[post.clone(), get("/b")].concat()], vec!["POST /post 100000", "GET /b 0"]),
        (vec![long], vec!["GET /long 0"]),
        (get("/a").chunks(1).map(<[u8]>::to_vec).collect(), vec!["GET /a 0"]),
        (vec![b"\r\n".to_vec(), get("/a")], vec!["GET /a 0"]),
    ] {
        let mut client = rested(&stage, &rest).await;
        for piece in pieces {
            client.send(piece).await;
        }
        for one in &expected {
            assert_eq!(client.response().await.expect("an answer").status, 200, "{one}");
        }
        assert_eq!(asked(&stage), expected);
        rest.pass().await;
        client.send(get("/again")).await;
        assert_eq!(client.response().await.expect("an answer").status, 200, "after {expected:?}, and after that");
        assert_eq!(asked(&stage), ["GET /again 0"]);
    }
}

#[tokio::test]
async fn a_rest_under_tls_is_one_as_well() {
    let (authority, rest) = (Authority::new(), Rest::new().await);
    let stage = calm().public_host("wiki.test").tls(&authority.issue("wiki.test").lines(), authority.root.clone());
    let stage = stage.start().await;
    let request = Request::get("/page").to_host(stage.authority());
    let (mut client, _) = connect_tls(stage.door_address(), "wiki.test", &authority.root).await.expect("a handshake");
    for _ in 0..3 {
        assert_eq!(client.exchange(&request).await.status, 200);
        rest.pass().await;
    }
    assert_eq!(asked(&stage), ["GET /page 0"; 3]);
}

#[tokio::test]
async fn another_protocol_may_begin_after_a_rest_and_rests_as_long_as_it_likes() {
    let (stage, rest) = (calm().start().await, Rest::new().await);
    let mut client = rested(&stage, &rest).await;
    stage.upstream.answer(|_| Answer::Echo);
    let handshake = Request::get("/socket").headers(&WEB_SOCKET);
    assert_eq!(client.exchange(&handshake.to_host(stage.authority())).await.status, 101);
    for frame in [b"\x81\x82\x01\x02\x03\x04xy", b"\x81\x82\x01\x02\x03\x04zz"] {
        rest.pass().await;
        client.send(frame).await;
        assert_eq!(patiently("the echo", client.wire.exactly(frame.len())).await, frame);
    }
}

#[tokio::test]
async fn a_rest_is_no_way_around_what_a_head_must_be_like() {
    let (stage, rest) = (calm().start().await, Rest::new().await);
    let host = stage.authority();
    for (threat, request) in [
        (72, format!("GET /a HTTP/1.1\r\nHost: {host}\nX: y\r\n\r\n")),
        (66, format!("POST /a HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")),
        (69, format!("GET /a HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n")),
    ] {
        let mut client = rested(&stage, &rest).await;
        client.send(request).await;
        assert_eq!(client.response().await.expect("an answer").status, 400, "threat {threat}");
        assert_eq!(asked(&stage), [""; 0], "threat {threat}");
    }
}

#[tokio::test]
async fn the_beginning_of_a_request_that_came_with_the_one_before_is_kept_over_a_rest() {
    let (stage, rest) = (calm().start().await, Rest::new().await);
    let [first, second] = ["/first", "/second"].map(|target| Request::get(target).to_host(stage.authority()).bytes());
    for cut in [1, 5, 20, second.len() - 1] {
        let (beginning, end) = second.split_at(cut);
        let mut client = stage.connect().await;
        client.send([&first, beginning].concat()).await;
        assert_eq!(client.response().await.expect("an answer").status, 200);
        rest.pass().await;
        client.send(end).await;
        assert_eq!(client.response().await.expect("an answer").status, 200, "cut at {cut}");
        assert_eq!(asked(&stage), ["GET /first 0", "GET /second 0"], "cut at {cut}");
    }
}

#[tokio::test]
async fn an_empty_line_after_a_body_is_no_head_to_wait_for() {
    // Some old clients send one (RFC 9112 §2.2).
    let stage = Stage::builder().public("/**").limits("header_timeout = \"600ms\"\nkeepalive = \"1h\"").start().await;
    let rest = Rest::new().await;
    let mut client = stage.connect().await;
    let post = Request::post("/form", "a=b").to_host(stage.authority()).bytes();
    client.send([post, b"\r\n".to_vec()].concat()).await;
    assert_eq!(client.response().await.expect("an answer").status, 200);
    for _ in 0..3 {
        rest.pass().await;
    }
    assert_eq!(client.exchange(&Request::get("/next").to_host(stage.authority())).await.status, 200);
    assert_eq!(asked(&stage), ["POST /form 3", "GET /next 0"]);
}

#[tokio::test]
async fn threat_78_the_rest_of_a_body_that_was_answered_early_is_no_request_after_a_rest() {
    let (stage, rest) = (calm().start().await, Rest::new().await);
    let mut conversations = stage.upstream.by_hand();
    let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: {}\r\n\r\n", stage.authority());
    let length = (10 + smuggled.len()).to_string();
    for (framing, begun, more) in [
        (("Content-Length", length.as_str()), "0123456789", smuggled.clone()),
        (("Transfer-Encoding", "chunked"), "4\r\n", smuggled),
    ] {
        let mut client = stage.connect().await;
        let head = Request::new("POST", "/early").header(framing.0, framing.1);
        client.send(head.to_host(stage.authority()).bytes()).await;
        client.send(begun).await;
        let mut conversation = conversations.next().await;
        conversation.expect_head().await;
        conversation.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(client.response().await.expect("an answer").status, 413);
        rest.pass().await;
        client.wire.write(&more).await.ok();
        client.wire.finish().await.ok();
        assert_eq!(String::from_utf8_lossy(&client.until_closed().await), "", "{framing:?}");
        assert!(stage.upstream.take().iter().all(|request| request.target() != "/smuggled"), "{framing:?}");
    }
}

#[tokio::test]
async fn an_answer_that_its_visitor_has_not_read_outlasts_a_rest() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("door");
    // A Unix socket holds a known number of bytes, so that each of these answers ends elsewhere: at the upstream, on
    // its way, with what is written next, in the socket.
    let stage = calm().server(&format!("listen = [\"127.0.0.1:0\", \"unix:{}\"]\n", path.display())).start().await;
    let rest = Rest::new().await;
    stage.upstream.answer(|request| {
        let length: usize = request.target().trim_start_matches('/').parse().expect("a number");
        Answer::ok(&"x".repeat(length))
    });
    let mut clients = Vec::new();
    for kib in (100..=700).step_by(20) {
        let mut client = RawClient::connect_unix(&path).await;
        client.send(Request::get(&format!("/{}", kib * 1024)).to_host(stage.authority()).bytes()).await;
        clients.push((client, kib));
    }
    rest.pass().await;
    rest.pass().await;
    for (mut client, kib) in clients {
        let answer = client.response().await.expect("an answer");
        assert_eq!((answer.complete, answer.body.len()), (Complete::Yes, kib * 1024));
        client.send(Request::get("/7").to_host(stage.authority()).bytes()).await;
        assert_eq!(client.response().await.expect("an answer").text(), "xxxxxxx", "after {kib} KiB");
    }
}

#[tokio::test]
async fn a_connection_at_rest_may_ask_once_more_while_the_process_leaves() {
    let stage = calm().server("drain_delay = \"1h\"").start().await;
    let mut client = rested(&stage, &Rest::new().await).await;
    stage.door.running().shut_down();
    patiently("the end of readiness", async { while stage.ops("/readyz").await.status == 200 {} }).await;
    let answer = client.exchange(&Request::get("/last").to_host(stage.authority())).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    assert_eq!(client.until_closed().await, b"");
}

#[tokio::test]
async fn connections_at_rest_end_when_the_process_stops() {
    let stage = calm().server("drain_delay = \"0s\"\ndrain_timeout = \"1h\"").start().await;
    let mut client = rested(&stage, &Rest::new().await).await;
    stage.door.running().shut_down();
    assert_eq!(client.until_closed().await, b"");
    patiently("the end", stage.door.running().stopped()).await;
}
