//! The order in which a process stops: not ready, no more connections, no more requests, the last line.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::{runtime, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{gateway::Current, listener::Bound, meter::LogStream};

/// How long what is left may take when everything is over: calls to a store or a provider, and the last lines of the log.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Sees to it that things end in their order.
pub(super) struct Conductor {
    pub(super) background: runtime::Runtime,
    /// Keeps the files of Unix sockets; the workers have their own shares of the sockets.
    pub(super) bound: Vec<Bound>,
    pub(super) workers: Vec<JoinHandle<()>>,
    pub(super) log: LogStream,
    pub(super) draining: Arc<AtomicBool>,
    pub(super) stop: CancellationToken,
    pub(super) hurry: CancellationToken,
    pub(super) serving: CancellationToken,
    pub(super) ending: CancellationToken,
    /// Has the times of the newest configuration.
    pub(super) current: Arc<Current>,
    pub(super) stopped: watch::Sender<bool>,
}

impl Conductor {
    pub(super) fn run(self) {
        self.background.spawn(self.log.clone().run(self.ending.clone().cancelled_owned()));
        self.background.block_on(async {
            self.stop.cancelled().await;
            self.draining.store(true, Ordering::Release);
            let drain_delay = self.current.worker().apps().server.drain_delay;
            tracing::info!(delay = ?drain_delay, "stopping: not ready any more, still accepting");
            tokio::select! {
                () = tokio::time::sleep(drain_delay) => {}
                () = self.hurry.cancelled() => {}
            }
            tracing::info!("stopping: no more connections, requests under way are finished");
        });
        // Files go away while their sockets are held: a successor's file cannot be mistaken for ours then.
        drop(self.bound);
        self.serving.cancel();
        for worker in self.workers {
            if worker.join().is_err() {
                tracing::error!("a worker panicked");
            }
        }
        tracing::info!("stopped");
        self.ending.cancel();
        self.background.shutdown_timeout(LAST_MOMENT);
        self.log.flush_within(LAST_MOMENT);
        self.stopped.send_replace(true);
    }
}
