//! Sign-out at the provider, begun here (OpenID Connect RP-Initiated Logout 1.0 §2).

use super::discovery::Metadata;
use crate::{config::Provider, secret::Secret};

/// Where the browser goes to end the provider's own session; `None` where it offers no such place.
///
/// `state` is always sent: the return is then known to be ours, and one without it
/// is recognised as any visitor's.
pub(super) fn end_session_url(
    provider: &Provider,
    metadata: &Metadata,
    id_token_hint: Option<&Secret<String>>,
    post_logout_redirect_uri: &str,
    state: &str,
) -> Option<String> {
    let mut url = metadata.end_session_endpoint.clone()?;
    let mut query = url.query_pairs_mut();
    if let Some(hint) = id_token_hint {
        query.append_pair("id_token_hint", hint.expose());
    }
    query
        .append_pair("client_id", &provider.client_id)
        .append_pair("post_logout_redirect_uri", post_logout_redirect_uri)
        .append_pair("state", state);
    drop(query);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relying_party::testing;

    fn url(end_session_endpoint: &str, hint: Option<&str>) -> Option<String> {
        let provider = testing::provider("https://op.example");
        let mut document = testing::document("https://op.example");
        document["end_session_endpoint"] = end_session_endpoint.into();
        let metadata = Metadata::parse(document.to_string().as_bytes(), &provider).expect("metadata");
        let hint = hint.map(|hint| Secret::new(hint.to_owned()));
        end_session_url(&provider, &metadata, hint.as_ref(), "https://wiki.example/_vestibule/signed_out", "s 1")
    }

    #[test]
    fn the_request_names_the_session_the_client_the_way_back_and_a_state() {
        assert_eq!(
            url("https://op.example/end?a=b", Some("h.e.y")).as_deref(),
            Some(
                "https://op.example/end?a=b&id_token_hint=h.e.y&client_id=wiki\
                 &post_logout_redirect_uri=https%3A%2F%2Fwiki.example%2F_vestibule%2Fsigned_out&state=s+1"
            )
        );
        assert!(!url("https://op.example/end", None).expect("a URL").contains("id_token_hint"));
    }

    #[test]
    fn a_provider_without_an_end_session_endpoint_offers_no_such_place() {
        assert_eq!(url("", None), None);
    }
}
