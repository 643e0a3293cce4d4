//! Bodies over HTTP/2: as they come, both ways, each stream by itself.

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::{HeaderMap, Request as Http2Request};

use crate::{
    demo::provider::people::ADA,
    harness::{
        Request, Stage,
        http2::{CANCEL, DATA, END_STREAM, NO_ERROR, Outcome, RST_STREAM, whole},
        patiently,
        wire::{Complete, Framing},
    },
};

fn post(stage: &Stage, path: &str) -> http::request::Builder {
    Http2Request::post(stage.url(path))
}

/// Sends what there is room for, as a client that keeps the rules.
async fn send(body: &mut SendStream<Bytes>, bytes: impl Into<Bytes>) {
    let mut bytes = bytes.into();
    while !bytes.is_empty() {
        body.reserve_capacity(bytes.len());
        let room = patiently("room in the window", std::future::poll_fn(|cx| body.poll_capacity(cx))).await;
        let room = room.expect("the stream stands").expect("the stream stands");
        body.send_data(bytes.split_to(room.min(bytes.len())), false).expect("there is room");
    }
}

#[tokio::test]
async fn bodies_pass_in_both_directions_as_they_come() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.http2().await;
    client.ready().await;
    let request = post(&stage, "/upload").body(()).expect("a request");
    let (answer, mut body) = client.sender.send_request(request, false).expect("a stream");
    send(&mut body, "first").await;
    let mut conversation = conversations.next().await;
    let head = conversation.expect_head().await;
    assert_eq!((head.get("transfer-encoding"), head.get("content-length")), (Some("chunked"), None));
    let chunk = patiently("the first part, before there is a second", conversation.wire.chunk()).await;
    assert_eq!(chunk.as_deref(), Some(&b"first"[..]));
    send(&mut body, "second").await;
    body.send_data(Bytes::new(), true).expect("the stream stands");
    let (rest, complete) = patiently("the rest", conversation.wire.body(Framing::Chunked)).await;
    assert_eq!((rest.as_slice(), complete), (&b"second"[..], Complete::Yes));

    conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").await;
    let (head, mut body) = patiently("an answer", answer).await.expect("an answer").into_parts();
    assert_eq!((head.status.as_u16(), head.headers.get("transfer-encoding")), (200, None));
    assert_eq!(patiently("a part", body.data()).await.expect("a part").expect("a part"), "one");
    conversation.send("3\r\ntwo\r\n0\r\n\r\n").await;
    assert_eq!(whole(body).await.expect("the rest"), (b"two".to_vec(), None));
}

#[tokio::test]
async fn a_length_that_is_known_stays_known() {
    let stage = Stage::builder().public("/**").start().await;
    let mut client = stage.http2().await;
    for size in [0, 1, 300_000] {
        client.ready().await;
        let request = post(&stage, "/form").header("content-length", size).body(()).expect("a request");
        let (answer, mut body) = client.sender.send_request(request, size == 0).expect("a stream");
        if size > 0 {
            send(&mut body, "x".repeat(size)).await;
            body.send_data(Bytes::new(), true).expect("the stream stands");
        }
        let answer = patiently("an answer", answer).await.expect("an answer");
        assert_eq!(answer.headers()["content-length"], "18");
        let seen = stage.upstream.only();
        assert_eq!(seen.headers("content-length"), [size.to_string()]);
        assert_eq!((seen.header("transfer-encoding"), seen.body.len()), (None, size));
    }
}

#[tokio::test]
async fn a_head_has_the_length_and_no_body() {
    let stage = Stage::builder().public("/**").start().await;
    stage.upstream.answer(|request| {
        let head = match request.target() {
            "/204" => "204 No Content\r\nETag: \"x\"",
            "/304" => "304 Not Modified\r\nETag: \"x\"",
            _ => "200 OK\r\nContent-Length: 12345\r\nETag: \"x\"",
        };
        crate::harness::upstream::Answer::Keep(format!("HTTP/1.1 {head}\r\n\r\n").into_bytes())
    });
    let mut client = stage.http2().await;
    for (method, path, status, length) in
        [("HEAD", "/file", 200, Some("12345")), ("GET", "/204", 204, None), ("GET", "/304", 304, None)]
    {
        let request = Http2Request::builder().method(method).uri(stage.url(path)).body(()).expect("a request");
        let answer = client.exchange(request).await;
        assert_eq!((answer.status, answer.header("content-length"), answer.body.len()), (status, length, 0), "{path}");
        assert_eq!(answer.header("etag"), Some("\"x\""));
    }
}

