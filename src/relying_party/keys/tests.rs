use serde_json::json;

use crate::relying_party::testing::{Signer, claims};

use super::*;

const ISSUER: &str = "https://op.example";
const RS256: &[SigningAlgorithm] = &[SigningAlgorithm::RS256];

fn verify(keys: &[Value], token: &str) -> Result<Verified, Rejection> {
    let set = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), RS256).expect("a set");
    set.verify(&Jws::parse_id_token(token, RS256)?)
}

/// What the conformance suite puts beside the right key.
fn bystanders() -> Vec<Value> {
    let mut encryption = Signer::other_rsa().jwk();
    encryption["use"] = "enc".into();
    let ec = Signer::new(SigningAlgorithm::ES256).jwk();
    vec![
        json!({ "kty": "EC", "crv": "secp256k1", "x": ec["x"], "y": ec["y"] }),
        ec,
        Signer::new(SigningAlgorithm::EdDSA).jwk(),
        encryption,
        json!({ "kty": "future", "z": 1 }),
        json!("broken"),
    ]
}

#[test]
fn a_token_without_kid_finds_the_one_key_that_fits_threat_31() {
    let signer = Signer::rsa();
    let token = signer.token(None, &claims(ISSUER));
    let keys = [bystanders(), vec![signer.jwk_as("named")]].concat();
    assert!(verify(&keys, &token).is_ok());
    assert_eq!(verify(&bystanders(), &token).expect_err("no key"), Rejection::UnknownKey);
}

#[test]
fn a_token_without_kid_is_tried_with_few_keys_and_refused_with_many_threat_31() {
    let signer = Signer::rsa();
    let token = signer.token(None, &claims(ISSUER));
    let others = vec![Signer::other_rsa().jwk(); MAX_CANDIDATES - 1];
    assert!(verify(&[others.clone(), vec![signer.jwk()]].concat(), &token).is_ok());
    assert_eq!(verify(&others, &token).expect_err("none signed it"), Rejection::Signature);
    let many = [others, vec![signer.jwk(); 2]].concat();
    assert_eq!(verify(&many, &token).expect_err("too many"), Rejection::AmbiguousKey);
}

#[test]
fn a_kid_chooses_its_key_and_no_other() {
    let signer = Signer::rsa();
    let token = signer.token(Some("b"), &claims(ISSUER));
    let other = Signer::other_rsa();
    assert!(verify(&[other.jwk_as("a"), signer.jwk_as("b")], &token).is_ok());
    assert!(verify(&[other.jwk_as("b"), signer.jwk_as("b")], &token).is_ok(), "one name twice");
    for (keys, why) in [
        (vec![signer.jwk_as("a")], Rejection::UnknownKey),
        (vec![signer.jwk()], Rejection::UnknownKey),
        (vec![], Rejection::UnknownKey),
        (vec![other.jwk_as("b"), signer.jwk_as("a")], Rejection::Signature), // threat 30
    ] {
        assert_eq!(verify(&keys, &token).expect_err("refused"), why);
    }
}

#[test]
fn only_so_many_members_of_a_set_are_looked_at_threat_34() {
    let signer = Signer::rsa();
    let token = signer.token(Some("last"), &claims(ISSUER));
    let mut keys = vec![json!({ "kty": "RSA" }); 10_000];
    keys[MAX_KEYS - 1] = signer.jwk_as("last");
    assert!(verify(&keys, &token).is_ok());
    keys.swap(MAX_KEYS - 1, MAX_KEYS);
    assert_eq!(verify(&keys, &token).expect_err("beyond"), Rejection::UnknownKey);
}

#[test]
fn what_is_no_set_is_refused() {
    for body in ["", "{}", "[]", "{\"keys\":{}}", "<html>", "\u{0}"] {
        let fault = KeySet::parse(body.as_bytes(), RS256).err().expect(body);
        assert_eq!(fault, Error::Reply { call: Call::Keys, fault: ReplyFault::Malformed });
    }
}
