//! What a sign-out takes with it and where it leads: `logout_paths`, `clear_cookies`, the post-logout URLs
//! (threats 5 and 9). The button itself is told of in [`sign_in`](crate::sign_in).

use url::Url;

use crate::{
    demo::provider::{
        Provider,
        calls::Endpoint,
        clients::Client,
        mischief::Answer as Bent,
        people::{ADA, GRACE},
    },
    harness::{CLIENT_ID, CLIENT_SECRET, Configuration, Request, Response, Stage, upstream::Answer},
};

mod destination;
mod of_the_app;

/// The `Set-Cookie` lines of these names.
fn set<'r>(response: &'r Response, names: &[&str]) -> Vec<&'r str> {
    let lines = response.headers("set-cookie").into_iter();
    lines.filter(|line| names.iter().any(|name| line.starts_with(&format!("{name}=")))).collect()
}

/// Whether a cookie still opens the app; the upstream's record is empty afterwards.
async fn opens(stage: &Stage, cookie: &str) -> bool {
    stage.upstream.take();
    let answer = stage.send(Request::get("/still-there").navigation().header("Cookie", cookie)).await;
    let reached = stage.upstream.take().len();
    assert!(matches!((answer.status, reached), (200, 1) | (302, 0)), "{answer:?}");
    reached == 1
}

const CLEAR: &str = "clear_cookies = [{ name = \"JSESSIONID\", path = \"/app\" }, { name = \"remember\" }]";

#[tokio::test]
async fn the_apps_own_cookies_go_at_every_sign_in_and_sign_out() {
    const THEIRS: [&str; 2] = ["JSESSIONID", "remember"];
    const GONE: [&str; 2] = ["JSESSIONID=; Path=/app; Max-Age=0", "remember=; Path=/; Max-Age=0"];
    let stage = Stage::builder().app(CLEAR).start().await;
    let mut browser = stage.browser(&ADA);
    let landed = browser.open(&stage.url("/app/page")).await;
    let of_grace = ["JSESSIONID=graces; Path=/app", "remember=grace; Path=/"];
    for cookie in of_grace {
        browser.set_cookie(&stage.public_url, cookie);
    }

    // Somebody else signs in over the live session.
    stage.provider.sign_in_page(crate::demo::provider::SignInPage::AnsweredBy(&GRACE));
    stage.upstream.take();
    let switched = browser.submit(&landed.url, "/_vestibule/start", &[("rd", "/app/page")]).await;
    let (_, callback) = switched.hops.last().expect("the callback");
    assert_eq!(set(callback, &THEIRS), GONE);
    let seen = stage.upstream.only();
    assert_eq!((seen.header("x-forwarded-user"), seen.header("cookie")), (Some("grace"), None));
    assert!(switched.hops[..switched.hops.len() - 1].iter().all(|(_, hop)| set(hop, &THEIRS).is_empty()), "once");

    for cookie in of_grace {
        browser.set_cookie(&stage.public_url, cookie);
    }
    let left = browser.submit(&landed.url, "/_vestibule/sign_out", &[]).await;
    assert_eq!(set(&left.hops[0].1, &THEIRS), GONE);
    assert_eq!(browser.cookie_names(&landed.url), [""; 0]);
    // Also where there was nothing to sign out of.
    let request = Request::post("/_vestibule/sign_out", "").header("Sec-Fetch-Site", "same-origin");
    assert_eq!(set(&stage.send(request).await, &THEIRS), GONE);
}

/// The answer that ends such a sign-in comes from another host, which cannot reach them.
#[tokio::test]
async fn where_a_sibling_gets_the_answer_the_apps_cookies_go_when_the_sign_in_begins() {
    let more = format!(
        "[[app]]\nid = \"notes\"\npublic_url = \"https://notes.example.test:PORT\"\nupstream = \"http://UPSTREAM\"\n\
         callback_url = \"https://wiki.example.test:PORT/_vestibule/callback\"\n{CLEAR}\n[app.access]\npolicy = \"anyone\"\n"
    );
    let stage = Stage::builder().session("cookie_domain = \"example.test\"").public_host("wiki.example.test");
    let stage = stage.behind_tls().more(&more).start().await;
    let mut browser = stage.browser(&ADA);
    let page = format!("https://notes.example.test:{}/app", stage.public_url.port().expect("a port"));
    let notes = Url::parse(&page).expect("a URL");
    browser.set_cookie(&notes, "JSESSIONID=graces; Path=/app; Secure");
    browser.set_cookie(&notes, "remember=grace; Path=/; Domain=notes.example.test; Secure");
    assert_eq!(browser.open(&page).await.response.status, 200);
    assert_eq!(stage.upstream.only().header("cookie"), None);
}
