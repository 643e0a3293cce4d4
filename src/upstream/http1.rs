//! A connection in HTTP/1.1, driven by whoever waits for something from it.
//!
//! hyper's connection is a future that somebody has to poll. A task of its own would be woken for each request,
//! again for its answer, and again when that has been taken, each time to hand over to the task that waits: 6 % of a
//! request's instructions. So who waits for an answer, or for the next part of its body, polls the connection itself.
//!
//! | the connection | is driven by |
//! |---|---|
//! | waits for an answer, or for more of it | whoever waits |
//! | still sends a request while its answer comes | a task of its own: a visitor may read only when all is sent |
//! | rests, with nothing on its way | nobody; when something comes, the pool is told and looks |

use std::{
    fmt,
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use tokio::task::coop::unconstrained;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Fault,
    body::RequestBody,
    connect::{Stream, Traffic},
    relay::Relay,
};

/// A connection. Dropped, it closes at once, whatever is on its way.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<RequestBody>,
    traffic: Arc<Traffic>,
    driver: Driver,
    /// What broke off the body of its answer, until whoever reads it has passed on what came before.
    broken: Option<hyper::Error>,
}

/// What hyper makes of a connection.
type Http1 = http1::Connection<TokioIo<Stream>, RequestBody>;

impl Connection {
    /// Begins to speak HTTP/1.1.
    pub(super) async fn open(stream: Stream) -> Result<Box<Self>, Fault> {
        let traffic = stream.traffic();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Box::new(Self { sender, traffic, driver: Driver::here(connection), broken: None }))
    }

    /// What is known of its bytes.
    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Whether it is over.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether all that was asked on it is done, and nothing of it is still on its way.
    ///
    /// It may be over nevertheless, as long as nobody has looked. What is sent on such a one comes back unsent, because
    /// hyper reads before it writes: an end, or what nobody asked for, is found first, as far as it has come by then.
    pub(super) fn is_idle(&self) -> bool {
        self.sender.is_ready() && !self.traffic.has_unsent()
    }

    /// Waits until it takes a request; `false` where it never will.
    pub(super) async fn becomes_ready(&mut self) -> bool {
        self.sender.is_ready() || {
            let Self { sender, driver, .. } = self;
            poll_fn(|cx| driver.poll(cx, |cx| sender.poll_ready(cx))).await.is_ok()
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        // Whoever drives the connection here is not woken for the answer: it must not be withheld from a task that has
        // used up its budget.
        let mut answer = pin!(unconstrained(self.sender.try_send_request(request)));
        poll_fn(|cx| self.driver.poll(cx, |cx| answer.as_mut().poll(cx))).await
    }

    /// The next part of the body of its answer.
    pub(super) fn poll_frame(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = match &self.driver {
            // The first has mostly come with the head.
            Driver::Here { relay, .. } => match relay.aside(|cx| Pin::new(&mut *incoming).poll_frame(cx)) {
                Poll::Pending => self.driver.poll(cx, |cx| Pin::new(&mut *incoming).poll_frame(cx)),
                frame @ Poll::Ready(_) => frame,
            },
            Driver::Task { .. } | Driver::Over => Pin::new(&mut *incoming).poll_frame(cx),
        };
        match frame {
            Poll::Ready(Some(Err(error))) => {
                self.broken = Some(error);
                pass_on_first(cx)
            }
            frame => frame,
        }
    }

    /// Lets it go on by itself, whoever waits.
    pub(super) fn detach(&mut self) {
        self.driver.detach();
    }

    /// Takes it back from its task, where it has one.
    pub(super) fn attach(&mut self) {
        self.driver.attach();
    }

    /// Has `keeper` woken when something happens to it, unless it has a task that is.
    pub(super) fn rest(&self, keeper: &Waker) {
        if let Driver::Here { relay, .. } = &self.driver {
            relay.wake_next(keeper);
        }
    }

    /// Wakes nobody until it is driven again.
    pub(super) fn stir(&self) {
        if let Driver::Here { relay, .. } = &self.driver {
            relay.forget();
        }
    }

    /// Looks whether a connection at rest, to which something has happened, is over.
    pub(super) fn look(&mut self) {
        if let Driver::Here { relay, .. } = &self.driver
            && relay.was_woken()
        {
            self.driver.drive();
        }
    }

    /// As if something had happened to it.
    #[cfg(test)]
    pub(super) fn ring(&self) {
        if let Driver::Here { waker, .. } = &self.driver {
            waker.wake_by_ref();
        }
    }

    /// The task that drives it, where it has one.
    pub(super) fn into_task(self) -> Option<AbortOnDropHandle<()>> {
        if let Driver::Task { task, .. } = self.driver { Some(task) } else { None }
    }
}

