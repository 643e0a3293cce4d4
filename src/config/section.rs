//! One section of the tree, read key by key.
//!
//! A reader asks for each key that it knows by a typed getter. Whatever cannot be
//! read is put on record with its place, and the reader gets the proof of that
//! instead of a value. The keys that nobody asked for are faults when the section
//! is left, which [`Section::table`] and [`Section::tables`] see to: no reader can
//! forget it.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    num::NonZeroU32,
    ops::{Deref, RangeInclusive},
    path::Path,
    time::Duration,
};

use crate::config::{
    catalogue::{self, brackets},
    fault::{Fault, Place, Report, Reported, quoted},
    mask,
    tree::{FilledIn, Node, Table, Value},
};

mod duration;
mod either;
mod files;
mod size;

pub use duration::show as show_duration;

/// What a getter gives: a value, or the proof that its absence is on record.
pub(super) type Reading<T> = Result<T, Reported>;

/// A value that remembers where it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Why a value does not do, worded to follow the name of its key.
#[derive(Debug)]
pub(super) struct Wrong {
    what: String,
    why: Option<String>,
    help: Option<String>,
}

impl Wrong {
    /// `must be …`, `is …`, `has …`.
    pub(super) fn new(what: impl fmt::Display) -> Self {
        Self { what: what.to_string(), why: None, help: None }
    }

    /// Why that is so, where it is not plain.
    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// What to write instead.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The fault of something that is no key's value; `named` begins the message.
    pub(super) fn at(self, place: Place, named: impl fmt::Display) -> Fault {
        let fault = Fault::at(place, format!("{named} {}", self.what));
        let fault = self.why.into_iter().fold(fault, Fault::why);
        self.help.into_iter().fold(fault, Fault::help)
    }
}

/// A table of the configuration while it is read.
pub(super) struct Section<'a> {
    name: &'static str,
    place: Place,
    table: &'a Table,
    asked: RefCell<Vec<&'static str>>,
    report: &'a Report,
}

impl<'a> Section<'a> {
    /// Reads the top level of a tree.
    pub(super) fn root<T>(report: &'a Report, table: &'a Table, read: impl FnOnce(&Self) -> Reading<T>) -> Reading<T> {
        let start = Place { source: 0, start: 0, end: 0 };
        Self::walk(report, "", start, table, read)
    }

    fn walk<T>(
        report: &'a Report,
        name: &'static str,
        place: Place,
        table: &'a Table,
        read: impl FnOnce(&Self) -> Reading<T>,
    ) -> Reading<T> {
        let section = Self { name, place, table, asked: RefCell::default(), report };
        let value = read(&section);
        section.leave().and(value)
    }

    /// Puts every key that nobody asked for on record.
    fn leave(self) -> Reading<()> {
        let asked = self.asked.into_inner();
        #[cfg(test)]
        self.report.asked_for(self.name, &asked);
        let mut outcome = Ok(());
        for (key, entry) in &self.table.entries {
            if asked.contains(&key.as_str()) {
                continue;
            }
            outcome = Err(if catalogue::is_later(self.name, key) {
                let whole = matches!(entry.node.value, Value::Table(_));
                let what = if whole { section_name(self.name, key) } else { format!("`{key}`") };
                let place = if whole { entry.node.place } else { entry.key };
                self.report.add(
                    Fault::at(place, format!("{what} is not in this version"))
                        .help("remove it; what it is for comes with a later version"),
                )
            } else {
                self.report.unknown_key(self.name, self.place, key, entry.key)
            });
        }
        outcome
    }

