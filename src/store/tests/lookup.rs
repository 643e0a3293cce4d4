//! Finding a session: cache, store, and the two together.

use data_encoding::BASE64URL_NOPAD;

use super::*;
use crate::{random::Random, session::Recent};

#[tokio::test(start_paused = true)]
async fn threat_7_each_sign_in_opens_a_session_under_a_new_secret() {
    let house = House::new();
    let sessions = house.replica().await;
    let ((first, _), (second, _)) = (opened(&sessions, "ada").await, opened(&sessions, "ada").await);
    assert_ne!(first.id(), second.id());
    assert!(is_hit(&sessions, &first) && is_hit(&sessions, &second));
}

#[tokio::test(start_paused = true)]
async fn another_replica_finds_the_session_in_the_store() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let attempt = AttemptId::generate(&Random::system());
    let landed = Some(Landed { attempt: attempt.digest(), target: "/deep?q=1".to_owned() });
    let auth_time = Some(Timestamp::from_unix(999_000));
    let (secret, made) = here.open(&wiki(), NewSession { auth_time, landed, ..sign_in("ada") }).await.expect("up");
    assert!(is_miss(&there, &secret));
    let found = resolved(&there, &secret).await.expect("it is in the store");
    assert_eq!(found.visitor(), made.visitor());
    assert_eq!((found.id(), found.app()), (&secret.id(), wiki().app()));
    assert_eq!((found.created_at(), found.auth_time()), (house.clock.now(), auth_time));
    assert_eq!(found.expires_at(), house.clock.now().plus(LIFETIME));
    assert_eq!(found.landed_from(attempt), Some("/deep?q=1"));
    assert_eq!(found.landed_from(AttemptId::generate(&Random::system())), None);
    assert!(is_hit(&there, &secret));
}

