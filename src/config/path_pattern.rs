//! `path` of a route: which paths are meant, in the spelling that is judged.
//!
//! A request's path is normalised before it is compared (RFC 3986 §6.2.2.2 and
//! §6.2.2.3), so a pattern that is not in normalised spelling could never match.
//! For a rule that closes something that would be a hole, so it is a fault.
//! Globs inside a segment and regular expressions were rejected: nobody can say at
//! a glance what they do not match.

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::config::{fault::quoted, section::Wrong};

/// `path`: exact; `*` is one segment; `/**` at the end is everything below and the path itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// The segments after the first slash; a trailing slash is an empty last segment.
    pub segments: Vec<SegmentPattern>,
    /// Whether it ends in `/**`.
    pub and_below: bool,
}

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentPattern {
    /// These bytes, as they stand after normalisation.
    Literal(String),
    /// Any one segment that is not empty.
    Any,
}

impl PathPattern {
    /// Reads a pattern.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(Wrong::new("must start with a slash").help(format!("write \"/{}\"", quoted(text))));
        };
        if path == "**" {
            return Ok(Self { segments: Vec::new(), and_below: true });
        }
        let (path, and_below) = path.strip_suffix("/**").map_or((path, false), |path| (path, true));
        let count = path.split('/').count();
        let segments =
            path.split('/').enumerate().map(|(index, segment)| match segment {
                "*" => Ok(SegmentPattern::Any),
                "**" => Err(Wrong::new("may have `**` at its end only").help("`*` stands for one whole segment")),
                // The last one may be empty: "/api/" is another path than "/api".
                "" if and_below || index + 1 < count => Err(Wrong::new("has an empty segment")
                    .why("`//` in a request is read as `/` before paths are compared")),
                literal => parse_literal(literal).map(SegmentPattern::Literal),
            });
        Ok(Self { segments: segments.collect::<Result<_, _>>()?, and_below })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                SegmentPattern::Literal(literal) => write!(f, "/{literal}")?,
                SegmentPattern::Any => f.write_str("/*")?,
            }
        }
        if self.and_below { f.write_str("/**") } else { Ok(()) }
    }
}

/// A segment in the one spelling that a normalised path has.
fn parse_literal(segment: &str) -> Result<String, Wrong> {
    if matches!(segment, "." | "..") {
        return Err(Wrong::new(format_args!("has the segment `{segment}`"))
            .why("dot segments in a request are resolved before paths are compared"));
    }
    if let Some(odd) = segment.chars().find(|c| "?#;\\".contains(*c)) {
        let why = match odd {
            '?' => "the query takes no part in the choice of a route",
            '#' => "a browser never sends what follows `#`",
            ';' => "some servers cut a segment there, so such a path never has one reading",
            _ => "some servers read a backslash as a slash, so such a path is refused",
        };
        return Err(Wrong::new(format_args!("must not contain `{odd}`")).why(why));
    }
    if segment.contains('*') {
        return Err(Wrong::new("may have `*` as a whole segment only")
            .help("`/files/*` is any one segment, `/files/**` is everything below"));
    }
    let normalised = normalise(segment)?;
    if normalised == segment {
        return Ok(normalised);
    }
    Err(Wrong::new("is not in the spelling that paths have when they are compared")
        .help(format!("write this segment as `{normalised}`")))
}

/// What normalisation makes of a segment: escapes of unreserved characters are decoded, and everything that a path
/// cannot hold is escaped.
fn normalise(segment: &str) -> Result<String, Wrong> {
    use std::fmt::Write as _;

    let mut normalised = String::new();
    let mut rest = segment;
    while let Some(c) = rest.chars().next() {
        let length = if c == '%' { 3 } else { c.len_utf8() };
        let piece = rest.get(..length).filter(|p| c != '%' || p.bytes().skip(1).all(|b| b.is_ascii_hexdigit()));
        let piece = piece.ok_or_else(|| {
            Wrong::new("has a `%` that is not followed by two hexadecimal digits")
                .help("a literal `%` is written `%25`")
        })?;
        match percent_decode_str(piece).next() {
            Some(0) => return Err(Wrong::new("must not contain the null character")),
            Some(byte) if c == '%' && is_unreserved(byte) => normalised.push(char::from(byte)),
            _ if c == '%' || is_path_character(c) => normalised.push_str(piece),
            _ => {
                for byte in piece.bytes() {
                    write!(normalised, "%{byte:02X}").map_err(|_| Wrong::new("is too long"))?;
                }
            }
        }
        rest = &rest[length..];
    }
    Ok(normalised)
}

/// RFC 3986 §2.3
pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// `pchar` of RFC 3986 §3.3, less the escapes and the semicolon.
fn is_path_character(c: char) -> bool {
    u8::try_from(c).is_ok_and(|byte| is_unreserved(byte) || b"!$&'()*+,=:@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_in_normalised_spelling_is_read_and_written_back() {
        for text in [
            "/",
            "/**",
            "/metrics",
            "/Metrics",
            "/api/",
            "/api/**",
            "/api/*/users",
            "/*",
            "/*/**",
            "/a+b@c:d,e=f",
            "/%2F",
            "/%2f/%25",
            "/stra%C3%9Fe",
            "/.well-known/x",
            "/...",
        ] {
            let pattern = PathPattern::parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
            assert_eq!(pattern.to_string(), text);
        }
    }

    #[test]
    fn the_root_is_one_empty_segment_and_everything_is_none() {
        let root = PathPattern::parse("/").expect("a pattern");
        assert_eq!((root.segments, root.and_below), (vec![SegmentPattern::Literal(String::new())], false));
        let everything = PathPattern::parse("/**").expect("a pattern");
        assert_eq!((everything.segments, everything.and_below), (vec![], true));
    }

    #[test]
    fn a_pattern_that_could_never_match_is_refused() {
        for text in [
            "",
            "metrics",
            "https://x/",
            "//",
            "/a//b",
            "/api//**",
            "/./a",
            "/a/..",
            "/a%2e%2E",
            "/%61dmin",
            "/%7Euser",
            "/a b",
            "/straße",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%é",
            "/%00",
            "/a\0",
            "/a\\b",
            "/a?b",
            "/a#b",
            "/a;b",
            "/*.js",
            "/a*",
            "/**/b",
            "/a**",
            "/***",
        ] {
            assert!(PathPattern::parse(text).is_err(), "{text:?}");
        }
    }
}
