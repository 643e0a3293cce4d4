//! Which attempts have been answered (threat 11).
//!
//! A code is good for one use at the provider, but a provider may be slow to
//! notice; here an answer counts once, whatever the provider does. The memory is
//! bounded: it needs to be no longer than an attempt lives.

use std::time::Duration;

use moka::{policy::EvictionPolicy, sync::Cache};

use crate::session::cookie::AttemptId;

/// Longer than an attempt lives.
const MEMORY: Duration = Duration::from_mins(10);

/// About 100 bytes each.
const CAPACITY: u64 = 100_000;

/// The attempts that were answered lately, shared by all apps and workers.
#[derive(Clone, Debug)]
pub struct Redeemed(Cache<AttemptId, ()>);

impl Default for Redeemed {
    fn default() -> Self {
        let cache =
            Cache::builder().max_capacity(CAPACITY).time_to_live(MEMORY).eviction_policy(EvictionPolicy::lru()).build();
        Self(cache)
    }
}

impl Redeemed {
    /// Claims an attempt; `false` where somebody did before.
    pub(super) fn claim(&self, id: AttemptId) -> bool {
        self.0.entry(id).or_insert(()).is_fresh()
    }
}
