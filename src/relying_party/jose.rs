//! JSON Web Signatures as a relying party needs them: compact form, verify only
//! (RFC 7515, RFC 7518, RFC 8037), with the practice of RFC 8725.
//!
//! The caller says which algorithms it expects; the header can only agree. A key
//! never comes from the token. [`Verified`] is the proof that a signature held,
//! and this module is the only one that can make it.
//!
//! The signature is checked over the bytes that came, by aws-lc-rs. Rejected:
//! openidconnect's verifier (it re-reads claims through types that are stricter
//! than the field, and its RSA takes 194 µs where this takes 20) and jsonwebtoken
//! (no ES512, and its key choice would have to be ours all the same).

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::error::Rejection;
use crate::{config::provider::SigningAlgorithm, secret::Secret};

mod key;

pub(super) use key::VerificationKey;

/// A signed token that was taken apart, its signature not yet checked.
pub(super) struct Jws<'a> {
    algorithm: SigningAlgorithm,
    key_id: Option<String>,
    signing_input: &'a [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// The claims of a token whose signature held.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) algorithm: SigningAlgorithm,
    pub(super) claims: Map<String, Value>,
}

/// The header's members that mean something here; all others are ignored (RFC 7515 §4).
/// A member that comes twice is an error of the parser.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
    jwk: Option<IgnoredAny>,
    jku: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
}

impl<'a> Jws<'a> {
    /// Takes an ID token apart and judges its header.
    pub(super) fn parse_id_token(compact: &'a str, expected: &[SigningAlgorithm]) -> Result<Self, Rejection> {
        let mut parts = compact.split('.');
        let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Rejection::TokenFormat);
        };
        match parts.count() {
            0 => {}
            2 => return Err(Rejection::Encrypted), // RFC 7516 §3.1: a JWE has five parts
            _ => return Err(Rejection::TokenFormat),
        }
        let signing_input = &compact.as_bytes()[..header.len() + 1 + payload.len()];
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Rejection::TokenFormat)?;
        let algorithm = judge(&header, expected)?;
        Ok(Self {
            algorithm,
            key_id: header.kid,
            signing_input,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    pub(super) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Checks the signature with one public key that fits.
    pub(super) fn verify(&self, key: &VerificationKey) -> Result<Verified, Rejection> {
        if key.algorithm() != self.algorithm || !key.verifies(self.signing_input, &self.signature) {
            return Err(Rejection::Signature);
        }
        self.verified()
    }

    /// Checks the signature with the client secret (OpenID Connect Core §10.1): its UTF-8 octets are the key.
    pub(super) fn verify_with_secret(&self, secret: &Secret<String>) -> Result<Verified, Rejection> {
        let algorithm = match self.algorithm {
            SigningAlgorithm::HS256 => hmac::HMAC_SHA256,
            SigningAlgorithm::HS384 => hmac::HMAC_SHA384,
            SigningAlgorithm::HS512 => hmac::HMAC_SHA512,
            _ => return Err(Rejection::Algorithm),
        };
        let key = hmac::Key::new(algorithm, secret.expose().as_bytes());
        hmac::verify(&key, self.signing_input, &self.signature).map_err(|_| Rejection::Signature)?;
        self.verified()
    }

    fn verified(&self) -> Result<Verified, Rejection> {
        let mut claims: Map<String, Value> =
            serde_json::from_slice(&self.payload).map_err(|_| Rejection::ClaimsFormat)?;
        claims.retain(|_, value| !value.is_null()); // a null says as little as no claim at all
        Ok(Verified { algorithm: self.algorithm, claims })
    }
}

/// What the header may say about an ID token.
fn judge(header: &Header, expected: &[SigningAlgorithm]) -> Result<SigningAlgorithm, Rejection> {
    if header.crit.is_some() {
        return Err(Rejection::Critical);
    }
    if header.jwk.is_some() || header.jku.is_some() || header.x5u.is_some() {
        return Err(Rejection::HeaderKey);
    }
    if header.typ.as_ref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(Rejection::Type); // `logout+jwt`, `at+jwt` … are other tokens (RFC 8725 §3.11)
    }
    SigningAlgorithm::from_name(&header.alg).filter(|alg| expected.contains(alg)).ok_or(Rejection::Algorithm)
}

/// One part of the compact form: base64url without padding, in its one canonical spelling.
fn decode(part: &str) -> Result<Vec<u8>, Rejection> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| Rejection::TokenFormat)
}

#[cfg(test)]
mod tests;
