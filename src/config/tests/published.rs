//! The files under `config/`: what is written from the catalogue is up to date, and every sample is right.

use std::{fs, path::Path};

use super::{super::*, conforms, folder, reference::reference, write};

/// Set in the environment, the published files are written instead of compared.
const WRITE: &str = "WRITE_CONFIG";

/// Compares a file with what the program says it is.
fn is_published(path: &str, text: &str) {
    if std::env::var_os(WRITE).is_some() {
        fs::write(path, text).expect("the repository can be written");
    }
    let published = fs::read_to_string(path).unwrap_or_default();
    assert!(
        published == text,
        "{path} is not what the catalogue says; write it again with: {WRITE}=1 cargo test --lib config::tests::published"
    );
}

#[test]
fn the_published_schema_is_that_of_the_catalogue() {
    is_published("config/vestibule.schema.json", &schema());
}

#[test]
fn the_published_reference_is_that_of_the_catalogue() {
    is_published("config/reference.toml", &reference());
}

/// The samples, by name.
fn samples() -> Vec<(String, String)> {
    let files = fs::read_dir("config").expect("the samples").map(|entry| entry.expect("a sample").path());
    let samples = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let named = samples.map(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in ASCII").to_owned();
        (name, fs::read_to_string(path).expect("a sample"))
    });
    named.collect()
}

#[test]
fn the_samples_are_accepted() {
    let folder = folder();
    let samples = samples();
    assert!(samples.len() >= 9, "{}", samples.len());
    for (name, text) in samples {
        let config = Config::load(&[write(&folder, &name, &text)]);
        let config = config.unwrap_or_else(|faults| panic!("{name}: {faults}"));
        assert!(config.warnings.is_empty(), "{name}: {:?}", config.warnings);
        conforms(&text).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    }
}

#[test]
fn the_samples_name_the_schema_for_editors() {
    for (name, text) in samples() {
        let schema = text.lines().next().and_then(|line| line.strip_prefix("#:schema "));
        let schema = schema.unwrap_or_else(|| panic!("{name} begins with `#:schema ./vestibule.schema.json`"));
        assert!(Path::new("config").join(schema).exists(), "{name}: {schema}");
    }
}
