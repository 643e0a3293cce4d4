//! What a session's cookie holds, and the name under which the store knows it.
//!
//! The cookie is one random 256-bit secret. Two things are derived from it: the
//! [`SessionId`], under which the store finds the row, and the key that seals the
//! row (see `record`). The store holds neither the secret nor the key, so a
//! stolen store or log opens no session.

use std::fmt;

use aws_lc_rs::digest;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

use crate::{
    random::Random,
    seal::{KeyRing, Sealer},
    secret::Secret,
};

const SECRET_LEN: usize = 32;
/// 32 bytes in base64url without padding.
const TEXT_LEN: usize = 43;
/// Parts this hash from every other use of SHA-256. With the secret behind it, it
/// fits into one block of the hash (55 bytes): this runs once a request.
const ID_LABEL: &[u8; 23] = b"vestibule/1 session id ";

/// The secret in the session cookie: whoever has it is the visitor.
#[derive(Clone, Debug)]
pub struct CookieSecret(Secret<[u8; SECRET_LEN]>);

impl CookieSecret {
    /// A new one that nobody can guess.
    pub fn generate(random: &Random) -> Self {
        Self(Secret::new(random.bytes()))
    }

    /// Reads a cookie's value; anything but the one canonical spelling of 32 bytes is none.
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.len() != TEXT_LEN {
            return None;
        }
        let mut bytes = [0; SECRET_LEN];
        // Strict in this encoding: the two bits that are left over must be zero.
        BASE64URL_NOPAD.decode_mut(value, &mut bytes).ok()?;
        Some(Self(Secret::new(bytes)))
    }

    /// The bytes, for the `Set-Cookie` that hands them to the browser.
    pub fn expose(&self) -> &[u8; SECRET_LEN] {
        self.0.expose()
    }

    /// The name under which the store knows the session.
    pub fn id(&self) -> SessionId {
        let mut input = [0; ID_LABEL.len() + SECRET_LEN];
        input[..ID_LABEL.len()].copy_from_slice(ID_LABEL);
        input[ID_LABEL.len()..].copy_from_slice(self.0.expose());
        let mut id = [0; digest::SHA256_OUTPUT_LEN];
        id.copy_from_slice(digest::digest(&digest::SHA256, &input).as_ref());
        SessionId(id)
    }

    /// What seals and opens the session's own values; nobody without the cookie can make it.
    pub(super) fn sealer(&self, purpose: &'static str, random: &Random) -> Sealer {
        KeyRing::new(&Secret::new(self.0.expose().to_vec()), &[], random).sealer(purpose)
    }
}

/// The name of a session in the store, the feed and the log. It opens nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; digest::SHA256_OUTPUT_LEN]);

impl SessionId {
    /// As a store keeps it.
    pub fn as_bytes(&self) -> &[u8; digest::SHA256_OUTPUT_LEN] {
        &self.0
    }

    /// As a store gives it back.
    pub fn from_bytes(bytes: [u8; digest::SHA256_OUTPUT_LEN]) -> Self {
        Self(bytes)
    }
}

/// The first 64 bits: enough to find a session by, in a log or a list.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0[..8]))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_back_from_its_one_spelling() {
        let secret = CookieSecret::generate(&Random::seeded(1));
        let text = BASE64URL_NOPAD.encode(secret.expose());
        assert_eq!(text.len(), TEXT_LEN);
        let read = CookieSecret::parse(text.as_bytes()).expect("canonical");
        assert_eq!(read.expose(), secret.expose());
        assert_eq!(read.id(), secret.id());
    }

    #[test]
    fn threat_80_every_other_spelling_is_no_secret() {
        // 32 zero bytes are 43 times "A"; the last character carries two bits that must be zero.
        let canonical = "A".repeat(TEXT_LEN);
        assert!(CookieSecret::parse(canonical.as_bytes()).is_some());
        for wrong in [
            String::new(),
            "A".repeat(TEXT_LEN - 1),
            "A".repeat(TEXT_LEN + 1),
            format!("{}=", "A".repeat(TEXT_LEN)),
            format!("{}B", "A".repeat(TEXT_LEN - 1)),
            format!("{}+", "A".repeat(TEXT_LEN - 1)),
            format!("{} ", "A".repeat(TEXT_LEN - 1)),
            format!("\"{}\"", "A".repeat(TEXT_LEN - 2)),
            format!("{}\u{e9}", "A".repeat(TEXT_LEN - 2)),
            "A".repeat(65_536),
        ] {
            assert!(CookieSecret::parse(wrong.as_bytes()).is_none(), "{} bytes: {:.50}", wrong.len(), wrong);
        }
    }

    #[test]
    fn the_id_differs_for_each_secret_and_tells_nothing_of_it() {
        let random = Random::seeded(1);
        let (a, b) = (CookieSecret::generate(&random), CookieSecret::generate(&random));
        assert_ne!(a.id(), b.id());
        assert_ne!(a.id().as_bytes(), a.expose());
        assert_ne!(a.id().as_bytes().as_slice(), digest::digest(&digest::SHA256, a.expose()).as_ref());
    }

    #[test]
    fn debug_shows_the_id_and_never_the_secret() {
        let secret = CookieSecret::parse("A".repeat(TEXT_LEN).as_bytes()).expect("canonical");
        assert_eq!(format!("{secret:?}"), "CookieSecret(Secret(…))");
        assert_eq!(format!("{:?}", secret.id()).len(), "SessionId()".len() + 16);
    }
}
