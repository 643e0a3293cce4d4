//! `[[app.route]]` compiled: what a path asks of whoever comes.
//!
//! A path has one reading or several ([`Target::readings`]), and servers that read it
//! differently may find different routes for it. So **each reading goes down the file to
//! the first route that it matches; a route that opens ends this search only where every
//! reading of the path matches it; and whoever passes must satisfy every route that any
//! reading came by.** Whatever the upstream makes of the path, the route that it would
//! have found for it was satisfied, and nothing is open that is not open in all readings.
//!
//! What that means where readings disagree:
//! - `/admin/**` for some, after an open `/public/**`: `/public/..%2fadmin` is for those some.
//! - Two open routes do not add up: `/a/..%2fb` is as closed as the app, though both `/a/**`
//!   and `/b/**` are open.
//! - Of two routes that narrow, both must let the visitor pass.
//! - `/docs/internal/**` for `anyone` before a public `/docs/**`: it opens, but not
//!   `/docs/INTERNAL/x`, and since a reading of that came by it, the public route after it
//!   does not open that either.
//!
//! A pattern is read in the same ways (see [`trie`]). It *matches* a reading if it reads so
//! for everyone who reads the path so. It *touches* one already if it does for some of
//! them: `/Admin` and `/admin` are one path to servers that fold case. Then it is satisfied
//! beside whatever the others find.
//!
//! A path with one reading, and no pattern that somebody could read differently, takes one
//! walk and no allocation.

use http::Method;

use super::Word;
use crate::{
    config::{Policy, Route, RouteAccess, access::Narrowing},
    request::Target,
};

mod trie;

use trie::{Leaf, Node, Reach};

/// The routes of one app.
#[derive(Debug)]
pub(super) struct Routes {
    trie: Node,
    rules: Vec<Rule>,
    /// What holds where there is no route.
    policy: Policy,
}

/// What one route says.
#[derive(Debug)]
struct Rule {
    methods: Methods,
    asks: Asks,
    effect: Effect,
}

/// What a route asks of a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// What its word says.
    Word(Word),
    /// What the app's policy says, and the table of this number.
    Table(usize),
}

/// Which way a route differs from the app's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It admits more.
    Opens,
    /// It admits the same or less.
    Keeps,
}

/// Which methods a route is for.
#[derive(Debug)]
enum Methods {
    All,
    These(Vec<Method>),
}

/// What the routes ask of whoever comes by a path, all of them together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    pub(super) word: Word,
    pub(super) table: Option<usize>,
    pub(super) further: Vec<usize>,
    route: Option<usize>,
}

/// A leaf that a reading of the path reaches; one bit a reading.
struct Touch {
    route: usize,
    touched: u64,
    matched: u64,
}

/// A route that a reading of the path came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meeting {
    /// The place of the route in the file.
    pub(super) route: usize,
    /// Those of the readings that it matches for some who read so, one bit each.
    pub(super) touched: u64,
    /// Those that it matches for all who read so.
    pub(super) matched: u64,
    pub(super) outcome: Outcome,
}

/// What became of a [`Meeting`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its readings had found their route before.
    TooLate,
    /// It ends the search of the readings that it matches.
    Found,
    /// It would open, but not in all readings: only what it asks counts.
    DoesNotOpen,
}

// Each reading has a bit of its own.
const _: () = assert!(Target::MAX_READINGS <= u64::BITS as usize);

impl Methods {
    /// Whether a request's method is meant. Some servers take `post` for `POST`, which must not be a way around a route
    /// that keeps.
    fn include(&self, method: &Method, effect: Effect) -> bool {
        let Self::These(these) = self else { return true };
        let same = |known: &Method| match effect {
            Effect::Opens => known == method,
            Effect::Keeps => known.as_str().eq_ignore_ascii_case(method.as_str()),
        };
        these.iter().any(|known| same(known) || (*known == Method::GET && *method == Method::HEAD))
    }
}

impl Demand {
    /// What a policy asks, without any route.
    fn of(word: Word) -> Self {
        Self { word, table: None, further: Vec::new(), route: None }
    }

    /// The first route in the file that a reading found, by its place there; `None` where the app's policy decides.
    pub fn route(&self) -> Option<usize> {
        self.route
    }

    /// Whether it matters who comes: else the session is not even looked at.
    pub fn looks_at_sessions(&self) -> bool {
        self.word != Word::Public
    }

    fn add(&mut self, asks: Asks, policy: Policy) {
        match asks {
            Asks::Word(word) => self.word = self.word.max(word),
            Asks::Table(table) => {
                self.word = self.word.max(Word::Policy(policy));
                match self.table {
                    None => self.table = Some(table),
                    Some(first) if first == table || self.further.contains(&table) => {}
                    Some(_) => self.further.push(table),
                }
            }
        }
    }

    /// The tables of it.
    pub(super) fn tables(&self) -> impl Iterator<Item = usize> {
        self.table.into_iter().chain(self.further.iter().copied())
    }
}

