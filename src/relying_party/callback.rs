//! The provider's answer, as the visitor's browser brings it (RFC 6749 §4.1.2, RFC 9207 §2).
//!
//! Anybody can send this query. Here it is only read: one value for each parameter
//! (threat 14; RFC 6749 §3.1 forbids a second), bounded, and in the alphabet that
//! the specification gives it. Whether it belongs to a sign-in of this browser is
//! for `login` to judge.

use openidconnect::{AuthorizationCode, CsrfToken};
use thiserror::Error;
use url::form_urlencoded;

use super::error::ErrorCode;

/// The longest query that is read.
const MAX_QUERY: usize = 16 * 1024;

/// The longest `state`: ours are shorter.
const MAX_STATE: usize = 1024;

/// How much of `error_description` the log gets.
const MAX_DESCRIPTION: usize = 300;

/// What arrived at the callback.
#[derive(Debug)]
pub enum Callback {
    /// None of the parameters: a provider's return after sign-out, or a visitor who typed the URL.
    Empty,
    /// An answer to an authorization request.
    Answer {
        /// Which request it answers.
        state: CsrfToken,
        /// Who says that they answer.
        iss: Option<String>,
        /// What they answer.
        outcome: Outcome,
    },
}

/// Yes or no.
#[derive(Debug)]
pub enum Outcome {
    /// A code to redeem.
    Code(AuthorizationCode),
    /// A refusal.
    Refused {
        /// Its reason.
        error: ErrorCode,
        /// `error_description`, for the log only: anybody can have written it. Control
        /// and direction characters are replaced, and it is cut.
        description: Option<String>,
    },
}

/// Why a query is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CallbackError {
    /// It is too long.
    #[error("the answer is longer than any provider's")]
    TooLarge,
    /// A parameter came twice.
    #[error("a parameter of the answer came twice")]
    Duplicate,
    /// Neither or both of `code` and `error`.
    #[error("the answer has neither or both of `code` and `error`")]
    Outcome,
    /// There is no `state`.
    #[error("the answer has no `state`")]
    State,
    /// A value holds what the specification does not allow.
    #[error("a parameter of the answer holds characters that are not allowed")]
    Characters,
}

impl CallbackError {
    /// The label in metrics and logs.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "callback_too_large",
            Self::Duplicate => "callback_duplicate",
            Self::Outcome => "callback_outcome",
            Self::State => "callback_state",
            Self::Characters => "callback_characters",
        }
    }
}

/// The parameters that mean something here.
#[derive(Default)]
struct Parameters {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Reads the query of a callback; unknown parameters (`session_state` …) are ignored.
pub fn parse_callback(query: Option<&str>) -> Result<Callback, CallbackError> {
    let query = query.unwrap_or_default();
    if query.len() > MAX_QUERY {
        return Err(CallbackError::TooLarge);
    }
    let Parameters { code, state, iss, error, error_description } = Parameters::read(query)?;
    if code.is_none() && state.is_none() && iss.is_none() && error.is_none() {
        return Ok(Callback::Empty);
    }
    let outcome = match (code, error) {
        (Some(code), None) => {
            if !is_vschar(&code) {
                return Err(CallbackError::Characters);
            }
            Outcome::Code(AuthorizationCode::new(code))
        }
        (None, Some(error)) => Outcome::Refused {
            error: ErrorCode::from_name(&error),
            description: error_description.as_deref().map(neutralise),
        },
        (None, None) | (Some(_), Some(_)) => return Err(CallbackError::Outcome),
    };
    let state = state.ok_or(CallbackError::State)?;
    if state.len() > MAX_STATE {
        return Err(CallbackError::TooLarge);
    }
    if !is_vschar(&state) {
        return Err(CallbackError::Characters);
    }
    Ok(Callback::Answer { state: CsrfToken::new(state), iss, outcome })
}

impl Parameters {
    fn read(query: &str) -> Result<Self, CallbackError> {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "code" => &mut parameters.code,
                "state" => &mut parameters.state,
                "iss" => &mut parameters.iss,
                "error" => &mut parameters.error,
                "error_description" => &mut parameters.error_description,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(CallbackError::Duplicate);
            }
        }
        Ok(parameters)
    }
}

