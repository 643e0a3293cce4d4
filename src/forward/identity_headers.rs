//! What the app learns about the visitor (contract section 6), prepared once a session.
//!
//! Only a trusted address is handed over: an app that takes `X-Forwarded-Email`
//! for an identity must not be fooled by an address that anybody could claim. That
//! holds for a header of `set` as well, where its claim is the provider's address.
//! Groups are those that `pass_groups` lets pass, wherever they stand.
//!
//! Tokens are handed over until they expire (RFC 6749 §5.1, OpenID Connect Core §2):
//! after that the header is absent, as it is where there never was a token.

use std::{borrow::Cow, hint, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use serde_json::Value;
use smallvec::SmallVec;

use super::assertion::{Assertion, AssertionSigner};
use crate::{
    clock::{Moment, Timestamp},
    config::{
        self, BearerToken,
        app::{Setting, Told},
    },
    identity::{EmailAddress, Visitor},
    secret::Secret,
    session::Tokens,
};

mod encoding;

use encoding::{encode, encode_list};

/// A value above this is left out: cutting it would make it another value.
const MAX_VALUE: usize = 4 * 1024;

/// The same for a token: those with many roles are longer than any name, and servers take heads of 8 KiB.
pub(super) const MAX_TOKEN: usize = 8 * 1024;

static ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-forwarded-access-token");
static ASSERTION: HeaderName = HeaderName::from_static("x-vestibule-assertion");

/// What the upstream is told of one visitor.
///
/// The names of a preset are the same for all visitors, the list is where its owner is, and the values are slices of
/// one allocation: with thousands of sessions in turn a request waits for each piece of memory that it needs.
#[derive(Debug)]
pub struct IdentityHeaders {
    /// No preset has more.
    preset: SmallVec<[(&'static HeaderName, HeaderValue); 4]>,
    further: Option<Box<Further>>,
}

/// What an app is told beyond its preset.
#[derive(Debug)]
struct Further {
    set: Box<[(HeaderName, HeaderValue)]>,
    tokens: Vec<HandedToken>,
    assertion: Option<Assertion>,
}

/// A token in the header that an app wants it in.
#[derive(Debug)]
struct HandedToken {
    name: &'static HeaderName,
    value: HeaderValue,
    expires_at: Option<Timestamp>,
}

impl IdentityHeaders {
    /// Has memory bring what a request will be told.
    pub fn look_ahead(&self) {
        hint::black_box(self.preset.first().and_then(|(_, value)| value.as_bytes().first()).copied());
    }

    /// Says it in a head from which whatever a visitor said there is gone.
    pub fn put_into(&self, headers: &mut HeaderMap, now: Moment) {
        self.put_claims_into(headers);
        let Some(further) = &self.further else { return };
        let now = now.timestamp();
        for token in further.tokens.iter().filter(|token| token.expires_at.is_none_or(|end| now < end)) {
            headers.insert(token.name, token.value.clone());
        }
        if let Some(assertion) = further.assertion.as_ref().and_then(|assertion| assertion.value(now)) {
            headers.insert(&ASSERTION, assertion);
        }
    }

    /// Says who it is, and hands over nothing that opens anything.
    pub fn put_claims_into(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.preset {
            headers.insert(*name, value.clone());
        }
        for (name, value) in self.further.iter().flat_map(|further| &further.set) {
            headers.insert(name, value.clone());
        }
    }
}

/// What one app is told of its visitors.
#[derive(Debug)]
pub(super) struct Telling {
    app: Arc<config::App>,
    signer: Option<Arc<AssertionSigner>>,
}

impl Telling {
    pub(super) fn new(app: &Arc<config::App>, signer: &Arc<AssertionSigner>) -> Self {
        Self { app: Arc::clone(app), signer: app.headers.assertion.then(|| Arc::clone(signer)) }
    }

    /// Every header in which the app may be told something.
    pub(super) fn names(&self) -> impl Iterator<Item = &HeaderName> {
        let headers = &self.app.headers;
        let preset = headers.preset.headers().iter().map(|(name, _)| name);
        let set = headers.set.iter().map(|(name, _)| name);
        let access_token = headers.access_token.then_some(&ACCESS_TOKEN);
        let authorization = headers.authorization.map(|_| &AUTHORIZATION);
        let assertion = headers.assertion.then_some(&ASSERTION);
        preset.chain(set).chain(access_token).chain(authorization).chain(assertion)
    }

    /// All that the app is told of one visitor. An absent claim is an absent header.
    pub(super) fn prepare(&self, visitor: &Visitor, tokens: Option<&Tokens>) -> IdentityHeaders {
        let preset = self.app.headers.preset.headers().iter();
        let preset = preset.filter_map(|(name, told)| Some((name, self.told(visitor, *told)?)));
        let set = self.app.headers.set.iter().filter_map(|(name, setting)| match setting {
            Setting::Claim(path) => Some((name, self.claim(visitor, path)?)),
            Setting::Value(_) | Setting::Basic(_) => None,
        });
        let set: Box<[_]> = values(set).into_iter().map(|(name, value)| (name.clone(), value)).collect();
        let tokens = tokens.map(|tokens| self.handed_over(tokens)).unwrap_or_default();
        let groups = self.groups(visitor).collect::<Vec<_>>();
        let assertion = self.signer.as_ref().and_then(|signer| signer.assert(&self.app, visitor, &groups));
        let any = !set.is_empty() || !tokens.is_empty() || assertion.is_some();
        IdentityHeaders {
            preset: values(preset).into_iter().collect(),
            further: any.then(|| Box::new(Further { set, tokens, assertion })),
        }
    }

    fn told(&self, visitor: &Visitor, told: Told) -> Option<Vec<u8>> {
        let text = match told {
            Told::User => visitor.user.as_deref(),
            Told::Email => visitor.trusted_email().map(EmailAddress::as_str),
            Told::Name => visitor.name.as_deref(),
            Told::PreferredUsername => visitor.preferred_username.as_deref(),
            Told::Groups => return Some(encode_list(self.groups(visitor), self.app.headers.encoding)),
        };
        text.map(|text| encode(text, self.app.headers.encoding))
    }

    /// What a path leads to, under the rules that hold for what it is.
    fn claim(&self, visitor: &Visitor, path: &str) -> Option<Vec<u8>> {
        let provider = self.app.providers.iter().find(|provider| provider.id == visitor.provider)?;
        if path == provider.claims.email {
            return self.told(visitor, Told::Email);
        }
        if path == provider.claims.groups {
            return self.told(visitor, Told::Groups);
        }
        let (_, value) = visitor.claims.iter().find(|(kept, _)| kept == path)?;
        let encoding = self.app.headers.encoding;
        match value {
            Value::Array(members) => {
                let members: Vec<_> = members.iter().filter_map(text).collect();
                Some(encode_list(members.iter().map(AsRef::as_ref), encoding))
            }
            one => text(one).map(|text| encode(&text, encoding)),
        }
    }

    fn groups<'v>(&self, visitor: &'v Visitor) -> impl Iterator<Item = &'v str> {
        let patterns = &self.app.headers.pass_groups;
        let passes = move |group: &&str| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(group));
        visitor.groups.iter().map(String::as_str).filter(passes)
    }

    fn handed_over(&self, tokens: &Tokens) -> Vec<HandedToken> {
        let access_token = (&tokens.access_token, tokens.access_token_expires_at);
        let forwarded = self.app.headers.access_token.then_some((&ACCESS_TOKEN, "", access_token));
        let authorization = self.app.headers.authorization.map(|token| match token {
            BearerToken::AccessToken => (&AUTHORIZATION, "Bearer ", access_token),
            BearerToken::IdToken => (&AUTHORIZATION, "Bearer ", (&tokens.id_token, tokens.id_token_expires_at)),
        });
        let wanted = [forwarded, authorization].into_iter().flatten();
        let handed = wanted.filter_map(|(name, scheme, (token, expires_at))| {
            let value = token_value(name, scheme, token.as_ref()?)?;
            Some(HandedToken { name, value, expires_at })
        });
        handed.collect()
    }
}

