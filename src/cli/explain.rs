//! `vestibule explain`: which routes and rules decide about a request, and why.
//!
//! It reads the configuration, asks nobody, and decides by the code that serves requests
//! ([`AppRules::explain`]); what is here is the question and the words of the answer.

use std::{net::IpAddr, process::ExitCode, sync::Arc};

use clap::Args;
use http::{Method, Uri};
use serde_json::Value;

use super::{origin::FileArgs, output};
use crate::{
    access::AppRules,
    config::{App, Config, Provider, provider::TrustEmail},
    identity::{EmailAddress, EmailTrust, Subject, Visitor},
    request::{Host, Hosts, Place, Premises, Target},
};

mod words;

use words::Anonymous;

/// Says which route and rule decide about a request, and why, from the configuration alone.
#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    files: FileArgs,
    /// The id of the app
    #[arg(long, value_name = "ID")]
    app: String,
    /// The address of who is signed in; it counts as verified where the provider's addresses ever do
    #[arg(long = "as", value_name = "EMAIL", value_parser = EmailAddress::parse)]
    email: Option<EmailAddress>,
    /// The issuer of who is signed in
    #[arg(long, requires = "subject")]
    issuer: Option<String>,
    /// Their `sub` there
    #[arg(long, requires = "issuer")]
    subject: Option<String>,
    /// The id of the provider that they signed in with, where the app has several
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// A group that they are in; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// A further claim of theirs; given again for a list
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = parse_claim)]
    claims: Vec<(String, String)>,
    /// Where the request comes from
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    ip: IpAddr,
    /// The method of the request
    method: Method,
    /// Its URL, or what follows the host
    url: String,
}

/// The target as the app's rules see it, or what becomes of the request where they are not asked.
fn find(config: &Config, app: &App, host: &str, uri: &Uri) -> Result<(Premises, Target), String> {
    let premises = |app: &Arc<App>| Arc::new(Premises::new(app, &config.server.prefix));
    let premises: Vec<_> = config.apps.iter().map(premises).collect();
    let hosts = Hosts::new(config.apps.iter().zip(&premises).map(|(app, premises)| (&**app, premises, app)));
    let found = hosts.site(host).map(|site| site.find(uri)).transpose().map_err(|error| format!("400: {error}"))?;
    let found = found.flatten().ok_or("421: no app of this host has this path")?;
    if found.app.id == app.id {
        Ok((found.premises.clone(), found.target))
    } else {
        Err(format!("a request to the app {}", found.app.id))
    }
}

