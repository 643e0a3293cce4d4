//! How our own answers are put together.

use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE, X_CONTENT_TYPE_OPTIONS},
};

use super::{App, Body, refusal::Refusal};
use crate::{
    login::{Origins, ReturnTarget},
    pages,
};

/// A 302 with the cookies that go along.
pub(super) fn redirect(location: &str, cookies: Vec<HeaderValue>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    pages::protect(headers, None);
    // A URL of our own making: what a header cannot hold has been refused where it was read.
    headers.insert(LOCATION, HeaderValue::from_str(location).unwrap_or(HeaderValue::from_static("/")));
    set_cookies(headers, cookies);
    response
}

/// A page; `form_target` is a further origin that its form may lead to.
pub(super) fn page(status: StatusCode, html: String, form_target: Option<&str>) -> Response<Body> {
    let mut response = content(status, "text/html; charset=utf-8", html);
    pages::protect(response.headers_mut(), form_target);
    response
}

/// A JSON document.
pub(super) fn json(status: StatusCode, content_type: &'static str, document: String) -> Response<Body> {
    let mut response = content(status, content_type, document);
    pages::protect(response.headers_mut(), None);
    response
}

pub(super) fn set_cookies(headers: &mut HeaderMap, cookies: Vec<HeaderValue>) {
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
}

fn content(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::own(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The sign-in page, leading to `target`.
pub(super) fn sign_in_url(app: &App, target: &ReturnTarget) -> String {
    let Origins { own, prefix, .. } = &app.login.origins;
    format!("{own}{prefix}/sign_in?{}", query(&[("rd", target.as_str())]))
}

/// A query of form-urlencoded parameters.
pub(super) fn query(parameters: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// A file of our own pages: named by its content, so it may be kept for ever.
pub(super) fn asset(method: &Method, name: &str) -> Result<Response<Body>, Refusal> {
    let asset = pages::asset(name).ok_or(Refusal::NoSuchEndpoint)?;
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Refusal::MethodNotAllowed("GET, HEAD"));
    }
    let mut response = Response::new(Body::own(asset.bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
