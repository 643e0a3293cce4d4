//! Lies in the ID token: its claims (OpenID Connect Core §3.1.3.7), its header and its signature (RFC 8725).

use data_encoding::BASE64;
use serde_json::{Value, json};
use vestibule::config::provider::SigningAlgorithm;

use super::*;
use crate::demo::provider::mischief::{IdToken, Signature};

/// An ID token bent by `bend` is refused with 502 when it has been read, and userinfo is never asked.
fn lies(rows: &[(&'static str, &'static str, &'static str, fn(&mut IdToken))]) -> Vec<Lie> {
    let lie = |&(id, what, reason, bend): &(_, _, _, fn(&mut IdToken))| Lie {
        id,
        what,
        tell: Box::new(move |answer| {
            if let Answer::IdToken(token) = answer {
                bend(token);
            }
        }),
        caught: Caught::InTheTokens,
        status: StatusCode::BAD_GATEWAY,
        reason,
    };
    rows.iter().map(lie).collect()
}

/// As the conformance suite does: one character more.
fn append_one(token: &mut IdToken, claim: &str) {
    let value = token.claims[claim].as_str().expect("a claim that is a text").to_owned();
    token.claims[claim] = json!(value + "1");
}

fn shift(token: &mut IdToken, claim: &str, seconds: i64) {
    let value = token.claims[claim].as_i64().expect("a claim that is a date");
    token.claims[claim] = json!(value + seconds);
}

#[tokio::test]
async fn whose_token_it_is_for_whom_and_of_whom_is_exact() {
    all_are_refused(lies(&[
        ("threat 22", "iss with one more character", "iss", |t| append_one(t, "iss")),
        ("threat 22", "iss with a slash at its end", "iss", |t| {
            t.claims["iss"] = json!(format!("{}/", t.claims["iss"].as_str().expect("iss")));
        }),
        ("threat 22", "iss with another scheme", "iss", |t| {
            t.claims["iss"] = json!(t.claims["iss"].as_str().expect("iss").replace("http:", "HTTP:"));
        }),
        ("threat 22", "no iss", "iss", |t| t.drop_claim("iss")),
        ("threat 22", "iss in a list", "iss", |t| t.claims["iss"] = json!([t.claims["iss"]])),
        ("threat 23", "aud with one more character", "aud", |t| append_one(t, "aud")),
        ("threat 23", "aud of somebody else", "aud", |t| t.claims["aud"] = json!("somebody-else")),
        ("threat 23", "aud of several others", "aud", |t| t.claims["aud"] = json!(["a", "b"])),
        ("threat 23", "no aud", "aud", |t| t.drop_claim("aud")),
        ("threat 23", "an empty aud", "aud", |t| t.claims["aud"] = json!([])),
        ("threat 23", "aud as an object", "aud", |t| t.claims["aud"] = json!({ CLIENT_ID: true })),
        ("threat 24", "aud of us and another", "aud_foreign", |t| t.claims["aud"] = json!([CLIENT_ID, "another"])),
        ("threat 24", "the same with azp of us", "aud_foreign", |t| {
            t.claims["aud"] = json!([CLIENT_ID, "another"]);
            t.claims["azp"] = json!(CLIENT_ID);
        }),
        ("threat 25", "azp of somebody else", "azp", |t| t.claims["azp"] = json!("somebody-else")),
        ("threat 25", "azp in a list", "azp", |t| t.claims["azp"] = json!([CLIENT_ID])),
        ("threat 28", "no sub", "sub", |t| t.drop_claim("sub")),
        ("threat 28", "sub null", "sub", |t| t.claims["sub"] = Value::Null),
        ("threat 28", "an empty sub", "sub", |t| t.claims["sub"] = json!("")),
        ("threat 28", "a numeric sub", "sub", |t| t.claims["sub"] = json!(248_289_761_001_u64)),
        ("threat 28", "sub beyond 255 characters", "sub", |t| t.claims["sub"] = json!("a".repeat(256))),
    ]))
    .await;
}

#[tokio::test]
async fn a_token_counts_in_its_time_only() {
    all_are_refused(lies(&[
        ("threat 26", "exp a little more than the leeway ago", "exp", |t| shift(t, "exp", -300 - 60)),
        ("threat 26", "exp long ago", "exp", |t| t.claims["exp"] = json!(1)),
        ("threat 26", "exp 1e300", "exp_invalid", |t| t.claims["exp"] = json!(1e300)),
        ("threat 26", "exp below zero", "exp_invalid", |t| t.claims["exp"] = json!(-1)),
        ("threat 26", "exp beyond 64 bits", "exp_invalid", |t| t.claims["exp"] = json!(u64::MAX)),
        ("threat 26", "exp in words", "exp_invalid", |t| t.claims["exp"] = json!("tomorrow")),
        ("threat 26", "no exp", "exp_invalid", |t| t.drop_claim("exp")),
        ("threat 27", "no iat", "iat_invalid", |t| t.drop_claim("iat")),
        ("threat 27", "iat true", "iat_invalid", |t| t.claims["iat"] = json!(true)),
        ("threat 27", "iat more than the leeway ahead", "iat_future", |t| shift(t, "iat", 61)),
        ("threat 27", "iat more than ten minutes ago", "iat_old", |t| shift(t, "iat", -601)),
        ("RFC 7519 §4.1.5", "nbf more than the leeway ahead", "nbf", |t| {
            t.claims["nbf"] = t.claims["iat"].clone();
            shift(t, "nbf", 61);
        }),
        ("RFC 7519 §4.1.5", "nbf that is no date", "nbf", |t| t.claims["nbf"] = json!({})),
    ]))
    .await;
}

#[tokio::test]
async fn a_token_belongs_to_its_access_token() {
    all_are_refused(lies(&[
        ("threat 29", "at_hash with one more character", "at_hash", |t| append_one(t, "at_hash")),
        ("threat 29", "at_hash of another token", "at_hash", |t| {
            t.claims["at_hash"] = json!(signing_key().half_hash("another"));
        }),
        ("threat 29", "an empty at_hash", "at_hash", |t| t.claims["at_hash"] = json!("")),
        ("threat 29", "at_hash as a number", "at_hash", |t| t.claims["at_hash"] = json!(0)),
        ("CVE-2026-28498", "at_hash under an unknown alg", "alg", |t| {
            t.header["alg"] = json!("RS1024");
            append_one(t, "at_hash");
        }),
    ]))
    .await;
}

/// A nonce that is not ours says that the answer is of another sign-in, which is a foreign answer like any other.
#[tokio::test]
async fn threat_15_a_token_belongs_to_the_sign_in_that_asked() {
    let rows = lies(&[
        ("threat 15", "nonce with one more character", "nonce", |t| append_one(t, "nonce")),
        ("threat 15", "no nonce", "nonce", |t| t.drop_claim("nonce")),
        ("threat 15", "an empty nonce", "nonce", |t| t.claims["nonce"] = json!("")),
        ("threat 15", "nonce in a list", "nonce", |t| t.claims["nonce"] = json!([t.claims["nonce"]])),
    ]);
    all_are_refused(rows.into_iter().map(|lie| Lie { status: StatusCode::BAD_REQUEST, ..lie }).collect()).await;
}

#[tokio::test]
async fn a_signature_is_one_of_the_expected_kind_and_holds() {
    all_are_refused(lies(&[
        ("threat 20", "alg none, unsigned", "alg", |t| {
            t.header["alg"] = json!("none");
            t.signature = Signature::Absent;
        }),
        ("threat 20", "alg NoNe, unsigned", "alg", |t| {
            t.header["alg"] = json!("NoNe");
            t.signature = Signature::Absent;
        }),
        ("threat 20", "alg none, signed", "alg", |t| t.header["alg"] = json!("none")),
        ("threat 20", "alg RS256, unsigned", "signature", |t| t.signature = Signature::Absent),
        ("threat 20", "no alg", "token_format", |t| {
            t.header.as_object_mut().expect("an object").remove("alg");
        }),
        ("threat 21", "HS256 keyed by the client secret", "alg", |t| forge(t, CLIENT_SECRET.as_bytes())),
        ("threat 21", "HS256 keyed by the public key in DER", "alg", |t| forge(t, signing_key().public_bytes())),
        ("threat 21", "HS256 keyed by the public key in PEM", "alg", |t| forge(t, public_key_pem().as_bytes())),
        ("threat 21", "HS256 keyed by the RSA public key in PEM", "alg", |t| {
            forge(t, pem("RSA PUBLIC KEY", signing_key().public_bytes()).as_bytes());
        }),
        ("threat 21", "HS256 keyed by nothing", "alg", |t| forge(t, b"")),
        ("threat 30", "a signature that does not verify", "signature", IdToken::break_signature),
        ("threat 30", "the right kid, signed by another key", "signature", |t| {
            t.signature = Signature::By(Arc::clone(&keys::ANOTHER_KEY));
        }),
        ("threat 30", "claims changed after signing", "signature", |t| {
            t.signature = Signature::By(Arc::clone(&keys::ANOTHER_KEY));
            t.claims["sub"] = json!("grace");
        }),
        ("RFC 8725 §3.1", "RS512 where RS256 is expected", "alg", |t| t.header["alg"] = json!("RS512")),
        ("RFC 8725 §3.1", "alg in lower case", "alg", |t| t.header["alg"] = json!("rs256")),
        ("threat 31", "a kid that no key has", "unknown_key", |t| t.header["kid"] = json!("unheard-of")),
        ("threat 31", "a kid that is a number", "token_format", |t| t.header["kid"] = json!(7)),
        ("threat 31", "a kid that is a path", "unknown_key", |t| t.header["kid"] = json!("../../dev/null")),
    ]))
    .await;
}

#[tokio::test]
async fn a_header_neither_brings_a_key_nor_demands_anything() {
    all_are_refused(lies(&[
        ("threat 35", "jwk, and signed by that key", "header_key", |t| {
            t.sign_with(&keys::ANOTHER_KEY);
            t.header["jwk"] = keys::ANOTHER_KEY.jwk().expect("it has a public part");
        }),
        ("threat 35", "jwk of the right key", "header_key", |t| {
            t.header["jwk"] = signing_key().jwk().expect("it has a public part");
        }),
        ("threat 35", "jku", "header_key", |t| t.header["jku"] = json!("https://canary-of-the-provider.test/keys")),
        ("threat 35", "x5u", "header_key", |t| t.header["x5u"] = json!("https://canary-of-the-provider.test/cert")),
        ("threat 35", "crit of an extension", "crit", |t| {
            t.header["crit"] = json!(["exp"]);
            t.header["exp"] = json!(1);
        }),
        ("threat 35", "an empty crit", "crit", |t| t.header["crit"] = json!([])),
        ("threat 35", "crit b64", "crit", |t| {
            t.header["crit"] = json!(["b64"]);
            t.header["b64"] = json!(false);
        }),
        ("threat 36", "typ logout+jwt", "typ", |t| t.header["typ"] = json!("logout+jwt")),
        ("threat 36", "typ at+jwt", "typ", |t| t.header["typ"] = json!("at+jwt")),
        ("threat 36", "typ that is no text", "token_format", |t| t.header["typ"] = json!(["JWT"])),
        ("RFC 7515 §4", "a header that is no object", "token_format", |t| t.header = json!(["RS256"])),
        ("RFC 7519 §7.2", "claims that are no object", "claims_format", |t| t.claims = json!([t.claims["sub"]])),
    ]))
    .await;
}

/// Signs as whoever takes a known value for the shared key, and keeps the `kid` of the real one.
fn forge(token: &mut IdToken, key: &[u8]) {
    let key = SigningKey::shared(SigningAlgorithm::HS256, key).expect("HS256 is keyed by a shared secret");
    let kid = token.header["kid"].clone();
    token.sign_with(&Arc::new(key));
    token.header["kid"] = kid;
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// What most tools call the public key: `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7) of a key of 2,048 bits.
fn public_key_pem() -> String {
    const RSA_ENCRYPTION: &[u8] =
        b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00";
    pem("PUBLIC KEY", &[RSA_ENCRYPTION, signing_key().public_bytes()].concat())
}
