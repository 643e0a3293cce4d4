//! Sign-out asked for by a client (OpenID Connect RP-Initiated Logout 1.0).

use bytes::Bytes;
use http::{Response, StatusCode, header};
use url::Url;

use super::{
    Inner,
    authorize::{COOKIE, remove_cookie},
    calls::{Call, Endpoint},
    pages,
    reply::{page, see_other},
};

impl Inner {
    /// Ends the browser's session here and sends it back where the client asked, if that address is registered.
    ///
    /// Who brings no hint of that very session is asked first (§2): a link on any page could end it otherwise.
    pub(super) fn end_session(&self, call: &Call) -> Response<Bytes> {
        let parameters = call.parameters();
        let refuse = |reason: &str| page(StatusCode::BAD_REQUEST, pages::refused(reason));
        let hint = parameters.get("id_token_hint").and_then(|token| self.state().issued.id_token(token).cloned());
        let client_id = match (&hint, parameters.get("client_id")) {
            (Some(hint), Some(id)) if hint.client_id != id => {
                return refuse("client_id and id_token_hint speak of two different clients.");
            }
            (Some(hint), _) => Some(hint.client_id.as_str()),
            (None, id) => id,
        };
        let target = match parameters.get("post_logout_redirect_uri") {
            None => None,
            Some(wanted) => {
                let client = client_id.and_then(|id| self.client(id));
                let registered = client.iter().flat_map(|client| &client.post_logout_redirect_uris);
                match registered.into_iter().find(|uri| uri.as_str() == wanted) {
                    Some(uri) => Some(with_state(uri.clone(), parameters.get("state"))),
                    None => return refuse("post_logout_redirect_uri is not one that this client is registered with."),
                }
            }
        };

        let cookie = call.cookie(COOKIE);
        let session = cookie.and_then(|cookie| self.state().issued.session(cookie).cloned());
        if let Some(session) = &session {
            let is_hinted = hint.is_some_and(|hint| hint.sid == session.sid);
            if !is_hinted && parameters.get("confirmed").is_none() {
                let carried = parameters.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let question = pages::confirm_sign_out(Endpoint::EndSession.path(), session.person, carried);
                return page(StatusCode::OK, question);
            }
        }
        if let Some(cookie) = cookie {
            self.state().issued.end_session(cookie);
        }
        let mut response = match target {
            Some(target) => see_other(&target),
            None => page(StatusCode::OK, pages::signed_out()),
        };
        response.headers_mut().append(header::SET_COOKIE, remove_cookie());
        response
    }
}

fn with_state(mut target: Url, state: Option<&str>) -> Url {
    if let Some(state) = state {
        target.query_pairs_mut().append_pair("state", state);
    }
    target
}
