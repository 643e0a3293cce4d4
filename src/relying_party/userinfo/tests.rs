use http::StatusCode;
use serde_json::json;

use super::*;
use crate::{clock::Timestamp, relying_party::testing};

const ISSUER: &str = "https://op.example";

fn wants(change_provider: impl FnOnce(&mut Provider), id_token: Value, document: &Value) -> Result<bool, Rejection> {
    let mut provider = testing::provider(ISSUER);
    change_provider(&mut provider);
    let mut all = testing::document(ISSUER);
    all.as_object_mut().expect("an object").extend(document.as_object().expect("an object").clone());
    let metadata = Metadata::parse(all.to_string().as_bytes(), &provider).expect("metadata");
    let Value::Object(claims) = id_token else { panic!("an object") };
    let id_token = IdToken {
        subject: Subject::new("a"),
        session_id: None,
        auth_time: None,
        expires_at: Timestamp::from_unix(0),
        claims,
    };
    Ok(wanted(&provider, &metadata, &id_token)?.is_some())
}

fn whole() -> Value {
    json!({ "sub": "a", "email": "a@b.c", "email_verified": false, "name": "A", "preferred_username": "a", "groups": [] })
}

fn without(claim: &str) -> Value {
    let mut claims = whole();
    claims.as_object_mut().expect("an object").remove(claim);
    claims
}

fn scopes(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn automatically_it_is_asked_where_a_named_claim_is_lacking_and_plausible() {
    let none = &json!({});
    let with = |more: Value| json!({ "claims_supported": more });
    assert_eq!(wants(|_| (), whole(), none), Ok(false));
    for claim in ["email", "email_verified", "name", "preferred_username", "groups"] {
        assert_eq!(wants(|_| (), without(claim), none), Ok(true), "{claim}");
    }
    // The scope was not asked for.
    for claim in ["name", "preferred_username", "email", "email_verified"] {
        assert_eq!(wants(|p| p.scopes = scopes(&["openid"]), without(claim), none), Ok(false), "{claim}");
    }
    // Addresses count in any case, or in none.
    assert_eq!(wants(|p| p.trust_email = TrustEmail::Always, without("email_verified"), none), Ok(false));
    // Groups under their default name are not sought where the provider knows none.
    assert_eq!(wants(|_| (), without("groups"), &with(json!(["sub", "email"]))), Ok(false));
    assert_eq!(wants(|_| (), without("groups"), &with(json!(["sub", "groups"]))), Ok(true));
    let named = |p: &mut Provider| p.claims.groups = "realm_access.roles".into();
    assert_eq!(wants(named, whole(), &with(json!(["sub"]))), Ok(true));
    // A claim that a rule names is always sought.
    assert_eq!(wants(|p| p.kept_claims = vec!["hd".into()], whole(), &with(json!(["sub"]))), Ok(true));
    // There is nobody to ask.
    assert_eq!(wants(|_| (), without("email"), &json!({ "userinfo_endpoint": "" })), Ok(false));
}

#[test]
fn always_and_never_mean_it() {
    assert_eq!(wants(|p| p.userinfo = UserInfo::Never, without("email"), &json!({})), Ok(false));
    assert_eq!(wants(|p| p.userinfo = UserInfo::Always, whole(), &json!({})), Ok(true));
    let outcome = wants(|p| p.userinfo = UserInfo::Always, whole(), &json!({ "userinfo_endpoint": "" }));
    assert_eq!(outcome, Err(Rejection::UserInfoEndpoint));
}

#[tokio::test]
async fn the_answer_counts_only_if_it_is_plain_json_about_the_same_person() {
    let server = testing::Server::start().await;
    let (party, _, _) = testing::relying_party(testing::provider(&server.issuer()));
    let endpoint: Uri = format!("{}/userinfo", server.issuer()).parse().expect("a URI");
    for (status, content_type, body, expected) in [
        (200, "application/json", r#"{"sub":"a","hd":"x","gone":null}"#, Ok(json!({ "sub": "a", "hd": "x" }))),
        (200, "text/plain", r#"{"sub":"a"}"#, Ok(json!({ "sub": "a" }))),
        (200, "application/json", r#"{"sub":"b"}"#, Err("userinfo_sub")), // threat 40
        (200, "application/json", r#"{"sub":"A"}"#, Err("userinfo_sub")), // threat 40
        (200, "application/json", r#"{"email":"a@b.c"}"#, Err("userinfo_sub")), // threat 40
        (200, "application/json", r#"{"sub":["a"]}"#, Err("userinfo_sub")), // threat 40
        (200, "application/jwt; charset=utf-8", "e30.e30.", Err("userinfo_signed")),
        (200, "Application/JWT", "e30.e30.", Err("userinfo_signed")),
        (200, "application/json", "[]", Err("malformed")),
        (200, "application/json", "", Err("malformed")),
        (401, "application/json", r#"{"sub":"a"}"#, Err("status")),
        (500, "text/html", "", Err("status")),
    ] {
        let status = StatusCode::from_u16(status).expect("a status");
        server.set("/userinfo", testing::Answer::body(status, content_type, body));
        let access_token = Secret::new("the-token".to_owned());
        let deadline = Deadline::of_a_step();
        let outcome = fetch(&party.client, &endpoint, &access_token, &Subject::new("a"), deadline).await;
        let outcome = outcome.map(Value::Object).map_err(|error| error.reason());
        assert_eq!(outcome, expected, "{body}");
    }
    let seen = server.seen("/userinfo");
    assert_eq!(seen[0].headers["authorization"], "Bearer the-token");
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_refused_before_a_connection_is_made() {
    let (party, _, mut calls) = testing::relying_party(testing::provider("http://127.0.0.1:1"));
    let token = Secret::new("a\r\nX-Evil: 1".to_owned());
    let endpoint = Uri::from_static("http://127.0.0.1:1/userinfo");
    let outcome = fetch(&party.client, &endpoint, &token, &Subject::new("a"), Deadline::of_a_step()).await;
    assert_eq!(outcome.expect_err("refused").reason(), "access_token");
    assert!(calls.try_recv().is_err());
}
