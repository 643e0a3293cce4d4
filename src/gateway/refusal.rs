//! Every error becomes an answer here, and nowhere else.
//!
//! One exhaustive mapping: a new error does not compile until somebody has said
//! what its visitor is told. The inner text goes to the log with the request id;
//! the visitor gets the outer text, the same id, and a way on.

use std::time::Duration;

use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CONNECTION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE},
    uri::PathAndQuery,
};
use thiserror::Error;

use super::{App, Apps, Body, Visit, answer};
use crate::{
    access::Denial,
    forward,
    login::{self, ReturnTarget},
    pages::{
        Action, Framing, Problem, RefusalPage, UnauthorizedPage,
        text::{self, RefusalText},
    },
    relying_party::{self, ErrorCode, Rejection},
    request::{Audience, BodyError, Fate, FramingError, HeadTooLarge, Outcome, TargetError, original::OriginalError},
    session, upstream,
};

/// Why a request was not let through, or not to its end.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    /// More of a head than anybody needs.
    #[error(transparent)]
    Head(#[from] HeadTooLarge),
    /// The message is framed in a way that somebody could read differently.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// The target could be read differently.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No app has this host.
    #[error("no app has this host")]
    UnknownHost,
    /// The apps of this host lie below other paths.
    #[error("no app of this host has this path")]
    UnknownPath,
    /// The app is not reached through us.
    #[error("the app has no `upstream`: the proxy in front has the way to it, and must not send its requests here")]
    NoUpstream,
    /// Anybody could ask about anything.
    #[error("only a proxy of server.trusted_proxies may ask about other requests")]
    UntrustedAsker,
    /// A proxy asks, and does not say plainly about what.
    #[error(transparent)]
    Original(#[from] OriginalError),
    /// What is ours no proxy has to ask about, and no answer may let a request for it through to the app.
    #[error("the proxy asks about one of our own endpoints, which it must send here as they are")]
    OwnEndpoint,
    /// A session is needed, and this is not the kind of request that could get one.
    #[error("not signed in")]
    Anonymous,
    /// Signed in, and not admitted.
    #[error("not admitted: {}", .0.reason())]
    Denied(Denial),
    /// Not one of our endpoints.
    #[error("no such endpoint")]
    NoSuchEndpoint,
    /// One of our endpoints, asked in a way it does not know.
    #[error("the endpoint takes {0} only")]
    MethodNotAllowed(&'static str),
    /// A form of ours came from a page that is not ours.
    #[error("a page of another origin sent this form")]
    ForeignForm,
    /// The session's cookie goes to other sites' pages too, and one of them sent this, or nobody says who did.
    #[error("a request that may change something came from no page of the app")]
    ForeignRequest,
    /// The request's body is more than the app takes.
    #[error("the request's body is larger than app.limits.body_bytes")]
    BodyTooLarge,
    /// The request's body did not come to its end.
    #[error("the request's body broke off, or is not framed as HTTP has it")]
    BodyBroken,
    /// A form that none of our pages sends.
    #[error("the form is too large or broke off")]
    Form,
    /// A form that arrives too slowly.
    #[error("the form did not arrive in time")]
    SlowForm,
    /// More sign-ins than one client may begin, and when the next may be.
    #[error("more sign-ins from this client than server.limits.sign_ins_per_client")]
    TooManySignIns(Duration),
    /// The sessions cannot be read.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// Signing in or out went wrong.
    #[error("{}", .0.error)]
    Login(login::Failed),
    /// The way through went wrong.
    #[error(transparent)]
    Forward(forward::Error),
}

impl From<login::Error> for Refusal {
    fn from(error: login::Error) -> Self {
        match error {
            login::Error::Session(error) => Self::Session(error),
            error => Self::Login(error.into()),
        }
    }
}

impl From<login::Failed> for Refusal {
    fn from(failed: login::Failed) -> Self {
        Self::Login(failed)
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::BodyTooLarge,
            BodyError::Broken(_) => Self::BodyBroken,
        }
    }
}

impl Refusal {
    /// Why nothing came of a request that was handed on: an upstream that breaks off may only have been told that its
    /// request does not go on.
    pub(super) fn on_the_way(error: forward::Error, body: Option<&Fate>) -> Self {
        match (error, body.map(Fate::outcome)) {
            (forward::Error::Upstream(_), Some(Outcome::TooLarge)) => Self::BodyTooLarge,
            (forward::Error::Upstream(_), Some(Outcome::Broken))
            | (forward::Error::Upstream(upstream::Error::RequestBody(_)), _) => Self::BodyBroken,
            (error, _) => Self::Forward(error),
        }
    }
}

/// How a refusal looks from outside.
struct Telling {
    status: StatusCode,
    text: RefusalText,
    way_on: WayOn,
}

/// What a person can do about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WayOn {
    /// Begin to sign in.
    SignIn,
    /// Sign in as somebody else, or sign out.
    AnotherAccount,
    /// Back to the app's root.
    Home,
    /// The same once more.
    Again,
}

