//! Beginning a sign-in: one more sealed cookie, and off to the provider.

use std::{borrow::Cow, time::Duration};

use http::HeaderValue;

use super::{
    Error, Login, Redirect, ReturnTarget,
    attempt::{Attempt, AttemptId, COOKIE_LIFETIME, Opened},
};
use crate::{
    identity::ProviderId,
    relying_party::{AuthorizationRequest, Prompt},
    session::cookie::{self, Cookies},
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

/// A sign-in to begin.
#[derive(Debug)]
pub struct Begin<'a> {
    /// Whom to ask; `None` where there is only one.
    pub provider: Option<&'a ProviderId>,
    /// Where it leads.
    pub target: ReturnTarget,
    /// What the provider is to show.
    pub prompt: Option<Prompt>,
    /// Who wants it.
    pub initiative: Initiative,
    /// What the browser brought.
    pub cookies: &'a Cookies<'a>,
}

impl Login {
    /// Begins a sign-in.
    pub async fn start(&self, begin: Begin<'_>) -> Result<Redirect, Error> {
        let rounds = begin.cookies.loop_marker();
        if begin.initiative == Initiative::Automatic && rounds >= MAX_ROUNDS {
            return Err(Error::Loop(rounds));
        }
        let mut redirect = self.begin(begin.provider, begin.target, begin.prompt, 0, begin.cookies, None).await?;
        if rounds > 0 && begin.initiative == Initiative::Visitor {
            redirect.cookies.push(self.cookies.remove(&self.cookies.loop_marker));
        }
        Ok(redirect)
    }

    /// Begins an attempt; `replaces` is one whose cookie goes with it.
    pub(super) async fn begin(
        &self,
        provider: Option<&ProviderId>,
        target: ReturnTarget,
        prompt: Option<Prompt>,
        restarts: u8,
        cookies: &Cookies<'_>,
        replaces: Option<&AttemptId>,
    ) -> Result<Redirect, Error> {
        let party = self.party(provider)?;
        let relying_party = &party.relying_party;
        let metadata = match relying_party.metadata() {
            Some(metadata) => metadata,
            None => {
                let relying_party = std::sync::Arc::clone(relying_party);
                self.in_background(async move { relying_party.metadata_or_fetch().await }).await??
            }
        };
        let provider = relying_party.provider().id.clone();
        let (id, attempt) =
            Attempt::begin(&self.random, self.clock.now(), provider, target.as_str().to_owned(), restarts);
        let value = attempt.seal(&self.sealer, &self.app, &id);
        let location = relying_party.authorization_url(
            &metadata,
            &AuthorizationRequest {
                redirect_uri: &self.endpoint("/callback"),
                state: id.as_str(),
                nonce: &attempt.nonce(),
                code_verifier: &attempt.code_verifier(),
                prompt,
                login_hint: None,
            },
        );
        let mut set_cookies = self.make_room(cookies, value.len(), replaces);
        set_cookies.push(self.cookies.set(&self.attempt_cookie(&id), &value, Some(COOKIE_LIFETIME)));
        Ok(Redirect { location, cookies: set_cookies })
    }

    /// The name of an attempt's cookie.
    pub(super) fn attempt_cookie(&self, id: &AttemptId) -> String {
        format!("{}{}", self.cookies.attempt_prefix, id.as_str())
    }

    /// Removes what no longer fits beside a new attempt: first what is no attempt of ours, then the oldest.
    fn make_room(&self, cookies: &Cookies<'_>, new: usize, replaces: Option<&AttemptId>) -> Vec<HeaderValue> {
        let bytes: usize = cookies.attempts().map(|attempt| attempt.value.len()).sum();
        let mut removed: Vec<Cow<'_, str>> = replaces.map(|id| Cow::Owned(id.as_str().to_owned())).into_iter().collect();
        if cookies.attempts().count() >= MAX_ATTEMPTS || bytes + new > MAX_ATTEMPT_BYTES {
            let mut by_age: Vec<_> = cookies.attempts().map(|attempt| (self.begun(&attempt), attempt)).collect();
            by_age.sort_by_key(|(begun, _)| *begun);
            let (mut count, mut bytes) = (by_age.len(), bytes);
            for (_, attempt) in by_age {
                if count < MAX_ATTEMPTS && bytes + new <= MAX_ATTEMPT_BYTES {
                    break;
                }
                (count, bytes) = (count - 1, bytes - attempt.value.len());
                removed.push(Cow::Borrowed(attempt.id));
            }
        }
        removed.iter().map(|id| self.cookies.remove(&format!("{}{id}", self.cookies.attempt_prefix))).collect()
    }

    /// When an attempt was begun; `None`, before all others, where it is none of ours.
    fn begun(&self, cookie: &cookie::AttemptCookie<'_>) -> Option<i64> {
        let id = AttemptId::parse(cookie.id)?;
        let opened = Attempt::open(&self.sealer, &self.app, &id, cookie.value, self.clock.now())?;
        let (Opened::Live(attempt) | Opened::Expired(attempt)) = opened;
        Some(attempt.begun.as_unix())
    }
}
