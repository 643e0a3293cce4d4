//! `/auth`: what a proxy in front is told about a request that it has, and what it can be made to believe.
//!
//! The other half, real proxies that ask, is in `tests/peers`.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::{
    demo::provider::people::{ADA, MALLORY, UMA},
    harness::{Configuration, RawClient, Request, Response, Stage},
};

/// Where the trusted proxy is. Visitors come from 127.0.0.1.
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

const TRUSTING: &str = "trusted_proxies = [\"127.0.0.9\"]";

/// Every header by which this app learns who somebody is.
const IDENTITY: [&str; 4] =
    ["x-forwarded-user", "x-forwarded-email", "x-forwarded-preferred-username", "x-forwarded-groups"];

const STAFF: &str = "policy = \"listed\"\nallow = [{ email_domain = \"example.com\" }]";

/// Forward-auth only: there is no way through us.
fn asked_only() -> Configuration {
    Stage::builder().server(TRUSTING).app("upstream = \"\"").access(STAFF)
}

/// How a proxy says which request it asks about.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Traefik's and Caddy's.
    Forwarded,
    /// nginx', as our sample has it.
    Original,
}

const WAYS: [Way; 2] = [Way::Forwarded, Way::Original];

/// The question about a request to the app.
fn question(stage: &Stage, way: Way, original: &str) -> Request {
    let (method, target) = original.split_once(' ').expect("a method and a target");
    let request = Request::get("/_vestibule/auth");
    match way {
        Way::Forwarded => request.headers(&[
            ("X-Forwarded-Method", method),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", stage.authority()),
            ("X-Forwarded-Uri", target),
        ]),
        Way::Original => request.headers(&[("X-Original-Method", method), ("X-Original-URL", &stage.url(target))]),
    }
}

/// Sends something as the proxy, to the name that it has for us unless another one is given.
async fn ask(stage: &Stage, question: Request) -> Response {
    RawClient::connect_from(PROXY, stage.door_address()).await.exchange(&question.to_host("vestibule.internal")).await
}

/// What a visitor who asks for it directly is answered, and whether the app saw it.
async fn directly(stage: &Stage, original: &str, cookie: &str) -> (u16, usize) {
    let (method, target) = original.split_once(' ').expect("a method and a target");
    let answer = stage.send(Request::new(method, target).navigation().header("Cookie", cookie)).await;
    (answer.status, stage.upstream.take().len())
}

#[tokio::test]
async fn a_proxy_is_told_who_it_is_that_nobody_is_or_that_they_may_not() {
    let stage = asked_only().start().await;
    let (ada, mallory) = (stage.sign_in(&ADA).await, stage.sign_in(&MALLORY).await);
    for way in WAYS {
        let passed = ask(&stage, question(&stage, way, "GET /page?a=1").header("Cookie", &ada)).await;
        assert_eq!((passed.status, passed.text().as_str()), (200, ""), "{way:?}: {passed:?}");
        assert_eq!(passed.header("cache-control"), Some("no-store"), "{way:?}");
        assert_eq!(passed.headers("x-forwarded-user"), ["ada"], "{way:?}");
        assert_eq!(passed.headers("x-forwarded-email"), ["ada@example.com"], "{way:?}");

        let anonymous = ask(&stage, question(&stage, way, "GET /page")).await;
        assert_eq!(anonymous.status, 401, "{way:?}: {anonymous:?}");
        assert_eq!(anonymous.header("content-type"), Some("application/problem+json"), "{way:?}");
        assert_eq!(anonymous.headers("www-authenticate"), ["Bearer realm=\"wiki\""], "{way:?}");
        assert_eq!(anonymous.json()["sign_in"], stage.url("/_vestibule/start"), "{way:?}");

        let denied = question(&stage, way, "GET /page").navigation().header("Cookie", &mallory);
        let denied = ask(&stage, denied).await;
        assert_eq!((denied.status, denied.header("content-type")), (403, Some("text/html; charset=utf-8")), "{way:?}");
        assert!(denied.text().contains("mallory@example.net"), "{way:?}: {denied:?}");
        for answer in [&anonymous, &denied] {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{way:?}");
            assert_eq!(answer.headers("set-cookie"), [""; 0], "{way:?}");
            assert!(IDENTITY.iter().all(|name| answer.header(name).is_none()), "{way:?}: {answer:?}");
        }
    }
    assert_eq!(stage.upstream.connections(), 0);
}

