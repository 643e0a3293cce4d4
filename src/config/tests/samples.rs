//! The files under `config/`: accepted, and the reference complete and true.

use std::fs;

use super::{super::*, folder, write};

#[test]
fn the_samples_are_accepted() {
    let folder = folder();
    for entry in fs::read_dir("config").expect("the samples").map(|entry| entry.expect("a sample").path()) {
        let text = fs::read_to_string(&entry).expect("a sample");
        let name = entry.file_name().expect("a name").to_str().expect("a name in ASCII").to_owned();
        let copy = write(&folder, &name, &text);
        let config = Config::load(&[copy]).unwrap_or_else(|faults| panic!("{name}: {faults}"));
        assert!(config.warnings.is_empty(), "{name}: {:?}", config.warnings);
    }
}

const REFERENCE: &str = include_str!("../../../config/reference.toml");

/// Keys for which an example stands in the reference, because they have no default.
const EXAMPLES: [(&str, &str); 13] = [
    ("provider", "id"),
    ("provider", "issuer"),
    ("provider", "client_id"),
    ("provider", "client_secret_file"),
    ("app", "id"),
    ("app", "public_url"),
    ("app", "upstream"),
    ("app.access", "policy"),
    ("app.access", "allow"),
    ("app.route", "path"),
    ("app.route", "methods"),
    ("app.route", "access"),
    ("app.route.access", "allow"),
];

/// A line that sets a key or begins a section, commented out or not.
struct Line {
    section: String,
    key: String,
    text: &'static str,
    is_comment: bool,
}

/// What the reference shows.
fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    let mut section = String::new();
    let mut add = |section: &str, key: &str, text, is_comment| {
        lines.push(Line { section: section.to_owned(), key: key.to_owned(), text, is_comment });
    };
    for text in REFERENCE.lines() {
        let line = text.strip_prefix('#').unwrap_or(text);
        let is_comment = line.len() < text.len();
        if let Some((name, _)) = line.split_once(']').filter(|(name, _)| name.starts_with('[')) {
            section = name.trim_start_matches('[').to_owned();
            let (parent, key) = section.rsplit_once('.').unwrap_or(("", &section));
            add(parent, key, text, is_comment);
        } else if line.trim_start().starts_with('{') {
            let keys = line.split(['{', ',']).filter_map(|pair| pair.split_once(" = "));
            keys.for_each(|(key, _)| add("condition", key.trim(), text, is_comment));
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) {
            add(&section, key, text, is_comment);
        }
    }
    lines
}

#[test]
fn the_reference_shows_every_key_that_the_readers_ask_for() {
    let folder = folder();
    // Everything is switched on, except the keys that stand in for their `_file` twins.
    let switch_on = |line: &'static str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line);
    let all: Vec<_> = REFERENCE.lines().map(switch_on).filter(|line| !line.contains("\"…\"")).collect();
    let mut report = Report::default();
    let name = folder.path().join("reference.toml").display().to_string();
    let source = report.add_source(Source::new(name, all.join("\n")));
    let table = join(&report, &[source], &|_| None).expect("the reference is TOML");
    let outcome = Section::root(&report, &table, read);
    let known = report.known_keys();
    report.conclude(outcome).unwrap_or_else(|faults| panic!("{faults}"));
    let lines = lines();
    for (section, key) in known.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*section, *key))) {
        let is_shown = lines.iter().any(|line| line.section == section && line.key == key);
        assert!(is_shown, "`{key}` of [{section}] is not in config/reference.toml");
    }
}

#[test]
fn the_values_in_the_reference_are_the_defaults() {
    let folder = folder();
    let debug = |text: &str| {
        let file = write(&folder, "reference.toml", text);
        let config = Config::load(&[file]).unwrap_or_else(|faults| panic!("{faults}"));
        format!("{:?}", Config { warnings: Vec::new(), ..config })
    };
    let whole = debug(REFERENCE);
    let mut defaults = 0;
    for line in lines() {
        let is_example = EXAMPLES.contains(&(line.section.as_str(), line.key.as_str()));
        if line.is_comment || is_example || line.text.starts_with('[') || line.section == "condition" {
            continue;
        }
        // The same key may stand in two sections with the same text: either is a default.
        assert_eq!(debug(&REFERENCE.replacen(line.text, "", 1)), whole, "{}", line.text);
        defaults += 1;
    }
    assert!(defaults > 30, "only {defaults} lines were seen as defaults");
}
