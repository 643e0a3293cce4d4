//! How many sign-ins one client may begin (`server.limits.sign_ins_per_client`).
//!
//! A sign-in costs us a seal and the provider a page, and whoever is not signed in can
//! begin one. So each client has a rate (GCRA), in one of a fixed number of counts that
//! its address falls to by a secret. Rejected: a count for each address that was ever
//! seen, which IPv6 makes free to grow. Two clients on one count share a rate that
//! neither comes near; to wear out the counts of others, somebody would have to begin
//! hundreds of sign-ins a minute from ten thousands of networks.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};
use http::HeaderMap;

use super::refusal::Refusal;
use crate::{
    random::Random,
    request::{Client, client::Trust},
};

/// How many counts there are: 256 KiB of them.
const COUNTS: usize = 1 << 15;

/// So many are named at most: nobody forgets more proxies than that.
const MAX_NAMED: usize = 64;

/// Counts the sign-ins that each client begins.
pub struct SignIns {
    limiter: Option<RateLimiter<IpAddr, Counts, DefaultClock>>,
    /// Peers that look like a proxy of ours and are not trusted: each is named once.
    named: Mutex<HashSet<IpAddr>>,
}

impl SignIns {
    /// So many a minute; `None` = any number.
    pub fn new(per_minute: Option<NonZeroU32>, random: &Random) -> Self {
        let limiter = per_minute
            .map(|n| RateLimiter::new(Quota::per_minute(n), Counts::new(random, COUNTS), DefaultClock::default()));
        Self { limiter, named: Mutex::default() }
    }

    /// Counts one more. A proxy that nobody configured stands for all of its visitors, and so is not counted.
    pub(super) fn check(&self, client: &Client<'_>, headers: &HeaderMap) -> Result<(), Refusal> {
        if is_unknown_proxy(client, headers) {
            self.name(client.address());
            return Ok(());
        }
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter
            .check_key(&network(client.address()))
            .map_err(|until| Refusal::TooManySignIns(until.wait_time_from(limiter.clock().now())))
    }

    fn name(&self, peer: IpAddr) {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() < MAX_NAMED && named.insert(peer) {
            tracing::warn!(
                %peer,
                "a private address sends forwarding headers and is not one of server.trusted_proxies: \
                 if it is a proxy of yours, add it, so that visitors are told apart"
            );
        }
    }
}

/// Whether it looks like a proxy of ours that `server.trusted_proxies` does not know.
fn is_unknown_proxy(client: &Client<'_>, headers: &HeaderMap) -> bool {
    let is_private = match client.address() {
        // The unspecified one is how a peer on a Unix socket goes.
        IpAddr::V4(address) => {
            address.is_private() || address.is_loopback() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local(),
    };
    client.peer_trust() == Trust::Untrusted
        && is_private
        && ["x-forwarded-for", "forwarded"].iter().any(|name| headers.contains_key(*name))
}

/// One client: an IPv4 address, or the /64 that one IPv6 subscriber has.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
    }
}

/// A fixed number of counts.
struct Counts {
    /// Makes it a secret which addresses share a count.
    secret: [u8; 16],
    counts: Vec<InMemoryState>,
}

impl Counts {
    fn new(random: &Random, number: usize) -> Self {
        Self { secret: random.bytes(), counts: (0..number).map(|_| InMemoryState::default()).collect() }
    }

    fn of(&self, client: &IpAddr) -> &InMemoryState {
        let mut hasher = DefaultHasher::new();
        (self.secret, client).hash(&mut hasher);
        let place = hasher.finish() % self.counts.len() as u64;
        &self.counts[usize::try_from(place).unwrap_or_default()]
    }
}

impl StateStore for Counts {
    type Key = IpAddr;

    fn measure_and_replace<T, F, E>(&self, client: &IpAddr, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.of(client).measure_and_replace(&NotKeyed::NonKey, decide)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv6Addr, time::Duration};

