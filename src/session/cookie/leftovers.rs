//! Where a browser may still have a cookie of ours that is called like one of today's.
//!
//! A cookie is its name, domain and path together (RFC 6265 §5.3), and whether it is
//! `Partitioned` (CHIPS). One that an earlier configuration has put elsewhere is sent beside
//! ours, and two different values are none: nobody comes in any more. So where that happens,
//! and at a sign-out, the name is expired wherever else it may come from. What somebody has
//! planted there goes with it (threat 79).

use std::iter;

use super::Scope;
use crate::config::app::{PublicUrl, Scheme};

/// All such scopes. A name says what kind of scope it has, so a path's come from paths and a domain's from domains.
pub(super) fn scopes(public_url: &PublicUrl, own: &Scope) -> Vec<Scope> {
    let mut scopes: Vec<_> = match own {
        // Browsers keep `__Host-` at one place only.
        Scope::Host if public_url.scheme == Scheme::Https => Vec::new(),
        Scope::Path(path) => parents(path).map(Scope::Path).collect(),
        Scope::Host | Scope::Domain(_) => {
            iter::once(Scope::Host).chain(domains(&public_url.host).map(Scope::Domain)).collect()
        }
    };
    scopes.retain(|scope| scope != own);
    scopes
}

/// The paths above one: `/` and `/wiki` for `/wiki/v2`.
fn parents(path: &str) -> impl Iterator<Item = String> {
    let slashes = path.match_indices('/').map(|(at, _)| at);
    slashes.map(|at| if at == 0 { "/".to_owned() } else { path[..at].to_owned() })
}

/// The domains whose cookies a host gets: itself and what is above it, as far as anybody can have it.
fn domains(host: &str) -> impl Iterator<Item = String> {
    // An address has none.
    let registrable = psl::domain_str(host).filter(|_| host.ends_with(|c: char| c.is_ascii_alphabetic()));
    let above = iter::successors(registrable.map(|_| host), |host| Some(host.split_once('.')?.1));
    above.take_while(move |domain| registrable.is_some_and(|top| domain.len() >= top.len())).map(str::to_owned)
}
