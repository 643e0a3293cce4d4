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

use http::{HeaderMap, Response, StatusCode, request};

use super::{App, Apps, Body, Visit, answer, refusal::Refusal};
use crate::{
    login::{Begin, Initiative, ReturnTarget},
    request::{Client, Target},
};

/// Whether a navigation is sent on to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Redirects {
    /// It is.
    Yes,
    /// It is, by an answer with one cookie at most: a proxy passes it on.
    WithOneCookie,
    /// It is not: whoever asked says 401 in its own way.
    Never,
}

/// A navigation is sent on to sign in; everything else is told where it could.
pub(super) async fn answer(
    apps: &Apps,
    app: &App,
    visit: &Visit<'_>,
    client: &Client<'_>,
    target: &Target,
    head: &request::Parts,
    redirects: Redirects,
) -> Result<Response<Body>, Refusal> {
    if !visit.audience.may_be_redirected() || redirects == Redirects::Never {
        return Err(Refusal::Anonymous);
    }
    let target = ReturnTarget::parse(target.path_and_query().as_str(), &app.login.origins);
    if app.login.parties.len() > 1 {
        return Ok(answer::sign_in_redirect(app, &target));
    }
    apps.sign_ins.check(client, &head.headers)?;
    begin(app, target, &head.headers, redirects).await
}

async fn begin(
    app: &App,
    target: ReturnTarget,
    headers: &HeaderMap,
    redirects: Redirects,
) -> Result<Response<Body>, Refusal> {
    let start = answer::start_redirect(app, &target);
    let begin = Begin { provider: None, target, prompt: None, initiative: Initiative::Automatic, headers };
    let redirect = app.login.start(begin).await?;
    if redirects == Redirects::WithOneCookie && redirect.cookies.len() > 1 {
        return Ok(start);
    }
    Ok(answer::redirect(StatusCode::FOUND, redirect))
}
