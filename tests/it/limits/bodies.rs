//! How large a body may be (RFC 9110 §15.5.14), and what becomes of the rest.

use super::*;
use crate::harness::{
    client::{connect_tls, status},
    pki::Authority,
};

const PROBLEM: Option<&str> = Some("application/problem+json");

async fn stage() -> Stage {
    Stage::builder().public("/**").app_tables("[app.limits]\nbody_bytes = \"1KiB\"\n").start().await
}

/// What bodies are made of: nothing that a head has.
const FILLING: u8 = b'#';

/// So many bytes, in chunks.
fn chunked(length: usize) -> String {
    let chunk = |n: usize| format!("{n:x}\r\n{}\r\n", char::from(FILLING).to_string().repeat(n));
    format!("{}{}0\r\n\r\n", chunk(length - length / 2), chunk(length / 2))
}

fn chunked_post(stage: &Stage) -> Request {
    Request::new("POST", "/form").header("Transfer-Encoding", "chunked").to_host(stage.authority())
}

#[tokio::test]
async fn a_body_that_says_that_it_is_too_large_is_refused_before_the_upstream_hears_of_it() {
    let stage = stage().await;
    assert_eq!(stage.send(Request::post("/form", "x".repeat(1025))).await.status, 413);
    assert_eq!(stage.upstream.connections(), 0, "nobody is even called");
    let page = stage.send(Request::post("/form", "x".repeat(5000)).navigation()).await;
    assert_eq!((page.status, page.header("content-type")), (413, Some("text/html; charset=utf-8")), "{page:?}");
    assert!(page.text().contains("larger than the app accepts"), "{page:?}");
    for huge in ["1025", "9223372036854775807"] {
        let request = Request::new("PUT", "/form").header("Content-Length", huge).to_host(stage.authority());
        let expecting = request.clone().header("Expect", "100-continue");
        for request in [request, expecting] {
            let mut client = stage.connect().await;
            // Not a byte of the body is needed, and none is asked for: the first answer is the last.
            let answer = client.exchange(&request).await;
            assert_eq!((answer.status, answer.header("content-type")), (413, PROBLEM), "{huge}: {answer:?}");
            assert_eq!(answer.header("connection"), Some("close"), "{huge}: {answer:?}");
            client.until_closed().await;
        }
    }
    assert_eq!((stage.upstream.take().len(), stage.upstream.connections()), (0, 0));
    counted(&stage, "vestibule_refusals_total{app=\"wiki\",reason=\"body_too_large\"} 6").await;

    assert_eq!(stage.send(Request::post("/form", "x".repeat(1024))).await.status, 200);
    assert_eq!(stage.upstream.only().body.len(), 1024, "and up to its limit it passes");
}

#[tokio::test]
async fn a_body_that_turns_out_to_be_too_large_is_not_sent_to_its_end() {
    let stage = stage().await;
    let closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    stage.upstream.answer(|_| Answer::Close(closing.to_vec()));
    let mut client = stage.connect().await;
    client.send(chunked_post(&stage).bytes()).await;
    client.send(chunked(1024)).await;
    assert_eq!(client.response().await.expect("an answer").status, 200);
    assert_eq!(stage.upstream.only().body.len(), 1024);

    let mut conversations = stage.upstream.by_hand();
    for length in [1025, 5000, 1_000_000] {
        let mut client = stage.connect().await;
        client.send(chunked_post(&stage).bytes()).await;
        client.send(chunked(length)).await;
        // Where all of it comes at once, not even the head goes out.
        let came = conversations.next().await.until_closed().await;
        let body = came.split(|byte| *byte == FILLING).count() - 1;
        assert!(body <= 1024, "{length}: {body} bytes came");
        assert!(!came.ends_with(b"\r\n0\r\n\r\n"), "{length}: nobody could take it for a whole request");
        let answer = client.response().await.expect("an answer");
        assert_eq!((answer.status, answer.header("content-type")), (413, PROBLEM), "{length}: {answer:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{length}: {answer:?}");
        client.until_closed().await;
    }
    counted(&stage, "vestibule_refusals_total{app=\"wiki\",reason=\"body_too_large\"} 3").await;
}

