//! OpenID Connect as a relying party: the authorization code flow with PKCE
//! (OpenID Connect Core 1.0 §3.1, RFC 7636, RFC 9207), for one provider. Knows no sessions.
//!
//! The provider is not trusted beyond what it proves: each answer is bounded in
//! size and time, each claim is checked, and every way to fail has its own name
//! ([`Error`]). What is believed is a type that only the check can build
//! (`jose::Verified`, `claims::IdToken`).
//!
//! | room | what |
//! |---|---|
//! | `http`, `route` | the client: deadline, size, no redirects; through a proxy or not |
//! | `discovery` | the provider's metadata |
//! | `authorization`, `callback` | the visitor's way there and back |
//! | `token`, `userinfo` | our own requests |
//! | `jose`, `keys`, `claims` | what an ID token must prove |
//! | `visitor` | what it then says |
//! | `logout` | the visitor's way to the provider's sign-out |
//! | `rehearsal` | all of this without a visitor, for `check --online` |
//!
//! Of openidconnect we use the words: its secret newtypes, whose `Debug` hides
//! them. Its verifier, metadata and answer types are not used: they accept an empty
//! `sub`, a future `iat` and a foreign `azp`, and refuse a numeric `zoneinfo`, a
//! string `expires_in` and a document without `response_types_supported`.
//!
//! All futures here belong on the background runtime, which owns the connections.
//! [`RelyingParty::metadata`], the URLs and [`parse_callback`] may be used anywhere.

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock, Timestamp},
    config::{Provider, provider::ClientAuth},
    identity::{ProviderSessionId, Visitor},
    secret::Secret,
};

mod authorization;
mod callback;
mod claims;
mod discovery;
mod error;
mod http;
mod jose;
mod keys;
mod logout;
mod rehearsal;
mod route;
mod single_flight;
#[cfg(test)]
mod testing;
mod token;
mod userinfo;
mod visitor;

pub use authorization::{AuthorizationRequest, Prompt};
pub use callback::{Callback, CallbackError, Outcome, parse_callback};
pub use discovery::Metadata;
pub use error::{Call, Error, ErrorCode, Rejection, ReplyFault};
pub use http::{ClientError, Observe};
pub use openidconnect::{AuthorizationCode, CsrfToken, Nonce, PkceCodeVerifier};
pub use rehearsal::{ClientStanding, Rehearsal};

use http::{Client, Deadline};
use keys::KeyCache;
use single_flight::SingleFlight;
use token::{Grant, Tokens};

/// How long metadata and keys are used before they are fetched again.
const REFRESH: Duration = Duration::from_hours(1);

/// The pause after a first failed fetch.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause after a failed fetch.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Our side of the relation to one provider.
pub struct RelyingParty {
    provider: Arc<Provider>,
    clock: Clock,
    client: Arc<Client>,
    metadata: RwLock<Option<Arc<Metadata>>>,
    flight: SingleFlight<Result<Arc<Metadata>, Error>>,
    keys: KeyCache,
    /// Whether the provider was last heard to know us by `client_secret_next`.
    is_known_by_next: AtomicBool,
    told: Mutex<Told>,
}

/// What the log last heard of the background fetches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Known,
    Failed(&'static str),
}

/// What a callback brought, and what the attempt that it answers remembers.
#[derive(Debug)]
pub struct Redemption {
    /// The code.
    pub code: AuthorizationCode,
    /// The redirect URI of the request, to the letter.
    pub redirect_uri: String,
    /// The verifier whose challenge the request carried.
    pub code_verifier: PkceCodeVerifier,
    /// The nonce of the request.
    pub nonce: Nonce,
    /// When the request was made.
    pub begun: Timestamp,
    /// The answer's `iss`.
    pub iss: Option<String>,
}

/// A sign-in that the provider vouches for.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub visitor: Visitor,
    /// The provider's session, if it names it.
    pub sid: Option<ProviderSessionId>,
    /// When they last proved who they are.
    pub auth_time: Option<Timestamp>,
    /// Proves to the provider which session a sign-out means.
    pub id_token: Secret<String>,
    /// When it expires.
    pub id_token_expires_at: Timestamp,
    /// Opens the provider's APIs.
    pub access_token: Secret<String>,
    /// Gets new tokens.
    pub refresh_token: Option<Secret<String>>,
    /// How long the access token lasts.
    pub expires_in: Option<Duration>,
}

