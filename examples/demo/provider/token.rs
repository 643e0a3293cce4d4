//! The token endpoint (RFC 6749 §4.1.3, OpenID Connect Core §3.1.3) and the userinfo endpoint (§5.3).

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest;
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{
    Inner,
    calls::Call,
    clients,
    issued::{ACCESS_TOKEN_LIFETIME, Grant},
    mischief::{Answer, IdToken, Signature},
    reply::json,
};

const ID_TOKEN_LIFETIME: Duration = Duration::from_mins(5);

/// Why there are no tokens (RFC 6749 §5.2).
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    #[error("{0}")]
    InvalidRequest(&'static str),
    #[error("the client is unknown, or this is not its secret")]
    InvalidClient,
    #[error("{0}")]
    InvalidGrant(&'static str),
    #[error("grant_type must be authorization_code")]
    UnsupportedGrantType,
}

impl TokenError {
    fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant(_) => "invalid_grant",
            Self::UnsupportedGrantType => "unsupported_grant_type",
        }
    }

    fn into_response(self) -> Response<Bytes> {
        let body = json!({ "error": self.code(), "error_description": self.to_string() });
        match self {
            Self::InvalidClient => {
                let mut response = json(StatusCode::UNAUTHORIZED, &body);
                let challenge = HeaderValue::from_static("Basic realm=\"token\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                response
            }
            Self::InvalidRequest(_) | Self::InvalidGrant(_) | Self::UnsupportedGrantType => {
                json(StatusCode::BAD_REQUEST, &body)
            }
        }
    }
}

impl Inner {
    /// A code becomes tokens, once.
    pub(super) fn token(&self, call: &Call) -> Response<Bytes> {
        match self.redeem(call) {
            Ok(tokens) => json(StatusCode::OK, &tokens),
            Err(error) => error.into_response(),
        }
    }

    fn redeem(&self, call: &Call) -> Result<Value, TokenError> {
        if call.form.repeated().is_some() {
            return Err(TokenError::InvalidRequest("a parameter came twice"));
        }
        let clients = self.state().clients.clone();
        let client = clients::authenticate(&clients, call)?;
        if call.form.get("grant_type") != Some("authorization_code") {
            return Err(TokenError::UnsupportedGrantType);
        }
        let code = call.form.get("code").ok_or(TokenError::InvalidRequest("code is missing"))?;
        let grant =
            self.state().issued.redeem(code).ok_or(TokenError::InvalidGrant("the code is unknown, used or too old"))?;
        if grant.client_id != client.id {
            return Err(TokenError::InvalidGrant("the code was issued to another client"));
        }
        if call.form.get("redirect_uri") != Some(&grant.redirect_uri) {
            return Err(TokenError::InvalidGrant("redirect_uri differs from the authorization request's"));
        }
        let verifier = call.form.get("code_verifier").ok_or(TokenError::InvalidGrant("code_verifier is missing"))?;
        let challenge = BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref());
        if challenge != grant.code_challenge {
            return Err(TokenError::InvalidGrant("code_verifier does not belong to the code_challenge"));
        }

        let access_token = self.state().issued.issue_access_token(code, &grant);
        let id_token = self.id_token(&grant, access_token.clone());
        let mut tokens = json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": ACCESS_TOKEN_LIFETIME.as_secs(),
            "scope": grant.scopes.join(" "),
            "id_token": id_token,
        });
        self.bend(Answer::Token(&mut tokens));
        if let Some(id_token) = tokens["id_token"].as_str() {
            self.state().issued.remember_id_token(id_token.to_owned(), &grant);
        }
        Ok(tokens)
    }

    fn id_token(&self, grant: &Grant, access_token: String) -> String {
        let now = self.clock.now();
        let mut claims = grant.session.person.claims(&grant.scopes);
        let mut say = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        say("iss", json!(self.issuer));
        say("aud", json!(grant.client_id));
        say("iat", json!(now.as_unix()));
        say("exp", json!(now.plus(ID_TOKEN_LIFETIME).as_unix()));
        say("auth_time", json!(grant.session.auth_time.as_unix()));
        say("sid", json!(grant.session.sid));
        if let Some(nonce) = &grant.nonce {
            say("nonce", json!(nonce));
        }
        let key = Arc::clone(&self.state().signing_key);
        let mut token = IdToken {
            header: json!({ "typ": "JWT" }),
            claims: Value::Object(claims),
            signature: Signature::Absent,
            access_token,
        };
        token.sign_with(&key);
        self.bend(Answer::IdToken(&mut token));
        token.compact()
    }

    /// The claims of whom the access token speaks for (RFC 6750 §2.1: in the header only).
    pub(super) fn userinfo(&self, call: &Call) -> Response<Bytes> {
        let bearer = call
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .and_then(|token| self.state().issued.access_token(token).cloned());
        let Some(access) = bearer else {
            let mut response = json(StatusCode::UNAUTHORIZED, &json!({ "error": "invalid_token" }));
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            return response;
        };
        let mut claims = Value::Object(access.person.claims(&access.scopes));
        self.bend(Answer::UserInfo(&mut claims));
        json(StatusCode::OK, &claims)
    }
}
