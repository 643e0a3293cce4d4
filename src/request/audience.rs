//! What the sender of a request can do with an answer of ours.
//!
//! A page that the visitor is about to look at may be sent to the provider; a
//! script's call, a frame or a prefetch must not be: it breaks there, and leaves
//! login cookies behind. Fetch Metadata says which it is; browsers send it to
//! trustworthy origins only, so that plain http and older clients are told by `Accept`.

use http::{HeaderMap, HeaderValue, Method, header, request::Parts};

use super::Fields;

/// For whom an answer of ours is, by the table of the contract's section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A document that the visitor navigates to: may be redirected.
    Navigation,
    /// A page, but in a frame or answering a form: a redirect would not work or lose what was sent.
    FrameOrUnsafeNavigation,
    /// A change of protocol, to a WebSocket above all.
    WebSocket,
    /// Scripts, images, prefetches, API clients.
    Other,
}

impl Audience {
    /// Judges by what the request says about itself; nothing here is a matter of trust.
    pub fn of(parts: &Parts, fields: &Fields<'_>) -> Self {
        if fields.upgrade(parts).is_some() {
            return Self::WebSocket;
        }
        if fields.speculative {
            return Self::Other;
        }
        let safe = matches!(parts.method, Method::GET | Method::HEAD);
        match (fields.fetch_mode.map(HeaderValue::as_bytes), fields.fetch_destination.map(HeaderValue::as_bytes)) {
            (Some(b"navigate"), Some(b"document")) if safe => Self::Navigation,
            (Some(b"navigate"), Some(b"document" | b"iframe" | b"frame" | b"fencedframe" | b"embed" | b"object")) => {
                Self::FrameOrUnsafeNavigation
            }
            (Some(b"websocket"), _) => Self::WebSocket,
            (Some(_), _) | (None, Some(_)) => Self::Other,
            (None, None) if fields.scripted || !accepts_html(&parts.headers) => Self::Other,
            (None, None) if safe => Self::Navigation,
            (None, None) => Self::FrameOrUnsafeNavigation,
        }
    }

    /// Whether a request may be a navigation although it does not say so: one in a frame, or of a client that says
    /// nothing about itself. What a browser calls something else, and what a script or a prefetch sends, is none.
    pub fn may_be_navigation(self, parts: &Parts) -> bool {
        let safe = matches!(parts.method, Method::GET | Method::HEAD);
        match self {
            Self::Navigation => true,
            Self::FrameOrUnsafeNavigation => safe,
            Self::WebSocket => false,
            Self::Other => {
                let fields = Fields::read(&parts.headers);
                let says_nothing = fields.fetch_mode.is_none() && fields.fetch_destination.is_none();
                safe && says_nothing && !fields.scripted && !fields.speculative
            }
        }
    }

    /// Whether an answer of ours is a page; `application/problem+json` otherwise.
    pub const fn wants_html(self) -> bool {
        match self {
            Self::Navigation | Self::FrameOrUnsafeNavigation => true,
            Self::WebSocket | Self::Other => false,
        }
    }
}

