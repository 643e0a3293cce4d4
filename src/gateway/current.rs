//! Which configuration a worker thread answers with, and how its connections come to the next one.
//!
//! A configuration is one immutable value, and what it is made of ([`Worker`]) changes
//! as a whole: [`Current`] holds the newest for one thread. A request takes it when it
//! begins and keeps it to its end. Asking the lock for it with each request would be a
//! lock too many, so a connection keeps what it used last and looks only whether that
//! has been superseded: one flag, which nobody writes between two reloads.
//!
//! Rejected: `arc-swap`, whose soundness is still being argued about; a channel of
//! tokio's `watch`, which is the same with a lock that readers share.

use std::{
    cell::RefCell,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Connection, Worker};

/// What one worker thread answers with.
pub struct Current(Mutex<Arc<Worker>>);

impl Current {
    /// Begins with this one.
    pub fn new(worker: Worker) -> Self {
        Self(Mutex::new(Arc::new(worker)))
    }

    /// The newest.
    pub fn worker(&self) -> Arc<Worker> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the next one; gives back the one before, which those have who began with it.
    pub fn replace(&self, successor: Worker) -> Arc<Worker> {
        let before =
            std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), Arc::new(successor));
        before.superseded.end();
        // A connection at rest may hold it for hours; what it knows of people need not stay as long.
        before.recent.forget_all();
        before
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

/// Knows what the requests of one connection are answered with: each with what is newest when it comes.
pub struct Answering {
    connection: Arc<Connection>,
    worker: RefCell<Arc<Worker>>,
}

impl Answering {
    /// For a connection that has just been made.
    pub fn new(connection: Arc<Connection>) -> Self {
        let worker = connection.current.worker();
        // It may be another than when the connection came.
        connection.peer.judge_again(&worker.apps.trusted_proxies, worker.apps.unix_peers());
        Self { worker: RefCell::new(worker), connection }
    }

    /// What the next request is answered with.
    ///
    /// Not the answer itself: where [`handle`](super::handle) is called, its future is made in place, and what a
    /// function hands over is copied, four thousand bytes of it.
    pub fn worker(&self) -> Arc<Worker> {
        let mut worker = self.worker.borrow_mut();
        if worker.superseded.is_ended() {
            *worker = self.connection.current.worker();
            self.connection.peer.judge_again(&worker.apps.trusted_proxies, worker.apps.unix_peers());
        }
        Arc::clone(&worker)
    }

    /// Whose it is.
    pub fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }
}
