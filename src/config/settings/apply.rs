//! Puts what flags and variables say over the tree of the files.
//!
//! Where the files describe no app or no provider, one is made, and what it lacks is
//! asked for by flag: whoever uses no file should not have to read about its keys.

use url::Url;

use super::{By, SETTINGS, Setting, Settings, Shape, Subject};
use crate::{
    config::{
        fault::{Fault, Place, Report},
        source::Source,
        tree::{Entry, FilledIn, Node, Table, Value},
    },
    secret::Secret,
};

/// What the made app and provider are called in logs and metrics.
const MADE_APP: &str = "app";
const MADE_PROVIDER: &str = "provider";

/// The longest `name` and `display_name`.
const MAX_NAME: usize = 64;

/// What is shown to somebody who does not say who may enter.
const WHO_MAY_ENTER: &str = "say --allow-email-domain example.com (or set VESTIBULE_ALLOW_EMAIL_DOMAIN), or \
                             --access anyone for everybody whom the provider signs in";

/// The settings of a process, each with its place among the sources of a report.
pub(in crate::config) struct Words<'s> {
    settings: &'s Settings,
    given: Vec<Word>,
    /// The place of sections that stand in no file.
    made: Place,
}

/// One value, as it was given.
struct Word {
    setting: &'static Setting,
    by: By,
    place: Place,
    text: Secret<String>,
}

impl<'s> Words<'s> {
    /// Makes the settings known to a report, so that faults can show them.
    pub(in crate::config) fn add_to(report: &mut Report, settings: &'s Settings) -> Self {
        let whole = report.add_source(Source::word("flags and variables", "", ""));
        let made = Place { source: whole, start: 0, end: 0 };
        let mut words = Vec::new();
        for given in &settings.given {
            for text in &given.values {
                let name = spelled(given.setting, given.by);
                let (before, shown) = match (given.by, given.setting.shape) {
                    (By::Flag, _) => (format!("{name} "), text.expose().as_str()),
                    (By::Variable, Shape::Secret) => (format!("{name}="), "********"),
                    (By::Variable, _) => (format!("{name}="), text.expose().as_str()),
                };
                let (start, end) = (before.len(), before.len() + shown.len());
                let source = report.add_source(Source::word(name, before, shown));
                let place = Place { source, start, end };
                words.push(Word { setting: given.setting, by: given.by, place, text: text.clone() });
            }
        }
        Self { settings, given: words, made }
    }

    /// Goes over what the files say.
    pub(in crate::config) fn go_over(&self, report: &Report, tree: &mut Table) {
        for name in &self.settings.not_text {
            report.add(Fault::nowhere(format!("the environment variable `{name}` is not UTF-8")));
        }
        for (name, meant) in &self.settings.slips {
            report.warn(None, format_args!("nothing reads the environment variable `{name}`: did you mean `{meant}`?"));
        }
        let is_said = |subject| self.given.iter().any(|word| word.setting.subject == subject);
        let is_without_files = tree.entries.is_empty() && (is_said(Subject::App) || is_said(Subject::Provider));
        for (subject, section, id) in [(Subject::App, "app", MADE_APP), (Subject::Provider, "provider", MADE_PROVIDER)]
        {
            if !is_said(subject) && !is_without_files {
                continue;
            }
            let Some(table) = self.only_table(report, tree, section, subject) else { continue };
            let is_made = table.entries.is_empty();
            self.write(subject, table);
            if is_made {
                self.complete(report, subject, id, table);
            }
        }
        self.write(Subject::Process, tree);
    }

