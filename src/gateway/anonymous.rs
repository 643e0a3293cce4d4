//! The answer to a request that needs a session and has none (contract section 5).
//!
//! `on_anonymous` of a route moves the line between those that are sent on to sign in and
//! those that are told where they could:
//!
//! | | `auto` | `redirect` | `unauthorized` |
//! |---|---|---|---|
//! | a navigation | 302 | 302 | 401 |
//! | another GET or HEAD that may be one: in a frame, or of a client that says nothing about itself | 401 | 302 | 401 |
//! | of which the browser says that it is none, and every prefetch | 401 | 401 | 401 |
//! | POST and all other methods, `WebSocket` | 401 | 401 | 401 |
//!
//! A redirect would lose what an unsafe method carries, and no WebSocket follows one.

use http::{Response, StatusCode, request};

use super::{App, Apps, Body, Visit, answer, refusal::Refusal};
use crate::{
    config::app::OnAnonymous,
    login::{Asks, Begin, Initiative, ReturnTarget},
    request::{Audience, Client, Target},
};

/// How the visitor can be sent on, if at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Redirects {
    /// By us.
    Direct,
    /// By a proxy that passes one cookie on.
    WithOneCookie,
    /// Not: a proxy wants to hear 401.
    None,
}

/// Answers by the table above.
pub(super) async fn answer(
    apps: &Apps,
    app: &App,
    visit: &Visit<'_>,
    client: &Client<'_>,
    (target, head): (&Target, &request::Parts),
    on_anonymous: OnAnonymous,
    redirects: Redirects,
) -> Result<Response<Body>, Refusal> {
    if redirects == Redirects::None || !is_sent_on(on_anonymous, visit.audience, head) {
        return Err(Refusal::Anonymous);
    }
    // Our cookies and the provider's answer belong to the public URL.
    if visit.trace.further_host.is_some() {
        return Ok(answer::at_public_url(app, target));
    }
    let target = ReturnTarget::parse(target.path_and_query().as_str(), &app.login.origins);
    if app.login.parties.len() > 1 {
        return Ok(answer::sign_in_redirect(app, &target));
    }
    apps.sign_ins.check(client, &head.headers)?;
    let start = answer::start_redirect(app, &target);
    let begin = Begin {
        provider: None,
        target,
        asks: Asks::default(),
        initiative: Initiative::Automatic,
        headers: &head.headers,
    };
    let redirect = app.login.start(begin).await?;
    if redirects == Redirects::WithOneCookie && redirect.cookies.len() > 1 {
        return Ok(start);
    }
    Ok(answer::redirect(StatusCode::FOUND, redirect))
}

fn is_sent_on(on_anonymous: OnAnonymous, audience: Audience, head: &request::Parts) -> bool {
    match on_anonymous {
        OnAnonymous::Auto => audience == Audience::Navigation,
        OnAnonymous::Redirect => audience.may_be_navigation(head),
        OnAnonymous::Unauthorized => false,
    }
}
