//! Upstreams that do not speak HTTP, or not as they say: their visitor is told so, and nobody else notices.

use crate::harness::{
    Request, Stage,
    binary::Binary,
    upstream::{Conversation, Conversations},
    wire::Complete,
};

/// What a visitor gets.
#[derive(Clone, Copy, Debug)]
enum Gets {
    /// A page of ours, and the reason in the log.
    Refusal(u16),
    /// An answer that breaks off where it does, and the reason in the log.
    Cut,
    /// The status and all of the body.
    Whole(u16, &'static str),
}
use Gets::{Cut, Refusal, Whole};

/// What the upstream does after its bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Closes,
    /// It waits for us to close.
    Waits,
}
use Then::{Closes, Waits};

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What might be taken for the answer to somebody else.
const STOLEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen";

/// Each connection of these is used once and never again.
fn lies() -> Vec<(&'static str, &'static str, String, Then, Gets)> {
    let of = |head: &str, rest: &str| format!("{head}{rest}");
    vec![
        ("nothing at all", "POST", String::new(), Closes, Refusal(502)),
        ("garbage", "GET", of("\0\u{1}\u{2}garbage", "\r\n\r\n"), Waits, Refusal(502)),
        ("HTTP/0.9", "GET", "<html>hello</html>".into(), Closes, Refusal(502)),
        ("HTTP/2 without asking", "GET", "HTTP/2 200 OK\r\n\r\n".into(), Waits, Refusal(502)),
        ("a head that breaks off", "POST", of(OK, "Content-Le"), Closes, Refusal(502)),
        ("two status lines", "GET", of(OK, OK) + "Content-Length: 2\r\n\r\nok", Waits, Refusal(502)),
        ("a status of two digits", "GET", "HTTP/1.1 99 Low\r\n\r\n".into(), Waits, Refusal(502)),
        ("a NUL in a value", "GET", of(OK, "X-A: b\0c\r\nContent-Length: 0\r\n\r\n"), Waits, Refusal(502)),
        ("a folded line", "GET", of(OK, "X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n"), Waits, Refusal(502)),
        ("a space before the colon", "GET", of(OK, "Content-Length : 2\r\n\r\nok"), Waits, Refusal(502)),
        ("a carriage return alone", "GET", of(OK, "X-A: b\rX-B: c\r\nContent-Length: 0\r\n\r\n"), Waits, Refusal(502)),
        ("two lengths", "GET", of(OK, "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!"), Waits, Refusal(502)),
        ("a list of lengths", "GET", of(OK, "Content-Length: 2, 3\r\n\r\nok!"), Waits, Refusal(502)),
        ("a length with a sign", "GET", of(OK, "Content-Length: +2\r\n\r\nok"), Waits, Refusal(502)),
        ("another coding", "GET", of(OK, "Transfer-Encoding: gzip\r\n\r\nxyz"), Waits, Refusal(502)),
        ("two codings", "GET", of(OK, "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), Waits, Refusal(502)),
        (
            "a coding twice",
            "GET",
            of(OK, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            Waits,
            Refusal(502),
        ),
        ("a coding in HTTP/1.0", "GET", CHUNKED.replace("/1.1", "/1.0") + "2\r\nok\r\n0\r\n\r\n", Waits, Refusal(502)),
        (
            "an unasked switch",
            "GET",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".into(),
            Waits,
            Refusal(502),
        ),
        ("too many fields", "GET", of(OK, &"X-A: b\r\n".repeat(200)) + "\r\n", Waits, Refusal(502)),
        ("a field without end", "GET", of(OK, &format!("X-A: {}", "b".repeat(2 << 20))), Waits, Refusal(502)),
        ("a body that breaks off", "GET", of(OK, "Content-Length: 10\r\n\r\nshort"), Closes, Cut),
        ("a chunk that breaks off", "GET", of(CHUNKED, "5\r\nhel"), Closes, Cut),
        ("a last chunk that is missing", "GET", of(CHUNKED, "5\r\nhello\r\n"), Closes, Cut),
        ("a size that is no number", "GET", of(CHUNKED, "2\r\nok\r\nzz\r\nxx\r\n"), Waits, Cut),
        ("a size with a sign", "GET", of(CHUNKED, "2\r\nok\r\n+2\r\nok\r\n0\r\n\r\n"), Waits, Cut),
        ("a size beyond all numbers", "GET", of(CHUNKED, "2\r\nok\r\nffffffffffffffff1\r\nx"), Waits, Cut),
        ("a chunk longer than it says", "GET", of(CHUNKED, "2\r\nokay\r\n0\r\n\r\n"), Waits, Cut),
        ("an extension without end", "GET", of(CHUNKED, &format!("2\r\nok\r\n2;{}", "x".repeat(64 << 10))), Waits, Cut),
        (
            "trailers without end",
            "GET",
            of(CHUNKED, &format!("2\r\nok\r\n0\r\n{}", "X-A: b\r\n".repeat(20_000))),
            Waits,
            Cut,
        ),
        ("bytes after the body", "GET", of(OK, "Content-Length: 2\r\n\r\nok") + STOLEN, Waits, Whole(200, "ok")),
        ("bytes after the chunks", "GET", of(CHUNKED, "2\r\nok\r\n0\r\n\r\n") + STOLEN, Waits, Whole(200, "ok")),
        ("a 204 with a body", "GET", of("HTTP/1.1 204 No Content\r\n\r\n", STOLEN), Waits, Whole(204, "")),
        (
            "a 304 with the body of its length",
            "GET",
            of("HTTP/1.1 304 Not Modified\r\nContent-Length: 66\r\n\r\n", STOLEN),
            Waits,
            Whole(304, ""),
        ),
        ("a HEAD with a body", "HEAD", of(OK, "Content-Length: 47\r\n\r\n") + STOLEN, Waits, Whole(200, "")),
        (
            "chunks and a length",
            "GET",
            of(&CHUNKED.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\n"), "2\r\nok\r\n0\r\n\r\n"),
            Waits,
            Whole(200, "ok"),
        ),
        ("HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\n\r\nok".into(), Closes, Whole(200, "ok")),
        (
            "many a word before the answer",
            "GET",
            "HTTP/1.1 102 Processing\r\n\r\n".repeat(5000) + OK + "Connection: close\r\nContent-Length: 2\r\n\r\nok",
            Waits,
            Whole(200, "ok"),
        ),
    ]
}

/// A request of somebody else is answered with their own answer, on a connection of its own.
async fn bystander(stage: &Stage<Binary>, conversations: &mut Conversations, what: &str) {
    let mut client = stage.connect().await;
    client.send(Request::get("/bystander").to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    assert!(conversation.expect_head().await.start.starts_with("GET /bystander "), "after {what}");
    conversation.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nmine").await;
    let answer = client.response().await.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, "mine"), "after {what}");
}

/// Waits for the line that says why this request came to nothing.
async fn reason_in_the_log(stage: &Stage<Binary>, request_id: &str, what: &str) {
    let reason = stage.door.process.event(what, |event| {
        let is_it = event["request_id"] == request_id && event["reason"] == "upstream_broken";
        is_it.then(|| event["error"].as_str().map(str::to_owned)).flatten()
    });
    assert!(reason.await.len() > 20, "{what}: the line says why");
}

#[tokio::test]
async fn an_upstream_that_lies_hurts_nobody_but_the_visitor_it_lies_to() {
    let stage = Stage::builder().public("/**").start_binary().await;
    let mut conversations = stage.upstream.by_hand();
    for (what, method, bytes, then, gets) in lies() {
        let mut client = stage.connect().await;
        client
            .send(Request::new(method, "/lie").header("Content-Length", "0").to_host(stage.authority()).bytes())
            .await;
        let mut conversation = conversations.next().await;
        let head = conversation.expect_head().await;
        // It may be refused while it is still on its way.
        let _ = conversation.wire.write(bytes).await;
        let mut open = Some(conversation);
        if then == Closes {
            open = None;
        }
        let answer = client.response_to(method).await.unwrap_or_else(|| panic!("{what}: no answer"));
        match gets {
            Refusal(status) => {
                assert_eq!((answer.status, answer.complete), (status, Complete::Yes), "{what}: {answer:?}");
                assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
            }
            Cut => assert_eq!((answer.status, answer.complete), (200, Complete::CutShort), "{what}: {answer:?}"),
            Whole(status, body) => {
                assert_eq!((answer.status, answer.text().as_str()), (status, body), "{what}: {answer:?}");
                assert_eq!(answer.complete, Complete::Yes, "{what}");
            }
        }
        if !matches!(gets, Whole(..)) {
            reason_in_the_log(&stage, head.get("x-request-id").expect("an id"), what).await;
        }
        // What is left of it is nobody's answer, neither at once nor after we have heard of it.
        bystander(&stage, &mut conversations, what).await;
        if let Some(conversation) = &mut open {
            conversation.until_closed().await;
        }
        if let Refusal(_) = gets {
            // Their connection is as good as before.
            client.send(Request::get("/again").to_host(stage.authority()).bytes()).await;
            let mut conversation = conversations.next().await;
            conversation.expect_head().await;
            conversation.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nagain").await;
            assert_eq!(client.response().await.expect("an answer").text(), "again", "{what}");
        }
    }
}

/// An answer that nobody asked for, on a connection at rest.
#[tokio::test]
async fn what_comes_over_a_connection_at_rest_is_nobodys_answer() {
    let stage = Stage::builder().public("/**").start_binary().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/first").to_host(stage.authority()).bytes()).await;
    let mut conversation: Conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert_eq!(client.response().await.expect("an answer").text(), "ok");
    conversation.send(STOLEN).await;
    conversation.until_closed().await;
    bystander(&stage, &mut conversations, "an answer to nothing").await;
}

#[tokio::test]
async fn a_redirect_to_itself_is_the_browsers_to_follow() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/round").to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    let location = format!("http://{}/round", stage.upstream.address());
    conversation.send(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")).await;
    let answer = client.response().await.expect("an answer");
    assert_eq!((answer.status, answer.location()), (302, stage.url("/round").as_str()));
    assert_eq!(stage.upstream.take().len(), 1, "nobody else followed it");
}