const fn telling(status: StatusCode, text: RefusalText, way_on: WayOn) -> Telling {
    Telling { status, text, way_on }
}

impl Refusal {
    /// A label for log and metrics, one of a fixed set.
    fn reason(&self) -> &'static str {
        match self {
            Self::Head(HeadTooLarge::Target(..)) => "target_too_long",
            Self::Head(HeadTooLarge::Fields(..)) => "too_many_fields",
            Self::Framing(_) => "ambiguous_framing",
            Self::Target(_) => "ambiguous_target",
            Self::UnknownHost => "unknown_host",
            Self::UnknownPath => "unknown_path",
            Self::NoUpstream => "no_upstream",
            Self::UntrustedAsker => "untrusted_asker",
            Self::Original(_) => "ambiguous_original",
            Self::OwnEndpoint => "own_endpoint",
            Self::Anonymous => "anonymous",
            Self::Denied(denial) => denial.reason(),
            Self::NoSuchEndpoint => "no_such_endpoint",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::ForeignForm => "foreign_form",
            Self::ForeignRequest => "foreign_request",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyBroken => "body_broke_off",
            Self::Form => "form",
            Self::SlowForm => "form_too_slow",
            Self::TooManySignIns(_) => "too_many_sign_ins",
            Self::Session(_) => "sessions_unavailable",
            Self::Login(failed) => failed.error.reason(),
            Self::Forward(forward::Error::ForeignOrigin) => "foreign_origin",
            Self::Forward(forward::Error::SessionEnded) => "session_ended",
            Self::Forward(forward::Error::Upstream(error)) => error.reason(),
        }
    }

    /// What the visitor is told. No wildcard: each error says it for itself.
    fn telling(&self) -> Telling {
        use StatusCode as S;
        match self {
            Self::Head(HeadTooLarge::Target(..)) => telling(S::URI_TOO_LONG, text::URI_TOO_LONG, WayOn::Home),
            Self::Head(HeadTooLarge::Fields(..)) => {
                telling(S::REQUEST_HEADER_FIELDS_TOO_LARGE, text::HEADERS_TOO_LARGE, WayOn::Again)
            }
            Self::Framing(FramingError::Method(_)) | Self::MethodNotAllowed(_) => {
                telling(S::METHOD_NOT_ALLOWED, text::METHOD_NOT_ALLOWED, WayOn::Home)
            }
            Self::Framing(error) => telling(error.status(), text::BAD_REQUEST, WayOn::Home),
            Self::NoUpstream => telling(S::MISDIRECTED_REQUEST, text::NOT_THROUGH_HERE, WayOn::Home),
            Self::UntrustedAsker | Self::OwnEndpoint => telling(S::FORBIDDEN, text::FOR_PROXIES_ONLY, WayOn::Home),
            Self::Target(_) | Self::Original(_) | Self::BodyBroken => {
                telling(S::BAD_REQUEST, text::BAD_REQUEST, WayOn::Home)
            }
            Self::UnknownHost | Self::UnknownPath => telling(S::MISDIRECTED_REQUEST, text::MISDIRECTED, WayOn::Again),
            Self::Anonymous | Self::Forward(forward::Error::SessionEnded) => {
                telling(S::UNAUTHORIZED, text::UNAUTHORIZED, WayOn::SignIn)
            }
            Self::Denied(denial) => telling(S::FORBIDDEN, tell_denied(*denial), WayOn::AnotherAccount),
            Self::NoSuchEndpoint => telling(S::NOT_FOUND, text::NOT_FOUND, WayOn::Home),
            Self::ForeignForm | Self::ForeignRequest | Self::Forward(forward::Error::ForeignOrigin) => {
                telling(S::FORBIDDEN, text::FOREIGN_ORIGIN, WayOn::Home)
            }
            Self::Form | Self::BodyTooLarge => telling(S::PAYLOAD_TOO_LARGE, text::BODY_TOO_LARGE, WayOn::Home),
            Self::SlowForm => telling(S::REQUEST_TIMEOUT, text::REQUEST_TIMED_OUT, WayOn::Home),
            Self::TooManySignIns(_) => telling(S::TOO_MANY_REQUESTS, text::TOO_MANY_SIGN_INS, WayOn::Again),
            Self::Session(_) => telling(S::SERVICE_UNAVAILABLE, text::STORE_UNREACHABLE, WayOn::Again),
            Self::Login(failed) => tell_login(&failed.error),
            Self::Forward(forward::Error::Upstream(error)) => match error {
                upstream::Error::Connect(_)
                | upstream::Error::Broken(_)
                | upstream::Error::Coding
                | upstream::Error::UnaskedSwitch => telling(S::BAD_GATEWAY, text::UPSTREAM_UNREACHABLE, WayOn::Again),
                upstream::Error::ConnectTimeout(_)
                | upstream::Error::FirstByteTimeout(_)
                | upstream::Error::UpstreamIdle(_) => {
                    telling(S::GATEWAY_TIMEOUT, text::UPSTREAM_TIMED_OUT, WayOn::Again)
                }
                upstream::Error::RequestBody(_) => telling(S::BAD_REQUEST, text::BAD_REQUEST, WayOn::Home),
                upstream::Error::VisitorIdle(_) => telling(S::REQUEST_TIMEOUT, text::REQUEST_TIMED_OUT, WayOn::Home),
            },
        }
    }

    /// The answer; logs and counts it.
    pub(super) fn answer(&self, apps: &Apps, visit: &Visit<'_>) -> Response<Body> {
        let telling = self.telling();
        self.log(telling.status, visit);
        let app = visit.trace.app.as_deref();
        app.map_or(&apps.unrouted, |app| &app.meter).refused(self.reason());
        let mut response = if visit.audience.wants_html() {
            self.page(apps, app, visit, &telling)
        } else {
            let sign_in =
                app.filter(|_| telling.status == StatusCode::UNAUTHORIZED).map(|app| app.login.endpoint("/start"));
            let problem = Problem {
                status: telling.status,
                detail: if sign_in.is_some() { text::UNAUTHENTICATED.explanation } else { telling.text.explanation },
                request_id: visit.trace.id.as_str(),
                sign_in: sign_in.as_deref(),
            };
            answer::problem(&problem)
        };
        for (name, value) in self.headers(app) {
            response.headers_mut().insert(name, value);
        }
        if let Self::Login(login::Failed { cookie: Some(cookie), .. }) = self {
            response.headers_mut().insert(SET_COOKIE, cookie.clone());
        }
        response
    }

    fn page(&self, apps: &Apps, app: Option<&App>, visit: &Visit<'_>, telling: &Telling) -> Response<Body> {
        let app_name = app.map_or(NAMELESS, |app| &app.config.name);
        let pages = app.map_or(&apps.pages, |app| &app.pages);
        let request_id = visit.trace.id.as_str();
        let anonymous = matches!(self, Self::Anonymous | Self::Forward(forward::Error::SessionEnded));
        if anonymous {
            let target = app.map(|app| page_around(app, visit));
            let return_to = target.as_ref().map_or("/", ReturnTarget::as_str);
            let page = UnauthorizedPage { app_name, return_to, request_id };
            return answer::page(telling.status, pages.unauthorized(&page), Framing::SameOrigin, &[]);
        }
        let account = match self {
            Self::Denied(_) => visit.trace.guest.as_ref().map(|guest| guest.session().visitor().account_label()),
            _ => None,
        };
        let html = pages.refusal(&RefusalPage {
            app_name,
            heading: telling.text.heading,
            explanation: telling.text.explanation,
            account,
            actions: &actions(app, visit, telling.way_on),
            request_id,
        });
        let form_origins = app.map(|app| app.login.provider_origins()).unwrap_or_default();
        answer::page(telling.status, html, Framing::Denied, &form_origins)
    }

    fn headers(&self, app: Option<&App>) -> Vec<(HeaderName, HeaderValue)> {
        match self {
            Self::Anonymous | Self::Forward(forward::Error::SessionEnded) => {
                let realm = app.map_or("vestibule", |app| app.config.id.as_str());
                let challenge = HeaderValue::from_str(&format!("Bearer realm=\"{realm}\""));
                challenge.map(|challenge| vec![(WWW_AUTHENTICATE, challenge)]).unwrap_or_default()
            }
            Self::Framing(FramingError::Method(_)) => {
                vec![(CONNECTION, HeaderValue::from_static("close")), (ALLOW, HeaderValue::from_static(SERVED_METHODS))]
            }
            // Where a message ends is in doubt, or too far off, and so is where the next one would begin.
            Self::Framing(_)
            | Self::Form
            | Self::SlowForm
            | Self::BodyTooLarge
            | Self::BodyBroken
            | Self::Forward(forward::Error::Upstream(
                upstream::Error::VisitorIdle(_) | upstream::Error::RequestBody(_),
            )) => {
                vec![(CONNECTION, HeaderValue::from_static("close"))]
            }
            Self::MethodNotAllowed(allowed) => vec![(ALLOW, HeaderValue::from_static(allowed))],
            Self::TooManySignIns(wait) => vec![(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1))],
            Self::Session(_)
            | Self::Login(login::Failed { error: login::Error::Session(_) | login::Error::Stopping, .. }) => {
                vec![(RETRY_AFTER, HeaderValue::from_static("5"))]
            }
            Self::Head(_)
            | Self::Target(_)
            | Self::UnknownHost
            | Self::UnknownPath
            | Self::NoUpstream
            | Self::UntrustedAsker
            | Self::Original(_)
            | Self::OwnEndpoint
            | Self::Denied(_)
            | Self::NoSuchEndpoint
            | Self::ForeignForm
            | Self::ForeignRequest
            | Self::Login(_)
            | Self::Forward(_) => Vec::new(),
        }
    }

    /// One line for each refusal; what is nobody's fault is said quietly.
    fn log(&self, status: StatusCode, visit: &Visit<'_>) {
        let app = visit.trace.app.as_deref().map_or("-", |app| app.config.id.as_str());
        let (request_id, reason, client) = (visit.trace.id.as_str(), self.reason(), visit.trace.client);
        let subject = visit.trace.guest.as_ref().map(|guest| guest.made().subject.as_str());
        let provider_fault = matches!(self, Self::Login(login::Failed { error: login::Error::Provider(error), .. })
            if !matches!(error, relying_party::Error::Rejected(_)));
        if status.is_server_error() || provider_fault {
            tracing::warn!(request_id, reason, app, %client, subject, status = status.as_u16(), error = %self, "refused");
        } else if matches!(self, Self::Anonymous) {
            tracing::debug!(request_id, reason, app, %client, status = status.as_u16(), "refused");
        } else {
            tracing::info!(request_id, reason, app, %client, subject, status = status.as_u16(), error = %self, "refused");
        }
    }
}

