//! Which page had a request sent, as far as the browser says.
//!
//! Fetch Metadata says it of every request to a trustworthy origin; `Origin`
//! (RFC 6454 §7) is there for older browsers, on everything but plain navigations.
//! `Referer` was rejected: pages can leave it out.

use http::{HeaderMap, HeaderValue, header::ORIGIN};

/// The page behind a request, in its relation to the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Initiator {
    /// One of the app's own.
    Own,
    /// One of another origin on the same site: a sibling host, or another port.
    Sibling,
    /// One of another site.
    Foreign,
    /// None: the visitor typed the address, or took a bookmark.
    Visitor,
    /// Nothing is said: no browser of today, or one that has no cookies for us.
    Unsaid,
}

impl Initiator {
    /// Of a request to an app of this origin.
    pub(super) fn of(headers: &HeaderMap, own: &str) -> Self {
        let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        match (header("sec-fetch-site"), header(ORIGIN.as_str())) {
            (Some(b"same-origin"), _) => Self::Own,
            (Some(b"same-site"), _) => Self::Sibling,
            (Some(b"none"), _) => Self::Visitor,
            (None, Some(origin)) if origin == own.as_bytes() => Self::Own,
            (Some(_), _) | (None, Some(_)) => Self::Foreign,
            (None, None) => Self::Unsaid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_says_of_itself_tells_whose_page_it_was() {
        use Initiator::{Foreign, Own, Sibling, Unsaid, Visitor};
        for (site, origin, expected) in [
            (Some("same-origin"), Some("https://evil.example"), Own),
            (Some("same-site"), None, Sibling),
            (Some("cross-site"), Some("https://wiki.example.com"), Foreign),
            (Some("none"), None, Visitor),
            (Some("new-word"), None, Foreign),
            (None, Some("https://wiki.example.com"), Own),
            (None, Some("https://wiki.example.com:8443"), Foreign),
            (None, Some("http://wiki.example.com"), Foreign),
            (None, Some("null"), Foreign),
            (None, Some("https://wiki.example.com.evil.example"), Foreign),
            (None, None, Unsaid),
        ] {
            let fields = [("sec-fetch-site", site), ("origin", origin)];
            let headers = fields.into_iter().filter_map(|(name, value)| {
                Some((http::HeaderName::from_static(name), HeaderValue::from_static(value?)))
            });
            let headers: HeaderMap = headers.collect();
            assert_eq!(Initiator::of(&headers, "https://wiki.example.com"), expected, "{site:?} {origin:?}");
        }
    }
}