#[tokio::test]
async fn an_answer_that_has_begun_breaks_off_when_the_body_turns_out_to_be_too_large() {
    let stage = stage().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(chunked_post(&stage).bytes()).await;
    client.send("5\r\nhello\r\n").await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n").await;
    assert_eq!(status(&client.head().await.expect("an answer")), 200);
    client.send(chunked(2000)).await;
    let (body, complete) = patiently("the rest", client.wire.body(Framing::Chunked)).await;
    assert_eq!((body.as_slice(), complete), (&b"early"[..], Complete::CutShort));
    let (_, complete) = patiently("the end", conversation.wire.body(Framing::Chunked)).await;
    assert_eq!(complete, Complete::CutShort);
}

#[tokio::test]
async fn a_body_that_is_no_chunk_is_the_visitors_fault_and_not_the_upstreams() {
    let stage = stage().await;
    let mut client = stage.connect().await;
    client.send(chunked_post(&stage).bytes()).await;
    client.send("5\r\nhello\r\nGET /smuggled HTTP/1.1\r\n\r\n").await;
    let answer = client.response().await.expect("an answer");
    assert_eq!((answer.status, answer.header("connection")), (400, Some("close")), "{answer:?}");
    client.until_closed().await;
    counted(&stage, "vestibule_refusals_total{app=\"wiki\",reason=\"body_broke_off\"} 1").await;
    let seen = stage.upstream.take();
    assert!(seen.iter().all(|request| request.target() == "/form"), "{seen:?}");
}

#[tokio::test]
async fn whoever_is_still_sending_gets_the_answer_and_no_reset() {
    let stage = stage().await;
    let large = "x".repeat(4 * 1024 * 1024);
    let form = Request::post("/_vestibule/sign_out", &large);
    let anonymous = Stage::builder().start().await;
    for (stage, status, request) in [
        (&stage, 413, Request::post("/form", &large)),
        (&stage, 413, form),
        (&stage, 400, Request::post("/a/%00", &large)),
        (&anonymous, 401, Request::post("/form", &large)),
    ] {
        let mut client = stage.connect().await;
        // All of it is taken, however little of it is wanted.
        client.send(request.to_host(stage.authority()).bytes()).await;
        let answer = client.response().await.expect("an answer");
        assert_eq!((answer.status, answer.complete), (status, Complete::Yes), "{answer:?}");
        client.until_closed().await;
        assert_eq!((stage.upstream.take().len(), stage.upstream.connections()), (0, 0), "{status}");
    }
}

#[tokio::test]
async fn whoever_does_not_stop_sending_is_cut() {
    let stage = stage().await;
    for request in [chunked_post(&stage), Request::new("POST", "/form").header("Content-Length", "99999999999")] {
        let mut client = stage.connect().await;
        client.send(request.to_host(stage.authority()).bytes()).await;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let mut sent = 0;
        while client.wire.write(&chunk).await.is_ok() {
            sent += chunk.len();
            assert!(sent < 256 * 1024 * 1024, "all of it is taken");
        }
    }
    let mut bystander = stage.connect().await;
    assert_eq!(bystander.exchange(&Request::get("/").to_host(stage.authority())).await.status, 200);
}

#[tokio::test]
async fn over_tls_as_well_whoever_is_still_sending_gets_the_answer() {
    let authority = Authority::new();
    let stage = Stage::builder()
        .public("/**")
        .public_host("wiki.test")
        .tls(&authority.issue("wiki.test").lines(), authority.root.clone())
        .app_tables("[app.limits]\nbody_bytes = \"1KiB\"\n")
        .start()
        .await;
    let (mut client, _) = connect_tls(stage.door_address(), "wiki.test", &authority.root).await.expect("a handshake");
    client.send(Request::post("/form", "x".repeat(4 * 1024 * 1024)).to_host(stage.authority()).bytes()).await;
    let answer = client.response().await.expect("an answer");
    assert_eq!((answer.status, answer.complete, stage.upstream.connections()), (413, Complete::Yes, 0));
    client.until_closed().await;
}
