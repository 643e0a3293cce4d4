//! Bodies that are refused, cut short, answered early, or followed by fields.

use std::{future::poll_fn, pin::pin, task::Poll};

use tokio::{io::AsyncWriteExt, net::TcpSocket};

use crate::harness::{
    Door, RawClient, RecordingUpstream, Request, Stage,
    client::status,
    patiently,
    pki::Authority,
    upstream::{Conversation, Conversations},
    wire::{Complete, Framing, Wire},
};

/// A POST of five bytes whose sender waits for a word.
fn expecting(stage: &Stage, path: &str) -> Vec<u8> {
    let fields = [("Expect", "100-continue"), ("Content-Length", "5")];
    Request::new("POST", path).headers(&fields).to_host(stage.authority()).bytes()
}

/// The next connection and the head that it brings.
async fn next(conversations: &mut Conversations) -> Conversation {
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation
}

#[tokio::test]
async fn who_waits_for_a_word_gets_the_upstreams() {
    let stage = Stage::builder().public("/public/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(expecting(&stage, "/public/form")).await;
    let mut conversation = next(&mut conversations).await;
    assert_eq!(stage.upstream.only().header("expect"), Some("100-continue"));
    conversation.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(client.response().await.expect("the word").status, 100);
    client.send("hello").await;
    assert_eq!(patiently("the body", conversation.wire.exactly(5)).await, b"hello");
    conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert_eq!(client.response().await.expect("an answer").text(), "ok");
    // And the connection is as good as any other.
    client.send(Request::get("/public/next").to_host(stage.authority()).bytes()).await;
    assert!(conversation.expect_head().await.start.starts_with("GET /public/next "));

    let mut client = stage.connect().await;
    client.send(expecting(&stage, "/secret/form")).await;
    assert_eq!(client.response().await.expect("an answer").status, 401, "and no body was asked for");
    client.until_closed().await;
}

#[tokio::test]
async fn an_upstream_that_refuses_before_the_body_never_reads_it() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    for (code, line) in [(401, "401 Unauthorized"), (413, "413 Content Too Large"), (417, "417 Expectation Failed")] {
        let mut client = stage.connect().await;
        client.send(expecting(&stage, "/form")).await;
        let mut conversation = next(&mut conversations).await;
        conversation.send(format!("HTTP/1.1 {line}\r\nContent-Length: 2\r\n\r\nno")).await;
        let answer = client.response().await.expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (code, "no"), "and not 100 before it");
        // Whether the body comes after all is nobody's knowledge, so neither connection goes on.
        assert_eq!(client.until_closed().await, b"");
        assert_eq!(conversation.until_closed().await, b"", "not a byte of the body");
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_know_the_expectation_gets_the_body_after_a_moment() {
    let stage = Stage::builder().public("/**").start().await;
    let mut client = stage.connect().await;
    client.send(expecting(&stage, "/form")).await;
    assert_eq!(client.response().await.expect("the word").status, 100, "after the second that the upstream has");
    client.send("hello").await;
    assert_eq!(client.response().await.expect("an answer").status, 200);
    assert_eq!(stage.upstream.only().body, b"hello");
}

#[tokio::test]
async fn who_waits_for_a_word_without_a_body_says_nothing_of_it() {
    let stage = Stage::builder().public("/**").start().await;
    assert_eq!(stage.send(Request::get("/page").header("Expect", "100-continue")).await.status, 200);
    assert_eq!(stage.upstream.only().header("expect"), None);
}

#[tokio::test]
async fn threat_78_an_answer_before_the_end_of_the_body_leaves_no_rest_behind() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: {}\r\n\r\n", stage.authority());
    let mut client = stage.connect().await;
    let head = Request::new("POST", "/early").header("Content-Length", &(10 + smuggled.len()).to_string());
    client.send(head.to_host(stage.authority()).bytes()).await;
    client.send("0123456789").await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(client.response().await.expect("an answer").status, 413);
    // Whether the rest is drained or refused, it is no request of its own.
    client.wire.write(&smuggled).await.ok();
    client.wire.finish().await.ok();
    let more = client.until_closed().await;
    assert_eq!(String::from_utf8_lossy(&more), "");

    let mut another = stage.connect().await;
    another.send(Request::get("/next").to_host(stage.authority()).bytes()).await;
    let mut fresh = conversations.next().await;
    assert!(fresh.expect_head().await.start.starts_with("GET /next "), "on a connection that nothing is left on");
    assert!(stage.upstream.requests().iter().all(|request| request.target() != "/smuggled"));
}

