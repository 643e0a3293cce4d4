//! The provider's answer: checked against the attempt that asked, redeemed once, and turned into a session.

use std::sync::Arc;

use http::HeaderMap;

use super::{
    Error, Login, Party, Redirect, ReturnTarget,
    attempt::{Attempt, Opened},
    start::LOOP_WINDOW,
};
use crate::{
    relying_party::{Callback, Outcome, Redemption, SignedIn, parse_callback},
    session::{Landed, NewSession, Session, cookie::{AttemptId, Keep}},
};

/// What an answer led to.
#[derive(Debug)]
pub enum Finished {
    /// Somebody is signed in, or was before: on to where that sign-in leads.
    Redirect(Redirect),
    /// No answer at all: a provider's return after sign-out.
    SignedOut,
}

impl Login {
    /// Takes the provider's answer. `live` is the session that the browser brought, if it has one.
    pub async fn finish(
        &self,
        query: Option<&str>,
        headers: &HeaderMap,
        live: Option<&Arc<Session>>,
    ) -> Result<Finished, Error> {
        let Callback::Answer { state, iss, outcome } = parse_callback(query)? else {
            return Ok(Finished::SignedOut);
        };
        let id = AttemptId::parse(state.as_bytes());
        let opened = id.and_then(|id| {
            let cookie = self.cookies.attempts(headers).find(|attempt| attempt.id == id)?;
            Attempt::open(&self.sealer, &self.app, id, cookie.value, self.clock.now())
        });
        let (Some(id), Some(opened)) = (id, opened) else {
            // The back button, or a second tab: the sign-in is over and this browser has its session.
            let live = live.ok_or(Error::StateMissing)?;
            return Ok(Finished::Redirect(self.go_on(&self.landing(live, id))));
        };
        let attempt = match opened {
            Opened::Live(attempt) => attempt,
            Opened::Expired(attempt) => return self.restart(&attempt, id, headers, live).await,
        };
        if !self.redeemed.claim(id) {
            let live = live.ok_or(Error::StateReplayed)?;
            return Ok(Finished::Redirect(self.go_on(&self.landing(live, Some(id)))));
        }
        let party = self.party(Some(&attempt.provider))?;
        let signed_in = self.redeem(party, iss, outcome, &attempt).await;
        match &signed_in {
            Ok(_) => party.meter.signed_in(),
            Err(error) => party.meter.sign_in_failed(error.reason()),
        }
        self.open_session(signed_in?, &attempt, id, headers, live).await.map(Finished::Redirect)
    }

    /// The code becomes tokens, the ID token becomes a visitor.
    async fn redeem(
        &self,
        party: &Party,
        iss: Option<String>,
        outcome: Outcome,
        attempt: &Attempt,
    ) -> Result<SignedIn, Error> {
        let relying_party = Arc::clone(&party.relying_party);
        let (redirect_uri, code_verifier, nonce) =
            (self.endpoint("/callback"), attempt.code_verifier(), attempt.nonce());
        self.in_background(async move {
            let metadata = relying_party.metadata_or_fetch().await?;
            relying_party.check_issuer_parameter(&metadata, iss.as_deref())?;
            let code = match outcome {
                Outcome::Code(code) => code,
                Outcome::Refused { error, .. } => return Err(Error::Refused(error)),
            };
            Ok(relying_party.redeem(Redemption { code, redirect_uri, code_verifier, nonce }).await?)
        })
        .await?
    }

    /// A new secret at every sign-in; what the browser had before is over.
    async fn open_session(
        &self,
        signed_in: SignedIn,
        attempt: &Attempt,
        id: AttemptId,
        headers: &HeaderMap,
        live: Option<&Arc<Session>>,
    ) -> Result<Redirect, Error> {
        let landed = Landed { attempt: id.digest(), target: attempt.target.clone() };
        let new = NewSession::new(self.app.clone(), signed_in, landed);
        let (secret, session) = self.sessions.open(new).await?;
        tracing::info!(app = %self.app, provider = %session.visitor().provider, subject = %session.visitor().subject, "signed in");
        if let Some(old) = live {
            self.sessions.supersede(old, &session).await?;
        }
        let mut redirect = self.go_on(&ReturnTarget::parse(&attempt.target, &self.origins));
        redirect.cookies.push(self.cookies.set_session(&secret));
        redirect.cookies.push(self.cookies.remove(&self.cookies.attempt(id)));
        if live.is_none() {
            // Counts until the browser has shown a session; without one it will be back here at once.
            let rounds = self.rounds(headers).saturating_add(1);
            let marker = self.cookies.loop_marker();
            redirect.cookies.push(self.cookies.set(&marker, &rounds.to_be_bytes(), Keep::For(LOOP_WINDOW)));
        }
        Ok(redirect)
    }

    /// An answer that came too late: once more, by itself, and only once.
    async fn restart(
        &self,
        attempt: &Attempt,
        id: AttemptId,
        headers: &HeaderMap,
        live: Option<&Arc<Session>>,
    ) -> Result<Finished, Error> {
        if let Some(live) = live {
            return Ok(Finished::Redirect(self.go_on(&self.landing(live, Some(id)))));
        }
        if attempt.restarts > 0 {
            return Err(Error::ExpiredAgain);
        }
        let target = ReturnTarget::parse(&attempt.target, &self.origins);
        let again = self.begin(Some(&attempt.provider), target, None, attempt.restarts + 1, headers, Some(id)).await?;
        Ok(Finished::Redirect(again))
    }

    /// Where the sign-in led that made this session, if it is the one that is answered again; else the root.
    fn landing(&self, live: &Session, id: Option<AttemptId>) -> ReturnTarget {
        match (live.landed(), id) {
            (landed, Some(id)) if landed.attempt == id.digest() => {
                ReturnTarget::parse(&landed.target, &self.origins)
            }
            _ => ReturnTarget::root(),
        }
    }

    fn go_on(&self, target: &ReturnTarget) -> Redirect {
        Redirect { location: target.url(&self.origins), cookies: Vec::new() }
    }
}
