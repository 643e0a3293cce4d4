//! What becomes of a body that nobody asked for, nobody read, or nobody waited for (threats 69, 70, 77 and 78).

use super::{App, Row, Then, judge};
use crate::{
    demo::provider::people::ADA,
    harness::{Request, Stage},
};

#[tokio::test]
async fn cve_2020_35863_a_body_belongs_to_its_request_whatever_the_method() {
    let mut rows = Vec::new();
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "PATCH", "PUT", "PROPFIND"] {
        let inside = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
        let length = inside.len();
        let sent = format!("{method} /N/first HTTP/1.1\r\nHost: HOST\r\nContent-Length: {length}\r\n\r\n{inside}");
        let seen = format!("{method} /N/first\ncontent-length: {length}\n\n{inside}");
        rows.push(Row::passed("CVE-2020-35863", sent, Then::Open, &seen));
        let chunks = format!("{length:x}\r\n{inside}\r\n0\r\n\r\n");
        let sent = format!("{method} /N/first HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        let seen = format!("{method} /N/first\ntransfer-encoding: chunked\n\n{inside}");
        rows.push(Row::passed("CVE-2020-35863", sent, Then::Open, &seen));
        let sent = format!("{method} /N/first HTTP/1.1\r\nHost: HOST\r\n\r\n");
        rows.push(Row::passed("CVE-2020-35863", sent, Then::Open, &format!("{method} /N/first\n\n")));
    }
    judge(rows).await;
}

#[tokio::test]
async fn threat_70_what_is_expected_is_said_in_one_way() {
    let post = |fields: &str| format!("POST /N/first HTTP/1.1\r\nHost: HOST\r\n{fields}\r\nContent-Length: 5\r\n\r\n");
    let mut rows = Vec::new();
    for fields in [
        "Expect: y 100-continue",
        "Expect: x=100-continue",
        "Expect: 100-continue, x",
        "Expect: 100-continue,",
        "Expect: \"100-continue\"",
        "Expect: 100-continue;",
        "Expect: 100-continu",
        "Expect: 200-ok",
        "Expect:",
        "Expect: 100-continue\r\nExpect: x",
        "Expect: x\r\nExpect: 100-continue",
    ] {
        rows.push(Row::refused("70", post(fields) + "helloNEXT").answered(&[417]));
    }
    for fields in ["Expect : 100-continue", "Expect: 100-continue\r\n x", "Expect: 100-continue\u{b}"] {
        rows.push(Row::refused("70", post(fields) + "helloNEXT"));
    }
    for value in ["100-continue", "100-CONTINUE", " 100-continue\t"] {
        let row = Row::passed(
            "70",
            post(&format!("Expect:{value}")) + "hello",
            Then::Open,
            "POST /N/first\ncontent-length: 5\n\nhello",
        );
        rows.push(row.answered(&[100, 200]));
    }
    // Nothing is waited for where no body comes.
    let sent = "GET /N/first HTTP/1.1\r\nHost: HOST\r\nExpect: 100-continue\r\n\r\n";
    rows.push(Row::passed("70", sent, Then::Open, "GET /N/first\n\n"));
    judge(rows).await;
}

