//! `callback_url`: one registered redirect URI for several hosts below `cookie_domain`.
//!
//! The provider knows one URI, on one of the apps; what was begun elsewhere is
//! carried there by a cookie on the domain. So it means something only with
//! `cookie_domain`, and only where one of our apps answers at that URL.

use std::collections::BTreeSet;

use url::Url;

use crate::config::{
    app::{App, Draft},
    fault::{Fault, Report},
    location,
    section::{Placed, Reading, Section},
    session::SessionSection,
};

/// Reads `callback_url`.
pub(super) fn read(section: &Section<'_>, session: Reading<&SessionSection>) -> Reading<Option<Placed<Url>>> {
    let url = section.optional("callback_url", location::parse_url)?;
    let Some(url) = url else { return Ok(None) };
    if session?.cookie.domain.is_none() {
        return Err(section.report().add(
            Fault::at(url.place, "`callback_url` means nothing without `cookie_domain`")
                .why("the browser would not bring what a sign-in began with from this app's host to that URL's")
                .help("add cookie_domain to [session], or remove callback_url and register this app's own"),
        ));
    }
    Ok(Some(url))
}

/// Where an app answers its provider by itself.
pub(super) fn own_callback(app: &App, prefix: &str) -> String {
    let url = format!("{}{}", app.public_url.origin(), app.public_url.path);
    match &app.paths.callback {
        Some(path) => format!("{url}{path}"),
        None => format!("{url}{prefix}/callback"),
    }
}

/// Holds every `callback_url` against the apps that there are, and tells the apps that answer at one.
pub(in crate::config) fn join(report: &Report, prefix: &str, apps: &mut [Draft]) -> Reading<()> {
    let own: Vec<_> = apps.iter().map(|draft| own_callback(&draft.app, prefix)).collect();
    let mut outcome = Ok(());
    for (draft, url) in apps.iter().filter_map(|draft| draft.callback_url.as_ref().map(|url| (draft, url))) {
        let scheme = draft.app.public_url.scheme;
        if location::scheme(url) != scheme {
            outcome = Err(report.add(
                Fault::at(url.place, "`callback_url` has another scheme than the `public_url` of this app")
                    .related(draft.public_url, format!("this is {}", scheme.as_str()))
                    .why("the browser would not bring what a sign-in began with from one scheme to the other")
                    .help("give both the same scheme"),
            ));
            continue;
        }
        if own.iter().any(|own| *own == url.as_str()) {
            continue;
        }
        let choices: Vec<_> = own.iter().map(|own| format!("\"{own}\"")).collect();
        outcome = Err(report.add(
            Fault::at(url.place, "`callback_url` is where no app answers")
                .why("the provider's answer would lead nowhere")
                .help(format!("write the callback of one of the apps: {}", choices.join(" or "))),
        ));
    }
    outcome?;
    let named: BTreeSet<_> =
        apps.iter().filter_map(|draft| draft.callback_url.as_ref()).map(|url| url.to_string()).collect();
    for (draft, own) in apps.iter_mut().zip(own) {
        let placed = draft.callback_url.as_ref().map(|url| url.to_string());
        // Who answers for others keeps what its own sign-ins begin with where theirs is.
        draft.app.shared_callback = placed.or_else(|| named.contains(&own).then_some(own));
    }
    Ok(())
}
