//! The way through: a permitted request to the upstream, and its answer back.
//!
//! Only [`access`](crate::access) can build the [`Permit`] that this asks for. What
//! is forwarded is the [`Target`] that was judged. The visitor's head is changed in
//! place, in one pass over its names, and never copied.

use std::{
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::{EXPECT, ORIGIN},
};
use http_body::Body as _;
use hyper::upgrade::{self, OnUpgrade};
use thiserror::Error;

use crate::{
    access::{AppRules, Holder, MethodOverrides, Permit},
    apart::apart,
    clock::Moment,
    config::{
        self, Cache,
        app::{BasePath, PublicUrl, Setting, WildcardHost},
        upstream::UpstreamUrl,
    },
    request::{self, Client, Removals, ReservedNames, Target, Upgrade, client::Trust},
    session::{Pulse, Session, Sessions, cookie::upstream::Family},
    upstream::{self, Affinity, Claim, Person, RequestBody, ResponseBody, Upstream},
};

mod assertion;
mod identity_headers;
mod request_head;
mod response_head;
mod tunnel;

pub use tunnel::Tunnel;

pub use assertion::AssertionSigner;
pub use identity_headers::IdentityHeaders;

use identity_headers::Telling;
use response_head::{Origins, Protection};

/// What is the same for all requests of one app, prepared at load.
#[derive(Debug)]
pub struct Front {
    origins: Origins,
    /// The origins whose pages may change protocols here.
    upgrade_origins: Vec<String>,
    /// Those of hosts that a `*.` of the app stands for.
    upgrade_origins_below: Vec<WildcardOrigin>,
    method_overrides: MethodOverrides,
    /// The cookies that stay between us and the browser.
    own_cookies: Family,
    /// How long a tunnel may rest.
    idle: Option<Duration>,
    proto: HeaderValue,
    port: HeaderValue,
    /// The path that the upstream does not know of.
    prefix: Option<HeaderValue>,
    /// The upstream's own `Host`, where the visitor's is not preserved.
    upstream_host: Option<HeaderValue>,
    /// What the app is told of its visitors.
    telling: Telling,
    /// What it is told with each request, whoever sends it.
    constants: Box<[(HeaderName, HeaderValue)]>,
    /// The names that its visitors must not use; `None` where it has none of its own.
    reserved: Option<Arc<ReservedNames>>,
    /// What becomes of its words to shared caches.
    cache: Cache,
}

impl Front {
    /// Prepares an app.
    pub fn new(app: &Arc<config::App>, rules: &AppRules, signer: &Arc<AssertionSigner>) -> Self {
        let constants = app.headers.set.iter().filter_map(|(name, setting)| Some((name.clone(), constant(setting)?)));
        let upstream = app.upstream.as_ref();
        Self {
            telling: Telling::new(app, signer),
            constants: constants.collect(),
            reserved: ReservedNames::new(app.headers.reserved()).map(Arc::new),
            cache: app.cache,
            method_overrides: rules.method_overrides(),
            own_cookies: Family::new(&app.session.cookie.name),
            idle: app.limits.idle,
            upgrade_origins: app
                .hosts
                .iter()
                .map(|host| app.public_url.origin_at(host))
                .chain(app.answers.allowed_origins.iter().cloned())
                .collect(),
            upgrade_origins_below: app
                .wildcard_hosts
                .iter()
                .map(|host| WildcardOrigin { public_url: app.public_url.clone(), host: host.clone() })
                .collect(),
            // Where there is no upstream, nothing of one is ever rewritten.
            origins: Origins::new(app, &upstream.map(UpstreamUrl::origin).unwrap_or_default()),
            proto: HeaderValue::from_static(app.public_url.scheme.as_str()),
            port: HeaderValue::from(app.public_url.port),
            prefix: (app.paths.base == BasePath::Stripped && !app.public_url.path.is_empty())
                .then(|| HeaderValue::from_str(&app.public_url.path).ok())
                .flatten(),
            upstream_host: upstream
                .filter(|_| !app.preserve_host)
                .and_then(|upstream| HeaderValue::from_str(&upstream.authority()).ok()),
        }
    }

    /// With more cookies that stay between us and the browser: what ours were called under earlier configurations.
    #[must_use]
    pub fn keeping_back(self, own_cookies: Family) -> Self {
        Self { own_cookies, ..self }
    }

    /// What the upstream will be told of a visitor: made once a session, used for each of its requests.
    pub fn identity_headers(&self, session: &Session) -> IdentityHeaders {
        self.telling.prepare(session.visitor(), session.tokens())
    }

    /// Every header in which the app may be told something, whether or not it is at the moment.
    pub fn identity_names(&self) -> impl Iterator<Item = &HeaderName> {
        self.telling.names()
    }

