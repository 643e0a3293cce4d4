//! The way through: a permitted request to the upstream, and its answer back.
//!
//! Only [`access`](crate::access) can build the [`Permit`] that this asks for. What
//! is forwarded is the [`Target`] that was judged. The visitor's head is changed in
//! place, in one pass over its names, and never copied.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header::ORIGIN, request};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use thiserror::Error;

use crate::{
    access::{AppRules, MethodOverrides, Permit},
    config,
    identity::Ended,
    request::{Client, Target, framing::is_websocket_handshake},
    session::{Session, Sessions},
    upstream::{self, RequestBody, ResponseBody, Upstream, tunnel},
};

mod identity_headers;
mod request_head;
mod response_head;

use response_head::{Origins, Protection};

/// What is the same for all requests of one app, prepared at load.
#[derive(Debug)]
pub struct Front {
    /// Of the configuration, so that a session's headers are made anew when that changes.
    generation: u64,
    origins: Origins,
    /// The origins whose pages may open a WebSocket here.
    web_socket_origins: Vec<String>,
    method_overrides: MethodOverrides,
    proto: HeaderValue,
    port: HeaderValue,
    /// The upstream's own `Host`, where the visitor's is not preserved.
    upstream_host: Option<HeaderValue>,
}

impl Front {
    /// Prepares an app; `generation` tells configurations apart.
    pub fn new(app: &config::App, rules: &AppRules, generation: u64) -> Self {
        let authority = app.upstream.authority();
        Self {
            generation,
            method_overrides: rules.method_overrides(),
            web_socket_origins: app.hosts.iter().map(|host| app.public_url.origin_at(host)).collect(),
            origins: Origins::new(app, &format!("{}://{authority}", app.upstream.scheme.as_str())),
            proto: HeaderValue::from_static(app.public_url.scheme.as_str()),
            port: HeaderValue::from(app.public_url.port),
            upstream_host: (!app.preserve_host).then(|| HeaderValue::from_str(&authority).ok()).flatten(),
        }
    }

    /// Whether a WebSocket is asked for by a page of the app itself. Browsers always
    /// say where it comes from (RFC 6455 §10.2); others need not say anything.
    fn owns_origin_of(&self, headers: &HeaderMap) -> bool {
        let ours =
            |origin: &HeaderValue| self.web_socket_origins.iter().any(|ours| ours.as_bytes() == origin.as_bytes());
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

/// Why a permitted request was not answered by the upstream.
#[derive(Debug, Error)]
pub enum Error {
    /// A page of another site tried to open a WebSocket with the visitor's session (RFC 6455 §10.2).
    #[error("a WebSocket was asked for by a page of another origin")]
    ForeignOrigin,
    /// The upstream did not answer.
    #[error(transparent)]
    Upstream(#[from] upstream::Error),
    /// The session ended while the upstream was at work.
    #[error("the session ended during the request")]
    SessionEnded,
}

/// Sends a request through. The answer must not outlive the session that it is for.
pub async fn forward(
    front: &Front,
    upstream: &Upstream,
    passage: Passage<'_>,
) -> Result<Response<ResponseBody>, Error> {
    let Passage { permit, session, sessions, target, client, request_id, mut head, body } = passage;
    let handshake = is_websocket_handshake(&head);
    if handshake && !front.owns_origin_of(&head.headers) {
        return Err(Error::ForeignOrigin);
    }
    let visitor_side = head.extensions.remove::<OnUpgrade>().filter(|_| handshake);
    head.extensions.clear();

    head.headers = upstream_head(front, session, client, request_id, head.headers);
    head.uri = Uri::from(target.path_and_query().clone());

    let response = match visitor_side {
        None => upstream.send(Request::from_parts(head, RequestBody::from(body))).await?,
        Some(visitor_side) => {
            request_head::ask_for_web_socket(&mut head.headers);
            let mut response = upstream.send_upgrade(Request::from_parts(head, RequestBody::empty())).await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                let upstream_side = hyper::upgrade::on(&mut response);
                let (session, sessions) = (session.cloned(), Arc::clone(sessions));
                let in_use = move || session.iter().for_each(|session| sessions.touch(session));
                tokio::spawn(tunnel(visitor_side, upstream_side, in_use, until(permit.session_end().cloned())));
            }
            response
        }
    };
    if session.is_some_and(|session| session.has_ended()) {
        // An answer that was on its way when the session ended is nobody's any more.
        return Err(Error::SessionEnded);
    }
    let protection = if session.is_some() { Protection::Protected } else { Protection::Public };
    Ok(response_head::cleanse(response, &front.origins, protection))
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

/// Resolves when the session ends; never, where there is none.
async fn until(ended: Option<Ended>) {
    match ended {
        Some(ended) => ended.ended().await,
        None => std::future::pending().await,
    }
}
