//! HTTP/2 from visitors (RFC 9113): the upstream must see what it would have seen over HTTP/1.1.

use http::Request as Http2Request;
use tokio::process::Command;

use crate::{
    demo::provider::people::ADA,
    harness::{
        Recorded, Request, Stage,
        client::connect_tls,
        http2::{END_STREAM, Http2Client, Outcome, PROTOCOL_ERROR, SETTINGS, tls},
        patiently,
        pki::Authority,
        upstream::Answer,
    },
};

mod bodies;
mod floods;
mod life;
mod malformed;

#[tokio::test]
async fn tls_negotiates_http_2_and_everybody_else_speaks_http_1_1() {
    let authority = Authority::new();
    let identity = authority.issue("wiki.test");
    let stage = Stage::builder()
        .public_host("wiki.test")
        .tls(&identity.lines(), authority.root.clone())
        .public("/**")
        .start()
        .await;
    for (offered, spoken) in [
        (&["h2", "http/1.1"][..], "h2"),
        (&["http/1.1", "h2"], "h2"), // the server chooses (RFC 7301 §3.2)
        (&["h2"], "h2"),
        (&["http/1.1"], "http/1.1"),
    ] {
        let stream = tls(stage.door_address(), "wiki.test", &authority.root, offered).await;
        let negotiated = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(negotiated.as_deref(), Some(spoken.as_bytes()), "{offered:?}");
        if spoken == "h2" {
            let mut client = Http2Client::over(stream).await;
            for _ in 0..2 {
                let answer = client.exchange(stage.http2_get("/page?a=%zz").body(()).expect("a request")).await;
                assert_eq!((answer.status, answer.body.as_slice()), (200, &b"hello from the app"[..]));
                let seen = stage.upstream.only();
                assert_eq!(seen.head.start, "GET /page?a=%zz HTTP/1.1");
                assert_eq!(seen.headers("host"), [stage.authority()]);
                assert_eq!(seen.headers("x-forwarded-proto"), ["https"]);
            }
        }
    }
    let (mut client, _) = connect_tls(stage.door_address(), "wiki.test", &authority.root).await.expect("a handshake");
    let answer = client.exchange(&Request::get("/page").to_host(stage.authority())).await;
    assert_eq!((answer.status, answer.head.start.as_str()), (200, "HTTP/1.1 200 OK"), "nothing offered");
    // Over TLS the preface is no way in (RFC 9113 §3.2): HTTP/1.1 was agreed upon.
    let (mut client, _) = connect_tls(stage.door_address(), "wiki.test", &authority.root).await.expect("a handshake");
    client.send(crate::harness::http2::PREFACE).await;
    assert!(!client.until_closed().await.starts_with(&[0, 0]), "no SETTINGS");
    assert_eq!(stage.upstream.take().len(), 1);
}

#[tokio::test]
async fn in_the_clear_the_preface_is_recognised_even_in_pieces() {
    let stage = Stage::builder().public("/**").start().await;
    let mut client = stage.http2().await;
    let answer = client.exchange(stage.http2_get("/page").body(()).expect("a request")).await;
    assert_eq!((answer.status, stage.upstream.only().target()), (200, "/page"));

    let mut pieces = stage.raw_frames().await;
    for byte in crate::harness::http2::PREFACE {
        pieces.send_raw([*byte]).await;
        tokio::task::yield_now().await;
    }
    pieces.send(SETTINGS, 0, 0, b"").await;
    pieces.head(1, END_STREAM, &stage.pseudo("/in-pieces")).await;
    assert_eq!((pieces.outcome(1).await, stage.upstream.only().target()), (Outcome::Status(200), "/in-pieces"));

    // And so is everything that is not it.
    for (first, rest) in [("P", "OST /p HTTP/1.1\r\n"), ("PR", "OPFIND /p HTTP/1.1\r\n"), ("G", "ET /p HTTP/1.1\r\n")] {
        let mut client = stage.connect().await;
        client.send(first).await;
        tokio::task::yield_now().await;
        client.send(format!("{rest}Host: {}\r\nContent-Length: 0\r\n\r\n", stage.authority())).await;
        assert_eq!(client.response().await.expect("an answer").status, 200, "{first}{rest}");
        assert_eq!(stage.upstream.only().target(), "/p");
    }
}

/// A head as the upstream saw it, without what is another for each request.
fn comparable(request: &Recorded) -> Vec<(String, String)> {
    let mut fields: Vec<_> = request
        .head
        .fields
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| name != "x-request-id")
        .collect();
    fields.push((request.head.start.clone(), String::from_utf8_lossy(&request.body).into_owned()));
    fields.sort();
    fields
}

