//! Who drives a connection in HTTP/1.1: whoever waits for something from it, and while it rests, its pool.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    task::{Context, Wake, Waker},
    thread::{self, JoinHandle},
};

use tokio::{sync::oneshot, task::coop, time::timeout};

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Longer than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What must happen by itself. A time limit alone would wake who waits in vain, and so come too late to fail.
async fn promptly<T>(event: impl Future<Output = T>) -> T {
    let begun = tokio::time::Instant::now();
    let happened = timeout(PATIENCE, event).await.expect("it happens");
    assert!(begun.elapsed() < PATIENCE, "whoever waits for it is woken");
    happened
}

/// An app whose connections are served as `serve` says.
fn app<T: Send + 'static>(serve: impl FnOnce(TcpListener) -> T + Send + 'static) -> (Upstream, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    (upstream(port), thread::spawn(move || serve(listener)))
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().expect("a visitor");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// The first line of the next request.
fn read_request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.extend(byte);
    }
    String::from_utf8_lossy(&head).lines().next().expect("a first line").to_owned()
}

fn say(stream: &mut TcpStream, what: &str) {
    stream.write_all(what.as_bytes()).expect("somebody who listens");
}

fn request(method: Method) -> Request<RequestBody> {
    Request::builder().method(method).uri("/").header("host", "app").body(RequestBody::empty()).expect("a request")
}

async fn ask(upstream: &Upstream, affinity: &Affinity, method: Method) -> (StatusCode, usize) {
    let claim = Claim { affinity, person: Person::AtTheOtherEnd };
    let answer = promptly(upstream.send(&mut request(method), claim, instant())).await.expect("an answer");
    let (status, mut body) = (answer.status(), answer.into_body());
    let mut bytes = 0;
    while let Some(frame) = promptly(poll_fn(|cx| Pin::new(&mut body).poll_frame(cx))).await {
        bytes += frame.expect("a whole body").into_data().map_or(0, |data| data.len());
    }
    (status, bytes)
}

