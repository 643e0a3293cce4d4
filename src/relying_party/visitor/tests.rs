use serde_json::json;

use super::*;
use crate::{clock::Timestamp, identity::Subject, relying_party::testing};

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn read(provider: &Provider, id_token: Value, userinfo: Option<Value>) -> Visitor {
    let id_token = IdToken {
        subject: Subject::new("subject"),
        session_id: None,
        auth_time: None,
        expires_at: Timestamp::from_unix(0),
        claims: map(id_token),
    };
    visitor(provider, &id_token, userinfo.map(map).as_ref())
}

fn provider() -> Provider {
    testing::provider("https://op.example")
}

#[test]
fn the_id_token_wins_and_userinfo_fills_the_gaps() {
    let id_token = json!({ "sub": "subject", "name": "Ann", "groups": ["a"] });
    let userinfo = json!({ "sub": "subject", "name": "Anna", "preferred_username": "ann", "groups": ["b"] });
    let visitor = read(&provider(), id_token, Some(userinfo));
    assert_eq!(visitor.user.as_deref(), Some("subject"));
    assert_eq!(visitor.name.as_deref(), Some("Ann"));
    assert_eq!(visitor.preferred_username.as_deref(), Some("ann"));
    assert_eq!(visitor.groups, ["a"]);
    assert_eq!((visitor.email, visitor.email_trust), (None, EmailTrust::Untrusted));
}

#[test]
fn an_address_counts_only_with_the_verdict_of_the_document_that_states_it_threat_95() {
    let ann = "ann@example.com";
    for (id_token, userinfo, trusted) in [
        (json!({ "email": ann, "email_verified": true }), None, true),
        (json!({ "email": ann, "email_verified": "true" }), None, true),
        (json!({ "email": ann, "email_verified": 1 }), None, true),
        (json!({ "email": ann, "email_verified": "false" }), None, false),
        (json!({ "email": ann, "email_verified": false }), None, false),
        (json!({ "email": ann, "email_verified": "True " }), None, false),
        (json!({ "email": ann, "email_verified": [true] }), None, false),
        (json!({ "email": ann }), None, false),
        (json!({ "email_verified": true }), None, false),
        (json!({ "email": ann }), Some(json!({ "email": "Ann@Example.com", "email_verified": true })), true),
        (json!({ "email": ann }), Some(json!({ "email": "eve@example.com", "email_verified": true })), false),
        (json!({ "email": ann }), Some(json!({ "email_verified": true })), false),
        (json!({ "email_verified": true }), Some(json!({ "email": ann })), false),
        (json!({ "email": "a@evil@example.com", "email_verified": true }), None, false), // CVE-2026-40574
    ] {
        let visitor = read(&provider(), id_token.clone(), userinfo.clone());
        assert_eq!(visitor.trusted_email().is_some(), trusted, "{id_token} {userinfo:?}");
    }
}

#[test]
fn the_operator_can_vouch_for_a_providers_addresses_or_for_none() {
    let claims = json!({ "email": "ann@example.com", "email_verified": true, "upn": "ann@corp.example" });
    for (trust, claim, trusted) in [
        (TrustEmail::Always, "upn", Some("ann@corp.example")),
        (TrustEmail::Always, "email", Some("ann@example.com")),
        (TrustEmail::Never, "email", None),
        (TrustEmail::Verified, "upn", None), // `email_verified` says nothing about `upn`
        (TrustEmail::Always, "missing", None),
    ] {
        let mut provider = provider();
        (provider.trust_email, provider.claims.email) = (trust, claim.into());
        let visitor = read(&provider, claims.clone(), None);
        assert_eq!(visitor.trusted_email().map(EmailAddress::as_str), trusted, "{trust:?} {claim}");
    }
}

#[test]
fn groups_are_a_list_of_strings_or_one_string() {
    for (groups, expected) in [
        (json!(["a", 1, null, "b", "", ["c"], { "d": 1 }]), vec!["a", "b"]),
        (json!("staff"), vec!["staff"]),
        (json!(""), vec![]),
        (json!({ "a": true }), vec![]),
        (json!(7), vec![]),
    ] {
        assert_eq!(read(&provider(), json!({ "groups": groups }), None).groups, expected);
    }
}

#[test]
fn a_name_with_dots_wins_over_the_way_down() {
    let claims = map(json!({
        "realm_access": { "roles": ["r"], "a.b": { "c": 1 } },
        "https://example.com/roles": "namespaced",
        "a.b": "literal", "a": { "b": "nested" },
        "gone": null, "list": [{ "x": 1 }],
    }));
    for (path, expected) in [
        ("realm_access.roles", Some(json!(["r"]))),
        ("realm_access.a.b.c", Some(json!(1))),
        ("https://example.com/roles", Some(json!("namespaced"))),
        ("a.b", Some(json!("literal"))),
        ("realm_access.none", None),
        ("gone", None),
        ("gone.x", None),
        ("list.x", None),
        ("", None),
        (".", None),
        ("a.", None),
    ] {
        assert_eq!(find(&claims, path), expected.as_ref(), "{path:?}");
    }
}

#[test]
fn claims_of_rules_are_kept_up_to_a_size() {
    let mut provider = provider();
    provider.kept_claims = ["hd", "big", "org.unit", "none"].map(str::to_owned).into();
    let claims = json!({ "hd": "example.com", "big": "x".repeat(MAX_KEPT), "org": { "unit": [1, true] } });
    let visitor = read(&provider, claims, None);
    assert_eq!(visitor.claims, [("hd".to_owned(), json!("example.com")), ("org.unit".to_owned(), json!([1, true]))]);
}

#[test]
fn an_odd_value_is_an_absent_one_and_a_number_is_its_text() {
    let mut provider = provider();
    provider.claims.user = "employee".into();
    let visitor = read(&provider, json!({ "employee": 4711, "name": ["Ann"], "preferred_username": "" }), None);
    assert_eq!(visitor.user.as_deref(), Some("4711"));
    assert_eq!((visitor.name, visitor.preferred_username), (None, None));
}

#[test]
fn an_address_that_nobody_verified_names_nobody_under_any_name_threat_95() {
    let mut provider = provider();
    provider.claims.user = "email".into();
    provider.claims.preferred_username = "email".into();
    let names = |verified: bool, provider: &Provider| {
        let visitor = read(provider, json!({ "email": "ann@example.com", "email_verified": verified }), None);
        (visitor.user, visitor.preferred_username)
    };
    let ann = Some("ann@example.com".to_owned());
    assert_eq!(names(true, &provider), (ann.clone(), ann.clone()));
    assert_eq!(names(false, &provider), (None, None));
    // What is read as the address is another claim: nobody speaks for this one.
    provider.claims.email = "mail".into();
    assert_eq!(names(true, &provider), (None, None));
    provider.trust_email = TrustEmail::Always;
    assert_eq!(names(false, &provider), (ann.clone(), ann));
}