#[tokio::test(start_paused = true)]
async fn a_session_counts_in_its_own_app_only() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let (secret, _) = opened(&here, "ada").await;
    let shop = Home::alone(AppId::new("shop"), TIMES);
    for sessions in [&here, &there] {
        assert!(sessions.resolve(&shop, &secret).await.expect("up").is_none());
        assert!(!matches!(sessions.peek(&shop, &secret.id()), Cached::Hit(_)));
        assert!(resolved(sessions, &secret).await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_of_siblings_counts_at_each_of_them_and_ends_for_all() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let [wiki, notes] = ["wiki", "notes"].map(|app| Home::among_siblings(AppId::new(app), TIMES));
    let (secret, _) = here.open(&wiki, sign_in("ada")).await.expect("up");
    for (sessions, home) in [(&here, &notes), (&there, &notes), (&there, &wiki)] {
        let found = sessions.resolve(home, &secret).await.expect("up").expect("it counts there");
        assert_eq!(found.app(), wiki.app(), "where it began");
    }
    assert!(there.resolve(&Home::alone(AppId::new("shop"), TIMES), &secret).await.expect("up").is_none());
    here.end(&secret, EndReason::SignedOut).await.expect("up").expect("it was live");
    until(|| !matches!(there.peek(&notes, &secret.id()), Cached::Hit(_))).await;
    for home in [&wiki, &notes] {
        assert!(there.resolve(home, &secret).await.expect("up").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_lives_as_long_as_its_own_app_lets_it_whoever_else_is_asked() {
    let house = House::new();
    let short = SessionTimes { idle_timeout: Duration::from_mins(2), lifetime: Duration::from_mins(5) };
    let (bank, blog) = (Home::alone(AppId::new("bank"), short), wiki());
    let (here, there) = (house.replica().await, house.replica().await);
    let (secret, made) = here.open(&bank, sign_in("ada")).await.expect("up");
    assert_eq!(made.expires_at(), house.clock.now().plus(short.lifetime));
    // Brought to another app, it is nobody's, and none the longer for it.
    assert!(there.resolve(&blog, &secret).await.expect("up").is_none());
    let found = there.resolve(&bank, &secret).await.expect("up").expect("still there");
    assert_eq!(found.expires_at(), made.expires_at());
    house.hand.advance(Duration::from_mins(2));
    for sessions in [&here, &there] {
        assert!(sessions.resolve(&bank, &secret).await.expect("up").is_none(), "idle for two minutes");
    }
    let (secret, _) = here.open(&bank, sign_in("ada")).await.expect("up");
    for _ in 0..4 {
        house.hand.advance(MINUTE);
        assert!(there.resolve(&bank, &secret).await.expect("up").is_some());
    }
    house.hand.advance(MINUTE);
    assert!(there.resolve(&bank, &secret).await.expect("up").is_none(), "five minutes are five minutes");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_cookie_asks_the_store_once_for_a_while() {
    let house = House::new();
    let sessions = house.replica().await;
    let invented = CookieSecret::generate(&Random::system());
    for _ in 0..10 {
        assert!(resolved(&sessions, &invented).await.is_none());
    }
    assert!(is_unknown(&sessions, &invented));
    assert_eq!(house.store.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_its_secret_does_not_open_is_no_session() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let (mine, _) = opened(&here, "ada").await;
    let (other, _) = opened(&here, "eve").await;
    // A thief of the store swaps rows: each is sealed to its own cookie.
    let foreign = house.store.load(&other.id()).await.unwrap().expect("inserted");
    let own = house.store.load(&mine.id()).await.unwrap().expect("inserted");
    house.store.replace(&mine.id(), own.revision, foreign.record).await.unwrap();
    assert!(resolved(&there, &mine).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn threat_90_a_thousand_who_wait_cause_one_load_and_get_their_own() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let mut people = Vec::new();
    for subject in ["ada", "bob"] {
        people.push((subject, opened(&here, subject).await.0));
    }
    house.store.hold_loads();
    let waiting: Vec<_> = (0..1_000)
        .map(|i| {
            let (sessions, (subject, secret)) = (Arc::clone(&there), people[i % 2].clone());
            tokio::spawn(async move {
                let session = resolved(&sessions, &secret).await.expect("it is in the store");
                assert_eq!(session.visitor().subject.as_str(), subject);
            })
        })
        .collect();
    settle().await;
    house.store.release_loads();
    for waiter in waiting {
        waiter.await.expect("each got their own");
    }
    assert_eq!(house.store.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_who_hangs_up_does_not_take_the_others_along() {
    let house = House::new();
    let (here, there) = (house.replica().await, house.replica().await);
    let (secret, _) = opened(&here, "ada").await;
    house.store.hold_loads();
    let resolve = || {
        let (sessions, secret) = (Arc::clone(&there), secret.clone());
        tokio::spawn(async move { resolved(&sessions, &secret).await.is_some() })
    };
    let (first, second) = (resolve(), resolve());
    settle().await;
    first.abort();
    settle().await;
    house.store.release_loads();
    assert!(second.await.expect("it was not aborted"));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_invented_cookies_evicts_no_session() {
    let house = House::new();
    let sessions = house.replica_holding(100).await;
    let (secret, _) = opened(&sessions, "ada").await;
    for _ in 0..1_000 {
        assert!(resolved(&sessions, &CookieSecret::generate(&Random::system())).await.is_none());
    }
    assert!(is_hit(&sessions, &secret));
    // The same number of real sessions would have.
    for i in 0..1_000 {
        opened(&sessions, &i.to_string()).await;
    }
    assert!(is_miss(&sessions, &secret));
}

#[tokio::test(start_paused = true)]
async fn threat_86_what_a_worker_served_lately_ends_idles_and_expires_like_everything_else() {
    let house = House::new();
    let sessions = house.replica().await;
    let recent = Recent::new(&Random::seeded(1));
    let find = |app, secret: &CookieSecret| {
        let tag = recent.tag(app, BASE64URL_NOPAD.encode(secret.expose()).as_bytes());
        recent.get(tag, &sessions, house.clock.moment(), |_| ()).map(|guest| *guest.made()).ok_or(tag)
    };
    let is_hit = |secret| find(0, secret).is_ok();
    let mut secrets = Vec::new();
    for (number, subject) in ["ada", "grace", "mary"].into_iter().enumerate() {
        let (secret, session) = opened(&sessions, subject).await;
        let tag = find(0, &secret).expect_err("the worker has not seen it");
        recent.keep(tag, session, number);
        assert_eq!(find(0, &secret), Ok(number), "what was made of it comes with it");
        secrets.push(secret);
    }
    let [ended, idle, busy] = secrets.as_slice() else { panic!("three were opened") };
    sessions.end(ended, EndReason::Administrator).await.expect("the store is up");
    assert!(!is_hit(ended) && is_hit(idle) && is_hit(busy));
    house.hand.advance(IDLE / 2);
    assert!(is_hit(busy));
    house.hand.advance(IDLE / 2);
    assert!(!is_hit(idle) && is_hit(busy));
    assert!(find(1, busy).is_err(), "the same cookie at another app");
    recent.forget_ended();
    assert_eq!(format!("{recent:?}"), "Recent(2 sessions)", "the idle one has not ended yet");
    house.hand.advance(LIFETIME);
    assert!(!is_hit(busy));
}
