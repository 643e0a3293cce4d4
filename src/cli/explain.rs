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
    request::{Host, Place, Premises, Site},
};

mod words;

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
        let (host, uri) = self.request(app)?;
        let visitor = self.visitor(app)?;
        let mut page = words::Page::default();
        page.line("app", format_args!("{} at {}{}", app.id, app.public_url.origin(), app.public_url.path));
        page.line("request", format_args!("{} {uri}", self.method));
        let site = site(config, app, &host);
        let found = match site.find(&uri) {
            Ok(Some(found)) if found.app.id == app.id => found,
            Ok(Some(found)) => {
                page.line(
                    "outcome",
                    format_args!("the path is the app {}'s; no rule of {} is asked", found.app.id, app.id),
                );
                return Ok(page.text());
            }
            Ok(None) => {
                page.line("outcome", "421: no app of this host has this path; no rule is asked");
                return Ok(page.text());
            }
            Err(error) => {
                page.line("outcome", format_args!("400: {error}; no rule is asked"));
                return Ok(page.text());
            }
        };
        let target = found.target;
        words::path(&mut page, &target);
        match found.premises.place(&target) {
            Ok(Place::App) => {}
            Ok(Place::Own(_)) => {
                page.line("outcome", "one of Vestibule's own endpoints; no rule is asked");
                return Ok(page.text());
            }
            Err(error) => {
                page.line("outcome", format_args!("400: {error}; no rule is asked"));
                return Ok(page.text());
            }
        }
        let rules = AppRules::compile(app);
        let explanation = rules.explain(&self.method, &target, self.ip, visitor.as_ref());
        words::routes(&mut page, app, &explanation);
        words::visitor(&mut page, visitor.as_ref(), self.ip);
        words::checks(&mut page, app, &explanation);
        words::outcome(&mut page, app, visitor.as_ref(), &explanation);
        Ok(page.text())
    }

    /// The host and what of the URL a server sees; the host must be the app's.
    fn request(&self, app: &App) -> Result<(String, Uri), String> {
        let uri: Uri = self.url.parse().map_err(|error| format!("`{}` is no URL: {error}", self.url))?;
        let Some(authority) = uri.authority() else {
            let is_path = self.url.starts_with('/');
            return if is_path {
                Ok((app.public_url.host.clone(), uri))
            } else {
                Err(format!("`{}` is neither a URL nor a path", self.url))
            };
        };
        let host = Host::parse(authority.as_str().as_bytes()).map_err(|error| format!("`{authority}`: {error}"))?;
        if !has_host(app, host.name()) {
            return Err(format!("{} is no host of the app {}: {}", host.name(), app.id, app.hosts.join(", ")));
        }
        let target = uri.path_and_query().map_or(Uri::from_static("/"), |path| Uri::from(path.clone()));
        Ok((host.name().to_owned(), target))
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
        let named = |provider: &&'a std::sync::Arc<Provider>| match (&self.provider, &self.issuer) {
            (Some(id), _) => provider.id.as_str() == id,
            (None, Some(issuer)) => provider.issuer.as_str() == issuer,
            (None, None) => app.providers.len() == 1,
        };
        app.providers.iter().find(named).map(AsRef::as_ref).ok_or_else(|| {
            let known = app.providers.iter().map(|provider| format!("{} ({})", provider.id, provider.issuer));
            let known = known.collect::<Vec<_>>().join(", ");
            format!("say with --provider or --issuer how they signed in; the providers of {} are: {known}", app.id)
        })
    }
}

fn has_host(app: &App, host: &str) -> bool {
    app.hosts.iter().any(|known| known == host) || app.wildcard_hosts.iter().any(|known| known.covers(host))
}

/// The apps of a host, of which `app` is one.
fn site<'c>(config: &'c Config, app: &'c App, host: &str) -> Site<&'c App> {
    let premises = |app: &App| Arc::new(Premises::new(app, &config.server.prefix));
    let others = config.apps.iter().filter(|other| other.id != app.id && has_host(other, host));
    others.fold(Site::of(premises(app), app), |site, other| site.and(premises(other), other))
}

#[cfg(test)]
mod tests;
