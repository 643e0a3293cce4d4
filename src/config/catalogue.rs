//! Every key of the language as data: what it takes, what it is without, what it is for.
//!
//! The language is fixed, and versions grow into it. So a key that a later version
//! brings is here as well, with [`Version::Later`]: a file that uses it is told so
//! instead of "unknown". Three things are made of this table: those messages with
//! the nearest right key (`fault`), the JSON Schema (`schema`) and
//! `config/reference.toml`.
//!
//! The readers stay code, because what a value means is more than a type. What keeps
//! the two equal is a test that reads the table through the readers: every key of
//! this version is asked for and no other, every default means the same as leaving
//! the key out, every bound is where the reader has it.
//!
//! `schemars` was rejected: it describes the types that a deserialiser fills, and
//! here those exist only after parsing, without bounds, defaults and examples.

mod access;
mod app;
mod headers;
mod log;
mod mail;
mod pages;
mod provider;
mod root;
mod server;
mod session;
mod store;

use Version::{Later, This};

/// Every table that can be written, in the order of the reference.
pub(super) const SECTIONS: [&Section; 25] = [
    &root::ROOT,
    &server::SERVER,
    &server::TLS,
    &server::LIMITS,
    &log::LOG,
    &store::KEYS,
    &store::STORE,
    &session::SESSION,
    &mail::MAIL,
    &pages::PAGES,
    &provider::PROVIDER,
    &provider::CLAIMS,
    &app::APP,
    &app::UPSTREAM_TLS,
    &app::TLS,
    &app::LIMITS,
    &app::CLEAR_COOKIE,
    &session::APP_SESSION,
    &access::ACCESS,
    &access::CONDITION,
    &access::ROUTE,
    &access::ROUTE_ACCESS,
    &headers::HEADERS,
    &headers::VALUE,
    &headers::BASIC,
];

/// A table of the configuration and its keys.
#[derive(Debug)]
pub(super) struct Section {
    /// As [`Section`](super::section::Section) calls it: `server.tls`, `condition`, empty for the top level.
    pub(super) name: &'static str,
    /// How it is written.
    pub(super) form: Form,
    /// What it is for.
    pub(super) about: &'static str,
    /// In the order of the reference.
    pub(super) keys: &'static [Key],
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `[server]`
    Table,
    /// `[[app]]`, as often as there are such things.
    Tables,
    /// `{ … }`, and what one is called.
    Braces(&'static str),
}

/// Whether this version reads something already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// It does.
    This,
    /// One to come does.
    Later,
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// As it is written.
    pub(super) name: &'static str,
    /// Whether this version reads it. Below a key of a later version, everything is later.
    pub(super) version: Version,
    /// What may stand behind it.
    pub(super) takes: Kind,
    /// What holds if it is not written.
    pub(super) without: Without,
    /// What it is for, in one sentence.
    pub(super) about: &'static str,
    /// A value, in TOML.
    pub(super) example: Option<&'static str>,
}

impl Key {
    /// A key of this version.
    const fn now(name: &'static str, takes: Kind, without: Without, about: &'static str) -> Self {
        Self { name, version: This, takes, without, about, example: None }
    }

    /// A key of a later version.
    const fn later(name: &'static str, takes: Kind, without: Without, about: &'static str) -> Self {
        Self { name, version: Later, takes, without, about, example: None }
    }

    /// The same with a value to show, in TOML.
    const fn example(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }
}

/// What holds where a key is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Without {
    /// A fault.
    Fault,
    /// This value, in TOML.
    Default(&'static str),
    /// Nothing that could be written; most people write it.
    Usual,
    /// Nothing that could be written; most people do not write it.
    Nothing,
}

/// What may stand behind a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true` or `false`
    Flag,
    /// A whole number within bounds.
    Integer(u32, u32),
    /// `"30s"`, within bounds.
    Time(&'static str, &'static str),
    /// As a time; `0` and `""` are none, whatever the bounds.
    Bound(&'static str, &'static str),
    /// `"64KiB"`, within bounds.
    Size(&'static str, &'static str),
    /// `"600/min"`
    Rate,
    /// A date of TOML, without quotes.
    Date,
    /// Any string.
    Text,
    /// A string of a form (a regular expression of ECMA-262).
    Pattern(&'static str),
    /// The path of a file, below the folder of the configuration file.
    Path,
    /// A string that nobody else may see. Its twin `…_file` is a path.
    Secret,
    /// One of several words.
    Words(&'static Words),
    /// A list.
    List(&'static Kind),
    /// A table of its own: the name of its section.
    Table(&'static str),
    /// Several tables of one section.
    Tables(&'static str),
    /// A table whose keys are names that people give.
    Names(&'static Kind),
    /// One of several words, or a table.
    WordsOrTable(&'static Words, &'static str, Version),
}

impl Kind {
    /// The section of the tables that stand behind the key, in this version.
    pub(super) fn below(self) -> Option<&'static str> {
        match self {
            Self::Table(name) | Self::Tables(name) | Self::WordsOrTable(_, name, This) => Some(name),
            Self::Names(values) => values.below(),
            _ => None,
        }
    }
}

/// The words that a key takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// In this version.
    pub(super) now: &'static [&'static str],
    /// In a later one.
    pub(super) later: &'static [&'static str],
}

/// The section of a name.
pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.into_iter().find(|section| section.name == name)
}

/// A key of a section.
pub(super) fn key(section_name: &str, key: &str) -> Option<&'static Key> {
    section(section_name)?.keys.iter().find(|known| known.name == key)
}

/// Whether a later version knows the key there.
pub(super) fn is_later(section: &str, name: &str) -> bool {
    key(section, name).is_some_and(|key| key.version == Later)
}

/// Whether this version has the section: its own key is not a later one, nor is one above it.
pub(super) fn is_reachable(name: &str) -> bool {
    let opens = |key: &Key| key.version == This && key.takes.below() == Some(name);
    let holds = |section: &&Section| section.keys.iter().any(opens);
    name.is_empty() || SECTIONS.into_iter().filter(holds).any(|section| is_reachable(section.name))
}

/// Whether a later version takes a table there.
pub(super) fn is_later_table(section: &str, name: &str) -> bool {
    key(section, name).is_some_and(|key| matches!(key.takes, Kind::WordsOrTable(_, _, Later)))
}

/// Whether a later version knows the word there.
pub(super) fn is_later_word(section: &str, name: &str, word: &str) -> bool {
    key(section, name).is_some_and(|key| match key.takes {
        Kind::Words(words) | Kind::WordsOrTable(words, ..) => words.later.contains(&word),
        _ => false,
    })
}

/// How a section is written, for messages: `[server.tls]`, `[[app]]`, an inline table.
pub(super) fn brackets(name: &str) -> String {
    match section(name).map(|section| section.form) {
        _ if name.is_empty() => "the top level".to_owned(),
        Some(Form::Tables) => format!("`[[{name}]]`"),
        Some(Form::Braces(called)) => called.to_owned(),
        Some(Form::Table) | None => format!("`[{name}]`"),
    }
}
