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
    sync::Arc,
};

use annotate_snippets::{Annotation, AnnotationKind, Element, Level, Renderer, Snippet};

use crate::config::{source::Source, written::Written};

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
    absence: Option<(Place, Vec<&'static str>)>,
}

impl Fault {
    /// A fault of something written in a file.
    pub(super) fn at(place: Place, title: impl Into<String>) -> Self {
        Self { place: Some(place), ..Self::nowhere(title) }
    }

    /// A fault without a line: a file that cannot be read.
    pub(super) fn nowhere(title: impl Into<String>) -> Self {
        Self {
            place: None,
            title: title.into(),
            label: None,
            related: Vec::new(),
            why: None,
            help: None,
            absence: None,
        }
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

    /// Says that it is a fault because none of some keys is in a section: it goes without saying where one of them is
    /// there, misspelt.
    pub(super) fn absence(mut self, section: Place, keys: &[&'static str]) -> Self {
        self.absence = Some((section, keys.to_vec()));
        self
    }

    fn render(&self, sources: &[Source], renderer: &Renderer) -> String {
        let mut snippets = Vec::new();
        if let Some(place) = self.place {
            let primary = Mark { place, kind: AnnotationKind::Primary, label: self.label.as_deref() };
            let related = self.related.iter().map(|(place, label)| Mark {
                place: *place,
                kind: AnnotationKind::Context,
                label: Some(label.as_str()),
            });
            let (here, elsewhere): (Vec<_>, Vec<_>) = related.partition(|mark| mark.place.source == place.source);
            snippets.push(snippet(sources, primary, here));
            snippets.extend(elsewhere.into_iter().map(|mark| snippet(sources, mark, Vec::new())));
        }
        let elements = snippets
            .into_iter()
            .map(Element::from)
            .chain(self.why.as_deref().map(|why| Level::NOTE.message(why).into()))
            .chain(self.help.as_deref().map(|help| Level::HELP.message(help).into()));
        renderer.render(&[Level::ERROR.primary_title(self.title.as_str()).elements(elements)])
    }
}

/// A stretch of text to underline.
struct Mark<'a> {
    place: Place,
    kind: AnnotationKind,
    label: Option<&'a str>,
}

/// The lines of one source that the marks are in, and no others: a source may have four million bytes.
fn snippet<'a>(sources: &'a [Source], mark: Mark<'a>, others: Vec<Mark<'a>>) -> Snippet<'a, Annotation<'a>> {
    let source = &sources[mark.place.source];
    let text = source.shown();
    let marks: Vec<_> = std::iter::once(mark).chain(others).collect();
    let start = marks.iter().map(|mark| mark.place.start).min().unwrap_or(0);
    let end = marks.iter().map(|mark| mark.place.end).max().unwrap_or(0);
    let first = text[..floor_char(text, start)].rfind('\n').map_or(0, |newline| newline + 1);
    let end = floor_char(text, end);
    let last = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
    let underline = |mark: Mark<'a>| {
        let span = floor_char(text, mark.place.start) - first..floor_char(text, mark.place.end) - first;
        mark.kind.span(span).label(mark.label)
    };
    Snippet::source(&text[first..last])
        .line_start(source.line(first))
        .path(&**source.name())
        .annotations(marks.into_iter().map(underline))
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
            for line in fault.render(&self.sources, &renderer).lines() {
                writeln!(f, "{}", line.trim_end())?;
            }
            writeln!(f)?;
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
    known_keys: RefCell<KnownKeys>,
    unknown_keys: RefCell<Vec<UnknownKey>>,
}

/// A key that no reader asked for.
#[derive(Debug)]
struct UnknownKey {
    section: &'static str,
    /// Where the section is.
    within: Place,
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

    /// What is kept of a place once the configuration stands.
    pub(super) fn written(&self, place: Place) -> Written {
        let source = self.source(place.source);
        Written::new(Arc::clone(source.name()), source.line(place.start))
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
                format!("{}:{}: {text}", source.name(), source.line(place.start))
            }
            None => text.to_string(),
        });
    }

    /// Notes the keys that a section knows, for suggestions.
    pub(super) fn knows(&self, section: &'static str, keys: &[&'static str]) {
        self.known_keys.borrow_mut().entry(section).or_default().extend(keys);
    }

    /// Notes a key that nobody asked for; judged at the end, when all known keys are known.
    pub(super) fn unknown_key(&self, section: &'static str, within: Place, key: &str, place: Place) -> Reported {
        self.unknown_keys.borrow_mut().push(UnknownKey { section, within, key: key.to_owned(), place });
        Reported(())
    }

    /// The keys that each section asked for.
    #[cfg(test)]
    pub(super) fn known_keys(&self) -> KnownKeys {
        self.known_keys.borrow().clone()
    }

    /// The value with its warnings if nothing is on record, else everything that is, in order and once each.
    pub(super) fn conclude<T>(self, value: Result<T, Reported>) -> Result<(T, Vec<String>), Faults> {
        let known = self.known_keys.into_inner();
        let unknown = self.unknown_keys.into_inner();
        let mut faults = self.faults.into_inner();
        faults.retain(|fault| !unknown.iter().any(|unknown| unknown.explains(fault, &known)));
        faults.extend(unknown.iter().map(|unknown| unknown.fault(&known)));
        match value {
            Ok(value) if faults.is_empty() => Ok((value, self.warnings.into_inner())),
            Ok(_) | Err(Reported(())) => {
                faults.sort_by_key(|fault| fault.place);
                let mut seen = BTreeSet::new();
                faults.retain(|fault| seen.insert((fault.place, fault.title.clone())));
                Err(Faults { sources: self.sources.into_iter().map(Source::masked).collect(), faults })
            }
        }
    }
}

/// The keys by section.
type KnownKeys = BTreeMap<&'static str, BTreeSet<&'static str>>;

impl UnknownKey {
    /// The key that was meant.
    fn meant(&self, known: &KnownKeys) -> Option<&'static str> {
        let here = known.get(self.section).into_iter().flatten();
        let similar = here.map(|key| (strsim::jaro_winkler(key, &self.key), *key));
        let nearest = similar.max_by(|a, b| a.0.total_cmp(&b.0));
        nearest.filter(|(similarity, _)| *similarity >= SIMILAR).map(|(_, key)| key)
    }

    /// Whether a fault is there only because this key is misspelt.
    fn explains(&self, fault: &Fault, known: &KnownKeys) -> bool {
        fault.absence.as_ref().is_some_and(|(section, keys)| {
            *section == self.within && self.meant(known).is_some_and(|meant| keys.contains(&meant))
        })
    }

    fn fault(&self, known: &KnownKeys) -> Fault {
        let place = if self.section.is_empty() { "at" } else { "in" };
        let title = format!("unknown key `{}` {place} {}", quoted(&self.key), brackets(self.section));
        let fault = Fault::at(self.place, title);
        if let Some(meant) = self.meant(known) {
            return fault.label(format!("did you mean `{meant}`?"));
        }
        if let Some((section, _)) = known.iter().find(|(_, keys)| keys.contains(self.key.as_str())) {
            return fault.label(format!("this is a key of {}", brackets(section)));
        }
        let keys: Vec<_> = known.get(self.section).into_iter().flatten().map(|key| format!("`{key}`")).collect();
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
