//! What an app without `upstream` cannot have: another proxy hands its requests to it, and only asks us.
//!
//! A key that would do nothing is a fault rather than a word in the log: whoever wrote
//! `drop` believes that the app never sees the header.

use super::answers::{Answers, CorsPreflight};
use crate::config::{
    fault::Fault,
    section::{Reading, Section},
};

/// The keys that are about requests and answers on their way through us, and why they do nothing.
const KEYS: [(&[&str], &str); 6] = [
    (&["strip_path"], "the proxy in front decides which path the app gets"),
    (&["preserve_host"], "the proxy in front decides which Host the app gets"),
    (&["cache"], "the app's answers do not pass through us"),
    (&["logout_paths"], "the app's answers do not pass through us, so nobody here sees a sign-out of its own succeed"),
    (&["limits", "body_bytes"], "the bodies of requests do not pass through us"),
    (&["headers", "drop"], "the proxy in front hands the request on, with whatever the visitor sent"),
];

/// Refuses what means nothing for an app that has no `upstream`.
pub(super) fn check(app: &Section<'_>, answers: Option<&Answers>) -> Reading<()> {
    let mut outcome = Ok(());
    let mut refuse = |path: &[&str], what: &str, why: &str, help: &str| {
        let Some(place) = app.place_at(path) else { return };
        let fault = Fault::at(place, format!("{what} means nothing without `upstream`")).why(why);
        outcome = Err(app.report().add(fault.absence(app.place(), &["upstream"]).help(help)));
    };
    for (path, why) in KEYS {
        let help = "remove it and see to it in the proxy in front, or write `upstream`";
        refuse(path, &format!("`{}`", path.join(".")), why, help);
    }
    if answers.is_some_and(|answers| answers.cors_preflight == CorsPreflight::Forward) {
        refuse(
            &["cors_preflight"],
            "`cors_preflight` = \"forward\"",
            "the proxy's question carries no body, so nobody can tell a preflight from a request that hides one",
            "remove it, and let the proxy in front answer preflights without asking",
        );
    }
    outcome
}
