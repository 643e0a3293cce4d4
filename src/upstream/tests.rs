//! One upstream as a worker sees it, without the rest of the sidecar.

use std::future::pending;

use super::*;
use crate::config::upstream::{HostPort, UpstreamUrl};

mod again;
mod driven;
mod silence;

fn upstream(port: u16) -> Upstream {
    let url = UpstreamUrl::Http(HostPort { host: "127.0.0.1".to_owned(), port });
    let limits = AppLimits {
        body_bytes: None,
        connect: Duration::from_secs(5),
        first_byte: Some(Duration::from_secs(20)),
        idle: Some(Duration::from_secs(50)),
    };
    Upstream::new(Connector::new(&url).expect("nothing to read"), limits)
}

/// What becomes of waiting for an answer that never comes, and after how many seconds.
async fn waited(upload: Option<&Arc<Upload>>, over_after: u64) -> (&'static str, u64) {
    let begun = tokio::time::Instant::now();
    let upstream = upstream(1);
    let never = pin!(pending::<Result<(), Error>>());
    let over = async {
        tokio::time::sleep(Duration::from_secs(over_after)).await;
        upload.inspect(|upload| upload.give_up());
        pending::<()>().await;
    };
    let error = tokio::select! {
        outcome = upstream.wait(never, upload, Looks::Once) => outcome.expect_err("nothing ever comes"),
        () = over => unreachable!("it waits for ever"),
    };
    (error.reason(), begun.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn the_time_for_an_answer_runs_from_the_end_of_the_body() {
    assert_eq!(waited(None, 100).await, ("upstream_too_slow", 20), "without a body it runs at once");
    let upload = Arc::default();
    // Somebody else looks, as the visitor's connection does when the body ends.
    assert_eq!(waited(Some(&upload), 100).await, ("upstream_too_slow", 50), "a body that rests has its own time");
    upload.give_up();
    assert_eq!(waited(Some(&upload), 100).await, ("upstream_too_slow", 20));
}

#[test]
fn a_body_without_a_length_goes_in_chunks_whatever_the_method() {
    for (method, length, framed) in
        [(Method::GET, None, true), (Method::HEAD, None, true), (Method::GET, Some("5"), false)]
    {
        let mut request = Request::new(RequestBody::empty());
        *request.method_mut() = method;
        request.headers_mut().extend(length.map(|length| (CONTENT_LENGTH, HeaderValue::from_static(length))));
        frame_body(&mut request);
        assert_eq!(request.headers().contains_key(TRANSFER_ENCODING), framed, "{request:?}");
    }
}

#[test]
fn only_what_is_idempotent_and_has_no_body_may_be_sent_twice() {
    for (method, twice) in [
        (Method::GET, true),
        (Method::HEAD, true),
        (Method::OPTIONS, true),
        (Method::PUT, true),
        (Method::DELETE, true),
        (Method::POST, false),
        (Method::PATCH, false),
    ] {
        let request = Request::builder().method(method.clone()).uri("/a?b").header("x", "1");
        let request = request.body(RequestBody::empty()).expect("a request");
        let copy = second_try(&request);
        assert_eq!(copy.is_some(), twice, "{method}");
        if let Some(copy) = copy {
            assert_eq!((copy.method(), copy.uri(), copy.headers()), (&method, request.uri(), request.headers()));
        }
    }
}
