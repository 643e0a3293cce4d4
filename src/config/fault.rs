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
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use serde::{Serialize, Serializer};

use crate::config::{
    catalogue::{self, Key, SECTIONS, Version::This, brackets},
    files_read::FilesRead,
    source::{self, FileError, Kind, Source},
    written::Written,
};

/// How many faults are rendered; a person mends the first ones first.
const MAX_RENDERED: usize = 100;

/// The most bytes of a file that a fault shows; what is longer is told by line and column only.
const LONGEST_SHOWN: usize = 16 << 10;

/// What is longer is no misspelt key.
const LONGEST_KEY: usize = 64;

/// How many warnings are told; more of them are of one kind.
const MAX_WARNINGS: usize = 100;

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

    /// Whether it is there only because one of these misspelt keys of a section is.
    fn is_explained(&self, suspects: &[(Place, &str)]) -> bool {
        self.absence.as_ref().is_some_and(|(section, keys)| {
            suspects.iter().any(|(within, meant)| within == section && keys.contains(meant))
        })
    }

    fn render(&self, sources: &[Source], renderer: &Renderer) -> String {
        let mut elements: Vec<Element<'_>> = Vec::new();
        if let Some(place) = self.place {
            let primary = Mark { place, kind: AnnotationKind::Primary, label: self.label.as_deref() };
            let related = self.related.iter().map(|(place, label)| Mark {
                place: *place,
                kind: AnnotationKind::Context,
                label: Some(label.as_str()),
            });
            let (here, elsewhere): (Vec<_>, Vec<_>) = related.partition(|mark| mark.place.source == place.source);
            elements.extend(show(sources, primary, here));
            let (words, files): (Vec<_>, Vec<_>) =
                elsewhere.into_iter().partition(|mark| sources[mark.place.source].kind() == Kind::Word);
            elements.extend(files.into_iter().flat_map(|mark| show(sources, mark, Vec::new())));
            elements.extend(words.into_iter().map(|mark| {
                let shown = quoted(sources[mark.place.source].shown());
                Level::NOTE.message(format!("`{shown}`: {}", mark.label.unwrap_or_default())).into()
            }));
        }
        elements.extend(self.why.as_deref().map(|why| Level::NOTE.message(why).into()));
        elements.extend(self.help.as_deref().map(|help| Level::HELP.message(help).into()));
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
fn show<'a>(sources: &'a [Source], mark: Mark<'a>, others: Vec<Mark<'a>>) -> Vec<Element<'a>> {
    let source = &sources[mark.place.source];
    let text = source.shown();
    let marks: Vec<_> = std::iter::once(mark).chain(others).collect();
    let start = marks.iter().map(|mark| mark.place.start).min().unwrap_or(0);
    let end = marks.iter().map(|mark| mark.place.end).max().unwrap_or(0);
    let first = text[..floor_char(text, start)].rfind('\n').map_or(0, |newline| newline + 1);
    let end = floor_char(text, end);
    let last = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
    let lines = text[first..last].trim_end_matches('\r');
    if lines.len() > LONGEST_SHOWN {
        // Each for itself, if they are only far from each other.
        let alone = marks.len() == 1;
        let show = |mark| if alone { tell(source, &mark) } else { show(sources, mark, Vec::new()) };
        return marks.into_iter().flat_map(show).collect();
    }
    let underline = |mark: Mark<'a>| {
        // A carriage return at the end is no part of what is shown.
        let at = |index| (floor_char(text, index) - first).min(lines.len());
        mark.kind.span(at(mark.place.start)..at(mark.place.end)).label(mark.label)
    };
    let snippet = Snippet::source(lines).annotations(marks.into_iter().map(underline));
    vec![match source.kind() {
        Kind::File => snippet.line_start(source.line(first)).path(&**source.name()).into(),
        // It stands in no line of anything: its name is part of the text.
        Kind::Word => snippet.line_numbering(false).into(),
    }]
}

