//! What is counted and what is written down about the traffic.
//!
//! Counters are Prometheus families in the `OpenMetrics` text format. Every label
//! is typed and every value comes from the configuration or from the code, never
//! from a request, so that no visitor can grow them. Families are looked up when
//! a configuration is loaded; what a request touches afterwards are the atomics
//! of an [`AppMeter`].
//!
//! Lines (access lines and events) share one [`LogStream`], which never blocks
//! and never tears a line.
//!
//! Rejected: global registries (`metrics`), because a test could then not look
//! at its own numbers only; the library's histogram, because it is one mutex for
//! all workers (see [`Histogram`]).

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};

use crate::{
    clock::{Clock, Timestamp},
    identity::{AppId, ProviderId},
};

mod access_line;
mod histogram;
mod label;
mod line;
mod log_stream;
mod redacted_headers;

pub use access_line::{AccessLine, AccessLog, WorkerLog};
pub use histogram::Histogram;
use label::{AppClass, AppLabel, AppReason, CallLabel, ProviderLabel, ReasonLabel, ReloadLabel, SignInLabel};
pub use label::{Metadata, ProviderCall, Reload};
pub use line::{Key, Line, LineFormat, Literal, TimeText};
pub use log_stream::{Lane, LogStream};
pub use redacted_headers::RedactedHeaders;

/// The media type of [`Meter::render`] (`OpenMetrics` 1.0).
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every counter of the process.
#[derive(Clone)]
pub struct Meter {
    registry: Arc<Registry>,
    families: Arc<Families>,
}

#[derive(Default)]
struct Families {
    requests: Family<AppClass, Counter>,
    refusals: Family<AppReason, Counter>,
    upstream: Family<AppLabel, Histogram>,
    sign_ins: Family<SignInLabel, Counter>,
    provider: Family<CallLabel, Histogram>,
    metadata_known: Family<ProviderLabel, Gauge>,
    sessions_opened: Counter,
    sessions_ended: Family<ReasonLabel, Counter>,
    connections: Gauge,
    connections_cut: Family<ReasonLabel, Counter>,
    connections_refused: Family<ReasonLabel, Counter>,
    accept_pauses: Family<ReasonLabel, Counter>,
    log_lines_dropped: Counter,
    reloads: Family<ReloadLabel, Counter>,
    configured: Gauge,
}

impl Meter {
    /// An empty set, of a process that starts now.
    pub fn new(clock: &Clock) -> Self {
        let families = Families::default();
        let mut registry = Registry::default();
        let started = Gauge::<i64>::default();
        started.set(clock.now().as_unix());
        registry.register_with_unit("process_start_time", "When this process started", Unit::Seconds, started);
        families.register(registry.sub_registry_with_prefix("vestibule"));
        Self { registry: Arc::new(registry), families: Arc::new(families) }
    }

    /// All numbers as text, for `/metrics`.
    pub fn render(&self) -> String {
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("writing to a string does not fail");
        out
    }

    /// The numbers of one app; the same ones for the same id.
    pub fn app(&self, app: &AppId) -> AppMeter {
        let label = AppLabel::new(app);
        let upstream = self.families.upstream.get_or_create_owned(&label);
        self.requests_of(label, upstream)
    }

    /// The numbers of requests that are answered before it is known for which app they are.
    pub fn unrouted(&self) -> AppMeter {
        self.requests_of(AppLabel::none(), Histogram::default())
    }

    fn requests_of(&self, app: AppLabel, upstream: Histogram) -> AppMeter {
        let requests = AppClass::all(&app).map(|class| self.families.requests.get_or_create_owned(&class));
        AppMeter { requests, upstream, refusals: self.families.refusals.clone(), app }
    }

    /// The numbers of one provider; the same ones for the same id.
    pub fn provider(&self, provider: &ProviderId) -> ProviderMeter {
        let label = ProviderLabel::new(provider);
        ProviderMeter {
            known: self.families.metadata_known.clone(),
            calls: CallLabel::all(&label).map(|call| self.families.provider.get_or_create_owned(&call)),
            metadata_known: self.families.metadata_known.get_or_create_owned(&label),
            sign_ins: self.families.sign_ins.clone(),
            provider: label,
        }
    }

    /// Counts a session that begins.
    pub fn session_opened(&self) {
        self.families.sessions_opened.inc();
    }

    /// Counts a session that is over, and why.
    pub fn session_ended(&self, reason: &'static str) {
        self.sessions_ended(reason, 1);
    }

    /// Counts sessions that are over, all for the same reason.
    pub fn sessions_ended(&self, reason: &'static str, sessions: usize) {
        self.families.sessions_ended.get_or_create(&ReasonLabel { reason }).inc_by(sessions as u64);
    }

    /// Counts a connection for as long as the returned value lives.
    pub fn connection(&self) -> OpenConnection {
        self.families.connections.inc();
        OpenConnection(self.families.connections.clone())
    }

