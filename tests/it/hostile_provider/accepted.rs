//! What is unusual and true: whoever is honest gets in, also where the conformance suite or the field is odd.

use http::HeaderValue;
use serde_json::{Value, json};
use vestibule::config::provider::SigningAlgorithm;

use super::*;
use crate::demo::provider::{mischief::IdToken, reply::Reply};

/// The address that lets [`ADA`] in, where an address is asked for.
const BY_ADDRESS: &str = "policy = \"listed\"\nallow = [{ email = \"ada@example.com\" }]";

/// Signs [`ADA`] in at a provider like this, and sees her name arrive at the app.
async fn is_accepted(
    row: &str,
    operator: &str,
    signing_key: Arc<SigningKey>,
    tell: impl Fn(Answer<'_>) + Send + Sync + 'static,
) {
    let set = Set::with(operator, |configuration| configuration.access(BY_ADDRESS), signing_key, tell).await;
    let landed = set.stage.browser(&ADA).open(&set.stage.url(PAGE)).await;
    assert_eq!((landed.response.status, landed.url.path()), (200, "/page"), "{row}: {landed:?}");
    let request = set.stage.upstream.only();
    assert_eq!((request.target(), request.header("x-forwarded-user")), (PAGE, Some("ada")), "{row}");
    let metrics = set.stage.metrics().await;
    let succeeded = "vestibule_sign_ins_total{provider=\"company\",outcome=\"succeeded\",reason=\"\"} 1";
    assert!(metrics.contains(succeeded), "{row}: {}", counted(&metrics));
    assert_eq!(set.provider.calls_to(Endpoint::Unknown).len(), 0, "{row}: an address that nobody advertised");
}

fn key(algorithm: SigningAlgorithm) -> Arc<SigningKey> {
    let shared = || SigningKey::shared(algorithm, CLIENT_SECRET.as_bytes());
    Arc::new(SigningKey::generate(algorithm).or_else(shared).expect("a key pair, or the client secret"))
}

#[tokio::test]
async fn each_algorithm_counts_where_it_is_configured() {
    use SigningAlgorithm::{ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, PS256, RS512};
    for algorithm in [ES256, ES384, ES512, EdDSA, PS256, RS512, HS256, HS384, HS512] {
        let name = algorithm.as_str();
        let operator = format!("{OPERATOR}\nid_token_signed_response_alg = {name:?}");
        is_accepted(&format!("{name} configured"), &operator, key(algorithm), |_| {}).await;
    }
}

#[tokio::test]
async fn each_algorithm_counts_where_it_is_advertised_without_rs256() {
    use SigningAlgorithm::{ES256, ES384, EdDSA, PS256};
    for algorithm in [ES256, ES384, EdDSA, PS256] {
        // This provider lists what it has keys for, and nothing else.
        is_accepted(&format!("{} advertised", algorithm.as_str()), OPERATOR, key(algorithm), |_| {}).await;
    }
}

/// As seen at the conformance suite: both are listed, with real keys, and the expected one is RS256.
#[tokio::test]
async fn an_algorithm_that_is_advertised_beside_rs256_or_not_configured_does_not_count() {
    let es256 = key(SigningAlgorithm::ES256);
    for (row, operator) in [
        ("ES256 beside RS256", OPERATOR.to_owned()),
        ("ES256 where EdDSA is configured", format!("{OPERATOR}\nid_token_signed_response_alg = \"EdDSA\"")),
        ("ES256 where HS256 is configured", format!("{OPERATOR}\nid_token_signed_response_alg = \"HS256\"")),
    ] {
        let set = Set::with(
            &operator,
            |configuration| configuration,
            Arc::clone(&es256),
            |answer| {
                if let Answer::Discovery(metadata) = answer {
                    metadata["id_token_signing_alg_values_supported"] = json!(["RS256", "ES256", "EdDSA", "HS256"]);
                }
            },
        )
        .await;
        set.provider.use_keys(Arc::clone(&es256), [signing_key()]);
        let landed = set.stage.browser(&ADA).open(&set.stage.url(PAGE)).await;
        assert_eq!(landed.response.status, 502, "{row}: {landed:?}");
        let metrics = set.stage.metrics().await;
        assert!(metrics.contains("reason=\"alg\"} 1"), "{row}: {}", counted(&metrics));
        assert!(set.stage.upstream.requests().is_empty(), "{row}");
    }
}

fn shift(token: &mut IdToken, claim: &str, seconds: i64) {
    let value = token.claims[claim].as_i64().expect("a claim that is a date");
    token.claims[claim] = json!(value + seconds);
}

#[tokio::test]
async fn an_id_token_may_say_things_in_other_ways() {
    let rows: [(&str, fn(&mut IdToken)); 18] = [
        ("threat 26: a fractional exp", |t| t.claims["exp"] = json!(1_800_000_300.75)),
        ("exp as a text", |t| t.claims["exp"] = json!(t.claims["exp"].to_string())),
        ("iat as a text", |t| t.claims["iat"] = json!(t.claims["iat"].to_string())),
        ("auth_time as a text", |t| t.claims["auth_time"] = json!(t.claims["auth_time"].to_string())),
        ("exp within the leeway", |t| shift(t, "exp", -300 - 59)),
        ("iat within the leeway", |t| shift(t, "iat", 60)),
        ("nbf within the leeway", |t| {
            t.claims["nbf"] = t.claims["iat"].clone();
            shift(t, "nbf", 60);
        }),
        ("threat 23: aud in a list of one", |t| t.claims["aud"] = json!([CLIENT_ID])),
        ("aud in a list of us twice", |t| t.claims["aud"] = json!([CLIENT_ID, CLIENT_ID])),
        ("threat 25: azp of us", |t| t.claims["azp"] = json!(CLIENT_ID)),
        ("threat 29: no at_hash", |t| t.drop_claim("at_hash")),
        ("no sid and no auth_time", |t| {
            t.drop_claim("sid");
            t.drop_claim("auth_time");
        }),
        ("email_verified as a text", |t| t.claims["email_verified"] = json!("true")),
        ("email_verified as a number", |t| t.claims["email_verified"] = json!(1)),
        ("one group as a text", |t| t.claims["groups"] = json!("staff")),
        ("standard claims of odd types", |t| {
            t.claims["zoneinfo"] = json!(2);
            t.claims["birthdate"] = json!(1815);
            t.claims["address"] = json!("12 St James's Square");
            t.claims["amr"] = json!("pwd");
            t.claims["updated_at"] = json!("1852-11-27T00:00:00Z");
        }),
        ("no typ", |t| {
            t.header.as_object_mut().expect("an object").remove("typ");
        }),
        ("typ in lower case, and members that nobody knows", |t| {
            t.header["typ"] = json!("jwt");
            t.header["x5t"] = json!("abc");
            t.header["made_up"] = json!({});
        }),
    ];
    for (row, bend) in rows {
        let tell = move |answer: Answer<'_>| {
            if let Answer::IdToken(token) = answer {
                bend(token);
            }
        };
        is_accepted(row, OPERATOR, signing_key(), tell).await;
    }
}

