//! Fields after a body (RFC 9110 §6.5).
//!
//! Many servers merge them into the head. So a visitor must not say there what they
//! must not say in a head (threats 48 and 74), and neither side what belongs into a
//! head only: framing, routing, authentication, what the content is (RFC 9110
//! §6.5.1). All of it is dropped without a word, and the rest passes.

use http::{HeaderMap, HeaderName, header};

use crate::request::{HeaderKind, is_hop_by_hop};

/// Keeps what a visitor may say after a body.
pub(super) fn cleanse_request(trailers: &mut HeaderMap) {
    keep(trailers, |name| HeaderKind::of(name) == HeaderKind::EndToEnd);
}

/// Keeps what an upstream may say after a body.
pub(super) fn cleanse_response(trailers: &mut HeaderMap) {
    keep(trailers, |name| !is_hop_by_hop(name.as_str()));
}

fn keep(trailers: &mut HeaderMap, may_pass: impl Fn(&HeaderName) -> bool) {
    let refused: Vec<_> =
        trailers.keys().filter(|name| belongs_into_a_head(name) || !may_pass(name)).cloned().collect();
    for name in refused {
        trailers.remove(name);
    }
}

fn belongs_into_a_head(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::AUTHORIZATION
            | header::CACHE_CONTROL
            | header::CONTENT_ENCODING
            | header::CONTENT_LENGTH
            | header::CONTENT_RANGE
            | header::CONTENT_TYPE
            | header::COOKIE
            | header::EXPECT
            | header::HOST
            | header::LOCATION
            | header::MAX_FORWARDS
            | header::ORIGIN
            | header::RANGE
            | header::SET_COOKIE
            | header::TRAILER
            | header::WWW_AUTHENTICATE
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn kept(cleanse: fn(&mut HeaderMap)) -> Vec<String> {
        let names = [
            "grpc-status",
            "x-checksum",
            "digest",
            "host",
            "te",
            "transfer-encoding",
            "content-length",
            "content-type",
            "connection",
            "authorization",
            "cookie",
            "set-cookie",
            "trailer",
            "x-forwarded-user",
            "x-forwarded-for",
            "x_checksum",
            "remote-user",
        ];
        let mut trailers = HeaderMap::new();
        for name in names {
            trailers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        cleanse(&mut trailers);
        names.into_iter().filter(|name| trailers.contains_key(*name)).map(str::to_owned).collect()
    }

    #[test]
    fn threat_74_a_visitor_says_nothing_after_a_body_that_belongs_into_a_head_or_is_ours() {
        assert_eq!(kept(cleanse_request), ["grpc-status", "x-checksum", "digest"]);
    }

    #[test]
    fn threat_74_an_upstream_says_nothing_after_a_body_that_belongs_into_a_head() {
        let theirs = ["x-forwarded-user", "x-forwarded-for", "x_checksum", "remote-user"];
        assert_eq!(kept(cleanse_response), [&["grpc-status", "x-checksum", "digest"][..], &theirs].concat());
    }
}
