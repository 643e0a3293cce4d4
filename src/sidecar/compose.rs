//! From a configuration to what requests are answered with: nothing runs yet.
//!
//! It is done again for each new configuration, and what did not change is not made
//! anew: a provider with its metadata and keys, the way to an upstream with the
//! connections that stand, the certificates. What knows people rather than rules is
//! made once: sessions, answered sign-ins, the keys of this process.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use rustls::ServerConfig;
use tokio::runtime;

use super::{Options, StartError};
use crate::{
    access::AppRules,
    config::{
        self, Config, SessionStore,
        session::{CookieReach, Persistence},
    },
    forward::{AssertionSigner, Front},
    gateway::{App, Apps, LogoutPaths, SignIns},
    identity::AppId,
    listener::tls,
    login::{self, Login, Origins, Party, Redeemed, SignedOutPlaces},
    meter::ProviderCall,
    pages::Pages,
    relying_party::{Call, RelyingParty},
    seal::KeyRing,
    session::{
        Home, Sessions,
        cookie::{CookieNames, Keep, upstream::Family},
    },
    store::MemoryStore,
    upstream::Connector,
};

/// What the seal of an attempt's cookie is for.
const ATTEMPT_PURPOSE: &str = "sign-in attempt";

/// What the seal of a sign-out's `state` is for.
const SIGN_OUT_PURPOSE: &str = "sign-out state";

/// Makes of configurations what requests are answered with.
pub(super) struct Composer {
    pub(super) sessions: Arc<Sessions>,
    redeemed: Redeemed,
    /// What stands in for `[keys]`, once it is needed.
    own_keys: OnceLock<KeyRing>,
    options: Options,
    background: runtime::Handle,
}

/// One configuration, with what was made of it.
pub(super) struct Composed {
    pub(super) config: Arc<Config>,
    pub(super) apps: Arc<Apps>,
    pub(super) parties: Vec<Party>,
    past: Past,
}

/// What our cookies were called and where they were under each configuration of this process so far: browsers still
/// have them. A process that starts knows nothing of that; the sessions of the one before it are gone, so no secret is
/// at stake.
#[derive(Clone, Default)]
struct Past {
    /// No app may read what comes by one of these.
    cookie_names: Vec<String>,
    /// What an app was below.
    paths: Vec<(AppId, String)>,
}

impl Past {
    /// With what this configuration adds.
    fn and(mut self, config: &Config) -> Self {
        for app in &config.apps {
            let name = &app.session.cookie.name;
            if !self.cookie_names.contains(name) {
                self.cookie_names.push(name.clone());
            }
            let path = (app.id.clone(), app.public_url.path.clone());
            if !self.paths.contains(&path) {
                self.paths.push(path);
            }
        }
        self
    }

    fn own_cookies(&self) -> Family {
        Family::of_all(self.cookie_names.iter().map(String::as_str))
    }

    fn paths_of(&self, app: &AppId) -> Vec<&str> {
        self.paths.iter().filter(|(id, _)| id == app).map(|(_, path)| path.as_str()).collect()
    }
}

impl Composer {
    /// Makes what all configurations of this process have in common; `first` is the one that it starts with.
    pub(super) fn new(first: &Config, options: &Options, background: &runtime::Handle) -> Self {
        let store = match first.session.store {
            SessionStore::Memory => Arc::new(MemoryStore::new()),
        };
        let sessions = Arc::new(Sessions::new(
            store.clone(),
            store,
            first.session.longest,
            options.clock.clone(),
            options.random.clone(),
            options.meter.clone(),
            background.clone(),
        ));
        Self {
            sessions,
            redeemed: Redeemed::default(),
            own_keys: OnceLock::new(),
            options: options.clone(),
            background: background.clone(),
        }
    }

