//! Each request as it came in: what the provider answers, and what a test asserts afterwards.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use url::form_urlencoded;

use super::super::serving::{TEXT, respond};

/// What can be asked of the provider.
///
/// All but discovery lie below `/oidc`: a client that guesses instead of reading
/// the metadata fails, and the provider's cookie, scoped to that path, does not
/// travel to the app (cookies do not tell ports apart, RFC 6265 §8.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// OpenID Connect Discovery §4
    Discovery,
    /// `jwks_uri`
    Keys,
    /// `authorization_endpoint`
    Authorization,
    /// Where the sign-in page's buttons lead.
    SignIn,
    /// `token_endpoint`
    Token,
    /// `userinfo_endpoint`
    UserInfo,
    /// `end_session_endpoint`
    EndSession,
    /// Everything else: nobody should come here.
    Unknown,
}

impl Endpoint {
    const ALL: [Self; 7] =
        [Self::Discovery, Self::Keys, Self::Authorization, Self::SignIn, Self::Token, Self::UserInfo, Self::EndSession];

    /// Its path below the issuer.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Discovery => "/.well-known/openid-configuration",
            Self::Keys => "/oidc/keys",
            Self::Authorization => "/oidc/authorize",
            Self::SignIn => "/oidc/sign_in",
            Self::Token => "/oidc/token",
            Self::UserInfo => "/oidc/userinfo",
            Self::EndSession => "/oidc/end_session",
            Self::Unknown => "",
        }
    }

    /// The methods it answers, as `Allow` lists them.
    pub(super) const fn methods(self) -> &'static str {
        match self {
            Self::Discovery | Self::Keys => "GET",
            Self::Authorization | Self::UserInfo | Self::EndSession => "GET, POST",
            Self::SignIn | Self::Token => "POST",
            Self::Unknown => "",
        }
    }

    fn of(path: &str) -> Self {
        Self::ALL.into_iter().find(|endpoint| endpoint.path() == path).unwrap_or(Self::Unknown)
    }
}

/// Names and values of a query or a form, decoded, in the order in which they came.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters(pub(crate) Vec<(String, String)>);

impl Parameters {
    fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The value of a parameter; an empty one counts as absent (RFC 6749 §3.1).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, value)| n == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// A name that stands there twice (forbidden by RFC 6749 §3.1).
    pub(crate) fn repeated(&self) -> Option<&str> {
        let names = || self.0.iter().map(|(name, _)| name);
        names()
            .enumerate()
            .find(|(i, name)| names().take(*i).any(|earlier| earlier == *name))
            .map(|(_, name)| name.as_str())
    }
}

/// One request, read to its end.
#[derive(Clone)]
pub(crate) struct Call {
    /// Which of the provider's endpoints.
    pub(crate) endpoint: Endpoint,
    /// Its method.
    pub(crate) method: Method,
    /// Its path, as it came.
    pub(crate) path: String,
    /// Its query.
    pub(crate) query: Parameters,
    /// Its body, where that is a form.
    pub(crate) form: Parameters,
    /// Its headers.
    pub(crate) headers: HeaderMap,
}

impl Call {
    const LARGEST_BODY: usize = 64 * 1024;

    /// Reads a request, or says what is wrong with its body.
    pub(super) async fn read(request: Request<Incoming>) -> Result<Self, Response<Bytes>> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, Self::LARGEST_BODY).collect().await.map_err(|error| {
            respond(StatusCode::PAYLOAD_TOO_LARGE, TEXT, format!("The body could not be read: {error}\n"))
        })?;
        let is_form = head
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        Ok(Self {
            endpoint: Endpoint::of(head.uri.path()),
            method: head.method,
            path: head.uri.path().to_owned(),
            query: Parameters::parse(head.uri.query().unwrap_or_default().as_bytes()),
            form: if is_form { Parameters::parse(&body.to_bytes()) } else { Parameters::default() },
            headers: head.headers,
        })
    }

    /// The parameters of an endpoint that takes them by query and by form alike (OpenID Connect Core §3.1.2.1).
    pub(super) fn parameters(&self) -> &Parameters {
        if self.method == Method::POST { &self.form } else { &self.query }
    }

    /// The value of a cookie.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }
}

/// Names only: the values are codes, tokens and secrets.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?} {:?}", self.method, self.path, self.query, self.form)
    }
}

/// Names only, as above.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
