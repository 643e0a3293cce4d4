//! The key set kept in memory, fetched again when a token names a key that it lacks, or
//! is signed by none that it has.
//!
//! A rotation must not cost a sign-in (threat 33), also where the provider names its
//! new key like the old one; and a flood of forged tokens must not become a flood of
//! requests (threat 32): fetches are shared, and one that did not bring the key that
//! it was made for, or failed, is followed by none for a minute. The first load and
//! the hourly refresh do not count, since they were not made for a key.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, header::ACCEPT};
use http_body_util::Full;

use super::KeySet;
use crate::{
    clock::{Clock, Timestamp},
    config::provider::SigningAlgorithm,
    identity::ProviderId,
    relying_party::{
        discovery::Metadata,
        error::{Call, Error, Rejection},
        http::{Client, Deadline},
        jose::{Jws, Verified},
        single_flight::SingleFlight,
    },
};

/// How long no fetch is made for a key after one that was made in vain.
const COOL_DOWN: Duration = Duration::from_mins(1);

type Fetched = Result<Arc<KeySet>, Error>;

/// The keys of one provider.
pub(in crate::relying_party) struct KeyCache {
    provider: ProviderId,
    client: Arc<Client>,
    clock: Clock,
    current: RwLock<Option<Arc<KeySet>>>,
    flight: SingleFlight<Fetched>,
    in_vain: Mutex<Option<Timestamp>>,
}

impl KeyCache {
    pub(in crate::relying_party) fn new(provider: ProviderId, client: Arc<Client>, clock: Clock) -> Self {
        Self {
            provider,
            client,
            clock,
            current: RwLock::new(None),
            flight: SingleFlight::new(),
            in_vain: Mutex::new(None),
        }
    }

    /// Fetches the set, for no key in particular.
    pub(in crate::relying_party) async fn refresh(&self, metadata: &Metadata, deadline: Deadline) -> Fetched {
        deadline.bound(Call::Keys, self.flight.run(async || self.fetch(metadata, deadline).await)).await.flatten()
    }

    /// Verifies a token, with a fresh set if the one at hand may be out of date.
    pub(in crate::relying_party) async fn verify(
        &self,
        jws: &Jws<'_>,
        metadata: &Metadata,
        deadline: Deadline,
    ) -> Result<Verified, Error> {
        let known = match self.known() {
            Some(known) => known,
            None => self.refresh(metadata, deadline).await?,
        };
        match known.verify(jws) {
            Err(rejection @ (Rejection::UnknownKey | Rejection::Signature)) => {
                let Some(fresh) = self.refetch(&known, metadata, deadline).await? else {
                    return Err(rejection.into());
                };
                let verified = fresh.verify(jws)?;
                self.set_in_vain(None);
                Ok(verified)
            }
            outcome => Ok(outcome?),
        }
    }

    /// A newer set than `known`, unless one was just fetched in vain.
    async fn refetch(
        &self,
        known: &Arc<KeySet>,
        metadata: &Metadata,
        deadline: Deadline,
    ) -> Result<Option<Arc<KeySet>>, Error> {
        if let Some(newer) = self.known().filter(|newer| !Arc::ptr_eq(newer, known)) {
            return Ok(Some(newer));
        }
        let fetch = async || {
            if self.is_cooling_down() {
                return Ok(Arc::clone(known));
            }
            self.set_in_vain(Some(self.clock.now())); // until it proves otherwise
            self.fetch(metadata, deadline).await
        };
        let fetched = deadline.bound(Call::Keys, self.flight.run(fetch)).await.flatten()?;
        Ok(Some(fetched).filter(|fetched| !Arc::ptr_eq(fetched, known)))
    }

    async fn fetch(&self, metadata: &Metadata, deadline: Deadline) -> Fetched {
        let Some(uri) = metadata.jwks_uri.clone() else { return Ok(Arc::new(KeySet(Vec::new()))) };
        let expected: &[SigningAlgorithm] = &metadata.algorithms;
        let mut request = Request::new(Full::<Bytes>::default());
        *request.uri_mut() = uri;
        let accept = HeaderValue::from_static("application/jwk-set+json, application/json");
        request.headers_mut().insert(ACCEPT, accept);
        let body = self.client.send(Call::Keys, request, deadline).await?.success(Call::Keys)?;
        let keys = Arc::new(KeySet::parse(&body, expected)?);
        let before = self.current.write().unwrap_or_else(PoisonError::into_inner).replace(Arc::clone(&keys));
        if before.is_some_and(|before| !before.ids().eq(keys.ids())) {
            tracing::info!(provider = %self.provider, usable = keys.0.len(), "the provider's signing keys changed");
        }
        Ok(keys)
    }

    fn known(&self) -> Option<Arc<KeySet>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_cooling_down(&self) -> bool {
        let now = self.clock.now();
        let in_vain = *self.in_vain.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not prolong the pause.
        in_vain.is_some_and(|then| then <= now && now.since(then) < COOL_DOWN)
    }

    fn set_in_vain(&self, at: Option<Timestamp>) {
        *self.in_vain.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

#[cfg(test)]
mod tests;
