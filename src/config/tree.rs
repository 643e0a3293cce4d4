//! The tree between the TOML text and the sections: values that know their place.
//!
//! TOML 1.1 as the `toml` crate reads it, with all syntax faults of a file at once.
//! Several files become one tree: tables join, arrays of tables append, anything
//! else set twice is a fault that names both places (no file overrides another, so
//! their order never matters to a single value). `${NAME}` is filled in here, in
//! values only and after parsing, so that no value of the environment can change
//! the structure of a file.
//!
//! Typed deserialisation (serde with `deny_unknown_fields`) was rejected: it stops
//! at the first fault.

use std::{collections::BTreeMap, ffi::OsString};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::config::{
    fault::{Fault, Place, Report, Reported, quoted},
    mask,
};

/// Looks a name up in the environment.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<OsString>;

/// A value and where it stands.
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What TOML can say, as far as any key takes it.
pub(super) enum Value {
    /// A string.
    Text {
        /// With the environment filled in.
        text: String,
        /// Whether anything was filled in, so that the text differs from what the file shows.
        filled_in: FilledIn,
    },
    /// A number without a fraction.
    Integer(i64),
    /// `true` or `false`.
    Flag(bool),
    /// A list, of tables as well.
    List(Vec<Node>),
    /// A table, in whichever of TOML's spellings.
    Table(Table),
    /// What no key takes: its name.
    Other(&'static str),
    /// A string that could not be filled in; on record.
    Faulty(Reported),
}

/// Whether `${…}` stood in a string, so that a message can say what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FilledIn {
    /// The file shows the text as it is.
    No,
    /// From variables whose values may be shown.
    Shown,
    /// From a variable that sounds secret.
    Secret,
}

/// The keys of a table in alphabetical order.
#[derive(Default)]
pub(super) struct Table {
    pub(super) entries: BTreeMap<String, Entry>,
}

/// One key with its value.
pub(super) struct Entry {
    pub(super) key: Place,
    pub(super) node: Node,
}

impl Value {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } | Self::Faulty(_) => "a string",
            Self::Integer(_) => "a number",
            Self::Flag(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }

    fn is_list_of_tables(&self) -> bool {
        matches!(self, Self::List(nodes) if nodes.iter().all(|node| matches!(node.value, Self::Table(_))))
    }
}

/// Reads one source; with syntax faults there is no tree, because what follows from a broken line is noise.
pub(super) fn parse(report: &Report, source: usize, environment: Environment<'_>) -> Result<Table, Reported> {
    let (table, errors) = DeTable::parse_recoverable(report.source(source).text());
    let reader = Reader { report, source, environment };
    let reported: Vec<_> = errors.iter().map(|error| reader.syntax(error)).collect();
    match reported.first() {
        Some(reported) => Err(*reported),
        None => Ok(reader.table(table.into_inner())),
    }
}

/// Adds what another file says.
pub(super) fn merge(report: &Report, into: &mut Table, from: Table) {
    for (name, entry) in from.entries {
        let Some(existing) = into.entries.get_mut(&name) else {
            into.entries.insert(name, entry);
            continue;
        };
        match (&mut existing.node.value, entry.node.value) {
            (Value::Table(into), Value::Table(from)) => merge(report, into, from),
            (Value::List(into), value @ Value::List(_))
                if value.is_list_of_tables() && into.iter().all(|node| matches!(node.value, Value::Table(_))) =>
            {
                if let Value::List(from) = value {
                    into.extend(from);
                }
            }
            _ => {
                report.add(
                    Fault::at(entry.key, format!("`{}` is set twice", quoted(&name)))
                        .related(existing.key, "it is set here as well")
                        .why("no file overrides another")
                        .help("keep one of the two"),
                );
            }
        }
    }
}

struct Reader<'r> {
    report: &'r Report,
    source: usize,
    environment: Environment<'r>,
}