/// Threat 47, CVE-2026-30851: a proxy copies what it gets, so what is not there is said as well.
#[tokio::test]
async fn every_identity_header_is_in_every_answer_that_lets_pass_and_empty_where_there_is_nothing_to_say() {
    let stage = Stage::builder().server(TRUSTING).public("/public/**").start().await;
    let uma = stage.sign_in(&UMA).await; // no proved address, and no groups
    for (who, original, cookie) in
        [("uma", "GET /page", &*uma), ("", "GET /public/page", &*uma), ("", "GET /public/page", "")]
    {
        let forged = question(&stage, Way::Forwarded, original).header("Cookie", cookie).headers(&[
            ("X-Forwarded-User", "admin"),
            ("X-Forwarded-Email", "admin@example.com"),
            ("X_Forwarded_Groups", "admins"),
        ]);
        let passed = ask(&stage, forged).await;
        assert_eq!(passed.status, 200, "{original}: {passed:?}");
        for name in IDENTITY {
            let told = passed.headers(name);
            assert_eq!(told.len(), 1, "{original}: {name}: {passed:?}");
            if name == "x-forwarded-user" {
                assert_eq!(told, [who], "{original}: {name}");
            }
            assert!(!told[0].contains("admin"), "{original}: {name}: {passed:?}");
        }
        assert_eq!(passed.header("x-forwarded-email"), Some(""), "{original}: {passed:?}");
    }
}

#[tokio::test]
async fn whoever_is_no_trusted_proxy_gets_403_whatever_it_says() {
    let stage = asked_only().start().await;
    let ada = stage.sign_in(&ADA).await;
    let whole = question(&stage, Way::Forwarded, "GET /page").header("Cookie", &ada);
    for (what, request) in [
        ("a whole question", whole.clone()),
        ("to the app's own host", whole.clone().header("X-Original-URL", "broken")),
        ("nothing at all", Request::get("/_vestibule/auth").header("Host", stage.authority())),
        ("another host", Request::get("/_vestibule/auth?mode=redirect").header("Host", "elsewhere.example")),
        // CVE-2026-33495: it is no proxy because it says what proxies say.
        ("a claim to be one", whole.clone().header("X-Forwarded-For", "127.0.0.9").header("X-Real-IP", "127.0.0.9")),
        ("a POST", Request::post("/_vestibule/auth", "x").header("Host", stage.authority())),
    ] {
        let answer = stage.send(request.clone()).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (403, Some("application/problem+json")),
            "{what}: {answer:?}"
        );
        assert!(IDENTITY.iter().all(|name| answer.header(name).is_none()), "{what}: {answer:?}");
        let page = stage.send(request.navigation()).await;
        assert_eq!((page.status, page.headers("set-cookie").len()), (403, 0), "{what}: {page:?}");
        assert!(page.text().contains("not for browsers"), "{what}: {page:?}");
    }
    assert_eq!(ask(&stage, whole).await.status, 200);
}

