//! What every session store must do, whatever is behind it: one test a sentence.
//!
//! [`of_a_session_store!`] runs them all over the store that it is given.

use crate::{
    clock::Timestamp,
    identity::{AppId, Issuer, ProviderSessionId, Subject},
    session::{
        EndReason, Feed, SessionId, Store,
        store::{EndedRecord, Ending, FeedPage, NewRecord, Owner, Position, Replaced, Revision},
    },
};

/// A store and its feed in one.
pub(crate) trait SessionStore: Store + Feed {}
impl<T: Store + Feed> SessionStore for T {}

/// Tests named after the functions below, each over a fresh store made by `$make`.
macro_rules! of_a_session_store {
    ($make:expr) => {
        $crate::store::contract::of_a_session_store! { $make;
            a_session_is_found_by_its_id_and_by_no_other
            touches_move_forward_and_miss_what_is_gone
            replace_is_compare_and_set
            replace_never_brings_an_ended_session_back
            an_ending_returns_what_was_kept_and_happens_once
            all_sessions_of_a_subject_end_and_no_others
            all_sessions_of_a_provider_session_end_and_no_others
            purging_removes_what_is_too_old_or_too_long_unused
            purged_sessions_are_no_endings
            the_feed_tells_endings_in_order
            a_waiting_reader_is_woken_by_an_ending
        }
    };
    ($make:expr; $($rule:ident)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $rule() {
            let store = $make;
            $crate::store::contract::$rule(&store).await;
        }
    )*};
}
pub(crate) use of_a_session_store;

/// The id of a session by name.
pub(crate) fn id(name: &str) -> SessionId {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    SessionId::from_bytes(bytes)
}

/// A session of ada's, made at 1000, at a provider's session of its own.
pub(crate) fn session(name: &str) -> NewRecord {
    NewRecord {
        id: id(name),
        owner: Owner {
            app: AppId::new("wiki"),
            issuer: Issuer::new("https://id.example.com"),
            subject: Subject::new("ada"),
            provider_session: Some(ProviderSessionId::new(name)),
        },
        created_at: Timestamp::from_unix(1_000),
        record: format!("record of {name}").into_bytes(),
        id_token: Some(format!("token of {name}").into_bytes()),
    }
}

async fn insert(store: &dyn SessionStore, change: impl FnOnce(&mut NewRecord), name: &str) {
    let mut new = session(name);
    change(&mut new);
    store.insert(new).await.unwrap();
}

async fn exists(store: &dyn SessionStore, name: &str) -> bool {
    store.load(&id(name)).await.unwrap().is_some()
}

async fn endings_after(store: &dyn SessionStore, position: Position) -> Vec<Ending> {
    match store.read_after(position).await.unwrap() {
        FeedPage::Endings(endings) => endings,
        FeedPage::Gap => panic!("the feed reaches back further than this"),
    }
}

pub(crate) async fn a_session_is_found_by_its_id_and_by_no_other(store: &dyn SessionStore) {
    insert(store, |_| {}, "a").await;
    let found = store.load(&id("a")).await.unwrap().expect("inserted");
    assert_eq!(found.record, b"record of a");
    assert_eq!(found.last_used, Timestamp::from_unix(1_000));
    assert!(!exists(store, "b").await);
}

pub(crate) async fn touches_move_forward_and_miss_what_is_gone(store: &dyn SessionStore) {
    insert(store, |_| {}, "a").await;
    for (at, noted) in [(1_060, 1_060), (1_030, 1_060), (1_120, 1_120)] {
        store.touch(&id("a"), Timestamp::from_unix(at)).await.unwrap();
        let stored = store.load(&id("a")).await.unwrap().expect("inserted");
        assert_eq!(stored.last_used, Timestamp::from_unix(noted));
    }
    store.end(&id("a"), EndReason::SignedOut).await.unwrap();
    store.touch(&id("a"), Timestamp::from_unix(1_200)).await.unwrap();
    assert!(!exists(store, "a").await);
}

pub(crate) async fn replace_is_compare_and_set(store: &dyn SessionStore) {
    insert(store, |_| {}, "a").await;
    let first = store.load(&id("a")).await.unwrap().expect("inserted").revision;
    let Replaced::Written(second) = store.replace(&id("a"), first, b"one".to_vec()).await.unwrap() else {
        panic!("nobody else wrote")
    };
    assert_ne!(first, second);
    assert_eq!(store.replace(&id("a"), first, b"two".to_vec()).await.unwrap(), Replaced::Overtaken);
    let stored = store.load(&id("a")).await.unwrap().expect("inserted");
    assert_eq!((stored.revision, stored.record), (second, b"one".to_vec()));
    assert!(matches!(store.replace(&id("a"), second, b"three".to_vec()).await.unwrap(), Replaced::Written(_)));
}

pub(crate) async fn replace_never_brings_an_ended_session_back(store: &dyn SessionStore) {
    insert(store, |_| {}, "a").await;
    let revision = store.load(&id("a")).await.unwrap().expect("inserted").revision;
    store.end(&id("a"), EndReason::Administrator).await.unwrap();
    assert_eq!(store.replace(&id("a"), revision, b"refreshed".to_vec()).await.unwrap(), Replaced::Gone);
    assert_eq!(store.replace(&id("never"), Revision::default(), Vec::new()).await.unwrap(), Replaced::Gone);
    assert!(!exists(store, "a").await && !exists(store, "never").await);
}

