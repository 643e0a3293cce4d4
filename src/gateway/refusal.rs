//! Every error becomes an answer here, and nowhere else.
//!
//! One exhaustive mapping: a new error does not compile until somebody has said
//! what its visitor is told. The inner text goes to the log with the request id;
//! the visitor gets the outer text, the same id, and a way on.

use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE},
};
use thiserror::Error;

use super::{App, Apps, Body, Visit, answer};
use crate::{
    access::Denial,
    forward, login,
    pages::{self, Action, RefusalPage},
    relying_party,
    request::{Audience, FramingError, TargetError},
    session, upstream,
};

/// Why a request was not let through, or not to its end.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    /// The message is framed in a way that somebody could read differently.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// The target could be read differently.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No app has this host.
    #[error("no app has this host")]
    UnknownHost,
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
    /// A form that none of our pages sends.
    #[error("the form is too large or broke off")]
    Form,
    /// More sign-ins than one client may begin.
    #[error("too many sign-ins from this client")]
    TooManySignIns,
    /// The sessions cannot be read.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// Signing in or out went wrong.
    #[error(transparent)]
    Login(login::Error),
    /// The way through went wrong.
    #[error(transparent)]
    Forward(#[from] forward::Error),
}

impl From<login::Error> for Refusal {
    fn from(error: login::Error) -> Self {
        match error {
            login::Error::Session(error) => Self::Session(error),
            error => Self::Login(error),
        }
    }
}

/// What a person is told, and what they can do.
struct Telling {
    status: StatusCode,
    heading: &'static str,
    explanation: &'static str,
    way_on: WayOn,
}

/// Buttons and links of a refusal's page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WayOn {
    /// Nothing that a button could do.
    Nothing,
    /// Begin to sign in.
    SignIn,
    /// Sign in as somebody else, or sign out.
    AnotherAccount,
    /// Back to the app's root.
    Home,
    /// The same once more.
    Again,
}

const fn telling(status: StatusCode, heading: &'static str, explanation: &'static str, way_on: WayOn) -> Telling {
    Telling { status, heading, explanation, way_on }
}

