//! The catalogue as a JSON Schema (draft 2020-12), so that editors complete keys and underline mistakes while typing.
//!
//! It knows what one value may be, not what values together mean: whatever it
//! refuses is a fault, but not the other way round. Strings may hold `${NAME}`, so
//! every rule about a string also lets those through. A file can be one of several
//! (a folder of them), so at the top level no table is required.

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

use crate::config::catalogue::{self, Key, Kind, SECTIONS, Section, Version::This, Without, Words};

/// What identifies the draft (JSON Schema Core §8.1.1).
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A string that is taken from the environment, in whole or in part.
const FILLED_IN: &str = "\\$\\{";

/// The schema of a configuration file, with every key of this version.
pub fn schema() -> String {
    let root = Schema {
        draft: Some(DRAFT),
        title: Some("vestibule.toml"),
        required: Vec::new(),
        defs: Some(definitions()),
        ..table(SECTIONS[0])
    };
    // A tree of strings and numbers: there is nothing in it that JSON cannot say.
    serde_json::to_string_pretty(&root).unwrap_or_default() + "\n"
}

/// The parts of a schema that are used here, in the order in which a person reads them.
#[derive(Default, Serialize)]
struct Schema {
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    draft: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "$ref", skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    words: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Box<Schema>>,
    #[serde(rename = "anyOf", skip_serializing_if = "Vec::is_empty")]
    any_of: Vec<Schema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    examples: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required: Vec<&'static str>,
    #[serde(rename = "allOf", skip_serializing_if = "Vec::is_empty")]
    all_of: Vec<Schema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not: Option<Box<Schema>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Named>,
    #[serde(rename = "additionalProperties", skip_serializing_if = "Option::is_none")]
    others: Option<Others>,
    #[serde(rename = "$defs", skip_serializing_if = "Option::is_none")]
    defs: Option<Named>,
}

/// `additionalProperties`
#[derive(Serialize)]
#[serde(untagged)]
enum Others {
    /// `false`: there are none.
    Refused(bool),
    /// Each is such a value.
    Are(Box<Schema>),
}

/// An object whose keys stay in the order of the catalogue.
struct Named(Vec<(String, Schema)>);

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, schema) in &self.0 {
            map.serialize_entry(name, schema)?;
        }
        map.end()
    }
}

/// What `$ref` points at: the sorts of values that need words of their own, then the sections.
fn definitions() -> Named {
    let sorts = [
        ("time", "A time: a number with ms, s, m, h or d.", "^(0|[0-9]+(ms|s|m|h|d))?$"),
        ("size", "A size: a number with B, KiB, MiB or GiB.", "^(0|[0-9]+(B|KiB|MiB|GiB))?$"),
        ("rate", "A number for each minute.", "^(0|[0-9]+ */min)?$"),
    ];
    let sorts = sorts.into_iter().map(|(name, about, pattern)| {
        let zero = Schema { words: vec![0.into()], ..Schema::default() };
        let any_of = vec![string(Some(pattern)), zero];
        (name.to_owned(), Schema { description: Some(about.to_owned()), any_of, ..Schema::default() })
    });
    let sections =
        SECTIONS.into_iter().filter(|section| !section.name.is_empty() && catalogue::is_reachable(section.name));
    Named(sorts.chain(sections.map(|section| (section.name.to_owned(), table(section)))).collect())
}

fn table(section: &'static Section) -> Schema {
    let keys: Vec<_> = section.keys.iter().filter(|key| key.version == This).collect();
    let twins = keys.iter().filter(|key| key.takes == Kind::Secret).map(|key| (key.name, format!("{}_file", key.name)));
    let both = |(name, file): (&'static str, String)| {
        let file = keys.iter().find(|key| key.name == file)?.name;
        let both = Schema { required: vec![name, file], ..Schema::default() };
        let description = Some(format!("`{name}` or `{file}`, not both."));
        Some(Schema { description, not: Some(Box::new(both)), ..Schema::default() })
    };
    Schema {
        description: Some(section.about.to_owned()),
        kind: Some("object"),
        required: keys.iter().filter(|key| key.without == Without::Fault).map(|key| key.name).collect(),
        all_of: twins.filter_map(both).collect(),
        properties: Some(Named(keys.iter().map(|key| (key.name.to_owned(), property(key))).collect())),
        others: Some(Others::Refused(false)),
        ..Schema::default()
    }
}

fn property(key: &Key) -> Schema {
    let bounds = match key.takes {
        Kind::Time(least, most) | Kind::Bound(least, most) | Kind::Size(least, most) => {
            format!(" From {least} to {most}.")
        }
        _ => String::new(),
    };
    let default = match key.without {
        Without::Default(default) => Some(literal(default)),
        Without::Fault | Without::Usual | Without::Nothing => None,
    };
    Schema {
        description: Some(format!("{}{bounds}", key.about)),
        default,
        examples: key.example.map(literal).into_iter().collect(),
        ..value(key.takes, key.without)
    }
}

fn value(kind: Kind, without: Without) -> Schema {
    let reference = |name: &str| Schema { reference: Some(format!("#/$defs/{name}")), ..Schema::default() };
    let list = |items: Schema| Schema { kind: Some("array"), items: Some(Box::new(items)), ..Schema::default() };
    match kind {
        Kind::Flag => Schema { kind: Some("boolean"), ..Schema::default() },
        Kind::Integer(least, most) => {
            Schema { kind: Some("integer"), minimum: Some(least), maximum: Some(most), ..Schema::default() }
        }
        Kind::Time(..) | Kind::Bound(..) => reference("time"),
        Kind::Size(..) => reference("size"),
        Kind::Rate => reference("rate"),
        Kind::Date => Schema { kind: Some("string"), format: Some("date"), ..Schema::default() },
        Kind::Text | Kind::Path => string(None),
        Kind::Secret => string(Some(".")),
        Kind::Pattern(pattern) => string(Some(pattern)),
        Kind::List(items) => list(value(*items, Without::Fault)),
        Kind::Table(name) => reference(name),
        Kind::Tables(name) => list(reference(name)),
        Kind::Names(values) => {
            let others = Some(Others::Are(Box::new(value(*values, Without::Fault))));
            Schema { kind: Some("object"), others, ..Schema::default() }
        }
        Kind::WordsOrTable(words, name, This) => {
            Schema { any_of: vec![choice(words, without), reference(name)], ..Schema::default() }
        }
        Kind::Words(words) | Kind::WordsOrTable(words, ..) => choice(words, without),
    }
}

fn string(pattern: Option<&str>) -> Schema {
    let pattern = pattern.map(|pattern| format!("{pattern}|{FILLED_IN}"));
    Schema { kind: Some("string"), pattern, ..Schema::default() }
}

/// One of the words; `""` is the same as leaving the key out, where that may be done.
fn choice(words: &Words, without: Without) -> Schema {
    let unset = matches!(without, Without::Default(_)).then_some("");
    let words = unset.into_iter().chain(words.now.iter().copied()).map(Value::from).collect();
    let filled_in = Schema { kind: Some("string"), pattern: Some(FILLED_IN.to_owned()), ..Schema::default() };
    Schema { any_of: vec![Schema { words, ..Schema::default() }, filled_in], ..Schema::default() }
}

/// A value of the catalogue as JSON.
fn literal(text: &str) -> Value {
    let table = toml::from_str::<serde_json::Map<_, _>>(&format!("value = {text}"));
    table.expect("the catalogue holds TOML, and a test reads all of it").remove("value").unwrap_or_default()
}
