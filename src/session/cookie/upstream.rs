//! What the upstream may see and set: everything but our cookies (threat 51).
//!
//! Ours is a whole [`Family`] of names, in every spelling: `vestibule`, each `cookie_name`
//! that this process has had, and any of them with `-…` behind it, with any prefix that
//! browsers know, in any case. It is wider than what we set, because what another Vestibule
//! on the same host set, or what the same one set before it was configured anew, is as much
//! a secret: a browser goes on sending it, and at an app that takes the name it opens a session.
//!
//! All other bytes stay as they are, in their order: apps sign, count and quote
//! their cookies in ways that no parser here could foresee.

use std::iter;

use bytes::Bytes;
use http::HeaderValue;

/// Ours whatever is configured.
const DEFAULT: &[u8] = b"vestibule";

/// RFC 6265bis §4.1.3, and its younger sisters; browsers compare them without case.
const PREFIXES: [&[u8]; 4] = [b"__Host-Http-", b"__Host-", b"__Secure-", b"__Http-"];

/// What is left of a `Cookie` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stripped {
    /// Nothing of ours was in it.
    Unchanged,
    /// This, instead.
    Remaining(HeaderValue),
    /// Nothing: leave the header out.
    Nothing,
}

/// The names that are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// A bit for each character that one may begin with, folded: nearly every cookie of an app is known by its first
    /// letter.
    initials: u128,
    names: Box<[Box<[u8]>]>,
}

impl Default for Family {
    fn default() -> Self {
        Self::new("vestibule")
    }
}

impl Family {
    /// The default family and that of `cookie_name`.
    pub fn new(cookie_name: &str) -> Self {
        Self::of_all([cookie_name])
    }

    /// The default family and those of all names that `cookie_name` has had.
    pub fn of_all<'n>(cookie_names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut names: Vec<Box<[u8]>> = vec![DEFAULT.into()];
        for name in cookie_names {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name.as_bytes())) {
                names.push(name.as_bytes().into());
            }
        }
        let first = names.iter().filter_map(|name| name.first());
        let initials = first.chain(b"_").fold(0, |initials, first| initials | initial(*first));
        Self { initials, names: names.into() }
    }

    /// Takes our cookies out of one `Cookie` header.
    ///
    /// A part of ours goes with the semicolon behind it (the last one with that in
    /// front), and what moves to the front loses its leading white space.
    pub fn strip(&self, value: &HeaderValue) -> Stripped {
        let (mut ours, mut others) = (false, false);
        for part in parts(value.as_bytes()) {
            if self.has(part) {
                ours = true;
            } else {
                others |= !part.trim_ascii_start().is_empty();
            }
        }
        match (ours, others) {
            (false, _) => Stripped::Unchanged,
            (true, false) => Stripped::Nothing,
            (true, true) => Stripped::Remaining(self.without_ours(value.as_bytes())),
        }
    }

    fn without_ours(&self, value: &[u8]) -> HeaderValue {
        let mut kept = Vec::with_capacity(value.len());
        let mut separator: &[u8] = b"";
        for (at, part) in parts(value).enumerate().filter(|(_, part)| !self.has(part)) {
            let moved_to_front = separator.is_empty() && at > 0;
            kept.extend_from_slice(separator);
            kept.extend_from_slice(if moved_to_front { part.trim_ascii_start() } else { part });
            separator = b";";
        }
        HeaderValue::from_maybe_shared(Bytes::from(kept)).expect("a part of a header value is a header value")
    }

    /// Whether a `Set-Cookie` from the upstream would set one of ours.
    ///
    /// A cookie without a name is judged by its value: a browser sends `=vestibule=x`
    /// back as `vestibule=x`.
    pub fn is_set_by(&self, set_cookie: &[u8]) -> bool {
        let pair = parts(set_cookie).next().unwrap_or_default();
        let nameless = |byte: &u8| *byte == b'=' || byte.is_ascii_whitespace();
        let start = pair.iter().position(|byte| !nameless(byte)).unwrap_or(pair.len());
        self.has(&pair[start..])
    }

    /// A part without `=` is judged as a name: that is how many servers read it.
    fn has(&self, part: &[u8]) -> bool {
        let part = part.trim_ascii_start();
        let Some(first) = part.first() else { return false };
        if self.initials & initial(*first) == 0 {
            return false;
        }
        let bare = match part {
            [b'_', ..] => PREFIXES.iter().find_map(|prefix| without_prefix(part, prefix)).unwrap_or(part),
            _ => part,
        };
        self.names.iter().any(|name| is_of(bare, name))
    }
}

