//! The configuration: read, judged and published as values that are valid by construction.
//!
//! The walk: [`source`] reads the files, [`tree`] makes one tree of them, each
//! section's module takes its keys through [`section`], [`fault`] collects what is
//! wrong, and this module joins the sections.
//!
//! A file is read into a tree in which every value knows its place, each section
//! takes what it knows out of that tree, and whatever is wrong becomes a
//! fault with its place. All faults are reported together. What comes out,
//! [`Config`], has no further way to be wrong: patterns are compiled, secrets
//! are read, references between sections resolve.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

pub mod access;
pub mod app;
pub mod listen;
pub mod provider;
pub mod server;
pub mod session;
pub mod upstream;

mod fault;
mod later;
mod location;
mod mask;
mod neighbours;
mod path_pattern;
mod pem;
mod plain_path;
mod section;
mod source;
mod tree;
mod written;

#[cfg(test)]
mod tests;

pub use access::{Access, Condition, Policy, Route, RouteAccess};
pub use app::{App, AppLimits};
pub use fault::Faults;
pub use listen::{Listen, UnixPeers, UnixSocket};
pub use provider::Provider;
pub use server::{Limits, Log, LogFormat, ProxyProtocol, Server, Tls, TlsIdentity};
pub use session::{KeyMaterial, SessionStore, SessionTimes};
pub use written::Written;

use fault::{Fault, Report, Reported};
use provider::Providers;
use section::{Reading, Section, show_path};
use source::{MAX_CONFIG_FILE, Source};
use tree::{Environment, Table};
use upstream::HostPort;

/// Everything that `serve` needs to know.
#[derive(Debug)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[log]`
    pub log: Log,
    /// `[keys]`, first the key that seals; empty = made at start, for the life of the process.
    pub keys: Vec<KeyMaterial>,
    /// `[session]`
    pub session: SessionTimes,
    /// `[[provider]]`, at least one.
    pub providers: Vec<Arc<Provider>>,
    /// `[[app]]`, at least one.
    pub apps: Vec<Arc<App>>,
    /// What is allowed and still deserves a line at start.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads files, and the `*.toml` files of folders in the order of their names, as one configuration.
    pub fn load(paths: &[PathBuf]) -> Result<Self, Faults> {
        let mut report = Report::default();
        let found: Vec<_> = paths.iter().map(|path| find_sources(&mut report, path)).collect();
        let sources = found.into_iter().collect::<Reading<Vec<_>>>();
        let table = sources.map(|sources| sources.concat()).and_then(|sources| {
            if sources.is_empty() {
                return Err(
                    report.add(Fault::nowhere("no configuration file is given").help("name one with --config FILE"))
                );
            }
            join(&report, &sources, &|name| std::env::var_os(name))
        });
        Self::conclude(report, table)
    }

    /// Reads one text; `source_name` is how messages call it, and paths in it start at that name's folder.
    pub fn parse(source_name: &str, text: &str) -> Result<Self, Faults> {
        Self::parse_with(source_name, text, &|name| std::env::var_os(name))
    }

    fn parse_with(source_name: &str, text: &str, environment: Environment<'_>) -> Result<Self, Faults> {
        let mut report = Report::default();
        let source = report.add_source(Source::new(source_name, text));
        let table = join(&report, &[source], environment);
        Self::conclude(report, table)
    }

    fn conclude(report: Report, table: Reading<Table>) -> Result<Self, Faults> {
        let config = table.and_then(|table| Section::root(&report, &table, read));
        let (config, warnings) = report.conclude(config)?;
        Ok(Self { warnings, ..config })
    }
}

