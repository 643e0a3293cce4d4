//! Signing keys and how they are published: JSON Web Signature (RFC 7515), JSON
//! Web Key (RFC 7517) and the algorithms of RFC 7518 §3 and RFC 8037.
//!
//! Signatures come from aws-lc-rs alone; the `rsa` crate never sees a private
//! key (RUSTSEC-2023-0071).

use std::fmt;

use aws_lc_rs::{
    digest, hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use vestibule::config::provider::SigningAlgorithm;

/// A key that signs ID tokens, with the one algorithm it is used for.
pub(crate) struct SigningKey {
    algorithm: SigningAlgorithm,
    kid: String,
    pair: KeyPair,
}

enum KeyPair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Shared(Box<hmac::Key>),
}

impl KeyPair {
    fn public(&self) -> &[u8] {
        match self {
            Self::Rsa(pair, _) => pair.public_key().as_ref(),
            Self::Ec(pair) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::Shared(_) => &[],
        }
    }
}

impl SigningKey {
    /// A fresh key pair; `None` for the algorithms that have none because client and provider share the key.
    pub(crate) fn generate(algorithm: SigningAlgorithm) -> Option<Self> {
        let pair = match algorithm {
            SigningAlgorithm::RS256 => rsa(&signature::RSA_PKCS1_SHA256),
            SigningAlgorithm::RS384 => rsa(&signature::RSA_PKCS1_SHA384),
            SigningAlgorithm::RS512 => rsa(&signature::RSA_PKCS1_SHA512),
            SigningAlgorithm::PS256 => rsa(&signature::RSA_PSS_SHA256),
            SigningAlgorithm::PS384 => rsa(&signature::RSA_PSS_SHA384),
            SigningAlgorithm::PS512 => rsa(&signature::RSA_PSS_SHA512),
            SigningAlgorithm::ES256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            SigningAlgorithm::ES384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            SigningAlgorithm::ES512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            SigningAlgorithm::EdDSA => KeyPair::Ed25519(Ed25519KeyPair::generate().expect(GENERATES)),
            SigningAlgorithm::HS256 | SigningAlgorithm::HS384 | SigningAlgorithm::HS512 => return None,
        };
        let kid = BASE64URL_NOPAD.encode(&digest::digest(&digest::SHA256, pair.public()).as_ref()[..12]);
        Some(Self { algorithm, kid, pair })
    }

    /// HMAC keyed by a client's secret (OpenID Connect Core §10.1), or by whatever a forger takes
    /// for one; `None` for the other algorithms. It is never published.
    pub(crate) fn shared(algorithm: SigningAlgorithm, secret: &[u8]) -> Option<Self> {
        let mac = match algorithm {
            SigningAlgorithm::HS256 => hmac::HMAC_SHA256,
            SigningAlgorithm::HS384 => hmac::HMAC_SHA384,
            SigningAlgorithm::HS512 => hmac::HMAC_SHA512,
            _ => return None,
        };
        Some(Self { algorithm, kid: "shared".to_owned(), pair: KeyPair::Shared(Box::new(hmac::Key::new(mac, secret))) })
    }

    /// `alg`
    pub(crate) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// `kid`
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as its encoding has it: `RSAPublicKey` in DER, or the bare point. Empty for a shared key.
    pub(crate) fn public_bytes(&self) -> &[u8] {
        self.pair.public()
    }

