//! `X-Vestibule-Assertion` as an app verifies it: with the keys of `/jwks.json` and nothing of ours.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::SPOOFED;
use crate::{
    demo::provider::people::{ADA, UMA},
    harness::{Configuration, Recorded, Request, START, Stage, patiently},
};

const KEY_ONE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const KEY_TWO: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn with_assertion() -> Configuration {
    Stage::builder().app_tables("[app.headers]\nassertion = true\n")
}

fn with_keys(keys: &[&str]) -> Configuration {
    with_assertion().keys(&format!("secret = \"\"\"\n{}\"\"\"", keys.join("\n")))
}

fn decoded(part: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(part.as_bytes()).expect("base64url without padding")
}

fn sent(seen: &Recorded) -> String {
    let [assertion] = *seen.headers("x-vestibule-assertion") else { panic!("one assertion: {seen:?}") };
    assertion.to_owned()
}

/// The claims of a request's assertion, whoever signed it.
pub(super) fn unverified_claims(seen: &Recorded) -> Value {
    let sent = sent(seen);
    serde_json::from_slice(&decoded(sent.split('.').nth(1).expect("three parts"))).expect("claims")
}

async fn published(stage: &Stage) -> Value {
    let answer = stage.send(Request::get("/_vestibule/jwks.json")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    answer.json()
}

/// What an app does with an assertion (RFC 7515 §5.2, RFC 7519 §7.2): claims, or why it believes nothing.
fn verify(jwt: &str, keys: &Value, issuer: &str, audience: &str, now: i64) -> Result<Value, &'static str> {
    let (message, signature) = jwt.rsplit_once('.').ok_or("no JWS")?;
    let (header, claims) = message.split_once('.').ok_or("no JWS")?;
    let header: Value = serde_json::from_slice(&decoded(header)).map_err(|_| "no header")?;
    if header["alg"] != "ES256" {
        return Err("another algorithm");
    }
    let keys = keys["keys"].as_array().ok_or("no keys")?;
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).ok_or("unknown key")?;
    assert_eq!((&key["kty"], &key["crv"], &key["use"]), (&json!("EC"), &json!("P-256"), &json!("sig")));
    let coordinate = |name: &str| decoded(key[name].as_str().expect("a coordinate"));
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(message.as_bytes(), &decoded(signature)).map_err(|_| "a bad signature")?;
    let claims: Value = serde_json::from_slice(&decoded(claims)).map_err(|_| "no claims")?;
    if claims["iss"] != issuer {
        return Err("another issuer");
    }
    if claims["aud"] != audience {
        return Err("another audience");
    }
    let date = |name: &str| claims[name].as_i64().expect("a date");
    if now < date("iat") || now >= date("exp") {
        return Err("expired");
    }
    Ok(claims)
}

async fn assertion(stage: &Stage, cookie: &str) -> String {
    let request = Request::get("/page").header("X-Vestibule-Assertion", SPOOFED).header("Cookie", cookie);
    assert_eq!(stage.send(request).await.status, 200);
    sent(&stage.upstream.only())
}

#[tokio::test]
async fn an_app_verifies_who_is_there_with_the_published_keys() {
    let stage = with_assertion().start().await;
    let (keys, origin, now) = (published(&stage).await, stage.origin(), START.as_unix());
    let jwt = assertion(&stage, &stage.sign_in(&ADA).await).await;
    let claims = verify(&jwt, &keys, &origin, "wiki", now).expect("it is good");
    let expected = json!({
        "iss": origin, "aud": "wiki", "sub": "ada", "idp": stage.provider.issuer(), "email": "ada@example.com",
        "groups": ["admins", "staff"], "iat": now, "exp": now + 300,
    });
    assert_eq!(claims, expected);
    // An address that nobody verified is not asserted.
    let jwt = assertion(&stage, &stage.sign_in(&UMA).await).await;
    assert_eq!(verify(&jwt, &keys, &origin, "wiki", now).expect("it is good").get("email"), None);
}

