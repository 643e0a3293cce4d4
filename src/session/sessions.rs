//! The service that everything above uses: open, look up, end.
//!
//! Nearly every request has a session that its worker knows ([`Recent`](crate::session::Recent))
//! and asks only [`Sessions::is_good`]. The others go to [`Sessions::resolve`], which looks into
//! the cache and asks the store once for all who wait for the same session. The flight is
//! keyed by the whole [`SessionId`] (CVE-2026-71326: a key joined from strings let
//! one visitor ride on another's).
//!
//! Store calls run on the background runtime, because a store's connections live
//! there and must not wait for a worker that is busy with visitors; and because a
//! visitor who hangs up must not cut a write in half.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use moka::policy::EvictionPolicy;
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

use crate::{
    clock::{Clock, Moment, Timestamp},
    config::SessionTimes,
    identity::{AppId, Issuer, ProviderSessionId, Subject, Visitor},
    meter::Meter,
    random::Random,
    secret::Secret,
    session::{
        CookieSecret, EndReason, Error, Feed, Home, Landed, Pulse, Session, SessionId, Store, StoreError, Tokens,
        feed::Freshness,
        live::{Live, Registry},
        record::{self, Record},
        store::{EndedRecord, NewRecord, Owner, Position},
    },
};

/// How many sessions are kept opened. At about 1 KiB each this is 100 MiB when full;
/// beyond it the store is asked again, at the price of a few microseconds from memory.
const CACHED_SESSIONS: u64 = 100_000;
/// How many ids are remembered as unknown, apart from the sessions, so that a flood
/// of invented cookies evicts nobody.
const CACHED_UNKNOWN: u64 = 10_000;
/// Long enough to spare the store a browser's repeated old cookie.
const UNKNOWN_FOR: Duration = Duration::from_mins(1);
/// How often, at most, the store is told that a session is in use.
pub(super) const TOUCH_INTERVAL: Duration = Duration::from_mins(1);
/// How long the store may take; past that it counts as unavailable.
const STORE_DEADLINE: Duration = Duration::from_secs(5);
/// How long a session goes on that its browser has replaced: requests of other tabs
/// may be on their way with its cookie.
const OVERLAP: Duration = Duration::from_mins(1);

/// All sessions, as this process knows them.
pub struct Sessions {
    pub(super) store: Arc<dyn Store>,
    pub(super) feed: Arc<dyn Feed>,
    /// The longest times that any app has, or had under an earlier configuration.
    pub(super) longest: Mutex<SessionTimes>,
    pub(super) clock: Clock,
    pub(super) registry: Arc<Registry>,
    pub(super) freshness: Freshness,
    pub(super) meter: Meter,
    random: Random,
    background: Handle,
    cache: moka::future::Cache<SessionId, Arc<Session>>,
    unknown: moka::sync::Cache<SessionId, ()>,
}

/// What the cache says, at once.
#[derive(Debug)]
pub(crate) enum Cached {
    /// A live session that counts here.
    Hit(Arc<Session>),
    /// There is no such session here.
    Unknown,
    /// Ask [`Sessions::resolve`].
    Miss,
}

/// A sign-in, to become a session.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Who signed in.
    pub visitor: Visitor,
    /// On what terms the provider's word was taken.
    pub terms: String,
    /// The `auth_time` claim.
    pub auth_time: Option<Timestamp>,
    /// The `sid` claim.
    pub provider_session: Option<ProviderSessionId>,
    /// The attempt that made it, and where that led.
    pub landed: Option<Landed>,
    /// What to keep of the token response.
    pub tokens: Tokens,
    /// The ID token as received, for `id_token_hint` at sign-out.
    pub id_token: Option<Secret<String>>,
}

/// What is left to do when a session has ended: tell the provider.
#[derive(Clone, Debug)]
pub struct EndedSession {
    /// The app at which it began.
    pub app: AppId,
    /// Whose it was, and which provider's.
    pub visitor: Visitor,
    /// To be revoked.
    pub tokens: Tokens,
    /// For RP-initiated logout.
    pub id_token_hint: Option<Secret<String>>,
}

/// What a session is worth at a given moment, as far as this process knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Valid,
    /// Ended, or past its lifetime: no store could say otherwise.
    Over,
    /// Unused here for too long; another replica may know of a later use.
    PerhapsIdle,
}

