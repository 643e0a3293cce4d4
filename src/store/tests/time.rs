//! Idle time, lifetime, and what they cost the store.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_session_unused_for_its_idle_time_is_over() {
    let house = House::new();
    let sessions = house.replica().await;
    let (secret, _) = opened(&sessions, "ada").await;
    for _ in 0..3 {
        house.hand.advance(ALMOST_IDLE);
        assert!(is_hit(&sessions, &secret), "use keeps it");
    }
    settle().await;
    house.hand.advance(IDLE);
    assert!(is_miss(&sessions, &secret), "the store is asked first");
    assert!(resolved(&sessions, &secret).await.is_none());
    assert!(resolved(&sessions, &secret).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn use_at_another_replica_keeps_it() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let (secret, _) = opened(&here, "ada").await;
    house.hand.advance(Duration::from_secs(500));
    assert!(resolved(&there, &secret).await.is_some());
    settle().await;
    house.hand.advance(Duration::from_secs(500));
    assert!(is_miss(&here, &secret));
    assert!(resolved(&here, &secret).await.is_some());
    assert!(is_hit(&here, &secret));
}

#[tokio::test(start_paused = true)]
async fn no_use_extends_the_lifetime() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let (secret, _) = opened(&here, "ada").await;
    for _ in 0..7 {
        house.hand.advance(Duration::from_secs(500));
        assert!(is_hit(&here, &secret));
        settle().await;
    }
    house.hand.advance(Duration::from_secs(100));
    assert!(is_unknown(&here, &secret));
    assert!(resolved(&here, &secret).await.is_none());
    assert!(resolved(&there, &secret).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_use_is_written_at_most_once_a_minute() {
    let house = House::new();
    let sessions = house.replica().await;
    let (secret, session) = opened(&sessions, "ada").await;
    let mut written = Vec::new();
    for _ in 0..18 {
        house.hand.advance(Duration::from_secs(10));
        assert!(is_hit(&sessions, &secret));
        sessions.touch(session.pulse());
        settle().await;
        written.push(house.store.touches());
    }
    assert_eq!(written, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn threat_115_holders_learn_of_expiry_and_the_store_is_cleared() {
    let house = House::new();
    let sessions = house.replica().await;
    tokio::spawn(Arc::clone(&sessions).sweep(CancellationToken::new()));
    let (secret, unused) = opened(&sessions, "ada").await;
    house.hand.advance(ALMOST_IDLE);
    let (_, fresh) = opened(&sessions, "bob").await;
    advance(MINUTE).await;
    settle().await;
    assert!(!unused.pulse().ended().is_ended(), "a second is left");
    house.hand.advance(Duration::from_secs(1));
    unused.pulse().ended().ended().await;
    assert!(!fresh.pulse().ended().is_ended());
    advance(MINUTE).await;
    settle().await;
    assert!(house.store.load(&secret.id()).await.unwrap().is_some(), "a use may still be unwritten somewhere");
    assert_eq!(house.ended("expired"), None);
    house.hand.advance(MINUTE);
    advance(MINUTE).await;
    settle().await;
    assert_eq!(house.ended("expired"), Some(1));
    assert!(house.store.load(&secret.id()).await.unwrap().is_none());
    assert!(house.store.load(fresh.id()).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_asks_the_store_before_it_calls_a_session_idle() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    tokio::spawn(Arc::clone(&here).sweep(CancellationToken::new()));
    let (secret, tunnel) = opened(&here, "ada").await;
    house.hand.advance(ALMOST_IDLE);
    assert!(resolved(&there, &secret).await.is_some());
    settle().await;
    house.hand.advance(Duration::from_secs(1));
    let loads = house.store.loads();
    advance(MINUTE).await;
    until(|| house.store.loads() > loads).await;
    settle().await;
    assert!(!tunnel.pulse().ended().is_ended());
}
