//! What is known of the connection that a request came on.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use ipnet::IpNet;

use crate::{clock::instant, meter::OpenConnection, request::Peer};

/// One visitor's connection.
#[derive(Debug)]
pub struct Connection {
    /// Who is at the other end.
    pub peer: Peer,
    /// What it is doing.
    pub activity: Activity,
    /// Counts it for as long as anything is left of it, a tunnel included.
    _counted: OpenConnection,
}

impl Connection {
    /// A connection that has just been accepted.
    pub fn new(peer: IpAddr, trusted_proxies: &[IpNet], counted: OpenConnection) -> Self {
        Self { peer: Peer::new(peer, trusted_proxies), activity: Activity::new(), _counted: counted }
    }
}

/// What a connection is doing, and since when: one timer a connection judges by
/// it, so that no request needs a timer of its own.
#[derive(Debug)]
pub struct Activity {
    phase: AtomicU8,
    since: AtomicU64,
    /// Whether bytes have come or gone since somebody asked.
    moved: AtomicBool,
    accepted: Instant,
}

/// What bytes that come in belong to, as far as it is known before they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Most likely the next head: all answers are out.
    Beginning,
    /// What has come before them.
    Continuation,
    /// A request that is being answered, or one behind it.
    WithinRequest,
}

/// A request's head has been arriving for some time, or nothing has come yet.
const HEAD: u8 = 0;
/// A request is being answered.
const BUSY: u8 = 1;
/// The last answer is out.
const IDLE: u8 = 2;
/// A head has begun to arrive. Nearly all are complete in the same moment, so the
/// clock is looked at only when somebody asks and it still is not.
const BEGUN: u8 = 3;

impl Activity {
    fn new() -> Self {
        let (phase, since, moved) = (AtomicU8::new(HEAD), AtomicU64::new(0), AtomicBool::new(false));
        Self { phase, since, moved, accepted: instant() }
    }

    /// Bytes came in; says of what.
    pub fn received(&self) -> Heard {
        self.moved.store(true, Ordering::Relaxed);
        match self.phase.load(Ordering::Relaxed) {
            IDLE => {
                self.phase.store(BEGUN, Ordering::Relaxed);
                Heard::Beginning
            }
            BUSY => Heard::WithinRequest,
            _ => Heard::Continuation,
        }
    }

    /// Bytes went out.
    pub fn sent(&self) {
        self.moved.store(true, Ordering::Relaxed);
    }

    /// Whether bytes have come or gone since this was asked before.
    pub fn has_moved(&self) -> bool {
        self.moved.swap(false, Ordering::Relaxed)
    }

    /// A head is complete.
    pub(super) fn busy(&self) {
        self.phase.store(BUSY, Ordering::Relaxed);
    }

    /// An answer is over.
    pub(super) fn idle(&self, now: Instant) {
        self.enter(IDLE, now);
    }

    /// When the connection has to be cut if nothing changes; `None` while a request is answered.
    pub fn deadline(&self, header_timeout: Duration, keepalive: Duration) -> Option<Instant> {
        if self.phase.load(Ordering::Relaxed) == BEGUN {
            self.enter(HEAD, instant());
        }
        let limit = match self.phase.load(Ordering::Relaxed) {
            HEAD => header_timeout,
            IDLE => keepalive,
            _ => return None,
        };
        Some(self.accepted + Duration::from_millis(self.since.load(Ordering::Relaxed)) + limit)
    }

    fn enter(&self, phase: u8, now: Instant) {
        let since = now.duration_since(self.accepted);
        self.since.store(since.as_secs() * 1000 + u64::from(since.subsec_millis()), Ordering::Relaxed);
        self.phase.store(phase, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_due_by_what_it_does() {
        let activity = Activity::new();
        let (head, rest) = (Duration::from_secs(10), Duration::from_secs(75));
        let due = || activity.deadline(head, rest).map(|due| due.duration_since(activity.accepted));
        assert_eq!(due(), Some(head), "the first head");
        activity.received();
        activity.busy();
        assert_eq!(due(), None, "an answer takes as long as it takes");
        activity.idle(instant());
        assert!(due() >= Some(rest));
        activity.received();
        assert!(due() < Some(rest), "the next head");
    }

    #[test]
    fn it_is_noted_once_that_bytes_came_or_went() {
        let activity = Activity::new();
        assert!(!activity.has_moved());
        activity.received();
        assert!(activity.has_moved() && !activity.has_moved());
        activity.sent();
        assert!(activity.has_moved() && !activity.has_moved());
    }
}
