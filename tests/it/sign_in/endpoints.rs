//! Endpoints of the configuration's own, for networks in which a provider has two names (contract §3).

use serde_json::json;

use super::*;
use crate::{
    demo::provider::clients::Client,
    harness::{CLIENT_ID, CLIENT_SECRET, another_provider, signing_key},
};

/// A sidecar in front of a provider that was started before it, with these lines below `[[provider]]`.
async fn stage_of(provider: &Provider, lines: &str) -> Stage {
    let issuer = provider.issuer();
    let lines = format!("issuer = {issuer:?}\n{}", lines.replace("ISSUER", issuer));
    let stage = Stage::builder().provider(&lines).start_with(|_| {}).await;
    provider.register(Client::vestibule(CLIENT_ID, CLIENT_SECRET, &stage.public_url));
    stage
}

async fn provider() -> Provider {
    let (provider, _) = another_provider(signing_key()).await;
    provider.sign_in_page(SignInPage::AnsweredBy(&ADA));
    provider
}

#[tokio::test]
async fn with_all_endpoints_that_are_needed_no_metadata_is_fetched() {
    let provider = provider().await;
    let stage = stage_of(
        &provider,
        "authorization_endpoint = \"ISSUER/oidc/authorize?tenant=a%20b\"\n\
         token_endpoint = \"ISSUER/oidc/token\"\n\
         jwks_uri = \"ISSUER/oidc/keys\"\n\
         userinfo = \"never\"",
    )
    .await;
    assert_eq!(stage.ops("/readyz").await.status, 200, "there is nothing to wait for");
    let mut browser = stage.browser(&ADA);
    let landed = browser.open(&stage.url(PAGE)).await;
    assert_eq!((landed.response.status, landed.url.as_str()), (200, &*stage.url(PAGE)), "{landed:?}");
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("ada"));
    assert!(provider.calls_to(Endpoint::Discovery).is_empty(), "{:?}", provider.calls());
    let asked = provider.calls_to(Endpoint::Authorization);
    assert_eq!(asked[0].query.get("tenant"), Some("a b"), "{asked:?}");

    // No end-session endpoint is known, so a sign-out ends here.
    let left = browser.submit(&landed.url, "/_vestibule/sign_out", &[]).await;
    assert!(provider.calls_to(Endpoint::EndSession).is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_endpoint_of_the_configuration_goes_before_that_of_the_metadata() {
    let provider = provider().await;
    // What the metadata says is for browsers outside; from here nobody answers there.
    provider.lie(|answer| {
        if let Answer::Discovery(metadata) = answer {
            metadata["token_endpoint"] = json!("http://127.0.0.1:9/token");
            metadata["jwks_uri"] = json!("");
            metadata["userinfo_endpoint"] = json!(null);
        }
    });
    let lines = "token_endpoint = \"ISSUER/oidc/token\"\njwks_uri = \"ISSUER/oidc/keys\"\n\
                 userinfo_endpoint = \"ISSUER/oidc/userinfo\"\nuserinfo = \"always\"";
    let stage = stage_of(&provider, lines).await;
    let landed = stage.browser(&ADA).open(&stage.url(PAGE)).await;
    assert_eq!((landed.response.status, landed.url.as_str()), (200, &*stage.url(PAGE)), "{landed:?}");
    assert_eq!(provider.calls_to(Endpoint::UserInfo).len(), 1);
    assert!(!provider.calls_to(Endpoint::Discovery).is_empty());
}
