//! Bodies of any size in a bounded amount of memory: that of the real program, as the
//! kernel counts it. What is sent is more than any buffer that could have been forgotten.

use std::fs;

use crate::{curl::curl, deployment::Plan, process::Process};

/// 256 MiB
const LARGE: usize = 256 * 1024 * 1024;

/// What the program may grow by, in KiB: sockets' buffers are the kernel's, ours are small.
const GROWTH: u64 = 16 * 1024;

/// The most memory that it has ever held, in KiB.
fn peak(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).expect("it runs, and this is Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    peak.unwrap_or_else(|| panic!("no peak in {status}"))
}

#[tokio::test]
async fn large_bodies_pass_in_constant_memory_both_ways() {
    let deployment = Plan::usual().public().start().await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("large");
    fs::File::create(&file).and_then(|file| file.set_len(LARGE as u64)).expect("a file of holes takes no room");
    let upload = file.to_str().expect("a plain path");
    // Once small, so that what is made once is made.
    assert_eq!(curl(&[&deployment.url("/zeros/1000000")]).await.body.len(), 1_000_000);
    assert_eq!(curl(&["--data-binary", "x", &deployment.url("/count")]).await.text(), "1 bytes");
    let before = peak(&deployment.vestibule);

    let url = deployment.url("/count");
    for (what, arguments) in [
        ("up, with a length", &["--upload-file", upload][..]),
        ("up, in chunks", &["--upload-file", upload, "--header", "Transfer-Encoding: chunked"]),
    ] {
        let answer = curl(&[arguments, &[&*url]].concat()).await;
        assert_eq!((answer.exit, answer.text()), (Some(0), format!("{LARGE} bytes")), "{what}: {answer:?}");
        let grown = peak(&deployment.vestibule) - before;
        assert!(grown < GROWTH, "{what}: it has grown by {grown} KiB");
    }
    let url = deployment.url(&format!("/zeros/{LARGE}"));
    let answer = curl(&["--output", "/dev/null", "--write-out", "%{size_download}", &url]).await;
    assert_eq!((answer.exit, answer.text()), (Some(0), LARGE.to_string()), "down: {answer:?}");
    let grown = peak(&deployment.vestibule) - before;
    assert!(grown < GROWTH, "down: it has grown by {grown} KiB");
}