/// Where a mark is and what it says, without the lines.
fn tell<'a>(source: &'a Source, mark: &Mark<'a>) -> Vec<Element<'a>> {
    let text = source.shown();
    let start = floor_char(text, mark.place.start);
    let first = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let origin =
        Origin::path(&**source.name()).line(source.line(start)).char_column(text[first..start].chars().count() + 1);
    let label = mark.label.map(|label| Level::NOTE.message(label).into());
    std::iter::once(origin.into()).chain(label).collect()
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
    all: Vec<Fault>,
    files: FilesRead,
}

impl Faults {
    /// What was looked at: nothing better comes of it until some of that changes.
    pub fn files(&self) -> &FilesRead {
        &self.files
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl Faults {
    /// The same as `Display`, with escape sequences for a terminal that shows colours.
    pub fn coloured(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut text = String::new();
        for fault in self.all.iter().take(MAX_RENDERED) {
            for line in fault.render(&self.sources, renderer).lines() {
                text.push_str(line.trim_end());
                text.push('\n');
            }
            text.push('\n');
        }
        let hidden = match self.all.len().saturating_sub(MAX_RENDERED) {
            0 => String::new(),
            hidden => format!("and {hidden} more, which are shown once these are mended\n\n"),
        };
        match self.all.len() {
            1 => text + "the configuration has 1 fault",
            n => format!("{text}{hidden}the configuration has {n} faults"),
        }
    }
}

/// For programs: each fault with its place, and no text of the sources.
impl Serialize for Faults {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'f> {
            what: &'f str,
            at: Option<String>,
            why: Option<&'f str>,
            help: Option<&'f str>,
        }
        serializer.collect_seq(self.all.iter().map(|fault| Told {
            what: &fault.title,
            at: fault.place.map(|place| self.sources[place.source].show_place(place.start)),
            why: fault.why.as_deref(),
            help: fault.help.as_deref(),
        }))
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
    files: RefCell<FilesRead>,
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<String>>,
    #[cfg(test)]
    asked_keys: RefCell<AskedKeys>,
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

    /// The text of a file that the configuration is made of: all of them are read here, so that it is known which.
    pub(super) fn read_text(&self, path: &Path, limit: u64) -> Result<String, FileError> {
        let content = source::read_bytes(path, limit);
        self.files.borrow_mut().note_content(path, limit, &content);
        source::text(content?)
    }

    /// The files that a path of the command line stands for.
    pub(super) fn find_files(&self, path: &Path) -> Result<Vec<PathBuf>, FileError> {
        let found = source::files(path);
        self.files.borrow_mut().note_names(path, &found);
        found
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

    /// All files, for messages.
    pub(super) fn source_names(&self) -> String {
        let files = self.sources.iter().filter(|source| source.kind() == Kind::File);
        let names: Vec<_> = files.map(|source| format!("`{}`", quoted(source.name()))).collect();
        names.join(", ")
    }

    /// Puts a fault on record.
    pub(super) fn add(&self, fault: Fault) -> Reported {
        self.faults.borrow_mut().push(fault);
        Reported(())
    }

    /// Where something stands, as people say it: `vestibule.toml:12`.
    pub(super) fn line(&self, place: Place) -> String {
        self.source(place.source).show_place(place.start)
    }

    /// Puts on record what is allowed and still deserves a line at start.
    pub(super) fn warn(&self, place: Option<Place>, text: impl fmt::Display) {
        self.warnings.borrow_mut().push(match place {
            Some(place) => format!("{}: {text}", self.line(place)),
            None => text.to_string(),
        });
    }

    /// Notes the keys that a reader asked for: the test of the catalogue wants to know.
    #[cfg(test)]
    pub(super) fn asked_for(&self, section: &'static str, keys: &[&'static str]) {
        self.asked_keys.borrow_mut().entry(section).or_default().extend(keys);
    }

    /// Notes a key that nobody asked for; judged at the end, because it may explain other faults.
    pub(super) fn unknown_key(&self, section: &'static str, within: Place, key: &str, place: Place) -> Reported {
        self.unknown_keys.borrow_mut().push(UnknownKey { section, within, key: key.to_owned(), place });
        Reported(())
    }

    /// The keys that each section's readers asked for.
    #[cfg(test)]
    pub(super) fn asked_keys(&self) -> AskedKeys {
        self.asked_keys.borrow().clone()
    }

    /// The value with its warnings if nothing is on record, else everything that is.
    pub(super) fn conclude<T>(self, value: Result<T, Reported>) -> Result<(T, Vec<String>, FilesRead), Faults> {
        match value {
            Ok(value) if self.faults.borrow().is_empty() && self.unknown_keys.borrow().is_empty() => {
                Ok((value, bounded(self.warnings.into_inner()), self.files.into_inner()))
            }
            Ok(_) => Err(self.refuse(Reported(()))),
            Err(reported) => Err(self.refuse(reported)),
        }
    }

    /// Everything that is on record, in order and once each.
    pub(super) fn refuse(self, Reported(()): Reported) -> Faults {
        let unknown = self.unknown_keys.into_inner();
        let mut faults = self.faults.into_inner();
        let suspects: Vec<_> =
            unknown.iter().filter_map(|unknown| Some((unknown.within, unknown.meant()?.name))).collect();
        faults.retain(|fault| !fault.is_explained(&suspects));
        faults.extend(unknown.iter().map(UnknownKey::fault));
        faults.sort_by_key(|fault| fault.place);
        let mut seen = BTreeSet::new();
        faults.retain(|fault| seen.insert((fault.place, fault.title.clone())));
        let sources = self.sources.into_iter().map(Source::masked).collect();
        Faults { sources, all: faults, files: self.files.into_inner() }
    }
}

/// So many warnings as somebody will read.
fn bounded(mut warnings: Vec<String>) -> Vec<String> {
    let hidden = warnings.len().saturating_sub(MAX_WARNINGS);
    if hidden > 0 {
        warnings.truncate(MAX_WARNINGS);
        warnings.push(format!("and {hidden} more warnings"));
    }
    warnings
}

/// Keys by section.
#[cfg(test)]
pub(super) type AskedKeys = std::collections::BTreeMap<&'static str, BTreeSet<&'static str>>;

impl UnknownKey {
    /// The key that was meant.
    fn meant(&self) -> Option<&'static Key> {
        // Comparing takes time by the product of the lengths.
        let is_short = self.key.len() <= LONGEST_KEY;
        let here = catalogue::section(self.section).filter(|_| is_short).into_iter().flat_map(|section| section.keys);
        let similar = here.map(|key| (strsim::jaro_winkler(key.name, &self.key), key));
        // Where two are as near, the one that can be written now.
        let nearest =
            similar.max_by(|a, b| a.0.total_cmp(&b.0).then((a.1.version == This).cmp(&(b.1.version == This))));
        nearest.filter(|(similarity, _)| *similarity >= SIMILAR).map(|(_, key)| key)
    }