pub(crate) async fn an_ending_returns_what_was_kept_and_happens_once(store: &dyn SessionStore) {
    insert(store, |_| {}, "a").await;
    insert(store, |new| new.id_token = None, "b").await;
    let start = store.position().await.unwrap();
    assert_eq!(
        store.end(&id("a"), EndReason::SignedOut).await.unwrap(),
        Some(EndedRecord { record: b"record of a".to_vec(), id_token: Some(b"token of a".to_vec()) })
    );
    assert_eq!(store.end(&id("a"), EndReason::SignedOut).await.unwrap(), None);
    assert_eq!(
        store.end(&id("b"), EndReason::SignedOut).await.unwrap(),
        Some(EndedRecord { record: b"record of b".to_vec(), id_token: None })
    );
    assert_eq!(endings_after(store, start).await.len(), 2);
}

pub(crate) async fn all_sessions_of_a_subject_end_and_no_others(store: &dyn SessionStore) {
    insert(store, |_| {}, "a").await;
    insert(store, |new| new.owner.provider_session = None, "b").await;
    insert(store, |new| new.owner.app = AppId::new("shop"), "c").await;
    insert(store, |new| new.owner.subject = Subject::new("bob"), "other subject").await;
    insert(store, |new| new.owner.issuer = Issuer::new("https://id.example.com/"), "other issuer").await;
    let start = store.position().await.unwrap();

    let owner = session("a").owner;
    let end_all = || store.end_all_of_subject(&owner.issuer, &owner.subject, EndReason::Administrator);
    let mut ended = end_all().await.unwrap();
    ended.sort();
    assert_eq!(ended, [id("a"), id("b"), id("c")]);
    assert!(exists(store, "other subject").await && exists(store, "other issuer").await);
    let mut told: Vec<_> = endings_after(store, start).await.iter().map(|ending| ending.session).collect();
    told.sort();
    assert_eq!(told, ended);
    assert_eq!(end_all().await.unwrap(), []);
}

pub(crate) async fn all_sessions_of_a_provider_session_end_and_no_others(store: &dyn SessionStore) {
    let sid = ProviderSessionId::new("shared");
    let share = |new: &mut NewRecord| new.owner.provider_session = Some(ProviderSessionId::new("shared"));
    insert(store, share, "a").await;
    insert(store, share, "b").await;
    insert(store, |_| {}, "other sid").await;
    insert(store, |new| new.owner.provider_session = None, "no sid").await;
    let foreign = |new: &mut NewRecord| {
        share(new);
        new.owner.issuer = Issuer::new("https://else.example.com");
    };
    insert(store, foreign, "other issuer").await;
    let start = store.position().await.unwrap();

    let issuer = session("a").owner.issuer;
    let mut ended = store.end_all_of_provider_session(&issuer, &sid, EndReason::ProviderLogout).await.unwrap();
    ended.sort();
    assert_eq!(ended, [id("a"), id("b")]);
    for name in ["other sid", "no sid", "other issuer"] {
        assert!(exists(store, name).await, "{name}");
    }
    let told = endings_after(store, start).await;
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|ending| ending.reason == EndReason::ProviderLogout));
}

pub(crate) async fn purging_removes_what_is_too_old_or_too_long_unused(store: &dyn SessionStore) {
    for (name, created, used) in [("old", 100, 900), ("idle", 500, 600), ("live", 500, 900)] {
        insert(store, |new| new.created_at = Timestamp::from_unix(created), name).await;
        store.touch(&id(name), Timestamp::from_unix(used)).await.unwrap();
    }
    let purge = |created, used| store.purge_expired(Timestamp::from_unix(created), Timestamp::from_unix(used));
    assert_eq!(purge(99, 599).await.unwrap(), 0);
    assert_eq!(purge(100, 600).await.unwrap(), 2);
    assert!(exists(store, "live").await && !exists(store, "old").await && !exists(store, "idle").await);
}

pub(crate) async fn purged_sessions_are_no_endings(store: &dyn SessionStore) {
    insert(store, |_| {}, "a").await;
    let start = store.position().await.unwrap();
    store.purge_expired(Timestamp::from_unix(1_000), Timestamp::from_unix(0)).await.unwrap();
    assert_eq!(store.end(&id("a"), EndReason::SignedOut).await.unwrap(), None);
    assert_eq!(endings_after(store, start).await, []);
}

pub(crate) async fn the_feed_tells_endings_in_order(store: &dyn SessionStore) {
    let start = store.position().await.unwrap();
    for name in ["a", "b", "c"] {
        insert(store, |_| {}, name).await;
    }
    assert_eq!(endings_after(store, start).await, []);
    for name in ["b", "a", "c"] {
        store.end(&id(name), EndReason::SignedOut).await.unwrap();
    }
    let told = endings_after(store, start).await;
    assert_eq!(told.iter().map(|ending| ending.session).collect::<Vec<_>>(), [id("b"), id("a"), id("c")]);
    assert!(told.is_sorted_by(|a, b| a.position < b.position));
    assert_eq!(endings_after(store, told[0].position).await, told[1..]);
    assert_eq!(store.position().await.unwrap(), told[2].position);
}

pub(crate) async fn a_waiting_reader_is_woken_by_an_ending(store: &dyn SessionStore) {
    insert(store, |_| {}, "a").await;
    let start = store.position().await.unwrap();
    let wait_and_read = async {
        store.changed(start).await;
        endings_after(store, start).await
    };
    let a = id("a");
    let end = store.end(&a, EndReason::SignedOut);
    let (told, ended) = tokio::join!(wait_and_read, end);
    assert!(ended.unwrap().is_some());
    assert_eq!(told.len(), 1);
    // And who comes late does not wait at all.
    store.changed(start).await;
}
