//! `[app.limits]`: how long an upstream is waited for, until it has begun to answer. How long a body may rest is
//! the visitor's connection's to judge (`limits::slow`).

use tokio::net::TcpListener;

use crate::harness::{Request, Stage, patiently};

#[tokio::test]
async fn a_connection_has_its_time_to_stand() {
    // It takes connections and never greets.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    for url in [format!("https://localhost:{port}"), format!("h2c://localhost:{port}")] {
        let stage = Stage::builder()
            .app(&format!("upstream = \"{url}\""))
            .app_tables("\n[app.limits]\nconnect = \"100ms\"\n")
            .public("/**")
            .start_binary()
            .await;
        let answer = stage.send(Request::get("/page")).await;
        assert_eq!(answer.status, 504, "{url}: {answer:?}");
        let told = stage.door.process.event("the reason", |event| {
            let is_it = event["reason"] == "upstream_connect_timeout";
            is_it.then(|| event["error"].to_string())
        });
        assert!(told.await.contains("100ms (limits.connect)"), "{url}");
    }
}

#[tokio::test]
async fn the_first_byte_has_its_time_from_the_end_of_the_body() {
    let stage =
        Stage::builder().app_tables("\n[app.limits]\nfirst_byte = \"100ms\"\n").public("/**").start_binary().await;
    let mut conversations = stage.upstream.by_hand();
    // Words before the answer are no answer.
    for words in ["", "HTTP/1.1 102 Processing\r\n\r\n"] {
        let mut client = stage.connect().await;
        client.send(Request::get("/slow").to_host(stage.authority()).bytes()).await;
        let mut conversation = conversations.next().await;
        conversation.expect_head().await;
        conversation.send(words).await;
        assert_eq!(client.response().await.expect("an answer").status, 504, "{words:?}");
        assert_eq!(conversation.until_closed().await, b"", "and nobody waits for it any more");
    }
    let told = stage.door.process.event("the reason", |event| {
        let is_it = event["reason"] == "upstream_too_slow";
        is_it.then(|| event["error"].to_string())
    });
    assert!(told.await.contains("100ms (limits.first_byte)"));

    let mut client = stage.connect().await;
    let head = Request::new("PUT", "/file").header("Content-Length", "2").to_host(stage.authority());
    client.send(head.bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    // Longer than the limit: as long as it takes another request to be refused for it.
    let mut other = stage.connect().await;
    other.send(Request::get("/slow").to_host(stage.authority()).bytes()).await;
    assert_eq!(other.response().await.expect("an answer").status, 504);
    client.send("ok").await;
    assert_eq!(patiently("the body", conversation.wire.exactly(2)).await, b"ok");
    conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(client.response().await.expect("an answer").status, 200, "the body took its time, and that is no fault");
}
