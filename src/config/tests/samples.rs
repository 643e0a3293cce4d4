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

#[test]
fn the_reference_shows_every_key_that_the_readers_ask_for() {
    let folder = folder();
    // A file's value has a twin that stands in for it: one of the two at a time.
    let uncommented = |skipped: &str| {
        let lines = REFERENCE.lines().filter(|line| !line.trim_start_matches('#').starts_with(&format!("{skipped} =")));
        let lines = lines.map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')).unwrap_or(line));
        lines.filter(|line| !line.contains("\"…\"")).collect::<Vec<_>>().join("\n")
    };
    let mut report = Report::default();
    let name = folder.path().join("reference.toml");
    let source = report.add_source(Source::new(name.display().to_string(), uncommented("none")));
    let table = join(&report, &[source], &|_| None).expect("the reference is TOML");
    let outcome = Section::root(&report, &table, read);
    let known = report.known_keys();
    report.conclude(outcome).unwrap_or_else(|faults| panic!("{faults}"));
    for (section, keys) in known {
        for key in keys {
            let written = ["", "#"].iter().any(|comment| {
                let key = format!("{comment}{key}");
                let is_key =
                    |line: &str| line.strip_prefix(&key).is_some_and(|rest| rest.trim_start().starts_with('='));
                let is_section = |line: &str| {
                    let parent = if section.is_empty() { String::new() } else { format!("{section}.") };
                    line.starts_with(&format!("{comment}[{parent}{}]", key.trim_start_matches('#')))
                        || line.starts_with(&format!("{comment}[[{parent}{}]]", key.trim_start_matches('#')))
                };
                REFERENCE.lines().any(|line| is_key(line) || is_section(line))
            });
            let in_condition = section == "condition" && REFERENCE.contains(&format!(" {key} = "));
            assert!(written || in_condition, "`{key}` of [{section}] is not in config/reference.toml");
        }
    }
}

#[test]
fn the_values_in_the_reference_are_the_defaults() {
    let folder = folder();
    let debug = |text: &str| {
        let config =
            Config::load(&[write(&folder, "reference.toml", text)]).unwrap_or_else(|faults| panic!("{faults}"));
        format!("{:?}", Config { warnings: Vec::new(), ..config })
    };
    // These have no default: an example stands there.
    let examples = [
        "id",
        "issuer",
        "client_id",
        "client_secret_file",
        "public_url",
        "upstream",
        "policy",
        "allow",
        "path",
        "methods",
        "access",
    ];
    let whole = debug(REFERENCE);
    let mut defaults = 0;
    for (index, line) in REFERENCE.lines().enumerate() {
        let key = line.split_once(" = ").map_or("", |(key, _)| key);
        let is_key = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && !key.is_empty();
        if !is_key || (examples.contains(&key) && line != "access = true   # one line a request, without the query") {
            continue;
        }
        let without: Vec<_> =
            REFERENCE.lines().enumerate().filter(|(i, _)| *i != index).map(|(_, line)| line).collect();
        assert_eq!(debug(&without.join("\n")), whole, "{line}");
        defaults += 1;
    }
    assert!(defaults > 30, "only {defaults} lines were seen as defaults");
}
