//! The app by its wire.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use super::*;

struct Stage {
    _app: App,
    address: SocketAddr,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Stage {
    async fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        Self { _app: App::start(listener), address, http: Client::builder(TokioExecutor::new()).build_http() }
    }

    async fn send(&self, method: Method, target: &str, headers: &[(&str, &str)], body: &str) -> Response<Incoming> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{target}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).expect("a request");
        self.http.request(request).await.expect("an answer")
    }

    async fn page(&self, target: &str, headers: &[(&str, &str)]) -> String {
        text(self.send(Method::GET, target, headers, "").await).await
    }
}

async fn text(response: Response<Incoming>) -> String {
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("a text")
}

const GRACE: [(&str, &str); 3] =
    [("x-forwarded-user", "grace"), ("x-forwarded-email", "grace@example.com"), ("x-forwarded-groups", "staff,wiki")];

#[tokio::test]
async fn the_front_page_says_who_you_are_and_marks_how_it_knows() {
    let stage = Stage::new().await;
    let page = stage.page("/", &GRACE).await;
    assert!(page.contains("Good day, grace@example.com"));
    assert!(page.contains("staff, wiki"));
    assert_eq!(page.matches("<tr class=\"identity\">").count(), GRACE.len());
    assert!(stage.page("/", &[]).await.contains("whoever you are"));
}

#[tokio::test]
async fn whatever_comes_in_is_escaped() {
    let stage = Stage::new().await;
    let hostile = "<script>alert('\"')</script>";
    let with_headers = stage.page("/", &[("x-forwarded-email", hostile), ("x-odd", hostile)]).await;
    let form = text(stage.send(Method::POST, "/form", &[], "%3Cscript%3E=%3Cscript%3Ealert").await).await;
    let article = stage.page("/articles/%3Cscript%3E?q=%3Cscript%3Ealert", &[]).await;
    let missing = stage.page("/%3Cscript%3Ealert", &[]).await;
    for page in [with_headers, form, article, missing] {
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(!page.contains("<script>=") && !page.contains("<script></"), "{page}");
    }
}

