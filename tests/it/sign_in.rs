//! What happens to people who sign in, and to those who make them: tabs, back buttons, clocks, outages, other sites.
//!
//! Each test is a story of contract §4, §5 and §7, told to a whole sidecar by a browser
//! with a cookie jar, or by somebody who sends what no browser would. The numbers are
//! those of our list of threats. Lies of the provider are told elsewhere
//! ([`hostile_provider`](crate::hostile_provider)); here it is honest, or away.

use url::{Position, Url};

use crate::{
    demo::provider::{
        Provider, SignInPage,
        calls::Endpoint,
        mischief::Answer,
        people::{ADA, GRACE, MALLORY},
    },
    harness::{Browser, Request, Response, Stage},
};

mod access;
mod attempts;
mod callback;
mod client_secrets;
mod endpoints;
mod outage;
mod parameters;
mod providers;
mod redirect_corpus;
mod sessions;
mod sign_out;
mod start;
mod target;

/// Where most of these visitors want to go; the query must arrive to the letter.
const PAGE: &str = "/wiki/Front%20page?a=1&b=%2F&c=d+e&&f";

/// The cookie of a session, over plain http.
const SESSION: &str = "vestibule";

/// Begins the name of an attempt's cookie.
const ATTEMPT: &str = "vestibule-attempt-";

/// The value of a cookie that this browser would send to the app.
fn cookie(browser: &Browser, stage: &Stage, name: &str) -> Option<String> {
    let header = browser.cookie_header(&stage.public_url);
    let mut pairs = header.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.find(|(n, _)| *n == name).map(|(_, value)| value.to_owned())
}

/// Brings an answer of the provider to the callback, with these cookies and no others.
async fn carry(stage: &Stage, callback: &Url, cookies: &str) -> Response {
    let target = &callback[Position::BeforePath..Position::AfterQuery];
    stage.send(Request::get(target).navigation().header("Cookie", cookies)).await
}

/// A page of ours that says no.
fn is_page(response: &Response, status: u16, words: &str) {
    let text = response.text();
    assert!(response.status == status && text.contains(words), "{status} with {words:?}: {response:?}");
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(text.contains("Request ID:"), "{text}");
}

/// How often a refusal of this kind has been counted.
async fn refusals(stage: &Stage, reason: &str) -> u32 {
    let line = format!("vestibule_refusals_total{{app=\"wiki\",reason=\"{reason}\"}} ");
    let metrics = stage.metrics().await;
    let count = metrics.lines().find_map(|l| l.strip_prefix(&line));
    count.map_or(0, |count| count.parse().expect("a count"))
}

/// Whether a cookie still opens the app; the upstream's record is empty afterwards.
async fn opens(stage: &Stage, session: &str) -> bool {
    stage.upstream.take();
    let request = Request::get("/still-there").navigation().header("Cookie", &format!("{SESSION}={session}"));
    let response = stage.send(request).await;
    let reached = stage.upstream.take().len();
    match (response.status, reached) {
        (200, 1) => true,
        (302, 0) => false,
        odd => panic!("neither let in nor sent to sign in: {odd:?}"),
    }
}

/// How often a code has been redeemed, rightly or not.
fn redemptions(provider: &Provider) -> usize {
    provider.calls_to(Endpoint::Token).len()
}

/// Makes a provider one that offers no RP-initiated logout.
fn without_end_session(provider: &Provider) {
    provider.lie(|answer| {
        if let Answer::Discovery(metadata) = answer {
            metadata["end_session_endpoint"] = serde_json::Value::Null;
        }
    });
}

#[tokio::test]
async fn a_deep_link_is_reached_with_its_query_to_the_letter() {
    let stage = Stage::builder().start().await;
    for target in [
        PAGE,
        "/",
        "/?",
        "/a?b=c?d=e",
        "/q?x=%zz&y=%&z=%E4",
        "/q?rd=https://elsewhere.example/&state=1&code=2",
        "/path;v=1/x?y=\"<'>",
        "/%C3%A9t%C3%A9?n=%C3%A9",
    ] {
        let mut browser = stage.browser(&ADA);
        let landed = browser.open(&stage.url(target)).await;
        assert_eq!((landed.response.status, landed.hops.len()), (200, 3), "{target}: {landed:?}");
        let request = stage.upstream.only();
        assert_eq!(
            request.target(),
            &Url::parse(&stage.url(target)).expect("a URL")[Position::BeforePath..],
            "{target}"
        );
        assert_eq!(request.header("x-forwarded-user"), Some("ada"), "{target}");
    }
}