#[tokio::test]
async fn what_comes_over_a_connection_at_rest_ends_it_and_the_next_request_goes_elsewhere() {
    let rows = [
        ("it closes", "", true),
        ("it says something and closes", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", true),
        ("it answers what nobody asked", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nothers", false),
        ("it says nonsense", "x", false),
    ];
    for (what, says, closes) in rows {
        let (go, may_go) = std::sync::mpsc::channel();
        let (acted, has_acted) = oneshot::channel();
        let (upstream, app) = app(move |listener| {
            let mut first = accept(&listener);
            let mut asked = vec![read_request(&mut first)];
            say(&mut first, OK);
            may_go.recv().expect("the test says when");
            say(&mut first, says);
            if closes {
                first.shutdown(Shutdown::Write).expect("a connection");
            }
            // We hang up at once, and do not wait for the next request.
            first.read_to_end(&mut Vec::new()).expect("the end of the connection");
            acted.send(()).expect("the test waits");
            let mut second = accept(&listener);
            asked.push(read_request(&mut second));
            say(&mut second, OK);
            asked
        });
        let affinity = Affinity::default();
        assert_eq!(ask(&upstream, &affinity, Method::GET).await, (StatusCode::OK, 2), "{what}");
        assert_eq!(upstream.pool.len(), 1, "{what}");
        go.send(()).expect("the app waits");
        promptly(has_acted).await.expect("the connection has been closed");
        assert_eq!(upstream.pool.len(), 0, "{what}");
        assert_eq!(ask(&upstream, &affinity, Method::POST).await, (StatusCode::OK, 2), "{what}");
        assert_eq!(app.join().expect("the app"), ["GET / HTTP/1.1", "POST / HTTP/1.1"], "{what}");
    }
}

#[tokio::test]
async fn a_visitors_own_connection_that_the_app_closes_at_rest_is_closed_by_us_as_well() {
    let (go, may_go) = std::sync::mpsc::channel();
    let (acted, has_acted) = oneshot::channel();
    let (upstream, app) = app(move |listener| {
        let mut own = accept(&listener);
        read_request(&mut own);
        say(&mut own, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n");
        may_go.recv().expect("the test says when");
        own.shutdown(Shutdown::Write).expect("a connection");
        own.read_to_end(&mut Vec::new()).expect("the end of the connection");
        acted.send(()).expect("the test waits");
    });
    let affinity = Affinity::default();
    assert_eq!(ask(&upstream, &affinity, Method::GET).await.0, StatusCode::UNAUTHORIZED);
    go.send(()).expect("the app waits");
    promptly(has_acted).await.expect("the connection has been closed");
    app.join().expect("the app");
}

#[tokio::test]
async fn a_connection_to_which_something_happened_that_is_no_end_rests_on_and_its_end_is_still_seen() {
    let (go, may_go) = std::sync::mpsc::channel();
    let (acted, has_acted) = oneshot::channel();
    let (upstream, app) = app(move |listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        say(&mut stream, OK);
        may_go.recv().expect("the test says when");
        stream.shutdown(Shutdown::Write).expect("a connection");
        stream.read_to_end(&mut Vec::new()).expect("the end of the connection");
        acted.send(()).expect("the test waits");
    });
    ask(&upstream, &Affinity::default(), Method::GET).await;
    for _ in 0..3 {
        // A ticket or new keys of TLS, for one.
        upstream.pool.ring();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(upstream.pool.len(), 1);
    }
    go.send(()).expect("the app waits");
    promptly(has_acted).await.expect("the connection has been closed");
    app.join().expect("the app");
}

#[tokio::test]
async fn of_many_connections_that_die_at_rest_none_is_left_for_the_next_request() {
    const MANY: usize = 20;
    let (acted, has_acted) = oneshot::channel();
    let (upstream, app) = app(move |listener| {
        let mut streams: Vec<_> = (0..MANY).map(|_| accept(&listener)).collect();
        for stream in &mut streams {
            read_request(stream);
        }
        for stream in &mut streams {
            say(stream, OK);
        }
        for stream in &mut streams {
            stream.shutdown(Shutdown::Write).expect("a connection");
            stream.read_to_end(&mut Vec::new()).expect("the end of the connection");
        }
        acted.send(()).expect("the test waits");
        let mut another = accept(&listener);
        let asked = read_request(&mut another);
        say(&mut another, OK);
        asked
    });
    let affinity = Affinity::default();
    let answers = futures_util::future::join_all((0..MANY).map(|_| ask(&upstream, &affinity, Method::GET))).await;
    assert!(answers.iter().all(|answer| *answer == (StatusCode::OK, 2)), "{answers:?}");
    promptly(has_acted).await.expect("all have been closed");
    assert_eq!(upstream.pool.len(), 0);
    assert_eq!(ask(&upstream, &affinity, Method::POST).await, (StatusCode::OK, 2));
    assert_eq!(app.join().expect("the app"), "POST / HTTP/1.1");
}

#[tokio::test]
async fn a_connection_that_comes_back_to_a_pool_of_before_a_reload_is_closed() {
    let (upstream, app) = app(|listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        say(&mut stream, OK);
        stream.read_to_end(&mut Vec::new()).expect("the end of the connection");
    });
    let claim = Claim { affinity: &Affinity::default(), person: Person::AtTheOtherEnd };
    let answer = upstream.send(&mut request(Method::GET), claim, instant()).await.expect("an answer");
    drop(upstream);
    let mut body = answer.into_body();
    let frame = promptly(poll_fn(|cx| Pin::new(&mut body).poll_frame(cx))).await;
    assert_eq!(frame.expect("a part").expect("a good one").into_data().expect("data"), "ok");
    app.join().expect("the app sees its end while the body is still held");
}

#[tokio::test]
async fn an_answer_is_heard_by_a_task_that_has_used_up_its_budget() {
    for left in 1..=6 {
        let (go, may_go) = std::sync::mpsc::channel();
        let (upstream, app) = app(move |listener| {
            let mut stream = accept(&listener);
            read_request(&mut stream);
            may_go.recv().expect("the test says when");
            let begin = format!("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n{}", "x".repeat(4000));
            say(&mut stream, &begin);
            stream.read_to_end(&mut Vec::new()).expect("the end of the connection");
        });
        let heard = tokio::spawn(async move {
            let mut connection = upstream.open().await.expect("a connection");
            let mut sent = pin!(connection.send(request(Method::GET)));
            let mut looks = 0;
            let answer = poll_fn(|cx| {
                looks += 1;
                if looks == 1 {
                    go.send(()).expect("the app waits");
                } else {
                    spend_budget_down_to(left, cx);
                }
                sent.as_mut().poll(cx)
            });
            promptly(answer).await.expect("an answer").status()
        });
        assert_eq!(heard.await.expect("no panic"), StatusCode::OK, "with {left} left");
        app.join().expect("the app");
    }
}

/// As if a task had done much before.
fn spend_budget_down_to(left: u32, cx: &mut Context<'_>) {
    /// What tokio gives a task for one turn.
    const BUDGET: u32 = 128;
    for _ in left..BUDGET {
        if let Poll::Ready(unit) = coop::poll_proceed(cx) {
            unit.made_progress();
        }
    }
}

/// A task that nobody needs to wake.
#[derive(Debug)]
struct Bystander;

impl Wake for Bystander {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test]
async fn a_connection_at_rest_keeps_nothing_of_the_task_that_used_it() {
    let (upstream, app) = app(|listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        say(&mut stream, OK);
        stream.read_to_end(&mut Vec::new()).expect("the end of the connection");
    });
    let (affinity, task) = (Affinity::default(), Arc::new(Bystander));
    let waker = Waker::from(Arc::clone(&task));
    {
        let mut asking = pin!(ask(&upstream, &affinity, Method::GET));
        // Polled for this task each time that ours is woken: by the timer below.
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        let done = poll_fn(|cx| {
            while tick.poll_tick(cx).is_ready() {}
            asking.as_mut().poll(&mut Context::from_waker(&waker))
        });
        assert_eq!(done.await, (StatusCode::OK, 2));
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&task), 1);
    assert_eq!(upstream.pool.len(), 1, "it rests");
    drop(upstream);
    app.join().expect("the app");
}

