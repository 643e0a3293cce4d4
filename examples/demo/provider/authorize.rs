//! The authorization endpoint (OpenID Connect Core §3.1.2) and the sign-in page behind it.
//!
//! Code flow with PKCE S256 (RFC 7636) only, no consent, and `iss` in the response
//! (RFC 9207). There are no passwords: this is a provider for development, and
//! whoever reaches it may be anybody in it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cookie::{Cookie, SameSite};
use http::{HeaderValue, Response, StatusCode, header};
use url::Url;

use super::{
    Inner, SignInPage,
    calls::{Call, Endpoint, Parameters},
    clients::Client,
    issued::{Grant, Session},
    mischief::{Answer, AuthorizationResponse},
    pages, people,
    reply::{page, see_other},
};

/// The provider's own session, not to be mistaken for Vestibule's.
pub(super) const COOKIE: &str = "development_provider";

/// Where the answer goes: a registered address, and no other (RFC 6749 §4.1.2.1).
struct ReturnAddress {
    client: Arc<Client>,
    redirect_uri: Url,
    state: Option<String>,
}

/// A request that has been found valid.
struct AuthorizationRequest {
    nonce: Option<String>,
    code_challenge: String,
    scopes: Vec<String>,
    prompt: Prompt,
    max_age: Option<Duration>,
    login_hint: Option<String>,
}

/// `prompt`, as far as it changes anything where nobody has a password and nobody is asked for consent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prompt {
    /// Absent: ask whoever has no session.
    IfNeeded,
    /// `none`
    Never,
    /// `login`, `select_account` or `consent`
    Always,
}

/// Why there is no code, as the client is told.
#[derive(Debug, thiserror::Error)]
enum AuthorizationError {
    #[error("{0} came twice")]
    Repeated(String),
    #[error("response_type must be code")]
    ResponseType,
    #[error("response_mode must be query")]
    ResponseMode,
    #[error("scope must contain openid")]
    Scope,
    #[error("code_challenge by code_challenge_method S256 is required")]
    CodeChallenge,
    #[error("max_age must be a number of seconds")]
    MaxAge,
    #[error("prompt=none stands alone")]
    Prompt,
    #[error("prompt=none, and nobody is signed in here")]
    LoginRequired,
}

impl AuthorizationError {
    /// RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6
    fn code(&self) -> &'static str {
        match self {
            Self::Repeated(_) | Self::ResponseMode | Self::CodeChallenge | Self::MaxAge | Self::Prompt => {
                "invalid_request"
            }
            Self::ResponseType => "unsupported_response_type",
            Self::Scope => "invalid_scope",
            Self::LoginRequired => "login_required",
        }
    }
}

impl AuthorizationRequest {
    fn parse(parameters: &Parameters) -> Result<Self, AuthorizationError> {
        let get = |name| parameters.get(name).map(str::to_owned);
        if let Some(name) = parameters.repeated() {
            return Err(AuthorizationError::Repeated(name.to_owned()));
        }
        if parameters.get("response_type") != Some("code") {
            return Err(AuthorizationError::ResponseType);
        }
        if parameters.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(AuthorizationError::ResponseMode);
        }
        let scopes: Vec<String> = get("scope").unwrap_or_default().split(' ').map(str::to_owned).collect();
        if !scopes.iter().any(|scope| scope == "openid") {
            return Err(AuthorizationError::Scope);
        }
        let (Some(code_challenge), Some("S256")) = (get("code_challenge"), parameters.get("code_challenge_method"))
        else {
            return Err(AuthorizationError::CodeChallenge);
        };
        let max_age = match parameters.get("max_age").map(str::parse) {
            None => None,
            Some(Ok(seconds)) => Some(Duration::from_secs(seconds)),
            Some(Err(_)) => return Err(AuthorizationError::MaxAge),
        };
        let prompt = match &parameters.get("prompt").unwrap_or_default().split_whitespace().collect::<Vec<_>>()[..] {
            [] => Prompt::IfNeeded,
            ["none"] => Prompt::Never,
            several if several.contains(&"none") => return Err(AuthorizationError::Prompt),
            _ => Prompt::Always,
        };
        Ok(Self { nonce: get("nonce"), code_challenge, scopes, prompt, max_age, login_hint: get("login_hint") })
    }
}

impl Inner {
    /// The authorization request itself.
    pub(super) fn authorize(&self, call: &Call) -> Response<Bytes> {
        self.answer_request(call.parameters(), |back, request| self.decide(call, back, request))
    }

    /// The button of a person was pressed; the authorization request stands in the query.
    pub(super) fn sign_in(&self, call: &Call) -> Response<Bytes> {
        self.answer_request(&call.query, |back, request| match call.form.get("person").and_then(people::find) {
            Some(person) => self.sign_in_as(call, back, request, person),
            None => page(StatusCode::BAD_REQUEST, pages::refused("There is no such person here.")),
        })
    }