/// `1*VSCHAR` (RFC 6749 appendix A.5, A.11)
fn is_vschar(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// Makes a stranger's text harmless in a log line: no line breaks, no escapes, no reordering.
fn neutralise(text: &str) -> String {
    let harmless = |c: char| {
        let reorders =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if c.is_control() || reorders { char::REPLACEMENT_CHARACTER } else { c }
    };
    text.chars().take(MAX_DESCRIPTION).map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(query: &str) -> (String, Option<String>, Outcome) {
        match parse_callback(Some(query)).expect(query) {
            Callback::Answer { state, iss, outcome } => (state.into_secret(), iss, outcome),
            Callback::Empty => panic!("{query} is an answer"),
        }
    }

    #[test]
    fn a_code_comes_with_its_state_and_perhaps_an_issuer() {
        let (state, iss, outcome) = answer("code=a%2Fb%7E&state=s1&iss=https%3A%2F%2Fop.example&session_state=x.y");
        assert_eq!((state.as_str(), iss.as_deref()), ("s1", Some("https://op.example")));
        assert!(matches!(outcome, Outcome::Code(code) if code.secret() == "a/b~"));
    }

    #[test]
    fn a_refusal_keeps_a_bounded_reason_and_a_harmless_description_threat_17() {
        let query = "error=access_denied&state=s&error_description=<script>%0d%0a%1b[31m%E2%80%AEno";
        let (_, _, outcome) = answer(query);
        let Outcome::Refused { error, description } = outcome else { panic!("a refusal") };
        assert_eq!(error, ErrorCode::AccessDenied);
        assert_eq!(description.as_deref(), Some("<script>\u{fffd}\u{fffd}\u{fffd}[31m\u{fffd}no"));

        let (_, _, outcome) = answer(&format!("error=made_up&state=s&error_description={}", "x".repeat(9_000)));
        let Outcome::Refused { error, description } = outcome else { panic!("a refusal") };
        assert_eq!(error, ErrorCode::Other);
        assert_eq!(description.expect("a description").len(), MAX_DESCRIPTION);
    }

    #[test]
    fn a_query_without_our_parameters_is_empty() {
        for query in [None, Some(""), Some("&&"), Some("session_state=1"), Some("utm_source=mail")] {
            assert!(matches!(parse_callback(query), Ok(Callback::Empty)), "{query:?}");
        }
    }

    #[test]
    fn what_is_no_single_clear_answer_is_refused() {
        for (query, why) in [
            ("code=a&code=b&state=s", CallbackError::Duplicate),    // threat 14
            ("code=a&state=s&state=s", CallbackError::Duplicate),   // threat 14
            ("code=a&state=s&%73tate=t", CallbackError::Duplicate), // threat 14, escaped
            ("error=a&error=b&state=s", CallbackError::Duplicate),
            ("code=a&state=s&iss=x&iss=y", CallbackError::Duplicate),
            ("code=a&error=access_denied&state=s", CallbackError::Outcome),
            ("state=s", CallbackError::Outcome),
            ("iss=https://op.example", CallbackError::Outcome),
            ("code=a", CallbackError::State),
            ("error=access_denied", CallbackError::State),
            ("code=&state=s", CallbackError::Characters),
            ("code=a&state=", CallbackError::Characters),
            ("code=a%0d%0aSet-Cookie:x&state=s", CallbackError::Characters),
            ("code=a&state=%00", CallbackError::Characters),
            ("code=%ff%fe&state=s", CallbackError::Characters),
            ("code=a&state=\u{e9}", CallbackError::Characters),
        ] {
            assert_eq!(parse_callback(Some(query)).expect_err(query), why, "{query}");
        }
        let long_query = format!("code={}&state=s", "a".repeat(MAX_QUERY));
        assert_eq!(parse_callback(Some(&long_query)).expect_err("too long"), CallbackError::TooLarge);
        let long_state = format!("code=a&state={}", "s".repeat(MAX_STATE + 1));
        assert_eq!(parse_callback(Some(&long_state)).expect_err("too long"), CallbackError::TooLarge);
    }

    #[test]
    fn debug_shows_neither_code_nor_state() {
        let shown = format!("{:?}", parse_callback(Some("code=c0de-canary&state=st4te-canary")));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
