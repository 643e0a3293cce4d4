//! The names that only we may use towards one app: those that its configuration sets or drops.
//!
//! Headers that tell some app of some preset who is there are removed from every request
//! ([`HeaderKind`](super::HeaderKind)). These are one app's own, and known only when the
//! app is. An app that names none pays for one look at an empty list.

use http::{HeaderMap, HeaderName};

/// Names that visitors of an app must not use, in any spelling that the app may take for them.
#[derive(Debug)]
pub struct ReservedNames {
    names: Box<[HeaderName]>,
    /// A bit for each length that one of them has: most of a visitor's names are let go by it.
    lengths: u64,
}

impl ReservedNames {
    /// These; `None` where there are none. A name has at most 64 bytes.
    pub fn new<'n>(names: impl Iterator<Item = &'n HeaderName>) -> Option<Self> {
        let mut names: Vec<_> = names.cloned().collect();
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        let lengths = names.iter().fold(0, |lengths, name| lengths | length_bit(name));
        (!names.is_empty()).then(|| Self { names: names.into(), lengths })
    }

    /// Whether an app may take a name for one of these: CGI and its like fold every byte
    /// that is no letter or digit into one (CVE-2025-64484).
    fn means(&self, name: &HeaderName) -> bool {
        let fold = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'-' };
        let same = |ours: &HeaderName| {
            let (ours, theirs) = (ours.as_str().as_bytes(), name.as_str().as_bytes());
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| *a == fold(*b))
        };
        self.lengths & length_bit(name) != 0 && self.names.iter().any(same)
    }

    /// Takes them out of a visitor's fields, whether these stand before or after a body.
    pub fn remove_from(&self, fields: &mut HeaderMap) {
        let theirs: Vec<_> = fields.keys().filter(|name| self.means(name)).cloned().collect();
        for name in theirs {
            fields.remove(name);
        }
    }
}

/// Lengths from 1 to 64 have a bit each; what is longer shares the last.
fn length_bit(name: &HeaderName) -> u64 {
    1 << (name.as_str().len().clamp(1, 64) - 1)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn left(reserved: &[&'static str], fields: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for name in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("2"));
        }
        let names: Vec<_> = reserved.iter().map(|name| HeaderName::from_static(name)).collect();
        ReservedNames::new(names.iter()).expect("there are some").remove_from(&mut headers);
        headers.keys().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn cve_2025_64484_every_spelling_that_folds_into_a_reserved_name_is_taken_out() {
        let spellings = [
            "webauth-user",
            "webauth_user",
            "webauth.user",
            "webauth!user",
            "webauth~user",
            "webauth|user",
            "webauth'user",
        ];
        assert_eq!(left(&["webauth-user", "x-org"], &spellings), [""; 0]);
    }

    #[test]
    fn other_names_stay() {
        assert_eq!(
            left(&["webauth-user"], &["webauth-use", "webauth-users", "webauthxuser", "x-web-user-12", "accept"]),
            ["webauth-use", "webauth-users", "webauthxuser", "x-web-user-12", "accept"]
        );
    }

    #[test]
    fn long_names_are_told_apart_too() {
        let (long, longer) = (
            "x-0123456789012345678901234567890123456789012345678901234567890a",
            "x-0123456789012345678901234567890123456789012345678901234567890ab",
        );
        assert_eq!((long.len(), longer.len()), (64, 65));
        assert_eq!(left(&[long], &[long, longer]), [longer]);
    }

    #[test]
    fn an_app_that_names_none_has_no_list() {
        assert!(ReservedNames::new([].iter()).is_none());
    }
}
