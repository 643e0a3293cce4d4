//! A browser without a screen: a cookie jar, the headers of a navigation, and redirects
//! one at a time, so that a test can look at each.

use bytes::Bytes;
use cookie::Cookie;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use url::Url;

use crate::process::PATIENCE;

/// More hops than any sign-in takes: a loop is a failed test, not an endless one.
const MOST_REDIRECTS: usize = 12;

/// One person's browser.
#[derive(Debug, Default)]
pub(crate) struct Visitor {
    jar: Vec<Kept>,
}

/// A cookie in the jar (RFC 6265 §5.3, as far as loopback addresses need it).
#[derive(Debug)]
struct Kept {
    host: String,
    path: String,
    name: String,
    value: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What was asked for.
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Where it redirects to.
    pub(crate) fn location(&self) -> Option<Url> {
        let location = self.headers.get(header::LOCATION)?.to_str().expect("a Location is ASCII");
        Some(self.url.join(location).expect("a Location is a URL"))
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("a page is UTF-8")
    }
}

impl Visitor {
    /// Opens an address as a person does; redirects are not followed.
    pub(crate) async fn open(&mut self, url: impl AsRef<str>) -> Answer {
        self.send(Method::GET, url.as_ref(), navigation(), Bytes::new()).await
    }

    /// Opens an address and goes where it leads.
    pub(crate) async fn follow(&mut self, url: impl AsRef<str>) -> Answer {
        let answer = self.open(url).await;
        self.follow_on(answer).await
    }

    /// Submits a form and goes where it leads.
    pub(crate) async fn submit(&mut self, url: impl AsRef<str>, fields: &[(&str, &str)]) -> Answer {
        let answer = self.post(url, fields).await;
        self.follow_on(answer).await
    }

    /// Submits a form of its own page; redirects are not followed.
    pub(crate) async fn post(&mut self, url: impl AsRef<str>, fields: &[(&str, &str)]) -> Answer {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let origin = Url::parse(url.as_ref()).expect("tests ask for valid URLs").origin().ascii_serialization();
        let mut headers = navigation();
        headers.insert("sec-fetch-site", header::HeaderValue::from_static("same-origin"));
        headers.extend([
            (header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().expect("a media type")),
            (header::ORIGIN, origin.parse().expect("an origin is ASCII")),
        ]);
        self.send(Method::POST, url.as_ref(), headers, form.into()).await
    }

    /// Goes from an address of the app to the provider, says who one is, and comes back.
    pub(crate) async fn sign_in(&mut self, url: impl AsRef<str>, person: &str) -> Answer {
        let form = self.follow(url).await;
        assert!(form.text().contains("Sign in at the provider"), "not the provider's form, but {form:?}");
        self.submit(form.url, &[("login", person)]).await
    }

    /// The `Cookie` header of a request to an address, for a program that goes on as this visitor.
    pub(crate) fn cookie(&self, url: &str) -> String {
        self.cookies_for(&Url::parse(url).expect("tests ask for valid URLs"))
    }

    /// Cookies that would be sent to an address, as they would be.
    fn cookies_for(&self, url: &Url) -> String {
        let sent = |kept: &&Kept| url.host_str() == Some(&kept.host) && path_matches(url.path(), &kept.path);
        self.jar.iter().filter(sent).map(|kept| format!("{}={}", kept.name, kept.value)).collect::<Vec<_>>().join("; ")
    }

    async fn follow_on(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..MOST_REDIRECTS {
            match answer.location() {
                Some(next) if answer.status.is_redirection() => answer = self.open(next).await,
                _ => return answer,
            }
        }
        panic!("{MOST_REDIRECTS} redirects, the last to {:?}", answer.location())
    }

    async fn send(&mut self, method: Method, url: &str, mut headers: HeaderMap, body: Bytes) -> Answer {
        let asked = Url::parse(url).expect("tests ask for valid URLs");
        let cookies = self.cookies_for(&asked);
        if !cookies.is_empty() {
            headers.insert(header::COOKIE, cookies.parse().expect("cookies are ASCII"));
        }
        let answer = send(method, url, headers, body).await;
        for set_cookie in answer.headers.get_all(header::SET_COOKIE) {
            self.keep(&answer.url, set_cookie.to_str().expect("a Set-Cookie is ASCII"));
        }
        answer
    }

    fn keep(&mut self, from: &Url, set_cookie: &str) {
        let cookie = Cookie::parse(set_cookie).expect("a Set-Cookie is well formed");
        let host = from.host_str().expect("an http URL has a host").to_owned();
        let path = cookie.path().filter(|path| path.starts_with('/')).unwrap_or("/").to_owned();
        self.jar.retain(|kept| (&*kept.host, &*kept.path, &*kept.name) != (&*host, &*path, cookie.name()));
        let gone = cookie.max_age().is_some_and(|age| !age.is_positive())
            || cookie.expires_datetime().is_some_and(|at| at.unix_timestamp() <= 0);
        if !gone {
            self.jar.push(Kept { host, path, name: cookie.name().to_owned(), value: cookie.value().to_owned() });
        }
    }
}

/// Asks once, as a program does: no cookies, nothing that says "navigation".
pub(crate) async fn get(url: &str) -> Answer {
    send(Method::GET, url, HeaderMap::new(), Bytes::new()).await
}

/// RFC 6265 §5.1.4
fn path_matches(asked: &str, kept: &str) -> bool {
    asked.strip_prefix(kept).is_some_and(|rest| rest.is_empty() || kept.ends_with('/') || rest.starts_with('/'))
}

/// What Chromium sends with a navigation that a person began.
fn navigation() -> HeaderMap {
    [
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "none"),
        ("sec-fetch-user", "?1"),
        ("upgrade-insecure-requests", "1"),
    ]
    .into_iter()
    .map(|(name, value)| (header::HeaderName::from_static(name), header::HeaderValue::from_static(value)))
    .collect()
}

async fn send(method: Method, url: &str, headers: HeaderMap, body: Bytes) -> Answer {
    let client = Client::builder(TokioExecutor::new()).timer(TokioTimer::new()).build_http();
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = url.parse().expect("a URL is a URI");
    *request.headers_mut() = headers;
    let answer = async {
        let (head, body) = client.request(request).await?.into_parts();
        Ok::<_, Box<dyn std::error::Error>>((head, body.collect().await?.to_bytes()))
    };
    let (head, body) = tokio::time::timeout(PATIENCE, answer)
        .await
        .unwrap_or_else(|_| panic!("no answer from {url} within {PATIENCE:?}"))
        .unwrap_or_else(|e| panic!("no answer from {url}: {e}"));
    Answer { url: url.parse().expect("tests ask for valid URLs"), status: head.status, headers: head.headers, body }
}
