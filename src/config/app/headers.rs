//! `[app.headers]`: what the app is told of its visitors, and under which names.
//!
//! A header by which an app knows somebody may come from us alone. So a name has one
//! origin here: what the preset sets, `set` must not set again, and `drop` must not
//! claim to keep away ([`read`]). Names that decide how a request is framed, where it
//! goes or where it came from are nobody's to set ([`name`]).

use std::fmt;

use data_encoding::BASE64;
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};

use crate::secret::Secret;

mod group_pattern;
mod name;
mod read;

pub use group_pattern::GroupPattern;
pub(super) use read::{read_headers, warn, warn_of_claims};

/// `[app.headers]`
#[derive(Debug)]
pub struct Headers {
    /// `preset`
    pub preset: Preset,
    /// `drop`: request headers of visitors that the app never sees.
    pub drop: Vec<HeaderName>,
    /// `set`, in the order of the names.
    pub set: Vec<(HeaderName, Setting)>,
    /// `encoding`
    pub encoding: Encoding,
    /// `pass_groups`; empty = all.
    pub pass_groups: Vec<GroupPattern>,
    /// `assertion`: whether each request carries `X-Vestibule-Assertion`.
    pub assertion: bool,
    /// `access_token`: whether it is handed over in `X-Forwarded-Access-Token`.
    pub access_token: bool,
    /// `authorization`: the token that is handed over there.
    pub authorization: Option<BearerToken>,
}

/// A convention by which apps are told who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// `X-Forwarded-User` and its like: what oauth2-proxy sends to its upstream.
    Forwarded,
    /// `X-Auth-Request-User` and its like: what oauth2-proxy answers to nginx's `auth_request`.
    AuthRequest,
    /// `Remote-User` and its like: Authelia's names.
    Remote,
    /// No header but those of `set`.
    None,
}

/// What one header of a preset says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// What `claims.user` names.
    User,
    /// The trusted address.
    Email,
    /// What `claims.name` names.
    Name,
    /// What `claims.preferred_username` names.
    PreferredUsername,
    /// What `claims.groups` names, as far as `pass_groups` lets it pass.
    Groups,
}

static FORWARDED: [(HeaderName, Told); 4] = [
    (HeaderName::from_static("x-forwarded-user"), Told::User),
    (HeaderName::from_static("x-forwarded-email"), Told::Email),
    (HeaderName::from_static("x-forwarded-preferred-username"), Told::PreferredUsername),
    (HeaderName::from_static("x-forwarded-groups"), Told::Groups),
];

static AUTH_REQUEST: [(HeaderName, Told); 4] = [
    (HeaderName::from_static("x-auth-request-user"), Told::User),
    (HeaderName::from_static("x-auth-request-email"), Told::Email),
    (HeaderName::from_static("x-auth-request-preferred-username"), Told::PreferredUsername),
    (HeaderName::from_static("x-auth-request-groups"), Told::Groups),
];

static REMOTE: [(HeaderName, Told); 4] = [
    (HeaderName::from_static("remote-user"), Told::User),
    (HeaderName::from_static("remote-email"), Told::Email),
    (HeaderName::from_static("remote-name"), Told::Name),
    (HeaderName::from_static("remote-groups"), Told::Groups),
];

impl Preset {
    /// Its headers.
    pub fn headers(self) -> &'static [(HeaderName, Told)] {
        match self {
            Self::Forwarded => &FORWARDED,
            Self::AuthRequest => &AUTH_REQUEST,
            Self::Remote => &REMOTE,
            Self::None => &[],
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::AuthRequest => "auth_request",
            Self::Remote => "remote",
            Self::None => "none",
        }
    }
}

/// Where the value of a header of `set` comes from.
#[derive(Debug)]
pub enum Setting {
    /// `claim`: a dotted path into the visitor's claims. Absent claim, absent header.
    Claim(String),
    /// `value`: the same for everybody, on public routes too.
    Value(HeaderValue),
    /// `basic`: a credential of ours for the app (RFC 7617), on public routes too.
    Basic(BasicCredential),
}

/// `basic = { username, password }`
pub struct BasicCredential {
    /// Without a colon.
    pub username: String,
    /// Shown to the app alone.
    pub password: Secret<String>,
}

impl BasicCredential {
    /// As a field value (RFC 7617 §2).
    pub fn header(&self) -> HeaderValue {
        let pair = Secret::new(format!("{}:{}", self.username, self.password.expose()));
        let value = Secret::new(format!("Basic {}", BASE64.encode(pair.expose().as_bytes())));
        let mut value = HeaderValue::from_str(value.expose()).expect("base64 is printable ASCII");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for BasicCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BasicCredential({})", self.username)
    }
}

/// How what is no printable ASCII stands in a value (RFC 9110 §5.5). `%` and whatever an encoding
/// cannot write is percent-encoded in each of them, so that no two claims become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The bytes of its UTF-8, percent-encoded.
    Percent,
    /// The bytes of its UTF-8.
    Utf8,
    /// One byte, up to U+00FF.
    Latin1,
}

/// A token of the provider that an app can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerToken {
    /// The ID token: who signed in.
    IdToken,
    /// The access token: what opens the provider's APIs.
    AccessToken,
}

impl Headers {
    /// The claims that `set` names.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        self.set.iter().filter_map(|(_, setting)| match setting {
            Setting::Claim(path) => Some(path.as_str()),
            Setting::Value(_) | Setting::Basic(_) => None,
        })
    }

    /// Whether the app gets a token of this kind, under whichever name.
    pub fn hands_over(&self, token: BearerToken) -> bool {
        self.authorization == Some(token) || (token == BearerToken::AccessToken && self.access_token)
    }

    /// The names that only we may use towards the app, beside those that are removed from every app's requests.
    pub fn reserved(&self) -> impl Iterator<Item = &HeaderName> {
        let authorization = self.authorization.map(|_| &AUTHORIZATION);
        self.drop.iter().chain(self.set.iter().map(|(name, _)| name)).chain(authorization)
    }
}
