//! `rd`: where a sign-in or sign-out may lead, through the real endpoints (threats 1 to 4).

use super::*;

/// What has led browsers astray at others: CVE-2017-1000070, CVE-2019-14857, CVE-2019-20479, CVE-2020-4037,
/// CVE-2020-5233, CVE-2020-11053, CVE-2021-29456, CVE-2021-32786, CVE-2021-39191, CVE-2022-23527.
const ASTRAY: [&str; 44] = [
    "//evil.example",
    "///evil.example",
    "////evil.example//",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\\/evil.example",
    "/\t/evil.example",
    "/\tevil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    " //evil.example",
    "\u{0}//evil.example",
    "/\u{0}/evil.example",
    "http://evil.example",
    "https://evil.example/path?x#y",
    "HTTPS:evil.example",
    "http:///evil.example",
    "http:/\\evil.example",
    "http:\\\\evil.example",
    "http://127.0.0.1@evil.example/",
    "http://127.0.0.1:80@evil.example/",
    "http://127.0.0.1\\@evil.example/",
    "http://127.0.0.1.evil.example/",
    "http://evil.example#@127.0.0.1/",
    "http://evil.example?127.0.0.1",
    "http://user:password@127.0.0.1/",
    "http://127.1:1/",
    "http://2130706433:1/",
    "http://[::ffff:127.0.0.1]/",
    "http://localhost/",
    "ftp://127.0.0.1/",
    "javascript:alert(1)",
    "JaVaScRiPt://127.0.0.1/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "blob:http://127.0.0.1/x",
    "/.//evil.example",
    "/..//evil.example",
    "/a/../..//evil.example",
    "/%2e%2e//evil.example",
    "//evil.example/%2f..",
    "//evil\u{3002}example",
    "\u{2f}\u{2f}evil.example",
    "//\u{ff0f}evil.example",
];

/// A payload as the value of `rd`.
fn encoded(payload: &str) -> String {
    url::form_urlencoded::byte_serialize(payload.as_bytes()).collect()
}

/// What a browser makes of a `Location`.
fn led_to(stage: &Stage, response: &Response) -> Url {
    stage.public_url.join(response.location()).unwrap_or_else(|error| panic!("{error}: {response:?}"))
}

/// Signs in with this `rd`, written as it is, and says where that led.
async fn signed_in_with(stage: &Stage, rd: &str) -> Response {
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url(&format!("/_vestibule/start?rd={rd}"))).await;
    browser.look_at(callback.as_str()).await
}

#[tokio::test]
async fn threat_1_no_sign_in_leads_to_another_origin() {
    let stage = Stage::builder().start().await;
    for payload in ASTRAY {
        let response = signed_in_with(&stage, &encoded(payload)).await;
        assert_eq!(led_to(&stage, &response).origin(), stage.public_url.origin(), "{payload:?}: {response:?}");
        assert!(!led_to(&stage, &response).path().starts_with("//"), "{payload:?}: {response:?}");
    }
    for written in
        ["/%5Cevil.example", "/%09/evil.example", "//evil.example", "%2F%2Fevil.example", "/%2F/evil.example"]
    {
        let response = signed_in_with(&stage, written).await;
        assert_eq!(led_to(&stage, &response).origin(), stage.public_url.origin(), "{written}: {response:?}");
    }
}

/// A path of the app itself: read again by whoever gets it, it must still be one.
#[tokio::test]
async fn threat_1_no_deep_link_leads_to_another_origin() {
    let stage = Stage::builder().start().await;
    for target in [
        "//evil.example",
        "///evil.example/..",
        "/.//evil.example",
        "/x/..//evil.example",
        "/%2F/evil.example",
        "/;//evil.example",
    ] {
        let response = stage.send(Request::get(target).navigation()).await;
        if response.status == 400 {
            continue;
        }
        let cookies =
            response.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("an attempt").to_owned();
        let callback = stage.browser(&ADA).up_to_callback(response.location()).await;
        let response = carry(&stage, &callback, &cookies).await;
        assert_eq!(led_to(&stage, &response).origin(), stage.public_url.origin(), "{target}: {response:?}");
    }
}

