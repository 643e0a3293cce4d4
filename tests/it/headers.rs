//! What of a visitor's head reaches the upstream, and what of the upstream's head comes back
//! (contract section 6, RFC 9110 §7.6.1).

use serde_json::json;

use crate::{
    demo::provider::{
        mischief::Answer as Lie,
        people::{ADA, MALLORY},
    },
    harness::{RawClient, Recorded, Request, Stage, upstream::Answer},
};

mod assertion;
mod caching;
mod telling;
mod tokens;

/// Every header by which some preset tells an app who is there.
const IDENTITY: [&str; 17] = [
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Groups",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Preferred-Username",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Access-Token",
    "Remote-User",
    "Remote-Email",
    "Remote-Groups",
    "Remote-Name",
    "X-Remote-User",
    "X-Remote-Groups",
    "X-Vestibule-Assertion",
];

/// How an attacker may spell a header that CGI, WSGI and their like take for the same.
const SPELLINGS: [fn(&str) -> String; 5] = [
    |name| name.to_owned(),
    |name| name.to_lowercase(),
    |name| name.to_uppercase(),
    |name| name.replace('-', "_"),
    |name| name.replacen('-', "_", 1),
];

/// What no upstream must ever see as a value.
const SPOOFED: &str = "mallory-was-here";

fn with_everything_spoofed(request: Request, spelling: fn(&str) -> String) -> Request {
    // Twice each: a duplicate must not survive the removal of the first.
    IDENTITY
        .iter()
        .fold(request, |request, name| request.header(&spelling(name), SPOOFED).header(&spelling(name), SPOOFED))
}

fn assert_nothing_spoofed(seen: &Recorded) {
    let spoofed: Vec<_> = seen.head.fields.iter().filter(|(_, value)| value.contains(SPOOFED)).collect();
    assert!(spoofed.is_empty(), "{} {} came with {spoofed:?}", seen.method(), seen.target());
}

/// Each identity header that came, whatever it holds.
fn identity(seen: &Recorded) -> Vec<&str> {
    let is_identity = |name: &str| IDENTITY.iter().any(|i| i.eq_ignore_ascii_case(&name.replace('_', "-")));
    seen.head.fields.iter().filter(|(name, _)| is_identity(name)).map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn threat_45_cve_2025_64484_no_spelling_of_an_identity_header_gets_past_ours() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    for spelling in SPELLINGS {
        for method in ["GET", "OPTIONS", "DELETE"] {
            let request = with_everything_spoofed(Request::new(method, "/page"), spelling);
            let answer = stage.send(request.header("Cookie", &cookie)).await;
            assert_eq!(answer.status, 200, "{method} {}", spelling("X-Forwarded-User"));
            let seen = stage.upstream.only();
            assert_nothing_spoofed(&seen);
            assert_eq!(seen.headers("x-forwarded-user"), ["ada"]);
            assert_eq!(seen.headers("x-forwarded-email"), ["ada@example.com"]);
            assert_eq!(seen.headers("x-forwarded-preferred-username"), ["ada"]);
            assert_eq!(seen.headers("x-forwarded-groups"), ["admins,staff"]);
            assert_eq!(identity(&seen).len(), 4, "{seen:?}");
        }
    }
}

#[tokio::test]
async fn threat_46_cve_2017_6062_cve_2017_6413_public_routes_name_nobody() {
    let stage = Stage::builder().public("/public/**").start().await;
    let cookie = stage.sign_in(&ADA).await;
    for spelling in SPELLINGS {
        for method in ["GET", "HEAD", "OPTIONS", "PUT"] {
            for fields in [&[][..], &[("Cookie", cookie.as_str())], &[("Authorization", "Bearer not-one-of-ours")]] {
                let request = with_everything_spoofed(Request::new(method, "/public/page"), spelling).headers(fields);
                let answer = stage.send(request).await;
                assert_eq!(answer.status, 200, "{method} {fields:?}");
                let seen = stage.upstream.only();
                assert_nothing_spoofed(&seen);
                assert_eq!(identity(&seen), [""; 0], "a public route ignores the session");
            }
        }
    }
}

