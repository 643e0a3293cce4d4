//! `vestibule serve`: the proxy itself.

use std::process::ExitCode;

use clap::Args;

use super::{origin::OriginArgs, output};
use crate::{config::Config, shutdown::Signals, sidecar, telemetry};

#[derive(Debug, Args)]
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
            Ok(lines) => options.lines = lines,
            Err(error) => return output::fail(&error.to_string()),
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
