//! HTTP/1.1 that takes no room while nothing is said.
//!
//! For as long as hyper serves a connection it keeps two buffers and the room for a
//! request, some 13 KiB, and browsers keep connections for a minute that they use for a
//! second. So one that rests between two requests is taken from hyper, and with the first
//! byte of the next request given to a new one.
//!
//! hyper is not asked to do so and cannot say whether it may be done: bytes that it has still
//! to write, or a body of which it has still to read the rest, would be lost with it. Whoever
//! calls [`Http::rest`] knows ([`Connection::rested`](crate::gateway::Connection::rested)).
//! What hyper has read beyond the last request comes back with the stream.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::Body as HttpBody;
use hyper::{
    body::Incoming,
    server::conn::http1::{Connection, Parts, UpgradeableConnection},
    service::HttpService,
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::watched::{Watch, Watched};

/// A connection's HTTP, with what gives it to a new hyper.
pub(super) struct Http<S, W, V: HttpService<Incoming>, M> {
    state: Option<State<S, W, V>>,
    make: M,
}

enum State<S, W, V: HttpService<Incoming>> {
    Speaks(Box<UpgradeableConnection<TokioIo<Watched<S, W>>, V>>),
    Rests(Watched<S, W>),
}

impl<S, W, V, B, M> Http<S, W, V, M>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    W: Watch + Unpin + Send + 'static,
    V: HttpService<Incoming, ResBody = B>,
    V::Error: Into<Box<dyn Error + Send + Sync>>,
    B: HttpBody + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    M: Fn(TokioIo<Watched<S, W>>) -> Connection<TokioIo<Watched<S, W>>, V>,
{
    /// Begins to speak; `make` has each hyper serve the stream that it is given.
    pub(super) fn new(stream: Watched<S, W>, make: M) -> Self {
        Self { state: Some(Self::speaks(&make, stream)), make }
    }

    /// Ready when the connection is over, or another protocol has taken it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        if let Some(State::Rests(stream)) = &mut self.state {
            ready!(stream.poll_heard(cx));
        }
        match self.wake() {
            Some(http) => Pin::new(http).poll(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Lets go of all but the stream, until something is said. Must be polled again before it hears.
    pub(super) fn rest(&mut self) {
        self.state = match self.state.take() {
            Some(State::Speaks(http)) => http.into_parts().map(|Parts { io, read_buf, .. }| {
                let mut stream = io.into_inner();
                // Empty lines before a head are nobody's (RFC 9112 §2.2), and no reason to wait for one.
                let head = read_buf.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(read_buf.len());
                stream.put_back(read_buf.slice(head..));
                State::Rests(stream)
            }),
            state => state,
        };
    }

    /// Has it end when nothing is owed any more: at once, where it rests.
    pub(super) fn graceful_shutdown(&mut self) {
        if let Some(http) = self.wake() {
            Pin::new(http).graceful_shutdown();
        }
    }

    /// With a new hyper.
    fn speaks(make: &M, stream: Watched<S, W>) -> State<S, W, V> {
        State::Speaks(Box::new(make(TokioIo::new(stream)).with_upgrades()))
    }

    fn wake(&mut self) -> Option<&mut UpgradeableConnection<TokioIo<Watched<S, W>>, V>> {
        if let Some(State::Rests(_)) = &self.state
            && let Some(State::Rests(stream)) = self.state.take()
        {
            self.state = Some(Self::speaks(&self.make, stream));
        }
        match &mut self.state {
            Some(State::Speaks(http)) => Some(http),
            Some(State::Rests(_)) | None => None,
        }
    }
}
