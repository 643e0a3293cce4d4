//! Our cookies: their names, finding them, setting them, and keeping them from the upstream.
//!
//! RFC 6265 and its revision (draft-ietf-httpbis-rfc6265bis). Over https every
//! name carries `__Host-`, so no sibling domain and no plain-http page can plant
//! one (threat 79).
//!
//! Values are always base64url of bytes, so nothing that a visitor or a provider
//! chose can end a header or a cookie. Rejected: a cookie map per request (it
//! allocates, and normalises what must stay as it is), the `cookie` crate's parser
//! (it decodes and skips what it dislikes; an attacker picks what it dislikes).

use std::{fmt, time::Duration};

use aws_lc_rs::digest;
use cookie::{Cookie, SameSite};
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, HeaderValue, header};

use crate::{config::app::Scheme, random::Random, session::CookieSecret};

pub mod upstream;

/// The names of our cookies at one app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieNames {
    scheme: Scheme,
    session: &'static str,
    attempt_prefix: &'static str,
    loop_marker: &'static str,
}

/// One of our names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieName(String);

impl CookieName {
    /// As it stands in a header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its value as the browser sent it, still encoded: see [`decode`]. Two different
    /// values are none: there is no telling which of them somebody planted. Equal
    /// ones are one.
    pub fn find<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        find(headers, &self.0)
    }
}

/// How long a browser keeps a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Until it closes: neither `Max-Age` nor `Expires`.
    UntilBrowserCloses,
    /// This long.
    For(Duration),
}

/// An attempt's cookie as the browser sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptCookie<'h> {
    /// Which attempt.
    pub id: AttemptId,
    /// The value, still encoded: see [`decode`].
    pub value: &'h [u8],
}

impl CookieNames {
    /// The names under the scheme of the app's public URL. Plain http, which is for
    /// loopback, gets no prefix: browsers refuse `__Host-` there.
    pub fn new(scheme: Scheme) -> Self {
        match scheme {
            Scheme::Https => Self {
                scheme,
                session: "__Host-vestibule",
                attempt_prefix: "__Host-vestibule-attempt-",
                loop_marker: "__Host-vestibule-loop",
            },
            Scheme::Http => Self {
                scheme,
                session: "vestibule",
                attempt_prefix: "vestibule-attempt-",
                loop_marker: "vestibule-loop",
            },
        }
    }

    /// The session's name.
    pub fn session(&self) -> CookieName {
        CookieName(self.session.to_owned())
    }

    /// The name of one sign-in attempt.
    pub fn attempt(&self, id: AttemptId) -> CookieName {
        CookieName(format!("{}{id}", self.attempt_prefix))
    }

    /// The name of what counts the restarts of a sign-in.
    pub fn loop_marker(&self) -> CookieName {
        CookieName(self.loop_marker.to_owned())
    }

    /// The session cookie's value, found as [`CookieName::find`] does. Runs once a request.
    pub fn session_value<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        find(headers, self.session)
    }

    /// The secret in it.
    pub fn session_secret(&self, headers: &HeaderMap) -> Option<CookieSecret> {
        self.session_value(headers).and_then(CookieSecret::parse)
    }

    /// The attempts that are open in this browser, in its order.
    pub fn attempts<'h>(&self, headers: &'h HeaderMap) -> impl Iterator<Item = AttemptCookie<'h>> {
        let prefix = self.attempt_prefix.as_bytes();
        pairs(headers).filter_map(move |(name, value)| {
            let id = AttemptId::parse(name.strip_prefix(prefix)?)?;
            Some(AttemptCookie { id, value })
        })
    }

    /// A `Set-Cookie` that hands `payload` to the browser (see [`decode`] for the way back).
    pub fn set(&self, name: &CookieName, payload: &[u8], keep: Keep) -> HeaderValue {
        let value = BASE64URL_NOPAD.encode(payload);
        match keep {
            Keep::UntilBrowserCloses => self.set_cookie(name, &value, None),
            Keep::For(time) => self.set_cookie(name, &value, Some(time)),
        }
    }

    /// A `Set-Cookie` that makes the browser forget one.
    pub fn remove(&self, name: &CookieName) -> HeaderValue {
        self.set_cookie(name, "", Some(Duration::ZERO))
    }

    fn set_cookie(&self, name: &CookieName, value: &str, max_age: Option<Duration>) -> HeaderValue {
        let mut cookie = Cookie::new(name.as_str(), value);
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_same_site(SameSite::Lax);
        cookie.set_secure(self.scheme == Scheme::Https);
        if let Some(time) = max_age {
            cookie.set_max_age(time::Duration::seconds(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)));
        }
        HeaderValue::try_from(cookie.to_string()).expect("our names and base64url are visible ASCII")
    }
}

/// The bytes behind a value that [`CookieNames::set`] encoded; only the canonical spelling has any.
pub fn decode(value: &[u8]) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(value).ok()
}

/// Names one attempt to sign in: it is part of that attempt's cookie's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttemptId([u8; 16]);

impl AttemptId {
    /// A new one that nobody can guess.
    pub fn generate(random: &Random) -> Self {
        Self(random.bytes())
    }

    /// Reads what its `Display` wrote, and nothing else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        // 16 bytes are 22 characters, and 22 characters may be decoded without asking the allocator.
        let mut bytes = [0; 16];
        if text.len() != 22 {
            return None;
        }
        BASE64URL_NOPAD.decode_mut(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// What a session keeps of the attempt that made it.
    pub fn digest(&self) -> String {
        let input = [b"vestibule/1 attempt ".as_slice(), &self.0].concat();
        BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, &input).as_ref())
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

fn find<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut first = None;
    // Loops, not chained iterators: it runs on every request.
    for line in headers.get_all(header::COOKIE) {
        for part in upstream::parts(line.as_bytes()) {
            // Nearly every cookie of an app is let go at its first letter.
            let Some(rest) = part.trim_ascii_start().strip_prefix(name.as_bytes()) else { continue };
            let Some(value) = rest.trim_ascii_start().strip_prefix(b"=") else { continue };
            let value = value.trim_ascii();
            if *first.get_or_insert(value) != value {
                return None;
            }
        }
    }
    first
}

/// Names and values of all cookies of a request, without the white space around
/// them (RFC 6265 §5.2 step 4; quotes stay, §4.1.1 makes them part of the value).
/// What has no `=` has no name, and is none of ours.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.get_all(header::COOKIE).into_iter().flat_map(|value| upstream::parts(value.as_bytes())).filter_map(|part| {
        let equals = part.iter().position(|byte| *byte == b'=')?;
        Some((part[..equals].trim_ascii(), part[equals + 1..].trim_ascii()))
    })
}

#[cfg(test)]
mod tests;
