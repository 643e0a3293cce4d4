//! How long somebody may take (threats 116 and 123).
//!
//! What has to take its time is paced by a bystander's requests, so that each row also
//! shows that others are served meanwhile.

use super::*;
use crate::harness::{Configuration, client::connect_tls, pki::Authority};

/// Somebody else, who has nothing to do with it and is served.
struct Bystander {
    client: RawClient,
    request: Request,
}

impl Bystander {
    async fn of(stage: &Stage) -> Self {
        let request = Request::get("/_vestibule/signed_out").to_host(stage.authority());
        Self { client: stage.connect().await, request }
    }

    async fn is_served(&mut self) {
        assert_eq!(self.client.exchange(&self.request).await.status, 200);
    }
}

#[tokio::test]
async fn threat_116_a_head_is_cut_in_its_time_wherever_it_pauses() {
    let stage = Stage::builder().public("/**").limits("header_timeout = \"200ms\"\nkeepalive = \"1h\"").start().await;
    let whole = Request::get("/x").header("X-Y", "z").to_host(stage.authority()).bytes();
    let pauses = [1, 3, 4, 5, 6, 14, 15, 16, 20, 22, whole.len() - 4, whole.len() - 2, whole.len() - 1];
    let mut paused = Vec::new();
    for (kept, pause) in [false, true].into_iter().flat_map(|kept| pauses.map(|pause| (kept, pause))) {
        let mut client = stage.connect().await;
        if kept {
            client.send(&whole).await;
            assert_eq!(client.response().await.expect("an answer").status, 200);
        }
        client.send(&whole[..pause]).await;
        paused.push((client, pause));
    }
    for (mut client, pause) in paused {
        assert_eq!(client.until_closed().await, b"", "{:?}", String::from_utf8_lossy(&whole[..pause]));
    }
    // Who says nothing at all is closed as well, but no reason to look twice: browsers connect in advance.
    stage.connect().await.until_closed().await;
    assert_eq!(stage.upstream.take().len(), pauses.len());
    counted(&stage, &format!("vestibule_connections_cut_total{{reason=\"head_too_slow\"}} {}", 2 * pauses.len())).await;
}

#[tokio::test]
async fn threat_116_a_head_that_dribbles_is_cut_all_the_same() {
    let stage = Stage::builder().public("/**").limits("header_timeout = \"300ms\"").start().await;
    let mut bystander = Bystander::of(&stage).await;
    let mut client = stage.connect().await;
    client.send("GET /x HTTP/1.1\r\nX: ").await;
    while client.wire.write("x").await.is_ok() {
        bystander.is_served().await;
    }
    counted(&stage, "vestibule_connections_cut_total{reason=\"head_too_slow\"} 1").await;
    assert_eq!(stage.upstream.take().len(), 0);
}

#[tokio::test]
async fn a_kept_connection_outlives_the_time_of_a_head_many_times() {
    let stage = Stage::builder().public("/**").limits("header_timeout = \"100ms\"\nkeepalive = \"1h\"").start().await;
    let mut kept = Bystander::of(&stage).await;
    for _ in 0..3 {
        kept.is_served().await;
        for _ in 0..3 {
            // Lives for exactly the time of a head.
            stage.connect().await.until_closed().await;
        }
    }
    kept.is_served().await;
}

#[tokio::test]
async fn a_kept_connection_ends_when_it_has_rested_for_its_time() {
    let stage = Stage::builder().limits("header_timeout = \"1h\"\nkeepalive = \"200ms\"").start().await;
    let mut kept = Bystander::of(&stage).await;
    kept.is_served().await;
    kept.client.until_closed().await;
}

/// A short time for nothing to come or go, and a shorter one to look.
fn impatient() -> Configuration {
    Stage::builder()
        .public("/**")
        .limits("header_timeout = \"200ms\"\nkeepalive = \"1h\"")
        .app_tables("[app.limits]\nidle = \"500ms\"\n")
}

#[tokio::test]
async fn threat_116_a_body_that_does_not_come_is_cut_and_its_upstream_request_with_it() {
    let stage = impatient().start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut paused = Vec::new();
    for (field, begun, framing) in [
        (("Content-Length", "10"), "", Framing::Length(10)),
        (("Content-Length", "10"), "hello", Framing::Length(10)),
        (("Transfer-Encoding", "chunked"), "", Framing::Chunked),
        (("Transfer-Encoding", "chunked"), "5\r\nhello\r\n", Framing::Chunked),
        (("Transfer-Encoding", "chunked"), "5\r\nhello\r\n5\r\nwor", Framing::Chunked),
    ] {
        let mut client = stage.connect().await;
        let request = Request::new("POST", "/form").headers(&[field]).to_host(stage.authority());
        client.send([&request.bytes(), begun.as_bytes()].concat()).await;
        let mut conversation = conversations.next().await;
        conversation.expect_head().await;
        paused.push((client, conversation, begun, framing));
    }
    for (mut client, mut conversation, begun, framing) in paused {
        let (_, complete) = patiently("the end at the upstream", conversation.wire.body(framing)).await;
        assert_eq!(complete, Complete::CutShort, "{begun:?}");
        assert_eq!(client.until_closed().await, b"", "{begun:?}");
    }
    counted(&stage, "vestibule_connections_cut_total{reason=\"body_too_slow\"} 5").await;
}

