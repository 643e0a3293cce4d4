//! `[app.access]` and `[[app.route]]`: rules as parsed values; `access` compiles and judges them.

use http::Method;
use ipnet::IpNet;

use crate::{
    config::{
        fault::{Fault, Place, Reported, quoted},
        listen::parse_network,
        provider::{Providers, parse_claim_path},
        section::{Placed, Reading, Section, Wrong},
    },
    identity::{EmailAddress, EmailDomain, ProviderId},
};

mod contradiction;
mod shadow;

pub use crate::config::path_pattern::{PathPattern, SegmentPattern};

use shadow::Earlier;

/// What to write instead of a policy that this version does not have.
const POLICIES: &str = "\
say who may enter, for example:

[app.access]
policy = \"listed\"
allow = [{ email = \"you@example.com\" }, { email_domain = \"example.com\" }]

or, for everybody whom the provider signs in:

[app.access]
policy = \"anyone\"";

/// `[app.access]`
#[derive(Clone, Debug)]
pub struct Access {
    /// Who may enter.
    pub policy: Policy,
    /// Any of these lets in, under `listed`.
    pub allow: Vec<Condition>,
    /// Any of these keeps out, whatever else holds.
    pub deny: Vec<Condition>,
}

/// `policy`, as far as this version knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Whoever the provider authenticates.
    Anyone,
    /// A match of `allow`.
    Listed,
}

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

/// `[[app.route]]`
#[derive(Clone, Debug)]
pub struct Route {
    /// `path`
    pub path: PathPattern,
    /// `methods`; `None` = all. GET includes HEAD.
    pub methods: Option<Vec<Method>>,
    /// `access`
    pub access: RouteAccess,
}

/// `access` of a route, as far as this version knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteAccess {
    /// Everybody, and the session is not looked at.
    Public,
}

/// The providers that an app's conditions can speak of.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// All that there are.
    pub(super) all: &'a Providers,
    /// Those of the app.
    pub(super) own: Reading<&'a [ProviderId]>,
}

/// Puts on record that an app does not say who may enter.
pub(super) fn missing(app: &Section<'_>) -> Reported {
    app.report().add(
        Fault::at(app.place(), "this app does not say who may enter")
            .why("an app without `[app.access]` is open to invited people only, and this version knows no invitations yet: nobody could come in")
            .help(POLICIES)
            .absence(app.place(), &["access"]),
    )
}

pub(super) fn read_access(section: &Section<'_>, scope: Scope<'_>) -> Reading<Access> {
    let policy = section.stated("policy", |text| match text {
        "anyone" => Ok(Policy::Anyone),
        "listed" => Ok(Policy::Listed),
        "invited" => Err(Wrong::new("= \"invited\" is not in this version")
            .why("it knows no invitations yet: nobody could come in")
            .help(POLICIES)),
        "admins" => Err(Wrong::new("= \"admins\" is not in this version")
            .why("it knows no administrators yet: nobody could come in")
            .help(POLICIES)),
        _ => Err(Wrong::new("must be \"anyone\" or \"listed\"").help(POLICIES)),
    });
    let allow = read_conditions(section, "allow", scope);
    let deny = read_conditions(section, "deny", scope);
    let policy = policy?.ok_or_else(|| {
        section.report().add(
            Fault::at(section.place(), "`policy` is missing in `[app.access]`")
                .why("without it the app is open to invited people only, and this version knows no invitations yet")
                .help(POLICIES)
                .absence(section.place(), &["policy"]),
        )
    })?;
    let (allow, deny) = (allow?, deny?);
    contradiction::check(section, &allow, &deny)?;
    match (policy.value, allow.is_empty()) {
        (Policy::Listed, true) => Err(section.report().add(
            Fault::at(policy.place, "`policy` is \"listed\", and `allow` lists nobody")
                .why("nobody could enter")
                .help("write, for example: allow = [{ email_domain = \"example.com\" }]")
                .absence(section.place(), &["allow"]),
        )),
        (Policy::Anyone, false) => Err(section.report().add(
            section
                .fault(&["allow"], "`allow` means nothing where `policy` is \"anyone\"")
                .related(policy.place, "this admits whoever the provider signs in")
                .help("write policy = \"listed\" if only these may enter, or remove `allow`"),
        )),
        (Policy::Listed, false) | (Policy::Anyone, true) => Ok(Access { policy: policy.value, allow, deny }),
    }
}

fn read_conditions(section: &Section<'_>, key: &'static str, scope: Scope<'_>) -> Reading<Vec<Condition>> {
    section.tables(key, "condition", |section| read_condition(section, scope)).into_iter().collect()
}

fn read_condition(section: &Section<'_>, scope: Scope<'_>) -> Reading<Condition> {
    let email = section.stated("email", |text| {
        EmailAddress::parse(text).map_err(|error| Wrong::new(format_args!("is no address: {error}")))
    });
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
    })
}

fn parse_domain(text: &str) -> Result<DomainPattern, Wrong> {
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

pub(super) fn read_routes(app: &Section<'_>) -> Reading<Vec<Route>> {
    let mut earlier = Earlier::default();
    app.tables("route", "app.route", |section| read_route(section, &mut earlier)).into_iter().collect()
}

fn read_route(section: &Section<'_>, earlier: &mut Earlier<Place>) -> Reading<Route> {
    let path = section.required("path", "\"/metrics\"", PathPattern::parse);
    let methods = section.list("methods", parse_method).and_then(|methods| match methods {
        Some(methods) if methods.is_empty() => Err(section.report().add(
            section
                .fault(&["methods"], "`methods` is empty, so the route could never match")
                .help("remove the key for all methods"),
        )),
        methods => Ok(methods),
    });
    let access = section.required("access", "\"public\"", |text| match text {
        "public" => Ok(RouteAccess::Public),
        "optional" | "anyone" | "listed" | "invited" | "admins" => {
            Err(Wrong::new(format_args!("= \"{text}\" is not in this version"))
                .help("write access = \"public\", or remove the route: the app's policy holds then"))
        }
        _ => Err(Wrong::new("must be \"public\"")),
    });
    let (path, methods, access) = (path?, methods?, access?.value);
    if path.segments.is_empty() {
        section.report().warn(Some(path.place), "this route makes the whole app public");
    }
    let methods = methods.map(|methods| methods.into_iter().map(|method| method.value).collect::<Vec<_>>());
    if let Some(first) = earlier.add(&path, methods.as_deref(), path.place) {
        let line = section.report().line(first);
        section
            .report()
            .warn(Some(path.place), format_args!("no request reaches this route: the one at {line} takes all of them"));
    }
    Ok(Route { path: path.value, methods, access })
}

fn parse_method(text: &str) -> Result<Method, Wrong> {
    match Method::from_bytes(text.as_bytes()) {
        Ok(_) if text.bytes().any(|byte| byte.is_ascii_lowercase()) => Err(Wrong::new("must be in upper case")
            .why("methods are case-sensitive (RFC 9110 §9.1)")
            .help(format!("write \"{}\"", text.to_ascii_uppercase()))),
        Ok(method) => Ok(method),
        Err(_) => {
            Err(Wrong::new("must hold one method in each string").help("write, for example, [\"GET\", \"POST\"]"))
        }
    }
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
