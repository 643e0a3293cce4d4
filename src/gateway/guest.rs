//! Finding the session of a request, with what this worker made of it.

use std::{hint, sync::Arc};

use http::HeaderMap;

use super::{App, Worker, refusal::Refusal};
use crate::{
    access::{SignedIn, Standing},
    clock::Moment,
    forward::IdentityHeaders,
    identity::Subject,
    session::{self, CookieSecret},
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
    let sessions = &worker.apps.sessions;
    let tag = worker.recent.tag(app.place, cookie);
    if let Some(guest) = worker.recent.get(tag, sessions, now, Prepared::look_ahead) {
        return Ok(Some(guest));
    }
    let Some(secret) = CookieSecret::parse(cookie) else { return Ok(None) };
    // Boxed: it happens once a session, and each connection would keep room for it.
    let resolving = Box::pin(sessions.resolve(&app.login.home, &secret));
    let Some(session) = resolving.await? else { return Ok(None) };
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
