//! References that lead to where only we can go (contract section 5; RFC 9110 §8.7 and §10.2.2).
//!
//! An upstream spells its own origin as it sees itself: by the address that we call it
//! under, or, where we hand it the visitor's `Host`, by that name with its own scheme
//! and perhaps its own port (nginx, which redirects `/folder` to
//! `http://wiki.example.com:8080/folder/`). The public URL takes the place of either.
//! What names another origin is the app's own affair.
//!
//! An upstream that does not know of the app's own path (`strip_path`) leaves it out;
//! it is put back in front of paths, on the public origin as well, which such an app
//! may know from `X-Forwarded-Host`. A path that lies below the app's own already is
//! left: its app has read `X-Forwarded-Prefix`.
//!
//! `Location`, `Content-Location` and `Refresh` are rewritten: Apache's
//! `ProxyPassReverse` does the first two, nginx's `proxy_redirect` the first and the
//! last. `Path` of the app's cookies stays, as does what stands in bodies: rewriting
//! these is guessing.

use std::borrow::Cow;

use http::HeaderValue;

use crate::config::{
    self,
    app::{BasePath, PublicUrl, Scheme, WildcardHost},
};

/// The origins that mean the upstream itself, each with the public one that takes its place.
#[derive(Debug)]
pub(in crate::forward) struct Origins {
    /// The upstream's own.
    scheme: Scheme,
    own: Vec<Own>,
    public_url: PublicUrl,
    /// What the upstream does not know of: empty where it knows all.
    base: String,
}

#[derive(Debug)]
struct Own {
    scheme: Scheme,
    host: OwnHost,
    port: u16,
}

#[derive(Debug)]
enum OwnHost {
    /// The upstream's address, as a URL spells it: IPv6 in brackets.
    Upstream(String),
    /// A name of the app.
    Named(String),
    /// Any name that a `*.` of the app stands for.
    Wildcard(WildcardHost),
}

impl Origins {
    /// Those of an app whose upstream's own address is the origin `upstream`.
    pub(in crate::forward) fn new(app: &config::App, upstream: &str) -> Self {
        let public_url = app.public_url.clone();
        let (scheme, authority) = match upstream.strip_prefix("https://") {
            Some(authority) => (Scheme::Https, authority),
            None => (Scheme::Http, upstream.trim_start_matches("http://")),
        };
        let (host, port) = split_port(authority);
        let upstream_port = port.parse().unwrap_or(scheme.default_port());
        let mut own = vec![Own { scheme, host: OwnHost::Upstream(host.to_owned()), port: upstream_port }];
        let named = || {
            let wildcards = app.wildcard_hosts.iter().cloned().map(OwnHost::Wildcard);
            app.hosts.iter().cloned().map(OwnHost::Named).chain(wildcards)
        };
        if app.preserve_host {
            // What its `Host` tells it: the port is left out where it is the public scheme's own.
            let told = if public_url.port == public_url.scheme.default_port() {
                scheme.default_port()
            } else {
                public_url.port
            };
            for port in [upstream_port, told] {
                own.extend(named().map(|host| Own { scheme, host, port }));
            }
        }
        let base = if app.paths.base == BasePath::Stripped { public_url.path.clone() } else { String::new() };
        if !base.is_empty() {
            own.extend(named().map(|host| Own { scheme: public_url.scheme, host, port: public_url.port }));
        }
        Self { scheme, own, public_url, base }
    }

    /// The public spelling of a reference to the upstream's own origin; `None` leaves it as it is.
    pub(super) fn public(&self, reference: &HeaderValue) -> Option<HeaderValue> {
        HeaderValue::try_from(self.public_reference(reference.to_str().ok()?)?).ok()
    }

    /// The same for a `Refresh`, as browsers read it: seconds, then perhaps `url=` and a reference, perhaps in quotes.
    pub(super) fn public_refresh(&self, refresh: &HeaderValue) -> Option<HeaderValue> {
        let text = refresh.to_str().ok()?;
        let after_name = text.to_ascii_lowercase().find("url=")? + "url=".len();
        let value = &text[after_name..];
        let begins = value.len() - value.trim_start_matches([' ', '\'', '"']).len();
        let (lead, reference) = text.split_at(after_name + begins);
        let ends = reference.find(['\'', '"', ' ']).unwrap_or(reference.len());
        let (reference, tail) = reference.split_at(ends);
        HeaderValue::try_from(format!("{lead}{}{tail}", self.public_reference(reference)?)).ok()
    }

