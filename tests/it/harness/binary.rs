//! The real program: its command line, its output, its signals, its exit.

use std::{
    env,
    ffi::OsString,
    future::pending,
    net::SocketAddr,
    os::fd::OwnedFd,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
};

use super::{Door, patiently};

/// A signal that stops a process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Terminate,
    Interrupt,
    HangUp,
}

impl Signal {
    const fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Interrupt => "INT",
            Self::HangUp => "HUP",
        }
    }
}

/// What surrounds the program when it is started by more than its name.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// What a shell does before it becomes the program.
    shell: String,
    stdin: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    variables: Vec<(String, String)>,
}

impl Surroundings {
    /// A shell that has done this.
    pub(crate) fn after(shell: &str) -> Self {
        Self { shell: shell.to_owned(), ..Self::default() }
    }

    /// What systemd does with the sockets of a `.socket` unit: they are descriptors 3 and 4 (`sd_listen_fds(3)`).
    /// A shell moves them there, because the standard library passes on three descriptors only.
    pub(crate) fn with_sockets(sockets: Vec<OwnedFd>, names: &str) -> Self {
        let moved = match sockets.len() {
            1 => "exec 3<&0 </dev/null",
            2 => "exec 3<&0 </dev/null 4<&2 2>/dev/null",
            number => panic!("{number} sockets are not in any test"),
        };
        let said = format!("export LISTEN_PID=$$ LISTEN_FDS={} LISTEN_FDNAMES={names}", sockets.len());
        let mut sockets = sockets.into_iter();
        Self { shell: format!("{moved}; {said}"), stdin: sockets.next(), stderr: sockets.next(), ..Self::default() }
    }

    /// An environment with these variables.
    pub(crate) fn with_variables(variables: Vec<(String, String)>) -> Self {
        Self { variables, ..Self::default() }
    }
}

/// A run of the program; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    lines: watch::Receiver<Vec<String>>,
    /// Whether anybody reads what it prints.
    heard: Arc<AtomicBool>,
    folder: TempDir,
}

impl Process {
    /// Reads nothing more of what it prints, and leaves its outputs open: they fill up.
    pub(crate) fn stop_listening(&self) {
        self.heard.store(false, Ordering::Relaxed);
    }

    /// How it ended, for those who do not listen any more.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        patiently("its end", self.child.wait()).await.expect("it can be waited for")
    }

    /// Runs it with these arguments, in a folder of its own that holds these files.
    pub(crate) fn run(arguments: &[&str], files: &[(&str, &str)]) -> Self {
        Self::run_in(Surroundings::default(), arguments, files)
    }

    /// The same, started by something else than a test.
    pub(crate) fn run_in(surroundings: Surroundings, arguments: &[&str], files: &[(&str, &str)]) -> Self {
        let folder = folder_with(files);
        let Surroundings { shell, stdin, stderr, variables } = surroundings;
        let mut command = if shell.is_empty() {
            Command::new(env!("CARGO_BIN_EXE_vestibule"))
        } else {
            let mut command = Command::new("sh");
            // The program takes the shell's place, and keeps its process id.
            command.args(["-c", &format!("{shell}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_vestibule")]);
            command
        };
        command.args(arguments).current_dir(folder.path());
        own_environment(&mut command, variables);
        command.stdin(stdin.map_or_else(Stdio::null, Stdio::from)).stdout(Stdio::piped());
        command.stderr(stderr.map_or_else(Stdio::piped, Stdio::from)).kill_on_drop(true);
        let mut child = command.spawn().expect("cargo has built the program");
        let (said, lines) = watch::channel(Vec::new());
        let heard = Arc::new(AtomicBool::new(true));
        read_lines(child.stdout.take().expect("it is piped"), said.clone(), &heard);
        if let Some(stderr) = child.stderr.take() {
            read_lines(stderr, said, &heard);
        }
        Self { child, lines, heard, folder }
    }

    /// Waits for a line that `find` makes something of.
    pub(crate) async fn line<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let mut lines = self.lines.clone();
        let mut found = None;
        let said = patiently(what, async {
            let heard = lines.wait_for(|lines| {
                found = lines.iter().find_map(|line| find(line));
                found.is_some()
            });
            heard.await.is_ok()
        })
        .await;
        match found {
            Some(found) => found,
            None => panic!("it ended (or closed its output: {said}) without {what}:\n{}", self.output()),
        }
    }

    /// Waits for a JSON line that `find` makes something of.
    pub(crate) async fn event<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        self.line(what, |line| find(&serde_json::from_str(line).ok()?)).await
    }

    /// The folder that it runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All that it has printed so far, on either output.
    pub(crate) fn output(&self) -> String {
        self.lines.borrow().join("\n")
    }

    /// How much memory it has in use (Linux' `VmRSS`).
    pub(crate) fn resident_kibibytes(&self) -> usize {
        let id = self.child.id().expect("it has not been waited for");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
    }

    /// Sends a signal. By the shell, because the standard library has no way and `unsafe` is forbidden.
    pub(crate) async fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("it has not been waited for");
        let sent =
            Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal.name(), &id.to_string()]).status().await;
        assert!(sent.expect("there is a shell").success(), "{signal:?} could not be sent");
    }

    /// The most memory that it has had at a time, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let id = self.child.id().expect("it has not been waited for");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("Linux knows its processes");
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak.map(|kilobytes: u64| kilobytes * 1024).expect("and their memory")
    }

    /// How much memory it holds, in KiB.
    pub(crate) fn resident_kib(&self) -> usize {
        let id = self.child.id().expect("it has not been waited for");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a process that runs has a status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        resident.and_then(|kib| kib.parse().ok()).expect("Linux says how much is resident")
    }

    /// How it ended, and all that it printed until then.
    pub(crate) async fn end(&mut self) -> (ExitStatus, String) {
        let status = patiently("its end", self.child.wait()).await.expect("it can be waited for");
        let mut lines = self.lines.clone();
        // Both readers have gone once both outputs are read to their end.
        patiently("the end of its output", async { while lines.changed().await.is_ok() {} }).await;
        (status, self.output())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("---- vestibule said ----\n{}", self.output());
        }
    }
}

