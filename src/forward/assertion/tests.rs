use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::json;

use super::*;
use crate::{
    config::Config,
    identity::{EmailAddress, EmailTrust, Issuer, ProviderId, Subject},
    random::Random,
};

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

fn app() -> Arc<config::App> {
    let text = r#"
[[provider]]
id = "company"
issuer = "https://id.example.com"
client_id = "wiki"
[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:8080"
[app.headers]
assertion = true
[app.access]
policy = "anyone"
"#;
    Arc::clone(&Config::parse("test.toml", text).unwrap_or_else(|faults| panic!("{faults}")).apps[0])
}

fn visitor() -> Visitor {
    Visitor {
        provider: ProviderId::new("company"),
        issuer: Issuer::new("https://id.example.com"),
        subject: Subject::new("4711\"é"),
        user: None,
        email: EmailAddress::parse("jane@example.com").ok(),
        email_trust: EmailTrust::Trusted,
        name: None,
        preferred_username: None,
        groups: Vec::new(),
        claims: Vec::new(),
    }
}

fn signer() -> Arc<AssertionSigner> {
    let ring = KeyRing::generated(&Random::seeded(1));
    Arc::new(AssertionSigner::new(&ring, Handle::current()))
}

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

/// The claims of an assertion whose signature one of the published keys verifies.
fn verified(signer: &AssertionSigner, value: &HeaderValue) -> Value {
    let jwt = value.to_str().expect("ASCII");
    let part = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url");
    let (message, signature) = jwt.rsplit_once('.').expect("three parts");
    let (header, claims) = message.split_once('.').expect("three parts");
    let header: Value = serde_json::from_slice(&part(header)).expect("a header");
    let published: Value = serde_json::from_slice(&signer.public_keys()).expect("a set");
    let keys = published["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).expect("the key that signed is published");
    let point = [vec![4], part(key["x"].as_str().expect("x")), part(key["y"].as_str().expect("y"))].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(message.as_bytes(), &part(signature)).expect("a good signature");
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("JWT")));
    serde_json::from_slice(&part(claims)).expect("claims")
}

#[tokio::test]
async fn an_assertion_says_who_for_which_app_and_until_when() {
    let signer = signer();
    let assertion = signer.assert(&app(), &visitor(), &["staff", "a,b"]).expect("it fits");
    let claims = verified(&signer, &assertion.value(NOW).expect("one"));
    let expected = json!({
        "iss": "https://wiki.example.com", "aud": "wiki", "sub": "4711\"é", "idp": "https://id.example.com",
        "email": "jane@example.com", "groups": ["staff", "a,b"],
        "iat": NOW.as_unix(), "exp": NOW.as_unix() + 300,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn an_assertion_is_silent_about_what_nobody_vouches_for() {
    let signer = signer();
    let unverified = Visitor { email_trust: EmailTrust::Untrusted, ..visitor() };
    let assertion = signer.assert(&app(), &unverified, &[]).expect("it fits");
    let claims = verified(&signer, &assertion.value(NOW).expect("one"));
    assert_eq!((claims.get("email"), claims.get("groups")), (None, None));
}

#[tokio::test]
async fn requests_share_an_assertion_and_go_on_with_it_while_it_is_renewed() {
    let signer = signer();
    let assertion = signer.assert(&app(), &visitor(), &[]).expect("it fits");
    let issued_at = |now| verified(&signer, &assertion.value(now).expect("one"))["iat"].as_i64().expect("a date");
    assert_eq!(assertion.value(NOW), assertion.value(after(149)), "one signature for both");
    // This runtime is the background's as well: nothing is renewed before it is given a turn.
    assert_eq!(issued_at(after(150)), NOW.as_unix());
    assert_eq!(issued_at(after(151)), NOW.as_unix());
    tokio::task::yield_now().await;
    assert_eq!(issued_at(after(152)), after(150).as_unix(), "renewed once, for the first who came");
    tokio::task::yield_now().await;
    assert_eq!(issued_at(after(153)), after(150).as_unix());
}

#[tokio::test]
async fn threat_52_no_request_carries_an_assertion_that_is_about_to_expire() {
    let signer = signer();
    let assertion = signer.assert(&app(), &visitor(), &[]).expect("it fits");
    for now in [NOW, after(239), after(240), after(479), after(10_000), after(20), NOW] {
        let claims = verified(&signer, &assertion.value(now).expect("one"));
        let (iat, exp) = (claims["iat"].as_i64().expect("a date"), claims["exp"].as_i64().expect("a date"));
        assert!(
            iat <= now.as_unix() && exp >= now.plus(Duration::from_mins(1)).as_unix(),
            "at {now:?}: {iat} to {exp}"
        );
    }
}

#[tokio::test]
async fn an_assertion_too_long_for_a_header_is_left_out() {
    let signer = signer();
    let long = "g".repeat(3000);
    assert!(signer.assert(&app(), &visitor(), &[&long]).is_some());
    assert!(signer.assert(&app(), &visitor(), &[&long, &long]).is_none());
    let fits = signer.assert(&app(), &visitor(), &[&"g".repeat(5500)]).expect("it fits");
    assert!(fits.value(NOW).expect("one").len() <= MAX_TOKEN);
}
