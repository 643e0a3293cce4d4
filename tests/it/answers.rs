//! The table of the contract's section 5: who is answered what, and what no answer says.

use serde_json::Value;

use crate::{
    demo::provider::people::{ADA, MALLORY, UMA},
    harness::{Door, Request, Response, Stage, client::WEB_SOCKET, upstream::Answer},
};

mod other_origins;
mod table;

const HTML: &str = "text/html; charset=utf-8";
const PROBLEM: &str = "application/problem+json";

const NAVIGATE: (&str, &str) = ("Sec-Fetch-Mode", "navigate");
const DOCUMENT: (&str, &str) = ("Sec-Fetch-Dest", "document");
const ACCEPT_HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
/// What holds for every answer of ours that is no success.
fn assert_ours(what: &str, answer: &Response) {
    let cache = answer.header("cache-control").unwrap_or_default();
    assert!(cache.contains("no-store"), "{what}: {answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}: {answer:?}");
}

/// No internal detail: no address of the upstream, no library, no error text.
fn assert_discreet<D: Door>(what: &str, stage: &Stage<D>, answer: &Response) {
    let text = format!("{:?} {}", answer.head, answer.text()).to_lowercase();
    let upstream = stage.upstream.address().to_string();
    for word in [upstream.as_str(), "hyper", "tokio", "os error", "refused (", "rust", "panicked", "src/"] {
        assert!(!text.contains(word), "{what} says {word:?}: {text}");
    }
}

#[tokio::test]
async fn the_401_page_of_a_frame_leads_out_of_it() {
    let stage = Stage::builder().start().await;
    for (referer, leads_to) in [
        (Some(stage.url("/outer?x=1")), "/outer?x=1"),
        (Some(format!("{}/outer?x=1", stage.origin().replace("http:", "https:"))), "/"),
        (Some("https://elsewhere.example/page".to_owned()), "/"),
        (Some(stage.url("/_vestibule/sign_in")), "/"),
        (Some("/outer".to_owned()), "/outer"),
        (None, "/"),
    ] {
        let mut request = Request::get("/inner").headers(&[NAVIGATE, ("Sec-Fetch-Dest", "iframe")]);
        if let Some(referer) = &referer {
            request = request.header("Referer", referer);
        }
        let page = stage.send(request).await.html();
        let (_, link) = page.split_once("<a href=\"").expect("a link");
        let (href, attributes) = link.split_once('"').expect("an end of it");
        let start = stage.public_url.join(href).expect("a URL");
        let led: Vec<_> = start.query_pairs().collect();
        assert_eq!(
            (start.path(), &*led[0].0, &*led[0].1),
            ("/_vestibule/start", "rd", leads_to),
            "{referer:?}: {page}"
        );
        assert!(attributes.starts_with(" rel=\"noreferrer\" target=\"_top\">"), "{referer:?}: {page}");
        assert!(!page.contains("elsewhere.example"), "{referer:?}: {page}");
    }
}

#[tokio::test]
async fn who_is_not_admitted_gets_403_with_the_account_in_use_and_a_way_to_another() {
    let stage =
        Stage::builder().access("policy = \"listed\"\nallow = [{ email_domain = \"example.com\" }]").start().await;
    for (person, account) in [(&MALLORY, "mallory@example.net"), (&UMA, "uma@example.com")] {
        let cookie = stage.sign_in(person).await;
        let answer = stage.send(Request::get("/page").navigation().header("Cookie", &cookie)).await;
        assert_eq!((answer.status, answer.header("content-type")), (403, Some(HTML)), "{answer:?}");
        assert!(answer.text().contains(account), "{}", answer.text());
        assert!(answer.text().contains("another account"), "{}", answer.text());
        assert_ours(account, &answer);

        let answer = stage.send(Request::get("/page").header("Cookie", &cookie)).await;
        assert_eq!((answer.status, answer.header("content-type")), (403, Some(PROBLEM)), "{answer:?}");
        assert_eq!(stage.upstream.take().len(), 0, "{account}");
    }
    let cookie = stage.sign_in(&ADA).await;
    assert_eq!(stage.send(Request::get("/page").header("Cookie", &cookie)).await.status, 200);
}

#[tokio::test]
async fn use_another_account_asks_the_provider_to_let_the_visitor_choose() {
    let stage =
        Stage::builder().access("policy = \"listed\"\nallow = [{ email_domain = \"example.com\" }]").start().await;
    let mut browser = stage.browser(&MALLORY);
    let refused = browser.open(&stage.url("/page?x=1")).await;
    assert_eq!(refused.response.status, 403, "{refused:?}");
    stage.provider.sign_in_page(crate::demo::provider::SignInPage::AnsweredBy(&ADA));
    let landed = browser.submit(&refused.url, "/_vestibule/start", &[("rd", "/page?x=1")]).await;
    assert_eq!((landed.response.status, landed.url.as_str()), (200, stage.url("/page?x=1").as_str()), "{landed:?}");
    assert!(landed.hops[0].1.location().contains("prompt=select_account"), "{:?}", landed.hops[0]);
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("ada"));
}

