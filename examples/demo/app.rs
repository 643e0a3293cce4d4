//! The demo's app: server-rendered, old-fashioned, and without the faintest idea of sign-in.
//!
//! It has what unmodified apps have and proxies break: a form, a page that takes
//! its time, a download in ranges, server-sent events, a WebSocket that checks
//! `Origin` against `Host` as Jupyter does, deep links, a public corner. Who the
//! visitor is it reads from headers, and believes them: whoever can reach it
//! without passing Vestibule can be anybody, which its front page says.

use std::{io, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};
use url::form_urlencoded;

use super::serving::{Body, HTML, JSON, TEXT, respond, serve, whole};

mod download;
mod pages;
mod stream;
#[cfg(test)]
mod tests;
mod websocket;

use self::pages::Pages;

/// The app, running until it is dropped.
pub(crate) struct App {
    _server: AbortOnDropHandle<()>,
    _tunnels: DropGuard,
}

impl App {
    /// Serves on a bound listener.
    pub(crate) fn start(listener: TcpListener) -> Self {
        let pages = Arc::new(Pages::new());
        let tunnels = CancellationToken::new();
        let stop = tunnels.clone();
        let server = serve(listener, move |request| {
            let (pages, stop) = (Arc::clone(&pages), stop.clone());
            async move { answer(&pages, stop, request).await }
        });
        Self { _server: server, _tunnels: tunnels.drop_guard() }
    }
}

async fn answer(pages: &Pages, stop: CancellationToken, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let path = request.uri().path().to_owned();
    let visitor = Visitor::of(request.headers());
    let html = |page: String| respond(StatusCode::OK, HTML, page).map(whole);
    let response = match (request.method(), path.as_str()) {
        (_, "/headers.json") => headers_as_json(&request).map(whole),
        (&Method::GET | &Method::HEAD, "/") => html(pages.home(&visitor, request.headers())),
        (&Method::GET | &Method::HEAD, "/form") => html(pages.form(&visitor, &[])),
        (&Method::POST, "/form") => form(pages, &visitor, request).await?,
        (&Method::GET, "/slow") => stream::slow_page(pages, &visitor),
        (&Method::GET | &Method::HEAD, "/download") => download::answer(request.headers()).map(whole),
        (&Method::GET | &Method::HEAD, "/events") => html(pages.events(&visitor)),
        (&Method::GET, "/events/stream") => stream::events(&visitor),
        (&Method::GET | &Method::HEAD, "/websocket") => html(pages.websocket(&visitor)),
        (&Method::GET, "/websocket/echo") => websocket::upgrade(&visitor, stop, request).map(whole),
        (&Method::GET | &Method::HEAD, "/health") => {
            respond(StatusCode::OK, TEXT, "The app is well.\n".to_owned()).map(whole)
        }
        (&Method::GET | &Method::HEAD, path) if path == "/public" || path.starts_with("/public/") => {
            html(pages.public(&visitor, path))
        }
        (&Method::GET | &Method::HEAD, path) if path.starts_with("/articles/") => {
            html(pages.article(&visitor, path, request.uri().query()))
        }
        _ => respond(StatusCode::NOT_FOUND, HTML, pages.not_found(&visitor, &path)).map(whole),
    };
    Ok(response)
}

/// Whom the headers speak of.
struct Visitor {
    /// `X-Forwarded-User`; absent on public routes.
    user: Option<String>,
    /// `X-Forwarded-Email`
    email: Option<String>,
    /// `X-Forwarded-Groups`, at its commas.
    groups: Vec<String>,
}

impl Visitor {
    fn of(headers: &HeaderMap) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let groups = header("x-forwarded-groups").unwrap_or_default();
        Self {
            user: header("x-forwarded-user"),
            email: header("x-forwarded-email"),
            groups: groups.split(',').filter(|group| !group.is_empty()).map(str::to_owned).collect(),
        }
    }

    /// Their address where there is one, else their user name.
    fn label(&self) -> Option<&str> {
        self.email.as_deref().or(self.user.as_deref())
    }
}

/// The request's head as it came, for scripts and tests.
fn headers_as_json(request: &Request<Incoming>) -> Response<Bytes> {
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let head = json!({ "method": request.method().as_str(), "target": request.uri().to_string(), "headers": headers });
    respond(StatusCode::OK, JSON, head.to_string())
}

async fn form(pages: &Pages, visitor: &Visitor, request: Request<Incoming>) -> io::Result<Response<Body>> {
    const LARGEST_FORM: usize = 1024 * 1024;
    let Ok(body) = Limited::new(request.into_body(), LARGEST_FORM).collect().await else {
        let refusal = "A form of this app has a mebibyte at most.\n".to_owned();
        let mut response = respond(StatusCode::PAYLOAD_TOO_LARGE, TEXT, refusal);
        // The rest of the body is not read, so that the connection cannot carry another request.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return Ok(response.map(whole));
    };
    let fields: Vec<_> = form_urlencoded::parse(&body.to_bytes()).into_owned().collect();
    Ok(respond(StatusCode::OK, HTML, pages.form(visitor, &fields)).map(whole))
}
