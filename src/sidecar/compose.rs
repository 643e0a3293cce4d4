//! From a configuration to what requests are answered with: nothing runs yet.

use std::sync::Arc;

use tokio::runtime;

use super::{Options, StartError};
use crate::{
    access::AppRules,
    config::{
        self, Config, SessionStore,
        session::{CookieReach, Persistence},
    },
    forward::Front,
    gateway::{App, Apps, LogoutPaths},
    login::{self, Login, Origins, Party, Redeemed, SignedOutPlaces},
    meter::ProviderCall,
    pages::Pages,
    relying_party::{Call, RelyingParty},
    seal::KeyRing,
    session::{
        Home, Sessions,
        cookie::{CookieNames, Keep},
    },
    store::MemoryStore,
    upstream::Connector,
};

/// What the seal of an attempt's cookie is for.
const ATTEMPT_PURPOSE: &str = "sign-in attempt";

/// What the seal of a sign-out's `state` is for.
const SIGN_OUT_PURPOSE: &str = "sign-out state";

/// What requests are answered with.
pub(super) struct Parts {
    pub(super) apps: Arc<Apps>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) parties: Vec<Party>,
}

pub(super) fn compose(config: &Config, options: &Options, background: &runtime::Handle) -> Result<Parts, StartError> {
    let Options { clock, random, meter, .. } = options;
    let ring = match config.keys.split_first() {
        Some((first, others)) => KeyRing::new(first, others, random),
        None => KeyRing::generated(random),
    };
    let store = match config.session.store {
        SessionStore::Memory => Arc::new(MemoryStore::new()),
    };
    let sessions = Arc::new(Sessions::new(
        store.clone(),
        store,
        config.session.longest,
        clock.clone(),
        random.clone(),
        meter.clone(),
        background.clone(),
    ));
    let parties = config
        .providers
        .iter()
        .map(|provider| {
            let provider_meter = meter.provider(&provider.id);
            let observer = provider_meter.clone();
            let observe = Arc::new(move |call, took| observer.called(provider_call(call), took));
            let relying_party = RelyingParty::new(Arc::clone(provider), clock.clone(), observe)
                .map_err(|error| StartError::Provider { provider: provider.id.to_string(), error })?;
            Ok(Party { relying_party: Arc::new(relying_party), meter: provider_meter })
        })
        .collect::<Result<Vec<_>, StartError>>()?;

    let pages = Arc::new(Pages::new(&config.server.prefix));
    let redeemed = Redeemed::default();
    let apps = config
        .apps
        .iter()
        .zip(Origins::of(config))
        .enumerate()
        .map(|(place, (app, origins))| {
            let premises = Arc::clone(&origins.premises);
            let of_this_app = |party: &&Party| app.providers.iter().any(|p| p.id == party.relying_party.provider().id);
            let login = Login {
                home: Home::of(app),
                origins,
                redirect_uri: app.redirect_uri(&config.server.prefix),
                cookies: CookieNames::of(app),
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
                redeemed: redeemed.clone(),
                sessions: Arc::clone(&sessions),
                background: background.clone(),
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
                front: Front::new(app, &rules),
                rules,
                login,
                connector: Connector::new(&app.upstream)
                    .map_err(|error| StartError::Upstream { app: app.id.to_string(), error })?,
                meter: meter.app(&app.id),
            })
        })
        .collect::<Result<Vec<_>, StartError>>()?;
    let apps = Apps::new(apps, &config.server, Arc::clone(&sessions), pages, meter, random);
    Ok(Parts { apps: Arc::new(apps), sessions, parties })
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
