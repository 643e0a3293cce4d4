//! Bodies that rest, of visitors in HTTP/2: nobody but their stream can know it.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// What the visitor's side hears of an answer that stops in its middle.
async fn end_of_an_answer(version: Version, idle: Duration) -> Result<Result<(), String>, &'static str> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    let app = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.expect("a request");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha").await.expect("half an answer");
        stream.read_to_end(&mut Vec::new()).await.map_err(|error| error.to_string())
    });
    let mut upstream = upstream(port);
    upstream.limits.idle = Some(idle);
    let request = Request::builder().version(version).uri("/").header("host", "app");
    let mut request = request.body(RequestBody::empty()).expect("a request");
    let answer = upstream
        .send(&mut request, Claim { affinity: &Affinity::default(), person: Person::AtTheOtherEnd }, instant())
        .await
        .expect("the head of an answer");
    let mut body = answer.into_body();
    let end = async {
        loop {
            match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
                None => return Ok(()),
            }
        }
    };
    let end = timeout(idle * 10, end).await.map_err(|_| "it waits");
    drop(body);
    app.await.expect("it does not fail").expect("the end of its connection");
    end
}

#[tokio::test]
async fn an_answer_that_rests_for_its_time_is_cut() {
    let idle = Duration::from_millis(50);
    let end = end_of_an_answer(Version::HTTP_2, idle).await.expect("an end").expect_err("not a good one");
    assert!(end.contains("50ms (limits.idle)"), "{end}");
    let waits = end_of_an_answer(Version::HTTP_11, idle).await;
    assert_eq!(waits, Err("it waits"), "in HTTP/1.1 their connection is cut instead");
}
