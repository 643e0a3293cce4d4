//! The checks of an ID token's claims (OpenID Connect Core §3.1.3.7, §3.1.3.8).
//!
//! The signature comes first ([`Verified`]); [`IdToken`] is the proof that all of
//! these held. Where the specification leaves a choice, the stricter reading wins:
//! an audience beside ours is refused (we trust no other), `iat` must be recent.
//! Where the field is sloppy and nothing depends on it, we are too: dates may be
//! fractions or strings of digits.

use std::time::Duration;

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use openidconnect::Nonce;
use serde_json::{Map, Value};

use super::{error::Rejection, jose::Verified};
use crate::{
    clock::Timestamp,
    config::{Provider, provider::SigningAlgorithm},
    identity::{ProviderSessionId, Subject},
    secret::{Secret, constant_time_eq},
};

/// How far two clocks may be apart.
const LEEWAY: Duration = Duration::from_mins(1);

/// How long ago an ID token that answers a sign-in can have been issued.
const MAX_AGE: Duration = Duration::from_mins(10);

/// The longest `sub` (OpenID Connect Core §2), and what we allow a `sid`.
const MAX_IDENTIFIER: usize = 255;

/// The last second of the year 9999: what lies beyond is no date.
const MAX_DATE: i64 = 253_402_300_799;

/// What the token must agree with.
pub(super) struct Expected<'a> {
    pub(super) provider: &'a Provider,
    pub(super) nonce: &'a Nonce,
    pub(super) access_token: &'a Secret<String>,
    /// When the visitor was sent to the provider.
    pub(super) begun: Timestamp,
    pub(super) now: Timestamp,
}

/// An ID token that is for us, for this sign-in, and current.
#[derive(Debug)]
pub(super) struct IdToken {
    pub(super) subject: Subject,
    pub(super) session_id: Option<ProviderSessionId>,
    pub(super) auth_time: Option<Timestamp>,
    pub(super) expires_at: Timestamp,
    pub(super) claims: Map<String, Value>,
}

/// Judges the claims of a token whose signature held.
pub(super) fn check(token: Verified, expected: &Expected<'_>) -> Result<IdToken, Rejection> {
    let Verified { algorithm, claims } = token;
    let Expected { provider, nonce, access_token, begun, now } = *expected;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);

    if text("iss") != Some(provider.issuer.as_str()) {
        return Err(Rejection::Issuer);
    }
    check_audience(claims.get("aud"), &provider.client_id)?;
    if claims.get("azp").is_some_and(|azp| azp.as_str() != Some(&provider.client_id)) {
        return Err(Rejection::AuthorizedParty);
    }
    let expires_at = check_dates(&claims, now)?;
    if !text("nonce").is_some_and(|value| constant_time_eq(value.as_bytes(), nonce.secret().as_bytes())) {
        return Err(Rejection::Nonce);
    }
    let auth_time = claims.get("auth_time").and_then(numeric_date);
    check_auth_time(auth_time, provider, begun, now)?;
    if let Some(hash) = claims.get("at_hash")
        && hash.as_str() != Some(&left_half_hash(algorithm, access_token.expose()))
    {
        return Err(Rejection::AccessTokenHash);
    }
    let identifier = |name: &str| text(name).filter(|id| !id.is_empty() && id.len() <= MAX_IDENTIFIER);
    Ok(IdToken {
        subject: Subject::new(identifier("sub").ok_or(Rejection::Subject)?),
        session_id: identifier("sid").map(ProviderSessionId::new),
        auth_time,
        expires_at,
        claims,
    })
}

/// `aud` is our client id, alone or as a list that holds nothing else.
fn check_audience(aud: Option<&Value>, client_id: &str) -> Result<(), Rejection> {
    let audiences = match aud {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let is_ours = |audience: &Value| audience.as_str() == Some(client_id);
    if !audiences.iter().any(is_ours) {
        return Err(Rejection::Audience);
    }
    if audiences.iter().all(is_ours) { Ok(()) } else { Err(Rejection::ForeignAudience) }
}

/// The dates of a token that is good now: when that ends.
fn check_dates(claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, Rejection> {
    let date = |name: &str| claims.get(name).and_then(numeric_date);
    let expires_at = date("exp").ok_or(Rejection::Expiry)?;
    if now >= expires_at.plus(LEEWAY) {
        return Err(Rejection::Expired);
    }
    let issued = date("iat").ok_or(Rejection::IssuedAt)?;
    if issued > now.plus(LEEWAY) {
        return Err(Rejection::IssuedInFuture);
    }
    if now.since(issued) > MAX_AGE {
        return Err(Rejection::IssuedLongAgo);
    }
    if claims.contains_key("nbf") && date("nbf").ok_or(Rejection::NotBefore)? > now.plus(LEEWAY) {
        return Err(Rejection::NotBefore);
    }
    Ok(expires_at)
}

/// When they signed in at the provider is as recent as we asked for (§2, §3.1.3.7 step 13): when we asked, as what a
/// person takes their time for afterwards, a consent say, makes it no older.
fn check_auth_time(
    auth_time: Option<Timestamp>,
    provider: &Provider,
    begun: Timestamp,
    now: Timestamp,
) -> Result<(), Rejection> {
    match (auth_time, provider.parameters.max_age) {
        (Some(at), _) if at > now.plus(LEEWAY) => Err(Rejection::AuthTimeInFuture),
        (None, None) if !provider.require_auth_time => Ok(()),
        (None, _) => Err(Rejection::AuthTimeMissing),
        (Some(at), Some(max_age)) if begun > at.plus(max_age).plus(LEEWAY) => Err(Rejection::AuthTimeOld),
        (Some(_), _) => Ok(()),
    }
}

/// `NumericDate` (RFC 7519 §2): seconds, fractions floored; a string of digits is tolerated.
fn numeric_date(value: &Value) -> Option<Timestamp> {
    let seconds = match value {
        Value::Number(number) => number.as_i64().or_else(|| floor(number.as_f64()?)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }?;
    (0..=MAX_DATE).contains(&seconds).then(|| Timestamp::from_unix(seconds))
}

fn floor(seconds: f64) -> Option<i64> {
    #[expect(clippy::cast_precision_loss, reason = "exact: the bound is far below 2^53")]
    const MAX: f64 = MAX_DATE as f64;
    #[expect(clippy::cast_possible_truncation, reason = "the range was just checked")]
    (0.0..=MAX).contains(&seconds).then(|| seconds.floor() as i64)
}

/// Core §3.1.3.6: the left half of the hash that belongs to the token's own algorithm.
fn left_half_hash(algorithm: SigningAlgorithm, token: &str) -> String {
    use SigningAlgorithm::{ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};
    let hash = match algorithm {
        RS256 | PS256 | ES256 | HS256 => &digest::SHA256,
        RS384 | PS384 | ES384 | HS384 => &digest::SHA384,
        RS512 | PS512 | ES512 | HS512 | EdDSA => &digest::SHA512, // Ed25519 hashes with SHA-512 (RFC 8032 §5.1)
    };
    let digest = digest::digest(hash, token.as_bytes());
    let bytes = digest.as_ref();
    BASE64URL_NOPAD.encode(&bytes[..bytes.len() / 2])
}

#[cfg(test)]
mod tests;
