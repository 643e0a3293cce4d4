//! The frames of an HTTP/2 connection, counted as they pass (RFC 9113 §4.1).
//!
//! The `h2` crate bounds what a peer can make it hold: resets of streams that nobody has
//! accepted yet (CVE-2023-44487), streams that it must reset itself (CVE-2025-8671),
//! CONTINUATION frames (CVE-2024-27316, RUSTSEC-2024-0332), empty DATA (RUSTSEC-2026-0258),
//! the size of a head however well it is compressed. It does not bound what is answered and
//! forgotten at once: PING, SETTINGS, PRIORITY, `WINDOW_UPDATE`, frames of unknown types
//! (CVE-2019-9512, -9513, -9515), and requests that are taken back as soon as they have
//! gone on to the upstream. Two rules cover all of them, known and to come:
//!
//! - what a visitor sends beside heads and bodies must bear some relation to what of them has
//!   passed, either way (nginx's rule; a window is never so slow that an honest client breaks it);
//! - streams that end by a reset, whoever sent it, may not outnumber the answered ones by much.
//!
//! Seen here as well, because hyper does not tell: a head that has begun and does not come to
//! its end; when anything that matters has passed, which PINGs do not, so that they keep no
//! connection open; and requests that `h2` has refused by itself.

use std::{
    fmt,
    io::{self, IoSlice},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    clock::instant,
    listener::{protocol::preface::PREFACE, watched::Watch},
};

/// So many bytes may come beside heads and bodies before anything is held against them: 15,000 PINGs.
const OVERHEAD: u64 = 256 * 1024;

/// And so many more for each byte of heads and bodies, in either direction. Two updates of windows, 26
/// bytes, for each smallest event of a stream of events are half of that.
const OVERHEAD_PER_BYTE: u64 = 16;

/// By so many the streams that end in a reset may outnumber the answers.
const RESETS: u64 = 200;

const FRAME_HEADER: usize = 9;
const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const CONTINUATION: u8 = 0x9;
const END_HEADERS: u8 = 0x4;
const PROTOCOL_ERROR: u32 = 0x1;

/// Why a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    /// Frames that carry nothing.
    Overhead,
    /// Requests that are taken back, or that have to be.
    Resets,
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overhead => "a flood of frames that carry nothing",
            Self::Resets => "a flood of streams that are reset",
        })
    }
}

impl std::error::Error for Flood {}

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Frames(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    incoming: Scanner,
    outgoing: Scanner,
    overhead: u64,
    carried: u64,
    resets: u64,
    answers: u64,
    /// Requests that were refused as malformed since somebody asked.
    malformed: u64,
    /// When a part of a head or body last passed.
    moved: Instant,
    /// Since when something has been arriving that is due in the time of a head.
    partial_since: Option<Instant>,
    flood: Option<Flood>,
}

impl Frames {
    /// Of a connection that nothing has been read from.
    pub(super) fn new() -> Self {
        let now = instant();
        Self(Mutex::new(Counted {
            incoming: Scanner::after(PREFACE.len()),
            outgoing: Scanner::after(0),
            overhead: 0,
            carried: 0,
            resets: 0,
            answers: 0,
            malformed: 0,
            moved: now,
            partial_since: Some(now),
            flood: None,
        }))
    }

    /// These bytes have come.
    fn come(&self, bytes: &[u8]) -> Result<(), Flood> {
        let mut counted = self.lock();
        let seen = counted.incoming.scan(bytes);
        counted.overhead += seen.overhead;
        counted.carried += seen.carried;
        counted.resets += seen.resets;
        if seen.carried > 0 {
            counted.moved = instant();
        }
        if !counted.incoming.is_partial() {
            counted.partial_since = None;
        } else if seen.completed || counted.partial_since.is_none() {
            counted.partial_since = Some(instant());
        }
        counted.flood = counted.verdict();
        counted.flood.map_or(Ok(()), Err)
    }

