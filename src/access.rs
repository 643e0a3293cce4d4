//! Who may pass: one pure decision from a path, a policy, the routes and what is known of the visitor.
//!
//! [`AppRules`] is what an app's configuration says, compiled once for each of its
//! versions. [`AppRules::demand`] says what a request asks of whoever comes, from its method
//! and target alone; a visitor's [`Standing`] is judged once a session, however long the lists
//! are; [`AppRules::decide`] joins the two. Nothing here waits, reads a clock or remembers
//! anything of a request.
//!
//! A [`Permit`] is the proof that a decision was made, which `forward` asks for. Only
//! this module can build one.
//!
//! Order, as the contract's section 3 has it: a public route asks nobody; then the provider
//! counts, `deny` wins, the policy has its word, and the tables of routes the last. Step-up and
//! consent are going to be further variants of [`Decision`]. [`explain`](AppRules::explain) is
//! the same walk with its reasons.
//!
//! Rejected: a rule language (CEL, Rego): a table of conditions has faults with a place
//! and can be explained line by line.

use std::{collections::HashMap, net::IpAddr};

use http::Method;

use crate::{
    config::{self, Policy, access::Narrowing},
    identity::{Ended, ProviderId, Visitor},
    request::Target,
};

mod conditions;
mod explain;
mod routes;
mod standing;

pub use explain::{Counted, Explanation, Met, MetRoute, Part, Verdict};
pub use routes::Demand;
pub use standing::{Ground, Standing};

use conditions::Conditions;
use routes::Routes;
use standing::{Admission, Table};

/// The rules of one app.
#[derive(Debug)]
pub struct AppRules {
    policy: Policy,
    admission: Admission,
    routes: Routes,
    tables: Vec<Table>,
}

/// What a path asks of whoever comes: each admits nobody whom the one before would not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// Nothing, and the session is not looked at.
    Public,
    /// Nothing; whom the app's policy admits is known to the upstream.
    Optional,
    /// To be admitted by a policy.
    Policy(Policy),
}

/// Whether the headers by which a client asks for another method may pass (threat 64).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodOverrides {
    /// No rule looks at methods: they are the app's own business.
    Pass,
    /// A rule looks at methods: it would judge one and the app serve another.
    Drop,
}

/// Who is signed in, and the handle that tells when that is over.
#[derive(Clone, Copy, Debug)]
pub struct SignedIn<'a> {
    /// The visitor: looked at only where `standing` leaves it open.
    pub visitor: &'a Visitor,
    /// What these rules make of that visitor.
    pub standing: &'a Standing,
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
pub struct Permit<'s>(Holder<'s>);

/// Whom a [`Permit`] was given to.
#[derive(Clone, Copy, Debug)]
pub enum Holder<'s> {
    /// Anybody: a public route.
    Anybody,
    /// Somebody who passes as anonymous where others are known: an optional route.
    Anonymous,
    /// A session, by its end.
    Session(&'s Ended),
}

impl<'s> Permit<'s> {
    /// Whom it was given to.
    pub fn holder(&self) -> Holder<'s> {
        self.0
    }

    /// The end of the session that it was given to; `None` where it was given to no session.
    pub fn session_end(&self) -> Option<&'s Ended> {
        match self.0 {
            Holder::Session(ended) => Some(ended),
            Holder::Anybody | Holder::Anonymous => None,
        }
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
    /// They may enter, but the route's `deny` matches.
    DeniedByRoute,
    /// They may enter, but nothing of the route's `allow` matches.
    NotListedForRoute,
}

impl Denial {
    /// Its name in logs and metrics, and the key of its text on the page.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotListed => "not_listed",
            Self::EmailNotVerified => "email_not_verified",
            Self::ProviderNotOfThisApp => "provider_not_of_this_app",
            Self::DeniedByRoute => "denied_by_route",
            Self::NotListedForRoute => "not_listed_for_route",
        }
    }
}

impl AppRules {
    /// Compiles what the configuration says about an app.
    pub fn compile(app: &config::App) -> Self {
        let providers = app.providers.iter().map(|provider| provider.id.clone()).collect();
        Self::new(&app.access, &app.routes, providers)
    }

    fn new(access: &config::Access, routes: &[config::Route], providers: Vec<ProviderId>) -> Self {
        let mut tables: Vec<Table> = Vec::new();
        // Routes that say the same share a table, and what a session remembers of it.
        let mut known: HashMap<&Narrowing, usize> = HashMap::new();
        let routes = Routes::compile(access.policy, routes, |narrowing| {
            *known.entry(narrowing).or_insert_with(|| {
                tables.push(Table {
                    allow: narrowing.allow.as_deref().map(Conditions::compile),
                    deny: Conditions::compile(&narrowing.deny),
                });
                tables.len() - 1
            })
        });
        let (allow, deny) = (Conditions::compile(&access.allow), Conditions::compile(&access.deny));
        Self { policy: access.policy, admission: Admission { allow, deny, providers }, routes, tables }
    }

    /// What a request asks of whoever comes.
    pub fn demand(&self, method: &Method, target: &Target) -> Demand {
        self.routes.demand(method, target)
    }

    /// What becomes of `X-HTTP-Method-Override` and its like.
    pub fn method_overrides(&self) -> MethodOverrides {
        if self.routes.name_methods() { MethodOverrides::Drop } else { MethodOverrides::Pass }
    }

    /// What these rules make of a visitor, whatever they ask for.
    pub fn judge(&self, visitor: &Visitor) -> Standing {
        Standing::new(&self.admission, self.tables.len(), visitor)
    }

    /// Decides about one request.
    pub fn decide<'s>(&self, demand: &Demand, client: IpAddr, signed_in: Option<SignedIn<'s>>) -> Decision<'s> {
        let permit = |holder| Decision::Permit(Permit(holder));
        match (demand.word, signed_in) {
            (Word::Public, _) => permit(Holder::Anybody),
            (Word::Optional, None) => permit(Holder::Anonymous),
            (Word::Optional, Some(guest)) => match self.refusal(self.policy, guest, client) {
                None => permit(Holder::Session(guest.ended)),
                Some(_) => permit(Holder::Anonymous),
            },
            (Word::Policy(_), None) => Decision::SignIn,
            (Word::Policy(policy), Some(guest)) => {
                let of_route = |number: usize| {
                    let table = &self.tables[number];
                    guest.standing.refusal_by_route(number, table, guest.visitor, client)
                };
                let refusal = self.refusal(policy, guest, client).or_else(|| demand.tables().find_map(of_route));
                refusal.map_or_else(|| permit(Holder::Session(guest.ended)), Decision::Deny)
            }
        }
    }

    /// Why a policy does not admit a guest to a request.
    fn refusal(&self, policy: Policy, guest: SignedIn<'_>, client: IpAddr) -> Option<Denial> {
        guest.standing.refusal(&self.admission, policy, guest.visitor, client)
    }
}

#[cfg(test)]
mod tests;
