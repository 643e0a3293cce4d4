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
    // `[keys]` holds nothing else, and whoever writes a list there means the ring.
    key == "keys" || SECRETS.iter().any(|secret| key.contains(secret)) || key.split(['_', '-']).any(misspelt)
}

/// The same for variables of the environment, where `KEY` is no name of a file.
pub(super) fn is_secret_variable(name: &str) -> bool {
    is_secret_key(name) || name.to_ascii_lowercase().contains("key")
}

/// Whatever follows `key =` for a secret key, to the end of its value.
fn assigned_secrets(text: &str, bytes: &mut [u8]) {
    let is_key = |c: char| c.is_alphanumeric() || "_-.\"'".contains(c);
    let mut from = 0;
    // What the last header says, and where the last inline `set = { … }` ends.
    let (mut below_set, mut below_secret, mut set_ends) = (false, false, 0);
    while let Some(equals) = text[from..].find('=').map(|at| from + at) {
        if let Some(line) = text[from..equals].lines().rev().find(|line| line.trim_start().starts_with('[')) {
            let header = line.split_once(']').map_or(line, |(header, _)| header);
            below_set = parts(header).any(|name| name == "set");
            below_secret = parts(header).any(is_secret_key);
        }
        from = equals + 1;
        let before = text[..equals].trim_end_matches([' ', '\t', '"', '\'']);
        let key = &before[before.rfind(|c| !is_key(c)).map_or(0, |at| at + after_char(before, at))..];
        let value = from + text[from..].len() - text[from..].trim_start_matches([' ', '\t']).len();
        let rest = &text[value..];
        let in_set = below_set || equals < set_ends || parts(key).any(|name| name == "set");
        let is_secret = (below_secret && !key.ends_with("_file"))
            || parts(key).any(is_secret_key)
            || (in_set && !rest.starts_with('{') && is_secret_in_set(key));
        // No path has several lines: that is the content, put in the wrong place.
        let has_lines = ["\"\"\"", "'''", "[", "{"].iter().any(|opening| rest.starts_with(opening));
        let is_content = has_lines && key.strip_suffix("_file").is_some_and(is_secret_key);
        if is_secret || is_content {
            from = value + value_length(rest);
            cover(&mut bytes[value..from]);
        } else if in_set && rest.starts_with('{') && equals >= set_ends {
            set_ends = value + bracketed_length(rest);
        }
    }
}

/// The names in a header, or in a key with dots.
fn parts(key: &str) -> impl Iterator<Item = &str> {
    key.split(['.', '"', '\'', '[', ' ']).filter(|part| !part.is_empty())
}

/// Whether a key within `set` of the headers may hold a secret: a token is sent as a `value`, and whoever forgets the
/// braces writes it behind the name of the header.
pub(super) fn is_secret_in_set(key: &str) -> bool {
    parts(key).last().is_none_or(|last| last != "claim" && !last.ends_with("_file"))
}

/// How long the value at the start of a text is: to its last quotes or its bracket, else to the end of the line.
fn value_length(text: &str) -> usize {
    if let Some(quotes) = ["\"\"\"", "'''"].iter().find(|quotes| text.starts_with(**quotes)) {
        return text[3..].find(quotes).map_or(text.len(), |at| at + 3);
    }
    if text.starts_with(['[', '{']) {
        return bracketed_length(text);
    }
    text.find('\n').unwrap_or(text.len())
}

/// How long the list or table at the start of a text is; all of the text where no bracket closes it.
fn bracketed_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(next) = text[at..].find(['[', ']', '{', '}', '"', '\'', '#']) {
        at += next;
        let rest = &text[at..];
        at += match rest.as_bytes().first() {
            Some(b'[' | b'{') => {
                depth += 1;
                1
            }
            Some(b']' | b'}') if depth <= 1 => return at + 1,
            Some(b']' | b'}') => {
                depth -= 1;
                1
            }
            Some(b'#') => rest.find('\n').unwrap_or(rest.len()),
            _ => string_length(rest),
        };
    }
    text.len()
}

/// How long the string at the start of a text is; brackets in it close nothing.
fn string_length(text: &str) -> usize {
    let several_lines = ["\"\"\"", "'''"].into_iter().find(|quotes| text.starts_with(quotes));
    let quotes = several_lines.unwrap_or(&text[..1]);
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(quotes.len()) {
        if is_escaped {
            is_escaped = false;
        } else if text[at..].starts_with(quotes) {
            return at + quotes.len();
        } else if c == '\n' && several_lines.is_none() {
            return at;
        } else {
            is_escaped = c == '\\' && quotes.starts_with('"');
        }
    }
    text.len()
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
            ("secret = [\n \"K1\",\n \"K]2\",\n]\nid = 1", "secret = *\n******\n*******\n*\nid = 1"),
            ("secret = [ # ]\n'K1' ]\nid = 1", "secret = *****\n******\nid = 1"),
            ("secret = { a = [\"}\\\"]\"],\nb = 1 }, id = 1", "secret = ***************\n*******, id = 1"),
            ("secret = [\n'K1\nid = 1", "secret = *\n***\n******"),
            ("[keys.secret] # x\na = 'K'\n[x]\nid = 1", "[keys.secret] # x\na = ***\n[x]\nid = 1"),
            ("keys = [\n'K1']\nid = 1", "keys = *\n*****\nid = 1"),
            ("[keys]\ncurrent = 'K1'\nsecret_file = 'ring'", "[keys]\ncurrent = ****\nsecret_file = 'ring'"),
            ("client_secret.value = \"s3\"", "client_secret.value = ****"),
            ("client_secret_file = [\n'K1']", "client_secret_file = *\n*****"),
        ] {
            assert_eq!(secrets(line), expected, "{line}");
            assert_eq!(secrets(line).len(), line.len(), "{line}");
        }
    }

    #[test]
    fn threat_125_whatever_a_header_of_set_sends_is_masked() {
        for (text, expected) in [
            ("set.A = { value = \"tok\", claim = \"sub\" }", "set.A = { value = **********************"),
            ("set = { A = { basic = \"svc:PW\" } }\nx = 'y'", "set = { A = { basic = ************\nx = 'y'"),
            (
                "[app.headers.set]\nA = \"Bearer tok\"\nB = { claim = 'sub' }",
                "[app.headers.set]\nA = ************\nB = { claim = 'sub' }",
            ),
            (
                "[app.headers.set.A]\nvalue = \"tok\"\n[x]\nvalue = 1",
                "[app.headers.set.A]\nvalue = *****\n[x]\nvalue = 1",
            ),
        ] {
            assert_eq!(secrets(text), expected, "{text}");
        }
    }
}
