//! The catalogue and the readers say the same: which keys there are, what they take, what holds without them.
//!
//! Each key is tried in a whole configuration that is made of the catalogue itself.
//! When one of these tests fails after a change of a reader, its message names the
//! entry below `src/config/catalogue/` that has to follow.

use std::collections::BTreeSet;

use tempfile::TempDir;

use super::{super::*, conforms, folder};
use crate::config::catalogue::{self, Key, Kind, SECTIONS, Version, Without};

/// Keys that mean nothing without each other.
const TOGETHER: [(&str, &str, &str); 2] =
    [("condition", "claim", "is"), ("app.upstream_tls", "certificate", "private_key")];

/// Sections of which one key only may be written.
const ALONE: [&str; 1] = ["app.headers.set"];

/// A value for every key that holds a secret: the ring wants base64, the others take anything.
const SECRET: &str = "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"";

/// A key of a section with what is written behind it; `None` leaves it out.
#[derive(Clone, Copy)]
struct Entry<'a> {
    section: &'a str,
    key: &'a str,
    value: Option<&'a str>,
}

/// The keys of this version, with their sections.
fn keys() -> impl Iterator<Item = (&'static str, &'static Key)> {
    let sections = SECTIONS.into_iter().filter(|section| catalogue::is_reachable(section.name));
    sections.flat_map(|section| section.keys.iter().map(|key| (section.name, key))).filter(|(_, key)| is_now(key))
}

fn is_now(key: &Key) -> bool {
    key.version == Version::This
}

/// A value that is right for a key.
fn right(key: &Key) -> Option<&'static str> {
    match key.without {
        Without::Default(default) => Some(default),
        _ if key.takes == Kind::Secret => Some(SECRET),
        _ => key.example,
    }
}

/// A configuration in which every section of this version is written, and has the entry.
fn document(entry: Entry<'_>) -> String {
    let root = catalogue::section("").expect("there is a top level");
    root.keys.iter().filter(|key| is_now(key)).filter_map(|key| line("", key, entry)).collect::<Vec<_>>().join("\n")
}

/// `key = value`, if the configuration has it.
fn line(section: &str, key: &Key, entry: Entry<'_>) -> Option<String> {
    let is_meant = (section, key.name) == (entry.section, entry.key);
    let is_twin = section == entry.section && format!("{}_file", entry.key) == key.name;
    let is_other = section == entry.section && ALONE.contains(&section);
    let comes_along = TOGETHER.iter().any(|(of, one, other)| {
        *of == section && section == entry.section && [(one, other), (other, one)].contains(&(&entry.key, &key.name))
    });
    let is_usual = matches!(key.without, Without::Fault | Without::Usual) || comes_along;
    let value = if is_meant {
        entry.value?.to_owned()
    } else if is_twin || is_other {
        return None;
    } else {
        match key.takes {
            Kind::Table(name) => table(name, entry),
            Kind::Tables("condition") if !is_usual => return None,
            Kind::Tables(name) => format!("[{}]", table(name, entry)),
            Kind::WordsOrTable(_, name, _) if name == entry.section => table(name, entry),
            Kind::Names(Kind::Table(name)) if entry.section.starts_with(*name) => {
                format!("{{ x = {} }}", table(name, entry))
            }
            _ if is_usual => right(key)?.to_owned(),
            _ => return None,
        }
    };
    Some(format!("{} = {value}", key.name))
}

fn table(name: &str, entry: Entry<'_>) -> String {
    let section = catalogue::section(name).expect("every table of a key has a section");
    let lines: Vec<_> =
        section.keys.iter().filter(|key| is_now(key)).filter_map(|key| line(name, key, entry)).collect();
    format!("{{ {} }}", lines.join(", "))
}

/// Reads a document beside the files that the examples name.
fn load(folder: &TempDir, text: &str) -> Result<Config, String> {
    let name = folder.path().join("vestibule.toml").display().to_string();
    let config = Config::parse(&name, text).map_err(|faults| faults.to_string())?;
    Ok(Config { warnings: Vec::new(), ..config })
}

#[test]
fn every_section_can_be_reached_and_is_there_once() {
    let mut names = BTreeSet::new();
    for section in SECTIONS {
        assert!(names.insert(section.name), "[{}] is there twice", section.name);
        let mut keys = BTreeSet::new();
        for key in section.keys {
            assert!(keys.insert(key.name), "`{}` of [{}] is there twice", key.name, section.name);
            assert!(key.about.ends_with('.'), "{}: {}", key.name, key.about);
            let below = match key.takes {
                Kind::WordsOrTable(_, name, _) => Some(name),
                other => other.below(),
            };
            assert!(below.is_none_or(|name| catalogue::section(name).is_some()), "{below:?}");
        }
    }
}

#[test]
fn the_readers_ask_for_every_key_of_this_version_and_for_no_other() {
    let folder = folder();
    let name = folder.path().join("vestibule.toml").display().to_string();
    let mut asked = std::collections::BTreeMap::<_, BTreeSet<_>>::new();
    for (section, key) in keys() {
        let Some(value) = right(key) else { continue };
        let text = document(Entry { section, key: key.name, value: Some(value) });
        let mut report = Report::default();
        let source = report.add_source(Source::new(name.as_str(), text.as_str()));
        let table = join(&report, &[source], &|_| None).expect("the catalogue holds TOML");
        let outcome = Section::root(&report, &table, read);
        for (section, keys) in report.asked_keys() {
            asked.entry(section).or_default().extend(keys);
        }
        report.conclude(outcome).unwrap_or_else(|faults| {
            panic!("`{}` of [{section}] is a key of this version in src/config/catalogue, but:\n{faults}", key.name)
        });
    }
    for (section, key) in asked.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*section, *key))) {
        let known = catalogue::key(section, key);
        let known = known.unwrap_or_else(|| panic!("add `{key}` of [{section}] to src/config/catalogue"));
        assert!(is_now(known), "`{key}` of [{section}] is read: say Key::now in src/config/catalogue");
        assert!(catalogue::is_reachable(section), "[{section}] is read: say Key::now in the table above it");
    }
    for (section, key) in keys() {
        let is_asked = asked.get(section).is_some_and(|keys| keys.contains(key.name));
        assert!(is_asked, "nothing reads `{}` of [{section}]: say Key::later in src/config/catalogue", key.name);
    }
}