/// What stands for all methods but two where one of these was asked for (RFC 9110 §15.5.6 wants a list).
const SERVED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What a page is headed by where no app was found.
const NAMELESS: &str = "Vestibule";

fn tell_denied(denial: Denial) -> RefusalText {
    match denial {
        Denial::Denied => text::BLOCKED,
        Denial::DeniedByRoute | Denial::NotListedForRoute => text::NOT_THIS_PART,
        Denial::NotListed => text::NOT_ADMITTED,
        Denial::EmailNotVerified => text::EMAIL_NOT_VERIFIED,
        Denial::ProviderNotOfThisApp => text::OTHER_PROVIDER,
    }
}

fn tell_login(error: &login::Error) -> Telling {
    use StatusCode as S;
    match error {
        login::Error::UnknownProvider => telling(S::BAD_REQUEST, text::BAD_REQUEST, WayOn::SignIn),
        // An ID token with another sign-in's nonce is a foreign answer, like a foreign `state` (threat 15).
        login::Error::StateMissing
        | login::Error::StateReplayed
        | login::Error::Callback(_)
        | login::Error::Provider(relying_party::Error::Rejected(Rejection::Nonce)) => {
            telling(S::BAD_REQUEST, text::SIGN_IN_LOST, WayOn::SignIn)
        }
        login::Error::ExpiredAgain => telling(S::BAD_REQUEST, text::SIGN_IN_EXPIRED, WayOn::SignIn),
        login::Error::Loop(_) => telling(S::BAD_REQUEST, text::SIGN_IN_LOOP, WayOn::SignIn),
        login::Error::Refused(ErrorCode::AccessDenied) => {
            telling(S::FORBIDDEN, text::SIGN_IN_DECLINED, WayOn::AnotherAccount)
        }
        login::Error::Refused(_) => telling(S::BAD_REQUEST, text::SIGN_IN_REFUSED, WayOn::SignIn),
        login::Error::Provider(relying_party::Error::TooSlow { .. }) => {
            telling(S::GATEWAY_TIMEOUT, text::PROVIDER_TIMED_OUT, WayOn::SignIn)
        }
        login::Error::Provider(relying_party::Error::Unreachable { .. }) => {
            telling(S::BAD_GATEWAY, text::PROVIDER_UNREACHABLE, WayOn::SignIn)
        }
        login::Error::Provider(
            relying_party::Error::Refused { .. }
            | relying_party::Error::Reply { .. }
            | relying_party::Error::Rejected(_),
        ) => telling(S::BAD_GATEWAY, text::SIGN_IN_UNPROVEN, WayOn::SignIn),
        login::Error::Session(_) => telling(S::SERVICE_UNAVAILABLE, text::STORE_UNREACHABLE, WayOn::Again),
        login::Error::Stopping => telling(S::SERVICE_UNAVAILABLE, text::SHUTTING_DOWN, WayOn::Again),
    }
}

