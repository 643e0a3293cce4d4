//! Signed in and not admitted: who is told what, and what they can do then (contract §3 and §5).

use super::*;
use crate::demo::provider::people::{Person, UMA};

const LISTED: &str = "policy = \"listed\"\nallow = [{ email_domain = \"example.com\" }]\n\
                      deny = [{ email = \"grace@example.com\" }]";

#[tokio::test]
async fn whoever_is_not_admitted_is_told_why_and_the_app_hears_nothing() {
    let rows: [(&'static Person, &str, &str); 3] = [
        (&MALLORY, "not_listed", "this account is not on the list"),
        (&GRACE, "denied", "Your access has been blocked"),
        (&UMA, "email_not_verified", "Your e-mail address is not verified"),
    ];
    let stage = Stage::builder().access(LISTED).start().await;
    for (person, reason, words) in rows {
        let mut browser = stage.browser(person);
        let landed = browser.open(&stage.url(PAGE)).await;
        is_page(&landed.response, 403, words);
        let text = landed.response.text();
        assert!(text.contains("Use another account") && text.contains("Signed in as"), "{reason}: {text}");
        assert_eq!(refusals(&stage, reason).await, 1, "{}", stage.metrics().await);
        let as_program = Request::get("/api").header("Cookie", &browser.cookie_header(&stage.public_url));
        let problem = stage.send(as_program).await;
        assert_eq!((problem.status, problem.header("content-type")), (403, Some("application/problem+json")));
        assert!(stage.upstream.requests().is_empty(), "{reason}");
    }
    assert_eq!(stage.browser(&ADA).open(&stage.url(PAGE)).await.response.status, 200);
    assert_eq!(stage.upstream.only().header("x-forwarded-email"), Some("ada@example.com"));
}

#[tokio::test]
async fn whoever_is_refused_can_come_back_as_somebody_else() {
    let stage = Stage::builder().access(LISTED).start().await;
    let mut browser = stage.browser(&MALLORY);
    let refused = browser.open(&stage.url(PAGE)).await;
    is_page(&refused.response, 403, "Use another account");
    let mallorys = cookie(&browser, &stage, SESSION).expect("signed in");

    stage.provider.sign_in_page(SignInPage::AnsweredBy(&ADA));
    let landed = browser.submit(&refused.url, "/_vestibule/start", &[("rd", PAGE)]).await;
    assert_eq!((landed.response.status, landed.url.as_str()), (200, &*stage.url(PAGE)), "{landed:?}");
    let asked = stage.provider.calls_to(Endpoint::Authorization);
    let prompts: Vec<_> = asked.iter().map(|call| call.query.get("prompt")).collect();
    assert_eq!(prompts, [None, Some("select_account")]);
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("ada"));
    let as_mallory = Request::get("/").navigation().header("Cookie", &format!("{SESSION}={mallorys}"));
    assert_eq!(stage.send(as_mallory).await.status, 302, "her session is over");
}

/// `*.`, one label more, another case, two `@`: what a rule about an address means, by a whole sign-in.
#[tokio::test]
async fn a_rule_about_an_address_is_met_by_that_address_only() {
    use serde_json::{Value, json};
    let rows: [(&str, Value, Value, bool); 13] = [
        ("as listed", json!("ann@example.com"), json!(true), true),
        ("another case of ASCII", json!("ANN@Example.COM"), json!(true), true),
        ("verified as a text", json!("ann@example.com"), json!("true"), true),
        ("threat 95: not verified", json!("ann@example.com"), json!(false), false),
        ("threat 95: false as a text", json!("ann@example.com"), json!("false"), false),
        ("threat 95: nothing said", json!("ann@example.com"), Value::Null, false),
        ("threat 95: another word", json!("ann@example.com"), json!("yes"), false),
        ("CVE-2021-21291: a longer domain", json!("ann@evilexample.com"), json!(true), false),
        ("a domain below", json!("ann@mail.example.com"), json!(true), false),
        ("CVE-2026-40574: two @", json!("ann@evil.test@example.com"), json!(true), false),
        ("threat 96: the Kelvin sign", json!("ann@examp\u{212a}e.com"), json!(true), false),
        ("threat 96: a dot at the end", json!("ann@example.com."), json!(true), false),
        ("a list of addresses", json!(["ann@example.com"]), json!(true), false),
    ];
    let stage =
        Stage::builder().access("policy = \"listed\"\nallow = [{ email_domain = \"example.com\" }]").start().await;
    for (row, email, verified, admitted) in rows {
        stage.provider.lie(move |answer| {
            let claims = match answer {
                Answer::IdToken(token) => &mut token.claims,
                Answer::UserInfo(claims) => claims,
                _ => return,
            };
            claims["email"] = email.clone();
            claims["email_verified"] = verified.clone();
        });
        let landed = stage.browser(&ADA).open(&stage.url(PAGE)).await;
        assert_eq!(landed.response.status, if admitted { 200 } else { 403 }, "{row}: {landed:?}");
        assert_eq!(stage.upstream.take().len(), usize::from(admitted), "{row}");
    }
}
