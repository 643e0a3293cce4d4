use http::HeaderMap;
use serde_json::json;

use super::*;

fn answer(status: u16, body: &str) -> Result<Tokens, Error> {
    let status = StatusCode::from_u16(status).expect("a status");
    read(&Reply { status, content_type: None, date: None, body: Bytes::copy_from_slice(body.as_bytes()) })
}

fn request_of(client_auth: &ClientAuth) -> (HeaderMap, Request<Full<Bytes>>, String) {
    let endpoint = Uri::from_static("https://op.example/token");
    let request = authenticated("a:b c~/", client_auth, &endpoint, &[("code", "c")]).expect("a request");
    let body = request.body().clone();
    let body = futures_util::FutureExt::now_or_never(http_body_util::BodyExt::collect(body)).expect("at hand");
    let body = String::from_utf8(body.expect("no error").to_bytes().to_vec()).expect("text");
    (request.headers().clone(), request, body)
}

fn secret() -> Secret<String> {
    Secret::new("p:w/ ä&=+%".to_owned())
}

#[test]
fn each_way_to_authenticate_is_used_alone_and_keeps_any_punctuation() {
    let (headers, request, body) = request_of(&ClientAuth::Basic(secret()));
    let credentials = BASE64.encode(b"a%3Ab+c%7E%2F:p%3Aw%2F+%C3%A4%26%3D%2B%25");
    assert_eq!(headers[AUTHORIZATION], format!("Basic {credentials}"));
    assert!(headers[AUTHORIZATION].is_sensitive());
    assert_eq!(body, "code=c");
    assert_eq!(
        (request.method(), &headers[CONTENT_TYPE]),
        (&Method::POST, &HeaderValue::from_static("application/x-www-form-urlencoded"))
    );

    let (headers, _, body) = request_of(&ClientAuth::Post(secret()));
    assert!(!headers.contains_key(AUTHORIZATION));
    assert_eq!(body, "code=c&client_id=a%3Ab+c%7E%2F&client_secret=p%3Aw%2F+%C3%A4%26%3D%2B%25");

    let (headers, _, body) = request_of(&ClientAuth::None);
    assert!(!headers.contains_key(AUTHORIZATION));
    assert_eq!(body, "code=c&client_id=a%3Ab+c%7E%2F");
}

#[test]
fn what_the_field_sends_is_accepted() {
    let minute = Some(Duration::from_mins(1));
    for (more, expires_in) in [
        (json!({ "token_type": "Bearer", "expires_in": 60 }), minute),
        (json!({ "token_type": "bEARER", "expires_in": "60" }), minute),
        (json!({ "token_type": null, "expires_in": null, "error": null }), None),
        (json!({ "expires_in": -1, "scope": ["a"], "refresh_token": "" }), None),
        (json!({ "expires_in": "soon", "ext_expires_in": 3600 }), None),
        (json!({ "expires_in": 1e300 }), None),
    ] {
        let mut body = json!({ "id_token": "i", "access_token": "a" });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let tokens = answer(200, &body.to_string()).expect("accepted");
        assert_eq!((tokens.id_token.expose().as_str(), tokens.access_token.expose().as_str()), ("i", "a"));
        assert_eq!(tokens.expires_in, expires_in, "{body}");
        assert!(tokens.refresh_token.is_none());
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_its_reason() {
    for (status, body, reason) in [
        (200, r#"{"access_token":"a","token_type":"Bearer"}"#, "id_token_missing"),
        (200, r#"{"access_token":"a","id_token":""}"#, "id_token_missing"),
        (200, r#"{"id_token":"i","token_type":"Bearer"}"#, "access_token"),
        (200, r#"{"id_token":"i","access_token":"a","token_type":"DPoP"}"#, "token_type"),
        (200, r#"{"id_token":"i","access_token":"a","token_type":""}"#, "token_type"),
        (200, r#"{"id_token":["i"],"access_token":"a"}"#, "malformed"),
        (200, r#"{"id_token":"i","id_token":"j","access_token":"a"}"#, "malformed"),
        (200, "access_token=a&id_token=i", "malformed"),
        (200, "", "malformed"),
        (400, r#"{"error":"invalid_grant","error_description":"<b>"}"#, "invalid_grant"),
        (401, r#"{"error":"invalid_client"}"#, "invalid_client"),
        (200, r#"{"error":"invalid_grant"}"#, "invalid_grant"), // a success by its status only
        (400, r#"{"error":"something\nelse"}"#, "other"),
        (400, "<html>", "status"),
        (500, "", "status"),
        (500, r#"{"error":"server_error"}"#, "server_error"),
        (201, r#"{"id_token":"i","access_token":"a"}"#, "status"),
    ] {
        assert_eq!(answer(status, body).expect_err(body).reason(), reason, "{status} {body}");
    }
}

#[test]
fn debug_shows_no_token() {
    let tokens = answer(200, r#"{"id_token":"canary","access_token":"canary","refresh_token":"canary"}"#);
    assert!(!format!("{tokens:?}").contains("canary"));
}
