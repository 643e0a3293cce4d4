//! The way through: a permitted request to the upstream, and its answer back.
//!
//! Only [`access`](crate::access) can build the [`Permit`] that this asks for. What
//! is forwarded is the [`Target`] that was judged. The visitor's head is changed in
//! place, in one pass over its names, and never copied.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header::ORIGIN, request};
use hyper::{
    body::Incoming,
    upgrade::{self, OnUpgrade},
};
use thiserror::Error;

use crate::{
    access::{AppRules, MethodOverrides, Permit},
    config,
    request::{Client, Target, Upgrade},
    session::{Session, Sessions},
    upstream::{self, RequestBody, ResponseBody, Upstream},
};

mod identity_headers;
mod request_head;
mod response_head;
mod tunnel;

pub use tunnel::Tunnel;

use response_head::{Origins, Protection};

/// What is the same for all requests of one app, prepared at load.
#[derive(Debug)]
pub struct Front {
    /// Of the configuration, so that a session's headers are made anew when that changes.
    generation: u64,
    origins: Origins,
    /// The origins whose pages may change protocols here.
    upgrade_origins: Vec<String>,
    method_overrides: MethodOverrides,
    proto: HeaderValue,
    port: HeaderValue,
    /// The upstream's own `Host`, where the visitor's is not preserved.
    upstream_host: Option<HeaderValue>,
}

impl Front {
    /// Prepares an app; `generation` tells configurations apart.
    pub fn new(app: &config::App, rules: &AppRules, generation: u64) -> Self {
        let public = app.public_url.origin();
        let authority = app.upstream.authority();
        Self {
            generation,
            method_overrides: rules.method_overrides(),
            upgrade_origins: app.hosts.iter().map(|host| app.public_url.origin_at(host)).collect(),
            origins: Origins { upstream: format!("{}://{authority}", app.upstream.scheme.as_str()), public },
            proto: HeaderValue::from_static(app.public_url.scheme.as_str()),
            port: HeaderValue::from(app.public_url.port),
            upstream_host: (!app.preserve_host).then(|| HeaderValue::from_str(&authority).ok()).flatten(),
        }
    }

    /// Whether an upgrade is asked for by a page of the app itself. A browser, which
    /// can ask for a WebSocket only, always says where it comes from (RFC 6455 §10.2);
    /// others need not say anything.
    fn owns_origin_of(&self, headers: &HeaderMap) -> bool {
        let ours = |origin: &HeaderValue| self.upgrade_origins.iter().any(|ours| ours.as_bytes() == origin.as_bytes());
        headers.get_all(ORIGIN).iter().all(ours)
    }
}

/// A request on its way through, with everything that was found out about it.
pub struct Passage<'a> {
    /// The proof that it may pass.
    pub permit: Permit<'a>,
    /// Whose it is; `None` on public routes.
    pub session: Option<&'a Arc<Session>>,
    /// Who is told that a session is in use.
    pub sessions: &'a Arc<Sessions>,
    /// What was judged.
    pub target: &'a Target,
    /// Who sent it.
    pub client: &'a Client<'a>,
    /// Its name in our log.
    pub request_id: HeaderValue,
    /// Its head.
    pub head: request::Parts,
    /// Its body.
    pub body: Incoming,
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

/// Sends a request through. The answer must not outlive the session that it is for.
pub async fn forward(front: &Front, upstream: &Upstream, passage: Passage<'_>) -> Result<Forwarded, Error> {
    let Passage { permit, session, sessions, target, client, request_id, mut head, body } = passage;
    let upgrade = Upgrade::of(&head);
    if upgrade.is_some() && !front.owns_origin_of(&head.headers) {
        return Err(Error::ForeignOrigin);
    }
    let visitor_side = head.extensions.remove::<OnUpgrade>();
    head.extensions.clear();

    head.headers = upstream_head(front, session, client, request_id, head.headers);
    head.uri = Uri::from(target.path_and_query().clone());

    let (mut response, offered) = match upgrade.zip(visitor_side) {
        None => (upstream.send(Request::from_parts(head, RequestBody::from(body))).await?, None),
        Some((upgrade, visitor_side)) => {
            request_head::offer(&mut head.headers, &upgrade);
            let request = Request::from_parts(head, RequestBody::empty());
            (Box::pin(upstream.send_upgrade(request)).await?, Some((upgrade, visitor_side)))
        }
    };
    if session.is_some_and(|session| session.has_ended()) {
        // An answer that was on its way when the session ended is nobody's any more.
        return Err(Error::SessionEnded);
    }
    let protection = if session.is_some() { Protection::Protected } else { Protection::Public };
    let Some((upgrade, visitor)) = offered.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS) else {
        return Ok(Forwarded::Answer(response_head::cleanse(response, &front.origins, protection)));
    };
    let protocol = upgrade.taken(response.headers()).ok_or(upstream::Error::UnaskedSwitch)?;
    let tunnel = Tunnel {
        visitor,
        upstream: upgrade::on(&mut response),
        protocol,
        session_end: permit.session_end().cloned(),
        session: session.cloned(),
        sessions: Arc::clone(sessions),
    };
    let response = response_head::cleanse(response.map(drop), &front.origins, protection);
    Ok(Forwarded::Switch(response, Box::new(tunnel)))
}

/// The head that the upstream gets: the visitor's without what they must not say,
/// and with what only we know (contract section 6).
pub fn upstream_head(
    front: &Front,
    session: Option<&Arc<Session>>,
    client: &Client<'_>,
    request_id: HeaderValue,
    mut headers: HeaderMap,
) -> HeaderMap {
    request_head::cleanse(&mut headers, front.method_overrides);
    request_head::set(&mut headers, front, client, request_id);
    if let Some(session) = session {
        let identity =
            session.identity_headers(front.generation, |session| identity_headers::prepare(session.visitor()));
        for (name, value) in identity.iter() {
            headers.insert(name, value.clone());
        }
    }
    headers
}