#[tokio::test]
async fn threat_47_cve_2026_30851_an_absent_claim_leaves_no_header_to_a_visitor() {
    let stage = Stage::builder().start().await;
    stage.provider.lie(|answer| match answer {
        Lie::IdToken(token) => token.drop_claim("preferred_username"),
        Lie::UserInfo(claims) => {
            claims.as_object_mut().expect("claims are an object").remove("preferred_username");
        }
        _ => {}
    });
    // Mallory is in no group and, by the lie, has no user name.
    let cookie = stage.sign_in(&MALLORY).await;
    for spelling in SPELLINGS {
        let request = with_everything_spoofed(Request::get("/page"), spelling).header("Cookie", &cookie);
        assert_eq!(stage.send(request).await.status, 200);
        let seen = stage.upstream.only();
        assert_nothing_spoofed(&seen);
        assert_eq!(identity(&seen), ["x-forwarded-user", "x-forwarded-email"], "{seen:?}");
    }
}

#[tokio::test]
async fn an_address_that_nobody_verified_is_not_handed_over() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&crate::demo::provider::people::UMA).await;
    assert_eq!(stage.send(Request::get("/").header("Cookie", &cookie)).await.status, 200);
    let seen = stage.upstream.only();
    assert_eq!((seen.header("x-forwarded-user"), seen.header("x-forwarded-email")), (Some("uma"), None));
}

#[tokio::test]
async fn threat_48_connection_cannot_take_our_headers_away() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    for line in [
        "x-forwarded-user", // CVE-2024-45410, GO-2023-1747, CVE-2025-48865
        "X-Forwarded-User, X-Forwarded-Email, X-Forwarded-Groups, X-Forwarded-For, X-Forwarded-Proto",
        "close, x-forwarded-host, x-real-ip, x-request-id, host",
        "keep-alive, X-Forwarded-User",
    ] {
        let request = Request::get("/page").header("Connection", line).header("Cookie", &format!("a=1; {cookie}"));
        assert_eq!(stage.send(request).await.status, 200, "{line}");
        let seen = stage.upstream.only();
        assert_eq!(seen.headers("x-forwarded-user"), ["ada"], "{line}");
        assert_eq!(seen.headers("host"), [stage.authority()], "{line}");
        for name in ["x-forwarded-email", "x-forwarded-groups", "x-forwarded-for", "x-forwarded-proto", "x-request-id"]
        {
            assert_eq!(seen.headers(name).len(), 1, "{line}: {name}");
        }
    }
}

#[tokio::test]
async fn threat_48_a_trailer_is_no_header() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    let head = Request::new("POST", "/form")
        .headers(&[("Cookie", &cookie), ("Transfer-Encoding", "chunked"), ("Trailer", "X-Forwarded-User")])
        .to_host(stage.authority());
    client.send(head.bytes()).await;
    client.send(format!("2\r\nok\r\n0\r\nX-Forwarded-User: {SPOOFED}\r\nAuthorization: {SPOOFED}\r\n\r\n")).await;
    let mut conversation = conversations.next().await;
    let head = conversation.expect_head().await;
    assert_eq!(head.all("x-forwarded-user"), ["ada"]);
    let mut body = Vec::new();
    while !body.ends_with(b"0\r\n\r\n") {
        let more = conversation.wire.some().await;
        assert!(!more.is_empty(), "the body ended early: {:?}", String::from_utf8_lossy(&body));
        body.extend(more);
        assert!(!String::from_utf8_lossy(&body).contains(SPOOFED), "{:?}", String::from_utf8_lossy(&body));
    }
}

