//! The walk of one request, on one screen; own endpoints; and the one place where errors become answers.

use std::{convert::Infallible, pin::Pin, sync::Arc};

use http::{
    HeaderValue, Method, Request, Response,
    header::{HOST, REFERER},
    request::Parts,
};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::{
    access::Decision,
    apart::apart,
    clock::instant,
    forward::{Forwarded, Outbound, Passage, PassingSession},
    request::{self, Audience, Client, Fields, FramingError, Place, framing},
};

mod anonymous;
mod answer;
mod app_sign_out;
mod apps;
mod body;
mod connection;
mod current;
mod forward_auth;
mod guest;
mod initiator;
mod judgement;
mod let_through;
mod own;
mod refusal;
mod sign_ins;
mod worker;

pub use app_sign_out::LogoutPaths;
pub use apps::{App, Apps};
pub use body::{Body, Broken};
pub use connection::{Activity, Connection, Doing, Heard};
pub use current::{Answering, Current};
pub use sign_ins::SignIns;
pub use worker::Worker;

use anonymous::Redirects;
use judgement::{Asked, BodyPresence, Judgeable, Judged, PassesAs, judge};
use refusal::Refusal;
use worker::{Finish, Purpose, RequestId, Trace};

/// Answers one request; it always has an answer.
///
/// What it begins with is taken apart before there is a future, which would keep room for the whole as well. It is
/// boxed, because hyper would keep room for it as long as it serves a connection.
pub fn handle(
    worker: Arc<Worker>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Pin<Box<impl Future<Output = Result<Response<Body>, Infallible>> + Send>> {
    connection.activity.busy();
    let (mut head, body) = request.into_parts();
    let trace = Trace {
        id: worker.next_id(),
        started: worker.clock.moment(),
        method: head.method.clone(),
        protocol: head.version,
        path: None,
        client: connection.peer.address(),
        app: None,
        guest: None,
        passes_as: PassesAs::Guest,
        further_host: None,
        purpose: Purpose::Visit,
    };
    let body = connection.bodies.begin(body);
    // Dropped with this future where the visitor leaves before there is an answer.
    let mut finish = Box::new(Finish { worker, connection, trace, status: None, bytes: 0 });
    // What is made before there is room for it is copied there, although it is nearly empty yet.
    let room = Box::new_uninit();
    Box::into_pin(Box::write(room, async move {
        let mut visit = Visit { audience: Audience::Other, referer: None, trace: &mut finish.trace };
        let answered = walk(&finish.worker, &finish.connection, &mut visit, &mut head, body).await;
        let response = answered.unwrap_or_else(|refusal| refusal.answer(&finish.worker.apps, &visit));
        finish.answered(response.status());
        Ok(response.map(|body| body.finishing(finish)))
    }))
}

/// What is known of a request so far: for its answer and its access line.
pub(crate) struct Visit<'r> {
    /// What kind of answer its sender can use, once the head has been looked at.
    audience: Audience,
    /// The page that a frame or form belongs to, as far as it says so: where a sign-in is to lead.
    referer: Option<HeaderValue>,
    trace: &'r mut Trace,
}

impl Visit<'_> {
    /// What the head says about who will see the answer.
    fn look_at(&mut self, head: &Parts, fields: &Fields<'_>) {
        self.audience = Audience::of(head, fields);
        if self.audience == Audience::FrameOrUnsafeNavigation {
            self.referer = head.headers.get(REFERER).cloned();
        }
    }
}