#[tokio::test]
async fn an_early_answer_reaches_who_reads_only_after_sending_all() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    let length = 8 * 1024 * 1024;
    let head = Request::new("PUT", "/file").header("Content-Length", &length.to_string()).to_host(stage.authority());
    client.send(head.bytes()).await;
    let mut conversation = next(&mut conversations).await;
    conversation.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno").await;
    // It goes on reading, as careful servers do, so that the visitor comes to read as well.
    let reading = tokio::spawn(async move { conversation.until_closed().await.len() });
    client.send(vec![b'x'; length]).await;
    let answer = client.response().await.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (413, "no"));
    assert_eq!(reading.await.expect("it reads to the end"), length, "and then that connection ends");
    let mut another = stage.connect().await;
    another.send(Request::get("/next").to_host(stage.authority()).bytes()).await;
    next(&mut conversations).await;
}

/// A visitor who is sent little that they do not read.
async fn connect_with_little_room(stage: &Stage) -> RawClient {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a socket has a buffer");
    let stream = patiently("a connection", socket.connect(stage.door.address())).await.expect("somebody listens");
    RawClient { wire: Wire::new(stream) }
}

#[tokio::test]
async fn a_body_arrives_whole_though_its_answer_has_begun_and_the_visitor_does_not_read_it() {
    let authority = Authority::new();
    let over_tls = RecordingUpstream::start_tls(authority.issue("localhost").server_config()).await;
    let https = format!("upstream = \"https://localhost:{}\"", over_tls.address().port());
    let trust = format!("\n[app.upstream_tls]\nca_file = {:?}\n", authority.file());
    let plain = Stage::builder().public("/**").start().await;
    let tls = Stage::builder().app(&https).app_tables(&trust).public("/**").start().await;
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n".to_vec();
    answer.resize(32 * 1024 * 1024, b'a');
    for (stage, upstream) in [(&plain, &plain.upstream), (&tls, &over_tls)] {
        let mut conversations = upstream.by_hand();
        let mut bystander = stage.connect().await;
        let elsewhere = Request::get("/").to_host("elsewhere.example");
        // Of the places that a body passes, its end waits in another each time.
        for kib in (1..32).map(|step| 200 * step) {
            let length = kib * 1024;
            let mut client = connect_with_little_room(stage).await;
            let head = Request::new("PUT", "/file").header("Content-Length", &length.to_string());
            client.send(head.to_host(stage.authority()).bytes()).await;
            let conversation = next(&mut conversations).await;
            let sent = tokio::spawn(async move {
                client.send(vec![b'x'; length]).await;
                client
            });
            let (mut reading, mut writing) = conversation.wire.split();
            // The sidecar's one worker has many turns, so the body comes as far as it can, and then the answer.
            for _ in 0..20 {
                bystander.exchange(&elsewhere).await;
            }
            let mut answering = pin!(writing.write_all(&answer));
            for _ in 0..20 {
                assert!(poll_fn(|cx| Poll::Ready(answering.as_mut().poll(cx).is_pending())).await, "nobody reads it");
                bystander.exchange(&elsewhere).await;
            }
            let came = patiently("the body", reading.exactly(length)).await;
            assert!(came.len() == length, "{} of {length} bytes", came.len());
            drop(sent.await.expect("all is sent"));
        }
    }
}

#[tokio::test]
async fn an_upstream_that_answers_early_and_goes_takes_nobody_with_it() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    let head = Request::new("PUT", "/file").header("Content-Length", "1000000").to_host(stage.authority());
    client.send(head.bytes()).await;
    let mut conversation = next(&mut conversations).await;
    conversation.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno").await;
    drop(conversation);
    let answer = client.response().await.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (413, "no"));
    client.wire.write(vec![b'x'; 1000]).await.ok();
    client.until_closed().await;
    let mut another = stage.connect().await;
    another.send(Request::get("/next").to_host(stage.authority()).bytes()).await;
    next(&mut conversations).await;
}

