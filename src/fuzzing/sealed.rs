//! What comes back from browsers and stores sealed, and where a sign-in leads.

use url::Url;

use crate::{
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

/// A browser ends up on an origin of ours, whatever it was asked to follow (threats 1 to 4).
pub(super) fn return_target(bytes: &[u8]) {
    let Ok(asked) = std::str::from_utf8(bytes) else { return };
    let own = "https://wiki.example.com";
    let apps = [own, "https://notes.example.com"].map(str::to_owned);
    let origins = Origins { own: own.to_owned(), apps: apps.clone().into(), prefix: "/_vestibule".to_owned() };
    let target = ReturnTarget::parse(asked, &origins);
    let base = Url::parse(own).expect("an origin");
    for written in [target.as_str().to_owned(), target.url(&origins)] {
        let url = base.join(&written).unwrap_or_else(|error| panic!("{written:?}: {error}"));
        assert!(apps.contains(&url.origin().ascii_serialization()), "{written:?} leads to {url}");
        assert!(!url.path().starts_with("/_vestibule/"), "{written:?} leads to {url}");
        assert!(written.bytes().all(|byte| byte.is_ascii_graphic()), "{written:?}");
    }
    assert_eq!(ReturnTarget::parse(target.as_str(), &origins), target, "it leads there again");
}
