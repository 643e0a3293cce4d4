//! Lists of conditions, compiled so that a thousand entries cost what one costs.
//!
//! Most conditions have one key, perhaps beside `provider`: those become sets, one
//! bundle for each provider and one for all. What combines keys stays a list and is
//! looked through.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use ipnet::IpNet;
use serde_json::Value;

use crate::{
    config::{
        Condition,
        access::{ClaimCondition, DomainPattern},
    },
    identity::{EmailAddress, ProviderId, Visitor},
};

/// What conditions look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// Their provider, groups and claims.
    pub(super) visitor: &'a Visitor,
    /// The address to judge by: theirs, or none where it must not count.
    pub(super) email: Option<&'a EmailAddress>,
    /// Where they come from.
    pub(super) client: IpAddr,
}

/// `allow` or `deny`.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    of_anyone: Sets,
    of_provider: Vec<(ProviderId, Sets)>,
    combined: Vec<Condition>,
}

/// Conditions of one key.
#[derive(Debug, Default)]
struct Sets {
    emails: HashSet<EmailAddress>,
    domains: HashSet<String>,
    domains_below: HashSet<String>,
    groups: HashSet<String>,
    claims: HashMap<String, HashSet<String>>,
    /// Disjoint and in order.
    networks: Vec<IpNet>,
}

impl Conditions {
    pub(super) fn compile(conditions: &[Condition]) -> Self {
        let mut compiled = Self::default();
        for condition in conditions {
            let keys = usize::from(condition.email.is_some())
                + usize::from(condition.email_domain.is_some())
                + usize::from(condition.group.is_some())
                + usize::from(condition.claim.is_some())
                + usize::from(condition.ip.is_some());
            match keys {
                0 => {} // says nothing, so it matches nobody
                1 => compiled.sets_of(condition.provider.as_ref()).insert(condition),
                _ => compiled.combined.push(condition.clone()),
            }
        }
        compiled.of_anyone.settle();
        for (_, sets) in &mut compiled.of_provider {
            sets.settle();
        }
        compiled
    }

    fn sets_of(&mut self, provider: Option<&ProviderId>) -> &mut Sets {
        let Some(provider) = provider else { return &mut self.of_anyone };
        let known = self.of_provider.iter().position(|(id, _)| id == provider);
        let at = known.unwrap_or_else(|| {
            self.of_provider.push((provider.clone(), Sets::default()));
            self.of_provider.len() - 1
        });
        &mut self.of_provider[at].1
    }

    /// Whether any of them looks at the client's address.
    pub(super) fn name_addresses(&self) -> bool {
        let sets = self.of_provider.iter().map(|(_, sets)| sets);
        sets.chain([&self.of_anyone]).any(|sets| !sets.networks.is_empty())
            || self.combined.iter().any(|condition| condition.ip.is_some())
    }

    /// Whether any of them matches.
    pub(super) fn match_any(&self, facts: Facts<'_>) -> bool {
        self.of_anyone.match_any(facts)
            || self.of_provider.iter().any(|(id, sets)| *id == facts.visitor.provider && sets.match_any(facts))
            || self.combined.iter().any(|condition| holds(condition, facts))
    }
}

impl Sets {
    fn insert(&mut self, condition: &Condition) {
        self.emails.extend(condition.email.clone());
        match &condition.email_domain {
            Some(DomainPattern::Exact(domain)) => self.domains.insert(domain.as_str().to_owned()),
            Some(DomainPattern::Below(domain)) => self.domains_below.insert(domain.as_str().to_owned()),
            None => false,
        };
        self.groups.extend(condition.group.clone());
        if let Some(ClaimCondition { claim, is }) = &condition.claim {
            self.claims.entry(claim.clone()).or_default().insert(is.clone());
        }
        self.networks.extend(condition.ip);
    }

    fn settle(&mut self) {
        self.networks = IpNet::aggregate(&self.networks);
        self.networks.sort_unstable_by_key(IpNet::network);
    }

    fn match_any(&self, facts: Facts<'_>) -> bool {
        let Facts { visitor, email, client } = facts;
        email.is_some_and(|email| self.emails.contains(email) || self.name_domain(email.domain()))
            || (!self.groups.is_empty() && visitor.groups.iter().any(|group| self.groups.contains(group)))
            || (!self.claims.is_empty() && visitor.claims.iter().any(|(path, value)| self.name_claim(path, value)))
            || self.hold_address(client)
    }

    fn name_domain(&self, domain: &str) -> bool {
        if self.domains.is_empty() && self.domains_below.is_empty() {
            return false;
        }
        let domain = if domain.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(domain.to_ascii_lowercase())
        } else {
            Cow::Borrowed(domain)
        };
        // Only what follows a dot is a parent: `evilcorp.com` is not below `corp.com` (CVE-2021-21291).
        let mut parents = domain.match_indices('.').map(|(dot, _)| &domain[dot + 1..]);
        self.domains.contains(&*domain) || parents.any(|parent| self.domains_below.contains(parent))
    }

    fn name_claim(&self, path: &str, value: &Value) -> bool {
        self.claims.get(path).is_some_and(|wanted| any_text(value, |text| wanted.contains(text)))
    }

    fn hold_address(&self, address: IpAddr) -> bool {
        let after = self.networks.partition_point(|network| network.network() <= address);
        after.checked_sub(1).is_some_and(|at| self.networks[at].contains(&address))
    }
}

/// Whether all keys of a condition hold.
fn holds(condition: &Condition, facts: Facts<'_>) -> bool {
    let Condition { provider, email, email_domain, group, claim, ip } = condition;
    let Facts { visitor, email: address, client } = facts;
    let claimed = |wanted: &ClaimCondition| {
        let of_name = visitor.claims.iter().filter(|(path, _)| *path == wanted.claim);
        of_name.into_iter().any(|(_, value)| any_text(value, |text| text == wanted.is))
    };
    provider.as_ref().is_none_or(|id| *id == visitor.provider)
        && email.as_ref().is_none_or(|email| address == Some(email))
        && email_domain.as_ref().is_none_or(|pattern| address.is_some_and(|a| pattern.matches(a.domain())))
        && group.as_ref().is_none_or(|group| visitor.groups.contains(group))
        && claim.as_ref().is_none_or(claimed)
        && ip.is_none_or(|network| network.contains(&client))
}

/// Whether a claim, or anything in it if it is a list, satisfies `is` as text.
fn any_text(value: &Value, is: impl Fn(&str) -> bool + Copy) -> bool {
    match value {
        Value::String(text) => is(text),
        Value::Bool(truth) => is(if *truth { "true" } else { "false" }),
        Value::Number(number) => is(&number.to_string()),
        Value::Array(items) => items.iter().any(|item| !item.is_array() && any_text(item, is)),
        Value::Null | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests;
