use serde_json::{Value, json};

use super::*;
use crate::{
    config::provider::SigningAlgorithm::{ES256, EdDSA, HS256, PS256, RS256},
    relying_party::testing,
};

const ISSUER: &str = "https://op.example";

fn parse(issuer: &str, change: impl FnOnce(&mut Value)) -> Result<Metadata, Error> {
    let mut document = testing::document(issuer);
    change(&mut document);
    Metadata::parse(document.to_string().as_bytes(), &testing::provider(issuer))
}

fn rejection(outcome: Result<Metadata, Error>) -> Rejection {
    match outcome.expect_err("refused") {
        Error::Rejected(rejection) => rejection,
        other => panic!("{other}"),
    }
}

#[test]
fn optional_metadata_may_be_missing_null_empty_or_unknown() {
    let bare = json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://op.example/authorize",
        "token_endpoint": "https://op.example/token",
        "jwks_uri": "https://op.example/jwks",
    });
    let with = |more: Value| {
        let mut document = bare.clone();
        document.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        document
    };
    for document in [
        bare.clone(),
        with(json!({ "userinfo_endpoint": "", "end_session_endpoint": "" })),
        with(json!({ "userinfo_endpoint": null, "response_types_supported": null, "claims_supported": [] })),
        with(json!({ "response_types_supported": [], "id_token_signing_alg_values_supported": [] })),
        with(json!({ "op_policy_uri": 7, "check_session_iframe": "", "token_endpoint_auth_methods_supported": ["x"] })),
    ] {
        let metadata = Metadata::parse(document.to_string().as_bytes(), &testing::provider(ISSUER)).expect("usable");
        assert!(!metadata.offers_end_session());
        assert_eq!(metadata.userinfo_endpoint, None);
        assert_eq!(metadata.claims_supported, None);
        assert_eq!(metadata.algorithms, [RS256]);
    }
}

#[test]
fn the_issuer_agrees_to_the_letter_threat_37() {
    for issuer in [
        json!("https://op.example/"),
        json!("https://OP.example"),
        json!(""),
        json!(null),
        json!("https://op.exampleINVALID"),
    ] {
        assert_eq!(rejection(parse(ISSUER, |document| document["issuer"] = issuer)), Rejection::MetadataIssuer);
    }
    assert!(parse("https://op.example/a/", |_| ()).is_ok());
}

#[test]
fn endpoints_are_https_urls_unless_the_issuer_is_on_this_host_or_is_itself_http() {
    for (name, value, why) in [
        ("token_endpoint", "http://op.example/token", Rejection::InsecureEndpoint),
        ("jwks_uri", "http://127.0.0.1/jwks", Rejection::InsecureEndpoint),
        ("userinfo_endpoint", "http://op.example/userinfo", Rejection::InsecureEndpoint),
        ("authorization_endpoint", "javascript:alert(1)", Rejection::MetadataUrl),
        ("authorization_endpoint", "https://op.example/authorize#a", Rejection::MetadataUrl),
        ("token_endpoint", "https://user:pw@op.example/token", Rejection::MetadataUrl),
        ("token_endpoint", "/token", Rejection::MetadataUrl),
        ("end_session_endpoint", "file:///etc/passwd", Rejection::MetadataUrl),
        ("token_endpoint", "", Rejection::MetadataEndpoint),
        ("jwks_uri", "", Rejection::MetadataEndpoint),
    ] {
        assert_eq!(rejection(parse(ISSUER, |document| document[name] = value.into())), why, "{name} {value}");
    }
    let plain_endpoint = |document: &mut Value| document["token_endpoint"] = "http://127.0.0.1/token".into();
    // Whether an http issuer is accepted off loopback is `insecure_http`'s to say, in the configuration.
    for issuer in
        ["http://op.example", "https://127.0.0.1:8080", "https://localhost", "https://[::1]", "https://op.localhost"]
    {
        assert!(parse(issuer, plain_endpoint).is_ok(), "{issuer}");
    }
    for issuer in ["https://op.example", "https://localhost.evil.example", "https://127.0.0.1.evil.example"] {
        assert_eq!(rejection(parse(issuer, plain_endpoint)), Rejection::InsecureEndpoint, "{issuer}");
    }
}

