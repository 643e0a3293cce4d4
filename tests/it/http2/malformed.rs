//! What breaks the rules of RFC 9113: the stream or the connection ends, and nothing reaches the upstream.
//!
//! Most of it the `h2` crate refuses; these rows hold it to that. `/first` may never arrive.

use crate::harness::{
    Recorded, Stage,
    http2::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Outcome, PING, PRIORITY, PROTOCOL_ERROR,
        RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame,
    },
    patiently,
};

/// What a row expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// The stream is reset, whatever for.
    Stream,
    /// An answer with this status.
    With(u16),
}

#[tokio::test]
async fn heads_that_http_2_does_not_allow_or_that_name_no_one_host_are_refused() {
    use Refused::{Stream, With};
    let stage = Stage::builder().public("/**").start().await;
    let authority = stage.authority().to_owned();
    let usual = [(":method", "GET"), (":scheme", "http"), (":authority", &*authority), (":path", "/first")];
    let with = |field: (&'static str, &'static str)| usual.iter().copied().chain([field]).collect::<Vec<_>>();
    let without = |name: &str| usual.iter().copied().filter(|(n, _)| *n != name).collect::<Vec<_>>();
    let other = |name: &str, value: &'static str| {
        usual.iter().map(|(n, v)| (*n, if *n == name { value } else { *v })).collect::<Vec<_>>()
    };
    let mut counted = 0;
    for (what, head, refused) in [
        // §8.2.2 (threat 75)
        ("connection", with(("connection", "close")), Stream),
        ("connection", with(("connection", "x-forwarded-user")), Stream),
        ("keep-alive", with(("keep-alive", "timeout=5")), Stream),
        ("proxy-connection", with(("proxy-connection", "close")), Stream),
        ("transfer-encoding", with(("transfer-encoding", "chunked")), Stream),
        ("transfer-encoding", with(("transfer-encoding", "identity")), Stream),
        ("upgrade", with(("upgrade", "websocket")), Stream),
        ("te", with(("te", "gzip")), Stream),
        ("te", with(("te", "trailers, gzip")), Stream),
        // §8.2 and §8.2.1
        ("upper case", with(("X-Upper", "1")), Stream),
        ("a space in a name", with(("x a", "1")), Stream),
        ("a colon in a name", with(("x:a", "1")), Stream),
        ("an empty name", with(("", "1")), Stream),
        ("CR LF in a value", with(("x", "1\r\nhost: evil.example")), Stream), // threat 75
        ("LF in a value", with(("x", "1\nx-forwarded-user: mallory")), Stream),
        ("NUL in a value", with(("x", "1\0")), Stream),
        ("CR LF in a name", with(("x\r\nhost", "evil.example")), Stream),
        // §8.3
        ("unknown pseudo-header", with((":unknown", "1")), Stream),
        ("that of an answer", with((":status", "200")), Stream),
        ("twice", with((":path", "/second")), Stream),
        ("twice", with((":method", "POST")), Stream),
        ("twice", with((":authority", "evil.example")), Stream),
        ("late", [&[("x", "1")], &usual[..]].concat(), Stream),
        ("late", [&usual[..3], &[("x", "1"), (":path", "/first")]].concat(), Stream),
        ("no method", without(":method"), Stream),
        ("no scheme", without(":scheme"), Stream),
        ("no path", without(":path"), Stream),
        ("an empty path", other(":path", ""), Stream),
        ("an empty authority", other(":authority", ""), Stream),
        ("an empty method", other(":method", ""), Stream),
        ("a method with a space", other(":method", "GET /first"), Stream),
        ("a path with a space", other(":path", "/first HTTP/1.1"), Stream), // threat 75
        ("a path with CR LF", other(":path", "/first\r\nhost: evil.example"), Stream),
        ("an authority with CR LF", other(":authority", "evil.example\r\nx: y"), Stream),
        ("a protocol for another method", with((":protocol", "websocket")), Stream),
        // §8.3.1
        ("no host", without(":authority"), With(400)),
        ("two hosts", with(("host", "evil.example")), With(400)), // threat 62
        ("two hosts", with(("host", "")), With(400)),
        ("nobody's host", other(":authority", "evil.example"), With(421)),
        ("a user", other(":authority", "wiki@127.0.0.1"), With(400)),
        ("a dot at the end", other(":authority", "127.0.0.1."), With(400)),
        ("another scheme", other(":scheme", "ftp"), With(400)),
        ("a URL for a path", other(":path", "http://evil.example/first"), With(400)),
        ("a path without a slash", other(":path", "first"), With(400)),
        ("only a query", other(":path", "?first"), With(400)),
        ("an asterisk", other(":path", "*"), With(400)),
        ("TRACE", other(":method", "TRACE"), With(405)),
        // §8.1.1
        ("a length without a body", with(("content-length", "5")), Stream),
        ("two lengths", [with(("content-length", "0")), vec![("content-length", "5")]].concat(), Stream),
        ("a length that is none", with(("content-length", "+0")), Stream),
        ("a length that is none", with(("content-length", "0x0")), Stream),
        ("a length that is none", with(("content-length", "")), With(400)), // h2 takes it for 0
    ] {
        let mut client = stage.frames().await;
        client.head(1, END_STREAM, &head).await;
        let outcome = client.outcome(1).await;
        match refused {
            // A head that cannot even be read ends the connection, as it must (§4.3).
            Stream => {
                assert!(matches!(outcome, Outcome::Reset(_) | Outcome::GoAway(_)), "{what} {head:?}: {outcome:?}");
            }
            With(status) if what == "a path without a slash" || what == "a URL for a path" => {
                // Some versions of the `http` crate already take it for no path.
                let answered = [Outcome::Status(status), Outcome::Reset(PROTOCOL_ERROR)];
                assert!(answered.contains(&outcome), "{what} {head:?}: {outcome:?}");
            }
            With(status) => assert_eq!(outcome, Outcome::Status(status), "{what} {head:?}"),
        }
        let seen = stage.upstream.take();
        assert!(seen.is_empty(), "{what} {head:?}: {seen:?}");
        counted += u32::from(!matches!(outcome, Outcome::Status(_)));
    }
    // Each is counted when its connection ends, or before.
    let refused = format!("vestibule_refusals_total{{app=\"\",reason=\"unparsable\"}} {counted}");
    patiently("the count", async { while !stage.metrics().await.lines().any(|line| line == refused) {} }).await;
}

