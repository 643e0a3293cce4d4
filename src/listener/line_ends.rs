//! No line of a head ends in a line feed alone.
//!
//! RFC 9112 §2.2 lets a server take a bare LF for the end of a line, and hyper does. A
//! proxy in front that does not sees one field's value where we would see the end of the
//! head, and behind it a request that nobody sent (threat 72). So the odd one is made a
//! NUL before hyper reads it: a byte that no head may hold, which hyper answers, and we
//! count and log, like whatever else it cannot parse.
//!
//! Only what arrives while no request is being answered is looked at, which is where the
//! heads of everybody who waits for answers begin; no proxy sends the next request before
//! it has the answer to the last. What is pipelined all the same is read by hyper's rule.
//!
//! A visitor may go on with a body that was answered early, and that is no head: one is
//! known by its first line. Rejected: a parser of our own in front of hyper's, which
//! would be the second opinion that this is here to avoid.

use crate::gateway::Heard;

/// What is known of the lines of one connection.
#[derive(Debug, Default)]
pub(crate) struct LineEnds {
    place: Place,
    /// The last bytes that came: a line may be cut anywhere.
    last: [u8; VERSION.len() + 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Where a head may begin; empty lines before it are nobody's (RFC 9112 §2.2).
    #[default]
    Start,
    /// In the first line of what may be a head.
    FirstLine,
    /// In a head, behind its first line.
    Head,
    /// In anything else, until a head may begin again.
    Elsewhere,
}

/// How the first line of a head ends, but for its last digit.
const VERSION: &[u8] = b"HTTP/1.";

impl LineEnds {
    /// Looks at what has just come.
    pub(crate) fn check(&mut self, heard: Heard, bytes: &mut [u8]) {
        match heard {
            Heard::WithinRequest => self.place = Place::Elsewhere,
            Heard::Beginning => *self = Self::default(),
            Heard::Continuation => {}
        }
        let mut start = 0;
        if self.place == Place::Start
            && let Some(first) = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))
        {
            (self.place, start) = (Place::FirstLine, first);
        }
        let bytes = &mut bytes[start..];
        if self.place == Place::FirstLine
            && let Some(end) = memchr::memchr(b'\n', bytes)
        {
            self.place = if self.is_request_line(&bytes[..end]) { Place::Head } else { Place::Elsewhere };
        }
        if self.place == Place::Head && self.has_bare(bytes) {
            self.spoil_first_bare(bytes);
        }
        if self.place != Place::Elsewhere {
            self.remember(bytes);
        }
    }

    /// Whether a line ends as the first line of a head does; its beginning may have come before.
    fn is_request_line(&self, line: &[u8]) -> bool {
        let ends_in_version = |line: &[u8]| match line.strip_suffix(b"\r").unwrap_or(line) {
            [start @ .., digit] => digit.is_ascii_digit() && start.ends_with(VERSION),
            [] => false,
        };
        ends_in_version(line) || line.len() < self.last.len() && ends_in_version(&[&self.last, line].concat())
    }

    /// Whether any line feed stands alone: a pass without a branch a byte, since nearly no head has one.
    fn has_bare(&self, bytes: &[u8]) -> bool {
        let bare = |before: u8, byte: u8| u8::from(byte == b'\n') & u8::from(before != b'\r');
        let Some((&first, rest)) = bytes.split_first() else { return false };
        let pairs = bytes.iter().zip(rest);
        pairs.fold(bare(self.before(), first), |any, (before, byte)| any | bare(*before, *byte)) != 0
    }

    /// Makes the first one that stands alone a NUL, if the head does not end before it.
    fn spoil_first_bare(&mut self, bytes: &mut [u8]) {
        let mut before = self.before();
        let mut line_is_empty = matches!(self.last, [.., b'\n'] | [.., b'\n', b'\r']);
        for byte in bytes {
            match *byte {
                b'\n' if before != b'\r' => {
                    *byte = 0;
                    return;
                }
                b'\n' if line_is_empty => {
                    self.place = Place::Elsewhere;
                    return;
                }
                b'\n' => line_is_empty = true,
                b'\r' => {}
                _ => line_is_empty = false,
            }
            before = *byte;
        }
    }

    fn before(&self) -> u8 {
        self.last[self.last.len() - 1]
    }

    fn remember(&mut self, bytes: &[u8]) {
        let new = bytes.len().min(self.last.len());
        self.last.rotate_left(new);
        let kept = self.last.len() - new;
        self.last[kept..].copy_from_slice(&bytes[bytes.len() - new..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "POST /x HTTP/1.1\r\nHost: a\r\n\r\n";

    /// What hyper reads of these pieces, in one text.
    fn read(pieces: &[(Heard, &str)]) -> String {
        let mut line_ends = LineEnds::default();
        let read = pieces.iter().map(|(heard, piece)| {
            let mut bytes = piece.as_bytes().to_vec();
            line_ends.check(*heard, &mut bytes);
            String::from_utf8(bytes).expect("a NUL for an LF")
        });
        read.collect()
    }

    /// The same for one text in two pieces, cut at each place in turn.
    fn read_in_two(text: &str) -> Vec<String> {
        let cut = |at| read(&[(Heard::Beginning, &text[..at]), (Heard::Continuation, &text[at..])]);
        (0..=text.len()).map(cut).collect()
    }

    #[test]
    fn threat_72_a_line_feed_alone_becomes_what_no_head_may_hold() {
        for (sent, spoilt) in [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\0"),
            ("GET / HTTP/1.0\nHost: a\n\n", "GET / HTTP/1.0\0"),
            ("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\0"),
            ("GET / HTTP/1.1\r\nHost: a\r\n\nGET /", "GET / HTTP/1.1\r\nHost: a\r\n\0"),
            ("GET / HTTP/1.1\r\nHost: a\n\r\nGET /", "GET / HTTP/1.1\r\nHost: a\0"),
            ("\r\n\r\nGET / HTTP/1.1\nHost: a\r\n\r\n", "\r\n\r\nGET / HTTP/1.1\0"),
        ] {
            for read in read_in_two(sent) {
                assert!(read.starts_with(spoilt), "{sent:?} became {read:?}");
            }
        }
    }

    #[test]
    fn a_head_without_one_and_any_body_stay_as_they_are() {
        let texts =
            ["", "\r\n", "GET", "GET / HTTP/1.1\r\n", HEAD, "hello\nworld\n", "\n\n", "a HTTP/1.x\n\n", "HTTP/1.\n"];
        for text in texts {
            assert!(read_in_two(text).iter().all(|read| read == text), "{text:?}");
        }
        let body = "a\nb\r\n\n";
        let whole = format!("{HEAD}{body}");
        assert_eq!(read(&[(Heard::Beginning, &whole)]), whole, "a body that comes with its head");
        let late = [(Heard::Beginning, HEAD), (Heard::WithinRequest, body), (Heard::Continuation, body)];
        assert_eq!(read(&late), format!("{HEAD}{body}{body}"), "a body that comes later, or after its answer");
        let after = [
            (Heard::Beginning, HEAD),
            (Heard::WithinRequest, body),
            (Heard::Beginning, body),
            (Heard::Continuation, body),
        ];
        assert_eq!(read(&after), format!("{HEAD}{body}{body}{body}"), "a body that goes on after its answer");
    }

    #[test]
    fn each_head_of_a_connection_is_looked_at() {
        let odd = HEAD.replace("a\r\n", "a\n");
        let pieces = [(Heard::Beginning, HEAD), (Heard::WithinRequest, "a\n"), (Heard::Beginning, &odd)];
        assert_eq!(read(&pieces), format!("{HEAD}a\n{}", odd.replace("a\n", "a\0")));
    }
}
