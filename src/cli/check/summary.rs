//! What a configuration means, in words for whoever wrote it.

use std::fmt;

use serde::Serialize;

use crate::{
    cli::endpoints,
    config::{
        App, Condition, Config, Policy, Provider, ProxyProtocol,
        access::{DomainPattern, RouteAccess},
        provider::{ClientAuth, TrustEmail},
        show_duration,
        upstream::UpstreamUrl,
    },
};

/// How many of a list are told; the file has the others.
const MOST_ROWS: usize = 8;

/// The width of the first column.
const MARGIN: usize = 20;

/// One screen about a configuration.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    listen: Vec<String>,
    ops_listen: Option<String>,
    sessions: String,
    providers: Vec<ProviderSummary>,
    apps: Vec<AppSummary>,
}

#[derive(Debug, Serialize)]
struct ProviderSummary {
    id: String,
    issuer: String,
    client_id: String,
    client: String,
    /// To be registered there, exactly like this.
    redirect_uris: Vec<String>,
    /// The same, where it asks for post-logout redirect URIs.
    post_logout_redirect_uris: Vec<String>,
}

#[derive(Debug, Serialize)]
struct AppSummary {
    id: String,
    public_url: String,
    further_hosts: Vec<String>,
    upstream: String,
    providers: Vec<String>,
    may_enter: Vec<String>,
    kept_out: Vec<String>,
    routes: usize,
    public_routes: usize,
}

impl Summary {
    pub(super) fn of(config: &Config) -> Self {
        let server = &config.server;
        let transport = match (&server.tls, server.proxy_protocol) {
            (Some(tls), _) if tls.client_ca.is_some() => "TLS, with certificates of clients",
            (Some(_), _) => "TLS",
            (None, ProxyProtocol::Required) => "plain HTTP after a PROXY header",
            (None, ProxyProtocol::Off) => "plain HTTP",
        };
        let times = config.session.longest;
        Self {
            listen: server.listen.iter().map(|listen| format!("{listen} ({transport})")).collect(),
            ops_listen: server.ops_listen.map(|address| address.to_string()),
            sessions: format!(
                "in memory; {} without use, {} at all",
                show_duration(times.idle_timeout),
                show_duration(times.lifetime)
            ),
            providers: config.providers.iter().map(|provider| ProviderSummary::of(provider, config)).collect(),
            apps: config.apps.iter().map(|app| AppSummary::of(app)).collect(),
        }
    }
}

impl ProviderSummary {
    fn of(provider: &Provider, config: &Config) -> Self {
        let apps = config.apps.iter().filter(|app| app.providers.iter().any(|own| own.id == provider.id));
        let endpoint = |name: &str| endpoints(apps.clone().map(AsRef::as_ref), &config.server, name);
        Self {
            id: provider.id.to_string(),
            issuer: provider.issuer.as_str().to_owned(),
            client_id: provider.client_id.clone(),
            client: match &provider.client_auth {
                ClientAuth::Basic(_) => "with a secret (client_secret_basic)",
                ClientAuth::Post(_) => "with a secret (client_secret_post)",
                ClientAuth::None => "a public client, without a secret",
            }
            .to_owned(),
            redirect_uris: endpoint("/callback"),
            post_logout_redirect_uris: endpoint("/signed_out"),
        }
    }
}

impl AppSummary {
    fn of(app: &App) -> Self {
        let providers: Vec<_> = app.providers.iter().map(|provider| provider.id.to_string()).collect();
        let may_enter = match app.access.policy {
            Policy::Anyone => vec![format!("whoever signs in through {}", providers.join(" or "))],
            Policy::Listed => app.access.allow.iter().map(|condition| told(condition, app)).collect(),
        };
        Self {
            id: app.id.to_string(),
            public_url: format!("{}{}", app.public_url.origin(), app.public_url.path),
            further_hosts: app.hosts.iter().filter(|host| **host != app.public_url.host).cloned().collect(),
            upstream: match &app.upstream {
                None => "none: a proxy in front asks at /auth".to_owned(),
                Some(h2c @ UpstreamUrl::H2c(_)) => format!("h2c://{}", h2c.authority()),
                Some(UpstreamUrl::Unix(path)) => format!("unix:{}", path.display()),
                Some(http @ (UpstreamUrl::Http(_) | UpstreamUrl::Https(..))) => http.origin(),
            },
            providers,
            may_enter,
            kept_out: app.access.deny.iter().map(|condition| told(condition, app)).collect(),
            routes: app.routes.len(),
            public_routes: app.routes.iter().filter(|route| matches!(route.access, RouteAccess::Public)).count(),
        }
    }
}

