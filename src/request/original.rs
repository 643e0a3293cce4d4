//! The request that a proxy in front asks about (forward-auth, contract section 4).
//!
//! There is no standard. Traefik and Caddy say it in `X-Forwarded-Method`, `-Proto`,
//! `-Host` and `-Uri`; with nginx it is `X-Original-Method` and `X-Original-URL`. Both ways
//! are read, and what is said twice has to be the same: a proxy sets the fields of its own
//! way and may hand on what a visitor put into those of the other (CVE-2026-40575), which
//! therefore can bring about a refusal and nothing else.
//!
//! [`restore`] puts the original request in the place of the one that asks about it, so that
//! it is read, judged and answered by the very code that serves requests directly. What
//! cannot be the same is what happens afterwards: the proxy sends the app its own spelling
//! of the path, and not the one that we judged. So a path is refused where the two differ
//! by more than the escapes of plain characters ([`is_handed_on_as_judged`]).
//!
//! `X-Original-URI`, `X-Rewrite-URL` and the like say nothing here (GHSA-5wcc-hf24-rf5h).

use http::{
    HeaderMap, HeaderValue, Method, Uri,
    header::HOST,
    request::Parts,
    uri::{PathAndQuery, Scheme},
};
use thiserror::Error;

use super::{Host, InvalidHost, Target};

/// Why it cannot be said which request is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OriginalError {
    /// Nobody said it.
    #[error(
        "the proxy does not say {0}: it must send X-Forwarded-Method, -Proto, -Host and -Uri, or X-Original-Method and X-Original-URL"
    )]
    Missing(Part),
    /// Two lines, or two requests; a visitor's and the proxy's perhaps.
    #[error("the field {0} comes more than once")]
    Repeated(&'static str),
    /// It is not what it should be.
    #[error("the field {0} cannot be read")]
    Malformed(&'static str),
    /// The two ways to say it say different things.
    #[error("X-Forwarded-* and X-Original-* disagree about {0}")]
    Disagreement(Part),
    /// Rules of the app look at methods, and the app would serve another one (threat 64).
    #[error("the original request asks for another method by a header, which the proxy must remove before it asks")]
    MethodOverride,
    /// See [`is_handed_on_as_judged`].
    #[error(
        "the original path has `.`, `..` or empty segments: the app would be asked for another spelling than was judged"
    )]
    Unsettled,
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its method.
    Method,
    /// Its scheme.
    Scheme,
    /// Its host.
    Host,
    /// Its target.
    Target,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Method => "the original method",
            Self::Scheme => "the original scheme",
            Self::Host => "the original host",
            Self::Target => "the original path and query",
        })
    }
}

const METHODS: [&str; 2] = ["x-forwarded-method", "x-original-method"];
const PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";
const FORWARDED_URI: &str = "x-forwarded-uri";
const ORIGINAL_URL: &str = "x-original-url";

/// Makes the head of a proxy's question that of the request which it asks about. Its other fields are the visitor's.
pub fn restore(head: &mut Parts) -> Result<(), OriginalError> {
    let headers = &head.headers;
    let method = agreed(Part::Method, METHODS.map(|name| read(headers, name, parse_method)))?;
    let url = read(headers, ORIGINAL_URL, parse_url)?;
    let (scheme, host, target) =
        url.map_or((None, None, None), |url| (Some(url.scheme), Some(url.host), Some(url.target)));
    let scheme = agreed(Part::Scheme, [read(headers, PROTO, parse_scheme), Ok(scheme)])?;
    let host = agreed_host(&scheme, [read(headers, FORWARDED_HOST, parse_host), Ok(host)])?;
    let target = agreed(Part::Target, [read(headers, FORWARDED_URI, parse_target), Ok(target)])?;
    head.method = method;
    head.uri = Uri::from(target);
    head.headers.insert(HOST, host);
    Ok(())
}

