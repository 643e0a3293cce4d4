use std::{
    future::Ready,
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    task::JoinHandle,
    time::Instant,
};

use super::*;

/// `[app.limits] idle`
const MAX_IDLE: Duration = Duration::from_hours(1);

/// What fits on the way between two ends.
const ROOM: usize = 64;

/// A text frame of a server, and one of a client.
const SAID: &[u8] = b"\x81\x05hello";
const ASKED: &[u8] = b"\x81\x82\x01\x02\x03\x04xy";

/// Both ends of a tunnel, and how to end it.
struct Ends {
    visitor: DuplexStream,
    app: DuplexStream,
    session_end: Ended,
    stop: CancellationToken,
    uses: Arc<AtomicU32>,
    /// What became of it, and how much the visitor was sent.
    tunnel: JoinHandle<(String, u64)>,
}

fn tunnel(protocol: Protocol) -> Ends {
    let ((visitor, ours), (theirs, app)) = (duplex(ROOM), duplex(ROOM));
    let (session_end, stop, uses) = (Ended::default(), CancellationToken::new(), Arc::<AtomicU32>::default());
    let (ended, stopping, counter) = (session_end.clone(), stop.clone(), Arc::clone(&uses));
    let tunnel = tokio::spawn(async move {
        let mut sent = 0;
        let mut joined = Joined::new(ours, theirs, protocol, &mut sent);
        let in_use = || {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        let over = async {
            ended.ended().await;
            Over::SessionEnded
        };
        let ending = joined.carry(Some(MAX_IDLE), in_use, pin!(over), stopping.cancelled()).await;
        if let Some(reason) = ending.reason() {
            joined.end(reason, [0; 4]).await;
        }
        (format!("{ending:?}"), sent)
    });
    Ends { visitor, app, session_end, stop, uses, tunnel }
}

async fn read(from: &mut DuplexStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await.expect("so much is to come");
    bytes
}

async fn rest(from: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).await.expect("an orderly end");
    bytes
}

async fn say(to: &mut DuplexStream, bytes: &[u8]) {
    to.write_all(bytes).await.expect("the tunnel stands");
}

/// A Close frame with a masking key of zeros.
fn masked(close: &[u8]) -> Vec<u8> {
    [&[close[0], close[1] | 0x80, 0, 0, 0, 0], &close[2..]].concat()
}

const ENDED: &[u8] = b"\x88\x0f\x03\xf0session ended";
const RESTARTS: &[u8] = b"\x88\x11\x03\xe9server restarts";
const IDLE: &[u8] = b"\x88\x13\x03\xe9idle for too long";

#[tokio::test(start_paused = true)]
async fn traffic_is_use_and_a_tunnel_without_any_is_closed() {
    let mut ends = tunnel(Protocol::WebSocket);
    let begun = Instant::now();
    for _ in 0..3 {
        say(&mut ends.app, SAID).await;
        assert_eq!(read(&mut ends.visitor, SAID.len()).await, SAID);
        sleep(LOOK_EVERY * 6).await;
    }
    assert_eq!(ends.uses.load(Ordering::Relaxed), 3, "once for each time in which something came");
    assert_eq!(rest(&mut ends.visitor).await, IDLE);
    assert_eq!(rest(&mut ends.app).await, masked(IDLE));
    let open = begun.elapsed();
    assert!(open > MAX_IDLE && open < MAX_IDLE + LOOK_EVERY * 14, "{open:?}");
    drop((ends.visitor, ends.app));
    assert_eq!(ends.tunnel.await.expect("it ends by itself"), ("Idle".to_owned(), 3 * SAID.len() as u64));
}

#[tokio::test(start_paused = true)]
async fn a_side_that_finishes_is_passed_on_and_the_other_direction_goes_on() {
    let mut ends = tunnel(Protocol::Other);
    say(&mut ends.visitor, b"that is all").await;
    ends.visitor.shutdown().await.expect("an orderly end");
    assert_eq!(rest(&mut ends.app).await, b"that is all");
    for answer in ["first", "second"] {
        sleep(LOOK_EVERY * 2).await;
        say(&mut ends.app, answer.as_bytes()).await;
        assert_eq!(read(&mut ends.visitor, answer.len()).await, answer.as_bytes());
    }
    ends.app.shutdown().await.expect("an orderly end");
    assert_eq!(rest(&mut ends.visitor).await, b"");
    assert_eq!(ends.tunnel.await.expect("it ends by itself"), ("Finished".to_owned(), 11));
}

