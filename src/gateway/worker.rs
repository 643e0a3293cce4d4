//! What one worker thread has of its own: its visitors' connections and those to the upstreams, its log buffer, its
//! request ids.

use std::{
    iter,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, uri::PathAndQuery};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Broken, Connection,
    apps::{App, Apps},
    guest::{Guest, Prepared},
    judgement::PassesAs,
    let_through,
};
use crate::{
    clock::{Clock, Moment, instant},
    forward::Tunnel,
    identity::Ended,
    meter::{AccessLine, WorkerLog},
    random::Random,
    request::{Client, client::Trust},
    session::Recent,
    upstream::Upstream,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One worker's share of the gateway.
pub struct Worker {
    pub(super) apps: Arc<Apps>,
    /// By the place of the app in [`Apps`].
    pub(super) upstreams: Vec<Option<Upstream>>,
    /// The sessions that it has served lately.
    pub(super) recent: Recent<Prepared>,
    /// The tasks that serve visitors: their connections, and the tunnels that some of them become.
    pub visitors: TaskTracker,
    /// Cancelled when visitors should go elsewhere.
    pub(super) leaving: CancellationToken,
    /// Over once a newer configuration has a worker in the place of this one.
    pub(super) superseded: Ended,
    /// Cancelled when no more requests are to come.
    stop: CancellationToken,
    access_log: Option<WorkerLog>,
    ids: RequestIds,
    random: Random,
    pub(super) clock: Clock,
}

impl Worker {
    /// A worker for these apps, until `stop` is cancelled, some time after `leaving`; `access_log` is `None` where it is
    /// off.
    pub fn new(
        apps: Arc<Apps>,
        access_log: Option<WorkerLog>,
        random: &Random,
        clock: Clock,
        leaving: CancellationToken,
        stop: CancellationToken,
    ) -> Self {
        let upstream = |app: &Arc<App>| Some(Upstream::new(app.connector.clone()?, app.config.limits));
        let upstreams = apps.iter().map(upstream).collect();
        Self {
            apps,
            upstreams,
            recent: Recent::new(random),
            visitors: TaskTracker::new(),
            leaving,
            superseded: Ended::default(),
            stop,
            access_log,
            ids: RequestIds::new(random),
            random: random.clone(),
            clock,
        }
    }

    /// The worker that goes on under another configuration. What does not depend on that is the same: the visitors,
    /// and the connections to upstreams that are reached in the same way.
    #[must_use]
    pub fn successor(&self, apps: Arc<Apps>, access_log: Option<WorkerLog>) -> Self {
        let mut kept: Vec<_> = self.upstreams.iter().flatten().collect();
        let upstream = |app: &Arc<App>| {
            let connector = app.connector.as_ref()?;
            Some(match kept.iter().position(|upstream| upstream.is_of(connector)) {
                Some(place) => kept.swap_remove(place).under(app.config.limits),
                None => Upstream::new(connector.clone(), app.config.limits),
            })
        };
        Self {
            upstreams: apps.iter().map(upstream).collect(),
            apps,
            recent: Recent::new(&self.random),
            visitors: self.visitors.clone(),
            leaving: self.leaving.clone(),
            superseded: Ended::default(),
            stop: self.stop.clone(),
            access_log,
            ids: RequestIds::new(&self.random),
            random: self.random.clone(),
            clock: self.clock.clone(),
        }
    }

    /// What it answers with.
    pub fn apps(&self) -> &Arc<Apps> {
        &self.apps
    }

    /// Lets go of what nobody uses any more: connections to upstreams, sessions that have ended.
    pub fn tidy(&self) {
        self.upstreams.iter().flatten().for_each(Upstream::drop_rested);
        self.recent.forget_ended();
    }

    pub(super) fn next_id(&self) -> RequestId {
        self.ids.next()
    }
}

/// Names requests: unique within the process, and hard to confuse across processes.
#[derive(Debug)]
struct RequestIds(Mutex<Names>);

/// The names that come next. They are drawn many at a time into one piece of memory, because an allocation for each
/// would cost more than all else about them.
#[derive(Debug)]
struct Names {
    seed: u64,
    drawn: Bytes,
}

impl RequestIds {
    fn new(random: &Random) -> Self {
        Self(Mutex::new(Names { seed: u64::from_le_bytes(random.bytes()), drawn: Bytes::new() }))
    }

    fn next(&self) -> RequestId {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.drawn.is_empty() {
            names.draw();
        }
        let name = names.drawn.split_to(Names::LENGTH);
        RequestId(HeaderValue::from_maybe_shared(name).unwrap_or(HeaderValue::from_static("-")))
    }
}

impl Names {
    const LENGTH: usize = 16;
    const AT_ONCE: usize = 32;
    /// Odd, so that multiples of it meet every value before one comes again.
    const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

    fn draw(&mut self) {
        let mut text = Vec::with_capacity(Self::AT_ONCE * Self::LENGTH);
        for _ in 0..Self::AT_ONCE {
            text.extend(
                (0..Self::LENGTH).map(|place| b"0123456789abcdef"[(self.seed >> (60 - 4 * place) & 15) as usize]),
            );
            self.seed = self.seed.wrapping_add(Self::STRIDE);
        }
        self.drawn = text.into();
    }
}

/// The name of a request, ours or a trusted proxy's: in the log, on the page, in `X-Request-Id`.
#[derive(Clone, Debug)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// A name that a trusted proxy gave, if it is one that cannot disturb a log.
    pub(super) fn given(client: &Client<'_>, headers: &HeaderMap) -> Option<Self> {
        if client.peer_trust() == Trust::Untrusted {
            return None;
        }
        let value = headers.get(X_REQUEST_ID)?;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=+/".contains(byte);
        let bytes = value.as_bytes();
        ((1..=128).contains(&bytes.len()) && bytes.iter().all(plain)).then(|| Self(value.clone()))
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// A request under way: what its access line will say.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) id: RequestId,
    pub(super) started: Moment,
    pub(super) method: Method,
    pub(super) protocol: Version,
    pub(super) path: Option<PathAndQuery>,
    pub(super) client: IpAddr,
    pub(super) app: Option<Arc<App>>,
    pub(super) guest: Option<Arc<Guest>>,
    /// As whose it passes.
    pub(super) passes_as: PassesAs,
    /// The host, where that is not the public one of the app.
    pub(super) further_host: Option<HeaderValue>,
    pub(super) purpose: Purpose,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody wants something.
    Visit,
    /// A load balancer looks every few seconds whether we serve: counted, and not worth a line.
    HealthProbe,
}

impl Trace {
    /// Whose it is as long as it goes on.
    pub(super) fn passing_guest(&self) -> Option<&Guest> {
        self.guest.as_deref().filter(|_| self.passes_as == PassesAs::Guest)
    }

    /// Copies what it has of the head, whose buffer is a thousand times as large: a tunnel may last for days.
    fn let_go(&mut self) {
        if let Some(path) = &mut self.path {
            let copy = PathAndQuery::try_from(path.as_str());
            *path = copy.unwrap_or_else(|_| PathAndQuery::from_static("/"));
        }
        for value in iter::once(&mut self.id.0).chain(&mut self.further_host) {
            *value = HeaderValue::from_bytes(value.as_bytes()).unwrap_or(HeaderValue::from_static("-"));
        }
    }
}

/// What the log says of a request whose visitor left before there was an answer; nginx's number.
const VISITOR_LEFT: u16 = 499;

/// Writes the access line when the answer, or the tunnel that follows it, is over, or when nobody waits for one any more.
pub(super) struct Finish {
    pub(super) worker: Arc<Worker>,
    pub(super) connection: Arc<Connection>,
    pub(super) trace: Trace,
    /// `None` while there is no answer.
    pub(super) status: Option<StatusCode>,
    pub(super) bytes: u64,
}

impl std::fmt::Debug for Finish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finish").field("request", &self.trace.id).field("status", &self.status).finish_non_exhaustive()
    }
}

