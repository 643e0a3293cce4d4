//! What a person can do on a page: follow a link or press a button.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

/// Escaped in a query value: everything but RFC 3986's unreserved characters and the slash, which a query may hold.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// One way on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    label: String,
    href: String,
    method: Method,
    window: Window,
    fields: Vec<(&'static str, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    Get,
    Post,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Window {
    Same,
    Whole,
}

impl Action {
    /// A link to a path here or to an `http(s)` URL; anything else (`javascript:`) leads to the app's root.
    pub fn link(label: impl Into<String>, href: &str) -> Self {
        Self {
            label: label.into(),
            href: if is_navigable(href) { href.to_owned() } else { "/".to_owned() },
            method: Method::Get,
            window: Window::Same,
            fields: Vec::new(),
        }
    }

    /// A button that sends a POST, with the same limits to its target.
    pub fn post(label: impl Into<String>, href: &str) -> Self {
        Self { method: Method::Post, ..Self::link(label, href) }
    }

    /// Sends a hidden field along, if this is a button.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    /// Leaves whatever frame the page is shown in.
    #[must_use]
    pub fn in_whole_window(mut self) -> Self {
        self.window = Window::Whole;
        self
    }
}

/// Auto-escaping keeps a URL in its attribute; what it does when followed is decided here.
fn is_navigable(href: &str) -> bool {
    let is_path = href.starts_with('/') && !href.starts_with("//") && !href.starts_with("/\\");
    let has_scheme = |scheme: &str| href.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    let is_url = has_scheme("https://") || has_scheme("http://");
    // Browsers drop tabs and line ends from URLs, so "/\t/host" would be one of another host.
    (is_path || is_url) && !href.contains(|char: char| char.is_ascii_control())
}

/// The URL of one of our endpoints.
pub(super) fn own_url(prefix: &str, endpoint: &str, query: &[(&str, &str)]) -> String {
    let mut url = format!("{prefix}/{endpoint}");
    for (index, (name, value)) in query.iter().enumerate() {
        url.push(if index == 0 { '?' } else { '&' });
        url.push_str(name);
        url.push('=');
        url.extend(utf8_percent_encode(value, QUERY_VALUE));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_path_or_a_web_page_and_nowhere_else() {
        for good in ["/", "/a?b=c#d", "https://id.example.com/x", "HTTP://localhost:8080/"] {
            assert_eq!(Action::link("go", good).href, good);
            assert_eq!(Action::post("go", good).href, good);
        }
        for bad in [
            "",
            "javascript:alert(1)",
            " https://x",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "data:text/html,x",
            "relative",
        ] {
            assert_eq!(Action::link("go", bad).href, "/", "{bad:?}");
            assert_eq!(Action::post("go", bad).href, "/", "{bad:?}");
        }
    }

    #[test]
    fn a_return_address_stays_within_its_parameter() {
        assert_eq!(
            own_url("/_vestibule", "start", &[("provider", "company"), ("rd", "/a b?c=d&e=ü#f")]),
            "/_vestibule/start?provider=company&rd=/a%20b%3Fc%3Dd%26e%3D%C3%BC%23f"
        );
    }
}
