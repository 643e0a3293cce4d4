//! Two client secrets, one after the other: what the provider knows us by changes at a moment that nobody tells us.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;

use super::*;
use crate::{
    demo::provider::{clients::Client, mischief::Answer, reply::Reply},
    harness::{CLIENT_ID, CLIENT_SECRET},
};

const NEXT: &str = "canary-next-secret";

/// From now on the provider knows us by this secret alone.
fn is_known_by(stage: &Stage, secret: &str) {
    stage.provider.register(Client::vestibule(CLIENT_ID, secret, &stage.public_url));
}

/// How a sign-in ended, and how often the token endpoint was asked in it.
async fn sign_in(stage: &Stage) -> (u16, usize) {
    let before = stage.provider.calls_to(Endpoint::Token).len();
    let landed = stage.browser(&ADA).open(&stage.url(PAGE)).await;
    assert!(!landed.response.text().contains("canary"), "{landed:?}");
    (landed.response.status, stage.provider.calls_to(Endpoint::Token).len() - before)
}

#[tokio::test]
async fn a_client_secret_is_rotated_without_an_outage() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let lines = format!("client_secret_next = {NEXT:?}\nclient_auth = {method:?}");
        let stage = Stage::builder().provider(&lines).start().await;
        assert_eq!(sign_in(&stage).await, (200, 1), "{method}: the first is known");
        is_known_by(&stage, NEXT);
        assert_eq!(sign_in(&stage).await, (200, 2), "{method}: the first is refused, and the second is taken");
        assert_eq!(sign_in(&stage).await, (200, 1), "{method}: nobody is refused twice");
        is_known_by(&stage, CLIENT_SECRET);
        assert_eq!(sign_in(&stage).await, (200, 2), "{method}: and back, where somebody was too quick");
        is_known_by(&stage, "a third one");
        assert_eq!(sign_in(&stage).await, (502, 2), "{method}: neither");
        assert!(stage.metrics().await.contains("outcome=\"failed\",reason=\"invalid_client\"} 1"));
    }
}

#[tokio::test]
async fn only_a_refused_client_is_tried_again() {
    for (status, error, calls, reason) in [
        (400_u16, "invalid_grant", 1, "invalid_grant"),
        (400, "unauthorized_client", 1, "unauthorized_client"),
        (503, "server_error", 1, "server_error"),
        (400, "invalid_client", 2, "invalid_client"),
        (401, "invalid_client", 2, "invalid_client"),
        (401, "unauthorized_client", 2, "invalid_client"), // Keycloak
        (401, "access_denied", 2, "invalid_client"),       // Auth0
    ] {
        let stage = Stage::builder().provider(&format!("client_secret_next = {NEXT:?}")).start().await;
        stage.provider.lie(move |answer| {
            if let Answer::Reply(Endpoint::Token, Reply::Whole(response)) = answer {
                *response.status_mut() = StatusCode::from_u16(status).expect("a status");
                *response.body_mut() = format!("{{ \"error\": {error:?} }}").into();
            }
        });
        assert_eq!(sign_in(&stage).await, (502, calls), "{status} {error}");
        assert!(stage.metrics().await.contains(&format!("reason=\"{reason}\"}} 1")), "{status} {error}");
    }
}

#[tokio::test]
async fn a_code_that_the_refused_try_has_used_up_costs_one_sign_in_and_no_more() {
    let stage = Stage::builder().provider(&format!("client_secret_next = {NEXT:?}")).start().await;
    let tries = AtomicUsize::new(0);
    stage.provider.lie(move |answer| {
        if let Answer::Reply(Endpoint::Token, Reply::Whole(response)) = answer {
            let error = match tries.fetch_add(1, Ordering::Relaxed) {
                0 => "invalid_client",
                1 => "invalid_grant",
                _ => return,
            };
            *response.status_mut() = StatusCode::BAD_REQUEST;
            *response.body_mut() = format!("{{ \"error\": {error:?} }}").into();
        }
    });
    is_known_by(&stage, NEXT);
    assert_eq!(sign_in(&stage).await, (502, 2), "the second try had nothing left to redeem");
    assert_eq!(sign_in(&stage).await, (200, 1), "and the second secret goes first from then on");
}
