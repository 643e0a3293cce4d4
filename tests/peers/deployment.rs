//! Everything that a sign-in takes: a provider, the app, and Vestibule before it.

use std::{fs, net::SocketAddr, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    address::own_address,
    app::App,
    process::Process,
    provider::{self, CLIENT_ID, CLIENT_SECRET, Provider},
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
    /// The app's public URL, without a slash at its end.
    pub(crate) origin: String,
    /// Where the provider is, or will be.
    pub(crate) provider_address: SocketAddr,
    /// The real binary.
    pub(crate) vestibule: Vestibule,
}

/// The real binary with its configuration.
#[derive(Debug)]
pub(crate) struct Vestibule {
    /// For what it says, and to stop it.
    pub(crate) process: Process,
    /// Where `/readyz` is.
    pub(crate) ops: SocketAddr,
    _configuration: TempDir,
}

/// Starts it before an upstream, and waits until a visitor may come.
pub(crate) async fn serve(public: SocketAddr, provider_address: SocketAddr, upstream: SocketAddr) -> Vestibule {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("vestibule.toml");
    fs::write(&file, configuration(public, provider_address, upstream)).expect("it can be written to");
    let process = Process::start(
        "vestibule",
        Command::new(env!("CARGO_BIN_EXE_vestibule")).arg("serve").arg("--config").arg(&file),
    );
    let ops = process.line("that it is listening", listening).await;
    Vestibule { process, ops, _configuration: folder }
}

impl Deployment {
    /// Starts a provider, the app and Vestibule, and waits until a visitor may come.
    pub(crate) async fn start() -> (Self, Provider) {
        let (provider_address, public) = (own_address(), own_address());
        let provider = Provider::start(provider_address, &format!("http://{public}")).await;
        let deployment = Self::start_at(public, provider_address).await;
        (deployment, provider)
    }

    /// Starts the app and Vestibule; the provider is the caller's affair.
    pub(crate) async fn start_at(public: SocketAddr, provider_address: SocketAddr) -> Self {
        let app = App::start(own_address()).await;
        let vestibule = serve(public, provider_address, app.address).await;
        Self { app, origin: format!("http://{public}"), provider_address, vestibule }
    }

    /// An address of the app.
    pub(crate) fn url(&self, target: &str) -> String {
        format!("{}{target}", self.origin)
    }
}

/// The ops address out of the line that says that visitors may come.
fn listening(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    (fields["message"] == "listening").then(|| fields["ops"].as_str()?.parse().ok()).flatten()
}

fn configuration(public: SocketAddr, provider_address: SocketAddr, app: SocketAddr) -> String {
    let issuer = provider::issuer(provider_address);
    format!(
        r#"
[server]
listen = ["{public}"]
ops_listen = "127.0.0.1:0"
workers = 1
drain_delay = "0s"

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
public_url = "http://{public}"
upstream = "http://{app}"

[app.access]
{ACCESS}
"#
    )
}