/// From the head that came in to the answer that goes out.
async fn walk(
    worker: &Worker,
    connection: &Connection,
    visit: &mut Visit<'_>,
    head: &mut Parts,
    body: request::Body,
) -> Result<Response<Body>, Refusal> {
    let apps = &worker.apps;
    let fields = Fields::read(&head.headers);
    visit.look_at(head, &fields);
    apps.head_limits.check(head)?;
    let host = match framing::check(head, &fields) {
        // Load balancers ask by address, and some in HTTP/1.0 without any host.
        Ok(_) | Err(FramingError::NoHost | FramingError::Host(_)) if apps.is_health_probe(head) => {
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
    let asked = match Asked::read(apps, visit, &host, &head.uri) {
        Err(Refusal::UnknownHost | Refusal::UnknownPath) if forward_auth::is_meant(&head.uri, &apps.prefix) => {
            return apart(|| forward_auth::answer(worker, visit, &client, head)).await;
        }
        asked => asked?,
    };
    let Asked { app, target } = &asked;
    connection.activity.may_rest(app.config.limits.idle);
    if target.lacks_slash() && matches!(head.method, Method::GET | Method::HEAD) {
        return Ok(answer::with_slash(target));
    }

    // Our cookies and the provider's answer belong to the public URL: under a further name nobody can sign in.
    let audience = visit.audience;
    let is_further_host = host.name() != app.config.public_url.host;
    if is_further_host {
        visit.trace.further_host = client.forwarded_host_value().or_else(|| head.headers.get(HOST)).cloned();
    }
    let is_astray = || audience == Audience::Navigation && is_further_host;
    if let Place::Own(endpoint) = app.premises.place(target)? {
        if forward_auth::is_endpoint(endpoint, target, &head.uri) {
            return apart(|| forward_auth::answer(worker, visit, &client, head)).await;
        }
        if is_astray() {
            return Ok(answer::at_public_url(app, target));
        }
        return apart(|| own::answer(worker, app, visit, &client, endpoint, head, body)).await;
    }
    let started = visit.trace.started;
    let body_presence = if body.is_end_stream() { BodyPresence::Absent } else { BodyPresence::Present };
    let request = Judgeable { method: &head.method, headers: &head.headers, body: body_presence };
    let Judged { decision, guest, passes_as, on_anonymous } =
        judge(worker, &asked, &request, &client, started, &mut visit.trace.guest).await?;
    visit.trace.passes_as = passes_as;
    match decision {
        Decision::Permit(permit) => {
            let ending = app.logout_paths.as_ref().and_then(|paths| paths.ending(app, target, head));
            let body = body.limited(app.config.limits.body_bytes)?;
            let fate = body.fate();
            let sent = instant();
            let passage = Passage {
                permit,
                session: guest.map(|guest| PassingSession { pulse: guest.pulse(), identity: &guest.made().identity }),
                sessions: &apps.sessions,
                target,
                client: &client,
                affinity: &connection.affinity,
                request_id: visit.trace.id.header(),
                started: visit.trace.started,
                now: sent,
                upgrade: fields.upgrade(head),
                removals: fields.into_removals(),
                head,
                body,
            };
            let upstream = worker.upstreams[app.place].as_ref().ok_or(Refusal::NoUpstream)?;
            let mut outbound = Outbound::new(&app.front, passage);
            let forwarded = outbound.send(&app.front, upstream).await;
            let forwarded = forwarded.map_err(|error| Refusal::on_the_way(error, fate.as_ref()))?;
            app.meter.upstream_answered(instant().duration_since(sent));
            Ok(match forwarded {
                Forwarded::Answer(response) => {
                    let answer = response.map(Body::upstream);
                    match ending {
                        None => answer,
                        Some(secret) => apart(|| app_sign_out::end(app, visit.trace, &secret, answer)).await?,
                    }
                }
                Forwarded::Switch(response, tunnel) => response.map(|()| Body::tunnel(tunnel)),
            })
        }
        // Its page has a way to sign in as somebody else.
        Decision::Deny(_) if is_astray() => Ok(answer::at_public_url(app, target)),
        Decision::SignIn => {
            let answer =
                || anonymous::answer(apps, app, visit, &client, (target, head), on_anonymous, Redirects::Direct);
            apart(answer).await
        }
        Decision::Deny(denial) => Err(Refusal::Denied(denial)),
    }
}
