//! The provider comes and goes; Vestibule stays.

use http::StatusCode;

use crate::{
    address::own_address,
    deployment::{Deployment, Plan},
    provider::Provider,
    visitor::{self, Visitor},
};

#[tokio::test]
async fn live_sessions_outlive_the_provider_and_new_ones_trust_its_new_keys() {
    let (deployment, provider) = Deployment::start().await;
    let mut ada = Visitor::default();
    assert_eq!(ada.sign_in(deployment.url("/"), "ada").await.status, StatusCode::OK);

    drop(provider);
    assert_eq!(ada.open(deployment.url("/while-it-is-down")).await.status, StatusCode::OK);

    // The same issuer, with keys that nobody here has seen and no memory of ada.
    let provider = Provider::start(deployment.provider_address, &deployment.origin).await;
    assert_eq!(ada.open(deployment.url("/when-it-is-back")).await.status, StatusCode::OK);
    assert!(provider.calls().await.is_empty(), "her requests need nobody else");

    let mut grace = Visitor::default();
    assert_eq!(grace.sign_in(deployment.url("/"), "grace").await.status, StatusCode::OK);
    assert_eq!(provider.calls_to("/jwks").await.len(), 1, "the unknown kid was looked up");
}

#[tokio::test]
async fn it_starts_without_the_provider_and_recovers_by_itself() {
    let provider_address = own_address();
    let deployment = Plan::usual().provider(provider_address).start().await;
    let ops = |path| format!("http://{}{path}", deployment.ops);
    assert_eq!(visitor::get(&ops("/livez")).await.status, StatusCode::OK);
    assert_eq!(visitor::get(&ops("/readyz")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    let refused = Visitor::default().open(deployment.url("/")).await;
    assert_eq!(refused.status, StatusCode::BAD_GATEWAY, "{refused:?}");

    let _provider = Provider::start(provider_address, &deployment.origin).await;
    let known = |line: &str| line.contains("metadata and keys are known").then_some(());
    deployment.vestibule.line("that the provider is back", known).await;
    assert_eq!(visitor::get(&ops("/readyz")).await.status, StatusCode::OK, "nobody had to ask");
    let landed = Visitor::default().sign_in(deployment.url("/"), "ada").await;
    assert_eq!(landed.status, StatusCode::OK);
}
