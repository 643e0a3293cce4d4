//! Our cookies: their names, finding them, setting them, and keeping them from the upstream.
//!
//! RFC 6265 and its revision (draft-ietf-httpbis-rfc6265bis), CHIPS for `Partitioned`.
//! A name says how far it reaches, and browsers hold it to that: over https it carries
//! `__Host-`, so that no sibling domain and no plain-http page can plant one (threat 79).
//! Below a path, where `__Host-` may not be, it is `__Secure-NAME-APP`, so that apps on
//! one host do not take each other's; on a `cookie_domain` it is `__Secure-NAME`, which
//! is the price of that setting. What a sign-in begins with stays on its own host all the
//! same, unless the provider answers to another one (`callback_url`).
//!
//! Values are always base64url of bytes, so nothing that a visitor or a provider
//! chose can end a header or a cookie. Rejected: a cookie map per request (it
//! allocates, and normalises what must stay as it is), the `cookie` crate's parser
//! (it decodes and skips what it dislikes; an attacker picks what it dislikes).

use std::{fmt, iter, time::Duration};

use aws_lc_rs::digest;
use cookie::Cookie;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, HeaderValue, header};

use crate::{
    config::{
        self,
        app::{PublicUrl, Scheme, SessionCookie},
        session::{CookieReach, SameSite},
    },
    identity::AppId,
    random::Random,
    session::CookieSecret,
};

mod leftovers;
pub mod upstream;

/// Our cookies at one app: what each is called and where it goes. Made at load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieNames {
    session: String,
    attempt_prefix: String,
    loop_marker: String,
    for_session: Attributes,
    for_sign_in: Attributes,
}

/// Where a cookie goes, and what protects it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attributes {
    scheme: Scheme,
    scope: Scope,
    same_site: SameSite,
    /// Where else a browser may have one of the same name, from an earlier configuration.
    leftovers: Vec<(Scope, SameSite)>,
}

/// Which requests have a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    Host,
    Path(String),
    Domain(String),
}

/// Where the cookies go that a sign-in begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInReach {
    /// To the app, which gets the provider's answer itself.
    App,
    /// As far as the session's: another app gets the answer.
    Siblings,
}

/// One of our names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieName {
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Session,
    SignIn,
}

impl CookieName {
    /// As it stands in a header.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its value as the browser sent it, still encoded: see [`decode`]. Two different
    /// values are none: there is no telling which of them somebody planted. Equal
    /// ones are one.
    pub fn find<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        find(headers, &self.text)
    }

    /// All its values, still encoded.
    pub fn find_all<'h>(&self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h [u8]> {
        pairs(headers).filter(|(name, _)| *name == self.text.as_bytes()).map(|(_, value)| value)
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
    /// Our cookies at an app.
    pub fn of(app: &config::App) -> Self {
        let sign_in = if app.shared_callback.is_some() { SignInReach::Siblings } else { SignInReach::App };
        Self::new(&app.id, &app.public_url, &app.session.cookie, sign_in)
    }

    /// The same by parts.
    pub fn new(app: &AppId, public_url: &PublicUrl, cookie: &SessionCookie, sign_in: SignInReach) -> Self {
        let own = match public_url.path.as_str() {
            "" => Scope::Host,
            path => Scope::Path(path.to_owned()),
        };
        let wide = match &cookie.reach {
            CookieReach::App => own.clone(),
            CookieReach::Siblings(domain) => Scope::Domain(domain.clone()),
        };
        let narrow = match sign_in {
            SignInReach::App => own,
            SignInReach::Siblings => wide.clone(),
        };
        let base = |scope: &Scope| {
            // Plain http, which is for loopback, gets no prefix: browsers refuse them there.
            let prefix = match (public_url.scheme, scope) {
                (Scheme::Http, _) => "",
                (Scheme::Https, Scope::Host) => "__Host-",
                (Scheme::Https, Scope::Path(_) | Scope::Domain(_)) => "__Secure-",
            };
            match scope {
                Scope::Path(_) => (format!("{prefix}{}-{app}", cookie.name), "."),
                Scope::Host | Scope::Domain(_) => (format!("{prefix}{}", cookie.name), "-"),
            }
        };
        // After an app's id comes what no id has, so that none ends like another's attempt. Over http `NAME-loop`
        // is the session of an app that is called so: a loop marker has the dot everywhere.
        let (sign_in, dash) = base(&narrow);
        let dot = if dash == "." { "." } else { "-." };
        Self {
            session: base(&wide).0,
            attempt_prefix: format!("{sign_in}{dash}attempt-"),
            loop_marker: format!("{sign_in}{dot}loop"),
            for_session: Attributes::new(public_url, wide, cookie.same_site).once_with_another_same_site(),
            // The provider leads back by a top-level navigation, which has them.
            for_sign_in: Attributes::new(public_url, narrow, SameSite::Lax),
        }
    }

    /// Of an app that has been below these paths before, under the same names.
    #[must_use]
    pub fn moved_from(mut self, paths: &[&str]) -> Self {
        for attributes in [&mut self.for_session, &mut self.for_sign_in] {
            attributes.add_paths(paths);
        }
        self
    }

    /// The session's name.
    pub fn session(&self) -> CookieName {
        CookieName { text: self.session.clone(), kind: Kind::Session }
    }

    /// The name of one sign-in attempt.
    pub fn attempt(&self, id: AttemptId) -> CookieName {
        CookieName { text: format!("{}{id}", self.attempt_prefix), kind: Kind::SignIn }
    }

    /// The name of what counts the restarts of a sign-in.
    pub fn loop_marker(&self) -> CookieName {
        CookieName { text: self.loop_marker.clone(), kind: Kind::SignIn }
    }

    /// The session cookie's value, found as [`CookieName::find`] does. Runs once a request.
    pub fn session_value<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        find(headers, &self.session)
    }

    /// The secret in it.
    pub fn session_secret(&self, headers: &HeaderMap) -> Option<CookieSecret> {
        self.session_value(headers).and_then(CookieSecret::parse)
    }

    /// Whether the browser sends different values of the session cookie, so that none of them counts.
    pub fn is_session_disputed(&self, headers: &HeaderMap) -> bool {
        let name = self.session();
        let mut values = name.find_all(headers);
        let first = values.next();
        values.any(|value| Some(value) != first)
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

    /// The same, and others for wherever an earlier configuration may have put one of this name: the browser
    /// keeps it beside ours and sends both.
    pub fn remove_everywhere(&self, name: &CookieName) -> impl Iterator<Item = HeaderValue> {
        iter::once(self.remove(name)).chain(self.remove_leftovers(name))
    }

    /// Only those others.
    pub fn remove_leftovers(&self, name: &CookieName) -> impl Iterator<Item = HeaderValue> {
        let attributes = self.attributes(name);
        let places = attributes.leftovers.iter();
        places
            .map(|(scope, same_site)| set_cookie(name, "", Some(Duration::ZERO), attributes.scheme, scope, *same_site))
    }

    fn set_cookie(&self, name: &CookieName, value: &str, max_age: Option<Duration>) -> HeaderValue {
        let Attributes { scheme, scope, same_site, .. } = self.attributes(name);
        set_cookie(name, value, max_age, *scheme, scope, *same_site)
    }

    fn attributes(&self, name: &CookieName) -> &Attributes {
        match name.kind {
            Kind::Session => &self.for_session,
            Kind::SignIn => &self.for_sign_in,
        }
    }
}

