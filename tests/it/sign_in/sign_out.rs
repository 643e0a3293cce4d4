//! Signing out, here and at the provider (RP-Initiated Logout 1.0; threats 5 and 9).

use super::*;
use crate::harness::CLIENT_ID;

#[tokio::test]
async fn signing_out_ends_the_session_here_and_at_the_provider() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let landed = browser.open(&stage.url(PAGE)).await;
    let session = cookie(&browser, &stage, SESSION).expect("signed in");
    stage.upstream.take();

    let question = browser.click(&landed.url, "/_vestibule/sign_out?rd=/goodbye").await;
    assert!(question.response.text().contains("Sign out of Team wiki?"), "{question:?}");
    assert!(opens(&stage, &session).await, "threat 9: looking at the button presses nothing");

    let left = browser.submit(&question.url, "/_vestibule/sign_out", &[("rd", "/goodbye")]).await;
    assert_eq!((left.response.status, left.url.path()), (200, "/_vestibule/signed_out"), "{left:?}");
    assert!(left.response.text().contains("You are signed out"), "{left:?}");
    assert!(!opens(&stage, &session).await, "caddy CVE-2024-21494: no session outlives its sign-out");
    assert_eq!(cookie(&browser, &stage, SESSION), None);

    let asked = stage.provider.calls_to(Endpoint::EndSession);
    let [asked] = &asked[..] else { panic!("one request: {asked:?}") };
    assert_eq!(asked.query.get("client_id"), Some(CLIENT_ID));
    assert_eq!(asked.query.get("post_logout_redirect_uri"), Some(&*stage.url("/_vestibule/signed_out")));
    assert!(asked.query.get("id_token_hint").is_some_and(|hint| hint.split('.').count() == 3));
    let state = asked.query.get("state").expect("a state");
    assert!(state.len() >= 20 && left.url.query_pairs().any(|(name, value)| name == "state" && value == state));
    // The provider knew the hint, or it would have asked: its own session is over as well.
    stage.provider.sign_in_page(SignInPage::Shown);
    let next = browser.open(&stage.url(PAGE)).await;
    assert!(next.url.as_str().starts_with(stage.provider.issuer()), "{next:?}");
}

#[tokio::test]
async fn without_an_end_session_endpoint_signing_out_leads_where_the_visitor_asked() {
    let stage = Stage::builder().start_with(without_end_session).await;
    for (form, path) in [(&[("rd", "/goodbye")][..], "/goodbye"), (&[], "/_vestibule/signed_out")] {
        let mut browser = stage.browser(&ADA);
        let landed = browser.open(&stage.url(PAGE)).await;
        let session = cookie(&browser, &stage, SESSION).expect("signed in");
        stage.upstream.take();
        let left = browser.submit(&landed.url, "/_vestibule/sign_out", form).await;
        let first = left.hops.first().map(|(_, response)| (response.status, response.location().to_owned()));
        assert_eq!(first, Some((303, stage.url(path))), "{left:?}");
        assert!(!opens(&stage, &session).await);
        assert_eq!(stage.provider.calls_to(Endpoint::EndSession).len(), 0);
    }
}

#[tokio::test]
async fn threat_9_no_other_site_signs_anybody_out() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    assert_eq!(browser.open(&stage.url(PAGE)).await.response.status, 200);
    let session = cookie(&browser, &stage, SESSION).expect("signed in");
    stage.upstream.take();
    let elsewhere = Url::parse("http://127.0.0.3/").expect("a URL");
    let sign_out = stage.url("/_vestibule/sign_out");

    let linked = browser.click(&elsewhere, &sign_out).await;
    assert!(linked.response.text().contains("Sign out of Team wiki?"), "a link only asks: {linked:?}");
    assert_eq!(linked.response.header("x-frame-options"), Some("DENY"), "and in no frame");
    let posted = browser.submit(&elsewhere, &sign_out, &[]).await;
    is_page(&posted.response, 403, "This request came from another site");
    for (name, value) in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Site", "none"),
        ("Origin", "null"),
    ] {
        let with_cookie = Request::post("/_vestibule/sign_out", "").header("Cookie", &format!("{SESSION}={session}"));
        assert_eq!(stage.send(with_cookie.header(name, value)).await.status, 403, "{name}: {value}");
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        let request = Request::new(method, "/_vestibule/sign_out").header("Cookie", &format!("{SESSION}={session}"));
        assert_eq!(stage.send(request).await.status, 405, "{method}");
    }
    assert!(opens(&stage, &session).await);
    assert_eq!(stage.provider.calls_to(Endpoint::EndSession).len(), 0);
}

/// The provider's return, with whatever it brings: some append `session_state`, some leave `state` out.
#[tokio::test]
async fn the_landing_page_never_redirects_and_repeats_nothing() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    for query in [
        "",
        "?state=",
        "?state=not-ours",
        "?state=a&state=b",
        "?state=x&session_state=y.z",
        "?rd=//evil.example&post_logout_redirect_uri=//evil.example",
        "?state=%3Cscript%3Ecanary%3C/script%3E",
        "?%zz=%00",
    ] {
        for endpoint in ["signed_out", "callback"] {
            // A callback with none of its parameters is a provider's return after sign-out.
            if endpoint == "callback" && query.contains("state=") {
                continue;
            }
            for jar in ["", &cookie] {
                let request =
                    Request::get(&format!("/_vestibule/{endpoint}{query}")).navigation().header("Cookie", jar);
                let response = stage.send(request).await;
                assert_eq!(response.status, 200, "{endpoint}{query}: {response:?}");
                assert!(response.text().contains("You are signed out"), "{endpoint}{query}: {response:?}");
                assert!(
                    !response.text().contains("canary") && response.headers("set-cookie").is_empty(),
                    "{response:?}"
                );
            }
        }
    }
    assert!(
        opens(&stage, cookie.split_once("vestibule=").and_then(|(_, rest)| rest.split(';').next()).expect("a session"))
            .await
    );
}

#[tokio::test]
async fn signing_out_without_a_session_is_no_error() {
    let stage = Stage::builder().start().await;
    let request = Request::post("/_vestibule/sign_out", "").header("Sec-Fetch-Site", "same-origin");
    let response = stage.send(request).await;
    assert_eq!((response.status, response.location()), (303, &*stage.url("/_vestibule/signed_out")));
    assert_eq!(stage.provider.calls_to(Endpoint::EndSession).len(), 0, "there is nothing to hint at");
}