#[tokio::test]
async fn trailers_of_the_upstream_reach_the_visitor() {
    let stage = Stage::builder().public("/**").start().await;
    stage.upstream.answer(|_| {
        let body = "2\r\nok\r\n0\r\nGrpc-Status: 0\r\nX-Sum: 1\r\n\r\n";
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Grpc-Status, X-Sum\r\n\r\n";
        crate::harness::upstream::Answer::Keep(format!("{head}{body}").into_bytes())
    });
    let mut client = stage.http2().await;
    for _ in 0..2 {
        let answer = client.exchange(stage.http2_get("/page").body(()).expect("a request")).await;
        let expected: HeaderMap = [("grpc-status", "0"), ("x-sum", "1")]
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .into_iter()
            .collect();
        assert_eq!((answer.body.as_slice(), answer.trailers), (&b"ok"[..], Some(expected)));
    }
}

#[tokio::test]
async fn threat_78_an_answer_before_the_end_of_the_body_ends_the_stream_and_nothing_else() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.frames().await;
    let mut head = stage.pseudo("/early");
    head[0] = (":method", "POST");
    client.head(1, 0, &head).await;
    client.send(DATA, 0, 1, b"part").await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(client.outcome(1).await, Outcome::Status(413));
    drop(conversation);
    // RFC 9113 §8.1: the answer is whole, and the rest is not wanted.
    assert_eq!(client.outcome(1).await, Outcome::Reset(NO_ERROR));
    client.send(DATA, END_STREAM, 1, b"GET /smuggled HTTP/1.1\r\n\r\n").await;
    client.head(3, END_STREAM, &stage.pseudo("/next")).await;
    let mut fresh = conversations.next().await;
    assert!(fresh.expect_head().await.start.starts_with("GET /next "), "on a connection that nothing is left on");
    fresh.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert!(stage.upstream.requests().iter().all(|request| request.target() != "/smuggled"));
}

#[tokio::test]
async fn a_visitor_who_resets_a_stream_cancels_its_request_and_no_other() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.frames().await;
    for (stream, path) in [(1, "/kept"), (3, "/taken-back")] {
        client.head(stream, END_STREAM, &stage.pseudo(path)).await;
    }
    let (mut one, mut other) = (conversations.next().await, conversations.next().await);
    let first = one.expect_head().await;
    other.expect_head().await;
    let (mut kept, mut taken_back) = if first.start.contains("/kept") { (one, other) } else { (other, one) };
    client.send(RST_STREAM, 0, 3, &CANCEL.to_be_bytes()).await;
    taken_back.until_closed().await;
    kept.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkept").await;
    assert_eq!(client.outcome(1).await, Outcome::Status(200));
    let line = stage.door.access_line("a line", |line| (line["path"] == "/taken-back").then(|| line.clone())).await;
    assert_eq!(line["status"], 499);
}

