//! What comes back from browsers and stores sealed, and where a sign-in leads.

use std::sync::LazyLock;

use url::Url;

use crate::{
    config::Config,
    login::{Origins, ReturnTarget, attempt},
    session::record,
};

/// An attempt opens only as it was sealed, whatever the plaintext or the cookie holds.
pub(super) fn attempt(bytes: &[u8]) {
    attempt::keeps_its_promise(bytes);
}

/// A record opens only as it was sealed, whatever a store or another version wrote.
pub(super) fn record(bytes: &[u8]) {
    record::keeps_its_promise(bytes);
}

/// Two apps on one host and one on another.
const APPS: &str = r#"
provider = [{ id = "company", issuer = "https://id.example.com", client_id = "x" }]
[[app]]
id = "wiki"
public_url = "https://example.com/wiki"
upstream = "http://127.0.0.1:1"
callback_path = "/oauth2/callback"
access = { policy = "anyone" }
[[app]]
id = "portal"
public_url = "https://example.com"
upstream = "http://127.0.0.1:2"
access = { policy = "anyone" }
[[app]]
id = "notes"
public_url = "https://notes.example.com"
upstream = "http://127.0.0.1:3"
access = { policy = "anyone" }
"#;

/// A browser ends up on an origin of ours, whatever it was asked to follow (threats 1 to 4).
pub(super) fn return_target(bytes: &[u8]) {
    static WIKI: LazyLock<Origins> = LazyLock::new(|| {
        let config = Config::parse("vestibule.toml", APPS).expect("a configuration");
        Origins::of(&config).remove(0)
    });
    let Ok(asked) = std::str::from_utf8(bytes) else { return };
    let target = ReturnTarget::parse(asked, &WIKI);
    let base = Url::parse("https://example.com/wiki/").expect("a URL");
    for written in [target.as_str().to_owned(), target.url(&WIKI)] {
        let url = base.join(&written).unwrap_or_else(|error| panic!("{written:?}: {error}"));
        let origin = url.origin().ascii_serialization();
        assert!(WIKI.apps.contains_key(&origin), "{written:?} leads to {url}");
        let (path, is_wikis) = (url.path(), origin == "https://example.com");
        let ours = path.starts_with("/_vestibule/")
            || is_wikis && (path.starts_with("/wiki/_vestibule/") || path == "/wiki/oauth2/callback");
        assert!(!ours, "{written:?} leads to {url}");
        assert!(written.bytes().all(|byte| byte.is_ascii_graphic()), "{written:?}");
    }
    assert_eq!(ReturnTarget::parse(target.as_str(), &WIKI), target, "it leads there again");
}
