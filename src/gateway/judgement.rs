//! What a request asks for, and whether it may have it.
//!
//! Requests come here by two ways: to be passed on, and as a question of the proxy in
//! front ([`forward_auth`](super::forward_auth)). Both take these two steps and no
//! others, so that no rule can hold on one way and be forgotten on the other, which is how
//! GHSA-5wcc-hf24-rf5h and CVE-2026-40575 came about.

use std::sync::Arc;

use http::{HeaderMap, Method, Uri};

use super::{App, Apps, Visit, Worker, guest, guest::Guest, refusal::Refusal};
use crate::{
    access::{Decision, RouteMatch},
    clock::Moment,
    request::{Client, Host, Target},
};

/// What a request asks for.
pub(super) struct Asked {
    /// Whose it is.
    pub(super) app: Arc<App>,
    /// What of it.
    pub(super) target: Target,
}

impl Asked {
    /// Finds the app of a host, and reads the target; the visit remembers both.
    pub(super) fn read(apps: &Apps, visit: &mut Visit<'_>, host: &Host<'_>, uri: &Uri) -> Result<Self, Refusal> {
        let app = Arc::clone(apps.find(host.name()).ok_or(Refusal::UnknownHost)?);
        visit.trace.app = Some(Arc::clone(&app));
        let target = Target::parse(uri)?;
        visit.trace.path = Some(target.path_and_query().clone());
        Ok(Self { app, target })
    }
}

/// What came of a request.
pub(super) struct Judged<'g> {
    /// What is to be done with it.
    pub(super) decision: Decision<'g>,
    /// Whose it is; `None` where the rules do not ask.
    pub(super) guest: Option<&'g Guest>,
}

/// Finds out who asks, as far as the rules want to know, and decides. The guest stays in `found`, for the log.
pub(super) async fn judge<'g>(
    worker: &Worker,
    asked: &Asked,
    (method, headers): (&Method, &HeaderMap),
    client: &Client<'_>,
    now: Moment,
    found: &'g mut Option<Arc<Guest>>,
) -> Result<Judged<'g>, Refusal> {
    let Asked { app, target } = asked;
    if let Some(permit) = app.rules.admit_preflight(method, headers) {
        return Ok(Judged { decision: Decision::Permit(permit), guest: None });
    }
    let route = app.rules.route(method, target);
    *found = match route {
        RouteMatch::Public(_) => None,
        RouteMatch::Default => guest::find(worker, app, headers, now).await?,
    };
    let guest = found.as_deref();
    let decision = app.rules.decide(route, client.address(), guest.map(guest::signed_in));
    Ok(Judged { decision, guest })
}
