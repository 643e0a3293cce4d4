use serde_json::json;

use super::*;
use crate::{
    config::provider::AuthorizationParameters,
    relying_party::testing::{self, NOW},
};

const ISSUER: &str = "https://op.example";

/// When the sign-in was begun.
const BEGUN: i64 = NOW - 120;

fn judge_at(now: i64, algorithm: SigningAlgorithm, change: impl FnOnce(&mut Value)) -> Result<IdToken, Rejection> {
    judge_for(&testing::provider(ISSUER), now, algorithm, change)
}

fn judge_for(
    provider: &Provider,
    now: i64,
    algorithm: SigningAlgorithm,
    change: impl FnOnce(&mut Value),
) -> Result<IdToken, Rejection> {
    let mut claims = testing::claims(ISSUER);
    change(&mut claims);
    let Value::Object(mut claims) = claims else { panic!("an object") };
    claims.retain(|_, value| !value.is_null()); // as `jose` does
    let expected = Expected {
        provider,
        nonce: &Nonce::new("n".into()),
        access_token: &Secret::new("access".to_owned()),
        begun: Timestamp::from_unix(BEGUN),
        now: Timestamp::from_unix(now),
    };
    check(Verified { algorithm, claims }, &expected)
}

fn judge(change: impl FnOnce(&mut Value)) -> Result<IdToken, Rejection> {
    judge_at(NOW, SigningAlgorithm::RS256, change)
}

#[test]
fn a_token_for_us_and_for_now_is_accepted_with_what_it_says() {
    let token = judge(|claims| {
        claims["sid"] = "s-1".into();
        claims["auth_time"] = (NOW - 30).to_string().into();
        claims["azp"] = "wiki".into();
    })
    .expect("accepted");
    assert_eq!(token.subject.as_str(), "248289761001");
    assert_eq!(token.session_id.expect("a sid").as_str(), "s-1");
    assert_eq!(token.auth_time, Some(Timestamp::from_unix(NOW - 30)));
}

#[test]
fn each_lie_is_refused_for_what_it_is() {
    for (claim, value, why) in [
        ("iss", json!("https://op.example/"), Rejection::Issuer), // threat 22
        ("iss", json!("https://op.example1"), Rejection::Issuer), // threat 22
        ("iss", json!(null), Rejection::Issuer),
        ("iss", json!(["https://op.example"]), Rejection::Issuer),
        ("aud", json!("wiki1"), Rejection::Audience),   // threat 23
        ("aud", json!(["other"]), Rejection::Audience), // threat 23
        ("aud", json!([]), Rejection::Audience),
        ("aud", json!(null), Rejection::Audience),
        ("aud", json!({ "wiki": true }), Rejection::Audience),
        ("aud", json!(["wiki", "other"]), Rejection::ForeignAudience), // threat 24
        ("aud", json!(["wiki", 1]), Rejection::ForeignAudience),       // threat 24
        ("azp", json!("other"), Rejection::AuthorizedParty),           // threat 25
        ("azp", json!(["wiki"]), Rejection::AuthorizedParty),          // threat 25
        ("exp", json!(NOW - 60), Rejection::Expired),                  // threat 26
        ("exp", json!(0), Rejection::Expired),                         // threat 26
        ("exp", json!(1e300), Rejection::Expiry),                      // threat 26
        ("exp", json!(u64::MAX), Rejection::Expiry),                   // threat 26
        ("exp", json!(-1), Rejection::Expiry),
        ("exp", json!("soon"), Rejection::Expiry),
        ("exp", json!(null), Rejection::Expiry),
        ("exp", json!(true), Rejection::Expiry),
        ("iat", json!(null), Rejection::IssuedAt),           // threat 27
        ("iat", json!("2027-01-15"), Rejection::IssuedAt),   // threat 27
        ("iat", json!(NOW + 61), Rejection::IssuedInFuture), // threat 27
        ("iat", json!(NOW - 601), Rejection::IssuedLongAgo), // threat 27
        ("nbf", json!(NOW + 61), Rejection::NotBefore),
        ("nbf", json!("later"), Rejection::NotBefore),
        ("nonce", json!("n1"), Rejection::Nonce),                // threat 15
        ("nonce", json!(""), Rejection::Nonce),                  // threat 15
        ("nonce", json!(["n"]), Rejection::Nonce),               // threat 15
        ("nonce", json!(null), Rejection::Nonce),                // threat 15
        ("sub", json!(null), Rejection::Subject),                // threat 28
        ("sub", json!(""), Rejection::Subject),                  // threat 28
        ("sub", json!(248_289_761_001_u64), Rejection::Subject), // threat 28
        ("sub", json!("x".repeat(256)), Rejection::Subject),
        ("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA"), Rejection::AccessTokenHash), // threat 29
        ("at_hash", json!(""), Rejection::AccessTokenHash),                       // threat 29
        ("at_hash", json!(7), Rejection::AccessTokenHash),                        // threat 29
    ] {
        let outcome = judge(|claims| claims[claim] = value.clone());
        assert_eq!(outcome.expect_err("refused"), why, "{claim} = {value}");
    }
}

