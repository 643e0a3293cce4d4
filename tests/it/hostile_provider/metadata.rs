//! Lies in the metadata (OpenID Connect Discovery §3 and §4.3), before anybody has left for the provider.

use serde_json::{Value, json};

use super::*;

fn lies(rows: &[(&'static str, &'static str, &'static str, fn(&mut Value))]) -> Vec<Lie> {
    let lie = |&(id, what, reason, bend): &(_, _, _, fn(&mut Value))| Lie {
        id,
        what,
        tell: Box::new(move |answer| {
            if let Answer::Discovery(metadata) = answer {
                bend(metadata);
            }
        }),
        caught: Caught::InTheMetadata,
        status: StatusCode::BAD_GATEWAY,
        reason,
    };
    rows.iter().map(lie).collect()
}

fn append(metadata: &mut Value, member: &str, more: &str) {
    metadata[member] = json!(format!("{}{more}", metadata[member].as_str().expect("a text")));
}

#[tokio::test]
async fn metadata_of_another_issuer_is_not_used() {
    all_are_refused(lies(&[
        ("threat 37", "issuer with more characters", "metadata_issuer", |m| append(m, "issuer", "INVALID")),
        ("threat 37", "issuer with a slash at its end", "metadata_issuer", |m| append(m, "issuer", "/")),
        ("threat 37", "issuer of somebody else", "metadata_issuer", |m| m["issuer"] = json!("https://id.example")),
        ("threat 37", "an empty issuer", "metadata_issuer", |m| m["issuer"] = json!("")),
        ("threat 37", "issuer null", "metadata_issuer", |m| m["issuer"] = Value::Null),
        ("threat 119", "issuer in a list", "malformed", |m| m["issuer"] = json!([m["issuer"]])),
    ]))
    .await;
}

#[tokio::test]
async fn metadata_without_what_a_sign_in_needs_is_not_used() {
    all_are_refused(lies(&[
        ("Discovery §3", "no authorization_endpoint", "metadata_endpoint", |m| {
            m["authorization_endpoint"] = Value::Null
        }),
        ("Discovery §3", "an empty token_endpoint", "metadata_endpoint", |m| m["token_endpoint"] = json!("")),
        ("Discovery §3", "no jwks_uri", "metadata_endpoint", |m| m["jwks_uri"] = Value::Null),
        ("threat 1", "an authorization_endpoint that is a script", "metadata_url", |m| {
            m["authorization_endpoint"] = json!("javascript:alert('canary-of-the-provider')");
        }),
        ("threat 42", "a token_endpoint that is a file", "metadata_url", |m| {
            m["token_endpoint"] = json!("file:///etc/passwd");
        }),
        ("threat 42", "a jwks_uri with somebody's credentials", "metadata_url", |m| {
            m["jwks_uri"] = json!("http://user:canary-of-the-provider@127.0.0.1/");
        }),
        ("RFC 6749 §3.1", "an authorization_endpoint with a fragment", "metadata_url", |m| {
            append(m, "authorization_endpoint", "#here");
        }),
        ("threat 2", "a userinfo_endpoint with line breaks", "metadata_url", |m| {
            m["userinfo_endpoint"] = json!("http://\r\nX-Injected: 1");
        }),
        ("Discovery §3", "response types without code", "response_type", |m| {
            m["response_types_supported"] = json!(["id_token", "code token"]);
        }),
        ("threat 20", "nothing but alg none", "no_algorithm", |m| {
            m["id_token_signing_alg_values_supported"] = json!(["none"]);
        }),
        ("threat 21", "nothing but shared secrets", "no_algorithm", |m| {
            m["id_token_signing_alg_values_supported"] = json!(["HS256", "HS512", "none"]);
        }),
        ("threat 119", "metadata in a list", "malformed", |m| *m = json!([m.clone()])),
        ("threat 119", "an endpoint that is an object", "malformed", |m| m["token_endpoint"] = json!({ "a": [] })),
    ]))
    .await;
}

/// What is optional may be missing, empty, unknown or odd (contract §3).
#[tokio::test]
async fn metadata_that_is_merely_odd_is_used() {
    let odd: [(&str, fn(&mut Value)); 6] = [
        ("nothing optional", |m| {
            for member in ["response_types_supported", "end_session_endpoint", "claims_supported", "scopes_supported"] {
                m.as_object_mut().expect("an object").remove(member);
            }
        }),
        ("empty texts", |m| m["end_session_endpoint"] = json!("")),
        ("null", |m| m["id_token_signing_alg_values_supported"] = Value::Null),
        ("unknown members and algorithms", |m| {
            m["id_token_signing_alg_values_supported"] = json!(["XS999", "RS256", "none"]);
            m["made_up"] = json!({ "deep": [[[{}]]] });
        }),
        ("response types in another order", |m| {
            m["response_types_supported"] = json!(["id_token code", "token id_token code", "code"]);
        }),
        ("an authorization_endpoint with a query of its own", |m| append(m, "authorization_endpoint", "?tenant=a%20b")),
    ];
    for (what, bend) in odd {
        let tell = move |answer: Answer<'_>| {
            if let Answer::Discovery(metadata) = answer {
                bend(metadata);
            }
        };
        let set = Set::lying(tell).await;
        let landed = set.stage.browser(&ADA).open(&set.stage.url(PAGE)).await;
        assert_eq!((landed.response.status, set.stage.upstream.requests().len()), (200, 1), "{what}: {landed:?}");
    }
}
