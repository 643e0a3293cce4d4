//! The configuration: read, judged and published as values that are valid by construction.
//!
//! The walk: [`origin`] finds the files and [`source`] reads them ([`files_read`] remembers
//! which), [`tree`] makes one tree of them, [`settings`] puts flags and variables over it,
//! each section's module takes its keys through [`section`], [`fault`] collects what is
//! wrong, and this module joins the sections. [`catalogue`] knows every key by name, for
//! messages, the schema and the reference.
//!
//! A file is read into a tree in which every value knows its place, each section
//! takes what it knows out of that tree, and whatever is wrong becomes a
//! fault with its place. All faults are reported together. What comes out,
//! [`Config`], has no further way to be wrong: patterns are compiled, secrets
//! are read, references between sections resolve.

use std::{collections::BTreeSet, fs, net::IpAddr, path::PathBuf, sync::Arc};

pub mod access;
pub mod app;
pub mod listen;
pub mod provider;
pub mod server;
pub mod session;
pub mod upstream;

mod catalogue;
mod fault;
mod files_read;
mod location;
mod mask;
mod neighbours;
mod origin;
mod path_pattern;
mod pem;
mod plain_path;
mod schema;
mod section;
mod settings;
mod source;
mod tree;
mod written;

#[cfg(test)]
mod tests;

pub use access::{Access, Condition, Policy, Route, RouteAccess};
pub use app::{App, AppLimits, BearerToken, Cache, Headers};
pub use fault::Faults;
pub use files_read::FilesRead;
pub use listen::{Listen, UnixPeers, UnixSocket};
pub use origin::{OpsAddress, Origin};
pub use provider::Provider;
pub use schema::schema;
pub use section::show_duration;
pub use server::{Limits, Log, LogFormat, ProxyProtocol, Server, Tls, TlsIdentity};
pub use session::{KeyMaterial, Session, SessionStore, SessionTimes};
pub use settings::{SETTINGS, Setting, Settings, Subject};
pub use written::Written;

use fault::{Fault, Report, Reported};
use provider::Providers;
use section::{Reading, Section, show_path};
use settings::Words;
use source::{MAX_CONFIG_FILE, Source};
use tree::{Environment, Table};
use upstream::{HostPort, UpstreamUrl};

/// Everything that `serve` needs to know.
#[derive(Debug)]
pub struct Config {
    /// `[server]`
    pub server: Arc<Server>,
    /// `[log]`
    pub log: Log,
    /// `[keys]`, first the key that seals; empty = made at start, for the life of the process.
    pub keys: Vec<KeyMaterial>,
    /// `[session]`
    pub session: Session,
    /// `[[provider]]`, at least one.
    pub providers: Vec<Arc<Provider>>,
    /// `[[app]]`, at least one.
    pub apps: Vec<Arc<App>>,
    /// What is allowed and still deserves a line at start.
    pub warnings: Vec<String>,
    /// What it was read from.
    pub files: FilesRead,
}

impl Config {
    /// Reads files, and the `*.toml` files of folders in the order of their names, as one configuration.
    pub fn load(paths: &[PathBuf]) -> Result<Self, Faults> {
        Self::read(&Origin { files: paths.to_vec(), settings: Settings::default() })
    }