/// Why a load brought no session.
enum NotLoaded {
    Unknown,
    OfAnotherApp,
    Store(StoreError),
}

impl Sessions {
    /// Over a store and its feed. Nothing is trusted until [`Sessions::follow_feed`],
    /// which belongs on the `background` runtime, has read the feed for the first time.
    pub fn new(
        store: Arc<dyn Store>,
        feed: Arc<dyn Feed>,
        longest: SessionTimes,
        clock: Clock,
        random: Random,
        meter: Meter,
        background: Handle,
    ) -> Self {
        Self {
            store,
            feed,
            longest: Mutex::new(longest),
            clock,
            registry: Arc::default(),
            freshness: Freshness::new(),
            meter,
            random,
            background,
            cache: opened_sessions(CACHED_SESSIONS),
            unknown: moka::sync::Cache::builder()
                .max_capacity(CACHED_UNKNOWN)
                .time_to_live(UNKNOWN_FOR)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
        }
    }

    /// Keeps what apps of a newer configuration may still want: no row goes before its session.
    pub fn keep_for(&self, times: SessionTimes) {
        let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        *longest = longest.longest(times);
    }

    /// Opens every session anew at its next use, and so judges it by the times that its app has by then.
    pub fn open_anew(&self) {
        self.cache.invalidate_all();
    }

    /// With another capacity, so that a test can fill it.
    #[cfg(test)]
    pub(crate) fn holding_at_most(self, sessions: u64) -> Self {
        Self { cache: opened_sessions(sessions), ..self }
    }

    /// Makes a session of a sign-in, always under a new secret (threat 7). A session
    /// that the browser had before is the caller's to [`end`](Self::end).
    pub async fn open(&self, home: &Home, new: NewSession) -> Result<(CookieSecret, Arc<Session>), Error> {
        let now = self.clock.now();
        let secret = CookieSecret::generate(&self.random);
        let id = secret.id();
        let owner = Owner {
            app: home.app().clone(),
            issuer: new.visitor.issuer.clone(),
            subject: new.visitor.subject.clone(),
            provider_session: new.provider_session.clone(),
        };
        let id_token = new.id_token.as_ref().map(|token| record::seal_id_token(token, &secret, &self.random));
        let record = Record {
            app: home.app().clone(),
            visitor: new.visitor,
            terms: new.terms,
            created_at: now,
            auth_time: new.auth_time,
            provider_session: new.provider_session,
            landed: new.landed,
            tokens: new.tokens,
        };
        let row = NewRecord { id, owner, created_at: now, record: record.seal(&secret, &self.random), id_token };

        let position = self.freshness.applied();
        let live = self.registry.register(id);
        self.ask(|store| async move { store.insert(row).await }).await?;
        live.settle(now.plus(home.times().lifetime), home.times().idle_timeout, now);
        self.meter.session_opened();
        let session = Arc::new(Session::new(record, live, position));
        self.cache.insert(id, Arc::clone(&session)).await;
        Ok((secret, session))
    }

    /// Whether a session that was looked up before still counts, as far as that can be said at
    /// once; [`resolve`](Self::resolve) says the rest. Notes its use.
    pub fn is_good(&self, pulse: &Pulse, now: Moment) -> bool {
        let good = self.freshness.is_trusted_at(now)
            && self.freshness.covers(pulse.position)
            && standing(&pulse.live, now.timestamp()) == Standing::Valid;
        if good {
            self.note_use(&pulse.live, now.timestamp());
        }
        good
    }

    /// The session of an id, if that can be said at once. Notes its use.
    pub(crate) fn peek(&self, home: &Home, id: &SessionId) -> Cached {
        // Ready at once but for rare upkeep of the cache; a miss is a fair answer to that.
        let Some(session) = self.cache.get(id).now_or_never().flatten() else {
            let unknown = self.freshness.is_trusted() && self.unknown.contains_key(id);
            return if unknown { Cached::Unknown } else { Cached::Miss };
        };
        self.judge(home, session)
    }