impl Finish {
    /// The head of the answer is there.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
        self.connection.activity.answering();
        self.count(status.as_u16());
    }

    /// Carries a tunnel to its end, which is the request's as well.
    #[cold]
    pub(super) fn follow(mut self: Box<Self>, tunnel: Box<Tunnel>) {
        self.trace.let_go();
        // What a request before left behind is no part of the tunnel.
        self.connection.bodies.settle();
        let worker = Arc::clone(&self.worker);
        worker.visitors.spawn(async move {
            let finish = &mut *self;
            let (stop, random) = (finish.worker.stop.clone(), finish.worker.random.clone());
            let refused = let_through::refused(&mut finish.worker, &finish.connection, &mut finish.trace);
            tunnel.carry(refused, stop, random, &mut finish.bytes).await;
        });
    }

    fn count(&self, status: u16) {
        self.trace.app.as_ref().map_or(&self.worker.apps.unrouted, |app| &app.meter).count(status);
    }

    /// The answer will not come to its end, although its head is out: only the log can say why.
    #[cold]
    pub(super) fn broke_off(&self, broken: &Broken) {
        let app = self.trace.app.as_ref().map_or("-", |app| app.config.id.as_str());
        let (request_id, client) = (self.trace.id.as_str(), self.trace.client);
        match broken {
            Broken::Upstream(error) => {
                tracing::warn!(request_id, reason = "upstream_broken", app, %client, %error, "an answer was cut");
            }
            Broken::SessionEnded => {
                tracing::info!(request_id, reason = "session_ended", app, %client, "an answer was cut");
            }
            Broken::NotAdmitted => {
                tracing::info!(request_id, reason = "not_admitted", app, %client, "an answer was cut");
            }
        }
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        let now = instant();
        self.connection.activity.over(now);
        if self.status.is_none() {
            self.count(VISITOR_LEFT);
        }
        let (trace, worker) = (&self.trace, &self.worker);
        let Some(log) = worker.access_log.as_ref().filter(|_| trace.purpose == Purpose::Visit) else { return };
        let duration = now.duration_since(trace.started.instant());
        log.record(&AccessLine {
            unix_millis: trace.started.unix_millis() + i64::try_from(duration.as_millis()).unwrap_or(i64::MAX),
            request_id: trace.id.as_str(),
            app: trace.app.as_ref().map_or("", |app| app.config.id.as_str()),
            client: trace.client,
            method: trace.method.as_str(),
            path: trace.path.as_ref().map_or("-", PathAndQuery::path),
            status: self.status.map_or(VISITOR_LEFT, |status| status.as_u16()),
            bytes: self.bytes,
            protocol: trace.protocol,
            duration,
            user: trace.guest.as_ref().map(|guest| guest.made().subject.as_str()),
        });
    }
}
