//! Upstreams in HTTP/2: one connection for many visitors, and each of them alone on it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tokio_util::task::AbortOnDropHandle;

use crate::harness::{
    RawClient, RecordingUpstream, Request, Stage,
    client::status,
    http2_upstream::Http2Upstream,
    patiently,
    pki::Authority,
    wire::{Complete, Framing},
};

async fn stage(upstream: &Http2Upstream) -> Stage {
    Stage::builder().app(&format!("upstream = \"h2c://{}\"", upstream.address())).public("/**").start().await
}

/// A visitor who has asked and waits.
async fn asking(stage: &Stage, request: Request) -> RawClient {
    let mut client = stage.connect().await;
    client.send(request.to_host(stage.authority()).bytes()).await;
    client
}

async fn text(client: &mut RawClient) -> String {
    let answer = client.response().await.expect("an answer");
    assert_eq!((answer.status, answer.complete), (200, Complete::Yes), "{answer:?}");
    answer.text()
}

/// Asks and is answered, so that there is a connection.
async fn warm(stage: &Stage, upstream: &mut Http2Upstream) {
    let mut client = asking(stage, Request::get("/warm")).await;
    upstream.next().await.answer("warm");
    assert_eq!(text(&mut client).await, "warm");
}

#[tokio::test]
async fn a_head_becomes_one_of_http2() {
    let mut upstream = Http2Upstream::start(100).await;
    let stage = stage(&upstream).await;
    let fields = [("Connection", "X-Hop"), ("X-Hop", "1"), ("TE", "trailers, gzip"), ("Cookie", "a=b"), ("X-Own", "1")];
    let mut client = asking(&stage, Request::get("/page?a=%20b").headers(&fields)).await;
    let stream = upstream.next().await;
    let head = &stream.request;
    assert_eq!(head.uri().to_string(), format!("http://{}/page?a=%20b", stage.authority()));
    for (name, expected) in [
        ("te", Some("trailers")),
        ("cookie", Some("a=b")),
        ("x-own", Some("1")),
        ("x-forwarded-host", Some(stage.authority())),
        ("x-forwarded-proto", Some("http")),
        ("connection", None),
        ("x-hop", None),
        ("host", None),
    ] {
        assert_eq!(head.headers().get(name).map(|value| value.to_str().expect("text")), expected, "{name}");
    }
    stream.answer("page");
    assert_eq!(text(&mut client).await, "page");
}

#[tokio::test]
async fn one_connection_carries_all_and_another_comes_only_when_it_is_full() {
    for (max_streams, visitors, connections) in [(100, 20, 1), (2, 5, 3), (1, 3, 3)] {
        let mut upstream = Http2Upstream::start(max_streams).await;
        let stage = stage(&upstream).await;
        // At the same moment, and before anybody knows how many streams there may be.
        let (mut clients, mut streams) = (Vec::new(), Vec::new());
        for n in 0..visitors {
            clients.push(asking(&stage, Request::get(&format!("/{n}"))).await);
        }
        for _ in 0..visitors {
            streams.push(upstream.next().await);
        }
        assert_eq!(upstream.connections(), connections, "for {visitors} with {max_streams} each");
        streams.reverse();
        for stream in streams {
            let path = stream.request.uri().path().to_owned();
            stream.answer(&path);
        }
        for (n, client) in clients.iter_mut().enumerate() {
            assert_eq!(text(client).await, format!("/{n}"), "to each their own");
        }
        warm(&stage, &mut upstream).await;
        assert_eq!(upstream.connections(), connections, "and they are kept");
    }
}

#[tokio::test]
async fn an_upstream_that_says_goodbye_is_heard_out_and_met_anew() {
    let mut upstream = Http2Upstream::start(100).await;
    let stage = stage(&upstream).await;
    let mut early = asking(&stage, Request::get("/early")).await;
    let held = upstream.next().await;
    upstream.go_away(0);
    // It has come when another connection is made for the next request.
    patiently("a new connection", async {
        while upstream.connections() == 1 {
            warm(&stage, &mut upstream).await;
        }
    })
    .await;
    held.answer("early");
    assert_eq!(text(&mut early).await, "early");
}

/// How a request comes to nothing.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Refused,
    Cut,
    Reset,
}

