//! An explanation in words: one label at the left, what is meant at the right.

use std::{
    fmt::{Display, Write as _},
    net::IpAddr,
};

use http::Method;

use crate::{
    access::{Counted, Denial, Explanation, Ground, Met, MetRoute, Verdict, Word},
    config::{
        App, Condition, Policy, Route, RouteAccess, Written,
        app::{CorsPreflight, OnAnonymous},
    },
    identity::{EmailTrust, Visitor},
    request::{Readers, Target},
};

/// The answer while it is written.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    last_label: &'static str,
}

impl Page {
    pub(super) fn line(&mut self, label: &'static str, text: impl Display) {
        let shown = if label == self.last_label { "" } else { label };
        self.last_label = label;
        // A `String` takes whatever is written to it.
        let _ = writeln!(self.text, "{shown:<9} {text}");
    }

    pub(super) fn text(self) -> String {
        self.text
    }
}

/// The path, and the ways to read it.
pub(super) fn path(page: &mut Page, target: &Target) {
    page.line("forwarded", target.forwarded());
    for (number, reading) in (1..).zip(target.readings()) {
        let readers = if target.is_plain() {
            "the only way to read the path"
        } else if reading.readers.includes(Readers::AS_SENT) {
            "as it is sent"
        } else if reading.readers.includes(Readers::RESPELLED) {
            "to servers that decode, cut at `;` or take `\\` for `/`"
        } else {
            "to those of them, or others, for whom case does not matter"
        };
        page.line("reading", format_args!("{number}: {} ({readers})", reading.path.escape_ascii()));
    }
}

/// How somebody is answered who has to sign in first.
#[derive(Clone, Copy)]
pub(super) struct Anonymous(&'static str);

impl Anonymous {
    pub(super) fn new(method: &Method, on_anonymous: OnAnonymous) -> Self {
        Self(match on_anonymous {
            _ if !matches!(*method, Method::GET | Method::HEAD) => {
                "401: a redirect to sign in would lose what a request of this method carries"
            }
            OnAnonymous::Auto => "a navigation is sent to sign in, anything else is answered with 401",
            OnAnonymous::Redirect => {
                "whatever may be a navigation is sent to sign in (on_anonymous), anything else is answered with 401"
            }
            OnAnonymous::Unauthorized => "401, for navigations too (on_anonymous)",
        })
    }
}

/// What passes before any rule is asked, where the request may be that.
pub(super) fn preflight(page: &mut Page, app: &App, method: &Method) {
    if *method == Method::OPTIONS && app.answers.cors_preflight == CorsPreflight::Forward {
        page.line(
            "preflight",
            "passes to the app without identity (cors_preflight); what follows is for any other OPTIONS",
        );
    }
}

/// The routes that were met, and what came of it.
pub(super) fn routes(page: &mut Page, app: &App, explanation: &Explanation) {
    for met in &explanation.met {
        let route = &app.routes[met.route];
        let methods = route.methods.iter().flatten().map(Method::as_str).collect::<Vec<_>>();
        let methods = if methods.is_empty() { String::new() } else { format!(" for {}", methods.join(", ")) };
        let Route { path, written, .. } = route;
        page.line("route", format_args!("{written}: `{path}`{methods}, {}", access(&route.access)));
        page.line("route", format_args!("  {}", what_came_of(met)));
    }
    if !explanation.without_route.is_empty() {
        let readings = numbers(&explanation.without_route);
        page.line("route", format_args!("no route decides for {readings}: [app.access] does"));
    }
}

fn access(access: &RouteAccess) -> String {
    match access {
        RouteAccess::Public => "open to everybody".to_owned(),
        RouteAccess::Optional => "open to everybody, with the identity of whom the policy admits".to_owned(),
        RouteAccess::Policy(policy) => format!("for {}", for_whom(*policy)),
        RouteAccess::Narrowed(_) => "for some of those whom the policy admits".to_owned(),
    }
}

const fn for_whom(policy: Policy) -> &'static str {
    match policy {
        Policy::Anyone => "anyone who signs in",
        Policy::Listed => "the listed",
    }
}

fn what_came_of(met: &MetRoute) -> String {
    let all: Vec<_> = met.readings.iter().chain(&met.partly).copied().collect();
    match (met.met, met.partly.is_empty()) {
        (Met::TooLate, _) => format!("matches {}, but an earlier route decides", numbers(&all)),
        (Met::DoesNotOpen, _) => {
            format!("matches {} only, and a route opens what every reading matches", numbers(&all))
        }
        (Met::Decides, true) => format!("decides for {}", numbers(&all)),
        (Met::Decides, false) => {
            format!("holds for {}, which some servers take for its path; what follows holds, too", numbers(&all))
        }
    }
}

fn numbers(readings: &[usize]) -> String {
    let mut sorted: Vec<_> = readings.iter().map(|place| place + 1).collect();
    sorted.sort_unstable();
    let numbers: Vec<_> = sorted.iter().map(ToString::to_string).collect();
    let noun = if numbers.len() == 1 { "reading" } else { "readings" };
    format!("{noun} {}", numbers.join(", "))
}

/// Who comes.
pub(super) fn visitor(page: &mut Page, visitor: Option<&Visitor>, ip: IpAddr) {
    let Some(visitor) = visitor else {
        page.line("visitor", format_args!("nobody is signed in, from {ip}"));
        return;
    };
    let email = visitor.email.as_ref().map_or_else(
        || "without an address".to_owned(),
        |email| match visitor.email_trust {
            EmailTrust::Trusted => email.to_string(),
            EmailTrust::Untrusted => format!("{email}, which does not count (trust_email)"),
        },
    );
    let groups = if visitor.groups.is_empty() {
        "in no group".to_owned()
    } else {
        format!("in {}", visitor.groups.iter().map(|group| format!("`{group}`")).collect::<Vec<_>>().join(", "))
    };
    page.line(
        "visitor",
        format_args!("{email}, {groups}, signed in with the provider {}, from {ip}", visitor.provider),
    );
}

