//! The provider's answer: checked against the attempt that asked, redeemed once, and turned into a session.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use super::{
    Error, Login, Party, Redirect, ReturnTarget,
    attempt::{Attempt, Opened},
    start::{Asks, LOOP_WINDOW},
};
use crate::{
    config::BearerToken,
    identity::{AppId, Visitor},
    relying_party::{Callback, Outcome, Redemption, SignedIn, parse_callback},
    session::{
        CookieSecret, EndReason, Landed, NewSession, Session, Tokens,
        cookie::{AttemptId, Keep},
    },
};

/// A live session with the secret of its cookie.
pub type Live = (CookieSecret, Arc<Session>);

/// What an answer led to.
#[derive(Debug)]
pub enum Finished {
    /// Somebody is signed in, or was before: on to where that sign-in leads.
    Redirect(Redirect),
    /// No answer at all: a provider's return after sign-out.
    SignedOut,
}

/// An answer that led to nothing.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub error: Error,
    /// `Set-Cookie`, where the attempt is over: no other answer could redeem it.
    pub cookie: Option<HeaderValue>,
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: error.into(), cookie: None }
    }
}

impl Login {
    /// Takes the provider's answer. `live` is the session that the browser brought, if it has one.
    pub async fn finish(
        &self,
        query: Option<&str>,
        headers: &HeaderMap,
        live: Option<&Live>,
    ) -> Result<Finished, Failed> {
        let Callback::Answer { state, iss, outcome } = parse_callback(query)? else {
            return Ok(Finished::SignedOut);
        };
        let id = AttemptId::parse(state.secret().as_bytes());
        let opened = id.and_then(|id| self.opened(id, headers)).filter(|opened| opened.attempt().app == *self.app());
        let (Some(id), Some(opened)) = (id, opened) else {
            // The back button, or a second tab: the sign-in is over and this browser has its session.
            let live = live.ok_or(Error::StateMissing)?;
            return Ok(Finished::Redirect(self.go_on(&self.landing(live, id))));
        };
        let over = |error| Failed { error, cookie: Some(self.cookies.remove(&self.cookies.attempt(id))) };
        let attempt = match opened {
            Opened::Live(attempt) => attempt,
            Opened::Expired(attempt) if attempt.restarts > 0 && live.is_none() => {
                return Err(over(Error::ExpiredAgain));
            }
            Opened::Expired(attempt) => return Ok(self.restart(&attempt, id, headers, live).await?),
        };
        if !self.redeemed.claim(id) {
            let live = live.ok_or(Error::StateReplayed)?;
            return Ok(Finished::Redirect(self.go_on(&self.landing(live, Some(id)))));
        }
        let party = self.party(Some(&attempt.provider)).map_err(over)?;
        let finished = match self.redeem(party, iss, outcome, &attempt).await {
            Ok(signed_in) => self.open_session(party, signed_in, &attempt, id, headers, live).await,
            Err(error) => Err(error),
        };
        match &finished {
            Ok(_) => party.meter.sign_in_succeeded(),
            Err(error) => party.meter.sign_in_failed(error.reason()),
        }
        finished.map(Finished::Redirect).map_err(over)
    }

    /// The app at which the sign-in began that is answered here, where that can be another one.
    pub fn begun_at(&self, query: Option<&str>, headers: &HeaderMap) -> Option<AppId> {
        if self.realm == self.app().as_str() {
            return None;
        }
        let Ok(Callback::Answer { state, .. }) = parse_callback(query) else { return None };
        let opened = self.opened(AttemptId::parse(state.secret().as_bytes())?, headers)?;
        Some(opened.attempt().app.clone())
    }

    /// The attempt of a `state`, if this browser has it.
    fn opened(&self, id: AttemptId, headers: &HeaderMap) -> Option<Opened> {
        let cookie = self.cookies.attempt(id);
        Attempt::open(&self.sealer, &self.realm, id, cookie.find(headers)?, self.clock.now())
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
        let (redirect_uri, code_verifier) = (self.redirect_uri.clone(), attempt.code_verifier());
        let (nonce, begun) = (attempt.nonce(), attempt.begun);
        self.in_background(async move {
            match outcome {
                Outcome::Code(code) => {
                    Ok(relying_party.redeem(Redemption { code, redirect_uri, code_verifier, nonce, begun, iss }).await?)
                }
                Outcome::Refused { error, description } => {
                    let metadata = relying_party.metadata_or_fetch().await?;
                    relying_party.check_issuer_parameter(&metadata, iss.as_deref())?;
                    tracing::info!(provider = %relying_party.provider().id, %error, description, "the provider refused a sign-in");
                    Err(Error::Refused(error))
                }
            }
        })
        .await?
    }

