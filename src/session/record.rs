//! What a session is, as it lies sealed in a store.
//!
//! One version byte, then JSON, sealed with a key from the cookie's secret. A
//! version `N` reads what `N + 1` wrote, because members that it does not know are
//! skipped; that carries a roll-out and a roll-back. Rejected: postcard and
//! bincode, which are smaller and cannot skip what they do not know.
//!
//! The ID token kept for `id_token_hint` (RP-Initiated Logout §2) is sealed apart:
//! it is as large as all the rest, and read once, at sign-out. Where the app is handed
//! the ID token, it is in the record as well: every request needs it then.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    clock::Timestamp,
    identity::{AppId, ProviderSessionId, Visitor},
    random::Random,
    secret::Secret,
    session::CookieSecret,
};

/// What this version writes. It reads from 1 up to one more.
const VERSION: u8 = 1;
const PURPOSE: &str = "session";
/// Contexts of the two sealed values, so that neither stands in for the other.
const RECORD: &[u8] = b"record";
const ID_TOKEN: &[u8] = b"id_token";

/// Everything that a session knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The app at which it began; see [`Home`](super::Home) for where it counts.
    pub(super) app: AppId,
    pub(super) visitor: Visitor,
    #[serde(default)]
    pub(super) terms: String,
    pub(super) created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) auth_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) provider_session: Option<ProviderSessionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) landed: Option<Landed>,
    #[serde(default)]
    pub(super) tokens: Tokens,
}

/// The sign-in that made the session, so that its repeated callback (the back
/// button, a second tab) can go on to where it led.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landed {
    /// [`AttemptId::digest`](crate::session::cookie::AttemptId::digest) of the attempt.
    pub attempt: String,
    /// The path and query it led to.
    pub target: String,
}

/// What the provider gave besides the identity, as far as something needs it later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// The access token (RFC 6749 §1.4).
    #[serde(default, with = "optional_secret", skip_serializing_if = "Option::is_none")]
    pub access_token: Option<Secret<String>>,
    /// When it expires, if the provider said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_expires_at: Option<Timestamp>,
    /// The ID token as received, where an app is handed it.
    #[serde(default, with = "optional_secret", skip_serializing_if = "Option::is_none")]
    pub id_token: Option<Secret<String>>,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_expires_at: Option<Timestamp>,
    /// The refresh token (RFC 6749 §1.5).
    #[serde(default, with = "optional_secret", skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret<String>>,
}

impl Tokens {
    /// What apps may be handed: a session in memory needs no more. `None` where there is nothing.
    pub(super) fn handed_over(self) -> Option<Box<Self>> {
        let any = self.access_token.is_some() || self.id_token.is_some();
        any.then(|| Box::new(Self { refresh_token: None, ..self }))
    }
}

/// Why a record cannot be read. The visitor signs in again; the log says this.
/// Never the parser's own words: they quote what they stumbled over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it was not sealed by the secret that found it, or was altered in the store")]
    Sealed,
    #[error("it has format {0}, and this version reads up to {max}", max = VERSION + 1)]
    Version(u8),
    #[error("its content is malformed at column {column}")]
    Malformed { column: usize },
}

impl Record {
    pub(super) fn seal(&self, secret: &CookieSecret, random: &Random) -> Vec<u8> {
        let mut plaintext = Zeroizing::new(vec![VERSION]);
        serde_json::to_writer(&mut *plaintext, self).expect("a record is a tree of strings and numbers");
        secret.sealer(PURPOSE, random).seal(RECORD, &plaintext)
    }

    pub(super) fn open(sealed: &[u8], secret: &CookieSecret, random: &Random) -> Result<Self, Unreadable> {
        let plaintext = secret.sealer(PURPOSE, random).open(RECORD, sealed).map_err(|_| Unreadable::Sealed)?;
        let (version, json) = plaintext.expose().split_first().ok_or(Unreadable::Malformed { column: 0 })?;
        if !(1..=VERSION + 1).contains(version) {
            return Err(Unreadable::Version(*version));
        }
        serde_json::from_slice(json).map_err(|error| Unreadable::Malformed { column: error.column() })
    }
}

/// Seals the ID token for the sign-out to come.
pub(super) fn seal_id_token(token: &Secret<String>, secret: &CookieSecret, random: &Random) -> Vec<u8> {
    secret.sealer(PURPOSE, random).seal(ID_TOKEN, token.expose().as_bytes())
}

/// Opens it again. One that does not open is none: sign-out works without the hint.
pub(super) fn open_id_token(sealed: &[u8], secret: &CookieSecret, random: &Random) -> Option<Secret<String>> {
    let bytes = secret.sealer(PURPOSE, random).open(ID_TOKEN, sealed).ok()?;
    String::from_utf8(bytes.expose().clone()).ok().map(Secret::new)
}

/// A secret is serialised only on its way into a sealed record, and only by this.
mod optional_secret {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::secret::Secret;

    #[expect(clippy::ref_option, reason = "serde's `with` hands over a reference to the field")]
    pub(super) fn serialize<S: Serializer>(secret: &Option<Secret<String>>, to: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::expose).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret<String>>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Secret::new))
    }
}

