//! The answer to a request that needs a session and has none (contract section 5).

use http::{Response, StatusCode, request};

use super::{App, Apps, Body, Visit, answer, refusal::Refusal};
use crate::{
    login::{Begin, Initiative, ReturnTarget},
    request::{Audience, Client, Target},
};

/// A navigation is sent on to sign in; everything else is told where it could.
pub(super) async fn answer(
    apps: &Apps,
    app: &App,
    visit: &Visit<'_>,
    client: &Client<'_>,
    target: &Target,
    head: &request::Parts,
) -> Result<Response<Body>, Refusal> {
    if visit.audience != Audience::Navigation {
        return Err(Refusal::Anonymous);
    }
    let target = ReturnTarget::parse(target.path_and_query().as_str(), &app.login.origins);
    if app.login.parties.len() > 1 {
        return Ok(answer::sign_in_redirect(app, &target));
    }
    apps.sign_ins.check(client, &head.headers)?;
    let begin =
        Begin { provider: None, target, prompt: None, initiative: Initiative::Automatic, headers: &head.headers };
    let redirect = app.login.start(begin).await?;
    Ok(answer::redirect(StatusCode::FOUND, redirect))
}
