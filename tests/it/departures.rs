//! Who leaves before the end, and what that ends: a visitor who hangs up, a session that
//! is over while an answer is on its way (threat 84).

use crate::{
    demo::provider::people::ADA,
    harness::{
        Request, Stage,
        client::status,
        patiently,
        wire::{Complete, Framing},
    },
};

/// More than all buffers between two ends hold.
const DOWNLOAD: usize = 1024 * 1024 * 1024;

/// An upstream that is never slow: nobody has to wait for it, so nobody is woken when
/// the session ends.
#[tokio::test]
async fn threat_84_a_long_download_is_cut_at_the_sign_out() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/download").header("Cookie", &cookie).to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {DOWNLOAD}\r\n\r\n")).await;
    let upstream = tokio::spawn(async move {
        let block = vec![b'x'; 64 * 1024];
        let mut sent = 0;
        while sent < DOWNLOAD && conversation.wire.write(&block).await.is_ok() {
            sent += block.len();
        }
        sent
    });
    let head = client.head().await.expect("an answer");
    assert_eq!(head.framing(Framing::UntilClose), Framing::Length(DOWNLOAD));
    let begun = patiently("its beginning", client.wire.exactly(4 * 1024 * 1024)).await;
    assert_eq!(begun.len(), 4 * 1024 * 1024);

    assert_eq!(stage.send(Request::post("/_vestibule/sign_out", "").header("Cookie", &cookie)).await.status, 303);
    let rest = patiently("the end of the connection", client.wire.rest()).await.len();
    let sent = patiently("the upstream to be let go", upstream).await.expect("it did not panic");
    assert!(begun.len() + rest <= sent && sent < DOWNLOAD / 4, "{rest} bytes more came, {sent} were sent");
}

/// Nothing moves on the connection, so nothing but its own timer can notice.
#[tokio::test]
async fn threat_84_who_signs_out_does_not_get_the_answer_that_the_upstream_is_still_thinking_about() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/report").header("Cookie", &cookie).to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    assert_eq!(stage.send(Request::post("/_vestibule/sign_out", "").header("Cookie", &cookie)).await.status, 303);
    conversation.until_closed().await;
    let head = client.head().await.expect("an answer");
    assert!(head.start.starts_with("HTTP/1.1 401 "), "{head:?}");
}

#[tokio::test]
async fn a_visitor_who_leaves_before_the_answer_is_499_in_the_log_and_cancels_the_request() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/report?q=1").to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    drop(client);
    conversation.until_closed().await;
    let line = stage.door.access_line("the line of who left", |line| (line["path"] == "/report").then(|| line.clone()));
    let line = line.await;
    assert_eq!((&line["status"], &line["bytes"], &line["method"]), (&499.into(), &0.into(), &"GET".into()), "{line}");
    let metrics = stage.metrics().await;
    assert!(metrics.contains("vestibule_requests_total{app=\"wiki\",class=\"4xx\"} 1"), "{metrics}");
    assert!(!metrics.contains("vestibule_refusals_total{"), "we refused nothing: {metrics}");
}

/// The head is out, so its status stays; what was sent says the rest.
#[tokio::test]
async fn a_visitor_who_leaves_amid_the_answer_has_its_status_and_the_bytes_so_far_in_the_log() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/events").to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").await;
    assert_eq!(status(&client.head().await.expect("an answer")), 200);
    assert_eq!(patiently("a chunk", client.wire.chunk()).await.as_deref(), Some(&b"first"[..]));
    drop(client);
    conversation.until_closed().await;
    let line = stage.door.access_line("the line of who left", |line| (line["path"] == "/events").then(|| line.clone()));
    let line = line.await;
    assert_eq!((&line["status"], &line["bytes"]), (&200.into(), &5.into()), "{line}");
}

/// What an upstream breaks off must look broken to the visitor too, and not like a short answer.
#[tokio::test]
async fn an_upstream_that_leaves_amid_a_long_answer_takes_the_visitors_connection_with_it() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/download").to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {DOWNLOAD}\r\n\r\nbegun")).await;
    client.head().await.expect("an answer");
    assert_eq!(patiently("its beginning", client.wire.exactly(5)).await, b"begun");
    drop(conversation);
    let (rest, complete) = patiently("the end", client.wire.body(Framing::Length(DOWNLOAD - 5))).await;
    assert_eq!((rest.len(), complete), (0, Complete::CutShort));
}
