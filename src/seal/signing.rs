//! Keys that sign what others verify: ES256 (RFC 7518 §3.4), one pair for each key of the ring.
//!
//! A private key is drawn from the ring by HKDF as FIPS 186-5 A.2.2 draws one from
//! random bits: 32 bytes, and the next 32 where they are no number below the order of
//! the curve (once in 2³² keys). So replicas that share a ring sign with the same keys
//! and nothing has to be stored. Rejected: a pair made at start, whose public half every
//! replica would have to publish for all others.

use std::fmt;

use aws_lc_rs::{
    agreement::{ECDH_P256, PrivateKey},
    digest::{SHA256, digest},
    hkdf::{HKDF_SHA256, Prk},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::KeyRing;

/// The pairs of one purpose: the first signs, and whoever verifies knows all.
#[derive(Debug)]
pub struct SigningKeys {
    keys: Vec<SigningKey>,
}

/// One pair.
pub struct SigningKey {
    id: String,
    pair: EcdsaKeyPair,
    public: Value,
}

impl KeyRing {
    /// Derives the pairs of one purpose.
    pub fn signing_keys(&self, purpose: &'static str) -> SigningKeys {
        SigningKeys { keys: self.keys.iter().map(|key| SigningKey::derive(&key.for_purpose(purpose))).collect() }
    }
}

impl SigningKeys {
    /// The one that signs.
    pub fn first(&self) -> &SigningKey {
        self.keys.first().expect("a ring has a first key")
    }

    /// The public halves of all, as a JSON Web Key Set (RFC 7517 §5).
    pub fn public(&self) -> Value {
        json!({ "keys": self.keys.iter().map(|key| &key.public).collect::<Vec<_>>() })
    }
}

impl SigningKey {
    fn derive(key: &Prk) -> Self {
        let mut draws = 0..=u8::MAX;
        let drawn = draws.find_map(|draw| {
            let mut scalar = Zeroizing::new([0; 32]);
            let info: [&[u8]; 2] = [b"p-256 ", &[draw]];
            key.expand(&info, HKDF_SHA256).and_then(|okm| okm.fill(&mut *scalar)).expect("HKDF gives 32 bytes");
            let point = PrivateKey::from_private_key(&ECDH_P256, &*scalar).ok()?.compute_public_key().ok()?;
            let pair = EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &*scalar,
                point.as_ref(),
            );
            Some((pair.ok()?, point))
        });
        let (pair, point) = drawn.expect("256 draws in a row fail once in 2^8192 keys");
        // SEC 1 §2.3.3: uncompressed, the two coordinates follow one byte.
        let (x, y) = point.as_ref()[1..].split_at(32);
        let (x, y) = (BASE64URL_NOPAD.encode(x), BASE64URL_NOPAD.encode(y));
        // RFC 7638 §3: the required members in the order of their names, without spaces.
        let thumbprint = digest(&SHA256, format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes());
        let id = BASE64URL_NOPAD.encode(thumbprint.as_ref());
        let public = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": id });
        Self { id, pair, public }
    }

    /// Its `kid`: the thumbprint of its public half (RFC 7638).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A JWS in compact form (RFC 7515 §7.1) of a payload, under a protected header that is encoded already.
    pub fn sign(&self, protected: &str, payload: &[u8]) -> String {
        let mut jws = String::with_capacity(protected.len() + payload.len() * 4 / 3 + 96);
        jws.push_str(protected);
        jws.push('.');
        BASE64URL_NOPAD.encode_append(payload, &mut jws);
        let signature = self.pair.sign_digest(&digest(&SHA256, jws.as_bytes())).expect("the key is a valid one");
        jws.push('.');
        BASE64URL_NOPAD.encode_append(signature.as_ref(), &mut jws);
        jws
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;
    use crate::{random::Random, secret::Secret};

    fn ring(keys: &[u8]) -> KeyRing {
        let keys: Vec<_> = keys.iter().map(|byte| Secret::new(vec![*byte; 32])).collect();
        KeyRing::new(&keys[0], &keys[1..], &Random::seeded(1))
    }

    fn public(keys: &SigningKeys, place: usize) -> Vec<u8> {
        let part = |name: &str| {
            let text = keys.keys[place].public[name].as_str().expect("a coordinate");
            BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url")
        };
        [vec![4], part("x"), part("y")].concat()
    }

    #[test]
    fn replicas_that_share_a_ring_sign_with_the_same_keys() {
        let (one, other) = (ring(&[1, 2]).signing_keys("p"), ring(&[1, 2]).signing_keys("p"));
        assert_eq!(one.public(), other.public());
        let jws = one.first().sign("e30", b"payload");
        let (message, signature) = jws.rsplit_once('.').expect("three parts");
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
        let verifies = |key: Vec<u8>, message: &str| {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message.as_bytes(), &signature).is_ok()
        };
        assert!(verifies(public(&other, 0), message));
        assert!(!verifies(public(&other, 1), message) && !verifies(public(&other, 0), "e30.cGF5bG9hZQ"));
    }

    #[test]
    fn keys_differ_by_purpose_and_roll_over_by_the_order_of_the_ring() {
        let id = |keys: &[u8], purpose| ring(keys).signing_keys(purpose).first().id().to_owned();
        assert_ne!(id(&[1], "p"), id(&[1], "q"));
        assert_ne!(id(&[1], "p"), id(&[2], "p"));
        // Whoever knows the set of the old order verifies what the new order signs.
        assert_eq!(id(&[2, 1], "p"), ring(&[1, 2]).signing_keys("p").keys[1].id());
    }

    #[test]
    fn neither_debug_nor_the_published_set_has_a_private_key() {
        let keys = ring(&[1]).signing_keys("p");
        assert!(keys.public()["keys"][0].get("d").is_none());
        assert_eq!(format!("{keys:?}"), format!("SigningKeys {{ keys: [SigningKey({})] }}", keys.first().id()));
    }
}
