//! The arguments that say where the configuration is, and the flags that do without a file.
//!
//! The flags are made of the settings that `config` knows, so that a flag, its
//! variable and its key cannot drift apart; that is why they are not derived.

use std::{env, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

use crate::config::{Origin, SETTINGS, Setting, Subject};

/// `--config`, and every setting that has a flag.
#[derive(Debug)]
pub(super) struct OriginArgs(pub(super) Origin);

impl FromArgMatches for OriginArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let flag = |name: &str| matches.get_many::<String>(name).into_iter().flatten().cloned().collect();
        Ok(Self(Origin::of(files(matches), flag, env::vars_os())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for OriginArgs {
    fn augment_args(command: Command) -> Command {
        SETTINGS.iter().fold(command.arg(config()), |command, setting| command.args(flag(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// `--config` alone, for commands that need no more of the configuration than its files can say.
#[derive(Debug)]
pub(super) struct FileArgs(pub(super) Origin);

impl FromArgMatches for FileArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Self(Origin::of(files(matches), |_| Vec::new(), env::vars_os())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for FileArgs {
    fn augment_args(command: Command) -> Command {
        command.arg(config())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn files(matches: &ArgMatches) -> Vec<PathBuf> {
    matches.get_many::<PathBuf>("config").into_iter().flatten().cloned().collect()
}

fn config() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE|DIR")
        .value_parser(value_parser!(PathBuf))
        .action(ArgAction::Append)
        .help(
            "A configuration file, or a folder of them; may be given several times\n\
             [default: vestibule.toml, then /etc/vestibule/vestibule.toml]\n[env: VESTIBULE_CONFIG]",
        )
}

/// The flag of a setting, if it has one.
fn flag(setting: &'static Setting) -> Option<Arg> {
    let name = setting.flag()?;
    let heading = match setting.subject {
        Subject::App => "The app, instead of a file or over what it says",
        Subject::Provider => "Who signs people in",
        Subject::Process => "The process",
    };
    let also = setting.secret_variable().map(|secret| format!("]\n[env: {secret}, the secret itself"));
    let help = format!("{}\n[env: {}{}]", setting.help, setting.variable(), also.unwrap_or_default());
    Some(
        Arg::new(name)
            .long(name)
            .value_name(setting.value_name)
            .action(if setting.is_list() { ArgAction::Append } else { ArgAction::Set })
            .help(help)
            .help_heading(heading),
    )
}
