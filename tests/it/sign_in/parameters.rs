//! What the configuration has each sign-in ask of the provider (OpenID Connect Core §3.1.2.1), and what of the answer
//! is then insisted on.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn what_the_configuration_asks_for_reaches_the_provider_at_each_sign_in() {
    let lines = r#"
prompt = "login"
login_hint = "ada@example.com"
domain_hint = "example.com"
acr_values = ["gold", "silver"]
max_age = "12h"
ui_locales = ["de-CH", "fr"]
resource = ["https://api.example.com/"]
extra_params = { audience = "wiki & more", "x.flag" = "" }
"#;
    let stage = Stage::builder().provider(lines).start().await;
    for _ in 0..2 {
        let landed = stage.browser(&ADA).open(&stage.url(PAGE)).await;
        assert_eq!((landed.response.status, landed.url.as_str()), (200, &*stage.url(PAGE)), "{landed:?}");
    }
    let asked = stage.provider.calls_to(Endpoint::Authorization);
    for call in &asked {
        for (name, value) in [
            ("prompt", "login"),
            ("login_hint", "ada@example.com"),
            ("domain_hint", "example.com"),
            ("acr_values", "gold silver"),
            ("max_age", "43200"),
            ("ui_locales", "de-CH fr"),
            ("resource", "https://api.example.com/"),
            ("audience", "wiki & more"),
            ("response_type", "code"),
        ] {
            assert_eq!(call.query.get(name), Some(value), "{call:?}");
        }
        assert_eq!(call.query.repeated(), None, "{call:?}");
    }
    let redeemed = stage.provider.calls_to(Endpoint::Token);
    assert_eq!((asked.len(), redeemed.len()), (2, 2));
    assert!(redeemed.iter().all(|call| call.form.get("resource") == Some("https://api.example.com/")));
    assert!(redeemed.iter().all(|call| call.form.get("prompt").or(call.form.get("audience")).is_none()));
}

#[tokio::test]
async fn who_signed_in_at_the_provider_longer_ago_than_max_age_does_so_again() {
    for (lines, signs_in_again) in [("max_age = \"10m\"", true), ("max_age = \"12h\"", false), ("", false)] {
        let auth_times: Arc<Mutex<Vec<Value>>> = Arc::default();
        let told = Arc::clone(&auth_times);
        let listen = move |answer: Answer<'_>| {
            if let Answer::IdToken(token) = answer {
                told.lock().expect("no panic elsewhere").push(token.claims["auth_time"].clone());
            }
        };
        let configuration = Stage::builder().provider(lines).session("idle_timeout = \"30m\"\nlifetime = \"30m\"");
        let stage = configuration.start_with(|provider| provider.lie(listen)).await;
        let mut browser = stage.browser(&ADA);
        for _ in 0..2 {
            let landed = browser.open(&stage.url(PAGE)).await;
            assert_eq!((landed.response.status, landed.url.as_str()), (200, &*stage.url(PAGE)), "{landed:?}");
            stage.clock.advance(Duration::from_mins(30)); // our own session is over
        }
        let auth_times = auth_times.lock().expect("no panic elsewhere");
        let [first, second] = &auth_times[..] else { panic!("two sign-ins: {auth_times:?}") };
        assert_eq!(first != second, signs_in_again, "{lines}: {auth_times:?}");
    }
}

#[tokio::test]
async fn a_provider_that_does_not_say_when_somebody_signed_in_is_refused_where_it_has_to() {
    let long_ago = json!(1_000_000_000);
    for (lines, auth_time, refused) in [
        ("max_age = \"10m\"", Value::Null, Some("auth_time_missing")),
        ("max_age = \"10m\"", long_ago.clone(), Some("auth_time_old")),
        ("require_auth_time = true", Value::Null, Some("auth_time_missing")),
        ("require_auth_time = true", json!("yesterday"), Some("auth_time_missing")),
        ("require_auth_time = true", long_ago, None),
        ("", Value::Null, None),
    ] {
        let says = auth_time.clone();
        let lie = move |answer: Answer<'_>| match answer {
            Answer::IdToken(token) if says.is_null() => token.drop_claim("auth_time"),
            Answer::IdToken(token) => token.claims["auth_time"] = says.clone(),
            _ => {}
        };
        let stage = Stage::builder().provider(lines).start_with(|provider| provider.lie(lie)).await;
        let landed = stage.browser(&ADA).open(&stage.url(PAGE)).await;
        let row = format!("{lines}: {auth_time}");
        assert_eq!(landed.response.status, if refused.is_some() { 502 } else { 200 }, "{row}: {landed:?}");
        assert_eq!(stage.upstream.requests().len(), usize::from(refused.is_none()), "{row}");
        if let Some(reason) = refused {
            let failure = format!("outcome=\"failed\",reason=\"{reason}\"}} 1");
            assert!(stage.metrics().await.contains(&failure), "{row}");
        }
    }
}