impl RelyingParty {
    /// Prepares the relation; nothing is fetched yet.
    pub fn new(provider: Arc<Provider>, clock: Clock, observe: Observe) -> Result<Self, ClientError> {
        let client = Arc::new(Client::new(&provider, observe)?);
        let keys = KeyCache::new(provider.id.clone(), Arc::clone(&client), clock.clone());
        Ok(Self {
            provider,
            clock,
            client,
            metadata: RwLock::new(None),
            flight: SingleFlight::new(),
            keys,
            is_known_by_next: AtomicBool::new(false),
            told: Mutex::new(Told::Nothing),
        })
    }

    /// Takes over what was learnt of the provider under an older configuration, as far as that still holds.
    pub fn inherit(&self, older: &Self) {
        if self.provider.is_known_as(&older.provider) {
            *self.metadata.write().unwrap_or_else(PoisonError::into_inner) = older.metadata();
            self.keys.inherit(&older.keys);
        }
    }

    /// The provider's configuration.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Fetches metadata and keys and keeps them fresh, until `stop`.
    ///
    /// It never gives up on a provider that is down. A visitor who cannot wait for
    /// the next attempt makes one: [`Self::metadata_or_fetch`].
    pub async fn keep_metadata(self: Arc<Self>, stop: CancellationToken) {
        let keep = async {
            let mut pause = FIRST_PAUSE;
            loop {
                if self.refresh().await.is_ok() {
                    pause = FIRST_PAUSE;
                    sleep(REFRESH).await;
                } else {
                    sleep(pause).await;
                    pause = longer(pause);
                }
            }
        };
        stop.run_until_cancelled(keep).await;
    }

