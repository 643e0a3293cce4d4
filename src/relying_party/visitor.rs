//! From proven claims to the [`Visitor`] that the rest of the program knows.
//!
//! Where both documents have a claim, the ID token wins: it is signed. An address
//! counts only together with the verdict of the document that states it, so that
//! `email_verified` from one place never vouches for an address from another.

use serde_json::{Map, Value};

use super::claims::IdToken;
use crate::{
    config::{Provider, provider::TrustEmail},
    identity::{EmailAddress, EmailTrust, Visitor},
};

/// The largest kept claim, serialised: it is held in memory for each session.
const MAX_KEPT: usize = 4 * 1024;

/// The claims of a sign-in, the ID token's before `UserInfo`'s.
struct Documents<'a> {
    id_token: &'a Map<String, Value>,
    userinfo: Option<&'a Map<String, Value>>,
}

/// Reads what the configuration names out of the proven claims.
pub(super) fn visitor(provider: &Provider, id_token: &IdToken, userinfo: Option<&Map<String, Value>>) -> Visitor {
    let documents = Documents { id_token: &id_token.claims, userinfo };
    let names = &provider.claims;
    let text = |path: &str| documents.find(path).and_then(text);
    let email = text(&names.email).and_then(|text| EmailAddress::parse(&text).ok());
    let email_trust = documents.email_trust(provider.trust_email, email.as_ref());
    // An address that anybody could claim names nobody, under whatever name it is told.
    let told = |path: &str| text(path).filter(|_| may_name(path, provider, email_trust));
    Visitor {
        provider: provider.id.clone(),
        issuer: provider.issuer.clone(),
        subject: id_token.subject.clone(),
        user: told(&names.user),
        email_trust,
        email,
        name: told(&names.name),
        preferred_username: told(&names.preferred_username),
        groups: documents.find(&names.groups).map(groups).unwrap_or_default(),
        claims: provider.kept_claims.iter().filter_map(|path| documents.kept(path, provider)).collect(),
    }
}

/// Whether a claim may tell who somebody is. `email_trust` is about the claim that is read as their address.
fn may_name(path: &str, provider: &Provider, email_trust: EmailTrust) -> bool {
    if path == provider.claims.email {
        return email_trust == EmailTrust::Trusted;
    }
    path != "email" || provider.trust_email == TrustEmail::Always
}

impl<'a> Documents<'a> {
    fn each(&self) -> impl Iterator<Item = &'a Map<String, Value>> {
        [Some(self.id_token), self.userinfo].into_iter().flatten()
    }

    fn find(&self, path: &str) -> Option<&'a Value> {
        self.each().find_map(|document| find(document, path))
    }

    fn email_trust(&self, trust: TrustEmail, address: Option<&EmailAddress>) -> EmailTrust {
        // `email_verified` speaks about `email` only, whatever claim the address was read from.
        let vouches = |document: &Map<String, Value>| {
            let stated = document.get("email").and_then(Value::as_str).and_then(|text| EmailAddress::parse(text).ok());
            stated.as_ref() == address && document.get("email_verified").is_some_and(is_true)
        };
        let counts = address.is_some()
            && match trust {
                TrustEmail::Always => true,
                TrustEmail::Never => false,
                TrustEmail::Verified => self.each().any(vouches),
            };
        if counts { EmailTrust::Trusted } else { EmailTrust::Untrusted }
    }

    fn kept(&self, path: &str, provider: &Provider) -> Option<(String, Value)> {
        let value = self.find(path)?;
        if value.to_string().len() > MAX_KEPT {
            tracing::warn!(provider = %provider.id, claim = path, "a claim above 4 KiB is left out: no rule can match it and no header has it");
            return None;
        }
        Some((path.to_owned(), value.clone()))
    }
}

/// The value at a dotted path. A member whose name holds the dots itself wins over
/// the way down, at each level: `https://example.com/roles` is one name.
pub(super) fn find<'a>(document: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    document.get(path).filter(|value| !value.is_null()).or_else(|| {
        path.match_indices('.').find_map(|(dot, _)| find(document.get(&path[..dot])?.as_object()?, &path[dot + 1..]))
    })
}

/// A claim that is shown as one piece of text; employee numbers come as numbers.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A list of strings, or one string; what is neither is no group.
fn groups(value: &Value) -> Vec<String> {
    let members = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    members.iter().filter_map(Value::as_str).filter(|group| !group.is_empty()).map(str::to_owned).collect()
}

/// True, in the spellings of the field.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(verdict) => *verdict,
        Value::String(text) => text == "true",
        Value::Number(number) => number.as_u64() == Some(1),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
