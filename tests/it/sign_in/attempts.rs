//! Many sign-ins under way in one browser, and those that take too long or never end (threats 10, 12, 16, 19).

use std::{collections::HashSet, time::Duration};

use data_encoding::BASE64URL_NOPAD;
use futures_util::future::join_all;

use super::*;

fn attempts(browser: &Browser, stage: &Stage) -> Vec<String> {
    let names = browser.cookie_names(&stage.public_url).into_iter();
    names.filter(|name| name.starts_with(ATTEMPT)).collect()
}

/// As when a browser is opened again with all its tabs, and one sign-in page then moves all of them on.
#[tokio::test]
async fn threat_10_twelve_tabs_at_once_all_end_well() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let mut callbacks = Vec::new();
    for tab in 0..12 {
        callbacks.push(browser.up_to_callback(&stage.url(&format!("/tab/{tab}?x={tab}"))).await);
    }
    assert_eq!(attempts(&browser, &stage).len(), 12);

    // None has a session yet: all twelve answers travel before the first has come back.
    let tabs: Vec<Browser> = vec![browser.clone(); 12];
    let at_once = tabs.into_iter().zip(&callbacks).map(async |(mut tab, callback)| {
        let landed = tab.open(callback.as_str()).await;
        (landed.response.status, landed.url, cookie(&tab, &stage, SESSION))
    });
    let landed = join_all(at_once).await;
    let secrets: HashSet<_> = landed.iter().map(|(_, _, secret)| secret.clone().expect("signed in")).collect();
    assert_eq!(secrets.len(), 12, "a new secret each");
    for (tab, (status, url, _)) in landed.iter().enumerate() {
        assert_eq!((*status, url.as_str()), (200, &*stage.url(&format!("/tab/{tab}?x={tab}"))));
    }
    let reached: HashSet<_> = stage.upstream.take().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(reached.len(), 12);
}

/// As with a provider whose other tabs move on one after the other once somebody has signed in.
#[tokio::test]
async fn threat_10_twelve_answers_one_after_the_other_all_end_well() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let mut callbacks = Vec::new();
    for tab in 0..12 {
        callbacks.push(browser.up_to_callback(&stage.url(&format!("/tab/{tab}"))).await);
    }
    for (tab, callback) in callbacks.iter().enumerate() {
        let landed = browser.open(callback.as_str()).await;
        assert_eq!((landed.response.status, landed.url.path()), (200, &*format!("/tab/{tab}")), "{landed:?}");
        assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("ada"));
    }
    assert_eq!(attempts(&browser, &stage), [""; 0], "each takes its cookie with it");
}

#[tokio::test]
async fn threat_12_an_expired_attempt_begins_again_by_itself_once() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let late = browser.up_to_callback(&stage.url(PAGE)).await;
    stage.clock.advance(Duration::from_secs(301));

    let landed = browser.clone().open(late.as_str()).await;
    assert_eq!((landed.response.status, landed.url.as_str()), (200, &*stage.url(PAGE)), "{landed:?}");
    assert_eq!((landed.hops.len(), stage.upstream.take().len()), (3, 1));
    assert_eq!(redemptions(&stage.provider), 1, "the late code is not redeemed");

    // Once more too late: it says so, and the next is the visitor's own decision.
    let again = browser.look_at(late.as_str()).await;
    assert_eq!(again.status, 302, "{again:?}");
    assert_eq!(attempts(&browser, &stage).len(), 1, "the new one takes the place of the old");
    let late_again = browser.up_to_callback(again.location()).await;
    stage.clock.advance(Duration::from_secs(301));
    is_page(&browser.look_at(late_again.as_str()).await, 400, "This sign-in took too long");
    assert_eq!(attempts(&browser, &stage), [""; 0], "what cannot be answered any more is not kept");
    assert_eq!(refusals(&stage, "state_expired_again").await, 1);
    let landed = browser.open(&stage.url("/_vestibule/start?rd=/later")).await;
    assert_eq!((landed.response.status, stage.upstream.only().target()), (200, "/later"));
}

#[tokio::test]
async fn threat_12_with_a_session_an_expired_attempt_leads_on_and_redeems_nothing() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let late = browser.up_to_callback(&stage.url("/late")).await;
    assert_eq!(browser.open(&stage.url(PAGE)).await.response.status, 200);
    stage.clock.advance(Duration::from_secs(301));
    let response = browser.look_at(late.as_str()).await;
    assert_eq!((response.status, response.location()), (302, &*stage.url("/")));
    assert_eq!(redemptions(&stage.provider), 1);
}

#[tokio::test]
async fn a_loop_is_stopped_after_three_rounds_and_its_cause_is_named() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let forget_session = |browser: &mut Browser| {
        browser.set_cookie(&stage.public_url, &format!("{SESSION}=; Max-Age=0; Path=/"));
    };
    for _ in 0..3 {
        let callback = browser.up_to_callback(&stage.url(PAGE)).await;
        assert_eq!(browser.look_at(callback.as_str()).await.location(), stage.url(PAGE));
        // Something between here and the browser eats the cookie.
        forget_session(&mut browser);
    }
    let stopped = browser.look_at(&stage.url(PAGE)).await;
    is_page(&stopped, 400, "The browser does not seem to keep our cookie");
    assert_eq!((refusals(&stage, "sign_in_loop").await, stage.upstream.requests().len()), (1, 0));

    // Whoever then presses the button means it.
    let landed = browser.open(&stage.url("/_vestibule/start?rd=/again")).await;
    assert_eq!((landed.response.status, stage.upstream.only().target()), (200, "/again"));
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookie_at_all_is_stopped_at_once() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url(PAGE)).await;
    is_page(&stage.browser(&ADA).look_at(callback.as_str()).await, 400, "cookies are blocked");
}

