//! What of a visitor's head reaches the upstream.

use crate::{
    demo::provider::people::ADA,
    harness::{Request, Stage},
};

#[tokio::test]
async fn who_has_signed_in_is_named_to_the_upstream() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let answer = stage.send(Request::get("/page?a=1").header("Cookie", &cookie)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = stage.upstream.only();
    assert_eq!(seen.target(), "/page?a=1");
    assert_eq!(seen.headers("x-forwarded-user"), ["ada"]);
}
