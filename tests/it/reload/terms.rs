//! A session is what the provider said on the terms of its time: on other ones, it says nothing.

use super::replace;
use crate::{
    demo::provider::people::{ADA, UMA},
    harness::{Request, Stage, another_provider, signing_key},
};

/// What a request with this cookie comes to.
async fn status(stage: &Stage, cookie: &str) -> u16 {
    stage.send(Request::get("/page").navigation().header("Cookie", cookie)).await.status
}

#[tokio::test]
async fn a_rule_on_a_claim_that_was_not_kept_holds_for_live_sessions_cve_2021_41230() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    assert_eq!(status(&stage, &cookie).await, 200);
    let deny = "policy = \"anyone\"\ndeny = [{ claim = \"name\", is = \"Ada Lovelace\" }]";
    replace(&stage, "policy = \"anyone\"", deny).await;
    assert_eq!(status(&stage, &cookie).await, 302, "nobody knows what her name is");
    let mut browser = stage.browser(&ADA);
    assert_eq!(browser.open(&stage.url("/page")).await.response.status, 403, "now it is known");
}

#[tokio::test]
async fn people_of_another_issuer_are_other_people() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let (other, _) = another_provider(signing_key()).await;
    let (old, new) = (stage.provider.issuer().to_owned(), other.issuer().to_owned());
    replace(&stage, &format!("issuer = {old:?}"), &format!("issuer = {new:?}")).await;
    assert_eq!(status(&stage, &cookie).await, 302);
    stage.upstream.take();
    let left = stage.send(Request::post("/_vestibule/sign_out", "").header("Cookie", &cookie)).await;
    assert!(!left.location().contains("id_token_hint"), "the new issuer is told nothing of the old one's: {left:?}");
}

#[tokio::test]
async fn an_address_that_counted_counts_no_more_when_its_provider_is_not_trusted_with_it() {
    let stage = Stage::builder().provider("trust_email = \"always\"").start().await;
    let cookie = stage.sign_in(&UMA).await;
    assert_eq!(status(&stage, &cookie).await, 200);
    replace(&stage, "trust_email = \"always\"", "trust_email = \"verified\"").await;
    assert_eq!(status(&stage, &cookie).await, 302);
}
