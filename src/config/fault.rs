//! What is wrong with a configuration, told to the person who wrote it.
//!
//! Reading goes on after a fault, so that one look at the output is enough to mend
//! a file. What makes that safe is [`Reported`]: whoever could not read a value
//! holds this proof instead of a stand-in for the value, so that nothing can be
//! computed from a stand-in and no fault follows from another.
//!
//! The text is rendered by `annotate-snippets`, the renderer of the Rust compiler's
//! own messages. `miette` and `ariadne` were rejected: both want to own the error
//! types of the program.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use annotate_snippets::{AnnotationKind, Element, Level, Renderer, Snippet};

use crate::config::source::Source;

/// How many faults are rendered; a person mends the first ones first.
const MAX_RENDERED: usize = 100;

/// How far a misspelt key may be from a known one to be taken for it (Jaro-Winkler).
const SIMILAR: f64 = 0.8;

/// A stretch of bytes in one of the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Its index in the list of sources.
    pub(super) source: usize,
    /// The first byte.
    pub(super) start: usize,
    /// The byte after the last.
    pub(super) end: usize,
}

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Fault {
    place: Option<Place>,
    title: String,
    label: Option<String>,
    related: Vec<(Place, String)>,
    why: Option<String>,
    help: Option<String>,
}

impl Fault {
    /// A fault of something written in a file.
    pub(super) fn at(place: Place, title: impl Into<String>) -> Self {
        Self { place: Some(place), ..Self::nowhere(title) }
    }

    /// A fault without a line: a file that cannot be read.
    pub(super) fn nowhere(title: impl Into<String>) -> Self {
        Self { place: None, title: title.into(), label: None, related: Vec::new(), why: None, help: None }
    }

    /// What stands beside the underlined text.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Another place that has to do with it.
    pub(super) fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related.push((place, label.into()));
        self
    }

    /// Why it is refused, where that is not plain.
    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// What to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn render(&self, sources: &[Source], renderer: &Renderer) -> String {
        let mut snippets: BTreeMap<(bool, usize), Vec<(Place, AnnotationKind, Option<&str>)>> = BTreeMap::new();
        if let Some(place) = self.place {
            let primary = (place, AnnotationKind::Primary, self.label.as_deref());
            snippets.entry((false, place.source)).or_default().push(primary);
            for (other, label) in &self.related {
                let key = (other.source != place.source, other.source);
                snippets.entry(key).or_default().push((*other, AnnotationKind::Context, Some(label)));
            }
        }
        let elements = snippets
            .into_iter()
            .map(|((_, source), annotations)| Element::from(snippet(&sources[source], &annotations)))
            .chain(self.why.as_deref().map(|why| Level::NOTE.message(why).into()))
            .chain(self.help.as_deref().map(|help| Level::HELP.message(help).into()));
        renderer.render(&[Level::ERROR.primary_title(self.title.as_str()).elements(elements)])
    }
}

