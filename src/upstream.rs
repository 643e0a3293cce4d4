//! The app's server, as one worker sees it: connections of its own, kept and used again.
//!
//! | question | answered by |
//! |---|---|
//! | how does a connection come to stand, and what is spoken on it? | [`connect`], [`tls`] |
//! | which connection serves a request in HTTP/1.1? | [`pool`], and [`Affinity`] where it is a visitor's own |
//! | and who drives it, and is woken by it? | [`http1`], [`relay`] |
//! | and in HTTP/2? | [`http2`] |
//! | what passes of bodies, and of what follows them? | [`body`], [`trailers`] |
//! | how long is waited? | [`patience`] |
//! | and when another protocol takes over? | `forward::tunnel` |
//!
//! A pool of HTTP/1.1 connections per worker and upstream ([`http1`]), because measured
//! against the client of `hyper-util` it saves a tenth of a request, and
//! because the rule for sending a request again is ours to keep (RFC 9110
//! §9.2.2): only if it is idempotent, has no body, and its kept connection
//! closed before any byte of an answer.
//!
//! Nothing is collected: bodies pass in both directions as they come, and a slow
//! reader on one side slows the other.

use std::{
    future::poll_fn,
    io, mem,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE},
};
use http_body::Body as _;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::{sync::Notify, time::timeout};

use crate::{apart::apart, clock::instant, config::AppLimits, request::BodyError};

mod affinity;
mod body;
mod connect;
mod http1;
mod http2;
mod patience;
mod pool;
mod relay;
mod tls;
mod trailers;

pub use affinity::{Affinity, Claim, Person};
pub use body::{BrokenBody, RequestBody, ResponseBody};
pub use connect::Connector;

use body::{Silence, Upload};
use connect::{Protocol, Stream};
use http1::Connection;
use http2::Multiplexer;
use patience::{Looks, Patience};
use pool::Pool;

/// A connection that has rested this long may have been closed by the other side
/// at this very moment; only then is the head worth copying for a second try.
const MAY_BE_STALE: Duration = Duration::from_secs(1);