    /// Tells the app who is there, in a head from which whatever a visitor said about that is gone.
    pub fn tell(&self, headers: &mut HeaderMap, identity: Option<&IdentityHeaders>, now: Moment) {
        for (name, value) in &self.constants {
            headers.insert(name, value.clone());
        }
        if let Some(identity) = identity {
            identity.put_into(headers, now);
        }
    }

    /// Whether an upgrade is asked for by a page of the app itself, or of an origin that it allows. A browser, which
    /// can ask for a WebSocket only, always says where it comes from (RFC 6455 §10.2);
    /// others need not say anything.
    pub fn owns_origin_of(&self, headers: &HeaderMap) -> bool {
        let ours = |origin: &HeaderValue| {
            self.upgrade_origins.iter().any(|ours| ours.as_bytes() == origin.as_bytes())
                || self.upgrade_origins_below.iter().any(|below| below.covers(origin))
        };
        headers.get_all(ORIGIN).iter().all(ours)
    }
}

/// A value of `set` that is the same for everybody.
fn constant(setting: &Setting) -> Option<HeaderValue> {
    match setting {
        Setting::Claim(_) => None,
        Setting::Value(value) => Some(value.clone()),
        Setting::Basic(credential) => Some(credential.header()),
    }
}

/// `https://*.review.example.com`
#[derive(Debug)]
struct WildcardOrigin {
    public_url: PublicUrl,
    host: WildcardHost,
}

impl WildcardOrigin {
    fn covers(&self, origin: &HeaderValue) -> bool {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        self.host.covers(host) && self.public_url.origin_at(host) == origin
    }
}

/// A request on its way through, with everything that was found out about it.
pub struct Passage<'a> {
    /// The proof that it may pass.
    pub permit: Permit<'a>,
    /// Whose it is; `None` on public routes.
    pub session: Option<PassingSession<'a>>,
    /// Who is told that a session is in use.
    pub sessions: &'a Arc<Sessions>,
    /// What was judged.
    pub target: &'a Target,
    /// Who sent it.
    pub client: &'a Client<'a>,
    /// What their connection owns of the upstream's.
    pub affinity: &'a Affinity,
    /// Its name in our log.
    pub request_id: HeaderValue,
    /// When it came.
    pub started: Moment,
    /// When it goes on.
    pub now: Instant,
    /// Its head, of which that for the upstream is made.
    pub head: &'a mut http::request::Parts,
    /// What of the head ends here.
    pub removals: Removals,
    /// What its visitor wants to speak from now on, if anything else.
    pub upgrade: Option<Upgrade>,
    /// Its body.
    pub body: request::Body,
}

/// What a passage needs of the session that it is for.
#[derive(Clone, Copy)]
pub struct PassingSession<'a> {
    /// Whether it still counts.
    pub pulse: &'a Pulse,
    /// What the upstream is told of its visitor.
    pub identity: &'a IdentityHeaders,
}

/// What a request has come to.
#[derive(Debug)]
pub enum Forwarded {
    /// An answer.
    Answer(Response<ResponseBody>),
    /// The upstream speaks another protocol from now on: the head that says so, and what follows it.
    Switch(Response<()>, Box<Tunnel>),
}

/// Why a permitted request was not answered by the upstream.
#[derive(Debug, Error)]
pub enum Error {
    /// A page of another site tried to open a WebSocket, or the like, with the visitor's session (RFC 6455 §10.2).
    #[error("an upgrade was asked for by a page of another origin")]
    ForeignOrigin,
    /// The upstream did not answer.
    #[error(transparent)]
    Upstream(#[from] upstream::Error),
    /// The session ended while the upstream was at work.
    #[error("the session ended during the request")]
    SessionEnded,
}

/// What a passage has become when it goes out. It stays where it is from then on: it is large, and each move is a copy.
pub struct Outbound<'p> {
    request: Request<RequestBody>,
    permit: Permit<'p>,
    session: Option<PassingSession<'p>>,
    sessions: &'p Arc<Sessions>,
    claim: Claim<'p>,
    now: Instant,
    /// Whether an upgrade is asked for by another origin.
    is_foreign: bool,
    /// The protocol that is asked for, and the visitor's end of it.
    switch: Option<(Upgrade, OnUpgrade)>,
}

