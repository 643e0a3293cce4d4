//! Events: from `tracing` macros to lines on standard output.
//!
//! Events share the [`LogStream`] of the access lines, so lines are never torn and
//! a blocked output blocks no worker; and they share its [`Line`], so both look
//! alike and both are escaped alike. That is why the library's own formatters are
//! not used: the one for eyes lets a line break in a message through, the one for
//! JSON leaves C1 controls as they are, and both write to the output at once.
//!
//! [`LogStream`]: crate::meter::LogStream
//! [`Line`]: crate::meter::Line

use std::{io, io::IsTerminal, panic, panic::PanicHookInfo};

use thiserror::Error;
use tracing::{Subscriber, subscriber};
use tracing_subscriber::{EnvFilter, Registry, filter::ParseError, layer::SubscriberExt as _, reload};

use crate::{
    config::{Log, LogFormat},
    meter::{LineFormat, LogStream},
};

mod event_lines;

use event_lines::EventLines;

/// Nothing is heard of the `h2` crate unless `log.level` names it: it warns of what a visitor's frames hold, as
/// often as the visitor likes, and shows malformed targets with their query (threats 125 and 126). What of it
/// matters to an operator, the listener says.
const UNHEARD: &str = "h2=off";

/// Why logging cannot begin.
#[derive(Debug, Error)]
pub enum Error {
    /// `log.level` makes no sense.
    #[error("log.level: {level:?} is not a list like \"info,vestibule::session=debug\": {source}")]
    Level {
        /// What was configured.
        level: String,
        /// What the parser says about it.
        source: ParseError,
    },
    /// It has begun before.
    #[error("logging has been set up before in this process")]
    AlreadySetUp,
    /// Nobody listens any more.
    #[error("the log has ended")]
    Gone,
}

/// Sends all events of the process, and its panics, to `stream`.
///
/// `unix_millis` tells the time. Returns how lines look, for the access log, and how to change the levels.
pub fn init(
    log: &Log,
    stream: &LogStream,
    unix_millis: impl Fn() -> i64 + Send + Sync + 'static,
) -> Result<(LineFormat, Levels), Error> {
    let format = line_format(log.format, &io::stdout());
    let (subscriber, levels) = subscriber(&log.level, format, stream, unix_millis)?;
    subscriber::set_global_default(subscriber).map_err(|_| Error::AlreadySetUp)?;
    panic::set_hook(Box::new(report_panic));
    Ok((format, levels))
}

/// Changes the levels of what is logged.
#[derive(Clone, Debug)]
pub struct Levels(reload::Handle<EnvFilter, Registry>);

impl Levels {
    /// Takes another `log.level`.
    pub fn set(&self, level: &str) -> Result<(), Error> {
        let filter = filter(level)?;
        self.0.reload(filter).map_err(|_| Error::Gone)
    }
}

/// Human on a terminal, JSON elsewhere, unless one is asked for.
fn line_format(format: LogFormat, output: &impl IsTerminal) -> LineFormat {
    match format {
        LogFormat::Auto if output.is_terminal() => LineFormat::Human,
        LogFormat::Human => LineFormat::Human,
        LogFormat::Auto | LogFormat::Json => LineFormat::Json,
    }
}

fn subscriber(
    level: &str,
    format: LineFormat,
    stream: &LogStream,
    unix_millis: impl Fn() -> i64 + Send + Sync + 'static,
) -> Result<(impl Subscriber + Send + Sync, Levels), Error> {
    let (filter, handle) = reload::Layer::new(filter(level)?);
    let lines = EventLines::new(stream.lane(), format, unix_millis);
    Ok((Registry::default().with(filter).with(lines), Levels(handle)))
}

fn filter(level: &str) -> Result<EnvFilter, Error> {
    let builder = EnvFilter::builder().with_regex(false);
    let filter = builder.parse(format!("{UNHEARD},{level}"));
    filter.map_err(|source| Error::Level { level: level.to_owned(), source })
}

/// Says where, and not what: the message of a panic may hold any value of the program.
fn report_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let location = panic.location().map(tracing::field::display);
    tracing::error!(location, thread, "a fault in Vestibule: please report it with this line");
}

#[cfg(test)]
mod tests;