/// What is asked of them, and what they have.
pub(super) fn checks(page: &mut Page, app: &App, explanation: &Explanation) {
    for part in &explanation.parts {
        let (asked, allow, deny): (String, &[Condition], &[Condition]) = match part.counted {
            Counted::Word(Word::Public) => ("nothing".to_owned(), &[], &[]),
            Counted::Word(Word::Optional) => (
                format!(
                    "nothing; known is whom the policy \"{}\" admits ({})",
                    app.access.policy.name(),
                    app.access.written
                ),
                &app.access.allow,
                &app.access.deny,
            ),
            Counted::Word(Word::Policy(policy)) => (
                format!("what the policy \"{}\" asks ({})", policy.name(), where_from(app, explanation, policy)),
                &app.access.allow,
                &app.access.deny,
            ),
            Counted::Route(place) => {
                let route = &app.routes[place];
                let RouteAccess::Narrowed(narrowing) = &route.access else { continue };
                let allow = narrowing.allow.as_deref().unwrap_or_default();
                (format!("what the route `{}` asks ({})", route.path, route.written), allow, &narrowing.deny)
            }
        };
        page.line("asked", asked);
        let Some(ground) = part.ground else { continue };
        let shown = |list: &[Condition], place: usize| {
            list.get(place).map(|condition| format!("{condition} ({})", condition.written)).unwrap_or_default()
        };
        page.line(
            "asked",
            match ground {
                Ground::NothingAsked => "  yes: nothing of `deny` matches, and no more is asked".to_owned(),
                Ground::Allow(place) => format!("  yes: `allow` has {}", shown(allow, place)),
                Ground::AllowIfVerified(place) => {
                    format!("  no: `allow` has {}, but their address does not count", shown(allow, place))
                }
                Ground::NothingOfAllow => "  no: nothing of `allow` matches".to_owned(),
                Ground::Deny(place) => format!("  no: `deny` has {}", shown(deny, place)),
                Ground::Provider => "  no: their provider is none of the app's `providers`".to_owned(),
            },
        );
    }
}

/// Where the policy stands that is asked: at the app or at a route.
fn where_from<'a>(app: &'a App, explanation: &Explanation, policy: Policy) -> &'a Written {
    let met = explanation.met.iter().filter(|met| met.met != Met::TooLate).map(|met| &app.routes[met.route]);
    let names_it = |route: &&Route| policy != app.access.policy && route.access == RouteAccess::Policy(policy);
    let route = met.into_iter().find(names_it);
    route.map_or(&app.access.written, |route| &route.written)
}

/// What comes of it, and what would change that.
pub(super) fn outcome(
    page: &mut Page,
    app: &App,
    visitor: Option<&Visitor>,
    explanation: &Explanation,
    anonymous: Anonymous,
) {
    let shut = explanation.met.iter().find(|met| met.met == Met::DoesNotOpen).map(|met| &app.routes[met.route]);
    let decides = explanation.met.iter().find(|met| met.met == Met::Decides).map(|met| &app.routes[met.route]);
    let narrows = explanation.parts.iter().find_map(|part| match part.counted {
        Counted::Route(place) => Some(&app.routes[place].written),
        Counted::Word(_) => None,
    });
    let them = visitor
        .and_then(|visitor| visitor.email.as_ref())
        .map_or_else(|| "{ email = \"…\" }".to_owned(), |email| format!("{{ email = \"{email}\" }}"));
    let change = match explanation.verdict {
        Verdict::Anybody | Verdict::Anonymous => {
            page.line(
                "outcome",
                match explanation.verdict {
                    Verdict::Anybody => "it passes, whoever sends it, without identity headers",
                    _ => "it passes without identity headers: nobody is known whom the policy admits",
                },
            );
            decides.map(|route| format!("{} opens this; take it away to ask for a sign-in", route.written))
        }
        Verdict::Known => {
            page.line("outcome", "it passes, with identity headers");
            Some("`deny`, in [app.access] or in a route's table, keeps single people out".to_owned())
        }
        Verdict::SignIn => {
            page.line("outcome", anonymous.0);
            Some(match shut {
                Some(route) => format!("{} opens it only where every reading of the path matches it", route.written),
                None => "a route with access = \"public\" opens it; --as says what becomes of somebody".to_owned(),
            })
        }
        Verdict::Refused(denial) => {
            page.line("outcome", format_args!("403, for the reason `{}`", denial.reason()));
            let route = narrows.map_or_else(String::new, ToString::to_string);
            Some(match denial {
                Denial::Denied => "take the condition of `deny` away that matches".to_owned(),
                Denial::NotListed => format!("add {them} to `allow` in [app.access] ({})", app.access.written),
                Denial::EmailNotVerified => {
                    "let the provider verify the address, or see trust_email of [[provider]]".to_owned()
                }
                Denial::ProviderNotOfThisApp => "add the provider to `providers` of [[app]]".to_owned(),
                Denial::DeniedByRoute => {
                    format!("take the condition of the route's `deny` away that matches ({route})")
                }
                Denial::NotListedForRoute => format!("add {them} to the route's `allow` ({route})"),
            })
        }
    };
    if let Some(change) = change {
        page.line("to change", change);
    }
}
