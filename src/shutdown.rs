//! What the operating system's signals mean: to stop, to hurry, to read the configuration again.

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::sidecar::Running;

/// The signals that concern us, caught from here on.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Catches them; must be called on a runtime.
    pub fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Reloads the sidecar at each SIGHUP, stops it at the first signal to do so, hurries it at the second, and returns
    /// when it has stopped. systemd is told of all that, where it asks (`Type=notify`, `Type=notify-reload`).
    pub async fn conduct(self, running: Running) {
        let Self { mut terminate, mut interrupt, mut hang_up } = self;
        let mut told_to_stop = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        notify(&[NotifyState::Ready]);
        tokio::select! {
            () = told_to_stop() => {}
            () = reload_at_each(&mut hang_up, &running) => {}
        }
        notify(&[NotifyState::Stopping]);
        running.shut_down();
        let hurry = running.hurry();
        let stopped = running.stopped();
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => return,
                () = told_to_stop() => hurry.cancel(),
            }
        }
    }
}

/// Several that come during one reload ask for one more.
async fn reload_at_each(hang_up: &mut Signal, running: &Running) {
    while hang_up.recv().await.is_some() {
        // `Type=notify-reload` takes it for an answer to its own signal by the time.
        let since = NotifyState::monotonic_usec_now().ok();
        notify(&[NotifyState::Reloading].into_iter().chain(since).collect::<Vec<_>>());
        running.reload().await;
        notify(&[NotifyState::Ready]);
    }
}

/// Tells systemd, or whoever else set `NOTIFY_SOCKET` (`sd_notify(3)`); does nothing where nobody did.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager (NOTIFY_SOCKET) cannot be told how things are");
    }
}
