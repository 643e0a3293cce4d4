//! Beginning a sign-in: one more sealed cookie, and off to the provider.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue};
use openidconnect::CsrfToken;

use super::{
    Error, Login, Redirect, ReturnTarget,
    attempt::{Attempt, COOKIE_LIFETIME},
};
use crate::{
    clock::Timestamp,
    identity::ProviderId,
    relying_party::{AuthorizationRequest, Prompt},
    session::cookie::{self, AttemptCookie, AttemptId, Keep},
};

/// More attempts than this in one browser, and the oldest give way.
const MAX_ATTEMPTS: usize = 16;

/// More bytes than this of attempts' cookies, and the oldest give way.
const MAX_ATTEMPT_BYTES: usize = 8 * 1024;

/// After so many finished sign-ins without a session in between, going on would be a loop.
const MAX_ROUNDS: u32 = 3;

/// How long finished sign-ins count as rounds of one loop.
pub(super) const LOOP_WINDOW: Duration = Duration::from_mins(1);

/// Who wants this sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiative {
    /// A request met a closed door; the visitor may not even notice.
    Automatic,
    /// The visitor pressed a button.
    Visitor,
}

/// What this one sign-in asks the provider for, beside what all do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asks<'a> {
    /// What it is to show.
    pub prompt: Option<Prompt>,
    /// Whom it may take the visitor for.
    pub login_hint: Option<&'a str>,
}

/// A sign-in to begin.
#[derive(Debug)]
pub struct Begin<'a> {
    /// Whom to ask; `None` where there is only one.
    pub provider: Option<&'a ProviderId>,
    /// Where it leads.
    pub target: ReturnTarget,
    /// What the provider is asked.
    pub asks: Asks<'a>,
    /// Who wants it.
    pub initiative: Initiative,
    /// The head that asks, for the cookies in it.
    pub headers: &'a HeaderMap,
}

impl Login {
    /// Begins a sign-in.
    pub async fn start(&self, begin: Begin<'_>) -> Result<Redirect, Error> {
        let rounds = self.rounds(begin.headers);
        if begin.initiative == Initiative::Automatic && rounds >= MAX_ROUNDS {
            return Err(Error::Loop(rounds));
        }
        let mut redirect = self.begin(begin.provider, begin.target, begin.asks, 0, begin.headers, None).await?;
        if rounds > 0 && begin.initiative == Initiative::Visitor {
            redirect.cookies.extend(self.cookies.remove_everywhere(&self.cookies.loop_marker()));
        }
        if self.cookies.is_session_disputed(begin.headers) {
            // Else the one that this sign-in ends with would be disputed too.
            redirect.cookies.extend(self.cookies.remove_leftovers(&self.cookies.session()));
        }
        if !self.answers_here() {
            // Where this sign-in ends, the app's own cookies are out of reach.
            redirect.cookies.extend_from_slice(&self.expirations);
        }
        Ok(redirect)
    }

    /// Begins an attempt; `replaces` is one whose cookie goes with it.
    pub(super) async fn begin(
        &self,
        provider: Option<&ProviderId>,
        target: ReturnTarget,
        asks: Asks<'_>,
        restarts: u8,
        headers: &HeaderMap,
        replaces: Option<AttemptId>,
    ) -> Result<Redirect, Error> {
        let party = self.party(provider)?;
        let relying_party = &party.relying_party;
        let metadata = if let Some(known) = relying_party.metadata() {
            known
        } else {
            let relying_party = Arc::clone(relying_party);
            self.in_background(async move { relying_party.metadata_or_fetch().await }).await??
        };
        let provider = relying_party.provider().id.clone();
        let (id, attempt) = Attempt::begin(
            &self.random,
            self.clock.now(),
            self.app().clone(),
            provider,
            target.as_str().to_owned(),
            restarts,
        );
        let payload = attempt.seal(&self.sealer, &self.realm, id);
        let location = relying_party.authorization_url(
            &metadata,
            &AuthorizationRequest {
                redirect_uri: &self.redirect_uri,
                state: &CsrfToken::new(id.to_string()),
                nonce: &attempt.nonce(),
                code_verifier: &attempt.code_verifier(),
                prompt: asks.prompt,
                login_hint: asks.login_hint,
            },
        );
        let cookie = self.cookies.set(&self.cookies.attempt(id), &payload, Keep::For(COOKIE_LIFETIME));
        let mut cookies = self.make_room(headers, cookie.len(), replaces);
        cookies.push(cookie);
        Ok(Redirect { location, cookies })
    }

    /// How many sign-ins in a row ended well without the browser showing a session afterwards. Where the browser
    /// has several markers the largest counts: a stale one must not hide that this is a loop.
    pub(super) fn rounds(&self, headers: &HeaderMap) -> u32 {
        let marker = self.cookies.loop_marker();
        let counts = marker.find_all(headers).filter_map(|value| cookie::decode(value)?.try_into().ok());
        counts.map(u32::from_be_bytes).max().unwrap_or(0)
    }

    /// Removes what no longer fits beside a new attempt: first what is no attempt of ours, then the oldest.
    fn make_room(&self, headers: &HeaderMap, new: usize, replaces: Option<AttemptId>) -> Vec<HeaderValue> {
        let mut open: Vec<_> = self.cookies.attempts(headers).filter(|attempt| Some(attempt.id) != replaces).collect();
        let weight = |attempt: &AttemptCookie<'_>| {
            self.cookies.attempt(attempt.id).as_str().len() + "=; ".len() + attempt.value.len()
        };
        let (mut count, mut bytes) = (open.len(), new + open.iter().map(weight).sum::<usize>());
        let mut removed: Vec<_> = replaces.into_iter().collect();
        if count >= MAX_ATTEMPTS || bytes > MAX_ATTEMPT_BYTES {
            open.sort_by_cached_key(|attempt| self.begun(attempt));
            for attempt in open {
                if count < MAX_ATTEMPTS && bytes <= MAX_ATTEMPT_BYTES {
                    break;
                }
                (count, bytes) = (count - 1, bytes - weight(&attempt));
                removed.push(attempt.id);
            }
        }
        removed.into_iter().map(|id| self.cookies.remove(&self.cookies.attempt(id))).collect()
    }

    /// When an attempt was begun; `None`, before all others, where it is none of ours.
    fn begun(&self, cookie: &AttemptCookie<'_>) -> Option<Timestamp> {
        let opened = Attempt::open(&self.sealer, &self.realm, cookie.id, cookie.value, self.clock.now())?;
        Some(opened.attempt().begun)
    }
}
