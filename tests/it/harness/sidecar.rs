//! Vestibule in this process.

use std::{net::SocketAddr, thread};

use tokio::{runtime, time::timeout};
use vestibule::{
    clock::Clock,
    config::Config,
    random::Random,
    sidecar::{self, Options, Running},
};

use super::{Door, PATIENCE};

/// Runs until it is dropped.
pub(crate) struct Sidecar {
    running: Running,
}

impl Sidecar {
    pub(super) fn start(configuration: &str, clock: Clock) -> Self {
        let config = Config::parse("vestibule.toml", configuration)
            .unwrap_or_else(|faults| panic!("the configuration of this test is wrong:\n{faults}\n{configuration}"));
        let options = Options { clock, random: Random::system() };
        let running = sidecar::start(config, options).unwrap_or_else(|error| panic!("it does not start: {error}"));
        Self { running }
    }

    /// To stop it, and to see it stop.
    pub(crate) fn running(&self) -> &Running {
        &self.running
    }
}

impl Door for Sidecar {
    fn address(&self) -> SocketAddr {
        self.running.addresses()[0]
    }

    fn ops(&self) -> SocketAddr {
        self.running.ops_address().expect("the tests' configuration has an ops listener")
    }
}

impl Drop for Sidecar {
    /// Nothing of one test is left for the next. Whoever drops this is on a runtime, which
    /// cannot wait for another one; so a thread does.
    fn drop(&mut self) {
        self.running.shut_down();
        self.running.hurry().cancel();
        let stopped = thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
                Ok::<_, std::io::Error>(runtime.block_on(async { timeout(PATIENCE, self.running.stopped()).await.is_ok() }))
            });
            waiting.join().is_ok_and(|stopped| stopped.unwrap_or(false))
        });
        if !thread::panicking() {
            assert!(stopped, "Vestibule did not stop within {PATIENCE:?}, although it was told to hurry");
        }
    }
}
