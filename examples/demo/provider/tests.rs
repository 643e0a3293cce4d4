//! The provider by its wire: what a client that nobody here wrote would see.

use std::{cell::RefCell, time::Duration};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use url::Url;
use vestibule::{
    clock::{ManualClock, Timestamp},
    config::provider::SigningAlgorithm,
};

use super::*;

mod honesty;
mod mischief;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// RFC 7636, appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "http://app.test/_vestibule/callback";

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }

    /// Where it leads, and with which parameters.
    fn redirect(&self) -> (String, Vec<(String, String)>) {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text());
        let url = Url::parse(self.headers[header::LOCATION].to_str().expect("ASCII")).expect("a URL");
        let target = url[..url::Position::AfterPath].to_owned();
        (target, url.query_pairs().into_owned().collect())
    }

    fn parameter(&self, name: &str) -> Option<String> {
        self.redirect().1.into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }
}

/// A browser and a client in one, against a provider of its own.
struct Stage {
    provider: Provider,
    hand: ManualClock,
    http: HttpClient<HttpConnector, Full<Bytes>>,
    cookie: RefCell<Option<String>>,
}

impl Stage {
    async fn new() -> Self {
        Self::signing_with(SigningAlgorithm::ES256).await
    }

    async fn signing_with(algorithm: SigningAlgorithm) -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_unix(1_800_000_000));
        let signing_key = Arc::new(SigningKey::generate(algorithm).expect("a key pair"));
        let options = Options { clock, ..Options::signing_with(signing_key) };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let provider = Provider::start(listener, options).expect("an address");
        provider.register(Client::vestibule("wiki", "s3cret+/:%", &Url::parse("http://app.test").expect("a URL")));
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        Self { provider, hand, http, cookie: RefCell::new(None) }
    }

    async fn try_send(
        &self,
        request: http::request::Builder,
        body: String,
    ) -> Result<Answered, Box<dyn std::error::Error>> {
        let mut request = request.body(Full::new(Bytes::from(body)))?;
        if let Some(cookie) = &*self.cookie.borrow() {
            request.headers_mut().insert(header::COOKIE, cookie.parse()?);
        }
        let (head, body) = self.http.request(request).await?.into_parts();
        if let Some(cookie) = head.headers.get(header::SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().map(str::to_owned);
            self.cookie.replace(pair);
        }
        Ok(Answered { status: head.status, headers: head.headers, body: body.collect().await?.to_bytes() })
    }

    async fn get(&self, path: &str) -> Answered {
        let request = Request::get(self.at(path));
        self.try_send(request, String::new()).await.expect("an answer")
    }

    async fn post(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answered {
        let mut request = Request::post(self.at(path)).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.try_send(request, encoded(form)).await.expect("an answer")
    }

    fn at(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.provider.issuer()) }
    }

    async fn authorize(&self, changes: &[(&str, &str)]) -> Answered {
        self.get(&format!("/oidc/authorize?{}", authorization(changes))).await
    }

    async fn click(&self, person: &str) -> Answered {
        self.post(&format!("/oidc/sign_in?{}", authorization(&[])), &[("person", person)], &[]).await
    }

    async fn code(&self, person: &str) -> String {
        self.click(person).await.parameter("code").expect("a code")
    }

    async fn redeem(&self, code: &str, changes: &[(&str, &str)], headers: &[(&str, &str)]) -> Answered {
        let base = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.post("/oidc/token", &changed(&base, changes), headers).await
    }

    async fn tokens(&self, person: &str) -> Value {
        let code = self.code(person).await;
        let answer = self.redeem(&code, &[], &[("authorization", &basic())]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()
    }
}

/// Parameters with some replaced; an empty value takes one away.
fn changed<'a>(base: &[(&'a str, &'a str)], changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = base.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    kept.chain(changes).filter(|(_, value)| !value.is_empty()).copied().collect()
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn authorization(changes: &[(&str, &str)]) -> String {
    let base = [
        ("client_id", "wiki"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid profile email"),
        ("state", "st&te"),
        ("nonce", "n0nce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    encoded(&changed(&base, changes))
}

/// The id and secret of the client, each form-urlencoded first.
fn basic() -> String {
    format!("Basic {}", BASE64.encode(b"wiki:s3cret%2B%2F%3A%25"))
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("three parts");
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).expect("base64url")).expect("JSON")
}
