//! What is known of the connection that a request came on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::OwnedSemaphorePermit;

use super::Current;
use crate::{
    clock::instant,
    meter::OpenConnection,
    request::{Bodies, Peer},
    upstream::Affinity,
};

/// One visitor's connection.
#[derive(Debug)]
pub struct Connection {
    /// Who is at the other end.
    pub peer: Peer,
    /// What it is doing.
    pub activity: Activity,
    /// What its visitor has still to send.
    pub bodies: Arc<Bodies>,
    /// What it owns of the connections to upstreams.
    pub(super) affinity: Affinity,
    /// Where its worker thread finds what is newest.
    pub(super) current: Arc<Current>,
    /// Counts it for as long as anything is left of it, a tunnel included.
    _counted: OpenConnection,
    /// Its place among those that may stand at a time, held as long.
    _place: OwnedSemaphorePermit,
}

impl Connection {
    /// A connection that has just been accepted.
    pub fn new(peer: Peer, current: Arc<Current>, counted: OpenConnection, place: OwnedSemaphorePermit) -> Self {
        Self {
            peer,
            activity: Activity::new(),
            bodies: Arc::default(),
            affinity: Affinity::default(),
            current,
            _counted: counted,
            _place: place,
        }
    }

    /// Bytes came in; says of what. What comes after an early answer while somebody still takes the request's body is no
    /// head, however long it takes: the connection rests when it is over.
    pub fn received(&self) -> Heard {
        if self.activity.phase.load(Ordering::Relaxed) == IDLE && self.bodies.are_arriving() {
            self.activity.idle(instant());
            return Heard::Beginning;
        }
        self.activity.received()
    }

    /// Whether something may be on its way that nobody waits for any more: the rest of a body, or of a head.
    pub fn may_still_be_sending(&self) -> bool {
        self.bodies.was_one_abandoned() || self.activity.is_in_a_head()
    }

    /// Between two requests nothing is owed: hyper has taken what a body left behind, or the connection would be over.
    pub fn settle(&self) {
        if self.activity.phase.load(Ordering::Relaxed) == IDLE {
            self.bodies.settle();
        }
    }

    /// How long nothing has been owed to either side: the last answer is out to its last byte, and its request came to
    /// its end. The next byte is the first of a head then, whoever reads it.
    pub fn rested(&self, now: Instant) -> Option<Duration> {
        let owes_a_body = self.bodies.are_arriving() || self.bodies.was_one_abandoned();
        (self.activity.owes_nothing() && !owes_a_body).then(|| now.saturating_duration_since(self.activity.since()))
    }

    /// Why its time was up, where that is nobody's good right: a connection that rests between two requests may be
    /// closed at any time.
    pub fn fault(&self) -> Option<&'static str> {
        match self.activity.phase.load(Ordering::Relaxed) {
            HEAD | BEGUN => Some("head_too_slow"),
            _ if self.bodies.are_arriving() => Some("body_too_slow"),
            ANSWERING => Some("idle"),
            _ => None,
        }
    }

    /// How long nothing may come or go before it is cut; `None` where the upstream is waited for, or where it may rest
    /// for ever.
    pub fn rest(&self) -> Option<Duration> {
        if self.bodies.are_arriving() { self.activity.rest() } else { self.activity.rest_of_an_answer() }
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
    /// Whether bytes are to go out that have not.
    unsent: AtomicBool,
    /// How many requests have a head and are not over: of those that come without waiting for answers, hyper hands out
    /// the next one a little before it lets go of the last.
    under_way: AtomicU32,
    /// How long nothing may come or go, in milliseconds.
    rest: AtomicU64,
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

/// A request's head has been arriving for some time.
const HEAD: u8 = 0;
/// A request is complete, but perhaps for its body, and there is no answer yet.
const BUSY: u8 = 1;
/// The last answer is out.
const IDLE: u8 = 2;
/// A head has begun to arrive. Nearly all are complete in the same moment, so the
/// clock is looked at only when somebody asks and it still is not.
const BEGUN: u8 = 3;
/// Nothing has come yet.
const FRESH: u8 = 4;
/// An answer goes out.
const ANSWERING: u8 = 5;
/// All is said, and what still comes is thrown away.
const ENDING: u8 = 6;

/// How long it may take until a visitor has heard the end: a round trip or two, on a bad line.
const MAX_ENDING: Duration = Duration::from_secs(2);

/// What stands for a rest without a bound.
const FOR_EVER: u64 = u64::MAX;

/// The same, for others to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Not a byte has come.
    Nothing,
    /// A head has begun to arrive.
    Receiving,
    /// A request is being answered.
    Answering,
    /// The last answer is out.
    Resting,
}

