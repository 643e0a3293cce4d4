//! `/auth`: what a proxy in front is told about a request that it has, and what it can be made to believe.
//!
//! The other half, real proxies that ask, is in `tests/peers`.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

mod originals;
mod redirects;

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

/// Under the names that the app's configuration gives, and with what it is told of everybody.
#[tokio::test]
async fn the_answer_has_what_the_app_would_be_told() {
    let headers = "[app.headers]\npreset = \"remote\"\nassertion = true\n\
                   set = { \"X-Org\" = { value = \"wiki\" }, \"X-Nick\" = { claim = \"nickname\" } }\n";
    let stage = asked_only().app_tables(headers).public("/public/**").start().await;
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

#[tokio::test]
async fn whoever_asks_about_an_app_with_an_upstream_learns_who_it_is_and_gets_no_credential() {
    let headers = "[app.headers]\nassertion = true\naccess_token = true\n[app.headers.set]\n\
                   Authorization = { basic = { username = \"svc\", password = \"canary-basic\" } }\n\
                   X-Key = { value = \"canary-value\" }\nX-Name = { claim = \"name\" }\n";
    let stage = Stage::builder().server(TRUSTING).app_tables(headers).public("/open").start().await;
    let ada = stage.sign_in(&ADA).await;
    for (original, cookie) in [("GET /open", ""), ("GET /page", ada.as_str())] {
        let question = question(&stage, Way::Forwarded, original).header("Cookie", cookie);
        let answer = ask(&stage, question).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let names = ["authorization", "x-key", "x-forwarded-access-token", "x-vestibule-assertion"];
        assert!(names.iter().all(|name| answer.headers(name) == [""]), "a load balancer's visitor has it: {answer:?}");
    }
    let answer = ask(&stage, question(&stage, Way::Original, "GET /page").header("Cookie", &ada)).await;
    assert_eq!((answer.header("x-forwarded-user"), answer.header("x-name")), (Some("ada"), Some("Ada Lovelace")));
}

#[tokio::test]
async fn threat_64_a_proxy_is_not_told_to_let_another_method_through_than_was_judged() {
    let stage = asked_only().public_for("/feed", "[\"GET\"]").start().await;
    for way in WAYS {
        let plain = ask(&stage, question(&stage, way, "GET /feed")).await;
        assert_eq!(plain.status, 200, "{way:?}: {plain:?}");
        let overridden = question(&stage, way, "GET /feed").header("X-HTTP-Method-Override", "DELETE");
        assert_eq!(ask(&stage, overridden).await.status, 400, "{way:?}");
    }
}

#[tokio::test]
async fn threat_114_a_handshake_over_http_2_is_one_though_it_has_no_key() {
    let stage = asked_only().public("/socket").start().await;
    let handshake = |origin: &str| {
        let request = question(&stage, Way::Forwarded, "GET /socket").header("Sec-WebSocket-Version", "13");
        request.header("Origin", origin)
    };
    assert_eq!(ask(&stage, handshake("https://evil.example")).await.status, 403);
    let own = stage.url("");
    assert_eq!(ask(&stage, handshake(own.trim_end_matches('/'))).await.status, 200);
}
