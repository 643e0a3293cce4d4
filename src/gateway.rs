//! The walk of one request, on one screen; own endpoints; and the one place where errors become answers.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderMap, HeaderValue, Request, Response, header::REFERER, request};
use hyper::body::Incoming;

use crate::{
    access::{Decision, RouteMatch, SignedIn},
    clock::instant,
    forward::{self, Passage},
    login::Live,
    request::{Audience, Client, Place, Target, framing},
    session::Cached,
};

mod anonymous;
mod answer;
mod apps;
mod body;
mod connection;
mod own;
mod refusal;
mod worker;

pub use apps::{App, Apps};
pub use body::{Body, Broken};
pub use connection::{Activity, Connection, Heard};
pub use own::SignIns;
pub use worker::Worker;

use refusal::Refusal;
use worker::{Finish, RequestId, Trace};

/// Answers one request; it always has an answer.
pub async fn handle(
    worker: Arc<Worker>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    connection.activity.busy();
    let (head, body) = request.into_parts();
    let audience = Audience::of(&head);
    let in_a_page = audience == Audience::FrameOrUnsafeNavigation;
    let trace = Trace {
        id: worker.next_id(),
        started: instant(),
        method: head.method.clone(),
        protocol: head.version,
        path: None,
        client: connection.peer.address(),
        app: None,
        session: None,
    };
    // Dropped with this future where the visitor leaves before there is an answer.
    let mut finish = Finish { worker, connection, trace, status: None, bytes: 0 };
    let mut visit = Visit {
        audience,
        referer: in_a_page.then(|| head.headers.get(REFERER).cloned()).flatten(),
        trace: &mut finish.trace,
    };
    let answered = walk(&finish.worker, &finish.connection, &mut visit, head, body).await;
    let response = answered.unwrap_or_else(|refusal| refusal.answer(&finish.worker.apps, &visit));
    finish.answered(response.status());
    Ok(response.map(|body| body.finishing(finish)))
}

/// What is known of a request so far: for its answer and its access line.
pub(crate) struct Visit<'r> {
    /// What kind of answer its sender can use.
    audience: Audience,
    /// The page that a frame or form belongs to, as far as it says so: where a sign-in is to lead.
    referer: Option<HeaderValue>,
    trace: &'r mut Trace,
}

/// From the head that came in to the answer that goes out.
async fn walk(
    worker: &Worker,
    connection: &Connection,
    visit: &mut Visit<'_>,
    head: request::Parts,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    let apps = &worker.apps;
    let host = framing::check(&head)?;
    let client = Client::resolve(&connection.peer, &head.headers, &apps.trusted_proxies);
    visit.trace.client = client.address();
    if let Some(id) = RequestId::given(&client, &head.headers) {
        visit.trace.id = id;
    }
    let host = client.forwarded_host().unwrap_or(host);
    let app = Arc::clone(apps.find(host.name()).ok_or(Refusal::UnknownHost)?);
    visit.trace.app = Some(Arc::clone(&app));
    let target = Target::parse(&head.uri)?;
    visit.trace.path = Some(target.path_and_query().clone());

    // Our cookies and the provider's answer belong to the public URL: under a further name nobody can sign in.
    let is_astray =
        |visit: &Visit<'_>| visit.audience == Audience::Navigation && host.name() != app.config.public_url.host;
    if let Place::Own(endpoint) = target.place(&apps.prefix)? {
        if is_astray(visit) {
            return Ok(answer::at_public_url(&app, &target));
        }
        return own::answer(worker, &app, visit, &client, endpoint, &head, body).await;
    }
    let route = app.rules.route(&head.method, &target);
    visit.trace.session = match route {
        RouteMatch::Public(_) => None,
        RouteMatch::Default => find_session(worker, &app, &head.headers).await?.map(|(_, session)| session),
    };
    let session = visit.trace.session.as_ref();
    let signed_in = session.map(|session| SignedIn { visitor: session.visitor(), ended: session.ended() });
    match app.rules.decide(route, client.address(), signed_in) {
        Decision::Permit(permit) => {
            let passage = Passage {
                permit,
                session,
                sessions: &apps.sessions,
                target: &target,
                client: &client,
                request_id: visit.trace.id.header(),
                head,
                body,
            };
            let sent = instant();
            let response = forward::forward(&app.front, &worker.upstreams[app.place], passage).await?;
            app.meter.upstream_answered(instant().duration_since(sent));
            Ok(response.map(Body::upstream))
        }
        Decision::SignIn if is_astray(visit) => Ok(answer::at_public_url(&app, &target)),
        Decision::SignIn => anonymous::answer(apps, &app, visit, &client, &target, &head).await,
        Decision::Deny(denial) => Err(Refusal::Denied(denial)),
    }
}

/// The live session of this browser at this app.
async fn find_session(worker: &Worker, app: &App, headers: &HeaderMap) -> Result<Option<Live>, Refusal> {
    let Some(secret) = app.login.cookies.session_secret(headers) else { return Ok(None) };
    let found = match worker.apps.sessions.cached(&worker.recent, &app.config.id, &secret) {
        Cached::Hit(session) => Some(session),
        Cached::Unknown => None,
        Cached::Miss => worker.apps.sessions.resolve(&app.config.id, &secret).await?,
    };
    Ok(found.map(|session| (secret, session)))
}
