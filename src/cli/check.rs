//! `vestibule check`: what `serve` would say to a configuration, without serving it.
//!
//! Every fault, or every warning and then what the configuration means, on one
//! screen: a configuration can be right as a file and still not be what was meant.

use std::process::ExitCode;

use clap::Args;

use super::{origin::OriginArgs, output};
use crate::config::Config;

mod summary;

use summary::Summary;

#[derive(Debug, Args)]
#[command(next_line_help = true)]
pub(super) struct Check {
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
        if self.json {
            let answer = serde_json::json!({ "valid": true, "warnings": config.warnings, "summary": summary });
            return output::answer(&format!("{answer:#}\n"), ExitCode::SUCCESS);
        }
        for warning in &config.warnings {
            output::complain(&format!("warning: {warning}"));
        }
        output::answer(&format!("The configuration is valid.\n\n{summary}"), ExitCode::SUCCESS)
    }
}