    fn public_reference(&self, reference: &str) -> Option<String> {
        if reference.starts_with('/') && !reference.starts_with("//") {
            return match self.put_back(reference) {
                Cow::Borrowed(_) => None,
                Cow::Owned(path) => Some(path),
            };
        }
        let (scheme, rest) = reference.split_once("//")?;
        // `//host/path` has the scheme of the page that it is on: the upstream's own.
        let scheme = match scheme.strip_suffix(':') {
            Some(scheme) => {
                [Scheme::Http, Scheme::Https].into_iter().find(|s| scheme.eq_ignore_ascii_case(s.as_str()))?
            }
            None if scheme.is_empty() => self.scheme,
            None => return None,
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = split_port(authority);
        let port = if port.is_empty() { scheme.default_port() } else { port.parse().ok()? };
        let host = host.to_ascii_lowercase();
        let own = self.own.iter().find(|own| own.scheme == scheme && own.port == port && own.host.is(&host))?;
        let origin = match own.host {
            OwnHost::Upstream(_) => self.public_url.origin(),
            OwnHost::Named(_) | OwnHost::Wildcard(_) => self.public_url.origin_at(&host),
        };
        Some(format!("{origin}{}", self.put_back(rest)))
    }

    /// A path, perhaps with more behind it, with the app's own path in front.
    fn put_back<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let is_there = |rest: &str| rest.is_empty() || rest.starts_with(['/', '?', '#']);
        if self.base.is_empty() || path.strip_prefix(&self.base).is_some_and(is_there) {
            return Cow::Borrowed(path);
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Cow::Owned(format!("{}{slash}{path}", self.base))
    }
}

impl OwnHost {
    fn is(&self, host: &str) -> bool {
        match self {
            Self::Upstream(own) | Self::Named(own) => own == host,
            Self::Wildcard(wildcard) => wildcard.covers(host),
        }
    }
}

/// Host and port of an authority; a port that is left out is empty (RFC 3986 §3.2.3).
fn split_port(authority: &str) -> (&str, &str) {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (authority, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    impl Origins {
        /// Those of an app at these addresses, which is told the visitor's `Host`.
        pub(in crate::forward::response_head) fn of(upstream: &str, public_url: &str) -> Self {
            Self::told(upstream, public_url, "preserve_host = true")
        }

        fn told(upstream: &str, public_url: &str, lines: &str) -> Self {
            let text = format!(
                "[[provider]]\nid = \"company\"\nissuer = \"https://id.example.com\"\nclient_id = \"wiki\"\n\
                 client_secret = \"secret\"\n[[app]]\nid = \"wiki\"\npublic_url = {public_url:?}\n\
                 upstream = {upstream:?}\n{lines}\n[app.access]\npolicy = \"anyone\"\n"
            );
            let config = Config::parse("test.toml", &text).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
            Self::new(&config.apps[0], upstream)
        }

        fn rewritten(&self, location: &str) -> Option<String> {
            let rewritten = self.public(&HeaderValue::from_str(location).expect("a value"))?;
            Some(rewritten.to_str().expect("ASCII").to_owned())
        }
    }

    #[test]
    fn the_upstreams_own_address_becomes_the_public_url_however_it_is_spelled() {
        let origins = Origins::told("http://app", "https://wiki.example.com", "preserve_host = false");
        for (location, rest) in [
            ("http://app/login?x=1#y", "/login?x=1#y"),
            ("http://app:80/login", "/login"),
            ("http://app:/login", "/login"),
            ("http://app:080/login", "/login"),
            ("HTTP://APP/Login", "/Login"),
            ("//app/login", "/login"),
            ("//app:80", ""),
            ("http://app", ""),
            ("http://app?x=http://app/", "?x=http://app/"),
            ("http://app//elsewhere.example/", "//elsewhere.example/"),
        ] {
            let public = format!("https://wiki.example.com{rest}");
            assert_eq!(origins.rewritten(location), Some(public), "{location}");
        }
        let with_port = Origins::of("http://[::1]:8080", "https://wiki.example.com:8443");
        assert_eq!(with_port.rewritten("http://[::1]:8080/x").as_deref(), Some("https://wiki.example.com:8443/x"));
        assert_eq!(with_port.rewritten("http://[::1]/x"), None);
    }

    #[test]
    fn any_other_origin_is_left_as_it_is() {
        let origins = Origins::told("http://app:8080", "https://wiki.example.com", "preserve_host = false");
        for location in [
            "http://app/",
            "http://app:80/",
            "http://app:80801/x",
            "http://app:8080.evil.example/",
            "http://app:8080@evil.example/",
            "http://user@app:8080/",
            "http://app:8080\\@evil.example/",
            "http://app.evil.example:8080/",
            "http:app:8080/",
            "http:/app:8080/",
            "https://app:8080/",
            "ftp://app:8080/",
            "/relative//app:8080/",
            "login?next=http://app:8080/",
            "?next=//app:8080/",
            "",
            "http://wiki.example.com/",
            "https://other.example.com/",
        ] {
            assert_eq!(origins.rewritten(location), None, "{location}");
        }
    }

    #[test]
    fn an_upstream_that_is_told_the_visitors_host_may_call_itself_so() {
        let hosts = "hosts = [\"alias.example.com\"]";
        for (public_url, location, public) in [
            (
                "https://wiki.example.com",
                "http://wiki.example.com:8080/folder/",
                Some("https://wiki.example.com/folder/"),
            ),
            ("https://wiki.example.com", "http://wiki.example.com/folder/", Some("https://wiki.example.com/folder/")),
            ("https://wiki.example.com", "http://alias.example.com/folder/", Some("https://alias.example.com/folder/")),
            (
                "https://wiki.example.com:8443",
                "http://wiki.example.com:8443/x",
                Some("https://wiki.example.com:8443/x"),
            ),
            // Somebody else may be there.
            ("https://wiki.example.com:8443", "http://wiki.example.com/x", None),
            ("http://localhost:4180", "http://localhost/x", None),
            ("https://wiki.example.com", "https://wiki.example.com/x", None),
            ("https://wiki.example.com", "http://elsewhere.example.com/x", None),
        ] {
            let told = Origins::told("http://10.0.0.7:8080", public_url, hosts);
            assert_eq!(told.rewritten(location).as_deref(), public, "{location} at {public_url}");
            let not_told =
                Origins::told("http://10.0.0.7:8080", public_url, &format!("{hosts}\npreserve_host = false"));
            assert_eq!(not_told.rewritten(location), None, "{location} at {public_url}");
        }
    }

    #[test]
    fn an_upstream_without_the_apps_path_gets_it_put_back() {
        let lines = "strip_path = true\nhosts = [\"*.review.example.com\"]";
        let origins = Origins::told("http://app:8080", "https://example.com/wiki", lines);
        for (location, public) in [
            ("/login?x=/wiki", Some("/wiki/login?x=/wiki")),
            ("/", Some("/wiki/")),
            ("/?x", Some("/wiki/?x")),
            ("/wikis", Some("/wiki/wikis")),
            // It has read X-Forwarded-Prefix.
            ("/wiki", None),
            ("/wiki/login", None),
            ("/wiki?x", None),
            // What is relative to a page stays so.
            ("login", None),
            ("../login", None),
            ("?next=/login", None),
            ("#top", None),
            ("", None),
            ("http://app:8080/login", Some("https://example.com/wiki/login")),
            ("http://app:8080", Some("https://example.com/wiki/")),
            ("http://app:8080?x", Some("https://example.com/wiki/?x")),
            ("http://app:8080/wiki/login", Some("https://example.com/wiki/login")),
            ("http://example.com:8080/login", Some("https://example.com/wiki/login")),
            ("http://example.com/login", Some("https://example.com/wiki/login")),
            ("//example.com/login", Some("https://example.com/wiki/login")),
            ("https://example.com/login", Some("https://example.com/wiki/login")),
            ("https://EXAMPLE.com:443/wiki/login", Some("https://example.com/wiki/login")),
            ("http://a.review.example.com/login", Some("https://a.review.example.com/wiki/login")),
            ("https://a.review.example.com/login", Some("https://a.review.example.com/wiki/login")),
            ("https://a.b.review.example.com/login", None),
            ("https://elsewhere.example/login", None),
        ] {
            assert_eq!(origins.rewritten(location).as_deref(), public, "{location}");
        }
    }

    #[test]
    fn an_upstream_that_knows_the_apps_path_is_taken_at_its_word() {
        let origins = Origins::told("http://app:8080", "https://example.com/wiki", "");
        for (location, public) in [
            ("/wiki/login", None),
            ("/elsewhere", None),
            ("http://app:8080/wiki/login", Some("https://example.com/wiki/login")),
            ("http://app:8080/elsewhere", Some("https://example.com/elsewhere")),
            ("https://example.com/elsewhere", None),
        ] {
            assert_eq!(origins.rewritten(location).as_deref(), public, "{location}");
        }
    }

    #[test]
    fn a_refresh_is_rewritten_as_browsers_read_it() {
        let origins = Origins::told("http://app:8080", "https://example.com/wiki", "strip_path = true");
        for (refresh, public) in [
            ("5; url=http://app:8080/x", Some("5; url=https://example.com/wiki/x")),
            ("0;URL='/x?y'", Some("0;URL='/wiki/x?y'")),
            ("0, url= \"/x\"", Some("0, url= \"/wiki/x\"")),
            ("0; url=x", None),
            ("0; url=https://elsewhere.example/", None),
            ("30", None),
            ("0; url=", None),
        ] {
            let rewritten = origins.public_refresh(&HeaderValue::from_static(refresh));
            assert_eq!(rewritten.as_ref().and_then(|value| value.to_str().ok()), public, "{refresh}");
        }
    }
}