#[tokio::test]
async fn the_upstream_sees_the_same_head_whatever_the_visitor_speaks() {
    let stage = Stage::builder().start().await;
    let session = stage.sign_in(&ADA).await;
    let fields = [
        ("accept", "text/html"),
        ("x-forwarded-user", "mallory"),
        ("x_forwarded_user", "mallory"),
        ("x-forwarded-for", "192.0.2.66"),
        ("forwarded", "for=192.0.2.66"),
        ("x-real-ip", "192.0.2.66"),
        ("authorization", "Basic YXBwOmFwcA=="),
        ("x-empty", ""),
        ("x-utf-8", "\u{c3}\u{a4}"),
    ];
    let cookies = format!("a=1; {session}; b=2");
    let over_http_1 = stage.send(Request::get("/page//./x?y=%zz&&").headers(&fields).header("cookie", &cookies)).await;
    let expected = comparable(&stage.upstream.only());

    let mut client = stage.frames().await;
    let mut head = stage.pseudo("/page//./x?y=%zz&&");
    head.extend(fields);
    // One crumb for each cookie (RFC 9113 §8.2.3), as browsers do.
    head.extend(["a=1", &session, "b=2"].map(|crumb| ("cookie", crumb)));
    client.head(1, END_STREAM, &head).await;
    assert_eq!(client.outcome(1).await, Outcome::Status(over_http_1.status));
    let seen = stage.upstream.only();
    assert_eq!(comparable(&seen), expected);
    assert_eq!((seen.headers("x-forwarded-user"), seen.headers("cookie")), (vec!["ada"], vec!["a=1; b=2"]));
}

#[tokio::test]
async fn threat_51_cookie_crumbs_are_one_field_before_they_are_judged() {
    let stage = Stage::builder().start().await;
    let session = stage.sign_in(&ADA).await;
    let mut client = stage.http2().await;
    for (crumbs, status, upstream) in [
        (vec![session.as_str()], 200, Some(vec![])),
        (vec!["a=1", &session, "b=2; c=3"], 200, Some(vec!["a=1; b=2; c=3"])),
        (vec!["a=1", "b=2"], 401, None),
        (vec![&session, "vestibule=stolen"], 401, None), // a second value: nobody knows who planted it
    ] {
        let mut request = stage.http2_get("/page");
        for crumb in &crumbs {
            request = request.header("cookie", *crumb);
        }
        let answer = client.exchange(request.body(()).expect("a request")).await;
        assert_eq!(answer.status, status, "{crumbs:?}");
        let seen: Vec<_> = stage.upstream.take();
        assert_eq!(seen.len(), usize::from(upstream.is_some()), "{crumbs:?}");
        if let (Some(seen), Some(expected)) = (seen.first(), upstream) {
            assert_eq!(seen.headers("cookie"), expected, "{crumbs:?}");
        }
    }
}

#[tokio::test]
async fn what_vestibule_answers_itself_is_the_same_as_over_http_1_1() {
    let stage = Stage::builder().start().await;
    let mut client = stage.http2().await;
    let navigation = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("accept", "text/html")];
    for (path, fields, status) in [
        ("/page", &navigation[..], 302),
        ("/page", &[], 401),
        ("/_vestibule/signed_out", &navigation, 200),
        ("/_vestibule/nothing", &[], 404),
        ("/%00", &[], 400),
    ] {
        let over_http_1 = stage.send(Request::get(path).headers(fields)).await;
        let mut request = stage.http2_get(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let answer = client.exchange(request.body(()).expect("a request")).await;
        assert_eq!((over_http_1.status, answer.status), (status, status), "{path} {fields:?}");
        for name in ["content-type", "cache-control", "www-authenticate", "content-security-policy"] {
            let own = answer.header(name).map(|value| value.split("nonce").next().unwrap_or_default());
            assert_eq!(
                own,
                over_http_1.header(name).map(|v| v.split("nonce").next().unwrap_or_default()),
                "{path}: {name}"
            );
        }
        assert_eq!(answer.header("connection"), None, "{path}");
    }
    assert_eq!(stage.upstream.take().len(), 0);
}

#[tokio::test]
async fn fields_of_the_upstreams_connection_never_reach_an_http_2_visitor() {
    let stage = Stage::builder().public("/**").start().await;
    stage.upstream.answer(|_| {
        let fields = "Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\n\
                      Upgrade: h2c\r\nX-Stays: 1\r\nTE: gzip\r\n";
        Answer::with("200 OK", fields, "ok")
    });
    let mut client = stage.http2().await;
    let answer = client.exchange(stage.http2_get("/page").body(()).expect("a request")).await;
    let mut names: Vec<_> = answer.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "date", "x-stays"]);
    stage.upstream.answer(|_| {
        Answer::Keep(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_vec())
    });
    let answer = client.exchange(stage.http2_get("/page").body(()).expect("a request")).await;
    assert_eq!((answer.header("transfer-encoding"), answer.body.as_slice()), (None, &b"ok"[..]));
    // An upstream that switches protocols though nobody could have asked for that.
    stage.upstream.answer(|_| Answer::Echo);
    assert_eq!(client.exchange(stage.http2_get("/page").body(()).expect("a request")).await.status, 502);
}