/// A condition in words.
fn told(condition: &Condition, app: &App) -> String {
    let mut meant = app.providers.iter().filter(|own| condition.provider.as_ref().is_none_or(|id| own.id == *id));
    let verified = meant.all(|provider| provider.trust_email == TrustEmail::Verified);
    let addresses = if verified { "verified addresses" } else { "addresses" };
    let mut words = Vec::new();
    if let Some(email) = &condition.email {
        words.push(email.as_str().to_owned());
    }
    match &condition.email_domain {
        Some(DomainPattern::Exact(domain)) => words.push(format!("{addresses} at {}", domain.as_str())),
        Some(DomainPattern::Below(domain)) => words.push(format!("{addresses} below {}", domain.as_str())),
        None => {}
    }
    if let Some(group) = &condition.group {
        words.push(format!("group {group:?}"));
    }
    if let Some(claim) = &condition.claim {
        words.push(format!("claim {} is {:?}", claim.claim, claim.is));
    }
    if let Some(ip) = &condition.ip {
        words.push(format!("from {ip}"));
    }
    if let Some(provider) = &condition.provider {
        words.push(format!("by {provider}"));
    }
    words.join(", ")
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        rows(f, "Visitors come in at", &self.listen)?;
        row(f, "Health and metrics", self.ops_listen.as_deref().unwrap_or("off"))?;
        row(f, "Sessions", &self.sessions)?;
        for provider in &self.providers {
            row(f, &format!("\nProvider {}", provider.id), &provider.issuer)?;
            row(f, "  knows us as", &format!("{}, {}", provider.client_id, provider.client))?;
            rows(f, "  redirect URIs", &provider.redirect_uris)?;
            rows(f, "  after sign-out", &provider.post_logout_redirect_uris)?;
        }
        for app in &self.apps {
            row(f, &format!("\nApp {}", app.id), &app.public_url)?;
            rows(f, "  also at", &app.further_hosts)?;
            row(f, "  in front of", &app.upstream)?;
            row(f, "  signs in through", &app.providers.join(", "))?;
            rows(f, "  may enter", &app.may_enter)?;
            rows(f, "  never", &app.kept_out)?;
            if app.routes > 0 {
                row(f, "  routes", &format!("{}, {} public", app.routes, app.public_routes))?;
            }
        }
        Ok(())
    }
}

/// One line: what, and how it is.
fn row(f: &mut fmt::Formatter<'_>, what: &str, how: &str) -> fmt::Result {
    let (before, what) = what.strip_prefix('\n').map_or(("", what), |what| ("\n", what));
    writeln!(f, "{before}{what:MARGIN$}  {how}")
}

/// A line for each of several; none where there is none.
fn rows(f: &mut fmt::Formatter<'_>, what: &str, how: &[String]) -> fmt::Result {
    for (index, how) in how.iter().take(MOST_ROWS).enumerate() {
        row(f, if index == 0 { what } else { "" }, how)?;
    }
    match how.len().saturating_sub(MOST_ROWS) {
        0 => Ok(()),
        more => row(f, "", &format!("and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_that_apps_share_is_listed_once() {
        let app = |id: &str| {
            format!(
                "[[app]]\nid = \"{id}\"\npublic_url = \"https://{id}.example.com\"\nupstream = \"http://127.0.0.1:1\"\n\
                 callback_url = \"https://wiki.example.com/_vestibule/callback\"\naccess.policy = \"anyone\"\n"
            )
        };
        let provider = "[[provider]]\nid = \"company\"\nissuer = \"https://id.example.com\"\nclient_id = \"x\"\n";
        let text = format!("session.cookie_domain = \"example.com\"\n{provider}{}{}", app("wiki"), app("notes"));
        let config = Config::parse("vestibule.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
        let summary = Summary::of(&config);
        let provider = &summary.providers[0];
        assert_eq!(provider.redirect_uris, ["https://wiki.example.com/_vestibule/callback"]);
        assert_eq!(provider.post_logout_redirect_uris.len(), 2);
    }
}
