//! Secrets made unreadable in the lines that a fault shows.
//!
//! A fault underlines the text that it is about, so a line of the file lands on a
//! terminal, in a log or in a bug report; it must not carry a secret there. This
//! works on the bare text, because the file may be too broken to have a structure,
//! and rather hides too much: whatever is assigned to a key that sounds secret
//! (misspelt ones as well), private keys, and passwords in URLs. Each byte becomes
//! one `*`, so that places stay right.

/// The text with its secrets masked; as many bytes as before.
pub(super) fn secrets(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    assigned_secrets(text, &mut bytes);
    between(text, "-----BEGIN", &["\"", "'"], &mut bytes);
    url_passwords(text, &mut bytes);
    // Only whole characters were replaced, each byte of them by an ASCII one.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Whether a key names something that nobody but the provider may know, or seems to be meant to.
pub(super) fn is_secret_key(key: &str) -> bool {
    const SECRETS: [&str; 6] = ["secret", "password", "passwd", "passphrase", "token", "credential"];
    /// How many letters of a word may be wrong; with two, `socket` would be one.
    const SLIPS: usize = 1;
    let key = key.to_ascii_lowercase();
    // These hold the path of a file, a date, an algorithm, a URL and a choice.
    if ["_file", "_expires", "_alg", "_endpoint", "access_token"].iter().any(|harmless| key.ends_with(harmless)) {
        return false;
    }
    // Longer words are further away, and comparing takes time by the product of the lengths.
    let is_near = |word: &str, secret: &str| {
        word.len().abs_diff(secret.len()) <= SLIPS && strsim::damerau_levenshtein(word, secret) <= SLIPS
    };
    let misspelt = |word: &str| SECRETS.iter().any(|secret| is_near(word, secret));
    SECRETS.iter().any(|secret| key.contains(secret)) || key.split(['_', '-']).any(misspelt)
}

/// The same for variables of the environment, where `KEY` is no name of a file.
pub(super) fn is_secret_variable(name: &str) -> bool {
    is_secret_key(name) || name.to_ascii_lowercase().contains("key")
}

/// Whatever follows `key =` for a secret key, to the end of its string or line.
fn assigned_secrets(text: &str, bytes: &mut [u8]) {
    let is_key = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut from = 0;
    while let Some(equals) = text[from..].find('=').map(|at| from + at) {
        from = equals + 1;
        let before = text[..equals].trim_end_matches([' ', '\t', '"', '\'']);
        let key = &before[before.rfind(|c| !is_key(c)).map_or(0, |at| at + after_char(before, at))..];
        let value = from + text[from..].len() - text[from..].trim_start_matches([' ', '\t']).len();
        let rest = &text[value..];
        let quotes = ["\"\"\"", "'''"].iter().find(|quotes| rest.starts_with(**quotes));
        // No path has several lines: that is the content, put in the wrong place.
        let is_content = quotes.is_some() && key.strip_suffix("_file").is_some_and(is_secret_key);
        if !is_secret_key(key) && !is_content {
            continue;
        }
        let end = quotes
            .map_or_else(|| rest.find('\n'), |quotes| rest[3..].find(quotes).map(|at| at + 3))
            .map_or(text.len(), |at| value + at);
        cover(&mut bytes[value..end]);
        from = end;
    }
}

/// The length of the character at `at`.
fn after_char(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}

/// From each `start` to the nearest of `ends`.
fn between(text: &str, start: &str, ends: &[&str], bytes: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = text[from..].find(start).map(|at| from + at) {
        let end = ends.iter().filter_map(|end| text[at..].find(end)).min().map_or(text.len(), |length| at + length);
        cover(&mut bytes[at..end]);
        from = end;
    }
}

/// `user:password` in `scheme://user:password@host`.
fn url_passwords(text: &str, bytes: &mut [u8]) {
    let mut from = 0;
    while let Some(start) = text[from..].find("://").map(|at| from + at + 3) {
        let end = text[start..].find(['"', '\'', '\n', ' ', '\t']).map_or(text.len(), |length| start + length);
        if let Some(at) = text[start..end].rfind('@') {
            cover(&mut bytes[start..start + at]);
        }
        from = end;
    }
}

/// Masks everything but line ends, which keep the lines in their places.
fn cover(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| !b"\r\n".contains(byte)) {
        *byte = b'*';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_however_they_are_written() {
        for (line, expected) in [
            ("client_secret = \"s3cr3t\"", "client_secret = ********"),
            ("client_password='s3cr3t' # x", "client_password=************"),
            ("client_secert='s3cr3t'", "client_secert=********"),
            ("\"client_secret\"=\"s3\"", "\"client_secret\"=****"),
            ("a = { client_secret = \"s3\" }", "a = { client_secret = ******"),
            ("secret = \"\"\"\nk1\nk2\"\"\"\nid = 1", "secret = ***\n**\n**\"\"\"\nid = 1"),
            ("secret = \"\"\"\nk1\nk2", "secret = ***\n**\n**"),
            ("client_secret = \"unterminated\nid = 1", "client_secret = *************\nid = 1"),
            ("client_secret_file = \"path\"", "client_secret_file = \"path\""),
            ("client_secret_file = \"\"\"\nk1\n\"\"\"", "client_secret_file = ***\n**\n\"\"\""),
            ("url = \"postgres://u:p@ss@host/db\"", "url = \"postgres://******@host/db\""),
            ("k = '-----BEGIN EC PRIVATE KEY-----\nMHc'", "k = '******************************\n***'"),
            ("upstream = \"http://127.0.0.1:8080\"", "upstream = \"http://127.0.0.1:8080\""),
            ("é_secret = \"ü\"", "é_secret = ****"),
        ] {
            assert_eq!(secrets(line), expected, "{line}");
            assert_eq!(secrets(line).len(), line.len(), "{line}");
        }
    }
}