#[test]
fn what_the_specification_allows_is_accepted() {
    for (claim, value) in [
        ("aud", json!(["wiki"])),
        ("aud", json!(["wiki", "wiki"])),
        ("exp", json!(NOW - 59)),
        ("exp", json!(i64_to_f64(NOW) + 0.5)),
        ("exp", json!((NOW + 60).to_string())),
        ("iat", json!(NOW + 60)),
        ("iat", json!(NOW - 600)),
        ("nbf", json!(NOW + 60)),
        ("sub", json!("x".repeat(255))),
        ("sid", json!(7)),
        ("auth_time", json!("never")),
        ("address", json!("one line")),
        ("birthdate", json!(0)),
        ("zoneinfo", json!(1)),
        ("amr", json!("pwd")),
        ("updated_at", json!("2027-01-15T00:00:00Z")),
        ("email_verified", json!(1)),
    ] {
        assert!(judge(|claims| claims[claim] = value.clone()).is_ok(), "{claim} = {value}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "the moment of the tests is far below 2^53")]
fn i64_to_f64(seconds: i64) -> f64 {
    seconds as f64
}

#[test]
fn a_fraction_of_a_second_is_floored() {
    let exp = json!(i64_to_f64(NOW) + 0.9);
    let judged = |now| judge_at(now, SigningAlgorithm::RS256, |claims| claims["exp"] = exp.clone());
    assert!(judged(NOW + 59).is_ok());
    assert_eq!(judged(NOW + 60).expect_err("expired"), Rejection::Expired);
}

#[test]
fn at_hash_uses_the_hash_of_the_tokens_own_algorithm_threat_29() {
    for (hash, algorithms) in [
        (&digest::SHA256, [SigningAlgorithm::RS256, SigningAlgorithm::ES256, SigningAlgorithm::HS256]),
        (&digest::SHA384, [SigningAlgorithm::PS384, SigningAlgorithm::ES384, SigningAlgorithm::HS384]),
        (&digest::SHA512, [SigningAlgorithm::RS512, SigningAlgorithm::ES512, SigningAlgorithm::EdDSA]),
    ] {
        let digest = digest::digest(hash, b"access");
        let half = BASE64URL_NOPAD.encode(&digest.as_ref()[..digest.as_ref().len() / 2]);
        for algorithm in SigningAlgorithm::ALL {
            let outcome = judge_at(NOW, algorithm, |claims| claims["at_hash"] = half.clone().into());
            if algorithms.contains(&algorithm) {
                assert!(outcome.is_ok(), "{algorithm:?}");
            }
        }
        let other = if hash == &digest::SHA256 { SigningAlgorithm::ES384 } else { SigningAlgorithm::RS256 };
        let outcome = judge_at(NOW, other, |claims| claims["at_hash"] = half.clone().into());
        assert_eq!(outcome.expect_err("another hash"), Rejection::AccessTokenHash);
    }
    // The example of OpenID Connect Core §A.3.
    assert_eq!(
        left_half_hash(SigningAlgorithm::RS256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
        "77QmUPtjPfzWtF2AnpK9RQ"
    );
}

#[test]
fn how_long_ago_somebody_signed_in_is_judged_where_it_was_asked() {
    let provider = |max_age: Option<u64>, require_auth_time| Provider {
        parameters: AuthorizationParameters { max_age: max_age.map(Duration::from_secs), ..Default::default() },
        require_auth_time,
        ..testing::provider(ISSUER)
    };
    let (missing, old) = (Some(Rejection::AuthTimeMissing), Some(Rejection::AuthTimeOld));
    for (max_age, require, auth_time, refused) in [
        (None, false, json!(null), None),
        (None, false, json!(0), None),
        (None, true, json!(null), missing),
        (None, true, json!("never"), missing),
        (None, true, json!(0), None),
        (Some(600), false, json!(null), missing),
        (Some(600), false, json!("never"), missing),
        (Some(600), false, json!(BEGUN - 600), None),
        (Some(600), false, json!(BEGUN - 660), None), // two clocks
        (Some(600), false, json!(BEGUN - 661), old),
        (Some(600), true, json!(0), old),
        (Some(600), false, json!(NOW + 60), None),
        (Some(600), false, json!(NOW + 61), Some(Rejection::AuthTimeInFuture)),
        (None, false, json!(4_102_444_800_i64), Some(Rejection::AuthTimeInFuture)),
    ] {
        let provider = provider(max_age, require);
        let outcome =
            judge_for(&provider, NOW, SigningAlgorithm::RS256, |claims| claims["auth_time"] = auth_time.clone());
        assert_eq!(outcome.err(), refused, "{max_age:?} {require} {auth_time}");
    }
}
