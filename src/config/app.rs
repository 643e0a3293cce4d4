//! `[[app]]`: one protected web application.

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use url::Url;

use crate::{
    config::{
        Access, Provider, Route, TlsIdentity,
        access::{self, Scope},
        fault::{Place, Report},
        pem,
        provider::{Providers, parse_name, read_id},
        section::{Placed, Reading, Section, Unique},
        session::SessionSection,
        upstream::{UpstreamUrl, read_upstream},
    },
    identity::{AppId, ProviderId},
};

pub(super) mod answers;
pub(super) mod callback_url;
mod cookies;
mod forward_auth;
mod headers;
mod hosts;
mod open;
mod paths;
mod public_url;
pub(super) mod sign_out;

pub use answers::{Answers, CorsPreflight, OnAnonymous};
pub use cookies::{AppSession, SessionCookie};
pub use headers::{BasicCredential, BearerToken, Encoding, GroupPattern, Headers, Preset, Setting, Told};
pub use hosts::{WildcardHost, one_label_below};
pub use paths::{BasePath, Paths, Slashes};
pub use public_url::PublicUrl;
pub use sign_out::{ClearCookie, SignOut};

use hosts::Claims;
use open::Openness;

/// What a file without any app is shown.
const EXAMPLE: &str = "\
[[app]]
id = \"wiki\"
public_url = \"https://wiki.example.com\"
upstream = \"http://127.0.0.1:8080\"

[app.access]
policy = \"listed\"
allow = [{ email_domain = \"example.com\" }]";

/// The largest bound of a body; what is larger needs none.
const MAX_BODY: u64 = 1 << 50;

/// The longest that anybody may be made to wait by a bound.
const MAX_WAIT: Duration = Duration::from_hours(24 * 7);

/// `[[app]]`
#[derive(Debug)]
pub struct App {
    /// `id`
    pub id: AppId,
    /// `name`, or the id.
    pub name: String,
    /// `public_url`
    pub public_url: PublicUrl,
    /// The host of `public_url` and further `hosts`, in lower case without a port.
    pub hosts: Vec<String>,
    /// Those of `hosts` that begin with `*.`.
    pub wildcard_hosts: Vec<WildcardHost>,
    /// `strip_path`, `merge_slashes`, `callback_path`
    pub paths: Paths,
    /// `upstream`; `None` = another proxy has the way to the app, and only asks us (forward-auth).
    pub upstream: Option<UpstreamUrl>,
    /// `providers`, or all that exist; at least one.
    pub providers: Vec<Arc<Provider>>,
    /// `preserve_host`
    pub preserve_host: bool,
    /// `[app.session]`
    pub session: AppSession,
    /// The one redirect URI of several apps, where this one is among them (`callback_url`).
    pub shared_callback: Option<String>,
    /// `logout_paths`, `clear_cookies`, `post_logout_url`, `post_logout_urls`
    pub sign_out: SignOut,
    /// `[app.tls]`: a certificate of its own, chosen by SNI.
    pub tls: Option<TlsIdentity>,
    /// `[app.limits]`
    pub limits: AppLimits,
    /// `[app.headers]`
    pub headers: Headers,
    /// `cache`
    pub cache: Cache,
    /// `cors_preflight` and `allowed_origins`.
    pub answers: Answers,
    /// `[app.access]`
    pub access: Access,
    /// `[[app.route]]`, the first match wins.
    pub routes: Vec<Route>,
}

impl App {
    /// Whether a session of a provider that was made on these terms counts under this configuration. Whether the
    /// provider is one of the app's is for `access` to say.
    pub fn accepts(&self, provider: &ProviderId, terms: &str) -> bool {
        let known = self.providers.iter().find(|known| known.id == *provider);
        known.is_none_or(|known| known.terms() == terms)
    }

    /// Where the provider sends its answers back to: to be registered there.
    pub fn redirect_uri(&self, prefix: &str) -> String {
        self.shared_callback.clone().unwrap_or_else(|| callback_url::own_callback(self, prefix))
    }
}

/// `[app.limits]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppLimits {
    /// The largest body of a request; `None` = any size.
    pub body_bytes: Option<NonZeroU64>,
    /// How long a connection to the upstream may take to stand, TLS included.
    pub connect: Duration,
    /// How long the first byte of an answer may take from the end of the request's body; `None` = for ever.
    pub first_byte: Option<Duration>,
    /// How long a body or a tunnel may rest in both directions; `None` = for ever.
    pub idle: Option<Duration>,
}

/// `cache`: what becomes of an answer's words to shared caches, where somebody had to sign in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// No shared cache may keep it.
    Private,
    /// They are the app's own.
    AsIs,
}