#[tokio::test]
async fn the_other_answers_may_say_things_in_other_ways() {
    let rows: [(&str, &str, fn(Answer<'_>)); 12] = [
        ("expires_in as a text", OPERATOR, |answer| tokens(answer, |t| t["expires_in"] = json!("3600"))),
        ("expires_in that is no time", OPERATOR, |answer| tokens(answer, |t| t["expires_in"] = json!(-1))),
        ("no expires_in", OPERATOR, |answer| tokens(answer, |t| t["expires_in"] = Value::Null)),
        ("token_type in another case", OPERATOR, |answer| tokens(answer, |t| t["token_type"] = json!("bearer"))),
        ("no token_type", OPERATOR, |answer| tokens(answer, |t| t["token_type"] = Value::Null)),
        ("a token of 8 KiB", OPERATOR, |answer| match answer {
            Answer::IdToken(token) => token.claims["made_up"] = json!("x".repeat(8192)),
            Answer::Token(tokens) => tokens["made_up"] = json!(["x"]),
            _ => {}
        }),
        ("session_state and other parameters", OPERATOR, |answer| {
            if let Answer::Authorization(response) = answer {
                response.set("session_state", Some("a.b"));
                response.set("scope", Some("openid"));
            }
        }),
        ("no iss where none is announced", OPERATOR, |answer| match answer {
            Answer::Discovery(metadata) => metadata["authorization_response_iss_parameter_supported"] = json!(false),
            Answer::Authorization(response) => response.set("iss", None),
            _ => {}
        }),
        ("the address comes with userinfo", "", |answer| {
            if let Answer::IdToken(token) = answer {
                token.drop_claim("email");
                token.drop_claim("email_verified");
            }
        }),
        ("no userinfo_endpoint, and none needed", "", |answer| {
            if let Answer::Discovery(metadata) = answer {
                metadata["userinfo_endpoint"] = Value::Null;
            }
        }),
        ("just below 1 MiB", OPERATOR, |answer| {
            if let Answer::Reply(Endpoint::Token | Endpoint::Keys | Endpoint::UserInfo | Endpoint::Discovery, reply) =
                answer
            {
                reply.pad((1 << 20) - 4096);
            }
        }),
        ("JSON under other names, and identity as its coding", OPERATOR, |answer| {
            if let Answer::Reply(_, Reply::Whole(response)) = answer {
                let headers = response.headers_mut();
                headers.insert("content-type", HeaderValue::from_static("text/plain; charset=UTF-8"));
                headers.insert("content-encoding", HeaderValue::from_static("identity"));
            }
        }),
    ];
    for (row, operator, tell) in rows {
        is_accepted(row, operator, signing_key(), tell).await;
    }
}

fn tokens(answer: Answer<'_>, bend: fn(&mut Value)) {
    if let Answer::Token(tokens) = answer {
        bend(tokens);
    }
}
