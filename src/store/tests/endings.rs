//! What has ended stays ended, everywhere.

use super::*;

#[tokio::test(start_paused = true)]
async fn threat_84_an_ending_is_effective_here_at_once_and_tells_what_is_left_to_do() {
    let house = House::new();
    let sessions = house.replica().await;
    let (secret, session) = opened(&sessions, "ada").await;
    let ended = sessions.end(&secret, EndReason::SignedOut).await.expect("up").expect("it was live");
    assert!(session.pulse().ended().is_ended());
    assert!(is_unknown(&sessions, &secret));
    assert!(resolved(&sessions, &secret).await.is_none());
    assert_eq!(ended.visitor, *session.visitor());
    assert_eq!(ended.app, *wiki().app());
    assert_eq!(ended.tokens.refresh_token, Some(Secret::new("refresh ada".to_owned())));
    assert_eq!(ended.id_token_hint, Some(Secret::new("id token ada".to_owned())));
    assert!(sessions.end(&secret, EndReason::SignedOut).await.expect("up").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_its_browser_has_replaced_ends_after_a_minute_and_not_before() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let (secret, old) = opened(&here, "ada").await;
    let (_, new) = opened(&here, "ada").await;
    assert!(resolved(&there, &secret).await.is_some());
    here.supersede(secret.clone());
    settle().await;
    advance(Duration::from_secs(59)).await;
    settle().await;
    assert!(is_hit(&here, &secret) && is_hit(&there, &secret), "other tabs may be on their way with it");
    assert_eq!(house.ended("superseded"), None);
    advance(Duration::from_secs(1)).await;
    old.pulse().ended().ended().await;
    settle().await;
    assert!(is_unknown(&here, &secret) && is_unknown(&there, &secret));
    assert!(!new.pulse().ended().is_ended());
    assert_eq!(house.ended("superseded"), Some(1), "counted where it was ended, and not where it was heard of");
}

#[tokio::test(start_paused = true)]
async fn threat_84_an_ending_reaches_other_replicas_and_what_they_hold() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let (secret, _) = opened(&here, "ada").await;
    let (neighbour, _) = opened(&here, "bob").await;
    let held = resolved(&there, &secret).await.expect("in the store");
    assert!(resolved(&there, &neighbour).await.is_some());
    here.end(&secret, EndReason::SignedOut).await.expect("up");
    held.pulse().ended().ended().await;
    assert!(resolved(&there, &secret).await.is_none());
    assert!(is_hit(&there, &neighbour));
}

#[tokio::test(start_paused = true)]
async fn an_ending_reaches_a_holder_whose_session_the_cache_evicted() {
    let house = House::new();
    let sessions = house.replica_holding(1).await;
    let (secret, tunnel) = opened(&sessions, "ada").await;
    for i in 0..100 {
        opened(&sessions, &i.to_string()).await;
    }
    assert!(is_miss(&sessions, &secret));
    house.store.end(&secret.id(), EndReason::Administrator).await.unwrap();
    tunnel.pulse().ended().ended().await;
}

#[tokio::test(start_paused = true)]
async fn all_sessions_of_a_person_or_of_a_provider_session_end() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let ((a, _), (b, _)) = (opened(&here, "ada").await, opened(&here, "ada").await);
    let (bob, bobs) = opened(&there, "bob").await;
    // threat 89: a logout token that names the subject only
    let ended = here.end_all_of_subject(issuer(), Subject::new("ada"), EndReason::ProviderLogout).await;
    assert_eq!(ended.expect("up"), 2);
    assert!(is_unknown(&here, &a) && is_unknown(&here, &b) && is_hit(&there, &bob));
    let sid = ProviderSessionId::new("sid of bob");
    let ended = here.end_all_of_provider_session(issuer(), sid, EndReason::ProviderLogout).await;
    assert_eq!(ended.expect("up"), 1);
    bobs.pulse().ended().ended().await;
    assert!(resolved(&there, &bob).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn threat_86_a_load_that_an_ending_overtakes_brings_nothing() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let (secret, _) = opened(&here, "ada").await;
    let (marker, _) = opened(&here, "marker").await;
    let marker_there = resolved(&there, &marker).await.expect("in the store");

    // The row is read, but its load has not returned when the ending is applied.
    house.store.hold_loads();
    let before = house.store.loads();
    let racing = {
        let (there, secret) = (Arc::clone(&there), secret.clone());
        tokio::spawn(async move { resolved(&there, &secret).await })
    };
    until(|| house.store.loads() == before + 1).await;
    here.end(&secret, EndReason::SignedOut).await.expect("up");
    here.end(&marker, EndReason::SignedOut).await.expect("up");
    // Endings are applied in order: once the second is, the first was.
    marker_there.pulse().ended().ended().await;
    house.store.release_loads();
    assert!(racing.await.expect("no panic").is_none());
    assert!(resolved(&there, &secret).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_gap_in_the_feed_makes_everything_be_asked_for_again() {
    let house = House::new();
    let sessions = house.replica().await;
    let ((lost, held), (kept, kept_on)) = (opened(&sessions, "ada").await, opened(&sessions, "bob").await);
    house.store.feed_goes_down();
    advance(Duration::from_secs(2)).await;
    settle().await;
    house.store.end(&lost.id(), EndReason::Administrator).await.unwrap();
    house.store.feed_comes_back_with_a_gap();
    held.pulse().ended().ended().await;
    until(|| sessions.is_ready()).await;
    assert!(resolved(&sessions, &lost).await.is_none());
    let loads = house.store.loads();
    assert!(is_miss(&sessions, &kept), "what was loaded before the gap is not trusted");
    assert!(resolved(&sessions, &kept).await.is_some());
    assert_eq!(house.store.loads(), loads + 1);
    assert!(!kept_on.pulse().ended().is_ended());
}
