//! The composition root: from a configuration to a running sidecar, and to its end.
//!
//! This is the only place that knows every part, and the only one that names a store.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use thiserror::Error;
use tokio::{net::TcpListener, runtime, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::Config,
    gateway::Worker,
    listener::{
        self, Acceptor, Address, BindError, Bound, Capacity, Endings, capacity,
        ops::{self, Probe, Readiness},
        tls::Certificates,
    },
    login::Party,
    meter::{AccessLog, LineFormat, LogStream, Metadata, Meter},
    random::Random,
    relying_party::ClientError,
    session::Sessions,
};

mod compose;
mod conductor;

use compose::compose;
use conductor::Conductor;

/// How often what nobody uses any more is let go: connections, ended sessions, clients of the sign-in limit.
const TIDY_EVERY: Duration = Duration::from_secs(30);

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
}

impl Default for Options {
    fn default() -> Self {
        let clock = Clock::system();
        let meter = Meter::new(&clock);
        let log = LogStream::new(io::stdout(), &meter);
        Self { clock, random: Random::system(), meter, log, lines: LineFormat::Json }
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

/// Starts everything; returns when visitors can come in. Providers are discovered in the background.
pub fn start(config: &Config, options: &Options) -> Result<Running, StartError> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let bound = listener::bind(&config.server.listen)?;
    let ops_bound = config.server.ops_listen.map(listener::bind_ops).transpose()?;
    let read_certificates = |tls| Certificates::read(tls, config.apps.iter().map(AsRef::as_ref)).map(Arc::new);
    let certificates = config.server.tls.as_ref().map(read_certificates).transpose().map_err(StartError::Tls)?;
    let background = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("background")
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    let meter = &options.meter;
    let parts = compose(config, options, background.handle())?;

    let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
    let (serving, ending) = (CancellationToken::new(), CancellationToken::new());
    let access_log = config.log.access.then(|| AccessLog::new(options.lines, &options.log));
    let connections = capacity::within_descriptors(config.server.limits.connections);
    let capacity = Arc::new(Capacity::new(connections, meter.clone()));
    let workers = (0..config.server.workers.get())
        .map(|_| {
            let log = access_log.as_ref().map(AccessLog::worker);
            let (apps, clock) = (Arc::clone(&parts.apps), options.clock.clone());
            let worker = Arc::new(Worker::new(apps, log, &options.random, clock, stop.clone(), serving.clone()));
            let (certificates, capacity) = (certificates.clone(), Arc::clone(&capacity));
            let endings = Endings { leaving: stop.clone(), stop: serving.clone() };
            let acceptor = Acceptor::new(worker, certificates, &config.server, capacity, meter.clone(), endings);
            start_worker(acceptor, &bound, config.server.drain_timeout, hurry.clone())
        })
        .collect::<Result<Vec<_>, _>>()?;

    let draining = Arc::new(AtomicBool::new(false));
    for party in &parts.parties {
        background.spawn(Arc::clone(&party.relying_party).keep_metadata(ending.clone()));
    }
    background.spawn(Arc::clone(&parts.sessions).follow_feed(ending.clone()));
    background.spawn(Arc::clone(&parts.sessions).sweep(ending.clone()));
    if let Some(certificates) = certificates {
        background.spawn(certificates.keep_fresh(ending.clone()));
    }
    let ops_address = ops_bound.as_ref().map(std::net::TcpListener::local_addr).transpose();
    let ops_address = ops_address.map_err(StartError::Runtime)?;
    if let Some(bound) = ops_bound {
        let _on_background = background.enter();
        let listener = TcpListener::from_std(bound).map_err(StartError::Runtime)?;
        let probe = probe(Arc::clone(&draining), Arc::clone(&parts.sessions), parts.parties);
        background.spawn(ops::serve(listener, meter.clone(), probe, ending.clone()));
    }

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
        drain_delay: config.server.drain_delay,
        stopped: stopped_tx,
    };
    thread::Builder::new().name("conductor".to_owned()).spawn(move || conductor.run()).map_err(StartError::Runtime)?;
    for (place, address) in addresses.iter().enumerate() {
        let ops = ops_address.filter(|_| place == 0).map(|ops| ops.to_string());
        tracing::info!(%address, ops, workers = config.server.workers.get(), version = env!("CARGO_PKG_VERSION"), "listening");
    }
    Ok(Running { addresses, ops: ops_address, stop, hurry, stopped })
}

/// A thread with a runtime of its own, accepting from all sockets.
fn start_worker(
    acceptor: Acceptor,
    bound: &[Bound],
    drain_timeout: Duration,
    hurry: CancellationToken,
) -> Result<JoinHandle<()>, StartError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    let listeners = {
        let _on_worker = runtime.enter();
        bound.iter().map(Bound::share).collect::<Result<Vec<_>, _>>().map_err(StartError::Runtime)?
    };
    let work = async move {
        let acceptor = Arc::new(acceptor);
        for listener in listeners {
            acceptor.tasks.spawn(Arc::clone(&acceptor).accept_from(listener));
        }
        let worker = Arc::clone(&acceptor.worker);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(TIDY_EVERY);
            loop {
                tick.tick().await;
                worker.tidy();
            }
        });
        acceptor.endings.stop.cancelled().await;
        acceptor.tasks.close();
        tokio::select! {
            () = acceptor.tasks.wait() => {}
            () = tokio::time::sleep(drain_timeout) => {
                tracing::warn!(connections = acceptor.tasks.len(), "the drain timeout is over: what is still under way is cut");
            }
            () = hurry.cancelled() => {}
        }
    };
    let work = move || {
        runtime.block_on(work);
        // What is left is cut, and a name that is still being looked up is not waited for.
        runtime.shutdown_background();
    };
    thread::Builder::new().name("worker".to_owned()).spawn(work).map_err(StartError::Runtime)
}

/// Ready when sessions can be checked, every provider has been heard of once, and nobody wants us to stop.
fn probe(draining: Arc<AtomicBool>, sessions: Arc<Sessions>, parties: Vec<Party>) -> Probe {
    Arc::new(move || {
        let draining = draining.load(Ordering::Acquire);
        let sessions = sessions.is_ready();
        let mut checks = vec![
            ("draining".to_owned(), if draining { "yes" } else { "no" }.to_owned()),
            ("sessions".to_owned(), if sessions { "readable" } else { "not readable" }.to_owned()),
        ];
        let mut ready = sessions && !draining;
        for Party { relying_party, meter } in &parties {
            let known = relying_party.metadata().is_some();
            meter.metadata(if known { Metadata::Known } else { Metadata::Unknown });
            ready &= known;
            let how = if known { "metadata known" } else { "metadata not fetched yet" };
            checks.push((format!("provider {}", relying_party.provider().id), how.to_owned()));
        }
        Readiness { ready, checks }
    })
}