    /// Where its header is.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// What is on record so far.
    pub(super) fn report(&self) -> &'a Report {
        self.report
    }

    /// Begins a fault about several keys: it stands at the first that is set, else at the section's header.
    pub(super) fn fault(&self, keys: &[&str], title: impl Into<String>) -> Fault {
        let place = keys.iter().find_map(|key| self.place_of(key));
        Fault::at(place.unwrap_or(self.place), title)
    }

    /// Puts on record that there is no section of a name below this one.
    pub(super) fn missing(&self, name: &'static str, why: &str, example: &str) -> Reported {
        let title = format!("there is no {} in {}", brackets(name), self.report.source_names());
        let fault = Fault::nowhere(title).why(why).help(format!("write, for example:\n\n{example}"));
        self.report.add(fault.absence(self.place, &[name]))
    }

    /// Where the value of a key is, if it is set.
    pub(super) fn place_of(&self, key: &str) -> Option<Place> {
        self.table.entries.get(key).map(|entry| entry.node.place)
    }

    /// Where the value of a key is that stands in tables below this one, if it is set.
    pub(super) fn place_at(&self, path: &[&str]) -> Option<Place> {
        let (key, tables) = path.split_last()?;
        let below = |table: &'a Table, name: &&str| match &table.entries.get(*name)?.node.value {
            Value::Table(table) => Some(table),
            _ => None,
        };
        let table = tables.iter().try_fold(self.table, below)?;
        table.entries.get(*key).map(|entry| entry.node.place)
    }

    /// Where the members of a list are; none where the key is not a list.
    pub(super) fn places_in(&self, key: &str) -> impl Iterator<Item = Place> {
        let list = self.table.entries.get(key).map(|entry| &entry.node.value);
        let nodes = match list {
            Some(Value::List(nodes)) => nodes.as_slice(),
            _ => &[],
        };
        nodes.iter().map(|node| node.place)
    }

    fn find(&self, key: &'static str) -> Option<&'a Node> {
        self.asked.borrow_mut().push(key);
        self.table.entries.get(key).map(|entry| &entry.node)
    }

    fn wrong(&self, key: &str, node: &Node, wrong: Wrong) -> Reported {
        let mut fault = Fault::at(node.place, format!("`{key}` {}", wrong.what));
        if let Value::Text { text, filled_in: FilledIn::Shown } = &node.value
            && !mask::is_secret_key(key)
            && !(self.name == "app.headers.set" && mask::is_secret_in_set(key))
        {
            fault = fault.label(format!("with the environment filled in: `{}`", quoted(&mask::secrets(text))));
        }
        fault = wrong.why.into_iter().fold(fault, Fault::why);
        self.report.add(wrong.help.into_iter().fold(fault, Fault::help))
    }

    fn wrong_kind(&self, key: &str, node: &Node, expected: &str) -> Reported {
        match node.value {
            Value::Faulty(reported) => reported,
            Value::Table(_) if catalogue::is_later_table(self.name, key) => {
                self.wrong(key, node, Wrong::new("as a table is not in this version").help(format!("write {expected}")))
            }
            // The text says nothing about this, and may be a secret in the wrong place.
            _ => {
                let title = format!("`{key}` must be {expected}, not {}", node.value.kind());
                self.report.add(Fault::at(node.place, title))
            }
        }
    }

    fn parse_text<T>(
        &self,
        key: &str,
        node: &Node,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Reading<Placed<T>> {
        let Value::Text { text, .. } = &node.value else { return Err(self.wrong_kind(key, node, "a string")) };
        match parse(text) {
            Ok(value) => Ok(Placed { value, place: node.place }),
            Err(wrong) => Err(self.wrong(key, node, wrong)),
        }
    }

    /// A string; `""` is the same as not setting the key.
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Reading<Option<Placed<T>>> {
        match self.find(key) {
            None => Ok(None),
            Some(Node { value: Value::Text { text, .. }, .. }) if text.is_empty() => Ok(None),
            Some(node) => self.parse_text(key, node, parse).map(Some),
        }
    }

    /// A string that may be missing and must not be empty: where leaving it out by accident would widen a rule.
    pub(super) fn stated<T>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Reading<Option<Placed<T>>> {
        let parse = |text: &str| if text.is_empty() { Err(Wrong::new("is empty")) } else { parse(text) };
        self.find(key).map(|node| self.parse_text(key, node, parse)).transpose()
    }

    /// A string that must be there; `example` is what the message shows to somebody who has not written it.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Reading<Placed<T>> {
        let Some(node) = self.find(key) else {
            return Err(self.report.add(
                Fault::at(self.place, format!("`{key}` is missing in {}", brackets(self.name)))
                    .help(format!("write, for example: {key} = {example}"))
                    .absence(self.place, &[key]),
            ));
        };
        self.parse_text(key, node, |text| {
            if text.is_empty() {
                Err(Wrong::new("is empty").help(format!("write, for example: {key} = {example}")))
            } else {
                parse(text)
            }
        })
    }

    /// A list of strings; `None` where the key is not set.
    pub(super) fn list<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Reading<Option<Vec<Placed<T>>>> {
        let Some(node) = self.find(key) else { return Ok(None) };
        let Value::List(nodes) = &node.value else { return Err(self.wrong_kind(key, node, "a list of strings")) };
        let read: Vec<_> = nodes.iter().map(|node| self.parse_text(key, node, &parse)).collect();
        read.into_iter().collect::<Reading<_>>().map(Some)
    }

    /// One of several words; those of later versions are known by name.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&str, T)]) -> Reading<Option<T>> {
        let word = self.optional(key, |text| {
            if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
                return Ok(*choice);
            }
            let list = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
            if catalogue::is_later_word(self.name, key, text) {
                return Err(
                    Wrong::new(format_args!("= \"{text}\" is not in this version")).help(format!("write {list}"))
                );
            }
            Err(Wrong::new(format_args!("must be {list}")))
        })?;
        Ok(word.map(|word| word.value))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &'static str, default: bool) -> Reading<bool> {
        match self.find(key) {
            None => Ok(default),
            Some(Node { value: Value::Flag(flag), .. }) => Ok(*flag),
            Some(node) => Err(self.wrong_kind(key, node, "true or false, without quotes")),
        }
    }

    /// A whole number.
    pub(super) fn integer(&self, key: &'static str, default: u32, range: RangeInclusive<u32>) -> Reading<u32> {
        let Some(node) = self.find(key) else { return Ok(default) };
        let Value::Integer(integer) = node.value else { return Err(self.wrong_kind(key, node, "a whole number")) };
        u32::try_from(integer).ok().filter(|integer| range.contains(integer)).ok_or_else(|| {
            let bounds = format_args!("must be a number from {} to {}", range.start(), range.end());
            self.wrong(key, node, Wrong::new(bounds))
        })
    }

    /// `"30s"`; a bare `0` is a time as well.
    pub(super) fn duration(
        &self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Reading<Duration> {
        let Some(node) = self.find(key) else { return Ok(default) };
        let duration = match &node.value {
            Value::Integer(0) => Duration::ZERO,
            Value::Integer(_) => {
                return Err(self.wrong(
                    key,
                    node,
                    Wrong::new("needs a unit").help("write, for example, \"30s\" or \"5m\""),
                ));
            }
            _ => self.parse_text(key, node, duration::parse)?.value,
        };
        if range.contains(&duration) {
            return Ok(duration);
        }
        let (least, most) = (duration::show(*range.start()), duration::show(*range.end()));
        Err(self.wrong(key, node, Wrong::new(format_args!("must be from {least} to {most}"))))
    }

    /// As [`Section::duration`], where `0` is no bound.
    pub(super) fn bound(
        &self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Reading<Option<Duration>> {
        if self.is_off(key) {
            return Ok(self.find(key).and(None));
        }
        self.duration(key, default, range).map(Some)
    }

    /// `"64KiB"`, in bytes; a bare `0` is a size as well.
    pub(super) fn size(&self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> Reading<u64> {
        let Some(node) = self.find(key) else { return Ok(default) };
        let size = match &node.value {
            Value::Integer(0) => 0,
            Value::Integer(_) => {
                return Err(self.wrong(
                    key,
                    node,
                    Wrong::new("needs a unit").help("write, for example, \"64KiB\" or \"10MiB\""),
                ));
            }
            _ => self.parse_text(key, node, size::parse)?.value,
        };
        if range.contains(&size) {
            return Ok(size);
        }
        let (least, most) = (size::show(*range.start()), size::show(*range.end()));
        Err(self.wrong(key, node, Wrong::new(format_args!("must be from {least} to {most}"))))
    }

    /// `"600/min"`; `""` and `0` are no bound.
    pub(super) fn rate(&self, key: &'static str, default: Option<NonZeroU32>) -> Reading<Option<NonZeroU32>> {
        let Some(node) = self.find(key) else { return Ok(default) };
        if let Value::Integer(0) = node.value {
            return Ok(None);
        }
        let rate = self.parse_text(key, node, |text| {
            let number = text.strip_suffix("/min").and_then(|number| number.trim_end().parse().ok());
            match (text, number) {
                ("" | "0", _) => Ok(None),
                (_, Some(number)) => Ok(NonZeroU32::new(number)),
                (_, None) => Err(Wrong::new("must be a number for each minute")
                    .help("write, for example, \"600/min\", or \"\" for no bound")),
            }
        })?;
        Ok(rate.value)
    }

    /// Whether a key is set to `""` or `0`, where that is something else than not setting it: off.
    pub(super) fn is_off(&self, key: &str) -> bool {
        self.table.entries.get(key).is_some_and(|entry| match &entry.node.value {
            Value::Text { text, .. } => matches!(text.as_str(), "" | "0"),
            Value::Integer(number) => *number == 0,
            _ => false,
        })
    }

    /// A section below this one; `None` where it is not there.
    pub(super) fn table<T>(
        &self,
        key: &'static str,
        name: &'static str,
        read: impl FnOnce(&Section<'_>) -> Reading<T>,
    ) -> Reading<Option<T>> {
        self.find(key).map(|node| self.enter(key, name, node, read)).transpose()
    }

    /// A section below this one whose keys all have defaults: not writing it is writing it empty.
    pub(super) fn table_or_empty<T>(
        &self,
        key: &'static str,
        name: &'static str,
        read: impl FnOnce(&Section<'_>) -> Reading<T>,
    ) -> Reading<T> {
        match self.find(key) {
            Some(node) => self.enter(key, name, node, read),
            None => Section::walk(self.report, name, self.place, &Table::default(), read),
        }
    }

    fn enter<T>(
        &self,
        key: &str,
        name: &'static str,
        node: &Node,
        read: impl FnOnce(&Section<'_>) -> Reading<T>,
    ) -> Reading<T> {
        match &node.value {
            Value::Table(table) => Section::walk(self.report, name, node.place, table, read),
            _ => Err(self.wrong_kind(key, node, &format!("a table: {}", brackets(name)))),
        }
    }

    /// A table whose keys are names of the operator's own choice, each with a section below it. Each is read, whatever
    /// became of the others; `expected` says what stands there.
    pub(super) fn named_tables<T>(
        &self,
        key: &'static str,
        name: &'static str,
        expected: &str,
        mut read: impl FnMut(Placed<&str>, &Section<'_>) -> Reading<T>,
    ) -> Reading<Vec<Reading<T>>> {
        let Some(node) = self.find(key) else { return Ok(Vec::new()) };
        let Value::Table(table) = &node.value else {
            return Err(self.wrong_kind(key, node, "a table"));
        };
        let each = table.entries.iter().map(|(own, entry)| match &entry.node.value {
            Value::Table(table) => Section::walk(self.report, name, entry.node.place, table, |section| {
                read(Placed { value: own, place: entry.key }, section)
            }),
            _ => Err(self.wrong_kind(&quoted(own), &entry.node, expected)),
        });
        Ok(each.collect())
    }

    /// A table of strings whose keys are names of the operator's own choice. Each is read, whatever became of the others.
    pub(super) fn texts<T>(
        &self,
        key: &'static str,
        check_name: impl Fn(&str) -> Result<(), Wrong>,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Reading<Vec<(String, T)>> {
        let Some(node) = self.find(key) else { return Ok(Vec::new()) };
        let Value::Table(table) = &node.value else {
            return Err(self.wrong_kind(key, node, "a table of strings"));
        };
        let each = table.entries.iter().map(|(own, entry)| {
            let named = format!("`{}` of `{key}`", quoted(own));
            let name = check_name(own).map_err(|wrong| self.report.add(wrong.at(entry.key, named)));
            let value = self.parse_text(&quoted(own), &entry.node, &parse);
            name.and(value).map(|value| (own.clone(), value.value))
        });
        let read: Vec<_> = each.collect();
        read.into_iter().collect()
    }

    /// All `[[sections]]` of a name below this one. Each is read, whatever became of the others.
    pub(super) fn tables<T>(
        &self,
        key: &'static str,
        name: &'static str,
        mut read: impl FnMut(&Section<'_>) -> Reading<T>,
    ) -> Vec<Reading<T>> {
        let Some(node) = self.find(key) else { return Vec::new() };
        let expected = match name {
            "condition" => "a list of conditions, each in braces".to_owned(),
            "app.clear_cookies" => "a list of cookies, each in braces: { name = \"…\", path = \"/\" }".to_owned(),
            name => format!("a list of tables: write {} for each", brackets(name)),
        };
        match &node.value {
            Value::List(nodes) => nodes
                .iter()
                .map(|node| match &node.value {
                    Value::Table(table) => Section::walk(self.report, name, node.place, table, &mut read),
                    _ => Err(self.wrong_kind(key, node, &expected)),
                })
                .collect(),
            _ => vec![Err(self.wrong_kind(key, node, &expected))],
        }
    }
}

/// Values that must differ from each other, with the place of each.
pub(super) struct Unique {
    what: &'static str,
    seen: BTreeMap<String, Place>,
}

impl Unique {
    /// `what` begins the message: `"the host"`.
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, seen: BTreeMap::new() }
    }

    /// Takes a value, unless it is taken.
    pub(super) fn claim(&mut self, report: &Report, value: &str, place: Place) -> Reading<()> {
        let Some(first) = self.seen.get(value) else {
            self.seen.insert(value.to_owned(), place);
            return Ok(());
        };
        let fault = Fault::at(place, format!("{} `{}` is given twice", self.what, quoted(value)));
        Err(report.add(fault.related(*first, "it is given here as well")))
    }
}

/// A path in a message.
pub(super) fn show_path(path: &Path) -> String {
    format!("`{}`", quoted(&path.display().to_string()))
}

/// `server` and `tls` make `[server.tls]`.
fn section_name(parent: &str, key: &str) -> String {
    if parent.is_empty() { format!("`[{key}]`") } else { format!("`[{parent}.{key}]`") }
}
