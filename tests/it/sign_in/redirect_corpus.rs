//! Threats 1 to 5 in breadth: some thousand ways to write "elsewhere", put together from the pieces that led other
//! proxies astray, at every endpoint that takes a target. What a browser makes of the answer is the only judge.

use std::collections::BTreeSet;

use super::*;
use crate::harness::RawClient;

/// Ways to begin that some reader takes for the beginning of another origin.
const LEADS: [&str; 60] = [
    "",
    "/",
    "//",
    "///",
    "////",
    "//////",
    "/\\",
    "\\/",
    "\\\\",
    "\\",
    "/\\/",
    "\\/\\/",
    "//\\",
    "/%5c",
    "/%5C/",
    "%5c%5c",
    "/%2f",
    "/%2F/",
    "%2f%2f",
    "/%252f/",
    "//%5c",
    "/\t/",
    "/\n/",
    "/\r\n/",
    "\t//",
    " //",
    "\u{a0}//",
    "\u{0}//",
    "/%09/",
    "/%0a/",
    "/%0d%0a/",
    "/%20/",
    "/%00/",
    "/.//",
    "/..//",
    "/%2e//",
    "/%2e%2e//",
    "/a/../..//",
    "/;//",
    "./\\",
    "//;@",
    "http:",
    "https:",
    "http:/",
    "http://",
    "https://",
    "http:///",
    "http:\\\\",
    "http:/\\",
    "hTTp://",
    "ht\ttp://",
    "http\n://",
    "//\u{ff0f}",
    "\u{ff0f}\u{ff0f}",
    "\u{2215}\u{2215}",
    "//:@",
    "//@",
    "?//",
    "/?//",
    "#//",
];

/// Ways to name it.
const NAMES: [&str; 18] = [
    "evil.example",
    "evil.example/",
    "evil.example/%2f..",
    "evil.example/..//",
    "evil%2eexample",
    "evil\u{3002}example",
    "\u{24d4}vil.example",
    "EVIL.EXAMPLE:80",
    "127.0.0.1@evil.example",
    "127.0.0.1:PORT@evil.example/",
    "127.0.0.1%40evil.example",
    "127.0.0.1\\@evil.example",
    "127.0.0.1.evil.example",
    "evil.example\\@127.0.0.1:PORT",
    "evil.example#@127.0.0.1:PORT/",
    "evil.example?@127.0.0.1:PORT/",
    "user:password@127.0.0.1:PORT/",
    "2130706433:1/",
];

/// What is none of these.
const OTHERS: [&str; 16] = [
    "javascript:alert(1)",
    "JaVaScRiPt://127.0.0.1:PORT/%0aalert(1)",
    "java\tscript:alert(1)",
    "\u{1}javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "ftp://127.0.0.1:PORT/",
    "blob:http://127.0.0.1:PORT/x",
    "view-source:http://127.0.0.1:PORT/",
    "mailto:a@evil.example",
    "https://127.0.0.1:PORT/",
    "http://127.0.0.1:1/",
    "http://localhost:PORT/",
    "http://[::1]:PORT/",
    "http://127.0.0.1:PORT:80/",
];

fn corpus(stage: &Stage) -> Vec<String> {
    let port = stage.public_url.port().expect("a port of the tests").to_string();
    let built = LEADS.iter().flat_map(|lead| NAMES.iter().map(move |name| format!("{lead}{name}")));
    let all = built.chain(OTHERS.iter().map(ToString::to_string));
    all.map(|payload| payload.replace("PORT", &port)).collect::<BTreeSet<_>>().into_iter().collect()
}

fn encoded(payload: &str) -> String {
    url::form_urlencoded::byte_serialize(payload.as_bytes()).collect()
}

/// Whether a browser that follows this from a page of the app stays at it.
fn stays(stage: &Stage, reference: &str) -> bool {
    stage.public_url.join(reference).is_ok_and(|url| {
        url.origin() == stage.public_url.origin()
            && !url.path().starts_with("//")
            && url.path().starts_with(stage.public_url.path())
    })
}

