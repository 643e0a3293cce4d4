//! The provider's signing keys: which of them could have signed a token (OpenID Connect Core §10.1).

use serde::Deserialize;
use serde_json::Value;

use super::{
    error::{Call, Error, Rejection, ReplyFault},
    jose::{Jws, VerificationKey, Verified},
};
use crate::config::provider::SigningAlgorithm;

mod cache;

pub(super) use cache::KeyCache;

/// The most members of a set that are looked at.
const MAX_KEYS: usize = 100;

/// The most keys that one token is tried with.
const MAX_CANDIDATES: usize = 8;

/// A key set, reduced to the keys that an expected algorithm can use.
pub(super) struct KeySet(Vec<VerificationKey>);

impl KeySet {
    /// Reads the answer of `jwks_uri`; members that are broken or for other purposes are skipped.
    pub(super) fn parse(body: &[u8], expected: &[SigningAlgorithm]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Jwks {
            keys: Vec<Value>,
        }
        let jwks: Jwks = serde_json::from_slice(body)
            .map_err(|_| Error::Reply { call: Call::Keys, fault: ReplyFault::Malformed })?;
        let keys = jwks.keys.iter().take(MAX_KEYS);
        Ok(Self(keys.flat_map(|member| VerificationKey::from_jwk(member, expected)).collect()))
    }

    /// Verifies a token with the keys that its `kid` and `alg` allow: usually one,
    /// without a `kid` all of the right type.
    pub(super) fn verify(&self, jws: &Jws<'_>) -> Result<Verified, Rejection> {
        let fits = |key: &&VerificationKey| {
            key.algorithm() == jws.algorithm() && jws.key_id().is_none_or(|id| key.id() == Some(id))
        };
        let candidates: Vec<_> = self.0.iter().filter(fits).take(MAX_CANDIDATES + 1).collect();
        if candidates.is_empty() {
            return Err(Rejection::UnknownKey);
        }
        if candidates.len() > MAX_CANDIDATES {
            return Err(Rejection::AmbiguousKey);
        }
        candidates
            .into_iter()
            .map(|key| jws.verify(key))
            .find(|outcome| !matches!(outcome, Err(Rejection::Signature)))
            .unwrap_or(Err(Rejection::Signature))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What tells one load of the set from the next in the log.
    fn ids(&self) -> impl Iterator<Item = (Option<&str>, SigningAlgorithm)> {
        self.0.iter().map(|key| (key.id(), key.algorithm()))
    }
}

#[cfg(test)]
mod tests;
