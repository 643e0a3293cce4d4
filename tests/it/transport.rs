//! The way through: bodies both ways, kept connections, and who waits for whom.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio_util::task::AbortOnDropHandle;

use crate::{
    demo::provider::people::ADA,
    harness::{
        RawClient, Request, Stage,
        client::status,
        patiently,
        upstream::Answer,
        wire::{Complete, Framing},
    },
};

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let stage = Stage::builder().public("/**").start().await;
    let mut client = stage.connect().await;
    for n in 0..20 {
        let answer = client.exchange(&Request::get(&format!("/{n}")).to_host(stage.authority())).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello from the app"));
    }
    assert_eq!((stage.upstream.take().len(), stage.upstream.connections()), (20, 1));
}

#[tokio::test]
async fn a_kept_connection_that_the_upstream_has_closed_costs_nobody_an_error() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    for method in ["GET", "POST"] {
        let mut client = stage.connect().await;
        let request = Request::new(method, "/x").header("Content-Length", "0").to_host(stage.authority());
        for _ in 0..3 {
            client.send(request.bytes()).await;
            let mut conversation = conversations.next().await;
            conversation.expect_head().await;
            // Kept by its word, and closed all the same.
            conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            drop(conversation);
            let answer = client.response().await.expect("an answer");
            assert_eq!((answer.status, answer.text().as_str()), (200, "ok"), "{method}");
        }
    }
    assert_eq!(stage.upstream.take().len(), 6);
}

#[tokio::test]
async fn a_request_that_may_have_been_carried_out_is_never_sent_twice() {
    let stage = Stage::builder().public("/**").start().await;
    for (method, body) in [("POST", ""), ("POST", "x"), ("PATCH", "x"), ("PUT", "x"), ("DELETE", "x")] {
        stage.upstream.answer(|request| match request.target() {
            "/warm" => Answer::ok("warm"),
            _ => Answer::Close(Vec::new()),
        });
        assert_eq!(stage.send(Request::get("/warm")).await.status, 200);
        let request = Request::new(method, "/once").header("Content-Length", &body.len().to_string());
        let bytes = [request.to_host(stage.authority()).bytes(), body.into()].concat();
        assert_eq!(stage.send_raw(bytes).await.status, 502, "{method}");
        let seen: Vec<_> = stage.upstream.take().iter().map(|request| request.target().to_owned()).collect();
        assert_eq!(seen, ["/warm", "/once"], "{method} with {body:?}");
    }
}

#[tokio::test]
async fn a_head_has_the_length_and_no_body() {
    let stage = Stage::builder().public("/**").start().await;
    stage.upstream.answer(|request| match request.method() {
        "HEAD" => Answer::Keep(b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nETag: \"x\"\r\n\r\n".to_vec()),
        _ => Answer::ok("body"),
    });
    let mut client = stage.connect().await;
    for _ in 0..2 {
        let answer = client.exchange(&Request::new("HEAD", "/file").to_host(stage.authority())).await;
        assert_eq!(
            (answer.status, answer.header("content-length"), answer.header("etag")),
            (200, Some("12345"), Some("\"x\""))
        );
        let answer = client.exchange(&Request::get("/file").to_host(stage.authority())).await;
        assert_eq!(answer.text(), "body");
    }
    for (status, head) in [(204, "204 No Content"), (304, "304 Not Modified")] {
        stage.upstream.answer(move |_| Answer::Keep(format!("HTTP/1.1 {head}\r\nETag: \"x\"\r\n\r\n").into_bytes()));
        let answer = client.exchange(&Request::get("/file").to_host(stage.authority())).await;
        assert_eq!((answer.status, answer.header("etag")), (status, Some("\"x\"")));
        assert_eq!(answer.header("transfer-encoding"), None);
    }
}

#[tokio::test]
async fn ranges_and_conditions_are_between_visitor_and_upstream() {
    let stage = Stage::builder().public("/**").start().await;
    stage.upstream.answer(|_| {
        Answer::with("206 Partial Content", "Content-Range: bytes 2-4/10\r\nAccept-Ranges: bytes\r\n", "234")
    });
    let fields = [
        ("Range", "bytes=2-4"),
        ("If-Range", "\"x\""),
        ("If-None-Match", "W/\"y\""),
        ("Accept-Encoding", "br, gzip;q=0.5"),
    ];
    let answer = stage.send(Request::get("/download").headers(&fields)).await;
    assert_eq!(
        (answer.status, answer.header("content-range"), answer.text().as_str()),
        (206, Some("bytes 2-4/10"), "234")
    );
    assert_eq!((answer.header("accept-ranges"), answer.header("content-length")), (Some("bytes"), Some("3")));
    let seen = stage.upstream.only();
    for (name, value) in fields {
        assert_eq!(seen.headers(name), [value]);
    }
}