#[tokio::test]
async fn what_was_not_processed_is_sent_once_more_if_it_may_be_sent_twice() {
    for (ends, method, body, again) in [
        (Ends::Refused, "GET", "", true),
        (Ends::Refused, "POST", "", false),
        (Ends::Refused, "PUT", "x", false),
        (Ends::Cut, "GET", "", true),
        (Ends::Cut, "POST", "", false),
        (Ends::Reset, "GET", "", false),
    ] {
        let mut upstream = Http2Upstream::start(100).await;
        let stage = stage(&upstream).await;
        warm(&stage, &mut upstream).await;
        let request = Request::new(method, "/once").header("Content-Length", &body.len().to_string());
        let mut client = asking(&stage, request).await;
        client.send(body).await;
        let stream = upstream.next().await;
        match ends {
            Ends::Refused => stream.reset(Reason::REFUSED_STREAM),
            Ends::Reset => stream.reset(Reason::INTERNAL_ERROR),
            Ends::Cut => upstream.cut(stream.connection),
        }
        if again {
            upstream.next().await.answer("again");
            assert_eq!(text(&mut client).await, "again", "{ends:?} {method}");
        } else {
            assert_eq!(client.response().await.expect("an answer").status, 502, "{ends:?} {method}");
        }
        // Had it been sent once more, that stream would come first.
        let mut client = asking(&stage, Request::get("/next")).await;
        let stream = upstream.next().await;
        assert_eq!(stream.request.uri().path(), "/next", "{ends:?} {method}");
        stream.answer("next");
        assert_eq!(text(&mut client).await, "next");
    }
}

#[tokio::test]
async fn a_call_streams_both_ways_and_ends_with_its_trailers() {
    let mut upstream = Http2Upstream::start(100).await;
    let stage = stage(&upstream).await;
    let fields = [
        ("Content-Type", "application/grpc"),
        ("TE", "trailers"),
        ("Transfer-Encoding", "chunked"),
        ("Trailer", "X-Sum"),
    ];
    let mut client = asking(&stage, Request::new("POST", "/chat.Chat/Talk").headers(&fields)).await;
    let mut stream = upstream.next().await;
    let head = Response::builder().header("content-type", "application/grpc").header("trailer", "grpc-status");
    let mut reply = stream.respond.send_response(head.body(()).expect("a head"), false).expect("the stream stands");
    let head = client.head().await.expect("the head comes before anything is said");
    assert_eq!((status(&head), head.get("content-type")), (200, Some("application/grpc")));
    for n in 0..3 {
        client.send(format!("4\r\nask{n}\r\n")).await;
        let asked = stream.data().await.expect("the stream stands").expect("and its body goes on");
        assert_eq!(asked, format!("ask{n}"));
        reply.send_data(Bytes::from(format!("say{n}")), false).expect("the stream stands");
        let said = patiently("what is said", client.wire.chunk()).await;
        assert_eq!(said.as_deref(), Some(format!("say{n}").as_bytes()));
    }
    client.send("0\r\nX-Sum: 3\r\nX-Forwarded-User: root\r\n\r\n").await;
    assert!(stream.data().await.is_none(), "the end of what is asked");
    let trailers = stream.trailers().await.expect("what follows it");
    assert_eq!((trailers.len(), trailers.get("x-sum").map(HeaderValue::as_bytes)), (1, Some(&b"3"[..])));
    let fields = [(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))];
    reply.send_trailers(HeaderMap::from_iter(fields)).expect("the stream stands");
    let end = patiently("the end", client.wire.exactly(3 + 16 + 2)).await;
    assert_eq!(String::from_utf8_lossy(&end), "0\r\ngrpc-status: 0\r\n\r\n");
    warm(&stage, &mut upstream).await;
    assert_eq!(upstream.connections(), 1);
}

/// Where the visitor leaves.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    WhileSending,
    BeforeTheHead,
    WhileReading,
}

