//! URLs of the configuration, read as a browser would read them.
//!
//! The WHATWG parser is forgiving: it drops tabs, turns backslashes around and
//! takes `https:example.com`. A person who reads the file would not see what it
//! makes of that, so only its plain spelling is accepted here.

use std::net::IpAddr;

use url::{Host, Url};

use crate::config::{app::Scheme, section::Wrong};

/// An absolute http or https URL with a host, without user name, query and fragment.
pub(super) fn parse_url(text: &str) -> Result<Url, Wrong> {
    let wrong = || Wrong::new("must be a URL that starts with https:// or http://");
    if text.bytes().any(|byte| byte <= b' ' || byte == b'\\' || byte == 0x7f) {
        return Err(Wrong::new("must be a URL without spaces, backslashes and control characters"));
    }
    if !text.starts_with("https://") && !text.starts_with("http://") {
        return Err(wrong());
    }
    let url = Url::parse(text).map_err(|error| Wrong::new(format_args!("is no URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Wrong::new("must not hold a user name or password"));
    }
    if text.contains(['?', '#']) {
        return Err(Wrong::new("must have no query and no fragment"));
    }
    if url.host_str().is_none_or(|host| host.ends_with('.')) {
        return Err(Wrong::new("must name a host, without a dot at its end"));
    }
    Ok(url)
}

/// The same, ending with its host or port.
pub(super) fn parse_origin(text: &str) -> Result<Url, Wrong> {
    let url = parse_url(text)?;
    if url.path() == "/" { Ok(url) } else { Err(Wrong::new("must end with the host or port, without a path")) }
}

/// A host name or address as a browser would send it in `Host`, without a port.
pub(super) fn parse_host(text: &str) -> Result<String, Wrong> {
    let has_port = text.rsplit_once(':').is_some_and(|(host, port)| {
        (!host.contains(':') || host.ends_with(']')) && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    if has_port {
        return Err(Wrong::new("must be a host without a port").help("ports are ignored when an app is looked up"));
    }
    match Host::parse(text) {
        Ok(host) if !text.ends_with('.') && !text.contains(['%', '*']) => Ok(host.to_string()),
        _ => Err(Wrong::new("must be a host name or an address").help("write, for example, \"wiki.example.com\"")),
    }
}

/// The scheme of a URL that [`parse_url`] accepted.
pub(super) fn scheme(url: &Url) -> Scheme {
    if url.scheme() == "https" { Scheme::Https } else { Scheme::Http }
}

/// Whether the traffic to a host stays on the machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        // RFC 6761 §6.3: names below localhost are loopback too.
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_one_reading_or_is_refused() {
        for (text, accepted) in [
            ("https://wiki.example.com", true),
            ("https://wiki.example.com/", true),
            ("http://[::1]:8080", true),
            ("https:wiki.example.com", false),
            ("https:/wiki.example.com", false),
            ("https:\\\\wiki.example.com", false),
            ("https://wiki.example.com\\@evil.example", false),
            ("https://wiki.exa\tmple.com", false),
            (" https://wiki.example.com", false),
            ("https://user@wiki.example.com", false),
            ("https://:pw@wiki.example.com", false),
            ("https://wiki.example.com?", false),
            ("https://wiki.example.com#", false),
            ("https://wiki.example.com.", false),
            ("https://", false),
            ("https://wiki.example.com:99999", false),
            ("ftp://wiki.example.com", false),
            ("wiki.example.com", false),
        ] {
            assert_eq!(parse_url(text).is_ok(), accepted, "{text:?}");
        }
    }

    #[test]
    fn a_host_is_what_a_browser_would_send() {
        for (text, expected) in [
            ("Wiki.Example.COM", Some("wiki.example.com")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("[::1]", Some("[::1]")),
            ("[::1]:80", None),
            ("wiki.example.com:443", None),
            ("*.example.com", None),
            ("wiki.example.com.", None),
            ("wiki/example", None),
            ("https://wiki.example.com", None),
            ("wi%6bi.example.com", None),
            ("", None),
        ] {
            assert_eq!(parse_host(text).ok().as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn only_what_stays_on_the_machine_is_loopback() {
        for (url, expected) in [
            ("http://localhost:1", true),
            ("http://app.localhost", true),
            ("http://127.8.9.1", true),
            ("http://[::1]", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://localhost.example.com", false),
            ("http://notlocalhost", false),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).expect("a URL")), expected, "{url}");
        }
    }
}
