//! Lists of conditions, compiled so that a thousand entries cost what one costs.
//!
//! Most conditions have one key, perhaps beside `provider`: those become sets, one
//! bundle for each provider and one for all. What combines keys stays a list and is
//! looked through. Each keeps the place of its condition in the list, so that who asks
//! which one it was gets the answer from what decided.

use std::{borrow::Cow, collections::HashMap, hash::Hash, net::IpAddr};

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
    combined: Vec<(usize, Condition)>,
}

/// Conditions of one key, each with its place in the list.
#[derive(Debug, Default)]
struct Sets {
    emails: HashMap<EmailAddress, usize>,
    domains: HashMap<String, usize>,
    domains_below: HashMap<String, usize>,
    groups: HashMap<String, usize>,
    claims: HashMap<String, HashMap<String, usize>>,
    /// In order, and none within another.
    networks: Vec<(IpNet, usize)>,
}

impl Conditions {
    pub(super) fn compile(conditions: &[Condition]) -> Self {
        let mut compiled = Self::default();
        for (place, condition) in conditions.iter().enumerate() {
            let keys = usize::from(condition.email.is_some())
                + usize::from(condition.email_domain.is_some())
                + usize::from(condition.group.is_some())
                + usize::from(condition.claim.is_some())
                + usize::from(condition.ip.is_some());
            match keys {
                0 => {} // says nothing, so it matches nobody
                1 => compiled.sets_of(condition.provider.as_ref()).insert(place, condition),
                _ => compiled.combined.push((place, condition.clone())),
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
            || self.combined.iter().any(|(_, condition)| condition.ip.is_some())
    }

    /// One that matches, by its place in the list.
    pub(super) fn find(&self, facts: Facts<'_>) -> Option<usize> {
        let of_provider = self.of_provider.iter().filter(|(id, _)| *id == facts.visitor.provider);
        let sets = std::iter::once(&self.of_anyone).chain(of_provider.map(|(_, sets)| sets));
        let combined = || self.combined.iter().find(|(_, condition)| holds(condition, facts)).map(|(place, _)| *place);
        sets.into_iter().find_map(|sets| sets.find(facts)).or_else(combined)
    }
}

/// The first condition of several that say the same is the one.
fn note<K: Eq + Hash>(set: &mut HashMap<K, usize>, key: K, place: usize) {
    set.entry(key).or_insert(place);
}

impl Sets {
    fn insert(&mut self, place: usize, condition: &Condition) {
        if let Some(email) = &condition.email {
            note(&mut self.emails, email.clone(), place);
        }
        match &condition.email_domain {
            Some(DomainPattern::Exact(domain)) => note(&mut self.domains, domain.as_str().to_owned(), place),
            Some(DomainPattern::Below(domain)) => note(&mut self.domains_below, domain.as_str().to_owned(), place),
            None => {}
        }
        if let Some(group) = &condition.group {
            note(&mut self.groups, group.clone(), place);
        }
        if let Some(ClaimCondition { claim, is }) = &condition.claim {
            note(self.claims.entry(claim.clone()).or_default(), is.clone(), place);
        }
        self.networks.extend(condition.ip.map(|network| (network, place)));
    }

    fn settle(&mut self) {
        // A network comes before those within it; of two equal ones, the first of the list.
        self.networks.sort_by_key(|(network, place)| (network.network(), network.prefix_len(), *place));
        self.networks.dedup_by(|(inner, _), (outer, _)| outer.contains(&*inner));
    }

    fn find(&self, facts: Facts<'_>) -> Option<usize> {
        let Facts { visitor, email, client } = facts;
        let by_email =
            || email.and_then(|email| self.emails.get(email).copied().or_else(|| self.domain(email.domain())));
        let by_group = || visitor.groups.iter().find_map(|group| self.groups.get(group)).copied();
        let by_claim = || visitor.claims.iter().find_map(|(path, value)| self.claim(path, value));
        by_email()
            .or_else(|| if self.groups.is_empty() { None } else { by_group() })
            .or_else(|| if self.claims.is_empty() { None } else { by_claim() })
            .or_else(|| self.address(client))
    }

    fn domain(&self, domain: &str) -> Option<usize> {
        if self.domains.is_empty() && self.domains_below.is_empty() {
            return None;
        }
        let domain = if domain.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(domain.to_ascii_lowercase())
        } else {
            Cow::Borrowed(domain)
        };
        // Only what follows a dot is a parent: `evilcorp.com` is not below `corp.com` (CVE-2021-21291).
        let mut parents = domain.match_indices('.').map(|(dot, _)| &domain[dot + 1..]);
        let below = || parents.find_map(|parent| self.domains_below.get(parent));
        self.domains.get(&*domain).or_else(below).copied()
    }

    fn claim(&self, path: &str, value: &Value) -> Option<usize> {
        let wanted = self.claims.get(path)?;
        find_text(value, |text| wanted.get(text).copied())
    }

    fn address(&self, address: IpAddr) -> Option<usize> {
        let after = self.networks.partition_point(|(network, _)| network.network() <= address);
        let (network, place) = self.networks.get(after.checked_sub(1)?)?;
        network.contains(&address).then_some(*place)
    }
}

/// Whether all keys of a condition hold.
fn holds(condition: &Condition, facts: Facts<'_>) -> bool {
    let Condition { provider, email, email_domain, group, claim, ip, written: _ } = condition;
    let Facts { visitor, email: address, client } = facts;
    let claimed = |wanted: &ClaimCondition| {
        let of_name = visitor.claims.iter().filter(|(path, _)| *path == wanted.claim);
        of_name.into_iter().any(|(_, value)| find_text(value, |text| (text == wanted.is).then_some(())).is_some())
    };
    provider.as_ref().is_none_or(|id| *id == visitor.provider)
        && email.as_ref().is_none_or(|email| address == Some(email))
        && email_domain.as_ref().is_none_or(|pattern| address.is_some_and(|a| pattern.matches(a.domain())))
        && group.as_ref().is_none_or(|group| visitor.groups.contains(group))
        && claim.as_ref().is_none_or(claimed)
        && ip.is_none_or(|network| network.contains(&client))
}

/// What a claim as text, or the first of anything in it if it is a list, is found to be.
fn find_text<T>(value: &Value, find: impl Fn(&str) -> Option<T> + Copy) -> Option<T> {
    match value {
        Value::String(text) => find(text),
        Value::Bool(truth) => find(if *truth { "true" } else { "false" }),
        Value::Number(number) => find(&number.to_string()),
        Value::Array(items) => items.iter().filter(|item| !item.is_array()).find_map(|item| find_text(item, find)),
        Value::Null | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