#[tokio::test]
async fn threat_52_an_assertion_is_good_for_one_app_one_time_and_as_it_was_signed() {
    let stage = with_assertion().start().await;
    let (keys, origin, now) = (published(&stage).await, stage.origin(), START.as_unix());
    let jwt = assertion(&stage, &stage.sign_in(&ADA).await).await;
    let check = |jwt: &str, issuer: &str, audience: &str, now: i64| verify(jwt, &keys, issuer, audience, now).err();
    assert_eq!(check(&jwt, &origin, "files", now), Some("another audience"));
    assert_eq!(check(&jwt, "https://elsewhere.example", "wiki", now), Some("another issuer"));
    assert_eq!(check(&jwt, &origin, "wiki", now + 299), None);
    assert_eq!(check(&jwt, &origin, "wiki", now + 300), Some("expired"));
    let parts: Vec<_> = jwt.split('.').collect();
    let claims = String::from_utf8(decoded(parts[1])).expect("JSON").replace("\"ada\"", "\"eve\"");
    let altered = format!("{}.{}.{}", parts[0], BASE64URL_NOPAD.encode(claims.as_bytes()), parts[2]);
    assert_eq!(check(&altered, &origin, "wiki", now), Some("a bad signature"));
    // Another sidecar's keys are others.
    let other = with_assertion().start().await;
    assert_eq!(verify(&jwt, &published(&other).await, &origin, "wiki", now).err(), Some("unknown key"));
}

#[tokio::test]
async fn requests_share_an_assertion_and_none_carries_one_that_is_about_to_expire() {
    let stage = with_assertion().start().await;
    let (keys, origin) = (published(&stage).await, stage.origin());
    let cookie = stage.sign_in(&ADA).await;
    let first = assertion(&stage, &cookie).await;
    stage.clock.advance(Duration::from_secs(149));
    assert_eq!(assertion(&stage, &cookie).await, first);
    // From half its life on a new one is made aside, and requests go on with the old one meanwhile.
    stage.clock.advance(Duration::from_secs(1));
    patiently("a renewed assertion", async {
        while assertion(&stage, &cookie).await == first {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // After a rest, no matter how long.
    let mut now = START.plus(Duration::from_secs(150));
    for rest in [241, 3_600].map(Duration::from_secs) {
        stage.clock.advance(rest);
        now = now.plus(rest);
        let claims = verify(&assertion(&stage, &cookie).await, &keys, &origin, "wiki", now.as_unix());
        let left = claims.expect("it is good")["exp"].as_i64().expect("a date") - now.as_unix();
        assert!(left >= 60, "{left} s left after {rest:?}");
    }
}

#[tokio::test]
async fn replicas_that_share_keys_sign_with_the_same_and_know_the_next() {
    let (before, during) = (with_keys(&[KEY_ONE, KEY_TWO]).start().await, with_keys(&[KEY_TWO, KEY_ONE]).start().await);
    let (old, new) = (published(&before).await, published(&during).await);
    let ids =
        |set: &Value| set["keys"].as_array().expect("keys").iter().map(|key| key["kid"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&old).len(), 2);
    assert_eq!(ids(&old), ids(&new).into_iter().rev().collect::<Vec<_>>());
    // What either signs, whoever has asked the other for its keys verifies.
    for (stage, keys) in [(&before, &new), (&during, &old)] {
        let jwt = assertion(stage, &stage.sign_in(&ADA).await).await;
        assert!(verify(&jwt, keys, &stage.origin(), "wiki", START.as_unix()).is_ok());
    }
}

#[tokio::test]
async fn who_does_not_ask_for_assertions_sends_none_and_publishes_the_keys_all_the_same() {
    let stage = Stage::builder().public("/public").start().await;
    let cookie = stage.sign_in(&ADA).await;
    let spoofed = [("X-Vestibule-Assertion", SPOOFED), ("Cookie", cookie.as_str())];
    for path in ["/page", "/public"] {
        assert_eq!(stage.send(Request::get(path).headers(&spoofed)).await.status, 200);
        assert_eq!(stage.upstream.only().headers("x-vestibule-assertion"), [""; 0], "{path}");
    }
    // A replica that asserts already may be asked beside one that does not yet.
    assert_eq!(published(&stage).await["keys"].as_array().map(Vec::len), Some(1));
    let posted = stage.send(Request::post("/_vestibule/jwks.json", "")).await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
    assert!(stage.upstream.take().is_empty());
}