#[tokio::test]
async fn a_body_that_comes_slowly_and_does_come_is_not_cut() {
    let stage = Stage::builder()
        .public("/**")
        .limits("header_timeout = \"100ms\"")
        .app_tables("[app.limits]\nidle = \"700ms\"\n")
        .start()
        .await;
    let mut client = stage.connect().await;
    client.send(Request::new("POST", "/form").header("Content-Length", "12").to_host(stage.authority()).bytes()).await;
    for _ in 0..12 {
        client.send("x").await;
        // The time of a head, each: the body takes longer than it may rest.
        stage.connect().await.until_closed().await;
    }
    assert_eq!(client.response().await.expect("an answer").status, 200);
    assert_eq!(stage.upstream.only().body.len(), 12);
}

#[tokio::test]
async fn whoever_waits_for_the_upstream_is_not_cut_for_being_silent() {
    let stage = impatient().start().await;
    let mut conversations = stage.upstream.by_hand();
    for request in [Request::get("/slow"), Request::post("/slow", "hello")] {
        let mut client = stage.connect().await;
        client.send(request.to_host(stage.authority()).bytes()).await;
        let mut conversation = conversations.next().await;
        conversation.expect_head().await;
        for _ in 0..4 {
            stage.connect().await.until_closed().await; // 200 ms each
        }
        conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        assert_eq!(client.response().await.expect("an answer").text(), "ok");
    }
}

#[tokio::test]
async fn threat_116_a_visitor_who_does_not_read_is_cut_and_the_upstream_with_them() {
    let stage = impatient().start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut bystander = Bystander::of(&stage).await;
    let mut client = stage.connect().await;
    client.send(Request::get("/download").to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await;
    let block = vec![b'x'; 64 * 1024];
    let mut taken = 0;
    while patiently("room, or the end", conversation.wire.write(&block)).await.is_ok() {
        taken += block.len();
        bystander.is_served().await;
    }
    assert!(taken < 40 * 1024 * 1024, "{taken} bytes were taken that nobody has read");
    counted(&stage, "vestibule_connections_cut_total{reason=\"idle\"} 1").await;
    drop(client);
}

#[tokio::test]
async fn a_stream_in_which_nothing_happens_ends_at_its_limit() {
    let stage = impatient().start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/events").to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").await;
    client.head().await.expect("an answer");
    let (body, complete) = patiently("the end", client.wire.body(Framing::Chunked)).await;
    assert_eq!((body.as_slice(), complete), (&b"one"[..], Complete::CutShort));
    conversation.until_closed().await;
}

#[tokio::test]
async fn threat_116_requests_whose_answers_nobody_reads_are_not_carried_out_for_ever() {
    const FLOOD: usize = 100_000;
    let stage = Stage::builder()
        .public("/**")
        .limits("header_timeout = \"300ms\"\nkeepalive = \"300ms\"")
        .app_tables("[app.limits]\nidle = \"300ms\"\n")
        .start()
        .await;
    stage.upstream.answer(|_| Answer::ok(&"x".repeat(2000)));
    let mut client = stage.connect().await;
    let request = Request::get("/x").to_host(stage.authority());
    assert_eq!(client.exchange(&request).await.status, 200);
    let requests = request.bytes().repeat(FLOOD);
    // Whether all of them fit into the kernel's buffers on the way or not: nobody reads, and that is cut.
    let _ = patiently("the end of the connection, or room for all", client.wire.write(&requests)).await;
    counted(&stage, "vestibule_connections 0").await;
    let carried_out = stage.upstream.take().len();
    assert!(carried_out < FLOOD / 2, "{carried_out} of {FLOOD}");
    Bystander::of(&stage).await.is_served().await;
}

#[tokio::test]
async fn threat_123_a_tls_handshake_that_stalls_is_cut_and_counted() {
    let authority = Authority::new();
    let stage = Stage::builder()
        .public("/**")
        .public_host("wiki.test")
        .tls(&authority.issue("wiki.test").lines(), authority.root.clone())
        .limits("header_timeout = \"200ms\"")
        .start()
        .await;
    for begun in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut client = stage.connect().await;
        client.send(begun).await;
        assert_eq!(client.until_closed().await, b"", "{begun:?}");
    }
    counted(&stage, "vestibule_connections_refused_total{reason=\"handshake_timeout\"} 3").await;
    // And after the handshake the same holds for the head.
    let (mut client, _) = connect_tls(stage.door_address(), "wiki.test", &authority.root).await.expect("a handshake");
    client.send("GET / HTTP/1.1\r\n").await;
    assert_eq!(client.until_closed().await, b"");
}
