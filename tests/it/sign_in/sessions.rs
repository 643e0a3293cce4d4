//! What a sign-in makes of the session that was there before, and what a session tells (threats 7 and 8).

use super::*;

#[tokio::test]
async fn threat_7_a_session_id_that_somebody_planted_is_not_kept() {
    let stage = Stage::builder().start().await;
    let planted = "A".repeat(43);
    let mut browser = stage.browser(&ADA);
    browser.set_cookie(&stage.public_url, &format!("{SESSION}={planted}; Path=/"));
    assert_eq!(browser.open(&stage.url(PAGE)).await.response.status, 200);
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("ada"));
    assert_ne!(cookie(&browser, &stage, SESSION), Some(planted.clone()));
    assert!(!opens(&stage, &planted).await, "what was planted opens nothing");
}

#[tokio::test]
async fn threat_7_an_attackers_live_session_does_not_become_its_victims() {
    let stage = Stage::builder().start().await;
    let mut attacker = stage.browser(&MALLORY);
    assert_eq!(attacker.open(&stage.url(PAGE)).await.response.status, 200);
    let attackers = cookie(&attacker, &stage, SESSION).expect("signed in");
    let mut victim = stage.browser(&ADA);
    let callback = victim.up_to_callback(&stage.url(PAGE)).await;
    victim.set_cookie(&stage.public_url, &format!("{SESSION}={attackers}; Path=/"));
    stage.upstream.take();

    assert_eq!(victim.open(callback.as_str()).await.response.status, 200);
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("ada"));
    assert_ne!(cookie(&victim, &stage, SESSION), Some(attackers.clone()));
    assert!(!opens(&stage, &attackers).await, "threat 8: it ends at once");
}

#[tokio::test]
async fn threat_8_another_persons_session_in_the_same_browser_ends_at_once() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&GRACE);
    let graces = browser.up_to_callback(&stage.url("/of-grace")).await;
    stage.provider.sign_in_page(SignInPage::AnsweredBy(&ADA));
    assert_eq!(browser.open(&stage.url(PAGE)).await.response.status, 200);
    let adas = cookie(&browser, &stage, SESSION).expect("signed in");
    assert!(opens(&stage, &adas).await);

    assert_eq!(browser.open(graces.as_str()).await.response.status, 200);
    assert_eq!(
        stage.upstream.take().last().and_then(|r| r.header("x-forwarded-user").map(str::to_owned)),
        Some("grace".to_owned())
    );
    assert!(!opens(&stage, &adas).await, "CVE-2026-34454: the old cookie is dead");
    assert!(opens(&stage, &cookie(&browser, &stage, SESSION).expect("signed in")).await);
}

/// The requests of other tabs, sent a moment before, still carry the old cookie.
#[tokio::test]
async fn the_same_person_gets_a_new_secret_and_keeps_the_old_one_for_a_moment() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let second = browser.up_to_callback(&stage.url("/second")).await;
    assert_eq!(browser.open(&stage.url(PAGE)).await.response.status, 200);
    let old = cookie(&browser, &stage, SESSION).expect("signed in");
    assert_eq!(browser.open(second.as_str()).await.response.status, 200);
    let new = cookie(&browser, &stage, SESSION).expect("signed in");
    assert_ne!(old, new);
    stage.upstream.take();
    assert!(opens(&stage, &old).await && opens(&stage, &new).await);
}

#[tokio::test]
async fn the_cookie_of_a_session_is_for_this_browser_and_for_no_script() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url(PAGE)).await;
    let response = browser.look_at(callback.as_str()).await;
    let set: Vec<_> = response.headers("set-cookie").into_iter().filter(|c| c.starts_with("vestibule=")).collect();
    let [set] = set[..] else { panic!("one session cookie: {response:?}") };
    let mut attributes: Vec<_> = set.split("; ").skip(1).collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["HttpOnly", "Path=/", "SameSite=Lax"], "until the browser closes; Secure over https");
    assert_eq!(response.header("cache-control"), Some("no-store"));
}

/// CVE-2024-39315: who may ask learns who they are, not what opens the provider.
#[tokio::test]
async fn userinfo_tells_who_somebody_is_and_no_secret() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let response = stage.send(Request::get("/_vestibule/userinfo").header("Cookie", &cookie)).await;
    assert_eq!((response.status, response.header("cache-control")), (200, Some("no-store")));
    assert_eq!(response.header("content-type"), Some("application/json"));
    let expected = serde_json::json!({
        "provider": "company",
        "iss": stage.provider.issuer(),
        "sub": "ada",
        "user": "ada",
        "email": "ada@example.com",
        "name": "Ada Lovelace",
        "preferred_username": "ada",
        "groups": ["admins", "staff"],
    });
    assert_eq!(response.json(), expected);

    let anonymous = stage.send(Request::get("/_vestibule/userinfo")).await;
    assert_eq!((anonymous.status, anonymous.header("content-type")), (401, Some("application/problem+json")));
    assert!(anonymous.headers("set-cookie").is_empty());
}
