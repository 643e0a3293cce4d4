//! A worker's short way to the sessions that it has served lately.
//!
//! The cache of the process serves all workers and keeps order among its entries;
//! with ten thousand sessions in turn that costs a request a microsecond, mostly
//! waiting for memory. This is one map of one thread in front of it. It knows
//! nothing by itself: what it hands out is judged like what the cache hands out.
//!
//! Its keys are the ids of sessions, hashes of secrets that we drew, so eight bytes
//! of one are as good as any hash of it, and nobody can choose them to collide:
//! only what was found to be a session gets in.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Session, SessionId};

/// When it is full it starts anew: one pass through the cache for each session that is still there.
const CAPACITY: usize = 16 * 1024;

/// Sessions that one worker has served lately.
#[derive(Default)]
pub struct Recent(Mutex<HashMap<SessionId, Arc<Session>, BuildHasherDefault<FirstBytes>>>);

impl Recent {
    pub(super) fn get(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.lock().get(id).cloned()
    }

    pub(super) fn keep(&self, session: &Arc<Session>) {
        let mut sessions = self.lock();
        if sessions.len() >= CAPACITY {
            sessions.clear();
        }
        sessions.insert(*session.id(), Arc::clone(session));
    }

    /// Lets go of sessions that have ended.
    pub fn forget_ended(&self) {
        self.lock().retain(|_, session| !session.ended().is_ended());
    }

    /// Never contended: a worker is one thread.
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Session>, BuildHasherDefault<FirstBytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Recent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recent({} sessions)", self.lock().len())
    }
}

/// Takes the first eight bytes of a key that is a hash already.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length that precedes an array's bytes says nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
