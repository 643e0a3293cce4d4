//! A sign-in without a visitor: everything that can be asked of a provider before somebody comes.
//!
//! Whether the credentials are right shows where a code is redeemed that cannot exist:
//! a provider that knows the client says `invalid_grant`, one that does not says
//! `invalid_client` (RFC 6749 §5.2). Nobody is signed in, and nothing is left behind.

use std::{sync::Arc, time::SystemTime};

use super::{
    Call, Error, ErrorCode, Metadata, RelyingParty,
    http::{Deadline, Reply},
    token::{self, Grant},
};
use crate::{clock::Timestamp, config::provider::ClientAuth};

/// What a rehearsal found out. What could not be tried without what came before is `None`.
#[derive(Debug)]
pub struct Rehearsal {
    /// The metadata, fetched or configured.
    pub metadata: Result<Arc<Metadata>, Error>,
    /// How many keys could sign an ID token that we accept.
    pub keys: Option<Result<usize, Error>>,
    /// What the token endpoint thinks of the client.
    pub client: Option<Result<ClientStanding, Error>>,
    /// The same of the client with `client_secret_next`, where there is one.
    pub next_client: Option<Result<ClientStanding, Error>>,
    /// How many seconds our clock is ahead of the token endpoint's; negative where it is behind.
    pub seconds_ahead: Option<i64>,
}

/// What the token endpoint thinks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientStanding {
    /// It knows the client, and only the code is wrong.
    Known,
    /// It does not know the client, or not with these credentials.
    Unknown,
    /// It knows the client, which may not redeem codes.
    NoCodes,
    /// It says something that is no answer to this question.
    Unclear(ErrorCode),
    /// It takes a code that nobody has issued.
    Gullible,
}

/// A code that no provider has issued.
const NO_CODE: &str = "vestibule-check-this-code-was-never-issued";

/// The verifier of a challenge that nobody has sent: as long as RFC 7636 §4.1 wants it.
const NO_VERIFIER: &str = "vestibule-check-no-challenge-was-sent-for-this";

impl RelyingParty {
    /// Asks the provider for all that a sign-in would ask it for; `redirect_uri` is one of those that are registered.
    pub async fn rehearse(&self, redirect_uri: &str) -> Rehearsal {
        let metadata = self.fetch_metadata(Deadline::of_a_step()).await;
        let Ok(known) = &metadata else {
            return Rehearsal { metadata, keys: None, client: None, next_client: None, seconds_ahead: None };
        };
        let keys = async { self.keys.refresh(known, Deadline::of_a_step()).await.map(|keys| keys.len()) };
        let exchange = |client_auth| self.rehearse_exchange(known, client_auth, redirect_uri);
        let next = async {
            match &self.provider.next_client_auth {
                Some(next) => Some(exchange(next).await.0),
                None => None,
            }
        };
        let current = exchange(&self.provider.client_auth);
        let (keys, (client, seconds_ahead), next_client) = tokio::join!(keys, current, next);
        Rehearsal { keys: Some(keys), client: Some(client), next_client, seconds_ahead, metadata }
    }

    async fn rehearse_exchange(
        &self,
        metadata: &Metadata,
        client_auth: &ClientAuth,
        redirect_uri: &str,
    ) -> (Result<ClientStanding, Error>, Option<i64>) {
        let grant = Grant { code: NO_CODE, redirect_uri, code_verifier: NO_VERIFIER };
        let request = token::request(&self.provider, client_auth, &metadata.token_endpoint, &grant);
        let reply = match request {
            Ok(request) => self.client.send(Call::Token, request, Deadline::of_a_step()).await,
            Err(error) => Err(error),
        };
        match reply {
            Ok(reply) => (standing(&reply), seconds_ahead(self.clock.now(), &reply)),
            Err(error) => (Err(error), None),
        }
    }
}

fn standing(reply: &Reply) -> Result<ClientStanding, Error> {
    match token::read(reply) {
        Ok(_) => Ok(ClientStanding::Gullible),
        Err(error) if token::is_refusal_of_the_client(&error) => Ok(ClientStanding::Unknown),
        Err(Error::Refused { code, .. }) => Ok(match code {
            ErrorCode::InvalidGrant => ClientStanding::Known,
            ErrorCode::UnauthorizedClient | ErrorCode::UnsupportedGrantType => ClientStanding::NoCodes,
            other => ClientStanding::Unclear(other),
        }),
        Err(error) => Err(error),
    }
}

/// By its `Date` (RFC 9110 §6.6.1), which knows whole seconds only.
fn seconds_ahead(now: Timestamp, reply: &Reply) -> Option<i64> {
    let theirs = httpdate::parse_http_date(reply.date.as_ref()?.to_str().ok()?).ok()?;
    let theirs = theirs.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Some(now.as_unix() - i64::try_from(theirs).ok()?)
}