/// `http` or `https`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As a URL spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL may leave out.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// An app whose providers are still names: they are completed last, with the claims that apps want of them.
pub(super) struct Draft {
    app: App,
    providers: Vec<ProviderId>,
    /// Where it stands.
    pub(super) place: Place,
    callback_url: Option<Placed<Url>>,
    /// Where its `upstream` is.
    pub(super) upstream: Option<Place>,
    /// Who may enter, for the check with the providers.
    openness: Openness,
    /// Where its certificate is, if it has one.
    pub(super) certificate: Option<Place>,
    /// Where `[app.headers]` is, if it is there.
    headers: Option<Place>,
    /// Where its `clear_cookies` are, if it names any.
    clear_cookies: Option<Place>,
    /// Where its `public_url` is.
    pub(super) public_url: Place,
    /// Where its `callback_path` is, if it has one.
    pub(super) callback: Option<Place>,
}

impl Draft {
    /// Refuses an app that everybody could enter without anybody having said so.
    pub(super) fn check_openness(&self, report: &Report, providers: &[Provider]) -> Reading<()> {
        open::check(report, &self.openness, &self.providers, providers)
    }

    /// What is known of the app already.
    pub(super) fn app(&self) -> &App {
        &self.app
    }

    /// Whether people sign in to it through a provider.
    pub(super) fn is_for(&self, provider: &ProviderId) -> bool {
        self.providers.contains(provider)
    }

    /// The claims that its conditions and headers want of a provider.
    pub(super) fn wanted_claims<'a>(&'a self, provider: &'a ProviderId) -> impl Iterator<Item = &'a str> {
        let of_routes = self.app.routes.iter().flat_map(Route::conditions);
        let conditions = self.app.access.allow.iter().chain(&self.app.access.deny).chain(of_routes);
        let is_meant = move |named: &Option<ProviderId>| match named {
            Some(named) => named == provider,
            // A condition on a claim names no provider only where the app has but one.
            None => self.providers.contains(provider),
        };
        conditions
            .filter(move |condition| is_meant(&condition.provider))
            .filter_map(|condition| condition.claim.as_ref())
            .map(|claim| claim.claim.as_str())
            .chain(self.is_for(provider).then(|| self.app.headers.claims()).into_iter().flatten())
    }

    /// The app with its providers, in its own order.
    pub(super) fn complete(self, report: &Report, providers: &[Arc<Provider>]) -> App {
        let find = |id: &ProviderId| providers.iter().find(|provider| provider.id == *id).map(Arc::clone);
        let providers: Vec<_> = self.providers.iter().filter_map(find).collect();
        headers::warn_of_claims(report, self.headers, &self.app.headers, &providers);
        App { providers, ..self.app }
    }
}

/// Reads all `[[app]]` sections.
pub(super) fn read_apps(
    root: &Section<'_>,
    providers: &Providers,
    session: Reading<&SessionSection>,
) -> Reading<Vec<Draft>> {
    let (mut ids, mut claims) = (Unique::new("the id"), Claims::new());
    let apps = root.tables("app", "app", |section| read_app(section, providers, session, &mut ids, &mut claims));
    if apps.is_empty() {
        return Err(root.missing("app", "there would be nothing to stand in front of", EXAMPLE));
    }
    apps.into_iter().collect()
}

