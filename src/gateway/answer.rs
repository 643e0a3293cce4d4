//! How our own answers are put together.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE},
};
use url::Origin;

use super::{App, Body, Worker, refusal::Refusal};
use crate::{
    login::{Redirect, ReturnTarget},
    pages::{Framing, PAGE_CONTENT_TYPE, PROBLEM_CONTENT_TYPE, Pages, Problem, security_headers},
    request::Target,
};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A redirect with the cookies that go along.
pub(super) fn redirect(status: StatusCode, redirect: Redirect) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, NO_STORE);
    // A URL of our own making: what a header cannot hold has been refused where it was read.
    headers.insert(LOCATION, HeaderValue::from_str(&redirect.location).unwrap_or(HeaderValue::from_static("/")));
    for cookie in redirect.cookies {
        headers.append(SET_COOKIE, cookie);
    }
    response
}

/// A page; `form_origins` are further origins that its forms may lead to.
pub(super) fn page(status: StatusCode, html: String, framing: Framing, form_origins: &[Origin]) -> Response<Body> {
    let mut response = content(status, PAGE_CONTENT_TYPE, html);
    extend(response.headers_mut(), security_headers(framing, form_origins));
    response
}

/// What went wrong, for programs.
pub(super) fn problem(problem: &Problem<'_>) -> Response<Body> {
    let mut response = content(problem.status, PROBLEM_CONTENT_TYPE, problem.to_json());
    extend(response.headers_mut(), security_headers(Framing::Denied, &[]));
    response
}

/// A JSON document.
pub(super) fn json(document: &serde_json::Value) -> Response<Body> {
    let mut response = content(StatusCode::OK, HeaderValue::from_static("application/json"), document.to_string());
    extend(response.headers_mut(), security_headers(Framing::Denied, &[]));
    response
}

/// Public keys: caches may keep them for as long as a new key is published before it signs.
pub(super) fn key_set(keys: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::own(keys));
    let headers = response.headers_mut();
    extend(headers, security_headers(Framing::Denied, &[]));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

/// A file of our own pages: named by its content, so it may be kept for ever.
pub(super) fn asset(pages: &Pages, method: &Method, name: &str) -> Result<Response<Body>, Refusal> {
    let asset = pages.asset(name).ok_or(Refusal::NoSuchEndpoint)?;
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Refusal::MethodNotAllowed("GET, HEAD"));
    }
    let mut response = Response::new(Body::own(asset.bytes));
    extend(response.headers_mut(), asset.headers());
    Ok(response)
}

/// Whether we serve, in a status and nothing else: the probe is anybody's.
pub(super) fn health(worker: &Worker, method: &Method) -> Result<Response<Body>, Refusal> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Refusal::MethodNotAllowed("GET, HEAD"));
    }
    let mut response = Response::new(Body::empty());
    if worker.leaving.is_cancelled() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    Ok(response)
}

/// Where a sign-in that leads to `target` begins.
pub(super) fn start_url(app: &App, target: &ReturnTarget) -> String {
    format!("{}?{}", app.login.endpoint("/start"), query(&[("rd", target.as_str())]))
}

/// There.
pub(super) fn start_redirect(app: &App, target: &ReturnTarget) -> Response<Body> {
    redirect(StatusCode::FOUND, Redirect { location: start_url(app, target), cookies: Vec::new() })
}

/// The same place under the app's public URL.
pub(super) fn at_public_url(app: &App, target: &Target) -> Response<Body> {
    let location = format!("{}{}", app.login.origins.own, target.path_and_query());
    redirect(StatusCode::FOUND, Redirect { location, cookies: Vec::new() })
}

/// The same place with a slash behind its path, as a web server does it for a folder.
pub(super) fn with_slash(target: &Target) -> Response<Body> {
    let query = target.query().map_or_else(String::new, |query| format!("?{query}"));
    let location = format!("{}/{query}", target.path_and_query().path());
    redirect(StatusCode::FOUND, Redirect { location, cookies: Vec::new() })
}

/// The choice among providers, leading to `target`.
pub(super) fn sign_in_redirect(app: &App, target: &ReturnTarget) -> Response<Body> {
    let location = format!("{}?{}", app.login.endpoint("/sign_in"), query(&[("rd", target.as_str())]));
    redirect(StatusCode::FOUND, Redirect { location, cookies: Vec::new() })
}

fn query(parameters: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

fn content(status: StatusCode, content_type: HeaderValue, text: String) -> Response<Body> {
    let mut response = Response::new(Body::own(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn extend<const N: usize>(headers: &mut HeaderMap, further: [(http::HeaderName, HeaderValue); N]) {
    for (name, value) in further {
        headers.insert(name, value);
    }
}
