//! The keys of `[session]` about its cookie: what it is called, where it goes, how long it stays.
//!
//! RFC 6265 and its revision (draft-ietf-httpbis-rfc6265bis), CHIPS for `Partitioned`.
//! A domain is checked against Mozilla's public suffix list, as browsers do: with
//! `co.uk` they would drop every cookie, and visitors would sign in for ever.

use url::Host;

use crate::config::{
    fault::Place,
    location,
    section::{Placed, Reading, Section, Wrong},
};

/// What the cookies are called where `cookie_name` says nothing.
pub(in crate::config) const DEFAULT_NAME: &str = "vestibule";

/// The longest name: it is sent with every request, and again for each attempt.
const MAX_NAME: usize = 64;

/// `same_site`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Other sites can lead to the app, and do nothing else with its session.
    Lax,
    /// Frames on other sites have the session too; `Partitioned`, and unsafe methods need the app's own origin.
    None,
}

/// `persistent`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// The cookie goes when the browser closes.
    UntilBrowserCloses,
    /// It stays for the session's lifetime.
    ForLifetime,
}

/// `cookie_domain`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CookieReach {
    /// The app's own host, or its path there.
    App,
    /// Every host on or below this domain: one sign-in for all apps.
    Siblings(String),
}

/// The cookie of `[session]`, for every app that says nothing else.
#[derive(Debug)]
pub(in crate::config) struct CookieSection {
    pub(in crate::config) name: String,
    pub(in crate::config) domain: Option<Placed<String>>,
    pub(in crate::config) same_site: SameSite,
    /// Where `same_site` is, if it is set.
    pub(in crate::config) same_site_place: Option<Place>,
    pub(in crate::config) persistence: Persistence,
}

impl CookieSection {
    pub(super) fn read(section: &Section<'_>) -> Reading<Self> {
        let name = section.optional("cookie_name", parse_name);
        let domain = section.optional("cookie_domain", parse_domain);
        let same_site = read_same_site(section, SameSite::Lax);
        let persistence = read_persistence(section, Persistence::UntilBrowserCloses);
        let domain = domain?;
        if let Some(domain) = &domain {
            section.report().warn(
                Some(domain.place),
                format_args!(
                    "`cookie_domain` hands every visitor's session to each host on or below {0}, and lets each of them \
                     plant one: whoever runs any of these hosts can act as any visitor",
                    domain.value
                ),
            );
        }
        Ok(Self {
            name: name?.map_or_else(|| DEFAULT_NAME.to_owned(), |name| name.value),
            domain,
            same_site: same_site?,
            same_site_place: section.place_of("same_site"),
            persistence: persistence?,
        })
    }
}

pub(in crate::config) fn read_same_site(section: &Section<'_>, default: SameSite) -> Reading<SameSite> {
    let chosen = section.choice("same_site", &[("lax", SameSite::Lax), ("none", SameSite::None)])?;
    Ok(chosen.unwrap_or(default))
}

pub(in crate::config) fn read_persistence(section: &Section<'_>, default: Persistence) -> Reading<Persistence> {
    let persistent = section.flag("persistent", default == Persistence::ForLifetime)?;
    Ok(if persistent { Persistence::ForLifetime } else { Persistence::UntilBrowserCloses })
}

/// What follows the prefix: characters that no browser, proxy or app reads in two ways.
fn parse_name(text: &str) -> Result<String, Wrong> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if text.starts_with("__") {
        return Err(Wrong::new("must be without a prefix")
            .why("__Host- or __Secure- is put in front by itself, as the public URL and cookie_domain have it"));
    }
    if text.len() > MAX_NAME || !text.bytes().all(plain) || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(Wrong::new(format_args!(
            "must be letters, digits, - and _, at most {MAX_NAME}, with a letter or digit first"
        )));
    }
    Ok(text.to_owned())
}

fn parse_domain(text: &str) -> Result<String, Wrong> {
    if let Some(bare) = text.strip_prefix('.') {
        return Err(
            Wrong::new("must not begin with a dot").help(format!("write \"{bare}\": what is below it is meant"))
        );
    }
    let domain = location::parse_host(text)?;
    if !matches!(Host::parse(&domain), Ok(Host::Domain(_))) {
        return Err(Wrong::new("must be a domain, not an address").why("an address has nothing below it"));
    }
    if !domain.contains('.') {
        return Err(Wrong::new("must have a dot")
            .why("browsers keep no cookie for a single label")
            .help(format!("write, for example, \"sso.{domain}\", and put the apps on or below that")));
    }
    let suffix = psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.as_bytes() == domain.as_bytes());
    if suffix {
        return Err(Wrong::new("is a public suffix")
            .why("anybody can have a name below it, so browsers keep no cookie for it as a whole")
            .help(format!("write your own domain, for example \"example.{domain}\"")));
    }
    Ok(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_domain_is_what_browsers_keep_cookies_for() {
        for (text, expected) in [
            ("example.com", Some("example.com")),
            ("Apps.Example.COM", Some("apps.example.com")),
            ("example.co.uk", Some("example.co.uk")),
            ("sso.localhost", Some("sso.localhost")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("corp.internal", Some("corp.internal")),
            ("com", None),
            ("co.uk", None),
            ("github.io", None),
            ("localhost", None),
            (".example.com", None),
            ("*.example.com", None),
            ("example.com.", None),
            ("example.com:443", None),
            ("https://example.com", None),
            ("127.0.0.1", None),
            ("[::1]", None),
        ] {
            assert_eq!(parse_domain(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_cookie_name_has_one_reading() {
        for (text, accepted) in [
            ("vestibule", true),
            ("SID-2_b", true),
            ("4", true),
            (&*"a".repeat(64), true),
            (&*"a".repeat(65), false),
            ("__Host-sid", false),
            ("_sid", false),
            ("-sid", false),
            ("a b", false),
            ("a=b", false),
            ("a;b", false),
            ("a.b", false),
            ("ä", false),
        ] {
            assert_eq!(parse_name(text).is_ok(), accepted, "{text}");
        }
    }
}