#[tokio::test]
async fn many_requests_share_a_connection_and_each_is_judged_by_itself() {
    let stage = Stage::builder().public("/public/**").start().await;
    let session = stage.sign_in(&ADA).await;
    let mut client = stage.http2().await;
    let mut answers = Vec::new();
    for n in 0..60 {
        client.ready().await;
        let path = if n % 3 == 0 { format!("/public/{n}") } else { format!("/secret/{n}") };
        let mut request = stage.http2_get(&path);
        if n % 3 == 1 {
            request = request.header("cookie", &session);
        }
        answers.push(client.sender.send_request(request.body(()).expect("a request"), true).expect("a stream").0);
    }
    for (n, answer) in answers.into_iter().enumerate() {
        let status = patiently("an answer", answer).await.expect("an answer").status().as_u16();
        assert_eq!(status, if n % 3 == 2 { 401 } else { 200 }, "{n}");
    }
    let seen = stage.upstream.take();
    assert_eq!(seen.len(), 40);
    for request in seen {
        let mine = request.target().starts_with("/secret");
        assert_eq!(request.header("x-forwarded-user"), mine.then_some("ada"), "{request:?}");
    }
}

#[tokio::test]
async fn threat_61_there_is_no_tunnel_and_no_web_socket_over_http_2() {
    let stage = Stage::builder().public("/**").start().await;
    let mut client = stage.frames().await;
    let settings = patiently("SETTINGS", client.read()).await.expect("they come first");
    assert_eq!(settings.kind, SETTINGS);
    let announced: Vec<_> =
        settings.payload.chunks(6).map(|setting| u16::from_be_bytes([setting[0], setting[1]])).collect();
    assert!(!announced.contains(&0x8), "SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §3): {announced:?}");
    client.head(1, 0, &[(":method", "CONNECT"), (":authority", stage.authority())]).await;
    assert_eq!(client.outcome(1).await, Outcome::Status(405));
    let mut extended = stage.pseudo("/socket");
    extended[0] = (":method", "CONNECT");
    extended.push((":protocol", "websocket"));
    client.head(3, 0, &extended).await;
    assert_eq!(client.outcome(3).await, Outcome::Reset(PROTOCOL_ERROR));
    assert_eq!(stage.upstream.take().len(), 0);
}

#[tokio::test]
async fn access_lines_name_the_protocol() {
    let stage = Stage::builder().public("/**").start().await;
    let mut client = stage.http2().await;
    let request = Http2Request::post(stage.url("/page")).body(()).expect("a request");
    assert_eq!(client.exchange(request).await.status, 200);
    let line = stage.door.access_line("a line", |line| (line["path"] == "/page").then(|| line.clone())).await;
    assert_eq!((line["protocol"].as_str(), line["status"].as_u64()), (Some("HTTP/2.0"), Some(200)), "{line}");
}

#[tokio::test]
async fn curl_speaks_http_2_with_the_program_by_prior_knowledge_and_over_tls() {
    let authority = Authority::new();
    let identity = authority.issue("wiki.test");
    let clear = Stage::builder().public("/**").start_binary().await;
    let over_tls = Stage::builder()
        .public_host("wiki.test")
        .tls(&identity.lines(), authority.root.clone())
        .public("/**")
        .start_binary()
        .await;
    let body = "x".repeat(300_000);
    for (stage, arguments, version) in [
        (&clear, vec!["--http2-prior-knowledge".to_owned()], "2"),
        (&clear, vec!["--http2".to_owned()], "1.1"), // asks for `Upgrade: h2c` (threat 76)
        (
            &over_tls,
            vec![
                "--http2".to_owned(),
                "--cacert".to_owned(),
                authority.file().display().to_string(),
                "--resolve".to_owned(),
                format!("{}:127.0.0.1", over_tls.authority()),
            ],
            "2",
        ),
    ] {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "15", "--write-out", "%{http_version} %{http_code}"]);
        curl.args(["--data-binary", "@-"]).args(&arguments).arg(stage.url("/form"));
        let answer = patiently("curl", with_input(curl, &body)).await;
        assert_eq!(answer, format!("hello from the app{version} 200"), "{arguments:?}");
        let seen = stage.upstream.only();
        assert_eq!((seen.method(), seen.body.len(), seen.header("upgrade")), ("POST", body.len(), None));
    }
}

async fn with_input(mut command: Command, input: &str) -> String {
    use tokio::io::AsyncWriteExt;
    let piped = std::process::Stdio::piped;
    command.stdin(piped()).stdout(piped()).stderr(piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("curl is installed");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).await.expect("curl reads what it sends");
    drop(stdin);
    let output = child.wait_with_output().await.expect("curl ends");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
