//! Sealing: what leaves this process (a cookie, a row) can be neither read nor changed.
//!
//! AES-256-GCM (NIST SP 800-38D) under a key that HKDF-SHA256 (RFC 5869) derives
//! twice: once per purpose, so that one kind of sealed value never opens as
//! another, and once per value from a random salt. The salt is why plain GCM is
//! enough: with one key and random 96-bit nonces 2³² values are the limit, and an
//! anonymous flood of sign-ins reaches that in a day; salt and nonce together are
//! 224 random bits. Sealing the same text twice never gives the same bytes
//! (CVE-2021-32791).
//!
//! ```text
//! version (1) ‖ key id (4) ‖ salt (16) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
//! ```
//!
//! The version, the key id and the caller's context are authenticated with the
//! ciphertext. The key id only says which key of the ring to try.
//!
//! Rejected: the `cookie` crate's private jar (one key, no rotation, a second AEAD
//! stack), AES-GCM-SIV and `XChaCha20` (no FIPS route), a single key with a counter
//! nonce (replicas share keys, not counters).

use std::sync::Arc;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
};

use crate::{random::Random, secret::Secret};

mod signing;

pub use signing::{SigningKey, SigningKeys};

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;
const SALT_LEN: usize = 16;
/// Version and key id: what is authenticated in front of the context.
const PREFIX_LEN: usize = 1 + KEY_ID_LEN;
const HEADER_LEN: usize = PREFIX_LEN + SALT_LEN + NONCE_LEN;

type KeyId = [u8; KEY_ID_LEN];

/// The keys of `[keys]`: the first seals, all open.
#[derive(Clone, Debug)]
pub struct KeyRing {
    keys: Vec<RingKey>,
    random: Random,
}

#[derive(Clone, Debug)]
struct RingKey {
    id: KeyId,
    root: Prk,
}

impl KeyRing {
    /// A ring whose `first` key seals; `others` still open what they once sealed.
    pub fn new(first: &Secret<Vec<u8>>, others: &[Secret<Vec<u8>>], random: &Random) -> Self {
        let keys = std::iter::once(first).chain(others).map(|key| RingKey::new(key.expose())).collect();
        Self { keys, random: random.clone() }
    }

    /// A ring of one key that nobody else has: what it seals lives as long as this process.
    pub fn generated(random: &Random) -> Self {
        Self::new(&Secret::new(random.bytes::<32>().to_vec()), &[], random)
    }

    /// Derives the keys of one purpose; worth keeping, for this is the slow half.
    pub fn sealer(&self, purpose: &'static str) -> Sealer {
        let keys = self.keys.iter().map(|key| (key.id, key.for_purpose(purpose))).collect();
        Sealer { keys, random: self.random.clone() }
    }
}

impl RingKey {
    fn new(material: &[u8]) -> Self {
        let extracted = Salt::new(HKDF_SHA256, b"vestibule key ring").extract(material);
        // aws-lc-rs repeats the extraction at every use of what `extract` returns; an expanded key does not.
        let root: Prk = extracted.expand(&[b"root"], HKDF_SHA256).expect("HKDF gives 32 bytes").into();
        let mut id = KeyId::default();
        root.expand(&[b"key id"], KeyIdLen).and_then(|okm| okm.fill(&mut id)).expect("HKDF gives 4 bytes");
        Self { id, root }
    }

    fn for_purpose(&self, purpose: &'static str) -> Prk {
        self.root.expand(&[b"purpose ", purpose.as_bytes()], HKDF_SHA256).expect("HKDF gives 32 bytes").into()
    }
}

/// How many bytes of HKDF's output name a key.
#[derive(Clone, Copy)]
struct KeyIdLen;

impl KeyType for KeyIdLen {
    fn len(&self) -> usize {
        KEY_ID_LEN
    }
}

/// Seals and opens the values of one purpose.
#[derive(Clone, Debug)]
pub struct Sealer {
    /// Never empty: a ring has a first key.
    keys: Arc<[(KeyId, Prk)]>,
    random: Random,
}

/// These bytes were not sealed here for this purpose and context, or have changed
/// since. There is no telling which, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not sealed by a key of the ring for this purpose, or altered since")]
pub struct Unopenable;

