//! Sessions in this process: gone when it ends, alone in the world.
//!
//! One lock over everything. It is held for a few map operations, and nothing on
//! the request path takes it but a cache miss. The feed is a ring: no one but this
//! process reads it, and a reader that falls behind learns of the gap.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    clock::Timestamp,
    identity::{Issuer, ProviderSessionId, Subject},
    session::{
        EndReason, Feed, SessionId, Store, StoreError,
        store::{EndedRecord, Ending, FeedPage, NewRecord, Owner, Position, Replaced, Revision, StoredRecord},
    },
};

/// How far back the feed reaches: a few megabytes, and far more endings than can
/// happen between two reads.
const FEED_LENGTH: usize = 65_536;

/// The store behind `memory:`.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    /// The newest position of the feed: wakes its readers.
    newest: watch::Sender<Position>,
}

#[derive(Debug, Default)]
struct State {
    rows: HashMap<SessionId, Row>,
    by_subject: Index<(Issuer, Subject)>,
    by_provider_session: Index<(Issuer, ProviderSessionId)>,
    feed: VecDeque<Ending>,
    newest: u64,
}

type Index<K> = HashMap<K, HashSet<SessionId>>;

#[derive(Debug)]
struct Row {
    owner: Owner,
    created_at: Timestamp,
    stored: StoredRecord,
    id_token: Option<Vec<u8>>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_each(&self, reason: EndReason, find: impl FnOnce(&State) -> Option<&HashSet<SessionId>>) -> Vec<SessionId> {
        let mut state = self.lock();
        let ids: Vec<SessionId> = find(&state).into_iter().flatten().copied().collect();
        for id in &ids {
            state.end(id, reason);
        }
        self.wake(&state);
        ids
    }

    /// Called under the lock, so that positions are announced in their order.
    fn wake(&self, state: &State) {
        self.newest.send_replace(Position::from_number(state.newest));
    }
}

impl State {
    fn remove(&mut self, id: &SessionId) -> Option<Row> {
        let row = self.rows.remove(id)?;
        let Owner { issuer, subject, provider_session, app: _ } = &row.owner;
        unindex(&mut self.by_subject, (issuer.clone(), subject.clone()), id);
        if let Some(sid) = provider_session {
            unindex(&mut self.by_provider_session, (issuer.clone(), sid.clone()), id);
        }
        Some(row)
    }

    fn end(&mut self, id: &SessionId, reason: EndReason) -> Option<Row> {
        let row = self.remove(id)?;
        self.newest += 1;
        if self.feed.len() == FEED_LENGTH {
            self.feed.pop_front();
        }
        self.feed.push_back(Ending { position: Position::from_number(self.newest), session: *id, reason });
        Some(row)
    }
}

