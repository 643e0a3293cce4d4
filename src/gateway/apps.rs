//! The apps as the walk of a request needs them: one immutable value, swapped whole on a reload.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use ipnet::IpNet;

use super::SignIns;
use crate::{
    access::AppRules,
    config,
    forward::Front,
    login::Login,
    meter::{AppMeter, Meter},
    pages::Pages,
    random::Random,
    request::{HeadLimits, Hosts, Premises, Site},
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
    pub sign_ins: SignIns,
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
        server: &config::Server,
        sessions: Arc<Sessions>,
        pages: Arc<Pages>,
        meter: &Meter,
        random: &Random,
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
            sign_ins: SignIns::new(server.limits.sign_ins_per_client, random),
            unrouted: meter.unrouted(),
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

    /// All of them, by their place.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<App>> {
        self.all.iter()
    }
}
