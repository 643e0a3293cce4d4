//! Vestibule in this process.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use serde_json::Value;
use tokio::{
    runtime,
    sync::{oneshot, watch},
    time::timeout,
};
use vestibule::{
    clock::Clock,
    config::Config,
    listener::Address,
    meter::{LineFormat, LogStream, Meter, Reload},
    random::Random,
    sidecar::{self, Options, ReadAgain, Running},
};

use super::{Door, PATIENCE, patiently};

/// Runs until it is dropped.
pub(crate) struct Sidecar {
    running: Running,
    text: Arc<Mutex<String>>,
    /// How often somebody has begun to read it.
    readings: watch::Receiver<usize>,
    log: watch::Receiver<Vec<u8>>,
}

impl Sidecar {
    pub(super) fn start(configuration: &str, clock: Clock) -> Self {
        // What it is read from the second time: a test may write another text.
        let text = Arc::new(Mutex::new(configuration.to_owned()));
        let (begun, readings) = watch::channel(0);
        let read: ReadAgain = {
            let text = Arc::clone(&text);
            Arc::new(move || {
                begun.send_modify(|readings| *readings += 1);
                let text = text.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Config::parse("vestibule.toml", &text)
            })
        };
        let config = read()
            .unwrap_or_else(|faults| panic!("the configuration of this test is wrong:\n{faults}\n{configuration}"));
        let (written, log) = watch::channel(Vec::new());
        let meter = Meter::new(&clock);
        let stream = LogStream::new(Memory(written), &meter);
        let levels = sidecar::Levels::new(|_| {});
        let options = Options { clock, random: Random::system(), meter, log: stream, lines: LineFormat::Json, levels };
        let running =
            sidecar::start(config, read, &options).unwrap_or_else(|error| panic!("it does not start: {error}"));
        Self { running, text, readings, log }
    }

    /// Waits for an access line that `find` makes something of. Events go nowhere: they
    /// belong to the process, and this one has many sidecars; see [`Binary`](super::Binary).
    pub(crate) async fn access_line<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        let mut log = self.log.clone();
        let mut found = None;
        let written = log.wait_for(|log| {
            let mut lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            found = lines.find_map(|line| find(&serde_json::from_slice(line).ok()?));
            found.is_some()
        });
        let written = patiently(what, written).await.is_ok();
        assert!(written, "the log ended without {what}");
        found.expect("what was waited for")
    }

    /// The configuration, as it would be read now.
    pub(crate) fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does something while the configuration is being read: the reading began before that, and ends after it.
    pub(crate) async fn while_it_is_read(&self, deed: impl Future<Output = ()>) -> Reload {
        let (held, holding) = oneshot::channel();
        let (let_go, end) = oneshot::channel::<()>();
        let text = Arc::clone(&self.text);
        let holder = thread::spawn(move || {
            let _text = text.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = held.send(());
            let _ = end.blocking_recv();
        });
        patiently("the text", holding).await.expect("its holder is there");
        let mut readings = self.readings.clone();
        readings.mark_unchanged();
        let deed = async {
            patiently("the reading", readings.changed()).await.expect("it runs");
            deed.await;
            let _ = let_go.send(());
        };
        let (outcome, ()) = tokio::join!(self.running.reload(), deed);
        holder.join().expect("it did not panic");
        outcome
    }

    /// Changes the configuration, and has it read again.
    pub(crate) async fn reload(&self, change: impl FnOnce(&str) -> String) -> Reload {
        {
            let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
            *text = change(&text);
        }
        self.running.reload().await
    }

    /// To stop it, and to see it stop.
    pub(crate) fn running(&self) -> &Running {
        &self.running
    }
}

impl Door for Sidecar {
    fn address(&self) -> SocketAddr {
        let mut addresses = self.running.addresses().iter().filter_map(Address::tcp);
        addresses.next().expect("the tests' configuration has a TCP listener")
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
                Ok::<_, io::Error>(runtime.block_on(async { timeout(PATIENCE, self.running.stopped()).await.is_ok() }))
            });
            waiting.join().is_ok_and(|stopped| stopped.unwrap_or(false))
        });
        if !thread::panicking() {
            assert!(stopped, "Vestibule did not stop within {PATIENCE:?}, although it was told to hurry");
        }
    }
}

/// Where the lines go.
struct Memory(watch::Sender<Vec<u8>>);

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send_modify(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
