//! A program under test, or one that helps: what it prints is read line by line, it is
//! killed and reaped when its owner goes, and a failing test shows what it said.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

/// How long anything may take that a test waits for. Never reached by a passing test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running child.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    lines: watch::Receiver<Vec<String>>,
}

impl Process {
    /// Starts it. Its standard input stays open for as long as this value lives.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(|e| {
                panic!("{name} does not start ({e}): {command:?}; tests/run installs what is missing")
            });
        let (said, lines) = watch::channel(Vec::new());
        read_lines(child.stdout.take().expect("standard output is piped"), said.clone());
        read_lines(child.stderr.take().expect("standard error is piped"), said);
        Self { name, child, lines }
    }

    /// Waits until it has printed a line that `find` makes something of.
    pub(crate) async fn line<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let mut lines = self.lines.clone();
        let mut found = None;
        let waited = timeout(
            PATIENCE,
            lines.wait_for(|lines| {
                found = lines.iter().find_map(|line| find(line));
                found.is_some()
            }),
        )
        .await
        .map(|heard| heard.is_ok());
        match (found, waited) {
            (Some(found), _) => found,
            (None, Ok(_)) => panic!("{} ended and never said {what}", self.name),
            (None, Err(_)) => panic!("{} did not say {what} within {PATIENCE:?}", self.name),
        }
    }

    /// Asks it to stop. By the shell, because the standard library has no way and `unsafe` is forbidden.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("sh").args(["-c", "kill -s TERM \"$0\"", &self.child.id().to_string()]).status();
        assert!(sent.expect("there is a shell").success(), "{} could not be told to stop", self.name);
    }

    /// How it ended.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        let mut lines = self.lines.clone();
        let closed = timeout(PATIENCE, async { while lines.changed().await.is_ok() {} }).await;
        assert!(closed.is_ok(), "{} did not end within {PATIENCE:?}", self.name);
        self.child.wait().expect("a child that has closed its outputs can be waited for")
    }

    /// By what the system knows it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has printed so far.
    pub(crate) fn output(&self) -> String {
        self.lines.borrow().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both can only fail where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("---- {} said ----\n{}", self.name, self.output());
        }
    }
}

/// A thread, not a task: a pipe that nobody empties while a test computes would block the child.
fn read_lines(from: impl Read + Send + 'static, to: watch::Sender<Vec<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            to.send_modify(|lines| lines.push(line));
        }
    });
}