/// A claim that is shown as one piece of text.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(flag) => Some(flag.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What one visitor's headers say, in the same piece of memory as the count of who holds it: nearly all fit.
type Values = SmallVec<[u8; 112]>;

/// Values as slices of one allocation. What is empty says nothing, and what is too long is left out.
fn values<'n>(wanted: impl Iterator<Item = (&'n HeaderName, Vec<u8>)>) -> Vec<(&'n HeaderName, HeaderValue)> {
    let mut all = Vec::new();
    let mut places = Vec::new();
    for (name, value) in wanted.filter(|(_, value)| !value.is_empty()) {
        if value.len() > MAX_VALUE {
            tell_too_long(name, value.len());
            continue;
        }
        let start = all.len();
        all.extend_from_slice(&value);
        places.push((name, start..all.len()));
    }
    let all = Bytes::from_owner(Values::from_slice(&all));
    let value = |place| HeaderValue::from_maybe_shared(all.slice(place)).ok();
    places.into_iter().filter_map(|(name, place)| Some((name, value(place)?))).collect()
}

fn token_value(name: &HeaderName, scheme: &str, token: &Secret<String>) -> Option<HeaderValue> {
    let text = Secret::new(format!("{scheme}{}", token.expose()));
    if text.expose().len() > MAX_TOKEN {
        tell_too_long(name, text.expose().len());
        return None;
    }
    // RFC 6749 Appendix A.12: printable ASCII.
    let printable = token.expose().bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::from_str(text.expose()).ok().filter(|_| printable && !token.expose().is_empty());
    let Some(mut value) = value else {
        tracing::warn!(header = %name, "a token that no header can hold is left out");
        return None;
    };
    value.set_sensitive(true);
    Some(value)
}

/// Of a header that is left out.
pub(super) fn tell_too_long(name: &HeaderName, bytes: usize) {
    tracing::warn!(header = %name, bytes, "an identity header that is too long is left out");
}

#[cfg(test)]
mod tests;
