//! `cookie_domain` and `callback_url`: one sign-in for sibling hosts, by one registered URI if need be.

use url::Url;

use super::*;
use crate::{
    demo::provider::{Provider, SignInPage, calls::Endpoint, clients::Client},
    harness::{Browser, CLIENT_ID, CLIENT_SECRET, Configuration, another_provider, browser::Landed, signing_key},
};

/// Two apps below one domain; `callback_url` of the second, and what comes after it.
fn configuration(notes: &str, more: &str) -> Configuration {
    let more = format!(
        "[[app]]\nid = \"notes\"\nname = \"Notes\"\npublic_url = \"https://notes.example.test:PORT\"\n\
         upstream = \"http://UPSTREAM\"\n{notes}\n[app.access]\npolicy = \"anyone\"\n{more}"
    );
    Stage::builder()
        .session("cookie_domain = \"example.test\"")
        .public_host("wiki.example.test")
        .behind_tls()
        .more(&more)
}

/// The callback of the first app, for the second.
const CALLBACK: &str = "callback_url = \"https://wiki.example.test:PORT/_vestibule/callback\"";

/// The same place on a sibling host.
fn at(stage: &Stage, host: &str, path: &str) -> String {
    let mut url = stage.public_url.join(path).expect("a path");
    url.set_host(Some(host)).expect("a host");
    url.into()
}

fn notes(stage: &Stage, path: &str) -> String {
    at(stage, "notes.example.test", path)
}

/// Makes the client known with the callbacks of both hosts, or of one.
fn register(stage: &Stage, provider: &Provider, hosts: &[&str]) {
    let all = |path: &str| hosts.iter().map(|host| Url::parse(&at(stage, host, path)).expect("a URL")).collect();
    provider.register(Client {
        redirect_uris: all("/_vestibule/callback"),
        post_logout_redirect_uris: all("/_vestibule/signed_out"),
        ..Client::vestibule(CLIENT_ID, CLIENT_SECRET, &stage.public_url)
    });
}

async fn with_own_callbacks() -> Stage {
    let stage = configuration("", "").start().await;
    register(&stage, &stage.provider, &["wiki.example.test", "notes.example.test"]);
    stage
}

/// Only the wiki's callback is registered.
async fn with_one_callback() -> Stage {
    let stage = configuration(CALLBACK, "").start().await;
    register(&stage, &stage.provider, &["wiki.example.test"]);
    stage
}

/// Where it ended and after how many redirects.
fn end(landed: &Landed) -> (u16, &str, usize) {
    (landed.response.status, landed.url.as_str(), landed.hops.len())
}

#[tokio::test]
async fn one_sign_in_counts_at_every_app_below_the_domain_and_one_sign_out_ends_it() {
    let stage = with_own_callbacks().await;
    for (first, second) in [(stage.url("/page"), notes(&stage, "/page")), (notes(&stage, "/page"), stage.url("/page"))]
    {
        let mut browser = stage.browser(&ADA);
        let landed = browser.open(&first).await;
        assert_eq!(end(&landed), (200, &*first, 3), "{landed:?}");
        let landed = browser.open(&second).await;
        assert_eq!(end(&landed), (200, &*second, 0), "no second sign-in: {landed:?}");
        let seen = stage.upstream.take();
        assert!(seen.iter().all(|request| request.header("x-forwarded-user") == Some("ada")), "{seen:?}");
        assert!(seen.iter().all(|request| request.header("cookie").is_none()), "{seen:?}");

        let session = browser.cookie_header(&stage.public_url);
        browser.submit(&landed.url, "/_vestibule/sign_out", &[]).await;
        for host in ["wiki.example.test", "notes.example.test"] {
            let authority = format!("{host}:{}", stage.public_url.port().expect("a port"));
            let request = Request::get("/page").navigation().header("Host", &authority).header("Cookie", &session);
            assert_eq!((stage.send(request).await.status, stage.upstream.take().len()), (302, 0), "{host}");
            let url = Url::parse(&at(&stage, host, "/")).expect("a URL");
            let left = browser.cookie_names(&url);
            assert!(!left.contains(&"__Secure-vestibule".to_owned()), "{host}: {left:?}");
        }
    }
}