    /// Of these slices, so many bytes have gone.
    fn go(&self, slices: &[IoSlice<'_>], mut length: usize) {
        let mut counted = self.lock();
        for slice in slices {
            let part = &slice[..slice.len().min(length)];
            length -= part.len();
            let seen = counted.outgoing.scan(part);
            counted.carried += seen.carried;
            counted.resets += seen.resets;
            counted.answers += seen.heads;
            counted.malformed += seen.protocol_errors;
            if seen.carried > 0 {
                counted.moved = instant();
            }
        }
    }

    /// An answer is complete, though none of it may be on its way yet.
    pub(super) fn answered(&self) {
        self.lock().moved = instant();
    }

    /// When the connection has to end: `rest` after the last thing that mattered, and no head may take
    /// longer than `head`.
    pub(super) fn deadline(&self, rest: Duration, head: Duration) -> Instant {
        let counted = self.lock();
        let due = counted.moved + rest;
        counted.partial_since.map_or(due, |since| due.min(since + head))
    }

    /// Whether a head, or anything else that is due in the time of a head, has begun and not ended.
    pub(super) fn is_partial(&self) -> bool {
        self.lock().partial_since.is_some()
    }

    /// How many requests have been refused as malformed (RFC 9113 §8.1.1) since this was asked before.
    pub(super) fn take_malformed(&self) -> u64 {
        mem::take(&mut self.lock().malformed)
    }

    /// Why it was cut by the rules of this module, if it was.
    pub(super) fn flood(&self) -> Option<Flood> {
        self.lock().flood
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn verdict(&self) -> Option<Flood> {
        if self.overhead > OVERHEAD + OVERHEAD_PER_BYTE * self.carried {
            Some(Flood::Overhead)
        } else if self.resets > RESETS + self.answers {
            Some(Flood::Resets)
        } else {
            None
        }
    }
}

impl Watch for Arc<Frames> {
    fn received(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.come(bytes).map_err(io::Error::other)
    }

    fn sending(&mut self) {}

    fn sent(&mut self, slices: &[IoSlice<'_>], length: usize) {
        self.go(slices, length);
    }

    fn flushed(&mut self) {}
}

/// Finds the frames in one direction, whatever pieces they come in.
#[derive(Debug)]
struct Scanner {
    /// What still comes before the first frame.
    skip: usize,
    header: [u8; FRAME_HEADER],
    /// How much of the header is there.
    filled: usize,
    /// How much of the payload is not.
    left: usize,
    /// What of the payload has come, the last four bytes: the code of a reset.
    code: u32,
    /// A further frame belongs to what has come: the first one to the preface, or the rest of a head.
    awaits_frame: bool,
}

/// What a piece of the stream held.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Bytes of heads and bodies.
    carried: u64,
    /// All others.
    overhead: u64,
    resets: u64,
    /// Those of them that say that the rules were broken.
    protocol_errors: u64,
    heads: u64,
    /// A frame came to its end, and no further one belongs to it.
    completed: bool,
}

impl Scanner {
    fn after(skip: usize) -> Self {
        Self { skip, header: [0; FRAME_HEADER], filled: 0, left: 0, code: 0, awaits_frame: true }
    }

    fn scan(&mut self, bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        let (_, mut rest) = bytes.split_at(self.skip.min(bytes.len()));
        self.skip -= bytes.len() - rest.len();
        while !rest.is_empty() {
            if self.filled < FRAME_HEADER {
                let (header, after) = rest.split_at(rest.len().min(FRAME_HEADER - self.filled));
                self.header[self.filled..][..header.len()].copy_from_slice(header);
                self.filled += header.len();
                rest = after;
                if self.filled < FRAME_HEADER {
                    break;
                }
                self.begin(&mut seen);
            } else {
                let (payload, after) = rest.split_at(rest.len().min(self.left));
                self.left -= payload.len();
                rest = after;
                if self.kind() == RST_STREAM {
                    self.code = payload.iter().fold(self.code, |code, byte| code << 8 | u32::from(*byte));
                }
                *(if self.carries() { &mut seen.carried } else { &mut seen.overhead }) += payload.len() as u64;
            }
            if self.left == 0 {
                self.end(&mut seen);
            }
        }
        seen
    }

    fn begin(&mut self, seen: &mut Seen) {
        let [high, middle, low, ..] = self.header;
        self.left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        seen.overhead += FRAME_HEADER as u64;
        seen.resets += u64::from(self.kind() == RST_STREAM);
        seen.heads += u64::from(self.kind() == HEADERS);
    }

    fn end(&mut self, seen: &mut Seen) {
        self.filled = 0;
        seen.protocol_errors += u64::from(self.kind() == RST_STREAM && self.code == PROTOCOL_ERROR);
        // Whatever comes in between instead ends the connection (RFC 9113 §6.10).
        self.awaits_frame = matches!(self.kind(), HEADERS | CONTINUATION) && self.header[4] & END_HEADERS == 0;
        seen.completed |= !self.awaits_frame;
    }

    fn kind(&self) -> u8 {
        self.header[3]
    }

    fn carries(&self) -> bool {
        matches!(self.kind(), DATA | HEADERS | CONTINUATION)
    }

    /// Whether more has to come soon: of the preface, of a head, of a frame that is no body.
    fn is_partial(&self) -> bool {
        let in_payload = self.filled == FRAME_HEADER;
        self.skip > 0 || self.awaits_frame || if in_payload { self.kind() != DATA } else { self.filled > 0 }
    }
}

#[cfg(test)]
mod tests;
