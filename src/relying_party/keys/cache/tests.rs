use std::time::Duration;

use futures_util::future::join_all;

use crate::{
    clock::ManualClock,
    relying_party::{
        RelyingParty,
        testing::{Answer, Server, Signer, claims, relying_party},
    },
};

use super::*;

struct Scene {
    server: Server,
    party: Arc<RelyingParty>,
    hand: ManualClock,
    metadata: Arc<Metadata>,
}

impl Scene {
    /// A provider whose key set holds the key `old`, and metadata that is known.
    async fn new() -> Self {
        let server = Server::start().await;
        server.set_keys(&[Signer::rsa().jwk_as("old")]);
        let provider = crate::relying_party::testing::provider(&server.issuer());
        let (party, hand, _) = relying_party(provider);
        let metadata = party.metadata_or_fetch().await.expect("metadata");
        Self { server, party, hand, metadata }
    }

    async fn verify(&self, token: &str) -> Result<Verified, Error> {
        let jws = Jws::parse_id_token(token, &self.metadata.algorithms)?;
        self.party.keys.verify(&jws, &self.metadata, Deadline::of_a_step()).await
    }

    fn token(&self, signer: &Signer, kid: Option<&str>) -> String {
        signer.token(kid, &claims(&self.server.issuer()))
    }

    fn fetches(&self) -> usize {
        self.server.seen("/jwks").len()
    }
}

#[tokio::test]
async fn known_keys_are_fetched_once_for_all_sign_ins() {
    let scene = Scene::new().await;
    let token = scene.token(&Signer::rsa(), Some("old"));
    for outcome in join_all((0..50).map(|_| scene.verify(&token))).await {
        outcome.expect("signed");
    }
    scene.verify(&token).await.expect("signed");
    assert_eq!(scene.fetches(), 1);
}

#[tokio::test]
async fn a_rotation_just_before_signing_costs_one_fetch_and_no_sign_in_threat_33() {
    let scene = Scene::new().await;
    scene.verify(&scene.token(&Signer::rsa(), Some("old"))).await.expect("signed");
    scene.server.set_keys(&[Signer::other_rsa().jwk_as("new")]);
    let token = scene.token(&Signer::other_rsa(), Some("new"));
    for outcome in join_all((0..50).map(|_| scene.verify(&token))).await {
        outcome.expect("signed by the new key");
    }
    assert_eq!(scene.fetches(), 2);
    // A useful fetch starts no pause: the next rotation may follow at once.
    scene.server.set_keys(&[Signer::rsa().jwk_as("newer")]);
    scene.verify(&scene.token(&Signer::rsa(), Some("newer"))).await.expect("signed by the newest key");
    assert_eq!(scene.fetches(), 3);
}

#[tokio::test]
async fn a_thousand_made_up_kids_cost_one_fetch_a_minute_threat_32() {
    let scene = Scene::new().await;
    let good = scene.token(&Signer::rsa(), Some("old"));
    scene.verify(&good).await.expect("signed");
    for minute in 1..=3 {
        let tokens: Vec<_> = (0..1_000).map(|n| scene.token(&Signer::rsa(), Some(&format!("made up {n}")))).collect();
        let (at_once, one_by_one) = tokens.split_at(500);
        for outcome in join_all(at_once.iter().map(|token| scene.verify(token))).await {
            assert_eq!(outcome.expect_err("unknown"), Error::Rejected(Rejection::UnknownKey));
        }
        for token in one_by_one {
            assert_eq!(scene.verify(token).await.expect_err("unknown"), Error::Rejected(Rejection::UnknownKey));
        }
        scene.verify(&good).await.expect("known keys are not in the way of the flood");
        assert_eq!(scene.fetches(), 1 + minute);
        scene.hand.advance(COOL_DOWN);
    }
}

#[tokio::test]
async fn a_fetch_that_fails_is_not_repeated_for_a_minute_either_threat_32() {
    let scene = Scene::new().await;
    scene.verify(&scene.token(&Signer::rsa(), Some("old"))).await.expect("signed");
    scene.server.set("/jwks", Answer::status(500));
    let rotated = scene.token(&Signer::other_rsa(), Some("new"));
    assert_eq!(scene.verify(&rotated).await.expect_err("down").reason(), "status");
    assert_eq!(scene.verify(&rotated).await.expect_err("pause").reason(), "unknown_key");
    assert_eq!(scene.fetches(), 2);
    scene.server.set_keys(&[Signer::other_rsa().jwk_as("new")]);
    scene.hand.advance(Duration::from_secs(59));
    assert!(scene.verify(&rotated).await.is_err());
    scene.hand.advance(Duration::from_secs(1));
    scene.verify(&rotated).await.expect("signed");
    assert_eq!(scene.fetches(), 3);
}

#[tokio::test]
async fn a_new_key_under_the_old_name_or_under_none_is_a_rotation_threat_33() {
    for kid in [Some("old"), None] {
        let scene = Scene::new().await;
        scene.verify(&scene.token(&Signer::rsa(), kid)).await.expect("signed by the old key");
        let other = Signer::other_rsa();
        scene.server.set_keys(&[kid.map_or_else(|| other.jwk(), |kid| other.jwk_as(kid))]);
        let token = scene.token(&other, kid);
        for outcome in join_all((0..50).map(|_| scene.verify(&token))).await {
            outcome.expect("signed by the new key");
        }
        assert_eq!(scene.fetches(), 2, "{kid:?}");
    }
}

#[tokio::test]
async fn a_thousand_forgeries_under_the_right_kid_cost_one_fetch_a_minute_threat_32() {
    let scene = Scene::new().await;
    let good = scene.token(&Signer::rsa(), Some("old"));
    scene.verify(&good).await.expect("signed");
    let forged = scene.token(&Signer::other_rsa(), Some("old"));
    for minute in 1..=2 {
        for outcome in join_all((0..1_000).map(|_| scene.verify(&forged))).await {
            assert_eq!(outcome.expect_err("forged"), Error::Rejected(Rejection::Signature));
        }
        scene.verify(&good).await.expect("the key is still the key");
        assert_eq!(scene.fetches(), 1 + minute);
        scene.hand.advance(COOL_DOWN);
    }
}

#[tokio::test]
async fn a_first_load_that_fails_is_tried_again_by_the_next_sign_in() {
    let scene = Scene::new().await;
    scene.server.set("/jwks", Answer::status(503));
    let token = scene.token(&Signer::rsa(), Some("old"));
    assert_eq!(scene.verify(&token).await.expect_err("down").reason(), "status");
    scene.server.set_keys(&[Signer::rsa().jwk_as("old")]);
    scene.verify(&token).await.expect("signed");
}
