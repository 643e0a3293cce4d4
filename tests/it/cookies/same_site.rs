//! `same_site = "none"`: the session goes to other sites' frames, and nobody acts in its name from there (threats 6 and 9).

use super::*;

async fn stage(session: &str, app: &str) -> Stage {
    let usual = Stage::builder().session(session).app(app).public_host("wiki.example.test").behind_tls();
    usual.public("/public/**").start().await
}

#[tokio::test]
async fn threats_6_and_9_what_may_change_something_comes_from_a_page_of_the_app_itself() {
    let stage = stage("same_site = \"none\"", "").await;
    let cookie = stage.sign_in(&ADA).await;
    let own = stage.origin();
    // (what the browser says, whether it may change anything)
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[("Sec-Fetch-Site", "same-origin")], true),
        (&[("Sec-Fetch-Site", "same-origin"), ("Origin", &own)], true),
        (&[("Origin", &own)], true),
        (&[("Sec-Fetch-Site", "same-site")], false),
        (&[("Sec-Fetch-Site", "cross-site")], false),
        (&[("Sec-Fetch-Site", "cross-site"), ("Origin", &own)], false),
        (&[("Sec-Fetch-Site", "none")], false),
        (&[("Origin", "https://evil.example")], false),
        (&[("Origin", "https://wiki.example.test")], false), // another port
        (&[("Origin", "https://wiki.example.test.evil.example")], false),
        (&[("Origin", "null")], false),
        (&[("Referer", "https://wiki.example.test/page")], false),
        (&[], false),
    ];
    for (says, passes) in cases {
        for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
            let request = Request::new(method, "/page").header("Cookie", &cookie).headers(says);
            let answer = stage.send(request).await;
            let expected = if *passes { (200, 1) } else { (403, 0) };
            assert_eq!((answer.status, stage.upstream.take().len()), expected, "{method} {says:?}: {answer:?}");
            if !passes {
                assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{says:?}");
            }
        }
        for method in ["GET", "HEAD", "OPTIONS"] {
            let request = Request::new(method, "/page").header("Cookie", &cookie).headers(says);
            assert_eq!((stage.send(request).await.status, stage.upstream.take().len()), (200, 1), "{method} {says:?}");
        }
    }
    let metrics = stage.metrics().await;
    assert!(metrics.contains("vestibule_refusals_total{app=\"wiki\",reason=\"foreign_request\"} 50"), "{metrics}");
    // Without the session it is anybody's request, and the app's own business.
    let evil = [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")];
    let request = Request::post("/public/form", "").header("Cookie", &cookie).headers(&evil);
    assert_eq!(stage.send(request).await.status, 200);
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), None);
}

#[tokio::test]
async fn forms_of_the_app_pass_and_those_of_other_sites_get_a_page() {
    let stage = stage("", "session = { same_site = \"none\" }").await;
    let mut browser = stage.browser(&ADA);
    let landed = browser.open(&stage.url("/page")).await;
    stage.upstream.take();
    let saved = browser.submit(&landed.url, "/save", &[("text", "x")]).await;
    assert_eq!((saved.response.status, stage.upstream.only().header("x-forwarded-user")), (200, Some("ada")));

    let evil = url::Url::parse("https://evil.example/page").expect("a URL");
    let refused = browser.submit(&evil, &stage.url("/save"), &[("text", "x")]).await;
    assert_eq!((refused.response.status, stage.upstream.take().len()), (403, 0), "{refused:?}");
    assert!(refused.response.text().contains("This request came from another site"), "{refused:?}");
    for path in ["/_vestibule/sign_out", "/_vestibule/start"] {
        assert_eq!(browser.submit(&evil, &stage.url(path), &[]).await.response.status, 403, "{path}");
    }
    assert_eq!(browser.open(&stage.url("/page")).await.hops.len(), 0, "still signed in");
}

#[tokio::test]
async fn where_other_sites_do_not_have_the_session_the_app_judges_for_itself() {
    let stage = stage("", "").await;
    let cookie = stage.sign_in(&ADA).await;
    let request = Request::post("/page", "").header("Cookie", &cookie).header("Origin", "https://partner.example");
    assert_eq!((stage.send(request).await.status, stage.upstream.take().len()), (200, 1));
}
