//! The request that sends a visitor to the provider (OpenID Connect Core §3.1.2.1;
//! PKCE: RFC 7636, always S256).
//!
//! Each sign-in makes one such URL, so what is the same in all of them is written
//! once, when the metadata arrives. The challenge is hashed here rather than by
//! openidconnect's `PkceCodeChallenge`, which panics on a verifier of the wrong length.

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use openidconnect::{CsrfToken, Nonce, PkceCodeVerifier};
use url::{Origin, Url, form_urlencoded};

use crate::config::Provider;

/// What differs from one sign-in to the next.
#[derive(Debug)]
pub struct AuthorizationRequest<'a> {
    /// Where the answer shall arrive, as registered.
    pub redirect_uri: &'a str,
    /// Binds the answer to the browser.
    pub state: &'a CsrfToken,
    /// Binds the ID token to this sign-in.
    pub nonce: &'a Nonce,
    /// Binds the code to this sign-in; only its hash is sent.
    pub code_verifier: &'a PkceCodeVerifier,
    /// What the provider shall ask.
    pub prompt: Option<Prompt>,
    /// Whom the visitor says to be.
    pub login_hint: Option<&'a str>,
}

/// `prompt`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Nothing: answer at once, or with an error.
    None,
    /// To sign in again.
    Login,
    /// To consent again.
    Consent,
    /// Which account.
    SelectAccount,
}

impl Prompt {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
        }
    }
}

/// The part of the URL that all sign-ins share.
#[derive(Debug)]
pub(super) struct Template {
    prefix: String,
    query_start: usize,
    /// What the configuration asks for where the sign-in itself may ask for more, or for something else.
    prompt: String,
    login_hint: Option<String>,
}

impl Template {
    pub(super) fn new(endpoint: &Url, provider: &Provider) -> Self {
        let mut url = endpoint.clone();
        url.query_pairs_mut() // keeps a query that the endpoint has (RFC 6749 §3.1)
            .append_pair("response_type", "code")
            .append_pair("client_id", &provider.client_id)
            .append_pair("scope", &provider.scopes.join(" "))
            .append_pair("code_challenge_method", "S256");
        let parameters = &provider.parameters;
        if let Some(max_age) = parameters.max_age {
            url.query_pairs_mut().append_pair("max_age", &max_age.as_secs().to_string());
        }
        let resources = parameters.resources.iter().map(|resource| ("resource", resource.as_str()));
        let others = parameters.others.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in resources.chain(others) {
            url.query_pairs_mut().append_pair(name, value);
        }
        let (prompt, login_hint) = (parameters.prompt.join(" "), parameters.login_hint.clone());
        let prefix = String::from(url);
        let query_start = prefix.find('?').map_or(prefix.len(), |mark| mark + 1);
        Self { prefix, query_start, prompt, login_hint }
    }

    pub(super) fn origin(&self) -> Option<Origin> {
        Url::parse(&self.prefix).ok().map(|url| url.origin())
    }

    pub(super) fn url(&self, request: &AuthorizationRequest<'_>) -> String {
        let mut url = String::with_capacity(self.prefix.len() + request.redirect_uri.len() + 256);
        url.push_str(&self.prefix);
        let mut query = form_urlencoded::Serializer::for_suffix(url, self.query_start);
        query
            .append_pair("redirect_uri", request.redirect_uri)
            .append_pair("state", request.state.secret())
            .append_pair("nonce", request.nonce.secret())
            .append_pair("code_challenge", &s256(request.code_verifier));
        let prompt = self.prompt(request.prompt);
        if !prompt.is_empty() {
            query.append_pair("prompt", prompt);
        }
        if let Some(login_hint) = self.login_hint(request) {
            query.append_pair("login_hint", login_hint);
        }
        query.finish()
    }

    /// What this sign-in asks for, else what all do. Not both: Entra ID takes one word only.
    fn prompt(&self, asked: Option<Prompt>) -> &str {
        asked.map_or(self.prompt.as_str(), |prompt| prompt.as_str())
    }

    /// Who chooses among accounts is taken for nobody; some providers refuse to be asked for both.
    fn login_hint<'a>(&'a self, request: &AuthorizationRequest<'a>) -> Option<&'a str> {
        let hint = request.login_hint.or(self.login_hint.as_deref());
        hint.filter(|_| request.prompt != Some(Prompt::SelectAccount))
    }
}

