//! HTTP/2 towards the upstream (RFC 9113): gRPC, and whatever is said to speak it.
//!
//! One connection a worker carries all streams; another one is opened only when the
//! upstream takes no more on it, and one that says GOAWAY or breaks is left to its
//! remaining streams. A visitor who leaves resets their stream and nothing else.
//!
//! It is the `h2` crate rather than hyper's client around it, which says neither when the
//! upstream's settings have come nor how many streams it takes: requests would be sent
//! before the limit is known and refused, or wait on a full connection while others
//! could be opened.
//!
//! A visitor who does not read holds up their own stream: each has a window of its own,
//! and the connection's is wider than all of them together.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    client::{self, SendRequest},
};
use http::{
    Request, Response, Uri,
    header::{CONNECTION, EXPECT, HOST, TRANSFER_ENCODING},
    request,
    uri::{Authority, PathAndQuery},
};
use http_body::{Body, Frame, SizeHint};
use tokio::{sync::oneshot, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Error, Fault, RequestBody,
    connect::{Connector, Protocol, Stream},
    pool::MAX_REST,
    second_try,
};
use crate::{clock::instant, request::BodyError};

/// How much of one answer may wait for its visitor.
const STREAM_WINDOW: u32 = 256 * 1024;

/// As wide as it can be (RFC 9113 §6.9.1): slow visitors are bound by their streams' windows.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// The largest head of an answer.
const MAX_HEADER_LIST: u32 = 64 * 1024;

/// One upstream's connections in HTTP/2.
#[derive(Debug, Default)]
pub(super) struct Multiplexer {
    connections: Mutex<Vec<Connection>>,
    /// Held by the request that opens a connection: the others wait and find it.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Bytes>,
    /// Each stream holds a clone: their number is known without counting.
    streams: Place,
    used: Instant,
}

/// A stream's place on a connection.
#[derive(Clone, Debug, Default)]
struct Place(Arc<()>);

/// Whether a connection was there before the request that uses it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Kept,
    New,
}

impl Multiplexer {
    /// Sends one request and gives the answer as soon as its head is there.
    pub(super) async fn send(
        &self,
        connector: &Connector,
        request: Request<RequestBody>,
        connect_limit: Duration,
    ) -> Result<Response<Incoming>, Error> {
        let again = second_try(&request);
        let (sender, place, age) = self.place(connector, connect_limit).await?;
        match exchange(connector, sender, place, request).await {
            Err(Error::Broken(Fault::Http2(error))) if was_not_processed(&error, age) => match again {
                Some(copy) => {
                    let (sender, place, _) = self.place(connector, connect_limit).await?;
                    exchange(connector, sender, place, *copy).await
                }
                None => Err(Fault::from(error).into()),
            },
            outcome => outcome,
        }
    }

    /// A place on a connection that takes one more stream; the wait for it is bounded as a whole.
    async fn place(&self, connector: &Connector, limit: Duration) -> Result<(SendRequest<Bytes>, Place, Age), Error> {
        if let Some((sender, place)) = self.find_room() {
            return Ok((sender, place, Age::Kept));
        }
        let opened = timeout(limit, async {
            let _turn = self.opening.lock().await;
            if let Some((sender, place)) = self.find_room() {
                return Ok((sender, place, Age::New));
            }
            let stream = connector.connect(Protocol::Http2).await.map_err(Error::Connect)?;
            let connection = Connection { sender: open(stream).await?, streams: Place::default(), used: instant() };
            let place = (connection.sender.clone(), connection.streams.clone(), Age::New);
            self.lock().push(connection);
            Ok(place)
        });
        opened.await.map_err(|_| Error::ConnectTimeout(limit))?
    }

    fn find_room(&self) -> Option<(SendRequest<Bytes>, Place)> {
        let mut connections = self.lock();
        connections.retain_mut(Connection::is_open);
        let free = connections.iter_mut().find(|connection| connection.has_room())?;
        free.used = instant();
        Some((free.sender.clone(), free.streams.clone()))
    }

