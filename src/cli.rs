//! The command line (contract section 2).

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{config::Config, shutdown::Signals, sidecar, telemetry};

mod explain;

/// The configuration cannot be used (`EX_CONFIG` of sysexits.h).
const INVALID_CONFIGURATION: u8 = 78;

/// Where the configuration is looked for when nobody says.
const DEFAULT_CONFIGURATIONS: [&str; 2] = ["vestibule.toml", "/etc/vestibule/vestibule.toml"];

/// An authenticating reverse proxy: signs visitors in through OpenID Connect, in front of an unmodified web app.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy
    Serve(Serve),
    /// Say which route and rule decide about a request, and why
    Explain(Box<explain::Explain>),
}

#[derive(Debug, Args)]
struct Serve {
    /// A configuration file, or a folder of them; may be given several times [default: vestibule.toml, then
    /// /etc/vestibule/vestibule.toml]
    #[arg(long, value_name = "FILE|DIR")]
    config: Vec<PathBuf>,
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    // Usage errors end here with status 2, `--help` and `--version` with 0.
    match Cli::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Explain(explain) => explain.run(),
    }
}

impl Serve {
    fn run(self) -> ExitCode {
        let paths = if self.config.is_empty() { default_configuration() } else { self.config };
        let config = match Config::load(&paths) {
            Ok(config) => config,
            Err(faults) => {
                eprintln!("{faults}");
                return ExitCode::from(INVALID_CONFIGURATION);
            }
        };
        let mut options = sidecar::Options::default();
        let clock = options.clock.clone();
        match telemetry::init(&config.log, &options.log, move || clock.unix_millis()) {
            Ok(lines) => options.lines = lines,
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        }
        match serve(&config, &options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "vestibule cannot start");
                ExitCode::FAILURE
            }
        }
    }
}

/// The first default that exists; else the first, so that the fault names it.
fn default_configuration() -> Vec<PathBuf> {
    let candidates = DEFAULT_CONFIGURATIONS.map(PathBuf::from);
    vec![candidates.iter().find(|path| path.exists()).unwrap_or(&candidates[0]).clone()]
}

fn serve(config: &Config, options: &sidecar::Options) -> Result<(), sidecar::StartError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(sidecar::StartError::Runtime)?;
    runtime.block_on(async {
        let signals = Signals::catch().map_err(sidecar::StartError::Runtime)?;
        let running = sidecar::start(config, options)?;
        signals.conduct(running).await;
        Ok(())
    })
}
