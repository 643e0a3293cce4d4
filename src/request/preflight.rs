//! Whether a request is the question of a browser before a request of another origin (Fetch §4.8).
//!
//! A browser asks without credentials, so that whoever wants to see it answered by the app
//! has to let it through without a session (`cors_preflight`). Anybody can send one; what
//! passes by this is therefore no more than a browser ever sends: no body, in which something
//! else could hide, and no change of protocols.

use http::{HeaderMap, Method, header};

/// Whether it is an `OPTIONS` that asks for another request's sake, and nothing besides.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    let once = |name: header::HeaderName| headers.get_all(name).iter().count() == 1;
    *method == Method::OPTIONS
        && once(header::ORIGIN)
        && once(header::ACCESS_CONTROL_REQUEST_METHOD)
        && !headers.contains_key(header::TRANSFER_ENCODING)
        && headers.get_all(header::CONTENT_LENGTH).iter().all(|length| length == "0")
        && !headers.contains_key(header::UPGRADE)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_preflight_is_what_a_browser_sends_and_nothing_more() {
        const BROWSER: [(&str, &str); 2] = [("origin", "https://a.example"), ("access-control-request-method", "PUT")];
        for (method, fields, is) in [
            ("OPTIONS", &[][..], true),
            ("OPTIONS", &[("access-control-request-headers", "x-a, content-type")], true),
            ("OPTIONS", &[("content-length", "0")], true),
            ("GET", &[], false),
            ("POST", &[], false),
            ("options", &[], false),
            ("OPTIONS", &[("content-length", "2")], false),
            ("OPTIONS", &[("transfer-encoding", "chunked")], false),
            ("OPTIONS", &[("upgrade", "websocket")], false),
            ("OPTIONS", &[("origin", "https://b.example")], false),
            ("OPTIONS", &[("access-control-request-method", "GET")], false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in BROWSER.iter().chain(fields) {
                headers.append(*name, HeaderValue::from_static(value));
            }
            let method = Method::from_bytes(method.as_bytes()).expect("a token");
            assert_eq!(is_preflight(&method, &headers), is, "{method} {fields:?}");
            headers.remove("origin");
            assert!(!is_preflight(&method, &headers), "{method} {fields:?} of nobody");
        }
    }
}