fn read_app(
    section: &Section<'_>,
    providers: &Providers,
    session: Reading<&SessionSection>,
    ids: &mut Unique,
    claims: &mut Claims,
) -> Reading<Draft> {
    let id = read_id(section, "wiki", ids);
    let name = section.optional("name", parse_name);
    let public_url = public_url::read_public_url(section);
    let hosts = hosts::read_hosts(section, public_url.as_ref().ok(), claims);
    let paths = paths::read_paths(section, public_url.as_ref().ok());
    let upstream = read_upstream(section);
    let preserve_host = section.flag("preserve_host", true);
    let own_providers = read_own_providers(section, providers);
    let tls = section.table("tls", "app.tls", pem::read_identity);
    let limits = section.table_or_empty("limits", "app.limits", read_limits);
    let headers = section.table_or_empty("headers", "app.headers", headers::read_headers);
    let cache = section.choice("cache", &[("private", Cache::Private), ("as_is", Cache::AsIs)]);
    let scope = Scope { all: providers, own: own_providers.as_deref().map_err(|reported| *reported) };
    let open_to_public = section.flag("open_to_public", false);
    let answers = answers::read_answers(section);
    let means_something = match &upstream {
        Ok(None) => forward_auth::check(section, answers.as_ref().ok()),
        _ => Ok(()),
    };
    let mut policy_place = section.place();
    let access = section.table("access", "app.access", |section| {
        policy_place = section.place_of("policy").unwrap_or(section.place());
        access::read_access(section, scope)
    });
    let access = access.and_then(|access| access.ok_or_else(|| access::missing(section)));
    let routes = access::read_routes(section, scope);
    let rules = access.and_then(|access| access::join(section, access, routes));
    let callback_url = callback_url::read(section, session);
    let own_callback = paths.as_ref().ok().and_then(|(paths, _)| paths.callback.as_deref());
    let sign_out = sign_out::read(section, session.ok().map(|session| session.cookie.name.as_str()), own_callback);
    let session = cookies::read(section, public_url.as_ref().map_err(|reported| *reported), session);
    let (public_url, hosts, (paths, callback)) = (public_url?, hosts?, paths?);
    let (id, upstream, headers) = (AppId::new(id?.value), upstream?, headers?);
    let ((access, routes), answers, sign_out) = (rules?, answers?, sign_out?);
    means_something?;
    headers::warn(section, &headers, upstream.as_ref().map(|upstream| &upstream.value), &routes);
    paths::warn_of_doubled_paths(section, &public_url, &routes);
    Ok(Draft {
        providers: own_providers?,
        place: section.place(),
        callback_url: callback_url?,
        upstream: upstream.as_ref().map(|upstream| upstream.place),
        openness: Openness { place: policy_place, policy: access.policy, open_to_public: open_to_public? },
        certificate: section.place_of("tls"),
        headers: section.place_of("headers"),
        clear_cookies: section.place_of("clear_cookies").filter(|_| !sign_out.clear_cookies.is_empty()),
        public_url: public_url.place,
        callback,
        app: App {
            name: name?.map_or_else(|| id.to_string(), |name| name.value),
            id,
            public_url: public_url.value,
            hosts: hosts.named,
            wildcard_hosts: hosts.wildcards,
            paths,
            upstream: upstream.map(|upstream| upstream.value),
            providers: Vec::new(),
            preserve_host: preserve_host?,
            session: session?,
            shared_callback: None,
            sign_out,
            tls: tls?,
            limits: limits?,
            headers,
            cache: cache?.unwrap_or(Cache::Private),
            answers,
            access,
            routes,
        },
    })
}

fn read_limits(section: &Section<'_>) -> Reading<AppLimits> {
    let at_least = Duration::from_millis(100);
    let body_bytes = section.size("body_bytes", 0, 0..=MAX_BODY);
    let connect = section.duration("connect", Duration::from_secs(5), at_least..=Duration::from_mins(10));
    let first_byte = section.bound("first_byte", Duration::from_mins(5), at_least..=MAX_WAIT);
    let idle = section.bound("idle", Duration::from_hours(1), at_least..=MAX_WAIT);
    Ok(AppLimits { body_bytes: NonZeroU64::new(body_bytes?), connect: connect?, first_byte: first_byte?, idle: idle? })
}

/// `providers`: those whose sessions count here.
fn read_own_providers(section: &Section<'_>, providers: &Providers) -> Reading<Vec<ProviderId>> {
    let named = section.list("providers", |text| Ok(text.to_owned()))?.unwrap_or_default();
    if named.is_empty() {
        let only = providers.only()?.ok_or_else(|| {
            let ids: Vec<_> = providers.ids().map(|id| format!("\"{id}\"")).collect();
            section.report().add(
                section
                    .fault(&["providers"], "`providers` must say who signs people in to this app")
                    .why("there are several providers, and a session counts only where its provider is listed")
                    .absence(section.place(), &["providers"])
                    .help(format!("write one or more of: providers = [{}]", ids.join(", "))),
            )
        })?;
        return Ok(vec![only]);
    }
    let mut unique = Unique::new("the provider");
    let found: Vec<_> = named
        .iter()
        .map(|id| {
            unique.claim(section.report(), id, id.place)?;
            providers.find(section, "providers", id)
        })
        .collect();
    found.into_iter().collect()
}
