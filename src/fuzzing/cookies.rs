//! Our cookies among those of the app.

use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::{
    config::app::Scheme,
    session::cookie::{
        CookieNames, decode,
        upstream::{Stripped, sets_ours, strip},
    },
};

/// Nothing of ours is left for the app, and nothing of the app's is lost.
pub(super) fn cookie(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let left = match strip(&value) {
        Stripped::Unchanged => Some(value.clone()),
        Stripped::Remaining(left) => Some(left),
        Stripped::Nothing => None,
    };
    if let Some(left) = &left {
        assert_eq!(strip(left), Stripped::Unchanged, "once is enough");
    }
    let parts = |value: &[u8]| -> Vec<Vec<u8>> {
        let parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|part| !part.is_empty());
        parts.map(<[u8]>::to_vec).collect()
    };
    let theirs: Vec<_> = parts(bytes).into_iter().filter(|part| !sets_ours_by_name(part)).collect();
    assert_eq!(left.as_ref().map(|left| parts(left.as_bytes())).unwrap_or_default(), theirs);

    for names in [Scheme::Https, Scheme::Http].map(CookieNames::new) {
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
fn sets_ours_by_name(part: &[u8]) -> bool {
    !part.starts_with(b"=") && sets_ours(part)
}
