//! How long is the body? (threats 66 to 68 and 71; RFC 9112 §6)

use super::{Row, Then, judge};

/// A POST with these fields, and what stands where its body is expected.
fn post(fields: &str, rest: &str) -> String {
    format!("POST /N/first HTTP/1.1\r\nHost: HOST\r\n{fields}\r\n\r\n{rest}")
}

#[tokio::test]
async fn threats_66_and_67_with_both_lengths_the_chunks_count_and_the_connection_ends() {
    // RFC 9112 §6.3 leaves a server the choice to refuse or to do just this. hyper takes the
    // chunks, drops the other length before anybody sees it, and closes: nothing can follow.
    let chunked = |body: &str| format!("POST /N/first\ntransfer-encoding: chunked\n\n{body}");
    let mut rows = Vec::new();
    for (id, fields, body, seen) in [
        ("66 CL.TE", "Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\nG", ""),
        ("66 CL.TE", "Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\nNEXT", ""),
        ("66 CL.TE", "Content-Length: 0\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\nNEXT", "hello"),
        ("66 CL.TE", "Content-Length: 99\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\nNEXT", "hello"),
        ("67 TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 4", "5\r\nhello\r\n0\r\n\r\nNEXT", "hello"),
        ("67 TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 0", "5\r\nhello\r\n0\r\n\r\nNEXT", "hello"),
        ("67 TE.CL", "transfer-encoding: CHUNKED\r\nContent-Length: 5, 6", "0\r\n\r\nNEXT", ""),
        ("67 TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: x", "0\r\n\r\nNEXT", ""),
    ] {
        rows.push(Row::passed(id, post(fields, body), Then::Closed, &chunked(seen)));
    }
    judge(rows).await;
}

