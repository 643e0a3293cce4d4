//! Lies about keys (RFC 7517), and keys that change under a sign-in.

use std::sync::LazyLock;

use futures_util::future::join_all;
use serde_json::{Value, json};
use vestibule::config::provider::SigningAlgorithm;

use super::*;
use crate::demo::provider::keys::junk;

/// A key that is not the provider's, or not yet.
pub(super) static ANOTHER_KEY: LazyLock<Arc<SigningKey>> =
    LazyLock::new(|| Arc::new(SigningKey::generate(SigningAlgorithm::RS256).expect("RS256 is signed by a key pair")));

type Bend = fn(&mut Value);

/// A key set bent by `bend`, and a token whose header perhaps has no `kid`: 502 when the token has been read.
fn lies(rows: &[(&'static str, &'static str, &'static str, KeyId, Bend)]) -> Vec<Lie> {
    let lie = |&(id, what, reason, key_id, bend): &(_, _, _, _, Bend)| Lie {
        id,
        what,
        tell: Box::new(move |answer| match answer {
            Answer::Keys(set) => bend(set),
            Answer::IdToken(token) if key_id == KeyId::Absent => {
                token.header.as_object_mut().expect("an object").remove("kid");
            }
            _ => {}
        }),
        caught: Caught::InTheTokens,
        status: StatusCode::BAD_GATEWAY,
        reason,
    };
    rows.iter().map(lie).collect()
}

/// `kid` in the header of the token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyId {
    Stated,
    Absent,
}

/// The provider's only key, as it is published.
fn key(set: &Value) -> Value {
    set["keys"][0].clone()
}

fn key_with(set: &Value, member: &str, value: Value) -> Value {
    let mut key = key(set);
    key[member] = value;
    key
}

#[tokio::test]
async fn a_key_that_is_not_there_or_not_for_this_verifies_nothing() {
    use KeyId::{Absent, Stated};
    all_are_refused(lies(&[
        ("threat 31", "no keys at all", "unknown_key", Stated, |set| set["keys"] = json!([])),
        ("threat 31", "no keys at all, and no kid", "unknown_key", Absent, |set| set["keys"] = json!([])),
        ("threat 31", "nothing but junk", "unknown_key", Stated, |set| set["keys"] = json!(junk())),
        ("threat 31", "nothing but junk, and no kid", "unknown_key", Absent, |set| set["keys"] = json!(junk())),
        ("threat 31", "another key alone, and no kid", "signature", Absent, |set| {
            set["keys"] = json!([ANOTHER_KEY.jwk().expect("it has a public part")]);
        }),
        ("threat 31", "more keys than are tried, and no kid", "ambiguous_key", Absent, |set| {
            let others = (0..8).map(|n| key_with(set, "kid", json!(format!("another-{n}"))));
            set["keys"] = others.chain([key(set)]).collect();
        }),
        ("RFC 7517 §4.2", "a key for encryption", "unknown_key", Stated, |set| {
            set["keys"] = json!([key_with(set, "use", json!("enc"))]);
        }),
        ("RFC 7517 §4.3", "a key that may only sign", "unknown_key", Stated, |set| {
            set["keys"] = json!([key_with(set, "key_ops", json!(["sign"]))]);
        }),
        ("RFC 7517 §4.4", "a key for another algorithm", "unknown_key", Stated, |set| {
            set["keys"] = json!([key_with(set, "alg", json!("RS512"))]);
        }),
        ("threat 119", "a key whose members have odd shapes", "unknown_key", Stated, |set| {
            set["keys"] = json!([key_with(set, "n", json!({ "n": [] })), key_with(set, "e", json!(65537))]);
        }),
        ("threat 34", "10,000 keys, and the right one last", "unknown_key", Stated, |set| {
            let mut keys = vec![json!({ "kty": "RSA", "kid": "x", "n": "AQAB", "e": "AQAB" }); 10_000];
            keys.push(key(set));
            set["keys"] = json!(keys);
        }),
        ("threat 34", "10,000 keys of full size", "too_large", Stated, |set| {
            set["keys"] = json!(vec![key(set); 10_000]);
        }),
        ("threat 119", "keys that are no list", "malformed", Stated, |set| set["keys"] = key(set)),
        ("threat 119", "a list without a set", "malformed", Stated, |set| *set = json!([key(set)])),
    ]))
    .await;
}

/// Whoever knows the name of a key has no key yet, and no lever on the provider either.
#[tokio::test]
async fn threat_30_the_right_kid_on_another_key_is_a_forgery_and_costs_one_fetch_a_minute() {
    let stage = lying(|answer| {
        if let Answer::Keys(set) = answer {
            let mut other = ANOTHER_KEY.jwk().expect("it has a public part");
            other["kid"] = key(set)["kid"].clone();
            set["keys"] = json!([other]);
        }
    })
    .await;
    let before = stage.provider.calls_to(Endpoint::Keys).len();
    for _ in 0..3 {
        let landed = stage.browser(&ADA).open(&stage.url(PAGE)).await;
        assert_eq!(landed.response.status, 502, "{landed:?}");
    }
    assert!(stage.metrics().await.contains("outcome=\"failed\",reason=\"signature\"} 3"));
    assert!(stage.upstream.requests().is_empty());
    let fetched = stage.provider.calls_to(Endpoint::Keys).len() - before;
    assert!((1..=2).contains(&fetched), "for the first forgery, and perhaps in the background: {fetched}");
}

#[tokio::test]
async fn threat_33_a_new_key_under_the_old_kid_costs_no_sign_in() {
    let stage = honest().await;
    let mut browser = stage.browser(&ADA);
    assert_eq!(browser.open(&stage.url(PAGE)).await.response.status, 200);
    let old = signing_key().jwk().expect("it has a public part")["kid"].clone();
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url(PAGE)).await;
    stage.provider.use_keys(Arc::clone(&ANOTHER_KEY), []);
    stage.provider.lie(move |answer| match answer {
        Answer::Keys(set) => set["keys"][0]["kid"] = old.clone(),
        Answer::IdToken(token) => token.header["kid"] = old.clone(),
        _ => {}
    });
    let before = stage.provider.calls_to(Endpoint::Keys).len();
    let landed = browser.open(callback.as_str()).await;
    assert_eq!((landed.response.status, landed.url.path()), (200, "/page"), "{landed:?}");
    assert_eq!(stage.provider.calls_to(Endpoint::Keys).len(), before + 1);
}

