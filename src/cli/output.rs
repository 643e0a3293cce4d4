//! What commands say, and to whom.
//!
//! `println!` and `eprintln!` are not used: they panic when nobody listens any more,
//! and `vestibule check | head -1` is no fault of anybody.

use std::{
    env,
    ffi::OsStr,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use crate::config::Faults;

/// The answer of a command, on standard output, and its status.
pub(super) fn answer(text: &str, status: ExitCode) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => status,
        // Whoever asked has heard enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => status,
        Err(error) => fail(&format!("standard output cannot be written: {error}")),
    }
}

/// Says why a command failed.
pub(super) fn fail(why: &str) -> ExitCode {
    complain(&format!("error: {why}"));
    ExitCode::FAILURE
}

/// Says that a command was used in a way that makes no sense, where the parser of arguments could not know.
pub(super) fn misused(why: &str) -> ExitCode {
    complain(&format!("error: {why}"));
    ExitCode::from(super::WRONG_USAGE)
}

/// Says that the configuration is invalid, and all that is wrong with it.
pub(super) fn refuse(faults: &Faults) -> ExitCode {
    complain(&if wants_colour() { faults.coloured() } else { faults.to_string() });
    ExitCode::from(super::INVALID_CONFIGURATION)
}

/// A line for whoever runs the command. Where nobody can hear it, there is nobody to tell that either.
pub(super) fn complain(text: &str) {
    let _unheard = writeln!(io::stderr().lock(), "{text}");
}

fn wants_colour() -> bool {
    let to = if io::stderr().is_terminal() { To::Terminal } else { To::AnythingElse };
    may_colour(to, env::var_os("NO_COLOR").as_deref(), env::var_os("TERM").as_deref())
}

/// Whether escape sequences are wanted: by a terminal that knows them, unless somebody says no (no-color.org).
fn may_colour(to: To, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    to == To::Terminal && no_color.is_none_or(OsStr::is_empty) && term.is_some_and(|term| term != "dumb")
}

/// Who reads an output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Terminal,
    AnythingElse,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_whose_owner_does_not_mind() {
        for (to, no_color, term, expected) in [
            (To::Terminal, None, Some("xterm-256color"), true),
            (To::Terminal, Some(""), Some("xterm"), true),
            (To::Terminal, Some("1"), Some("xterm"), false),
            (To::Terminal, Some("0"), Some("xterm"), false),
            (To::Terminal, None, Some("dumb"), false),
            (To::Terminal, None, None, false),
            (To::AnythingElse, None, Some("xterm"), false),
        ] {
            assert_eq!(
                may_colour(to, no_color.map(OsStr::new), term.map(OsStr::new)),
                expected,
                "{no_color:?} {term:?}"
            );
        }
    }
}
