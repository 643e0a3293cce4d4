//! Every WebSocket is a switch of protocols that only a visitor with a session gets, for as long as the session lives
//! (RFC 6455, RFC 9110 §7.8).

use crate::{
    demo::provider::people::ADA,
    harness::{
        Request, Stage, patiently,
        upstream::{Answer, SWITCHING},
    },
};

const WEB_SOCKET: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

#[tokio::test]
async fn a_web_socket_is_tunnelled_both_ways_and_ends_with_the_session() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    stage.upstream.answer(|_| Answer::Echo);
    let mut client = stage.connect().await;
    let handshake = Request::get("/socket?room=1").headers(&WEB_SOCKET).headers(&[
        ("Cookie", &format!("a=1; {cookie}")),
        ("Origin", &stage.origin()),
        ("Sec-WebSocket-Protocol", "chat"),
        ("X-Forwarded-User", "mallory"),
    ]);
    client.send(handshake.to_host(stage.authority()).bytes()).await;
    let switched = client.response().await.expect("an answer");
    assert_eq!(switched.status, 101, "{switched:?}");
    assert_eq!(switched.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert!(switched.header("upgrade").is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket")));
    let seen = stage.upstream.only();
    assert_eq!(seen.headers("x-forwarded-user"), ["ada"], "apps read identity and Host in the handshake");
    assert_eq!((seen.headers("host"), seen.headers("cookie")), (vec![stage.authority()], vec!["a=1"]));
    assert_eq!((seen.header("sec-websocket-protocol"), seen.target()), (Some("chat"), "/socket?room=1"));

    for message in ["\u{1}\u{0}binary", "a longer one"] {
        client.send(message).await;
        assert_eq!(patiently("the echo", client.wire.exactly(message.len())).await, message.as_bytes());
    }
    let signed_out = stage.send(Request::post("/_vestibule/sign_out", "").header("Cookie", &cookie)).await;
    assert_eq!(signed_out.status, 303, "{signed_out:?}");
    client.until_closed().await; // threat 84
}

#[tokio::test]
async fn threat_113_114_no_web_socket_without_a_session_or_for_a_foreign_page() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    stage.upstream.answer(|_| Answer::Echo);
    let own = stage.origin();
    for (status, fields) in [
        (401, vec![("Origin", own.as_str())]),
        (403, vec![("Origin", "https://evil.example"), ("Cookie", &cookie)]),
        (403, vec![("Origin", "null"), ("Cookie", &cookie)]),
        (403, vec![("Origin", "http://127.0.0.1"), ("Cookie", &cookie)]),
        (403, vec![("Origin", "https://127.0.0.1.evil.example"), ("Cookie", &cookie)]),
        (403, vec![("Origin", &own), ("Origin", "https://evil.example"), ("Cookie", &cookie)]),
    ] {
        let answer = stage.send(Request::get("/socket").headers(&WEB_SOCKET).headers(&fields)).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, Some("application/problem+json")),
            "{fields:?}"
        );
        assert_eq!(stage.upstream.take().len(), 0, "{fields:?}");
    }
    // Who is no browser need not say where it comes from.
    let answer = stage.send(Request::get("/socket").headers(&WEB_SOCKET).header("Cookie", &cookie)).await;
    assert_eq!(answer.status, 101);
}

#[tokio::test]
async fn an_upstream_that_refuses_to_switch_is_heard() {
    let stage = Stage::builder().public("/**").start().await;
    stage.upstream.answer(|_| Answer::with("426 Upgrade Required", "Upgrade: websocket\r\n", "no"));
    let answer = stage.send(Request::get("/socket").headers(&WEB_SOCKET)).await;
    assert_eq!((answer.status, answer.text().as_str()), (426, "no"));
    // And one that switches although nobody asked is not believed.
    stage.upstream.answer(|_| Answer::Keep(SWITCHING.into()));
    let answer = stage.send(Request::get("/page")).await;
    assert_eq!(answer.status, 502, "{answer:?}");
}