impl Refusal {
    /// A label for log and metrics, one of a fixed set.
    fn reason(&self) -> &'static str {
        match self {
            Self::Framing(_) => "ambiguous_framing",
            Self::Target(_) => "ambiguous_target",
            Self::UnknownHost => "unknown_host",
            Self::Anonymous => "anonymous",
            Self::Denied(denial) => denial.reason(),
            Self::NoSuchEndpoint => "no_such_endpoint",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::ForeignForm => "foreign_form",
            Self::Form => "form",
            Self::TooManySignIns => "too_many_sign_ins",
            Self::Session(_) => "sessions_unavailable",
            Self::Login(error) => error.reason(),
            Self::Forward(forward::Error::ForeignOrigin) => "foreign_origin",
            Self::Forward(forward::Error::SessionEnded) => "session_ended",
            Self::Forward(forward::Error::Upstream(error)) => error.reason(),
        }
    }

    /// What the visitor is told. No wildcard: each error says it for itself.
    fn telling(&self) -> Telling {
        match self {
            Self::Framing(error) => telling(
                error.status(),
                "This request cannot be understood",
                "It is put together in a way that two servers could read differently, so it was not passed on.",
                WayOn::Home,
            ),
            Self::Target(_) => telling(
                StatusCode::BAD_REQUEST,
                "This address cannot be understood",
                "It could be read in more than one way, so it was not passed on. Check the link that led here.",
                WayOn::Home,
            ),
            Self::UnknownHost => telling(
                StatusCode::MISDIRECTED_REQUEST,
                "Nothing lives at this address",
                "No application is set up here under the name that your browser asked for.",
                WayOn::Nothing,
            ),
            Self::Anonymous => telling(
                StatusCode::UNAUTHORIZED,
                "Sign in to go on",
                "This part of the application is for people who are signed in, and you are not, or no longer.",
                WayOn::SignIn,
            ),
            Self::Denied(denial) => Self::tell_denied(*denial),
            Self::NoSuchEndpoint => telling(
                StatusCode::NOT_FOUND,
                "There is nothing here",
                "This address belongs to the sign-in service, which has no such page.",
                WayOn::Home,
            ),
            Self::MethodNotAllowed(_) => telling(
                StatusCode::METHOD_NOT_ALLOWED,
                "This does not work that way",
                "The page exists, but not for this kind of request.",
                WayOn::Home,
            ),
            Self::ForeignForm => telling(
                StatusCode::FORBIDDEN,
                "This came from another site",
                "A page of another site tried to do this in your name. If it was you, open the application and do it there.",
                WayOn::Home,
            ),
            Self::Form => telling(
                StatusCode::PAYLOAD_TOO_LARGE,
                "This form cannot be read",
                "What arrived is not what our page would have sent. Go back and try once more.",
                WayOn::Home,
            ),
            Self::TooManySignIns => telling(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many sign-ins at once",
                "More sign-ins were begun from your network than one usually needs. Wait a minute and try again.",
                WayOn::Again,
            ),
            Self::Session(_) => telling(
                StatusCode::SERVICE_UNAVAILABLE,
                "Sign-ins cannot be checked at the moment",
                "The place where they are kept does not answer. You are still signed in; try again in a moment.",
                WayOn::Again,
            ),
            Self::Login(error) => Self::tell_login(error),
            Self::Forward(forward::Error::ForeignOrigin) => telling(
                StatusCode::FORBIDDEN,
                "This came from another site",
                "A page of another site tried to open a connection in your name.",
                WayOn::Home,
            ),
            Self::Forward(forward::Error::SessionEnded) => telling(
                StatusCode::UNAUTHORIZED,
                "You have been signed out",
                "Your session ended while this page was loading. Sign in to go on.",
                WayOn::SignIn,
            ),
            Self::Forward(forward::Error::Upstream(error)) => match error {
                upstream::Error::Connect(_) | upstream::Error::Broken(_) => telling(
                    StatusCode::BAD_GATEWAY,
                    "The application does not answer",
                    "You are signed in, but the application behind this page cannot be reached. Try again in a moment.",
                    WayOn::Again,
                ),
                upstream::Error::ConnectTimeout | upstream::Error::FirstByteTimeout => telling(
                    StatusCode::GATEWAY_TIMEOUT,
                    "The application takes too long",
                    "You are signed in, but the application behind this page did not answer in time. Try again in a moment.",
                    WayOn::Again,
                ),
            },
        }
    }

    fn tell_denied(denial: Denial) -> Telling {
        let explanation = match denial {
            Denial::NotListed => {
                "This account is not on the list of those who may enter. If you have another account, use that one; else ask whoever runs the application."
            }
            Denial::EmailNotVerified => {
                "This account's e-mail address has not been verified, so it cannot be matched with the list of those who may enter. Verify it with your provider and sign in again."
            }
            Denial::DeniedByRule => {
                "A rule of this application keeps this account out. If you have another account, use that one; else ask whoever runs the application."
            }
            Denial::OtherProvider => {
                "This account comes from a sign-in service that this application does not accept. Sign in with another one."
            }
        };
        telling(StatusCode::FORBIDDEN, "You cannot enter with this account", explanation, WayOn::AnotherAccount)
    }

    fn tell_login(error: &login::Error) -> Telling {
        match error {
            login::Error::UnknownProvider => telling(
                StatusCode::BAD_REQUEST,
                "No such sign-in service",
                "The link asks for a sign-in service that this application does not have.",
                WayOn::SignIn,
            ),
            login::Error::StateMissing => telling(
                StatusCode::BAD_REQUEST,
                "This sign-in was not begun here",
                "The answer of the sign-in service fits no sign-in of this browser: it may have been begun in another browser, or cookies are blocked. Begin anew.",
                WayOn::SignIn,
            ),
            login::Error::StateReplayed => telling(
                StatusCode::BAD_REQUEST,
                "This sign-in is over",
                "Its answer has been used before. Begin anew.",
                WayOn::SignIn,
            ),
            login::Error::ExpiredAgain => telling(
                StatusCode::BAD_REQUEST,
                "This sign-in took too long",
                "It was begun anew once and took too long again. Begin when you have your credentials at hand.",
                WayOn::SignIn,
            ),
            login::Error::Loop(_) => telling(
                StatusCode::BAD_REQUEST,
                "Your browser does not keep the session",
                "Signing in worked several times, but your browser came back each time without our cookie. Allow cookies for this site, and check that its clock is right.",
                WayOn::SignIn,
            ),
            login::Error::Callback(_) => telling(
                StatusCode::BAD_REQUEST,
                "This answer cannot be read",
                "What came back from the sign-in service is not an answer that it should give. Begin anew.",
                WayOn::SignIn,
            ),
            login::Error::Refused(_) => telling(
                StatusCode::FORBIDDEN,
                "The sign-in service said no",
                "It did not let this sign-in happen, or it was cancelled there. You can try again, also with another account.",
                WayOn::SignIn,
            ),
            login::Error::Provider(error) if error.is_timeout() => telling(
                StatusCode::GATEWAY_TIMEOUT,
                "The sign-in service takes too long",
                "It did not answer in time. Whoever is signed in already can go on; try again in a moment.",
                WayOn::SignIn,
            ),
            login::Error::Provider(_) => telling(
                StatusCode::BAD_GATEWAY,
                "The sign-in service does not do its part",
                "It cannot be reached, or its answer did not stand up to our checks. Try again in a moment; if it stays so, tell whoever runs the application.",
                WayOn::SignIn,
            ),
            login::Error::Session(_) | login::Error::Stopping => telling(
                StatusCode::SERVICE_UNAVAILABLE,
                "Not at the moment",
                "The service is being restarted. Try again in a moment.",
                WayOn::Again,
            ),
        }
    }

    /// The answer; logs and counts it.
    pub(super) fn answer(&self, apps: &Apps, visit: &Visit) -> Response<Body> {
        let telling = self.telling();
        let (app, id) = (visit.trace.app.as_deref(), visit.trace.id.as_str());
        self.log(telling.status, visit);
        if let Some(app) = app {
            app.meter.refused(self.reason());
        }
        let html = matches!(visit.audience, Audience::Navigation | Audience::FrameOrUnsafeNavigation);
        let mut response = if html {
            let page = self.page(apps, app, visit, &telling);
            answer::page(telling.status, page, None)
        } else {
            let sign_in = app.filter(|_| telling.status == StatusCode::UNAUTHORIZED).map(|app| {
                let login::Origins { own, prefix, .. } = &app.login.origins;
                format!("{own}{prefix}/start")
            });
            let problem = pages::problem(telling.status, telling.heading, telling.explanation, id, sign_in.as_deref());
            answer::json(telling.status, "application/problem+json", problem)
        };
        for (name, value) in self.headers(app) {
            response.headers_mut().insert(name, value);
        }
        response
    }

    fn page(&self, apps: &Apps, app: Option<&App>, visit: &Visit, telling: &Telling) -> String {
        let account = match self {
            Self::Denied(_) => visit.trace.session.as_ref().map(|session| session.visitor().account_label()),
            _ => None,
        };
        let actions = app.map(|app| ways_on(app, visit, telling.way_on)).unwrap_or_default();
        apps.pages.refusal(&RefusalPage {
            app_name: app.map_or("Vestibule", |app| &app.config.name),
            heading: telling.heading,
            explanation: telling.explanation,
            account,
            actions: &actions,
            request_id: visit.trace.id.as_str(),
        })
    }

    fn headers(&self, app: Option<&App>) -> Vec<(HeaderName, HeaderValue)> {
        match self {
            Self::Anonymous | Self::Forward(forward::Error::SessionEnded) => {
                let realm = app.map_or("vestibule", |app| app.config.id.as_str());
                let challenge = HeaderValue::from_str(&format!("Bearer realm=\"{realm}\""));
                challenge.map(|challenge| vec![(WWW_AUTHENTICATE, challenge)]).unwrap_or_default()
            }
            Self::MethodNotAllowed(allowed) => vec![(ALLOW, HeaderValue::from_static(allowed))],
            Self::TooManySignIns => vec![(RETRY_AFTER, HeaderValue::from_static("60"))],
            Self::Session(_) | Self::Login(login::Error::Session(_) | login::Error::Stopping) => {
                vec![(RETRY_AFTER, HeaderValue::from_static("5"))]
            }
            Self::Framing(_)
            | Self::Target(_)
            | Self::UnknownHost
            | Self::Denied(_)
            | Self::NoSuchEndpoint
            | Self::ForeignForm
            | Self::Form
            | Self::Login(_)
            | Self::Forward(_) => Vec::new(),
        }
    }

    /// One line for each refusal; what is nobody's fault is said quietly.
    fn log(&self, status: StatusCode, visit: &Visit) {
        let app = visit.trace.app.as_deref().map_or("-", |app| app.config.id.as_str());
        let (request_id, reason, client) = (visit.trace.id.as_str(), self.reason(), visit.trace.client);
        let subject = visit.trace.session.as_ref().map(|session| session.visitor().subject.as_str());
        let provider_fault = matches!(self, Self::Login(login::Error::Provider(error)) if !matches!(error, relying_party::Error::Rejected(_)));
        if status.is_server_error() || provider_fault {
            tracing::warn!(request_id, reason, app, %client, subject, status = status.as_u16(), error = %self, "refused");
        } else if matches!(self, Self::Anonymous) {
            tracing::debug!(request_id, reason, app, %client, status = status.as_u16(), "refused");
        } else {
            tracing::info!(request_id, reason, app, %client, subject, status = status.as_u16(), error = %self, "refused");
        }
    }
}
