//! HTTP/1.1 on loopback, for the demo's provider and its sample app alike.
//!
//! Both are included by the tests as well, so a server lives exactly as long as
//! the handle that [`serve`] gives out: dropping it closes the listener and each
//! connection, and nothing of one test is left for the next.

use std::{convert::Infallible, io};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;

/// Whatever is sent back: a page, or a stream that may never end.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Answers every request on `listener` by `handler` until the returned handle is dropped.
///
/// An `Err` of the handler closes the connection without an answer.
pub(crate) fn serve<H, F>(listener: TcpListener, handler: H) -> AbortOnDropHandle<()>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = io::Result<Response<Body>>> + Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        let connection = http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service_fn(handler.clone()))
                            .with_upgrades();
                        connections.spawn(connection);
                    } else {
                        // Out of descriptors, most likely: the next one comes free with a connection.
                        connections.join_next().await;
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }))
}

/// A body that is there as a whole.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// An answer with its content type; `no-store`, because all of it depends on who asks.
pub(crate) fn respond(status: StatusCode, content_type: &'static str, text: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A page.
pub(crate) const HTML: &str = "text/html; charset=utf-8";
/// A JSON document.
pub(crate) const JSON: &str = "application/json";
/// A plain line.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
