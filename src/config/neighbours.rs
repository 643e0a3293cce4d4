//! What apps that share a host, and the server itself, could take from each other.
//!
//! Each app has paths that are ours (the prefix, `callback_path`), and the longest path
//! wins where apps are looked up: an app below another's prefix would take that one's
//! sign-in away, and nobody would see it before the first visitor is locked out.

use crate::config::{
    Route, Server,
    access::{PathPattern, SegmentPattern},
    app::{App, Draft},
    fault::{Fault, Report, Reported},
    plain_path::below,
};

pub(super) fn check(report: &Report, server: &Server, drafts: &[Draft]) -> Result<(), Reported> {
    let mut outcome = Ok(());
    for (place, draft) in drafts.iter().enumerate() {
        outcome = check_callback(report, server, draft).and(outcome);
        for other in &drafts[..place] {
            for (outer, inner) in [(draft, other), (other, draft)] {
                outcome = check_pair(report, server, outer, inner).and(outcome);
            }
            outcome = check_certificates(report, other, draft).and(outcome);
        }
        warn_of_health_path(report, server, draft.app());
    }
    outcome
}

fn check_callback(report: &Report, server: &Server, draft: &Draft) -> Result<(), Reported> {
    let Some((callback, place)) = draft.app().paths.callback.as_ref().zip(draft.callback) else { return Ok(()) };
    if below(&server.prefix, callback).is_none() {
        return Ok(());
    }
    Err(report.add(
        Fault::at(place, format!("`callback_path` lies below the prefix of our own endpoints, `{}`", server.prefix))
            .help("leave it out: the provider then leads back to `callback` below the prefix"),
    ))
}

/// Whether `inner`, whose path is below that of `outer` on the same host, lies where something of ours is.
fn check_pair(report: &Report, server: &Server, outer: &Draft, inner: &Draft) -> Result<(), Reported> {
    let (path, below_outer) = (&outer.app().public_url.path, &inner.app().public_url.path);
    let rest = below(path, below_outer).filter(|rest| !rest.is_empty() && share_a_host(outer.app(), inner.app()));
    let Some(rest) = rest else { return Ok(()) };
    let callback = outer.app().paths.callback.as_deref();
    let taken = if below(&server.prefix, rest).is_some() {
        format!("the own endpoints of the app `{}`", outer.app().id)
    } else if callback.is_some_and(|callback| below(rest, callback).is_some()) {
        format!("the `callback_path` of the app `{}`", outer.app().id)
    } else {
        return Ok(());
    };
    Err(report.add(
        Fault::at(inner.public_url, format!("the path of `public_url` hides {taken}"))
            .related(outer.public_url, "this app is on the same host")
            .why("nobody could sign in there any more"),
    ))
}

/// A handshake names the host and nothing else, so there can be but one certificate for it.
fn check_certificates(report: &Report, first: &Draft, second: &Draft) -> Result<(), Reported> {
    let identities = first.app().tls.as_ref().zip(second.app().tls.as_ref());
    let places = first.certificate.zip(second.certificate);
    match (identities, places) {
        (Some((one, other)), Some((first_place, second_place)))
            if one != other && share_a_host(first.app(), second.app()) =>
        {
            Err(report.add(
                Fault::at(second_place, "two apps on one host have different certificates")
                    .related(first_place, "this is the other")
                    .help("a visitor's handshake names the host only: give both the same, or one of them none"),
            ))
        }
        _ => Ok(()),
    }
}

fn share_a_host(one: &App, other: &App) -> bool {
    one.hosts.iter().any(|host| other.hosts.contains(host))
        || one.wildcard_hosts.iter().any(|host| other.wildcard_hosts.contains(host))
}

/// What lies at `health_path` cannot be reached at any app.
fn warn_of_health_path(report: &Report, server: &Server, app: &App) {
    let Some(health) = &server.health_path else { return };
    let Some(rest) = below(&app.public_url.path, health) else { return };
    let callback = app.paths.callback.as_deref();
    let is_named = |route: &&Route| !route.path.segments.is_empty() && names(&route.path, rest);
    if below(&server.prefix, rest).is_some() || callback.is_some_and(|callback| callback == rest) {
        report.warn(None, format_args!("`health_path` hides one of our own endpoints of the app `{}`", app.id));
    } else if let Some(route) = app.routes.iter().find(is_named) {
        let (id, path) = (&app.id, &route.path);
        report.warn(
            None,
            format_args!("`health_path` is answered before the app `{id}`, whose route \"{path}\" names it"),
        );
    }
}

/// Whether a pattern matches a plain path.
fn names(pattern: &PathPattern, path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    let is_met = |wanted: &SegmentPattern| match (wanted, segments.next()) {
        (SegmentPattern::Any, Some(segment)) => !segment.is_empty(),
        (SegmentPattern::Literal(literal), Some(segment)) => literal == segment,
        (_, None) => false,
    };
    pattern.segments.iter().all(is_met) && (pattern.and_below || segments.next().is_none())
}
