//! What was let through under one configuration and goes on under the next.
//!
//! A request is judged once, and what came of it ends as it began. But a download, a
//! stream of events or a WebSocket may go on for days, and its visitor may have been
//! taken off a list meanwhile. So whatever is still under way when a new configuration
//! comes is judged by it, as the same request would be if it came now: it goes on and
//! belongs to the new one, or it ends.
//!
//! Nothing of this costs a request that is over before the next reload: what makes its
//! visitor wait asks to be woken, as it does for the end of its session, and what does
//! not looks at one more flag with each further piece.

use std::{future::pending, sync::Arc};

use http::Uri;

use super::{
    App, Broken, Connection, Worker, guest,
    judgement::PassesAs,
    worker::{Finish, Trace},
};
use crate::{
    access::{Decision, SignedIn},
    config::app::CorsPreflight,
    request::{Found, Host},
};

impl Finish {
    /// Whether what has begun may go on.
    pub(super) fn may_go_on(&mut self) -> Result<(), Broken> {
        if self.trace.passing_guest().is_some_and(|guest| guest.pulse().has_ended()) {
            return Err(Broken::SessionEnded);
        }
        judge_again(&mut self.worker, &self.connection, &mut self.trace)
    }

    /// Resolves when that is to be asked anew.
    pub(super) fn news(&self) -> impl Future<Output = ()> + Send + use<> {
        let superseded = self.worker.superseded.ended();
        let session_end = self.trace.passing_guest().map(|guest| guest.pulse().ended().ended());
        async move {
            let session_end = async {
                match session_end {
                    Some(session_end) => session_end.await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = session_end => {}
                () = superseded => {}
            }
        }
    }
}

/// Resolves when a newer configuration does not let through what this one has.
pub(super) async fn refused(worker: &mut Arc<Worker>, connection: &Connection, trace: &mut Trace) {
    loop {
        worker.superseded.ended().await;
        if judge_again(worker, connection, trace).is_err() {
            return;
        }
    }
}

/// Hands what is under way over to the newest worker, if that lets it through.
fn judge_again(worker: &mut Arc<Worker>, connection: &Connection, trace: &mut Trace) -> Result<(), Broken> {
    if worker.superseded.is_ended() {
        let newest = connection.current.worker();
        trace.app = Some(app_of(&newest, trace).ok_or(Broken::NotAdmitted)?);
        *worker = newest;
    }
    Ok(())
}

/// The app that would take the same request now; `None` where nobody would, or only from somebody else than its sender.
fn app_of(worker: &Worker, trace: &Trace) -> Option<Arc<App>> {
    let app = worker.apps.named(&trace.app.as_ref()?.config.id)?;
    let site = match &trace.further_host {
        Some(host) => worker.apps.site(Host::parse(host.as_bytes()).ok()?.name())?,
        None => worker.apps.site(&app.config.public_url.host)?,
    };
    let Found { app, target, .. } = site.find(&Uri::from(trace.path.clone()?)).ok()??;
    if app.config.id != trace.app.as_ref()?.config.id {
        return None;
    }
    if trace.passes_as == PassesAs::Preflight {
        return (app.config.answers.cors_preflight == CorsPreflight::Forward).then(|| Arc::clone(app));
    }
    let guest = trace.passing_guest();
    let still_counts = |guest: &guest::Guest| {
        let session = guest.session();
        app.login.home.takes(session.app()) && app.config.accepts(&session.visitor().provider, session.terms())
    };
    if guest.is_some_and(|guest| !still_counts(guest)) {
        return None;
    }
    let standing = guest.map(|guest| app.rules.judge(guest.session().visitor()));
    let signed_in =
        guest.zip(standing.as_ref()).map(|(guest, standing)| SignedIn { standing, ..guest::signed_in(guest) });
    let demand = app.rules.demand(&trace.method, &target);
    match app.rules.decide(&demand, trace.client, signed_in) {
        // A place that has become public knows no visitors: what was begun in the name of one is not the same any more.
        Decision::Permit(permit) if permit.session_end().is_some() == guest.is_some() => Some(Arc::clone(app)),
        Decision::Permit(_) | Decision::SignIn | Decision::Deny(_) => None,
    }
}
