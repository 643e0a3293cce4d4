//! What is a head, and for whom? (threats 60 to 62, 64 and 72; RFC 9112 §§2 to 5)

use super::{Row, Then, judge};

/// A GET with these fields besides `Host`.
fn get(fields: &str) -> String {
    format!("GET /N/first HTTP/1.1\r\nHost: HOST\r\n{fields}\r\n\r\n")
}

#[tokio::test]
async fn threat_72_lines_end_in_cr_lf_and_fields_are_name_colon_value() {
    let mut rows = Vec::new();
    for fields in [
        "X: a\r\n folded",
        "X: a\r\n\tfolded",
        "X:\r\n folded",
        " X: a",
        "\tX: a",
        "X : a",
        "X\t: a",
        "X\u{b}: a",
        "X\r: a",
        "X\n: a",
        "X\0: a",
        "X: a\0b",
        "X: a\0",
        "X: \0",
        "X: a\rb",
        "X: a\r",
        "X: a\r\r",
        "X: \u{7f}",
        "X: a\u{1b}[31m",
        "X: a\u{8}",
        ": a",
        "no colon",
        "X",
        "X y: a",
        "X\u{e9}: a",
        "X(y): a",
        "X[]: a",
        "X@y: a",
        "\"X\": a",
        "X/y: a",
        "X,Y: a",
        "{X}: a",
        "GET /N/smuggled HTTP/1.1",
        "GET /N/smuggled HTTP/1.1\r\nX: y",
    ] {
        rows.push(Row::refused("72", get(fields) + "NEXT"));
    }
    for (sent, seen) in [
        ("X:a", "x: a"),
        ("X: \t a b\t ", "x: a b"),
        ("X:", "x: "),
        ("X: a: b", "x: a: b"),
        ("q!#$%&'*+-.^`|~: \u{e9}\u{80}", "q!#$%&'*+-.^`|~: \u{e9}\u{80}"),
    ] {
        rows.push(Row::passed("72", get(sent), Then::Open, &format!("GET /N/first\n{seen}\n\n")));
    }
    judge(rows).await;
}

#[tokio::test]
async fn threat_72_a_line_feed_alone_ends_no_line() {
    // RFC 9112 §2.2 lets a recipient take one for a line's end. A proxy in front that does not
    // sees a value where we would see the end of the head, and a request of somebody's behind it.
    let mut rows = Vec::new();
    for sent in [
        "GET /N/first HTTP/1.1\nHost: HOST\n\n",
        "GET /N/first HTTP/1.1\nHost: HOST\r\n\r\n",
        "GET /N/first HTTP/1.1\r\nHost: HOST\n\r\n",
        "GET /N/first HTTP/1.1\r\nHost: HOST\r\n\n",
        "GET /N/first HTTP/1.1\r\nHost: HOST\nX: y\r\n\r\n",
        "GET /N/first HTTP/1.1\r\nHost: HOST\r\nX: a\n\nNEXT",
        "GET /N/first HTTP/1.1\r\nHost: HOST\r\nX: a\n\r\nNEXT",
        "GET /N/first HTTP/1.1\r\nX: a\nHost: HOST\r\n\r\n",
        "POST /N/first HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\n\nNEXT",
        "POST /N/first HTTP/1.1\r\nHost: HOST\r\nX: y\nContent-Length: 5\r\n\r\nhello",
        "POST /N/first HTTP/1.1\r\nHost: HOST\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nNEXT",
    ] {
        rows.push(Row::refused("72", sent));
    }
    // In a body it is a byte like any other, also where head and body come at once.
    for body in ["\n", "a\n\nb\n", "\r\n\r\n\n", "GET / HTTP/1.1\nHost: x\n\n"] {
        let length = body.len();
        let sent = format!("POST /N/first HTTP/1.1\r\nHost: HOST\r\nContent-Length: {length}\r\n\r\n{body}");
        rows.push(Row::passed("72", sent, Then::Open, &format!("POST /N/first\ncontent-length: {length}\n\n{body}")));
    }
    // An empty line before a request is left over from somebody's body (RFC 9112 §2.2).
    rows.push(Row::passed("72", format!("\r\n\r\n{}", get("X: y")), Then::Open, "GET /N/first\nx: y\n\n"));
    judge(rows).await;
}