/// How long an upstream may leave a visitor's `Expect: 100-continue` without a word. Those that do not know
/// it never say one (RFC 9110 §10.1.1).
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the upstream gave no answer.
#[derive(Debug, Error)]
pub enum Error {
    /// No connection: refused, unreachable, no such name, no trust.
    #[error("no connection to the upstream: {0}")]
    Connect(#[source] io::Error),
    /// No connection in time.
    #[error("the upstream did not accept a connection within {0:?} (limits.connect)")]
    ConnectTimeout(Duration),
    /// The connection broke, or what came over it is no HTTP.
    #[error("the upstream broke off or did not answer in HTTP: {0}")]
    Broken(#[from] Fault),
    /// The visitor's body is malformed or broke off; the upstream has been told so by the end of its connection.
    #[error("the request's body is malformed or broke off: {0}")]
    RequestBody(#[source] Fault),
    /// Its body is in a transfer coding that nobody asked for (RFC 9112 §7).
    #[error("the upstream answered in a transfer coding other than `chunked`, once")]
    Coding,
    /// It changed to another protocol though nobody had asked for one (RFC 9110 §7.8).
    #[error("the upstream switched protocols without being asked to")]
    UnaskedSwitch,
    /// No answer in time.
    #[error("the upstream did not begin to answer within {0:?} (limits.first_byte)")]
    FirstByteTimeout(Duration),
    /// The visitor sent nothing more of the request's body.
    #[error("nothing more of the request's body came for {0:?} (limits.idle)")]
    VisitorIdle(Duration),
    /// The upstream took nothing more of the request's body.
    #[error("the upstream took nothing more of the request's body for {0:?} (limits.idle)")]
    UpstreamIdle(Duration),
}

/// What went wrong on a connection.
#[derive(Debug, Error)]
pub enum Fault {
    /// In HTTP/1.1.
    #[error("{}", chain(.0))]
    Http1(#[from] hyper::Error),
    /// In HTTP/2.
    #[error(transparent)]
    Http2(#[from] h2::Error),
    /// In what the visitor sends.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Before HTTP.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// hyper says what happened and leaves to its source why.
fn chain(error: &hyper::Error) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

impl From<hyper::Error> for Error {
    /// Whose fault it is that no answer came: of the messages of both sides only the visitor's body is ours to hyper.
    fn from(error: hyper::Error) -> Self {
        if error.is_user() { Self::RequestBody(error.into()) } else { Self::Broken(error.into()) }
    }
}

impl Error {
    /// A label for logs and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Connect(_) => "upstream_unreachable",
            Self::ConnectTimeout(_) => "upstream_connect_timeout",
            Self::Broken(_) | Self::Coding | Self::UnaskedSwitch => "upstream_broken",
            Self::RequestBody(_) => "request_body",
            Self::FirstByteTimeout(_) | Self::UpstreamIdle(_) => "upstream_too_slow",
            Self::VisitorIdle(_) => "request_body_too_slow",
        }
    }
}

/// One app's server with the connections that this worker keeps to it.
#[derive(Debug)]
pub struct Upstream {
    connector: Connector,
    limits: AppLimits,
    pool: Arc<Pool>,
    multiplexer: Arc<Multiplexer>,
}

impl Upstream {
    /// An upstream without connections yet.
    pub fn new(connector: Connector, limits: AppLimits) -> Self {
        Self { connector, limits, pool: Arc::default(), multiplexer: Arc::default() }
    }

    /// The same connections under the limits of another configuration.
    #[must_use]
    pub fn under(&self, limits: AppLimits) -> Self {
        Self {
            connector: self.connector.clone(),
            limits,
            pool: Arc::clone(&self.pool),
            multiplexer: Arc::clone(&self.multiplexer),
        }
    }

    /// Whether its connections come from this connector.
    pub fn is_of(&self, connector: &Connector) -> bool {
        self.connector.is(connector)
    }

    /// Sends one request and returns the answer as soon as its head is there.
    ///
    /// The request's version is the visitor's; `claim` says what of their connection is theirs. The request is
    /// taken when it goes out, and until then left where it is: it is large, and each move is a copy.
    pub async fn send(
        &self,
        request: &mut Request<RequestBody>,
        claim: Claim<'_>,
        now: Instant,
    ) -> Result<Response<ResponseBody>, Error> {
        let upload = request.body_mut().watch();
        let looks = if request.version() >= Version::HTTP_2 { Looks::Once } else { Looks::Repeated };
        let silence = Silence::new(self.limits.idle, looks, upload.clone());
        let protocol = self.connector.protocol(request);
        let upload = upload.as_ref();
        match protocol {
            Protocol::Http1 => {
                *request.version_mut() = Version::HTTP_11;
                let work = pin!(self.send_http1(request, upload, claim, now, silence));
                self.wait(work, upload, looks).await
            }
            Protocol::Http2 => {
                let (connector, request) = (&self.connector, mem::take(request));
                let sending = || async move {
                    let work = pin!(self.multiplexer.send(connector, request, self.limits.connect));
                    self.wait(work, upload, looks).await
                };
                let response = apart(sending).await?;
                Ok(response.map(|incoming| ResponseBody::multiplexed(incoming, silence)))
            }
        }
    }

    async fn send_http1(
        &self,
        request: &mut Request<RequestBody>,
        upload: Option<&Arc<Upload>>,
        claim: Claim<'_>,
        now: Instant,
        silence: Option<Box<Silence>>,
    ) -> Result<Response<ResponseBody>, Error> {
        if upload.is_some() {
            frame_body(request);
            if request.headers().contains_key(EXPECT) {
                hold_until_continue(request);
            }
        }
        let choice = claim.choose(&self.pool, request.headers());
        let mut tries = Tries::First;
        let (mut lease, response) = loop {
            let kept = if tries == Tries::First { choice.pool().take(now, upload) } else { None };
            // What a connection that has just been made does not take, no other is asked to.
            let is_kept = kept.is_some();
            let mut lease = match kept {
                Some(lease) => lease,
                None => choice.pool().lend(apart(|| self.open()).await?, upload),
            };
            if is_kept && !lease.connection().becomes_ready().await {
                continue;
            }
            let again = (lease.rested() >= MAY_BE_STALE).then(|| second_try(request)).flatten();
            match lease.connection().send(mem::take(request)).await {
                Ok(response) => break (lease, response),
                Err(mut error) => match (error.take_message(), again) {
                    // Nothing of it went out, or it may safely go out twice.
                    (Some(unsent), _) if is_kept => *request = unsent,
                    (None, Some(copy)) if !lease.connection().traffic().has_heard() => {
                        (*request, tries) = (*copy, Tries::Second);
                    }
                    _ => return Err(error.into_error().into()),
                },
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::UnaskedSwitch);
        }
        if let Some(own) = claim.claim(&self.pool, &response) {
            lease.move_to(&own);
        }
        // With a length nothing else is to be known; most answers have one.
        if response.body().size_hint().exact().is_none() && check_coding(response.headers())? == Lengths::Two {
            lease.use_no_more();
        }
        Ok(lease.answered(response, silence))
    }

    /// Sends a request that may switch protocols (RFC 9110 §7.8), on a connection of its own.
    ///
    /// Over HTTP/2 none can: the offer is withdrawn, as whoever gets one may ignore it.
    pub async fn send_upgrade(&self, request: &mut Request<RequestBody>) -> Result<Response<ResponseBody>, Error> {
        if self.connector.protocol(request) == Protocol::Http2 {
            request.headers_mut().remove(UPGRADE);
            return self.send(request, Claim::none(&Affinity::default()), instant()).await;
        }
        *request.version_mut() = Version::HTTP_11;
        let stream = self.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move { drop(connection.with_upgrades().await) });
        let work = pin!(async { Ok(sender.send_request(mem::take(request)).await?) });
        let response = self.wait(work, None, Looks::Repeated).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            check_coding(response.headers())?;
        }
        Ok(response
            .map(|incoming| ResponseBody::unpooled(incoming, Silence::new(self.limits.idle, Looks::Repeated, None))))
    }

    /// Lets go of connections that nobody has used for a while.
    pub fn drop_rested(&self) {
        let now = instant();
        self.pool.drop_rested(now);
        self.multiplexer.drop_rested(now);
    }

    /// A new connection. Its making takes much room, so a request that needs none must not carry it.
    async fn open(&self) -> Result<Box<Connection>, Error> {
        Ok(Connection::open(self.connect().await?).await?)
    }

    async fn connect(&self) -> Result<Stream, Error> {
        let limit = self.limits.connect;
        let stream = timeout(limit, self.connector.connect(Protocol::Http1)).await;
        stream.map_err(|_| Error::ConnectTimeout(limit))?.map_err(Error::Connect)
    }

    /// Waits for the head of an answer: while the request's body is on its way for as long as
    /// that moves, and from its end for the first byte.
    async fn wait<T>(
        &self,
        mut work: Pin<&mut impl Future<Output = Result<T, Error>>>,
        upload: Option<&Arc<Upload>>,
        looks: Looks,
    ) -> Result<T, Error> {
        let mut patience = Patience::new(looks);
        // The end of a body is one more look, mostly, and no reason for a timer.
        let mut may_end =
            upload.is_some() && self.limits.first_byte.is_some_and(|limit| patience.has_a_free_look(limit));
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            let AppLimits { first_byte, idle, .. } = self.limits;
            // As for answers: a visitor's connection in HTTP/1.1 knows by itself when its body rests.
            let idle = idle.filter(|_| looks == Looks::Once);
            match upload.filter(|upload| !upload.is_over()) {
                None => {
                    let mark = if mem::take(&mut may_end) { u32::MAX - 1 } else { u32::MAX };
                    let over = patience.poll_end(cx, first_byte, mark);
                    over.map(|()| Err(Error::FirstByteTimeout(first_byte.unwrap_or_default())))
                }
                Some(upload) => patience.poll_end(cx, idle, upload.mark()).map(|()| {
                    let idle = idle.unwrap_or_default();
                    Err(if upload.awaits_visitor() { Error::VisitorIdle(idle) } else { Error::UpstreamIdle(idle) })
                }),
            }
        })
        .await
    }
}

