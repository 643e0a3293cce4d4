//! `vestibule health`: what an exec probe runs, where the ops listener is on loopback.
//!
//! Of the configuration only `server.ops_listen` is read, whatever else is wrong with
//! it: a new file that is faulty is no reason to kill the process that runs with the
//! old one.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode, header::HOST};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};

use super::{origin::FileArgs, output};
use crate::config::OpsAddress;

/// How long the whole question may take. Kubernetes gives a probe one second unless told otherwise; a longer wait would
/// only change who says that it took too long.
const PATIENCE: Duration = Duration::from_millis(900);

/// The longest answer that is read.
const MAX_ANSWER: usize = 64 << 10;

#[derive(Debug, Args)]
pub(super) struct Health {
    /// Ask whether visitors should be sent here (/readyz), not only whether it is alive (/livez)
    #[arg(long)]
    ready: bool,
    /// Where to ask, if not at the `ops_listen` of the configuration
    #[arg(long, value_name = "ADDRESS")]
    address: Option<SocketAddr>,
    #[command(flatten)]
    files: FileArgs,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// Is it alive?
    Live,
    /// Should visitors be sent here?
    Ready,
}

impl Question {
    const fn path(self) -> &'static str {
        match self {
            Self::Live => "/livez",
            Self::Ready => "/readyz",
        }
    }
}

/// Why it is not known to be well.
#[derive(Debug, Error)]
enum HealthError {
    #[error(
        "`ops_listen` is off, and that is what is asked: give it an address of the loopback, or probe a visitors' port"
    )]
    Off,
    #[error("`ops_listen` has port 0, which is any: name the real one with --address")]
    AnyPort,
    #[error("no answer from {0} within {PATIENCE:?}")]
    TooSlow(SocketAddr),
    #[error("{0} cannot be reached: {1}")]
    Unreachable(SocketAddr, #[source] std::io::Error),
    #[error("{0} does not answer as Vestibule does: {1}")]
    Stranger(SocketAddr, #[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("not ready: {0}")]
    NotReady(String),
}

impl Health {
    pub(super) fn run(self) -> ExitCode {
        let address = match (self.address, self.files.0.ops_address()) {
            (Some(address), _) => Ok(address),
            (None, Ok(OpsAddress::At(address))) => Ok(reachable(address)),
            (None, Ok(OpsAddress::AnyPort)) => Err(HealthError::AnyPort),
            (None, Ok(OpsAddress::Off)) => Err(HealthError::Off),
            (None, Err(faults)) => {
                output::complain(&faults.to_string());
                return output::fail("where to ask is not known: name it with --address");
            }
        };
        let question = if self.ready { Question::Ready } else { Question::Live };
        match address.and_then(|address| ask(address, question)) {
            Ok(answer) => output::answer(&format!("{answer}\n"), ExitCode::SUCCESS),
            Err(error) => output::fail(&error.to_string()),
        }
    }
}

/// Whoever listens on every address is asked on the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: SocketAddr, question: Question) -> Result<&'static str, HealthError> {
    let unreachable = |error| HealthError::Unreachable(address, error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unreachable)?;
    runtime.block_on(async {
        match timeout(PATIENCE, exchange(address, question)).await {
            Ok(answer) => answer,
            Err(_) => Err(HealthError::TooSlow(address)),
        }
    })
}

async fn exchange(address: SocketAddr, question: Question) -> Result<&'static str, HealthError> {
    let stranger = |error: hyper::Error| HealthError::Stranger(address, error.into());
    let stream = TcpStream::connect(address).await.map_err(|error| HealthError::Unreachable(address, error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(stranger)?;
    tokio::spawn(connection);
    let request = Request::get(question.path()).header(HOST, address.to_string()).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| HealthError::Stranger(address, error.into()))?;
    let answer = sender.send_request(request).await.map_err(stranger)?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|error| HealthError::Stranger(address, error))?.to_bytes();
    let readiness: Value = serde_json::from_slice(&body).unwrap_or_default();
    // Not the status alone: whatever else listens there may answer everything with 200.
    match (question, status, readiness["ready"].as_bool()) {
        (Question::Live, StatusCode::OK, _) if body.trim_ascii() == b"live" => Ok("live"),
        (Question::Ready, StatusCode::OK, Some(true)) => Ok("ready"),
        (Question::Ready, StatusCode::SERVICE_UNAVAILABLE, Some(false)) => {
            Err(HealthError::NotReady(checks(&readiness)))
        }
        _ => Err(HealthError::Stranger(address, format!("{} answers {status} in other words", question.path()).into())),
    }
}

/// The checks of `/readyz`, in a line.
fn checks(readiness: &Value) -> String {
    let checks = readiness["checks"].as_object().into_iter().flatten();
    let checks = checks.filter_map(|(what, how)| Some(format!("{what}: {}", how.as_str()?)));
    checks.collect::<Vec<_>>().join(", ")
}