    /// What is worth keeping of the tokens: what some app of the provider is handed, and what gets new ones.
    fn kept_tokens(&self, party: &Party, signed_in: &SignedIn) -> Tokens {
        let keeps = |token| party.relying_party.provider().kept_tokens.contains(&token);
        let access_token = keeps(BearerToken::AccessToken).then(|| signed_in.access_token.clone());
        let id_token = keeps(BearerToken::IdToken).then(|| signed_in.id_token.clone());
        let access_token_expires_at = signed_in.expires_in.map(|lifetime| self.clock.now().plus(lifetime));
        Tokens {
            access_token_expires_at: access_token_expires_at.filter(|_| access_token.is_some()),
            access_token,
            id_token_expires_at: id_token.is_some().then_some(signed_in.id_token_expires_at),
            id_token,
            refresh_token: signed_in.refresh_token.clone(),
        }
    }

    /// A new secret at every sign-in; what the browser had before is over.
    async fn open_session(
        &self,
        party: &Party,
        signed_in: SignedIn,
        attempt: &Attempt,
        id: AttemptId,
        headers: &HeaderMap,
        live: Option<&Live>,
    ) -> Result<Redirect, Error> {
        let (terms, tokens) = (party.relying_party.provider().terms(), self.kept_tokens(party, &signed_in));
        let new = NewSession {
            visitor: signed_in.visitor,
            terms,
            auth_time: signed_in.auth_time,
            provider_session: signed_in.sid,
            landed: Some(Landed { attempt: id.digest(), target: attempt.target.clone() }),
            tokens,
            id_token: Some(signed_in.id_token),
        };
        let (secret, session) = self.sessions.open(&self.home, new).await?;
        tracing::info!(app = %self.app(), provider = %session.visitor().provider, subject = %session.visitor().subject, "signed in");
        if let Some(old) = live {
            self.supersede(old, session.visitor()).await?;
        }
        let mut redirect = self.go_on(&ReturnTarget::parse(&attempt.target, &self.origins));
        let cookie = self.cookies.set(&self.cookies.session(), secret.expose(), self.keep_session);
        if self.answers_here() {
            redirect.cookies.extend_from_slice(&self.expirations);
        }
        redirect.cookies.push(cookie);
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
        live: Option<&Live>,
    ) -> Result<Finished, Error> {
        if let Some(live) = live {
            return Ok(Finished::Redirect(self.go_on(&self.landing(live, Some(id)))));
        }
        let target = ReturnTarget::parse(&attempt.target, &self.origins);
        let asks = Asks::default();
        let again = self.begin(Some(&attempt.provider), target, asks, attempt.restarts + 1, headers, Some(id)).await?;
        Ok(Finished::Redirect(again))
    }

    /// Ends what this browser had before. Another person's session ends at once
    /// (threat 8). The same person's may still be on its way with requests of other
    /// tabs that came back a moment earlier, so it ends a little later.
    async fn supersede(&self, old: &Live, new: &Visitor) -> Result<(), Error> {
        let (secret, session) = old;
        let before = session.visitor();
        if (&before.issuer, &before.subject) == (&new.issuer, &new.subject) {
            self.sessions.supersede(secret.clone());
        } else {
            self.sessions.end(secret, EndReason::Superseded).await?;
        }
        Ok(())
    }

    /// Where the sign-in led that made this session, if it is the one that is answered again; else the root.
    fn landing(&self, (_, live): &Live, id: Option<AttemptId>) -> ReturnTarget {
        let target = id.and_then(|id| live.landed_from(id));
        target.map_or_else(|| ReturnTarget::root(&self.origins), |target| ReturnTarget::parse(target, &self.origins))
    }

    fn go_on(&self, target: &ReturnTarget) -> Redirect {
        Redirect { location: target.url(&self.origins), cookies: Vec::new() }
    }
}