#[test]
fn response_types_are_compared_as_sets() {
    let with = |types: Value| parse(ISSUER, |document| document["response_types_supported"] = types);
    assert!(with(json!(["id_token code", " code "])).is_ok());
    for types in [json!(["id_token"]), json!(["code id_token", "id_token code"]), json!(["codes"])] {
        assert_eq!(rejection(with(types)), Rejection::ResponseType);
    }
}

#[test]
fn the_expected_algorithm_is_the_configured_one_else_rs256_else_what_is_listed() {
    for (configured, listed, expected) in [
        (None, vec![], Ok(vec![RS256])),
        (None, vec!["ES256", "RS256", "none"], Ok(vec![RS256])),
        (None, vec!["PS256", "HS256", "ES256", "none", "XX9"], Ok(vec![PS256, ES256])),
        (None, vec!["EdDSA"], Ok(vec![EdDSA])),
        (None, vec!["HS256", "none"], Err(Rejection::NoAlgorithm)),
        (Some(ES256), vec!["RS256"], Ok(vec![ES256])),
        (Some(HS256), vec![], Ok(vec![HS256])),
    ] {
        let listed: Vec<_> = listed.into_iter().map(str::to_owned).collect();
        assert_eq!(expected_algorithms(configured, &listed), expected, "{configured:?} {listed:?}");
    }
}

#[test]
fn the_issuer_parameter_is_compared_where_it_comes_and_required_where_it_is_announced_threats_38_and_39() {
    let provider = testing::provider(ISSUER);
    let announced = parse(ISSUER, |document| document["authorization_response_iss_parameter_supported"] = true.into());
    let (announced, silent) = (announced.expect("metadata"), parse(ISSUER, |_| ()).expect("metadata"));
    for (metadata, iss, expected) in [
        (&announced, Some(ISSUER), Ok(())),
        (&announced, None, Err(Rejection::IssuerParameterMissing)),
        (&announced, Some("https://other.example"), Err(Rejection::IssuerParameter)),
        (&silent, Some(ISSUER), Ok(())),
        (&silent, None, Ok(())),
        (&silent, Some("https://op.example/"), Err(Rejection::IssuerParameter)),
        (&silent, Some(""), Err(Rejection::IssuerParameter)),
    ] {
        assert_eq!(metadata.check_issuer_parameter(&provider, iss), expected, "{iss:?}");
    }
}

#[test]
fn what_is_no_document_is_refused() {
    for body in ["", "[]", "<html>", "{\"issuer\":1}", &"[".repeat(100_000)] {
        let error = Metadata::parse(body.as_bytes(), &testing::provider(ISSUER)).expect_err("refused");
        assert_eq!(error.reason(), "malformed");
    }
}

#[test]
fn what_the_configuration_names_goes_before_the_metadata_and_may_do_without() {
    let mut provider = testing::provider(ISSUER);
    provider.endpoints.token = Some("https://inside.example/token".parse().expect("a URL"));
    let mut document = testing::document(ISSUER);
    // It need not even be usable.
    document["token_endpoint"] = json!("ftp://op.example/token");
    let metadata = Metadata::parse(document.to_string().as_bytes(), &provider).expect("usable");
    assert_eq!(metadata.token_endpoint, "https://inside.example/token");
    assert_eq!(metadata.jwks_uri.expect("of the document"), "https://op.example/jwks");

    provider.id_token_alg = Some(HS256);
    document.as_object_mut().expect("an object").remove("jwks_uri");
    let metadata = Metadata::parse(document.to_string().as_bytes(), &provider).expect("no keys are needed");
    assert_eq!(metadata.jwks_uri, None);
}
