//! What is made of the frames, whatever pieces they come in.

use super::*;

const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const END_STREAM: u8 = 0x1;

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&length[1..], &[kind, flags], &[0, 0, 0, 1], payload].concat()
}

fn opened() -> Frames {
    let frames = Frames::new();
    assert!(frames.is_partial(), "the preface is awaited");
    frames.come(PREFACE).expect("a preface");
    assert!(frames.is_partial(), "SETTINGS follow");
    frames.come(&frame(SETTINGS, 0, b"")).expect("SETTINGS");
    assert!(!frames.is_partial());
    frames
}

#[test]
fn frames_are_found_in_any_pieces() {
    let stream = [
        PREFACE.to_vec(),
        frame(HEADERS, END_STREAM, b"head"),
        frame(CONTINUATION, END_HEADERS, b"more"),
        frame(DATA, 0, b"body"),
        frame(PING, 0, &[0; 8]),
        frame(RST_STREAM, 0, &[0; 4]),
        frame(RST_STREAM, 0, &[0, 0, 0, 1]),
        frame(RST_STREAM, 0, &[0, 0, 1, 0]),
        frame(DATA, END_STREAM, b""),
    ]
    .concat();
    let whole =
        Seen { carried: 12, overhead: 8 * 9 + 8 + 3 * 4, resets: 3, protocol_errors: 1, heads: 1, completed: true };
    for size in 1..=stream.len() {
        let mut scanner = Scanner::after(PREFACE.len());
        let mut sum = Seen::default();
        for piece in stream.chunks(size) {
            let seen = scanner.scan(piece);
            sum = Seen {
                carried: sum.carried + seen.carried,
                overhead: sum.overhead + seen.overhead,
                resets: sum.resets + seen.resets,
                protocol_errors: sum.protocol_errors + seen.protocol_errors,
                heads: sum.heads + seen.heads,
                completed: sum.completed || seen.completed,
            };
        }
        assert_eq!(sum, whole, "in pieces of {size}");
        assert!(!scanner.is_partial());
    }
}

#[test]
fn a_head_is_partial_until_its_last_frame_has_ended_and_a_body_never_is() {
    let frames = opened();
    let head = [frame(HEADERS, 0, b"head"), frame(CONTINUATION, END_HEADERS, b"more")].concat();
    for (place, byte) in head.iter().enumerate() {
        frames.come(&[*byte]).expect("a head");
        assert_eq!(frames.is_partial(), place + 1 < head.len(), "after {place}");
    }
    let body = frame(DATA, 0, b"body");
    frames.come(&body[..FRAME_HEADER - 1]).expect("a body");
    assert!(frames.is_partial(), "nobody knows yet that it is a body");
    frames.come(&body[FRAME_HEADER - 1..body.len() - 1]).expect("a body");
    assert!(!frames.is_partial());
}

#[test]
fn each_head_has_its_own_time_and_only_heads_and_bodies_are_use() {
    let frames = opened();
    let (rest, head) = (Duration::from_secs(75), Duration::from_secs(10));
    let at_rest = frames.deadline(rest, head);
    frames.come(&frame(PING, 0, &[0; 8])).expect("a PING");
    assert_eq!(frames.deadline(rest, head), at_rest, "a PING is no use");
    let bytes = frame(HEADERS, END_HEADERS, b"head");
    frames.come(&bytes[..1]).expect("a head");
    let first = frames.deadline(rest, head);
    assert!(first < at_rest);
    frames.come(&bytes[1..5]).expect("a head");
    assert_eq!(frames.deadline(rest, head), first, "pieces win no time");
    frames.come(&[&bytes[5..], &bytes[..1]].concat()).expect("a head and a piece");
    assert!(frames.deadline(rest, head) > first, "the next one's time begins with it");
    frames.come(&bytes[1..]).expect("a head");
    let used = frames.deadline(rest, head);
    assert!(used > at_rest);
    frames.go(&[IoSlice::new(&frame(DATA, 0, b"x"))], 10);
    assert!(frames.deadline(rest, head) > used);
}

/// How many times the connection takes this before it is cut.
fn taken(frames: &Frames, bytes: &[u8]) -> usize {
    (0..100_000).take_while(|_| frames.come(bytes).is_ok()).count()
}

#[test]
fn threat_120_what_carries_nothing_is_taken_for_a_while_and_what_is_carried_pays_for_more() {
    let (priority, window_update, unknown) = (0x2, 0x8, 0xbb);
    for (what, bytes, most) in [
        ("PING (CVE-2019-9512)", frame(PING, 0, &[0; 8]), 16_000),
        ("SETTINGS (CVE-2019-9515)", frame(SETTINGS, 0, &[0; 6]), 20_000),
        ("PRIORITY (CVE-2019-9513)", frame(priority, 0, &[0; 5]), 20_000),
        ("WINDOW_UPDATE", frame(window_update, 0, &[0; 4]), 22_000),
        ("unknown", frame(unknown, 0, &[0; 16_384]), 16),
        ("empty DATA (CVE-2019-9518)", frame(DATA, 0, b""), 30_000),
        ("empty CONTINUATION (CVE-2024-27316)", frame(CONTINUATION, 0, b""), 30_000),
    ] {
        let frames = opened();
        let taken = taken(&frames, &bytes);
        assert!(taken > most / 2 && taken < most, "{what}: {taken}");
        assert_eq!(frames.flood(), Some(Flood::Overhead), "{what}");
    }
    // A stream of small events to a visitor who makes room for each of them.
    let frames = opened();
    let (event, room) = (frame(DATA, 0, b"ok"), frame(window_update, 0, &[0; 4]));
    for _ in 0..100_000 {
        frames.go(&[IoSlice::new(&event)], event.len());
        frames.come(&[room.clone(), room.clone()].concat()).expect("an honest visitor");
    }
}

#[test]
fn cve_2023_44487_cve_2025_8671_resets_may_outnumber_answers_by_some_whoever_sends_them() {
    let reset = frame(RST_STREAM, 0, &[0; 4]);
    let request = frame(HEADERS, END_HEADERS | END_STREAM, &[0; 200]);
    let by_visitor = opened();
    assert_eq!(taken(&by_visitor, &[request.clone(), reset.clone()].concat()), 200);
    assert_eq!(by_visitor.flood(), Some(Flood::Resets));

    let by_us = opened();
    for _ in 0..=200 {
        by_us.come(&request).expect("no more than some");
        by_us.go(&[IoSlice::new(&reset)], reset.len());
    }
    assert!(by_us.come(&request).is_err());

    let honest = opened();
    let answer = frame(HEADERS, END_HEADERS, &[0; 20]);
    for _ in 0..10_000 {
        honest.come(&request).expect("a request");
        honest.go(&[IoSlice::new(&answer)], answer.len());
        honest.come(&reset).expect("it has seen enough of the answer");
    }
}

#[test]
fn of_what_was_to_be_sent_only_what_went_out_counts() {
    let frames = opened();
    let (head, data) = (frame(HEADERS, END_HEADERS, b"head"), frame(DATA, 0, b"body"));
    frames.go(&[IoSlice::new(&head), IoSlice::new(&data)], head.len() + FRAME_HEADER + 1);
    assert_eq!(frames.lock().carried, 4 + 1);
    frames.go(&[IoSlice::new(&data[FRAME_HEADER + 1..])], 3);
    let counted = frames.lock();
    assert_eq!((counted.carried, counted.answers), (8, 1));
}
