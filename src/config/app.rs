//! `[[app]]`: one protected web application.

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use url::Url;

pub(super) mod answers;

pub use answers::{Answers, CorsPreflight, OnAnonymous};

use crate::{
    config::{
        Access, Provider, Route, TlsIdentity,
        access::{self, Scope},
        fault::{Fault, Place, Report},
        location, pem,
        provider::{Providers, parse_name, read_id},
        section::{Placed, Reading, Section, Unique, Wrong},
        upstream::{UpstreamUrl, read_upstream},
    },
    identity::{AppId, ProviderId},
};

mod headers;

pub use headers::{BasicCredential, BearerToken, Encoding, GroupPattern, Headers, Preset, Setting, Told};

/// What a file without any app is shown.
const EXAMPLE: &str = "\
[[app]]
id = \"wiki\"
public_url = \"https://wiki.example.com\"
upstream = \"http://127.0.0.1:8080\"

[app.access]
policy = \"anyone\"";

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
    /// `upstream`; `None` = another proxy has the way to the app, and only asks us (forward-auth).
    pub upstream: Option<UpstreamUrl>,
    /// `providers`, or all that exist; at least one.
    pub providers: Vec<Arc<Provider>>,
    /// `preserve_host`
    pub preserve_host: bool,
    /// `[app.tls]`: a certificate of its own, chosen by SNI.
    pub tls: Option<TlsIdentity>,
    /// `[app.limits]`
    pub limits: AppLimits,
    /// `cors_preflight` and `allowed_origins`.
    pub answers: Answers,
    /// `[app.headers]`
    pub headers: Headers,
    /// `cache`
    pub cache: Cache,
    /// `[app.access]`
    pub access: Access,
    /// `[[app.route]]`, the first match wins.
    pub routes: Vec<Route>,
}

/// Where visitors find the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// Whether the visitor's side is https: decides cookie security, never the connection.
    pub scheme: Scheme,
    /// The host in lower case; IPv6 in brackets.
    pub host: String,
    /// The port, also where it is the scheme's own.
    pub port: u16,
    /// The path that the app is below, without a slash at its end: empty for the whole host.
    pub path: String,
}

impl PublicUrl {
    /// The origin as a browser writes it (RFC 6454 §6.2): the scheme's own port is left out.
    pub fn origin(&self) -> String {
        if self.port == self.scheme.default_port() {
            format!("{}://{}", self.scheme.as_str(), self.host)
        } else {
            format!("{}://{}:{}", self.scheme.as_str(), self.host, self.port)
        }
    }

    /// The same for another host of the app.
    pub fn origin_at(&self, host: &str) -> String {
        Self { host: host.to_owned(), ..self.clone() }.origin()
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
    /// Where its `upstream` is.
    pub(super) upstream: Option<Place>,
    /// Where its certificate is, if it has one.
    pub(super) certificate: Option<Place>,
    /// Where `[app.headers]` is, if it is there.
    headers: Option<Place>,
}

impl Draft {
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
pub(super) fn read_apps(root: &Section<'_>, providers: &Providers) -> Reading<Vec<Draft>> {
    let (mut ids, mut hosts) = (Unique::new("the id"), Unique::new("the host"));
    let apps = root.tables("app", "app", |section| read_app(section, providers, &mut ids, &mut hosts));
    if apps.is_empty() {
        return Err(root.missing("app", "there would be nothing to stand in front of", EXAMPLE));
    }
    apps.into_iter().collect()
}

fn read_app(section: &Section<'_>, providers: &Providers, ids: &mut Unique, hosts: &mut Unique) -> Reading<Draft> {
    let id = read_id(section, "wiki", ids);
    let name = section.optional("name", parse_name);
    let public_url = read_public_url(section);
    let hosts = read_hosts(section, public_url.as_ref().ok(), hosts);
    let upstream = read_upstream(section);
    let preserve_host = section.flag("preserve_host", true);
    let own_providers = read_own_providers(section, providers);
    let tls = section.table("tls", "app.tls", pem::read_identity);
    let limits = section.table_or_empty("limits", "app.limits", read_limits);
    let headers = section.table_or_empty("headers", "app.headers", headers::read_headers);
    let cache = section.choice("cache", &[("private", Cache::Private), ("as_is", Cache::AsIs)]);
    let scope = Scope { all: providers, own: own_providers.as_deref().map_err(|reported| *reported) };
    let answers = answers::read_answers(section);
    let access = section.table("access", "app.access", |section| access::read_access(section, scope));
    let access = access.and_then(|access| access.ok_or_else(|| access::missing(section)));
    let routes = access::read_routes(section, scope);
    let rules = access.and_then(|access| access::join(section, access, routes));
    let (id, upstream, headers) = (AppId::new(id?.value), upstream?, headers?);
    let (access, routes) = rules?;
    headers::warn(section, &headers, upstream.as_deref(), &routes);
    Ok(Draft {
        providers: own_providers?,
        place: section.place(),
        upstream: upstream.as_ref().map(|upstream| upstream.place),
        certificate: section.place_of("tls"),
        headers: section.place_of("headers"),
        app: App {
            name: name?.map_or_else(|| id.to_string(), |name| name.value),
            id,
            public_url: public_url?.value,
            hosts: hosts?,
            upstream: upstream.map(|upstream| upstream.value),
            providers: Vec::new(),
            preserve_host: preserve_host?,
            tls: tls?,
            limits: limits?,
            answers: answers?,
            headers,
            cache: cache?.unwrap_or(Cache::Private),
            access,
            routes,
        },
    })
}

fn read_public_url(section: &Section<'_>) -> Reading<Placed<PublicUrl>> {
    let insecure_http = section.flag("insecure_http", false);
    let url = section.required("public_url", "\"https://wiki.example.com\"", |text| {
        let url = location::parse_url(text)?;
        if url.path() == "/" {
            return Ok(url);
        }
        Err(Wrong::new("with a path is not in this version").help("end it with the host or port"))
    })?;
    if url.scheme() != "https" && !location::is_loopback(&url) {
        if !insecure_http? {
            return Err(section.report().add(
                Fault::at(url.place, "`public_url` must start with https://")
                    .why("over plain http, whoever sees the traffic takes over every session")
                    .help("loopback hosts may use http; elsewhere only with insecure_http = true beside it"),
            ));
        }
        section
            .report()
            .warn(Some(url.place), "`public_url` is plain http: whoever sees the traffic takes over every session");
    }
    let public_url = PublicUrl {
        scheme: location::scheme(&url),
        host: url.host_str().unwrap_or_default().to_owned(),
        port: port(&url),
        path: url.path().trim_end_matches('/').to_owned(),
    };
    Ok(Placed { value: public_url, place: url.place })
}

/// The port of a URL, also where it is left out; http and https always have one.
fn port(url: &Url) -> u16 {
    url.port().unwrap_or(location::scheme(url).default_port())
}

/// The host of `public_url` and further ones; an app answers to each, so no two apps may have one in common.
fn read_hosts(
    section: &Section<'_>,
    public_url: Option<&Placed<PublicUrl>>,
    taken: &mut Unique,
) -> Reading<Vec<String>> {
    let own = public_url.map(|url| Placed { value: url.host.clone(), place: url.place });
    let further = section.list("hosts", location::parse_host)?.unwrap_or_default();
    let hosts: Vec<_> = own.into_iter().chain(further).collect();
    let claims: Vec<_> = hosts.iter().map(|host| taken.claim(section.report(), host, host.place)).collect();
    claims.into_iter().collect::<Reading<()>>()?;
    Ok(hosts.into_iter().map(|host| host.value).collect())
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