    /// What is known now; never waits.
    pub fn metadata(&self) -> Option<Arc<Metadata>> {
        self.metadata.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is known, else what one fetch, shared by all who ask, brings within the step's deadline.
    pub async fn metadata_or_fetch(&self) -> Result<Arc<Metadata>, Error> {
        self.metadata_until(Deadline::of_a_step()).await
    }

    /// Where the visitor goes to sign in.
    pub fn authorization_url(&self, metadata: &Metadata, request: &AuthorizationRequest<'_>) -> String {
        metadata.authorization.url(request)
    }

    /// Whether an answer, a refusal included, comes from this provider (RFC 9207 §2.4; threats 38 and 39).
    pub fn check_issuer_parameter(&self, metadata: &Metadata, iss: Option<&str>) -> Result<(), Error> {
        Ok(metadata.check_issuer_parameter(&self.provider, iss)?)
    }

    /// Turns a code into a visitor: token, signature, claims, and userinfo where something is
    /// lacking, all within one step's deadline.
    pub async fn redeem(&self, redemption: Redemption) -> Result<SignedIn, Error> {
        let Redemption { code, redirect_uri, code_verifier, nonce, begun, iss } = redemption;
        let deadline = Deadline::of_a_step();
        let metadata = self.metadata_until(deadline).await?;
        self.check_issuer_parameter(&metadata, iss.as_deref())?;

        let (client, provider) = (&self.client, &self.provider);
        let (code, redirect_uri, code_verifier) = (code.secret(), redirect_uri.as_str(), code_verifier.secret());
        let tokens = self.exchange(&metadata, &Grant { code, redirect_uri, code_verifier }, deadline).await?;

        let verified = self.verify(tokens.id_token.expose(), &metadata, deadline).await?;
        let (access_token, now) = (&tokens.access_token, self.clock.now());
        let expected = claims::Expected { provider, nonce: &nonce, access_token, begun, now };
        let id_token = claims::check(verified, &expected)?;

        let userinfo = match userinfo::wanted(provider, &metadata, &id_token)? {
            Some(endpoint) => {
                Some(userinfo::fetch(client, endpoint, &tokens.access_token, &id_token.subject, deadline).await?)
            }
            None => None,
        };
        Ok(SignedIn {
            visitor: visitor::visitor(provider, &id_token, userinfo.as_ref()),
            sid: id_token.session_id,
            auth_time: id_token.auth_time,
            id_token: tokens.id_token,
            id_token_expires_at: id_token.expires_at,
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            expires_in: tokens.expires_in,
        })
    }

    /// Where the browser goes to end the provider's own session; `None` where it offers no such place.
    pub fn end_session_url(
        &self,
        metadata: &Metadata,
        id_token_hint: Option<&Secret<String>>,
        post_logout_redirect_uri: &str,
        state: &str,
    ) -> Option<String> {
        logout::end_session_url(&self.provider, metadata, id_token_hint, post_logout_redirect_uri, state)
    }

    /// Redeems a code; with the other secret where one is refused and there are two, as nobody tells us when the
    /// provider changes from one to the other.
    async fn exchange(&self, metadata: &Metadata, grant: &Grant<'_>, deadline: Deadline) -> Result<Tokens, Error> {
        let provider = &self.provider;
        let exchange = |client_auth| {
            token::exchange(&self.client, provider, client_auth, &metadata.token_endpoint, grant, deadline)
        };
        let Some(next) = &provider.next_client_auth else { return exchange(&provider.client_auth).await };
        let is_known_by_next = self.is_known_by_next.load(Ordering::Relaxed);
        let both = [&provider.client_auth, next];
        let [first, second] = if is_known_by_next { [both[1], both[0]] } else { both };
        match exchange(first).await {
            Err(error) if token::is_refusal_of_the_client(&error) => {
                let outcome = exchange(second).await;
                // A provider to which the first try has used the code up knows us all the same.
                let invalid_grant = Error::Refused { call: Call::Token, code: ErrorCode::InvalidGrant };
                if outcome.as_ref().err().is_none_or(|error| *error == invalid_grant) {
                    self.is_known_by_next.store(!is_known_by_next, Ordering::Relaxed);
                    let taken = if is_known_by_next { "client_secret" } else { "client_secret_next" };
                    tracing::info!(provider = %provider.id, taken, "the provider refused one client secret and took the other");
                }
                outcome
            }
            outcome => outcome,
        }
    }

    async fn verify(&self, id_token: &str, metadata: &Metadata, deadline: Deadline) -> Result<jose::Verified, Error> {
        let jws = jose::Jws::parse_id_token(id_token, &metadata.algorithms)?;
        if jws.algorithm().is_symmetric() {
            let Provider { client_auth, next_client_auth, .. } = &*self.provider;
            let verified = jws.verify_with_secret(client_auth.secret().ok_or(Rejection::Algorithm)?);
            let next = next_client_auth.as_ref().and_then(ClientAuth::secret);
            return Ok(match (verified, next) {
                (Err(Rejection::Signature), Some(next)) => jws.verify_with_secret(next)?,
                (verified, _) => verified?,
            });
        }
        self.keys.verify(&jws, metadata, deadline).await
    }

    async fn metadata_until(&self, deadline: Deadline) -> Result<Arc<Metadata>, Error> {
        match self.metadata() {
            Some(known) => Ok(known),
            None => self.fetch_metadata(deadline).await,
        }
    }

    async fn refresh(&self) -> Result<(), Error> {
        let deadline = Deadline::of_a_step();
        let refreshed = async {
            let metadata = self.fetch_metadata(deadline).await?;
            self.keys.refresh(&metadata, deadline).await.map(drop)
        };
        let outcome = refreshed.await;
        self.tell(&outcome);
        outcome
    }

    async fn fetch_metadata(&self, deadline: Deadline) -> Result<Arc<Metadata>, Error> {
        let fetch = async || {
            let fetched = Arc::new(Metadata::fetch(&self.client, &self.provider, deadline).await?);
            *self.metadata.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&fetched));
            Ok(fetched)
        };
        deadline.bound(Call::Discovery, self.flight.run(fetch)).await.flatten()
    }

    /// One line for each change, not for each attempt.
    fn tell(&self, outcome: &Result<(), Error>) {
        let news = outcome.as_ref().map_or_else(|error| Told::Failed(error.reason()), |()| Told::Known);
        let before = std::mem::replace(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner), news);
        if before == news {
            return;
        }
        let provider = &self.provider.id;
        match outcome {
            Ok(()) => tracing::info!(%provider, "the provider's metadata and keys are known"),
            Err(error) => {
                tracing::warn!(%provider, reason = error.reason(), %error, "the provider's metadata or keys cannot be fetched; trying again");
            }
        }
    }
}

/// The pause after the next failure in a row.
fn longer(pause: Duration) -> Duration {
    LONGEST_PAUSE.min(pause * 2)
}

#[cfg(test)]
mod tests;
