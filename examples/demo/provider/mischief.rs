//! How a test makes the provider lie.
//!
//! The provider is honest, always: each answer is made in full and then shown to
//! one hook, which may bend it before it leaves. A lie is therefore a difference
//! from the truth, a line or two in a table, and no honest code has a branch for it:
//!
//! ```ignore
//! provider.lie(|answer| {
//!     if let Answer::IdToken(token) = answer {
//!         token.claims["aud"] = json!("somebody-else"); // threat 23
//!     }
//! });
//! ```

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use url::Url;

use super::{calls::Endpoint, keys::SigningKey, reply::Reply};

/// What is about to be said, open to be bent; in the order in which a sign-in meets them.
pub(crate) enum Answer<'a> {
    /// The metadata document.
    Discovery(&'a mut Value),
    /// The key set.
    Keys(&'a mut Value),
    /// What the browser carries back: a code or an error.
    Authorization(&'a mut AuthorizationResponse),
    /// The ID token before it is put together.
    IdToken(&'a mut IdToken),
    /// The token response, ID token included.
    Token(&'a mut Value),
    /// The userinfo response.
    UserInfo(&'a mut Value),
    /// Any response as a whole: status, headers, bytes, or none of these.
    Reply(Endpoint, &'a mut Reply),
}

/// The hook.
pub(crate) type Mischief = dyn Fn(Answer<'_>) + Send + Sync;

/// An authorization response (RFC 6749 §4.1.2), or its error (§4.1.2.1).
#[derive(Debug)]
pub(crate) struct AuthorizationResponse {
    /// Where the browser is sent.
    pub(crate) redirect_uri: Url,
    /// `code` or `error`, `state`, `iss`.
    pub(crate) parameters: Vec<(String, String)>,
}

impl AuthorizationResponse {
    /// Replaces a parameter; `None` leaves it out.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) {
        self.parameters.retain(|(n, _)| n != name);
        self.parameters.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }
}

/// An ID token in its parts (OpenID Connect Core §2).
#[derive(Debug)]
pub(crate) struct IdToken {
    /// The JOSE header: an object.
    pub(crate) header: Value,
    /// The claims: an object.
    pub(crate) claims: Value,
    /// How it is signed, whatever the header says.
    pub(crate) signature: Signature,
    /// The access token that `at_hash` is of.
    pub(crate) access_token: String,
}

/// The third part of a token.
#[derive(Debug)]
pub(crate) enum Signature {
    /// A true signature by this key.
    By(Arc<SigningKey>),
    /// The same with its last bit turned.
    Broken(Arc<SigningKey>),
    /// An empty part, as `alg: none` has it (RFC 7518 §3.6).
    Absent,
}

impl IdToken {
    /// Signs with this key and says so: `alg`, `kid` and the `at_hash` that goes with them.
    pub(crate) fn sign_with(&mut self, key: &Arc<SigningKey>) {
        self.header["alg"] = json!(key.algorithm().as_str());
        self.header["kid"] = json!(key.kid());
        self.claims["at_hash"] = json!(key.half_hash(&self.access_token));
        self.signature = Signature::By(Arc::clone(key));
    }

    /// Leaves the header as it is and makes the signature one that does not verify.
    pub(crate) fn break_signature(&mut self) {
        if let Signature::By(key) = &self.signature {
            self.signature = Signature::Broken(Arc::clone(key));
        }
    }

    /// Leaves a claim out.
    pub(crate) fn drop_claim(&mut self, name: &str) {
        if let Some(claims) = self.claims.as_object_mut() {
            claims.remove(name);
        }
    }

    /// The compact serialisation (RFC 7515 §7.1).
    pub(super) fn compact(&self) -> String {
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let input = format!("{}.{}", encode(&self.header), encode(&self.claims));
        let signature = match &self.signature {
            Signature::By(key) => key.sign(input.as_bytes()),
            Signature::Broken(key) => {
                let mut bytes = key.sign(input.as_bytes());
                if let Some(last) = bytes.last_mut() {
                    *last ^= 1;
                }
                bytes
            }
            Signature::Absent => Vec::new(),
        };
        format!("{input}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}