#[tokio::test]
async fn threat_69_cve_2025_4366_a_body_that_nobody_read_is_no_request() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let app = App::start(&stage);
    let host = stage.authority().to_owned();
    let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n");
    let length = smuggled.len();
    for (method, path, fields, body) in [
        ("GET", "/_vestibule/signed_out", format!("Content-Length: {length}"), smuggled.clone()),
        ("GET", "/_vestibule/nothing", format!("Content-Length: {length}"), smuggled.clone()),
        ("GET", "/_vestibule/static/vestibule.css", format!("Content-Length: {length}"), smuggled.clone()),
        ("GET", "/_vestibule/callback?code=x&state=y", format!("Content-Length: {length}"), smuggled.clone()),
        ("POST", "/page", format!("Content-Length: {length}"), smuggled.clone()), // 401
        ("PUT", "/%00", format!("Content-Length: {length}"), smuggled.clone()),   // 400
        ("POST", "/page", "Transfer-Encoding: chunked".to_owned(), format!("{length:x}\r\n{smuggled}\r\n0\r\n\r\n")),
        ("POST", "/page", "Transfer-Encoding: chunked".to_owned(), format!("0\r\n{smuggled}")), // as trailers
        ("POST", "/page", "Content-Length: 1000000".to_owned(), smuggled.clone()),
    ] {
        let mut client = stage.connect().await;
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n\r\n{body}")).await;
        let first = client.response().await.expect("an answer");
        assert!(first.status < 500, "{path}: {first:?}");
        // The connection goes on after the body or not at all; the body itself never runs.
        let last = Request::get("/last").headers(&[("Cookie", &cookie), ("Connection", "close")]).to_host(&host);
        client.wire.write(last.bytes()).await.ok();
        client.until_closed().await;
    }
    let record = app.record(stage).await;
    assert!(record.requests.iter().all(|request| request.target == "/last"), "{record:?}");
    assert!(record.broken_off.is_empty(), "{record:?}");
}

#[tokio::test]
async fn threat_77_each_pipelined_request_is_judged_by_itself() {
    let stage = Stage::builder().public("/public/**").start().await;
    let cookie = stage.sign_in(&ADA).await;
    let app = App::start(&stage);
    let mut client = stage.connect().await;
    let request =
        |path: &str, fields: &[(&str, &str)]| Request::get(path).headers(fields).to_host(stage.authority()).bytes();
    let mut bytes = request("/public/a", &[]);
    bytes.extend(request("/secret", &[]));
    bytes.extend(request("/secret/mine", &[("Cookie", &cookie)]));
    bytes.extend(request("/secret/again", &[]));
    bytes.extend(request("/public/../secret", &[]));
    client.send(bytes).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(client.response().await.expect("an answer").status);
    }
    assert_eq!(statuses, [200, 401, 200, 401, 401]);
    let record = app.record(stage).await;
    let seen: Vec<_> = record.requests.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(seen, ["/public/a", "/secret/mine"]);
}

#[tokio::test]
async fn threat_78_the_rest_of_a_body_that_was_answered_early_is_no_request() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let rest = format!("GET /smuggled HTTP/1.1\r\nHost: {}\r\n\r\n", stage.authority());
    let begun = "beginning\n";
    let framings = [
        (format!("Content-Length: {}", begun.len() + rest.len()), begun.to_owned(), rest.clone()),
        (
            "Transfer-Encoding: chunked".to_owned(),
            format!("{:x}\r\n{begun}\r\n", begun.len()),
            format!("{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len()),
        ),
    ];
    for (framing, first, second) in framings {
        let mut client = stage.connect().await;
        client.send(format!("POST /first HTTP/1.1\r\nHost: {}\r\n{framing}\r\n\r\n{first}", stage.authority())).await;
        let mut conversation = conversations.next().await;
        conversation.expect_head().await;
        conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly").await;
        assert_eq!(client.response().await.expect("an answer").text(), "early");
        // Whoever is still sending may be cut, or read to the end; the rest never runs.
        client.wire.write(&second).await.ok();
        client.wire.finish().await.ok();
        client.until_closed().await;
        let heard = conversation.until_closed().await;
        let heard = String::from_utf8_lossy(&heard).into_owned();
        let body: String = heard.split("\r\n").filter(|line| usize::from_str_radix(line, 16).is_err()).collect();
        let whole = format!("{begun}{rest}").replace("\r\n", "");
        assert!(whole.starts_with(&body), "only of the body, whole or not, may be heard: {heard:?}");
    }
    let heads = stage.upstream.take();
    assert!(heads.iter().all(|request| request.target() == "/first"), "{heads:?}");
}