/// Whether a request has been sent already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tries {
    First,
    /// It goes out on a new connection: there is no third try.
    Second,
}

/// The visitor waits for a word before sending the body (RFC 9110 §10.1.1): until the upstream
/// says it, nobody asks them for it, and an upstream that refuses need not read it.
fn hold_until_continue(request: &mut Request<RequestBody>) {
    let told = Arc::new(Notify::new());
    let tell = Arc::clone(&told);
    hyper::ext::on_informational(request, move |answer| {
        if answer.status() == StatusCode::CONTINUE {
            tell.notify_one();
        }
    });
    request.body_mut().hold(async move { drop(timeout(CONTINUE_TIMEOUT, told.notified()).await) });
}

/// How often an answer says how long it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lengths {
    OneOrNone,
    Two,
}

/// Whether we can say what an answer in chunks, or without an end of its own, is made of (RFC 9112 §6.1).
///
/// hyper takes the chunks off and leaves any other coding in the body, of which the visitor would
/// never hear. `Content-Length` beside `chunked` is void (§6.3), and a sign that somebody is mistaken
/// about where the answer ends.
fn check_coding(headers: &HeaderMap) -> Result<Lengths, Error> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(Lengths::OneOrNone),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Ok(if headers.contains_key(CONTENT_LENGTH) { Lengths::Two } else { Lengths::OneOrNone })
        }
        _ => Err(Error::Coding),
    }
}

/// Says that chunks follow where hyper would take the method's word that nothing does, and drop them.
fn frame_body(request: &mut Request<RequestBody>) {
    if matches!(*request.method(), Method::GET | Method::HEAD) && !request.headers().contains_key(CONTENT_LENGTH) {
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// A copy of a request that may be sent twice, or `None` where it must not be.
fn second_try(request: &Request<RequestBody>) -> Option<Box<Request<RequestBody>>> {
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
    Some(Box::new(copy))
}

#[cfg(test)]
mod tests;