#[tokio::test]
async fn threat_31_a_token_without_kid_is_tried_with_the_keys_of_its_kind() {
    let others: fn(&Value) -> Vec<Value> = |set| {
        let other = ANOTHER_KEY.jwk().expect("it has a public part");
        junk().into_iter().chain(vec![other; 7]).chain([key(set)]).collect()
    };
    for (what, keys) in [
        (
            "one RSA key among others",
            (|set| junk().into_iter().chain([key(set)]).collect()) as fn(&Value) -> Vec<Value>,
        ),
        ("eight RSA keys", others),
    ] {
        let tell = move |answer: Answer<'_>| match answer {
            Answer::Keys(set) => set["keys"] = json!(keys(set)),
            Answer::IdToken(token) => {
                token.header.as_object_mut().expect("an object").remove("kid");
            }
            _ => {}
        };
        let stage = lying(tell).await;
        let landed = stage.browser(&ADA).open(&stage.url(PAGE)).await;
        assert_eq!(landed.response.status, 200, "{what}: {landed:?}");
    }
}

#[tokio::test]
async fn threat_33_keys_that_rotate_just_before_signing_are_fetched_at_once() {
    let stage = honest().await;
    // Twice, since a refetch that brought the key must not count as one in vain.
    for key in [Arc::clone(&ANOTHER_KEY), signing_key()] {
        let before = stage.provider.calls_to(Endpoint::Keys).len();
        let mut browser = stage.browser(&ADA);
        let callback = browser.up_to_callback(&stage.url(PAGE)).await;
        stage.provider.use_keys(key, []);
        let landed = browser.open(callback.as_str()).await;
        assert_eq!((landed.response.status, landed.url.path()), (200, "/page"), "{landed:?}");
        assert_eq!(
            stage.provider.calls_to(Endpoint::Keys).len(),
            before + 1,
            "the known set is used until it lacks a key"
        );
    }
}

#[tokio::test]
async fn threat_32_a_flood_of_unknown_kids_costs_one_fetch_a_minute() {
    let stage = honest().await;
    let before = stage.provider.calls_to(Endpoint::Keys).len();
    let unknown_kid = |answer: Answer<'_>| {
        if let Answer::IdToken(token) = answer {
            token.header["kid"] = json!(token.access_token);
        }
    };
    stage.provider.lie(unknown_kid);
    let flood = async || {
        let visitors = (0..10).map(|_| {
            let mut browser = stage.browser(&ADA);
            let page = stage.url(PAGE);
            async move { browser.open(&page).await.response.status }
        });
        assert_eq!(join_all(visitors).await, [502; 10]);
    };
    let fetched = || stage.provider.calls_to(Endpoint::Keys).len() - before;

    flood().await;
    assert_eq!(fetched(), 1, "ten at once");
    flood().await;
    stage.clock.advance(COOL_DOWN.saturating_sub(Duration::from_secs(1)));
    flood().await;
    assert_eq!(fetched(), 1, "ten more, and ten at the end of the minute");
    stage.clock.advance(Duration::from_secs(1));
    flood().await;
    assert_eq!(fetched(), 2, "after the minute");

    // While fetches fail, they count as well.
    stage.provider.lie(move |answer| match answer {
        Answer::Reply(Endpoint::Keys, reply) => *reply = crate::demo::provider::reply::Reply::Disconnect,
        other => unknown_kid(other),
    });
    stage.clock.advance(COOL_DOWN);
    flood().await;
    flood().await;
    assert!((3..=4).contains(&fetched()), "the client may try a fresh connection once: {}", fetched());

    stage.provider.tell_the_truth();
    let landed = stage.browser(&ADA).open(&stage.url(PAGE)).await;
    assert_eq!(landed.response.status, 200, "whose key is known is not held up: {landed:?}");
    assert!(stage.upstream.only().target() == PAGE, "and nobody else got through");
}
