//! The command line (contract section 2): one file a command.
//!
//! Answers go to standard output, faults and warnings to standard error, and every
//! command ends with one of four statuses: 0 it is well, 1 it failed, 2 it was asked
//! wrongly, 78 the configuration is invalid.

use std::{collections::BTreeSet, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{
    config::{App, Server},
    request::Premises,
};

mod check;
mod completions;
mod explain;
mod health;
mod man;
mod origin;
mod output;
mod serve;
mod version;

/// The arguments make no sense; clap ends with the same.
const WRONG_USAGE: u8 = 2;

/// The configuration cannot be used (`EX_CONFIG` of sysexits.h).
const INVALID_CONFIGURATION: u8 = 78;

/// An authenticating reverse proxy: signs visitors in through OpenID Connect, in front of an unmodified web app.
#[derive(Debug, Parser)]
#[command(
    name = "vestibule",
    version,
    long_version = version::LONG,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = STATUSES,
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const STATUSES: &str = "Exit status: 0 ok, 1 failed, 2 wrong usage, 78 invalid configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy
    Serve(serve::Serve),
    /// Judge a configuration: every fault and warning, then what it means
    Check(check::Check),
    /// Say which route and rule decide about a request, and why
    Explain(Box<explain::Explain>),
    /// Ask a running proxy whether it is well, as an exec probe does
    Health(health::Health),
    /// Print the JSON Schema of configuration files, for editors
    Schema,
    /// Print a script that completes commands and flags in a shell
    Completions(completions::Completions),
    /// Print the manual page, for man(1)
    Man(man::Man),
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    // Usage errors end here with status 2, `--help` and `--version` with 0.
    match Cli::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Check(check) => check.run(),
        Command::Explain(explain) => explain.run(),
        Command::Health(health) => health.run(),
        Command::Schema => output::answer(&crate::config::schema(), ExitCode::SUCCESS),
        Command::Completions(completions) => completions.run(Cli::command()),
        Command::Man(man) => man.run(Cli::command()),
    }
}

/// One of our own endpoints at each app, as they are registered at providers; what several share is there once.
fn endpoints<'a>(apps: impl Iterator<Item = &'a App>, server: &Server, name: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    apps.map(|app| endpoint(app, server, name)).filter(|uri| seen.insert(uri.clone())).collect()
}

/// One of our own endpoints at an app, as it is registered at providers.
fn endpoint(app: &App, server: &Server, name: &str) -> String {
    match name {
        "/callback" => app.redirect_uri(&server.prefix),
        name => format!("{}{}", app.public_url.origin(), Premises::new(app, &server.prefix).endpoint(name)),
    }
}