/// Has whoever reads a body look again, with what came before the look on its way: a head, the start of a body and the
/// end that breaks it off may all have come at once, and a server that is told so throws away what it has not sent.
#[cold]
fn pass_on_first<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Who polls a connection.
#[expect(clippy::large_enum_variant, reason = "nearly all are here, and a connection is boxed as a whole")]
enum Driver {
    /// Whoever waits for something from it.
    Here { connection: Http1, relay: Arc<Relay>, waker: Waker },
    /// A task, for as long as the connection is in its place.
    Task { place: Place, task: AbortOnDropHandle<()> },
    /// Nobody, as it is over.
    Over,
}

/// Where a task finds the connection that it drives.
type Place = Arc<Mutex<Option<Http1>>>;

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here { .. } => "Here",
            Self::Task { .. } => "Task",
            Self::Over => "Over",
        })
    }
}

impl Driver {
    fn here(connection: Http1) -> Self {
        let relay = Arc::new(Relay::default());
        let waker = Waker::from(Arc::clone(&relay));
        Self::Here { connection, relay, waker }
    }

    /// What comes from the connection, which is driven for it where nobody else does.
    ///
    /// `what` must wait for nothing else: it is asked again when the connection has been driven, and not woken.
    fn poll<T>(&mut self, cx: &mut Context<'_>, mut what: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.drive();
        let Self::Here { relay, .. } = self else { return what(cx) };
        let polled = relay.aside(what);
        if polled.is_pending() {
            relay.wake_next(cx.waker());
        }
        polled
    }

    /// Goes on with all that can be read and written now. Not part of its callers, which every request runs through
    /// more often.
    #[inline(never)]
    fn drive(&mut self) {
        if let Self::Here { connection, relay, waker } = self {
            relay.forget();
            // The sender learns of a connection's end by itself; its own error says nothing more.
            if Pin::new(connection).poll(&mut Context::from_waker(waker)).is_ready() {
                *self = Self::Over;
            }
        }
    }

    #[cold]
    fn detach(&mut self) {
        *self = match mem::replace(self, Self::Over) {
            Self::Here { connection, .. } => {
                let place = Arc::new(Mutex::new(Some(connection)));
                let task = AbortOnDropHandle::new(tokio::spawn(drive_in(Arc::clone(&place))));
                Self::Task { place, task }
            }
            driver => driver,
        };
    }

    fn attach(&mut self) {
        if let Self::Task { place, .. } = self {
            // Where there is none, it is over.
            let connection = lock(place).take();
            *self = connection.map_or(Self::Over, Self::here);
            // So that it wakes the relay from now on, and not the task.
            self.drive();
        }
    }
}

/// Drives the connection of a place to its end.
async fn drive_in(place: Place) {
    poll_fn(|cx| {
        let mut connection = lock(&place);
        if let Some(running) = connection.as_mut() {
            drop(ready!(Pin::new(running).poll(cx)));
        }
        *connection = None;
        Poll::Ready(())
    })
    .await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::{
        super::{Connector, connect::Protocol},
        *,
    };
    use crate::config::upstream::{HostPort, UpstreamUrl};

    #[tokio::test]
    async fn a_connection_that_a_task_drove_can_be_driven_here_again() {
        const OK: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let url = UpstreamUrl::Http(HostPort { host: "127.0.0.1".to_owned(), port });
        let stream =
            Connector::new(&url).expect("nothing to read").connect(Protocol::Http1).await.expect("a connection");
        let (mut app, _) = listener.accept().await.expect("a connection");
        let mut connection = Connection::open(stream).await.expect("HTTP/1.1 begins without a word");
        for driven in ["here", "by a task", "here again"] {
            match driven {
                "by a task" => connection.detach(),
                _ => connection.attach(),
            }
            assert_eq!(matches!(connection.driver, Driver::Here { .. }), driven != "by a task", "{driven}");
            let request = Request::builder().uri("/").header("host", "app").body(RequestBody::empty());
            let answer = async {
                assert_ne!(app.read(&mut [0; 1024]).await.expect("a connection"), 0);
                app.write_all(OK).await.expect("somebody who listens");
            };
            let (answer, ()) = tokio::join!(connection.send(request.expect("a request")), answer);
            assert_eq!(answer.expect("an answer").status(), 204, "{driven}");
            assert!(connection.becomes_ready().await && connection.is_idle(), "{driven}");
        }
        // One that ends while a task has it is over.
        connection.detach();
        drop(app);
        while !connection.is_closed() {
            tokio::task::yield_now().await;
        }
        connection.attach();
        assert!(matches!(connection.driver, Driver::Over));
    }
}
