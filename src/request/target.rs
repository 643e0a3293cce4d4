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
//! An app may lie below a path of its host ([`Premises`], found by [`Site`]). Its rules
//! begin there, so a target that has been found to be an app's is read from there on;
//! where the upstream lives at its own root, what is judged is what it gets, without
//! the app's path.
//!
//! Empty segments are resolved as well, unless the app wants them (`merge_slashes`):
//! Artifactory and some object stores tell `//` apart. Then the merged spelling is one
//! more reading, and a `..` behind an empty segment is refused: RFC 3986 §5.2.4 takes
//! that segment away, whoever merges first takes the name before it.
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

mod hosts;
mod normal;
mod premises;
mod reading;
mod site;
#[cfg(test)]
mod tests;

use crate::config::app::Slashes;

pub use hosts::Hosts;
use normal::Shape;
pub use premises::Premises;
pub use reading::{Readers, Reading};
pub use site::{Found, Site};

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
    /// More `..` than segments before them, in some reading, or than segments below the app's own path.
    #[error("the path climbs out of the root or out of the app's path")]
    ClimbsOut,
    /// `//..`, where `//` stays: see the head of this module.
    #[error("the path has a `..` behind an empty segment")]
    DotsAfterEmptySegment,
    /// Escapes within escapes beyond what any application sends.
    #[error("the path can be read in too many ways")]
    TooManyReadings,
    /// Some servers would find one of our own endpoints there and others would not.
    #[error("the path leads to the sign-in endpoints only in some readings")]
    AmbiguousPlace,
    /// Some servers would find one app there, and others another one or none.
    #[error("the path leads to different apps in different readings")]
    AmbiguousApp,
}

/// A target that is safe to judge and to forward.
#[derive(Clone, Debug)]
pub struct Target {
    /// As the visitor sees it.
    normal: PathAndQuery,
    /// As the upstream gets it, where that is something else.
    stripped: Option<Box<PathAndQuery>>,
    /// How many bytes of what the upstream gets are the app's own path.
    base: usize,
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
        Self::parse_with(uri, Slashes::Merged)
    }

    /// The same for an app that may want `//` as it came.
    pub fn parse_with(uri: &Uri, slashes: Slashes) -> Result<Self, TargetError> {
        let sent = uri.path_and_query().ok_or(TargetError::AuthorityForm)?;
        if sent.as_str() == "*" {
            return Err(TargetError::AsteriskForm);
        }
        if uri.scheme().is_some_and(|s| *s != http::uri::Scheme::HTTP && *s != http::uri::Scheme::HTTPS) {
            return Err(TargetError::Scheme);
        }
        let shape = Shape::of(sent.path());
        if shape.is_normal(sent.path(), slashes) && sent.as_str().starts_with('/') {
            return Self::settled(sent.clone(), shape, slashes);
        }
        let path = normal::normalise(sent.path(), slashes)?;
        let shape = Shape::of(&path);
        Self::settled(with_query(path, sent.query())?, shape, slashes)
    }

    fn settled(normal: PathAndQuery, shape: Shape, slashes: Slashes) -> Result<Self, TargetError> {
        let (readers, further) = if shape.has_one_reading() {
            (Readers::ALL, Vec::new())
        } else if shape.differs_by_case_only() {
            reading::by_case(normal.path())
        } else {
            reading::all(normal.path(), slashes)?
        };
        Ok(Self { normal, stripped: None, base: 0, readers, further })
    }

    /// The same target, read from the end of the app's own path on: `base` begins it, in every reading.
    fn below(self, base: &str) -> Self {
        Self { base: base.len(), ..self }
    }

    /// The same target for an upstream that does not know of the app's own path: what it gets is read anew, because a
    /// `..` that stayed inside of that path may climb out of the root.
    fn without(self, base: &str, slashes: Slashes) -> Result<Self, TargetError> {
        let rest = self.normal.as_str().get(base.len()..).unwrap_or_default();
        let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        let stripped = PathAndQuery::from_maybe_shared(Bytes::from(rest)).map_err(|_| TargetError::RawByte)?;
        let shape = Shape::of(stripped.path());
        let Self { readers, further, .. } = Self::settled(stripped.clone(), shape, slashes)?;
        Ok(Self { normal: self.normal, stripped: Some(Box::new(stripped)), base: 0, readers, further })
    }

    /// The normalised path, from the app's own path on.
    pub fn path(&self) -> &str {
        match self.forwarded().path().get(self.base..) {
            None | Some("") => "/",
            Some(path) => path,
        }
    }

    /// The query, byte for byte as it came.
    pub fn query(&self) -> Option<&str> {
        self.normal.query()
    }

    /// Path and query as the visitor sees them, normalised: cheap to clone.
    pub fn path_and_query(&self) -> &PathAndQuery {
        &self.normal
    }

    /// Path and query as the upstream gets them.
    pub fn forwarded(&self) -> &PathAndQuery {
        self.stripped.as_deref().unwrap_or(&self.normal)
    }

    /// Whether it names the app without a slash behind its path, where the upstream cannot see that: what is relative to
    /// its answer would lead out of the app.
    pub fn lacks_slash(&self) -> bool {
        self.stripped.as_ref().is_some_and(|stripped| stripped.path() == "/" && !self.normal.path().ends_with('/'))
    }

    /// Every way to read the path, from the app's own path on, first as it was sent; never the same text for the same
    /// reader twice.
    pub fn readings(&self) -> impl Iterator<Item = Reading<'_>> {
        let sent = Reading { path: self.path().as_bytes(), readers: self.readers };
        std::iter::once(sent).chain(self.further.iter().map(|further| further.reading_from(self.base)))
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
