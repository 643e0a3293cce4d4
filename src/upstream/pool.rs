//! Connections at rest, the youngest first.
//!
//! Last in, first out: under little load few connections stay warm and the others
//! age out. The lock is never contended: a pool belongs to one worker's thread.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::Response;
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use tokio_util::sync::CancellationToken;

use super::body::{RequestBody, ResponseBody};
use crate::clock::instant;

/// More connections at rest than this are closed.
const MAX_IDLE: usize = 64;

/// A connection that rested longer is closed.
const MAX_REST: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Idle>>);

#[derive(Debug)]
struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

impl Pool {
    /// The connection that came back last, if it has not rested too long.
    pub(super) fn take(self: &Arc<Self>, body_sent: Option<&CancellationToken>) -> Option<Lease> {
        let idle = self.lock().pop()?;
        let rested = instant().duration_since(idle.since);
        if rested >= MAX_REST {
            self.lock().clear(); // the others have rested longer still
            return None;
        }
        Some(Lease { rested, ..self.lend(idle.sender, body_sent) })
    }

    /// Lends out a connection for a request whose body is sent when `body_sent` says so.
    pub(super) fn lend(
        self: &Arc<Self>,
        sender: SendRequest<RequestBody>,
        body_sent: Option<&CancellationToken>,
    ) -> Lease {
        Lease { sender, rested: Duration::ZERO, body_sent: body_sent.cloned(), pool: Arc::clone(self) }
    }

    pub(super) fn drop_rested(&self, now: Instant) {
        self.lock().retain(|idle| now.duration_since(idle.since) < MAX_REST && !idle.sender.is_closed());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection on loan. Dropped, it closes; given back, it rests in the pool.
#[derive(Debug)]
pub(super) struct Lease {
    sender: SendRequest<RequestBody>,
    rested: Duration,
    body_sent: Option<CancellationToken>,
    pool: Arc<Pool>,
}

impl Lease {
    pub(super) fn sender(&mut self) -> &mut SendRequest<RequestBody> {
        &mut self.sender
    }

    /// How long it had rested when it was taken.
    pub(super) fn rested(&self) -> Duration {
        self.rested
    }

    /// Ties the connection to the body of its answer.
    pub(super) fn answered(self, response: Response<Incoming>) -> Response<ResponseBody> {
        response.map(|incoming| ResponseBody::pooled(incoming, self))
    }

    /// Back to the pool, unless the connection is over, or the answer came early
    /// and the request's body still occupies it.
    pub(super) fn give_back(self) {
        if self.sender.is_closed() || self.body_sent.is_some_and(|sent| !sent.is_cancelled()) {
            return;
        }
        let mut idle = self.pool.lock();
        if idle.len() < MAX_IDLE {
            idle.push(Idle { sender: self.sender, since: instant() });
        }
    }
}
