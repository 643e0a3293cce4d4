use data_encoding::BASE64URL_NOPAD;
use serde_json::json;

use super::*;
use crate::relying_party::testing::{Signer, claims, hs};

const ISSUER: &str = "https://op.example";
const RS256: &[SigningAlgorithm] = &[SigningAlgorithm::RS256];

fn verify(token: &str, jwk: &Value, expected: &[SigningAlgorithm]) -> Result<Verified, Rejection> {
    let jws = Jws::parse_id_token(token, expected)?;
    let keys = VerificationKey::from_jwk(jwk, expected);
    let key = keys.iter().find(|key| key.algorithm() == jws.algorithm()).ok_or(Rejection::UnknownKey)?;
    jws.verify(key)
}

#[test]
fn every_asymmetric_algorithm_verifies_and_notices_a_changed_byte_threat_30() {
    for algorithm in SigningAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let signer = Signer::new(algorithm);
        let token = signer.token(None, &claims(ISSUER));
        let verified = verify(&token, &signer.jwk(), &[algorithm]).expect("signed");
        assert_eq!(verified.algorithm, algorithm);
        assert_eq!(verified.claims["sub"], "248289761001");

        let (input, signature) = token.rsplit_once('.').expect("three parts");
        let mut bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("canonical");
        bytes[10] ^= 1;
        let forged = format!("{input}.{}", BASE64URL_NOPAD.encode(&bytes));
        assert_eq!(verify(&forged, &signer.jwk(), &[algorithm]).expect_err("forged"), Rejection::Signature);
    }
}

#[test]
fn another_key_of_the_same_type_does_not_verify_threat_30() {
    let token = Signer::rsa().token(None, &claims(ISSUER));
    assert_eq!(verify(&token, &Signer::other_rsa().jwk(), RS256).expect_err("wrong key"), Rejection::Signature);
}

#[test]
fn a_shared_secret_counts_only_where_its_algorithm_is_configured() {
    let secret = Secret::new("client secret".to_owned());
    for algorithm in [SigningAlgorithm::HS256, SigningAlgorithm::HS384, SigningAlgorithm::HS512] {
        let token = hs(algorithm, b"client secret", &claims(ISSUER));
        let jws = Jws::parse_id_token(&token, &[algorithm]).expect("expected");
        assert!(jws.verify_with_secret(&secret).is_ok());
        let other = Secret::new("another".to_owned());
        assert_eq!(jws.verify_with_secret(&other).expect_err("wrong secret"), Rejection::Signature);
        // threat 21: the same token where RS256 is expected
        assert_eq!(verify(&token, &Signer::rsa().jwk(), RS256).expect_err("confusion"), Rejection::Algorithm);
    }
    let keyed_by_the_public_key = hs(SigningAlgorithm::HS256, &Signer::rsa_der(), &claims(ISSUER)); // threat 21
    let outcome = verify(&keyed_by_the_public_key, &Signer::rsa().jwk(), RS256);
    assert_eq!(outcome.expect_err("confusion"), Rejection::Algorithm);
}

#[test]
fn a_header_that_is_not_that_of_an_id_token_is_refused() {
    let signer = Signer::rsa();
    let jwk = signer.jwk();
    for (header, why) in [
        (json!({ "alg": "none" }), Rejection::Algorithm), // threat 20
        (json!({ "alg": "None" }), Rejection::Algorithm), // threat 20
        (json!({ "alg": "" }), Rejection::Algorithm),
        (json!({ "alg": "rs256" }), Rejection::Algorithm), // names are case-sensitive
        (json!({ "alg": "RS512" }), Rejection::Algorithm),
        (json!({ "alg": "ES256" }), Rejection::Algorithm),
        (json!({ "typ": "JWT" }), Rejection::TokenFormat),
        (json!({ "alg": 1 }), Rejection::TokenFormat),
        (json!({ "alg": "RS256", "kid": 7 }), Rejection::TokenFormat),
        (json!({ "alg": "RS256", "jwk": jwk }), Rejection::HeaderKey), // threat 35
        (json!({ "alg": "RS256", "jku": "https://evil.example/jwks" }), Rejection::HeaderKey), // threat 35
        (json!({ "alg": "RS256", "x5u": "https://evil.example/x" }), Rejection::HeaderKey), // threat 35
        (json!({ "alg": "RS256", "crit": ["b64"], "b64": false }), Rejection::Critical), // threat 35
        (json!({ "alg": "RS256", "crit": [] }), Rejection::Critical),  // threat 35
        (json!({ "alg": "RS256", "typ": "logout+jwt" }), Rejection::Type), // threat 36
        (json!({ "alg": "RS256", "typ": "at+jwt" }), Rejection::Type), // threat 36
        (json!({ "alg": "RS256", "typ": "" }), Rejection::Type),
        (json!([]), Rejection::TokenFormat),
    ] {
        let token = signer.sign(&header, &claims(ISSUER));
        assert_eq!(verify(&token, &jwk, RS256).expect_err("refused"), why, "{header}");
    }
}

#[test]
fn what_a_header_may_hold_beside_is_ignored() {
    let signer = Signer::rsa();
    for header in [
        json!({ "alg": "RS256" }),
        json!({ "alg": "RS256", "typ": "jwt", "x5c": ["…"], "x5t": "…", "x5t#S256": "…", "nonce": "…" }),
        json!({ "alg": "RS256", "typ": "JWT", "cty": "JWT" }),
    ] {
        let token = signer.sign(&header, &claims(ISSUER));
        assert!(verify(&token, &signer.jwk(), RS256).is_ok(), "{header}");
    }
}

