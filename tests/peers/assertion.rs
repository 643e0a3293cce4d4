//! npm `jose`, which knows nothing of us, verifies what we assert of a visitor (RFC 7515, RFC 7517, RFC 7519).

use std::{path::Path, process::Command};

use http::StatusCode;
use serde_json::{Value, json};

use crate::{deployment::Plan, process::Process, visitor::Visitor};

/// What `jose` makes of a token, by the keys at a URL: its claims, or its code for why there are none.
async fn verdict(jwt: &str, keys: &str, issuer: &str, audience: &str) -> Result<Value, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/provider/verify.mjs");
    let process = Process::start("jose", Command::new("node").arg(script).args([jwt, keys, issuer, audience]));
    let said = process.line("its verdict", |line| serde_json::from_str::<Value>(line).ok()).await;
    match said["refused"].as_str() {
        Some(code) => Err(code.to_owned()),
        None => Ok(said["claims"].clone()),
    }
}

#[tokio::test]
async fn threat_52_jose_believes_an_assertion_for_this_app_as_it_was_signed_and_no_other() {
    let (deployment, provider) = Plan::usual().headers("assertion = true").start_with_provider().await;
    let landed = Visitor::default().sign_in(deployment.url("/page"), "ada").await;
    assert_eq!(landed.status, StatusCode::OK);
    let asked = deployment.app.asked_for("/page");
    let jwt = asked.header("x-vestibule-assertion").expect("an assertion");
    let (keys, origin) = (deployment.url("/_vestibule/jwks.json"), deployment.origin.as_str());

    let claims = verdict(jwt, &keys, origin, "app").await.expect("it is good");
    assert_eq!((&claims["email"], &claims["idp"]), (&json!("ada@example.com"), &json!(provider.issuer())));
    assert_eq!(verdict(jwt, &keys, origin, "wiki").await.expect_err("another app"), "ERR_JWT_CLAIM_VALIDATION_FAILED");
    let elsewhere = verdict(jwt, &keys, "https://elsewhere.example", "app").await;
    assert_eq!(elsewhere.expect_err("another issuer"), "ERR_JWT_CLAIM_VALIDATION_FAILED");
    let (header, rest) = jwt.split_once('.').expect("three parts");
    let altered = format!("{header}.eyI{}", rest.strip_prefix("eyJ").expect("an object begins like this"));
    assert_eq!(
        verdict(&altered, &keys, origin, "app").await.expect_err("altered"),
        "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"
    );
    // The provider's keys are not ours.
    let theirs = verdict(jwt, &format!("{}/jwks", provider.issuer()), origin, "app").await;
    assert_eq!(theirs.expect_err("other keys"), "ERR_JWKS_NO_MATCHING_KEY");
}
