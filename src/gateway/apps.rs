//! The apps as the walk of a request needs them: one immutable value, swapped whole on a reload.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
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
    request::HeadLimits,
    session::Sessions,
    upstream::Connector,
};

/// All apps of one configuration.
pub struct Apps {
    all: Vec<Arc<App>>,
    by_host: HashMap<String, usize>,
    /// The path of our own endpoints.
    pub prefix: String,
    /// What a head may be at most.
    pub head_limits: HeadLimits,
    /// Whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where sessions are.
    pub sessions: Arc<Sessions>,
    /// How our answers look.
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
    /// All apps; the configuration has seen to it that no host is claimed twice.
    pub fn new(
        apps: Vec<App>,
        server: &config::Server,
        sessions: Arc<Sessions>,
        pages: Arc<Pages>,
        meter: &Meter,
        random: &Random,
    ) -> Self {
        let all: Vec<_> = apps.into_iter().map(Arc::new).collect();
        let by_host =
            all.iter().flat_map(|app| app.config.hosts.iter().map(|host| (host.clone(), app.place))).collect();
        Self {
            all,
            by_host,
            prefix: server.prefix.clone(),
            head_limits: HeadLimits::new(&server.limits),
            trusted_proxies: server.trusted_proxies.clone(),
            sessions,
            pages,
            sign_ins: SignIns::new(server.limits.sign_ins_per_client, random),
            unrouted: meter.unrouted(),
        }
    }

    /// The app of a host (lower case, without its port).
    pub fn find(&self, host: &str) -> Option<&Arc<App>> {
        self.by_host.get(host).and_then(|&place| self.all.get(place))
    }

    /// All of them, by their place.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<App>> {
        self.all.iter()
    }
}