#[tokio::test]
async fn threat_72_a_request_line_has_three_parts() {
    let mut rows = Vec::new();
    for line in [
        "GET  /N/first HTTP/1.1",
        "GET /N/first  HTTP/1.1",
        "GET\t/N/first HTTP/1.1",
        "GET /N/first\tHTTP/1.1",
        " GET /N/first HTTP/1.1",
        "GET /N/first HTTP/1.1 ",
        "GET /N/first HTTP/1.1 x",
        "GET /N/fi rst HTTP/1.1",
        "GET /N/first",
        "GET /N/first ",
        "GET HTTP/1.1",
        "/N/first HTTP/1.1",
        "GET /N/first HTTP/1.2",
        "GET /N/first HTTP/2.0",
        "GET /N/first HTTP/0.9",
        "GET /N/first HTTP/11.1",
        "GET /N/first HTTP/1.10",
        "GET /N/first HTTP/01.1",
        "GET /N/first HTTP/1,1",
        "GET /N/first HTTP/+1.1",
        "GET /N/first http/1.1",
        "GET /N/first Http/1.1",
        "GET /N/first HTTPS/1.1",
        "GET /N/first ICY/1.1",
        "GET /N/fi\0rst HTTP/1.1",
        "GET /N/fi\rrst HTTP/1.1",
        "GET /N/fi\u{7f}rst HTTP/1.1",
        "GET /N/fi\u{1}rst HTTP/1.1",
        "GET /N/f\u{e9} HTTP/1.1",
        "GET N/first HTTP/1.1",
        "G\0T /N/first HTTP/1.1",
        "G\rT /N/first HTTP/1.1",
        "G:T /N/first HTTP/1.1",
        "G\u{e9}T /N/first HTTP/1.1",
        "(GET) /N/first HTTP/1.1",
    ] {
        rows.push(Row::refused("72", format!("{line}\r\nHost: HOST\r\nContent-Length: 0\r\n\r\nNEXT")));
    }
    judge(rows).await;
}

#[tokio::test]
async fn threat_64_methods_are_spelled_in_capitals_and_two_are_not_served() {
    let mut rows = Vec::new();
    // To many frameworks a method is the same in any case; a rule for GET or POST would not see it.
    for method in ["get", "Get", "post", "gET", "propfind", "x", "G.T", "G+T", "G!T", "G|T", "G'T", "~", "%47ET", "*"] {
        rows.push(Row::refused("64", format!("{method} /N/first HTTP/1.1\r\nHost: HOST\r\n\r\nNEXT")));
    }
    for sent in [
        "TRACE /N/first HTTP/1.1\r\nHost: HOST\r\n\r\nNEXT",
        "TRACE /N/first HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\n\r\nhelloNEXT",
        "CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\nNEXT",
        "CONNECT /N/first HTTP/1.1\r\nHost: HOST\r\n\r\nNEXT",
    ] {
        rows.push(Row::refused("64", sent).answered(&[405]));
    }
    for method in ["PROPFIND", "M-SEARCH", "VERSION-CONTROL", "X_Y1"] {
        let sent = format!("{method} /N/first HTTP/1.1\r\nHost: HOST\r\n\r\n");
        rows.push(Row::passed("64", sent, Then::Open, &format!("{method} /N/first\n\n")));
    }
    judge(rows).await;
}

#[tokio::test]
async fn threats_60_to_62_one_target_for_one_host() {
    let mut rows = Vec::new();
    for (id, sent) in [
        ("62", "GET /N/first HTTP/1.1\r\n\r\n"),
        ("62", "GET /N/first HTTP/1.0\r\n\r\n"),
        ("62", "GET /N/first HTTP/1.1\r\nHost:\r\n\r\n"),
        ("62", "GET /N/first HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n"),
        ("62", "GET /N/first HTTP/1.1\r\nHost: HOST\r\nhost: evil.example\r\n\r\n"),
        ("62", "GET /N/first HTTP/1.1\r\nHost: evil.example\r\nHost: HOST\r\n\r\n"),
        ("62", "GET /N/first HTTP/1.1\r\nHost: HOST, evil.example\r\n\r\n"),
        ("62", "GET /N/first HTTP/1.1\r\nHost: HOST evil.example\r\n\r\n"),
        ("62", "GET /N/first HTTP/1.1\r\nHost: a@HOST\r\n\r\n"),
        ("62", "GET /N/first HTTP/1.1\r\nHost: HOST/x\r\n\r\n"),
        ("62", "GET /N/first HTTP/1.1\r\nHost: HOST#x\r\n\r\n"),
        ("62", "GET /N/first HTTP/1.1\r\nHost : HOST\r\n\r\n"),
        ("60", "GET http://evil.example/N/first HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ("60", "GET http://HOST/N/first HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
        ("60", "GET http://HOST/N/first HTTP/1.1\r\n\r\n"),
        ("60", "GET http://a@HOST/N/first HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ("60", "GET http:///N/first HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ("61", "GET ftp://HOST/N/first HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ("61", "GET HOST HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ("61", "GET * HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ("61", "OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ("61", "GET ?x HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ("61", "GET //evil.example\\/N/first HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ] {
        // Not each of them is about framing, but a request that is certainly read so ends a row alike.
        let last = sent.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
        rows.push(Row::refused(id, format!("{last}NEXT")));
    }
    for (id, target) in [("60", "http://HOST/N/first"), ("60", "HTTP://HOST/N/first"), ("58", "/N/first#/x")] {
        let sent = format!("GET {target} HTTP/1.1\r\nHost: HOST\r\n\r\n");
        rows.push(Row::passed(id, sent, Then::Open, "GET /N/first\n\n"));
    }
    judge(rows).await;
}
