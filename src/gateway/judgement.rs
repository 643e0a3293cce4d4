//! What a request asks for, and whether it may have it.
//!
//! Requests come here by two ways: to be passed on, and as a question of the proxy in
//! front ([`forward_auth`](super::forward_auth)). Both take these two steps and no
//! others, so that no rule can hold on one way and be forgotten on the other, which is how
//! GHSA-5wcc-hf24-rf5h and CVE-2026-40575 came about.

use std::sync::Arc;

use http::{HeaderMap, Method, Uri};

use super::{App, Apps, Visit, Worker, guest, guest::Guest, initiator::Initiator, refusal::Refusal};
use crate::{
    access::Decision,
    clock::Moment,
    config::{app::OnAnonymous, session::SameSite},
    request::{Client, Found, Host, Target},
};

/// What a request asks for.
pub(super) struct Asked<'a> {
    /// Whose it is.
    pub(super) app: &'a Arc<App>,
    /// What of it.
    pub(super) target: Target,
}

impl<'a> Asked<'a> {
    /// Finds the app by host and path, and reads the target; the visit remembers both.
    pub(super) fn read(apps: &'a Apps, visit: &mut Visit<'_>, host: &Host<'_>, uri: &Uri) -> Result<Self, Refusal> {
        let site = apps.site(host.name()).ok_or(Refusal::UnknownHost)?;
        // A target that is refused is still a request to the app that has the whole host.
        visit.trace.app = site.only().map(Arc::clone);
        let Found { app, target, .. } = site.find(uri)?.ok_or(Refusal::UnknownPath)?;
        visit.trace.app.get_or_insert_with(|| Arc::clone(app));
        visit.trace.path = Some(target.path_and_query().clone());
        Ok(Self { app, target })
    }
}

/// What came of a request.
pub(super) struct Judged<'g> {
    /// What is to be done with it.
    pub(super) decision: Decision<'g>,
    /// Whose it is; `None` where the rules do not ask, or let somebody pass like anybody.
    pub(super) guest: Option<&'g Guest>,
    /// As whose it passes, if it does.
    pub(super) passes_as: PassesAs,
    /// How it is answered if nobody has signed in.
    pub(super) on_anonymous: OnAnonymous,
}

/// What of a request its judgement looks at, besides its target.
pub(super) struct Judgeable<'r> {
    pub(super) method: &'r Method,
    pub(super) headers: &'r HeaderMap,
    pub(super) body: BodyPresence,
}

/// Whether a request has a body: its head need not say (RFC 9113 §8.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyPresence {
    Absent,
    Present,
    /// Somebody else has the request.
    Unknown,
}

/// As whose a request passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PassesAs {
    /// The guest's, if there is one.
    Guest,
    /// Nobody's, also if there is a guest: the rules let everybody pass, and admit not them.
    Nobody,
    /// A browser's question before another request.
    Preflight,
}

/// Finds out who asks, as far as the rules want to know, and decides. The guest stays in `found`, for the log.
pub(super) async fn judge<'g>(
    worker: &Worker,
    asked: &Asked<'_>,
    request: &Judgeable<'_>,
    client: &Client<'_>,
    now: Moment,
    found: &'g mut Option<Arc<Guest>>,
) -> Result<Judged<'g>, Refusal> {
    let Asked { app, target } = asked;
    let Judgeable { method, headers, body } = *request;
    if let Some(permit) = app.rules.admit_preflight(method, headers).filter(|_| body == BodyPresence::Absent) {
        let (decision, passes_as) = (Decision::Permit(permit), PassesAs::Preflight);
        return Ok(Judged { decision, guest: None, passes_as, on_anonymous: OnAnonymous::Auto });
    }
    let demand = app.rules.demand(method, target);
    if demand.looks_at_sessions() {
        *found = guest::find(worker, app, headers, now).await?;
    }
    let guest = found.as_deref();
    let decision = app.rules.decide(&demand, client.address(), guest.map(guest::signed_in));
    Ok(match decision {
        // On an optional route, whom the policy does not admit passes like anybody.
        Decision::Permit(ref permit) => {
            let guest = guest.filter(|_| permit.session_end().is_some());
            // Other sites' frames have this cookie, and so have their forms and scripts (threats 6 and 9).
            if app.config.session.cookie.same_site == SameSite::None
                && guest.is_some()
                && !method.is_safe()
                && Initiator::of(headers, &app.login.origins.own) != Initiator::Own
            {
                return Err(Refusal::ForeignRequest);
            }
            let passes_as = if guest.is_some() { PassesAs::Guest } else { PassesAs::Nobody };
            Judged { decision, guest, passes_as, on_anonymous: OnAnonymous::Auto }
        }
        Decision::SignIn => {
            let on_anonymous = app.rules.on_anonymous(&demand);
            Judged { decision, guest: None, passes_as: PassesAs::Guest, on_anonymous }
        }
        Decision::Deny(_) => Judged { decision, guest, passes_as: PassesAs::Guest, on_anonymous: OnAnonymous::Auto },
    })
}
