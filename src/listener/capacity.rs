//! How many connections may stand at a time, and what happens when there can be no more.
//!
//! Above the limit nobody is turned away: accepting pauses, and the kernel's queue
//! holds whoever comes. The limit is also kept below what there are descriptors for,
//! with as many again for connections to upstreams: running out of them would hurt
//! the visitors who are already in.

use std::{
    io,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{clock::instant, meter::Meter};

/// How often the same trouble is worth a line.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

/// How long to leave a listening socket alone that has just failed: out of descriptors, most likely.
pub(super) const RESPITE: Duration = Duration::from_millis(100);

/// Descriptors for everything that is not a visitor: sockets, runtimes, files, providers.
const RESERVE: u64 = 64;

/// The places for connections, shared by all workers.
#[derive(Debug)]
pub struct Capacity {
    places: Arc<Semaphore>,
    full: Complaint,
    failing: Complaint,
    meter: Meter,
}

impl Capacity {
    /// So many places; `None` = any number.
    pub fn new(connections: Option<NonZeroU32>, meter: Meter) -> Self {
        let wanted = connections.and_then(|n| usize::try_from(n.get()).ok()).unwrap_or(Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(wanted.min(Semaphore::MAX_PERMITS)));
        Self { places, full: Complaint::default(), failing: Complaint::default(), meter }
    }

    /// A place for one connection, as soon as there is one.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return place;
        }
        self.meter.accept_paused("connections");
        if self.full.is_due() {
            tracing::warn!(
                "as many connections stand as there may be (server.limits.connections, or the limit of open \
                 descriptors): no more are accepted until one ends"
            );
        }
        Arc::clone(&self.places).acquire_owned().await.expect("nobody closes the semaphore")
    }

    /// Waits a moment after a failure that is not the visitor's.
    pub(super) async fn recover(&self, error: &io::Error) {
        self.meter.accept_paused("error");
        if self.failing.is_due() {
            tracing::error!(%error, "connections cannot be accepted; it is tried again all the time");
        }
        tokio::time::sleep(RESPITE).await;
    }
}

/// When something was last complained of.
#[derive(Debug, Default)]
pub(super) struct Complaint(Mutex<Option<Instant>>);

impl Complaint {
    /// Whether enough time has passed to do it again, which then is done.
    pub(super) fn is_due(&self) -> bool {
        let now = instant();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.duration_since(last) >= COMPLAIN_EVERY);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

/// Raises this process's limit of open descriptors as far as it may be raised, and lowers the wish to what it allows.
pub fn within_descriptors(wanted: Option<NonZeroU32>) -> Option<NonZeroU32> {
    let limit = getrlimit(Resource::Nofile);
    let descriptors = match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!(%error, "the limit of open descriptors stays as it is");
            limit.current
        }
    };
    // No limit at all.
    let Some(descriptors) = descriptors else { return wanted };
    let possible = places_within(descriptors);
    if let Some(wanted) = wanted.filter(|wanted| *wanted > possible) {
        tracing::warn!(
            descriptors,
            connections = possible.get(),
            "server.limits.connections is {wanted}, and the limit of open descriptors allows fewer: \
             raise it (LimitNOFILE= of systemd, ulimit -n)"
        );
    }
    Some(wanted.map_or(possible, |wanted| wanted.min(possible)))
}

/// Two descriptors a connection: the visitor's and the upstream's.
fn places_within(descriptors: u64) -> NonZeroU32 {
    let places = u32::try_from(descriptors.saturating_sub(RESERVE) / 2).unwrap_or(u32::MAX);
    NonZeroU32::new(places).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn each_connection_may_need_two_descriptors_and_some_are_kept_back() {
        for (descriptors, places) in [(0, 1), (64, 1), (66, 1), (1024, 480), (1 << 20, 524_256), (u64::MAX, u32::MAX)] {
            assert_eq!(places_within(descriptors).get(), places, "{descriptors}");
        }
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_its_connection_ends_and_the_wait_is_counted() {
        let meter = Meter::new(&Clock::system());
        let capacity = Capacity::new(NonZeroU32::new(2), meter.clone());
        let (first, _second) = (capacity.place().await, capacity.place().await);
        let mut third = std::pin::pin!(capacity.place());
        assert!(futures_util::poll!(third.as_mut()).is_pending());
        let paused = "vestibule_accept_pauses_total{reason=\"connections\"} 1";
        assert!(meter.render().contains(paused), "{}", meter.render());
        drop(first);
        drop(third.await);
    }

    #[test]
    fn the_same_trouble_is_told_once_a_minute() {
        let complaint = Complaint::default();
        assert!(complaint.is_due() && !complaint.is_due());
        let a_minute_ago = instant().checked_sub(COMPLAIN_EVERY).expect("the machine has been up for a minute");
        *complaint.0.lock().expect("no test panics with it") = Some(a_minute_ago);
        assert!(complaint.is_due());
    }
}
