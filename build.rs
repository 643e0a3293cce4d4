//! What `vestibule --version` tells of the build, so that a report of a fault says which program it was.
//!
//! Nothing here depends on the time or the machine: the same commit and the same
//! compiler give the same words, and so the same program. The commit is asked for in
//! release builds only: a build for tests should not start anew with every commit.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=VESTIBULE_BUILD_COMMIT");
    let profile = variable("PROFILE");
    let commit = if profile == "release" { commit() } else { None };
    let rustc = first_line(Command::new(variable("RUSTC")).arg("--version"));
    for (name, fact) in [
        ("BUILD_COMMIT", commit.unwrap_or_else(|| "not known".to_owned())),
        ("BUILD_TARGET", variable("TARGET")),
        ("BUILD_RUSTC", rustc.map_or_else(String::new, |line| line.trim_start_matches("rustc ").to_owned())),
        ("BUILD_PROFILE", profile),
    ] {
        println!("cargo:rustc-env={name}={fact}");
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// What the builder says it is, else what the repository says. A copy of the sources may lie within another
/// repository, whose commits mean nothing here.
fn commit() -> Option<String> {
    let said = variable("VESTIBULE_BUILD_COMMIT");
    if !said.is_empty() {
        return Some(said);
    }
    let root = variable("CARGO_MANIFEST_DIR");
    let git = |arguments: &[&str]| first_line(Command::new("git").arg("-C").arg(&root).args(arguments));
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != Path::new(&root).canonicalize().ok()? {
        return None;
    }
    for name in ["HEAD", "logs/HEAD"] {
        let path = Path::new(&root).join(git(&["rev-parse", "--git-path", name])?);
        // A file that is not there would mean a build anew each time.
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// The first line of what a command says, if it succeeds.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}
