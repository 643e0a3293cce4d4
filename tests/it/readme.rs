//! What the README tells people to type is what works.
//!
//! Its configurations are read by the program's own reader, and each of its
//! commands is one that something runs: a command that nobody has tried does not
//! get in.

use std::{fs, path::Path};

use vestibule::config::Config;

/// The commands of the README, and what runs each.
const COMMANDS: [(&str, &str); 4] = [
    ("cargo run --release --example demo", ".ci/run, and examples/demo's own tests"),
    ("tests/run", ".ci/run"),
    ("vestibule serve --config vestibule.toml", "life_cycle.rs and tests/peers"),
    ("vestibule explain --app wiki --as ann@example.com GET /public/..%2fadmin", "routes.rs"),
];

/// The fenced blocks of a language, without the indentation of the list they may stand in.
fn blocks(language: &str) -> Vec<String> {
    let readme = fs::read_to_string("README.md").expect("the README is at the root");
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        if line.trim_start() == format!("```{language}") {
            let block = lines.by_ref().take_while(|line| line.trim_start() != "```");
            blocks.push(block.map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n").collect());
        }
    }
    blocks
}

/// A configuration with its files where a test may put them.
fn with_files_in(configuration: &str, folder: &Path) -> String {
    configuration.replace("/etc/vestibule/", &format!("{}/", folder.display()))
}

fn etc() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certified = rcgen::generate_simple_self_signed(["wiki.example.com".to_owned()]).expect("a certificate");
    for (name, content) in [
        ("client-secret", "0123456789abcdef\n".to_owned()),
        ("tls.crt", certified.cert.pem()),
        ("tls.key", certified.signing_key.serialize_pem()),
    ] {
        fs::write(folder.path().join(name), content).expect("a file in a folder of our own");
    }
    folder
}

#[test]
fn every_configuration_in_the_readme_is_valid() {
    let etc = etc();
    let blocks = blocks("toml");
    assert!(blocks.len() >= 3, "the README shows configurations");
    let (first, others) = blocks.split_first().expect("there is a first");
    Config::parse("README.md", &with_files_in(first, etc.path())).unwrap_or_else(|faults| panic!("{first}\n{faults}"));
    // The others are additions to the first.
    for block in others {
        let whole = with_files_in(&format!("{first}\n{block}"), etc.path());
        Config::parse("README.md", &whole).unwrap_or_else(|faults| panic!("{block}\n{faults}"));
    }
}

#[test]
fn every_command_in_the_readme_is_one_that_something_runs() {
    let told: Vec<String> =
        blocks("sh").iter().flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let known: Vec<&str> = COMMANDS.iter().map(|(command, _)| *command).collect();
    assert_eq!(told, known);
    let ci = fs::read_to_string(".ci/run").expect("the gate is there");
    assert!(ci.contains("\ntests/run\n") && ci.contains("cargo build --locked --release --example demo"), "{ci}");
}

#[test]
fn every_file_that_the_readme_links_to_exists() {
    let readme = fs::read_to_string("README.md").expect("the README is at the root");
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files: Vec<&str> = links.filter(|link| !link.starts_with('#') && !link.contains("://")).collect();
    assert!(!files.is_empty());
    for file in files {
        assert!(Path::new(file).exists(), "{file}");
    }
}