#[tokio::test]
async fn a_host_that_is_no_app_gets_421() {
    let stage = Stage::builder().public("/**").start().await;
    for host in ["elsewhere.example", "127.0.0.1.evil.example", "localhost", "127.0.0.2", "wiki.127.0.0.1"] {
        let answer = stage.send(Request::get("/").navigation().header("Host", host)).await;
        assert_eq!((answer.status, answer.header("content-type")), (421, Some(HTML)), "{host}: {answer:?}");
        let answer = stage.send(Request::get("/_vestibule/sign_in").header("Host", host)).await;
        assert_eq!((answer.status, answer.header("content-type")), (421, Some(PROBLEM)), "{host}: {answer:?}");
        assert_ours(host, &answer);
        assert_eq!(stage.upstream.take().len(), 0, "{host}");
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_or_speaks_no_http_is_502() {
    // Nobody listens on port 1 of an address that nothing else uses.
    let unreachable = Stage::builder().app("upstream = \"http://127.0.0.77:1\"").public("/**").start().await;
    let garbage = Stage::builder().public("/**").start().await;
    garbage.upstream.answer(|_| Answer::Close(b"SSH-2.0-OpenSSH_9.9 secret-banner\r\n\r\n".to_vec()));
    let silent = Stage::builder().public("/**").start().await;
    silent.upstream.answer(|_| Answer::Close(Vec::new()));
    for (what, stage) in [("nobody there", &unreachable), ("no HTTP", &garbage), ("no answer", &silent)] {
        let page = stage.send(Request::get("/page").navigation()).await;
        assert_eq!((page.status, page.header("content-type")), (502, Some(HTML)), "{what}: {page:?}");
        let problem = stage.send(Request::get("/page")).await;
        assert_eq!((problem.status, problem.header("content-type")), (502, Some(PROBLEM)), "{what}: {problem:?}");
        for answer in [&page, &problem] {
            assert_ours(what, answer);
            assert_discreet(what, stage, answer);
            assert!(!answer.text().contains("secret-banner") && !answer.text().contains("127.0.0.77"), "{what}");
        }
    }
}

#[tokio::test]
async fn no_refusal_says_anything_internal_and_each_has_a_request_id_that_is_in_the_log() {
    let stage = Stage::builder().access("policy = \"listed\"\nallow = [{ group = \"staff\" }]").start().await;
    let mallory = stage.sign_in(&MALLORY).await;
    for (status, request) in [
        (400, Request::get("/a/%00")),
        (401, Request::post("/page", "x")),
        (403, Request::get("/page").header("Cookie", &mallory)),
        (404, Request::get("/_vestibule/nothing")),
        (405, Request::new("DELETE", "/_vestibule/userinfo")),
        (400, Request::get("/_vestibule/callback?code=x&state=y")),
        (421, Request::get("/").header("Host", "elsewhere.example")),
    ] {
        for request in [request.clone(), request.navigation()] {
            let answer = stage.send(request).await;
            assert_eq!(answer.status, status, "{answer:?}");
            let what = status.to_string();
            assert_ours(&what, &answer);
            assert_discreet(&what, &stage, &answer);
            let text = answer.text();
            let same_id = |line: &Value| line["request_id"].as_str().filter(|id| text.contains(id)).map(str::to_owned);
            let id = stage.door.access_line("the line of this request", same_id).await;
            assert_eq!(id.len(), 16, "{id}");
            let told = |line: &Value| (line["request_id"] == id.as_str()).then(|| line["status"].clone());
            assert_eq!(stage.door.access_line("the line of this id", told).await, status);
        }
    }
    let wrong_method = stage.send(Request::new("DELETE", "/_vestibule/userinfo")).await;
    assert_eq!(wrong_method.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn with_several_providers_a_navigation_leads_to_the_sign_in_page() {
    let stage = Stage::builder()
        .app("providers = [\"company\", \"guests\"]")
        .more("\n[[provider]]\nid = \"guests\"\nissuer = \"ISSUER\"\nclient_id = \"guests\"\ndisplay_name = \"Our guests\"\n")
        .start()
        .await;
    let answer = stage.send(Request::get("/page?a=1").navigation()).await;
    assert_eq!(answer.status, 302);
    assert_eq!(answer.headers("set-cookie"), [""; 0], "no attempt before a choice");
    let location = answer.location().to_owned();
    assert!(location.starts_with(&stage.url("/_vestibule/sign_in?rd=")), "{location}");
    let landed = stage.browser(&ADA).open(&location).await;
    assert_eq!(landed.response.status, 200);
    let page = landed.response.html();
    for part in ["company", "Our guests", "Team wiki", "/_vestibule/start?"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let landed = stage.browser(&ADA).open(&stage.url("/_vestibule/start?provider=company&rd=/page%3Fa=1")).await;
    assert_eq!((landed.response.status, stage.upstream.only().target()), (200, "/page?a=1"));
    let unknown = stage.send(Request::get("/_vestibule/start?provider=evil").navigation()).await;
    assert_eq!(unknown.status, 400, "{unknown:?}");
}

#[tokio::test]
async fn our_pages_run_nothing_and_are_framed_by_nobody() {
    let stage = Stage::builder().start().await;
    for path in ["/_vestibule/sign_in", "/_vestibule/sign_out", "/_vestibule/signed_out", "/_vestibule/nothing"] {
        let answer = stage.send(Request::get(path).navigation()).await;
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert!(!answer.text().contains("<script"), "{path}");
        assert_ours(path, &answer);
    }
}

#[tokio::test]
async fn a_request_that_is_answered_here_brings_no_body_to_the_upstream() {
    // CVE-2025-31492, CVE-2021-20718, CVE-2025-3891
    let stage = Stage::builder().start().await;
    for request in [
        Request::post("/page", "a=1&b=2").header("Content-Type", "application/x-www-form-urlencoded"),
        Request::post("/page", ""),
        Request::post("/page", "no content type"),
        Request::post("/_vestibule/callback", "code=x&state=y"),
    ] {
        let answer = stage.send(request.headers(&[ACCEPT_HTML])).await;
        assert!([400, 401, 405].contains(&answer.status), "{answer:?}");
        assert!(!answer.text().contains("a=1"), "{answer:?}");
    }
    assert_eq!((stage.upstream.take().len(), stage.upstream.connections()), (0, 0));
}
