//! What of a host's paths belongs to an app, and what of these is ours.

use http::Uri;

use super::{Place, Target, TargetError};
use crate::config::{
    self,
    app::{BasePath, Slashes},
};

/// Where an app lies, and where our own endpoints lie there.
#[derive(Clone, Debug)]
pub struct Premises {
    /// The path of `public_url`, without a slash at its end.
    path: String,
    base: BasePath,
    pub(super) slashes: Slashes,
    /// Our own endpoints, from the app's path on.
    prefix: String,
    /// The provider's way back, where that is not below the prefix.
    callback: Option<String>,
}

/// The endpoint that `callback_path` stands for.
const CALLBACK: &str = "/callback";

impl Premises {
    /// Those of an app whose own endpoints lie below `prefix`.
    pub fn new(app: &config::App, prefix: &str) -> Self {
        Self {
            path: app.public_url.path.clone(),
            base: app.paths.base,
            slashes: app.paths.slashes,
            prefix: prefix.to_owned(),
            callback: app.paths.callback.clone(),
        }
    }

    /// The app's own path, without a slash at its end: empty for the whole host.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path of one of our own endpoints here, as `/start`.
    pub fn endpoint(&self, name: &str) -> String {
        match &self.callback {
            Some(callback) if name == CALLBACK => format!("{}{callback}", self.path),
            _ => format!("{}{}{name}", self.path, self.prefix),
        }
    }

    /// The target of a request that can be nobody else's.
    pub(super) fn read(&self, uri: &Uri) -> Result<Target, TargetError> {
        Target::parse_with(uri, self.slashes)
    }

    /// A target below the app's path, as the app's rules and its upstream see it.
    pub(super) fn admit(&self, target: Target) -> Result<Target, TargetError> {
        match self.base {
            _ if self.path.is_empty() => Ok(target),
            BasePath::Kept => Ok(target.below(&self.path)),
            BasePath::Stripped => target.without(&self.path, self.slashes),
        }
    }

    /// Whose a target is that has been found to be on these premises: ours or the app's, in every reading.
    pub fn place<'t>(&self, target: &'t Target) -> Result<Place<'t>, TargetError> {
        let place = target.place(&self.prefix)?;
        let Some(callback) = &self.callback else { return Ok(place) };
        let is_callback = target.path() == callback;
        if target.readings().any(|reading| reading.path.eq_ignore_ascii_case(callback.as_bytes()) != is_callback) {
            return Err(TargetError::AmbiguousPlace);
        }
        Ok(match place {
            _ if is_callback => Place::Own(CALLBACK),
            // There is one way back.
            Place::Own(CALLBACK) => Place::Own(""),
            place => place,
        })
    }
}
