//! No two requests come out of one (contract section 5, RFC 9112 §11.2).
//!
//! The oracle is the upstream: everything here is public, so whatever gets past the
//! framing is recorded. `/first` may arrive once, `/smuggled` never.

use crate::{
    demo::provider::people::ADA,
    harness::{Request, Stage},
};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n";

/// Sends bytes (`HOST` is the app's) and waits for the end of the connection; gives the statuses that came.
async fn send_until_closed(stage: &Stage, bytes: &str) -> Vec<String> {
    let mut client = stage.connect().await;
    client.send(bytes.replace("HOST", stage.authority())).await;
    let answers = client.until_closed().await;
    let answers = String::from_utf8_lossy(&answers).into_owned();
    answers.split("\r\n").filter(|line| line.starts_with("HTTP/1.")).map(str::to_owned).collect()
}

fn assert_nothing_smuggled(stage: &Stage, what: &str) {
    let seen = stage.upstream.take();
    assert!(seen.len() <= 1, "{what}: several requests came out of one: {seen:?}");
    assert!(seen.iter().all(|request| request.target() == "/first"), "{what}: {seen:?}");
    let bodies: Vec<_> = seen.iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    let heads: Vec<_> = seen.iter().map(|request| format!("{:?}", request.head)).collect();
    assert!(heads.iter().all(|head| !head.contains("/smuggled")), "{what}: {heads:?}");
    for request in &seen {
        let lengths = request.headers("content-length").len() + request.headers("transfer-encoding").len();
        assert!(lengths <= 1, "{what}: framed anew, one way: {request:?} {bodies:?}");
    }
}

#[tokio::test]
async fn ambiguous_framing_brings_at_most_one_request_and_ends_the_connection() {
    let stage = Stage::builder().public("/**").start().await;
    for (id, fields, body) in [
        ("66 CL.TE", "Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\nG"),
        ("66 CL.TE", "Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\nSMUGGLED"),
        ("67 TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 4", "5\r\nhello\r\n0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding: xchunked", "0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked", "0\r\n\r\nSMUGGLED"),
        ("CVE-2021-21299", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\nSMUGGLED"),
        ("CVE-2026-2835", "Transfer-Encoding: gzip, chunked", "0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding: chunked, identity", "0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding: chunked, chunked", "0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding: chunked;q=1", "0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding: \"chunked\"", "0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding: \u{b}chunked", "0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding: identity", "SMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding:", "SMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding : chunked", "0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding\r\n : chunked", "0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", " Transfer-Encoding: chunked", "0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", "X: x\r\n Transfer-Encoding: chunked", "0\r\n\r\nSMUGGLED"),
        ("68 TE.TE", "Transfer-Encoding: x\r\n chunked", "0\r\n\r\nSMUGGLED"),
        ("71 CL", "Content-Length: 0\r\nContent-Length: 40", "SMUGGLED"),
        ("CVE-2021-32715", "Content-Length: +5", "helloSMUGGLED"),
        ("71 CL", "Content-Length: -5", "helloSMUGGLED"),
        ("71 CL", "Content-Length: 0x5", "helloSMUGGLED"),
        ("71 CL", "Content-Length: 5,5", "helloSMUGGLED"),
        ("71 CL", "Content-Length: 5, 6", "helloSMUGGLED"),
        ("71 CL", "Content-Length: 5 5", "helloSMUGGLED"),
        ("71 CL", "Content-Length: 5e0", "helloSMUGGLED"),
        ("71 CL", "Content-Length:", "SMUGGLED"),
        ("71 CL", "Content-Length: 99999999999999999999", "SMUGGLED"),
        ("72", "X: a\r\n folded", "SMUGGLED"),
        ("72", "X : a", "SMUGGLED"),
        ("72", "X: a\rSMUGGLED", ""),
        ("72", "X: a\0b", "SMUGGLED"),
        ("72", "X\r: a", "SMUGGLED"),
        ("72", ": a", "SMUGGLED"),
        ("72", "no colon", "SMUGGLED"),
        ("CVE-2021-32714", "Transfer-Encoding: chunked", "fffffffffffffffff\r\nSMUGGLED"),
        ("73", "Transfer-Encoding: chunked", "+5\r\nhello\r\n0\r\n\r\nSMUGGLED"),
        ("73", "Transfer-Encoding: chunked", "0x5\r\nhello\r\n0\r\n\r\nSMUGGLED"),
        ("73", "Transfer-Encoding: chunked", "-5\r\nhello\r\n0\r\n\r\nSMUGGLED"),
        ("73", "Transfer-Encoding: chunked", "5;a=\nb\r\nhello\r\n0\r\n\r\nSMUGGLED"),
        ("73", "Transfer-Encoding: chunked", "5\nhello\r\n0\r\n\r\nSMUGGLED"),
        ("73", "Transfer-Encoding: chunked", "5\r\nhelloSMUGGLED"),
        ("73", "Transfer-Encoding: chunked", "5\r\nhelloXX0\r\n\r\nSMUGGLED"),
        ("73", "Transfer-Encoding: chunked", "\r\nSMUGGLED"),
    ] {
        let bytes =
            format!("POST /first HTTP/1.1\r\nHost: HOST\r\n{fields}\r\n\r\n{body}").replace("SMUGGLED", SMUGGLED);
        let what = format!("{id} {fields:?} {body:?}");
        let answers = send_until_closed(&stage, &bytes).await;
        assert!(answers.len() <= 1, "{what}: {answers:?}");
        assert_nothing_smuggled(&stage, &what);
    }
}

#[tokio::test]
async fn threat_71_equal_lengths_are_one_length() {
    // RFC 9112 §6.3 lets a recipient take them for one; then what follows is a request of its own to everybody.
    let stage = Stage::builder().public("/**").start().await;
    let mut client = stage.connect().await;
    let head = Request::new("POST", "/first").headers(&[("Content-Length", "5"), ("Content-Length", "5")]);
    client.send([head.for_host(stage.authority()).bytes(), b"hello".to_vec()].concat()).await;
    assert_eq!(client.response().await.expect("an answer").status, 200);
    let seen = stage.upstream.only();
    assert_eq!((seen.headers("content-length"), seen.body.as_slice()), (vec!["5"], &b"hello"[..]));
}

#[tokio::test]
async fn http_1_0_has_no_chunks() {
    let stage = Stage::builder().public("/**").start().await;
    let bytes = "POST /first HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSMUGGLED";
    let answers = send_until_closed(&stage, &bytes.replace("SMUGGLED", SMUGGLED)).await;
    assert_eq!(answers, ["HTTP/1.1 400 Bad Request"], "CVE-2026-2835");
    assert_eq!(stage.upstream.take().len(), 0);
}

#[tokio::test]
async fn threat_72_bare_line_feeds_end_no_more_than_one_head() {
    let stage = Stage::builder().public("/**").start().await;
    // RFC 9112 §2.2 lets a recipient take a bare LF for a line's end; whoever does must do so throughout.
    for bytes in [
        "GET /first HTTP/1.1\nHost: HOST\nConnection: close\n\n",
        "GET /first HTTP/1.1\r\nHost: HOST\r\nX: a\nConnection: close\r\n\r\n",
        "POST /first HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nContent-Length: 0\n\nGET /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n",
    ] {
        let answers = send_until_closed(&stage, bytes).await;
        assert!(answers.len() <= 1, "{bytes:?}: {answers:?}");
        assert_nothing_smuggled(&stage, bytes);
    }
}

#[tokio::test]
async fn threat_69_cve_2025_4366_a_body_that_nobody_read_is_no_request() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n", stage.authority());
    for (method, path) in [
        ("GET", "/_vestibule/signed_out"),
        ("GET", "/_vestibule/nothing"),
        ("GET", "/_vestibule/callback?code=x&state=y"),
        ("POST", "/page"), // 401
        ("PUT", "/%00"),   // 400
    ] {
        let mut client = stage.connect().await;
        let mut request = Request::new(method, path)
            .header("Content-Length", &smuggled.len().to_string())
            .for_host(stage.authority())
            .bytes();
        request.extend_from_slice(smuggled.as_bytes());
        client.send(request).await;
        let first = client.response().await.expect("an answer");
        assert!(first.status < 500, "{path}: {first:?}");
        // The connection goes on after the body or not at all; the body itself never runs.
        client
            .wire
            .write(
                Request::get("/last")
                    .header("Cookie", &cookie)
                    .header("Connection", "close")
                    .for_host(stage.authority())
                    .bytes(),
            )
            .await
            .ok();
        client.until_closed().await;
        let seen = stage.upstream.take();
        assert!(seen.iter().all(|request| request.target() == "/last"), "{method} {path}: {seen:?}");
    }
}

