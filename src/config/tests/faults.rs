//! One faulty file a fault, with what its author gets to see.

use super::parse;

mod access;
mod answers;
mod app;
mod headers;
mod language;
mod paths;
mod provider;
mod server;

const PROVIDER: [(&str, &str); 3] =
    [("id", "\"company\""), ("issuer", "\"https://id.example.com\""), ("client_id", "\"wiki\"")];

const APP: [(&str, &str); 4] = [
    ("id", "\"wiki\""),
    ("public_url", "\"https://wiki.example.com\""),
    ("upstream", "\"http://127.0.0.1:8080\""),
    ("access", "{ policy = \"anyone\" }"),
];

/// A table that says what `keys` says and has everything else that it needs.
fn table(header: &str, keys: &str, needed: &[(&str, &str)]) -> String {
    let is_set = |key: &str| {
        keys.lines().any(|line| line.starts_with(&format!("{key} = ")) || line == format!("[{header}.{key}]"))
    };
    let missing = needed.iter().filter(|(key, _)| !is_set(key)).map(|(key, value)| format!("{key} = {value}\n"));
    // What is in question comes first, unless it begins a table of its own.
    let (keys, tables) = keys.find("\n[").map_or((keys, ""), |at| keys.split_at(at + 1));
    format!("[[{header}]]{keys}{}{tables}\n", missing.collect::<String>())
}

/// The faults of a whole file.
fn whole(text: &str) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    parse(text).expect_err("the file is faulty").to_string()
}

/// The faults of something in front of a provider and an app that have none.
fn with(text: &str) -> String {
    whole(&format!("{text}\n{}{}", table("provider", "\n", &PROVIDER), table("app", "\n", &APP)))
}

/// The faults of keys of the only provider.
fn provider(keys: &str) -> String {
    whole(&format!("{}{}", table("provider", keys, &PROVIDER), table("app", "\n", &APP)))
}

/// The faults of keys of the only app.
fn app(keys: &str) -> String {
    whole(&format!("{}{}", table("app", keys, &APP), table("provider", "\n", &PROVIDER)))
}
