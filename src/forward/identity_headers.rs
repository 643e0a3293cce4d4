//! What the app learns about the visitor (contract section 6), prepared once a session.
//!
//! Only a trusted address is handed over: an app that takes `X-Forwarded-Email`
//! for an identity must not be fooled by an address that anybody could claim.

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue};

use crate::identity::Visitor;

/// A value above this is left out: cutting it would make it another value.
const MAX_VALUE: usize = 4 * 1024;

/// What the upstream is told of one visitor.
///
/// The names are the same for all visitors, and the values slices of one allocation:
/// with thousands of sessions in turn a request waits for each line of memory that it needs.
#[derive(Debug)]
pub struct IdentityHeaders(Box<[(&'static HeaderName, HeaderValue)]>);

impl IdentityHeaders {
    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

static USER: HeaderName = HeaderName::from_static("x-forwarded-user");
static EMAIL: HeaderName = HeaderName::from_static("x-forwarded-email");
static PREFERRED_USERNAME: HeaderName = HeaderName::from_static("x-forwarded-preferred-username");
static GROUPS: HeaderName = HeaderName::from_static("x-forwarded-groups");

/// All that there are.
pub(super) static NAMES: [&HeaderName; 4] = [&USER, &EMAIL, &PREFERRED_USERNAME, &GROUPS];

/// The headers of the `forwarded` preset. An absent claim is an absent header.
pub(super) fn prepare(visitor: &Visitor) -> IdentityHeaders {
    let groups = (!visitor.groups.is_empty()).then(|| encode_list(&visitor.groups));
    let values = [
        (&USER, visitor.user.as_deref().map(encode)),
        (&EMAIL, visitor.trusted_email().map(|email| encode(email.as_str()))),
        (&PREFERRED_USERNAME, visitor.preferred_username.as_deref().map(encode)),
        (&GROUPS, groups),
    ];
    let mut all = BytesMut::new();
    let mut places = Vec::with_capacity(values.len());
    for (name, value) in values {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        if value.len() > MAX_VALUE {
            tracing::warn!(header = %name, bytes = value.len(), "an identity header above 4 KiB is left out");
            continue;
        }
        let start = all.len();
        all.extend_from_slice(value.as_bytes());
        places.push((name, start..all.len()));
    }
    // One allocation for all values of a session; each header is a slice of it.
    let all: Bytes = all.freeze();
    let value = |place| HeaderValue::from_maybe_shared(all.slice(place)).ok();
    IdentityHeaders(places.into_iter().filter_map(|(name, place)| Some((name, value(place)?))).collect())
}

/// Printable ASCII stays as it is, inner spaces too; `%` and everything else is percent-encoded.
fn encode(value: &str) -> String {
    encode_with(value, |_| false)
}

/// The members of a list, joined by commas; a comma inside a member is encoded.
fn encode_list(members: &[String]) -> String {
    let encoded: Vec<_> = members.iter().map(|member| encode_with(member, |byte| byte == b',')).collect();
    encoded.join(",")
}

fn encode_with(value: &str, also: impl Fn(u8) -> bool) -> String {
    let last = value.len().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (place, byte) in value.bytes().enumerate() {
        let inner_space = byte == b' ' && place != 0 && place != last;
        if (byte.is_ascii_graphic() && byte != b'%' && !also(byte)) || inner_space {
            out.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{EmailAddress, EmailTrust, Issuer, ProviderId, Subject};

    fn visitor() -> Visitor {
        Visitor {
            provider: ProviderId::new("company"),
            issuer: Issuer::new("https://id.example.com"),
            subject: Subject::new("248289761001"),
            user: Some("248289761001".to_owned()),
            email: Some(EmailAddress::parse("jane@example.com").expect("an address")),
            email_trust: EmailTrust::Trusted,
            name: None,
            preferred_username: Some("jané doe".to_owned()),
            groups: vec!["staff".to_owned(), "a,b".to_owned(), "100%".to_owned()],
            claims: Vec::new(),
        }
    }

    fn texts(headers: &IdentityHeaders) -> Vec<(&str, &str)> {
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII"))).collect()
    }

    #[test]
    fn each_claim_has_its_header_and_lists_are_joined_by_commas() {
        assert_eq!(
            texts(&prepare(&visitor())),
            [
                ("x-forwarded-user", "248289761001"),
                ("x-forwarded-email", "jane@example.com"),
                ("x-forwarded-preferred-username", "jan%C3%A9 doe"),
                ("x-forwarded-groups", "staff,a%2Cb,100%25"),
            ]
        );
    }

    #[test]
    fn threat_47_an_absent_claim_is_an_absent_header() {
        let anonymous =
            Visitor { user: None, email: None, preferred_username: Some(String::new()), groups: vec![], ..visitor() };
        assert_eq!(texts(&prepare(&anonymous)), []);
    }

    #[test]
    fn an_address_that_does_not_count_is_not_handed_over() {
        let unverified = Visitor { email_trust: EmailTrust::Untrusted, ..visitor() };
        assert!(texts(&prepare(&unverified)).iter().all(|(name, _)| *name != "x-forwarded-email"));
    }

    #[test]
    fn threat_50_what_could_break_a_header_is_encoded() {
        for (claim, sent) in [
            ("a\r\nX-Admin: 1", "a%0D%0AX-Admin: 1"),
            ("a\0b", "a%00b"),
            (" edge ", "%20edge%20"),
            ("tab\there", "tab%09here"),
            ("a,b", "a,b"),
            ("日", "%E6%97%A5"),
            ("\u{7f}", "%7F"),
        ] {
            assert_eq!(encode(claim), sent, "{claim:?}");
        }
    }

    #[test]
    fn a_value_above_4_kib_is_left_out_and_never_cut() {
        let long = Visitor { user: Some("x".repeat(4097)), ..visitor() };
        assert!(texts(&prepare(&long)).iter().all(|(name, _)| *name != "x-forwarded-user"));
        let longest = Visitor { user: Some("x".repeat(4096)), ..visitor() };
        assert!(texts(&prepare(&longest)).iter().any(|(name, _)| *name == "x-forwarded-user"));
    }
}
