//! `[app.access]` and `[[app.route]]`: rules as parsed values; `access` compiles and judges them.

use crate::{
    config::{
        Written,
        fault::{Fault, Place, Reported},
        provider::Providers,
        section::{Placed, Reading, Section, Wrong},
    },
    identity::ProviderId,
};

mod allow_file;
mod condition;
mod route;

pub use crate::config::path_pattern::{PathPattern, SegmentPattern};
pub use condition::{ClaimCondition, Condition, DomainPattern};
pub use route::{Narrowing, Route, RouteAccess};

use condition::read_conditions;
pub(super) use route::read_routes;

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
    /// Any of these lets in, under `listed`; those of `allow_file` come last.
    pub allow: Vec<Condition>,
    /// Any of these keeps out, whatever else holds.
    pub deny: Vec<Condition>,
    /// Where the policy is.
    pub written: Written,
}

/// `policy`, as far as this version knows it; each admits nobody whom the one before would not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Whoever the provider authenticates.
    Anyone,
    /// A match of `allow`.
    Listed,
}

impl Policy {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Listed => "listed",
        }
    }
}

/// `[app.access]` as it is read: what it allows can only be judged beside the routes.
pub(super) struct AccessDraft {
    access: Access,
    section: Place,
    policy: Place,
    /// Where its list is, if it has one.
    allow: Option<Place>,
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

pub(super) fn read_access(section: &Section<'_>, scope: Scope<'_>) -> Reading<AccessDraft> {
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
    let allow_file = allow_file::read_allow_file(section, scope);
    let deny = read_conditions(section, "deny", scope);
    let policy = policy?.ok_or_else(|| {
        section.report().add(
            Fault::at(section.place(), "`policy` is missing in `[app.access]`")
                .why("without it the app is open to invited people only, and this version knows no invitations yet")
                .help(POLICIES)
                .absence(section.place(), &["policy"]),
        )
    })?;
    let (mut allow, allow_file, deny) = (allow?, allow_file?, deny?);
    let is_listed = !allow.is_empty() || allow_file.is_some();
    allow.extend(allow_file.into_iter().flatten());
    let access = Access { policy: policy.value, allow, deny, written: section.report().written(policy.place) };
    let list = section.place_of("allow").or(section.place_of("allow_file")).filter(|_| is_listed);
    Ok(AccessDraft { access, section: section.place(), policy: policy.place, allow: list })
}

/// The rules of an app, which make sense together only: a list that nobody is compared with, and a comparison with no
/// list, are faults.
pub(super) fn join(
    app: &Section<'_>,
    draft: AccessDraft,
    routes: Reading<Vec<Placed<Route>>>,
) -> Reading<(Access, Vec<Route>)> {
    let AccessDraft { access, section, policy, allow } = draft;
    if access.policy == Policy::Listed && allow.is_none() {
        return Err(app.report().add(
            Fault::at(policy, "`policy` is \"listed\", and `allow` lists nobody")
                .why("nobody could enter")
                .help("write, for example: allow = [{ email_domain = \"example.com\" }]")
                .absence(section, &["allow", "allow_file"]),
        ));
    }
    let routes = routes?;
    let for_listed = routes.iter().find(|route| route.access == RouteAccess::Policy(Policy::Listed));
    match (access.policy, for_listed, allow) {
        (Policy::Anyone, None, Some(allow)) => {
            return Err(app.report().add(
                Fault::at(allow, "`allow` means nothing where `policy` is \"anyone\"")
                    .related(policy, "this admits whoever the provider signs in")
                    .help("write policy = \"listed\" if only these may enter, or remove `allow`"),
            ));
        }
        (Policy::Anyone, Some(route), None) => {
            return Err(app.report().add(
                Fault::at(route.place, "this route is for the \"listed\", and `[app.access]` has no `allow`")
                    .why("nobody could pass")
                    .help("give `[app.access]` an `allow`, or the route a table: access = { allow = [ … ] }")
                    .absence(section, &["allow", "allow_file"]),
            ));
        }
        (Policy::Listed, ..) | (Policy::Anyone, None, None) | (Policy::Anyone, Some(_), Some(_)) => {}
    }
    for route in &routes {
        let narrows = match &route.access {
            RouteAccess::Narrowed(_) => true,
            RouteAccess::Policy(policy) => *policy > access.policy,
            RouteAccess::Public | RouteAccess::Optional => false,
        };
        if narrows {
            route::warn_of_trailing_slash(app, route, &routes);
        }
    }
    Ok((access, routes.into_iter().map(|route| route.value).collect()))
}
