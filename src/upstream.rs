//! The app's server, as one worker sees it: connections of its own, kept and used again.
//!
//! A pool of plain HTTP/1.1 senders per worker and upstream, because measured
//! against the client of `hyper-util` it saves six per cent of a request, and
//! because the rule for sending a request again is ours to keep (RFC 9110
//! §9.2.2): only if it is idempotent, has no body, and its kept connection
//! closed before any byte of an answer.
//!
//! Nothing is collected: bodies pass in both directions as they come, and a slow
//! reader on one side slows the other.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http::{
    HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use hyper::client::conn::http1::SendRequest;
use thiserror::Error;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::clock::instant;

mod body;
mod connect;
mod pool;
mod tunnel;

pub use body::{RequestBody, ResponseBody};
pub use connect::Connector;
pub use tunnel::tunnel;

use connect::Upgrades;
use pool::Pool;

/// How long a connection may take to stand, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the first byte of an answer may take from the end of the request's body.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_mins(5);

/// A connection that has rested this long may have been closed by the other side
/// at this very moment; only then is the head worth copying for a second try.
const MAY_BE_STALE: Duration = Duration::from_secs(1);

/// Why the upstream gave no answer.
#[derive(Debug, Error)]
pub enum Error {
    /// No connection: refused, unreachable, no such name, no trust.
    #[error("no connection to the upstream: {0}")]
    Connect(#[source] io::Error),
    /// No connection in time.
    #[error("the upstream did not accept a connection within {} s", CONNECT_TIMEOUT.as_secs())]
    ConnectTimeout,
    /// The connection broke, or what came over it is no HTTP.
    #[error("the upstream broke off or did not answer in HTTP: {0}")]
    Broken(#[source] hyper::Error),
    /// It changed to another protocol though nobody had asked for one (RFC 9110 §7.8).
    #[error("the upstream switched protocols without being asked to")]
    UnaskedSwitch,
    /// No answer in time.
    #[error("the upstream did not begin to answer within {} s", FIRST_BYTE_TIMEOUT.as_secs())]
    FirstByteTimeout,
}

impl Error {
    /// A label for logs and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Connect(_) => "upstream_unreachable",
            Self::ConnectTimeout => "upstream_connect_timeout",
            Self::Broken(_) | Self::UnaskedSwitch => "upstream_broken",
            Self::FirstByteTimeout => "upstream_too_slow",
        }
    }
}

/// One app's server with the connections that this worker keeps to it.
#[derive(Debug)]
pub struct Upstream {
    connector: Connector,
    pool: Arc<Pool>,
}

impl Upstream {
    /// An upstream without connections yet.
    pub fn new(connector: Connector) -> Self {
        Self { connector, pool: Arc::default() }
    }

    /// Sends one request and returns the answer as soon as its head is there.
    pub async fn send(&self, mut request: Request<RequestBody>) -> Result<Response<ResponseBody>, Error> {
        *request.version_mut() = Version::HTTP_11;
        let body_sent = request.body_mut().watch_end();
        if body_sent.is_some() {
            frame_body(&mut request);
        }
        // Pinned here: the future holds the request, and moving it about would copy that.
        let work = pin!(self.send_untimed(request, body_sent.as_ref()));
        let response = timeout_after(body_sent.as_ref(), FIRST_BYTE_TIMEOUT, work).await;
        let response = response.ok_or(Error::FirstByteTimeout)??;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::UnaskedSwitch);
        }
        Ok(response)
    }

    async fn send_untimed(
        &self,
        mut request: Request<RequestBody>,
        body_sent: Option<&CancellationToken>,
    ) -> Result<Response<ResponseBody>, Error> {
        while let Some(mut lease) = self.pool.take(body_sent) {
            if lease.sender().ready().await.is_err() {
                continue;
            }
            let again = (lease.rested() >= MAY_BE_STALE).then(|| second_try(&request)).flatten();
            match lease.sender().try_send_request(request).await {
                Ok(response) => return Ok(lease.answered(response)),
                Err(mut error) => match (error.take_message(), again) {
                    // Nothing of it went out, or it may safely go out twice.
                    (Some(unsent), _) => request = unsent,
                    (None, Some(copy)) if !error.error().is_parse() => request = copy,
                    (None, _) => return Err(Error::Broken(error.into_error())),
                },
            }
        }
        let sender = self.connect(Upgrades::Refused).await?;
        let mut lease = self.pool.lend(sender, body_sent);
        match lease.sender().send_request(request).await {
            Ok(response) => Ok(lease.answered(response)),
            Err(error) => Err(Error::Broken(error)),
        }
    }

    /// Sends a request that may switch protocols (RFC 9110 §7.8), on a connection of its own.
    pub async fn send_upgrade(&self, mut request: Request<RequestBody>) -> Result<Response<ResponseBody>, Error> {
        *request.version_mut() = Version::HTTP_11;
        let mut sender = self.connect(Upgrades::Possible).await?;
        let response = timeout(FIRST_BYTE_TIMEOUT, sender.send_request(request))
            .await
            .map_err(|_| Error::FirstByteTimeout)?
            .map_err(Error::Broken)?;
        Ok(response.map(ResponseBody::unpooled))
    }

    /// Lets go of connections that nobody has used for a while.
    pub fn drop_rested(&self) {
        self.pool.drop_rested(instant());
    }

    async fn connect(&self, upgrades: Upgrades) -> Result<SendRequest<RequestBody>, Error> {
        timeout(CONNECT_TIMEOUT, self.connector.connect(upgrades)).await.map_err(|_| Error::ConnectTimeout)?
    }
}

