//! The life of one connection: requests one after the other, one timer, an end.
//!
//! hyper's own head timer costs 1,280 instructions a request and cuts idle
//! connections too; ours is one timer a connection that judges by what the
//! connection is doing ([`Activity`](crate::gateway::Activity)) and is moved only when it fires or
//! a head arrives in pieces.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep_until,
};

use super::{Acceptor, line_ends::LineEnds};
use crate::{
    clock::instant,
    gateway::{self, Connection},
};

/// The largest head: request line and header fields together.
const MAX_HEAD: usize = 64 * 1024;

/// A request of which nothing has come or gone for this long is cut: its visitor may be gone without a word.
const MAX_IDLE: Duration = Duration::from_hours(1);

/// Serves one connection to its end.
pub(super) async fn serve<S>(acceptor: &Acceptor, stream: S, connection: Arc<Connection>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (header_timeout, keepalive) = (acceptor.header_timeout, acceptor.keepalive);
    let watched = Watched { stream, connection: Arc::clone(&connection), line_ends: LineEnds::default() };
    let service = service_fn(|request| gateway::handle(Arc::clone(&acceptor.worker), Arc::clone(&connection), request));
    let http = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(watched), service)
        .with_upgrades();
    let mut http = pin!(http);
    let deadline = || connection.activity.deadline(header_timeout, keepalive);
    // While a request is answered only silence ends it; looking again after that long is soon enough.
    let next_look = |now: Instant| deadline().unwrap_or(now + header_timeout);
    let mut moved = instant();
    let mut armed = next_look(moved);
    let mut timer = pin!(sleep_until(armed.into()));
    let mut stop = pin!(acceptor.stop.cancelled());
    let mut stopping = false;

    let served = poll_fn(|cx| {
        if let Poll::Ready(served) = http.as_mut().poll(cx) {
            return Poll::Ready(Some(served));
        }
        if !stopping && stop.as_mut().poll(cx).is_ready() {
            stopping = true;
            http.as_mut().graceful_shutdown();
            if let Poll::Ready(served) = http.as_mut().poll(cx) {
                return Poll::Ready(Some(served));
            }
        }
        // A head that arrives in pieces is due earlier than the rest that it interrupted.
        if let Some(due) = deadline().filter(|due| *due < armed) {
            armed = due;
            timer.as_mut().reset(armed.into());
        }
        while timer.as_mut().poll(cx).is_ready() {
            let now = instant();
            if connection.activity.has_moved() {
                moved = now;
            }
            match deadline() {
                Some(due) if due <= now => return Poll::Ready(None),
                None if now.duration_since(moved) >= MAX_IDLE => return Poll::Ready(None),
                _ => {}
            }
            armed = next_look(now);
            timer.as_mut().reset(armed.into());
        }
        Poll::Pending
    })
    .await;

    match served {
        Some(Err(error)) if error.is_parse() => {
            acceptor.meter.unparsable_request();
            tracing::info!(client = %connection.peer.address(), %error, "a request could not be parsed");
        }
        Some(Err(error)) => tracing::debug!(client = %connection.peer.address(), %error, "a connection broke"),
        Some(Ok(())) | None => {}
    }
}

/// Notes when bytes come and go, and how the lines of heads end.
struct Watched<S> {
    stream: S,
    connection: Arc<Connection>,
    line_ends: LineEnds,
}

impl<S> Watched<S> {
    fn note(&self, written: &Poll<io::Result<usize>>) {
        if written.is_ready() {
            self.connection.activity.sent();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            let heard = self.connection.activity.received();
            self.line_ends.check(heard, &mut buf.filled_mut()[before..]);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