    /// Counts a connection that was cut because it cost more than it may, and why.
    pub fn connection_cut(&self, reason: &'static str) {
        self.families.connections_cut.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a connection that was closed before its first request, and why.
    pub fn connection_refused(&self, reason: &'static str) {
        self.families.connections_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a pause in which no connection is accepted, and why.
    pub fn accept_paused(&self, reason: &'static str) {
        self.families.accept_pauses.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Notes when the configuration was read that is in use.
    pub fn configured(&self, at: Timestamp) {
        self.families.configured.set(at.as_unix());
    }

    /// Counts a configuration that was read while the process runs, and what became of it.
    pub fn reloaded(&self, outcome: Reload, at: Timestamp) {
        self.families.reloads.get_or_create(&ReloadLabel { outcome }).inc();
        if outcome == Reload::Taken {
            self.configured(at);
        }
    }

    /// The counter that a [`LogStream`] feeds.
    fn log_lines_dropped(&self) -> Counter {
        self.families.log_lines_dropped.clone()
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

impl Families {
    /// Gives each its name; the library adds `_total`, `_info` and the unit.
    fn register(&self, registry: &mut Registry) {
        registry.register("build", "The version that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register("requests", "Requests answered, by class of status", self.requests.clone());
        registry.register("refusals", "Requests that we answered with an error", self.refusals.clone());
        registry.register_with_unit(
            "upstream",
            "Time until the head of the upstream's answer",
            Unit::Seconds,
            self.upstream.clone(),
        );
        registry.register("sign_ins", "Sign-ins that came back from the provider", self.sign_ins.clone());
        registry.register_with_unit("provider", "Time of calls to the provider", Unit::Seconds, self.provider.clone());
        registry.register(
            "provider_metadata_known",
            "1 once the provider's metadata and keys have been read",
            self.metadata_known.clone(),
        );
        registry.register("sessions_opened", "Sessions opened", self.sessions_opened.clone());
        registry.register("sessions_ended", "Sessions ended", self.sessions_ended.clone());
        registry.register("connections", "Open connections of visitors", self.connections.clone());
        registry.register(
            "connections_cut",
            "Connections cut because too little came or went on them",
            self.connections_cut.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections closed before their first request",
            self.connections_refused.clone(),
        );
        registry.register("accept_pauses", "Pauses in accepting connections", self.accept_pauses.clone());
        registry.register(
            "log_lines_dropped",
            "Log lines lost because standard output did not take them",
            self.log_lines_dropped.clone(),
        );
        registry.register("config_reloads", "Configurations read while running", self.reloads.clone());
        registry.register_with_unit(
            "config_last_good_time",
            "When the configuration was read that is in use",
            Unit::Seconds,
            self.configured.clone(),
        );
    }
}

/// The numbers of one app, resolved once so that a request only adds to atomics.
#[derive(Clone, Debug)]
pub struct AppMeter {
    app: AppLabel,
    requests: [Counter; AppClass::COUNT],
    upstream: Histogram,
    refusals: Family<AppReason, Counter>,
}

impl AppMeter {
    /// Counts an answer by the class of its status (RFC 9110 §15).
    pub fn count(&self, status: u16) {
        self.requests[AppClass::index(status)].inc();
    }

    /// Records how long the upstream took until the head of its answer.
    pub fn upstream_answered(&self, after: Duration) {
        self.upstream.observe(after);
    }

    /// Counts an answer of ours that is an error, and why.
    pub fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&self.app.because(reason)).inc();
    }
}

/// The numbers of one provider.
#[derive(Clone, Debug)]
pub struct ProviderMeter {
    provider: ProviderLabel,
    calls: [Histogram; ProviderCall::ALL.len()],
    metadata_known: Gauge,
    known: Family<ProviderLabel, Gauge>,
    sign_ins: Family<SignInLabel, Counter>,
}

impl ProviderMeter {
    /// Records how long a call took, whatever came of it.
    pub fn called(&self, call: ProviderCall, took: Duration) {
        self.calls[call as usize].observe(took);
    }

    /// Says whether there is metadata to work with.
    pub fn metadata(&self, metadata: Metadata) {
        self.metadata_known.set(match metadata {
            Metadata::Known => 1,
            Metadata::Unknown => 0,
        });
    }

    /// Says nothing more of the metadata: no configuration has the provider any more.
    pub fn forget_metadata(&self) {
        self.known.remove(&self.provider);
    }

    /// Counts a sign-in that opened a session.
    pub fn sign_in_succeeded(&self) {
        self.sign_ins.get_or_create(&self.provider.succeeded()).inc();
    }

    /// Counts a sign-in that came to nothing: an error of the provider, a proof that did not hold.
    pub fn sign_in_failed(&self, reason: &'static str) {
        self.sign_ins.get_or_create(&self.provider.failed(reason)).inc();
    }
}

/// A connection that is counted while this lives.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests;
