//! Which sessions somebody in this process holds on to.
//!
//! A cache forgets; a WebSocket does not. An ending must reach every holder, also of
//! a session that the cache has evicted, and also one that is just being loaded. So
//! whoever holds a session shares its [`Live`] part, and [`Registry`] finds that by
//! id for as long as anyone does.
//!
//! A load registers *before* it asks the store. An ending that is applied later
//! finds the handle and ends it, whatever the load then brings; an ending that was
//! applied earlier had been committed before the store was asked, so the load brings
//! nothing. There is no third case, which is why no cached value needs to be
//! compared with the endings of its time.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{clock::Timestamp, identity::Ended, session::SessionId};

/// Never a moment at which a session expires.
const UNSETTLED: i64 = i64::MAX;

/// Before every moment: the lifetime of a session that has ended.
const OVER: i64 = i64::MIN;

/// What all holders of one session share. A request reads it in one line of memory.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Live {
    /// When its lifetime is over; [`UNSETTLED`] while it is being opened or loaded,
    /// [`OVER`] once it has ended: a request asks here only, not the handle, which
    /// lies elsewhere in memory.
    expires_at: AtomicI64,
    last_used: AtomicI64,
    /// In seconds; the app's where it began.
    idle_timeout: AtomicU64,
    /// The use that the store was last told of.
    last_written: AtomicI64,
    pub(super) ended: Ended,
    registry: Arc<Registry>,
    pub(super) id: SessionId,
}

impl Live {
    /// Far away while it is not known.
    pub(super) fn expires_at(&self) -> Timestamp {
        Timestamp::from_unix(self.expires_at.load(Ordering::Acquire))
    }

    pub(super) fn last_used(&self) -> Timestamp {
        Timestamp::from_unix(self.last_used.load(Ordering::Relaxed))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.expires_at.load(Ordering::Acquire) == OVER
    }

    /// Ends it, for all who hold it and for good.
    pub(super) fn end(&self) {
        self.expires_at.store(OVER, Ordering::Release);
        self.ended.end();
    }

