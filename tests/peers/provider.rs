//! npm `oidc-provider` as a process, and the calls that it received.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, process::Command};

use serde::Deserialize;
use serde_json::json;

use crate::{process::Process, visitor};

/// How we are registered there.
pub(crate) const CLIENT_ID: &str = "vestibule tests";
/// Every character that form encoding (RFC 6749 §2.3.1) or a header could get wrong.
pub(crate) const CLIENT_SECRET: &str = "colon: plus+ percent% and& slash/ equals=";

/// The running provider.
#[derive(Debug)]
pub(crate) struct Provider {
    /// Where it listens; its issuer follows from it.
    pub(crate) address: SocketAddr,
    _process: Process,
}

/// One call to the provider, by a browser or by Vestibule.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) form: BTreeMap<String, String>,
    pub(crate) authorization: String,
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) location: String,
}

impl Provider {
    /// Starts it for an app with this origin. Started again on the same address it is
    /// the same issuer with new keys and no memory of anybody.
    pub(crate) async fn start(address: SocketAddr, app_origin: &str) -> Self {
        let settings = json!({
            "host": address.ip(),
            "port": address.port(),
            "client": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "redirect_uris": [format!("{app_origin}/_vestibule/callback")],
                "post_logout_redirect_uris": [format!("{app_origin}/_vestibule/signed_out")],
            },
        });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/provider/provider.mjs");
        let process = Process::start("the provider", Command::new("node").arg(script).arg(settings.to_string()));
        process.line(r#"{"listening": …}"#, |line| line.starts_with(r#"{"listening""#).then_some(())).await;
        Self { address, _process: process }
    }

    /// Its issuer identifier.
    pub(crate) fn issuer(&self) -> String {
        issuer(self.address)
    }

    /// Every call that it has answered, oldest first.
    pub(crate) async fn calls(&self) -> Vec<Call> {
        let answer = visitor::get(&format!("{}/calls", self.issuer())).await;
        serde_json::from_slice(&answer.body).expect("the provider lists its calls as JSON")
    }

    /// The calls to one of its endpoints.
    pub(crate) async fn calls_to(&self, path: &str) -> Vec<Call> {
        self.calls().await.into_iter().filter(|call| call.path == path).collect()
    }
}

/// The issuer identifier of a provider at an address, running or not.
pub(crate) fn issuer(address: SocketAddr) -> String {
    format!("http://{address}")
}
