//! `?mode=redirect`: the sign-in begins in the answer that the proxy hands on.

use super::*;

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
