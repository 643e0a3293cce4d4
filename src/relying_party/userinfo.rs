//! The `UserInfo` endpoint (OpenID Connect Core §5.3): claims that the ID token lacks.
//!
//! Its answer counts only if its `sub` is that of the ID token (threat 40). A call
//! that was found necessary and fails, fails the sign-in: the claims that it would
//! have brought decide about access, and an error is not a permit.

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header::AUTHORIZATION};
use http_body_util::Full;
use serde_json::{Map, Value};

use super::{
    claims::IdToken,
    discovery::Metadata,
    error::{Call, Error, Rejection, ReplyFault},
    http::{Client, Deadline, Reply},
    visitor,
};
use crate::{
    config::{
        Provider,
        provider::{TrustEmail, UserInfo, standard_scope},
    },
    identity::Subject,
    secret::Secret,
};

/// Where to ask, if this sign-in has something to ask for.
pub(super) fn wanted<'a>(
    provider: &Provider,
    metadata: &'a Metadata,
    id_token: &IdToken,
) -> Result<Option<&'a Uri>, Rejection> {
    let endpoint = metadata.userinfo_endpoint.as_ref();
    match provider.userinfo {
        UserInfo::Never => Ok(None),
        UserInfo::Always => endpoint.map(Some).ok_or(Rejection::UserInfoEndpoint),
        UserInfo::Auto => Ok(endpoint.filter(|_| lacks_a_claim(provider, metadata, id_token))),
    }
}

/// Whether the ID token lacks something that the configuration names and the endpoint may know.
fn lacks_a_claim(provider: &Provider, metadata: &Metadata, id_token: &IdToken) -> bool {
    let names = &provider.claims;
    let lacks = |path: &str| visitor::find(&id_token.claims, path).is_none();
    let lacks_verdict = provider.trust_email == TrustEmail::Verified && lacks("email_verified");
    let named = [&names.user, &names.email, &names.name, &names.preferred_username].map(String::as_str);
    named.into_iter().chain(provider.kept_claims.iter().map(String::as_str)).any(|path| {
        lacks(path) && standard_scope(path).is_none_or(|scope| provider.scopes.iter().any(|asked| asked == scope))
    }) || (lacks_verdict && provider.scopes.iter().any(|asked| asked == "email"))
        || (lacks(&names.groups) && may_know_groups(&names.groups, metadata))
}

/// Nobody may have asked for groups: the claim has a default name. So a provider that
/// lists its claims, and this not among them, is believed.
fn may_know_groups(path: &str, metadata: &Metadata) -> bool {
    path != "groups" || metadata.claims_supported.as_ref().is_none_or(|claims| claims.iter().any(|claim| claim == path))
}

/// Asks, and checks that the answer is about the same person.
pub(super) async fn fetch(
    client: &Client,
    endpoint: &Uri,
    access_token: &Secret<String>,
    subject: &Subject,
    deadline: Deadline,
) -> Result<Map<String, Value>, Error> {
    let bearer = Secret::new(format!("Bearer {}", access_token.expose()));
    let mut authorization = HeaderValue::from_str(bearer.expose()).map_err(|_| Rejection::AccessToken)?;
    authorization.set_sensitive(true);
    let mut request = Request::new(Full::<Bytes>::default());
    *request.uri_mut() = endpoint.clone();
    request.headers_mut().insert(AUTHORIZATION, authorization);
    read(client.send(Call::UserInfo, request, deadline).await?, subject)
}

fn read(reply: Reply, subject: &Subject) -> Result<Map<String, Value>, Error> {
    let signed = reply.is("application/jwt");
    let body = reply.success(Call::UserInfo)?;
    if signed {
        return Err(Rejection::UserInfoSigned.into());
    }
    let mut claims: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|_| Error::Reply { call: Call::UserInfo, fault: ReplyFault::Malformed })?;
    if claims.get("sub").and_then(Value::as_str) != Some(subject.as_str()) {
        return Err(Rejection::UserInfoSubject.into());
    }
    claims.retain(|_, value| !value.is_null());
    Ok(claims)
}

#[cfg(test)]
mod tests;