/// For `fuzzing`: any plaintext that opens seals and opens to the same record, and no row of anybody's opens.
#[cfg(any(test, fuzzing, doc))]
pub(crate) fn keeps_its_promise(bytes: &[u8]) {
    let random = Random::seeded(1);
    let secret = CookieSecret::generate(&random);
    assert_eq!(Record::open(bytes, &secret, &random), Err(Unreadable::Sealed), "nobody sealed this");
    assert!(open_id_token(bytes, &secret, &random).is_none(), "nobody sealed this");
    let sealed = secret.sealer(PURPOSE, &random).seal(RECORD, bytes);
    let Ok(record) = Record::open(&sealed, &secret, &random) else { return };
    assert_eq!(Record::open(&record.seal(&secret, &random), &secret, &random), Ok(record));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{EmailAddress, EmailTrust, Issuer, ProviderId, Subject};

    fn record() -> Record {
        Record {
            app: AppId::new("wiki"),
            visitor: Visitor {
                provider: ProviderId::new("company"),
                issuer: Issuer::new("https://id.example.com"),
                subject: Subject::new("42"),
                user: Some("ada".to_owned()),
                email: EmailAddress::parse("ada@example.com").ok(),
                email_trust: EmailTrust::Trusted,
                name: Some("Ada Lovelace ❤".to_owned()),
                preferred_username: None,
                groups: vec!["staff".to_owned()],
                claims: vec![("hd".to_owned(), serde_json::json!({ "n": [1, null, 2.5] }))],
            },
            terms: "digest".to_owned(),
            created_at: Timestamp::from_unix(1_000),
            auth_time: Some(Timestamp::from_unix(990)),
            provider_session: Some(ProviderSessionId::new("sid-1")),
            landed: Some(Landed { attempt: "digest".to_owned(), target: "/deep?q=1".to_owned() }),
            tokens: Tokens {
                access_token: Some(Secret::new("at-secret".to_owned())),
                access_token_expires_at: Some(Timestamp::from_unix(1_300)),
                id_token: Some(Secret::new("it-secret".to_owned())),
                id_token_expires_at: Some(Timestamp::from_unix(1_200)),
                refresh_token: Some(Secret::new("rt-secret".to_owned())),
            },
        }
    }

    fn secret() -> CookieSecret {
        CookieSecret::generate(&Random::seeded(1))
    }

    /// Seals any plaintext as a record: what another version, or a liar with the secret, could write.
    fn sealed(plaintext: &[u8]) -> Vec<u8> {
        secret().sealer(PURPOSE, &Random::seeded(2)).seal(RECORD, plaintext)
    }

    fn reopen(sealed: &[u8]) -> Result<Record, Unreadable> {
        Record::open(sealed, &secret(), &Random::seeded(3))
    }

    #[test]
    fn a_record_comes_back_whole() {
        assert_eq!(reopen(&record().seal(&secret(), &Random::seeded(2))), Ok(record()));
    }

    #[test]
    fn a_record_opens_with_its_own_secret_only() {
        let of_another = CookieSecret::generate(&Random::seeded(9));
        let sealed = record().seal(&of_another, &Random::seeded(2));
        assert_eq!(reopen(&sealed), Err(Unreadable::Sealed));
    }

    #[test]
    fn the_next_versions_record_is_read_and_its_new_members_skipped() {
        let mut json = serde_json::to_value(record()).expect("serialises");
        json["invented_later"] = serde_json::json!({ "deep": true });
        json["tokens"]["also_later"] = serde_json::json!(1);
        let next = [&[VERSION + 1], json.to_string().as_bytes()].concat();
        assert_eq!(reopen(&sealed(&next)), Ok(record()));
    }

    #[test]
    fn a_record_from_before_tokens_were_handed_over_is_read() {
        let mut json = serde_json::to_value(record()).expect("serialises");
        let tokens = json["tokens"].as_object_mut().expect("an object");
        assert!(tokens.remove("id_token").is_some() && tokens.remove("id_token_expires_at").is_some());
        let before = reopen(&sealed(&[&[VERSION], json.to_string().as_bytes()].concat())).expect("it is read");
        assert_eq!((before.tokens.id_token, before.tokens.access_token), (None, record().tokens.access_token));
        json.as_object_mut().expect("an object").remove("tokens");
        let bare = reopen(&sealed(&[&[VERSION], json.to_string().as_bytes()].concat())).expect("it is read");
        assert!(bare.tokens.handed_over().is_none());
    }

    #[test]
    fn a_session_in_memory_has_no_refresh_token() {
        let handed = record().tokens.handed_over().expect("there are tokens");
        assert_eq!((handed.refresh_token, handed.access_token), (None, record().tokens.access_token));
    }

    #[test]
    fn what_cannot_be_read_says_why_without_quoting_it() {
        let json = serde_json::to_vec(&record()).expect("serialises");
        for (plaintext, why) in [
            (vec![], Unreadable::Malformed { column: 0 }),
            ([&[0], json.as_slice()].concat(), Unreadable::Version(0)),
            ([&[VERSION + 2], json.as_slice()].concat(), Unreadable::Version(VERSION + 2)),
            (b"\x01{\"app\":7,\"x\":\"hunter2\"}".to_vec(), Unreadable::Malformed { column: 8 }),
        ] {
            let error = reopen(&sealed(&plaintext)).expect_err("unreadable");
            assert_eq!(error, why);
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn the_id_token_and_the_record_do_not_stand_in_for_each_other() {
        let token = Secret::new("eyJ.a.b".to_owned());
        let apart = seal_id_token(&token, &secret(), &Random::seeded(2));
        assert_eq!(open_id_token(&apart, &secret(), &Random::seeded(3)), Some(token));
        assert_eq!(reopen(&apart), Err(Unreadable::Sealed));
        assert_eq!(open_id_token(&record().seal(&secret(), &Random::seeded(2)), &secret(), &Random::seeded(3)), None);
    }

    #[test]
    fn debug_shows_no_token() {
        let shown = format!("{:?}", record());
        assert!(!["at-secret", "rt-secret", "it-secret"].iter().any(|token| shown.contains(token)), "{shown}");
    }
}
