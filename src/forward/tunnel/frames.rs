//! Where the frames of a WebSocket begin (RFC 6455 §5.2), and the frame that closes one (§5.5.1).
//!
//! A frame of ours may stand between two of theirs, and nowhere else: within one it
//! would be taken for the other side's words. So the heads of all frames that pass
//! are read along, and nothing else of them: a few bytes of state for a direction,
//! no buffer, and no opinion. What breaks the rules is the other end's to refuse; a
//! length that no frame can have only means that the end of that frame never comes.
//!
//! Rejected: a WebSocket library in the middle. It would have to agree with both
//! ends about extensions and limits, and take every message apart.

use bytes::Bytes;

/// The opcode of a Close frame.
const CLOSE: u8 = 0x8;

/// The bit of the first byte that says that no fragment follows.
const FIN: u8 = 0x80;

/// The bit of the second byte that says that the payload is masked.
const MASKED: u8 = 0x80;

/// How far one direction of a WebSocket has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frames {
    place: Place,
    /// A Close frame has passed: nothing may follow it (RFC 6455 §5.5.1).
    closed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// So many bytes of a head have passed.
    Head { seen: usize, bytes: [u8; 10] },
    /// So many bytes are to come until the frame ends, the rest of the masking key included.
    Body { left: u64 },
}

impl Default for Place {
    fn default() -> Self {
        Self::Head { seen: 0, bytes: [0; 10] }
    }
}

impl Frames {
    /// Whether the next byte is the first of a frame.
    pub(super) fn at_boundary(&self) -> bool {
        matches!(self.place, Place::Head { seen: 0, .. })
    }

    /// Whether a Close frame has begun to pass.
    pub(super) fn closed(&self) -> bool {
        self.closed
    }

    /// Takes note of bytes that pass.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.step(bytes)..];
        }
    }

    /// How many of these bytes still belong to the frame that is under way.
    pub(super) fn rest_of_frame(mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        while !self.at_boundary() && passed < bytes.len() {
            passed += self.step(&bytes[passed..]);
        }
        passed
    }

    /// Passes at least one byte, and none beyond the end of a frame; how many that were.
    fn step(&mut self, bytes: &[u8]) -> usize {
        match &mut self.place {
            Place::Head { seen, bytes: head } => {
                head[*seen] = bytes[0];
                *seen += 1;
                if let Some(left) = body_after(&head[..*seen]) {
                    self.closed |= head[0] & 0x0f == CLOSE;
                    self.place = if left == 0 { Place::default() } else { Place::Body { left } };
                }
                1
            }
            Place::Body { left } => {
                let passed = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= passed as u64;
                if *left == 0 {
                    self.place = Place::default();
                }
                passed
            }
        }
    }
}

/// What follows a head up to its length: masking key and payload; `None` while the length is not complete.
fn body_after(head: &[u8]) -> Option<u64> {
    let (&second, extended) = head.get(1).zip(head.get(2..))?;
    let length = match second & !MASKED {
        126 => u16::from_be_bytes(extended.try_into().ok()?).into(),
        127 => u64::from_be_bytes(extended.try_into().ok()?),
        length => length.into(),
    };
    let key = if second & MASKED == 0 { 0 } else { 4 };
    Some(length.saturating_add(key))
}

/// Why a WebSocket is closed (RFC 6455 §7.4.1), as its two ends are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) code: u16,
    /// At most 123 bytes: a control frame is short (§5.5).
    pub(super) text: &'static str,
}

impl Reason {
    /// A Close frame from server to client.
    pub(super) fn frame(self) -> Bytes {
        let payload = self.payload();
        [&[FIN | CLOSE, self.length()], &payload[..]].concat().into()
    }

    /// A Close frame from client to server, which must be masked (§5.3).
    pub(super) fn masked_frame(self, key: [u8; 4]) -> Bytes {
        let payload: Vec<_> = self.payload().into_iter().zip(key.into_iter().cycle()).map(|(b, k)| b ^ k).collect();
        [&[FIN | CLOSE, MASKED | self.length()], &key[..], &payload].concat().into()
    }

    fn payload(self) -> Vec<u8> {
        [&self.code.to_be_bytes(), self.text.as_bytes()].concat()
    }