/// Whether who sends the path on as it came asks for what was judged. Dots and empty segments are resolved before
/// judging; an app that is asked for `/secret/../public/page` may see `/secret/` and be right.
pub fn is_handed_on_as_judged(sent: &Uri, judged: &Target) -> bool {
    let is_dots = |segment: &str| matches!(&*segment.to_ascii_lowercase().replace("%2e", "."), "." | "..");
    let slashes = |path: &str| path.bytes().filter(|byte| *byte == b'/').count();
    slashes(sent.path()) == slashes(judged.path_and_query().path()) && !sent.path().split('/').any(is_dots)
}

/// `X-Original-URL`, taken apart.
struct Url {
    scheme: Scheme,
    host: HeaderValue,
    target: PathAndQuery,
}

/// A field that comes at most once.
fn read<T>(
    headers: &HeaderMap,
    name: &'static str,
    parse: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Option<T>, OriginalError> {
    let mut lines = headers.get_all(name).into_iter();
    let Some(value) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(OriginalError::Repeated(name));
    }
    parse(value.as_bytes()).map(Some).ok_or(OriginalError::Malformed(name))
}

/// What at least one of two ways says, and both where both say it.
fn agreed<T: PartialEq>(part: Part, said: [Result<Option<T>, OriginalError>; 2]) -> Result<T, OriginalError> {
    let [one, other] = said;
    match (one?, other?) {
        (Some(one), Some(other)) if one != other => Err(OriginalError::Disagreement(part)),
        (Some(said), _) | (None, Some(said)) => Ok(said),
        (None, None) => Err(OriginalError::Missing(part)),
    }
}

/// The same for hosts, which may leave the port of their scheme out.
fn agreed_host(
    scheme: &Scheme,
    said: [Result<Option<HeaderValue>, OriginalError>; 2],
) -> Result<HeaderValue, OriginalError> {
    let [one, other] = said;
    let malformed = |_: InvalidHost| OriginalError::Malformed(FORWARDED_HOST);
    match (one?, other?) {
        (Some(one), Some(other)) => {
            let parsed = Host::parse(one.as_bytes()).map_err(malformed)?;
            if parsed.agrees_with(&Host::parse(other.as_bytes()).map_err(malformed)?, Some(scheme)) {
                return Ok(one.clone());
            }
            Err(OriginalError::Disagreement(Part::Host))
        }
        (Some(said), None) | (None, Some(said)) => Ok(said),
        (None, None) => Err(OriginalError::Missing(Part::Host)),
    }
}

fn parse_method(value: &[u8]) -> Option<Method> {
    Method::from_bytes(value).ok()
}

/// `ws` and `wss` are what Traefik calls the schemes of a WebSocket's handshake.
fn parse_scheme(value: &[u8]) -> Option<Scheme> {
    match &*value.to_ascii_lowercase() {
        b"http" | b"ws" => Some(Scheme::HTTP),
        b"https" | b"wss" => Some(Scheme::HTTPS),
        _ => None,
    }
}

fn parse_host(value: &[u8]) -> Option<HeaderValue> {
    Host::parse(value).ok()?;
    HeaderValue::from_bytes(value).ok()
}

/// In origin-form. `http` would cut a fragment off, which the proxy may hand on.
fn parse_target(value: &[u8]) -> Option<PathAndQuery> {
    (value.first() == Some(&b'/') && !value.contains(&b'#')).then(|| PathAndQuery::try_from(value).ok()).flatten()
}

fn parse_url(value: &[u8]) -> Option<Url> {
    let at = value.windows(3).position(|window| window == b"://")?;
    let (scheme, rest) = (parse_scheme(&value[..at])?, &value[at + 3..]);
    let (host, target) = rest.split_at(rest.iter().position(|byte| *byte == b'/')?);
    Some(Url { scheme, host: parse_host(host)?, target: parse_target(target)? })
}

#[cfg(test)]
mod tests;
