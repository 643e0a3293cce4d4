//! What the rules make of a visitor, judged once a session.
//!
//! Lists may be long and sessions have many requests, so what does not depend on the
//! request is judged once: the policies when the session is first met, the tables of routes
//! when it first comes to one. Where an `ip` condition has a say every request is judged.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU8, Ordering},
};

use super::{
    Denial,
    conditions::{Conditions, Facts},
};
use crate::{
    config::Policy,
    identity::{EmailTrust, ProviderId, Visitor},
};

/// How many tables of an app's routes a session remembers; those beyond are judged at each request.
const REMEMBERED: usize = 256;

/// What the rules of an app make of a visitor, good for as long as the rules are. Only
/// [`AppRules::judge`](super::AppRules::judge) makes these.
#[derive(Debug)]
pub struct Standing {
    anyone: Judgement,
    listed: Judgement,
    /// A place in [`Judgement::ALL`], or [`UNKNOWN`], for each table.
    tables: Box<[AtomicU8]>,
}

const UNKNOWN: u8 = u8::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// They may pass.
    Admitted,
    /// They may not.
    Refused(Denial),
    /// An `ip` condition has a say: each request is judged by itself.
    ByRequest,
}

impl Judgement {
    const ALL: [Self; 8] = [
        Self::Admitted,
        Self::ByRequest,
        Self::Refused(Denial::Denied),
        Self::Refused(Denial::NotListed),
        Self::Refused(Denial::EmailNotVerified),
        Self::Refused(Denial::ProviderNotOfThisApp),
        Self::Refused(Denial::DeniedByRoute),
        Self::Refused(Denial::NotListedForRoute),
    ];
}

/// Who may pass at all: the lists of `[app.access]`.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) allow: Conditions,
    pub(super) deny: Conditions,
    pub(super) providers: Vec<ProviderId>,
}

/// Who of them may pass by a route: its table.
#[derive(Debug)]
pub(super) struct Table {
    /// `None` = all of them.
    pub(super) allow: Option<Conditions>,
    pub(super) deny: Conditions,
}

/// What decided, by its place in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// Nothing more was asked.
    NothingAsked,
    /// A condition of `allow` matches.
    Allow(usize),
    /// None of `allow` does, though one would if their address counted.
    AllowIfVerified(usize),
    /// None of `allow` does.
    NothingOfAllow,
    /// A condition of `deny` matches.
    Deny(usize),
    /// Their provider is none of the app's.
    Provider,
}

impl Ground {
    /// Why they may not pass; `None` if they may.
    fn denial(self) -> Option<Denial> {
        match self {
            Self::NothingAsked | Self::Allow(_) => None,
            Self::AllowIfVerified(_) => Some(Denial::EmailNotVerified),
            Self::NothingOfAllow => Some(Denial::NotListed),
            Self::Deny(_) => Some(Denial::Denied),
            Self::Provider => Some(Denial::ProviderNotOfThisApp),
        }
    }

    /// The same, where a route's table says so.
    fn denial_by_route(self) -> Option<Denial> {
        self.denial().map(|denial| match denial {
            Denial::Denied => Denial::DeniedByRoute,
            Denial::NotListed => Denial::NotListedForRoute,
            other => other,
        })
    }
}

impl Admission {
    /// What a policy makes of a visitor.
    pub(super) fn weigh(&self, policy: Policy, visitor: &Visitor, client: IpAddr) -> Ground {
        if !self.providers.contains(&visitor.provider) {
            return Ground::Provider;
        }
        let allow = match policy {
            Policy::Anyone => None,
            Policy::Listed => Some(&self.allow),
        };
        weigh(&self.deny, allow, visitor, client)
    }

    fn judge(&self, policy: Policy, visitor: &Visitor) -> Judgement {
        let lists = match policy {
            Policy::Anyone => [Some(&self.deny), None],
            Policy::Listed => [Some(&self.deny), Some(&self.allow)],
        };
        judgement(lists, || self.weigh(policy, visitor, NOWHERE).denial())
    }
}

impl Table {
    /// What it makes of a visitor.
    pub(super) fn weigh(&self, visitor: &Visitor, client: IpAddr) -> Ground {
        weigh(&self.deny, self.allow.as_ref(), visitor, client)
    }

    fn judge(&self, visitor: &Visitor) -> Judgement {
        judgement([Some(&self.deny), self.allow.as_ref()], || self.weigh(visitor, NOWHERE).denial_by_route())
    }
}

/// The client's address where none decides anything.
const NOWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

fn judgement(lists: [Option<&Conditions>; 2], denial: impl FnOnce() -> Option<Denial>) -> Judgement {
    if lists.into_iter().flatten().any(Conditions::name_addresses) {
        return Judgement::ByRequest;
    }
    denial().map_or(Judgement::Admitted, Judgement::Refused)
}

fn weigh(deny: &Conditions, allow: Option<&Conditions>, visitor: &Visitor, client: IpAddr) -> Ground {
    let stated = Facts { visitor, email: visitor.email.as_ref(), client };
    // An address that does not count must not be a way around `deny`: whoever states it is meant.
    if let Some(place) = deny.find(stated) {
        return Ground::Deny(place);
    }
    let Some(allow) = allow else { return Ground::NothingAsked };
    let trusted = Facts { email: visitor.trusted_email(), ..stated };
    if let Some(place) = allow.find(trusted) {
        return Ground::Allow(place);
    }
    let unverified = allow.find(stated).filter(|_| visitor.email_trust == EmailTrust::Untrusted);
    unverified.map_or(Ground::NothingOfAllow, Ground::AllowIfVerified)
}

impl Standing {
    pub(super) fn new(admission: &Admission, tables: usize, visitor: &Visitor) -> Self {
        Self {
            anyone: admission.judge(Policy::Anyone, visitor),
            listed: admission.judge(Policy::Listed, visitor),
            tables: (0..tables.min(REMEMBERED)).map(|_| AtomicU8::new(UNKNOWN)).collect(),
        }
    }

    /// Why a policy does not admit them to a request.
    pub(super) fn refusal(
        &self,
        admission: &Admission,
        policy: Policy,
        visitor: &Visitor,
        client: IpAddr,
    ) -> Option<Denial> {
        let judged = match policy {
            Policy::Anyone => self.anyone,
            Policy::Listed => self.listed,
        };
        match judged {
            Judgement::Admitted => None,
            Judgement::Refused(denial) => Some(denial),
            Judgement::ByRequest => admission.weigh(policy, visitor, client).denial(),
        }
    }

    /// Why the table of a route keeps a request of theirs out.
    pub(super) fn refusal_by_route(
        &self,
        number: usize,
        table: &Table,
        visitor: &Visitor,
        client: IpAddr,
    ) -> Option<Denial> {
        let memory = self.tables.get(number);
        let known = memory.and_then(|known| Judgement::ALL.get(usize::from(known.load(Ordering::Relaxed))));
        let judged = known.copied().unwrap_or_else(|| {
            let judged = table.judge(visitor);
            let place = (0..).zip(Judgement::ALL).find(|(_, known)| *known == judged);
            if let (Some(memory), Some((place, _))) = (memory, place) {
                memory.store(place, Ordering::Relaxed);
            }
            judged
        });
        match judged {
            Judgement::Admitted => None,
            Judgement::Refused(denial) => Some(denial),
            Judgement::ByRequest => table.weigh(visitor, client).denial_by_route(),
        }
    }
}
