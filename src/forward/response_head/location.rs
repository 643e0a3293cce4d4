//! Redirects that lead to where only we can go (contract section 5; RFC 9110 §10.2.2).
//!
//! An upstream spells its own origin as it sees itself: by the address that we call it
//! under, or, where we hand it the visitor's `Host`, by that name with its own scheme
//! and perhaps its own port (nginx, which redirects `/folder` to
//! `http://wiki.example.com:8080/folder/`). The public URL takes the place of either.
//! What names another origin is the app's own affair.

use http::HeaderValue;

use crate::config::{self, app::Scheme};

/// The origins that mean the upstream itself, each with the public one that takes its place.
#[derive(Debug)]
pub(in crate::forward) struct Origins {
    scheme: Scheme,
    own: Vec<Own>,
}

#[derive(Debug)]
struct Own {
    /// As a URL spells it: IPv6 in brackets.
    host: String,
    port: u16,
    public: String,
}

impl Origins {
    /// Those of an app whose upstream's own address is the origin `upstream`.
    pub(in crate::forward) fn new(app: &config::App, upstream: &str) -> Self {
        let public_url = &app.public_url;
        let (scheme, authority) = match upstream.strip_prefix("https://") {
            Some(authority) => (Scheme::Https, authority),
            None => (Scheme::Http, upstream.trim_start_matches("http://")),
        };
        let (host, port) = split_port(authority);
        let upstream_port = port.parse().unwrap_or(scheme.default_port());
        let mut own = vec![Own { host: host.to_owned(), port: upstream_port, public: public_url.origin() }];
        if app.preserve_host {
            // What its `Host` tells it: the port is left out where it is the public scheme's own.
            let told = if public_url.port == public_url.scheme.default_port() {
                scheme.default_port()
            } else {
                public_url.port
            };
            for host in &app.hosts {
                let public = public_url.origin_at(host);
                let named = [upstream_port, told].map(|port| Own { host: host.clone(), port, public: public.clone() });
                own.extend(named);
            }
        }
        Self { scheme, own }
    }

    /// The public spelling of a `Location` on the upstream's own origin; `None` leaves it as it is.
    pub(super) fn public(&self, location: &HeaderValue) -> Option<HeaderValue> {
        let location = location.to_str().ok()?;
        let (scheme, rest) = location.split_once("//")?;
        // `//host/path` has the scheme of the page that it is on: the upstream's own.
        let is_ours = scheme.is_empty()
            || scheme.strip_suffix(':').is_some_and(|scheme| scheme.eq_ignore_ascii_case(self.scheme.as_str()));
        if !is_ours {
            return None;
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = split_port(authority);
        let port = if port.is_empty() { self.scheme.default_port() } else { port.parse().ok()? };
        let own = self.own.iter().find(|own| own.port == port && own.host.eq_ignore_ascii_case(host))?;
        HeaderValue::from_str(&format!("{}{rest}", own.public)).ok()
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
}