#[tokio::test]
async fn threat_49_a_visitor_says_nothing_about_the_way_it_came() {
    let stage = Stage::builder().public("/public/**").start().await;
    let cookie = stage.sign_in(&ADA).await;
    let removed = [
        "Forwarded",
        "X-Forwarded-Uri",
        "X-Forwarded-Method",
        "X-Forwarded-Prefix",
        "X-Forwarded-Server",
        "X-Original-URL",
        "X-Original-URI",
        "X-Original-Method",
        "X-Rewrite-URL",
        "X_Forwarded_Proto", // CVE-2026-39858
        "X_Real_IP",
    ];
    let replaced = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-IP"];
    for path in ["/page", "/public/page"] {
        let spoofed = removed.iter().chain(&replaced).fold(Request::get(path), |r, name| r.header(name, SPOOFED));
        let answer = stage.send(spoofed.header("X-Request-Id", SPOOFED).header("Cookie", &cookie)).await;
        assert_eq!(answer.status, 200, "{path}");
        let seen = stage.upstream.only();
        assert_nothing_spoofed(&seen);
        for name in removed {
            assert_eq!(seen.headers(name), [""; 0], "{path}: {name}");
        }
        let port = stage.public_url.port().expect("a port of the tests").to_string();
        for (name, ours) in replaced.iter().zip(["127.0.0.1", "http", stage.authority(), &port, "127.0.0.1"]) {
            assert_eq!(seen.headers(name), [ours], "{path}: {name}");
        }
    }
}