#[test]
fn a_key_that_is_needed_is_missed() {
    let folder = folder();
    for (section, key) in keys().filter(|(_, key)| key.without == Without::Fault) {
        let text = document(Entry { section, key: key.name, value: None });
        assert!(load(&folder, &text).is_err(), "`{}` of [{section}] is not needed: say Usual or Nothing", key.name);
    }
}

#[test]
fn writing_a_default_is_the_same_as_leaving_the_key_out() {
    let folder = folder();
    for (section, key) in keys() {
        let Without::Default(default) = key.without else { continue };
        let debug = |value| {
            let text = document(Entry { section, key: key.name, value });
            let config = load(&folder, &text).unwrap_or_else(|faults| panic!("{text}\n{faults}"));
            format!("{config:?}")
        };
        assert_eq!(debug(Some(default)), debug(None), "`{}` of [{section}]", key.name);
    }
}

#[test]
fn every_word_is_taken_and_every_word_to_come_is_known() {
    let folder = folder();
    for (section, key) in keys() {
        let (Kind::Words(words) | Kind::WordsOrTable(words, ..)) = key.takes else { continue };
        let faults = |word: &str| {
            let value = format!("\"{word}\"");
            load(&folder, &document(Entry { section, key: key.name, value: Some(&value) })).err().unwrap_or_default()
        };
        for word in words.now {
            let faults = faults(word);
            let refused = format!("`{}` must be", key.name);
            assert!(!faults.contains(&refused) && !faults.contains("not in this version"), "{word}: {faults}");
        }
        for word in words.later {
            let faults = faults(word);
            assert!(faults.contains("is not in this version"), "`{}` of [{section}], {word}: {faults}", key.name);
        }
    }
}

#[test]
fn every_bound_is_where_the_catalogue_has_it() {
    let folder = folder();
    let quoted = |text: String| format!("\"{text}\"");
    for (section, key) in keys() {
        let (within, beyond): (Vec<String>, Vec<String>) = match key.takes {
            Kind::Integer(least, most) => {
                let below = least.checked_sub(1).map(|below| below.to_string());
                (vec![least.to_string(), most.to_string()], below.into_iter().chain([(most + 1).to_string()]).collect())
            }
            Kind::Time(least, most) | Kind::Bound(least, most) => {
                let below = (!least.starts_with('0')).then(|| quoted("1ms".to_owned()));
                let within = vec![quoted(least.to_owned()), quoted(most.to_owned())];
                (within, below.into_iter().chain([quoted(next(most))]).collect())
            }
            Kind::Size(least, most) => {
                let below = (least != "0").then(|| quoted("1B".to_owned()));
                let within = vec![quoted(least.to_owned()), quoted(most.to_owned())];
                (within, below.into_iter().chain([quoted(next(most))]).collect())
            }
            _ => continue,
        };
        let faults = |value: &str| {
            let text = document(Entry { section, key: key.name, value: Some(value) });
            load(&folder, &text).err().unwrap_or_default()
        };
        let refused = format!("`{}` must be", key.name);
        for value in within {
            assert!(!faults(&value).contains(&refused), "`{}` of [{section}]: {value} is within", key.name);
        }
        for value in beyond {
            assert!(faults(&value).contains(&refused), "`{}` of [{section}]: {value} is beyond", key.name);
        }
    }
}

/// The same with its number one higher.
fn next(bound: &str) -> String {
    let digits = bound.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = bound.split_at(digits);
    format!("{}{unit}", number.parse::<u64>().expect("a bound begins with a number") + 1)
}

#[test]
fn values_of_another_kind_are_refused_by_the_readers_and_by_the_schema() {
    let folder = folder();
    for (section, key) in keys() {
        for value in ["1", "true", "\"\\u0001 \"", "[1]", "{ \"\" = 1 }", "1.5", "1979-05-27"] {
            let is_taken = match key.takes {
                Kind::Integer(least, most) => value == "1" && (least..=most).contains(&1),
                Kind::Flag => value == "true",
                Kind::Date => value == "1979-05-27",
                Kind::Text | Kind::Path | Kind::Secret => value.starts_with('"'),
                _ => false,
            };
            if is_taken {
                continue;
            }
            let text = document(Entry { section, key: key.name, value: Some(value) });
            assert!(load(&folder, &text).is_err(), "`{}` of [{section}] takes {value}", key.name);
            // To an editor a date is a string.
            let is_seen = value != "1979-05-27";
            assert!(!is_seen || conforms(&text).is_err(), "`{}` of [{section}]: the schema takes {value}", key.name);
        }
        let Some(value) = right(key) else { continue };
        let text = document(Entry { section, key: key.name, value: Some(value) });
        conforms(&text).unwrap_or_else(|fault| panic!("`{}` of [{section}]: {fault}\n{text}", key.name));
    }
}
