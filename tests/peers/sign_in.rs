//! The code flow on the wire, as the provider saw it (RFC 6749 §4.1, RFC 7636, OpenID
//! Connect Core §3.1).

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::StatusCode;
use url::form_urlencoded;

use crate::{
    deployment::{Deployment, Plan},
    provider::{CLIENT_ID, CLIENT_SECRET},
    visitor::Visitor,
};

#[tokio::test]
async fn a_sign_in_is_one_code_flow_with_pkce_state_and_nonce() {
    let (deployment, provider) = Deployment::start().await;
    let landed = Visitor::default().sign_in(deployment.url("/"), "ada").await;
    assert_eq!((landed.status, landed.url.as_str()), (StatusCode::OK, &*deployment.url("/")));
    let redirect_uri = deployment.url("/_vestibule/callback");

    let authorizations = provider.calls_to("/auth").await;
    let [authorization] = &authorizations[..] else { panic!("one authorization request: {authorizations:#?}") };
    let sent = |name: &str| authorization.query.get(name).unwrap_or_else(|| panic!("{name} is sent")).as_str();
    assert_eq!(sent("response_type"), "code");
    assert_eq!(sent("client_id"), CLIENT_ID);
    assert_eq!(sent("redirect_uri"), redirect_uri);
    assert_eq!(sent("scope"), "openid profile email");
    assert_eq!(sent("code_challenge_method"), "S256");
    for unguessable in ["state", "nonce", "code_challenge"] {
        assert!(sent(unguessable).len() >= 22, "{unguessable} carries 128 bits: {}", sent(unguessable));
    }

    let tokens = provider.calls_to("/token").await;
    let [token] = &tokens[..] else { panic!("one token request: {tokens:#?}") };
    assert_eq!((&*token.method, token.status), ("POST", 200));
    assert_eq!(token.form["grant_type"], "authorization_code");
    assert_eq!(token.form["redirect_uri"], redirect_uri);
    let challenge = digest::digest(&digest::SHA256, token.form["code_verifier"].as_bytes());
    assert_eq!(BASE64URL_NOPAD.encode(challenge.as_ref()), sent("code_challenge"));
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let credentials = format!("{}:{}", encode(CLIENT_ID), encode(CLIENT_SECRET));
    assert_eq!(token.authorization, format!("Basic {}", BASE64.encode(credentials.as_bytes())), "RFC 6749 §2.3.1");
    assert!(!token.form.contains_key("client_secret"), "the secret is sent in one place only");

    let asked_for_claims = provider.calls_to("/me").await;
    let [userinfo] = &asked_for_claims[..] else { panic!("its ID token has no e-mail: {asked_for_claims:#?}") };
    assert!(userinfo.authorization.starts_with("Bearer "));
}

#[tokio::test]
async fn a_provider_that_is_asked_how_long_ago_somebody_signed_in_says_so() {
    let asking = "max_age = \"12h\"\nprompt = \"login\"\nacr_values = [\"gold\"]\nui_locales = [\"de-CH\", \"fr\"]\n\
                  extra_params = { audience = \"wiki & more\" }";
    // Unasked, it says so to clients only that are registered with `require_auth_time`, and ours is not.
    for (lines, status) in [(asking, StatusCode::OK), ("require_auth_time = true", StatusCode::BAD_GATEWAY)] {
        let (deployment, provider) = Plan::usual().provider_lines(lines).start_with_provider().await;
        let landed = Visitor::default().sign_in(deployment.url("/"), "ada").await;
        assert_eq!(landed.status, status, "{lines}: {landed:?}");
        let [asked] = &provider.calls_to("/auth").await[..] else { panic!("one authorization request") };
        let expected = if lines == asking { Some("43200") } else { None };
        assert_eq!(asked.query.get("max_age").map(String::as_str), expected);
    }
}

#[tokio::test]
async fn nothing_unguessable_is_used_twice_and_nothing_lasting_is_fetched_twice() {
    let (deployment, provider) = Deployment::start().await;
    for person in ["ada", "grace", "ada"] {
        let landed = Visitor::default().sign_in(deployment.url("/"), person).await;
        assert_eq!(landed.status, StatusCode::OK, "{person}");
    }
    for name in ["state", "nonce", "code_challenge"] {
        let seen: BTreeSet<_> =
            provider.calls_to("/auth").await.into_iter().map(|mut call| call.query.remove(name)).collect();
        assert_eq!(seen.len(), 3, "{name}: {seen:?}");
    }
    for lasting in ["/.well-known/openid-configuration", "/jwks"] {
        assert_eq!(provider.calls_to(lasting).await.len(), 1, "{lasting}");
    }
}

#[tokio::test]
async fn deep_links_come_back_byte_for_byte() {
    let (deployment, _provider) = Deployment::start().await;
    for target in [
        "/a",
        "/a/",
        "/a?",
        "/a?b=c&b=d&e",
        "/a%20b/%C3%BC?q=%C3%BC+%2B",
        "/a?next=https://example.com/?x=y%26z",
        "/a?q=100%&bad=%zz",
        "/a;v=1/b%2Fc?(x)*!~",
    ] {
        let landed = Visitor::default().sign_in(deployment.url(target), "ada").await;
        assert_eq!((landed.status, landed.url.as_str()), (StatusCode::OK, &*deployment.url(target)));
        assert_eq!(deployment.app.asked_for(target).header("x-forwarded-user"), Some("ada"));
    }
}

#[tokio::test]
async fn an_address_that_its_owner_has_not_proved_opens_nothing() {
    let (deployment, _provider) = Deployment::start().await;
    let mut uma = Visitor::default();
    let refused = uma.sign_in(deployment.url("/"), "uma").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text().contains("uma@example.com"), "the page names the account: {}", refused.text());
    assert!(deployment.app.asked().is_empty());
}

#[tokio::test]
async fn a_refusal_by_the_provider_is_a_page_with_a_way_on() {
    let (deployment, _provider) = Deployment::start().await;
    let mut stranger = Visitor::default();
    let refused = stranger.sign_in(deployment.url("/"), "nobody that it knows").await;
    assert!(refused.status.is_client_error(), "{refused:?}");
    assert!(refused.url.as_str().starts_with(&deployment.url("/_vestibule/callback?error=access_denied")));
    assert!(refused.text().contains("href="), "{}", refused.text());

    let landed = stranger.sign_in(deployment.url("/"), "ada").await;
    assert_eq!(landed.status, StatusCode::OK, "the next attempt is not held against them");
}
