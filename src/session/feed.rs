//! Following the feed of endings, and what a cache is worth without it.
//!
//! Replicas read the feed, not sessions. As long as the feed is heard, a cached
//! session is good; once it has not been read for [`MAX_STALENESS`], the cache is
//! not trusted, and lookups fail rather than guess (contract §7).
//!
//! Every cached session carries the position that had been applied before it was
//! loaded. Where the feed has a gap (this replica was cut off for longer than the
//! feed reaches back), whatever was loaded before the new position is loaded again
//! on its next use, and every live handle is checked against the store. The start
//! is such a gap, too.

use std::{
    convert::Infallible,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Moment,
    session::{
        Sessions, StoreError,
        sessions::in_time,
        store::{FeedPage, Position},
    },
};

/// `session.max_staleness`, at its default until the configuration has it.
const MAX_STALENESS: Duration = Duration::from_secs(5);
/// How often the feed is read though nothing woke us: notifications may get lost,
/// and a read that succeeds is what keeps the cache trusted.
const POLL: Duration = Duration::from_secs(1);

/// How well this process hears the feed. Read on every request: atomics only.
///
/// Measured on tokio's monotonic clock: a wall clock that is set back would stretch
/// the trust by as much.
#[derive(Debug)]
pub(super) struct Freshness {
    start: Instant,
    /// When the last successful read began, in milliseconds after `start`, plus one; 0 = never.
    heard: AtomicU64,
    /// What has been applied here.
    applied: AtomicU64,
    /// Sessions loaded before this position are not trusted.
    trusted_from: AtomicU64,
}

impl Freshness {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            heard: AtomicU64::new(0),
            applied: AtomicU64::new(0),
            trusted_from: AtomicU64::new(0),
        }
    }

    /// Whether the cache may be believed at all.
    pub(super) fn is_trusted(&self) -> bool {
        self.is_trusted_after(self.start.elapsed())
    }

    /// The same for who has just looked at the clock.
    pub(super) fn is_trusted_at(&self, now: Moment) -> bool {
        self.is_trusted_after(now.instant().saturating_duration_since(self.start.into_std()))
    }

    fn is_trusted_after(&self, elapsed: Duration) -> bool {
        let heard = self.heard.load(Ordering::Acquire);
        heard != 0 && elapsed < Duration::from_millis(heard - 1) + MAX_STALENESS
    }

    /// Whether a session may be believed that was loaded at `position`.
    pub(super) fn covers(&self, position: Position) -> bool {
        position.number() >= self.trusted_from.load(Ordering::Acquire)
    }

    pub(super) fn applied(&self) -> Position {
        Position::from_number(self.applied.load(Ordering::Acquire))
    }

    /// A read that began at `begun` has been applied.
    fn heard(&self, begun: Instant) {
        let millis = u64::try_from((begun - self.start).as_millis()).unwrap_or(u64::MAX - 1);
        self.heard.store(millis + 1, Ordering::Release);
    }
}

impl Sessions {
    /// Reads the feed until `stop`; without it no session is ever trusted. Belongs on
    /// the background runtime, once per process.
    pub async fn follow_feed(self: Arc<Self>, stop: CancellationToken) {
        // Cut anywhere: what was not applied is read again by the next process.
        stop.run_until_cancelled(self.listen()).await;
    }

    async fn listen(&self) -> Infallible {
        let mut reached = None;
        let mut silent = false;
        loop {
            let begun = Instant::now();
            match self.catch_up(reached).await {
                Ok(position) => {
                    self.freshness.heard(begun);
                    if std::mem::take(&mut silent) {
                        tracing::info!("the feed of endings is heard again");
                    }
                    reached = Some(position);
                    // Whichever comes first; that a wake-up may never come is no failure.
                    let _ = timeout(POLL, self.feed.changed(position)).await;
                }
                Err(error) => {
                    if !std::mem::replace(&mut silent, true) {
                        tracing::warn!(
                            error = &error as &dyn Error,
                            "the feed of endings cannot be read; after {MAX_STALENESS:?} signed-in visitors get 503"
                        );
                    }
                    sleep(POLL).await;
                }
            }
        }
    }

    /// Whether sessions can be looked up: part of being ready.
    pub fn is_ready(&self) -> bool {
        self.freshness.is_trusted()
    }

    /// Applies what ended behind `reached`; returns the position reached by that.
    async fn catch_up(&self, reached: Option<Position>) -> Result<Position, StoreError> {
        let Some(reached) = reached else { return self.start_over().await };
        match in_time(self.feed.read_after(reached)).await? {
            FeedPage::Gap => self.start_over().await,
            FeedPage::Endings(endings) => {
                let mut position = reached;
                for ending in endings {
                    tracing::debug!(session = %ending.session, reason = ending.reason.as_str(), "heard of an ending");
                    self.apply_ending(ending.session).await;
                    position = ending.position;
                }
                self.freshness.applied.store(position.number(), Ordering::Release);
                Ok(position)
            }
        }
    }

    /// Starts from where the feed stands now: nothing that was loaded before counts.
    async fn start_over(&self) -> Result<Position, StoreError> {
        let position = in_time(self.feed.position()).await?;
        self.freshness.trusted_from.store(position.number(), Ordering::Release);
        self.freshness.applied.store(position.number(), Ordering::Release);
        for live in self.registry.settled() {
            if in_time(self.store.load(&live.id)).await?.is_none() {
                self.apply_ending(live.id).await;
            }
        }
        Ok(position)
    }
}
