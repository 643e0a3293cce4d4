//! Every kind of answer for every kind of sender: status, form, headers, and what is left behind.
//!
//! A row is a request that is answered here, a column is who sends it. What a column
//! can use (a redirect, a page, a problem) does not depend on the row, and the status of
//! a row does not depend on the column, but where the contract says so.

use std::{cell::RefCell, collections::HashMap};

use serde_json::Value;

use super::{ACCEPT_HTML, DOCUMENT, HTML, NAVIGATE, PROBLEM, WEB_SOCKET, assert_discreet, assert_ours};
use crate::{
    demo::provider::people::MALLORY,
    harness::{Request, Response, Stage},
};

/// What a sender can do with an answer of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Go on to the provider, and show a page.
    Navigate,
    /// Show a page, where it is: in a frame, or after a form.
    Show,
    /// Read a problem.
    Read,
}

/// A column.
struct Sender {
    name: &'static str,
    method: &'static str,
    fields: &'static [(&'static str, &'static str)],
    can: Use,
}

const fn sender(
    name: &'static str,
    method: &'static str,
    fields: &'static [(&'static str, &'static str)],
    can: Use,
) -> Sender {
    Sender { name, method, fields, can }
}

const CORS: (&str, &str) = ("Sec-Fetch-Mode", "cors");
const NO_CORS: (&str, &str) = ("Sec-Fetch-Mode", "no-cors");
const EMPTY: (&str, &str) = ("Sec-Fetch-Dest", "empty");
const IFRAME: (&str, &str) = ("Sec-Fetch-Dest", "iframe");
const OLD_ACCEPT: (&str, &str) = ("Accept", "image/gif, */*, text/HTML;level=1");

const SENDERS: [Sender; 29] = [
    sender("a navigation", "GET", &[NAVIGATE, DOCUMENT, ACCEPT_HTML], Use::Navigate),
    sender("a HEAD of one", "HEAD", &[NAVIGATE, DOCUMENT], Use::Navigate),
    sender("an older browser", "GET", &[ACCEPT_HTML], Use::Navigate),
    sender("an odd Accept", "GET", &[OLD_ACCEPT], Use::Navigate),
    sender("a navigation that accepts anything", "GET", &[NAVIGATE, DOCUMENT, ("Accept", "*/*")], Use::Navigate),
    sender("a frame", "GET", &[NAVIGATE, IFRAME, ACCEPT_HTML], Use::Show),
    sender("an object", "GET", &[NAVIGATE, ("Sec-Fetch-Dest", "object")], Use::Show),
    sender("a form", "POST", &[NAVIGATE, DOCUMENT, ACCEPT_HTML], Use::Show),
    sender("a form of an older browser", "POST", &[ACCEPT_HTML], Use::Show),
    sender("a form in a frame", "POST", &[NAVIGATE, IFRAME], Use::Show),
    sender("a fetch", "GET", &[CORS, EMPTY], Use::Read),
    sender("a fetch for HTML", "GET", &[CORS, EMPTY, ACCEPT_HTML], Use::Read),
    sender("a fetch that sends", "POST", &[CORS, EMPTY], Use::Read),
    sender("an XHR of an older browser", "GET", &[ACCEPT_HTML, ("X-Requested-With", "XMLHttpRequest")], Use::Read),
    sender("a prefetch", "GET", &[NAVIGATE, DOCUMENT, ACCEPT_HTML, ("Sec-Purpose", "prefetch")], Use::Read),
    sender("a prerender", "GET", &[NAVIGATE, DOCUMENT, ("Sec-Purpose", "prefetch;prerender")], Use::Read),
    sender("a prefetch of an older browser", "GET", &[ACCEPT_HTML, ("Purpose", "prefetch")], Use::Read),
    sender("the favicon", "GET", &[NO_CORS, ("Sec-Fetch-Dest", "image")], Use::Read),
    sender("the manifest", "GET", &[CORS, ("Sec-Fetch-Dest", "manifest")], Use::Read),
    sender(
        "a service worker",
        "GET",
        &[("Sec-Fetch-Mode", "same-origin"), ("Sec-Fetch-Dest", "serviceworker")],
        Use::Read,
    ),
    sender("a download by a script", "GET", &[NAVIGATE, EMPTY, ACCEPT_HTML], Use::Read),
    sender("Fetch Metadata in part", "GET", &[DOCUMENT, ACCEPT_HTML], Use::Read),
    sender("curl", "GET", &[("Accept", "*/*")], Use::Read),
    sender("git", "GET", &[("User-Agent", "git/2.47"), ("Accept", "*/*")], Use::Read),
    sender("an API client", "POST", &[("Accept", "application/json")], Use::Read),
    sender("who wants anything but HTML", "GET", &[("Accept", "text/html;q=0, */*")], Use::Read),
    sender("nothing said", "GET", &[], Use::Read),
    sender("a WebSocket", "GET", &WEB_SOCKET, Use::Read), // threat 113
    sender("a preflight", "OPTIONS", &[CORS, ("Access-Control-Request-Method", "PUT")], Use::Read),
];