/// Reads what a path of the command line stands for.
fn find_sources(report: &mut Report, path: &PathBuf) -> Reading<Vec<usize>> {
    let unreadable = |report: &Report, path: &PathBuf, error: source::FileError| {
        report.add(Fault::nowhere(format!("cannot read the configuration {}: {error}", show_path(path))))
    };
    let files = source::files(path).map_err(|error| unreadable(report, path, error))?;
    let mut sources = Vec::new();
    let mut outcome = Ok(());
    for file in files {
        match source::read_text(&file, MAX_CONFIG_FILE) {
            Ok(text) => sources.push(report.add_source(Source::new(file.display().to_string(), text))),
            Err(error) => outcome = Err(unreadable(report, &file, error)),
        }
    }
    outcome.map(|()| sources)
}

/// One tree of all sources; each is parsed, whatever became of the others.
fn join(report: &Report, sources: &[usize], environment: Environment<'_>) -> Reading<Table> {
    let trees: Vec<_> = sources.iter().map(|source| tree::parse(report, *source, environment)).collect();
    let mut joined = Table::default();
    for tree in trees {
        tree::merge(report, &mut joined, tree?);
    }
    Ok(joined)
}

/// Reads every section, then joins them.
fn read(root: &Section<'_>) -> Reading<Config> {
    let server = root.table_or_empty("server", "server", server::read_server);
    let log = root.table_or_empty("log", "log", server::read_log);
    let keys = root.table_or_empty("keys", "keys", session::read_keys);
    let store = root.table_or_empty("store", "store", session::read_store);
    let session = root.table_or_empty("session", "session", session::read_session);
    let providers = Providers::read(root);
    let apps = app::read_apps(root, &providers);
    let providers = providers.read.into_iter().collect::<Reading<Vec<_>>>();
    let (server, apps) = (server?, apps?);
    check_apps(root.report(), &server, &apps)?;
    let providers = keep_wanted_claims(providers?, &apps);
    store?;
    Ok(Config {
        server,
        log: log?,
        keys: keys?,
        session: session?,
        apps: apps.into_iter().map(|app| Arc::new(app.complete(&providers))).collect(),
        providers,
        warnings: Vec::new(),
    })
}

/// What only the server and the apps together can have wrong.
fn check_apps(report: &Report, server: &Server, apps: &[app::Draft]) -> Result<(), Reported> {
    let mut outcome = Ok(());
    for draft in apps {
        if let (Some(place), None) = (draft.certificate, &server.tls) {
            outcome = Err(report.add(
                Fault::at(place, "`[app.tls]` means nothing without `[server.tls]`")
                    .why("the listener speaks plain http, so no visitor would ever see this certificate")
                    .help("add [server.tls] with the certificate for every other name"),
            ));
        }
        let upstream = draft.app().upstream.host_port();
        let is_ours = |to: &HostPort| server.listen.iter().any(|listen| is_same(listen, &to.host, to.port));
        if upstream.is_some_and(is_ours) {
            outcome = Err(report.add(
                Fault::at(draft.upstream, "`upstream` is an address where Vestibule itself listens")
                    .why("each request would come back until none can be served"),
            ));
        }
    }
    neighbours::check(report, server, apps).and(outcome)
}

/// Whether a connection to a host and port ends at this listener.
fn is_same(listen: &Listen, host: &str, port: u16) -> bool {
    let Listen::Tcp(listen) = listen else { return false };
    let host = if host == "localhost" { "127.0.0.1" } else { host };
    let reaches = |address: IpAddr| address == listen.ip() || (listen.ip().is_unspecified() && address.is_loopback());
    listen.port() != 0 && listen.port() == port && host.parse().is_ok_and(reaches)
}

/// Sessions keep the claims that conditions of any app name, and no others.
fn keep_wanted_claims(providers: Vec<Provider>, apps: &[app::Draft]) -> Vec<Arc<Provider>> {
    let keep = |mut provider: Provider| {
        let wanted = apps.iter().flat_map(|app| app.wanted_claims(&provider.id));
        let mut kept: Vec<_> = wanted.map(str::to_owned).collect();
        kept.sort();
        kept.dedup();
        provider.kept_claims = kept;
        Arc::new(provider)
    };
    providers.into_iter().map(keep).collect()
}
