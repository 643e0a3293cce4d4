//! The apps of one host, told apart by their paths (contract section 5).
//!
//! The longest path wins, by whole segments, and in every reading of the target the
//! same: what some server would take for another app's page is nobody's. Most hosts
//! have one app, which has all of their paths; there is nothing to look up then.

use std::sync::Arc;

use http::Uri;

use super::{Premises, Target, TargetError, normal};
use crate::config::app::Slashes;

/// The apps of one host (or origin).
#[derive(Clone, Debug)]
pub enum Site<A> {
    /// One app has the whole host.
    Whole(Arc<Premises>, A),
    /// Each has a path of it; the longest comes first.
    ByPath(Vec<(Arc<Premises>, A)>),
}

impl<A> Site<A> {
    /// A host with one app.
    pub fn of(premises: Arc<Premises>, app: A) -> Self {
        if premises.path().is_empty() { Self::Whole(premises, app) } else { Self::ByPath(vec![(premises, app)]) }
    }

    /// One more app on the same host; the configuration has seen to it that no path is taken twice.
    #[must_use]
    pub fn and(self, premises: Arc<Premises>, app: A) -> Self {
        let mut apps = match self {
            Self::Whole(premises, app) => vec![(premises, app)],
            Self::ByPath(apps) => apps,
        };
        apps.push((premises, app));
        apps.sort_by_key(|(premises, _)| std::cmp::Reverse(premises.path().len()));
        Self::ByPath(apps)
    }

    /// The app that has all paths of this host, if one has.
    pub fn only(&self) -> Option<&A> {
        match self {
            Self::Whole(_, app) => Some(app),
            Self::ByPath(_) => None,
        }
    }

    /// Whose a request is, and its target as that app and its upstream see it; `None` where no app has the path.
    pub fn find(&self, uri: &Uri) -> Result<Option<Found<'_, A>>, TargetError> {
        match self {
            Self::Whole(premises, app) => Ok(Some(Found { app, premises, target: premises.read(uri)? })),
            Self::ByPath(apps) => by_path(apps, uri),
        }
    }
}

/// What a host's apps make of a target.
#[derive(Debug)]
pub struct Found<'s, A> {
    /// Whose it is.
    pub app: &'s A,
    /// Where that app lies.
    pub premises: &'s Premises,
    /// The target, from there on.
    pub target: Target,
}

fn by_path<'s, A>(apps: &'s [(Arc<Premises>, A)], uri: &Uri) -> Result<Option<Found<'s, A>>, TargetError> {
    let merged = Target::parse(uri)?;
    if uri.path() != merged.path() {
        for (premises, _) in apps {
            if normal::climbs_out_of(premises.path(), uri.path())? {
                return Err(TargetError::ClimbsOut);
            }
        }
    }
    let place = longest(apps, &merged)?;
    let Some((premises, app)) = place.and_then(|place| apps.get(place)) else { return Ok(None) };
    let target = match premises.slashes {
        Slashes::Merged => merged,
        Slashes::Kept => {
            let kept = Target::parse_with(uri, Slashes::Kept)?;
            if longest(apps, &kept)? != place {
                return Err(TargetError::AmbiguousApp);
            }
            kept
        }
    };
    Ok(Some(Found { app, premises, target: premises.admit(target)? }))
}

/// The app with the longest path that begins the target's, which must be the same in all readings.
fn longest<A>(apps: &[(Arc<Premises>, A)], target: &Target) -> Result<Option<usize>, TargetError> {
    let is_below = |path: &str| target.path().strip_prefix(path).is_some_and(|r| r.is_empty() || r.starts_with('/'));
    let own = apps.iter().position(|(premises, _)| is_below(premises.path()));
    let agree =
        target.readings().all(|reading| apps.iter().position(|(premises, _)| reading.enters(premises.path())) == own);
    if agree { Ok(own) } else { Err(TargetError::AmbiguousApp) }
}

#[cfg(test)]
mod tests;