fn read_lines(from: impl AsyncRead + Unpin + Send + 'static, to: watch::Sender<Vec<String>>, heard: &Arc<AtomicBool>) {
    let heard = Arc::clone(heard);
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            if !heard.load(Ordering::Relaxed) {
                pending::<()>().await;
            }
            to.send_modify(|lines| lines.push(String::from_utf8_lossy(&line).into_owned()));
        }
    });
}

fn folder_with(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).expect("a file in a folder of our own");
    }
    folder
}

/// Leaves out what the program would heed of the environment that the tests run in.
fn own_environment(command: &mut Command, variables: Vec<(String, String)>) {
    let heeded = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("VESTIBULE_") || ["RUST_LOG", "NO_COLOR", "COLUMNS"].contains(&name.as_ref())
    };
    for name in env::vars_os().map(|(name, _)| name).filter(heeded) {
        command.env_remove(name);
    }
    command.envs(variables);
}

/// A run that ends by itself, with its two outputs apart.
#[derive(Default)]
pub(crate) struct Call<'c> {
    /// After the program's name.
    pub(crate) arguments: &'c [&'c str],
    /// In the folder that it runs in.
    pub(crate) files: &'c [(&'c str, &'c str)],
    /// Beside those of the tests themselves.
    pub(crate) variables: &'c [(&'c str, &'c str)],
    /// Where it writes instead of into these tests.
    pub(crate) stdout: Option<OwnedFd>,
    /// The same.
    pub(crate) stderr: Option<OwnedFd>,
}

/// What a run has come to.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Call<'_> {
    pub(crate) async fn end(self) -> Said {
        let folder = folder_with(self.files);
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command.args(self.arguments).current_dir(folder.path());
        let variables = self.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        own_environment(&mut command, variables.collect());
        command.stdin(Stdio::null()).stdout(self.stdout.map_or_else(Stdio::piped, Stdio::from));
        command.stderr(self.stderr.map_or_else(Stdio::piped, Stdio::from)).kill_on_drop(true);
        let child = command.spawn().expect("cargo has built the program");
        let output = patiently("its end", child.wait_with_output()).await.expect("it can be waited for");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
        Said { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// `vestibule serve`, up and running.
pub(crate) struct Binary {
    /// The process itself.
    pub(crate) process: Process,
    configuration: String,
    address: SocketAddr,
    ops: SocketAddr,
}

impl Binary {
    pub(crate) async fn serve(surroundings: Surroundings, configuration: &str) -> Self {
        let arguments = ["serve", "--config", "vestibule.toml"];
        let process = Process::run_in(surroundings, &arguments, &[("vestibule.toml", configuration)]);
        Self::listening(process, configuration).await
    }

    /// Runs it without a file: these arguments come after `serve`.
    pub(crate) async fn serve_without_file(surroundings: Surroundings, arguments: &[&str]) -> Self {
        let arguments: Vec<_> = ["serve"].iter().chain(arguments).copied().collect();
        Self::listening(Process::run_in(surroundings, &arguments, &[]), "").await
    }

    async fn listening(process: Process, configuration: &str) -> Self {
        let (address, ops) = process
            .line("the line that says where it listens", |line| {
                let event: Option<Value> = serde_json::from_str(line).ok();
                let read = |name: &str| match &event {
                    Some(event) => event[name].as_str()?.parse().ok(),
                    // For eyes: `name=value` among others.
                    None => line
                        .split([' ', ','])
                        .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))?
                        .parse()
                        .ok(),
                };
                line.contains("listening").then_some(())?;
                Some((read("address")?, read("ops")?))
            })
            .await;
        Self { process, configuration: configuration.to_owned(), address, ops }
    }
}

impl Binary {
    /// What it was started with.
    pub(crate) fn configuration(&self) -> &str {
        &self.configuration
    }

    /// Puts another file in the place of its own, as editors do.
    pub(crate) fn rewrite(&self, configuration: &str) {
        let folder = self.process.folder();
        std::fs::write(folder.join("next"), configuration).expect("a file in a folder of our own");
        std::fs::rename(folder.join("next"), folder.join("vestibule.toml")).expect("two files of one folder");
    }

    /// Another run with the same configuration, beside this one.
    pub(crate) async fn successor(&self, surroundings: Surroundings) -> Self {
        Self::serve(surroundings, &self.configuration).await
    }
}

impl Door for Binary {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn ops(&self) -> SocketAddr {
        self.ops
    }
}
