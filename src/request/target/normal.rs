//! The normal form of a path (RFC 3986 §6.2.2), and what one look at its bytes tells.

use super::TargetError;
use crate::config::app::Slashes;

const SLASH: u8 = 1;
const DOT: u8 = 2;
const PERCENT: u8 = 4;
const SEMICOLON: u8 = 8;
const UPPER: u8 = 16;
const FORBIDDEN: u8 = 32;

/// What each byte means for normalising and reading; 0 for the bytes that are only themselves.
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte {
            0x2f => SLASH,
            0x2e => DOT,
            0x25 => PERCENT,
            0x3b => SEMICOLON,
            0x41..=0x5a => UPPER,
            0x00..=0x20 | 0x5c | 0x7f..=0xff => FORBIDDEN,
            _ => 0,
        };
        byte += 1;
    }
    class
};

/// The classes that occur in a path, and those that occur right after a slash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    seen: u8,
    after_slash: u8,
}

impl Shape {
    /// One pass, without a branch a byte.
    pub(super) fn of(path: &str) -> Self {
        let (mut seen, mut after_slash, mut previous) = (0, 0, 0);
        for &byte in path.as_bytes() {
            let class = CLASS[usize::from(byte)];
            seen |= class;
            after_slash |= class & (previous & SLASH).wrapping_neg();
            previous = class;
        }
        Self { seen, after_slash }
    }

    /// Whether normalising would change nothing and refuse nothing.
    pub(super) fn is_normal(self, path: &str, slashes: Slashes) -> bool {
        self.seen & (PERCENT | FORBIDDEN) == 0
            && (slashes == Slashes::Kept || !self.has_empty_segments())
            // `/.well-known/` is no dot segment: worth a second look.
            && (self.after_slash & DOT == 0 || !path.split('/').any(|segment| matches!(segment, "." | "..")))
    }

    /// Whether there is `//`.
    pub(super) fn has_empty_segments(self) -> bool {
        self.after_slash & SLASH != 0
    }

    /// Whether all servers read a path in normal form alike.
    pub(super) fn has_one_reading(self) -> bool {
        self.seen & (PERCENT | SEMICOLON | UPPER) == 0 && !self.has_empty_segments()
    }

    /// Whether servers that read it differently can only differ by case: most paths with capitals.
    pub(super) fn differs_by_case_only(self) -> bool {
        self.seen & (PERCENT | SEMICOLON) == 0 && !self.has_empty_segments()
    }
}

/// The normal form of a path that starts with a slash, or why it has none.
pub(super) fn normalise(path: &str, slashes: Slashes) -> Result<String, TargetError> {
    let path = decode_unreserved(path)?;
    let resolved = match slashes {
        Slashes::Merged => resolve(path.as_bytes())?,
        // One server takes the name before the empty segment away, another the empty segment.
        Slashes::Kept if climbs_from_an_empty_segment(&path) => {
            return Err(TargetError::DotsAfterEmptySegment);
        }
        Slashes::Kept => resolve_dots(path.as_bytes())?,
    };
    Ok(match resolved {
        Some(resolved) => String::from_utf8(resolved).map_err(|_| TargetError::RawByte)?,
        None => path,
    })
}

/// Decodes the escapes of letters, digits and `-._~`, which mean the same escaped or not; checks all others.
fn decode_unreserved(path: &str) -> Result<String, TargetError> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'\\' => return Err(TargetError::Backslash),
            b'%' => {
                let (decoded, after) = escape(after).ok_or(TargetError::BadEscape)?;
                match decoded {
                    0 => return Err(TargetError::Nul),
                    b'-' | b'.' | b'_' | b'~' => out.push(char::from(decoded)),
                    _ if decoded.is_ascii_alphanumeric() => out.push(char::from(decoded)),
                    _ => {
                        out.push('%');
                        out.extend(rest[..2].iter().copied().map(char::from));
                    }
                }
                rest = after;
            }
            _ if CLASS[usize::from(byte)] == FORBIDDEN => return Err(TargetError::RawByte),
            _ => out.push(char::from(byte)),
        }
    }
    Ok(out)
}

/// The byte that two hexadecimal digits stand for, and what follows them.
pub(super) fn escape(after_percent: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = after_percent.split_first_chunk::<2>()?;
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    Some((nibble(digits[0])? << 4 | nibble(digits[1])?, rest))
}

/// Resolves dot segments (RFC 3986 §5.2.4) and merges slashes; `None` where there is nothing to resolve.
pub(super) fn resolve(path: &[u8]) -> Result<Option<Vec<u8>>, TargetError> {
    settle(path, Slashes::Merged)
}

/// Resolves dot segments to the letter of RFC 3986 §5.2.4, where an empty segment is a segment like any other.
pub(super) fn resolve_dots(path: &[u8]) -> Result<Option<Vec<u8>>, TargetError> {
    settle(path, Slashes::Kept)
}

fn settle(path: &[u8], slashes: Slashes) -> Result<Option<Vec<u8>>, TargetError> {
    let segments = || path.split(|&b| b == b'/').skip(1);
    let last = segments().count().saturating_sub(1);
    let merges = slashes == Slashes::Merged;
    let unsettled = |(n, segment): (usize, &[u8])| match segment {
        b"." | b".." => true,
        segment => merges && n < last && segment.is_empty(),
    };
    if !segments().enumerate().any(unsettled) {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(path.len());
    for (n, segment) in segments().enumerate() {
        match segment {
            b"." => {}
            b"" if merges => {}
            b".." => {
                let parent = out.iter().rposition(|&b| b == b'/').ok_or(TargetError::ClimbsOut)?;
                out.truncate(parent);
            }
            _ => {
                out.push(b'/');
                out.extend_from_slice(segment);
                continue;
            }
        }
        if n == last {
            out.push(b'/');
        }
    }
    Ok(Some(out))
}

/// Whether a `..` comes after an empty segment, with nothing but other dot segments in between.
fn climbs_from_an_empty_segment(path: &str) -> bool {
    let mut above: Vec<&str> = Vec::new();
    path.split('/').skip(1).any(|segment| match segment {
        "." => false,
        ".." => above.pop() == Some(""),
        segment => {
            above.push(segment);
            false
        }
    })
}

/// Whether a path, as it was sent, enters `base` and leaves it again by `..`: a way out of an app, whatever comes
/// after. Empty segments are none, as they are where apps are looked up.
pub(super) fn climbs_out_of(base: &str, path: &str) -> Result<bool, TargetError> {
    let path = decode_unreserved(path)?;
    let wanted = base.split('/').skip(1).count();
    let mut above: Vec<&str> = Vec::new();
    Ok(path.split('/').skip(1).any(|segment| match segment {
        "" | "." => false,
        ".." => {
            let names = base.split('/').skip(1);
            let was_at_base = above.len() == wanted && above.iter().zip(names).all(|(a, b)| a.eq_ignore_ascii_case(b));
            above.pop();
            was_at_base
        }
        segment => {
            above.push(segment);
            false
        }
    }))
}
