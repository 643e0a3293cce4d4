//! `pass_groups`: names of groups, with `*` for any text.

use crate::config::section::Wrong;

/// A name, or a pattern of names: `*` is any text, none as well. Case counts, as it does in conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPattern {
    /// What the name begins with.
    prefix: String,
    /// What follows in it, after each `*`; without a `*`, nothing: the prefix is the whole name.
    rest: Vec<String>,
}

impl GroupPattern {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(Wrong::new("must hold the name of a group in each string").help("for example, [\"wiki-*\"]"));
        }
        let mut pieces = text.split('*').map(str::to_owned);
        Ok(Self { prefix: pieces.next().unwrap_or_default(), rest: pieces.collect() })
    }

    /// Whether a group is meant.
    pub fn matches(&self, group: &str) -> bool {
        let Some((suffix, middle)) = self.rest.split_last() else { return group == self.prefix };
        let Some(mut left) = group.strip_prefix(self.prefix.as_str()) else { return false };
        for piece in middle {
            // The earliest place leaves the most for what follows.
            let Some(at) = left.find(piece.as_str()) else { return false };
            left = &left[at + piece.len()..];
        }
        left.ends_with(suffix.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_none() {
        for (pattern, group, expected) in [
            ("staff", "staff", true),
            ("staff", "Staff", false),
            ("staff", "staff-2", false),
            ("*", "", true),
            ("*", "anything at all", true),
            ("wiki-*", "wiki-", true),
            ("wiki-*", "wiki-editors", true),
            ("wiki-*", "wiki", false),
            ("wiki-*", "a-wiki-b", false),
            ("*-admins", "wiki-admins", true),
            ("*-admins", "wiki-admins-2", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            ("a*bc*c", "abc", false),
            ("*é*", "café au lait", true),
            ("**", "x", true),
        ] {
            let parsed = GroupPattern::parse(pattern).expect("a pattern");
            assert_eq!(parsed.matches(group), expected, "{pattern} {group}");
        }
    }
}