/// The bit of a character, the same for both cases; characters that share one are told apart later.
fn initial(first: u8) -> u128 {
    1 << ((first | 0x20) & 0x7f)
}

/// Whether a part begins with the name itself, or with one that a dash makes of it.
fn is_of(bare: &[u8], name: &[u8]) -> bool {
    let Some(rest) = without_prefix(bare, name) else { return false };
    matches!(rest, [b'-', ..]) || matches!(rest.trim_ascii_start(), [] | [b'=', ..])
}

/// What stands between semicolons (RFC 6265 §5.4); quotes protect nothing there.
pub(super) fn parts(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    iter::from_fn(move || {
        let value = rest?;
        let end = memchr::memchr(b';', value);
        rest = end.map(|end| &value[end + 1..]);
        Some(&value[..end.unwrap_or(value.len())])
    })
}

fn without_prefix<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    // Nearly always it is spelled as we spell it, which is known at once.
    (head == prefix || head.eq_ignore_ascii_case(prefix)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(value: &[u8]) -> Stripped {
        Family::default().strip(&HeaderValue::from_bytes(value).expect("a header value"))
    }

    #[test]
    fn threat_51_ours_never_pass_and_others_stay_byte_identical() {
        // (sent, what is left; None = no header)
        let cases: &[(&str, Option<&str>)] = &[
            ("vestibule=x", None),
            ("__Host-vestibule=x", None),
            ("__Secure-vestibule=x", None),
            ("__Host-vestibule-attempt-abc=x", None),
            ("__host-VESTIBULE=x", None),
            ("__Http-vestibule=x", None),
            ("__Host-Http-vestibule=x", None),
            ("vestibule", None),
            (" vestibule =x", None),
            ("\tvestibule\t= x", None),
            ("vestibule=x; vestibule=y;__Host-vestibule-loop=z", None),
            ("vestibule=x;", None),
            (";; vestibule=x ; ", None),
            ("vestibule==; vestibule=a=b", None),
            ("a=1; vestibule=x", Some("a=1")),
            ("vestibule=x; a=1", Some("a=1")),
            ("a=1; vestibule=x; b=2", Some("a=1; b=2")),
            ("a=1;vestibule=x;b=2", Some("a=1;b=2")),
            ("a=1;  vestibule=x;\tb=2  ; c", Some("a=1;\tb=2  ; c")),
            ("vestibule=x;  a=1", Some("a=1")),
            (";vestibule=x;=;", Some(";=;")),
            ("=;vestibule", Some("=")),
            ("a=\"1; vestibule=x; 2\"; b=2", Some("a=\"1; 2\"; b=2")),
            ("a=1; __Host-vestibule=x; __Host-a=2; vestibule-loop=1; b=%3B", Some("a=1; __Host-a=2; b=%3B")),
        ];
        for (sent, left) in cases {
            let expected = match left {
                None => Stripped::Nothing,
                Some(left) => Stripped::Remaining(HeaderValue::from_str(left).expect("a header value")),
            };
            assert_eq!(stripped(sent.as_bytes()), expected, "{sent:?}");
        }
    }

    #[test]
    fn cve_2023_28625_what_holds_nothing_of_ours_is_not_even_copied() {
        for sent in [
            "",
            ";=;",
            ";",
            "=",
            " ; ;; ",
            "a=1",
            "a=1;b=2;;",
            "vestibules=x",
            "myvestibule=x",
            "vestibule_x=1",
            "__Host-a=1",
            "__Host-",
            "_",
            "v",
            "a=vestibule",
            "a=1,vestibule=x",
            "=vestibule=x",
            "a=\u{201c}vestibule\u{201d}",
        ] {
            assert_eq!(stripped(sent.as_bytes()), Stripped::Unchanged, "{sent:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay_too() {
        let Stripped::Remaining(left) = stripped(b"a=\xff\xfe; vestibule=x; b=\x80") else { panic!("ours was in it") };
        assert_eq!(left.as_bytes(), b"a=\xff\xfe; b=\x80");
    }

    #[test]
    fn threat_79_an_upstream_cannot_set_ours() {
        for ours in [
            "vestibule=x",
            "__Host-vestibule=x; Path=/; Secure",
            "__Secure-vestibule=x",
            "__HOST-vestibule-attempt-1=x",
            " vestibule = x",
            "vestibule; Path=/",
            "vestibule",
            "=vestibule=x",
            " = vestibule=x; Path=/",
            "==vestibule=x",
        ] {
            assert!(Family::default().is_set_by(ours.as_bytes()), "{ours:?}");
        }
        for theirs in ["", "=", ";", "a=1; vestibule=x", "sid=vestibule", "vestibules=1", "__Host-sid=1; Path=/"] {
            assert!(!Family::default().is_set_by(theirs.as_bytes()), "{theirs:?}");
        }
    }

    #[test]
    fn threat_51_a_configured_name_is_ours_beside_the_default_one() {
        let family = Family::new("Sid");
        for ours in [
            "Sid=x",
            "sid=x",
            "__Host-Sid=x",
            "__secure-SID=x",
            "__Secure-Sid-wiki=x",
            "__Secure-Sid-wiki.attempt-abc=x",
            "Sid-attempt-abc=x",
            "sid",
            "vestibule=x",
            "__Host-vestibule-loop=x",
        ] {
            let sent = HeaderValue::from_str(&format!("a=1; {ours}; b=2")).expect("a header value");
            let left = HeaderValue::from_static("a=1; b=2");
            assert_eq!(family.strip(&sent), Stripped::Remaining(left), "{ours}");
            assert!(family.is_set_by(ours.as_bytes()), "{ours}");
            assert_eq!(stripped(b"sid=x"), Stripped::Unchanged, "not where it is not configured");
        }
        for theirs in ["PHPSESSID=x", "sids=x", "connect.sid=x", "s=1", "S", "__Host-a=1", "sid_x=1", "=1"] {
            let sent = HeaderValue::from_str(theirs).expect("a header value");
            assert_eq!(family.strip(&sent), Stripped::Unchanged, "{theirs}");
            assert!(!family.is_set_by(theirs.as_bytes()), "{theirs}");
        }
    }

    #[test]
    fn threat_51_each_name_that_was_configured_stays_ours() {
        let family = Family::of_all(["sso", "Door", "sso", "vestibule"]);
        for ours in ["sso=x", "__Secure-sso-wiki=x", "door-attempt-abc=x", "__Host-DOOR=x", "vestibule=x"] {
            let sent = HeaderValue::from_str(&format!("a=1; {ours};  b=\"2")).expect("a header value");
            assert_eq!(family.strip(&sent), Stripped::Remaining(HeaderValue::from_static("a=1;  b=\"2")), "{ours}");
            assert!(family.is_set_by(ours.as_bytes()), "{ours}");
        }
        for theirs in ["ssos=x", "s=1", "connect.sso=x", "doors=1", "d", "_d=1", "__Host-d=1", "wiki=sso"] {
            let sent = HeaderValue::from_str(theirs).expect("a header value");
            assert_eq!(family.strip(&sent), Stripped::Unchanged, "{theirs}");
        }
    }

    proptest::proptest! {
        /// However odd the header: nothing of ours is left, and what is left was sent, in that order.
        #[test]
        fn stripping_leaves_a_subsequence_without_ours(
            parts in proptest::collection::vec("[ \t]{0,2}(__Host-|__host-)?(vestibule|vestibule-a|a|=)?(=[a-z=]{0,3})?[ ]?", 0..6)
        ) {
            let sent = parts.join(";");
            let left = match stripped(sent.as_bytes()) {
                Stripped::Unchanged => sent.clone(),
                Stripped::Remaining(left) => left.to_str().expect("ASCII").to_owned(),
                Stripped::Nothing => String::new(),
            };
            let ours = Family::default();
            proptest::prop_assert!(!super::parts(left.as_bytes()).any(|part| ours.has(part)));
            let kept: Vec<&str> = sent.split(';').filter(|part| !ours.has(part.as_bytes())).map(str::trim).filter(|part| !part.is_empty()).collect();
            let found: Vec<&str> = left.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
            proptest::prop_assert_eq!(kept, found);
        }
    }
}
