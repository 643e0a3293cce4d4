//! `/auth`: a proxy of ours has the way to the app, and asks before it lets a request go (contract section 4).
//!
//! Only a trusted proxy is answered, because whoever asks says which request is meant. That
//! request takes the place of the one that asks ([`original`]) and goes the way of every
//! other: read, given to its app, judged. The access line is about it as well. Only the end
//! differs:
//!
//! | decision | answer |
//! |---|---|
//! | it may pass | 200; each identity header of the app, an empty one where the visitor has no such claim |
//! | nobody is signed in | 401 page or problem; with `?mode=redirect` a navigation gets the 302 to the provider |
//! | not admitted | 403 page or problem |
//! | it is for one of our own endpoints | 403: those the proxy must send here without asking |
//! | it cannot be told which request is meant | 400 |
//!
//! Empty headers, because a proxy copies what it is given over what the visitor sent: a
//! header that were absent here would let the visitor's own through (CVE-2026-30851, threat
//! 47). That is the second line; the configurations in `deploy/forward-auth` also clear them
//! before they ask. Nothing that the visitor sent is in any answer (CVE-2026-41181).
//!
//! Visitors must not reach it through that proxy, which is trusted whoever sits behind it.
//! So that a proxy can keep them out by an exact path, it answers to no other spelling.
//!
//! The 302 has at most one `Set-Cookie`, which is what some proxies pass on. Where old
//! attempts have to make room it leads to our own `/start`, which removes them.

use http::{
    HeaderValue, Response, StatusCode, Uri,
    header::{CACHE_CONTROL, SEC_WEBSOCKET_KEY},
    request::Parts,
};

use super::{
    App, Body, Visit, Worker,
    anonymous::{self, Redirects},
    answer,
    guest::Guest,
    judgement::{Asked, Judged, judge},
    refusal::Refusal,
};
use crate::{
    access::Decision,
    clock::Moment,
    config::app::OnAnonymous,
    forward,
    request::{Audience, Client, Fields, Place, Target, client::Trust, framing, original},
};

/// The endpoint's name below the prefix.
const ENDPOINT: &str = "/auth";

/// Whether an endpoint of an app is this one, spelled as it should be.
pub(super) fn is_endpoint(endpoint: &str, target: &Target, sent: &Uri) -> bool {
    endpoint == ENDPOINT && target.path_and_query().path() == sent.path()
}

/// Whether it is meant by a target that belongs to no app: a proxy may ask under any host.
pub(super) fn is_meant(sent: &Uri, prefix: &str) -> bool {
    sent.path().strip_prefix(prefix) == Some(ENDPOINT)
}

/// Answers a proxy's question.
pub(super) async fn answer(
    worker: &Worker,
    visit: &mut Visit<'_>,
    client: &Client<'_>,
    mut head: Parts,
) -> Result<Response<Body>, Refusal> {
    if client.peer_trust() == Trust::Untrusted {
        return Err(Refusal::UntrustedAsker);
    }
    let redirects = redirects(head.uri.query());
    (visit.trace.app, visit.trace.path) = (None, None);
    original::restore(&mut head)?;
    visit.trace.method = head.method.clone();

    let apps = &worker.apps;
    let fields = Fields::read(&head.headers);
    visit.look_at(&head, &fields);
    let is_handshake = visit.audience == Audience::WebSocket || head.headers.contains_key(SEC_WEBSOCKET_KEY);
    if is_handshake {
        // A proxy keeps `Upgrade`, which is about its own connection, to itself.
        visit.audience = Audience::WebSocket;
    }
    apps.head_limits.check(&head)?;
    let host = framing::check(&head, &fields)?;
    let asked = Asked::read(apps, visit, &host, &head.uri)?;
    let Asked { app, target } = &asked;
    if app.premises.place(target)? != Place::App {
        return Err(Refusal::OwnEndpoint);
    }
    if !original::is_handed_on_as_judged(&head.uri, target) {
        return Err(Refusal::Original(original::OriginalError::Unsettled));
    }
    let started = visit.trace.started;
    let Judged { decision, guest, on_anonymous } =
        judge(worker, &asked, (&head.method, &head.headers), client, started, &mut visit.trace.guest).await?;
    match decision {
        Decision::Permit(_) if is_handshake && !app.front.owns_origin_of(&head.headers) => {
            Err(Refusal::Forward(forward::Error::ForeignOrigin))
        }
        Decision::Permit(_) => Ok(passed(app, guest, started)),
        Decision::SignIn => {
            let is_astray = visit.audience == Audience::Navigation && host.name() != app.config.public_url.host;
            let is_sent_on = redirects == Redirects::WithOneCookie && on_anonymous != OnAnonymous::Unauthorized;
            if is_astray && is_sent_on {
                return Ok(answer::at_public_url(app, target));
            }
            anonymous::answer(apps, app, visit, client, (target, &head), on_anonymous, redirects).await
        }
        Decision::Deny(denial) => Err(Refusal::Denied(denial)),
    }
}

/// `?mode=redirect`; the first `mode` counts, because what follows may be the visitor's (Envoy appends their path).
fn redirects(query: Option<&str>) -> Redirects {
    let mut parameters = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    match parameters.find(|(name, _)| name == "mode") {
        Some((_, mode)) if mode == "redirect" => Redirects::WithOneCookie,
        _ => Redirects::None,
    }
}

/// It may pass, as this visitor's or as nobody's.
fn passed(app: &App, guest: Option<&Guest>, now: Moment) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for name in app.front.identity_names() {
        headers.insert(name, HeaderValue::from_static(""));
    }
    app.front.tell(headers, guest.map(|guest| &guest.made().identity), now);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mode_counts() {
        for (query, mode) in [
            (None, Redirects::None),
            (Some(""), Redirects::None),
            (Some("mode=redirect"), Redirects::WithOneCookie),
            (Some("mode=redirect&original=/page?mode=none"), Redirects::WithOneCookie),
            (Some("mode=none&original=/page?a&mode=redirect"), Redirects::None),
            (Some("Mode=redirect"), Redirects::None),
        ] {
            assert_eq!(redirects(query), mode, "{query:?}");
        }
    }
}
