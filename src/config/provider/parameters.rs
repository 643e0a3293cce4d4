//! What each authorization request says beside what the flow itself needs.
//!
//! What the flow says is nobody's to set: a second `state` or `redirect_uri` would be one that no check is about. And
//! what has a key of its own is not said by `extra_params`, where nobody would judge it.

use std::time::Duration;

use url::Url;

use crate::config::section::{Placed, Reading, Section, Wrong};

/// Parameters of the authorization request (OpenID Connect Core §3.1.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorizationParameters {
    /// `prompt`: its words; never `none`.
    pub prompt: Vec<String>,
    /// `login_hint`: whom the provider may take the visitor for.
    pub login_hint: Option<String>,
    /// `max_age`, in whole seconds: how long ago the visitor may have signed in at the provider.
    pub max_age: Option<Duration>,
    /// `resource`: for whom the access token is to be (RFC 8707 §2); the token request says it as well.
    pub resources: Vec<String>,
    /// All others, name and value: `acr_values`, `ui_locales`, `domain_hint` and those of `extra_params`.
    pub others: Vec<(String, String)>,
}

/// What the flow says, or what would replace all that it says (RFC 9101 §5).
const OF_THE_FLOW: [&str; 20] = [
    "claims",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "dpop_jkt",
    "grant_type",
    "id_token_hint",
    "nonce",
    "redirect_uri",
    "registration",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// What has a key of its own.
const OF_OTHER_KEYS: [&str; 7] =
    ["acr_values", "domain_hint", "login_hint", "max_age", "prompt", "resource", "ui_locales"];

/// The longest `max_age`.
const MAX_AGE: Duration = Duration::from_hours(24 * 3650);

/// The longest value: all of them stand in one URL, of which many servers take 8 KiB.
const MAX_VALUE: usize = 1024;

pub(super) fn read(section: &Section<'_>) -> Reading<AuthorizationParameters> {
    let prompt = section.optional("prompt", parse_prompt);
    let login_hint = section.optional("login_hint", parse_value);
    let domain_hint = section.optional("domain_hint", parse_value);
    let acr_values = section.list("acr_values", parse_word);
    // Not `0`: the specification means by it that nobody is remembered, and this file that nothing is asked.
    let max_age = section.duration("max_age", Duration::ZERO, Duration::from_secs(1)..=MAX_AGE);
    let ui_locales = section.list("ui_locales", parse_locale);
    let resources = section.list("resource", parse_resource);
    let extra = section.texts("extra_params", parse_name, parse_value);

    let words = |name: &str, list: Option<Vec<Placed<String>>>| {
        let words: Vec<_> = list.unwrap_or_default().into_iter().map(|word| word.value).collect();
        (!words.is_empty()).then(|| (name.to_owned(), words.join(" ")))
    };
    let mut others: Vec<_> =
        [words("acr_values", acr_values?), words("ui_locales", ui_locales?)].into_iter().flatten().collect();
    others.extend(domain_hint?.map(|hint| ("domain_hint".to_owned(), hint.value)));
    others.extend(extra?);
    Ok(AuthorizationParameters {
        prompt: prompt?.map(|prompt| prompt.value).unwrap_or_default(),
        login_hint: login_hint?.map(|hint| hint.value),
        max_age: Some(max_age?).filter(|age| !age.is_zero()),
        resources: resources?.unwrap_or_default().into_iter().map(|resource| resource.value).collect(),
        others,
    })
}

/// Words that the specification or the provider knows.
fn parse_prompt(text: &str) -> Result<Vec<String>, Wrong> {
    let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
    if words.iter().any(|word| word == "none") {
        return Err(Wrong::new("must not contain \"none\"")
            .why("whoever is not signed in at the provider already could never sign in")
            .help("remove the key: then the provider asks only what it has to"));
    }
    let is_word =
        |word: &String| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if words.iter().all(is_word) && text.len() <= MAX_VALUE {
        return Ok(words);
    }
    Err(Wrong::new("must be words with one space between them").help("for example, \"login\" or \"select_account\""))
}

/// One of several in a parameter that separates them by spaces.
fn parse_word(text: &str) -> Result<String, Wrong> {
    if text.contains(char::is_whitespace) || text.is_empty() {
        return Err(Wrong::new("must hold one value in each string, without spaces"));
    }
    parse_value(text)
}

/// RFC 5646 §2.1, as far as its letters go.
fn parse_locale(text: &str) -> Result<String, Wrong> {
    let is_subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if text.len() <= 35 && text.split('-').all(is_subtag) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new("must hold one language in each string").help("for example, [\"de-CH\", \"fr\"]"))
}

/// RFC 8707 §2: an absolute URI without a fragment.
fn parse_resource(text: &str) -> Result<String, Wrong> {
    if Url::parse(text).is_ok() && !text.contains(['#', ' ']) {
        return parse_value(text);
    }
    Err(Wrong::new("must hold one absolute URI in each string, without #")
        .help("for example, [\"https://api.example.com\"]"))
}

fn parse_value(text: &str) -> Result<String, Wrong> {
    if text.chars().any(char::is_control) {
        return Err(Wrong::new("must be one line of text"));
    }
    if text.len() > MAX_VALUE {
        return Err(Wrong::new(format_args!("must have at most {MAX_VALUE} bytes")));
    }
    Ok(text.to_owned())
}

/// The name of a parameter that nothing else says (RFC 6749 appendix A, RFC 9101).
fn parse_name(name: &str) -> Result<(), Wrong> {
    // Not all providers tell `State` from `state`.
    let is_one_of = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if is_one_of(&OF_THE_FLOW) {
        return Err(Wrong::new("is said by the sign-in itself")
            .why("a second one would be checked by nobody, and which of the two the provider takes is its secret")
            .help("remove it"));
    }
    if is_one_of(&OF_OTHER_KEYS) {
        let key = name.to_ascii_lowercase();
        return Err(Wrong::new("has a key of its own").help(format!("write it as `{key}` in [[provider]]")));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(Wrong::new("must be the name of a parameter: letters, digits, `_`, `-`, `.` and `:`"));
    }
    Ok(())
}