    fn fault(&self) -> Fault {
        let place = if self.section.is_empty() { "at" } else { "in" };
        let title = format!("unknown key `{}` {place} {}", quoted(&self.key), brackets(self.section));
        let fault = Fault::at(self.place, title);
        match self.meant() {
            Some(meant) if meant.name == self.key => {
                let title = format!("`{}` means nothing here", meant.name);
                return Fault::at(self.place, title).why(meant.about).help("remove it, or what rules it out");
            }
            Some(meant) if meant.version == This => return fault.label(format!("did you mean `{}`?", meant.name)),
            Some(meant) => {
                let label = format!("did you mean `{}`? It is not in this version", meant.name);
                return fault.label(label);
            }
            None => {}
        }
        let elsewhere = SECTIONS.iter().find(|section| {
            section.keys.iter().any(|key| key.name == self.key && key.version == This)
                && catalogue::is_reachable(section.name)
        });
        if let Some(section) = elsewhere {
            return fault.label(format!("this is a key of {}", brackets(section.name)));
        }
        let here = catalogue::section(self.section).into_iter().flat_map(|section| section.keys);
        let mut keys: Vec<_> = here.filter(|key| key.version == This).map(|key| format!("`{}`", key.name)).collect();
        keys.sort();
        fault.help(format!("the keys here are {}", keys.join(", ")))
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
