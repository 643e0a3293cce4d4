//! Header fields as a log may show them.
//!
//! Names are shown, and the values of those that cannot carry a credential. A list
//! of what is shown rather than of what is hidden: every app has a token header
//! of its own that no list of ours would know.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Shown as they are.
const SHOWN: [HeaderName; 22] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::ACCESS_CONTROL_REQUEST_HEADERS,
    header::ACCESS_CONTROL_REQUEST_METHOD,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::DATE,
    header::EXPECT,
    header::HOST,
    header::ORIGIN,
    header::RANGE,
    header::RETRY_AFTER,
    header::SERVER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::USER_AGENT,
    header::VARY,
    header::VIA,
];

/// Shown as they are, too; `http` has no constants for them.
const SHOWN_PREFIXES: [&str; 1] = ["sec-fetch-"];

/// URLs: shown up to their query.
const WITHOUT_QUERY: [HeaderName; 3] = [header::LOCATION, header::REFERER, header::CONTENT_LOCATION];

/// A view for logs; values that may be secret read `…`.
#[derive(Clone, Copy)]
pub struct RedactedHeaders<'h>(pub &'h HeaderMap);

impl fmt::Display for RedactedHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(f, "{separator}{name}: {}", shown(name, value).escape_ascii())?;
            if shown(name, value).len() < value.len() {
                f.write_str("…")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for RedactedHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The part of a value that may be shown.
fn shown<'v>(name: &HeaderName, value: &'v HeaderValue) -> &'v [u8] {
    let value = value.as_bytes();
    if SHOWN.contains(name) || SHOWN_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix)) {
        value
    } else if WITHOUT_QUERY.contains(name) {
        value.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
    } else {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_125_no_credential_is_shown() {
        for name in [
            "authorization",
            "proxy-authorization",
            "cookie",
            "set-cookie",
            "x-forwarded-access-token",
            "x-vestibule-assertion",
            "x-csrf-token",
            "x-api-key",
            "sec-websocket-protocol",
            "x-forwarded-uri",
            "www-authenticate",
            "dpop",
        ] {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static("Bearer canary"))]);
            assert_eq!(RedactedHeaders(&headers).to_string(), format!("{name}: …"));
            assert_eq!(format!("{:?}", RedactedHeaders(&headers)), format!("{name}: …"));
        }
    }

    #[test]
    fn a_url_is_shown_without_its_query_and_fragment() {
        for (value, shown) in [
            ("https://id.example.com/authorize?state=canary", "location: https://id.example.com/authorize…"),
            ("/callback#id_token=canary", "location: /callback…"),
            ("/pages/start", "location: /pages/start"),
        ] {
            let headers = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_static(value))]);
            assert_eq!(RedactedHeaders(&headers).to_string(), shown);
        }
    }

    #[test]
    fn the_rest_is_one_readable_line() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("wiki.example.com"));
        headers.insert("sec-fetch-mode", HeaderValue::from_static("navigate"));
        headers.insert(header::USER_AGENT, HeaderValue::from_bytes(b"a\t\xfc").unwrap());
        headers.insert(header::COOKIE, HeaderValue::from_static(""));
        assert_eq!(
            RedactedHeaders(&headers).to_string(),
            r"host: wiki.example.com; sec-fetch-mode: navigate; user-agent: a\t\xfc; cookie: "
        );
    }
}
