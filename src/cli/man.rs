//! `vestibule man`: the manual page, made of the same words as `--help`.

use std::{io, process::ExitCode};

use clap::{Args, Command};

use super::output;

/// What it is, for whoever finds it on a machine.
const DESCRIPTION: &str = r".SH DESCRIPTION
\fBvestibule\fR stands in front of an unmodified web application. It signs visitors in through an OpenID
Provider, decides who may enter, keeps their sessions, and tells the application who they are in request headers.
.PP
Its configuration is a TOML file, or several; for one application, flags or environment variables do as well.
";

const SEE_ALSO: &str = r".SH SEE ALSO
\fBvestibule\fR(1), also for the environment, files and exit status
";

/// What `--help` does not say.
const FURTHER_SECTIONS: &str = r#".SH ENVIRONMENT
A secret has a variable and no flag, because every user of a machine may see the arguments of a process.
Each flag of \fBvestibule serve\fR has a variable, which \fBvestibule\-serve\fR(1) names. Lists have commas between
their values. Flags win over variables, and both over files, key by key. Other variables are ignored.
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
            None => whole(command),
            Some(name) => match command.find_subcommand(name) {
                Some(found) => part(found.clone()),
                None => return output::misused(&format!("there is no command `{name}`")),
            },
        };
        match page {
            Ok(page) => output::answer(&String::from_utf8_lossy(&page), ExitCode::SUCCESS),
            Err(error) => output::fail(&error.to_string()),
        }
    }
}

/// The page of the program.
fn whole(command: Command) -> io::Result<Vec<u8>> {
    let man = clap_mangen::Man::new(command);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    page.extend_from_slice(DESCRIPTION.as_bytes());
    man.render_subcommands_section(&mut page)?;
    man.render_options_section(&mut page)?;
    page.extend_from_slice(FURTHER_SECTIONS.as_bytes());
    Ok(page)
}

/// The page of one command.
fn part(command: Command) -> io::Result<Vec<u8>> {
    let man = clap_mangen::Man::new(command);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_options_section(&mut page)?;
    page.extend_from_slice(SEE_ALSO.as_bytes());
    Ok(page)
}
