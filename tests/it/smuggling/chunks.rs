//! Where does the body end, and what stands behind it? (threats 73 and 74; RFC 9112 §7.1)

use super::{Row, Then, judge};

fn post(chunks: &str) -> String {
    format!("POST /N/first HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
}

/// The app's view of a chunked body, framed anew.
fn seen(body: &str) -> String {
    format!("POST /N/first\ntransfer-encoding: chunked\n\n{body}")
}

#[tokio::test]
async fn threat_73_a_chunk_that_is_none_ends_the_request_and_the_connection() {
    let mut rows = Vec::new();
    for (id, chunks) in [
        ("CVE-2021-32714", "fffffffffffffffff\r\nNEXT"),
        ("CVE-2021-32714", "10000000000000005\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "+5\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "-5\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "0x5\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", " 5\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "5 5\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "5_0\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "g\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "5,\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "5\u{b}\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "5\0\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "5;a=\nb\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "5;a=\rb\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "5;\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "5\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "5\rhello\r\n0\r\n\r\nNEXT"),
        ("73", "5\r\nhelloNEXT"),
        ("73", "5\r\nhello\n0\r\n\r\nNEXT"),
        ("73", "5\r\nhello\r0\r\n\r\nNEXT"),
        ("73", "5\r\nhelloXX0\r\n\r\nNEXT"),
        ("73", "4\r\nhello\r\n0\r\n\r\nNEXT"),
        ("73", "\r\nNEXT"),
        ("73", ";a=b\r\nNEXT"),
        ("73", "5\r\nhello\r\n\r\n0\r\n\r\nNEXT"),
        ("73", "5\r\nhello\r\n0\n\nNEXT"),
        ("73", "5\r\nhello\r\n0\r\n\rNEXT"),
    ] {
        rows.push(Row::refused(id, post(chunks)).given_up());
    }
    let endless = format!("5;a={}\r\nhello\r\n0\r\n\r\nNEXT", "b".repeat(20_000));
    rows.push(Row::refused("73", post(&endless)).given_up());
    judge(rows).await;
}

#[tokio::test]
async fn threat_73_extensions_and_spellings_of_a_size_end_here() {
    let mut rows = Vec::new();
    for (chunks, body) in [
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("0\r\n\r\n", ""),
        ("000\r\n\r\n", ""),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;a=b\r\nhello\r\n0;c\r\n\r\n", "hello"),
        ("5 ;a=\"b;c\"\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\t\r\nhello\r\n0 \r\n\r\n", "hello"),
        ("1\r\n\r\r\n1\r\n\n\r\n2\r\n\0\r\r\n0\r\n\r\n", "\r\n\0\r"),
        ("2;a\r\nhe\r\n3;b\r\nllo\r\n0\r\n\r\n", "hello"),
    ] {
        rows.push(Row::passed("73", post(chunks), Then::Open, &seen(body)));
    }
    // A body is a body, whatever it looks like.
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let chunks = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
    rows.push(Row::passed("73", post(&chunks), Then::Open, &seen(smuggled)));
    judge(rows).await;
}

#[tokio::test]
async fn threat_74_no_trailer_says_what_belongs_into_a_head() {
    // The strict reader on the app's side fails on any trailer that frames, routes or identifies.
    let mut rows = Vec::new();
    for trailer in [
        "X: y",
        "Host: evil.example",
        "Content-Length: 40",
        "Transfer-Encoding: chunked",
        "Authorization: Basic eA==",
        "X-Forwarded-User: mallory",
        "X_Forwarded_User: mallory",
        "X-Real-IP: 192.0.2.1",
        "Cookie: vestibule=x",
        "Connection: close",
        "Trailer: Host",
        "X: a\r\nX-Forwarded-Email: mallory@example.com\r\nX: b",
    ] {
        let chunks = format!("5\r\nhello\r\n0\r\n{trailer}\r\n\r\n");
        rows.push(Row::passed("74", post(&chunks), Then::Open, &seen("hello")));
        let name = trailer.split(':').next().unwrap_or_default();
        let declared = post(&chunks).replacen("\r\n\r\n", &format!("\r\nTrailer: {name}\r\nTE: trailers\r\n\r\n"), 1);
        // hyper passes on what has been declared, and we what decides nothing.
        let passing = match trailer {
            "X: y" => "hello\n+x: y",
            "X: a\r\nX-Forwarded-Email: mallory@example.com\r\nX: b" => "hello\n+x: a\n+x: b",
            _ => "hello",
        };
        rows.push(Row::passed("74 declared", declared, Then::Open, &seen(passing)));
    }
    for trailer in ["X : y", " X: y", "no colon", "X: a\rb", "X: a\0b", "X: a\r\n folded", "\u{e9}: y", "X: a\nHost: b"]
    {
        rows.push(Row::refused("74", post(&format!("5\r\nhello\r\n0\r\n{trailer}\r\n\r\nNEXT"))).given_up());
    }
    // hyper reads trailers to the next empty line that ends in CR LF. What others take for a
    // request behind an empty line of theirs is read as trailers, goes nowhere, and runs nowhere.
    for trailer in ["\nNEXT", "X: y\n\nNEXT"] {
        rows.push(Row::passed("74", post(&format!("5\r\nhello\r\n0\r\n{trailer}")), Then::Open, &seen("hello")));
    }
    judge(rows).await;
}