impl Default for Activity {
    fn default() -> Self {
        Self::new()
    }
}

impl Activity {
    /// That of a connection which has just been accepted.
    pub fn new() -> Self {
        let (phase, since) = (AtomicU8::new(FRESH), AtomicU64::new(0));
        let (moved, unsent, under_way) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU32::new(0));
        Self { phase, since, moved, unsent, under_way, rest: AtomicU64::new(FOR_EVER), accepted: instant() }
    }

    /// Bytes came in; says of what.
    pub fn received(&self) -> Heard {
        self.moved.store(true, Ordering::Relaxed);
        match self.phase.load(Ordering::Relaxed) {
            IDLE => {
                self.phase.store(BEGUN, Ordering::Relaxed);
                Heard::Beginning
            }
            FRESH => {
                self.phase.store(HEAD, Ordering::Relaxed); // due since it was accepted
                Heard::Beginning
            }
            HEAD | BEGUN => Heard::Continuation,
            _ => Heard::WithinRequest,
        }
    }

    /// Bytes are to go out.
    pub fn sending(&self) {
        self.unsent.store(true, Ordering::Relaxed);
    }

    /// Bytes went out.
    pub fn sent(&self) {
        self.moved.store(true, Ordering::Relaxed);
    }

    /// All that was to go out has.
    pub fn flushed(&self) {
        self.unsent.store(false, Ordering::Relaxed);
    }

    fn owes_nothing(&self) -> bool {
        let owed = self.unsent.load(Ordering::Relaxed) || self.under_way.load(Ordering::Relaxed) > 0;
        !owed && self.doing() == Doing::Resting
    }

    /// Whether bytes have come or gone since this was asked before.
    pub fn has_moved(&self) -> bool {
        self.moved.swap(false, Ordering::Relaxed)
    }

    /// What it is doing at this moment.
    pub fn doing(&self) -> Doing {
        match self.phase.load(Ordering::Relaxed) {
            FRESH => Doing::Nothing,
            HEAD | BEGUN => Doing::Receiving,
            IDLE => Doing::Resting,
            _ => Doing::Answering,
        }
    }

    /// A head is complete. Its request is under way until it is [over](Self::over).
    pub(crate) fn busy(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.phase.store(BUSY, Ordering::Relaxed);
    }

    /// It is known for which app a request is, and so how long nothing may come or go.
    pub(super) fn may_rest(&self, limit: Option<Duration>) {
        self.rest.store(limit.map_or(FOR_EVER, millis), Ordering::Relaxed);
    }

    /// The head of an answer is there.
    pub(super) fn answering(&self) {
        self.phase.store(ANSWERING, Ordering::Relaxed);
    }

    /// The last answer is out, and the rest of what the visitor sends is thrown away.
    pub fn ending(&self, now: Instant) {
        self.enter(ENDING, now);
    }

    /// Whether a head has begun and is not complete.
    pub fn is_in_a_head(&self) -> bool {
        matches!(self.phase.load(Ordering::Relaxed), HEAD | BEGUN)
    }

    /// How long nothing may come or go, as far as it is known.
    pub fn rest(&self) -> Option<Duration> {
        let rest = self.rest.load(Ordering::Relaxed);
        (rest != FOR_EVER).then(|| Duration::from_millis(rest))
    }

    /// The same, while an answer goes out.
    fn rest_of_an_answer(&self) -> Option<Duration> {
        self.rest().filter(|_| self.phase.load(Ordering::Relaxed) == ANSWERING)
    }

    /// A request is over, and its answer with it.
    pub(crate) fn over(&self, now: Instant) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        self.idle(now);
    }

    /// Nobody is asked for anything.
    pub(crate) fn idle(&self, now: Instant) {
        self.enter(IDLE, now);
    }

    /// When the connection has to be cut if nothing changes; `None` while a request is answered.
    pub fn deadline(&self, header_timeout: Duration, keepalive: Duration) -> Option<Instant> {
        if self.phase.load(Ordering::Relaxed) == BEGUN {
            self.enter(HEAD, instant());
        }
        let limit = match self.phase.load(Ordering::Relaxed) {
            FRESH | HEAD => header_timeout,
            ENDING => MAX_ENDING,
            IDLE => keepalive,
            _ => return None,
        };
        Some(self.since() + limit)
    }

    /// When what it is doing began, where that is a head, a rest, or the end.
    fn since(&self) -> Instant {
        self.accepted + Duration::from_millis(self.since.load(Ordering::Relaxed))
    }

    fn enter(&self, phase: u8, now: Instant) {
        self.since.store(millis(now.duration_since(self.accepted)), Ordering::Relaxed);
        self.phase.store(phase, Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_secs() * 1000 + u64::from(duration.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_due_by_what_it_does() {
        let activity = Activity::new();
        let (head, rest) = (Duration::from_secs(10), Duration::from_secs(75));
        let due = || activity.deadline(head, rest).map(|due| due.duration_since(activity.accepted));
        assert_eq!((due(), activity.is_in_a_head()), (Some(head), false), "nothing yet");
        assert_eq!(activity.doing(), Doing::Nothing);
        activity.received();
        assert_eq!(activity.doing(), Doing::Receiving);
        assert_eq!(
            (due(), activity.is_in_a_head()),
            (Some(head), true),
            "the first head, as long since it was accepted"
        );
        activity.busy();
        assert_eq!(due(), None, "an answer takes as long as it takes");
        activity.may_rest(Some(Duration::from_mins(5)));
        assert_eq!(
            (activity.rest_of_an_answer(), activity.is_in_a_head()),
            (None, false),
            "the upstream is waited for"
        );
        activity.answering();
        assert_eq!(activity.doing(), Doing::Answering);
        assert_eq!((due(), activity.rest_of_an_answer()), (None, Some(Duration::from_mins(5))));
        activity.may_rest(None);
        assert_eq!(activity.rest_of_an_answer(), None, "for ever");
        activity.idle(instant());
        assert!(due() >= Some(rest) && activity.doing() == Doing::Resting);
        activity.received();
        assert!(due() < Some(rest) && activity.is_in_a_head(), "the next head");
        activity.ending(instant());
        assert_eq!(activity.doing(), Doing::Answering, "there is still something to be said");
        assert!(due() >= Some(MAX_ENDING) && due() < Some(rest), "the end");
    }

    #[test]
    fn nothing_is_owed_when_all_requests_are_over_and_all_bytes_are_out() {
        let activity = Activity::new();
        assert!(!activity.owes_nothing(), "nothing has been asked yet");
        activity.received();
        activity.busy();
        activity.sending();
        activity.over(instant());
        assert!(!activity.owes_nothing(), "its answer is not out");
        activity.sent();
        assert!(!activity.owes_nothing(), "nor is all of it because something is");
        activity.flushed();
        assert!(activity.owes_nothing());
        activity.busy();
        activity.busy();
        activity.over(instant());
        assert!(!activity.owes_nothing(), "the next one was handed out before the last was over");
        activity.over(instant());
        assert!(activity.owes_nothing());
        activity.received();
        assert!(!activity.owes_nothing(), "the next head has begun");
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
