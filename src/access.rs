//! Who may pass: one pure decision from a route, a policy and what is known of the visitor.
//!
//! [`AppRules`] is what an app's configuration says, compiled once for each of its
//! versions. A visitor's [`Standing`] is judged once a session, however long the lists
//! are; only where an `ip` condition has a say is every request judged by itself. Nothing here waits, reads
//! a clock or remembers anything.
//!
//! A [`Permit`] is the proof that a decision was made, which `forward` asks for. Only
//! this module can build one.
//!
//! Order, as the contract's section 3 has it: a preflight that the app answers and a public route ask nobody; then the provider
//! counts, `deny` wins, and the policy has the last word. Step-up and consent are going to
//! be further variants of [`Decision`], routes that narrow further ones of [`RouteMatch`].
//!
//! Rejected: a rule language (CEL, Rego): a table of conditions has faults with a place
//! and can be explained line by line.

use std::net::IpAddr;

use http::{HeaderMap, Method};

use crate::{
    config::{self, Policy, app::CorsPreflight},
    identity::{EmailTrust, Ended, ProviderId, Visitor},
    request::{Target, is_preflight},
};

mod conditions;
mod routes;

use conditions::{Conditions, Facts};
use routes::Routes;

/// The rules of one app.
#[derive(Debug)]
pub struct AppRules {
    policy: Policy,
    allow: Conditions,
    deny: Conditions,
    providers: Vec<ProviderId>,
    routes: Routes,
    preflights: CorsPreflight,
}

/// What decides about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteMatch {
    /// A route that is open to everybody, by its place in the file.
    Public(usize),
    /// No route: the app's policy.
    Default,
}

/// Whether the headers by which a client asks for another method may pass (threat 64).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodOverrides {
    /// No rule looks at methods: they are the app's own business.
    Pass,
    /// A rule looks at methods: it would judge one and the app serve another.
    Drop,
}

/// What the rules of an app make of a visitor: judged once a session by
/// [`AppRules::judge`], the only one who makes these, and good for as long as the rules are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing(Judgement);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    /// The policy has them in.
    Admitted,
    /// They may not enter.
    Refused(Denial),
    /// An `ip` condition has a say: each request is judged by itself.
    ByRequest,
}

/// Who is signed in, and the handle that tells when that is over.
#[derive(Clone, Copy, Debug)]
pub struct SignedIn<'a> {
    /// The visitor: looked at only where `standing` leaves it open.
    pub visitor: &'a Visitor,
    /// What these rules make of that visitor.
    pub standing: Standing,
    /// The session's end.
    pub ended: &'a Ended,
}

/// What is to be done with a request.
#[derive(Debug)]
pub enum Decision<'s> {
    /// It goes to the upstream.
    Permit(Permit<'s>),
    /// Nobody is signed in, and the route wants somebody.
    SignIn,
    /// Somebody is signed in, who may not pass.
    Deny(Denial),
}

/// The proof that a request may go to the upstream.
#[derive(Debug)]
pub struct Permit<'s> {
    ended: Option<&'s Ended>,
}

impl<'s> Permit<'s> {
    /// The end of the session that it was given to; `None` where it was given to anybody (a public route).
    pub fn session_end(&self) -> Option<&'s Ended> {
        self.ended
    }
}

/// Why a visitor may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// `deny` matches.
    Denied,
    /// Nothing of `allow` matches.
    NotListed,
    /// Something of `allow` would match, if their address counted (`trust_email`).
    EmailNotVerified,
    /// Their provider is not one of this app.
    ProviderNotOfThisApp,
}

impl Denial {
    /// Its name in logs and metrics, and the key of its text on the page.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotListed => "not_listed",
            Self::EmailNotVerified => "email_not_verified",
            Self::ProviderNotOfThisApp => "provider_not_of_this_app",
        }
    }
}

impl AppRules {
    /// Compiles what the configuration says about an app.
    pub fn compile(app: &config::App) -> Self {
        let providers = app.providers.iter().map(|provider| provider.id.clone()).collect();
        Self { preflights: app.answers.cors_preflight, ..Self::new(&app.access, &app.routes, providers) }
    }

    fn new(access: &config::Access, routes: &[config::Route], providers: Vec<ProviderId>) -> Self {
        Self {
            policy: access.policy,
            allow: Conditions::compile(&access.allow),
            deny: Conditions::compile(&access.deny),
            providers,
            routes: Routes::compile(routes),
            preflights: CorsPreflight::Refuse,
        }
    }

    /// The rule for a request: the first route that opens it in every reading of its path, else the policy.
    pub fn route(&self, method: &Method, target: &Target) -> RouteMatch {
        self.routes.first_open(method, target).map_or(RouteMatch::Default, RouteMatch::Public)
    }

    /// What becomes of `X-HTTP-Method-Override` and its like.
    pub fn method_overrides(&self) -> MethodOverrides {
        // What may pass because it is an OPTIONS must not be something else to the app.
        let names_methods = self.routes.name_methods() || self.preflights == CorsPreflight::Forward;
        if names_methods { MethodOverrides::Drop } else { MethodOverrides::Pass }
    }

    /// A way past all rules for a browser's preflight, where the app answers these itself (`cors_preflight`).
    pub fn admit_preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Permit<'static>> {
        let admitted = self.preflights == CorsPreflight::Forward && is_preflight(method, headers);
        admitted.then_some(Permit { ended: None })
    }

    /// What these rules make of a visitor, whatever they ask for.
    pub fn judge(&self, visitor: &Visitor) -> Standing {
        if self.allow.name_addresses() || self.deny.name_addresses() {
            return Standing(Judgement::ByRequest);
        }
        // Without a condition on it no address decides anything.
        Standing(match self.refusal(visitor, IpAddr::from([0; 4])) {
            Some(denial) => Judgement::Refused(denial),
            None => Judgement::Admitted,
        })
    }

    /// Decides about one request.
    pub fn decide<'s>(&self, route: RouteMatch, client: IpAddr, signed_in: Option<SignedIn<'s>>) -> Decision<'s> {
        match (route, signed_in) {
            (RouteMatch::Public(_), _) => Decision::Permit(Permit { ended: None }),
            (RouteMatch::Default, None) => Decision::SignIn,
            (RouteMatch::Default, Some(SignedIn { visitor, standing, ended })) => {
                let refusal = match standing.0 {
                    Judgement::Admitted => None,
                    Judgement::Refused(denial) => Some(denial),
                    Judgement::ByRequest => self.refusal(visitor, client),
                };
                match refusal {
                    Some(denial) => Decision::Deny(denial),
                    None => Decision::Permit(Permit { ended: Some(ended) }),
                }
            }
        }
    }

    /// Why a visitor may not enter; `None` if they may.
    fn refusal(&self, visitor: &Visitor, client: IpAddr) -> Option<Denial> {
        if !self.providers.contains(&visitor.provider) {
            return Some(Denial::ProviderNotOfThisApp);
        }
        let stated = Facts { visitor, email: visitor.email.as_ref(), client };
        // An address that does not count must not be a way around `deny`: whoever states it is meant.
        if self.deny.match_any(stated) {
            return Some(Denial::Denied);
        }
        match self.policy {
            Policy::Anyone => None,
            Policy::Listed => {
                let trusted = Facts { email: visitor.trusted_email(), ..stated };
                if self.allow.match_any(trusted) {
                    None
                } else if visitor.email_trust == EmailTrust::Untrusted && self.allow.match_any(stated) {
                    Some(Denial::EmailNotVerified)
                } else {
                    Some(Denial::NotListed)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
