//! The app's own sign-out ends our session too (`logout_paths`).

use super::*;

fn configuration() -> Configuration {
    Stage::builder().app("logout_paths = [\"/logout\", \"/user/*/exit\"]")
}

/// What the app says when somebody signs out of it.
const ANSWER: &str = "You are signed out of the wiki.";

fn answers(stage: &Stage, status: &'static str) {
    stage.upstream.answer(move |_| Answer::with(status, "Set-Cookie: sid=; Max-Age=0\r\nLocation: /bye\r\n", ANSWER));
}

#[tokio::test]
async fn the_apps_own_sign_out_ends_our_session_and_its_answer_passes() {
    let stage = configuration().start().await;
    for (method, path) in
        [("POST", "/logout"), ("GET", "/logout?next=/"), ("GET", "/user/7/exit"), ("GET", "/x/../LOGOUT")]
    {
        let cookie = stage.sign_in(&ADA).await;
        answers(&stage, "303 See Other");
        let request = Request::new(method, path).header("Cookie", &format!("sid=1; {cookie}"));
        let answer = stage.send(request.header("Sec-Fetch-Site", "same-origin")).await;
        assert_eq!((answer.status, answer.header("location"), &*answer.text()), (303, Some("/bye"), ANSWER), "{path}");
        assert_eq!(set(&answer, &["sid"]), ["sid=; Max-Age=0"], "{path}");
        assert_eq!(set(&answer, &["vestibule"]), ["vestibule=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"], "{path}");
        let seen = stage.upstream.only();
        assert_eq!((seen.header("x-forwarded-user"), seen.header("cookie")), (Some("ada"), Some("sid=1")), "{path}");
        stage.upstream.answer(|_| Answer::ok(""));
        assert!(!opens(&stage, &cookie).await, "{method} {path}");
    }
    assert_eq!(
        stage.provider.calls_to(Endpoint::EndSession).len(),
        0,
        "the provider's session is not the app's to end"
    );
}

#[tokio::test]
async fn what_is_no_sign_out_of_the_app_ends_nothing() {
    let stage = configuration().start().await;
    let cookie = stage.sign_in(&ADA).await;
    for (path, status) in [
        ("/logout", "403 Forbidden"),
        ("/logout", "404 Not Found"),
        ("/logout", "500 Internal Server Error"),
        ("/logout/", "200 OK"),
        ("/logouts", "200 OK"),
        ("/page?path=/logout", "200 OK"),
        ("/user/exit", "200 OK"),
    ] {
        answers(&stage, status);
        let answer = stage.send(Request::post(path, "").header("Cookie", &cookie)).await;
        assert_eq!(
            (answer.status, set(&answer, &["vestibule"]).len()),
            (status[..3].parse().expect("a status"), 0),
            "{path}"
        );
        stage.upstream.answer(|_| Answer::ok(""));
        assert!(opens(&stage, &cookie).await, "{path} {status}");
    }
    let without = Stage::builder().start().await;
    let cookie = without.sign_in(&ADA).await;
    assert_eq!(without.send(Request::post("/logout", "").header("Cookie", &cookie)).await.status, 200);
    assert!(opens(&without, &cookie).await, "unless it is configured");
}

#[tokio::test]
async fn threat_9_another_site_cannot_end_our_session_by_the_apps_sign_out() {
    let stage = configuration().start().await;
    let mut browser = stage.browser(&ADA);
    browser.open(&stage.url("/page")).await;
    let cookie = browser.cookie_header(&stage.public_url);
    let evil = Url::parse("http://127.0.0.3/").expect("a URL");
    stage.upstream.take();
    assert_eq!(browser.click(&evil, &stage.url("/logout")).await.response.status, 200, "what the app makes of it");
    assert_eq!(stage.upstream.only().header("sec-fetch-site"), Some("cross-site"));
    let request = Request::get("/logout").header("Cookie", &cookie).header("Origin", "https://evil.example");
    assert_eq!(stage.send(request).await.status, 200);
    assert!(opens(&stage, &cookie).await);
    // Typed, or from a bookmark, it is the visitor's own wish.
    assert_eq!(browser.open(&stage.url("/logout")).await.response.status, 200);
    assert!(!opens(&stage, &cookie).await);
    assert_eq!(browser.cookie_names(&stage.public_url), [""; 0]);
}

#[tokio::test]
async fn a_sign_out_on_a_public_route_ends_the_session_that_the_browser_brought() {
    let stage = configuration().public("/logout").start().await;
    let cookie = stage.sign_in(&ADA).await;
    let answer = stage.send(Request::get("/logout").header("Cookie", &cookie)).await;
    assert_eq!((answer.status, set(&answer, &["vestibule"]).len()), (200, 1), "{answer:?}");
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), None);
    assert!(!opens(&stage, &cookie).await);
    // Whoever brings none leaves none behind.
    for cookie in ["", "vestibule=x", "a=b"] {
        let answer = stage.send(Request::get("/logout").header("Cookie", cookie)).await;
        assert_eq!((answer.status, answer.headers("set-cookie").len()), (200, 0), "{cookie}");
    }
}

#[tokio::test]
async fn a_long_answer_to_the_apps_sign_out_passes_to_its_end() {
    let stage = configuration().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let long = "bye ".repeat(500_000);
    let body = long.clone();
    stage.upstream.answer(move |_| Answer::ok(&body));
    let answer = stage.send(Request::post("/logout", "").header("Cookie", &cookie)).await;
    assert_eq!((answer.status, answer.body.len()), (200, long.len()));
    stage.upstream.answer(|_| Answer::ok(""));
    assert!(!opens(&stage, &cookie).await);
}

#[tokio::test]
async fn the_apps_cookies_that_are_to_go_go_with_its_own_sign_out() {
    let app = format!("logout_paths = [\"/logout\"]\n{CLEAR}");
    let stage = Stage::builder().app(&app).start().await;
    let cookie = stage.sign_in(&ADA).await;
    let answer = stage.send(Request::post("/logout", "").header("Cookie", &cookie)).await;
    assert_eq!(set(&answer, &["JSESSIONID", "remember"]).len(), 2, "{answer:?}");
}
