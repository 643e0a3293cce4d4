//! Time as an argument, so that tests move it instead of waiting for it.
//!
//! This is the only module that may ask the system what time it is; a lint bans
//! `now()` everywhere else.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio::{
    runtime,
    time::{self, Interval, Sleep},
};

/// A moment in whole seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From seconds since the epoch.
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn as_unix(self) -> i64 {
        self.0
    }

    /// How long ago `earlier` was; zero where it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The moment `duration` later (whole seconds, saturating).
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)))
    }

    /// The moment `duration` earlier (whole seconds, saturating).
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)))
    }
}

/// One look at both clocks, for all that a request wants to know of the time.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    instant: Instant,
    unix_millis: i64,
}

impl Moment {
    /// On the monotonic clock.
    pub fn instant(self) -> Instant {
        self.instant
    }

    /// On the wall clock, in milliseconds since the epoch.
    pub fn unix_millis(self) -> i64 {
        self.unix_millis
    }

    /// On the wall clock, in whole seconds.
    pub fn timestamp(self) -> Timestamp {
        Timestamp(self.unix_millis.div_euclid(1000))
    }
}

/// Where the time comes from: the system, or a test's own hand.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`ManualClock::advance`] moves it.
    pub fn manual(start: Timestamp) -> (Self, ManualClock) {
        let seconds = Arc::new(AtomicI64::new(start.0));
        (Self(Source::Manual(Arc::clone(&seconds))), ManualClock(seconds))
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
            }
            Source::Manual(seconds) => Timestamp(seconds.load(Ordering::Acquire)),
        }
    }
}

impl Clock {
    /// The present moment, on both clocks.
    pub fn moment(&self) -> Moment {
        Moment { instant: instant(), unix_millis: self.unix_millis() }
    }

    /// The present moment in milliseconds since the epoch, for log lines.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn unix_millis(&self) -> i64 {
        match &self.0 {
            Source::System => {
                let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
            }
            Source::Manual(seconds) => seconds.load(Ordering::Acquire).saturating_mul(1000),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Clock(system)",
            Source::Manual(_) => "Clock(manual)",
        })
    }
}

/// The hand that moves a manual [`Clock`].
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Moves the clock forward by whole seconds.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_secs()).unwrap_or(i64::MAX), Ordering::AcqRel);
    }
}

/// The timers of a runtime that others wait by as well.
///
/// A runtime with a timer of its own looks at the clock twice each time it waits for its sockets, and has the kernel set
/// an alarm. So those timers of a worker that stand as long as it has nothing to do are another runtime's.
#[derive(Clone, Debug)]
pub struct Timers(runtime::Handle);

impl Timers {
    /// Those of this runtime, which must outlive whoever waits by them.
    pub fn of(runtime: &runtime::Handle) -> Self {
        Self(runtime.clone())
    }

    /// Ready at this moment.
    pub fn sleep_until(&self, moment: Instant) -> Sleep {
        let _there = self.0.enter();
        time::sleep_until(moment.into())
    }

    /// Ready at once, and then each time when so much has passed.
    pub fn interval(&self, period: Duration) -> Interval {
        let _there = self.0.enter();
        time::interval(period)
    }
}

/// A point on the monotonic clock, for measuring how long something took. It is the
/// clock of the runtime's timers, which a test can move.
pub fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let (clock, hand) = Clock::manual(Timestamp::from_unix(1_000));
        assert_eq!(clock.now(), Timestamp::from_unix(1_000));
        hand.advance(Duration::from_secs(61));
        assert_eq!(clock.now().since(Timestamp::from_unix(1_000)), Duration::from_secs(61));
    }

    #[test]
    fn a_moment_in_the_future_is_no_time_ago() {
        assert_eq!(Timestamp::from_unix(5).since(Timestamp::from_unix(9)), Duration::ZERO);
    }
}
