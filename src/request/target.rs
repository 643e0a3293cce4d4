//! The request target (RFC 9112 §3.2), normalised, with every way to read it.
//!
//! Normalising follows RFC 3986 §6.2.2 and no further: dot segments and empty
//! segments are resolved, escapes of unreserved characters are decoded. `%2F`,
//! `%5C`, `;…`, case and the spelling of the remaining escapes stay, because
//! applications tell them apart: the default vhost of `RabbitMQ` is `%2F`, packages
//! of npm are `@scope%2fname`. The query is opaque.
//!
//! What stays is where an upstream and a rule can disagree, so a [`Target`]
//! carries each further [`Reading`] that some server would make of it. A path
//! without such bytes has one reading and costs one pass and no allocation.
//!
//! Rejected: decoding the path before judging and forwarding that (breaks the
//! applications above, and decoding twice is how `%252e` slips); redirecting to
//! the normal form (breaks every client that is not a browser); WHATWG `url`
//! (it mends what must be refused: backslashes, controls).
//!
//! A fragment never gets here: `http::Uri` ends at a raw `#` (CVE-2023-47106), so
//! it is neither judged nor forwarded.

use bytes::Bytes;
use http::{Uri, uri::PathAndQuery};
use thiserror::Error;

mod normal;
mod reading;
#[cfg(test)]
mod tests;

use normal::Shape;
pub use reading::{Readers, Reading};

/// Why a target is refused; each is a 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    /// Authority-form: for CONNECT, and so for forward proxies.
    #[error("the target is only a host and port; this is not a forward proxy")]
    AuthorityForm,
    /// `*`: about the server as a whole, and a reverse proxy has many behind it.
    #[error("the target `*` names no resource")]
    AsteriskForm,
    /// An absolute-form of something else than http.
    #[error("the target's scheme is neither http nor https")]
    Scheme,
    /// A byte that belongs into an escape: a control or beyond ASCII.
    #[error("the path holds a byte that must be percent-encoded")]
    RawByte,
    /// A raw backslash: browsers and some servers read it as a slash.
    #[error("the path holds a backslash")]
    Backslash,
    /// `%` without two hexadecimal digits.
    #[error("the path holds a `%` that starts no escape")]
    BadEscape,
    /// `%00`, in any layer of escaping.
    #[error("the path holds an escaped NUL")]
    Nul,
    /// More bytes than its character needs, as in `%c0%ae` for a dot (RFC 3629 §3).
    #[error("the path holds an overlong UTF-8 sequence")]
    Overlong,
    /// `..;`: a dot segment to servers that cut parameters, a name to others.
    #[error("the path holds a `..` segment with a parameter")]
    DotsWithParameter,
    /// More `..` than segments before them, in some reading.
    #[error("the path climbs out of the root")]
    ClimbsOut,
    /// Escapes within escapes beyond what any application sends.
    #[error("the path can be read in too many ways")]
    TooManyReadings,
    /// Some servers would find one of our own endpoints there and others would not.
    #[error("the path leads to the sign-in endpoints only in some readings")]
    AmbiguousPlace,
}

/// A target that is safe to judge and to forward.
#[derive(Clone, Debug)]
pub struct Target {
    normal: PathAndQuery,
    readers: Readers,
    further: Vec<reading::Further>,
}

/// Whose path it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// Ours: what follows the prefix, empty or from its slash on.
    Own(&'a str),
    /// The app's.
    App,
}

impl Target {
    /// No target has more of them.
    pub const MAX_READINGS: usize = reading::MAX_READINGS;

    /// Reads origin-form and absolute-form; that an absolute-form names the request's own host is
    /// [`framing::check`](super::framing::check)'s to see.
    pub fn parse(uri: &Uri) -> Result<Self, TargetError> {
        let sent = uri.path_and_query().ok_or(TargetError::AuthorityForm)?;
        if sent.as_str() == "*" {
            return Err(TargetError::AsteriskForm);
        }
        if uri.scheme().is_some_and(|s| *s != http::uri::Scheme::HTTP && *s != http::uri::Scheme::HTTPS) {
            return Err(TargetError::Scheme);
        }
        let shape = Shape::of(sent.path());
        if shape.is_normal(sent.path()) && sent.as_str().starts_with('/') {
            return Self::settled(sent.clone(), shape);
        }
        let path = normal::normalise(sent.path())?;
        let shape = Shape::of(&path);
        Self::settled(with_query(path, sent.query())?, shape)
    }

    fn settled(normal: PathAndQuery, shape: Shape) -> Result<Self, TargetError> {
        if shape.has_one_reading() {
            return Ok(Self { normal, readers: Readers::ALL, further: Vec::new() });
        }
        let (readers, further) =
            if shape.differs_by_case_only() { reading::by_case(normal.path()) } else { reading::all(normal.path())? };
        Ok(Self { normal, readers, further })
    }

    /// The normalised path, as it is forwarded.
    pub fn path(&self) -> &str {
        self.normal.path()
    }

    /// The query, byte for byte as it came.
    pub fn query(&self) -> Option<&str> {
        self.normal.query()
    }

    /// What is forwarded: cheap to clone.
    pub fn path_and_query(&self) -> &PathAndQuery {
        &self.normal
    }

    /// Every way to read the path, first as it was sent; never the same text for the same reader twice.
    pub fn readings(&self) -> impl Iterator<Item = Reading<'_>> {
        let sent = Reading { path: self.path().as_bytes(), readers: self.readers };
        std::iter::once(sent).chain(self.further.iter().map(reading::Further::as_reading))
    }

    /// Whether everybody reads the path as it was sent: there is one reading only.
    pub fn is_plain(&self) -> bool {
        self.further.is_empty()
    }

    /// Whether the path is below our own `prefix` (by whole segments), and that in every reading or in none.
    ///
    /// `/_vestibulex` is the app's. `/_vestibule/..%2fsecret`, `/_VESTIBULE/` and
    /// `/x/..%2f_vestibule/start` are refused: they are ours to some servers only.
    pub fn place(&self, prefix: &str) -> Result<Place<'_>, TargetError> {
        let own = self.path().strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let agreed = self.readings().all(|reading| reading.enters(prefix) == own.is_some());
        match own {
            _ if !agreed => Err(TargetError::AmbiguousPlace),
            Some(rest) => Ok(Place::Own(rest)),
            None => Ok(Place::App),
        }
    }
}

fn with_query(mut path: String, query: Option<&str>) -> Result<PathAndQuery, TargetError> {
    if let Some(query) = query {
        path.push('?');
        path.push_str(query);
    }
    // Decoding only ever puts unreserved characters into a path that was valid before.
    PathAndQuery::from_maybe_shared(Bytes::from(path)).map_err(|_| TargetError::RawByte)
}