    /// Lets go of connections without streams that nobody has used for a while, and of those that are over.
    pub(super) fn drop_rested(&self, now: Instant) {
        self.lock().retain_mut(|connection| {
            connection.is_open() && (connection.streams() > 0 || now.duration_since(connection.used) < MAX_REST)
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Whether new streams may be opened: not after GOAWAY, nor when it broke.
    fn is_open(&mut self) -> bool {
        let mut context = Context::from_waker(std::task::Waker::noop());
        !matches!(self.sender.poll_ready(&mut context), Poll::Ready(Err(_)))
    }

    fn streams(&self) -> usize {
        Arc::strong_count(&self.streams.0) - 1
    }

    fn has_room(&self) -> bool {
        self.streams() < self.sender.current_max_send_streams()
    }
}

/// A connection stands when the upstream's settings are there: only then is known how many streams it takes.
async fn open(stream: Stream) -> Result<SendRequest<Bytes>, Fault> {
    let (sender, mut connection) = client::Builder::new()
        .initial_max_send_streams(0) // unknown: the upstream's settings say it
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADER_LIST)
        .enable_push(false)
        .handshake::<_, Bytes>(stream)
        .await?;
    let (settled, settings) = oneshot::channel();
    let mut settled = Some(settled);
    // Ends by itself when nobody has a stream or could open one; what it ends with, the streams say.
    let run = async move {
        poll_fn(|cx| {
            let over = Pin::new(&mut connection).poll(cx);
            if over.is_ready() || connection.max_concurrent_send_streams() > 0 {
                settled.take().map(|settled| settled.send(()));
            }
            over
        })
        .await
    };
    let task = AbortOnDropHandle::new(tokio::spawn(run));
    let _ = settings.await;
    if task.is_finished() {
        return Err(match task.await {
            Ok(Err(error)) => error.into(),
            _ => Fault::from(io::Error::from(io::ErrorKind::UnexpectedEof)),
        });
    }
    drop(task.detach());
    Ok(sender)
}

/// Whether a request may be sent once more if it may be sent twice at all: the upstream says that it did
/// nothing with it (RFC 9113 §8.7), or a connection that had been kept closed before anything of an answer came.
fn was_not_processed(error: &h2::Error, age: Age) -> bool {
    let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    is_refused || (age == Age::Kept && (error.is_go_away() || error.is_io()))
}

async fn exchange(
    connector: &Connector,
    mut sender: SendRequest<Bytes>,
    place: Place,
    request: Request<RequestBody>,
) -> Result<Response<Incoming>, Error> {
    let (head, body) = request.into_parts();
    let head = Request::from_parts(translate(head, connector), ());
    let ends = body.is_end_stream();
    let (response, stream) = sender.send_request(head, ends).map_err(Fault::from)?;
    let mut response = pin!(response);
    let mut upload = (!ends).then(|| Box::pin(send_body(body, stream)));
    let response = poll_fn(|cx| {
        if let Poll::Ready(response) = response.as_mut().poll(cx) {
            return Poll::Ready(response.map_err(|error| Fault::from(error).into()));
        }
        if let Some(sending) = &mut upload {
            let sent = ready!(sending.as_mut().poll(cx));
            upload = None;
            if let Err(error) = sent {
                return Poll::Ready(Err(Error::RequestBody(error.into())));
            }
        }
        Poll::Pending
    })
    .await?;
    // What is still to be sent goes on beside the answer, for as long as there is somebody to read that.
    let upload = upload.map(|sending| AbortOnDropHandle::new(tokio::spawn(async move { drop(sending.await) })));
    Ok(response.map(|stream| Incoming { stream, data: Data::Coming, _upload: upload, _place: place }))
}

/// A head as HTTP/2 has it (RFC 9113 §8.2.2 and §8.3.1).
fn translate(mut head: request::Parts, connector: &Connector) -> request::Parts {
    for name in [CONNECTION, TRANSFER_ENCODING, EXPECT] {
        head.headers.remove(name);
    }
    let named = head.headers.remove(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let authority = named.or_else(|| connector.authority().parse().ok());
    let mut uri = http::uri::Parts::default();
    uri.path_and_query = Some(head.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
    if let Some(authority) = authority {
        (uri.scheme, uri.authority) = (Some(connector.scheme()), Some(authority));
    }
    head.uri = Uri::from_parts(uri).unwrap_or_default();
    head.version = http::Version::HTTP_2;
    head
}

/// Sends a body no faster than the upstream takes it. An error is the visitor's; what
/// becomes of the stream, its answer says.
async fn send_body(mut body: RequestBody, mut stream: SendStream<Bytes>) -> Result<(), BodyError> {
    loop {
        let frame = poll_fn(|cx| {
            // An upstream that has heard enough says so (RFC 9113 §8.1); its answer says the rest.
            if stream.poll_reset(cx).is_ready() {
                return Poll::Ready(None);
            }
            Pin::new(&mut body).poll_frame(cx).map(Some)
        });
        let Some(frame) = frame.await else { return Ok(()) };
        let sent = match frame.transpose() {
            Err(error) => {
                stream.send_reset(Reason::CANCEL);
                return Err(error);
            }
            Ok(None) => {
                let _ = stream.send_data(Bytes::new(), true);
                return Ok(());
            }
            Ok(Some(frame)) => match frame.into_data() {
                Ok(data) => send_data(&mut stream, data).await,
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let _ = stream.send_trailers(trailers);
                    return Ok(());
                }
            },
        };
        if sent.is_err() {
            return Ok(());
        }
    }
}

async fn send_data(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let granted = poll_fn(|cx| stream.poll_capacity(cx)).await;
        let granted = granted.ok_or_else(|| h2::Error::from(Reason::STREAM_CLOSED))??;
        stream.send_data(data.split_to(granted.min(data.len())), false)?;
    }
    Ok(())
}

/// The body of an answer. Dropped early, it resets the stream.
#[derive(Debug)]
pub(super) struct Incoming {
    stream: RecvStream,
    data: Data,
    _upload: Option<AbortOnDropHandle<()>>,
    _place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    Coming,
    Over,
}

impl Incoming {
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if self.data == Data::Coming {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // It is taken out of our hands; more may come.
                    let released = self.stream.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(released.map(|()| Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.data = Data::Over,
            }
        }
        self.stream.poll_trailers(cx).map(|trailers| trailers.transpose().map(|fields| fields.map(Frame::trailers)))
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}