/// RFC 7636 §4.2
fn s256(verifier: &PkceCodeVerifier) -> String {
    BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, verifier.secret().as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{config::provider::AuthorizationParameters, relying_party::testing};

    fn url(endpoint: &str, prompt: Option<Prompt>, login_hint: Option<&str>) -> Url {
        url_with(AuthorizationParameters::default(), endpoint, prompt, login_hint)
    }

    fn url_with(
        parameters: AuthorizationParameters,
        endpoint: &str,
        prompt: Option<Prompt>,
        login_hint: Option<&str>,
    ) -> Url {
        let provider = Provider { parameters, ..testing::provider("https://op.example") };
        let template = Template::new(&endpoint.parse().expect("a URL"), &provider);
        let url = template.url(&AuthorizationRequest {
            redirect_uri: "https://wiki.example/_vestibule/callback",
            state: &CsrfToken::new("st&te".into()),
            nonce: &Nonce::new("n-0S6".into()),
            code_verifier: &PkceCodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into()),
            prompt,
            login_hint,
        });
        Url::parse(&url).expect("a URL")
    }

    #[test]
    fn the_url_asks_for_a_code_and_always_sends_an_s256_challenge() {
        let url = url("https://op.example/authorize", None, None);
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let expected = [
            ("response_type", "code"),
            ("client_id", "wiki"),
            ("scope", "openid profile email"),
            ("code_challenge_method", "S256"),
            ("redirect_uri", "https://wiki.example/_vestibule/callback"),
            ("state", "st&te"),
            ("nonce", "n-0S6"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), // RFC 7636 appendix B
        ];
        assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(url.as_str().starts_with("https://op.example/authorize?response_type=code&"));
    }

    #[test]
    fn a_query_of_the_endpoint_itself_stays_and_hints_are_added() {
        let url = url("https://op.example/a?tenant=1%202", Some(Prompt::Login), Some("ann+x@example.com"));
        let text = url.as_str();
        assert!(text.starts_with("https://op.example/a?tenant=1%202&response_type=code&"), "{text}");
        assert!(text.ends_with("&prompt=login&login_hint=ann%2Bx%40example.com"), "{text}");
    }

    #[test]
    fn what_the_configuration_asks_for_is_asked_each_time() {
        let parameters = AuthorizationParameters {
            max_age: Some(Duration::from_mins(10)),
            resources: ["https://a.example/", "urn:b"].map(str::to_owned).into(),
            others: [("acr_values", "gold silver"), ("audience", "a&b=c")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..AuthorizationParameters::default()
        };
        let url = url_with(parameters, "https://op.example/authorize", None, None);
        let text = url.as_str();
        let asked = "&max_age=600&resource=https%3A%2F%2Fa.example%2F&resource=urn%3Ab\
                     &acr_values=gold+silver&audience=a%26b%3Dc&redirect_uri=";
        assert!(text.contains(asked), "{text}");
    }

    #[test]
    fn what_a_sign_in_asks_for_goes_before_what_the_configuration_asks_for() {
        for (configured, asked, prompt, login_hint) in [
            ("", None, None, Some("ann")),
            ("", Some(Prompt::SelectAccount), Some("select_account"), None),
            ("consent", None, Some("consent"), Some("ann")),
            ("login consent", None, Some("login consent"), Some("ann")),
            ("consent", Some(Prompt::SelectAccount), Some("select_account"), None),
            ("select_account", Some(Prompt::Login), Some("login"), Some("ann")),
            ("consent", Some(Prompt::None), Some("none"), Some("ann")),
        ] {
            let parameters = AuthorizationParameters {
                prompt: configured.split_ascii_whitespace().map(str::to_owned).collect(),
                login_hint: Some("ann".to_owned()),
                ..AuthorizationParameters::default()
            };
            let url = url_with(parameters.clone(), "https://op.example/authorize", asked, None);
            let said = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
            assert_eq!(
                (said("prompt").as_deref(), said("login_hint").as_deref()),
                (prompt, login_hint),
                "{configured} {asked:?}"
            );
            let url = url_with(parameters, "https://op.example/authorize", asked, Some("bob"));
            let names_bob = asked != Some(Prompt::SelectAccount);
            assert_eq!(
                url.as_str().ends_with("&login_hint=bob"),
                names_bob,
                "whom the sign-in names goes first: {url}"
            );
        }
    }
}