/// The providers of an app are its own, also where all share the sessions.
#[tokio::test]
async fn a_shared_session_counts_only_where_its_provider_is_listed() {
    let (partner, _) = another_provider(signing_key()).await;
    partner.sign_in_page(SignInPage::AnsweredBy(&GRACE));
    let second = format!(
        "[[provider]]\nid = \"partner\"\nissuer = {:?}\nclient_id = {CLIENT_ID:?}\nclient_secret = {CLIENT_SECRET:?}\n",
        partner.issuer()
    );
    let configuration = configuration("providers = [\"partner\"]", &second).app("providers = [\"company\"]");
    let stage = configuration.start().await;
    register(&stage, &partner, &["notes.example.test"]);
    let mut browser = stage.browser(&ADA);
    assert_eq!(browser.open(&stage.url("/page")).await.response.status, 200);
    stage.upstream.take();

    let refused = browser.open(&notes(&stage, "/page")).await;
    assert_eq!(refused.response.status, 403, "{refused:?}");
    assert!(refused.response.text().contains("Use another account"), "{refused:?}");
    let asked = browser.look_at(&notes(&stage, "/_vestibule/userinfo")).await;
    assert_eq!(asked.status, 401, "{asked:?}");
    assert_eq!(stage.upstream.requests().len(), 0);

    let switched = browser.submit(&refused.url, "/_vestibule/start", &[("rd", "/page")]).await;
    assert_eq!((switched.response.status, switched.url.as_str()), (200, &*notes(&stage, "/page")), "{switched:?}");
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("grace"));
    assert_eq!(browser.open(&stage.url("/page")).await.response.status, 403, "one session at a time");
}

#[tokio::test]
async fn one_registered_callback_leads_back_to_the_app_where_the_sign_in_began() {
    let stage = with_one_callback().await;
    let mut browser = stage.browser(&ADA);
    let deep = notes(&stage, "/deep?a=%2F&b");
    let landed = browser.open(&deep).await;
    assert_eq!(end(&landed), (200, &*deep, 3), "{landed:?}");
    let seen = stage.upstream.only();
    assert_eq!((seen.target(), seen.header("x-forwarded-user")), ("/deep?a=%2F&b", Some("ada")));
    let asked = stage.provider.calls_to(Endpoint::Authorization);
    assert_eq!(asked[0].query.get("redirect_uri"), Some(&*stage.url("/_vestibule/callback")));
    let redeemed = stage.provider.calls_to(Endpoint::Token);
    assert_eq!(redeemed[0].form.get("redirect_uri"), Some(&*stage.url("/_vestibule/callback")));
    let (callback, _) = landed.hops.last().expect("the callback");
    assert_eq!(callback.host_str(), Some("wiki.example.test"));
    let landed = browser.open(&stage.url("/page")).await;
    assert_eq!(end(&landed), (200, &*stage.url("/page"), 0), "and counts there too");
    let names = browser.cookie_names(&Url::parse(&deep).expect("a URL"));
    assert!(names.iter().all(|name| !name.contains("attempt")), "{names:?}");
}

#[tokio::test]
async fn threat_10_sign_ins_at_siblings_do_not_disturb_each_other_by_one_callback() {
    let stage = with_one_callback().await;
    let mut browser = stage.browser(&ADA);
    let mut tabs = Vec::new();
    for tab in 0..18 {
        let path = format!("/tab/{tab}");
        let url = if tab % 2 == 0 { stage.url(&path) } else { notes(&stage, &path) };
        tabs.push((browser.up_to_callback(&url).await, url));
        stage.clock.advance(Duration::from_secs(1));
    }
    let attempts = browser.cookie_names(&stage.public_url).iter().filter(|name| name.contains("attempt")).count();
    assert_eq!(attempts, 16, "threat 19: together");
    let refused = browser.clone().look_at(tabs[0].0.as_str()).await;
    assert_eq!(refused.status, 400, "the oldest has given way, whoever began it: {refused:?}");
    for (callback, url) in tabs[2..].iter().rev() {
        let landed = browser.open(callback.as_str()).await;
        assert_eq!((landed.response.status, landed.url.as_str()), (200, url.as_str()), "{landed:?}");
    }
}

