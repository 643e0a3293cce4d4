//! `hosts`: by which names an app is asked for.
//!
//! A request's app is found by its host and then by its path, so two apps may share a
//! host if each has a path of its own. `*.review.example.com` is exactly one label, as
//! in a certificate (RFC 6125 §6.4.3); a name that is written out wins over it.

use std::fmt;

use super::PublicUrl;
use crate::config::{
    location,
    section::{Placed, Reading, Section, Unique, Wrong},
};

/// `*.review.example.com`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WildcardHost {
    parent: String,
}

impl WildcardHost {
    /// What follows the star and its dot.
    pub fn parent(&self) -> &str {
        &self.parent
    }

    /// Whether a host (lower case, without a port) is one label below it.
    pub fn covers(&self, host: &str) -> bool {
        one_label_below(host) == Some(&self.parent)
    }
}

impl fmt::Display for WildcardHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "*.{}", self.parent)
    }
}

/// The name that a host (lower case) is one label below.
pub fn one_label_below(host: &str) -> Option<&str> {
    let (label, parent) = host.split_once('.')?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (!label.is_empty() && label.bytes().all(plain)).then_some(parent)
}

/// Which app has which path of which host.
pub(super) struct Claims {
    hosts: Unique,
    paths: Unique,
}

impl Claims {
    pub(super) fn new() -> Self {
        Self { hosts: Unique::new("the host"), paths: Unique::new("the path") }
    }
}

/// What `public_url` and `hosts` name: each an app of its own, or a path of an app of its own.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    pub(super) named: Vec<String>,
    pub(super) wildcards: Vec<WildcardHost>,
}

enum Name {
    Host(String),
    Wildcard(WildcardHost),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
            Self::Wildcard(wildcard) => wildcard.fmt(f),
        }
    }
}

/// Reads them, and claims the app's path on each.
pub(super) fn read_hosts(
    section: &Section<'_>,
    public_url: Option<&Placed<PublicUrl>>,
    claims: &mut Claims,
) -> Reading<Hosts> {
    let own = public_url.map(|url| Placed { value: Name::Host(url.host.clone()), place: url.place });
    let further = section.list("hosts", parse)?.unwrap_or_default();
    // Paths that differ by case only are one to a server that folds it: every request would be ambiguous.
    let path = public_url.map_or_else(String::new, |url| url.path.to_ascii_lowercase());
    let mut hosts = Hosts::default();
    let mut outcome = Ok(());
    for Placed { value: name, place } in own.into_iter().chain(further) {
        let claims = if path.is_empty() { &mut claims.hosts } else { &mut claims.paths };
        outcome = claims.claim(section.report(), &format!("{name}{path}"), place).and(outcome);
        match name {
            Name::Host(host) => hosts.named.push(host),
            Name::Wildcard(wildcard) => hosts.wildcards.push(wildcard),
        }
    }
    outcome.map(|()| hosts)
}

fn parse(text: &str) -> Result<Name, Wrong> {
    let Some(parent) = text.strip_prefix("*.") else {
        return location::parse_host(text).map(Name::Host);
    };
    match location::parse_host(parent) {
        // Below an address there is nothing.
        Ok(parent) if parent.bytes().any(|byte| byte.is_ascii_lowercase()) && !parent.starts_with('[') => {
            Ok(Name::Wildcard(WildcardHost { parent }))
        }
        _ => Err(Wrong::new("must have a host name after `*.`").help("write, for example, \"*.review.example.com\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_exactly_one_label() {
        let Ok(Name::Wildcard(wildcard)) = parse("*.Review.Example.com") else { panic!("a wildcard") };
        assert_eq!((wildcard.to_string().as_str(), wildcard.parent()), ("*.review.example.com", "review.example.com"));
        for (host, covered) in [
            ("a.review.example.com", true),
            ("feature-42.review.example.com", true),
            ("review.example.com", false),
            ("a.b.review.example.com", false),
            ("xreview.example.com", false),
            ("a.review.example.com.evil.example", false),
            ("review.example.com.evil.example", false),
            (".review.example.com", false),
            ("evil@a.review.example.com", false),
            ("evil#.review.example.com", false),
            ("[::1]", false),
            ("localhost", false),
        ] {
            assert_eq!(wildcard.covers(host), covered, "{host}");
        }
    }

    #[test]
    fn a_star_stands_in_front_of_a_name_and_nowhere_else() {
        for text in ["*", "*.", "*.*.example.com", "a.*.example.com", "*x.example.com", "*.127.0.0.1", "*.[::1]"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
