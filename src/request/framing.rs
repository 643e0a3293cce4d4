//! Whether a head frames exactly one request, for exactly one host.
//!
//! hyper reads the message; this refuses what hyper mends or lets pass and what
//! the next server could read otherwise (RFC 9112 §6.1 and §6.3, RFC 9110 §7.2;
//! CVE-2026-2835, hyper's CVE-2021-21299 and CVE-2021-32715). Where both lengths are given,
//! hyper itself drops `Content-Length`, takes the chunks and closes the connection
//! afterwards, so that nothing can hide behind it; the check here is for the day
//! on which it stops doing so. Bodies are framed anew towards the upstream.
//!
//! `X-HTTP-Method-Override` and its like are not refused: applications behind
//! proxies that know two methods only live on them. They are dropped for an app
//! whose rules name methods, where they would let the rule see one method and the
//! application another (`HeaderKind::MethodOverride`).

use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header, request::Parts};
use thiserror::Error;

use super::{
    Fields, Host, InvalidHost,
    http2::{self, Http2Error},
};

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FramingError {
    /// HTTP/1.1 asks for one; in HTTP/1.0 it would be a guess which app is meant.
    #[error("the request names no host")]
    NoHost,
    /// The app would depend on who counts.
    #[error("the request names more than one host")]
    SeveralHosts,
    /// See [`InvalidHost`].
    #[error("the request's host is malformed: {0}")]
    Host(#[from] InvalidHost),
    /// RFC 9112 §3.2.2 lets the target win; no honest client sends two (threat 60).
    #[error("the target and the Host header name different hosts")]
    HostMismatch,
    /// Any transfer coding but `chunked`, alone and once.
    #[error("only `Transfer-Encoding: chunked` is understood, once")]
    TransferEncoding,
    /// RFC 9112 §6.1: such a message has been put together wrongly, or on purpose.
    #[error("an HTTP/1.0 request has no Transfer-Encoding")]
    TransferEncodingInHttp10,
    /// The two ends could see two different bodies.
    #[error("Content-Length and Transfer-Encoding exclude each other")]
    TwoLengths,
    /// Several of them, or no plain decimal number.
    #[error("Content-Length is not one decimal number")]
    ContentLength,
    /// CONNECT asks for a tunnel; TRACE would show the headers that we add.
    #[error("the method {} is not served here", .0.as_str())]
    Method(RefusedMethod),
    /// See [`Http2Error`].
    #[error(transparent)]
    Http2(#[from] Http2Error),
    /// Nothing but `100-continue` is registered.
    #[error("only `Expect: 100-continue` is understood")]
    Expect,
}

/// A method that is answered without asking anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedMethod {
    /// RFC 9110 §9.3.6
    Connect,
    /// RFC 9110 §9.3.8
    Trace,
}

impl RefusedMethod {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Trace => "TRACE",
        }
    }
}

impl FramingError {
    /// The status that answers it; the connection closes after any of them.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Expect => StatusCode::EXPECTATION_FAILED,
            Self::Http2(error) => error.status(),
            Self::NoHost
            | Self::SeveralHosts
            | Self::Host(_)
            | Self::HostMismatch
            | Self::TransferEncoding
            | Self::TransferEncodingInHttp10
            | Self::TwoLengths
            | Self::ContentLength => StatusCode::BAD_REQUEST,
        }
    }
}

/// Checks a head and gives the host that it is for.
pub fn check<'h>(parts: &'h Parts, fields: &Fields<'h>) -> Result<Host<'h>, FramingError> {
    match parts.method {
        Method::CONNECT => return Err(FramingError::Method(RefusedMethod::Connect)),
        Method::TRACE => return Err(FramingError::Method(RefusedMethod::Trace)),
        _ => {}
    }
    if parts.version == Version::HTTP_2 {
        http2::check(parts)?;
    }
    check_length(parts.version, fields)?;
    if fields.unknown_expectation {
        return Err(FramingError::Expect);
    }
    host(parts, fields)
}

fn check_length(version: Version, fields: &Fields<'_>) -> Result<(), FramingError> {
    let length = fields.content_length.at_most_one(FramingError::ContentLength)?;
    let coding = fields.transfer_encoding.at_most_one(FramingError::TransferEncoding)?;
    if length.is_some_and(|v| v.is_empty() || !v.as_bytes().iter().all(u8::is_ascii_digit)) {
        return Err(FramingError::ContentLength);
    }
    let Some(coding) = coding else { return Ok(()) };
    match coding.as_bytes() {
        _ if version < Version::HTTP_11 => Err(FramingError::TransferEncodingInHttp10),
        coding if !coding.eq_ignore_ascii_case(b"chunked") => Err(FramingError::TransferEncoding),
        _ if length.is_some() => Err(FramingError::TwoLengths),
        _ => Ok(()),
    }
}

/// The `Host` header. What HTTP/2 has in `:authority` has become one ([`http2::settle`]).
fn host<'h>(parts: &'h Parts, fields: &Fields<'h>) -> Result<Host<'h>, FramingError> {
    let header = fields.host.at_most_one(FramingError::SeveralHosts)?;
    match (header, parts.uri.authority()) {
        (Some(header), None) => Ok(Host::parse(header.as_bytes())?),
        (Some(header), Some(authority)) => {
            let (host, target) = (Host::parse(header.as_bytes())?, Host::parse(authority.as_str().as_bytes())?);
            if host.agrees_with(&target, parts.uri.scheme()) { Ok(host) } else { Err(FramingError::HostMismatch) }
        }
        (None, _) => Err(FramingError::NoHost),
    }
}

/// Whether this asks for a WebSocket (RFC 6455 §4.2.1).
///
/// Any other `Upgrade`, h2c above all, is not taken and not passed on. Neither is a
/// handshake with a body: what would come after it could be read as frames (threat 76).
pub fn is_websocket_handshake(parts: &Parts) -> bool {
    let headers = &parts.headers;
    headers.contains_key(header::UPGRADE)
        && parts.method == Method::GET
        && parts.version == Version::HTTP_11
        && lists(headers, header::UPGRADE, "websocket")
        && lists(headers, header::CONNECTION, "upgrade")
        && headers.contains_key(header::SEC_WEBSOCKET_KEY)
        && !headers.contains_key(header::TRANSFER_ENCODING)
        && headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0")
}

fn lists(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let holds = |value: &HeaderValue| {
        value.as_bytes().split(|&b| b == b',').any(|t| t.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    };
    headers.get_all(name).iter().any(holds)
}

#[cfg(test)]
mod tests;
