//! Every way in which a server may read a path.
//!
//! No list of "what servers do" is complete, so the readings are a closure: each
//! step that some server or middleware takes (decode one layer, take a backslash
//! for a slash, cut `;…` parameters, resolve dots, end the path at a decoded `?`
//! or `#`) is applied to the path and again to whatever comes out, until nothing
//! new comes. That covers two servers behind each other, and steps in any order:
//! Tomcat cuts parameters before it decodes, others after.
//!
//! Rejected: decoding to the end at once. `/public/..%2fsecret%2f%252e%252e%2fpublic`
//! is below `/public` then, and below `/secret` for whoever decodes once.
//!
//! Case folds in ASCII, as the matching of case-insensitive file systems and routers
//! does for the names that rules are written in.

use super::{TargetError, normal};
use crate::config::app::Slashes;

/// How many texts the closure may hold. A package of npm takes 2, a queue of `RabbitMQ` 3;
/// the figure bounds the work that one request can cause.
const MAX_TEXTS: usize = 24;

/// Each text, and the same with its case folded.
pub(super) const MAX_READINGS: usize = 2 * MAX_TEXTS;

/// A set of the three kinds of servers that readings belong to, because a rule is read
/// in the same three ways: as sent, respelled, and with the case folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readers(u8);

impl Readers {
    /// The server that takes the path as it was sent.
    pub const AS_SENT: Self = Self(1);
    /// Servers that decode, cut or turn slashes.
    pub const RESPELLED: Self = Self(2);
    /// Servers to which case does not matter, whatever else they do.
    pub const FOLDED: Self = Self(4);
    /// All of them.
    pub const ALL: Self = Self(7);

    /// Whether everyone in `other` is in here.
    pub const fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether anyone in `other` is in here.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The path as some servers read it. Bytes, since an escape can stand for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading<'a> {
    /// It starts with a slash; dots are resolved, and slashes merged, unless the app wants them as they came.
    pub path: &'a [u8],
    /// Who reads it so.
    pub readers: Readers,
}

impl<'a> Reading<'a> {
    /// The segments after the first slash; a trailing slash is an empty last segment.
    pub fn segments(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.path.split(|&b| b == b'/').skip(1)
    }

    /// Whether it lies below `prefix` by whole segments, in any case.
    pub(super) fn enters(self, prefix: &str) -> bool {
        self.path.split_at_checked(prefix.len()).is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(prefix.as_bytes()) && (rest.is_empty() || rest[0] == b'/')
        })
    }
}

/// A reading beside the path as sent.
#[derive(Clone, Debug)]
pub(super) struct Further {
    path: Vec<u8>,
    readers: Readers,
}

impl Further {
    /// What comes after the app's own path, which begins every reading of its targets.
    pub(super) fn reading_from(&self, base: usize) -> Reading<'_> {
        let path = match self.path.get(base..) {
            None | Some([]) => b"/",
            Some(path) => path,
        };
        Reading { path, readers: self.readers }
    }
}

/// One thing that a server may do to a path; `None` where there is nothing to do.
type Step = fn(&[u8]) -> Result<Option<Vec<u8>>, TargetError>;

/// Where slashes are merged: no step brings a path with dots or `//` to its end as it is.
const MERGING: [Step; 5] = [decode, turn_backslashes, cut_parameters, end_early, normal::resolve];

/// Where the upstream gets `//` as it came: it may take it for one slash or for two, before or after it resolves dots.
const KEEPING: [Step; 6] = [decode, turn_backslashes, cut_parameters, end_early, normal::resolve_dots, normal::resolve];

/// The two readings of a path in which nothing but case can be read differently.
pub(super) fn by_case(path: &str) -> (Readers, Vec<Further>) {
    let folded = Further { path: path.to_ascii_lowercase().into_bytes(), readers: Readers::FOLDED };
    (Readers::AS_SENT.and(Readers::RESPELLED), vec![folded])
}