    /// The one table of a section; made where there is none, and `None` where the settings cannot say which they mean.
    fn only_table<'t>(
        &self,
        report: &Report,
        tree: &'t mut Table,
        section: &str,
        subject: Subject,
    ) -> Option<&'t mut Table> {
        let made = || Entry { key: self.made, node: Node { place: self.made, value: Value::List(Vec::new()) } };
        let entry = tree.entries.entry(section.to_owned()).or_insert_with(made);
        // What is no list of tables is a fault of its own, which the section's reader finds.
        let Value::List(nodes) = &mut entry.node.value else { return None };
        if nodes.is_empty() {
            nodes.push(Node { place: self.made, value: Value::Table(Table::default()) });
        }
        if let [first, second, ..] = nodes.as_slice() {
            for word in self.given.iter().filter(|word| word.setting.subject == subject) {
                let name = spelled(word.setting, word.by);
                report.add(
                    Fault::at(word.place, format!("`{name}` is for one {section}, and the files have several"))
                        .related(first.place, "one")
                        .related(second.place, "another")
                        .help(format!(
                            "set `{}` of the {section} that is meant, in its file",
                            word.setting.key.join(".")
                        )),
                );
            }
            return None;
        }
        nodes.iter_mut().find_map(|node| match &mut node.value {
            Value::Table(table) => Some(table),
            _ => None,
        })
    }

    /// Writes every setting of a subject, in place of what the files say of its key.
    fn write(&self, subject: Subject, table: &mut Table) {
        let mut begun: Vec<&Setting> = Vec::new();
        let mut people = None;
        for word in self.given.iter().filter(|word| word.setting.subject == subject) {
            let Some((key, above)) = word.setting.key.split_last() else { continue };
            let Some(table) = above.iter().try_fold(&mut *table, |table, key| self.inner_table(table, key)) else {
                continue;
            };
            let is_first = !begun.iter().any(|setting| setting.is_rival_of(word.setting));
            begun.push(word.setting);
            if matches!(word.setting.shape, Shape::Conditions(_)) {
                people = people.or(Some(word.place));
            }
            if is_first {
                // A secret and its file, and a list of people and its file, are one thing in two places.
                let rival = key.strip_suffix("_file").map_or_else(|| format!("{key}_file"), str::to_owned);
                table.entries.remove(&rival);
                table.entries.remove(*key);
            }
            let entry = || Entry { key: word.place, node: Node { place: word.place, value: word.empty_value() } };
            let entry = table.entries.entry((*key).to_owned()).or_insert_with(entry);
            if let Value::List(nodes) = &mut entry.node.value {
                nodes.extend(word.items());
            }
        }
        // A list of people says by itself that it is one.
        if let Some(place) = people
            && let Some(access) = self.inner_table(table, "access")
        {
            access.entries.entry("policy".to_owned()).or_insert_with(|| text_entry(place, "listed"));
        }
    }

    fn inner_table<'t>(&self, table: &'t mut Table, key: &str) -> Option<&'t mut Table> {
        let made = || Entry { key: self.made, node: Node { place: self.made, value: Value::Table(Table::default()) } };
        match &mut table.entries.entry(key.to_owned()).or_insert_with(made).node.value {
            Value::Table(inner) => Some(inner),
            _ => None,
        }
    }

    /// Names what was made, and asks for what it cannot be without.
    fn complete(&self, report: &Report, subject: Subject, id: &str, table: &mut Table) {
        for setting in SETTINGS.iter().filter(|setting| setting.subject == subject) {
            let (Some(example), [key]) = (setting.needed, setting.key) else { continue };
            let missing = || {
                let (flag, variable) = (spelled(setting, By::Flag), setting.variable());
                let fault = Fault::nowhere(format!("`{flag}` is missing"))
                    .help(format!("say {flag} {example}, or set {variable}={example}"));
                let slip = self.settings.slips.iter().find(|(_, meant)| *meant == variable);
                let reported = report.add(match slip {
                    Some((name, _)) => fault.why(format!("`{name}` is set, and nothing reads it")),
                    None => fault,
                });
                Entry { key: self.made, node: Node { place: self.made, value: Value::Faulty(reported) } }
            };
            table.entries.entry((*key).to_owned()).or_insert_with(missing);
        }
        if subject == Subject::App {
            table.entries.entry("access".to_owned()).or_insert_with(|| {
                let fault = Fault::nowhere("nothing says who may enter: `--access` is missing").help(WHO_MAY_ENTER);
                Entry { key: self.made, node: Node { place: self.made, value: Value::Faulty(report.add(fault)) } }
            });
        }
        let (url, name) = match subject {
            Subject::App => ("public_url", "name"),
            Subject::Provider => ("issuer", "display_name"),
            Subject::Process => return,
        };
        // People know a host; the id would mean nothing to them.
        if let Some(host) = table.entries.get(url).and_then(|entry| host(&entry.node.value)) {
            table.entries.entry(name.to_owned()).or_insert_with(|| text_entry(self.made, host));
        }
        table.entries.insert("id".to_owned(), text_entry(self.made, id));
    }
}

impl Word {
    /// The value, a list without its items.
    fn empty_value(&self) -> Value {
        match self.setting.shape {
            Shape::Text | Shape::Secret => text(self.text.expose().as_str()),
            Shape::List | Shape::Conditions(_) => Value::List(Vec::new()),
        }
    }

    /// What stands between its commas, each at its own place.
    fn items(&self) -> Vec<Node> {
        let mut start = self.place.start;
        let mut items = Vec::new();
        for piece in self.text.expose().split(',') {
            let item = piece.trim();
            let from = start + (piece.len() - piece.trim_start().len());
            start += piece.len() + 1;
            if item.is_empty() {
                continue;
            }
            let place = Place { start: from, end: from + item.len(), ..self.place };
            let value = match self.setting.shape {
                Shape::Conditions(key) => {
                    let mut condition = Table::default();
                    condition.entries.insert(key.to_owned(), text_entry(place, item));
                    Value::Table(condition)
                }
                _ => text(item),
            };
            items.push(Node { place, value });
        }
        items
    }
}

/// How a setting is written: `--issuer` or `VESTIBULE_ISSUER`.
fn spelled(setting: &Setting, by: By) -> String {
    match (by, setting.flag()) {
        (By::Flag, Some(flag)) => format!("--{flag}"),
        _ => setting.variable(),
    }
}

/// What is said here is meant as it stands: `${…}` is for files.
fn text(text: impl Into<String>) -> Value {
    Value::Text { text: text.into(), filled_in: FilledIn::No }
}

fn text_entry(place: Place, value: impl Into<String>) -> Entry {
    Entry { key: place, node: Node { place, value: text(value) } }
}

/// The host of a URL, where it would do as a name.
fn host(value: &Value) -> Option<String> {
    let Value::Text { text, .. } = value else { return None };
    let url = Url::parse(text).ok()?;
    url.host_str().filter(|host| host.len() <= MAX_NAME).map(str::to_owned)
}