    /// Makes everything that depends on the configuration, of what there was `before` where that did not change.
    pub(super) fn compose(&self, config: Config, before: Option<&Composed>) -> Result<Composed, StartError> {
        let Options { clock, random, meter, .. } = &self.options;
        self.sessions.keep_for(config.session.longest);
        let ring = self.ring(&config);
        let parties =
            config.providers.iter().map(|provider| self.party(provider, before)).collect::<Result<Vec<_>, _>>()?;
        let signer = Arc::new(AssertionSigner::new(&ring, self.background.clone()));
        let pages = Arc::new(Pages::new(&config.server.prefix));
        let past = before.map(|before| before.past.clone()).unwrap_or_default().and(&config);
        let own_cookies = past.own_cookies();
        let mut connectors = Connectors(before.iter().flat_map(|before| before.apps.iter()).collect());
        let apps = config.apps.iter().zip(Origins::of(&config)).enumerate().map(|(place, (app, origins))| {
            let premises = Arc::clone(&origins.premises);
            let of_this_app = |party: &&Party| app.providers.iter().any(|p| p.id == party.relying_party.provider().id);
            let login = Login {
                home: Home::of(app),
                origins,
                redirect_uri: app.redirect_uri(&config.server.prefix),
                cookies: CookieNames::of(app).moved_from(&past.paths_of(&app.id)),
                keep_session: match app.session.cookie.persistence {
                    Persistence::UntilBrowserCloses => Keep::UntilBrowserCloses,
                    Persistence::ForLifetime => Keep::For(app.session.times.lifetime),
                },
                expirations: login::expirations(app),
                signed_out: SignedOutPlaces::new(&app.sign_out),
                parties: parties.iter().filter(of_this_app).cloned().collect(),
                sealer: ring.sealer(ATTEMPT_PURPOSE),
                realm: attempt_realm(app),
                sign_out_sealer: ring.sealer(SIGN_OUT_PURPOSE),
                redeemed: self.redeemed.clone(),
                sessions: Arc::clone(&self.sessions),
                background: self.background.clone(),
                clock: clock.clone(),
                random: random.clone(),
            };
            let rules = AppRules::compile(app);
            Ok(App {
                place,
                config: Arc::clone(app),
                pages: if premises.path().is_empty() {
                    Arc::clone(&pages)
                } else {
                    Arc::new(Pages::below(premises.path(), &config.server.prefix))
                },
                premises,
                logout_paths: LogoutPaths::new(&app.sign_out.paths),
                front: Front::new(app, &rules, &signer).keeping_back(own_cookies.clone()),
                rules,
                login,
                connector: connectors
                    .take_or_make(app)
                    .map_err(|error| StartError::Upstream { app: app.id.to_string(), error })?,
                assertion_keys: signer.public_keys(),
                meter: meter.app(&app.id),
            })
        });
        let apps = apps.collect::<Result<Vec<_>, StartError>>()?;
        let limit = config.server.limits.sign_ins_per_client;
        let sign_ins = match before.filter(|before| before.config.server.limits.sign_ins_per_client == limit) {
            Some(before) => Arc::clone(&before.apps.sign_ins),
            None => Arc::new(SignIns::new(limit, random)),
        };
        let tls = server_tls(&config, before).map_err(StartError::Tls)?;
        let server = Arc::clone(&config.server);
        let apps = Apps::new(apps, server, tls, Arc::clone(&self.sessions), pages, sign_ins, meter);
        Ok(Composed { config: Arc::new(config), apps: Arc::new(apps), parties, past })
    }

    fn ring(&self, config: &Config) -> KeyRing {
        let random = &self.options.random;
        match config.keys.split_first() {
            Some((first, others)) => KeyRing::new(first, others, random),
            None => self.own_keys.get_or_init(|| KeyRing::generated(random)).clone(),
        }
    }

    fn party(&self, provider: &Arc<config::Provider>, before: Option<&Composed>) -> Result<Party, StartError> {
        let known = before.iter().flat_map(|before| &before.parties);
        let known = known.into_iter().find(|party| party.relying_party.provider().id == provider.id);
        if let Some(same) = known.filter(|party| *party.relying_party.provider() == **provider) {
            return Ok(same.clone());
        }
        let meter = self.options.meter.provider(&provider.id);
        let observer = meter.clone();
        let observe = Arc::new(move |call, took| observer.called(provider_call(call), took));
        let relying_party = RelyingParty::new(Arc::clone(provider), self.options.clock.clone(), observe)
            .map_err(|error| StartError::Provider { provider: provider.id.to_string(), error })?;
        if let Some(known) = known {
            relying_party.inherit(&known.relying_party);
        }
        Ok(Party { relying_party: Arc::new(relying_party), meter })
    }
}

/// The ways to upstreams that the apps before had, each to be taken once: connections are never shared by two apps.
struct Connectors<'b>(Vec<&'b Arc<App>>);

impl Connectors<'_> {
    fn take_or_make(&mut self, app: &config::App) -> io::Result<Option<Connector>> {
        let Some(upstream) = &app.upstream else { return Ok(None) };
        let same = |known: &&Arc<App>| known.config.upstream == app.upstream;
        let own = self.0.iter().position(|known| known.config.id == app.id && same(known));
        // Or that of an app which has been given another id.
        match own.or_else(|| self.0.iter().position(same)) {
            Some(place) => Ok(self.0.swap_remove(place).connector.clone()),
            None => Connector::new(upstream).map(Some),
        }
    }
}

/// What handshakes are made with. Whether there are any is as it was at the start: who listens for TLS must not
/// begin to take passwords in the clear because of a line that got lost.
fn server_tls(config: &Config, before: Option<&Composed>) -> io::Result<Option<Arc<ServerConfig>>> {
    let of_apps = |config: &Config| -> Vec<_> {
        config
            .apps
            .iter()
            .filter_map(|app| Some((app.hosts.clone(), app.wildcard_hosts.clone(), app.tls.clone()?)))
            .collect()
    };
    match (&config.server.tls, before) {
        (tls, Some(before)) if tls.is_some() != before.apps.tls.is_some() => Ok(before.apps.tls.clone()),
        (tls, Some(before)) if *tls == before.config.server.tls && of_apps(config) == of_apps(&before.config) => {
            Ok(before.apps.tls.clone())
        }
        (Some(tls), _) => tls::server_config(tls, config.apps.iter().map(AsRef::as_ref)).map(Some),
        (None, _) => Ok(None),
    }
}

/// Among whom a sign-in may be finished that begins at an app: a domain has a dot, and no app's id has one.
fn attempt_realm(app: &config::App) -> String {
    match (&app.shared_callback, &app.session.cookie.reach) {
        (Some(_), CookieReach::Siblings(domain)) => domain.clone(),
        (Some(_) | None, _) => app.id.to_string(),
    }
}

/// The counter of a call.
fn provider_call(call: Call) -> ProviderCall {
    match call {
        Call::Discovery => ProviderCall::Discovery,
        Call::Keys => ProviderCall::Keys,
        Call::Token => ProviderCall::Token,
        Call::UserInfo => ProviderCall::Userinfo,
    }
}