#[tokio::test]
async fn threat_49_a_trusted_proxy_is_believed_from_its_own_end() {
    let stage = Stage::builder().server("trusted_proxies = [\"127.0.0.9\"]").start().await;
    let cookie = stage.sign_in(&ADA).await;
    for (fields, forwarded_for, real_ip) in [
        (&[("X-Forwarded-For", "198.51.100.7")][..], "198.51.100.7, 127.0.0.9", "198.51.100.7"),
        (&[("X-Forwarded-For", "10.9.9.9, 198.51.100.7")], "198.51.100.7, 127.0.0.9", "198.51.100.7"),
        // CVE-2023-36456, CVE-2024-47070: what is no address is nobody's
        (&[("X-Forwarded-For", "a")], "127.0.0.9", "127.0.0.9"),
        (&[("X-Forwarded-For", "198.51.100.7, a")], "127.0.0.9", "127.0.0.9"),
        (&[("Forwarded", "for=198.51.100.7;proto=https")], "198.51.100.7, 127.0.0.9", "198.51.100.7"),
        (&[], "127.0.0.9", "127.0.0.9"),
    ] {
        let mut proxy = RawClient::connect_from([127, 0, 0, 9].into(), stage.door_address()).await;
        let request = Request::get("/page").headers(fields).header("Cookie", &cookie).to_host(stage.authority());
        assert_eq!(proxy.exchange(&request).await.status, 200, "{fields:?}");
        let seen = stage.upstream.only();
        assert_eq!(seen.headers("x-forwarded-for"), [forwarded_for], "{fields:?}");
        assert_eq!(seen.headers("x-real-ip"), [real_ip], "{fields:?}");
        assert_eq!(seen.headers("forwarded"), [""; 0], "{fields:?}");
        // CVE-2026-33495: the scheme is the public URL's, whoever says otherwise.
        assert_eq!(seen.headers("x-forwarded-proto"), ["http"], "{fields:?}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_names_the_request_and_the_host() {
    let stage = Stage::builder().server("trusted_proxies = [\"127.0.0.9\"]").start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut proxy = RawClient::connect_from([127, 0, 0, 9].into(), stage.door_address()).await;
    let request = Request::get("/page").header("Cookie", &cookie).headers(&[
        ("Host", "internal.example"),
        ("X-Forwarded-Host", stage.authority()),
        ("X-Request-Id", "from-the-proxy-1"),
    ]);
    assert_eq!(proxy.exchange(&request).await.status, 200);
    let seen = stage.upstream.only();
    assert_eq!(seen.headers("x-request-id"), ["from-the-proxy-1"]);
    assert_eq!(seen.headers("x-forwarded-host"), [stage.authority()]);

    let request =
        Request::get("/page").header("Host", "internal.example").header("X-Forwarded-Host", stage.authority());
    let answer = stage.send(request.header("Cookie", &cookie)).await;
    assert_eq!(answer.status, 421, "from anybody else it is the Host that counts");
    assert_eq!(stage.upstream.take().len(), 0);
}

#[tokio::test]
async fn threat_50_no_claim_ends_a_header_or_an_entry_of_a_list() {
    let stage = Stage::builder().start().await;
    stage.provider.lie(|answer| {
        if let Lie::IdToken(token) = answer {
            token.claims["preferred_username"] = json!("jané\r\nX-Admin: 1\0 %41");
            token.claims["groups"] = json!(["a,b", "staff\nX-Admin: 1", "", " edge", "日本"]);
        }
    });
    let cookie = stage.sign_in(&ADA).await;
    assert_eq!(stage.send(Request::get("/").header("Cookie", &cookie)).await.status, 200);
    let seen = stage.upstream.only();
    assert_eq!(seen.headers("x-forwarded-preferred-username"), ["jan%C3%A9%0D%0AX-Admin: 1%00 %2541"]);
    let groups = seen.header("x-forwarded-groups").expect("groups");
    assert!(groups.starts_with("a%2Cb,staff%0AX-Admin: 1,"), "{groups}");
    assert!(groups.ends_with("%20edge,%E6%97%A5%E6%9C%AC"), "{groups}");
    assert_eq!(seen.headers("x-admin"), [""; 0]);
}

#[tokio::test]
async fn a_claim_above_4_kib_is_left_out_and_never_cut() {
    let stage = Stage::builder().start().await;
    stage.provider.lie(|answer| {
        if let Lie::IdToken(token) = answer {
            token.claims["preferred_username"] = json!("x".repeat(4097));
            token.claims["groups"] = json!(["g".repeat(4096)]);
        }
    });
    let cookie = stage.sign_in(&ADA).await;
    let request = Request::get("/").header("Cookie", &cookie).header("X-Forwarded-Preferred-Username", SPOOFED);
    assert_eq!(stage.send(request).await.status, 200);
    let seen = stage.upstream.only();
    assert_eq!(seen.headers("x-forwarded-preferred-username"), [""; 0]);
    assert_eq!(seen.header("x-forwarded-groups").map(str::len), Some(4096));
}

#[tokio::test]
async fn threat_51_our_cookies_stay_here_and_the_others_pass_byte_for_byte() {
    let stage = Stage::builder().public("/public/**").start().await;
    let session = stage.sign_in(&ADA).await;
    let session = session.split("; ").find(|pair| pair.starts_with("vestibule=")).expect("the session's cookie");
    for (sent, left) in [
        (format!("a=1; {session}; b=\"x y\""), Some("a=1; b=\"x y\"")),
        (session.to_owned(), None),
        (format!("a=1;{session};b=2"), Some("a=1;b=2")),
        (format!("{session}; a=%3B%20; b=c=d; e"), Some("a=%3B%20; b=c=d; e")),
        (
            format!("a=1; {session}; vestibule-attempt-AAAAAAAAAAAAAAAAAAAAAA=x; vestibule-.loop=y; z=1"),
            Some("a=1; z=1"),
        ),
        (format!("vestibules=1; {session}; not-vestibule=2"), Some("vestibules=1; not-vestibule=2")),
        (format!("__Host-vestibule=x; {session}; __Host-app=1"), Some("__Host-app=1")),
        // byte for byte: `é` is one byte here
        (format!("a=é; {session}"), Some("a=é")),
    ] {
        for path in ["/page", "/public/page"] {
            assert_eq!(stage.send(Request::get(path).header("Cookie", &sent)).await.status, 200, "{path} {sent}");
            assert_eq!(stage.upstream.only().headers("cookie"), Vec::from_iter(left), "{path} {sent}");
        }
    }
    // Several lines (threat 82), the order kept.
    let request = Request::get("/page").header("Cookie", "a=1").header("Cookie", session).header("Cookie", ";=;");
    assert_eq!(stage.send(request).await.status, 200);
    assert_eq!(stage.upstream.only().headers("cookie"), ["a=1", ";=;"]);
}

#[tokio::test]
async fn hop_by_hop_fields_end_here_in_both_directions() {
    let stage = Stage::builder().public("/**").start().await;
    stage.upstream.answer(|_| {
        let fields = "Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\n\
                      Upgrade: h2c\r\nTrailer: X-Later\r\nX-Stays: 1\r\n";
        Answer::with("200 OK", fields, "ok")
    });
    let answer = stage
        .send(Request::get("/page").headers(&[
            ("Connection", "X-Own-Hop, Upgrade"),
            ("X-Own-Hop", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("Proxy-Authorization", "Basic c2VjcmV0"),
            ("TE", "deflate;q=0.5, trailers"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
            ("X-Stays", "1"),
            ("Authorization", "Basic YXBwOmFwcA=="),
        ]))
        .await;
    assert_eq!(answer.status, 200);
    let seen = stage.upstream.only();
    for name in ["x-own-hop", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade", "http2-settings"] {
        assert_eq!(seen.headers(name), [""; 0], "to the upstream: {name}");
    }
    // Trailers pass through, so the upstream is told whether somebody reads them (RFC 9110 §10.1.4).
    assert_eq!((seen.headers("te"), seen.headers("connection")), (vec!["trailers"], vec!["te"]));
    assert_eq!((seen.header("x-stays"), seen.header("authorization")), (Some("1"), Some("Basic YXBwOmFwcA==")));
    for name in ["x-hop", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert_eq!(answer.headers(name), [""; 0], "to the visitor: {name}");
    }
    assert_eq!(answer.header("x-stays"), Some("1"));
}

#[tokio::test]
async fn an_upstream_can_neither_set_our_cookies_nor_lead_past_us_nor_into_a_shared_cache() {
    let stage = Stage::builder().public("/public/**").start().await;
    let cookie = stage.sign_in(&ADA).await;
    let upstream = stage.upstream.address();
    stage.upstream.answer(move |_| {
        let fields = format!(
            "Set-Cookie: vestibule=planted; Path=/\r\nSet-Cookie: sid=1; Path=/\r\nSet-Cookie: __Host-vestibule=x\r\n\
             Location: http://{upstream}/elsewhere?a=1\r\nCache-Control: public, max-age=60, s-maxage=600\r\n\
             CDN-Cache-Control: max-age=600\r\nSurrogate-Control: max-age=600\r\n"
        );
        Answer::with("302 Found", &fields, "")
    });
    let answer = stage.send(Request::get("/page").header("Cookie", &cookie)).await;
    assert_eq!(answer.headers("set-cookie"), ["sid=1; Path=/"]);
    assert_eq!(answer.location(), stage.url("/elsewhere?a=1"));
    assert_eq!(answer.headers("cache-control"), ["private, max-age=60"]);
    assert_eq!((answer.header("cdn-cache-control"), answer.header("surrogate-control")), (None, None));

    let answer = stage.send(Request::get("/public/page")).await;
    assert_eq!(answer.headers("set-cookie"), ["sid=1; Path=/"]);
    assert_eq!(answer.headers("cache-control"), ["public, max-age=60, s-maxage=600"], "what is public may be cached");
}

#[tokio::test]
async fn the_upstream_sees_the_public_host_unless_it_wants_its_own() {
    for (app, own) in [("", false), ("preserve_host = false", true)] {
        let stage = Stage::builder().app(app).public("/**").start().await;
        assert_eq!(stage.send(Request::get("/")).await.status, 200);
        let seen = stage.upstream.only();
        let expected = if own { stage.upstream.address().to_string() } else { stage.authority().to_owned() };
        assert_eq!(seen.headers("host"), [expected]);
        assert_eq!(seen.headers("x-forwarded-host"), [stage.authority()]);
    }
}
