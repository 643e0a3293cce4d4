//! A worker's short way to the sessions that it has served lately.
//!
//! The cache of the process serves all workers, keeps order among its entries and
//! wants the session's id, a hash of the cookie's secret. With ten thousand sessions
//! in turn that costs a request a microsecond, mostly waiting for memory. This is
//! one map of one thread in front of it, whose entries have all that a request of
//! the session needs in one place: what says whether it still counts, and what the
//! worker has made of it (`T`) under its configuration, which never changes under a
//! worker. An entry knows nothing by itself: whoever takes one has it judged by
//! [`Sessions`] like what the cache hands out.
//!
//! Keys are the app and 128 bits of a keyed hash over the cookie's value as it came
//! (SipHash-2-4, a pseudorandom function): nobody without the key, drawn by each
//! worker at its start, can choose values that collide or guess one that hits, and
//! nobody who reads the map learns a cookie. Rejected: the value itself (the map would
//! hold secrets), the session's id (a cryptographic hash a request).

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use siphasher::sip128::SipHasher24;

use super::{Pulse, Session, Sessions};
use crate::{clock::Moment, random::Random};

/// When it is full it starts anew: one pass through the cache for each session that is still there.
const CAPACITY: usize = 16 * 1024;

/// Sessions that one worker has served lately.
pub struct Recent<T> {
    hasher: SipHasher24,
    sessions: Mutex<Served<T>>,
}

type Served<T> = HashMap<CookieTag, Arc<Guest<T>>, BuildHasherDefault<FirstBytes>>;

/// A session, as one worker serves it.
///
/// In this order, as a request reads it: with thousands of sessions in turn each is far away in memory.
#[derive(Debug)]
#[repr(C)]
pub struct Guest<T> {
    pulse: Pulse,
    made: T,
    session: Arc<Session>,
}

/// Stands for one cookie's value at one app, within one worker. It opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieTag {
    hash: (u64, u64),
    /// The app's place in the configuration.
    app: usize,
}

impl Hash for CookieTag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A hash already; that of the same value at another app is rare.
        state.write_u64(self.hash.0);
    }
}

impl<T> Recent<T> {
    /// Empty, under a key of its own.
    pub fn new(random: &Random) -> Self {
        Self { hasher: SipHasher24::new_with_key(&random.bytes()), sessions: Mutex::default() }
    }

    /// What stands here for a session cookie's value at the app of a place.
    pub fn tag(&self, app: usize, cookie: &[u8]) -> CookieTag {
        CookieTag { app, hash: self.hasher.hash(cookie).as_u64() }
    }

    /// The session of a cookie, if this worker has it and it still counts. Notes its use.
    ///
    /// `look_ahead` is to touch what the request will read: it comes while the session is judged, and nobody waits for
    /// memory twice.
    pub fn get(
        &self,
        tag: CookieTag,
        sessions: &Sessions,
        now: Moment,
        look_ahead: impl FnOnce(&T),
    ) -> Option<Arc<Guest<T>>> {
        let guest = Arc::clone(self.lock().get(&tag)?);
        look_ahead(&guest.made);
        sessions.is_good(&guest.pulse, now).then_some(guest)
    }

    /// Keeps a session that has just been looked up.
    pub fn keep(&self, tag: CookieTag, session: Arc<Session>, made: T) -> Arc<Guest<T>> {
        let guest = Arc::new(Guest { pulse: session.pulse.clone(), made, session });
        let mut served = self.lock();
        if served.len() >= CAPACITY {
            served.clear();
        }
        served.insert(tag, Arc::clone(&guest));
        guest
    }

    /// Lets go of sessions that have ended.
    pub fn forget_ended(&self) {
        self.lock().retain(|_, guest| !guest.pulse.has_ended());
    }

    /// Lets go of all of them: nobody asks for them any more.
    pub fn forget_all(&self) {
        *self.lock() = HashMap::default();
    }

    /// Never contended: a worker is one thread.
    fn lock(&self) -> MutexGuard<'_, Served<T>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Guest<T> {
    /// What says whether the session still counts.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// What the worker made of it.
    pub fn made(&self) -> &T {
        &self.made
    }

    /// All of it: farther away in memory than the rest.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

impl<T> std::fmt::Debug for Recent<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recent({} sessions)", self.lock().len())
    }
}

/// Takes the first eight bytes of a key that is a hash already.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