impl Sender {
    fn request(&self, target: &str) -> Request {
        let request = Request::new(self.method, target).headers(self.fields);
        if matches!(self.method, "POST") { request.header("Content-Length", "0") } else { request }
    }

    /// What holds for every refusal. Gives its id, which must be in the log, if its sender gets to see one.
    fn assert_refused(&self, row: &str, stage: &Stage, answer: &Response, status: u16) -> Option<(String, u16)> {
        let what = format!("{row} to {}", self.name);
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some(if self.can == Use::Read { PROBLEM } else { HTML }), "{what}");
        assert_ours(&what, answer);
        assert_discreet(&what, stage, answer);
        assert_eq!(answer.headers("set-cookie"), [""; 0], "{what}: no login state");
        assert_eq!(answer.header("location"), None, "{what}");
        let challenge: &[&str] = if status == 401 { &["Bearer realm=\"wiki\""] } else { &[] };
        assert_eq!(answer.headers("www-authenticate"), challenge, "{what}: never Basic");
        if self.method == "HEAD" {
            return None;
        }
        let text = answer.html();
        if self.can == Use::Read {
            let problem = answer.json();
            assert_eq!(problem["status"], status, "{what}");
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{what}: {text}");
            let sign_in = (status == 401).then(|| Value::from(stage.url("/_vestibule/start")));
            assert_eq!(problem.get("sign_in"), sign_in.as_ref(), "{what}: {text}");
            return Some((problem["request_id"].as_str().expect("an id").to_owned(), status));
        }
        assert!(text.contains("<a href=\"") || text.contains("<form method=\"post\""), "{what}: no way on: {text}");
        assert_eq!(text.contains("target=\"_top\""), status == 401, "{what}: {text}");
        let id = text.split_once("<code>").and_then(|(_, rest)| rest.split_once("</code>")).expect("an id").0;
        Some((id.to_owned(), status))
    }
}

/// Every id that somebody was shown is in the log, with the status that they got.
async fn assert_logged(stage: &Stage, told: Vec<(String, u16)>) {
    assert!(!told.is_empty());
    let told = RefCell::new(told.into_iter().collect::<HashMap<_, _>>());
    let all_are_there = |line: &Value| {
        let mut told = told.borrow_mut();
        if let Some(status) = line["request_id"].as_str().and_then(|id| told.remove(id)) {
            assert_eq!(line["status"], status, "{line}");
        }
        told.is_empty().then_some(())
    };
    stage.door.access_line("a line for each id", all_are_there).await;
}

#[tokio::test]
async fn whoever_is_anonymous_is_sent_to_sign_in_if_that_can_work_and_else_told_where() {
    let stage = Stage::builder().start().await;
    let mut told = Vec::new();
    for sender in &SENDERS {
        let answer = stage.send(sender.request("/page?a=1")).await;
        if sender.can == Use::Navigate {
            assert_eq!(answer.status, 302, "{}: {answer:?}", sender.name);
            let provider = format!("{}/oidc/authorize?", stage.provider.issuer());
            assert!(answer.location().starts_with(&provider), "{}: {answer:?}", sender.name);
            let cookies = answer.headers("set-cookie");
            assert_eq!(cookies.len(), 1, "{}: {cookies:?}", sender.name);
            for attribute in ["vestibule-attempt-", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
                assert!(cookies[0].contains(attribute), "{}: {attribute} in {}", sender.name, cookies[0]);
            }
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", sender.name);
            assert_eq!(answer.header("www-authenticate"), None, "{}", sender.name);
        } else {
            told.extend(sender.assert_refused("an anonymous", &stage, &answer, 401));
        }
        assert_eq!(stage.upstream.take().len(), 0, "{}", sender.name);
    }
    assert_logged(&stage, told).await;
}