#[tokio::test]
async fn a_length_that_is_known_stays_known() {
    let stage = Stage::builder().public("/**").start().await;
    for size in [0, 1, 100_000] {
        let body = "x".repeat(size);
        let answer = stage.send(Request::post("/form", &body)).await;
        assert_eq!((answer.header("content-length"), answer.header("transfer-encoding")), (Some("18"), None));
        let seen = stage.upstream.only();
        assert_eq!(seen.headers("content-length"), [size.to_string()]);
        assert_eq!((seen.header("transfer-encoding"), seen.body.len()), (None, size));
    }
    assert_eq!(stage.send(Request::get("/page")).await.status, 200);
    let seen = stage.upstream.only();
    assert_eq!((seen.header("content-length"), seen.header("transfer-encoding")), (None, None), "no body, no length");
}

#[tokio::test]
async fn chunks_pass_in_both_directions_as_they_come() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    let head =
        Request::new("POST", "/git-receive-pack").header("Transfer-Encoding", "chunked").to_host(stage.authority());
    client.send(head.bytes()).await;
    client.send("5\r\nfirst\r\n").await;
    let mut conversation = conversations.next().await;
    let head = conversation.expect_head().await;
    assert_eq!((head.get("transfer-encoding"), head.get("content-length")), (Some("chunked"), None));
    let chunk = patiently("the first chunk, before there is a second", conversation.wire.chunk()).await;
    assert_eq!(chunk.as_deref(), Some(&b"first"[..]));
    client.send("6\r\nsecond\r\n0\r\n\r\n").await;
    let (rest, complete) = patiently("the rest", conversation.wire.body(Framing::Chunked)).await;
    assert_eq!((rest.as_slice(), complete), (&b"second"[..], Complete::Yes));

    conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").await;
    let head = client.head().await.expect("an answer");
    assert_eq!((status(&head), head.get("transfer-encoding")), (200, Some("chunked")));
    assert_eq!(patiently("the first chunk", client.wire.chunk()).await.as_deref(), Some(&b"one"[..]));
    conversation.send("3\r\ntwo\r\n0\r\n\r\n").await;
    let (rest, complete) = patiently("the rest", client.wire.body(Framing::Chunked)).await;
    assert_eq!((rest.as_slice(), complete), (&b"two"[..], Complete::Yes));
}

/// Elasticsearch and friends take a body with a GET.
#[tokio::test]
async fn a_body_belongs_to_its_request_whatever_the_method_is() {
    let stage = Stage::builder().public("/**").start().await;
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "QUERY", "REPORT"] {
        for (framing, body, length) in [
            ("Transfer-Encoding: chunked", "5\r\nfirst\r\n6;x=y\r\nsecond\r\n0\r\n\r\n", None),
            ("Content-Length: 11", "firstsecond", Some("11")),
        ] {
            let mut client = stage.connect().await;
            let head = format!("{method} /search HTTP/1.1\r\nHost: {}\r\n{framing}\r\n\r\n", stage.authority());
            client.send(format!("{head}{body}")).await;
            assert_eq!(client.response_to(method).await.map(|a| a.status), Some(200), "{method}, {framing}");
            let seen = stage.upstream.only();
            assert_eq!((seen.method(), seen.body.as_slice()), (method, &b"firstsecond"[..]), "{framing}");
            let coding = if length.is_none() { Some("chunked") } else { None };
            assert_eq!((seen.header("content-length"), seen.header("transfer-encoding")), (length, coding), "{method}");
        }
    }
}

#[tokio::test]
async fn server_sent_events_come_one_by_one() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut conversations = stage.upstream.by_hand();
    // By chunks, and as older servers do it: until the connection ends.
    for framing in [Framing::Chunked, Framing::UntilClose] {
        let mut client = stage.connect().await;
        client.send(Request::get("/events").header("Cookie", &cookie).to_host(stage.authority()).bytes()).await;
        let mut conversation = conversations.next().await;
        conversation.expect_head().await;
        let coding =
            if framing == Framing::Chunked { "Transfer-Encoding: chunked\r\n" } else { "Connection: close\r\n" };
        conversation.send(format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{coding}\r\n")).await;
        let head = client.head().await.expect("the head comes before any event");
        assert_eq!(head.get("content-type"), Some("text/event-stream"));
        for n in 0..3 {
            let event = format!("data: {n}\n\n");
            let sent =
                if framing == Framing::Chunked { format!("{:x}\r\n{event}\r\n", event.len()) } else { event.clone() };
            conversation.send(sent).await;
            let chunk = patiently("an event", client.wire.chunk()).await;
            assert_eq!(chunk.as_deref(), Some(event.as_bytes()));
        }
        drop(conversation);
        let (rest, complete) = patiently("the end", client.wire.body(Framing::Chunked)).await;
        // An end in the middle of chunks is a broken answer, and must look like one.
        let expected = if framing == Framing::Chunked { Complete::CutShort } else { Complete::Yes };
        assert_eq!((rest.len(), complete), (0, expected));
    }
}

