//! A new configuration under visitors who are there already.
//!
//! It is read when somebody asks (SIGHUP), and when what it was read from has changed
//! ([`FilesRead`]): every few seconds all of that is looked at by content, and taken
//! once two looks in a row have found the same, so that nothing is read while it is
//! being written. What is half written nevertheless is a fault like any other: it is
//! told of once, the old configuration goes on, and the next good one is taken.
//!
//! Reading, compiling and letting go of what is old happen on the background runtime;
//! all that workers notice is that they find something newer ([`Current`]). A
//! configuration is taken whole or not at all. What only a restart can change is named
//! in the log ([`NEED_A_RESTART`]) and stays as it is; the rest is taken.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    Levels, Options, StartError,
    compose::{Composed, Composer},
    parties::Parties,
};
use crate::{
    clock::{Clock, instant},
    config::{Config, Faults, FilesRead, SessionTimes},
    gateway::{Current, Worker},
    identity::AppId,
    meter::{Meter, Reload, WorkerLog},
};

/// Reads the configuration from where it was read at the start.
pub type ReadAgain = Arc<dyn Fn() -> Result<Config, Faults> + Send + Sync>;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long after a change they must still be the same.
const SETTLED_AFTER: Duration = Duration::from_millis(100);

/// What somebody who asks for a reload is told when it is over.
pub(super) type Answer = oneshot::Sender<Reload>;

/// Whether a setting is the same in two configurations.
type IsSame = fn(&Config, &Config) -> bool;

/// What only a restart can change: sockets, threads, and what was sized or chosen with them.
pub const NEED_A_RESTART: [(&str, IsSame); 6] = [
    ("server.listen", |a, b| a.server.listen == b.server.listen),
    ("server.ops_listen", |a, b| a.server.ops_listen == b.server.ops_listen),
    ("server.workers", |a, b| a.server.workers == b.server.workers),
    ("server.tls (whether there is any)", |a, b| a.server.tls.is_some() == b.server.tls.is_some()),
    ("server.limits.connections", |a, b| a.server.limits.connections == b.server.limits.connections),
    ("log.format", |a, b| a.log.format == b.log.format),
];

/// Puts new configurations in the place of old ones.
pub(super) struct Reloader {
    read_again: ReadAgain,
    composer: Composer,
    parties: Arc<Parties>,
    workers: Vec<WorkerPlace>,
    /// Settings that need a restart are compared with it.
    started_with: Arc<Config>,
    state: Mutex<State>,
    levels: Levels,
    clock: Clock,
    meter: Meter,
}

/// A worker thread, as far as a reload has to do with it.
pub(super) struct WorkerPlace {
    pub(super) current: Arc<Current>,
    /// Its lane of the access log, in use or not.
    pub(super) log: WorkerLog,
}

/// How far it has come.
struct State {
    composed: Composed,
    /// What was found when the configuration was read last, taken or not.
    seen: FilesRead,
    /// Workers that have been replaced. The last to let go of them is this list: taking ten thousand routes apart
    /// is nothing for a thread that has visitors.
    replaced: Vec<Arc<Worker>>,
}

/// Why a new configuration was not taken.
enum Refused {
    Faults(Faults),
    Unusable(StartError),
}

impl Reloader {
    pub(super) fn new(
        read_again: ReadAgain,
        composer: Composer,
        started: Composed,
        parties: Arc<Parties>,
        workers: Vec<WorkerPlace>,
        options: &Options,
    ) -> Self {
        let started_with = Arc::clone(&started.config);
        let seen = started.config.files.clone();
        let state = Mutex::new(State { composed: started, seen, replaced: Vec::new() });
        let Options { levels, clock, meter, .. } = options.clone();
        Self { read_again, composer, parties, workers, started_with, state, levels, clock, meter }
    }

    /// Reloads whenever there is a reason to, until `stop`; belongs on the background runtime.
    pub(super) async fn run(self, mut asked: mpsc::Receiver<Answer>, stop: CancellationToken) {
        let this = Arc::new(self);
        let work = async {
            loop {
                tokio::select! {
                    Some(answer) = asked.recv() => {
                        // Who asked may be gone; it has happened all the same.
                        let _ = answer.send(this.reload().await);
                    }
                    () = sleep(LOOK_EVERY) => {
                        if this.have_files_changed().await {
                            this.reload().await;
                        }
                        this.let_go();
                    }
                }
            }
        };
        stop.run_until_cancelled(work).await;
    }