    /// Answers a valid request by `answer`, and any other where it may be told.
    fn answer_request(
        &self,
        parameters: &Parameters,
        answer: impl FnOnce(ReturnAddress, AuthorizationRequest) -> Response<Bytes>,
    ) -> Response<Bytes> {
        match self.return_address(parameters) {
            Err(reason) => page(StatusCode::BAD_REQUEST, pages::refused(&reason)),
            Ok(back) => match AuthorizationRequest::parse(parameters) {
                Err(error) => self.send_error(back, &error),
                Ok(request) => answer(back, request),
            },
        }
    }

    fn return_address(&self, parameters: &Parameters) -> Result<ReturnAddress, String> {
        let client = self
            .client(parameters.get("client_id").unwrap_or_default())
            .ok_or("No client is registered by this client_id.")?;
        let wanted = parameters.get("redirect_uri");
        let registered = client.redirect_uris.iter().find(|uri| wanted == Some(uri.as_str())).cloned();
        let redirect_uri = registered.ok_or_else(|| {
            let registered: Vec<_> = client.redirect_uris.iter().map(Url::as_str).collect();
            format!("redirect_uri is not one that {} is registered with: {}.", client.id, registered.join(", "))
        })?;
        Ok(ReturnAddress { client, redirect_uri, state: parameters.get("state").map(str::to_owned) })
    }

    /// A code for whoever has a session that will do, else the sign-in page.
    fn decide(&self, call: &Call, back: ReturnAddress, request: AuthorizationRequest) -> Response<Bytes> {
        let session = call.cookie(COOKIE).and_then(|cookie| self.state().issued.session(cookie).cloned());
        let current = session.as_ref().map(|session| session.person);
        let will_do = |session: &Session| {
            let age = self.clock.now().since(session.auth_time);
            request.prompt != Prompt::Always && request.max_age.is_none_or(|limit| !limit.is_zero() && age <= limit)
        };
        let sign_in_page = self.state().sign_in_page;
        match (session.filter(will_do), sign_in_page) {
            (Some(session), SignInPage::Shown) => self.send_code(back, request, session),
            (Some(session), SignInPage::AnsweredBy(person)) if session.person == person => {
                self.send_code(back, request, session)
            }
            (_, SignInPage::AnsweredBy(person)) => self.sign_in_as(call, back, request, person),
            (None, SignInPage::Shown) if request.prompt == Prompt::Never => {
                self.send_error(back, &AuthorizationError::LoginRequired)
            }
            (None, SignInPage::Shown) => {
                let action = format!("{}?{}", Endpoint::SignIn.path(), query(call.parameters()));
                let hint = request.login_hint.as_deref();
                page(StatusCode::OK, pages::sign_in(&action, &back.client.id, current, hint))
            }
        }
    }

    fn sign_in_as(
        &self,
        call: &Call,
        back: ReturnAddress,
        request: AuthorizationRequest,
        person: &'static people::Person,
    ) -> Response<Bytes> {
        let (cookie, session) = {
            let mut state = self.state();
            if let Some(earlier) = call.cookie(COOKIE) {
                state.issued.end_session(earlier);
            }
            state.issued.open_session(person)
        };
        let mut response = self.send_code(back, request, session);
        response.headers_mut().append(header::SET_COOKIE, set_cookie(&cookie));
        response
    }

    fn send_code(&self, back: ReturnAddress, request: AuthorizationRequest, session: Session) -> Response<Bytes> {
        let code = self.state().issued.issue_code(Grant {
            client_id: back.client.id.clone(),
            redirect_uri: back.redirect_uri.to_string(),
            code_challenge: request.code_challenge,
            nonce: request.nonce,
            scopes: request.scopes,
            session,
        });
        self.send_back(back, vec![("code".to_owned(), code)])
    }

    fn send_error(&self, back: ReturnAddress, error: &AuthorizationError) -> Response<Bytes> {
        let description = ("error_description".to_owned(), error.to_string());
        self.send_back(back, vec![("error".to_owned(), error.code().to_owned()), description])
    }

    fn send_back(&self, back: ReturnAddress, mut parameters: Vec<(String, String)>) -> Response<Bytes> {
        parameters.extend(back.state.map(|state| ("state".to_owned(), state)));
        parameters.push(("iss".to_owned(), self.issuer.clone()));
        let mut response = AuthorizationResponse { redirect_uri: back.redirect_uri, parameters };
        self.bend(Answer::Authorization(&mut response));
        let AuthorizationResponse { mut redirect_uri, parameters } = response;
        redirect_uri.query_pairs_mut().extend_pairs(parameters);
        see_other(&redirect_uri)
    }
}

fn query(parameters: &Parameters) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&parameters.0).finish()
}

fn set_cookie(value: &str) -> HeaderValue {
    let cookie = Cookie::build((COOKIE, value)).path("/oidc").http_only(true).same_site(SameSite::Lax).build();
    HeaderValue::from_str(&cookie.to_string()).expect("base64url and attribute names are header text")
}

/// Takes the cookie away again.
pub(super) fn remove_cookie() -> HeaderValue {
    let cookie = Cookie::build((COOKIE, "")).path("/oidc").max_age(cookie::time::Duration::ZERO).build();
    HeaderValue::from_str(&cookie.to_string()).expect("attribute names are header text")
}
