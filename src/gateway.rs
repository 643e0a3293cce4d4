//! The walk of one request, on one screen; own endpoints; and the one place where errors become answers.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderValue, Method, Request, Response, header::REFERER, request::Parts};
use hyper::body::Incoming;

use crate::{
    access::Decision,
    clock::instant,
    forward::{self, Forwarded, Passage, PassingSession},
    request::{self, Audience, Client, Fields, Found, FramingError, Place, framing},
};

mod anonymous;
mod answer;
mod apps;
mod body;
mod connection;
mod guest;
mod own;
mod refusal;
mod sign_ins;
mod worker;

pub use apps::{App, Apps};
pub use body::{Body, Broken};
pub use connection::{Activity, Connection, Doing, Heard};
pub use sign_ins::SignIns;
pub use worker::Worker;

use refusal::Refusal;
use worker::{Finish, Purpose, RequestId, Trace};

/// Answers one request; it always has an answer.
pub async fn handle(
    worker: Arc<Worker>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    connection.activity.busy();
    let (head, body) = request.into_parts();
    let trace = Trace {
        id: worker.next_id(),
        started: worker.clock.moment(),
        method: head.method.clone(),
        protocol: head.version,
        path: None,
        client: connection.peer.address(),
        app: None,
        guest: None,
        purpose: Purpose::Visit,
    };
    // Dropped with this future where the visitor leaves before there is an answer.
    let mut finish = Box::new(Finish { worker, connection, trace, status: None, bytes: 0 });
    let mut visit = Visit { audience: Audience::Other, referer: None, trace: &mut finish.trace };
    let body = finish.connection.bodies.begin(body);
    let answered = walk(&finish.worker, &finish.connection, &mut visit, head, body).await;
    let response = answered.unwrap_or_else(|refusal| refusal.answer(&finish.worker.apps, &visit));
    finish.answered(response.status());
    Ok(response.map(|body| body.finishing(finish)))
}

/// What is known of a request so far: for its answer and its access line.
pub(crate) struct Visit<'r> {
    /// What kind of answer its sender can use, once the head has been looked at.
    audience: Audience,
    /// The page that a frame or form belongs to, as far as it says so: where a sign-in is to lead.
    referer: Option<HeaderValue>,
    trace: &'r mut Trace,
}

/// From the head that came in to the answer that goes out.
///
/// Ways that few requests go are boxed: the room for the longest is kept for as long as its connection stands.
async fn walk(
    worker: &Worker,
    connection: &Connection,
    visit: &mut Visit<'_>,
    head: Parts,
    body: request::Body,
) -> Result<Response<Body>, Refusal> {
    let apps = &worker.apps;
    let fields = Fields::read(&head.headers);
    visit.audience = Audience::of(&head, &fields);
    if visit.audience == Audience::FrameOrUnsafeNavigation {
        visit.referer = head.headers.get(REFERER).cloned();
    }
    apps.head_limits.check(&head)?;
    let host = match framing::check(&head, &fields) {
        // Load balancers ask by address, and some in HTTP/1.0 without any host.
        Ok(_) | Err(FramingError::NoHost | FramingError::Host(_)) if apps.is_health_probe(&head) => {
            visit.trace.purpose = Purpose::HealthProbe;
            return answer::health(worker, &head.method);
        }
        host => host?,
    };
    let client = Client::resolve(&connection.peer, &head.headers, &apps.trusted_proxies);
    visit.trace.client = client.address();
    if let Some(id) = RequestId::given(&client, &head.headers) {
        visit.trace.id = id;
    }
    let host = client.forwarded_host().unwrap_or(host);
    let site = apps.site(host.name()).ok_or(Refusal::UnknownHost)?;
    // A target that is refused is still a request to the app that has the whole host.
    visit.trace.app = site.only().map(Arc::clone);
    let Found { app, target, .. } = site.find(&head.uri)?.ok_or(Refusal::UnknownPath)?;
    visit.trace.app.get_or_insert_with(|| Arc::clone(app));
    connection.activity.may_rest(app.config.limits.idle);
    visit.trace.path = Some(target.path_and_query().clone());
    if target.lacks_slash() && matches!(head.method, Method::GET | Method::HEAD) {
        return Ok(answer::with_slash(&target));
    }

    // Our cookies and the provider's answer belong to the public URL: under a further name nobody can sign in.
    let is_astray =
        |visit: &Visit<'_>| visit.audience == Audience::Navigation && host.name() != app.config.public_url.host;
    if let Place::Own(endpoint) = app.premises.place(&target)? {
        if is_astray(visit) {
            return Ok(answer::at_public_url(app, &target));
        }
        return Box::pin(own::answer(worker, app, visit, &client, endpoint, &head, body)).await;
    }
    let demand = app.rules.demand(&head.method, &target);
    if demand.looks_at_sessions() {
        visit.trace.guest = guest::find(worker, app, &head.headers, visit.trace.started).await?;
    }
    let guest = visit.trace.guest.as_deref();
    match app.rules.decide(&demand, client.address(), guest.map(guest::signed_in)) {
        Decision::Permit(permit) => {
            let body = body.limited(app.config.limits.body_bytes)?;
            let fate = body.fate();
            // On an optional route, whom the policy does not admit passes like anybody.
            let guest = guest.filter(|_| permit.session_end().is_some());
            let passage = Passage {
                permit,
                session: guest.map(|guest| PassingSession { pulse: guest.pulse(), identity: &guest.made().identity }),
                sessions: &apps.sessions,
                target: &target,
                client: &client,
                affinity: &connection.affinity,
                request_id: visit.trace.id.header(),
                upgrade: fields.upgrade(&head),
                removals: fields.into_removals(),
                head,
                body,
            };
            let sent = instant();
            let forwarded = forward::forward(&app.front, &worker.upstreams[app.place], passage).await;
            let forwarded = forwarded.map_err(|error| Refusal::on_the_way(error, fate.as_ref()))?;
            app.meter.upstream_answered(instant().duration_since(sent));
            Ok(match forwarded {
                Forwarded::Answer(response) => response.map(Body::upstream),
                Forwarded::Switch(response, tunnel) => response.map(|()| Body::tunnel(tunnel)),
            })
        }
        Decision::SignIn if is_astray(visit) => Ok(answer::at_public_url(app, &target)),
        Decision::SignIn => Box::pin(anonymous::answer(apps, app, visit, &client, &target, &head)).await,
        Decision::Deny(denial) => Err(Refusal::Denied(denial)),
    }
}
