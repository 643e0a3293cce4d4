//! When a request is sent again: only if it is idempotent, has no body, and its kept connection
//! closed before any byte of an answer.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{advance, pause, resume},
};

use super::*;

/// What the app does with the request that comes over the connection it had kept.
struct Row {
    what: &'static str,
    method: Method,
    rested: Duration,
    /// What it says before it closes.
    says: &'static str,
    /// And over the next connection, if there is one.
    says_then: &'static str,
    answered: bool,
    sent: usize,
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const LONG: Duration = MAY_BE_STALE;

/// Reads one head; `false` where the connection ends instead.
async fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}

/// An app that answers once and keeps its connection, and then does as the row says; counts what it is asked.
async fn app(listener: TcpListener, says: &'static str, says_then: &'static str) -> usize {
    let (mut kept, _) = listener.accept().await.expect("the first connection");
    assert!(read_head(&mut kept).await);
    kept.write_all(OK.as_bytes()).await.expect("the first answer");
    assert!(read_head(&mut kept).await);
    kept.write_all(says.as_bytes()).await.expect("what it says");
    drop(kept);
    let mut asked = 1;
    while let Ok((mut next, _)) = listener.accept().await {
        if !read_head(&mut next).await {
            break;
        }
        asked += 1;
        next.write_all(says_then.as_bytes()).await.expect("what it says then");
    }
    asked
}

fn request(method: &Method) -> Request<RequestBody> {
    let request = Request::builder().method(method.clone()).uri("/").header("host", "app");
    request.body(RequestBody::empty()).expect("a request")
}

#[tokio::test]
async fn a_request_is_sent_again_only_where_nobody_can_have_begun_to_answer_it() {
    let row =
        |what, method, says, answered, sent| Row { what, method, rested: LONG, says, says_then: OK, answered, sent };
    let get = || Method::GET;
    let rows = [
        row("it closed without a word", get(), "", true, 2),
        row("it closed in its first line", get(), "HTTP/1.1 200 O", false, 1),
        row("one byte is enough", get(), "H", false, 1),
        row("it closed before the end of the head", get(), "HTTP/1.1 200 OK\r\nContent-", false, 1),
        row("it said that it was at it", get(), "HTTP/1.1 102 Processing\r\n\r\n", false, 1),
        row("it answered nonsense", get(), "nonsense\r\n\r\n", false, 1),
        row("a DELETE is idempotent", Method::DELETE, "", true, 2),
        row("a POST is not", Method::POST, "", false, 1),
        Row { says_then: "", ..row("there is no third try", get(), "", false, 2) },
        Row { rested: Duration::ZERO, ..row("a young connection is not closed by chance", get(), "", false, 1) },
    ];
    for Row { what, method, rested, says, says_then, answered, sent } in rows {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let app = tokio::spawn(app(listener, says, says_then));
        let upstream = upstream(port);
        let affinity = Affinity::default();
        let claim = Claim { affinity: &affinity, person: Person::AtTheOtherEnd };
        let first = upstream.send(&mut request(&method), claim, instant()).await.expect("the first answer");
        read_to_end(first.into_body()).await;
        pause();
        advance(rested).await;
        resume();
        let second = upstream.send(&mut request(&method), claim, instant()).await;
        assert_eq!(second.is_ok(), answered, "{what}: {second:?}");
        // A connection that says nothing is the end of the record.
        drop((second, upstream));
        drop(TcpStream::connect(("127.0.0.1", port)).await.expect("it still listens"));
        assert_eq!(app.await.expect("it does not fail"), sent, "{what}");
    }
}

#[tokio::test]
async fn an_app_that_hangs_up_on_new_connections_is_called_once_for_each_request() {
    const REQUESTS: usize = 300;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    // A thread of its own: often enough it has hung up before the request is on its way, and it comes back unsent.
    thread::spawn(move || {
        for caller in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(caller);
        }
    });
    let upstream = upstream(port);
    let affinity = Affinity::default();
    for _ in 0..REQUESTS {
        let claim = Claim { affinity: &affinity, person: Person::AtTheOtherEnd };
        upstream.send(&mut request(&Method::GET), claim, instant()).await.expect_err("nobody answers");
    }
    // Each has had its end, so each has been counted.
    assert_eq!(calls.load(Ordering::SeqCst), REQUESTS);
}

/// So that the connection goes back to the pool.
async fn read_to_end(mut body: ResponseBody) {
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        frame.expect("a whole body");
    }
}