/// More than all buffers between two ends together.
const FLOOD: usize = 96 * 1024 * 1024;
/// What sockets, pipes and HTTP libraries may hold: Linux lets a socket grow to 6 MiB, and there are four.
const BUFFERS: usize = 40 * 1024 * 1024;

/// Waits until a number has stopped growing while a whole lot of other requests was served.
async fn stalled(stage: &Stage, taken: &AtomicUsize) -> usize {
    let mut bystander = stage.connect().await;
    let ping = Request::get("/_vestibule/signed_out").to_host(stage.authority());
    patiently("a stall", async {
        loop {
            let before = taken.load(Ordering::Acquire);
            for _ in 0..200 {
                assert_eq!(bystander.exchange(&ping).await.status, 200, "a bystander is served meanwhile");
            }
            if before > 0 && taken.load(Ordering::Acquire) == before {
                return before;
            }
        }
    })
    .await
}

#[tokio::test]
async fn an_upstream_that_does_not_read_stops_the_visitor() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    let head = Request::new("PUT", "/upload").header("Content-Length", &FLOOD.to_string()).to_host(stage.authority());
    client.send(head.bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let visitor = tokio::spawn(async move {
        let block = vec![b'x'; 64 * 1024];
        for _ in 0..FLOOD / block.len() {
            client.wire.write(&block).await.expect("the connection stands");
            counted.fetch_add(block.len(), Ordering::AcqRel);
        }
        client
    });
    let held = stalled(&stage, &taken).await;
    assert!(held < BUFFERS, "{held} bytes were taken that nobody has read");
    let body = patiently("the whole body", conversation.wire.exactly(FLOOD)).await;
    assert_eq!(body.len(), FLOOD, "and then all of it comes");
    conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let mut client = visitor.await.expect("the visitor has sent all");
    assert_eq!(client.response().await.expect("an answer").status, 200);
}

#[tokio::test]
async fn a_visitor_who_does_not_read_stops_the_upstream() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/download").to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {FLOOD}\r\n\r\n")).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let _upstream = AbortOnDropHandle::new(tokio::spawn(async move {
        let block = vec![b'x'; 64 * 1024];
        for _ in 0..FLOOD / block.len() {
            conversation.wire.write(&block).await.expect("the connection stands");
            counted.fetch_add(block.len(), Ordering::AcqRel);
        }
    }));
    let held = stalled(&stage, &taken).await;
    assert!(held < BUFFERS, "{held} bytes were taken that nobody has read");
    let answer = client.response().await.expect("an answer");
    assert_eq!((answer.body.len(), answer.complete), (FLOOD, Complete::Yes), "and then all of it comes");
}

#[tokio::test]
async fn a_long_answer_ends_with_the_session() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/events").header("Cookie", &cookie).to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n").await;
    client.head().await.expect("an answer");
    assert_eq!(patiently("an event", client.wire.chunk()).await.as_deref(), Some(&b"hi"[..]));
    assert_eq!(stage.send(Request::post("/_vestibule/sign_out", "").header("Cookie", &cookie)).await.status, 303);
    let (rest, complete) = patiently("the end", client.wire.body(Framing::Chunked)).await;
    assert_eq!((rest.len(), complete), (0, Complete::CutShort), "threat 84");
    conversation.until_closed().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_visitor_too() {
    let stage = Stage::builder().public("/**").start().await;
    for (what, bytes) in [
        ("a length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        ("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
    ] {
        stage.upstream.answer(move |_| Answer::Close(bytes.into()));
        let mut client = RawClient::connect(stage.door_address()).await;
        client.send(Request::get("/page").to_host(stage.authority()).bytes()).await;
        let answer = client.response().await.expect("an answer");
        assert_eq!((answer.status, answer.complete), (200, Complete::CutShort), "{what}");
    }
}