#[tokio::test]
async fn threats_6_11_12_and_13_hold_for_an_answer_that_comes_to_a_sibling() {
    let stage = with_one_callback().await;
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&notes(&stage, "/page")).await;
    let mut another: Browser = stage.browser(&GRACE);
    another.up_to_callback(&notes(&stage, "/page")).await;
    assert_eq!(another.look_at(callback.as_str()).await.status, 400, "threats 6 and 13");
    assert_eq!(stage.browser(&ADA).look_at(callback.as_str()).await.status, 400, "threat 6");
    stage.provider.sign_in_page(SignInPage::AnsweredBy(&ADA));

    let mut replaying = browser.clone();
    assert_eq!(browser.open(callback.as_str()).await.response.status, 200);
    assert_eq!(replaying.look_at(callback.as_str()).await.status, 400, "threat 11");
    let back = browser.look_at(callback.as_str()).await;
    assert_eq!(back.status, 302, "the back button: {back:?}");

    // Threat 12: too late, it begins again by itself, and ends where it was going.
    let mut late = stage.browser(&ADA);
    let callback = late.up_to_callback(&notes(&stage, "/late")).await;
    stage.clock.advance(Duration::from_secs(301));
    let landed = late.open(callback.as_str()).await;
    assert_eq!((landed.response.status, landed.url.as_str()), (200, &*notes(&stage, "/late")), "{landed:?}");
}

#[tokio::test]
async fn what_goes_wrong_at_the_callback_is_told_as_the_app_where_it_began() {
    let stage = with_one_callback().await;
    let mut browser = stage.browser(&ADA);
    let mut callback = browser.up_to_callback(&notes(&stage, "/page")).await;
    let kept: Vec<_> =
        callback.query_pairs().into_owned().filter(|(name, _)| name == "state" || name == "iss").collect();
    callback.query_pairs_mut().clear().extend_pairs(kept).append_pair("error", "server_error");
    let failed = browser.look_at(callback.as_str()).await;
    assert!(failed.status == 400 && failed.text().contains("Notes"), "{failed:?}");
    let metrics = stage.metrics().await;
    assert!(metrics.contains("vestibule_refusals_total{app=\"notes\",reason=\"provider_refused\"} 1"), "{metrics}");
}

#[tokio::test]
async fn a_loop_at_a_sibling_is_stopped_after_three_rounds() {
    let stage = with_one_callback().await;
    let mut browser = stage.browser(&ADA);
    let page = notes(&stage, "/page");
    for _ in 0..3 {
        let callback = browser.up_to_callback(&page).await;
        assert_eq!(browser.look_at(callback.as_str()).await.location(), page);
        let forget = "__Secure-vestibule=; Path=/; Domain=example.test; Secure; Max-Age=0";
        browser.set_cookie(&stage.public_url, forget);
    }
    let stopped = browser.look_at(&page).await;
    assert!(stopped.status == 400 && stopped.text().contains("does not seem to keep our cookie"), "{stopped:?}");
}

/// What `check` warns of: a host below the domain that is none of ours can plant cookies. It gains nothing but a refusal.
#[tokio::test]
async fn threat_79_what_a_sibling_host_plants_beside_a_session_makes_it_nobodys() {
    let stage = with_own_callbacks().await;
    let mut browser = stage.browser(&ADA);
    browser.open(&stage.url("/page")).await;
    stage.upstream.take();
    let evil = Url::parse("https://evil.example.test/").expect("a URL");
    browser.set_cookie(&evil, &format!("__Secure-vestibule={}; Secure; Path=/; Domain=example.test", "A".repeat(43)));
    browser.set_cookie(
        &evil,
        "__Host-vestibule-attempt-AAAAAAAAAAAAAAAAAAAAAA=tossed; Secure; Path=/; Domain=example.test",
    );
    let mut names = browser.cookie_names(&stage.public_url);
    names.retain(|name| !name.contains(".loop"));
    assert_eq!(
        names,
        ["__Secure-vestibule"],
        "the same cookie to the browser, and no attempt of another host: {names:?}"
    );
    assert_eq!(browser.look_at(&stage.url("/page")).await.status, 302);
    // One for the wiki's host alone is another cookie: two that differ are none.
    browser.open(&stage.url("/page")).await;
    stage.upstream.take();
    browser.set_cookie(&stage.public_url, &format!("__Secure-vestibule={}; Secure; Path=/", "A".repeat(43)));
    assert_eq!(browser.look_at(&stage.url("/page")).await.status, 302);
    assert_eq!(stage.upstream.requests().len(), 0);
}