/// Only the lines that matter: a source may have four million bytes.
fn snippet<'a>(
    source: &'a Source,
    annotations: &[(Place, AnnotationKind, Option<&'a str>)],
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let text = source.shown();
    let start = annotations.iter().map(|(place, ..)| place.start).min().unwrap_or(0);
    let end = annotations.iter().map(|(place, ..)| place.end).max().unwrap_or(0);
    let (start, end) = (floor_char(text, start), floor_char(text, end));
    let first = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let last = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
    let spans = annotations.iter().map(|&(place, kind, label)| {
        kind.span(floor_char(text, place.start) - first..floor_char(text, place.end) - first).label(label)
    });
    Snippet::source(&text[first..last])
        .line_start(source.position(first).0)
        .path(source.name())
        .annotations(spans.collect::<Vec<_>>())
}

/// The nearest place at or before `index` where a character starts.
fn floor_char(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// Everything that is wrong with a configuration, in the order of the files.
///
/// `Display` renders it for a terminal, without colours; secrets in the lines shown
/// are masked.
pub struct Faults {
    sources: Vec<Source>,
    faults: Vec<Fault>,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain();
        for fault in self.faults.iter().take(MAX_RENDERED) {
            writeln!(f, "{}\n", fault.render(&self.sources, &renderer))?;
        }
        let hidden = self.faults.len().saturating_sub(MAX_RENDERED);
        if hidden > 0 {
            writeln!(f, "and {hidden} more, which are shown once these are mended\n")?;
        }
        match self.faults.len() {
            1 => write!(f, "the configuration has 1 fault"),
            n => write!(f, "the configuration has {n} faults"),
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Faults {}

/// Proof that a fault is on record: what a reader returns instead of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported(());

/// What one reading of the configuration has found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    sources: Vec<Source>,
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<String>>,
    known_keys: RefCell<BTreeMap<&'static str, BTreeSet<&'static str>>>,
    unknown_keys: RefCell<Vec<UnknownKey>>,
}

/// A key that no reader asked for.
#[derive(Debug)]
struct UnknownKey {
    section: &'static str,
    key: String,
    place: Place,
}

impl Report {
    /// Adds a text that places can point into.
    pub(super) fn add_source(&mut self, source: Source) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// The text that a place points into.
    pub(super) fn source(&self, index: usize) -> &Source {
        &self.sources[index]
    }

    /// All sources, for messages.
    pub(super) fn source_names(&self) -> String {
        let names: Vec<_> = self.sources.iter().map(|source| format!("`{}`", quoted(source.name()))).collect();
        names.join(", ")
    }

    /// Puts a fault on record.
    pub(super) fn add(&self, fault: Fault) -> Reported {
        self.faults.borrow_mut().push(fault);
        Reported(())
    }

    /// Puts on record what is allowed and still deserves a line at start.
    pub(super) fn warn(&self, place: Option<Place>, text: impl fmt::Display) {
        self.warnings.borrow_mut().push(match place {
            Some(place) => {
                let source = self.source(place.source);
                format!("{}:{}: {text}", source.name(), source.position(place.start).0)
            }
            None => text.to_string(),
        });
    }

    /// Notes the keys that a section knows, for suggestions.
    pub(super) fn knows(&self, section: &'static str, keys: &[&'static str]) {
        self.known_keys.borrow_mut().entry(section).or_default().extend(keys);
    }

    /// Notes a key that nobody asked for; judged at the end, when all known keys are known.
    pub(super) fn unknown_key(&self, section: &'static str, key: &str, place: Place) -> Reported {
        self.unknown_keys.borrow_mut().push(UnknownKey { section, key: key.to_owned(), place });
        Reported(())
    }

    /// The keys that each section asked for.
    #[cfg(test)]
    pub(super) fn known_keys(&self) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
        self.known_keys.borrow().clone()
    }

    /// The value with its warnings if nothing is on record, else everything that is, in order and once each.
    pub(super) fn conclude<T>(self, value: Result<T, Reported>) -> Result<(T, Vec<String>), Faults> {
        let known = self.known_keys.into_inner();
        let mut faults = self.faults.into_inner();
        faults.extend(self.unknown_keys.into_inner().iter().map(|unknown| unknown.fault(&known)));
        match value {
            Ok(value) if faults.is_empty() => Ok((value, self.warnings.into_inner())),
            Ok(_) | Err(Reported(())) => {
                faults.sort_by(|a, b| (a.place, &a.title).cmp(&(b.place, &b.title)));
                faults.dedup_by(|a, b| (a.place, &a.title) == (b.place, &b.title));
                Err(Faults { sources: self.sources.into_iter().map(Source::masked).collect(), faults })
            }
        }
    }
}

impl UnknownKey {
    fn fault(&self, known: &BTreeMap<&'static str, BTreeSet<&'static str>>) -> Fault {
        let fault =
            Fault::at(self.place, format!("unknown key `{}` in {}", self.key.escape_debug(), brackets(self.section)));
        let here = known.get(self.section);
        let similar = here
            .into_iter()
            .flatten()
            .map(|key| (strsim::jaro_winkler(key, &self.key), key))
            .filter(|(similarity, _)| *similarity >= SIMILAR)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, key)) = similar {
            return fault.label(format!("did you mean `{key}`?"));
        }
        let elsewhere = known.iter().find(|(_, keys)| keys.contains(self.key.as_str()));
        if let Some((section, _)) = elsewhere {
            return fault.label(format!("this is a key of {}", brackets(section)));
        }
        let keys: Vec<_> = here.into_iter().flatten().map(|key| format!("`{key}`")).collect();
        fault.help(format!("the keys here are {}", keys.join(", ")))
    }
}

/// How a section is written, for messages: `[server.tls]`, `[[app]]`, an inline table.
pub(super) fn brackets(section: &str) -> String {
    match section {
        "" => "the top level".to_owned(),
        "provider" | "app" | "app.route" => format!("`[[{section}]]`"),
        "condition" => "a condition".to_owned(),
        "provider.claims" => "`claims`".to_owned(),
        "app.upstream_tls" => "`upstream_tls`".to_owned(),
        section => format!("`[{section}]`"),
    }
}

/// A value in a message: short, on one line, without anything that a terminal would obey.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut quoted: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        quoted.push('…');
    }
    quoted.replace("\\\"", "\"").replace("\\'", "'")
}