#[tokio::test]
async fn the_rest_of_a_body_wakes_the_task_that_reads_it_now() {
    let (go, may_go) = std::sync::mpsc::channel();
    let (upstream, app) = app(move |listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
        may_go.recv().expect("the test says when");
        say(&mut stream, "late");
    });
    let claim = Claim { affinity: &Affinity::default(), person: Person::AtTheOtherEnd };
    let answer = upstream.send(&mut request(Method::GET), claim, instant()).await.expect("an answer");
    let mut body = answer.into_body();
    let first = poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_frame(cx).is_pending())).await;
    assert!(first, "nothing has been said yet");
    let elsewhere = tokio::spawn(async move {
        let frame = poll_fn(|cx| {
            let frame = Pin::new(&mut body).poll_frame(cx);
            if frame.is_pending() {
                // The first time it waits; later there may be nobody any more.
                let _ = go.send(());
            }
            frame
        });
        frame.await.expect("a part").expect("a good one").into_data().expect("data")
    });
    assert_eq!(promptly(elsewhere).await.expect("no panic"), "late");
    app.join().expect("the app");
}

/// When a wait for an answer is over, of a request whose body ends without a word between the first look and the second,
/// where somebody looks again every two seconds.
async fn waited_after_a_body(first_byte: Duration) -> Duration {
    let mut upstream = upstream(1);
    upstream.limits.first_byte = Some(first_byte);
    let upload = Arc::<Upload>::default();
    upload.give_up();
    let begun = tokio::time::Instant::now();
    let mut never = pin!(std::future::pending::<Result<(), Error>>());
    let mut wait = pin!(upstream.wait(never.as_mut(), Some(&upload), Looks::Repeated));
    let mut looks = tokio::time::interval(Duration::from_secs(2));
    poll_fn(|cx| {
        while looks.poll_tick(cx).is_ready() {}
        wait.as_mut().poll(cx)
    })
    .await
    .expect_err("nothing ever comes");
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_body_sets_no_timer_where_the_limit_is_long_and_makes_none_longer_where_it_is_short() {
    for (limit, late) in [(1, 0), (10, 0), (59, 0), (60, 4), (300, 4)] {
        let waited = waited_after_a_body(Duration::from_secs(limit)).await;
        assert_eq!(waited.as_secs(), limit + late, "two looks later at most: {limit} s");
    }
}
