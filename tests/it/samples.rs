//! Every sample below `config/` starts, as the real binary.

use std::{fs, path::Path};

use futures_util::future::join_all;

use crate::harness::binary::Process;

/// Ports that nobody else has: tables of several files join.
const PORTS: &str = "[server]\nlisten = [\"127.0.0.1:0\"]\nops_listen = \"127.0.0.1:0\"\n";

/// A sample without its own ports.
fn without_ports(sample: &str) -> String {
    let is_port = |line: &&str| !line.starts_with("listen = ") && !line.starts_with("ops_listen = ");
    sample.lines().filter(is_port).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_binary_starts_with_every_sample() {
    let pair = |name: &str| {
        let pair = rcgen::generate_simple_self_signed([format!("{name}.example.com")]).expect("a certificate");
        (pair.cert.pem(), pair.signing_key.serialize_pem())
    };
    let ((tls, tls_key), (metrics, metrics_key)) = (pair("tls"), pair("metrics"));
    let samples = fs::read_dir("config").expect("the samples").map(|entry| entry.expect("a sample").path());
    let samples: Vec<_> = samples.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    assert!(samples.len() >= 9, "{samples:?}");
    let run = async |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in ASCII");
        let sample = without_ports(&fs::read_to_string(path).expect("a sample"));
        let log = if sample.contains("\n[log]") { "" } else { "[log]\nformat = \"json\"\n" };
        let files = [
            ("sample.toml", sample.replace("level = \"error\"", "level = \"info\"")),
            ("ports.toml", format!("{PORTS}{log}")),
            ("tls.crt", tls.clone()),
            ("tls.key", tls_key.clone()),
            ("metrics.crt", metrics.clone()),
            ("metrics.key", metrics_key.clone()),
            ("client-secret", "s3cr3t\n".to_owned()),
            ("company-secret", "s3cr3t\n".to_owned()),
            ("partners-secret", "s3cr3t\n".to_owned()),
        ];
        let files = files.each_ref().map(|(name, content)| (*name, content.as_str()));
        let process = Process::run(&["serve", "--config", "sample.toml", "--config", "ports.toml"], &files);
        process.line(name, |line| line.contains("listening").then_some(())).await;
        // It is killed when it is dropped: how it ends otherwise, other tests see.
    };
    join_all(samples.iter().map(|path| run(path))).await;
}