#[tokio::test]
async fn a_visitor_who_goes_away_cancels_all_of_their_requests() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.frames().await;
    for stream in [1, 3, 5] {
        client.head(stream, END_STREAM, &stage.pseudo("/slow")).await;
    }
    let mut upstream = Vec::new();
    for _ in 0..3 {
        let mut conversation = conversations.next().await;
        conversation.expect_head().await;
        upstream.push(conversation);
    }
    drop(client);
    for mut conversation in upstream {
        conversation.until_closed().await;
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_reset_and_never_an_end() {
    let stage = Stage::builder().public("/**").start().await;
    let mut client = stage.http2().await;
    for (what, bytes) in [
        ("a length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        ("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
    ] {
        stage.upstream.answer(move |_| crate::harness::upstream::Answer::Close(bytes.into()));
        client.ready().await;
        let request = stage.http2_get("/page").body(()).expect("a request");
        let (answer, _) = client.sender.send_request(request, true).expect("a stream");
        let broken = match patiently("an answer", answer).await {
            Ok(answer) => whole(answer.into_body()).await.expect_err(what),
            Err(error) => error,
        };
        assert!(broken.is_reset() && broken.reason() != Some(Reason::NO_ERROR), "{what}: {broken}");
    }
}

#[tokio::test]
async fn threat_84_a_long_answer_ends_with_the_session_and_the_connection_stands() {
    let stage = Stage::builder().public("/public").start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.http2().await;
    client.ready().await;
    let request = stage.http2_get("/events").header("cookie", &cookie).body(()).expect("a request");
    let (answer, _) = client.sender.send_request(request, true).expect("a stream");
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n").await;
    let mut body = patiently("an answer", answer).await.expect("an answer").into_body();
    assert_eq!(patiently("an event", body.data()).await.expect("an event").expect("an event"), "hi");
    assert_eq!(stage.send(Request::post("/_vestibule/sign_out", "").header("Cookie", &cookie)).await.status, 303);
    assert!(whole(body).await.expect_err("no whole answer").is_reset());
    conversation.until_closed().await;
    let answer = client.exchange(stage.http2_get("/_vestibule/signed_out").body(()).expect("a request")).await;
    assert_eq!(answer.status, 200);
}

/// More than all windows and buffers between two ends together.
const FLOOD: usize = 64 * 1024 * 1024;

#[tokio::test]
async fn threat_116_a_stream_that_nobody_reads_stops_its_upstream_and_no_other_stream() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.frames().await;
    client.head(1, END_STREAM, &stage.pseudo("/download")).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    let written = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {FLOOD}\r\n\r\n");
        conversation.wire.write(head).await.expect("the connection stands");
        let block = vec![b'x'; 64 * 1024];
        for _ in 0..FLOOD / block.len() {
            conversation.wire.write(&block).await.expect("the connection stands");
        }
    }));
    // The windows of a client that never enlarges them: 65,535 bytes for all streams (RFC 9113 §6.9.2).
    let mut taken = 0;
    while taken < 65_535 {
        let frame = client.next().await.expect("the connection stands");
        taken += if frame.kind == DATA { frame.payload.len() } else { 0 };
    }
    // Heads take no room in a window, and these have nothing else.
    for stream in (3..200).step_by(2) {
        client.head(stream, END_STREAM, &stage.pseudo("/other")).await;
        let mut other = conversations.next().await;
        other.expect_head().await;
        other.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
        assert_eq!(client.outcome(stream).await, Outcome::Status(204));
    }
    assert!(!written.is_finished(), "{FLOOD} bytes were taken that nobody has read");
}

#[tokio::test]
async fn an_upstream_that_does_not_read_stops_its_stream_and_no_other() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.http2().await;
    client.ready().await;
    let request = post(&stage, "/upload").body(()).expect("a request");
    let (_answer, mut body) = client.sender.send_request(request, false).expect("a stream");
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    let sending = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
        for _ in 0..FLOOD / (64 * 1024) {
            let mut block = Bytes::from(vec![b'x'; 64 * 1024]);
            while !block.is_empty() {
                body.reserve_capacity(block.len());
                let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
                let room = room.expect("the stream stands").expect("the stream stands");
                body.send_data(block.split_to(room.min(block.len())), false).expect("there is room");
            }
        }
    }));
    for _ in 0..200 {
        client.ready().await;
        let answer = client.exchange(stage.http2_get("/_vestibule/signed_out").body(()).expect("a request")).await;
        assert_eq!(answer.status, 200);
    }
    assert!(!sending.is_finished(), "{FLOOD} bytes were taken that nobody has read");
}