    /// The signature over a JWS signing input (RFC 7515 §5.1).
    pub(crate) fn sign(&self, input: &[u8]) -> Vec<u8> {
        match &self.pair {
            KeyPair::Rsa(pair, padding) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &SystemRandom::new(), input, &mut out).expect(SIGNS);
                out
            }
            KeyPair::Ec(pair) => pair.sign(&SystemRandom::new(), input).expect(SIGNS).as_ref().to_vec(),
            KeyPair::Ed25519(pair) => pair.sign(input).as_ref().to_vec(),
            KeyPair::Shared(key) => hmac::sign(key, input).as_ref().to_vec(),
        }
    }

    /// The left half of a token's hash under this key's algorithm: `at_hash` (OpenID Connect Core §3.1.3.6).
    pub(crate) fn half_hash(&self, token: &str) -> String {
        let algorithm = match self.algorithm {
            SigningAlgorithm::RS256 | SigningAlgorithm::PS256 | SigningAlgorithm::ES256 | SigningAlgorithm::HS256 => {
                &digest::SHA256
            }
            SigningAlgorithm::RS384 | SigningAlgorithm::PS384 | SigningAlgorithm::ES384 | SigningAlgorithm::HS384 => {
                &digest::SHA384
            }
            // Ed25519 hashes by SHA-512 inside, and so the field takes that.
            SigningAlgorithm::RS512
            | SigningAlgorithm::PS512
            | SigningAlgorithm::ES512
            | SigningAlgorithm::HS512
            | SigningAlgorithm::EdDSA => &digest::SHA512,
        };
        let hash = digest::digest(algorithm, token.as_bytes());
        BASE64URL_NOPAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
    }

    /// The public key as `/oidc/keys` lists it; `None` for a shared one.
    pub(crate) fn jwk(&self) -> Option<Value> {
        let mut jwk = match &self.pair {
            KeyPair::Rsa(pair, _) => {
                let der = pair.public_key().as_ref();
                // An RSAPublicKey (RFC 8017 §A.1.1) ends in the modulus and the five bytes of INTEGER 65537.
                let end = der.len() - 5;
                let modulus = &der[end - pair.public_modulus_len()..end];
                json!({ "kty": "RSA", "n": BASE64URL_NOPAD.encode(modulus), "e": "AQAB" })
            }
            KeyPair::Ec(pair) => {
                // An uncompressed point: 0x04, then both coordinates at full length.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                let curve = match self.algorithm {
                    SigningAlgorithm::ES384 => "P-384",
                    SigningAlgorithm::ES512 => "P-521",
                    _ => "P-256",
                };
                json!({ "kty": "EC", "crv": curve, "x": BASE64URL_NOPAD.encode(x), "y": BASE64URL_NOPAD.encode(y) })
            }
            KeyPair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64URL_NOPAD.encode(pair.public_key().as_ref()) })
            }
            KeyPair::Shared(_) => return None,
        };
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm.as_str());
        jwk["kid"] = json!(self.kid);
        Some(jwk)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm.as_str(), self.kid)
    }
}

const GENERATES: &str = "aws-lc-rs makes a key pair wherever there is memory for one";
const SIGNS: &str = "a key pair that aws-lc-rs made signs";

fn rsa(padding: &'static dyn RsaEncoding) -> KeyPair {
    KeyPair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect(GENERATES), padding)
}

fn ec(algorithm: &'static EcdsaSigningAlgorithm) -> KeyPair {
    KeyPair::Ec(EcdsaKeyPair::generate(algorithm).expect(GENERATES))
}

/// What real key sets hold beside the right key, and what hostile ones may: other
/// curves, encryption keys, unknown types, broken and absurd members.
pub(crate) fn junk() -> Vec<Value> {
    let modulus = BASE64URL_NOPAD.encode(&[0xc5; 256]);
    vec![
        json!({ "kty": "EC", "crv": "secp256k1", "use": "sig", "alg": "ES256K",
                "x": "eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g", "y": "SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg" }),
        json!({ "kty": "OKP", "crv": "X25519", "use": "enc", "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08" }),
        json!({ "kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "n": modulus, "e": "AQAB" }),
        json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "short", "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "not-base64", "n": "!!", "e": "AQAB" }),
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "x": "AA", "y": "AA" }),
        json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" }),
        json!({ "kty": "LATTICE", "use": "sig", "kid": 7 }),
        json!({ "use": "sig" }),
        json!("a string"),
        json!(null),
    ]
}
