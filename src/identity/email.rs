//! E-mail addresses as a rule may compare them.
//!
//! Comparison folds ASCII case and nothing else: no Unicode normalisation, no plus
//! tags, no dots. What a mail system might treat as one mailbox stays two people.
//! Anything unusual that two parsers could read in two ways (quotes, comments,
//! several `@`, address literals, control or non-ASCII characters) is no address
//! here (CVE-2026-40574: `a@evil@corp.com`).

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest address that SMTP can carry (RFC 5321 §4.5.3.1.3, less the brackets).
const MAX_LENGTH: usize = 254;

/// One mailbox, kept in the spelling in which it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress {
    text: String,
    at: usize,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidEmail {
    /// There is no `@`, or more than one.
    #[error("an address has exactly one `@`")]
    At,
    /// The part before the `@` is empty, too long or holds other characters than RFC 5322's atoms.
    #[error("the part before `@` must be plain letters, digits and .!#$%&'*+/=?^_`{{|}}~-")]
    Local,
    /// The part after the `@` is no domain name.
    #[error("the part after `@` must be a domain name in ASCII (xn--… for others)")]
    Domain,
    /// It is longer than mail can carry.
    #[error("an address has at most {MAX_LENGTH} characters")]
    Length,
}

impl EmailAddress {
    /// Reads one address; white space around it is not part of it and not accepted.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidEmail::Length);
        }
        let (local, domain) = text.split_once('@').ok_or(InvalidEmail::At)?;
        if domain.contains('@') {
            return Err(InvalidEmail::At);
        }
        let atom = |c: u8| c.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&c);
        if local.is_empty() || local.len() > 64 || !local.bytes().all(atom) {
            return Err(InvalidEmail::Local);
        }
        EmailDomain::parse(domain)?;
        Ok(Self { text: text.to_owned(), at: local.len() })
    }

    /// The address as it came.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What follows the `@`, as it came.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl Eq for EmailAddress {}

impl std::hash::Hash for EmailAddress {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for byte in self.text.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = InvalidEmail;

    fn try_from(text: String) -> Result<Self, InvalidEmail> {
        Self::parse(&text)
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.text
    }
}

/// A domain name in lower case, without a trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EmailDomain(String);

impl EmailDomain {
    /// Reads a domain name of at least one label; an address literal is none.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        };
        if text.len() > 253 || !text.split('.').all(label) {
            return Err(InvalidEmail::Domain);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_spelling_and_compares_by_ascii_case_only() {
        let address = EmailAddress::parse("Ann.Lee+x@Example.COM").expect("an address");
        assert_eq!(address.as_str(), "Ann.Lee+x@Example.COM");
        assert_eq!(address.domain(), "Example.COM");
        assert_eq!(address, EmailAddress::parse("ann.lee+x@example.com").expect("an address"));
        assert_ne!(address, EmailAddress::parse("ann.lee@example.com").expect("an address"));
        assert_ne!(address, EmailAddress::parse("annlee+x@example.com").expect("an address"));
    }

    #[test]
    fn what_two_parsers_could_read_in_two_ways_is_no_address() {
        for (text, why) in [
            ("a@evil@corp.com", InvalidEmail::At), // CVE-2026-40574
            ("plain", InvalidEmail::At),
            ("@corp.com", InvalidEmail::Local),
            ("\"a b\"@corp.com", InvalidEmail::Local),
            ("a b@corp.com", InvalidEmail::Local),
            ("a\r\nBcc:x@corp.com", InvalidEmail::Local),
            ("\u{212a}elvin@corp.com", InvalidEmail::Local), // the Kelvin sign folds to k elsewhere
            ("a@[127.0.0.1]", InvalidEmail::Domain),
            ("a@corp.com.", InvalidEmail::Domain),
            ("a@c\u{43e}rp.com", InvalidEmail::Domain), // a Cyrillic o
            ("a@-corp.com", InvalidEmail::Domain),
            ("a@", InvalidEmail::Domain),
        ] {
            assert_eq!(EmailAddress::parse(text).expect_err(text), why, "{text:?}");
        }
        let long = format!("{}@example.com", "a".repeat(300));
        assert_eq!(EmailAddress::parse(&long).expect_err("too long"), InvalidEmail::Length);
    }
}
