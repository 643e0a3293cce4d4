//! What HTTP/2 says in its own way, said as HTTP/1.1 says it (RFC 9113 §8.2.3 and §8.3.1).
//!
//! Once, before anything is judged: whoever comes after sees one kind of head, and what is
//! judged is what goes on to an upstream that speaks HTTP/1.1. HTTP/1.1 requests do not come
//! here. The fields that have no place in HTTP/2 (§8.2.2), pseudo-header fields out of order,
//! upper case and the like are refused by the `h2` crate, the stream reset; `tests/it/http2`
//! holds it to that.

use bytes::Bytes;
use http::{
    HeaderValue, Request, StatusCode,
    header::{COOKIE, Entry, HOST},
    request::Parts,
};
use thiserror::Error;

/// Why a head that HTTP/2 allows is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Http2Error {
    /// RFC 9113 §8.3.1: origin-form, or `*`. A URL there would be read by some as another host (threat 60).
    #[error("the :path of an HTTP/2 request must begin with a slash")]
    Path,
}

impl Http2Error {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::Path => StatusCode::BAD_REQUEST,
        }
    }
}

/// Gives a request the `Host` that its `:authority` is, and its cookies in one field.
pub fn settle<B>(request: &mut Request<B>) {
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    let headers = request.headers_mut();
    // Where both are there, `framing::check` sees to it that they agree.
    if let Some(Ok(authority)) = authority
        && let Entry::Vacant(host) = headers.entry(HOST)
    {
        host.insert(authority);
    }
    if headers.get_all(COOKIE).iter().nth(1).is_some() {
        let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        let joined = HeaderValue::from_maybe_shared(Bytes::from(crumbs.join(&b"; "[..])));
        headers.insert(COOKIE, joined.expect("bytes of header values make a header value"));
    }
}

/// Refuses what `h2` lets pass.
pub(super) fn check(parts: &Parts) -> Result<(), Http2Error> {
    let path = parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str);
    if !path.is_some_and(|path| path.starts_with('/') || path == "*") {
        return Err(Http2Error::Path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Version};

    use super::*;

    fn settled(uri: &str, headers: &[(&str, &str)]) -> HeaderMap {
        let mut request = Request::builder().version(Version::HTTP_2).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).expect("a request");
        settle(&mut request);
        request.into_parts().0.headers
    }

    fn values(headers: &HeaderMap, name: http::HeaderName) -> Vec<&str> {
        headers.get_all(name).iter().map(|value| value.to_str().expect("ASCII")).collect()
    }

    #[test]
    fn the_authority_is_the_host_unless_there_is_one() {
        for (uri, headers, host) in [
            ("https://wiki.example.com:8443/", &[][..], &["wiki.example.com:8443"][..]),
            ("https://wiki.example.com/", &[("host", "other.example.com")], &["other.example.com"]),
            ("https://wiki.example.com/", &[("host", "a"), ("host", "b")], &["a", "b"]),
            ("/", &[("host", "wiki.example.com")], &["wiki.example.com"]),
            ("/", &[], &[]),
        ] {
            assert_eq!(values(&settled(uri, headers), HOST), host, "{uri} {headers:?}");
        }
    }

    #[test]
    fn cookie_crumbs_become_one_cookie_field() {
        for (crumbs, cookie) in [
            (&[][..], &[][..]),
            (&["a=1"], &["a=1"]),
            (&["a=1; b=2"], &["a=1; b=2"]),
            (&["a=1", "b=2", "c=3; d=4"], &["a=1; b=2; c=3; d=4"]),
            (&["", "a=1", ""], &["; a=1; "]),
        ] {
            let headers: Vec<_> = crumbs.iter().map(|crumb| ("cookie", *crumb)).collect();
            assert_eq!(values(&settled("/", &headers), COOKIE), cookie, "{crumbs:?}");
        }
    }

    #[test]
    fn threats_60_and_61_a_path_is_in_origin_form_or_the_asterisk() {
        let refused = |path: &str| {
            let mut uri = http::uri::Parts::default();
            uri.path_and_query = Some(path.parse().expect("what `http` takes for a path"));
            (uri.scheme, uri.authority) =
                (Some(http::uri::Scheme::HTTPS), Some("wiki.example.com".parse().expect("it")));
            let request =
                Request::builder().uri(http::Uri::from_parts(uri).expect("a URI")).body(()).expect("a request");
            check(&request.into_parts().0).err()
        };
        for path in ["/", "/a?b", "//a", "*"] {
            assert_eq!(refused(path), None, "{path}");
        }
        assert_eq!(refused("?a=b"), Some(Http2Error::Path));
        for path in ["a", "a/b", "http://evil.example/", "*a"] {
            let refused_by_http = path.parse::<http::uri::PathAndQuery>().is_err();
            assert!(refused_by_http || refused(path) == Some(Http2Error::Path), "{path}");
        }
    }
}
