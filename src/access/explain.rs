//! The walk of a decision with its reasons, for `vestibule explain`.
//!
//! Nothing is decided here: the routes tell what they met on the way, and the verdict is
//! [`AppRules::decide`]'s. Places are those of the lists in the configuration, so that whoever
//! shows an [`Explanation`] can name the line of each.

use std::net::IpAddr;

use http::Method;

use super::{
    AppRules, Decision, Denial, Holder, SignedIn, Word,
    routes::{Asks, Meeting, Outcome},
    standing::Ground,
};
use crate::{
    config::Policy,
    identity::{Ended, Visitor},
    request::Target,
};

/// Why a request is answered as it is.
#[derive(Debug)]
pub struct Explanation {
    /// Every route that a reading of the path came by, in the order of the file.
    pub met: Vec<MetRoute>,
    /// The readings that found no route, by their place among [`Target::readings`].
    pub without_route: Vec<usize>,
    /// What they ask together.
    pub parts: Vec<Part>,
    /// What comes of it.
    pub verdict: Verdict,
}

/// A route that a reading came by.
#[derive(Debug)]
pub struct MetRoute {
    /// Its place in the file.
    pub route: usize,
    /// The readings that it matches, by their place among [`Target::readings`].
    pub readings: Vec<usize>,
    /// The readings that it matches for some servers only.
    pub partly: Vec<usize>,
    /// What came of that.
    pub met: Met,
}

/// What came of meeting a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// It decides for the readings that it matches.
    Decides,
    /// It opens, but not in every reading: it does not decide, and what it asks holds beside what does.
    DoesNotOpen,
    /// An earlier route decides for them.
    TooLate,
}

/// One thing that is asked of whoever comes.
#[derive(Debug)]
pub struct Part {
    /// By whom.
    pub counted: Counted,
    /// What the visitor has for it; `None` where nobody is signed in or nothing is asked.
    pub ground: Option<Ground>,
}

/// What has a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// A route or policy that asks nothing, or only who it is.
    Word(Word),
    /// The conditions of a route, by its place in the file.
    Route(usize),
}

/// What comes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes, whoever sends it, and the upstream is told of nobody.
    Anybody,
    /// It passes, and the upstream is told of nobody, although it would be of others.
    Anonymous,
    /// It passes, and the upstream is told whose it is.
    Known,
    /// Nobody is signed in, and somebody must be.
    SignIn,
    /// It is refused.
    Refused(Denial),
}

impl AppRules {
    /// The decision about a request, with its reasons.
    pub fn explain(&self, method: &Method, target: &Target, client: IpAddr, visitor: Option<&Visitor>) -> Explanation {
        let mut met = Vec::new();
        let demand = self.routes.by_all_readings(method, target, &mut |meeting| met.push(meeting));
        let standing = visitor.map(|visitor| self.judge(visitor));
        let ended = Ended::default();
        let signed_in =
            visitor.zip(standing.as_ref()).map(|(visitor, standing)| SignedIn { visitor, standing, ended: &ended });
        let verdict = match self.decide(&demand, client, signed_in) {
            Decision::Permit(permit) => match permit.holder() {
                Holder::Anybody => Verdict::Anybody,
                Holder::Anonymous => Verdict::Anonymous,
                Holder::Session(_) => Verdict::Known,
            },
            Decision::SignIn => Verdict::SignIn,
            Decision::Deny(denial) => Verdict::Refused(denial),
        };
        let weigh = |policy: Policy| visitor.map(|visitor| self.admission.weigh(policy, visitor, client));
        let ground = match demand.word {
            Word::Public => None,
            Word::Optional => weigh(self.policy),
            Word::Policy(policy) => weigh(policy),
        };
        let mut parts = vec![Part { counted: Counted::Word(demand.word), ground }];
        parts.extend(demand.tables().filter_map(|number| {
            let counts = |meeting: &&Meeting| {
                meeting.outcome != Outcome::TooLate && self.routes.asks(meeting.route) == Asks::Table(number)
            };
            let route = met.iter().find(counts)?.route;
            let ground = visitor.map(|visitor| self.tables[number].weigh(visitor, client));
            Some(Part { counted: Counted::Route(route), ground })
        }));
        let found = met.iter().filter(|meeting| meeting.outcome == Outcome::Found);
        let decided = found.fold(0, |bits, meeting| bits | meeting.matched);
        let readings = target.readings().count();
        let without_route = places(!decided).into_iter().filter(|place| *place < readings).collect();
        Explanation { met: met.iter().map(MetRoute::from).collect(), without_route, parts, verdict }
    }
}

impl From<&Meeting> for MetRoute {
    fn from(meeting: &Meeting) -> Self {
        Self {
            route: meeting.route,
            readings: places(meeting.matched),
            partly: places(meeting.touched & !meeting.matched),
            met: match meeting.outcome {
                Outcome::Found => Met::Decides,
                Outcome::DoesNotOpen => Met::DoesNotOpen,
                Outcome::TooLate => Met::TooLate,
            },
        }
    }
}

/// The places of the bits that are set.
fn places(bits: u64) -> Vec<usize> {
    (0..).take(Target::MAX_READINGS).filter(|place| bits & (1 << place) != 0).collect()
}