impl Reader<'_> {
    fn place(&self, span: std::ops::Range<usize>) -> Place {
        Place { source: self.source, start: span.start, end: span.end }
    }

    fn syntax(&self, error: &toml::de::Error) -> Reported {
        // A fault at the end of the file has no span.
        let end = self.report.source(self.source).text().len();
        let fault =
            Fault::at(self.place(error.span().unwrap_or(end..end)), format!("this is not TOML: {}", error.message()));
        self.report.add(match error.message() {
            "duplicate key" => fault.help("it is set above as well: keep one of the two"),
            _ => fault,
        })
    }

    fn table(&self, table: DeTable<'_>) -> Table {
        let entries = table.into_iter().map(|(key, value)| {
            let place = self.place(key.span());
            (key.into_inner().into_owned(), Entry { key: place, node: self.node(value) })
        });
        Table { entries: entries.collect() }
    }

    fn node(&self, value: Spanned<DeValue<'_>>) -> Node {
        let place = self.place(value.span());
        let value = match value.into_inner() {
            DeValue::String(text) => self.text(place, &text),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or(Value::Other("a number beyond 64 bits"), Value::Integer),
            DeValue::Float(_) => Value::Other("a number with a fraction"),
            DeValue::Boolean(flag) => Value::Flag(flag),
            DeValue::Datetime(_) => Value::Other("a date"),
            DeValue::Array(array) => Value::List(array.into_iter().map(|node| self.node(node)).collect()),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { place, value }
    }

    fn text(&self, place: Place, raw: &str) -> Value {
        match fill_in(raw, self.environment) {
            Ok((text, filled_in)) => Value::Text { text, filled_in },
            Err(fault) => Value::Faulty(self.report.add(fault.fault(place))),
        }
    }
}

/// Why a string could not be filled in.
#[derive(Debug, PartialEq, Eq)]
enum FillInError {
    Unset(String),
    NotText(String),
    Unclosed,
    Name(String),
}

impl FillInError {
    fn fault(&self, place: Place) -> Fault {
        match self {
            Self::Unset(name) => Fault::at(place, format!("the environment variable `{name}` is not set"))
                .help(format!("set it, or write a default: `${{{name}:-default}}`")),
            Self::NotText(name) => Fault::at(place, format!("the environment variable `{name}` is not UTF-8")),
            Self::Unclosed => Fault::at(place, "`${` without its `}`").help("a literal `${` is written `$${`"),
            Self::Name(name) => Fault::at(place, format!("`{}` is no name of an environment variable", quoted(name)))
                .help("a name has letters, digits and `_`; a literal `${` is written `$${`"),
        }
    }
}

/// Replaces `${NAME}` and `${NAME:-default}`; `$${` is a literal `${`. As in a shell, the default also stands for an
/// empty value. What the environment holds is not looked into again.
fn fill_in(raw: &str, environment: Environment<'_>) -> Result<(String, FilledIn), FillInError> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    let mut filled_in = FilledIn::No;
    while let Some(at) = rest.find("${") {
        filled_in = filled_in.max(FilledIn::Shown);
        if rest[..at].ends_with('$') {
            text.push_str(&rest[..at - 1]);
            text.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        text.push_str(&rest[..at]);
        let (expression, after) = rest[at + 2..].split_once('}').ok_or(FillInError::Unclosed)?;
        let (name, default) = match expression.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (expression, None),
        };
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        if !is_name {
            return Err(FillInError::Name(name.to_owned()));
        }
        if mask::is_secret_variable(name) {
            filled_in = FilledIn::Secret;
        }
        match (environment(name), default) {
            (Some(value), Some(default)) if value.is_empty() => text.push_str(default),
            (Some(value), _) => {
                text.push_str(&value.into_string().map_err(|_| FillInError::NotText(name.to_owned()))?);
            }
            (None, Some(default)) => text.push_str(default),
            (None, None) => return Err(FillInError::Unset(name.to_owned())),
        }
        rest = after;
    }
    text.push_str(rest);
    Ok((text, filled_in))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_filled_in_once_and_only_where_it_is_asked_for() {
        let environment = |name: &str| match name {
            "HOST" => Some("id.example.com".into()),
            "EMPTY" => Some(OsString::new()),
            "NESTED" => Some("${HOST}".into()),
            _ => None,
        };
        for (raw, expected) in [
            ("plain $HOST {HOST}", Ok("plain $HOST {HOST}")),
            ("https://${HOST}/", Ok("https://id.example.com/")),
            ("${HOST}${HOST}", Ok("id.example.comid.example.com")),
            ("${MISSING:-https://x/}", Ok("https://x/")),
            ("${EMPTY:-x}", Ok("x")),
            ("${MISSING:-}", Ok("")),
            ("${EMPTY}", Ok("")),
            ("${NESTED}", Ok("${HOST}")),
            ("$${HOST}", Ok("${HOST}")),
            ("a$${", Ok("a${")),
            ("${MISSING}", Err(FillInError::Unset("MISSING".into()))),
            ("${HOST", Err(FillInError::Unclosed)),
            ("${}", Err(FillInError::Name(String::new()))),
            ("${A-B}", Err(FillInError::Name("A-B".into()))),
            ("${1A}", Err(FillInError::Name("1A".into()))),
        ] {
            let filled = fill_in(raw, &environment).map(|(text, _)| text);
            assert_eq!(filled, expected.map(str::to_owned), "{raw}");
        }
    }
}
