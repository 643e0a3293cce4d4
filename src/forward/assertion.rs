//! `X-Vestibule-Assertion`: who the visitor is, signed, for apps that want proof (contract section 6).
//!
//! A JWT (RFC 7519) signed by ES256, good for five minutes, for one app: `iss` is the
//! app's public URL, `aud` its id. `sub` names a person only together with `idp`, the
//! issuer of the provider that named them so: two providers may give one `sub` to two.
//!
//! A signature costs as much as a request (16 µs), so a session has one for many: it is
//! renewed on the background runtime when half its life is over, while requests go on
//! with the one they have. Only the first request of a session on a worker signs by
//! itself, and the first after a rest that left less than a minute of life. Rejected: a
//! signature a request (it doubles the cost), and one that is waited for (no request
//! should wait for another runtime).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use super::identity_headers::{MAX_TOKEN, tell_too_long};
use crate::{
    clock::Timestamp,
    config,
    identity::Visitor,
    seal::{KeyRing, SigningKeys},
};

/// What the keys are for.
const PURPOSE: &str = "identity assertion";

/// How long an assertion is good.
const LIFETIME: Duration = Duration::from_mins(5);

/// From when on a new one is made in the background.
const RENEW_AFTER: Duration = Duration::from_secs(150);

/// From when on none is sent any more: it has to last until the app has looked at it.
const STALE_AFTER: Duration = Duration::from_mins(4);

/// The longest a signed text grows by dates and signature.
const DATES_AND_SIGNATURE: usize = 160;

/// Signs assertions for all apps.
#[derive(Debug)]
pub struct AssertionSigner {
    keys: SigningKeys,
    /// The protected header of each, encoded.
    protected: String,
    /// What `/jwks.json` answers.
    public_keys: Bytes,
    background: Handle,
}

impl AssertionSigner {
    /// With keys of the ring; renews on the background runtime.
    pub fn new(ring: &KeyRing, background: Handle) -> Self {
        let keys = ring.signing_keys(PURPOSE);
        let header = json!({ "alg": "ES256", "kid": keys.first().id(), "typ": "JWT" });
        let protected = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
        let public_keys = Bytes::from(keys.public().to_string());
        Self { keys, protected, public_keys, background }
    }

    /// The keys that verify what it signs, as a JSON Web Key Set.
    pub fn public_keys(&self) -> Bytes {
        self.public_keys.clone()
    }

    /// What is asserted of a visitor to an app; `None` where it is too much for a header.
    pub(super) fn assert(self: &Arc<Self>, app: &config::App, visitor: &Visitor, groups: &[&str]) -> Option<Assertion> {
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
        claim("iss", format!("{}{}", app.public_url.origin(), app.public_url.path).into());
        claim("aud", app.id.as_str().into());
        claim("sub", visitor.subject.as_str().into());
        claim("idp", visitor.issuer.as_str().into());
        if let Some(email) = visitor.trusted_email() {
            claim("email", email.as_str().into());
        }
        if !groups.is_empty() {
            claim("groups", groups.into());
        }
        let mut claims = Value::Object(claims).to_string();
        claims.pop(); // the closing brace: the dates follow
        let length = self.protected.len() + claims.len() * 4 / 3 + DATES_AND_SIGNATURE;
        if length > MAX_TOKEN {
            tell_too_long(&HeaderName::from_static("x-vestibule-assertion"), length);
            return None;
        }
        Some(Assertion(Arc::new(Asserted { signer: Arc::clone(self), claims, current: Mutex::default() })))
    }
}

/// What is asserted of one visitor, as one worker says it.
#[derive(Debug)]
pub(super) struct Assertion(Arc<Asserted>);

#[derive(Debug)]
struct Asserted {
    signer: Arc<AssertionSigner>,
    /// All claims but the dates, as JSON without its end.
    claims: String,
    current: Mutex<Option<Signed>>,
}

#[derive(Debug)]
struct Signed {
    value: HeaderValue,
    at: Timestamp,
    renewal: Renewal,
}

/// Whether a new one is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Renewal {
    NotYet,
    UnderWay,
}

impl Assertion {
    /// One that is good for a while.
    pub(super) fn value(&self, now: Timestamp) -> Option<HeaderValue> {
        let asserted = &self.0;
        let mut current = asserted.current();
        if let Some(signed) = current.as_mut().filter(|signed| signed.is_good(now)) {
            if signed.renewal == Renewal::NotYet && now.since(signed.at) >= RENEW_AFTER {
                signed.renewal = Renewal::UnderWay;
                let asserted = Arc::clone(asserted);
                self.0.signer.background.spawn(async move {
                    let renewed = asserted.sign(now);
                    *asserted.current() = renewed;
                });
            }
            return Some(signed.value.clone());
        }
        *current = asserted.sign(now);
        current.as_ref().map(|signed| signed.value.clone())
    }
}

impl Asserted {
    fn sign(&self, now: Timestamp) -> Option<Signed> {
        let (iat, exp) = (now.as_unix(), now.plus(LIFETIME).as_unix());
        let claims = format!(r#"{},"iat":{iat},"exp":{exp}}}"#, self.claims);
        let jwt = self.signer.keys.first().sign(&self.signer.protected, claims.as_bytes());
        // Base64url and dots: always a field value.
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(jwt)).ok()?;
        value.set_sensitive(true);
        Some(Signed { value, at: now, renewal: Renewal::NotYet })
    }

    /// Contended only while the background puts a new one in.
    fn current(&self) -> MutexGuard<'_, Option<Signed>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signed {
    /// Neither too old nor, where a clock went back, from a time to come.
    fn is_good(&self, now: Timestamp) -> bool {
        now >= self.at && now.since(self.at) < STALE_AFTER
    }
}

#[cfg(test)]
mod tests;
