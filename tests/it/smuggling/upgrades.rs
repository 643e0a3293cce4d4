//! Nothing that looks like another protocol gets past the framing (threat 76). Threats 113 to 115 are in `web_sockets`.

use super::{Row, Then, judge};
use crate::harness::{Request, Stage, client};

const WEB_SOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

fn get(fields: &str, rest: &str) -> String {
    format!("GET /N/first HTTP/1.1\r\nHost: HOST\r\n{fields}\r\n\r\n{rest}")
}

#[tokio::test]
async fn threat_76_what_is_not_switched_stays_http() {
    let mut rows = Vec::new();
    // The strict reader on the app's side fails on any `Connection`, `Upgrade` or `HTTP2-Settings`.
    for fields in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "Connection: Upgrade\r\nUpgrade: h2c",
        "Connection: Upgrade\r\nUpgrade: TLS/1.0",
        "Connection: Upgrade",
        "Upgrade: h2c",
    ] {
        rows.push(Row::passed("76", get(fields, ""), Then::Open, "GET /N/first\n\n"));
        // hyper ends a connection on which HTTP/2 begins too late without a word.
        let row =
            Row::passed("76", get(fields, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nNEXT"), Then::Closed, "GET /N/first\n\n");
        rows.push(row);
    }
    // A handshake has no body; one that has is a request like any other, without the switch.
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\nsec-websocket-version: 13\n";
    let seen = format!("GET /N/first\ncontent-length: 5\n{key}\nhello");
    rows.push(Row::passed("76", get(&format!("{WEB_SOCKET}\r\nContent-Length: 5"), "hello"), Then::Open, &seen));
    let seen = format!("GET /N/first\n{key}transfer-encoding: chunked\n\nhello");
    let sent = get(&format!("{WEB_SOCKET}\r\nTransfer-Encoding: chunked"), "5\r\nhello\r\n0\r\n\r\n");
    rows.push(Row::passed("76", sent, Then::Open, &seen));
    for lengths in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]
    {
        let sent = get(&format!("{WEB_SOCKET}\r\n{lengths}"), "5\r\nhello\r\n0\r\n\r\nNEXT");
        rows.push(Row::passed("76", sent, Then::Closed, &seen));
    }
    judge(rows).await;
}

#[tokio::test]
async fn threat_76_cve_2026_2833_nothing_goes_up_before_the_upstream_has_switched() {
    for refusal in [
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ] {
        let stage = Stage::builder().public("/first").start().await;
        let mut conversations = stage.upstream.by_hand();
        let early = format!("GET /smuggled HTTP/1.1\r\nHost: {}\r\n\r\n", stage.authority());
        let handshake = Request::get("/first").to_host(stage.authority()).headers(&client::WEB_SOCKET);
        let mut client = stage.connect().await;
        client.send([handshake.bytes(), early.into_bytes()].concat()).await;
        let mut conversation = conversations.next().await;
        conversation.expect_head().await;
        conversation.send(refusal).await;
        let answer = client.response().await.expect("an answer");
        assert!(refusal.contains(&answer.status.to_string()), "{refusal}: {answer:?}");
        let more = conversation.until_closed().await;
        assert_eq!(String::from_utf8_lossy(&more), "", "the early bytes are no business of this connection");
        // Read as what they are, a request behind the first, they are judged like any other.
        assert_eq!(client.response().await.map(|answer| answer.status), Some(401), "{refusal}");
        assert_eq!(stage.upstream.take().len(), 1, "{refusal}");
    }
}