#[tokio::test]
async fn hosts_that_agree_are_one_host() {
    let stage = Stage::builder().public("/**").start().await;
    let mut client = stage.frames().await;
    let authority = stage.authority();
    for (stream, hosts) in [(1, &["host"][..]), (3, &[":authority"]), (5, &[":authority", "host"])] {
        let mut head = vec![(":method", "GET"), (":scheme", "http"), (":path", "/page")];
        head.extend(hosts.iter().map(|name| (*name, authority)));
        client.head(stream, END_STREAM, &head).await;
        assert_eq!(client.outcome(stream).await, Outcome::Status(200), "{hosts:?}");
        assert_eq!(stage.upstream.only().headers("host"), [authority], "{hosts:?}");
    }
}

#[tokio::test]
async fn threat_75_a_body_of_another_length_than_its_head_says_is_no_request_and_never_two() {
    let stage = Stage::builder().public("/**").start().await;
    for (length, data) in
        [("5", "hello and GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"), ("50", "hello"), ("0", "hello")]
    {
        let mut client = stage.frames().await;
        let mut head = stage.pseudo("/first");
        head[0] = (":method", "POST");
        head.push(("content-length", length));
        client.head(1, 0, &head).await;
        client.send(DATA, END_STREAM, 1, data.as_bytes()).await;
        let outcome = client.outcome(1).await;
        assert!(matches!(outcome, Outcome::Reset(_)), "{length}: {outcome:?}");
        // The connection stands; what is asked on it now comes after anything that could have gone up before.
        client.head(3, END_STREAM, &stage.pseudo("/last")).await;
        while !matches!(client.outcome(3).await, Outcome::Status(_)) {}
        let seen = stage.upstream.take();
        let targets: Vec<_> = seen.iter().map(Recorded::target).filter(|target| *target != "/first").collect();
        assert_eq!(targets, ["/last"], "{length}: {seen:?}");
        for first in seen.iter().filter(|request| request.target() == "/first") {
            assert!(first.body.len() <= 5, "{length}: {first:?}");
        }
    }
}