#[tokio::test]
async fn a_visitor_who_leaves_resets_their_stream_and_no_other() {
    let mut upstream = Http2Upstream::start(100).await;
    let stage = stage(&upstream).await;
    let mut other = asking(&stage, Request::get("/other")).await;
    let bystander = upstream.next().await;
    for when in [Leaves::WhileSending, Leaves::BeforeTheHead, Leaves::WhileReading] {
        let request = match when {
            Leaves::WhileSending => Request::new("PUT", "/slow").header("Content-Length", "100"),
            Leaves::BeforeTheHead | Leaves::WhileReading => Request::get("/slow"),
        };
        let mut client = asking(&stage, request).await;
        let mut stream = upstream.next().await;
        let reset = if let Leaves::WhileReading = when {
            let mut reply = stream.respond.send_response(Response::new(()), false).expect("the stream stands");
            reply.send_data(Bytes::from_static(b"hi"), false).expect("the stream stands");
            client.head().await.expect("an answer");
            patiently("a part of it", client.wire.chunk()).await;
            drop(client);
            patiently("the stream's end", std::future::poll_fn(|cx| reply.poll_reset(cx))).await
        } else {
            drop(client);
            patiently("the stream's end", std::future::poll_fn(|cx| stream.respond.poll_reset(cx))).await
        };
        assert_eq!(reset.expect("the connection stands"), Reason::CANCEL, "{when:?}");
    }
    bystander.answer("other");
    assert_eq!((text(&mut other).await.as_str(), upstream.connections()), ("other", 1));
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_its_visitor() {
    let mut upstream = Http2Upstream::start(100).await;
    let stage = stage(&upstream).await;
    let mut client = asking(&stage, Request::get("/half")).await;
    let mut stream = upstream.next().await;
    let mut reply = stream.respond.send_response(Response::new(()), false).expect("the stream stands");
    reply.send_data(Bytes::from_static(b"half"), false).expect("the stream stands");
    client.head().await.expect("an answer");
    assert_eq!(patiently("a part of it", client.wire.chunk()).await.as_deref(), Some(&b"half"[..]));
    reply.send_reset(Reason::INTERNAL_ERROR);
    let (rest, complete) = patiently("the end", client.wire.body(Framing::Chunked)).await;
    assert_eq!((rest.len(), complete), (0, Complete::CutShort));
}

/// More than a stream's window and all buffers behind it.
const FLOOD: usize = 24 * 1024 * 1024;

/// Sends as fast as it is let, and counts what goes.
async fn flood(mut stream: h2::SendStream<Bytes>, sent: Arc<AtomicUsize>) {
    while sent.load(Ordering::Acquire) < FLOOD {
        stream.reserve_capacity(16 * 1024);
        let granted = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
        let granted = granted.expect("the stream stands").expect("and takes data").min(16 * 1024);
        stream.send_data(Bytes::from(vec![b'x'; granted]), false).expect("the stream stands");
        sent.fetch_add(granted, Ordering::AcqRel);
    }
}

#[tokio::test]
async fn visitors_who_do_not_read_hold_up_nobody_else_on_the_connection() {
    let mut upstream = Http2Upstream::start(100).await;
    let stage = stage(&upstream).await;
    let (mut lazy, mut floods) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        lazy.push(asking(&stage, Request::get("/download")).await);
        let mut stream = upstream.next().await;
        let reply = stream.respond.send_response(Response::new(()), false).expect("the stream stands");
        let sent = Arc::new(AtomicUsize::new(0));
        let flooding = AbortOnDropHandle::new(tokio::spawn(flood(reply, Arc::clone(&sent))));
        floods.push((sent, stream, flooding));
    }
    let taken = || floods.iter().map(|(sent, ..)| sent.load(Ordering::Acquire)).collect::<Vec<_>>();
    // Until nothing moves any more, and others are served all the time.
    let stalled = patiently("a stall", async {
        loop {
            let before = taken();
            for _ in 0..20 {
                warm(&stage, &mut upstream).await;
            }
            if before.iter().all(|sent| *sent > 0) && taken() == before {
                return before;
            }
        }
    })
    .await;
    assert!(stalled.iter().all(|sent| *sent < FLOOD), "{stalled:?} bytes were taken that nobody reads");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn an_upstream_that_takes_nothing_more_stops_the_visitor() {
    let mut upstream = Http2Upstream::start(100).await;
    let stage = stage(&upstream).await;
    let length = 32 * 1024 * 1024;
    let mut client = asking(&stage, Request::new("PUT", "/file").header("Content-Length", &length.to_string())).await;
    let mut stream = upstream.next().await;
    let sending = tokio::spawn(async move {
        client.send(vec![b'x'; length]).await;
        client
    });
    // Nobody reads, and somebody else is served meanwhile.
    warm(&stage, &mut upstream).await;
    assert!(!sending.is_finished(), "the visitor waits");
    let mut taken = 0;
    while let Some(data) = stream.data().await {
        taken += data.expect("the body goes on").len();
    }
    assert_eq!(taken, length);
    stream.answer("taken");
    assert_eq!(text(&mut sending.await.expect("all is sent")).await, "taken");
}

#[tokio::test]
async fn an_upstream_that_speaks_something_else_is_no_upstream() {
    let upstream = RecordingUpstream::start().await;
    let url = format!("upstream = \"h2c://{}\"", upstream.address());
    let stage = Stage::builder().app(&url).public("/**").start().await;
    assert_eq!(stage.send(Request::get("/page")).await.status, 502);
}

#[tokio::test]
async fn over_tls_calls_of_grpc_go_in_http2_and_all_else_in_http1() {
    let authority = Authority::new();
    let mut tls = authority.issue("localhost").server_config();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut upstream = Http2Upstream::start_tls(tls).await;
    let stage = Stage::builder()
        .app(&format!("upstream = \"https://localhost:{}\"", upstream.address().port()))
        .app_tables(&format!("\n[app.upstream_tls]\nca_file = {:?}\n", authority.file()))
        .public("/**")
        .start()
        .await;
    assert_eq!(stage.send(Request::get("/page")).await.text(), "in HTTP/1.1");
    let call = Request::new("POST", "/chat.Chat/Say").header("Content-Type", "application/grpc");
    let mut client = asking(&stage, call.header("Content-Length", "0")).await;
    let stream = upstream.next().await;
    assert_eq!(stream.request.uri().scheme_str(), Some("https"));
    stream.answer("in HTTP/2");
    assert_eq!(text(&mut client).await, "in HTTP/2");
    let web = Request::new("POST", "/chat.Chat/Say").header("Content-Type", "application/grpc-web");
    assert_eq!(stage.send(web.header("Content-Length", "0")).await.text(), "in HTTP/1.1");
}
