//! An app that speaks HTTP/2, each of its streams in the hands of the test.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream,
    server::{self, SendResponse},
};
use http::{HeaderMap, Request, Response};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::patiently;

/// What becomes of a connection.
enum Order {
    GoAway,
    Cut,
}

/// Serves until it is dropped.
pub(crate) struct Http2Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    streams: mpsc::UnboundedReceiver<Stream>,
    _server: AbortOnDropHandle<()>,
}

struct Shared {
    accepted: AtomicUsize,
    orders: Mutex<Vec<mpsc::UnboundedSender<Order>>>,
}

/// A request, and the way to answer it.
pub(crate) struct Stream {
    /// On which connection it came, counted from 0.
    pub(crate) connection: usize,
    pub(crate) request: Request<RecvStream>,
    pub(crate) respond: SendResponse<Bytes>,
}

impl Http2Upstream {
    /// In the clear; takes `max_streams` on a connection.
    pub(crate) async fn start(max_streams: u32) -> Self {
        Self::serve(max_streams, None).await
    }

    /// Over TLS; whoever chooses HTTP/1.1 there is answered 200 `in HTTP/1.1`.
    pub(crate) async fn start_tls(tls: rustls::ServerConfig) -> Self {
        Self::serve(100, Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn serve(max_streams: u32, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared { accepted: AtomicUsize::new(0), orders: Mutex::default() });
        let (came, streams) = mpsc::unbounded_channel();
        let serving = Arc::clone(&shared);
        let server = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("the tests open few sockets");
                let connection = serving.accepted.fetch_add(1, Ordering::AcqRel);
                let (order, orders) = mpsc::unbounded_channel();
                serving.orders.lock().unwrap_or_else(PoisonError::into_inner).push(order);
                connections.spawn(greet(stream, tls.clone(), max_streams, connection, came.clone(), orders));
            }
        }));
        Self { address, shared, streams, _server: server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections have been accepted.
    pub(crate) fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::Acquire)
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Stream {
        patiently("a stream at the upstream", self.streams.recv()).await.expect("the upstream is still there")
    }

    /// Takes no new streams on this connection; those that came are answered (RFC 9113 §6.8).
    pub(crate) fn go_away(&self, connection: usize) {
        self.order(connection, Order::GoAway);
    }

    /// Closes this connection without a word.
    pub(crate) fn cut(&self, connection: usize) {
        self.order(connection, Order::Cut);
    }

    fn order(&self, connection: usize, order: Order) {
        let orders = self.shared.orders.lock().unwrap_or_else(PoisonError::into_inner);
        // A connection that has ended on its own needs no order.
        let _ = orders[connection].send(order);
    }
}

impl Stream {
    /// 200 with a text.
    pub(crate) fn answer(mut self, text: &str) {
        let mut body = self.respond.send_response(Response::new(()), false).expect("the stream stands");
        body.send_data(Bytes::copy_from_slice(text.as_bytes()), true).expect("the stream stands");
    }

    /// The next part of the request's body; `None` at its end.
    pub(crate) async fn data(&mut self) -> Option<Result<Bytes, h2::Error>> {
        let data = patiently("a part of the body", self.request.body_mut().data()).await;
        if let Some(Ok(data)) = &data {
            self.request.body_mut().flow_control().release_capacity(data.len()).expect("what has come is taken");
        }
        data
    }

    /// What follows the request's body.
    pub(crate) async fn trailers(&mut self) -> Option<HeaderMap> {
        patiently("trailers", self.request.body_mut().trailers()).await.expect("the stream stands")
    }

    /// Refuses it unprocessed, or ends it otherwise.
    pub(crate) fn reset(mut self, reason: Reason) {
        self.respond.send_reset(reason);
    }
}

async fn greet(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    max_streams: u32,
    connection: usize,
    came: mpsc::UnboundedSender<Stream>,
    orders: mpsc::UnboundedReceiver<Order>,
) {
    let Some(tls) = tls else { return converse(stream, max_streams, connection, came, orders).await };
    let Ok(mut stream) = tls.accept(stream).await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return converse(stream, max_streams, connection, came, orders).await;
    }
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 11\r\n\r\nin HTTP/1.1";
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    max_streams: u32,
    number: usize,
    came: mpsc::UnboundedSender<Stream>,
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    let builder = server::Builder::new().max_concurrent_streams(max_streams).handshake(stream).await;
    let Ok(mut connection) = builder else { return };
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    // A test that no longer listens has seen what it wanted.
                    let _ = came.send(Stream { connection: number, request, respond });
                }
                Some(Err(_)) | None => return,
            },
            Some(order) = orders.recv() => match order {
                Order::GoAway => connection.graceful_shutdown(),
                Order::Cut => return,
            },
        }
    }
}