/// The page that a frame or form belongs to, if it is one of this app; else where the visitor was.
fn page_around(app: &App, visit: &Visit<'_>) -> ReturnTarget {
    let referer = visit.referer.as_ref().map(|referer| referer.to_str().unwrap_or_default());
    let here = visit.trace.path.as_ref().filter(|_| visit.audience == Audience::Navigation).map(PathAndQuery::as_str);
    let origins = &app.login.origins;
    let target = referer.or(here).map(|around| ReturnTarget::parse(around, origins));
    // A page of another app is no place where signing in to this one leads.
    target.filter(|target| target.is_here(origins)).unwrap_or_else(|| ReturnTarget::root(origins))
}

/// The buttons and links of a refusal's page: there is always one.
fn actions(app: Option<&App>, visit: &Visit<'_>, way_on: WayOn) -> Vec<Action> {
    let Some(app) = app else {
        // Before an app is known nobody can sign in, and no path is known to be one of an app.
        let label = if way_on == WayOn::Again { text::TRY_AGAIN } else { text::GO_TO_START };
        return vec![Action::link(label, "/")];
    };
    let origins = &app.login.origins;
    let here = visit.trace.path.as_ref().map(PathAndQuery::as_str);
    // What belongs to our own endpoints is no place to come back to.
    let target = here.map_or_else(|| ReturnTarget::root(origins), |here| ReturnTarget::parse(here, origins));
    match way_on {
        WayOn::Home => vec![Action::link(text::GO_TO_START, ReturnTarget::root(origins).as_str())],
        WayOn::Again => vec![Action::link(text::TRY_AGAIN, target.as_str())],
        WayOn::SignIn => vec![Action::link(text::SIGN_IN, &answer::start_url(app, &target))],
        WayOn::AnotherAccount => vec![
            Action::post(text::USE_ANOTHER_ACCOUNT, &app.login.endpoint("/start")).with_field("rd", target.as_str()),
            Action::link(text::SIGN_OUT, &app.login.endpoint("/sign_out")),
        ],
    }
}