impl<'p> Outbound<'p> {
    /// Makes the request that the upstream gets.
    pub fn new(front: &Front, passage: Passage<'p>) -> Self {
        let Passage { permit, session, sessions, target, client, affinity, .. } = passage;
        let Passage { request_id, started, now, head, removals, upgrade, body, .. } = passage;
        let body = body.without_trailers(front.reserved.as_ref());
        let is_foreign = upgrade.is_some() && !front.owns_origin_of(&head.headers);
        let person = match session {
            Some(session) => Person::SignedIn(session.pulse.id().as_bytes()),
            None if client.peer_trust() == Trust::Trusted => Person::Unknown,
            None => Person::AtTheOtherEnd,
        };
        let claim = Claim { affinity, person };

        let identity = session.map(|session| session.identity);
        // Who has a body to send and waits for a word goes on waiting, now for the upstream's.
        let expects = !body.is_end_stream() && head.version >= Version::HTTP_11 && head.headers.contains_key(EXPECT);
        make_upstream_head(front, identity, client, (request_id, started), &mut head.headers, removals);
        if expects {
            head.headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
        }
        let mut request = Request::new(RequestBody::empty());
        *request.version_mut() = head.version;
        *request.uri_mut() = Uri::from(target.forwarded().clone());
        mem::swap(request.method_mut(), &mut head.method);
        mem::swap(request.headers_mut(), &mut head.headers);

        let switch = upgrade.zip(head.extensions.remove::<OnUpgrade>());
        match &switch {
            None => *request.body_mut() = body.into(),
            Some((upgrade, _)) => request_head::offer(request.headers_mut(), upgrade),
        }
        Self { request, permit, session, sessions, claim, now, is_foreign, switch }
    }

    /// Sends it, once. The answer must not outlive the session that it is for.
    pub async fn send(&mut self, front: &Front, upstream: &Upstream) -> Result<Forwarded, Error> {
        let Self { request, session, claim, .. } = self;
        let (permit, switch) = (&self.permit, self.switch.take());
        if self.is_foreign {
            return Err(Error::ForeignOrigin);
        }
        let mut response = if switch.is_none() {
            let sending = pin!(upstream.send(request, *claim, self.now));
            while_it_lasts(*session, sending).await?
        } else {
            apart(|| upstream.send_upgrade(request)).await?
        };
        if session.is_some_and(|session| session.pulse.has_ended()) {
            // An answer that was on its way when the session ended is nobody's any more.
            return Err(Error::SessionEnded);
        }
        let protection = match (front.cache, permit.holder()) {
            (Cache::AsIs, _) | (Cache::Private, Holder::Anybody) => Protection::Public,
            // An optional route answers some visitors differently than others.
            (Cache::Private, Holder::Anonymous | Holder::Session(_)) => Protection::Protected,
        };
        let taken = switch.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS);
        let tunnel = match taken {
            None => None,
            Some((upgrade, visitor)) => Some(self.tunnel(front, &upgrade, visitor, &mut response)?),
        };
        let response = response_head::cleanse(response, &front.origins, &front.own_cookies, protection);
        Ok(match tunnel {
            None => Forwarded::Answer(response),
            Some(tunnel) => Forwarded::Switch(response.map(drop), tunnel),
        })
    }

    /// What follows an answer by which the upstream switches protocols.
    #[cold]
    fn tunnel(
        &self,
        front: &Front,
        upgrade: &Upgrade,
        visitor: OnUpgrade,
        response: &mut Response<ResponseBody>,
    ) -> Result<Box<Tunnel>, Error> {
        let protocol = upgrade.taken(response.headers()).ok_or(upstream::Error::UnaskedSwitch)?;
        Ok(Box::new(Tunnel {
            visitor,
            upstream: upgrade::on(response),
            protocol,
            session_end: self.permit.session_end().cloned(),
            pulse: self.session.map(|session| session.pulse.clone()),
            sessions: Arc::clone(self.sessions),
            idle: front.idle,
        }))
    }
}

/// Waits for an answer, as long as the session lives that it is for. Its end is seen at the next look at the visitor's
/// connection: with the next piece of a body, else when that connection's timer looks.
async fn while_it_lasts<T>(
    session: Option<PassingSession<'_>>,
    mut answer: Pin<&mut impl Future<Output = Result<T, upstream::Error>>>,
) -> Result<T, Error> {
    poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(answer.map_err(Error::from)),
        Poll::Pending if session.is_some_and(|session| session.pulse.has_ended()) => {
            Poll::Ready(Err(Error::SessionEnded))
        }
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// Makes the head that the upstream gets: the visitor's without what they must not say,
/// and with what only we know (contract section 6).
pub fn make_upstream_head(
    front: &Front,
    identity: Option<&IdentityHeaders>,
    client: &Client<'_>,
    (request_id, started): (HeaderValue, Moment),
    headers: &mut HeaderMap,
    removals: Removals,
) {
    request_head::cleanse(headers, removals, front.method_overrides, &front.own_cookies);
    if let Some(reserved) = &front.reserved {
        reserved.remove_from(headers);
    }
    request_head::set(headers, front, client, request_id);
    front.tell(headers, identity, started);
}