fn parse_claim(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Explain {
    pub(super) fn run(self) -> ExitCode {
        let config = match Config::read(&self.files.0) {
            Ok(config) => config,
            Err(faults) => return output::refuse(&faults),
        };
        match self.answer(&config) {
            Ok(answer) => output::answer(&answer, ExitCode::SUCCESS),
            Err(wrong) => output::misused(&wrong),
        }
    }

    /// The whole answer, or why the question makes no sense.
    fn answer(&self, config: &Config) -> Result<String, String> {
        let app = config.apps.iter().find(|app| app.id.as_str() == self.app).ok_or_else(|| {
            let ids: Vec<_> = config.apps.iter().map(|app| app.id.as_str()).collect();
            format!("there is no app `{}`; the apps are: {}", self.app, ids.join(", "))
        })?;
        let (host, uri) = self.place(app)?;
        let visitor = self.visitor(app)?;
        let mut page = words::Page::default();
        page.line("app", format_args!("{} at {}{}", app.id, app.public_url.origin(), app.public_url.path));
        page.line("request", format_args!("{} {uri}", self.method));
        let unasked = |mut page: words::Page, outcome: &str| {
            page.line("outcome", format_args!("{outcome}; no rule is asked"));
            page.text()
        };
        if app.upstream.is_some() && config.server.health_path.as_deref() == Some(uri.path()) {
            let is_probe = matches!(self.method, Method::GET | Method::HEAD);
            let status = if is_probe { "200, or 503 when stopping" } else { "405" };
            return Ok(unasked(page, &format!("{status}: the path is `health_path`, whatever the host")));
        }
        let (premises, target) = match find(config, app, &host, &uri) {
            Ok(found) => found,
            Err(outcome) => return Ok(unasked(page, &outcome)),
        };
        words::path(&mut page, &target);
        match premises.place(&target) {
            Ok(Place::App) => {}
            Ok(Place::Own(_)) => return Ok(unasked(page, "one of Vestibule's own endpoints")),
            Err(error) => return Ok(unasked(page, &format!("400: {error}"))),
        }
        let rules = AppRules::compile(app);
        let explanation = rules.explain(&self.method, &target, self.ip, visitor.as_ref());
        words::preflight(&mut page, app, &self.method);
        words::routes(&mut page, app, &explanation);
        words::visitor(&mut page, visitor.as_ref(), self.ip);
        words::checks(&mut page, app, &explanation);
        let anonymous = Anonymous::new(&self.method, rules.on_anonymous(&rules.demand(&self.method, &target)));
        words::outcome(&mut page, app, visitor.as_ref(), &explanation, anonymous);
        Ok(page.text())
    }

    /// The host that is asked, which must be the app's, and what of the URL a server sees.
    fn place(&self, app: &App) -> Result<(String, Uri), String> {
        let uri: Uri = self.url.parse().map_err(|error| format!("`{}` is no URL: {error}", self.url))?;
        let Some(authority) = uri.authority() else {
            let is_path = self.url.starts_with('/');
            let wrong = || format!("`{}` is neither a URL nor a path", self.url);
            return if is_path { Ok((app.public_url.host.clone(), uri)) } else { Err(wrong()) };
        };
        let host = Host::parse(authority.as_str().as_bytes()).map_err(|error| format!("`{authority}`: {error}"))?;
        let host = host.name().to_owned();
        if !app.hosts.contains(&host) && !app.wildcard_hosts.iter().any(|wildcard| wildcard.covers(&host)) {
            let wildcards = app.wildcard_hosts.iter().map(ToString::to_string);
            let known: Vec<_> = app.hosts.iter().cloned().chain(wildcards).collect();
            return Err(format!("{host} is no host of the app {}: {}", app.id, known.join(", ")));
        }
        Ok((host, uri.path_and_query().map_or(Uri::from_static("/"), |path| Uri::from(path.clone()))))
    }

    /// Who is signed in; `None` where nothing is said of anybody.
    fn visitor(&self, app: &App) -> Result<Option<Visitor>, String> {
        let is_somebody =
            self.email.is_some() || self.subject.is_some() || !self.groups.is_empty() || !self.claims.is_empty();
        if !is_somebody {
            return match &self.provider {
                Some(_) => Err("--provider says whose provider it is: add --as, --issuer or --group".to_owned()),
                None => Ok(None),
            };
        }
        let provider = self.own_provider(app)?;
        let email_trust = match provider.trust_email {
            TrustEmail::Never => EmailTrust::Untrusted,
            TrustEmail::Verified | TrustEmail::Always => EmailTrust::Trusted,
        };
        let mut claims: Vec<(String, Value)> = Vec::new();
        for (name, value) in &self.claims {
            match claims.iter_mut().find(|(known, _)| known == name) {
                None => claims.push((name.clone(), Value::Array(vec![value.as_str().into()]))),
                Some((_, Value::Array(values))) => values.push(value.as_str().into()),
                Some(_) => {}
            }
        }
        Ok(Some(Visitor {
            provider: provider.id.clone(),
            issuer: provider.issuer.clone(),
            subject: Subject::new(self.subject.as_deref().unwrap_or_default()),
            user: None,
            email: self.email.clone(),
            email_trust,
            name: None,
            preferred_username: None,
            groups: self.groups.clone(),
            claims,
        }))
    }

    fn own_provider<'a>(&self, app: &'a App) -> Result<&'a Provider, String> {
        let is_told = self.provider.is_some() || self.issuer.is_some();
        let named = |provider: &&'a Arc<Provider>| {
            self.provider.as_ref().is_none_or(|id| provider.id.as_str() == id)
                && self.issuer.as_ref().is_none_or(|issuer| provider.issuer.as_str() == issuer)
                && (is_told || app.providers.len() == 1)
        };
        app.providers.iter().find(named).map(AsRef::as_ref).ok_or_else(|| {
            let known = app.providers.iter().map(|provider| format!("{} ({})", provider.id, provider.issuer));
            let known = known.collect::<Vec<_>>().join(", ");
            let question = "say with --provider or --issuer how they signed in (both must fit)";
            format!("{question}; the providers of {} are: {known}", app.id)
        })
    }
}

#[cfg(test)]
mod tests;
