//! The composition root: from a configuration to a running sidecar, and to its end.
//!
//! This is the only place that knows every part, and the only one that names a store.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
    thread,
};

use thiserror::Error;
use tokio::{
    net::TcpListener,
    runtime,
    sync::{mpsc, oneshot, watch},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock, Timers},
    config::Config,
    gateway::{Current, Worker},
    listener::{self, Acceptor, Address, BindError, Capacity, Endings, capacity, ops},
    meter::{AccessLog, LineFormat, LogStream, Meter, Reload},
    random::Random,
    relying_party::ClientError,
};

mod compose;
mod conductor;
mod parties;
mod reload;
mod worker_thread;

pub use reload::{NEED_A_RESTART, ReadAgain};

use compose::Composer;
use conductor::Conductor;
use parties::Parties;
use reload::{Reloader, WorkerPlace};

/// What a test may replace.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time.
    pub clock: Clock,
    /// The source of everything unguessable.
    pub random: Random,
    /// What is counted.
    pub meter: Meter,
    /// Where lines go.
    pub log: LogStream,
    /// How access lines look.
    pub lines: LineFormat,
    /// Changes the levels of what is logged.
    pub levels: Levels,
}

/// Takes another `log.level`.
#[derive(Clone)]
pub struct Levels(Arc<dyn Fn(&str) + Send + Sync>);

impl Levels {
    /// Does it in this way.
    pub fn new(set: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(set))
    }

    fn set(&self, level: &str) {
        (self.0)(level);
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Levels")
    }
}

impl Default for Options {
    fn default() -> Self {
        let clock = Clock::system();
        let meter = Meter::new(&clock);
        let log = LogStream::new(io::stdout(), &meter);
        Self { clock, random: Random::system(), meter, log, lines: LineFormat::Json, levels: Levels::new(|_| {}) }
    }
}

/// Why it does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Nobody could come in.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// A certificate or key cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] io::Error),
    /// An upstream's TLS cannot be set up.
    #[error("the upstream of app `{app}` cannot be used: {error}")]
    Upstream {
        /// Whose upstream.
        app: String,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// The client that talks to a provider cannot be made.
    #[error("provider `{provider}` cannot be used: {error}")]
    Provider {
        /// Which one.
        provider: String,
        /// Why not.
        #[source]
        error: ClientError,
    },
    /// The operating system gives no threads, sockets or signals.
    #[error("the runtime cannot be set up: {0}")]
    Runtime(#[source] io::Error),
}

/// A sidecar at work.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<Address>,
    ops: Option<SocketAddr>,
    reload: mpsc::Sender<oneshot::Sender<Reload>>,
    stop: CancellationToken,
    hurry: CancellationToken,
    stopped: watch::Receiver<bool>,
}

impl Running {
    /// Where visitors come in, in the order of the configuration, with real ports.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.ops
    }

    /// Reads the configuration again, and takes it if it is good; resolves when that is over.
    pub async fn reload(&self) -> Reload {
        let (answer, outcome) = oneshot::channel();
        if self.reload.send(answer).await.is_err() {
            return Reload::Refused; // it is going down
        }
        outcome.await.unwrap_or(Reload::Refused)
    }

    /// Begins to stop: not ready, then no more connections, then no more requests.
    pub fn shut_down(&self) {
        self.stop.cancel();
    }

    /// Cancelled, it makes a stop that has begun take no more time.
    pub fn hurry(&self) -> CancellationToken {
        self.hurry.clone()
    }

    /// Resolves when everything has stopped.
    pub async fn stopped(&self) {
        // An error means that the conductor is gone, and everything with it.
        drop(self.stopped.clone().wait_for(|stopped| *stopped).await);
    }
}

/// Starts everything; returns when visitors can come in. Providers are discovered in the background, and `read_again` is
/// asked for a new configuration when there is a reason to.
pub fn start(config: Config, read_again: ReadAgain, options: &Options) -> Result<Running, StartError> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let server = Arc::clone(&config.server);
    let bound = listener::bind(&server.listen)?;
    let ops_bound = server.ops_listen.map(listener::bind_ops).transpose()?;
    let background = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("background")
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    let meter = &options.meter;
    let composer = Composer::new(&config, options, background.handle());
    let composed = composer.compose(config, None)?;
    meter.configured(options.clock.now());

    let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
    let (serving, ending) = (CancellationToken::new(), CancellationToken::new());
    let access_log = AccessLog::new(options.lines, &options.log);
    let capacity = Arc::new(Capacity::new(capacity::within_descriptors(server.limits.connections), meter.clone()));
    let places: Vec<_> = (0..server.workers.get())
        .map(|_| {
            let log = access_log.worker();
            let (apps, clock) = (Arc::clone(&composed.apps), options.clock.clone());
            let used = composed.config.log.access.then(|| log.clone());
            let worker = Worker::new(apps, used, &options.random, clock, stop.clone(), serving.clone());
            WorkerPlace { current: Arc::new(Current::new(worker)), log }
        })
        .collect();
    let workers = places
        .iter()
        .map(|place| {
            // Of its own: each request asks a token twice, which is a lock, and all workers would take the same one.
            let endings = Endings { leaving: stop.child_token(), stop: serving.child_token() };
            let (current, timers) = (Arc::clone(&place.current), Timers::of(background.handle()));
            let acceptor = Acceptor::new(current, Arc::clone(&capacity), meter.clone(), timers, endings);
            worker_thread::start(acceptor, &bound, hurry.clone())
        })
        .collect::<Result<Vec<_>, _>>()?;

    let draining = Arc::new(AtomicBool::new(false));
    let sessions = &composer.sessions;
    let parties = Arc::new(Parties::new(&composed.parties, background.handle(), &ending));
    background.spawn(Arc::clone(sessions).follow_feed(ending.clone()));
    background.spawn(Arc::clone(sessions).sweep(ending.clone()));
    let ops_address = ops_bound.as_ref().map(std::net::TcpListener::local_addr).transpose();
    let ops_address = ops_address.map_err(StartError::Runtime)?;
    if let Some(bound) = ops_bound {
        let _on_background = background.enter();
        let listener = TcpListener::from_std(bound).map_err(StartError::Runtime)?;
        let probe = parties::probe(Arc::clone(&draining), Arc::clone(sessions), Arc::clone(&parties));
        background.spawn(ops::serve(listener, meter.clone(), probe, ending.clone()));
    }
    let current = Arc::clone(&places[0].current);
    let (reload, asked) = mpsc::channel(1);
    let reloader = Reloader::new(read_again, composer, composed, parties, places, options);
    background.spawn(reloader.run(asked, ending.clone()));

    let addresses: Vec<_> = bound.iter().map(|bound| bound.address.clone()).collect();
    let (stopped_tx, stopped) = watch::channel(false);
    let conductor = Conductor {
        background,
        bound,
        workers,
        log: options.log.clone(),
        draining,
        stop: stop.clone(),
        hurry: hurry.clone(),
        serving,
        ending,
        current,
        stopped: stopped_tx,
    };
    thread::Builder::new().name("conductor".to_owned()).spawn(move || conductor.run()).map_err(StartError::Runtime)?;
    for (place, address) in addresses.iter().enumerate() {
        let ops = ops_address.filter(|_| place == 0).map(|ops| ops.to_string());
        tracing::info!(%address, ops, workers = server.workers.get(), version = env!("CARGO_PKG_VERSION"), "listening");
    }
    Ok(Running { addresses, ops: ops_address, reload, stop, hurry, stopped })
}
