//! How long an HTTP/2 connection stands, and how it ends.

use crate::harness::{
    Stage,
    http2::{
        CONTINUATION, END_HEADERS, END_STREAM, GOAWAY, HEADERS, NO_ERROR, Outcome, PING, PREFACE, SETTINGS, block,
        frame,
    },
    patiently,
};

const SHORT: &str = "header_timeout = \"150ms\"\nkeepalive = \"150ms\"";

#[tokio::test]
async fn a_connection_that_rests_too_long_is_told_to_go() {
    let stage = Stage::builder().public("/**").limits(SHORT).start().await;
    let mut client = stage.frames().await;
    client.head(1, END_STREAM, &stage.pseudo("/page")).await;
    assert_eq!(client.outcome(1).await, Outcome::Status(200));
    assert_eq!(client.outcome(3).await, Outcome::GoAway(NO_ERROR));
    // It does not answer the PING that comes with it (RFC 9113 §6.8), and is not waited for.
    client.until_closed().await;

    let mut never_asked = stage.frames().await;
    assert_eq!(never_asked.until_closed().await, Some(NO_ERROR));
}

#[tokio::test]
async fn pings_keep_no_connection_open() {
    let stage = Stage::builder().public("/**").limits(SHORT).start().await;
    let mut client = stage.frames().await;
    let mut told = false;
    // Each answered PING is followed by the next, until the connection ends.
    while client.wire.write(frame(PING, 0, 0, b"are you?")).await.is_ok() {
        match client.next().await {
            Some(frame) => told |= frame.kind == GOAWAY,
            None => break,
        }
    }
    assert!(told);
}

#[tokio::test]
async fn threat_116_what_begins_and_does_not_come_is_cut() {
    let stage = Stage::builder().public("/**").limits("header_timeout = \"150ms\"\nkeepalive = \"1h\"").start().await;
    let head = block(&stage.pseudo("/page"));
    let whole = [PREFACE, &frame(SETTINGS, 0, 0, b"")].concat();
    let begun = |bytes: Vec<u8>| [whole.clone(), bytes].concat();
    for (what, bytes) in [
        ("nothing", vec![]),
        ("half a preface", PREFACE[..10].to_vec()),
        ("a preface", PREFACE.to_vec()),
        ("half of SETTINGS", whole[..28].to_vec()),
        ("half the head of a frame", begun(frame(HEADERS, END_HEADERS, 1, &head)[..5].to_vec())),
        ("half a head", begun(frame(HEADERS, END_HEADERS, 1, &head)[..20].to_vec())),
        ("a head without its end", begun(frame(HEADERS, END_STREAM, 1, &head))),
        (
            "half a continuation",
            begun([frame(HEADERS, 0, 1, &head), frame(CONTINUATION, END_HEADERS, 1, &head)[..12].to_vec()].concat()),
        ),
        ("half a PING", begun(frame(PING, 0, 0, &[0; 8])[..12].to_vec())),
    ] {
        let mut client = stage.raw_frames().await;
        client.send_raw(bytes).await;
        // Without a word, not even one about SETTINGS.
        patiently(what, client.wire.rest()).await;
        assert_eq!(stage.upstream.take().len(), 0, "{what}");
    }
}

#[tokio::test]
async fn a_request_under_way_keeps_its_connection_although_others_end() {
    let stage = Stage::builder().public("/**").limits(SHORT).start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.frames().await;
    client.head(1, END_STREAM, &stage.pseudo("/slow")).await;
    let mut slow = conversations.next().await;
    slow.expect_head().await;
    client.head(3, END_STREAM, &stage.pseudo("/_vestibule/signed_out")).await;
    assert_eq!(client.outcome(3).await, Outcome::Status(200));
    // Whoever came later and rests is gone by now; twice, so that the time has passed in any case.
    for _ in 0..2 {
        stage.frames().await.until_closed().await;
    }
    slow.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow").await;
    assert_eq!(client.outcome(1).await, Outcome::Status(200));
}

#[tokio::test]
async fn what_is_under_way_at_the_end_is_finished_and_nothing_new_is_begun() {
    let stage = Stage::builder().public("/**").server("drain_delay = \"0s\"\ndrain_timeout = \"1h\"").start().await;
    let mut conversations = stage.upstream.by_hand();
    let (mut busy, mut resting, mut silent) = (stage.http2().await, stage.frames().await, stage.raw_frames().await);
    busy.ready().await;
    let request = stage.http2_get("/slow").body(()).expect("a request");
    let (answer, _) = busy.sender.send_request(request, true).expect("a stream");
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    resting.head(1, END_STREAM, &stage.pseudo("/_vestibule/signed_out")).await;
    assert_eq!(resting.outcome(1).await, Outcome::Status(200));

    stage.door.running().shut_down();
    silent.until_closed().await;
    let goaway = loop {
        let frame = resting.next().await.expect("GOAWAY comes first");
        match frame.kind {
            GOAWAY => break frame,
            // The end of its answer.
            _ => assert_eq!(frame.stream, 1),
        }
    };
    assert_eq!(goaway.payload[4..8], NO_ERROR.to_be_bytes());
    let ping = resting.next().await.expect("and a PING, to know when it has been heard");
    assert_eq!(ping.kind, PING);
    resting.send(PING, 0x1, 0, &ping.payload).await;
    assert_eq!(resting.until_closed().await, Some(NO_ERROR));

    conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow").await;
    let answer = patiently("an answer", answer).await.expect("an answer");
    let (body, _) = crate::harness::http2::whole(answer.into_body()).await.expect("a whole answer");
    assert_eq!(body, b"slow");
    patiently("the end", stage.door.running().stopped()).await;
}
