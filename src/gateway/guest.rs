//! Finding the session of a request, with what this worker made of it.

use std::{hint, sync::Arc};

use http::HeaderMap;

use super::{App, Worker, refusal::Refusal};
use crate::{
    access::{SignedIn, Standing},
    apart::apart,
    clock::Moment,
    forward::IdentityHeaders,
    identity::Subject,
    session::{self, CookieSecret, CookieTag},
};

/// A session, as this worker serves it.
pub(super) type Guest = session::Guest<Prepared>;

/// What is made of a session once, for all of its requests on one worker.
#[derive(Debug)]
pub(super) struct Prepared {
    standing: Standing,
    /// What the upstream is told.
    pub(super) identity: IdentityHeaders,
    /// What the access line says.
    pub(super) subject: Subject,
}

impl Prepared {
    /// Has memory bring what a request of the session reads first.
    fn look_ahead(&self) {
        self.identity.look_ahead();
        hint::black_box(self.subject.as_str().as_bytes().first().copied());
    }
}

/// What `access` asks about a guest.
pub(super) fn signed_in(guest: &Guest) -> SignedIn<'_> {
    SignedIn { visitor: guest.session().visitor(), standing: &guest.made().standing, ended: guest.pulse().ended() }
}

/// The live session of this browser at this app.
pub(super) async fn find(
    worker: &Worker,
    app: &App,
    headers: &HeaderMap,
    now: Moment,
) -> Result<Option<Arc<Guest>>, Refusal> {
    let Some(cookie) = app.login.cookies.session_value(headers) else { return Ok(None) };
    let tag = worker.recent.tag(app.place, cookie);
    if let Some(guest) = worker.recent.get(tag, &worker.apps.sessions, now, Prepared::look_ahead) {
        return Ok(Some(guest));
    }
    apart(|| look_up(worker, app, tag, cookie)).await
}

/// Finds a session that this worker has not served lately.
async fn look_up(worker: &Worker, app: &App, tag: CookieTag, cookie: &[u8]) -> Result<Option<Arc<Guest>>, Refusal> {
    let Some(secret) = CookieSecret::parse(cookie) else { return Ok(None) };
    let Some(session) = worker.apps.sessions.resolve(&app.login.home, &secret).await? else { return Ok(None) };
    let visitor = session.visitor();
    // What the provider said was taken on other terms: whoever it was signs in again (CVE-2021-41230).
    if !app.config.accepts(&visitor.provider, session.terms()) {
        return Ok(None);
    }
    let prepared = Prepared {
        standing: app.rules.judge(visitor),
        identity: app.front.identity_headers(&session),
        subject: visitor.subject.clone(),
    };
    Ok(Some(worker.recent.keep(tag, session, prepared)))
}