/// A proxy keeps its visitors from asking by one exact path; what it takes for another one is none of ours.
#[tokio::test]
async fn another_spelling_of_the_endpoint_is_no_endpoint() {
    let stage = asked_only().start().await;
    let ada = stage.sign_in(&ADA).await;
    for spelling in
        ["/_vestibule/%61uth", "/_vestibule/./auth", "/_vestibule//auth", "/x/../_vestibule/auth", "/_vestibule/auth/"]
    {
        for host in [stage.authority(), "vestibule.internal"] {
            let question = question(&stage, Way::Original, "GET /page").header("Cookie", &ada).at(spelling);
            let answer = ask(&stage, question.to_host(host)).await;
            assert!([404, 421].contains(&answer.status), "{spelling} at {host}: {answer:?}");
            assert!(IDENTITY.iter().all(|name| answer.header(name).is_none()), "{spelling}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_stranger_who_asks_leaves_a_line_that_says_what_to_do() {
    let stage = asked_only().start_binary().await;
    let answer = stage.send(Request::get("/_vestibule/auth")).await;
    let id = answer.json()["request_id"].as_str().expect("an id").to_owned();
    let line = stage.door.process.line("the refusal", |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        (line["request_id"] == *id && line["reason"] == "untrusted_asker").then_some(line)
    });
    let line = line.await;
    assert!(line["error"].as_str().is_some_and(|text| text.contains("server.trusted_proxies")), "{line}");
    assert_eq!(line["client"], "127.0.0.1");
}

/// One row for each way of saying one thing and being read as another. The app of these rows is open below
/// `/public` and closed elsewhere; nobody is signed in.
#[tokio::test]
async fn what_is_decided_about_a_path_is_what_would_be_decided_directly() {
    let stage = Stage::builder().server(TRUSTING).public("/public/**").public_for("/feed", "[\"GET\"]").start().await;
    let ada = stage.sign_in(&ADA).await;
    for (what, original) in [
        ("plain", "GET /public/page?x"),
        ("plain", "GET /secret"),
        ("a method", "GET /feed"),
        ("threat 64", "HEAD /feed"),
        ("threat 64", "POST /feed"),
        ("threat 53", "GET /public/%252e%252e/secret"),
        ("threat 54", "GET /public/..;/secret"),
        ("threat 55", "GET /public/..%2fsecret"),
        ("threat 55", "GET /public/..%5csecret"),
        ("threat 55", "GET /public\\..\\secret"),
        ("threat 57", "GET /secret?/public/"),
        ("CVE-2025-54576", "GET /secret?x=/public"),
        ("threat 58", "GET /public/%23/page"),
        ("CVE-2026-41059", "GET /public/..%2fsecret%23/x"),
        ("threat 59", "GET /PUBLIC/page"),
        ("CVE-2026-27587", "GET /%73ecret"),
        ("threat 61", "CONNECT /public/page"),
        ("threat 61", "TRACE /public/page"),
        ("threat 63", "GET /public/%00"),
        ("threat 63", "GET /public/%c0%ae%c0%ae/secret"),
        ("a bad escape", "GET /public/%zz"),
        ("a method in small letters", "get /public/page"),
    ] {
        for (who, cookie) in [("nobody", ""), ("ada", &*ada)] {
            let (direct, reached) = directly(&stage, original, cookie).await;
            for way in WAYS {
                let question = question(&stage, way, original).navigation().header("Cookie", cookie);
                let answer = ask(&stage, question).await;
                let expected = if direct == 302 { 401 } else { direct };
                assert_eq!(answer.status, expected, "{what}: {original} by {way:?} for {who}: {answer:?}");
                assert_eq!(answer.status == 200, reached == 1, "{what}: {original} by {way:?} for {who}");
            }
        }
    }
    assert_eq!(stage.upstream.take().len(), 0, "questions are no requests");
}

/// We forward what we have judged; a proxy forwards what it got (threats 53 and 56, CVE-2026-33494).
#[tokio::test]
async fn a_path_that_would_reach_the_app_in_another_spelling_is_refused() {
    let stage = Stage::builder().server(TRUSTING).public("/public/**").start().await;
    for target in [
        "/secret/../public/page",
        "/secret/%2e%2e/public/page",
        "/public/./page",
        "/public//page",
        "//public/page",
        "/public/x/..",
    ] {
        let original = format!("GET {target}");
        assert_eq!(directly(&stage, &original, "").await, (200, 1), "{target}: the app is asked for the plain path");
        for way in WAYS {
            let answer = ask(&stage, question(&stage, way, &original)).await;
            assert_eq!(answer.status, 400, "{target} by {way:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn our_own_endpoints_are_not_the_proxys_to_let_through() {
    let stage = asked_only().start().await;
    let ada = stage.sign_in(&ADA).await;
    for (status, target) in [
        (403, "/_vestibule/callback?code=x"), // GHSA-5wcc-hf24-rf5h
        (403, "/_vestibule/auth"),
        (403, "/_vestibule"),
        (403, "/_vestibule/static/x"),
        (400, "/_VESTIBULE/start"),
        (400, "/page/..%2f_vestibule/start"),
        (400, "/_vestibule/..%2fsecret"), // threat 65
        (200, "/_vestibulex"),
    ] {
        for way in WAYS {
            let question = question(&stage, way, &format!("GET {target}")).header("Cookie", &ada);
            let answer = ask(&stage, question).await;
            assert_eq!(answer.status, status, "{target} by {way:?}: {answer:?}");
        }
    }
}

/// A visitor's own words among those of the proxy.
#[tokio::test]
async fn what_a_visitor_adds_to_a_question_can_only_spoil_it() {
    let stage = Stage::builder().server(TRUSTING).public("/public/**").start().await;
    let other_host = "http://elsewhere.example/secret";
    for (what, way, field, status) in [
        ("CVE-2026-40575", Way::Original, ("X-Forwarded-Uri", "/public/page"), 400),
        ("CVE-2026-40575", Way::Forwarded, ("X-Forwarded-Uri", "/public/page"), 400),
        ("CVE-2026-40575", Way::Forwarded, ("X-Original-URL", "/public/page"), 400),
        ("another host", Way::Forwarded, ("X-Original-URL", other_host), 400),
        ("another host", Way::Original, ("X-Forwarded-Host", "elsewhere.example"), 400),
        ("another method", Way::Original, ("X-Forwarded-Method", "OPTIONS"), 400),
        ("another scheme", Way::Original, ("X-Forwarded-Proto", "https"), 400),
        ("two hosts", Way::Forwarded, ("X-Forwarded-Host", "elsewhere.example"), 400),
        ("GHSA-5wcc-hf24-rf5h", Way::Original, ("X-Original-URI", "/_vestibule/auth"), 401),
        ("GHSA-5wcc-hf24-rf5h", Way::Forwarded, ("X-Original-URI", "/public/page"), 401),
        ("threat 49", Way::Forwarded, ("X-Rewrite-URL", "/public/page"), 401),
        ("threat 49", Way::Forwarded, ("Forwarded", "host=elsewhere.example;proto=https"), 401),
        ("threat 64", Way::Forwarded, ("X-HTTP-Method-Override", "OPTIONS"), 401),
        ("CVE-2026-39858", Way::Original, ("X_Forwarded_Uri", "/public/page"), 401),
        ("CVE-2026-34457", Way::Forwarded, ("User-Agent", "GoogleHC/1.0"), 401),
    ] {
        let answer = ask(&stage, question(&stage, way, "GET /secret").headers(&[field])).await;
        assert_eq!(answer.status, status, "{what}: {field:?} by {way:?}: {answer:?}");
        assert_eq!(answer.headers("set-cookie"), [""; 0], "{what}: {field:?}");
    }
    assert_eq!(stage.upstream.connections(), 0);
}

#[tokio::test]
async fn a_question_that_does_not_say_about_what_is_400_and_about_no_app_421() {
    let stage = asked_only().start().await;
    let ada = stage.sign_in(&ADA).await;
    let cookie = |request: Request| request.header("Cookie", &ada).header("Host", stage.authority());
    for (status, request) in [
        (400, Request::get("/_vestibule/auth")),
        (400, Request::get("/_vestibule/auth").header("X-Forwarded-Uri", "/page")),
        (400, Request::get("/_vestibule/auth").header("X-Original-URL", &stage.url("/page"))),
        (400, Request::get("/_vestibule/auth").headers(&[("X-Original-Method", "GET"), ("X-Original-URL", "/page")])),
        (
            421,
            Request::get("/_vestibule/auth")
                .headers(&[("X-Original-Method", "GET"), ("X-Original-URL", "http://elsewhere.example/page")]),
        ),
        (
            414,
            Request::get("/_vestibule/auth").headers(&[
                ("X-Original-Method", "GET"),
                ("X-Original-URL", &stage.url(&format!("/{}", "a".repeat(17 * 1024)))),
            ]),
        ),
    ] {
        let answer = ask(&stage, cookie(request)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

/// CVE-2026-41181: nothing of a visitor's secrets comes back. CVE-2026-26998: no answer is longer than anybody reads.
#[tokio::test]
async fn no_answer_holds_what_the_visitor_sent_or_is_long() {
    let stage = Stage::builder().server(TRUSTING).access(STAFF).public("/public/**").start().await;
    let (ada, mallory) = (stage.sign_in(&ADA).await, stage.sign_in(&MALLORY).await);
    for (status, original, cookie) in [
        (200, "GET /page", &*ada),
        (200, "GET /public/page", &*ada),
        (401, "GET /page", ""),
        (403, "GET /page", &*mallory),
        (403, "GET /_vestibule/start", &*ada),
        (400, "GET /%00", &*ada),
    ] {
        for page in [false, true] {
            let mut question = question(&stage, Way::Forwarded, original).headers(&[
                ("Cookie", &format!("{cookie}; own=canary-cookie")),
                ("Authorization", "Bearer canary-token"),
                ("X-Canary", "canary-field"),
            ]);
            if page {
                question = question.navigation();
            }
            let answer = ask(&stage, question).await;
            let text = format!("{answer:?}");
            assert_eq!(answer.status, status, "{original}: {text}");
            assert!(!text.contains("canary") && (cookie.is_empty() || !text.contains(cookie)), "{original}: {text}");
            assert!(text.len() < 8 * 1024, "{original}: {} bytes", text.len());
        }
    }
}

/// CVE-2023-36456, CVE-2024-47070: what cannot be read as an address is no way past a rule on addresses.
#[tokio::test]
async fn a_rule_on_addresses_means_the_visitors_by_the_proxys_word() {
    let access = "policy = \"listed\"\nallow = [{ ip = \"203.0.113.0/24\" }]";
    let stage = Stage::builder().server(TRUSTING).access(access).start().await;
    let ada = stage.sign_in(&ADA).await;
    for (status, chain) in [
        (200, Some("203.0.113.7")),
        (200, Some("198.51.100.1, 203.0.113.7")),
        (403, Some("198.51.100.1")),
        (403, Some("203.0.113.7, 198.51.100.1")),
        (403, Some("a")),
        (403, Some("203.0.113.7, a")),
        (403, Some("")),
        (403, None),
    ] {
        let mut question = question(&stage, Way::Forwarded, "GET /page").header("Cookie", &ada);
        if let Some(chain) = chain {
            question = question.header("X-Forwarded-For", chain);
        }
        assert_eq!(ask(&stage, question).await.status, status, "{chain:?}");
    }
}

#[tokio::test]
async fn with_mode_redirect_a_navigation_is_sent_to_sign_in_and_comes_back() {
    let stage = asked_only().start().await;
    for (what, query, original, fields, status) in [
        ("a navigation", "mode=redirect", "GET /page?a=1&b=%2F", true, 302),
        ("a HEAD", "mode=redirect", "HEAD /page", true, 302),
        ("a form", "mode=redirect", "POST /page", true, 401),
        ("a program", "mode=redirect", "GET /page", false, 401),
        ("without the mode", "", "GET /page", true, 401),
        ("another mode", "mode=other", "GET /page", true, 401),
    ] {
        for way in WAYS {
            let mut request = question(&stage, way, original);
            request = request.at(&format!("/_vestibule/auth?{query}"));
            if fields {
                request = request.navigation();
            }
            let answer = ask(&stage, request).await;
            assert_eq!(answer.status, status, "{what} by {way:?}: {answer:?}");
            assert_eq!(answer.headers("set-cookie").len(), usize::from(status == 302), "{what} by {way:?}: {answer:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{what} by {way:?}");
        }
    }

    // A proxy hands the answer on as it is, and our endpoints to us.
    let mut browser = stage.browser(&ADA);
    let question = question(&stage, Way::Forwarded, "GET /page?a=1&b=%2F").navigation();
    let sent_on = ask(&stage, question.at("/_vestibule/auth?mode=redirect")).await;
    browser.set_cookie(&stage.public_url, sent_on.headers("set-cookie")[0]);
    let callback = browser.up_to_callback(sent_on.location()).await;
    let back = browser.look_at(callback.as_str()).await;
    assert_eq!((back.status, back.location()), (302, &*stage.url("/page?a=1&b=%2F")), "{back:?}");
    let cookie = browser.cookie_header(&stage.public_url);
    for way in WAYS {
        let answer = ask(&stage, self::question(&stage, way, "GET /page?a=1&b=%2F").header("Cookie", &cookie)).await;
        assert_eq!((answer.status, answer.header("x-forwarded-user")), (200, Some("ada")), "{way:?}: {answer:?}");
    }
}

/// Some proxies hand on one `Set-Cookie`: where attempts have to make room, our own `/start` does it.
#[tokio::test]
async fn a_redirect_never_needs_a_second_cookie() {
    let stage = asked_only().start().await;
    let mut browser = stage.browser(&ADA);
    let ask_again = async |cookies: &str| {
        let question = question(&stage, Way::Forwarded, "GET /deep?link=1").navigation().header("Cookie", cookies);
        ask(&stage, question.at("/_vestibule/auth?mode=redirect")).await
    };
    for n in 0..16 {
        let answer = ask_again(&browser.cookie_header(&stage.public_url)).await;
        let cookies = answer.headers("set-cookie");
        assert_eq!((answer.status, cookies.len()), (302, 1), "attempt {n}: {answer:?}");
        browser.set_cookie(&stage.public_url, cookies[0]);
    }
    let full = ask_again(&browser.cookie_header(&stage.public_url)).await;
    assert_eq!((full.status, full.headers("set-cookie")), (302, vec![]), "{full:?}");
    assert_eq!(full.location(), stage.url("/_vestibule/start?rd=%2Fdeep%3Flink%3D1"));
    let callback = browser.up_to_callback(full.location()).await;
    assert_eq!(browser.look_at(callback.as_str()).await.location(), stage.url("/deep?link=1"));
}

#[tokio::test]
async fn with_several_providers_or_under_a_further_name_the_redirect_leads_to_us_first() {
    let guests = "\n[[provider]]\nid = \"guests\"\nissuer = \"ISSUER\"\nclient_id = \"guests\"\n";
    let two = "upstream = \"\"\nproviders = [\"company\", \"guests\"]";
    let several = Stage::builder().server(TRUSTING).app(two).more(guests).start().await;
    let named = "upstream = \"\"\nhosts = [\"further.example\"]";
    let further = Stage::builder().server(TRUSTING).app(named).start().await;
    let redirecting = |request: Request| request.navigation().at("/_vestibule/auth?mode=redirect");
    let answer = ask(&several, redirecting(question(&several, Way::Original, "GET /page"))).await;
    assert_eq!((answer.status, answer.headers("set-cookie").len()), (302, 0), "{answer:?}");
    assert_eq!(answer.location(), several.url("/_vestibule/sign_in?rd=%2Fpage"));
    let question = Request::get("/")
        .header("Host", "vestibule.internal")
        .headers(&[("X-Original-Method", "GET"), ("X-Original-URL", "http://further.example/page?x")]);
    let answer = ask(&further, redirecting(question)).await;
    assert_eq!((answer.status, answer.headers("set-cookie").len()), (302, 0), "{answer:?}");
    assert_eq!(answer.location(), further.url("/page?x"));
}

#[tokio::test]
async fn a_web_sockets_handshake_is_known_without_its_upgrade() {
    let stage = asked_only().start().await;
    let ada = stage.sign_in(&ADA).await;
    let origin = stage.origin();
    for (status, origin, cookie) in [
        (200, Some(&*origin), &*ada),
        (200, None, &*ada),                         // no browser
        (403, Some("https://evil.example"), &*ada), // threat 114
        (403, Some("null"), &*ada),
        (401, Some(&*origin), ""), // threat 113
    ] {
        let mut question = question(&stage, Way::Forwarded, "GET /socket").headers(&[
            ("Cookie", cookie),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]);
        if let Some(origin) = origin {
            question = question.header("Origin", origin);
        }
        let answer = ask(&stage, question).await;
        assert_eq!(answer.status, status, "{origin:?}: {answer:?}");
        if status != 200 {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{origin:?}");
        }
    }
}

/// A request that the proxy sends through us all the same is answered like any other, up to where the app would be.
#[tokio::test]
async fn without_an_upstream_everything_works_but_the_way_through() {
    let stage = asked_only().public("/public/**").start().await;
    let (ada, mallory) = (stage.sign_in(&ADA).await, stage.sign_in(&MALLORY).await);
    for (status, target, cookie) in [
        (302, "/page", ""),
        (421, "/page", &*ada),
        (403, "/page", &*mallory),
        (421, "/public/page", ""),
        (200, "/_vestibule/sign_in", ""),
        (200, "/_vestibule/userinfo", &*ada),
        (404, "/_vestibule/nothing", &*ada),
    ] {
        let answer = stage.send(Request::get(target).navigation().header("Cookie", cookie)).await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
    }
    let page = stage.send(Request::get("/page").navigation().header("Cookie", &ada)).await;
    assert!(page.text().contains("not reached this way") && page.text().contains("href=\"&#x2f;\""), "{page:?}");
    let problem = stage.send(Request::get("/page").header("Cookie", &ada)).await;
    assert_eq!(
        (problem.status, problem.header("content-type")),
        (421, Some("application/problem+json")),
        "{problem:?}"
    );
    let landed = stage.browser(&ADA).open(&stage.url("/page")).await;
    assert_eq!((landed.response.status, landed.hops.len()), (421, 3), "a sign-in as anywhere: {landed:?}");
    assert_eq!(stage.upstream.connections(), 0);
}

#[tokio::test]
async fn the_access_line_is_about_the_original_request() {
    let stage = asked_only().start().await;
    let ada = stage.sign_in(&ADA).await;
    let question = question(&stage, Way::Original, "PUT /page?secret=1").headers(&[
        ("Cookie", &ada),
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Request-Id", "given-by-the-proxy"),
    ]);
    assert_eq!(ask(&stage, question).await.status, 200);
    let line =
        stage.door.access_line("its line", |line| (line["request_id"] == "given-by-the-proxy").then(|| line.clone()));
    let line = line.await;
    for (key, value) in
        [("method", "PUT"), ("path", "/page"), ("app", "wiki"), ("client", "203.0.113.7"), ("user", "ada")]
    {
        assert_eq!(line[key], value, "{line}");
    }
    assert!(!line.to_string().contains("secret"), "{line}");
}

/// The app is that of the original host and path, wherever the question comes in.
#[tokio::test]
async fn an_app_below_a_path_is_found_by_the_original_path() {
    let portal = "\n[[app]]\nid = \"portal\"\npublic_url = \"http://127.0.0.1:PORT\"\n[app.access]\npolicy = \"anyone\"\n\
                  [[app.route]]\npath = \"/open/**\"\naccess = \"public\"\n";
    let wiki = asked_only().app("upstream = \"\"\nmerge_slashes = false").public_path("/wiki").public("/open/**");
    let stage = wiki.more(portal).start().await;
    for (status, original) in [
        (200, "GET /wiki/open/page"),
        (401, "GET /wiki/page"),
        (401, "GET /wiki"),
        (200, "GET /open/page"),
        (401, "GET /wikis/open/page"),
        (403, "GET /wiki/_vestibule/start"),
        (403, "GET /_vestibule/start"),
        (400, "GET /open/..%2fwiki/page"),
        (400, "GET /wiki/open/..%2f..%2f..%2fopen/page"),
        // The wiki wants its slashes, and gets them from the proxy, too; the portal does not.
        (200, "GET /wiki/open//page"),
        (401, "GET /wiki//open/page"),
        (400, "GET /open//page"),
        (400, "GET /wiki/open/../page"),
    ] {
        for (host, endpoint) in [
            (stage.authority(), "/_vestibule/auth"),
            (stage.authority(), "/wiki/_vestibule/auth"),
            ("vestibule.internal", "/_vestibule/auth"),
        ] {
            for way in WAYS {
                let answer = ask(&stage, question(&stage, way, original).at(endpoint).to_host(host)).await;
                assert_eq!(answer.status, status, "{original} by {way:?} at {host}{endpoint}: {answer:?}");
            }
        }
    }
}

/// Under the names that the app's configuration gives, and with what it is told of everybody.
#[tokio::test]
async fn the_answer_has_what_the_app_would_be_told() {
    let headers = "[app.headers]\npreset = \"remote\"\nassertion = true\n\
                   set = { \"X-Org\" = { value = \"wiki\" }, \"X-Nick\" = { claim = \"nickname\" } }\n";
    let stage = Stage::builder().server(TRUSTING).app_tables(headers).public("/public/**").start().await;
    let ada = stage.sign_in(&ADA).await;
    for (original, user) in [("GET /page", "ada"), ("GET /public/page", "")] {
        let passed = ask(&stage, question(&stage, Way::Original, original).header("Cookie", &ada)).await;
        assert_eq!(passed.status, 200, "{original}: {passed:?}");
        for (name, value) in [("remote-user", user), ("x-org", "wiki"), ("x-nick", "")] {
            assert_eq!(passed.headers(name), [value], "{original}: {name}: {passed:?}");
        }
        assert_eq!(passed.headers("x-vestibule-assertion").len(), 1, "{original}: {passed:?}");
        assert_eq!(passed.header("x-forwarded-user"), None, "{original}: another preset's");
    }
}

/// On an optional route whom the policy does not admit passes as nobody.
#[tokio::test]
async fn an_optional_route_lets_pass_and_names_whom_the_policy_admits() {
    let stage = asked_only().route("path = \"/page\"\naccess = \"optional\"").start().await;
    let (ada, mallory) = (stage.sign_in(&ADA).await, stage.sign_in(&MALLORY).await);
    for (cookie, user) in [(&*ada, "ada"), (&*mallory, ""), ("", "")] {
        let passed = ask(&stage, question(&stage, Way::Forwarded, "GET /page").header("Cookie", cookie)).await;
        assert_eq!((passed.status, passed.headers("x-forwarded-user")), (200, vec![user]), "{passed:?}");
    }
}