/// Who reads a path in normal form as it stands, and all other readings of it.
pub(super) fn all(path: &str, slashes: Slashes) -> Result<(Readers, Vec<Further>), TargetError> {
    let (steps, settle): (&[Step], Step) = match slashes {
        Slashes::Merged => (&MERGING, normal::resolve),
        Slashes::Kept => (&KEEPING, normal::resolve_dots),
    };
    let mut texts = vec![path.as_bytes().to_vec()];
    let mut next = 0;
    while next < texts.len() {
        for step in steps {
            if let Some(text) = step(&texts[next])?
                && !texts.contains(&text)
            {
                texts.push(text);
            }
        }
        if texts.len() > MAX_TEXTS {
            return Err(TargetError::TooManyReadings);
        }
        next += 1;
    }
    let mut readers = Readers::AS_SENT;
    let mut further: Vec<Further> = Vec::new();
    let mut folded: Vec<Further> = Vec::new();
    for (n, path) in texts.into_iter().enumerate() {
        if settle(&path)?.is_some() {
            continue; // on the way to a reading, itself none
        }
        let lower = path.to_ascii_lowercase();
        let this = if n == 0 { Readers::AS_SENT } else { Readers::RESPELLED };
        let this = if lower == path { this.and(Readers::FOLDED) } else { this };
        if !this.meets(Readers::FOLDED) && !folded.iter().any(|other| other.path == lower) {
            folded.push(Further { path: lower, readers: Readers::FOLDED });
        }
        if n == 0 {
            readers = this;
        } else {
            further.push(Further { path, readers: this });
        }
    }
    further.append(&mut folded);
    Ok((readers, further))
}

/// Takes one layer of escapes off; a lone `%` stands for itself.
fn decode(path: &[u8]) -> Result<Option<Vec<u8>>, TargetError> {
    if !path.contains(&b'%') {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match byte {
            b'%' => normal::escape(after).unwrap_or((byte, after)),
            _ => (byte, after),
        };
        if byte == 0 {
            return Err(TargetError::Nul);
        }
        out.push(byte);
        rest = after;
    }
    if out.windows(2).any(|pair| overlong(pair[0], pair[1])) {
        return Err(TargetError::Overlong);
    }
    Ok((out.len() < path.len()).then_some(out))
}

/// Whether a sequence that starts so spends more bytes than it needs; the old forms of
/// five and six bytes included, since a decoder that takes overlong ones takes them too.
fn overlong(first: u8, second: u8) -> bool {
    matches!(
        (first, second),
        (0xc0 | 0xc1, 0x80..=0xbf)
            | (0xe0, 0x80..=0x9f)
            | (0xf0, 0x80..=0x8f)
            | (0xf8, 0x80..=0x87)
            | (0xfc, 0x80..=0x83)
    )
}

/// `\` is `/` on Windows.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a step")]
fn turn_backslashes(path: &[u8]) -> Result<Option<Vec<u8>>, TargetError> {
    let turned = || path.iter().map(|&b| if b == b'\\' { b'/' } else { b }).collect();
    Ok(path.contains(&b'\\').then(turned))
}

/// Servlet containers cut `;…` from every segment (Servlet 6.0 §3.5.2).
fn cut_parameters(path: &[u8]) -> Result<Option<Vec<u8>>, TargetError> {
    if !path.contains(&b';') {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(path.len());
    for segment in path.split(|&b| b == b'/').skip(1) {
        let name = segment.split(|&b| b == b';').next().unwrap_or_default();
        if name == b".." && segment != b".." {
            return Err(TargetError::DotsWithParameter);
        }
        out.push(b'/');
        out.extend_from_slice(name);
    }
    Ok(Some(out))
}

/// Whoever decodes a path and parses the result once more ends it at a `?` or `#` (CVE-2026-41059).
#[expect(clippy::unnecessary_wraps, reason = "the shape of a step")]
fn end_early(path: &[u8]) -> Result<Option<Vec<u8>>, TargetError> {
    Ok(path.iter().position(|b| matches!(b, b'?' | b'#')).map(|end| path[..end].to_vec()))
}