#[tokio::test]
async fn who_may_not_enter_is_told_so_in_their_own_form() {
    let stage = Stage::builder().access("policy = \"listed\"\nallow = [{ group = \"staff\" }]").start().await;
    let mallory = stage.sign_in(&MALLORY).await;
    let mut told = Vec::new();
    for sender in &SENDERS {
        let answer = stage.send(sender.request("/page").header("Cookie", &mallory)).await;
        told.extend(sender.assert_refused("not admitted", &stage, &answer, 403));
        let shows_account = sender.can != Use::Read && sender.method != "HEAD";
        assert_eq!(answer.text().contains("mallory@example.net"), shows_account, "{}", sender.name);
        assert_eq!(stage.upstream.take().len(), 0, "{}", sender.name);
    }
    assert_logged(&stage, told).await;
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_in_the_senders_own_form() {
    let stage = Stage::builder().public("/**").limits("uri_bytes = \"1KiB\"\nheader_count = 20").start().await;
    let long = format!("/{}", "a".repeat(2000));
    let mut told = Vec::new();
    for (row, status, target, fields) in [
        ("an ambiguous path", 400, "/a/%00", vec![]),
        ("two hosts", 400, "/", vec![("Host", "a.example"), ("Host", "b.example")]),
        ("an unknown host", 421, "/", vec![("Host", "elsewhere.example")]),
        ("no such endpoint", 404, "/_vestibule/nothing", vec![]),
        ("a question of nobody's proxy", 403, "/_vestibule/auth", vec![]),
        ("a long address", 414, long.as_str(), vec![]),
        ("too many fields", 431, "/", vec![("X-Field", "x"); 20]),
        ("an expectation", 417, "/", vec![("Expect", "the unexpected")]),
    ] {
        for sender in &SENDERS {
            let answer = stage.send(sender.request(target).headers(&fields)).await;
            told.extend(sender.assert_refused(row, &stage, &answer, status));
            assert_eq!(stage.upstream.take().len(), 0, "{row} to {}", sender.name);
        }
    }
    assert_logged(&stage, told).await;
}

#[tokio::test]
async fn an_app_that_is_not_there_is_said_to_be_not_there() {
    // Nobody listens on port 1 of an address that nothing else uses.
    let stage = Stage::builder().app("upstream = \"http://127.0.0.77:1\"").public("/**").start().await;
    let mut told = Vec::new();
    for sender in &SENDERS {
        let answer = stage.send(sender.request("/page")).await;
        told.extend(sender.assert_refused("an unreachable app", &stage, &answer, 502));
    }
    assert_logged(&stage, told).await;
}

/// A provider that is away matters to whoever is to be sent there, and to nobody else.
#[tokio::test]
async fn a_provider_that_is_away_is_said_to_be_away_to_navigations_only() {
    let stage = Stage::builder().provider("issuer = \"http://127.0.0.77:1\"").start_without_metadata().await;
    let mut told = Vec::new();
    for sender in &SENDERS {
        let answer = stage.send(sender.request("/page")).await;
        let status = if sender.can == Use::Navigate { 502 } else { 401 };
        told.extend(sender.assert_refused("a provider that is away", &stage, &answer, status));
    }
    assert_logged(&stage, told).await;
}

#[tokio::test]
async fn who_began_too_many_sign_ins_is_told_when_to_come_back() {
    let stage = Stage::builder().limits("sign_ins_per_client = \"1/min\"").start().await;
    assert_eq!(stage.send(Request::get("/page").navigation()).await.status, 302);
    let mut told = Vec::new();
    for sender in &SENDERS {
        let answer = stage.send(sender.request("/page")).await;
        let status = if sender.can == Use::Navigate { 429 } else { 401 };
        told.extend(sender.assert_refused("too many sign-ins", &stage, &answer, status));
        let wait = answer.header("retry-after").map(|seconds| seconds.parse::<u64>().expect("seconds"));
        assert_eq!(wait.is_some_and(|wait| (1..=60).contains(&wait)), status == 429, "{}: {wait:?}", sender.name);
    }
    assert_logged(&stage, told).await;
}

/// `on_anonymous` of a route moves the line between those who are sent on and those who are told where.
#[tokio::test]
async fn a_route_says_who_is_sent_to_sign_in() {
    let stage = Stage::builder()
        .route("path = \"/eager/**\"\naccess = \"anyone\"\non_anonymous = \"redirect\"")
        .route("path = \"/api/**\"\naccess = \"anyone\"\non_anonymous = \"unauthorized\"")
        .start()
        .await;
    let mut told = Vec::new();
    for sender in &SENDERS {
        let says_nothing = !sender
            .fields
            .iter()
            .any(|(name, _)| name.starts_with("Sec-") || ["X-Requested-With", "Purpose", "Upgrade"].contains(name));
        let in_a_frame = sender.fields.contains(&NAVIGATE) && sender.can == Use::Show;
        let may_navigate = sender.can == Use::Navigate || says_nothing || in_a_frame;
        let is_safe = ["GET", "HEAD"].contains(&sender.method);
        for (target, is_sent_on) in [
            ("/page", sender.can == Use::Navigate),
            ("/eager/page", may_navigate && is_safe),
            ("/api/page", false),
            ("/api/../page", sender.can == Use::Navigate),
        ] {
            let answer = stage.send(sender.request(target)).await;
            if is_sent_on {
                assert_eq!((answer.status, answer.headers("set-cookie").len()), (302, 1), "{target}: {}", sender.name);
            } else {
                told.extend(sender.assert_refused(target, &stage, &answer, 401));
            }
        }
    }
    assert_eq!(stage.upstream.take().len(), 0);
    assert_logged(&stage, told).await;
}
