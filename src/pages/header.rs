//! The response headers of our own pages.

use http::{HeaderName, HeaderValue, header};
use url::Origin;

/// The media type of every page.
pub const PAGE_CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Who may show a page in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Nobody: a button under a foreign page could be pressed unknowingly.
    Denied,
    /// Pages of the same origin: for the 401 page, whose only link leaves the frame.
    SameOrigin,
}

/// What every page carries: nothing runs, nothing is framed, kept or told to other sites.
///
/// `form_origins` are those that a form may lead to besides ours. Browsers apply
/// `form-action` to the redirects of an answer too (CSP Level 3 §6.4.3), so the
/// sign-out page needs the origin of the provider's end-session endpoint; one that
/// is no scheme-host-port triple is left out. A provider may hand the browser on to
/// others (federation), which nobody can list: such a page allows https at large.
///
/// The referrer policy is `same-origin` and not `no-referrer`, which would make
/// `Origin` read `null` in the POST of our own forms (Fetch, "append a request
/// `Origin` header"), so that it could not be told from another site's. The links
/// of a page say `noreferrer` instead: its URL may hold a code.
pub fn security_headers(framing: Framing, form_origins: &[Origin]) -> [(HeaderName, HeaderValue); 5] {
    let (ancestors, frame_options) = match framing {
        Framing::Denied => ("'none'", "DENY"),
        Framing::SameOrigin => ("'self'", "SAMEORIGIN"),
    };
    let mut policy = String::from("default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'");
    for origin in form_origins.iter().filter(|origin| origin.is_tuple()) {
        policy.push(' ');
        policy.push_str(&origin.ascii_serialization());
    }
    if !form_origins.is_empty() {
        policy.push_str(" https:");
    }
    policy.push_str("; base-uri 'none'; frame-ancestors ");
    policy.push_str(ancestors);
    let policy = HeaderValue::try_from(policy).expect("an origin is serialised in printable ASCII");
    [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static(frame_options)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn threat_108_a_page_is_not_framed_and_runs_nothing() {
        let headers = security_headers(Framing::Denied, &[]);
        assert_eq!(
            headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())),
            [
                "content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                 base-uri 'none'; frame-ancestors 'none'",
                "x-frame-options: DENY",
                "x-content-type-options: nosniff",
                "referrer-policy: same-origin",
                "cache-control: no-store",
            ]
        );
    }

    #[test]
    fn a_page_for_frames_is_shown_in_our_own() {
        let [(_, policy), (_, frame_options), ..] = security_headers(Framing::SameOrigin, &[]);
        assert!(policy.to_str().unwrap().ends_with("frame-ancestors 'self'"));
        assert_eq!(frame_options, "SAMEORIGIN");
    }

    #[test]
    fn a_form_may_lead_to_the_provider_and_its_address_adds_no_directive() {
        let origins = ["https://id.example.com:8443/end;script-src 'unsafe-inline'?x", "data:text/html,x"]
            .map(|url| Url::parse(url).unwrap().origin());
        let [(_, policy), ..] = security_headers(Framing::Denied, &origins);
        assert!(policy.to_str().unwrap().contains("form-action 'self' https://id.example.com:8443 https:; base-uri"));
    }
}
