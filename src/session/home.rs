//! Which sessions count at an app, and how long those live that begin there.

use crate::{
    config::{self, SessionTimes, session::CookieReach},
    identity::AppId,
};

/// An app, as far as its sessions are concerned.
#[derive(Clone, Debug)]
pub struct Home {
    app: AppId,
    reach: Reach,
    times: SessionTimes,
}

/// Whose sessions an app takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Its own: the cookie is its own, and its secret in another app's cookie is nobody's.
    Own,
    /// Those of all apps, whose cookie is one (`session.cookie_domain`). Whether their provider is one
    /// of this app is for `access` to say.
    Siblings,
}

impl Home {
    /// As the configuration has it.
    pub fn of(app: &config::App) -> Self {
        let reach = match app.session.cookie.reach {
            CookieReach::App => Reach::Own,
            CookieReach::Siblings(_) => Reach::Siblings,
        };
        Self { app: app.id.clone(), reach, times: app.session.times }
    }

    /// An app by itself.
    #[cfg(test)]
    pub(crate) fn alone(app: AppId, times: SessionTimes) -> Self {
        Self { app, reach: Reach::Own, times }
    }

    /// One of several that share their sessions.
    #[cfg(test)]
    pub(crate) fn among_siblings(app: AppId, times: SessionTimes) -> Self {
        Self { app, reach: Reach::Siblings, times }
    }

    /// The app.
    pub fn app(&self) -> &AppId {
        &self.app
    }

    /// How long sessions live that begin here.
    pub(super) fn times(&self) -> SessionTimes {
        self.times
    }

    /// Whether a session counts here that began at an app.
    pub fn takes(&self, app: &AppId) -> bool {
        match self.reach {
            Reach::Own => *app == self.app,
            Reach::Siblings => true,
        }
    }
}