/// Says that chunks follow where hyper would take the method's word that nothing does, and drop them.
fn frame_body(request: &mut Request<RequestBody>) {
    if matches!(*request.method(), Method::GET | Method::HEAD) && !request.headers().contains_key(CONTENT_LENGTH) {
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// A copy of a request that may be sent twice, or `None` where it must not be.
fn second_try(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let idempotent =
        matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE);
    if !idempotent || !request.body().is_empty() {
        return None;
    }
    let mut copy = Request::new(RequestBody::empty());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    *copy.version_mut() = request.version();
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

/// Runs `work`, but not much longer than `limit` after `start` was cancelled.
///
/// No timer of its own: that would cost each request 2,000 instructions for a limit
/// of minutes. The clock is looked at whenever the connection that waits is looked
/// at, which its one timer sees to every few seconds (`listener`).
async fn timeout_after<T>(
    start: Option<&CancellationToken>,
    limit: Duration,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
    let (mut looks, mut since) = (0_u32, None);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        // Nearly every answer is there at the second look; no clock has run until then.
        looks = looks.saturating_add(1);
        if looks > 1 && start.is_none_or(CancellationToken::is_cancelled) {
            let now = instant();
            if now.duration_since(*since.get_or_insert(now)) >= limit {
                return Poll::Ready(None);
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::{future::pending, task::Context};

    use super::*;

    /// What the second look at a request that is never answered brings.
    fn look(start: Option<&CancellationToken>, limit: Duration) -> Poll<Option<()>> {
        let mut never = pin!(pending());
        let mut waiting = pin!(timeout_after(start, limit, never.as_mut()));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending, "the first look never ends it");
        waiting.poll(&mut context)
    }

    #[test]
    fn the_time_for_an_answer_runs_from_the_end_of_the_body() {
        let sending = CancellationToken::new();
        assert_eq!(look(Some(&sending), Duration::ZERO), Poll::Pending);
        sending.cancel();
        assert_eq!(look(Some(&sending), Duration::ZERO), Poll::Ready(None));
        assert_eq!(look(None, Duration::ZERO), Poll::Ready(None), "without a body it runs at once");
        assert_eq!(look(None, Duration::from_mins(5)), Poll::Pending);
    }

    #[test]
    fn a_body_without_a_length_goes_in_chunks_whatever_the_method() {
        for (method, length, framed) in
            [(Method::GET, None, true), (Method::HEAD, None, true), (Method::GET, Some("5"), false)]
        {
            let mut request = Request::new(RequestBody::empty());
            *request.method_mut() = method;
            request.headers_mut().extend(length.map(|length| (CONTENT_LENGTH, HeaderValue::from_static(length))));
            frame_body(&mut request);
            assert_eq!(request.headers().contains_key(TRANSFER_ENCODING), framed, "{request:?}");
        }
    }

    #[test]
    fn only_what_is_idempotent_and_has_no_body_may_be_sent_twice() {
        for (method, twice) in [
            (Method::GET, true),
            (Method::HEAD, true),
            (Method::OPTIONS, true),
            (Method::PUT, true),
            (Method::DELETE, true),
            (Method::POST, false),
            (Method::PATCH, false),
        ] {
            let request = Request::builder().method(method.clone()).uri("/a?b").header("x", "1");
            let request = request.body(RequestBody::empty()).expect("a request");
            let copy = second_try(&request);
            assert_eq!(copy.is_some(), twice, "{method}");
            if let Some(copy) = copy {
                assert_eq!((copy.method(), copy.uri(), copy.headers()), (&method, request.uri(), request.headers()));
            }
        }
    }
}
