//! One fetch for everybody who waits for the same thing.
//!
//! Whoever comes while a fetch runs gets that fetch's result; whoever comes after
//! it starts another. The fetch lives in the future of the first who asked: if
//! that one gives up, the next in line starts anew, so nobody waits for a fetch
//! that nobody drives. Rejected: a spawned task (it outlives its purpose) and
//! `futures_util`'s `Shared` (a result nobody polls any more stays in the slot).

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// Lets one run at a time and shares its result with those who waited.
#[derive(Debug)]
pub(super) struct SingleFlight<T> {
    landed: AtomicU64,
    last: Mutex<Option<T>>,
}

impl<T: Clone> SingleFlight<T> {
    pub(super) fn new() -> Self {
        Self { landed: AtomicU64::new(0), last: Mutex::new(None) }
    }

    /// Runs `fetch`, or returns the result of the one that was in the air when this was called.
    pub(super) async fn run(&self, fetch: impl AsyncFnOnce() -> T) -> T {
        let asked = self.landed.load(Ordering::Acquire);
        let mut last = self.last.lock().await;
        if let Some(result) = &*last
            && self.landed.load(Ordering::Acquire) != asked
        {
            return result.clone();
        }
        let result = fetch().await;
        *last = Some(result.clone());
        self.landed.fetch_add(1, Ordering::Release);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicUsize};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_share_one_fetch_and_the_next_starts_another() {
        let (flight, fetches, land) =
            (Arc::new(SingleFlight::new()), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let ask = || {
            let (flight, fetches, land) = (Arc::clone(&flight), Arc::clone(&fetches), Arc::clone(&land));
            async move {
                flight
                    .run(async || {
                        let number = fetches.fetch_add(1, Ordering::SeqCst);
                        land.notified().await;
                        number
                    })
                    .await
            }
        };
        let waiting: Vec<_> = (0..100).map(|_| tokio::spawn(ask())).collect();
        tokio::task::yield_now().await;
        land.notify_one();
        for one in waiting {
            assert_eq!(one.await.expect("it did not panic"), 0);
        }
        land.notify_one();
        assert_eq!(ask().await, 1);
    }

    #[tokio::test]
    async fn a_fetch_that_its_caller_gave_up_is_begun_again_by_the_next() {
        let flight = SingleFlight::new();
        {
            let abandoned = flight.run(async || std::future::pending::<u8>().await);
            let mut abandoned = std::pin::pin!(abandoned);
            assert!(futures_util::poll!(abandoned.as_mut()).is_pending());
        }
        assert_eq!(flight.run(async || 7).await, 7);
    }
}