#[tokio::test]
async fn frames_where_they_do_not_belong_end_the_connection() {
    let stage = Stage::builder().public("/**").start().await;
    let head = block(&stage.pseudo("/first"));
    for (what, frames) in [
        ("DATA on no stream (§6.1)", frame(DATA, 0, 0, b"x")),
        ("DATA on an idle stream (§5.1)", frame(DATA, 0, 1, b"x")),
        ("HEADERS on no stream (§6.2)", frame(HEADERS, END_HEADERS, 0, &head)),
        ("HEADERS on a stream of the server's (§5.1.1)", frame(HEADERS, END_HEADERS | END_STREAM, 2, &head)),
        ("RST_STREAM on an idle stream (§6.4)", frame(RST_STREAM, 0, 1, &[0; 4])),
        ("RST_STREAM of another length (§6.4)", frame(RST_STREAM, 0, 1, &[0; 3])),
        ("SETTINGS on a stream (§6.5)", frame(SETTINGS, 0, 1, b"")),
        ("SETTINGS of another length (§6.5)", frame(SETTINGS, 0, 0, &[0; 5])),
        ("an initial window beyond 2^31-1 (§6.5.2)", frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])),
        ("PING on a stream (§6.7)", frame(PING, 0, 1, &[0; 8])),
        ("PING of another length (§6.7)", frame(PING, 0, 0, &[0; 7])),
        ("GOAWAY on a stream (§6.8)", frame(GOAWAY, 0, 1, &[0; 8])),
        ("WINDOW_UPDATE by nothing (§6.9)", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("WINDOW_UPDATE on an idle stream (§5.1)", frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])),
        ("a window beyond 2^31-1 (§6.9.1)", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])),
        ("CONTINUATION of nothing (§6.10)", frame(CONTINUATION, END_HEADERS, 1, &head)),
        ("a frame within a head (§6.10)", [frame(HEADERS, 0, 1, &head), frame(PING, 0, 0, &[0; 8])].concat()),
        ("a head within a head (§6.10)", [frame(HEADERS, 0, 1, &head), frame(HEADERS, END_HEADERS, 3, &head)].concat()),
        ("a frame of more than 16,384 bytes (§4.2)", frame(HEADERS, END_HEADERS, 1, &vec![0; 16_385])),
        ("compression of nothing (§4.3)", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff; 8])),
        (
            "a table beyond its size (RFC 7541 §6.3)",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x3f, 0xe1, 0xff, 0x03]),
        ),
        ("PUSH_PROMISE of a client (§8.4)", frame(0x5, END_HEADERS, 1, &[&[0, 0, 0, 2], &head[..]].concat())),
        ("priority of a stream over itself (§5.3.1)", frame(PRIORITY, 0, 0, &[0; 5])),
    ] {
        let mut client = stage.frames().await;
        client.send_raw(frames).await;
        let code = client.until_closed().await;
        assert!(code.is_some_and(|code| code != 0), "{what}: {code:?}");
        let seen = stage.upstream.take();
        assert!(seen.is_empty(), "{what}: {seen:?}");
    }
    let mut client = stage.raw_frames().await;
    client.send_raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.until_closed().await;
    assert_eq!(stage.upstream.take().len(), 0, "a preface without SETTINGS");
}
