//! Who still speaks HTTP/1.0, on either side (RFC 9110 §2.5, RFC 9112 §9.3): `ab`, old
//! health checks, Python's `http.server`, nginx towards its upstreams by default.

use crate::harness::{
    Stage,
    client::status,
    patiently,
    upstream::Answer,
    wire::{Complete, Framing},
};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n";

#[tokio::test]
async fn a_visitor_of_http_1_0_gets_what_it_can_read() {
    let stage = Stage::builder().public("/**").start().await;
    for (what, answer, length) in [
        ("a length", Answer::ok("four") as Answer, Some("4")),
        ("chunks", Answer::Keep(CHUNKED.into()), None),
        ("until the end", Answer::Close(b"HTTP/1.1 200 OK\r\n\r\nfour".to_vec()), None),
        ("an upstream of HTTP/1.0", Answer::Close(b"HTTP/1.0 200 OK\r\n\r\nfour".to_vec()), None),
    ] {
        let answer = std::sync::Mutex::new(Some(answer));
        stage.upstream.answer(move |_| answer.lock().expect("no panic").take().expect("asked once"));
        let mut client = stage.connect().await;
        client.send(format!("GET /page HTTP/1.0\r\nHost: {}\r\n\r\n", stage.authority())).await;
        let head = client.head().await.expect("an answer");
        assert!(head.start.starts_with("HTTP/1.0 200 "), "{what}: {head:?}");
        assert_eq!((head.get("content-length"), head.get("transfer-encoding")), (length, None), "{what}: {head:?}");
        assert_eq!(client.until_closed().await, b"four", "{what}: to the end of the connection");
        let seen = stage.upstream.only();
        assert!(seen.head.start.ends_with(" HTTP/1.1"), "{what}: our version, not the visitor's: {seen:?}");
        assert_eq!(seen.headers("host"), [stage.authority()]);
    }
}

#[tokio::test]
async fn a_visitor_of_http_1_0_may_keep_its_connection_where_the_length_is_known() {
    let stage = Stage::builder().public("/**").start().await;
    let request = format!("GET /page HTTP/1.0\r\nHost: {}\r\nConnection: keep-alive\r\n\r\n", stage.authority());
    let mut client = stage.connect().await;
    for _ in 0..2 {
        client.send(&request).await;
        let head = client.head().await.expect("an answer");
        assert!(head.get("connection").is_some_and(|c| c.eq_ignore_ascii_case("keep-alive")), "{head:?}");
        let (body, complete) = client.wire.body(head.framing(Framing::UntilClose)).await;
        assert_eq!((body.as_slice(), complete), (&b"hello from the app"[..], Complete::Yes));
    }
    // What has no length ends with the connection, whatever was asked for.
    stage.upstream.answer(|_| Answer::Keep(CHUNKED.into()));
    client.send(&request).await;
    let head = client.head().await.expect("an answer");
    assert_eq!((status(&head), head.get("transfer-encoding")), (200, None));
    assert_eq!(client.until_closed().await, b"four");
    assert_eq!(stage.upstream.take().len(), 3);
}

#[tokio::test]
async fn an_upstream_of_http_1_0_costs_the_visitor_no_connection() {
    let stage = Stage::builder().public("/**").start().await;
    for (what, answer, framing) in [
        ("a length", "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfour", Framing::Length(4)),
        ("until the end", "HTTP/1.0 200 OK\r\n\r\nfour", Framing::Chunked),
    ] {
        stage.upstream.answer(move |_| Answer::Close(answer.into()));
        let mut client = stage.connect().await;
        for _ in 0..2 {
            client.send(format!("GET /page HTTP/1.1\r\nHost: {}\r\n\r\n", stage.authority())).await;
            let head = client.head().await.expect("an answer");
            assert!(head.start.starts_with("HTTP/1.1 200 "), "{what}: {head:?}");
            assert_eq!((head.framing(Framing::UntilClose), head.get("connection")), (framing, None), "{what}");
            let (body, complete) = patiently("the body", client.wire.body(framing)).await;
            assert_eq!((body.as_slice(), complete), (&b"four"[..], Complete::Yes), "{what}");
        }
    }
    assert_eq!((stage.upstream.take().len(), stage.upstream.connections()), (4, 4));
}