fn unindex<K: Eq + Hash>(index: &mut Index<K>, key: K, id: &SessionId) {
    if let Entry::Occupied(mut ids) = index.entry(key) {
        ids.get_mut().remove(id);
        if ids.get().is_empty() {
            ids.remove();
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert(&self, new: NewRecord) -> Result<(), StoreError> {
        let NewRecord { id, owner, created_at, record, id_token } = new;
        let mut state = self.lock();
        state.by_subject.entry((owner.issuer.clone(), owner.subject.clone())).or_default().insert(id);
        if let Some(sid) = &owner.provider_session {
            state.by_provider_session.entry((owner.issuer.clone(), sid.clone())).or_default().insert(id);
        }
        let stored = StoredRecord { revision: Revision::default(), last_used: created_at, record };
        state.rows.insert(id, Row { owner, created_at, stored, id_token });
        Ok(())
    }

    async fn load(&self, id: &SessionId) -> Result<Option<StoredRecord>, StoreError> {
        Ok(self.lock().rows.get(id).map(|row| row.stored.clone()))
    }

    async fn touch(&self, id: &SessionId, at: Timestamp) -> Result<(), StoreError> {
        if let Some(row) = self.lock().rows.get_mut(id) {
            row.stored.last_used = row.stored.last_used.max(at);
        }
        Ok(())
    }

    async fn replace(&self, id: &SessionId, expected: Revision, record: Vec<u8>) -> Result<Replaced, StoreError> {
        let mut state = self.lock();
        let Some(row) = state.rows.get_mut(id) else { return Ok(Replaced::Gone) };
        if row.stored.revision != expected {
            return Ok(Replaced::Overtaken);
        }
        row.stored.revision = expected.next();
        row.stored.record = record;
        Ok(Replaced::Written(row.stored.revision))
    }

    async fn end(&self, id: &SessionId, reason: EndReason) -> Result<Option<EndedRecord>, StoreError> {
        let mut state = self.lock();
        let ended = state.end(id, reason);
        self.wake(&state);
        Ok(ended.map(|row| EndedRecord { record: row.stored.record, id_token: row.id_token }))
    }

    async fn end_all_of_subject(
        &self,
        issuer: &Issuer,
        subject: &Subject,
        reason: EndReason,
    ) -> Result<Vec<SessionId>, StoreError> {
        let key = (issuer.clone(), subject.clone());
        Ok(self.end_each(reason, |state| state.by_subject.get(&key)))
    }

    async fn end_all_of_provider_session(
        &self,
        issuer: &Issuer,
        sid: &ProviderSessionId,
        reason: EndReason,
    ) -> Result<Vec<SessionId>, StoreError> {
        let key = (issuer.clone(), sid.clone());
        Ok(self.end_each(reason, |state| state.by_provider_session.get(&key)))
    }

    async fn purge_expired(&self, created: Timestamp, last_used: Timestamp) -> Result<usize, StoreError> {
        let mut state = self.lock();
        let over = |row: &Row| row.created_at <= created || row.stored.last_used <= last_used;
        let ids: Vec<SessionId> = state.rows.iter().filter(|(_, row)| over(row)).map(|(id, _)| *id).collect();
        for id in &ids {
            state.remove(id);
        }
        Ok(ids.len())
    }
}

#[async_trait]
impl Feed for MemoryStore {
    async fn position(&self) -> Result<Position, StoreError> {
        Ok(Position::from_number(self.lock().newest))
    }

    async fn read_after(&self, position: Position) -> Result<FeedPage, StoreError> {
        let state = self.lock();
        // A position from the future was given by another store.
        let Some(missed) = state.newest.checked_sub(position.number()) else { return Ok(FeedPage::Gap) };
        let Some(known) = usize::try_from(missed).ok().and_then(|missed| state.feed.len().checked_sub(missed)) else {
            return Ok(FeedPage::Gap);
        };
        Ok(FeedPage::Endings(state.feed.iter().skip(known).copied().collect()))
    }

    async fn changed(&self, position: Position) {
        let mut newest = self.newest.subscribe();
        // Fails only when the sender is gone, and that is this store.
        let _ = newest.wait_for(|newest| *newest > position).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract;

    contract::of_a_session_store!(MemoryStore::new());

    #[tokio::test]
    async fn a_reader_that_falls_behind_the_ring_learns_of_the_gap() {
        let store = MemoryStore::new();
        let start = store.position().await.unwrap();
        for number in 0..=FEED_LENGTH {
            let new = contract::session(&number.to_string());
            let id = new.id;
            store.insert(new).await.unwrap();
            store.end(&id, EndReason::SignedOut).await.unwrap();
        }
        assert_eq!(store.read_after(start).await.unwrap(), FeedPage::Gap);
        let FeedPage::Endings(endings) = store.read_after(Position::from_number(1)).await.unwrap() else {
            panic!("the ring reaches back to its first entry")
        };
        assert_eq!(endings.len(), FEED_LENGTH);
        assert_eq!(endings[0].position, Position::from_number(2));
    }

    #[tokio::test]
    async fn nothing_is_left_of_what_is_gone() {
        let store = MemoryStore::new();
        for name in ["a", "b"] {
            store.insert(contract::session(name)).await.unwrap();
        }
        store.end(&contract::id("a"), EndReason::SignedOut).await.unwrap();
        store.purge_expired(Timestamp::from_unix(i64::MAX), Timestamp::from_unix(0)).await.unwrap();
        let state = store.lock();
        assert!(state.rows.is_empty() && state.by_subject.is_empty() && state.by_provider_session.is_empty());
    }
}
