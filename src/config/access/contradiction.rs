//! Conditions that can do nothing: each is right by itself, and none of them means what its author wanted.
//!
//! Such a list lets nobody in by mistake, but somebody believes that it says
//! something. It is judged without knowing any visitor: only what holds for all of
//! them is a fault.

use std::collections::HashMap;

use super::{Condition, DomainPattern};
use crate::config::{
    fault::{Fault, Place},
    section::{Reading, Section},
};

/// Judges `allow` and `deny` of one table.
pub(super) fn check(section: &Section<'_>, allow: &[Condition], deny: &[Condition]) -> Reading<()> {
    let lists = [("allow", allow), ("deny", deny)];
    let judged = lists.map(|(key, conditions)| {
        let placed: Vec<_> = conditions.iter().zip(section.places_in(key)).collect();
        check_repeats(section, &placed).and(check_addresses(section, &placed))
    });
    judged.into_iter().collect::<Reading<()>>()?;
    let denied: Vec<_> = deny.iter().zip(section.places_in("deny")).collect();
    let mut outcome = Ok(());
    for (allowed, place) in allow.iter().zip(section.places_in("allow")) {
        if let Some((_, wins)) = denied.iter().find(|(denied, _)| implies(allowed, denied)) {
            outcome = Err(section.report().add(
                Fault::at(place, "this condition can never let anybody in")
                    .related(*wins, "whoever matches it matches this as well")
                    .why("`deny` wins over `allow`")
                    .help("remove one of the two"),
            ));
        }
    }
    outcome
}

fn check_repeats(section: &Section<'_>, conditions: &[(&Condition, Place)]) -> Reading<()> {
    let mut seen = HashMap::new();
    let mut outcome = Ok(());
    for (condition, place) in conditions {
        let Condition { provider, email, email_domain, group, claim, ip, .. } = condition;
        let said = (provider, email, email_domain, group, claim, ip);
        if let Some(first) = seen.insert(said, *place) {
            let fault = Fault::at(*place, "this condition is given twice").related(first, "it is given here as well");
            outcome = Err(section.report().add(fault.help("keep one of the two")));
        }
    }
    outcome
}

/// An address has one domain.
fn check_addresses(section: &Section<'_>, conditions: &[(&Condition, Place)]) -> Reading<()> {
    let mut outcome = Ok(());
    for (condition, place) in conditions {
        if let (Some(email), Some(domain)) = (&condition.email, &condition.email_domain)
            && !domain.matches(email.domain())
        {
            outcome = Err(section.report().add(
                Fault::at(*place, "this condition can never hold: its `email` is not in its `email_domain`")
                    .why("all keys of one condition hold together")
                    .help("write two conditions, or keep one of the two keys"),
            ));
        }
    }
    outcome
}

/// Whether whoever matches `narrow` matches `wide` as well.
fn implies(narrow: &Condition, wide: &Condition) -> bool {
    let is_same = |a: &Option<String>, b: &Option<String>| b.is_none() || a == b;
    let address = wide.email.is_none() || narrow.email == wide.email;
    let domain = wide.email_domain.as_ref().is_none_or(|wide| {
        narrow.email.as_ref().is_some_and(|email| wide.matches(email.domain()))
            || narrow.email_domain.as_ref().is_some_and(|narrow| lies_within(narrow, wide))
    });
    let network = wide.ip.is_none_or(|wide| narrow.ip.is_some_and(|narrow| wide.contains(&narrow)));
    address
        && domain
        && network
        && is_same(&narrow.group, &wide.group)
        && (wide.claim.is_none() || narrow.claim == wide.claim)
        && (wide.provider.is_none() || narrow.provider == wide.provider)
}

fn lies_within(narrow: &DomainPattern, wide: &DomainPattern) -> bool {
    match narrow {
        DomainPattern::Exact(domain) => wide.matches(domain.as_str()),
        DomainPattern::Below(domain) => {
            narrow == wide || matches!(wide, DomainPattern::Below(_)) && wide.matches(domain.as_str())
        }
    }
}
