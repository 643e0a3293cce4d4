//! Connections in HTTP/1.1 at rest, the youngest first.
//!
//! Last in, first out: under little load few connections stay warm and the others
//! age out. The lock is never contended: a pool belongs to one worker's thread.
//!
//! Nobody drives a connection that rests. A pool has one task that is woken when something happens to one of them, which
//! is mostly its end: an upstream that closes is answered at once, and what it says unasked ends the connection.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    task::{Wake, Waker},
    time::{Duration, Instant},
};

use http::Response;
use hyper::body::Incoming;
use tokio::{sync::Notify, time::sleep};
use tokio_util::task::AbortOnDropHandle;

use super::{
    body::{ResponseBody, Silence, Upload},
    http1::Connection,
};
use crate::clock::instant;

/// More connections at rest than this are closed.
const MAX_IDLE: usize = 64;

/// A connection that rested longer is closed.
pub(super) const MAX_REST: Duration = Duration::from_mins(1);

/// A body that was answered early and of which nothing has been taken for this long goes no further.
const STALLED: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
    keeper: OnceLock<Keeper>,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Pool {
    /// The connection that came back last, if it has not rested too long.
    pub(super) fn take(self: &Arc<Self>, now: Instant, upload: Option<&Arc<Upload>>) -> Option<Lease> {
        let idle = self.lock().pop()?;
        let rested = now.duration_since(idle.since);
        if rested >= MAX_REST {
            self.lock().clear(); // the others have rested longer still
            return None;
        }
        idle.connection.stir();
        idle.connection.traffic().forget();
        Some(Lease { rested, ..self.lend(idle.connection, upload) })
    }

    /// Lends out a connection for a request with this body.
    pub(super) fn lend(self: &Arc<Self>, connection: Box<Connection>, upload: Option<&Arc<Upload>>) -> Lease {
        Lease { connection, rested: Duration::ZERO, upload: upload.cloned(), pool: Some(Arc::clone(self)) }
    }

    pub(super) fn drop_rested(&self, now: Instant) {
        self.lock().retain(|idle| now.duration_since(idle.since) < MAX_REST && !idle.connection.is_closed());
    }

    fn drop_closed(&self) {
        let Some(keeper) = self.keeper.get() else { return };
        self.lock().retain_mut(|idle| {
            idle.connection.look();
            idle.connection.rest(&keeper.waker);
            !idle.connection.is_closed()
        });
    }

    /// How many connections rest.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// As if something had happened to all of them.
    #[cfg(test)]
    pub(super) fn ring(&self) {
        self.lock().iter().for_each(|idle| idle.connection.ring());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets go of the connections of a pool that end while they rest.
#[derive(Debug)]
struct Keeper {
    waker: Waker,
    _task: AbortOnDropHandle<()>,
}

impl Keeper {
    fn of(pool: &Arc<Pool>) -> Self {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let task = tokio::spawn(keep(Arc::downgrade(pool), bell));
        Self { waker, _task: AbortOnDropHandle::new(task) }
    }
}

async fn keep(pool: Weak<Pool>, bell: Arc<Bell>) {
    loop {
        bell.0.notified().await;
        let Some(pool) = pool.upgrade() else { return };
        pool.drop_closed();
    }
}

/// What connections at rest ring.
#[derive(Debug, Default)]
struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// A connection on loan. Dropped, it closes; given back, it rests in the pool.
#[derive(Debug)]
pub(super) struct Lease {
    /// Boxed, as it moves about with the answer.
    connection: Box<Connection>,
    rested: Duration,
    upload: Option<Arc<Upload>>,
    /// `None` where it is not to be used again.
    pool: Option<Arc<Pool>>,
}

impl Lease {
    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// How long it had rested when it was taken.
    pub(super) fn rested(&self) -> Duration {
        self.rested
    }

    /// Makes it another pool's.
    pub(super) fn move_to(&mut self, pool: &Arc<Pool>) {
        self.pool = Some(Arc::clone(pool));
    }

    /// Lets it end with this answer.
    pub(super) fn use_no_more(&mut self) {
        self.pool = None;
    }

    /// Ties the connection to the body of its answer.
    pub(super) fn answered(
        mut self,
        response: Response<Incoming>,
        silence: Option<Box<Silence>>,
    ) -> Response<ResponseBody> {
        let uploads = self.upload.as_ref().is_some_and(|upload| !upload.is_over());
        if uploads || self.connection.traffic().has_unsent() {
            self.connection.detach();
        }
        response.map(|incoming| ResponseBody::pooled(incoming, self, silence))
    }

    /// Back to the pool, unless the connection is over, or the answer came early
    /// and the request's body still occupies it.
    pub(super) fn give_back(mut self) {
        if self.connection.is_closed() {
            return;
        }
        if let Some(upload) = self.upload.filter(|upload| !upload.is_over()) {
            // The visitor may read the answer only when all is sent: what has begun goes where it was to
            // go, and the connection ends with it. What has not begun, nobody asks for any more.
            if upload.has_begun()
                && let Some(task) = self.connection.into_task()
            {
                tokio::spawn(see_off(task, upload));
            }
            return;
        }
        let Some(pool) = self.pool else { return };
        if self.connection.is_idle() {
            self.connection.attach();
        } else {
            // The end of the request, or of the answer, is still on its way.
            self.connection.detach();
        }
        if self.connection.is_closed() {
            return;
        }
        let keeper = pool.keeper.get_or_init(|| Keeper::of(&pool));
        let mut idle = pool.lock();
        if idle.len() < MAX_IDLE {
            self.connection.rest(&keeper.waker);
            idle.push(Idle { connection: self.connection, since: instant() });
        }
    }
}

/// Lets a body that was answered early come to its end, but ends the connection where it does not move: an upstream
/// that neither reads nor closes would hold it for ever.
async fn see_off(task: AbortOnDropHandle<()>, upload: Arc<Upload>) {
    let mut mark = upload.mark();
    loop {
        sleep(STALLED).await;
        let now = upload.mark();
        if task.is_finished() || now == mark {
            return;
        }
        mark = now;
    }
}