    /// What an opened session is worth now.
    fn judge(&self, home: &Home, session: Arc<Session>) -> Cached {
        if !self.freshness.is_trusted() || !self.freshness.covers(session.pulse.position) {
            return Cached::Miss;
        }
        let now = self.clock.now();
        match standing(&session.pulse.live, now) {
            Standing::Valid if home.takes(&session.app) => {
                self.note_use(&session.pulse.live, now);
                Cached::Hit(session)
            }
            Standing::Valid | Standing::Over => Cached::Unknown,
            Standing::PerhapsIdle => Cached::Miss,
        }
    }

    /// The session of a cookie, from the store where need be. `None`: there is no
    /// such session that counts at this app, or no longer.
    pub async fn resolve(&self, home: &Home, secret: &CookieSecret) -> Result<Option<Arc<Session>>, Error> {
        let id = secret.id();
        // More than once only where a gap in the feed opened during the load.
        loop {
            match self.peek(home, &id) {
                Cached::Hit(session) => return Ok(Some(session)),
                Cached::Unknown => return Ok(None),
                Cached::Miss if !self.freshness.is_trusted() => return Err(Error::Stale),
                Cached::Miss => {}
            }
            if self.cache.get(&id).await.is_some_and(|session| self.needs_reload(&session)) {
                self.cache.invalidate(&id).await;
            }
            let session = match self.cache.try_get_with(id, self.load(home, id, secret)).await {
                Ok(session) => session,
                Err(why) => match &*why {
                    NotLoaded::Unknown | NotLoaded::OfAnotherApp => return Ok(None),
                    NotLoaded::Store(error) => return Err(error.clone().into()),
                },
            };
            if !self.freshness.covers(session.pulse.position) {
                continue;
            }
            // The flight may have been another's, and an ending may have overtaken it.
            let now = self.clock.now();
            if !home.takes(&session.app) || standing(&session.pulse.live, now) != Standing::Valid {
                return Ok(None);
            }
            self.note_use(&session.pulse.live, now);
            return Ok(Some(session));
        }
    }

    fn needs_reload(&self, session: &Session) -> bool {
        !self.freshness.covers(session.pulse.position)
            || standing(&session.pulse.live, self.clock.now()) == Standing::PerhapsIdle
    }

    async fn load(&self, home: &Home, id: SessionId, secret: &CookieSecret) -> Result<Arc<Session>, NotLoaded> {
        let position = self.freshness.applied();
        // Before the store is asked: see `live`.
        let live = self.registry.register(id);
        let stored = self.ask(move |store| async move { store.load(&id).await }).await.map_err(NotLoaded::Store)?;
        let Some(stored) = stored else { return Err(self.not_known(id)) };
        let record = match Record::open(&stored.record, secret, &self.random) {
            Ok(record) => record,
            Err(error) => {
                tracing::warn!(session = %id, %error, "a session's record cannot be read; its visitor signs in again");
                return Err(self.not_known(id));
            }
        };
        // Judged by the times of its own app only: under another's it could outlive them.
        if !home.takes(&record.app) {
            return Err(NotLoaded::OfAnotherApp);
        }
        let times = home.times();
        live.settle(record.created_at.plus(times.lifetime), times.idle_timeout, stored.last_used);
        match standing(&live, self.clock.now()) {
            Standing::Valid => Ok(Arc::new(Session::new(record, live, position))),
            Standing::Over | Standing::PerhapsIdle => Err(self.not_known(id)),
        }
    }

    fn not_known(&self, id: SessionId) -> NotLoaded {
        self.unknown.insert(id, ());
        NotLoaded::Unknown
    }

    /// Notes that a session is in use, where no request says so: WebSocket traffic.
    pub fn touch(&self, pulse: &Pulse) {
        self.note_use(&pulse.live, self.clock.now());
    }

    fn note_use(&self, live: &Arc<Live>, now: Timestamp) {
        live.used(now);
        if live.claim_write(now, TOUCH_INTERVAL) {
            let (store, id) = (Arc::clone(&self.store), live.id);
            self.background.spawn(async move {
                if let Err(error) = in_time(store.touch(&id, now)).await {
                    // The next use in a minute tries again; whoever needs the store meanwhile reports it.
                    tracing::debug!(session = %id, error = &error as &dyn std::error::Error, "a use was not noted");
                }
            });
        }
    }