    /// Whether the files are others than when they were read last, and are at rest.
    async fn have_files_changed(self: &Arc<Self>) -> bool {
        let mut before = None;
        loop {
            let this = Arc::clone(self);
            // A volume that hangs is no reason for anything else to wait.
            let looked = spawn_blocking(move || {
                let seen = this.lock().seen.clone();
                let now = seen.look_again();
                (now != seen).then_some(now)
            });
            match looked.await {
                Ok(Some(now)) if before.as_ref() == Some(&now) => return true,
                Ok(Some(now)) => before = Some(now),
                Ok(None) => return false,
                Err(error) => {
                    tracing::error!(%error, "the configuration's files could not be looked at");
                    return false;
                }
            }
            sleep(SETTLED_AFTER).await;
        }
    }

    async fn reload(self: &Arc<Self>) -> Reload {
        let this = Arc::clone(self);
        let outcome = spawn_blocking(move || this.read_and_take()).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the configuration could not be read again, the one before goes on");
            Reload::Refused
        });
        self.meter.reloaded(outcome, self.clock.now());
        outcome
    }

    fn read_and_take(&self) -> Reload {
        let begun = instant();
        let mut state = self.lock();
        match self.compose(&mut state) {
            Ok(composed) => {
                self.tell_what_stays(&state.composed.config, &composed.config);
                self.take(&mut state, composed);
                let (apps, took) = (state.composed.config.apps.len(), instant().duration_since(begun));
                tracing::info!(apps, ?took, "the configuration was read again and is in use");
                Reload::Taken
            }
            Err(Refused::Faults(faults)) => {
                tracing::error!("the new configuration is not used, the one before goes on:\n{faults}");
                Reload::Refused
            }
            Err(Refused::Unusable(error)) => {
                tracing::error!(%error, "the new configuration cannot be used, the one before goes on");
                Reload::Refused
            }
        }
    }

    fn compose(&self, state: &mut State) -> Result<Composed, Refused> {
        let config = (self.read_again)().map_err(|faults| {
            state.seen = faults.files().clone();
            Refused::Faults(faults)
        })?;
        state.seen = config.files.clone();
        self.composer.compose(config, Some(&state.composed)).map_err(Refused::Unusable)
    }

    /// From here on nothing can go wrong.
    fn take(&self, state: &mut State, composed: Composed) {
        let access = composed.config.log.access;
        let successors = self.workers.iter().map(|place| {
            let log = access.then(|| place.log.clone());
            (place, place.current.worker().successor(Arc::clone(&composed.apps), log))
        });
        // All of them are made before the first is put in its place: the change is one moment for all.
        for (place, successor) in successors.collect::<Vec<_>>() {
            state.replaced.push(place.current.replace(successor));
        }
        // Not before: a worker of the old configuration would open them by the old times again.
        if !times(&state.composed.config).eq(times(&composed.config)) {
            self.composer.sessions.open_anew();
        }
        self.parties.replace(&composed.parties);
        self.levels.set(&composed.config.log.level);
        state.composed = composed;
    }

    fn tell_what_stays(&self, before: &Config, config: &Config) {
        for warning in config.warnings.iter().filter(|warning| !before.warnings.contains(warning)) {
            tracing::warn!("{warning}");
        }
        let settings = NEED_A_RESTART.iter().filter(|(_, is_same)| !is_same(&self.started_with, config));
        let settings: Vec<_> = settings.map(|(setting, _)| *setting).collect();
        if !settings.is_empty() {
            let settings = settings.join(", ");
            tracing::warn!(settings, "these settings changed and stay as they are until a restart");
        }
    }

    /// Lets go of workers that nobody holds any more.
    fn let_go(&self) {
        self.lock().replaced.retain(|worker| {
            worker.tidy();
            Arc::strong_count(worker) > 1
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the sessions of each app live.
fn times(config: &Config) -> impl Iterator<Item = (&AppId, SessionTimes)> {
    config.apps.iter().map(|app| (&app.id, app.session.times))
}
