//! Waiting for what may never come, at the cost of no timer for what does.
//!
//! A timer a request costs 2,000 instructions, for limits of minutes that hardly any
//! request meets. So the first look at something that is not there yet costs nothing,
//! and only a second one sets a timer. Somebody looks again: what waits belongs to a
//! visitor's HTTP/1.1 connection, whose one timer wakes all of it every few seconds
//! (`listener::http1`), and a limit of minutes may be that much late. Where the
//! limit is short, or the visitor speaks HTTP/2 and nobody looks again, the timer is
//! set at the first look.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// A limit below this is not to be late by what lies between two looks.
const SHORT: Duration = Duration::from_mins(1);

/// Who looks again at what has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// The timer of the visitor's connection, every few seconds.
    Repeated,
    /// Nobody.
    Once,
}

/// How long somebody has waited already.
#[derive(Debug)]
pub(super) struct Patience {
    looks: Looks,
    /// How far things had come at the last look; any other value starts the wait anew.
    mark: Option<u32>,
    alarm: Option<Pin<Box<Sleep>>>,
    is_set: bool,
}

impl Patience {
    pub(super) fn new(looks: Looks) -> Self {
        Self { looks, mark: None, alarm: None, is_set: false }
    }

    /// Whether the first look at what has not come costs nothing.
    pub(super) fn has_a_free_look(&self, limit: Duration) -> bool {
        self.looks == Looks::Repeated && limit >= SHORT
    }

    /// Ready when `limit` has passed in which `mark` stayed what it is; never without a limit.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>, limit: Option<Duration>, mark: u32) -> Poll<()> {
        let Some(limit) = limit else { return Poll::Pending };
        if self.mark != Some(mark) {
            (self.mark, self.is_set) = (Some(mark), false);
            if self.has_a_free_look(limit) {
                return Poll::Pending;
            }
        }
        self.poll_alarm(cx, limit)
    }

    /// Asks the alarm, which is set for that where it is not.
    #[cold]
    fn poll_alarm(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !self.is_set {
            alarm.as_mut().reset(Instant::now() + limit);
            self.is_set = true;
        }
        alarm.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Waker};

    use super::*;

    fn look(patience: &mut Patience, limit: Option<Duration>, mark: u32) -> Poll<()> {
        patience.poll_end(&mut Context::from_waker(Waker::noop()), limit, mark)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_look_sets_a_timer_only_where_nobody_looks_again_or_the_limit_is_short() {
        for (looks, limit, expected) in [
            (Looks::Repeated, SHORT, false),
            (Looks::Repeated, Duration::from_secs(59), true),
            (Looks::Once, SHORT, true),
        ] {
            let mut patience = Patience::new(looks);
            assert!(look(&mut patience, Some(limit), 0).is_pending());
            assert_eq!(patience.alarm.is_some(), expected, "{looks:?} {limit:?}");
            assert!(look(&mut patience, Some(limit), 0).is_pending());
            assert!(patience.alarm.is_some(), "the second look sets it in any case");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_after_its_limit_and_starts_anew_when_something_came() {
        let limit = Some(Duration::from_secs(30));
        let mut patience = Patience::new(Looks::Once);
        let begun = Instant::now();
        assert!(look(&mut patience, limit, 0).is_pending());
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(look(&mut patience, limit, 1).is_pending());
        poll_fn(|cx| patience.poll_end(cx, limit, 1)).await;
        assert!(begun.elapsed() >= Duration::from_secs(59), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_ends() {
        let mut patience = Patience::new(Looks::Once);
        for _ in 0..3 {
            assert!(look(&mut patience, None, 0).is_pending());
            tokio::time::advance(Duration::from_hours(1000)).await;
        }
        assert!(patience.alarm.is_none());
    }
}
