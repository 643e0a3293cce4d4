//! A store or a feed that cannot be asked has said nothing.

use super::*;

#[tokio::test(start_paused = true)]
async fn threat_88_a_store_that_fails_is_unavailable_and_signs_nobody_out() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let (secret, _) = opened(&here, "ada").await;
    house.store.goes_down();
    assert!(is_hit(&here, &secret), "who is cached goes on");
    assert!(matches!(there.resolve(&wiki(), &secret).await, Err(Error::Unavailable(_))));
    assert!(matches!(here.open(&wiki(), sign_in("bob")).await, Err(Error::Unavailable(_))));
    assert!(matches!(here.end(&secret, EndReason::SignedOut).await, Err(Error::Unavailable(_))));
    assert!(is_hit(&here, &secret), "what could not be ended was not");
    house.hand.advance(IDLE);
    assert!(matches!(here.resolve(&wiki(), &secret).await, Err(Error::Unavailable(_))), "not called idle unasked");
    house.store.comes_back();
    assert!(resolved(&there, &secret).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_unavailable_within_its_deadline() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let (secret, _) = opened(&here, "ada").await;
    house.store.hold_loads();
    let asked = tokio::time::Instant::now();
    assert!(matches!(there.resolve(&wiki(), &secret).await, Err(Error::Unavailable(_))));
    assert_eq!(asked.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_silent_feed_makes_the_cache_untrusted_and_its_return_signs_nobody_out() {
    let house = House::new();
    let sessions = house.replica().await;
    let (secret, _) = opened(&sessions, "ada").await;
    house.store.feed_goes_down();
    advance(Duration::from_millis(4_900)).await;
    settle().await;
    assert!(is_hit(&sessions, &secret), "max_staleness is not over");
    advance(Duration::from_millis(200)).await;
    settle().await;
    assert!(!sessions.is_ready());
    assert!(is_miss(&sessions, &secret));
    assert!(matches!(sessions.resolve(&wiki(), &secret).await, Err(Error::Stale)));
    house.store.feed_comes_back();
    advance(Duration::from_secs(1)).await;
    until(|| sessions.is_ready()).await;
    assert!(is_hit(&sessions, &secret));
}

#[tokio::test(start_paused = true)]
async fn an_ending_during_the_silence_is_heard_before_the_cache_is_trusted_again() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let (secret, _) = opened(&here, "ada").await;
    assert!(resolved(&there, &secret).await.is_some());
    house.store.feed_goes_down();
    advance(Duration::from_secs(6)).await;
    settle().await;
    here.end(&secret, EndReason::SignedOut).await.expect("the store itself is up");
    house.store.feed_comes_back();
    advance(Duration::from_secs(1)).await;
    until(|| there.is_ready()).await;
    assert!(is_unknown(&there, &secret));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_trusted_before_the_feed_was_heard() {
    let house = House::new();
    let sessions = house.deaf_replica();
    let (secret, _) = opened(&sessions, "ada").await;
    assert!(!sessions.is_ready());
    assert!(is_miss(&sessions, &secret));
    assert!(matches!(sessions.resolve(&wiki(), &secret).await, Err(Error::Stale)));
}

#[tokio::test(start_paused = true)]
async fn errors_say_what_failed_and_keep_the_cause_for_the_log() {
    let house = House::new();
    house.store.goes_down();
    let error = house.store.load(&CookieSecret::generate(&Random::system()).id()).await.expect_err("down");
    assert_eq!(error.to_string(), "the session store is unavailable");
    assert_eq!(std::error::Error::source(&error).map(ToString::to_string).as_deref(), Some("pulled plug"));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_follower_leaves() {
    let house = House::new();
    let (sessions, stop) = (Arc::new(house.deaf_replica()), CancellationToken::new());
    let following = tokio::spawn(Arc::clone(&sessions).follow_feed(stop.clone()));
    let sweeping = tokio::spawn(Arc::clone(&sessions).sweep(stop.clone()));
    until(|| sessions.is_ready()).await;
    stop.cancel();
    following.await.expect("it leaves");
    sweeping.await.expect("it leaves");
    assert_eq!(house.store.position().await.unwrap(), Position::default());
}
