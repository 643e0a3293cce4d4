//! `vestibule check`: what `serve` would say to a configuration, without serving it.
//!
//! Every fault, or every warning and then what the configuration means, on one
//! screen: a configuration can be right as a file and still not be what was meant.
//! With `--online`, also whether the world around it is as it says.

use std::process::ExitCode;

use clap::Args;

use super::{origin::OriginArgs, output};
use crate::config::Config;

mod online;
mod summary;

use summary::Summary;

#[derive(Debug, Args)]
#[command(next_line_help = true)]
pub(super) struct Check {
    /// Ask the providers and the upstreams as well: status 1 if anything there is not as it must be
    #[arg(long)]
    online: bool,
    /// Answer in JSON, on standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    origin: OriginArgs,
}

impl Check {
    pub(super) fn run(self) -> ExitCode {
        let config = match Config::read(&self.origin.0) {
            Ok(config) => config,
            Err(faults) if self.json => {
                let answer = serde_json::json!({ "valid": false, "faults": faults });
                return output::answer(&format!("{answer:#}\n"), ExitCode::from(super::INVALID_CONFIGURATION));
            }
            Err(faults) => return output::refuse(&faults),
        };
        let summary = Summary::of(&config);
        let online = match self.online.then(|| online::report(&config)).transpose() {
            Ok(online) => online,
            Err(error) => return output::fail(&format!("nobody can be asked: {error}")),
        };
        let is_good = online.as_ref().is_none_or(online::Report::is_good);
        let status = if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        if self.json {
            let answer = serde_json::json!({
                "valid": true,
                "warnings": config.warnings,
                "summary": summary,
                "online": online,
            });
            return output::answer(&format!("{answer:#}\n"), status);
        }
        for warning in &config.warnings {
            output::complain(&format!("warning: {warning}"));
        }
        let online = online.map(|report| format!("\n{report}")).unwrap_or_default();
        output::answer(&format!("The configuration is valid.\n\n{summary}{online}"), status)
    }
}
