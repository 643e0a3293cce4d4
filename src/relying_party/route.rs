//! The way to a provider: straight, or through an outbound proxy.
//!
//! Through a proxy always means a tunnel (`CONNECT`, RFC 9110 §9.3.6), also for a
//! provider in plain http: the proxy sees a host and a port, and never a code, a
//! token or a secret. What is spoken inside, TLS to the provider included, is the
//! same as without it.

use std::{
    error::Error as StdError,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::{
        legacy::connect::{HttpConnector, proxy::Tunnel},
        proxy::matcher::{Intercept, Matcher},
    },
    rt::TokioIo,
};
use thiserror::Error;
use tokio::net::TcpStream;
use tower_service::Service;
use url::Host;

use crate::config::provider::OutboundProxy;

type Cause = Box<dyn StdError + Send + Sync>;

/// Connects to wherever a call goes.
#[derive(Clone)]
pub(super) struct Route {
    straight: HttpConnector,
    /// A proxy may itself be reached over TLS.
    to_proxy: HttpsConnector<HttpConnector>,
    proxies: Arc<Proxies>,
}

/// Which proxy is for whom.
enum Proxies {
    /// One for every call.
    One(Matcher),
    /// What `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say, read as curl reads them.
    OfTheEnvironment(Matcher),
}

/// The proxy did not connect us.
#[derive(Debug, Error)]
#[error("the outbound proxy {proxy} made no tunnel to {to} (`proxy`: its address, user, password, and what it allows)")]
struct ProxyError {
    proxy: Uri,
    to: String,
    source: Cause,
}

impl Proxies {
    fn of(configured: &OutboundProxy) -> Self {
        match configured {
            OutboundProxy::Through(url) => Self::One(Matcher::builder().all(url.expose().as_str()).build()),
            OutboundProxy::OfTheEnvironment => Self::OfTheEnvironment(Matcher::from_env()),
        }
    }

    fn find(&self, to: &Uri) -> Option<Intercept> {
        match self {
            Self::One(matcher) => matcher.intercept(to),
            // Plain http is for this machine and for networks that are known to be one's own.
            Self::OfTheEnvironment(matcher) => {
                matcher.intercept(to).filter(|_| to.scheme_str() == Some("https") && !is_loopback(to))
            }
        }
    }
}

/// No proxy of an environment is meant for what is on this machine.
fn is_loopback(to: &Uri) -> bool {
    match to.host().map(Host::parse) {
        Some(Ok(Host::Domain(name))) => name == "localhost" || name.ends_with(".localhost"), // RFC 6761 §6.3
        Some(Ok(Host::Ipv4(address))) => address.is_loopback(),
        Some(Ok(Host::Ipv6(address))) => address.is_loopback(),
        Some(Err(_)) | None => false,
    }
}

impl Route {
    pub(super) fn new(
        straight: HttpConnector,
        to_proxy: HttpsConnector<HttpConnector>,
        configured: &OutboundProxy,
    ) -> Self {
        Self { straight, to_proxy, proxies: Arc::new(Proxies::of(configured)) }
    }
}

impl Service<Uri> for Route {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Cause;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Cause>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        // Both connectors always are.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Some(proxy) = self.proxies.find(&to) else {
            let connecting = self.straight.call(to);
            return Box::pin(async move { Ok(MaybeHttpsStream::Http(connecting.await?)) });
        };
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.to_proxy.clone());
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        let host = to.authority().map(ToString::to_string).unwrap_or_default();
        let connecting = tunnel.call(to);
        Box::pin(async move {
            let named = |error| ProxyError { proxy: proxy.uri().clone(), to: host, source: Box::new(error) };
            Ok(connecting.await.map_err(named)?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_of_the_environment_is_for_https_elsewhere_and_a_configured_one_for_everything() {
        let matcher = || Matcher::builder().all("http://proxy.example:3128").no("inside.example, 10.0.0.0/8").build();
        let (environment, one) = (Proxies::OfTheEnvironment(matcher()), Proxies::One(matcher()));
        for (to, by_environment, by_configuration) in [
            ("https://id.example.com/token", true, true),
            ("https://a.inside.example/token", false, false),
            ("https://10.1.2.3/token", false, false),
            ("http://id.example.com/token", false, true),
            ("https://localhost/token", false, true),
            ("https://id.localhost/token", false, true),
            ("https://127.0.0.1:8443/token", false, true),
            ("https://[::1]/token", false, true),
        ] {
            let to = Uri::from_static(to);
            assert_eq!(environment.find(&to).is_some(), by_environment, "{to}");
            assert_eq!(one.find(&to).is_some(), by_configuration, "{to}");
        }
    }
}
