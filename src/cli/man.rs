//! `vestibule man`: the manual page, made of the same words as `--help`.

use std::{io, io::Write as _, process::ExitCode};

use clap::{Args, Command};

use super::output;

/// What `--help` does not say.
const FURTHER_SECTIONS: &str = r#".SH ENVIRONMENT
A secret has a variable and no flag, because every user of a machine may see the arguments of a process.
Each flag of \fBvestibule serve\fR has a variable, and its help names it. Lists have commas between their values.
Flags win over variables, and both over files. Variables whose names are not known are ignored.
.PP
\fBNO_COLOR\fR, set to anything, keeps colours out of faults on a terminal.
.PP
\fBNOTIFY_SOCKET\fR and \fBLISTEN_FDS\fR are those of systemd.
.SH FILES
.TP
\fIvestibule.toml\fR, then \fI/etc/vestibule/vestibule.toml\fR
The configuration, where neither \fB\-\-config\fR nor \fBVESTIBULE_CONFIG\fR names one.
.SH "EXIT STATUS"
.TP
\fB0\fR
All is well.
.TP
\fB1\fR
It failed.
.TP
\fB2\fR
The command was used wrongly.
.TP
\fB78\fR
The configuration is invalid; standard error has every fault.
"#;

#[derive(Debug, Args)]
pub(super) struct Man {
    /// The command whose page is wanted; without it, the page of vestibule itself
    command: Option<String>,
}

impl Man {
    pub(super) fn run(&self, mut command: Command) -> ExitCode {
        command.build();
        let page = match &self.command {
            None => page(command.clone()).map(|page| page + FURTHER_SECTIONS),
            Some(name) => match command.find_subcommand(name) {
                Some(found) => page(found.clone()),
                None => return output::misused(&format!("there is no command `{name}`")),
            },
        };
        match page {
            Ok(page) => output::answer(&page, ExitCode::SUCCESS),
            Err(error) => output::fail(&error.to_string()),
        }
    }
}

/// A page; its sections are named so that those of `--help` which are not for man(1) stay out.
fn page(command: Command) -> io::Result<String> {
    let man = clap_mangen::Man::new(command).section("1");
    let mut page = Vec::new();
    man.render(&mut page)?;
    page.flush()?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
