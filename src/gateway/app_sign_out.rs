//! The app's own sign-out ends our session too (`logout_paths`).
//!
//! Otherwise somebody who presses the app's button is signed in again by the next
//! click. Our session ends once the app has answered, whatever route let the request
//! pass, and only where it answered with success or a redirect: an app that refuses a
//! sign-out (its token against forged forms is missing) has signed nobody out. A page of
//! another site cannot end it (threat 9), whatever the app makes of such a request.
//!
//! Any reading of the path will do: to end a session opens nothing. The provider's
//! session and its tokens stay, which `/sign_out` ends.

use http::{HeaderMap, Response, header::SET_COOKIE, request::Parts};

use super::{App, Body, Trace, initiator::Initiator, refusal::Refusal};
use crate::{
    config::access::{PathPattern, SegmentPattern},
    request::Target,
    session::CookieSecret,
};

/// `logout_paths` of an app that has any.
#[derive(Clone, Debug)]
pub struct LogoutPaths(Vec<PathPattern>);

impl LogoutPaths {
    /// None where an app has none, so that its requests do not even ask.
    pub fn new(paths: &[PathPattern]) -> Option<Self> {
        (!paths.is_empty()).then(|| Self(paths.to_vec()))
    }

    fn include(&self, target: &Target) -> bool {
        target.readings().any(|reading| self.0.iter().any(|pattern| matches(pattern, reading.segments())))
    }

    /// The session that is over once the app has answered this request.
    pub(super) fn ending(&self, app: &App, target: &Target, head: &Parts) -> Option<Box<CookieSecret>> {
        if !self.include(target) || Initiator::of(&head.headers, &app.login.origins.own) == Initiator::Foreign {
            return None;
        }
        app.login.cookies.session_secret(&head.headers).map(Box::new)
    }
}

fn matches<'p>(pattern: &PathPattern, mut path: impl Iterator<Item = &'p [u8]>) -> bool {
    let meets = |pattern: &SegmentPattern, segment: &[u8]| match pattern {
        SegmentPattern::Literal(literal) => literal.as_bytes() == segment,
        SegmentPattern::Any => !segment.is_empty(),
    };
    let begins = pattern.segments.iter().all(|pattern| path.next().is_some_and(|segment| meets(pattern, segment)));
    begins && (pattern.and_below || path.next().is_none())
}

/// Ends the session behind an answer of the app; the answer itself passes.
pub(super) async fn end(
    app: &App,
    trace: &mut Trace,
    secret: &CookieSecret,
    mut answer: Response<Body>,
) -> Result<Response<Body>, Refusal> {
    if answer.status().is_client_error() || answer.status().is_server_error() {
        return Ok(answer);
    }
    // What is left of this answer is no longer for the session, and outlives it.
    trace.guest = None;
    let cookies = app.login.leave_with_app(secret).await?;
    let headers: &mut HeaderMap = answer.headers_mut();
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;
    use crate::config::Config;

    fn paths(list: &str) -> LogoutPaths {
        let text = format!(
            "[[provider]]\nid = \"company\"\nissuer = \"https://id.example.com\"\nclient_id = \"wiki\"\n[[app]]\n\
             id = \"wiki\"\npublic_url = \"https://wiki.example.com\"\nupstream = \"http://127.0.0.1:8080\"\n\
             logout_paths = {list}\naccess = {{ policy = \"anyone\" }}\n"
        );
        let config = Config::parse("vestibule.toml", &text).expect("a configuration");
        LogoutPaths::new(&config.apps[0].sign_out.paths).expect("there are some")
    }

    #[test]
    fn a_path_is_meant_in_any_of_its_readings() {
        let paths = paths("[\"/logout\", \"/user/*/exit\", \"/end/**\"]");
        for (target, included) in [
            ("/logout", true),
            ("/logout?next=/", true),
            ("/x/../logout", true),
            ("//logout", true),
            ("/LOGOUT", true),
            ("/logout;jsessionid=1", true),
            ("/%6cogout", true),
            ("/logout/", false),
            ("/logout/x", false),
            ("/x/logout", false),
            ("/logouts", false),
            ("/?logout", false),
            ("/user/7/exit", true),
            ("/user//exit", false),
            ("/user/exit", false),
            ("/user/7/8/exit", false),
            ("/end", true),
            ("/end/a/b", true),
            ("/ending", false),
            ("/", false),
        ] {
            let uri: Uri = target.parse().expect("a target");
            let target = Target::parse(&uri).expect("it may be forwarded");
            assert_eq!(paths.include(&target), included, "{uri}");
        }
    }
}
