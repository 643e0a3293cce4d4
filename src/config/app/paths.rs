//! `strip_path`, `merge_slashes` and `callback_path`: how the paths of an app are read and handed on.
//!
//! A path in a section of an app begins at its `public_url`, whatever that one's own
//! path is and whether the upstream gets to see it: an app moves by one key.

use super::PublicUrl;
use crate::config::{
    Route,
    fault::Place,
    plain_path,
    section::{Placed, Reading, Section},
};

/// How paths are read and handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// `strip_path`
    pub base: BasePath,
    /// `merge_slashes`
    pub slashes: Slashes,
    /// `callback_path`; `None` = below the prefix of our own endpoints.
    pub callback: Option<String>,
}

/// What becomes of the path of `public_url` towards the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasePath {
    /// The upstream knows that it lives there.
    Kept,
    /// The upstream lives at its root; `X-Forwarded-Prefix` tells it.
    Stripped,
}

/// What becomes of `//`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slashes {
    /// It is one slash.
    Merged,
    /// The upstream gets it as it came.
    Kept,
}

/// The keys, and where `callback_path` is, for what only the whole file can have wrong.
pub(super) fn read_paths(
    section: &Section<'_>,
    public_url: Option<&Placed<PublicUrl>>,
) -> Reading<(Paths, Option<Place>)> {
    let strip = section.flag("strip_path", false);
    let merge = section.flag("merge_slashes", true);
    let callback = section.optional("callback_path", |text| plain_path::parse(text, "/oauth2/callback"))?;
    let strip = strip?;
    if strip && public_url.is_some_and(|url| url.path.is_empty()) {
        section.report().warn(
            section.place_of("strip_path"),
            "`strip_path` does nothing: `public_url` has no path that could be removed",
        );
    }
    let paths = Paths {
        base: if strip { BasePath::Stripped } else { BasePath::Kept },
        slashes: if merge? { Slashes::Merged } else { Slashes::Kept },
        callback: callback.as_ref().map(|callback| callback.value.clone()),
    };
    Ok((paths, callback.map(|callback| callback.place)))
}

/// A route that begins with the app's own path once more is most likely one that was written for the whole host.
pub(super) fn warn_of_doubled_paths(section: &Section<'_>, public_url: &PublicUrl, routes: &[Route]) {
    let base = &public_url.path;
    let doubled = |pattern: &String| !base.is_empty() && plain_path::below(base, pattern).is_some();
    for pattern in routes.iter().map(|route| route.path.to_string()).filter(doubled) {
        section.report().warn(
            Some(section.place()),
            format_args!("the route \"{pattern}\" begins at `public_url`, so it is for {base}{pattern}"),
        );
    }
}