    use super::*;
    use crate::request::Peer;

    fn sign_ins(per_minute: u32) -> SignIns {
        SignIns::new(NonZeroU32::new(per_minute), &Random::seeded(1))
    }

    fn check(limit: &SignIns, peer: IpAddr, headers: &HeaderMap) -> Result<(), Refusal> {
        let peer = Peer::new(peer, &[]);
        limit.check(&Client::resolve(&peer, headers, &[]), headers)
    }

    fn begins(limit: &SignIns, peer: &str) -> bool {
        check(limit, peer.parse().expect("an address"), &HeaderMap::new()).is_ok()
    }

    #[test]
    fn threat_124_a_client_is_an_address_or_its_ipv6_network() {
        let limit = sign_ins(1);
        assert!(begins(&limit, "192.0.2.1") && begins(&limit, "192.0.2.2") && begins(&limit, "2001:db8::1"));
        assert!(!begins(&limit, "192.0.2.1") && !begins(&limit, "2001:db8::2"), "one each");
        assert!(!begins(&limit, "2001:db8::ffff:ffff:ffff:ffff") && !begins(&limit, "::ffff:192.0.2.1"));
        assert!(begins(&limit, "2001:db8:0:1::1"));
        let unlimited = sign_ins(0);
        assert!((0..3).all(|_| begins(&unlimited, "192.0.2.1")));
    }

    #[test]
    fn whoever_has_to_wait_is_told_how_long() {
        let limit = sign_ins(3);
        assert!((0..3).all(|_| begins(&limit, "192.0.2.1")));
        let refused = check(&limit, "192.0.2.1".parse().expect("an address"), &HeaderMap::new());
        let Err(Refusal::TooManySignIns(wait)) = refused else { panic!("{refused:?}") };
        assert!(wait > Duration::from_secs(10) && wait <= Duration::from_secs(20), "{wait:?}");
    }

    #[test]
    fn threat_118_any_number_of_networks_costs_the_same_memory_and_leaves_the_others_alone() {
        let limit = sign_ins(600);
        let headers = HeaderMap::new();
        for n in 0..1_000_000_u128 {
            let one_of_a_million = IpAddr::V6(Ipv6Addr::from((0x2001_0db8 << 96) | (n << 64)));
            check(&limit, one_of_a_million, &headers).expect("each begins but one");
        }
        let limiter = limit.limiter.as_ref().expect("there is a limit");
        assert!((0..600).filter(|_| limiter.check_key(&IpAddr::V4([192, 0, 2, 1].into())).is_ok()).count() > 500);
        let counts = limit.limiter.expect("there is a limit").into_state_store().counts;
        assert_eq!((counts.len(), counts.capacity()), (COUNTS, COUNTS));
    }

    #[test]
    fn a_proxy_that_nobody_configured_is_not_throttled_as_one_client() {
        let forwarded: HeaderMap =
            [(http::HeaderName::from_static("x-forwarded-for"), http::HeaderValue::from_static("198.51.100.7"))]
                .into_iter()
                .collect();
        for (peer, headers, throttled) in [
            ("10.0.0.1", &forwarded, false),
            ("127.0.0.1", &forwarded, false),
            ("fd00::1", &forwarded, false),
            ("10.0.0.1", &HeaderMap::new(), true),
            ("192.0.2.1", &forwarded, true),
            ("2001:db8::1", &forwarded, true),
        ] {
            let limit = sign_ins(1);
            let peer = peer.parse().expect("an address");
            assert!(check(&limit, peer, headers).is_ok());
            assert_eq!(check(&limit, peer, headers).is_err(), throttled, "{peer}");
        }
    }

    #[test]
    fn only_so_many_peers_are_named() {
        let limit = sign_ins(1);
        (0..1000_u32).for_each(|n| limit.name(IpAddr::V4((0x0a00_0000 + n).into())));
        assert_eq!(limit.named.lock().expect("nobody panicked").len(), MAX_NAMED);
    }
}
