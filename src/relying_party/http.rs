//! The HTTP client towards one provider: small requests, small answers, little trust.
//!
//! What an answer may do to us is bounded here, once, for all calls (threats 34,
//! 42, 43, 121): one deadline that the calls of a step share and that covers the
//! body to its last byte; 1 MiB; no redirect followed (RFC 9700 §4.11; an
//! answer must not choose whom we talk to); no content coding, so that nothing
//! can inflate. hyper-util's client sends again only what never left, so that a
//! code is never redeemed twice. Rejected: reqwest, whose redirects, proxies and
//! decoders would all have to be switched off again.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, DATE, USER_AGENT},
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use super::{
    error::{Call, Error, ReplyFault},
    route::Route,
};
use crate::{clock, config::Provider};

/// The longest that one step of a sign-in may wait for the provider, all its calls together.
const STEP: Duration = Duration::from_secs(10);

/// How long one connection attempt may take; several addresses share it.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept: shorter than what common servers keep.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// The most that an answer may hold.
const MAX_BODY: usize = 1 << 20;

/// Is told of each call and how long it took, however it ended.
pub type Observe = Arc<dyn Fn(Call, Duration) + Send + Sync>;

/// Why no client could be built: a fault of the machine or the configuration.
#[derive(Debug, Error)]
pub enum ClientError {
    /// An empty trust store would refuse every provider.
    #[error("no root certificate was found on this system: install the ca-certificates package or set `ca_file`")]
    NoRoots,
    /// A certificate of `ca_file`.
    #[error("a certificate of `ca_file` cannot be used as a root: {0}")]
    ExtraRoot(rustls::Error),
    /// The TLS library.
    #[error("TLS towards the provider cannot be set up: {0}")]
    Tls(rustls::Error),
}

/// When a step is over, whatever it still waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// The deadline of a step that begins now.
    pub(super) fn of_a_step() -> Self {
        Self(Instant::now() + STEP)
    }

    /// Waits for `future` until the deadline.
    pub(super) async fn bound<T>(self, call: Call, future: impl Future<Output = T>) -> Result<T, Error> {
        timeout_at(self.0, future).await.map_err(|_| Error::TooSlow { call })
    }
}

/// An answer that came whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) content_type: Option<HeaderValue>,
    pub(super) date: Option<HeaderValue>,
    pub(super) body: Bytes,
}

impl Reply {
    /// Whether it calls itself this media type; parameters do not matter (RFC 9110 §8.3.1).
    pub(super) fn is(&self, media_type: &str) -> bool {
        self.content_type
            .as_ref()
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(media_type))
    }

    /// The body of a success; any other status is a fault.
    pub(super) fn success(self, call: Call) -> Result<Bytes, Error> {
        if self.status.is_success() {
            Ok(self.body)
        } else {
            Err(Error::Reply { call, fault: ReplyFault::Status(self.status.as_u16()) })
        }
    }
}

/// Pooled connections to one provider.
pub(super) struct Client {
    pool: Pool<HttpsConnector<Route>, Full<Bytes>>,
    observe: Observe,
}

impl Client {
    pub(super) fn new(provider: &Provider, observe: Observe) -> Result<Self, ClientError> {
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(ClientError::Tls)?
            .with_root_certificates(roots(provider)?)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let https = || HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1();
        let route = Route::new(tcp.clone(), https().wrap_connector(tcp), &provider.proxy);
        let connector = https().wrap_connector(route);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .build(connector);
        Ok(Self { pool, observe })
    }

    /// Sends one request and reads its answer to the end.
    pub(super) async fn send(
        &self,
        call: Call,
        mut request: Request<Full<Bytes>>,
        deadline: Deadline,
    ) -> Result<Reply, Error> {
        let headers = request.headers_mut();
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("vestibule/", env!("CARGO_PKG_VERSION"))));

        let start = clock::instant();
        let outcome = deadline.bound(call, self.exchange(call, request)).await.flatten();
        (self.observe)(call, start.elapsed());
        outcome
    }

    async fn exchange(&self, call: Call, request: Request<Full<Bytes>>) -> Result<Reply, Error> {
        let unreachable = |error: &(dyn StdError + 'static)| Error::Unreachable { call, cause: chain(error) };
        let response = self.pool.request(request).await.map_err(|error| unreachable(&error))?;
        let (head, body) = acceptable(response).map_err(|fault| Error::Reply { call, fault })?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Error::Reply { call, fault: ReplyFault::TooLarge }
            } else {
                unreachable(&*error)
            }
        })?;
        let header = |name| head.headers.get(name).cloned();
        Ok(Reply { status: head.status, content_type: header(CONTENT_TYPE), date: header(DATE), body: body.to_bytes() })
    }
}

/// Refuses by the head alone what is not worth its body.
fn acceptable(response: Response<Incoming>) -> Result<Response<Incoming>, ReplyFault> {
    if response.status().is_redirection() {
        return Err(ReplyFault::Redirect);
    }
    let plain = |value: &HeaderValue| value.is_empty() || value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !response.headers().get_all(CONTENT_ENCODING).iter().all(plain) {
        return Err(ReplyFault::ContentEncoding);
    }
    Ok(response)
}

/// The system's roots and the provider's own.
fn roots(provider: &Provider) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    for root in &provider.extra_roots {
        roots.add(root.clone()).map_err(ClientError::ExtraRoot)?;
    }
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() && provider.issuer.as_str().starts_with("https:") {
        return Err(ClientError::NoRoots);
    }
    Ok(roots)
}

/// An error with its causes, outermost first: hyper's own words say little, their causes do.
fn chain(error: &(dyn StdError + 'static)) -> Arc<str> {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = inner.source();
    }
    text.into()
}

#[cfg(test)]
mod tests;
