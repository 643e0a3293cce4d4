//! One condition of `allow` or `deny`: who is meant.

use std::fmt;

use ipnet::IpNet;

use super::Scope;
use crate::{
    config::{
        Written,
        fault::{Fault, Place, quoted},
        listen::parse_network,
        provider::parse_claim_path,
        section::{Placed, Reading, Section, Wrong},
    },
    identity::{EmailAddress, EmailDomain, ProviderId},
};

/// One condition: all of its keys hold. At least one key besides `provider` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Condition {
    /// Narrows the condition to visitors of this provider.
    pub provider: Option<ProviderId>,
    /// Their trusted address.
    pub email: Option<EmailAddress>,
    /// The domain of their trusted address.
    pub email_domain: Option<DomainPattern>,
    /// One of their groups, exactly.
    pub group: Option<String>,
    /// A claim with its value.
    pub claim: Option<ClaimCondition>,
    /// The client's address.
    pub ip: Option<IpNet>,
    /// Where.
    pub written: Written,
}

/// As it would be written.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = self.email_domain.as_ref().map(|domain| match domain {
            DomainPattern::Exact(domain) => domain.as_str().to_owned(),
            DomainPattern::Below(domain) => format!("*.{}", domain.as_str()),
        });
        let keys = [
            ("email", self.email.as_ref().map(ToString::to_string)),
            ("email_domain", domain),
            ("group", self.group.clone()),
            ("claim", self.claim.as_ref().map(|claim| claim.claim.clone())),
            ("is", self.claim.as_ref().map(|claim| claim.is.clone())),
            ("ip", self.ip.as_ref().map(ToString::to_string)),
            ("provider", self.provider.as_ref().map(ToString::to_string)),
        ];
        let set = keys.into_iter().filter_map(|(key, value)| Some(format!("{key} = \"{}\"", quoted(&value?))));
        write!(f, "{{ {} }}", set.collect::<Vec<_>>().join(", "))
    }
}

/// `email_domain`: exact, or `*.` for subdomains (at a dot, never the domain itself).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DomainPattern {
    /// This domain only.
    Exact(EmailDomain),
    /// Everything below it, at least one label deep.
    Below(EmailDomain),
}

impl DomainPattern {
    /// Whether a domain (in any ASCII case) is meant.
    pub fn matches(&self, domain: &str) -> bool {
        match self {
            Self::Exact(exact) => domain.eq_ignore_ascii_case(exact.as_str()),
            Self::Below(parent) => {
                let parent = parent.as_str();
                domain.len().checked_sub(parent.len()).is_some_and(|cut| {
                    cut > 1
                        && domain.as_bytes()[cut - 1] == b'.'
                        && domain.as_bytes()[cut..].eq_ignore_ascii_case(parent.as_bytes())
                })
            }
        }
    }
}

/// `claim = "dotted.path", is = "value"`: equal to a string, number or boolean, or contained in a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimCondition {
    /// The dotted path.
    pub claim: String,
    /// What it is, as text.
    pub is: String,
}

/// A list of conditions.
pub(super) fn read_conditions(section: &Section<'_>, key: &'static str, scope: Scope<'_>) -> Reading<Vec<Condition>> {
    section.tables(key, "condition", |section| read_condition(section, scope)).into_iter().collect()
}

fn read_condition(section: &Section<'_>, scope: Scope<'_>) -> Reading<Condition> {
    let email = section.stated("email", parse_email);
    let email_domain = section.stated("email_domain", parse_domain);
    let group = section.stated("group", |text| Ok(text.to_owned()));
    let claim = section.stated("claim", parse_claim_path);
    let is = section.stated("is", |text| Ok(text.to_owned()));
    let ip = section.stated("ip", parse_network);
    let provider = section.stated("provider", |text| Ok(text.to_owned())).and_then(|id| match id {
        Some(id) => find_own(section, &id, scope).map(Some),
        None => Ok(None),
    });
    let (email, email_domain, group, ip, provider) = (email?, email_domain?, group?, ip?, provider?);
    let claim = match (claim?, is?) {
        (Some(claim), Some(is)) => {
            Some(Placed { place: claim.place, value: ClaimCondition { claim: claim.value, is: is.value } })
        }
        (None, None) => None,
        (Some(lone), None) | (None, Some(lone)) => {
            let fault =
                Fault::at(lone.place, "`claim` and `is` belong together").absence(section.place(), &["claim", "is"]);
            return Err(section
                .report()
                .add(fault.help("write, for example: { claim = \"hd\", is = \"example.com\" }")));
        }
    };
    let address = email.as_ref().map(|email| email.place).or(email_domain.as_ref().map(|domain| domain.place));
    let named = group.as_ref().map(|group| group.place).or(claim.as_ref().map(|claim| claim.place));
    if address.is_none() && named.is_none() && ip.is_none() {
        let fault = Fault::at(section.place(), "this condition asks for nothing")
            .absence(section.place(), &["email", "email_domain", "group", "claim", "is", "ip"]);
        return Err(section
            .report()
            .add(fault.help("a condition has email, email_domain, group, claim with is, or ip")));
    }
    check_provider(section, named, provider.as_ref(), scope)?;
    check_address(section, address, claim.as_ref(), provider.as_ref(), scope)?;
    Ok(Condition {
        provider,
        email: email.map(|email| email.value),
        email_domain: email_domain.map(|domain| domain.value),
        group: group.map(|group| group.value),
        claim: claim.map(|claim| claim.value),
        ip: ip.map(|ip| ip.value),
        written: section.report().written(section.place()),
    })
}

