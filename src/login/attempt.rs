//! One sign-in under way, carried by the browser itself in a sealed cookie of its own.
//!
//! Nothing is kept on our side until somebody has signed in, so beginning a
//! million sign-ins costs us nothing (threat 118), and twelve tabs are twelve
//! attempts that do not disturb each other. The cookie's name ends in the `state`
//! (RFC 6749 §10.12), which is also authenticated with its content: an answer is
//! accepted only by the browser and for the attempt that asked. The nonce
//! (OpenID Connect Core §3.1.2.1) and the PKCE verifier (RFC 7636 §4.1) are
//! derived from one seed inside, so the cookie stays small.

use std::time::Duration;

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;

use openidconnect::{Nonce, PkceCodeVerifier};

use crate::{
    clock::Timestamp,
    identity::{AppId, ProviderId},
    random::Random,
    seal::Sealer,
    session::cookie::{self, AttemptId},
};

/// How long a person may take at the provider.
const LIFETIME: Duration = Duration::from_mins(5);

/// How long the browser keeps the cookie: longer than the attempt is good for, so
/// that a late answer is recognised as late and restarts by itself.
pub(crate) const COOKIE_LIFETIME: Duration = Duration::from_hours(1);

/// The first byte of the sealed content; an attempt of another form is none.
const FORM: u8 = 2;

/// The longest deep link that is carried: the rest of the cookie is about 150 bytes.
pub(crate) const MAX_TARGET: usize = 2048;

/// A sign-in that has been begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Where it began: the provider's answer may come to another app (`callback_url`).
    pub(crate) app: AppId,
    /// Whom it asks.
    pub(crate) provider: ProviderId,
    /// Where it leads: path and query on the app.
    pub(crate) target: String,
    /// When it was begun.
    pub(crate) begun: Timestamp,
    /// How often it was begun anew because it had expired.
    pub(crate) restarts: u8,
    seed: [u8; 32],
}

/// An attempt whose cookie opened: still good, or too late.
#[derive(Debug)]
pub(crate) enum Opened {
    /// Its answer may be redeemed.
    Live(Attempt),
    /// Its answer came too late.
    Expired(Attempt),
}

impl Opened {
    /// What it was, in time or not.
    pub(crate) fn attempt(&self) -> &Attempt {
        let (Self::Live(attempt) | Self::Expired(attempt)) = self;
        attempt
    }
}

impl Attempt {
    /// A new attempt and its name.
    pub(crate) fn begin(
        random: &Random,
        now: Timestamp,
        app: AppId,
        provider: ProviderId,
        target: String,
        restarts: u8,
    ) -> (AttemptId, Self) {
        (AttemptId::generate(random), Self { app, provider, target, begun: now, restarts, seed: random.bytes() })
    }

    /// The `nonce` of the request and of the ID token.
    pub(crate) fn nonce(&self) -> Nonce {
        Nonce::new(derive(b"nonce", &self.seed))
    }

    /// The PKCE `code_verifier`: 43 characters (RFC 7636 §4.1).
    pub(crate) fn code_verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(derive(b"verifier", &self.seed))
    }

    /// What the cookie carries; `realm` is among whom it may be opened.
    pub(crate) fn seal(&self, sealer: &Sealer, realm: &str, id: AttemptId) -> Vec<u8> {
        let names = [self.app.as_str(), self.provider.as_str()];
        let mut plain = Vec::with_capacity(44 + names.map(str::len).iter().sum::<usize>() + self.target.len());
        plain.push(FORM);
        plain.push(self.restarts);
        plain.extend_from_slice(&self.begun.as_unix().to_be_bytes());
        plain.extend_from_slice(&self.seed);
        for name in names {
            // Identifiers are short: the configuration bounds them.
            plain.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            plain.extend_from_slice(name.as_bytes());
        }
        plain.extend_from_slice(self.target.as_bytes());
        sealer.seal(&context(realm, id), &plain)
    }

    /// Opens what came back; `None` for whatever we did not seal for this realm and this `state`.
    pub(crate) fn open(sealer: &Sealer, realm: &str, id: AttemptId, value: &[u8], now: Timestamp) -> Option<Opened> {
        let sealed = cookie::decode(value)?;
        let plain = sealer.open(&context(realm, id), &sealed).ok()?;
        let attempt = Self::read(plain.expose())?;
        Some(if now.since(attempt.begun) > LIFETIME { Opened::Expired(attempt) } else { Opened::Live(attempt) })
    }

    fn read(plain: &[u8]) -> Option<Self> {
        let (&[form, restarts], rest) = plain.split_first_chunk::<2>()?;
        let (begun, rest) = rest.split_first_chunk::<8>()?;
        let (seed, rest) = rest.split_first_chunk::<32>()?;
        let (app, rest) = name(rest)?;
        let (provider, target) = name(rest)?;
        (form == FORM).then_some(())?;
        Some(Self {
            app: AppId::new(app),
            provider: ProviderId::new(provider),
            target: std::str::from_utf8(target).ok()?.to_owned(),
            begun: Timestamp::from_unix(i64::from_be_bytes(*begun)),
            restarts,
            seed: *seed,
        })
    }
}

/// Takes an identifier off the front, behind its length.
fn name(plain: &[u8]) -> Option<(&str, &[u8])> {
    let (&length, rest) = plain.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(length))?;
    Some((std::str::from_utf8(name).ok()?, rest))
}

