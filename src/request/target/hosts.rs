//! All apps by the names of their hosts.
//!
//! A host that an app names is for those apps that name it, whoever has `*.` of its
//! parent; an app's path holds on each of its hosts.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::{Premises, Site};
use crate::config::{self, app::one_label_below};

/// The apps of all hosts.
#[derive(Clone, Debug)]
pub struct Hosts<A> {
    named: HashMap<String, Site<A>, RandomState>,
    /// By what follows the star and its dot.
    below: HashMap<String, Site<A>, RandomState>,
}

impl<A: Clone> Hosts<A> {
    /// Each app with its configuration and its premises.
    pub fn new<'c>(apps: impl IntoIterator<Item = (&'c config::App, &'c Arc<Premises>, A)>) -> Self {
        let (mut named, mut below) = (HashMap::default(), HashMap::default());
        for (config, premises, app) in apps {
            for host in &config.hosts {
                settle(&mut named, host, premises, &app);
            }
            for host in &config.wildcard_hosts {
                settle(&mut below, host.parent(), premises, &app);
            }
        }
        Self { named, below }
    }
}

impl<A> Hosts<A> {
    /// The apps of a host (lower case, without its port).
    pub fn site(&self, host: &str) -> Option<&Site<A>> {
        let named = self.named.get(host);
        if named.is_some() || self.below.is_empty() {
            return named;
        }
        one_label_below(host).and_then(|parent| self.below.get(parent))
    }
}

fn settle<A: Clone>(sites: &mut HashMap<String, Site<A>, RandomState>, name: &str, premises: &Arc<Premises>, app: &A) {
    let (premises, app) = (Arc::clone(premises), app.clone());
    match sites.entry(name.to_owned()) {
        Entry::Vacant(vacant) => drop(vacant.insert(Site::of(premises, app))),
        Entry::Occupied(occupied) => {
            let (name, site) = occupied.remove_entry();
            sites.insert(name, site.and(premises, app));
        }
    }
}
