//! One member of a JSON Web Key Set as a key that can verify (RFC 7517, RFC 7518 §6, RFC 8037 §2).
//!
//! A key is parsed when its set is loaded, once for each expected algorithm that
//! it fits, so that a verification pays for the signature only. A key that we do
//! not understand is not an error: sets carry keys for others too.

use aws_lc_rs::signature::{self, EcdsaVerificationAlgorithm, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::Value;

use crate::config::provider::SigningAlgorithm;

/// The smallest RSA modulus that counts (RFC 7518 §3.3).
const MIN_RSA_BYTES: usize = 256;

/// A public key together with the one algorithm that it is used with.
pub(in crate::relying_party) struct VerificationKey {
    id: Option<String>,
    algorithm: SigningAlgorithm,
    key: ParsedPublicKey,
}

/// The members that decide what a key is for, and its public parts.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl VerificationKey {
    /// The keys that one member of a set amounts to: none where it is broken or not for signatures.
    pub(in crate::relying_party) fn from_jwk(member: &Value, expected: &[SigningAlgorithm]) -> Vec<Self> {
        let Ok(jwk) = Jwk::deserialize(member) else { return Vec::new() };
        let for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !for_signatures {
            return Vec::new();
        }
        expected
            .iter()
            .filter(|algorithm| jwk.alg.as_deref().is_none_or(|alg| alg == algorithm.as_str()))
            .filter_map(|&algorithm| Some(Self { id: jwk.kid.clone(), algorithm, key: public_key(&jwk, algorithm)? }))
            .collect()
    }

    pub(in crate::relying_party) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(in crate::relying_party) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

fn public_key(jwk: &Jwk, algorithm: SigningAlgorithm) -> Option<ParsedPublicKey> {
    match algorithm {
        SigningAlgorithm::RS256 => rsa(jwk, &signature::RSA_PKCS1_2048_8192_SHA256),
        SigningAlgorithm::RS384 => rsa(jwk, &signature::RSA_PKCS1_2048_8192_SHA384),
        SigningAlgorithm::RS512 => rsa(jwk, &signature::RSA_PKCS1_2048_8192_SHA512),
        SigningAlgorithm::PS256 => rsa(jwk, &signature::RSA_PSS_2048_8192_SHA256),
        SigningAlgorithm::PS384 => rsa(jwk, &signature::RSA_PSS_2048_8192_SHA384),
        SigningAlgorithm::PS512 => rsa(jwk, &signature::RSA_PSS_2048_8192_SHA512),
        SigningAlgorithm::ES256 => ec(jwk, "P-256", 32, &signature::ECDSA_P256_SHA256_FIXED),
        SigningAlgorithm::ES384 => ec(jwk, "P-384", 48, &signature::ECDSA_P384_SHA384_FIXED),
        SigningAlgorithm::ES512 => ec(jwk, "P-521", 66, &signature::ECDSA_P521_SHA512_FIXED),
        SigningAlgorithm::EdDSA => ed25519(jwk),
        SigningAlgorithm::HS256 | SigningAlgorithm::HS384 | SigningAlgorithm::HS512 => None,
    }
}

fn rsa(jwk: &Jwk, parameters: &'static RsaParameters) -> Option<ParsedPublicKey> {
    if jwk.kty != "RSA" {
        return None;
    }
    let (n, e) = (decode(jwk.n.as_ref())?, decode(jwk.e.as_ref())?);
    let (n, e) = (without_leading_zeros(&n), without_leading_zeros(&e));
    if n.len() < MIN_RSA_BYTES {
        return None;
    }
    RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()
}

fn ec(jwk: &Jwk, curve: &str, size: usize, algorithm: &'static EcdsaVerificationAlgorithm) -> Option<ParsedPublicKey> {
    if jwk.kty != "EC" || jwk.crv.as_deref() != Some(curve) {
        return None;
    }
    let (x, y) = (decode(jwk.x.as_ref())?, decode(jwk.y.as_ref())?);
    if x.len() != size || y.len() != size {
        return None;
    }
    let mut point = vec![0x04]; // SEC 1 §2.3.3: uncompressed
    point.extend_from_slice(&x);
    point.extend_from_slice(&y);
    ParsedPublicKey::new(algorithm, point).ok()
}

fn ed25519(jwk: &Jwk) -> Option<ParsedPublicKey> {
    if jwk.kty != "OKP" || jwk.crv.as_deref() != Some("Ed25519") {
        return None;
    }
    let x = decode(jwk.x.as_ref())?;
    if x.len() != 32 {
        return None;
    }
    ParsedPublicKey::new(&signature::ED25519, x).ok()
}

fn decode(part: Option<&String>) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(part?.as_bytes()).ok()
}

/// Some providers write big integers with the sign octet of DER; the value is the same.
fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    &bytes[zeros..]
}