impl Routes {
    /// Compiles routes; `table` numbers the conditions of those that narrow.
    pub(super) fn compile<'r>(
        policy: Policy,
        routes: &'r [Route],
        mut table: impl FnMut(&'r Narrowing) -> usize,
    ) -> Self {
        let mut compiled = Self { trie: Node::default(), rules: Vec::with_capacity(routes.len()), policy };
        for (place, route) in routes.iter().enumerate() {
            let asks = match &route.access {
                RouteAccess::Public => Asks::Word(Word::Public),
                RouteAccess::Optional => Asks::Word(Word::Optional),
                RouteAccess::Policy(policy) => Asks::Word(Word::Policy(*policy)),
                RouteAccess::Narrowed(narrowing) => Asks::Table(table(narrowing)),
            };
            let effect = match asks {
                Asks::Word(word) if word < Word::Policy(policy) => Effect::Opens,
                Asks::Word(_) | Asks::Table(_) => Effect::Keeps,
            };
            let reach = match effect {
                Effect::Opens => Reach::EveryReading,
                Effect::Keeps => Reach::SameShape,
            };
            compiled.trie.insert_all(place, &route.path, reach);
            let methods = route.methods.clone().map_or(Methods::All, Methods::These);
            compiled.rules.push(Rule { methods, asks, effect });
        }
        compiled
    }

    /// Whether any of them is for some methods only.
    pub(super) fn name_methods(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.methods, Methods::These(_)))
    }

    /// What a route asks.
    pub(super) fn asks(&self, route: usize) -> Asks {
        self.rules[route].asks
    }

    /// What a request must satisfy.
    pub(super) fn demand(&self, method: &Method, target: &Target) -> Demand {
        if self.rules.is_empty() {
            return Demand::of(Word::Policy(self.policy));
        }
        self.at_first_sight(method, target).unwrap_or_else(|| self.by_all_readings(method, target, &mut |_| {}))
    }

    /// The same for a path of one reading, unless a pattern touches it only.
    fn at_first_sight(&self, method: &Method, target: &Target) -> Option<Demand> {
        if !target.is_plain() {
            return None;
        }
        let reading = target.readings().next()?;
        let (mut first, mut is_torn) = (usize::MAX, false);
        self.trie.walk(reading.segments(), &mut |leaves: &[Leaf]| {
            for leaf in leaves.iter().take_while(|leaf| leaf.route < first) {
                if !self.serves(leaf.route, method) {
                    continue;
                }
                if leaf.matches(reading) {
                    first = leaf.route;
                    break;
                }
                is_torn |= leaf.touches(reading);
            }
        });
        if is_torn {
            return None;
        }
        Some(match self.rules.get(first) {
            None => Demand::of(Word::Policy(self.policy)),
            Some(rule) => {
                let mut demand = Demand::of(Word::Public);
                demand.add(rule.asks, self.policy);
                demand.route = Some(first);
                demand
            }
        })
    }

    /// The same for any path; `met` hears of each route that a reading came by, in the order of the file.
    pub(super) fn by_all_readings(&self, method: &Method, target: &Target, met: &mut impl FnMut(Meeting)) -> Demand {
        let mut touches: Vec<Touch> = Vec::new();
        let mut all = 0;
        for (number, reading) in target.readings().enumerate() {
            let bit = 1 << number;
            all |= bit;
            self.trie.walk(reading.segments(), &mut |found: &[Leaf]| {
                let here = found.iter().filter(|leaf| leaf.touches(reading) && self.serves(leaf.route, method));
                let touch = |leaf: &Leaf| {
                    let matched = if leaf.matches(reading) { bit } else { 0 };
                    Touch { route: leaf.route, touched: bit, matched }
                };
                touches.extend(here.map(touch));
            });
        }
        touches.sort_unstable_by_key(|touch| touch.route);
        let mut demand = Demand::of(Word::Public);
        let mut searching = all;
        for touches in touches.chunk_by(|one, other| one.route == other.route) {
            let route = touches[0].route;
            let rule = &self.rules[route];
            let touched = touches.iter().fold(0, |bits, touch| bits | touch.touched);
            let matched = touches.iter().fold(0, |bits, touch| bits | touch.matched);
            let outcome = if touched & searching == 0 {
                Outcome::TooLate
            } else if rule.effect == Effect::Opens && matched != all {
                Outcome::DoesNotOpen
            } else {
                Outcome::Found
            };
            match outcome {
                Outcome::TooLate => {}
                Outcome::DoesNotOpen => demand.add(rule.asks, self.policy),
                Outcome::Found => {
                    demand.add(rule.asks, self.policy);
                    demand.route.get_or_insert(route);
                    searching &= !matched;
                }
            }
            met(Meeting { route, touched, matched, outcome });
        }
        if searching != 0 {
            demand.word = demand.word.max(Word::Policy(self.policy));
        }
        demand
    }

    fn serves(&self, route: usize, method: &Method) -> bool {
        let rule = &self.rules[route];
        rule.methods.include(method, rule.effect)
    }
}

#[cfg(test)]
mod tests;
