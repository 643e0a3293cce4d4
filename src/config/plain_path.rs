//! Paths that have one spelling: those of our own endpoints and those that apps lie below.
//!
//! Segments hold unreserved characters only (RFC 3986 §2.3), so no server reads such
//! a path in two ways, no cookie's `Path` needs quoting, and where it ends in a
//! request's path is a comparison of bytes.

use crate::config::{path_pattern::is_unreserved, section::Wrong};

/// A path of at least one segment, without a slash at its end; `example` is what the message shows.
pub(super) fn parse(text: &str, example: &str) -> Result<String, Wrong> {
    if is_plain(text) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new("must begin with one slash, not end with one, and hold plain letters, digits and -._~ only")
        .why("whatever another reader could take for another path would be a way around our endpoints")
        .help(format!("write, for example, \"{example}\"")))
}

/// Whether a text is such a path.
pub(super) fn is_plain(text: &str) -> bool {
    let segments = text.strip_prefix('/').unwrap_or_default();
    segments.split('/').all(|segment| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_unreserved))
}

/// What follows `path` in `other`, if `other` is `path` or lies below it by whole segments, in any case.
pub(super) fn below<'o>(path: &str, other: &'o str) -> Option<&'o str> {
    let (start, rest) = other.split_at_checked(path.len())?;
    (start.eq_ignore_ascii_case(path) && (rest.is_empty() || rest.starts_with('/'))).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_has_one_spelling() {
        for (text, plain) in [
            ("/wiki", true),
            ("/a/b.c/~d_e-f", true),
            ("/...", true),
            ("", false),
            ("/", false),
            ("wiki", false),
            ("/wiki/", false),
            ("//wiki", false),
            ("/a//b", false),
            ("/a/./b", false),
            ("/..", false),
            ("/%77iki", false),
            ("/a;b", false),
            ("/a*", false),
            ("/caf\u{e9}", false),
        ] {
            assert_eq!(parse(text, "/wiki").is_ok(), plain, "{text:?}");
        }
    }

    #[test]
    fn what_lies_below_lies_there_by_whole_segments() {
        for (path, other, rest) in [
            ("/wiki", "/wiki", Some("")),
            ("/wiki", "/Wiki/a", Some("/a")),
            ("", "/wiki", Some("/wiki")),
            ("/wiki", "/wikis", None),
            ("/wiki", "/a/wiki", None),
            ("/wiki", "/wik", None),
        ] {
            assert_eq!(below(path, other), rest, "{other} below {path}");
        }
    }
}
