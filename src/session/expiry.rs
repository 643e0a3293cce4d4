//! What time itself ends: holders are told, rows are removed.
//!
//! Lookups judge by the clock on their own, so nothing here decides whether a
//! session counts. It closes what would otherwise stay open (a WebSocket past its
//! session's lifetime, threat 115) and keeps the store from growing.

use std::{
    convert::Infallible,
    error::Error,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::session::{
    Sessions, StoreError,
    sessions::{TOUCH_INTERVAL, in_time},
};

/// How late, at most, a holder learns that its session is over.
const CLOSE_EVERY: Duration = Duration::from_secs(5);
/// How often the store is cleared.
const PURGE_EVERY: Duration = Duration::from_mins(1);
/// As counters call it, beside the reasons of [`EndReason`](crate::session::EndReason).
const EXPIRED: &str = "expired";

impl Sessions {
    /// Ends what is over and clears the store, until `stop`. Belongs on the background runtime.
    pub async fn sweep(self: Arc<Self>, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep_clean()).await;
    }

    async fn keep_clean(&self) -> Infallible {
        let (mut close, mut purge) = (interval(CLOSE_EVERY), interval(PURGE_EVERY));
        close.set_missed_tick_behavior(MissedTickBehavior::Delay);
        purge.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let swept = tokio::select! {
                _ = close.tick() => self.close_expired().await,
                _ = purge.tick() => self.purge_expired().await,
            };
            if let Err(error) = swept {
                tracing::debug!(error = &error as &dyn Error, "expired sessions are swept later");
            }
        }
    }

    /// Tells the holders of sessions that are over.
    async fn close_expired(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for live in self.registry.settled() {
            if now >= live.expires_at() {
                self.apply_ending(live.id).await;
            } else if live.is_idle(now) {
                // Another replica may have seen a later use.
                match in_time(self.store.load(&live.id)).await? {
                    Some(stored) => live.used_as_stored(stored.last_used),
                    None => self.apply_ending(live.id).await,
                }
                if live.is_idle(now) {
                    self.apply_ending(live.id).await;
                }
            }
        }
        Ok(())
    }

    /// Counts them as well: a row is removed once, whoever of the replicas does it.
    async fn purge_expired(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        // The store may not have been told of a use for so long, and a row must not go before its session.
        let longest = *self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = longest.idle_timeout + TOUCH_INTERVAL;
        let (created, last_used) = (now.minus(longest.lifetime), now.minus(unused));
        let purged = in_time(self.store.purge_expired(created, last_used)).await?;
        if purged > 0 {
            self.meter.sessions_ended(EXPIRED, purged);
            tracing::debug!(purged, "expired sessions removed from the store");
        }
        Ok(())
    }
}
