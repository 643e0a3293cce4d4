//! Registered clients and how they prove who they are at the token endpoint
//! (RFC 6749 §2.3.1, OpenID Connect Core §9): `client_secret_basic`,
//! `client_secret_post`, or `none` where a client has no secret.

use std::sync::Arc;

use data_encoding::BASE64;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use url::Url;
use vestibule::secret::Secret;

use super::{calls::Call, token::TokenError};

/// One relying party. Redirect URIs are compared as exact strings (RFC 9700 §2.1).
#[derive(Debug)]
pub(crate) struct Client {
    /// `client_id`
    pub(crate) id: String,
    /// `client_secret`; `None` = a public client.
    pub(crate) secret: Option<Secret<String>>,
    /// `redirect_uris`
    pub(crate) redirect_uris: Vec<Url>,
    /// `post_logout_redirect_uris`
    pub(crate) post_logout_redirect_uris: Vec<Url>,
}

impl Client {
    /// A client with Vestibule's own two addresses below the public URL of its app.
    pub(crate) fn vestibule(id: &str, secret: &str, public_url: &Url) -> Self {
        let below = |path: &str| {
            let mut url = public_url.clone();
            url.set_path(&format!("{}{path}", public_url.path().trim_end_matches('/')));
            url
        };
        Self {
            id: id.to_owned(),
            secret: Some(Secret::new(secret.to_owned())),
            redirect_uris: vec![below("/_vestibule/callback")],
            post_logout_redirect_uris: vec![below("/_vestibule/signed_out")],
        }
    }
}

/// What a token request says about its sender.
struct Credentials {
    id: String,
    secret: Option<Secret<String>>,
}

/// The client behind a token request, if it is who it says.
pub(super) fn authenticate(clients: &[Arc<Client>], call: &Call) -> Result<Arc<Client>, TokenError> {
    let posted_secret = call.form.get("client_secret").map(|secret| Secret::new(secret.to_owned()));
    let credentials = match (basic(call)?, call.form.get("client_id")) {
        (Some(_), _) if posted_secret.is_some() => {
            return Err(TokenError::InvalidRequest("one way to authenticate, not two (RFC 6749 §2.3)"));
        }
        (Some(basic), Some(id)) if basic.id != id => {
            return Err(TokenError::InvalidRequest("client_id differs from the Authorization header"));
        }
        (Some(basic), _) => basic,
        (None, Some(id)) => Credentials { id: id.to_owned(), secret: posted_secret },
        (None, None) => return Err(TokenError::InvalidClient),
    };
    clients
        .iter()
        .find(|client| client.id == credentials.id && client.secret == credentials.secret)
        .cloned()
        .ok_or(TokenError::InvalidClient)
}

/// Both halves are form-urlencoded before they are joined (RFC 6749 §2.3.1), which many clients forget.
fn basic(call: &Call) -> Result<Option<Credentials>, TokenError> {
    let Some(header) = call.headers.get(AUTHORIZATION) else { return Ok(None) };
    let pair = header
        .to_str()
        .ok()
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|encoded| BASE64.decode(encoded.as_bytes()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or(TokenError::InvalidClient)?;
    let (id, secret) = pair.split_once(':').ok_or(TokenError::InvalidClient)?;
    Ok(Some(Credentials { id: form_decoded(id)?, secret: Some(Secret::new(form_decoded(secret)?)) }))
}

fn form_decoded(value: &str) -> Result<String, TokenError> {
    let spaced = value.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(Into::into).map_err(|_| TokenError::InvalidClient)
}
