//! Connections in HTTP/1.1 at rest, the youngest first.
//!
//! Last in, first out: under little load few connections stay warm and the others
//! age out. The lock is never contended: a pool belongs to one worker's thread.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::Response;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Fault,
    body::{RequestBody, ResponseBody, Silence, Upload},
    connect::{Heard, Stream},
};
use crate::clock::instant;

/// More connections at rest than this are closed.
const MAX_IDLE: usize = 64;

/// A connection that rested longer is closed.
pub(super) const MAX_REST: Duration = Duration::from_mins(1);

/// A body that was answered early and of which nothing has been taken for this long goes no further.
const STALLED: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Idle>>);

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

/// A connection. Dropped, it closes at once, whatever is on its way.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<RequestBody>,
    heard: Heard,
    task: AbortOnDropHandle<()>,
}

impl Connection {
    /// Begins to speak HTTP/1.1.
    pub(super) async fn open(stream: Stream) -> Result<Box<Self>, Fault> {
        let heard = stream.heard();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // The sender learns of a connection's end by itself; its own error says nothing more.
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Box::new(Self { sender, heard, task: AbortOnDropHandle::new(task) }))
    }
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
        idle.connection.heard.forget();
        Some(Lease { rested, ..self.lend(idle.connection, upload) })
    }

    /// Lends out a connection for a request with this body.
    pub(super) fn lend(self: &Arc<Self>, connection: Box<Connection>, upload: Option<&Arc<Upload>>) -> Lease {
        Lease { connection, rested: Duration::ZERO, upload: upload.cloned(), pool: Some(Arc::clone(self)) }
    }

    pub(super) fn drop_rested(&self, now: Instant) {
        self.lock().retain(|idle| now.duration_since(idle.since) < MAX_REST && !idle.connection.sender.is_closed());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub(super) fn sender(&mut self) -> &mut SendRequest<RequestBody> {
        &mut self.connection.sender
    }

    /// How long it had rested when it was taken.
    pub(super) fn rested(&self) -> Duration {
        self.rested
    }

    /// Whether a byte of an answer has come.
    pub(super) fn has_heard(&self) -> bool {
        self.connection.heard.anything()
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
        self,
        response: Response<Incoming>,
        silence: Option<Box<Silence>>,
    ) -> Response<ResponseBody> {
        response.map(|incoming| ResponseBody::pooled(incoming, self, silence))
    }

    /// Back to the pool, unless the connection is over, or the answer came early
    /// and the request's body still occupies it.
    pub(super) fn give_back(self) {
        if self.connection.sender.is_closed() {
            return;
        }
        if let Some(upload) = self.upload.filter(|upload| !upload.is_over()) {
            // The visitor may read the answer only when all is sent: what has begun goes where it was to
            // go, and the connection ends with it. What has not begun, nobody asks for any more.
            if upload.has_begun() {
                tokio::spawn(see_off(self.connection.task, upload));
            }
            return;
        }
        let Some(pool) = self.pool else { return };
        let mut idle = pool.lock();
        if idle.len() < MAX_IDLE {
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