#[tokio::test]
async fn threat_68_one_chunked_is_the_only_coding() {
    let mut rows = Vec::new();
    for (id, fields) in [
        ("68", "Transfer-Encoding: xchunked"),
        ("68", "Transfer-Encoding: chunkedx"),
        ("68", "Transfer-Encoding: chunke"),
        ("68", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x"),
        ("68", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked"),
        ("68", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
        ("CVE-2021-21299", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        ("CVE-2021-21299", "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow"),
        ("CVE-2026-2835", "Transfer-Encoding: gzip, chunked"),
        ("CVE-2026-2835", "Transfer-Encoding: identity, chunked"),
        ("68", "Transfer-Encoding: chunked, identity"),
        ("68", "Transfer-Encoding: chunked, chunked"),
        ("68", "Transfer-Encoding: , chunked"),
        ("68", "Transfer-Encoding: chunked,"),
        ("68", "Transfer-Encoding: chunked;q=1"),
        ("68", "Transfer-Encoding: chunked; "),
        ("68", "Transfer-Encoding: \"chunked\""),
        ("68", "Transfer-Encoding: 'chunked'"),
        ("68", "Transfer-Encoding: \u{b}chunked"),
        ("68", "Transfer-Encoding: chunked\u{c}"),
        ("68", "Transfer-Encoding: chunked\0"),
        ("68", "Transfer-Encoding: \u{a0}chunked"),
        ("68", "Transfer-Encoding: chunked\u{85}"),
        ("68", "Transfer-Encoding: identity"),
        ("68", "Transfer-Encoding: gzip"),
        ("68", "Transfer-Encoding:"),
        ("68", "Transfer-Encoding : chunked"),
        ("68", "Transfer-Encoding\t: chunked"),
        ("68", "Transfer-Encoding\r\n : chunked"),
        ("68", "Transfer-Encoding\u{b}: chunked"),
        ("68", "Transfer-Encoding\0: chunked"),
        ("68", "Transfer Encoding: chunked"),
        ("68", "\tTransfer-Encoding: chunked"),
        ("68", "X: x\r\n Transfer-Encoding: chunked"),
        ("68", "X: x\rTransfer-Encoding: chunked"),
        ("68", "Transfer-Encoding: x\r\n chunked"),
        ("68", "Transfer-Encoding:\r\n chunked"),
        ("68", "Transfer-Encoding: chunked\r\n x"),
        ("68", "Transfer-Encoding: chunked\rX: y"),
        ("68", "Transfer-Encoding\u{e9}: chunked"),
    ] {
        rows.push(Row::refused(id, post(fields, "0\r\n\r\nNEXT")));
    }
    // What is no Transfer-Encoding at all is none to anybody: no body, and what follows are no requests.
    for name in ["Transfer_Encoding", "X-Transfer-Encoding", "Transfer-Encodin"] {
        let passes = if name.contains('_') { String::new() } else { format!("{}: chunked\n", name.to_lowercase()) };
        let seen = format!("POST /N/first\n{passes}\n");
        let row = Row::passed("68", post(&format!("{name}: chunked"), "0\r\n\r\nNEXT"), Then::Closed, &seen);
        rows.push(row.answered(&[200, 400]));
    }
    // Space around the value and capitals are in the grammar.
    for value in ["chunked", " chunked \t", "\tChunked", "CHUNKED"] {
        let seen = "POST /N/first\ntransfer-encoding: chunked\n\nhello";
        let sent = post(&format!("Transfer-Encoding:{value}"), "5\r\nhello\r\n0\r\n\r\n");
        rows.push(Row::passed("68", sent, Then::Open, seen));
    }
    judge(rows).await;
}

#[tokio::test]
async fn cve_2026_2835_http_1_0_knows_no_chunks() {
    let mut rows = Vec::new();
    for fields in [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nConnection: keep-alive",
        "Transfer-Encoding: identity",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
    ] {
        let sent = format!("POST /N/first HTTP/1.0\r\nHost: HOST\r\n{fields}\r\n\r\n0\r\n\r\nNEXT");
        rows.push(Row::refused("CVE-2026-2835", sent));
    }
    // With a length it is served, and ends unless it asks not to.
    let sent = "POST /N/first HTTP/1.0\r\nHost: HOST\r\nContent-Length: 5\r\n\r\nhelloNEXT";
    rows.push(Row::passed("71", sent, Then::Closed, "POST /N/first\ncontent-length: 5\n\nhello"));
    judge(rows).await;
}

#[tokio::test]
async fn threat_71_a_length_is_one_plain_decimal_number() {
    let mut rows = Vec::new();
    for (id, fields) in [
        ("CVE-2021-32715", "Content-Length: +5"),
        ("71", "Content-Length: -5"),
        ("71", "Content-Length: 0x5"),
        ("71", "Content-Length: 5,5"),
        ("71", "Content-Length: 5, 5"),
        ("71", "Content-Length: 5, 6"),
        ("71", "Content-Length: 5 5"),
        ("71", "Content-Length: 5e0"),
        ("71", "Content-Length: 5.0"),
        ("71", "Content-Length: 5;"),
        ("71", "Content-Length: \"5\""),
        ("71", "Content-Length: five"),
        ("71", "Content-Length:"),
        ("71", "Content-Length: \u{b2}"),
        ("71", "Content-Length: 5\u{b}"),
        ("71", "Content-Length : 5"),
        ("71", "Content-Length: 5\r\n 6"),
        ("71", "Content-Length: 5\rX: y"),
        ("71", "Content-Length: 18446744073709551616"), // 2⁶⁴
        ("71", "Content-Length: 99999999999999999999"),
        ("71", "Content-Length: 0\r\nContent-Length: 40"),
        ("71", "Content-Length: 40\r\nContent-Length: 0"),
        ("71", "Content-Length: 5\r\nContent-Length: +5"),
        ("71", "Content-Length: 5\r\nContent-Length:"),
        // Decimal to the grammar, octal to `strtol` with base 0: 8 bytes there, 10 here.
        ("71", "Content-Length: 010"),
        ("71", "Content-Length: 05"),
        ("71", "Content-Length: 00"),
    ] {
        rows.push(Row::refused(id, post(fields, "helloNEXT")));
    }
    // hyper's own marks for bodies without a length: no length of a body.
    for length in ["18446744073709551615", "18446744073709551614"] {
        let sent = post(&format!("Content-Length: {length}"), "helloNEXT");
        rows.push(Row::refused("71", sent).answered(&[431]));
    }
    for (fields, body, seen) in [
        ("Content-Length: 5", "hello", "content-length: 5\n\nhello"),
        ("content-LENGTH:\t5 ", "hello", "content-length: 5\n\nhello"),
        ("Content-Length: 0", "", "content-length: 0\n\n"),
        ("X: y", "", "x: y\n\n"),
        ("Content_Length: 5", "", "\n"),
        // RFC 9112 §6.3 lets a recipient take equal ones for one.
        ("Content-Length: 5\r\nContent-Length: 5", "hello", "content-length: 5\n\nhello"),
    ] {
        rows.push(Row::passed("71", post(fields, body), Then::Open, &format!("POST /N/first\n{seen}")));
    }
    judge(rows).await;
}
