use tokio::sync::oneshot;

use super::*;
use crate::clock::{Clock, Timestamp};

/// A sink that hands over each write, and fails or waits where a test wants it to.
struct Sink {
    writes: mpsc::Sender<String>,
    gate: Option<mpsc::Receiver<io::Result<()>>>,
}

impl io::Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if let Some(gate) = &self.gate {
            gate.recv().unwrap_or(Ok(()))?;
        }
        self.writes.send(String::from_utf8(buf.to_vec()).unwrap()).map_err(io::Error::other)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn meter() -> Meter {
    Meter::new(&Clock::manual(Timestamp::from_unix(0)).0)
}

fn stream(gate: Option<mpsc::Receiver<io::Result<()>>>) -> (LogStream, mpsc::Receiver<String>) {
    let (writes, written) = mpsc::channel();
    (LogStream::new(Sink { writes, gate }, &meter()), written)
}

fn say(lane: &Lane, line: &str) {
    lane.append(|out, _| {
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    });
}

/// Begins to run it, and returns once it does.
async fn running(stream: &LogStream) -> (oneshot::Sender<()>, task::JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let run = tokio::spawn(stream.clone().run(async move {
        let _ = stopped.await;
    }));
    while !stream.0.is_running.load(Ordering::SeqCst) {
        task::yield_now().await;
    }
    (stop, run)
}

#[test]
fn a_line_is_written_at_once_while_nobody_gathers() {
    let (stream, written) = stream(None);
    say(&stream.lane(), "starting");
    assert_eq!(written.try_recv().unwrap(), "starting\n");
}

#[tokio::test(start_paused = true)]
async fn lines_wait_for_company_and_go_out_together() {
    let (stream, written) = stream(None);
    let (stop, run) = running(&stream).await;
    let lane = stream.lane();
    say(&lane, "one");
    say(&lane, "two");
    time::sleep(FLUSH_AFTER / 2).await;
    assert!(written.try_recv().is_err());
    time::sleep(FLUSH_AFTER).await;
    assert_eq!(written.recv().unwrap(), "one\ntwo\n");
    stop.send(()).unwrap();
    run.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_batch_does_not_wait() {
    let (stream, written) = stream(None);
    let (stop, run) = running(&stream).await;
    let lane = stream.lane();
    let started = time::Instant::now();
    let line = "x".repeat(BATCH_BYTES / 2);
    say(&lane, &line);
    say(&lane, &line);
    let batch = loop {
        match written.try_recv() {
            Ok(batch) => break batch,
            Err(_) => task::yield_now().await,
        }
    };
    assert_eq!(batch.lines().count(), 2);
    assert!(started.elapsed() < FLUSH_AFTER);
    stop.send(()).unwrap();
    run.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_on_a_stop() {
    let (stream, written) = stream(None);
    let (stop, run) = running(&stream).await;
    let (first, second) = (stream.lane(), stream.lane());
    say(&first, "from one worker");
    say(&second, "from another");
    drop(first);
    stop.send(()).unwrap();
    run.await.unwrap();
    say(&second, "after the stop");
    drop((stream, second));
    assert_eq!(written.iter().collect::<Vec<_>>(), ["from one worker\n", "from another\n", "after the stop\n"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_when_the_writer_is_dropped() {
    let (stream, written) = stream(None);
    let (_stop, run) = running(&stream).await;
    let lane = stream.lane();
    say(&lane, "last words");
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    assert_eq!(written.try_recv().unwrap(), "last words\n");
}

#[tokio::test(start_paused = true)]
async fn a_blocked_output_costs_lines_and_neither_time_nor_memory() {
    let (open, gate) = mpsc::channel();
    let (stream, written) = stream(Some(gate));
    let (stop, run) = running(&stream).await;
    let lane = stream.lane();
    let line = "x".repeat(1_023);
    say(&lane, &line);
    while stream.0.output.try_lock().is_ok() {
        time::advance(Duration::from_millis(1)).await;
    }
    for _ in 0..3_000 {
        say(&lane, &line);
    }
    assert!(lock(&lane.pending).lines.len() <= LANE_BYTES + 1_024);
    let dropped = stream.0.dropped.get();
    assert!(dropped >= 3_000 - 1_024, "{dropped}");

    drop(open);
    stop.send(()).unwrap();
    run.await.unwrap();
    drop((stream, lane));
    let lines: usize = written.iter().map(|batch| batch.lines().count()).sum();
    assert_eq!(u64::try_from(lines).unwrap(), 3_001 - dropped);
}

#[test]
fn a_failed_write_is_counted_line_by_line() {
    let (answer, gate) = mpsc::channel();
    let (stream, written) = stream(Some(gate));
    answer.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
    let lane = stream.lane();
    lane.append(|out, _| out.extend_from_slice(b"one\ntwo\n"));
    assert_eq!(stream.0.dropped.get(), 2);
    drop(answer);
    say(&lane, "three");
    assert_eq!(written.try_recv().unwrap(), "three\n");
}

#[test]
fn a_lane_that_is_over_is_forgotten() {
    let (stream, _written) = stream(None);
    let (kept, over) = (stream.lane(), stream.lane());
    drop(over);
    say(&kept, "still here");
    assert_eq!(lock(&stream.0.lanes).len(), 1);
}

#[test]
fn lines_of_many_threads_are_never_torn() {
    let (stream, written) = stream(None);
    std::thread::scope(|scope| {
        for name in ["aaaa", "bbbb", "cccc", "dddd"] {
            let lane = stream.lane();
            scope.spawn(move || {
                for _ in 0..500 {
                    say(&lane, name);
                }
            });
        }
    });
    drop(stream);
    let text: String = written.iter().collect();
    assert_eq!(text.lines().count(), 2_000);
    assert!(text.lines().all(|line| ["aaaa", "bbbb", "cccc", "dddd"].contains(&line)));
}

#[test]
fn the_last_lines_are_waited_for_only_so_long() {
    let (open, gate) = mpsc::channel();
    let (stream, written) = stream(Some(gate));
    let lane = stream.lane();
    lock(&lane.pending).lines.extend_from_slice(b"last words\n");
    stream.flush_within(Duration::ZERO);
    assert!(written.try_recv().is_err(), "the output takes nothing");
    drop(open);
    assert_eq!(written.recv().unwrap(), "last words\n");
}