#[tokio::test]
async fn a_form_comes_back_field_by_field() {
    let stage = Stage::new().await;
    let sent = "title=Doors+%26+windows&text=Two+lines%2C%0D%0Aand+a+%2B&do%5Bsave%5D=Save";
    let page = text(stage.send(Method::POST, "/form", &GRACE, sent).await).await;
    for field in ["Doors &amp; windows</td>", "Two lines,\r\nand a +</td>", "do[save]</th><td>Save"] {
        assert!(page.contains(field), "{field} in {page}");
    }
    let large = "a".repeat(1024 * 1024 + 1);
    assert_eq!(stage.send(Method::POST, "/form", &[], &large).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_deep_link_shows_its_target_as_it_came() {
    let stage = Stage::new().await;
    let page = stage.page("/articles/2026/doors?page=2&q=a%20b%26c", &[]).await;
    assert!(page.contains(">&#x2f;articles&#x2f;2026&#x2f;doors?page=2&amp;q=a%20b%26c</pre>"), "{page}");
    assert!(page.contains("<td>a b&amp;c</td>"));
}

#[tokio::test]
async fn public_pages_need_nobody_and_a_missing_one_is_missing() {
    let stage = Stage::new().await;
    for (target, status) in [("/public/", 200), ("/public", 200), ("/health", 200), ("/publicity", 404), ("/x", 404)] {
        assert_eq!(stage.send(Method::GET, target, &[], "").await.status(), status, "{target}");
    }
    for target in ["/", "/form", "/events", "/websocket", "/download"] {
        let head = stage.send(Method::HEAD, target, &[], "").await;
        assert_eq!(head.status(), StatusCode::OK, "{target}");
        assert!(head.headers().contains_key(header::CONTENT_LENGTH), "{target}");
    }
}

#[tokio::test]
async fn the_head_of_a_request_is_told_as_json() {
    let stage = Stage::new().await;
    let told = text(stage.send(Method::DELETE, "/headers.json?a=%20", &[("x-forwarded-user", "ada")], "").await).await;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((&told["method"], &told["target"]), (&json!("DELETE"), &json!("/headers.json?a=%20")));
    assert!(told["headers"].as_array().is_some_and(|headers| headers.contains(&json!(["x-forwarded-user", "ada"]))));
}

#[tokio::test]
async fn a_download_can_be_taken_in_parts() {
    let stage = Stage::new().await;
    let whole = stage.send(Method::GET, "/download", &[], "").await;
    assert!(whole.headers()[header::CONTENT_DISPOSITION].to_str().expect("ASCII").starts_with("attachment;"));
    let whole = text(whole).await;
    for (headers, status, length) in [
        (&[("range", "bytes=0-9")][..], 206, 10),
        (&[("range", "bytes=-7"), ("if-range", "\"attendance-1\"")], 206, 7),
        (&[("range", "bytes=0-9"), ("if-range", "\"another\"")], 200, whole.len()),
        (&[("range", "bytes=99999999-")], 416, 0),
    ] {
        let part = stage.send(Method::GET, "/download", headers, "").await;
        assert_eq!(part.status(), status, "{headers:?}");
        let range = part.headers().get(header::CONTENT_RANGE).cloned();
        let part = text(part).await;
        assert_eq!(part.len(), length, "{headers:?}");
        assert!(whole.contains(&part));
        assert_eq!(range.is_some(), status != 200, "{headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_answers_come_as_they_are_written() {
    let stage = Stage::new().await;
    for (target, first, later) in
        [("/slow", "takes its time", "That was all."), ("/events/stream", "event 1 for grace@example.com", "event 2")]
    {
        let mut body = stage.send(Method::GET, target, &GRACE, "").await.into_body();
        let mut frame = async || {
            let frame = body.frame().await.expect("a frame").expect("an open connection");
            String::from_utf8(frame.into_data().expect("data").to_vec()).expect("a text")
        };
        let beginning = frame().await;
        assert!(beginning.contains(first) && !beginning.contains(later), "{beginning}");
        while !frame().await.contains(later) {}
    }
    assert!(stage.page("/slow", &[]).await.contains("Line 8 of 8 has arrived."));
}

#[tokio::test]
async fn a_websocket_greets_by_the_handshake_and_echoes() {
    let stage = Stage::new().await;
    let mut request = format!("ws://{}/websocket/echo", stage.address).into_client_request().expect("a request");
    request.headers_mut().insert("x-forwarded-email", HeaderValue::from_static("grace@example.com"));
    let origin = format!("http://{}", stage.address).parse().expect("a value");
    request.headers_mut().insert(header::ORIGIN, origin);
    let connection = TcpStream::connect(stage.address).await.expect("a connection");
    let (mut socket, _) = client_async(request, connection).await.expect("a handshake");
    let mut heard = async || socket.next().await.expect("a message").expect("an open connection");
    assert_eq!(heard().await, Message::text("Hello grace@example.com, says the handshake."));
    socket.send(Message::text("Is anybody there?")).await.expect("an open connection");
    socket.send(Message::binary(vec![0, 255])).await.expect("an open connection");
    let mut heard = async || socket.next().await.expect("a message").expect("an open connection");
    assert_eq!(heard().await, Message::text("Is anybody there?"));
    assert_eq!(heard().await, Message::binary(vec![0, 255]));
    drop(stage);
    assert!(!matches!(socket.next().await, Some(Ok(_))), "no tunnel outlives the app");
}

#[tokio::test]
async fn a_websocket_is_for_handshakes_of_its_own_origin() {
    let stage = Stage::new().await;
    let foreign = [("origin", "http://evil.test")];
    assert_eq!(stage.send(Method::GET, "/websocket/echo", &foreign, "").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(stage.send(Method::GET, "/websocket/echo", &[], "").await.status(), StatusCode::BAD_REQUEST);
}
