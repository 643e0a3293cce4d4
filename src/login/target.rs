//! Where a sign-in or sign-out leads (`rd`): never anywhere that we did not mean.
//!
//! The target is read by the same parser that browsers use (the WHATWG URL
//! standard), against the app's own origin; what it makes of the text must be
//! on an origin that is ours, and its own spelling is what is sent on. So a
//! target that a browser would read differently than we did cannot exist
//! (threats 1–4, CVE-2020-5233, CVE-2020-11053, CVE-2019-14857).

use std::{collections::HashMap, sync::Arc};

use http::Uri;
use url::{Position, Url};

use super::attempt::MAX_TARGET;
use crate::{
    config::{self, Config},
    request::{Place, Premises, Site},
};

/// Where a target may lead.
#[derive(Clone, Debug)]
pub struct Origins {
    /// The app's own origin, without a trailing slash.
    pub own: String,
    /// Where the app lies there.
    pub premises: Arc<Premises>,
    /// All configured apps, by the origins of their public URLs.
    pub apps: Arc<HashMap<String, Site<()>>>,
}

impl Origins {
    /// Those of each app, in the order of the file.
    pub fn of(config: &Config) -> Vec<Self> {
        let premises = |app: &Arc<config::App>| Arc::new(Premises::new(app, &config.server.prefix));
        let all: Vec<_> = config.apps.iter().map(|app| (app.public_url.origin(), premises(app))).collect();
        let mut apps: HashMap<String, Site<()>> = HashMap::new();
        for (origin, premises) in &all {
            let premises = Arc::clone(premises);
            let site = match apps.remove(origin) {
                Some(site) => site.and(premises, ()),
                None => Site::of(premises, ()),
            };
            apps.insert(origin.clone(), site);
        }
        let apps = Arc::new(apps);
        all.into_iter().map(|(own, premises)| Self { own, premises, apps: Arc::clone(&apps) }).collect()
    }

    /// The app's own page at the root of its paths.
    fn root(&self) -> String {
        format!("{}/", self.premises.path())
    }
}

/// A path with its query on the app's own origin, or a URL on another app's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTarget(String);

impl ReturnTarget {
    /// The app's root: where everything leads that leads nowhere else.
    pub fn root(origins: &Origins) -> Self {
        Self(origins.root())
    }

    /// A target that somebody asked for; whatever is not surely an app's page becomes the root.
    pub fn parse(asked: &str, origins: &Origins) -> Self {
        Self::checked(asked, origins).map_or_else(|| Self::root(origins), Self)
    }

    fn checked(asked: &str, origins: &Origins) -> Option<String> {
        // What a browser would drop or turn around has no place in an honest target.
        if asked.len() > MAX_TARGET || asked.bytes().any(|byte| byte <= b' ' || byte == b'\\' || byte == 0x7f) {
            return None;
        }
        let base = Url::parse(&origins.own).and_then(|own| own.join(&origins.root())).ok()?;
        let url = base.join(asked).ok()?;
        let path_and_query = &url[Position::BeforePath..Position::AfterQuery];
        let anonymous = url.username().is_empty() && url.password().is_none();
        // `//host` as a path would be another origin to whoever reads it as a reference.
        if !anonymous || path_and_query.starts_with("//") {
            return None;
        }
        let origin = url.origin().ascii_serialization();
        if !is_of_an_app(path_and_query, origins.apps.get(&origin)?) {
            return None;
        }
        Some(if url.origin() == base.origin() {
            path_and_query.to_owned()
        } else {
            format!("{origin}{path_and_query}")
        })
    }

    /// A path and query, or an absolute URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a page of the app itself.
    pub fn is_here(&self, origins: &Origins) -> bool {
        let rest = self.0.strip_prefix(origins.premises.path());
        rest.is_some_and(|rest| rest.starts_with(['/', '?']) || rest.is_empty())
    }

    /// The absolute URL.
    pub fn url(&self, origins: &Origins) -> String {
        if self.0.starts_with('/') { format!("{}{}", origins.own, self.0) } else { self.0.clone() }
    }
}

/// Whether a request for it would be an app's: neither one of our own endpoints, nor refused.
fn is_of_an_app(path_and_query: &str, site: &Site<()>) -> bool {
    let uri = path_and_query.parse::<Uri>().ok();
    let found = uri.and_then(|uri| site.find(&uri).ok().flatten());
    found.is_some_and(|found| found.premises.place(&found.target) == Ok(Place::App))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://wiki.example.com";

    /// What becomes of a target at the first of some apps; each by its public URL and further lines.
    fn parsed_at(apps: &[(&str, &str)], asked: &str) -> String {
        let app = |(n, (public_url, lines)): (usize, &(&str, &str))| {
            format!(
                "[[app]]\nid = \"app-{n}\"\npublic_url = {public_url:?}\nupstream = \"http://127.0.0.1:8080\"\n\
                 access = {{ policy = \"anyone\" }}\n{lines}\n"
            )
        };
        let provider = "[[provider]]\nid = \"company\"\nissuer = \"https://id.example.com\"\nclient_id = \"x\"\n";
        let text = format!("{provider}{}", apps.iter().enumerate().map(app).collect::<String>());
        let config = Config::parse("test.toml", &text).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        let origins = Origins::of(&config).remove(0);
        ReturnTarget::parse(asked, &origins).as_str().to_owned()
    }

    fn parsed(asked: &str) -> String {
        parsed_at(&[(ORIGIN, ""), ("https://notes.example.com", "")], asked)
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