#[test]
fn what_is_not_the_compact_form_is_refused_without_a_panic() {
    let token = Signer::rsa().token(None, &claims(ISSUER));
    let (input, signature) = token.rsplit_once('.').expect("three parts");
    let (header, payload) = input.split_once('.').expect("two parts");
    // The last character of a 256-octet signature carries four bits that must be zero: A, Q, g or w.
    let other_spelling = match signature.as_bytes()[signature.len() - 1] {
        b'A' => 'B',
        b'Q' => 'R',
        b'g' => 'h',
        _ => 'x',
    };
    let twice = BASE64URL_NOPAD.encode(br#"{"alg":"none","alg":"RS256"}"#);
    for (text, why) in [
        (String::new(), Rejection::TokenFormat),
        ("..".to_owned(), Rejection::TokenFormat),
        (header.to_owned(), Rejection::TokenFormat),
        (input.to_owned(), Rejection::TokenFormat),
        (format!("{token}."), Rejection::TokenFormat),
        (format!("{token}.a.b.c"), Rejection::TokenFormat),
        (format!("{token}.."), Rejection::Encrypted), // five parts
        (format!("{token}.YQ.YQ"), Rejection::Encrypted),
        (format!("{token}="), Rejection::TokenFormat),
        (format!("{token}\n"), Rejection::TokenFormat),
        (format!("{twice}.{payload}.{signature}"), Rejection::TokenFormat),
        (format!("{header}.{payload}.{}{other_spelling}", &signature[..signature.len() - 1]), Rejection::TokenFormat),
        (token.replacen('.', "\u{130}.", 1), Rejection::TokenFormat),
    ] {
        assert_eq!(verify(&text, &Signer::rsa().jwk(), RS256).expect_err("refused"), why, "{text}");
    }
    let unsigned = format!("{input}.");
    assert_eq!(verify(&unsigned, &Signer::rsa().jwk(), RS256).expect_err("refused"), Rejection::Signature);
}

#[test]
fn claims_that_are_no_object_or_too_deep_are_refused_threat_119() {
    let signer = Signer::rsa();
    let header = json!({ "alg": "RS256" });
    for claims in [json!([]), json!("text"), json!(null)] {
        let token = signer.sign(&header, &claims);
        assert_eq!(verify(&token, &signer.jwk(), RS256).expect_err("refused"), Rejection::ClaimsFormat);
    }
    let secret = Secret::new("s".to_owned());
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let input =
        format!("{}.{}", BASE64URL_NOPAD.encode(br#"{"alg":"HS256"}"#), BASE64URL_NOPAD.encode(deep.as_bytes()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"s"), input.as_bytes());
    let token = format!("{input}.{}", BASE64URL_NOPAD.encode(tag.as_ref()));
    let jws = Jws::parse_id_token(&token, &[SigningAlgorithm::HS256]).expect("well-formed");
    assert_eq!(jws.verify_with_secret(&secret).expect_err("too deep"), Rejection::ClaimsFormat);
}

#[test]
fn a_null_claim_is_an_absent_one() {
    let signer = Signer::rsa();
    let token = signer.token(None, &json!({ "sub": "a", "azp": null }));
    let verified = verify(&token, &signer.jwk(), RS256).expect("signed");
    assert!(!verified.claims.contains_key("azp"));
}

#[test]
fn keys_that_are_broken_weak_or_for_something_else_are_skipped() {
    let all: Vec<_> = SigningAlgorithm::ALL.into_iter().collect();
    let rsa = Signer::rsa().jwk();
    let ec = Signer::new(SigningAlgorithm::ES256).jwk();
    let with = |jwk: &Value, name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    };
    for jwk in [
        json!(null),
        json!({}),
        json!({ "kty": "oct", "k": "c2VjcmV0" }),
        json!({ "kty": "RSA" }),
        json!({ "kty": "RSA", "n": "", "e": "AQAB" }),
        json!({ "kty": "EC", "crv": "secp256k1", "x": ec["x"], "y": ec["y"] }),
        json!({ "kty": "EC", "crv": "P-256", "x": ec["x"], "y": ec["x"] }), // not on the curve
        json!({ "kty": "EC", "crv": "P-384", "x": ec["x"], "y": ec["y"] }),
        json!({ "kty": "OKP", "crv": "X25519", "x": ec["x"] }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }),
        with(&rsa, "n", BASE64URL_NOPAD.encode(&[0xff; 128]).into()), // 1024 bits
        with(&rsa, "e", "".into()),
        with(&rsa, "e", "AA".into()),
        with(&rsa, "use", "enc".into()),
        with(&rsa, "key_ops", json!(["encrypt"])),
        with(&rsa, "alg", "RSA-OAEP".into()),
        with(&rsa, "kid", json!(7)),
        with(&rsa, "n", "not base64url!".into()),
    ] {
        assert!(VerificationKey::from_jwk(&jwk, &all).is_empty(), "{jwk}");
    }
    for jwk in [with(&rsa, "use", "sig".into()), with(&rsa, "key_ops", json!(["verify"]))] {
        assert_eq!(VerificationKey::from_jwk(&jwk, &all).len(), 6, "once for each RSA algorithm: {jwk}");
    }
    assert_eq!(VerificationKey::from_jwk(&with(&rsa, "alg", "PS256".into()), &all).len(), 1);
}

#[test]
fn a_modulus_with_a_sign_octet_is_the_same_modulus() {
    let signer = Signer::rsa();
    let mut jwk = signer.jwk();
    let n = BASE64URL_NOPAD.decode(jwk["n"].as_str().expect("text").as_bytes()).expect("canonical");
    jwk["n"] = BASE64URL_NOPAD.encode(&[&[0], n.as_slice()].concat()).into();
    assert!(verify(&signer.token(None, &claims(ISSUER)), &jwk, RS256).is_ok());
}