    /// Reads files and folders as one configuration, and what flags and variables say over it.
    pub fn read(origin: &Origin) -> Result<Self, Faults> {
        let mut report = Report::default();
        let mut taken = BTreeSet::new();
        let found: Vec<_> = origin.files.iter().map(|path| find_sources(&mut report, path, &mut taken)).collect();
        let sources = found.into_iter().collect::<Reading<Vec<_>>>();
        let words = Words::add_to(&mut report, &origin.settings);
        let table = sources.map(|sources| sources.concat()).and_then(|sources| {
            if sources.is_empty() && !origin.settings.describe_an_app() {
                return Err(report.add(origin::says_nothing()));
            }
            let mut tree = join(&report, &sources, &|name| std::env::var_os(name))?;
            words.go_over(&report, &mut tree);
            Ok(tree)
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
        let (config, warnings, files) = report.conclude(config)?;
        Ok(Self { warnings, files, ..config })
    }
}

/// Reads what a path of the command line stands for; each file once.
fn find_sources(report: &mut Report, path: &PathBuf, taken: &mut BTreeSet<PathBuf>) -> Reading<Vec<usize>> {
    let unreadable = |report: &Report, path: &PathBuf, error: source::FileError| {
        report.add(Fault::nowhere(format!("cannot read the configuration {}: {error}", show_path(path))))
    };
    let files = report.find_files(path).map_err(|error| unreadable(report, path, error))?;
    let mut sources = Vec::new();
    let mut outcome = Ok(());
    for file in files {
        if !taken.insert(fs::canonicalize(&file).unwrap_or_else(|_| file.clone())) {
            let title = format!("the configuration {} is given twice", show_path(&file));
            let fault = Fault::nowhere(title).why("everything in it would be set twice");
            outcome = Err(report.add(fault.help("name each file once, or the folder that it is in")));
            continue;
        }
        match report.read_text(&file, MAX_CONFIG_FILE) {
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
    let apps = app::read_apps(root, &providers, session.as_ref().map_err(|reported| *reported));
    let providers = providers.read.into_iter().collect::<Reading<Vec<_>>>();
    let (server, mut apps) = (server?, apps?);
    check_apps(root.report(), &server, &apps)?;
    app::callback_url::join(root.report(), &server.prefix, &mut apps)?;
    app::sign_out::warn_of_sign_ins_elsewhere(root.report(), &apps);
    let providers = providers?;
    let open: Vec<_> = apps.iter().map(|app| app.check_openness(root.report(), &providers)).collect();
    open.into_iter().collect::<Reading<()>>()?;
    let providers = keep_what_is_wanted(providers, &apps);
    store?;
    let session = session?;
    let longest = apps.iter().map(|draft| draft.app().session.times).fold(session.times, SessionTimes::longest);
    Ok(Config {
        server: Arc::new(server),
        log: log?,
        keys: keys?,
        session: Session { store: session.store, longest },
        apps: apps.into_iter().map(|app| Arc::new(app.complete(root.report(), &providers))).collect(),
        providers,
        warnings: Vec::new(),
        files: FilesRead::default(),
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
        let Some(place) = draft.upstream else {
            if server.trusted_proxies.is_empty() && server.unix_peers == UnixPeers::Untrusted {
                outcome = Err(report.add(missing_upstream(draft)));
            }
            continue;
        };
        let upstream = draft.app().upstream.as_ref().and_then(UpstreamUrl::host_port);
        let is_ours = |to: &HostPort| server.listen.iter().any(|listen| is_same(listen, &to.host, to.port));
        if upstream.is_some_and(is_ours) {
            outcome = Err(report.add(
                Fault::at(place, "`upstream` is an address where Vestibule itself listens")
                    .why("each request would come back until none can be served"),
            ));
        }
    }
    neighbours::check(report, server, apps).and(outcome)
}

/// Without an upstream only a trusted proxy can make use of an app, and there is none.
fn missing_upstream(draft: &app::Draft) -> Fault {
    Fault::at(draft.place, "`upstream` is missing in `[[app]]`")
        .why("without it only a proxy in front can make use of the app (forward-auth), and `server.trusted_proxies` names none")
        .help("write, for example: upstream = \"http://127.0.0.1:8080\"")
        .absence(draft.place, &["upstream"])
}

/// Whether a connection to a host and port ends at this listener.
fn is_same(listen: &Listen, host: &str, port: u16) -> bool {
    let Listen::Tcp(listen) = listen else { return false };
    let host = if host == "localhost" { "127.0.0.1" } else { host };
    let reaches = |address: IpAddr| address == listen.ip() || (listen.ip().is_unspecified() && address.is_loopback());
    listen.port() != 0 && listen.port() == port && host.parse().is_ok_and(reaches)
}

/// Sessions keep the claims and tokens that some app wants, and no others.
fn keep_what_is_wanted(providers: Vec<Provider>, apps: &[app::Draft]) -> Vec<Arc<Provider>> {
    let keep = |mut provider: Provider| {
        let wanted = apps.iter().flat_map(|app| app.wanted_claims(&provider.id));
        let mut kept: Vec<_> = wanted.map(str::to_owned).collect();
        kept.sort();
        kept.dedup();
        provider.kept_claims = kept;
        let is_handed_over = |token: &BearerToken| {
            apps.iter().any(|app| app.is_for(&provider.id) && app.app().headers.hands_over(*token))
        };
        provider.kept_tokens =
            [BearerToken::IdToken, BearerToken::AccessToken].into_iter().filter(is_handed_over).collect();
        Arc::new(provider)
    };
    providers.into_iter().map(keep).collect()
}
