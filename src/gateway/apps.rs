//! The apps as the walk of a request needs them: one immutable value, swapped whole on a reload.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use ipnet::IpNet;
use rustls::ServerConfig;

use super::{LogoutPaths, SignIns};
use crate::{
    access::AppRules,
    config::{self, UnixPeers},
    forward::Front,
    identity::AppId,
    login::Login,
    meter::{AppMeter, Meter},
    pages::Pages,
    request::{HeadLimits, Hosts, Premises, Site, client::Trust},
    session::Sessions,
    upstream::Connector,
};

/// All apps of one configuration.
pub struct Apps {
    all: Vec<Arc<App>>,
    hosts: Hosts<Arc<App>>,
    /// `server.prefix`: where a proxy may ask under any host.
    pub prefix: String,
    /// What is answered before any app is looked up.
    health_path: Option<String>,
    /// What a head may be at most.
    pub head_limits: HeadLimits,
    /// Whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where sessions are.
    pub sessions: Arc<Sessions>,
    /// How our answers look where no app was found.
    pub pages: Arc<Pages>,
    /// How many sign-ins a client may begin.
    pub sign_ins: Arc<SignIns>,
    /// How visitors come in: looked at once a connection.
    pub server: Arc<config::Server>,
    /// What handshakes are made with; `None` = in the clear.
    pub tls: Option<Arc<ServerConfig>>,
    /// Counts what is refused before an app is known.
    pub unrouted: AppMeter,
}

/// One app, compiled.
pub struct App {
    /// Its place in [`Apps`]: the workers keep its upstream connections under it.
    pub place: usize,
    /// Where it lies on its hosts, and what is ours there.
    pub premises: Arc<Premises>,
    /// How our answers look there.
    pub pages: Arc<Pages>,
    /// As it was configured.
    pub config: Arc<config::App>,
    /// Who may do what.
    pub rules: AppRules,
    /// Signing in and out.
    pub login: Login,
    /// The app's own sign-out, if it has told us of one.
    pub logout_paths: Option<LogoutPaths>,
    /// The way through.
    pub front: Front,
    /// How connections to its upstream come to stand, if it has one.
    pub connector: Option<Connector>,
    /// What `/jwks.json` answers.
    pub assertion_keys: Bytes,
    /// Its counters.
    pub meter: AppMeter,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({})", self.config.id)
    }
}

impl Apps {
    /// All apps; the configuration has seen to it that no path of a host is claimed twice.
    pub fn new(
        apps: Vec<App>,
        server: Arc<config::Server>,
        tls: Option<Arc<ServerConfig>>,
        sessions: Arc<Sessions>,
        pages: Arc<Pages>,
        sign_ins: Arc<SignIns>,
        meter: &Meter,
    ) -> Self {
        let all: Vec<_> = apps.into_iter().map(Arc::new).collect();
        Self {
            hosts: Hosts::new(all.iter().map(|app| (&*app.config, &app.premises, Arc::clone(app)))),
            all,
            prefix: server.prefix.clone(),
            health_path: server.health_path.clone(),
            head_limits: HeadLimits::new(&server.limits),
            trusted_proxies: server.trusted_proxies.clone(),
            sessions,
            pages,
            sign_ins,
            unrouted: meter.unrouted(),
            tls,
            server,
        }
    }

    /// The apps of a host (lower case, without its port).
    pub fn site(&self, host: &str) -> Option<&Site<Arc<App>>> {
        self.hosts.site(host)
    }

    /// Whether somebody asks for our health only, whatever the host. Other spellings of the path are the apps'.
    pub fn is_health_probe(&self, head: &Parts) -> bool {
        self.health_path.as_deref().is_some_and(|path| head.uri.path() == path)
    }

    /// The app of an id.
    pub fn named(&self, id: &AppId) -> Option<&Arc<App>> {
        self.all.iter().find(|app| app.config.id == *id)
    }

    /// Whether peers on Unix sockets are proxies of ours.
    pub fn unix_peers(&self) -> Trust {
        match self.server.unix_peers {
            UnixPeers::Trusted => Trust::Trusted,
            UnixPeers::Untrusted => Trust::Untrusted,
        }
    }

    /// All of them, by their place.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<App>> {
        self.all.iter()
    }
}