impl Sealer {
    /// Seals `plaintext`; it opens only with the same `context`.
    pub fn seal(&self, context: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let (id, key) = &self.keys[0];
        let fresh: [u8; SALT_LEN + NONCE_LEN] = self.random.bytes();
        let mut sealed = Vec::with_capacity(HEADER_LEN + plaintext.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend_from_slice(id);
        sealed.extend_from_slice(&fresh);
        sealed.extend_from_slice(plaintext);

        let (header, body) = sealed.split_at_mut(HEADER_LEN);
        let header = Header::read(header).expect("the header was just written");
        let tag = header
            .key(key)
            .seal_in_place_separate_tag(header.nonce(), header.aad(context), body)
            .expect("the plaintext is shorter than GCM's 64 GiB");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opens what [`Sealer::seal`] made with any key of the ring.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Secret<Vec<u8>>, Unopenable> {
        let (header, body) = sealed.split_at_checked(HEADER_LEN).ok_or(Unopenable)?;
        let header = Header::read(header).ok_or(Unopenable)?;
        // Two keys of a ring share an id once in 2³² rings, so every key that bears it is tried.
        for (_, key) in self.keys.iter().filter(|(id, _)| *id == header.key_id()) {
            let mut plaintext = body.to_vec();
            let opened = header.key(key).open_in_place(header.nonce(), header.aad(context), &mut plaintext);
            if let Ok(len) = opened.map(|text| text.len()) {
                plaintext.truncate(len);
                return Ok(Secret::new(plaintext));
            }
        }
        Err(Unopenable)
    }
}

/// What stands in front of the ciphertext.
#[derive(Clone, Copy)]
struct Header<'a> {
    prefix: &'a [u8; PREFIX_LEN],
    salt: &'a [u8; SALT_LEN],
    nonce: &'a [u8; NONCE_LEN],
}

impl<'a> Header<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (prefix, rest) = bytes.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let (nonce, []) = rest.split_first_chunk()? else { return None };
        (prefix[0] == VERSION).then_some(Self { prefix, salt, nonce })
    }

    fn key_id(&self) -> KeyId {
        let [_, id @ ..] = *self.prefix;
        id
    }

    /// The key of this one value.
    fn key(&self, purpose: &Prk) -> LessSafeKey {
        let info: [&[u8]; 1] = [self.salt];
        let okm = purpose.expand(&info, &AES_256_GCM).expect("HKDF gives 32 bytes");
        LessSafeKey::new(UnboundKey::from(okm))
    }

    fn nonce(&self) -> Nonce {
        Nonce::assume_unique_for_key(*self.nonce)
    }

    fn aad(&self, context: &[u8]) -> Aad<Vec<u8>> {
        Aad::from([self.prefix.as_slice(), context].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Secret<Vec<u8>> {
        Secret::new(vec![byte; 32])
    }

    fn ring(keys: &[u8]) -> KeyRing {
        let keys: Vec<_> = keys.iter().copied().map(key).collect();
        KeyRing::new(&keys[0], &keys[1..], &Random::seeded(1))
    }

    fn opened(sealer: &Sealer, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        sealer.open(context, sealed).ok().map(|text| text.expose().clone())
    }

    #[test]
    fn what_is_sealed_opens_with_its_purpose_and_context_only() {
        let ring = ring(&[1]);
        let sealed = ring.sealer("attempt").seal(b"a", b"text");
        assert_eq!(opened(&ring.sealer("attempt"), b"a", &sealed).as_deref(), Some(&b"text"[..]));
        assert_eq!(opened(&ring.sealer("attempt"), b"b", &sealed), None);
        assert_eq!(opened(&ring.sealer("session"), b"a", &sealed), None);
    }

    #[test]
    fn nothing_is_sealed_as_well_as_something() {
        let sealer = ring(&[1]).sealer("attempt");
        assert_eq!(opened(&sealer, b"", &sealer.seal(b"", b"")).as_deref(), Some(&b""[..]));
    }

    #[test]
    fn cve_2021_32791_sealing_twice_differs_everywhere() {
        let sealer = KeyRing::generated(&Random::system()).sealer("attempt");
        let (a, b) = (sealer.seal(b"", b"the same text"), sealer.seal(b"", b"the same text"));
        assert_eq!(a[..PREFIX_LEN], b[..PREFIX_LEN]);
        assert_ne!(a[PREFIX_LEN..HEADER_LEN], b[PREFIX_LEN..HEADER_LEN]);
        assert_ne!(a[HEADER_LEN..], b[HEADER_LEN..]);
    }

    #[test]
    fn threat_80_no_changed_or_cut_byte_opens() {
        let sealer = ring(&[1]).sealer("attempt");
        let sealed = sealer.seal(b"c", b"text");
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(sealer.open(b"c", &changed).err(), Some(Unopenable), "bit {bit} of byte {at}");
            }
            assert_eq!(sealer.open(b"c", &sealed[..at]).err(), Some(Unopenable), "cut at {at}");
        }
        assert!(sealer.open(b"c", &[sealed.as_slice(), b"x"].concat()).is_err());
    }

    #[test]
    fn threat_83_keys_roll_over_both_ways() {
        let (old, both, swapped, new) = (ring(&[1]), ring(&[1, 2]), ring(&[2, 1]), ring(&[2]));
        let (by_old, by_new) = (old.sealer("p").seal(b"", b"old"), new.sealer("p").seal(b"", b"new"));
        // (ring, opens what the old key sealed, opens what the new key sealed)
        for (ring, opens_old, opens_new) in
            [(&old, true, false), (&both, true, true), (&swapped, true, true), (&new, false, true)]
        {
            let sealer = ring.sealer("p");
            assert_eq!(sealer.open(b"", &by_old).is_ok(), opens_old);
            assert_eq!(sealer.open(b"", &by_new).is_ok(), opens_new);
        }
        // The first key seals: a replica that has not heard of the new key opens it, and the reverse.
        assert!(old.sealer("p").open(b"", &both.sealer("p").seal(b"", b"x")).is_ok());
        assert!(new.sealer("p").open(b"", &swapped.sealer("p").seal(b"", b"x")).is_ok());
    }

    #[test]
    fn a_generated_ring_opens_nothing_of_another() {
        let random = Random::system();
        let sealed = KeyRing::generated(&random).sealer("p").seal(b"", b"x");
        assert!(KeyRing::generated(&random).sealer("p").open(b"", &sealed).is_err());
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?} {:?}", ring(&[0xAB]), ring(&[0xAB]).sealer("p"));
        assert!(!shown.contains("171, 171") && !shown.to_lowercase().contains("abab"), "{shown}");
    }
}
