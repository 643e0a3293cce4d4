//! Our cookies among those of the app.

use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::{
    config::{
        app::{PublicUrl, Scheme, SessionCookie},
        session::{CookieReach, Persistence, SameSite},
    },
    identity::AppId,
    session::cookie::{
        CookieNames, SignInReach, decode,
        upstream::{Family, Stripped},
    },
};

/// Nothing of ours is left for the app, and nothing of the app's is lost.
pub(super) fn cookie(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let ours = Family::default();
    let left = match ours.strip(&value) {
        Stripped::Unchanged => Some(value.clone()),
        Stripped::Remaining(left) => Some(left),
        Stripped::Nothing => None,
    };
    if let Some(left) = &left {
        assert_eq!(ours.strip(left), Stripped::Unchanged, "once is enough");
    }
    let parts = |value: &[u8]| -> Vec<Vec<u8>> {
        let parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|part| !part.is_empty());
        parts.map(<[u8]>::to_vec).collect()
    };
    let theirs: Vec<_> = parts(bytes).into_iter().filter(|part| !is_ours_by_name(&ours, part)).collect();
    assert_eq!(left.as_ref().map(|left| parts(left.as_bytes())).unwrap_or_default(), theirs);

    for names in names() {
        let sent = HeaderMap::from_iter([(COOKIE, value.clone())]);
        let rest: HeaderMap = left.iter().map(|left| (COOKIE, left.clone())).collect();
        assert!(names.session_secret(&rest).is_none(), "a secret would have reached the app");
        assert_eq!(names.attempts(&rest).count(), 0, "an attempt would have reached the app");
        for attempt in names.attempts(&sent) {
            let _ = decode(attempt.value);
            assert!(names.attempt(attempt.id).find(&sent).is_none_or(|found| found == attempt.value));
        }
        let _ = (names.session_secret(&sent), names.loop_marker().find(&sent));
    }
}

/// Whether a `Set-Cookie` with the name of this pair would be ours; a pair without a name is the app's.
fn is_ours_by_name(ours: &Family, part: &[u8]) -> bool {
    !part.starts_with(b"=") && ours.is_set_by(part)
}

/// Every kind of name that we have.
fn names() -> impl Iterator<Item = CookieNames> {
    let kinds = [
        (Scheme::Http, "", CookieReach::App),
        (Scheme::Https, "", CookieReach::App),
        (Scheme::Https, "/wiki", CookieReach::App),
        (Scheme::Https, "", CookieReach::Siblings("example.com".to_owned())),
    ];
    kinds.into_iter().map(|(scheme, path, reach)| {
        let host = "wiki.example.com".to_owned();
        let public_url = PublicUrl { scheme, host, port: scheme.default_port(), path: path.to_owned() };
        let cookie = SessionCookie {
            name: "vestibule".to_owned(),
            reach,
            same_site: SameSite::Lax,
            persistence: Persistence::UntilBrowserCloses,
        };
        CookieNames::new(&AppId::new("wiki"), &public_url, &cookie, SignInReach::Siblings)
    })
}