    /// Whether it has not been used for as long as its app lets it be, as far as this process knows.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        now.since(self.last_used()) >= Duration::from_secs(self.idle_timeout.load(Ordering::Relaxed))
    }

    /// Takes over what the app and the store say; what has ended stays so.
    pub(super) fn settle(&self, expires_at: Timestamp, idle_timeout: Duration, last_used: Timestamp) {
        // Timestamps are whole seconds: a part of one is over with the next.
        let seconds = idle_timeout.as_secs() + u64::from(idle_timeout.subsec_nanos() > 0);
        self.idle_timeout.store(seconds, Ordering::Relaxed);
        self.used_as_stored(last_used);
        let unless_over = |current| (current != OVER).then_some(expires_at.as_unix());
        // An error means that it is over.
        let _ = self.expires_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, unless_over);
    }

    /// Takes over a use that the store knows of.
    pub(super) fn used_as_stored(&self, last_used: Timestamp) {
        self.last_used.fetch_max(last_used.as_unix(), Ordering::Relaxed);
        self.last_written.fetch_max(last_used.as_unix(), Ordering::Relaxed);
    }

    /// Notes a use.
    pub(super) fn used(&self, now: Timestamp) {
        // Nearly every request of a busy session falls into a second that is noted
        // already; reading first spares the other workers' caches.
        if self.last_used.load(Ordering::Relaxed) < now.as_unix() {
            self.last_used.fetch_max(now.as_unix(), Ordering::Relaxed);
        }
    }

    /// Whether the store should be told now, at most once `every` so often: `true` for
    /// one caller only.
    pub(super) fn claim_write(&self, now: Timestamp, every: Duration) -> bool {
        let written = self.last_written.load(Ordering::Relaxed);
        now.since(Timestamp::from_unix(written)) >= every
            && self.last_written.compare_exchange(written, now.as_unix(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.registry.forget(&self.id);
    }
}

/// Finds what is live by id. Touched by loads and endings, never by a cache hit.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<HashMap<SessionId, Weak<Live>>>);

// A `Live` that drops takes the lock, so none may drop while the lock is held:
// every function below hands the handles that it made out to its caller.
impl Registry {
    /// The handle of `id`, made if nobody holds it yet.
    pub(super) fn register(self: &Arc<Self>, id: SessionId) -> Arc<Live> {
        let mut lives = self.lock();
        if let Some(live) = lives.get(&id).and_then(Weak::upgrade) {
            return live;
        }
        let live = Arc::new(Live {
            id,
            ended: Ended::default(),
            idle_timeout: AtomicU64::new(u64::MAX),
            expires_at: AtomicI64::new(UNSETTLED),
            last_used: AtomicI64::new(i64::MIN),
            last_written: AtomicI64::new(i64::MIN),
            registry: Arc::clone(self),
        });
        lives.insert(id, Arc::downgrade(&live));
        live
    }

    /// The handle of `id`, if anybody holds it.
    pub(super) fn find(&self, id: &SessionId) -> Option<Arc<Live>> {
        self.lock().get(id).and_then(Weak::upgrade)
    }

    /// All handles that anybody holds, but for those whose session is only just being
    /// opened or loaded: the store may not have it yet.
    pub(super) fn settled(&self) -> Vec<Arc<Live>> {
        let mut held: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        held.retain(|live| live.expires_at.load(Ordering::Relaxed) != UNSETTLED);
        held
    }

    fn forget(&self, id: &SessionId) {
        let mut lives = self.lock();
        // By now somebody may have registered the same id anew.
        if lives.get(id).is_some_and(|live| live.strong_count() == 0) {
            lives.remove(id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Weak<Live>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOURS: Duration = Duration::from_hours(8);

    fn id(byte: u8) -> SessionId {
        SessionId::from_bytes([byte; 32])
    }

    #[test]
    fn all_holders_share_one_handle_and_the_last_one_clears_it() {
        let registry = Arc::new(Registry::default());
        let (a, b) = (registry.register(id(1)), registry.register(id(1)));
        assert!(Arc::ptr_eq(&a, &b));
        drop(a);
        assert!(registry.find(&id(1)).is_some_and(|live| Arc::ptr_eq(&live, &b)));
        drop(b);
        assert!(registry.find(&id(1)).is_none());
        assert!(registry.lock().is_empty());
    }

    #[test]
    fn one_session_ends_and_its_neighbour_does_not() {
        let registry = Arc::new(Registry::default());
        let (a, b) = (registry.register(id(1)), registry.register(id(2)));
        registry.find(&id(1)).expect("held").end();
        a.settle(Timestamp::from_unix(99), HOURS, Timestamp::from_unix(1));
        assert!(a.ended.is_ended() && a.expires_at() < Timestamp::from_unix(0), "a late load does not bring it back");
        assert!(!b.ended.is_ended());
        assert_eq!(registry.settled().len(), 1, "what has ended is settled");
        b.settle(Timestamp::from_unix(99), HOURS, Timestamp::from_unix(1));
        assert_eq!(registry.settled().len(), 2);
    }

    #[test]
    fn a_write_is_due_once_in_its_interval_and_for_one_caller() {
        let live = Arc::new(Registry::default()).register(id(1));
        let (start, minute) = (Timestamp::from_unix(1_000), Duration::from_mins(1));
        live.settle(start.plus(minute), HOURS, start);
        assert!(!live.claim_write(start.plus(Duration::from_secs(59)), minute));
        assert!(live.claim_write(start.plus(minute), minute));
        assert!(!live.claim_write(start.plus(minute), minute));
    }

    #[test]
    fn uses_only_move_forward() {
        let live = Arc::new(Registry::default()).register(id(1));
        live.used(Timestamp::from_unix(20));
        live.used(Timestamp::from_unix(10));
        live.settle(Timestamp::from_unix(99), HOURS, Timestamp::from_unix(15));
        assert_eq!(live.last_used(), Timestamp::from_unix(20));
    }
}
