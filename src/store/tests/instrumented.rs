//! A store that can be counted, held and unplugged.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    clock::Timestamp,
    identity::{Issuer, ProviderSessionId, Subject},
    session::{
        EndReason, Feed, SessionId, Store, StoreError,
        store::{EndedRecord, FeedPage, NewRecord, Position, Replaced, Revision, StoredRecord},
    },
    store::MemoryStore,
};

pub(super) struct Instrumented {
    inner: MemoryStore,
    down: AtomicBool,
    feed_down: AtomicBool,
    gap: AtomicBool,
    /// A load that has read its row waits here before it returns.
    loads_held: watch::Sender<bool>,
    loads: AtomicUsize,
    touches: AtomicUsize,
}

impl Instrumented {
    pub(super) fn over(inner: MemoryStore) -> Self {
        Self {
            inner,
            down: AtomicBool::new(false),
            feed_down: AtomicBool::new(false),
            gap: AtomicBool::new(false),
            loads_held: watch::Sender::new(false),
            loads: AtomicUsize::new(0),
            touches: AtomicUsize::new(0),
        }
    }

    pub(super) fn goes_down(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    pub(super) fn comes_back(&self) {
        self.down.store(false, Ordering::SeqCst);
    }

    pub(super) fn feed_goes_down(&self) {
        self.feed_down.store(true, Ordering::SeqCst);
    }

    pub(super) fn feed_comes_back(&self) {
        self.feed_down.store(false, Ordering::SeqCst);
    }

    pub(super) fn feed_comes_back_with_a_gap(&self) {
        self.gap.store(true, Ordering::SeqCst);
        self.feed_comes_back();
    }

    pub(super) fn hold_loads(&self) {
        self.loads_held.send_replace(true);
    }

    pub(super) fn release_loads(&self) {
        self.loads_held.send_replace(false);
    }

    /// How many loads have read their row.
    pub(super) fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    pub(super) fn touches(&self) -> usize {
        self.touches.load(Ordering::SeqCst)
    }

    fn up(&self) -> Result<&MemoryStore, StoreError> {
        if self.down.load(Ordering::SeqCst) { Err(StoreError::unavailable("pulled plug")) } else { Ok(&self.inner) }
    }

    fn feed_up(&self) -> Result<&MemoryStore, StoreError> {
        if self.feed_down.load(Ordering::SeqCst) { Err(StoreError::unavailable("cut line")) } else { Ok(&self.inner) }
    }
}

#[async_trait]
impl Store for Instrumented {
    async fn insert(&self, new: NewRecord) -> Result<(), StoreError> {
        self.up()?.insert(new).await
    }

    async fn load(&self, id: &SessionId) -> Result<Option<StoredRecord>, StoreError> {
        let row = self.up()?.load(id).await?;
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.loads_held.subscribe().wait_for(|held| !held).await.expect("the sender is ours");
        Ok(row)
    }

    async fn touch(&self, id: &SessionId, at: Timestamp) -> Result<(), StoreError> {
        self.touches.fetch_add(1, Ordering::SeqCst);
        self.up()?.touch(id, at).await
    }

    async fn replace(&self, id: &SessionId, expected: Revision, record: Vec<u8>) -> Result<Replaced, StoreError> {
        self.up()?.replace(id, expected, record).await
    }

    async fn end(&self, id: &SessionId, reason: EndReason) -> Result<Option<EndedRecord>, StoreError> {
        self.up()?.end(id, reason).await
    }

    async fn end_all_of_subject(
        &self,
        issuer: &Issuer,
        subject: &Subject,
        reason: EndReason,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.up()?.end_all_of_subject(issuer, subject, reason).await
    }

    async fn end_all_of_provider_session(
        &self,
        issuer: &Issuer,
        sid: &ProviderSessionId,
        reason: EndReason,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.up()?.end_all_of_provider_session(issuer, sid, reason).await
    }

    async fn purge_expired(&self, created: Timestamp, last_used: Timestamp) -> Result<usize, StoreError> {
        self.up()?.purge_expired(created, last_used).await
    }
}

#[async_trait]
impl Feed for Instrumented {
    async fn position(&self) -> Result<Position, StoreError> {
        self.feed_up()?.position().await
    }

    async fn read_after(&self, position: Position) -> Result<FeedPage, StoreError> {
        let feed = self.feed_up()?;
        if self.gap.swap(false, Ordering::SeqCst) { Ok(FeedPage::Gap) } else { feed.read_after(position).await }
    }

    async fn changed(&self, position: Position) {
        self.inner.changed(position).await;
    }
}
