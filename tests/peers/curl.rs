//! `curl` as people use it: run to its end, with what it printed.

use std::{
    fmt,
    io::Write as _,
    process::{Command, Output, Stdio},
};

use tokio::task::spawn_blocking;

/// What came of it.
pub(crate) struct Curled {
    /// How curl ended: 0 where it was content.
    pub(crate) exit: Option<i32>,
    /// The status of the last answer.
    pub(crate) status: u16,
    /// The heads of all answers, 100s and redirects included, without carriage returns.
    pub(crate) heads: String,
    /// The body, as curl wrote it.
    pub(crate) body: Vec<u8>,
    /// What curl complained about.
    pub(crate) complaint: String,
}

/// The text alone: a failing test should be readable.
impl fmt::Debug for Curled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "curl ended with {:?}: {:?}\n{}\n{:.2000}", self.exit, self.complaint, self.heads, self.text())
    }
}

impl Curled {
    /// A field of the last answer's head.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let last = self.heads.trim_end().rsplit("\n\n").next()?;
        last.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Runs curl with these arguments.
pub(crate) async fn curl(arguments: &[&str]) -> Curled {
    curl_reading(arguments, Vec::new()).await
}

/// The same with something on its standard input.
pub(crate) async fn curl_reading(arguments: &[&str], input: Vec<u8>) -> Curled {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let heads = folder.path().join("heads");
    let mut command = Command::new("curl");
    // Not the configuration of whoever runs the tests, and no proxy of theirs.
    command.args(["--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "--dump-header"]);
    command.arg(&heads).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = spawn_blocking(move || -> std::io::Result<Output> {
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().expect("it is piped");
        // Who has its answer reads no further: that is curl's affair.
        let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output();
        drop(feeding.join());
        output
    });
    let output = output.await.expect("it did not panic").expect("curl runs; tests/run installs it where it is missing");
    let heads = std::fs::read_to_string(&heads).unwrap_or_default().replace('\r', "");
    let last = heads.trim_end().rsplit("\n\n").next().unwrap_or_default();
    let status = last.split(' ').nth(1).and_then(|status| status.trim().parse().ok()).unwrap_or_default();
    Curled {
        exit: output.status.code(),
        status,
        body: output.stdout,
        complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
        heads,
    }
}
