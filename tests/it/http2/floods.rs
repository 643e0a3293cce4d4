//! What costs a visitor little and a server much (threat 120): it is cut, costs a bounded amount, and nobody else
//! notices. Peers of the same kind have fallen to each of these.

use tokio_util::task::AbortOnDropHandle;

use crate::harness::{
    Binary, RawClient, Request, Stage,
    http2::{
        ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, Outcome, PING, PRIORITY,
        RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame,
    },
};

/// More than this nobody may make the process grow by, whatever they do.
const MOST_GROWTH: u64 = 64 * 1024 * 1024;

/// Somebody on another connection, who is answered as long as this lives; gives how many times.
fn bystander(stage: &Stage<Binary>) -> AbortOnDropHandle<()> {
    let (address, request) = (stage.door_address(), Request::get("/bystander").to_host(stage.authority()));
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut client = RawClient::connect(address).await;
        loop {
            // `exchange` panics after a time that no flood may cost anybody.
            assert_eq!(client.exchange(&request).await.status, 200);
        }
    }))
}

/// Many of the same frame at once, so that the flood does not depend on how fast the test writes.
fn many(frame: &[u8]) -> Vec<u8> {
    frame.repeat(200)
}

#[tokio::test]
async fn threat_120_frames_that_carry_nothing_are_cut_and_cost_nobody_anything() {
    let stage = Stage::builder().public("/**").start_binary().await;
    let before = stage.door.process.peak_memory();
    let bystander = bystander(&stage);
    let get = block(&stage.pseudo("/flood"));
    let open = frame(HEADERS, END_HEADERS, 1, &get);
    for (what, first, frames) in [
        ("CVE-2019-9512 PING", vec![], frame(PING, 0, 0, &[0; 8])),
        ("CVE-2019-9515 SETTINGS", vec![], frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])),
        ("CVE-2019-9515 empty SETTINGS", vec![], frame(SETTINGS, 0, 0, b"")),
        ("CVE-2019-9513 PRIORITY", vec![], frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 7])),
        ("WINDOW_UPDATE", open.clone(), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])),
        ("answers to PINGs that nobody sent", vec![], frame(PING, ACK, 0, &[0; 8])),
        ("unknown frames", vec![], frame(0xbb, 0, 0, &[0; 64])),
        ("CVE-2019-9518, RUSTSEC-2026-0258 empty DATA", open.clone(), frame(DATA, 0, 1, b"")),
        ("padding and no DATA", open.clone(), frame(DATA, 0x8, 1, &[0])),
        (
            "CVE-2024-27316, RUSTSEC-2024-0332 empty CONTINUATION",
            frame(HEADERS, 0, 1, &get),
            frame(CONTINUATION, 0, 1, b""),
        ),
        (
            "CVE-2024-27316 CONTINUATION",
            frame(HEADERS, 0, 1, &get),
            frame(CONTINUATION, 0, 1, &block(&[("x", &"x".repeat(4096))])),
        ),
        ("CVE-2019-9516 heads of nothing", vec![], frame(HEADERS, END_HEADERS, 1, &block(&[("", ""), ("", "")]))),
    ] {
        let mut client = stage.frames().await;
        client.send_raw(first).await;
        let frames = many(&frames);
        let (times, _) = client.flood(|_| frames.clone()).await;
        // What is cut takes no more than its own allowance and what the sockets hold.
        assert!(times < 10_000, "{what}: {times} times 200");
    }
    assert!(!bystander.is_finished(), "a bystander was not served");
    let growth = stage.door.process.peak_memory() - before;
    assert!(growth < MOST_GROWTH, "{growth} bytes");
    // One line for each connection, however many frames it was cut for.
    let output = stage.door.process.output();
    let cut = output.lines().filter(|line| !line.contains("/bystander") && line.contains("127.0.0.1")).count();
    assert!((1..50).contains(&cut), "{cut} lines");
    assert!(!output.contains("\"h2::"), "the library has nothing to say for itself");
}

/// What follows a request on its stream.
type Then = fn(u32) -> Vec<u8>;

/// A request and what follows it, on a stream of its own each time.
fn requests<'a>(head: &'a [u8], flags: u8, then: impl Fn(u32) -> Vec<u8> + 'a) -> impl FnMut(u32) -> Vec<u8> + 'a {
    move |n| {
        let stream = 2 * n + 1;
        [frame(HEADERS, END_HEADERS | flags, stream, head), then(stream)].concat()
    }
}