/// Ties the seal to the realm and the `state`: a cookie moved to another name does not open.
fn context(realm: &str, id: AttemptId) -> Vec<u8> {
    format!("{realm}\0{id}").into_bytes()
}

/// 43 characters that tell nothing about the seed or about their siblings.
fn derive(label: &[u8], seed: &[u8]) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(b"vestibule attempt ");
    hash.update(label);
    hash.update(&[0]);
    hash.update(seed);
    BASE64URL_NOPAD.encode(hash.finish().as_ref())
}

/// For `fuzzing`: any plaintext that opens seals and opens to the same attempt, and no cookie of anybody's opens.
#[cfg(any(test, fuzzing, doc))]
pub(crate) fn keeps_its_promise(bytes: &[u8]) {
    let random = Random::seeded(1);
    let (sealer, realm) = (crate::seal::KeyRing::generated(&random).sealer("fuzzing"), "wiki");
    let (id, now) = (AttemptId::generate(&random), Timestamp::from_unix(1_800_000_000));
    let open = |sealed: &[u8]| {
        Attempt::open(&sealer, realm, id, BASE64URL_NOPAD.encode(sealed).as_bytes(), now)
            .map(|(Opened::Live(attempt) | Opened::Expired(attempt))| attempt)
    };
    assert!(Attempt::open(&sealer, realm, id, bytes, now).is_none(), "nobody sealed this");
    assert!(open(bytes).is_none(), "nobody sealed this");
    let Some(attempt) = open(&sealer.seal(&context(realm, id), bytes)) else { return };
    assert_eq!(open(&attempt.seal(&sealer, realm, id)), Some(attempt));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::KeyRing;

    const BEGUN: Timestamp = Timestamp::from_unix(1_800_000_000);

    struct Fixture {
        sealer: Sealer,
        id: AttemptId,
        attempt: Attempt,
    }

    fn fixture() -> Fixture {
        let random = Random::seeded(1);
        let provider = ProviderId::new("company");
        let (id, attempt) = Attempt::begin(&random, BEGUN, AppId::new("wiki"), provider, "/page?x=%2F&y".to_owned(), 0);
        Fixture { sealer: KeyRing::generated(&random).sealer("test"), id, attempt }
    }

    fn open(fixture: &Fixture, realm: &str, id: AttemptId, payload: &[u8], now: Timestamp) -> Option<Opened> {
        Attempt::open(&fixture.sealer, realm, id, BASE64URL_NOPAD.encode(payload).as_bytes(), now)
    }

    #[test]
    fn an_attempt_comes_back_as_it_went() {
        let f = fixture();
        let payload = f.attempt.seal(&f.sealer, "wiki", f.id);
        let Some(Opened::Live(back)) = open(&f, "wiki", f.id, &payload, BEGUN) else { panic!("it opens") };
        assert_eq!(back, f.attempt);
        assert_eq!(back.nonce().secret(), f.attempt.nonce().secret());
    }

    #[test]
    fn threat_12_after_five_minutes_it_is_known_to_be_late() {
        let f = fixture();
        let payload = f.attempt.seal(&f.sealer, "wiki", f.id);
        let opened = |now| open(&f, "wiki", f.id, &payload, now).expect("it opens");
        assert!(matches!(opened(BEGUN.plus(LIFETIME)), Opened::Live(_)));
        assert!(matches!(opened(BEGUN.plus(LIFETIME + Duration::from_secs(1))), Opened::Expired(_)));
    }

    #[test]
    fn threat_13_it_opens_under_its_own_state_and_app_only() {
        let f = fixture();
        let payload = f.attempt.seal(&f.sealer, "wiki", f.id);
        let other = AttemptId::generate(&Random::seeded(2));
        assert!(open(&f, "wiki", other, &payload, BEGUN).is_none());
        assert!(open(&f, "notes", f.id, &payload, BEGUN).is_none());
        for place in 0..payload.len() {
            let mut changed = payload.clone();
            changed[place] ^= 1;
            assert!(open(&f, "wiki", f.id, &changed, BEGUN).is_none(), "byte {place}");
        }
        assert!(open(&f, "wiki", f.id, &[], BEGUN).is_none());
    }

    #[test]
    fn threat_16_nonce_and_verifier_are_different_for_each_attempt_and_from_each_other() {
        let random = Random::seeded(3);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..100 {
            let (_, attempt) =
                Attempt::begin(&random, BEGUN, AppId::new("wiki"), ProviderId::new("company"), "/".to_owned(), 0);
            assert_eq!(attempt.code_verifier().secret().len(), 43, "RFC 7636 §4.1");
            assert!(seen.insert(attempt.nonce().secret().clone()));
            assert!(seen.insert(attempt.code_verifier().secret().clone()));
        }
    }

    #[test]
    fn sixteen_attempts_with_ordinary_targets_fit_into_the_browsers_share() {
        let f = fixture();
        let long = Attempt { target: format!("/{}", "a".repeat(300)), ..f.attempt.clone() };
        let cookie = BASE64URL_NOPAD.encode(&long.seal(&f.sealer, "wiki", f.id));
        assert!(cookie.len() * 16 <= 12 * 1024, "{} bytes each", cookie.len());
        let short = BASE64URL_NOPAD.encode(&f.attempt.seal(&f.sealer, "wiki", f.id));
        assert!(short.len() * 16 <= 8 * 1024, "{} bytes each", short.len());
    }
}
