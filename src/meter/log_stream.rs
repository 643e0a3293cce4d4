//! Standard output, shared by everything that writes lines.
//!
//! Whoever writes has a [`Lane`]: a buffer behind a mutex that otherwise only those take,
//! for the time of a swap, who carry the lanes to the output: [`LogStream::run`] what has
//! waited for a while, and a thread of its own whatever has become a batch. That one is
//! woken by the lane itself: through a runtime and its pool of blocking threads a batch
//! took eight changes of threads, half a microsecond a line. A blocked output blocks
//! nobody: a lane that is full drops lines and counts them (`vestibule_log_lines_dropped_total`).
//!
//! Before `run` begins and after it ends, each line is written at once, so that
//! neither the first words of a start nor the last ones of a stop are lost, and
//! commands that never run it need not know.

use std::{
    io,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, Thread},
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use tokio::{sync::Notify, task, time};

use super::{Meter, TimeText};

/// How long a line may wait for company.
const FLUSH_AFTER: Duration = Duration::from_millis(100);

/// How much one lane gathers before it calls for the writer. Larger pieces wake it less often, but push what
/// the worker needs out of its core's cache: 256 KiB cost a request 0.8 µs more.
const BATCH_BYTES: usize = 32 * 1024;

/// How much one lane holds while the output is blocked.
const LANE_BYTES: usize = 1024 * 1024;

/// Where lines go.
#[derive(Clone)]
pub struct LogStream(Arc<Stream>);

struct Stream {
    lanes: Mutex<Vec<Arc<Mutex<Pending>>>>,
    output: Mutex<Output>,
    /// Whether [`LogStream::run`] is there to fetch what lanes gather.
    is_running: AtomicBool,
    /// A lane has its first line.
    begun: Notify,
    /// The thread that writes batches. It sleeps until a lane has one.
    writer: Mutex<Option<Thread>>,
    dropped: Counter,
}

impl Stream {
    fn wake_writer(&self) {
        if let Some(writer) = &*lock(&self.writer) {
            writer.unpark();
        }
    }
}

#[derive(Default)]
struct Pending {
    lines: Vec<u8>,
    time: TimeText,
}

struct Output {
    sink: Box<dyn io::Write + Send>,
    /// Changes places with a lane's buffer, so that neither side copies or allocates.
    batch: Vec<u8>,
}

impl LogStream {
    /// A stream into `sink`: standard output in production.
    pub fn new(sink: impl io::Write + Send + 'static, meter: &Meter) -> Self {
        Self(Arc::new(Stream {
            lanes: Mutex::default(),
            output: Mutex::new(Output { sink: Box::new(sink), batch: Vec::new() }),
            is_running: AtomicBool::new(false),
            begun: Notify::new(),
            writer: Mutex::default(),
            dropped: meter.log_lines_dropped(),
        }))
    }

    /// A buffer for one writer of lines.
    pub fn lane(&self) -> Lane {
        let pending = Arc::default();
        lock(&self.0.lanes).push(Arc::clone(&pending));
        Lane { pending, stream: self.clone() }
    }

    /// Writes what the lanes hold, now. It may wait for the output: not for workers.
    pub fn flush(&self) {
        self.flush_into(lock(&self.0.output));
    }

    /// The same, but for so long only: an output that takes nothing does not keep a process that is to stop. What
    /// is not written by then is lost.
    pub fn flush_within(&self, limit: Duration) {
        let (done, written) = mpsc::channel::<()>();
        let stream = self.clone();
        let writer = thread::Builder::new().name("last-lines".to_owned()).spawn(move || {
            stream.flush();
            drop(done);
        });
        if writer.is_ok() {
            // Its end, in time or not, is all that there is to know.
            let _ = written.recv_timeout(limit);
        }
    }

    /// Carries lines to the output until `stop`, and then what is left.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let _running = Running::begin(&self);
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = self.0.begun.notified() => {}
            }
            tokio::select! {
                () = &mut stop => return,
                () = time::sleep(FLUSH_AFTER) => {}
            }
            let stream = self.clone();
            if let Err(error) = task::spawn_blocking(move || stream.flush()).await {
                tracing::error!(%error, "a batch of the log was lost");
            }
        }
    }

    /// Writes batches for as long as [`LogStream::run`] is there; what is left then is for whoever ends it to write.
    fn write_batches(&self) {
        loop {
            thread::park();
            if !self.0.is_running.load(Ordering::SeqCst) {
                return;
            }
            self.flush();
        }
    }

    fn flush_into(&self, mut output: MutexGuard<'_, Output>) {
        let lanes = {
            let mut lanes = lock(&self.0.lanes);
            // One that only we know is over; the count is read first, because after that nobody can add to it.
            lanes.retain(|lane| Arc::strong_count(lane) > 1 || !lock(lane).lines.is_empty());
            lanes.clone()
        };
        let Output { sink, batch } = &mut *output;
        for lane in lanes {
            batch.clear();
            std::mem::swap(&mut lock(&lane).lines, batch);
            if !batch.is_empty() && sink.write_all(batch).and_then(|()| sink.flush()).is_err() {
                let lost = batch.split_inclusive(|byte| *byte == b'\n').count();
                self.0.dropped.inc_by(u64::try_from(lost).unwrap_or(u64::MAX));
            }
        }
    }
}

impl std::fmt::Debug for LogStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogStream")
    }
}

/// A buffer of whole lines on their way to a [`LogStream`].
#[derive(Clone, Debug)]
pub struct Lane {
    pending: Arc<Mutex<Pending>>,
    stream: LogStream,
}

impl Lane {
    /// Lets `encode` add one line, with its `\n`. It must not log.
    pub fn append(&self, encode: impl FnOnce(&mut Vec<u8>, &mut TimeText)) {
        let stream = &self.stream.0;
        let (before, after) = {
            let mut pending = lock(&self.pending);
            let before = pending.lines.len();
            if before >= LANE_BYTES {
                stream.dropped.inc();
                return;
            }
            let Pending { lines, time } = &mut *pending;
            encode(lines, time);
            (before, lines.len())
        };
        // Looked at after the line is in place: either the writer is still to come, or we are the writer.
        if !stream.is_running.load(Ordering::SeqCst) {
            self.stream.flush();
        } else if before == 0 {
            stream.begun.notify_one();
        } else if before < BATCH_BYTES && after >= BATCH_BYTES {
            stream.wake_writer();
        }
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pending({} bytes)", self.lines.len())
    }
}

/// Says that the writer is there, for as long as it lives: also when its runtime is dropped under it.
struct Running<'s>(&'s LogStream);

impl<'s> Running<'s> {
    fn begin(stream: &'s LogStream) -> Self {
        stream.0.is_running.store(true, Ordering::SeqCst);
        let writing = stream.clone();
        match thread::Builder::new().name("log".to_owned()).spawn(move || writing.write_batches()) {
            Ok(writer) => *lock(&stream.0.writer) = Some(writer.thread().clone()),
            Err(error) => tracing::warn!(%error, "no thread for the log: batches of lines are written a moment later"),
        }
        Self(stream)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.0.is_running.store(false, Ordering::SeqCst);
        self.0.0.wake_writer();
        // Where a write is under way, the output is blocked, and so would be the stop of the process.
        if let Ok(output) = self.0.0.output.try_lock() {
            self.0.flush_into(output);
        }
    }
}

/// A panic elsewhere leaves nothing half-done here: buffers hold whole lines.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
