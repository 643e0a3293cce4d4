//! When to stop: the operating system's signals, and what the second one means.

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

    /// Stops the sidecar at the first signal, hurries it at the second, and returns when it has stopped.
    /// systemd is told of the beginning and of the end, where it asks (`Type=notify`).
    pub async fn conduct(mut self, running: Running) {
        notify(NotifyState::Ready);
        self.next().await;
        notify(NotifyState::Stopping);
        running.shut_down();
        let hurry = running.hurry();
        let stopped = running.stopped();
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => return,
                () = self.next() => hurry.cancel(),
            }
        }
    }

    /// The next signal to stop.
    async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    tracing::warn!("SIGHUP: this version reads its configuration at start only; restart it to apply changes");
                }
            }
        }
    }
}

/// Tells systemd, or whoever else set `NOTIFY_SOCKET` (`sd_notify(3)`); does nothing where nobody did.
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager (NOTIFY_SOCKET) cannot be told how things are");
    }
}
