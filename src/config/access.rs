//! `[app.access]` and `[[app.route]]`: rules as parsed values; `access` compiles and judges them.

use http::Method;
use ipnet::IpNet;

use crate::identity::{EmailAddress, EmailDomain, ProviderId};

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
#[derive(Clone, Debug, Default)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// `path`: exact; `*` is one segment; `/**` at the end is everything below and the path itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// The segments after the first slash; a trailing slash is an empty last segment.
    pub segments: Vec<SegmentPattern>,
    /// Whether it ends in `/**`.
    pub and_below: bool,
}

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentPattern {
    /// These bytes, as they stand after normalisation.
    Literal(String),
    /// Any one segment that is not empty.
    Any,
}