/// The links and forms of a page.
fn references(page: &Response) -> Vec<String> {
    let html = page.html();
    let after = |attribute: &str| {
        let parts = html.split(attribute).skip(1);
        parts.filter_map(|part| part.split('"').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    [after("href=\""), after("action=\"")].concat()
}

/// Below a path, so that neither the origin nor the app is left; without a bound, because nobody begins that many.
async fn wiki() -> Stage {
    let stage = Stage::builder().public_path("/wiki").limits("sign_ins_per_client = 0");
    let stage = stage.start_with(without_end_session).await;
    stage.ready().await;
    stage
}

#[tokio::test]
async fn threat_1_2_no_target_of_the_corpus_leads_away_from_a_sign_out_or_a_start() {
    let stage = wiki().await;
    let corpus = corpus(&stage);
    assert!(corpus.len() > 589, "{} payloads", corpus.len());
    let mut client = stage.connect().await;
    for payload in &corpus {
        let rd = encoded(payload);
        let sign_out = Request::post("/wiki/_vestibule/sign_out", format!("rd={rd}"));
        let answer = ask(&stage, &mut client, &sign_out.header("Sec-Fetch-Site", "same-origin")).await;
        assert_eq!(answer.status, 303, "{payload:?}: {answer:?}");
        assert!(stays(&stage, answer.location()), "{payload:?}: {answer:?}");
        let start = Request::get(&format!("/wiki/_vestibule/start?rd={rd}")).navigation();
        let begun = ask(&stage, &mut client, &start).await;
        assert!(begun.location().starts_with(stage.provider.issuer()), "{payload:?}: {begun:?}");
    }
}

#[tokio::test]
async fn threat_1_17_no_page_has_a_link_to_a_target_of_the_corpus() {
    let stage = wiki().await;
    let session = stage.sign_in(&ADA).await;
    let mut client = stage.connect().await;
    for payload in corpus(&stage).iter().step_by(5) {
        let rd = encoded(payload);
        let get = |endpoint: &str| Request::get(&format!("/wiki/_vestibule/{endpoint}?rd={rd}")).navigation();
        // The second asks before it replaces the session.
        for request in [get("sign_in"), get("start").header("Cookie", &session), get("sign_out")] {
            let page = ask(&stage, &mut client, &request).await;
            assert_eq!(page.status, 200, "{payload:?}: {page:?}");
            for reference in references(&page) {
                assert!(stays(&stage, &reference), "{payload:?}: {reference} in {}", page.text());
            }
        }
    }
}

/// One of many answers on one connection; none has a field that we do not set.
async fn ask(stage: &Stage, client: &mut RawClient, request: &Request) -> Response {
    let answer = client.exchange(&request.to_host(stage.authority())).await;
    let cookies = answer.headers("set-cookie");
    assert!(cookies.iter().all(|cookie| cookie.starts_with("vestibule")), "threat 2: {answer:?}");
    assert!(answer.header("x-injected").is_none(), "threat 2: {answer:?}");
    answer
}

#[tokio::test]
async fn threat_1_no_sign_in_with_a_target_of_the_corpus_leads_away() {
    let stage = wiki().await;
    let corpus = corpus(&stage);
    // A whole sign-in each; the step shares no factor with the pieces, so that each of these has its turn.
    for payload in corpus.iter().step_by(13) {
        let mut browser = stage.browser(&ADA);
        let callback = browser.up_to_callback(&stage.own(&format!("/start?rd={}", encoded(payload)))).await;
        let landed = browser.look_at(callback.as_str()).await;
        assert_eq!(landed.status, 302, "{payload:?}: {landed:?}");
        assert!(stays(&stage, landed.location()), "{payload:?}: {landed:?}");
    }
}

#[tokio::test]
async fn threat_1_no_host_of_the_corpus_is_sent_anybody() {
    let stage = Stage::builder().start().await;
    for name in NAMES.iter().filter(|name| name.is_ascii()) {
        for target in ["/", "/_vestibule/start", "/_vestibule/sign_in"] {
            let answer = stage.send(Request::get(target).navigation().header("Host", name)).await;
            assert!(matches!(answer.status, 400 | 421), "{name}: {answer:?}");
            assert_eq!(
                (answer.header("location"), answer.headers("set-cookie").len()),
                (None, 0),
                "{name}: {answer:?}"
            );
        }
    }
}