#[tokio::test]
async fn threat_120_requests_that_are_taken_back_or_have_to_be_are_cut() {
    let stage = Stage::builder().public("/**").start_binary().await;
    let before = stage.door.process.peak_memory();
    let bystander = bystander(&stage);
    let get = block(&stage.pseudo("/flood"));
    let no_request = block(&[&stage.pseudo("/flood")[..], &[("connection", "close")]].concat());
    let taken_back: Then = |stream| frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    let rows: [(&str, &[u8], u8, Then); 7] = [
        ("CVE-2023-44487, CVE-2023-26964 rapid reset", &get, END_STREAM, taken_back),
        ("CVE-2023-44487 of unfinished requests", &get, 0, taken_back),
        ("CVE-2019-9514 heads that no request has", &no_request, END_STREAM, |_| Vec::new()),
        ("CVE-2025-8671 a window of nothing", &get, 0, |stream| frame(WINDOW_UPDATE, 0, stream, &[0; 4])),
        ("CVE-2025-8671 a window beyond bounds", &get, 0, |stream| {
            frame(WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff])
        }),
        ("CVE-2025-8671 DATA behind the end", &get, END_STREAM, |stream| frame(DATA, 0, stream, b"x")),
        ("CVE-2025-8671 a second head behind the end", &get, END_STREAM, |stream| {
            frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&[("x", "y")]))
        }),
    ];
    for (what, head, flags, then) in rows {
        let client = stage.frames().await;
        let (times, code) = client.flood(requests(head, flags, then)).await;
        assert!(times < 20_000, "{what}: {times}");
        assert!(code.is_none_or(|code| code != 0), "{what}: {code:?}");
        let seen = stage.upstream.take().iter().filter(|request| request.target() == "/flood").count();
        let most = if head == get { 1000 } else { 0 };
        assert!(seen <= most, "{what}: {seen} requests reached the upstream");
    }
    // More streams than were agreed upon: refused, one by one, and cut in the end.
    let mut head = stage.pseudo("/never-ends");
    head[0] = (":method", "POST");
    let post = block(&head);
    let (times, _) = stage.frames().await.flood(requests(&post, 0, |_| Vec::new())).await;
    assert!(times < 50_000, "{times}");
    let seen = stage.upstream.take().iter().filter(|request| request.target() == "/never-ends").count();
    assert!(seen <= 100, "{seen} at a time");
    assert!(!bystander.is_finished(), "a bystander was not served");
    let growth = stage.door.process.peak_memory() - before;
    assert!(growth < MOST_GROWTH, "{growth} bytes");
}

#[tokio::test]
async fn cve_2023_44487_requests_taken_back_one_by_one_are_counted_as_well() {
    // `h2` sees only those that it has not handed on yet; these have all reached the upstream.
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.frames().await;
    let get = block(&stage.pseudo("/slow"));
    let mut sent = 0;
    for n in 0..400 {
        let stream = 2 * n + 1;
        let bytes = frame(HEADERS, END_HEADERS | END_STREAM, stream, &get);
        if client.wire.write(bytes).await.is_err() {
            break;
        }
        // Its connection is closed when it is taken back, and so each has one of its own.
        let Some(mut conversation) = conversations.next_before(client.until_closed()).await else { break };
        conversation.expect_head().await;
        sent += 1;
        if client.wire.write(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])).await.is_err() {
            break;
        }
        conversation.until_closed().await;
    }
    assert!((150..=210).contains(&sent), "{sent}");
}

#[tokio::test]
async fn threat_117_a_head_has_its_bounds_however_it_is_compressed() {
    let stage = Stage::builder().public("/**").start_binary().await;
    let before = stage.door.process.peak_memory();
    // A field that goes into the table (RFC 7541 §6.2.1), and then a byte for each repetition (§6.1): the 62nd
    // entry is the table's first that is not fixed.
    let bomb = |repeated: usize| {
        let mut bomb = block(&stage.pseudo("/bomb"));
        let mut field = block(&[("x", &"x".repeat(4000))]);
        field[0] = 0x40;
        bomb.extend(field);
        bomb.extend(vec![0xbe; repeated]);
        bomb
    };
    for (what, block, outcome) in [
        ("as large as it may be", bomb(10), Outcome::Status(200)),
        ("too large", bomb(30), Outcome::Status(431)),
        ("a bomb", bomb(5000), Outcome::GoAway(ENHANCE_YOUR_CALM)), // CVE-2016-6581
    ] {
        let mut client = stage.frames().await;
        client.send(HEADERS, END_HEADERS | END_STREAM, 1, &block).await;
        assert_eq!(client.outcome(1).await, outcome, "{what}");
        assert_eq!(stage.upstream.take().len(), usize::from(outcome == Outcome::Status(200)), "{what}");
    }
    let fields: Vec<_> = (0..150).map(|_| ("x", "y")).collect();
    for (what, fields, outcome) in [
        ("fields", &fields[..], Outcome::Status(431)),
        ("cookies, which are one field", &[("cookie", "a=b"); 150], Outcome::Status(200)),
    ] {
        let mut client = stage.frames().await;
        client.head(1, END_STREAM, &[&stage.pseudo("/fields"), fields].concat()).await;
        assert_eq!(client.outcome(1).await, outcome, "{what}");
        assert_eq!(stage.upstream.take().len(), usize::from(outcome == Outcome::Status(200)), "{what}");
    }
    let growth = stage.door.process.peak_memory() - before;
    assert!(growth < MOST_GROWTH, "{growth} bytes");
}
