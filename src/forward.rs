//! The way through: a permitted request to the upstream, and its answer back.
//!
//! Only [`access`](crate::access) can build the [`Permit`] that this asks for. What
//! is forwarded is the [`Target`] that was judged. The visitor's head is changed in
//! place, in one pass over its names, and never copied.

use std::sync::Arc;

use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header::ORIGIN, request};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use thiserror::Error;

use crate::{
    access::{Permit, Standing},
    config,
    request::{Client, Target},
    session::{Session, cookie::Cookies},
    upstream::{self, RequestBody, ResponseBody, Upstream, tunnel},
};

mod hop_by_hop;
pub mod identity_headers;
mod request_head;
mod response_head;

pub use identity_headers::IdentityHeaders;
use response_head::{Origins, Protection};

/// What is the same for all requests of one app, prepared at load.
#[derive(Debug)]
pub struct Front {
    origins: Origins,
    /// The origins whose pages may open a WebSocket here.
    web_socket_origins: Vec<String>,
    proto: HeaderValue,
    port: HeaderValue,
    /// The upstream's own `Host`, where the visitor's is not preserved.
    upstream_host: Option<HeaderValue>,
}

impl Front {
    /// Prepares an app.
    pub fn new(app: &config::App) -> Self {
        let public = app.public_url.origin();
        let authority = app.upstream.authority();
        Self {
            web_socket_origins: app.hosts.iter().map(|host| app.public_url.origin_at(host)).collect(),
            origins: Origins { upstream: format!("{}://{authority}", app.upstream.scheme.as_str()), public },
            proto: HeaderValue::from_static(app.public_url.scheme.as_str()),
            port: HeaderValue::from(app.public_url.port),
            upstream_host: (!app.preserve_host).then(|| HeaderValue::from_str(&authority).ok()).flatten(),
        }
    }
}

/// A request on its way through, with everything that was found out about it.
pub struct Passage<'a> {
    /// The proof that it may pass.
    pub permit: Permit,
    /// Whose it is; `None` on public routes.
    pub session: Option<&'a Arc<Session>>,
    /// What was judged.
    pub target: &'a Target,
    /// Who sent it.
    pub client: &'a Client,
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

/// Sends a request through.
pub async fn forward(front: &Front, upstream: &Upstream, passage: Passage<'_>) -> Result<Response<ResponseBody>, Error> {
    let Passage { permit, session, target, client, request_id, mut head, body } = passage;
    let upgrade = upgrade_of(&head);
    if upgrade.is_some() && !origin_is_ours(&head, front) {
        return Err(Error::ForeignOrigin);
    }
    let visitor_side = upgrade.is_some().then(|| head.extensions.remove::<OnUpgrade>()).flatten();
    head.extensions.clear();

    request_head::cleanse(&mut head.headers);
    request_head::remove_our_cookies(&mut head.headers);
    request_head::set(&mut head.headers, front, client, request_id);
    if let Some(session) = session {
        for (name, value) in identity_headers::of(session) {
            head.headers.insert(name, value.clone());
        }
    }
    head.uri = Uri::from(target.path_and_query());

    let protection = match permit.standing() {
        Standing::Public => Protection::Public,
        Standing::Identified => Protection::Protected,
    };
    let mut response = match (upgrade, visitor_side) {
        (Some(protocol), Some(visitor_side)) => {
            request_head::ask_to_switch(&mut head.headers, protocol);
            let mut response = upstream.send_upgrade(Request::from_parts(head, RequestBody::from(body))).await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                let upstream_side = hyper::upgrade::on(&mut response);
                let ended = permit.ended().ended();
                tokio::spawn(tunnel(visitor_side, upstream_side, ended));
            }
            response
        }
        _ => upstream.send(Request::from_parts(head, RequestBody::from(body))).await?,
    };
    if permit.ended().is_ended() {
        // An answer that was on its way when the session ended is nobody's any more.
        return Err(Error::SessionEnded);
    }
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    response_head::cleanse(response.headers_mut(), &front.origins, protection, switching);
    Ok(response)
}

/// The protocol that the visitor wants to switch to (RFC 9110 §7.8).
fn upgrade_of(head: &request::Parts) -> Option<HeaderValue> {
    let upgrade = head.headers.get(http::header::UPGRADE)?;
    let asked = head.headers.get_all(http::header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    asked
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"))
        .then(|| upgrade.clone())
}

/// Browsers always say where a WebSocket comes from; others need not say anything.
fn origin_is_ours(head: &request::Parts, front: &Front) -> bool {
    head.method != Method::GET
        || head.headers.get_all(ORIGIN).iter().all(|origin| front.web_socket_origins.iter().any(|ours| ours.as_bytes().eq_ignore_ascii_case(origin.as_bytes())))
}