    fn length(self) -> u8 {
        u8::try_from(2 + self.text.len()).ok().filter(|&length| length < 126).expect("our own reasons are short")
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// A frame, whatever its bits say.
    fn frame(first: u8, key: Option<[u8; 4]>, length: usize) -> Vec<u8> {
        let mask = if key.is_some() { MASKED } else { 0 };
        let mut frame = vec![first];
        match length {
            0..126 => frame.push(mask | u8::try_from(length).expect("below 126")),
            126..0x1_0000 => {
                frame.push(mask | 0x7e);
                frame.extend(u16::try_from(length).expect("below 65,536").to_be_bytes());
            }
            _ => {
                frame.push(mask | 0x7f);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(key.unwrap_or_default().iter().take(if key.is_some() { 4 } else { 0 }));
        frame.extend(std::iter::repeat_n(b'x', length));
        frame
    }

    fn after(bytes: &[u8]) -> Frames {
        let mut frames = Frames::default();
        frames.pass(bytes);
        frames
    }

    #[test]
    fn a_frame_ends_where_its_head_says() {
        let key = Some([1, 2, 3, 4]);
        for (what, frame) in [
            ("empty", frame(0x81, None, 0)),
            ("empty and masked", frame(0x81, key, 0)),
            ("short", frame(0x82, key, 125)),
            ("two bytes of length", frame(0x82, None, 126)),
            ("two bytes of length, masked", frame(0x82, key, 65_535)),
            ("eight bytes of length", frame(0x82, key, 65_536)),
            ("compressed (RFC 7692)", frame(0xc1, key, 7)),
            ("a fragment", frame(0x01, key, 3)),
            ("a ping", frame(0x89, key, 4)),
        ] {
            for cut in (1..frame.len()).filter(|cut| *cut < 20 || frame.len() - cut < 20) {
                let frames = after(&frame[..cut]);
                assert!(!frames.at_boundary(), "{what} after {cut}");
                let more = [&frame[cut..], b"\x81\x05of the next one"].concat();
                assert_eq!(frames.rest_of_frame(&more), frame.len() - cut, "{what} after {cut}");
            }
            assert!(after(&frame).at_boundary() && !after(&frame).closed(), "{what}");
            assert_eq!(after(&frame).rest_of_frame(b"\x81\x01x"), 0, "{what}");
        }
    }

    #[test]
    fn after_a_close_frame_nothing_may_follow() {
        for close in [frame(0x88, None, 0), frame(0x88, Some([9; 4]), 2), frame(0x88, None, 125)] {
            let [first, second] = [frame(0x81, None, 300), close];
            assert!(!after(&first).closed());
            assert!(after(&[first, second].concat()).closed());
        }
    }

    #[test]
    fn a_length_that_no_frame_can_have_never_ends() {
        let mut frames = after(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        frames.pass(&[0; 9_000]);
        assert!(!frames.at_boundary());
        assert_eq!(frames.rest_of_frame(&[0; 9]), 9);
    }

    #[test]
    fn our_close_frame_is_masked_towards_a_server_only() {
        let reason = Reason { code: 1008, text: "session ended" };
        assert_eq!(&*reason.frame(), b"\x88\x0f\x03\xf0session ended");
        assert_eq!(&*reason.masked_frame([0; 4]), b"\x88\x8f\0\0\0\0\x03\xf0session ended");
        let masked = reason.masked_frame([0x37, 0xfa, 0x21, 0x3d]);
        let payload: Vec<_> = masked[6..].iter().zip(masked[2..6].iter().cycle()).map(|(b, k)| b ^ k).collect();
        assert_eq!((&masked[..6], &payload[..]), (&b"\x88\x8f\x37\xfa\x21\x3d"[..], &reason.frame()[2..]));
        for frame in [reason.frame(), masked] {
            assert!(after(&frame).at_boundary() && after(&frame).closed());
        }
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_makes_no_difference(
            shapes in vec((any::<u8>(), any::<Option<[u8; 4]>>(), prop_oneof![0_usize..300, 65_530_usize..65_540]), 1..6),
            cuts in vec(1_usize..5_000, 0..40),
        ) {
            let frames: Vec<_> = shapes.into_iter().map(|(first, key, length)| frame(first, key, length)).collect();
            let boundaries: Vec<_> = frames.iter().scan(0, |at, frame| { *at += frame.len(); Some(*at) }).collect();
            let bytes = frames.concat();
            let (mut at, mut state) = (0, Frames::default());
            for cut in cuts {
                let end = (at + cut).min(bytes.len());
                state.pass(&bytes[at..end]);
                at = end;
                prop_assert_eq!(state.at_boundary(), at == 0 || boundaries.contains(&at), "at {}", at);
                let next = boundaries.iter().find(|boundary| **boundary >= at).map_or(0, |boundary| boundary - at);
                let rest = if state.at_boundary() { 0 } else { next };
                prop_assert_eq!(state.rest_of_frame(&bytes[at..]), rest, "at {}", at);
            }
        }

        #[test]
        fn any_bytes_at_all_are_passed(bytes in vec(any::<u8>(), 0..400), cut in 0_usize..400) {
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut frames = after(first);
            let rest = frames.rest_of_frame(second);
            prop_assert!(rest <= second.len());
            frames.pass(&second[..rest]);
            prop_assert!(frames.at_boundary() || rest == second.len());
        }
    }
}
