//! Everything that a sign-in takes: a provider, the app, and Vestibule before it.

use std::{fs, net::SocketAddr, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    address::own_address,
    app::App,
    process::Process,
    provider::{self, CLIENT_ID, CLIENT_SECRET, Provider},
    visitor,
};

/// Who may enter, unless a test has its own rules: the domain of ada, grace and uma,
/// who must have proved it, which uma has not.
const ACCESS: &str = r#"
    policy = "listed"
    allow = [{ email_domain = "example.com" }]
"#;

/// Vestibule with its app, before a provider that may or may not be there.
#[derive(Debug)]
pub(crate) struct Deployment {
    /// The app behind it.
    pub(crate) app: App,
    /// The app's public URL, without a slash at its end: its origin, unless it lies below a path.
    pub(crate) origin: String,
    /// Where the provider is, or will be.
    pub(crate) provider_address: SocketAddr,
    /// Where `/readyz` is.
    pub(crate) ops: SocketAddr,
    /// The real binary, for what it says.
    pub(crate) vestibule: Process,
    _configuration: TempDir,
}

/// What is deployed, and where. Further lines go to the end of their section.
#[derive(Debug)]
pub(crate) struct Plan {
    listen: SocketAddr,
    public_url: String,
    provider_address: SocketAddr,
    upstream: Option<String>,
    server: String,
    tls: String,
    app: String,
    routes: String,
}

impl Plan {
    /// Vestibule alone between a provider's address and the tests' own app.
    pub(crate) fn usual() -> Self {
        let (listen, provider_address) = (own_address(), own_address());
        let public_url = format!("http://{listen}");
        let none = String::new;
        Self {
            listen,
            public_url,
            provider_address,
            upstream: None,
            server: none(),
            tls: none(),
            app: none(),
            routes: none(),
        }
    }

    /// Where Vestibule will listen.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where the provider will be.
    pub(crate) fn provider(self, provider_address: SocketAddr) -> Self {
        Self { provider_address, ..self }
    }

    /// Somebody stands in front, and visitors know that one's address.
    pub(crate) fn public_url(self, public_url: &str) -> Self {
        Self { public_url: public_url.to_owned(), ..self }
    }

    /// A path that the app lies below.
    pub(crate) fn public_path(self, path: &str) -> Self {
        Self { public_url: format!("{}{path}", self.public_url), ..self }
    }

    /// `[[app]]`
    pub(crate) fn app(self, lines: &str) -> Self {
        Self { app: format!("{}{lines}\n", self.app), ..self }
    }

    /// Another upstream than the tests' own app.
    pub(crate) fn upstream(self, upstream: &str) -> Self {
        Self { upstream: Some(upstream.to_owned()), ..self }
    }

    /// `[server.tls]`, and a public URL in https.
    pub(crate) fn tls(self, lines: &str) -> Self {
        let public_url = self.public_url.replacen("http://", "https://", 1);
        Self { tls: format!("[server.tls]\n{lines}\n"), public_url, ..self }
    }

    /// `[server]`
    pub(crate) fn server(self, lines: &str) -> Self {
        Self { server: format!("{}{lines}\n", self.server), ..self }
    }

    /// `[[app.route]]`s, with their headings.
    pub(crate) fn routes(self, tables: &str) -> Self {
        Self { routes: tables.to_owned(), ..self }
    }

    /// Everything is public: for tests that are about something else than who enters.
    pub(crate) fn public(self) -> Self {
        self.routes("[[app.route]]\npath = \"/**\"\naccess = \"public\"\n")
    }

    /// Starts a provider first, and waits until a visitor may come.
    pub(crate) async fn start_with_provider(self) -> (Deployment, Provider) {
        let provider = Provider::start(self.provider_address, &self.public_url).await;
        (self.start().await, provider)
    }

    /// Starts the app and Vestibule; the provider is the caller's affair.
    pub(crate) async fn start(self) -> Deployment {
        let app = App::start(own_address()).await;
        self.start_before(app).await
    }

    /// The same before an app that runs already.
    pub(crate) async fn start_before(self, app: App) -> Deployment {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("vestibule.toml");
        fs::write(&file, self.configuration(app.address)).expect("it can be written to");
        let vestibule = Process::start(
            "vestibule",
            Command::new(env!("CARGO_BIN_EXE_vestibule")).arg("serve").arg("--config").arg(&file),
        );
        let ops = vestibule.line("that it is listening", listening).await;
        let Self { public_url, provider_address, .. } = self;
        Deployment { app, origin: public_url, provider_address, ops, vestibule, _configuration: folder }
    }

    fn configuration(&self, app: SocketAddr) -> String {
        let Self { listen, public_url, provider_address, server, tls, app: lines, routes, .. } = self;
        let upstream = self.upstream.clone().unwrap_or_else(|| format!("http://{app}"));
        let issuer = provider::issuer(*provider_address);
        format!(
            r#"
[server]
listen = ["{listen}"]
ops_listen = "127.0.0.1:0"
workers = 1
{server}
{tls}
[log]
level = "debug"
format = "json"

[store]
url = "memory:"

[[provider]]
id = "peer"
issuer = "{issuer}"
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"

[[app]]
id = "app"
public_url = "{public_url}"
upstream = "{upstream}"
{lines}
[app.access]
{ACCESS}
{routes}"#
        )
    }
}

impl Deployment {
    /// Starts a provider, the app and Vestibule, and waits until a visitor may come.
    pub(crate) async fn start() -> (Self, Provider) {
        Plan::usual().start_with_provider().await
    }

    /// An address of the app.
    pub(crate) fn url(&self, target: &str) -> String {
        format!("{}{target}", self.origin)
    }

    /// The number of one series of `/metrics`.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let answer = visitor::get(&format!("http://{}/metrics", self.ops)).await;
        let value = answer.text().lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {series} in {}", answer.text()))
    }
}

/// The ops address out of the line that says that visitors may come.
fn listening(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    (fields["message"] == "listening").then(|| fields["ops"].as_str()?.parse().ok()).flatten()
}
