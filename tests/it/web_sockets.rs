//! Every WebSocket is a switch of protocols that only a visitor with a session gets, for as long as the session lives
//! (RFC 6455, RFC 9110 §7.8). Other protocols are in [`tunnels`](crate::tunnels).

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    demo::provider::people::ADA,
    harness::{
        Door, RawClient, Request, Stage,
        client::{WEB_SOCKET, connect_tls},
        patiently,
        pki::Authority,
        upstream::{Answer, Conversation, Conversations, RecordingUpstream, SWITCHING},
    },
};

/// A text frame of a server, and one of a client.
const SAID: &[u8] = b"\x81\x05hello";
const ASKED: &[u8] = b"\x81\x82\x01\x02\x03\x04xy";

fn handshake(cookie: &str) -> Request {
    Request::get("/socket").headers(&WEB_SOCKET).header("Cookie", cookie)
}

/// A WebSocket whose two ends are the test's.
async fn open<D: Door>(
    stage: &Stage<D>,
    conversations: &mut Conversations,
    handshake: Request,
) -> (RawClient, Conversation) {
    let mut client = stage.connect().await;
    client.send(handshake.to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send(SWITCHING).await;
    assert_eq!(client.response().await.expect("an answer").status, 101);
    (client, conversation)
}

/// A Close frame of ours as the visitor gets it, and as the app does when its mask is taken off.
fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let length = u8::try_from(2 + reason.len()).expect("a short reason");
    [&[0x88, length], &code.to_be_bytes()[..], reason.as_bytes()].concat()
}

fn unmasked(frame: &[u8]) -> Vec<u8> {
    assert!(frame.len() >= 6 && frame[1] & 0x80 != 0, "towards a server each frame is masked: {frame:?}");
    let payload = frame[6..].iter().zip(frame[2..6].iter().cycle()).map(|(byte, key)| byte ^ key);
    [frame[0], frame[1] & 0x7f].into_iter().chain(payload).collect()
}

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

    for message in [SAID, ASKED] {
        client.send(message).await;
        assert_eq!(patiently("the echo", client.wire.exactly(message.len())).await, message);
    }
    let signed_out = stage.send(Request::post("/_vestibule/sign_out", "").header("Cookie", &cookie)).await;
    assert_eq!(signed_out.status, 303, "{signed_out:?}");
    client.until_closed().await; // threat 84
}

#[tokio::test]
async fn threat_84_both_ends_are_told_that_the_session_has_ended_and_hear_nothing_after_it() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut conversations = stage.upstream.by_hand();
    let (mut client, mut app) = open(&stage, &mut conversations, handshake(&cookie)).await;
    // Both are in the middle of a frame.
    app.send(&SAID[..3]).await;
    client.send(&ASKED[..1]).await;
    assert_eq!(patiently("a part of a frame", client.wire.exactly(3)).await, &SAID[..3]);
    assert_eq!(patiently("a part of a frame", app.wire.exactly(1)).await, &ASKED[..1]);
    let signed_out = stage.send(Request::post("/_vestibule/sign_out", "").header("Cookie", &cookie)).await;
    assert_eq!(signed_out.status, 303, "{signed_out:?}");
    app.send(&[&SAID[3..], SAID].concat()).await;
    client.send(&[&ASKED[1..], ASKED].concat()).await;
    let close = close_frame(1008, "session ended");
    assert_eq!(client.until_closed().await, [&SAID[3..], &close].concat());
    let heard = app.until_closed().await;
    let (frame, closed) = heard.split_at(ASKED.len() - 1);
    assert_eq!((frame, unmasked(closed)), (&ASKED[1..], close));
}

#[tokio::test]
async fn threat_115_a_web_socket_is_closed_when_its_session_is_too_old() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut conversations = stage.upstream.by_hand();
    let (mut client, mut app) = open(&stage, &mut conversations, handshake(&cookie)).await;
    app.send(SAID).await;
    assert_eq!(patiently("a frame", client.wire.exactly(SAID.len())).await, SAID);
    stage.clock.advance(Duration::from_hours(24));
    assert_eq!(client.until_closed().await, close_frame(1008, "session ended"));
    assert_eq!(unmasked(&app.until_closed().await), close_frame(1008, "session ended"));
}

