//! The exchange of a code for tokens (RFC 6749 §4.1.3, §5; OpenID Connect Core §3.1.3).
//!
//! One way to authenticate at a time (RFC 6749 §2.3). The answer has a type of our
//! own, since openidconnect's refuses a lifetime written as a string, a missing
//! `token_type`, and a whole answer over one odd member that we never read.

use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http::{
    HeaderValue, Method, Request, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded;

use super::{
    error::{Call, Error, ErrorCode, Rejection, ReplyFault},
    http::{Client, Deadline, Reply},
};
use crate::{
    config::{Provider, provider::ClientAuth},
    secret::Secret,
};

/// What the token endpoint gave; the ID token is not yet judged.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) id_token: Secret<String>,
    pub(super) access_token: Secret<String>,
    pub(super) refresh_token: Option<Secret<String>>,
    pub(super) expires_in: Option<Duration>,
}

/// A code, and what proves that it is ours to redeem. No `Debug`: both are secrets until they are redeemed.
pub(super) struct Grant<'a> {
    pub(super) code: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) code_verifier: &'a str,
}

/// Redeems a code.
pub(super) async fn exchange(
    client: &Client,
    provider: &Provider,
    client_auth: &ClientAuth,
    token_endpoint: &Uri,
    grant: &Grant<'_>,
    deadline: Deadline,
) -> Result<Tokens, Error> {
    let request = request(provider, client_auth, token_endpoint, grant)?;
    read(&client.send(Call::Token, request, deadline).await?)
}

/// The request that redeems a code.
pub(super) fn request(
    provider: &Provider,
    client_auth: &ClientAuth,
    token_endpoint: &Uri,
    grant: &Grant<'_>,
) -> Result<Request<Full<Bytes>>, Error> {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", grant.code),
        ("redirect_uri", grant.redirect_uri),
        ("code_verifier", grant.code_verifier),
    ];
    // RFC 8707 §2.2: some give a token for them only where the request says so once more.
    form.extend(provider.parameters.resources.iter().map(|resource| ("resource", resource.as_str())));
    authenticated(&provider.client_id, client_auth, token_endpoint, &form)
}

/// Whether it was refused because of who we are, and not because of what we asked (RFC 6749 §5.2).
pub(super) fn is_refusal_of_the_client(error: &Error) -> bool {
    match error {
        Error::Refused { call: Call::Token, code } => *code == ErrorCode::InvalidClient,
        // The same without a word about it.
        Error::Reply { call: Call::Token, fault } => *fault == ReplyFault::Status(401),
        _ => false,
    }
}

/// A form request that says who we are in the one configured way.
fn authenticated(
    client_id: &str,
    client_auth: &ClientAuth,
    endpoint: &Uri,
    form: &[(&str, &str)],
) -> Result<Request<Full<Bytes>>, Error> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    let authorization = match client_auth {
        ClientAuth::Basic(secret) => Some(basic(client_id, secret)?),
        ClientAuth::Post(secret) => {
            body.append_pair("client_id", client_id).append_pair("client_secret", secret.expose());
            None
        }
        ClientAuth::None => {
            body.append_pair("client_id", client_id);
            None
        }
    };
    let mut request = Request::new(Full::from(body.finish()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = endpoint.clone();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, authorization);
    }
    Ok(request)
}

/// RFC 6749 §2.3.1: both parts are form-urlencoded first, so that any punctuation survives.
fn basic(client_id: &str, secret: &Secret<String>) -> Result<HeaderValue, Error> {
    let encode = |part: &str| form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>();
    let credentials = Secret::new(format!("{}:{}", encode(client_id), encode(secret.expose())));
    let header = Secret::new(format!("Basic {}", BASE64.encode(credentials.expose().as_bytes())));
    let mut value = HeaderValue::from_str(header.expose())
        .map_err(|_| Error::Refused { call: Call::Token, code: ErrorCode::InvalidClient })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The members that we read; a success and an error share the type, since some
/// providers answer an error with status 200.
#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    token_type: Option<String>,
    id_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<Value>,
    error: Option<String>,
}

/// Reads what came of it.
pub(super) fn read(reply: &Reply) -> Result<Tokens, Error> {
    let answer: Result<Answer, _> = serde_json::from_slice(&reply.body);
    if let Ok(Answer { error: Some(error), .. }) = &answer {
        let code = match reply.status {
            // That of a client that is not believed (RFC 6749 §5.2), whatever it is called: Keycloak says
            // `unauthorized_client`, Auth0 `access_denied`.
            StatusCode::UNAUTHORIZED => ErrorCode::InvalidClient,
            _ => ErrorCode::from_name(error),
        };
        return Err(Error::Refused { call: Call::Token, code });
    }
    if reply.status != StatusCode::OK {
        return Err(Error::Reply { call: Call::Token, fault: ReplyFault::Status(reply.status.as_u16()) });
    }
    let answer = answer.map_err(|_| Error::Reply { call: Call::Token, fault: ReplyFault::Malformed })?;
    // Required by RFC 6749 §5.1, forgotten by some; another type would need another way to use the token.
    if answer.token_type.is_some_and(|token_type| !token_type.eq_ignore_ascii_case("Bearer")) {
        return Err(Rejection::TokenType.into());
    }
    let present = |token: Option<String>| token.filter(|token| !token.is_empty()).map(Secret::new);
    Ok(Tokens {
        id_token: present(answer.id_token).ok_or(Rejection::IdTokenMissing)?,
        access_token: present(answer.access_token).ok_or(Rejection::AccessToken)?,
        refresh_token: present(answer.refresh_token),
        expires_in: answer.expires_in.as_ref().and_then(lifetime),
    })
}

/// `expires_in`: a number of seconds, by some written as a string. It only says when
/// to refresh, so one that makes no sense is as good as none.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    seconds.map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
