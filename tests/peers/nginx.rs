//! nginx as a process, with a configuration that the test writes, and what it was asked.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::{address::own_address, process::Process};

/// What each line of its access log says, as JSON.
const RECORD: &str = r#"log_format record escape=json '{"asked":"$request","status":"$status","host":"$http_host",'
    '"user":"$http_x_forwarded_user","forwarded_for":"$http_x_forwarded_for","proto":"$http_x_forwarded_proto",'
    '"length":"$http_content_length","coding":"$http_transfer_encoding","range":"$http_range",'
    '"expect":"$http_expect","cookie":"$http_cookie","sent":"$body_bytes_sent"}';"#;

/// A running nginx; it ends with this value.
#[derive(Debug)]
pub(crate) struct Nginx {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    process: Process,
    folder: TempDir,
}

/// An nginx whose folder and address are known, and which does not run yet.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Where it will listen.
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

impl Nginx {
    /// Chooses an address and makes a folder.
    pub(crate) fn plan() -> Planned {
        Planned { address: own_address(), folder: tempfile::tempdir().expect("a temporary folder can be made") }
    }

    /// Waits for the record of a request that `find` makes something of: it is written after the answer is out.
    pub(crate) async fn asked<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        self.process.line(what, |line| find(&serde_json::from_str(line).ok()?)).await
    }

    /// Everything that it was asked so far and has answered.
    pub(crate) fn record(&self) -> Vec<Value> {
        self.process.output().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Planned {
    /// Where its files will be: `html` is what it serves.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it. `http` is what comes into `http {}`, `ADDRESS` stands for where to listen.
    pub(crate) async fn start(self, http: &str) -> Nginx {
        let Self { address, folder } = self;
        let path = folder.path().display();
        let configuration = format!(
            "daemon off; master_process off; pid {path}/pid; error_log stderr notice;\n\
             events {{ worker_connections 256; }}\n\
             http {{\n{RECORD}\naccess_log /dev/stdout record; default_type application/octet-stream;\n\
             client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;\n\
             uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;\n{}\n}}\n",
            http.replace("ADDRESS", &address.to_string())
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration).expect("a file in a folder of our own");
        let mut command = Command::new("nginx");
        command.arg("-e").arg("stderr").arg("-p").arg(folder.path()).arg("-c").arg(&file);
        let process = Process::start("nginx", &mut command);
        // It listens before it chooses how to wait.
        process.line("that it serves", |line| line.contains("event method").then_some(())).await;
        Nginx { address, process, folder }
    }
}
