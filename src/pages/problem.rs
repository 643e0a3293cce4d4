//! The same refusals for programs: RFC 9457.

use http::{HeaderValue, StatusCode};
use serde_json::json;

/// The media type of [`Problem::to_json`] (RFC 9457 §3).
pub const PROBLEM_CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What a program that is no browser is told.
///
/// The type is `about:blank`: the status says it all, and so the title is the
/// status' own phrase (RFC 9457 §4.2.1).
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// The status of the answer.
    pub status: StatusCode,
    /// What happened, for people.
    pub detail: &'a str,
    /// The same as in the log.
    pub request_id: &'a str,
    /// Where a person can sign in, if that would help.
    pub sign_in: Option<&'a str>,
}

impl Problem<'_> {
    /// The body.
    pub fn to_json(&self) -> String {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "request_id": self.request_id,
        });
        if let Some(sign_in) = self.sign_in {
            body["sign_in"] = sign_in.into();
        }
        body.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_where_to_sign_in_only_where_that_helps() {
        let problem = Problem {
            status: StatusCode::UNAUTHORIZED,
            detail: "Sign-in \"needed\"",
            request_id: "0f8a",
            sign_in: Some("https://wiki.example.com/_vestibule/start"),
        };
        let body: serde_json::Value = serde_json::from_str(&problem.to_json()).unwrap();
        assert_eq!(
            body,
            json!({
                "type": "about:blank",
                "title": "Unauthorized",
                "status": 401,
                "detail": "Sign-in \"needed\"",
                "request_id": "0f8a",
                "sign_in": "https://wiki.example.com/_vestibule/start",
            })
        );
        let without = Problem { status: StatusCode::BAD_GATEWAY, sign_in: None, ..problem };
        assert!(!without.to_json().contains("sign_in"));
    }
}
