//! The session service over a real store: two replicas, outages, races.
//!
//! Here and not beside `session`, which knows no store. Time stands still unless a
//! test moves it: `hand` for what sessions measure, tokio's paused clock for how
//! long the feed has been silent.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, task::yield_now, time::advance};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock, ManualClock, Timestamp},
    config::SessionTimes,
    identity::{AppId, EmailTrust, Issuer, ProviderId, ProviderSessionId, Subject, Visitor},
    meter::Meter,
    random::Random,
    secret::Secret,
    session::{
        Cached, CookieSecret, EndReason, Error, Feed, Home, Landed, NewSession, Session, Sessions, Store, Tokens,
        cookie::AttemptId, store::Position,
    },
    store::MemoryStore,
};

mod endings;
mod instrumented;
mod lookup;
mod outages;
mod time;

use instrumented::Instrumented;

const IDLE: Duration = Duration::from_mins(10);
const ALMOST_IDLE: Duration = Duration::from_secs(599);
const LIFETIME: Duration = Duration::from_hours(1);
const TIMES: SessionTimes = SessionTimes { idle_timeout: IDLE, lifetime: LIFETIME };
const MINUTE: Duration = Duration::from_mins(1);

/// A store, and a clock that all replicas share.
struct House {
    store: Arc<Instrumented>,
    clock: Clock,
    hand: ManualClock,
    meter: Meter,
}

impl House {
    fn new() -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_unix(1_000_000));
        let meter = Meter::new(&clock);
        Self { store: Arc::new(Instrumented::over(MemoryStore::new())), clock, hand, meter }
    }

    /// A replica that has not heard the feed yet.
    fn deaf_replica(&self) -> Sessions {
        Sessions::new(
            self.store.clone(),
            self.store.clone(),
            TIMES,
            self.clock.clone(),
            Random::system(),
            self.meter.clone(),
            Handle::current(),
        )
    }

    /// How many sessions ended for each reason, as `/metrics` has it.
    fn ended(&self, reason: &str) -> Option<u64> {
        let series = format!("vestibule_sessions_ended_total{{reason=\"{reason}\"}} ");
        let metrics = self.meter.render();
        metrics.lines().find_map(|line| line.strip_prefix(&series)).map(|count| count.parse().expect("a number"))
    }

    async fn replica(&self) -> Arc<Sessions> {
        Self::listening(self.deaf_replica()).await
    }

    async fn replica_holding(&self, sessions: u64) -> Arc<Sessions> {
        Self::listening(self.deaf_replica().holding_at_most(sessions)).await
    }

    async fn listening(sessions: Sessions) -> Arc<Sessions> {
        let sessions = Arc::new(sessions);
        tokio::spawn(Arc::clone(&sessions).follow_feed(CancellationToken::new()));
        until(|| sessions.is_ready()).await;
        sessions
    }
}

/// Lets everything else run until `done`; all that is waited for here happens without time passing.
async fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if done() {
            return;
        }
        yield_now().await;
    }
    panic!("it never came true");
}

/// Lets whatever was spawned run to where it waits.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

fn wiki() -> Home {
    Home::alone(AppId::new("wiki"), TIMES)
}

fn issuer() -> Issuer {
    Issuer::new("https://id.example.com")
}

fn sign_in(subject: &str) -> NewSession {
    NewSession {
        visitor: Visitor {
            provider: ProviderId::new("company"),
            issuer: issuer(),
            subject: Subject::new(subject),
            user: Some(subject.to_owned()),
            email: None,
            email_trust: EmailTrust::Untrusted,
            name: None,
            preferred_username: None,
            groups: Vec::new(),
            claims: Vec::new(),
        },
        terms: String::new(),
        auth_time: None,
        provider_session: Some(ProviderSessionId::new(format!("sid of {subject}"))),
        landed: None,
        tokens: Tokens { refresh_token: Some(Secret::new(format!("refresh {subject}"))), ..Tokens::default() },
        id_token: Some(Secret::new(format!("id token {subject}"))),
    }
}

async fn opened(sessions: &Sessions, subject: &str) -> (CookieSecret, Arc<Session>) {
    sessions.open(&wiki(), sign_in(subject)).await.expect("the store is up")
}

async fn resolved(sessions: &Sessions, secret: &CookieSecret) -> Option<Arc<Session>> {
    sessions.resolve(&wiki(), secret).await.expect("the store is up")
}

fn is_hit(sessions: &Sessions, secret: &CookieSecret) -> bool {
    matches!(sessions.peek(&wiki(), &secret.id()), Cached::Hit(_))
}

fn is_unknown(sessions: &Sessions, secret: &CookieSecret) -> bool {
    matches!(sessions.peek(&wiki(), &secret.id()), Cached::Unknown)
}

fn is_miss(sessions: &Sessions, secret: &CookieSecret) -> bool {
    matches!(sessions.peek(&wiki(), &secret.id()), Cached::Miss)
}
