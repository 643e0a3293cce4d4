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
//! An app that has an `upstream` gets its credentials from us on the way there. Here it gets
//! none, neither token nor assertion nor constant: a load balancer in front of us is a
//! trusted proxy as well, and hands on whatever its visitors ask.
//!
//! Visitors must not reach it through that proxy, which is trusted whoever sits behind it.
//! So that a proxy can keep them out by an exact path, it answers to no other spelling.
//!
//! The 302 has at most one `Set-Cookie`, which is what some proxies pass on. Where old
//! attempts have to make room it leads to our own `/start`, which removes them.

use http::{
    HeaderValue, Response, StatusCode, Uri,
    header::{CACHE_CONTROL, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION},
    request::Parts,
};

use super::{
    App, Body, Visit, Worker,
    anonymous::{self, Redirects},
    guest::Guest,
    judgement::{Asked, BodyPresence, Judgeable, Judged, judge},
    refusal::Refusal,
};
use crate::{
    access::{Decision, MethodOverrides},
    clock::Moment,
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
    head: &mut Parts,
) -> Result<Response<Body>, Refusal> {
    if client.peer_trust() == Trust::Untrusted {
        return Err(Refusal::UntrustedAsker);
    }
    let redirects = redirects(head.uri.query());
    (visit.trace.app, visit.trace.path) = (None, None);
    original::restore(head)?;
    visit.trace.method = head.method.clone();

    let apps = &worker.apps;
    let fields = Fields::read(&head.headers);
    visit.look_at(head, &fields);
    // Over HTTP/2 it has no key, and over either a version (RFC 8441 §5).
    let is_handshake = visit.audience == Audience::WebSocket
        || [SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION].iter().any(|name| head.headers.contains_key(name));
    if is_handshake {
        // A proxy keeps `Upgrade`, which is about its own connection, to itself.
        visit.audience = Audience::WebSocket;
    }
    apps.head_limits.check(head)?;
    let host = framing::check(head, &fields)?;
    let asked = Asked::read(apps, visit, &host, &head.uri)?;
    let Asked { app, target } = &asked;
    if host.name() != app.config.public_url.host {
        visit.trace.further_host = head.headers.get(HOST).cloned();
    }
    if app.premises.place(target)? != Place::App {
        return Err(Refusal::OwnEndpoint);
    }
    if !original::is_handed_on_as_judged(&head.uri, target) {
        return Err(Refusal::Original(original::OriginalError::Unsettled));
    }
    // The proxy hands them on as they are, and the app would serve another method than was judged (threat 64).
    if app.rules.method_overrides() == MethodOverrides::Drop && fields.asks_for_another_method() {
        return Err(Refusal::Original(original::OriginalError::MethodOverride));
    }
    let started = visit.trace.started;
    let request = Judgeable { method: &head.method, headers: &head.headers, body: BodyPresence::Unknown };
    let Judged { decision, guest, on_anonymous, .. } =
        judge(worker, &asked, &request, client, started, &mut visit.trace.guest).await?;
    match decision {
        Decision::Permit(_) if is_handshake && !app.front.owns_origin_of(&head.headers) => {
            Err(Refusal::Forward(forward::Error::ForeignOrigin))
        }
        Decision::Permit(_) => Ok(passed(app, guest, started)),
        Decision::SignIn => anonymous::answer(apps, app, visit, client, (target, head), on_anonymous, redirects).await,
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
    let identity = guest.map(|guest| &guest.made().identity);
    if app.config.upstream.is_none() {
        app.front.tell(headers, identity, now);
    } else if let Some(identity) = identity {
        identity.put_claims_into(headers);
    }
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
