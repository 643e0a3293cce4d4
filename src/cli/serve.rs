//! `vestibule serve`: the proxy itself.

use std::{process::ExitCode, sync::Arc};

use clap::Args;

use super::{endpoint, origin::OriginArgs, output};
use crate::{
    config::{Config, upstream::UpstreamUrl},
    shutdown::Signals,
    sidecar, telemetry,
};

/// How what is said in several ways adds up.
const PRECEDENCE: &str = "\
Flags win over variables, and both over files, key by key. Lists have commas between their values, or a flag for each. \
A secret itself has a variable and no flag, because every user of a machine may see the arguments of a process.";

#[derive(Debug, Args)]
#[command(after_help = PRECEDENCE, next_line_help = true)]
pub(super) struct Serve {
    #[command(flatten)]
    origin: OriginArgs,
}

impl Serve {
    pub(super) fn run(self) -> ExitCode {
        let config = match Config::read(&self.origin.0) {
            Ok(config) => config,
            Err(faults) => return output::refuse(&faults),
        };
        let mut options = sidecar::Options::default();
        let clock = options.clock.clone();
        match telemetry::init(&config.log, &options.log, move || clock.unix_millis()) {
            Ok((lines, levels)) => {
                options.lines = lines;
                options.levels = sidecar::Levels::new(move |level| {
                    if let Err(error) = levels.set(level) {
                        tracing::error!(%error, "log.level stays as it is");
                    }
                });
            }
            Err(error) => return output::fail(&error.to_string()),
        }
        let origin = self.origin.0;
        let read_again: sidecar::ReadAgain = Arc::new(move || Config::read(&origin));
        match serve(config, read_again, &options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "vestibule cannot start");
                ExitCode::FAILURE
            }
        }
    }
}

fn serve(
    config: Config,
    read_again: sidecar::ReadAgain,
    options: &sidecar::Options,
) -> Result<(), sidecar::StartError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(sidecar::StartError::Runtime)?;
    runtime.block_on(async {
        let signals = Signals::catch().map_err(sidecar::StartError::Runtime)?;
        let (apps, server) = (config.apps.clone(), Arc::clone(&config.server));
        let running = sidecar::start(config, read_again, options)?;
        for app in &apps {
            // What a first start fails for is most often not registered.
            let redirect_uri = endpoint(app, &server, "/callback");
            let upstream = app.upstream.as_ref().map(UpstreamUrl::origin);
            tracing::info!(app = %app.id, redirect_uri, upstream, "an app is served");
        }
        signals.conduct(running).await;
        Ok(())
    })
}
