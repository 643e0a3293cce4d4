//! The providers of the configuration that is in use: kept in touch with, and asked for by whoever asks for readiness.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::runtime;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    listener::ops::{Probe, Readiness},
    login::Party,
    meter::Metadata,
    session::Sessions,
};

/// All providers, each with the task that keeps its metadata fresh.
pub(super) struct Parties {
    followed: Mutex<Vec<Followed>>,
    background: runtime::Handle,
    ending: CancellationToken,
}

struct Followed {
    party: Party,
    counts: Counts,
    /// Ends the task.
    _stop: DropGuard,
}

/// Whether visitors should go elsewhere as long as nothing is known of a provider.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    ForReadiness,
    /// It came by a reload: that must not make a process unready which serves everybody else.
    ForDetail,
}

impl Parties {
    /// Follows the providers of the first configuration until `ending`.
    pub(super) fn new(parties: &[Party], background: &runtime::Handle, ending: &CancellationToken) -> Self {
        let this = Self { followed: Mutex::default(), background: background.clone(), ending: ending.clone() };
        *this.lock() = parties.iter().map(|party| this.follow(party, Counts::ForReadiness)).collect();
        this
    }

    /// Follows those of another configuration instead; who is in both is not disturbed.
    pub(super) fn replace(&self, parties: &[Party]) {
        let mut followed = self.lock();
        let mut before = std::mem::take(&mut *followed);
        *followed = parties.iter().map(|party| self.take_or_follow(&mut before, party)).collect();
        for gone in before.iter().filter(|gone| !followed.iter().any(|kept| kept.has_id_of(&gone.party))) {
            gone.party.meter.forget_metadata();
        }
    }

    fn take_or_follow(&self, before: &mut Vec<Followed>, party: &Party) -> Followed {
        let same = |known: &Followed| Arc::ptr_eq(&known.party.relying_party, &party.relying_party);
        if let Some(place) = before.iter().position(same) {
            return before.swap_remove(place);
        }
        let known = before.iter().find(|known| known.has_id_of(party));
        self.follow(party, known.map_or(Counts::ForDetail, |known| known.counts))
    }

    fn follow(&self, party: &Party, counts: Counts) -> Followed {
        let stop = self.ending.child_token();
        self.background.spawn(Arc::clone(&party.relying_party).keep_metadata(stop.clone()));
        Followed { party: party.clone(), counts, _stop: stop.drop_guard() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Followed {
    fn has_id_of(&self, party: &Party) -> bool {
        self.party.relying_party.provider().id == party.relying_party.provider().id
    }
}

/// Ready when sessions can be checked, every provider has been heard of once, and nobody wants us to stop.
pub(super) fn probe(draining: Arc<AtomicBool>, sessions: Arc<Sessions>, parties: Arc<Parties>) -> Probe {
    Arc::new(move || {
        let draining = draining.load(Ordering::Acquire);
        let sessions = sessions.is_ready();
        let mut checks = vec![
            ("draining".to_owned(), if draining { "yes" } else { "no" }.to_owned()),
            ("sessions".to_owned(), if sessions { "readable" } else { "not readable" }.to_owned()),
        ];
        let mut ready = sessions && !draining;
        for Followed { party: Party { relying_party, meter }, counts, .. } in parties.lock().iter() {
            let known = relying_party.metadata().is_some();
            meter.metadata(if known { Metadata::Known } else { Metadata::Unknown });
            ready &= known || *counts == Counts::ForDetail;
            let how = if known { "metadata known" } else { "metadata not fetched yet" };
            checks.push((format!("provider {}", relying_party.provider().id), how.to_owned()));
        }
        Readiness { ready, checks }
    })
}