#[tokio::test]
async fn threat_77_each_pipelined_request_is_judged_by_itself() {
    let stage = Stage::builder().public("/public/**").start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut client = stage.connect().await;
    let request =
        |path: &str, fields: &[(&str, &str)]| Request::get(path).headers(fields).for_host(stage.authority()).bytes();
    let mut bytes = request("/public/a", &[]);
    bytes.extend(request("/secret", &[]));
    bytes.extend(request("/secret/mine", &[("Cookie", &cookie)]));
    bytes.extend(request("/secret/again", &[]));
    client.send(bytes).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(client.response().await.expect("an answer").status);
    }
    assert_eq!(statuses, [200, 401, 200, 401]);
    let seen: Vec<_> = stage.upstream.take().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(seen, ["/public/a", "/secret/mine"]);
}

#[tokio::test]
async fn threat_76_cve_2026_2833_nothing_goes_up_before_the_upstream_has_switched() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let early = format!("GET /smuggled HTTP/1.1\r\nHost: {}\r\n\r\n", stage.authority());
    let handshake = Request::get("/first").for_host(stage.authority()).headers(&[
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]);
    let mut client = stage.connect().await;
    client.send([handshake.bytes(), early.into_bytes()].concat()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    assert_eq!(client.response().await.expect("an answer").status, 400);
    let more = conversation.until_closed().await;
    assert_eq!(String::from_utf8_lossy(&more), "", "the early bytes are no business of this connection");
}

#[tokio::test]
async fn threat_76_h2c_is_neither_taken_nor_passed_on() {
    let stage = Stage::builder().public("/**").start().await;
    let request = Request::get("/first").headers(&[
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
    ]);
    assert_eq!(stage.send(request).await.status, 200);
    let seen = stage.upstream.only();
    assert_eq!((seen.header("upgrade"), seen.header("http2-settings")), (None, None));
}