    /// Ends the session of a cookie: here at once, elsewhere through the feed. `None`:
    /// there was none (any more).
    pub async fn end(&self, secret: &CookieSecret, reason: EndReason) -> Result<Option<EndedSession>, Error> {
        let id = secret.id();
        let ended = self.ask(move |store| async move { store.end(&id, reason).await }).await?;
        self.apply_ending(id).await;
        let Some(EndedRecord { record, id_token }) = ended else { return Ok(None) };
        self.tell(id, reason);
        match Record::open(&record, secret, &self.random) {
            Ok(record) => Ok(Some(EndedSession {
                app: record.app,
                visitor: record.visitor,
                tokens: record.tokens,
                id_token_hint: id_token.and_then(|sealed| record::open_id_token(&sealed, secret, &self.random)),
            })),
            Err(error) => {
                tracing::warn!(session = %id, %error, "an ended session's record cannot be read; its provider is not told");
                Ok(None)
            }
        }
    }

    /// Ends a session that its browser has replaced by another of the same person: not
    /// at once, and whatever becomes of the request that replaced it.
    pub fn supersede(self: &Arc<Self>, secret: CookieSecret) {
        let sessions = Arc::clone(self);
        self.background.spawn(async move {
            sleep(OVERLAP).await;
            if let Err(error) = sessions.end(&secret, EndReason::Superseded).await {
                tracing::warn!(%error, "a superseded session was not ended; its lifetime will");
            }
        });
    }

    /// Ends all sessions of one person; returns how many.
    pub async fn end_all_of_subject(
        &self,
        issuer: Issuer,
        subject: Subject,
        reason: EndReason,
    ) -> Result<usize, Error> {
        let ended =
            self.ask(move |store| async move { store.end_all_of_subject(&issuer, &subject, reason).await }).await?;
        Ok(self.apply_endings(ended, reason).await)
    }

    /// Ends all sessions that came from one session at the provider; returns how many.
    pub async fn end_all_of_provider_session(
        &self,
        issuer: Issuer,
        sid: ProviderSessionId,
        reason: EndReason,
    ) -> Result<usize, Error> {
        let ended = self
            .ask(move |store| async move { store.end_all_of_provider_session(&issuer, &sid, reason).await })
            .await?;
        Ok(self.apply_endings(ended, reason).await)
    }

    async fn apply_endings(&self, ended: Vec<SessionId>, reason: EndReason) -> usize {
        for id in &ended {
            self.apply_ending(*id).await;
            self.tell(*id, reason);
        }
        ended.len()
    }

    /// Of an ending, where it was made: the other replicas only hear of it.
    fn tell(&self, id: SessionId, reason: EndReason) {
        self.meter.session_ended(reason.as_str());
        tracing::info!(session = %id, reason = reason.as_str(), "session ended");
    }

    /// Makes an ending true in this process: for the cache, for loads in flight, for every holder.
    pub(super) async fn apply_ending(&self, id: SessionId) {
        if let Some(live) = self.registry.find(&id) {
            live.end();
        }
        self.unknown.insert(id, ());
        self.cache.invalidate(&id).await;
    }

    /// Asks the store, on the background runtime and in time.
    async fn ask<T, F>(&self, call: impl FnOnce(Arc<dyn Store>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let answer = self.background.spawn(in_time(call(Arc::clone(&self.store))));
        answer.await.unwrap_or_else(|stopped| Err(StoreError::unavailable(stopped)))
    }
}

fn standing(live: &Live, now: Timestamp) -> Standing {
    if now >= live.expires_at() {
        Standing::Over
    } else if live.is_idle(now) {
        Standing::PerhapsIdle
    } else {
        Standing::Valid
    }
}

fn opened_sessions(capacity: u64) -> moka::future::Cache<SessionId, Arc<Session>> {
    // moka's default policy admits almost nothing new into a full warm cache.
    moka::future::Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru()).build()
}

/// A store that does not answer is as good as none.
pub(super) async fn in_time<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(STORE_DEADLINE, call).await.unwrap_or_else(|elapsed| Err(StoreError::unavailable(elapsed)))
}

impl Session {
    fn new(record: Record, live: Arc<Live>, position: Position) -> Self {
        let Record { app, visitor, terms, created_at, auth_time, landed, provider_session: _, tokens } = record;
        let tokens = tokens.handed_over();
        Self { app, visitor, terms, created_at, auth_time, landed, tokens, pulse: Pulse { live, position } }
    }
}
