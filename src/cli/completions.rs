//! `vestibule completions SHELL`

use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use super::output;

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// For which shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, mut command: Command) -> ExitCode {
        let mut script = Vec::new();
        // Into memory first: the generator panics where it cannot write.
        clap_complete::generate(self.shell, &mut command, "vestibule", &mut script);
        output::answer(&String::from_utf8_lossy(&script), ExitCode::SUCCESS)
    }
}