/// Whether `Accept` names HTML itself; `*/*` is what scripts and command lines send.
fn accepts_html(headers: &HeaderMap) -> bool {
    let is_html = |range: &[u8]| {
        let mut parts = range.split(|&b| b == b';').map(<[u8]>::trim_ascii);
        let html = parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case(b"text/html"));
        html && !parts.any(|parameter| matches!(parameter, b"q=0" | b"q=0.0" | b"q=0.00" | b"q=0.000"))
    };
    headers.get_all(header::ACCEPT).iter().any(|line| line.as_bytes().split(|&b| b == b',').any(is_html))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn the_audience_follows_the_table_of_answers() {
        use Audience::{FrameOrUnsafeNavigation, Navigation, Other, WebSocket};
        const NAVIGATE: (&str, &str) = ("sec-fetch-mode", "navigate");
        const DOCUMENT: (&str, &str) = ("sec-fetch-dest", "document");
        const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        for (method, headers, audience) in [
            ("GET", &[NAVIGATE, DOCUMENT, HTML][..], Navigation),
            ("HEAD", &[NAVIGATE, DOCUMENT], Navigation),
            ("POST", &[NAVIGATE, DOCUMENT, HTML], FrameOrUnsafeNavigation),
            ("GET", &[NAVIGATE, ("sec-fetch-dest", "iframe"), HTML], FrameOrUnsafeNavigation),
            ("GET", &[NAVIGATE, ("sec-fetch-dest", "embed"), HTML], FrameOrUnsafeNavigation),
            ("GET", &[NAVIGATE, ("sec-fetch-dest", "empty"), HTML], Other),
            ("GET", &[NAVIGATE, HTML], Other),
            // a script that asks for HTML is still a script
            ("GET", &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), HTML], Other),
            ("GET", &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], Other), // favicon
            ("GET", &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "manifest")], Other),
            ("GET", &[("sec-fetch-mode", "same-origin"), ("sec-fetch-dest", "serviceworker")], Other),
            ("GET", &[("sec-fetch-dest", "document"), HTML], Other),
            // prefetches
            ("GET", &[NAVIGATE, DOCUMENT, HTML, ("sec-purpose", "prefetch;prerender")], Other),
            ("GET", &[NAVIGATE, DOCUMENT, HTML, ("purpose", "Prefetch")], Other),
            ("GET", &[HTML, ("x-moz", "prefetch")], Other),
            // without Fetch Metadata
            ("GET", &[HTML], Navigation),
            ("GET", &[("accept", "image/png, Text/HTML;charset=utf-8")], Navigation),
            ("POST", &[HTML], FrameOrUnsafeNavigation),
            ("GET", &[HTML, ("x-requested-with", "XMLHttpRequest")], Other),
            ("GET", &[("accept", "text/html;q=0, application/json")], Other),
            ("GET", &[("accept", "*/*")], Other),
            ("GET", &[("accept", "application/json")], Other),
            ("GET", &[], Other),
            (
                "GET",
                &[("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-key", "x"), HTML],
                WebSocket,
            ),
            ("GET", &[("sec-fetch-mode", "websocket")], WebSocket),
        ] {
            let mut request = Request::builder().method(method);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let parts = request.body(()).expect("a request").into_parts().0;
            assert_eq!(Audience::of(&parts, &Fields::read(&parts.headers)), audience, "{method} {headers:?}");
        }
    }

    #[test]
    fn what_says_that_it_is_no_navigation_is_none() {
        for (method, headers, may_be) in [
            ("GET", &[][..], true),
            ("HEAD", &[("accept", "*/*")], true),
            ("GET", &[("accept", "application/json")], true),
            ("GET", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], true),
            ("GET", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], true),
            ("GET", &[("accept", "text/html")], true),
            ("POST", &[], false),
            ("POST", &[("accept", "text/html")], false),
            ("POST", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], false),
            ("GET", &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")], false),
            ("GET", &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], false),
            ("GET", &[("sec-fetch-mode", "websocket")], false),
            ("GET", &[("connection", "upgrade"), ("upgrade", "tcp")], false),
            ("GET", &[("x-requested-with", "XMLHttpRequest")], false),
            ("GET", &[("purpose", "prefetch")], false),
            (
                "GET",
                &[("sec-purpose", "prefetch"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
                false,
            ),
        ] {
            let mut request = Request::builder().method(method);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let parts = request.body(()).expect("a request").into_parts().0;
            let audience = Audience::of(&parts, &Fields::read(&parts.headers));
            assert_eq!(audience.may_be_navigation(&parts), may_be, "{method} {headers:?}");
        }
    }

    #[test]
    fn pages_are_for_those_who_look_at_them() {
        assert!(Audience::Navigation.wants_html());
        assert!(Audience::FrameOrUnsafeNavigation.wants_html());
        assert!(!Audience::WebSocket.wants_html());
        assert!(!Audience::Other.wants_html());
    }
}