#[tokio::test(start_paused = true)]
async fn a_side_that_breaks_ends_both() {
    let mut ends = tunnel(Protocol::Other);
    drop(ends.visitor);
    say(&mut ends.app, &[b'x'; ROOM]).await;
    let (ending, _) = ends.tunnel.await.expect("it ends by itself");
    assert!(ending.starts_with("Broken"), "{ending}");
    assert_eq!(rest(&mut ends.app).await, b"");
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_holds_the_sender_back_and_misses_nothing() {
    let mut ends = tunnel(Protocol::Other);
    let sent: Vec<_> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
    let expected = sent.clone();
    let mut app = ends.app;
    let sender = tokio::spawn(async move {
        app.write_all(&sent).await.expect("the tunnel stands");
    });
    sleep(LOOK_EVERY).await;
    assert!(!sender.is_finished(), "nobody takes it off our hands");
    assert_eq!(rest(&mut ends.visitor).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_web_socket_is_told_why_it_ends_between_two_frames() {
    for (stopping, close) in [(false, ENDED), (true, RESTARTS)] {
        let mut ends = tunnel(Protocol::WebSocket);
        say(&mut ends.app, &[SAID, &SAID[..4]].concat()).await;
        say(&mut ends.visitor, &[ASKED, &ASKED[..1]].concat()).await;
        assert_eq!(read(&mut ends.visitor, SAID.len() + 4).await, [SAID, &SAID[..4]].concat());
        assert_eq!(read(&mut ends.app, ASKED.len() + 1).await, [ASKED, &ASKED[..1]].concat());
        if stopping {
            ends.stop.cancel();
        } else {
            ends.session_end.end();
        }
        sleep(FAREWELL / 2).await;
        // What began before is finished; what comes after it is not passed on.
        say(&mut ends.app, &[&SAID[4..], SAID].concat()).await;
        say(&mut ends.visitor, &[&ASKED[1..], ASKED].concat()).await;
        assert_eq!(rest(&mut ends.visitor).await, [&SAID[4..], close].concat());
        assert_eq!(rest(&mut ends.app).await, [&ASKED[1..], &masked(close)].concat());
        let begun = Instant::now();
        drop((ends.visitor, ends.app));
        ends.tunnel.await.expect("it ends by itself");
        assert!(begun.elapsed() < FAREWELL / 4, "both sides have closed");
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_frame_is_not_waited_for_much_longer() {
    let mut ends = tunnel(Protocol::WebSocket);
    say(&mut ends.app, &SAID[..4]).await;
    assert_eq!(read(&mut ends.visitor, 4).await, &SAID[..4]);
    ends.session_end.end();
    let begun = Instant::now();
    assert_eq!(rest(&mut ends.app).await, masked(ENDED), "the other direction does not wait for it");
    assert_eq!(rest(&mut ends.visitor).await, b"");
    assert!(begun.elapsed() >= FAREWELL && begun.elapsed() < FAREWELL * 2, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_the_receiver_has_not_taken_ends_with_its_frame() {
    let mut ends = tunnel(Protocol::WebSocket);
    let long = [&[0x82, 126, 0, 200][..], &[b'x'; 200]].concat();
    say(&mut ends.app, &[&long[..], SAID].concat()[..ROOM]).await;
    let mut app = ends.app;
    let rest_of_it = [&long[ROOM..], SAID, SAID].concat();
    let sender = tokio::spawn(async move {
        drop(app.write_all(&rest_of_it).await);
        app
    });
    sleep(LOOK_EVERY).await;
    ends.session_end.end();
    assert_eq!(rest(&mut ends.visitor).await, [&long, ENDED].concat());
    drop(sender.await);
}

#[tokio::test(start_paused = true)]
async fn after_a_close_frame_of_theirs_comes_none_of_ours() {
    let mut ends = tunnel(Protocol::WebSocket);
    let close = b"\x88\x02\x03\xe8";
    say(&mut ends.app, close).await;
    assert_eq!(read(&mut ends.visitor, close.len()).await, close);
    ends.session_end.end();
    assert_eq!(rest(&mut ends.visitor).await, b"");
    assert_eq!(rest(&mut ends.app).await, masked(ENDED));
}

#[tokio::test(start_paused = true)]
async fn other_protocols_end_with_the_session_and_not_with_the_process() {
    let mut ends = tunnel(Protocol::Other);
    ends.stop.cancel();
    say(&mut ends.app, b"\x81\x05hel").await;
    assert_eq!(read(&mut ends.visitor, 5).await, b"\x81\x05hel");
    ends.session_end.end();
    say(&mut ends.app, b"lo").await;
    assert_eq!(rest(&mut ends.visitor).await, b"", "no words of ours in a protocol that has none, and none of theirs");
    assert_eq!(rest(&mut ends.app).await, b"");
}

#[test]
fn a_direction_at_rest_is_small() {
    assert!(size_of::<Flow>() <= 96, "{}", size_of::<Flow>());
    let sides = size_of::<Joined<'_, TokioIo<hyper::upgrade::Upgraded>, Ready<()>>>();
    assert!(sides < 512, "{sides}");
}