#[tokio::test]
async fn threat_1_no_sign_out_leads_to_another_origin() {
    let stage = Stage::builder().start_with(without_end_session).await;
    for payload in ASTRAY {
        let form = format!("rd={}", encoded(payload));
        let request = Request::post("/_vestibule/sign_out", form).header("Sec-Fetch-Site", "same-origin");
        let response = stage.send(request).await;
        assert_eq!(response.status, 303, "{payload:?}: {response:?}");
        assert_eq!(led_to(&stage, &response).origin(), stage.public_url.origin(), "{payload:?}: {response:?}");

        let page =
            stage.send(Request::get(&format!("/_vestibule/sign_out?rd={}", encoded(payload))).navigation()).await;
        assert!(!page.text().contains("<script"), "CVE-2019-1010247: {payload:?}: {}", page.text());
    }
    let request = Request::post("/_vestibule/sign_out?rd=/goodbye?x=1", "").header("Sec-Fetch-Site", "same-origin");
    assert_eq!(stage.send(request).await.location(), stage.url("/goodbye?x=1"));
}

#[tokio::test]
async fn a_target_on_this_origin_is_kept_to_the_letter() {
    let stage = Stage::builder().start().await;
    for (rd, path) in [
        (encoded(PAGE), PAGE.to_owned()),
        (encoded(&stage.url("/page?x=%2F")), "/page?x=%2F".to_owned()),
        (encoded("/a?next=//evil.example"), "/a?next=//evil.example".to_owned()),
        (encoded("/x#fragment"), "/x".to_owned()),
        (encoded("relative"), "/relative".to_owned()),
        (String::new(), "/".to_owned()),
        (format!("/a&rd={}", encoded("//evil.example")), "/a".to_owned()),
    ] {
        assert_eq!(signed_in_with(&stage, &rd).await.location(), stage.url(&path), "{rd}");
    }
}

#[tokio::test]
async fn threat_2_no_target_becomes_a_header() {
    let stage = Stage::builder().start().await;
    for rd in [
        "/x%0d%0aX-Injected:1",
        "/x%0aSet-Cookie:a=b",
        "/x%0d%0a%0d%0a<script>",
        "/%250d%250aX-Injected:1",
        "/x%E5%98%8A%E5%98%8DX-Injected:1",
    ] {
        let response = signed_in_with(&stage, rd).await;
        assert_eq!(response.status, 302, "{rd}");
        assert_eq!(response.header("x-injected"), None, "{rd}: {response:?}");
        assert!(
            response.headers("set-cookie").iter().all(|cookie| cookie.starts_with("vestibule")),
            "{rd}: {response:?}"
        );
        assert!(response.body.is_empty(), "{rd}: {response:?}");
    }
}

#[tokio::test]
async fn threat_3_a_target_of_8_kib_becomes_the_root() {
    let stage = Stage::builder().start().await;
    assert_eq!(signed_in_with(&stage, &format!("/{}", "a".repeat(8192))).await.location(), stage.url("/"));
    let longest = format!("/{}", "a".repeat(2047));
    assert_eq!(signed_in_with(&stage, &longest).await.location(), stage.url(&longest));
}

#[tokio::test]
async fn threat_4_our_own_endpoints_are_no_target() {
    let stage = Stage::builder().start().await;
    for rd in [
        "/_vestibule/callback?code=1%26state=2",
        "/_vestibule/sign_out",
        "/_vestibule/start?rd=/",
        "/_VESTIBULE/sign_out",
        "/%5fvestibule/sign_out",
        "/%255fvestibule/sign_out",
        "/a/../_vestibule/sign_out",
        "/a/%252e%252e/_vestibule/sign_out",
        "/./_vestibule/callback",
        "/_vestibule%2Fsign_out",
        "/_vestibule;x=1/sign_out",
    ] {
        let response = signed_in_with(&stage, rd).await;
        let led_to = led_to(&stage, &response);
        assert_eq!(led_to.origin(), stage.public_url.origin(), "{rd}");
        // What is no endpoint of ours by any reading may stay; what is one becomes the root.
        let followed = stage.send(Request::get(&led_to[Position::BeforePath..]).navigation()).await;
        let cookies = followed.headers("set-cookie");
        assert!(led_to.path() == "/" || followed.status == 400, "{rd}: {led_to} answers {followed:?}");
        assert!(cookies.iter().all(|cookie| !cookie.starts_with("vestibule=;")), "{rd}: nobody is signed out");
    }
}
