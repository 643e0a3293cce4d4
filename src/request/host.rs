//! The `Host` of a request (RFC 9110 §7.2), as apps are looked up by it.

use std::{borrow::Cow, net::Ipv6Addr};

use http::uri::Scheme;
use thiserror::Error;

/// A host name in lower case and a port, borrowed where they came in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    name: Cow<'a, str>,
    port: Option<u16>,
}

/// Why a text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a host is a name, an IPv4 address or an IPv6 address in brackets, without a trailing dot, then perhaps `:port`"
)]
pub struct InvalidHost;

impl<'a> Host<'a> {
    /// Reads `host [":" port]`.
    ///
    /// User information, paths, lists and escapes are no host. A trailing dot is
    /// refused rather than cut: to a browser `example.com.` is another origin,
    /// whose cookies would not come back from a sign-in at `example.com`.
    pub fn parse(text: &'a [u8]) -> Result<Self, InvalidHost> {
        // One look at each byte: it runs on every request.
        let in_literal = text.first() == Some(&b'[');
        let mut upper_case = false;
        let mut name_ends = text.len();
        for (at, byte) in text.iter().enumerate() {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {}
                b'A'..=b'Z' => upper_case = true,
                b'[' | b']' | b':' if in_literal => {}
                b':' => {
                    name_ends = at;
                    break;
                }
                _ => return Err(InvalidHost),
            }
        }
        let text = str::from_utf8(text).map_err(|_| InvalidHost)?;
        if in_literal {
            name_ends = text.find(']').ok_or(InvalidHost)? + 1;
            text[1..name_ends - 1].parse::<Ipv6Addr>().map_err(|_| InvalidHost)?;
        }
        let (name, rest) = text.split_at(name_ends);
        if name.is_empty() || name.starts_with('.') || name.ends_with('.') {
            return Err(InvalidHost);
        }
        let port = match rest.strip_prefix(':') {
            Some(digits) => Some(parse_port(digits)?),
            None if rest.is_empty() => None,
            None => return Err(InvalidHost),
        };
        let name = if upper_case { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) };
        Ok(Self { name, port })
    }

    /// The name in lower case, or the address; IPv6 in brackets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port, if one was written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether both name the same authority, where `scheme` says which port may be left out.
    pub(super) fn agrees_with(&self, other: &Host<'_>, scheme: Option<&Scheme>) -> bool {
        let default = match scheme {
            Some(scheme) if *scheme == Scheme::HTTPS => Some(443),
            Some(scheme) if *scheme == Scheme::HTTP => Some(80),
            _ => None,
        };
        self.name == other.name && self.port.or(default) == other.port.or(default)
    }
}

fn parse_port(digits: &str) -> Result<u16, InvalidHost> {
    // `u16` alone would take a `+`.
    if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().map_err(|_| InvalidHost) } else { Err(InvalidHost) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_lower_cased_and_parted_from_its_port() {
        for (text, name, port) in [
            ("wiki.example.com", "wiki.example.com", None),
            ("wiki.example.com:8443", "wiki.example.com", Some(8443)),
            ("Wiki.EXAMPLE.com:443", "wiki.example.com", Some(443)), // CVE-2026-48794
            ("my_service", "my_service", None),
            ("127.0.0.1:4180", "127.0.0.1", Some(4180)),
            ("[::1]", "[::1]", None),
            ("[2001:DB8::1]:80", "[2001:db8::1]", Some(80)),
        ] {
            let host = Host::parse(text.as_bytes()).expect(text);
            assert_eq!((host.name(), host.port()), (name, port), "{text}");
        }
    }

    #[test]
    fn a_host_in_lower_case_is_borrowed() {
        let host = Host::parse(b"wiki.example.com:80").expect("a host");
        assert!(matches!(host.name, Cow::Borrowed(_)));
    }

    #[test]
    fn threat_62_what_is_no_plain_host_is_refused() {
        for text in [
            "",
            ":80",
            ".example.com",
            "example.com.", // trailing dot
            "example.com.:80",
            "user@example.com", // user information
            "user:password@example.com",
            "a.example.com, b.example.com",
            "example.com/path",
            "example.com?x",
            "example.com#x",
            "exam ple.com",
            "example%2ecom",
            "ex\u{e4}mple.com",
            "example.com:",
            "example.com:+80",
            "example.com:65536",
            "example.com:80:80",
            "[::1",
            "::1",
            "[localhost]",
            "[::1]x",
            "[fe80::1%25eth0]",
        ] {
            assert_eq!(Host::parse(text.as_bytes()), Err(InvalidHost), "{text:?}");
        }
    }
}