/// One address. `*` may be in one, but whoever writes it means all.
pub(super) fn parse_email(text: &str) -> Result<EmailAddress, Wrong> {
    if let Some(domain) = text.strip_prefix("*@") {
        return Err(Wrong::new("is one address, and `*` stands for no others")
            .help(format!("everybody there is email_domain = \"{}\"", quoted(domain))));
    }
    EmailAddress::parse(text).map_err(|error| Wrong::new(format_args!("is no address: {error}")))
}

/// A domain, or `*.` and what is below it.
pub(super) fn parse_domain(text: &str) -> Result<DomainPattern, Wrong> {
    let domain = |text| EmailDomain::parse(text).map_err(|error| (error, text));
    let pattern = match text.strip_prefix("*.") {
        Some(parent) => domain(parent).map(DomainPattern::Below),
        None => domain(text).map(DomainPattern::Exact),
    };
    pattern.map_err(|(error, text)| match text.rsplit_once('@') {
        Some((_, domain)) => Wrong::new("must be what follows the `@`").help(format!("write \"{}\"", quoted(domain))),
        None => Wrong::new(format_args!("is no domain: {error}"))
            .help("write \"example.com\", or \"*.example.com\" for what is below it"),
    })
}

/// The provider that a condition names: one that exists, and one whose sessions count at this app.
fn find_own(section: &Section<'_>, id: &Placed<String>, scope: Scope<'_>) -> Reading<ProviderId> {
    let found = scope.all.find(section, "provider", id)?;
    if scope.own?.contains(&found) {
        return Ok(found);
    }
    let fault = Fault::at(id.place, format!("the provider \"{found}\" is not one of this app's `providers`"));
    Err(section.report().add(fault.why("nobody signs in to this app through it, so the condition could never hold")))
}

/// Two providers can give one name to two groups.
fn check_provider(
    section: &Section<'_>,
    named: Option<Place>,
    provider: Option<&ProviderId>,
    scope: Scope<'_>,
) -> Reading<()> {
    match (named, provider) {
        (Some(place), None) if scope.own?.len() > 1 => Err(section.report().add(
            Fault::at(place, "a condition on groups or claims must name its `provider` here")
                .why("this app has several providers, and each gives out its names as it likes")
                .absence(section.place(), &["provider"])
                .help("add provider = \"…\" to the condition"),
        )),
        _ => Ok(()),
    }
}

/// Addresses count only as far as `trust_email` says.
fn check_address(
    section: &Section<'_>,
    address: Option<Place>,
    claim: Option<&Placed<ClaimCondition>>,
    provider: Option<&ProviderId>,
    scope: Scope<'_>,
) -> Reading<()> {
    if let Some(claim) = claim
        && claim.claim == "email"
    {
        section.report().warn(
            Some(claim.place),
            "a condition on the claim `email` holds for addresses that nobody verified; `email` and `email_domain` do not",
        );
    }
    let Some(place) = address else { return Ok(()) };
    let meant = provider.map_or(scope.own?, std::slice::from_ref);
    if meant.iter().all(|id| scope.all.never_trusts_email(id)) {
        return Err(section.report().add(
            Fault::at(place, "this condition can never hold: the provider has trust_email = \"never\"")
                .help("use a group or a claim, or change trust_email"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_below_another_begins_at_a_dot() {
        let below = parse_domain("*.Example.com").expect("a pattern");
        for (domain, expected) in [
            ("a.example.com", true),
            ("A.B.EXAMPLE.COM", true),
            ("example.com", false),
            (".example.com", false),
            ("notexample.com", false), // CVE-2021-21291
            ("a.example.com.evil", false),
        ] {
            assert_eq!(below.matches(domain), expected, "{domain}");
        }
        let exact = parse_domain("example.com").expect("a pattern");
        assert!(exact.matches("EXAMPLE.com"));
        assert!(!exact.matches("a.example.com"));
    }
}