#[tokio::test]
async fn a_stop_lets_web_sockets_stand_for_the_delay_and_then_tells_them_to_come_back() {
    for (delay, told) in [("1h", false), ("0s", true)] {
        let server = format!("drain_delay = {delay:?}\ndrain_timeout = \"1h\"");
        let stage = Stage::builder().server(&server).start().await;
        let cookie = stage.sign_in(&ADA).await;
        let mut conversations = stage.upstream.by_hand();
        let (mut client, mut app) = open(&stage, &mut conversations, handshake(&cookie)).await;
        assert!(stage.metrics().await.contains("\nvestibule_connections 1\n"), "{}", stage.metrics().await);
        stage.door.running().shut_down();
        if !told {
            patiently("the end of readiness", async { while stage.ops("/readyz").await.status == 200 {} }).await;
            app.send(SAID).await;
            assert_eq!(patiently("a frame", client.wire.exactly(SAID.len())).await, SAID);
            continue;
        }
        let close = close_frame(1001, "server restarts");
        assert_eq!(client.until_closed().await, close);
        assert_eq!(unmasked(&app.until_closed().await), close);
        drop((client, app));
        patiently("the end", stage.door.running().stopped()).await;
    }
}

#[tokio::test]
async fn what_the_two_ends_negotiate_is_theirs() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    let (offer, accepted) = ("permessage-deflate; client_max_window_bits, x-other;a=\"b\"", "permessage-deflate");
    let handshake = Request::get("/socket").headers(&WEB_SOCKET).header("Sec-WebSocket-Extensions", offer);
    client.send(handshake.to_host(stage.authority()).bytes()).await;
    let mut app = conversations.next().await;
    let head = app.expect_head().await;
    assert_eq!(head.all("sec-websocket-extensions"), [offer]);
    for (name, value) in WEB_SOCKET {
        assert_eq!(head.all(name), [value]);
    }
    // The first frame comes with the head, and is compressed.
    let deflated = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"; // RFC 7692 §7.2.3.1
    let answer = SWITCHING.replace("\r\n\r\n", &format!("\r\nSec-WebSocket-Extensions: {accepted}\r\n\r\n"));
    app.send([answer.as_bytes(), deflated].concat()).await;
    let switched = client.response().await.expect("an answer");
    assert_eq!((switched.status, switched.headers("sec-websocket-extensions")), (101, vec![accepted]));
    assert_eq!(patiently("a frame", client.wire.exactly(deflated.len())).await, deflated);
}

#[tokio::test]
async fn the_access_line_comes_at_the_end_and_says_how_much_the_visitor_got() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut conversations = stage.upstream.by_hand();
    let (client, mut app) = open(&stage, &mut conversations, handshake(&cookie)).await;
    let id = stage.upstream.only().header("x-request-id").expect("an id").to_owned();
    let RawClient { mut wire } = client;
    app.send(&SAID.repeat(3)).await;
    assert_eq!(patiently("frames", wire.exactly(3 * SAID.len())).await.len(), 3 * SAID.len());
    wire.finish().await.expect("an orderly end");
    app.until_closed().await;
    drop(app);
    let line = stage.door.access_line("the line", |line| (line["request_id"] == *id).then(|| line.clone())).await;
    assert_eq!((&line["status"], &line["bytes"]), (&json!(101), &json!(3 * SAID.len())), "{line}");
    assert_eq!((&line["path"], &line["user"]), (&json!("/socket"), &json!("ada")), "{line}");
    assert!(matches!(line["duration_ms"], Value::Number(_)), "{line}");
    let mut connections = stage.metrics().await;
    while !connections.contains("\nvestibule_connections 0\n") {
        connections = patiently("the connection to be counted out", stage.metrics()).await;
    }
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
async fn over_tls_on_both_sides_every_frame_arrives_and_a_large_one_whole() {
    let authority = Authority::new();
    let upstream = RecordingUpstream::start_tls(authority.issue("localhost").server_config()).await;
    upstream.answer(|_| Answer::Echo);
    let stage = Stage::builder()
        .public_host("wiki.test")
        .tls(&authority.issue("wiki.test").lines(), authority.root.clone())
        .app(&format!("upstream = \"https://localhost:{}\"", upstream.address().port()))
        .app_tables(&format!("\n[app.upstream_tls]\nca_file = {:?}\n", authority.file()))
        .public("/**")
        .start()
        .await;
    let (mut client, _) = connect_tls(stage.door_address(), "wiki.test", &authority.root).await.expect("a handshake");
    client.send(Request::get("/socket").headers(&WEB_SOCKET).to_host(stage.authority()).bytes()).await;
    assert_eq!(client.response().await.expect("an answer").status, 101);
    let large = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &vec![b'x'; 0x1_0000]].concat();
    for frame in [SAID, &large, SAID] {
        client.send(frame).await;
        assert_eq!(patiently("the echo", client.wire.exactly(frame.len())).await, frame);
    }
    stage.door.running().shut_down();
    assert_eq!(client.until_closed().await, close_frame(1001, "server restarts"));
}
