//! What of `[[app]]` and its routes says how a request is answered that nobody has signed in for.
//!
//! `cors_preflight` and `allowed_origins` are about browsers: a preflight (Fetch §4.8) and the handshake of a
//! WebSocket (RFC 6455 §10.2) are the two requests in which a page of another origin
//! asks whether it may, and only the app's owner knows.

use crate::config::{
    location,
    section::{Reading, Section, Unique, Wrong},
};

/// How requests from other origins are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// `cors_preflight`
    pub cors_preflight: CorsPreflight,
    /// `allowed_origins`, as a browser writes them in `Origin`.
    pub allowed_origins: Vec<String>,
}

/// `cors_preflight`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CorsPreflight {
    /// As any other request without a session.
    Refuse,
    /// To the app, without identity: it answers for itself.
    Forward,
}

/// `on_anonymous`: what becomes of a request that needs a session and has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAnonymous {
    /// Navigations are sent to sign in, everything else gets 401.
    #[default]
    Auto,
    /// So is every GET and HEAD that may be one, whatever it accepts.
    Redirect,
    /// Everything gets 401.
    Unauthorized,
}

pub(super) fn read_answers(section: &Section<'_>) -> Reading<Answers> {
    let preflight =
        section.choice("cors_preflight", &[("refuse", CorsPreflight::Refuse), ("forward", CorsPreflight::Forward)]);
    let origins = read_origins(section);
    Ok(Answers { cors_preflight: preflight?.unwrap_or(CorsPreflight::Refuse), allowed_origins: origins? })
}

/// `on_anonymous` of a route.
pub(in crate::config) fn read_on_anonymous(section: &Section<'_>) -> Reading<OnAnonymous> {
    use OnAnonymous::{Auto, Redirect, Unauthorized};
    let words = [("auto", Auto), ("redirect", Redirect), ("unauthorized", Unauthorized)];
    Ok(section.choice("on_anonymous", &words)?.unwrap_or_default())
}

fn read_origins(section: &Section<'_>) -> Reading<Vec<String>> {
    let origins = section.list("allowed_origins", parse_origin)?.unwrap_or_default();
    let mut unique = Unique::new("the origin");
    let claims: Vec<_> = origins.iter().map(|origin| unique.claim(section.report(), origin, origin.place)).collect();
    claims.into_iter().collect::<Reading<()>>()?;
    Ok(origins.into_iter().map(|origin| origin.value).collect())
}

/// An origin as a browser serialises it (RFC 6454 §6.2).
fn parse_origin(text: &str) -> Result<String, Wrong> {
    let example = "write, for example, \"https://notes.example.com\"";
    match text {
        "*" => Err(Wrong::new("cannot be \"*\"")
            .why("any page that a visitor looks at could talk to the app with the visitor's session")
            .help("name each origin whose pages may")),
        "null" => Err(Wrong::new("cannot be \"null\"")
            .why("it is what every sandboxed frame and every local file says of itself")
            .help("name each origin whose pages may")),
        _ if text.contains('*') => Err(Wrong::new("takes no `*`").help("name each origin whose pages may")),
        _ => location::parse_origin(text)
            .map(|url| url.origin().ascii_serialization())
            .map_err(|wrong| wrong.help(example)),
    }
}