#[tokio::test]
async fn an_upstream_that_closes_its_side_with_the_answer_is_heard_to_the_end() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    for fields in ["Content-Length: 5\r\n", ""] {
        let mut client = stage.connect().await;
        client.send(Request::get("/page").to_host(stage.authority()).bytes()).await;
        let mut conversation = next(&mut conversations).await;
        conversation.send(format!("HTTP/1.1 200 OK\r\n{fields}\r\nwhole")).await;
        conversation.wire.finish().await.expect("its side can be closed");
        let answer = client.response().await.expect("an answer");
        assert_eq!((answer.text().as_str(), answer.complete), ("whole", Complete::Yes), "{fields:?}");
        assert_eq!(conversation.until_closed().await, b"");
    }
}

#[tokio::test]
async fn fields_after_a_body_pass_in_both_directions() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    let fields = [
        ("Transfer-Encoding", "chunked"),
        ("Trailer", "X-Checksum, X-Forwarded-User, Host, X_Checksum"),
        ("TE", "trailers"),
    ];
    client.send(Request::new("POST", "/file").headers(&fields).to_host(stage.authority()).bytes()).await;
    // Threats 48 and 74: what is ours or belongs into a head is not to be had this way.
    let smuggled = "X-Forwarded-User: root\r\nHost: evil\r\nX_Checksum: 2\r\nX-Undeclared: 1\r\n";
    client.send(format!("2\r\nhi\r\n0\r\nX-Checksum: 1\r\n{smuggled}\r\n")).await;
    let mut conversation = next(&mut conversations).await;
    let seen = stage.upstream.only();
    assert_eq!((seen.header("te"), seen.header("connection")), (Some("trailers"), Some("te")));
    assert_eq!(patiently("a chunk", conversation.wire.chunk()).await.as_deref(), Some(&b"hi"[..]));
    let end = patiently("the end", conversation.wire.exactly(3 + 15 + 2)).await;
    assert_eq!(String::from_utf8_lossy(&end), "0\r\nx-checksum: 1\r\n\r\n");

    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Result, Set-Cookie\r\n\r\n";
    conversation.send(format!("{head}2\r\nok\r\n0\r\nX-Result: good\r\nSet-Cookie: vestibule=x\r\n\r\n")).await;
    let head = client.head().await.expect("an answer");
    assert_eq!((status(&head), head.get("trailer")), (200, Some("X-Result, Set-Cookie")));
    assert_eq!(patiently("a chunk", client.wire.chunk()).await.as_deref(), Some(&b"ok"[..]));
    let end = patiently("the end", client.wire.exactly(3 + 16 + 2)).await;
    assert_eq!(String::from_utf8_lossy(&end), "0\r\nx-result: good\r\n\r\n");

    // Who does not read them is not sent any.
    client.send(Request::get("/file").to_host(stage.authority()).bytes()).await;
    assert!(conversation.expect_head().await.get("te").is_none());
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Result\r\n\r\n";
    conversation.send(format!("{head}0\r\nX-Result: good\r\n\r\n")).await;
    client.head().await.expect("an answer");
    let end = patiently("the end", client.wire.exactly(5)).await;
    assert_eq!(String::from_utf8_lossy(&end), "0\r\n\r\n");
}

#[tokio::test]
async fn hints_before_the_answer_are_for_us_alone() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/page").to_host(stage.authority()).bytes()).await;
    let mut conversation = next(&mut conversations).await;
    conversation.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n").await;
    conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let answer = client.response().await.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str(), answer.header("link")), (200, "ok", None));
}

/// Where the visitor leaves.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    WhileSending,
    BeforeTheHead,
    WhileReading,
}

#[tokio::test]
async fn a_visitor_who_leaves_cancels_the_upstream() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    for when in [Leaves::WhileSending, Leaves::BeforeTheHead, Leaves::WhileReading] {
        let mut client = stage.connect().await;
        let request = match when {
            Leaves::WhileSending => Request::new("PUT", "/slow").header("Content-Length", "100"),
            Leaves::BeforeTheHead | Leaves::WhileReading => Request::get("/slow"),
        };
        client.send(request.to_host(stage.authority()).bytes()).await;
        let mut conversation = next(&mut conversations).await;
        if let Leaves::WhileReading = when {
            conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n").await;
            client.head().await.expect("an answer");
            patiently("a part of it", client.wire.body(Framing::Length(2))).await;
        }
        drop(client);
        assert_eq!(conversation.until_closed().await, b"", "{when:?}");
    }
}
