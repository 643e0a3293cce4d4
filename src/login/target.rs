//! Where a sign-in or sign-out leads (`rd`): never anywhere that we did not mean.
//!
//! The target is read by the same parser that browsers use (the WHATWG URL
//! standard), against the app's own origin; what it makes of the text must be
//! on an origin that is ours, and its own spelling is what is sent on. So a
//! target that a browser would read differently than we did cannot exist
//! (threats 1–4, CVE-2020-5233, CVE-2020-11053, CVE-2019-14857).

use std::sync::Arc;

use http::Uri;
use url::{Position, Url};

use super::attempt::MAX_TARGET;
use crate::request::{Place, Target};

/// The origins that a target may be on.
#[derive(Clone, Debug)]
pub struct Origins {
    /// The app's own, without a trailing slash.
    pub own: String,
    /// Those of all configured apps.
    pub apps: Arc<[String]>,
    /// The path of our own endpoints, which are no targets.
    pub prefix: String,
}

/// A path with its query on the app's own origin, or a URL on another app's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTarget(String);

impl ReturnTarget {
    /// The app's root: where everything leads that leads nowhere else.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// A target that somebody asked for; whatever is not surely on an origin of ours becomes the root.
    pub fn parse(asked: &str, origins: &Origins) -> Self {
        Self::ours(asked, origins).unwrap_or_else(Self::root)
    }

    /// The same, where whatever is not surely ours is not the root but nothing.
    pub fn ours(asked: &str, origins: &Origins) -> Option<Self> {
        Self::checked(asked, origins).map(Self)
    }

    fn checked(asked: &str, origins: &Origins) -> Option<String> {
        // What a browser would drop or turn around has no place in an honest target.
        if asked.len() > MAX_TARGET || asked.bytes().any(|byte| byte <= b' ' || byte == b'\\' || byte == 0x7f) {
            return None;
        }
        let base = Url::parse(&origins.own).ok()?;
        let url = base.join(asked).ok()?;
        let path_and_query = &url[Position::BeforePath..Position::AfterQuery];
        let anonymous = url.username().is_empty() && url.password().is_none();
        // `//host` as a path would be another origin to whoever reads it as a reference.
        if !anonymous || path_and_query.starts_with("//") || !is_of_an_app(path_and_query, &origins.prefix) {
            return None;
        }
        let origin = url.origin();
        if origin == base.origin() {
            return Some(path_and_query.to_owned());
        }
        let elsewhere = origin.ascii_serialization();
        origins.apps.contains(&elsewhere).then(|| format!("{elsewhere}{path_and_query}"))
    }

    /// A path and query, or an absolute URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The absolute URL.
    pub fn url(&self, origins: &Origins) -> String {
        if self.0.starts_with('/') { format!("{}{}", origins.own, self.0) } else { self.0.clone() }
    }
}

/// Whether a request for it would be an app's: neither one of our own endpoints, nor refused.
fn is_of_an_app(path_and_query: &str, prefix: &str) -> bool {
    let target = path_and_query.parse::<Uri>().ok().and_then(|uri| Target::parse(&uri).ok());
    target.is_some_and(|target| target.place(prefix) == Ok(Place::App))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://wiki.example.com";

    fn parsed(asked: &str) -> String {
        let apps = [ORIGIN, "https://notes.example.com"].map(str::to_owned);
        let origins = Origins { own: ORIGIN.to_owned(), apps: apps.into(), prefix: "/_vestibule".to_owned() };
        ReturnTarget::parse(asked, &origins).as_str().to_owned()
    }

    #[test]
    fn another_apps_origin_is_ours_too() {
        assert_eq!(parsed("https://notes.example.com/a?b"), "https://notes.example.com/a?b");
        assert_eq!(parsed("https://notes.example.com:444/a"), "/");
        assert_eq!(parsed("https://notes.example.com/_vestibule/sign_out"), "/");
    }

    #[test]
    fn a_path_here_is_kept_with_its_query() {
        for (asked, leads_to) in [
            ("/page?a=1&b=%2F", "/page?a=1&b=%2F"),
            ("https://wiki.example.com/x?y", "/x?y"),
            ("https://wiki.example.com:443/x", "/x"),
            ("relative", "/relative"),
            ("/a/../b", "/b"),
            ("/x#fragment", "/x"),
            ("", "/"),
            ("/a%00b", "/"), // refused, whoever asks for it
            ("/a?q=\u{fc}&r=%zz", "/a?q=%C3%BC&r=%zz"),
        ] {
            assert_eq!(parsed(asked), leads_to, "{asked:?}");
        }
    }

    #[test]
    fn threat_1_nothing_leads_to_another_origin() {
        for asked in [
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\tevil.example",
            "/\n/evil.example",
            "https://evil.example/",
            "https://wiki.example.com@evil.example/",
            "https://wiki.example.com.evil.example/",
            "https://wiki.example.com:8443/",
            "http://wiki.example.com/",
            "javascript:alert(1)",
            "data:text/html,x",
            "/..//evil.example",
            "/.//evil.example",
            "https:evil.example",
            "https:///evil.example",
            "//wiki.example.com\\@evil.example/",
            "https://user@wiki.example.com/",
            " //evil.example",
            "%2F%2Fevil.example/../..//evil.example",
        ] {
            let target = parsed(asked);
            let url = Url::parse(ORIGIN).and_then(|base| base.join(&target)).expect("a target that parses");
            assert_eq!(url.origin(), Url::parse(ORIGIN).expect("an origin").origin(), "{asked:?} became {target:?}");
            assert!(!target.starts_with("//"), "{asked:?} became {target:?}");
        }
    }

    #[test]
    fn threat_2_no_target_holds_a_line_break() {
        assert_eq!(parsed("/x\r\nSet-Cookie: a=b"), "/");
        assert_eq!(parsed("/x%0d%0aSet-Cookie:a"), "/x%0d%0aSet-Cookie:a", "escaped, it is only a path");
    }

    #[test]
    fn threat_3_a_target_above_2_kib_becomes_the_root() {
        assert_eq!(parsed(&format!("/{}", "a".repeat(8192))), "/");
        assert_eq!(parsed(&format!("/{}", "a".repeat(2047))).len(), 2048);
    }

    #[test]
    fn threat_4_our_own_endpoints_are_no_target() {
        for asked in [
            "/_vestibule/callback",
            "/_vestibule/sign_out",
            "/_VESTIBULE/start",
            "/%5fvestibule/start",
            "/a/../_vestibule/start",
            "/_vestibule",
            "/_vestibule?x",
            "/a/..%2f_vestibule/start", // to some servers only
        ] {
            assert_eq!(parsed(asked), "/", "{asked:?}");
        }
        for asked in [
            "/_vestibules/start",
            "/docs/_vestibule/start",
            "/search?q=/_vestibule/start",
            "/a%2F_vestibule/x",
            "/Wiki/_Vestibule",
        ] {
            assert_eq!(parsed(asked), asked, "the app's own page");
        }
    }
}