#[tokio::test]
async fn an_attempt_that_failed_for_good_takes_its_cookie_with_it_and_no_others() {
    let stage = Stage::builder().start().await;
    let forged: fn(Answer<'_>) = |answer| {
        if let Answer::IdToken(token) = answer {
            token.break_signature();
        }
    };
    for (what, status, error, lie) in [
        ("the person said no", 403, Some("access_denied"), None),
        ("the provider said no", 400, Some("server_error"), None),
        ("a forged token", 502, None, Some(forged)),
    ] {
        let mut browser = stage.browser(&ADA);
        let another = browser.up_to_callback(&stage.url("/another")).await;
        let others = attempts(&browser, &stage);
        let mut callback = browser.up_to_callback(&stage.url(PAGE)).await;
        if let Some(error) = error {
            let kept: Vec<_> =
                callback.query_pairs().into_owned().filter(|(name, _)| name == "state" || name == "iss").collect();
            callback.query_pairs_mut().clear().extend_pairs(kept).append_pair("error", error);
        }
        if let Some(lie) = lie {
            stage.provider.lie(lie);
        }
        let failed = browser.look_at(callback.as_str()).await;
        assert_eq!(failed.status, status, "{what}: {failed:?}");
        assert_eq!(attempts(&browser, &stage), others, "{what}");
        stage.provider.tell_the_truth();
        let landed = browser.open(another.as_str()).await;
        assert_eq!((landed.response.status, landed.url.path()), (200, "/another"), "{what}: {landed:?}");
    }
}

#[tokio::test]
async fn threat_19_the_seventeenth_attempt_drops_the_oldest() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let mut callbacks = Vec::new();
    for tab in 0..17 {
        callbacks.push(browser.up_to_callback(&stage.url(&format!("/{tab}"))).await);
        stage.clock.advance(Duration::from_secs(1));
        assert!(attempts(&browser, &stage).len() <= 16);
    }
    is_page(&browser.clone().look_at(callbacks[0].as_str()).await, 400, "This sign-in could not be finished");
    for tab in [1, 16] {
        let landed = browser.clone().open(callbacks[tab].as_str()).await;
        assert_eq!((landed.response.status, landed.url.path()), (200, &*format!("/{tab}")), "{landed:?}");
    }
}

#[tokio::test]
async fn threat_19_attempts_never_take_more_than_8_kib_of_cookies() {
    let stage = Stage::builder().start().await;
    for length in [10, 230, 300, 345, 350, 700, 1200, 2000] {
        let mut browser = stage.browser(&ADA);
        let page = stage.url(&format!("/{}", "a".repeat(length)));
        for _ in 0..17 {
            browser.up_to_callback(&page).await;
            let header = browser.cookie_header(&stage.public_url);
            let own: usize =
                header.split("; ").filter(|pair| pair.starts_with(ATTEMPT)).map(|pair| pair.len() + 2).sum();
            assert!(own <= 8 * 1024, "{length}: {own} bytes of {} attempts", attempts(&browser, &stage).len());
        }
        assert!(attempts(&browser, &stage).len() >= 2, "{length}: there is room for more than one");
        assert_eq!(browser.open(&page).await.response.status, 200, "{length}");
    }
}

#[tokio::test]
async fn threat_16_each_attempt_has_a_challenge_a_state_and_a_nonce_of_its_own() {
    let stage = Stage::builder().start().await;
    for _ in 0..8 {
        assert_eq!(stage.browser(&ADA).open(&stage.url(PAGE)).await.response.status, 200);
    }
    let asked = stage.provider.calls_to(Endpoint::Authorization);
    let redeemed = stage.provider.calls_to(Endpoint::Token);
    assert_eq!((asked.len(), redeemed.len()), (8, 8));
    let mut seen = HashSet::new();
    for (asked, redeemed) in asked.iter().zip(&redeemed) {
        assert_eq!(asked.query.get("code_challenge_method"), Some("S256"));
        let challenge = asked.query.get("code_challenge").expect("a challenge");
        let verifier = redeemed.form.get("code_verifier").expect("a verifier");
        assert!((43..=128).contains(&verifier.len()), "RFC 7636 §4.1: {} characters", verifier.len());
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
        assert_eq!(challenge, BASE64URL_NOPAD.encode(hash.as_ref()));
        for value in
            [challenge, verifier, asked.query.get("state").expect("one"), asked.query.get("nonce").expect("one")]
        {
            assert!(seen.insert(value.to_owned()), "twice");
        }
        assert_eq!(redeemed.query.0, [], "nothing in the URL of the token endpoint");
    }
}