impl Attributes {
    fn new(public_url: &PublicUrl, scope: Scope, same_site: SameSite) -> Self {
        let elsewhere = leftovers::scopes(public_url, &scope);
        let leftovers = elsewhere.into_iter().map(|scope| (scope, same_site)).collect();
        Self { scheme: public_url.scheme, scope, same_site, leftovers }
    }

    fn add_paths(&mut self, paths: &[&str]) {
        // The names are others where there is no path.
        if !matches!(self.scope, Scope::Path(_)) {
            return;
        }
        for scope in paths.iter().filter(|path| !path.is_empty()).map(|path| Scope::Path((*path).to_owned())) {
            if scope != self.scope && self.leftovers.iter().all(|(known, _)| *known != scope) {
                self.leftovers.push((scope, self.same_site));
            }
        }
    }

    /// One that may have been partitioned before, or not, as `same_site` was.
    fn once_with_another_same_site(mut self) -> Self {
        let other = match self.same_site {
            SameSite::Lax => SameSite::None,
            SameSite::None => SameSite::Lax,
        };
        if self.scheme == Scheme::Https {
            self.leftovers.push((self.scope.clone(), other));
        }
        self
    }
}

fn set_cookie(
    name: &CookieName,
    value: &str,
    max_age: Option<Duration>,
    scheme: Scheme,
    scope: &Scope,
    same_site: SameSite,
) -> HeaderValue {
    let mut cookie = Cookie::new(name.as_str(), value);
    cookie.set_http_only(true);
    cookie.set_secure(scheme == Scheme::Https);
    match scope {
        Scope::Host => cookie.set_path("/"),
        Scope::Path(path) => cookie.set_path(path.as_str()),
        Scope::Domain(domain) => {
            cookie.set_path("/");
            cookie.set_domain(domain.as_str());
        }
    }
    match same_site {
        SameSite::Lax => cookie.set_same_site(cookie::SameSite::Lax),
        SameSite::None => {
            cookie.set_same_site(cookie::SameSite::None);
            cookie.set_partitioned(true);
        }
    }
    if let Some(time) = max_age {
        cookie.set_max_age(time::Duration::seconds(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)));
    }
    HeaderValue::try_from(cookie.to_string()).expect("names, base64url, hosts and paths are visible ASCII")
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
