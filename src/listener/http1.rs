//! A connection that speaks HTTP/1.1: requests one after the other, one timer, an end.
//!
//! hyper's own head timer costs 1,280 instructions a request and cuts idle
//! connections too; ours is one timer a connection that judges by what the
//! connection is doing ([`Activity`](crate::gateway::Activity)) and is moved only when it fires or
//! a head arrives in pieces.

use std::{
    future::poll_fn,
    io,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{server::conn::http1, service::service_fn};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Acceptor,
    ending::ending,
    line_ends::LineEnds,
    lingering::Lingering,
    resting::Http,
    watched::{Watch, Watched},
};
use crate::{
    clock::instant,
    config::Limits,
    gateway::{self, Answering, Connection},
};

/// How much hyper reads or writes at a time, unless a head may be larger.
const BUFFER: usize = 64 * 1024;

/// How many fields hyper takes by itself; for any other number it parses on the heap, 5 % slower. Fewer are ours to
/// refuse ([`HeadLimits`](crate::request::HeadLimits)).
const FIELDS: usize = 100;

/// A connection that has said nothing for this long rests: hyper gives it back. Until then it is looked at as often.
const SETTLED: Duration = Duration::from_millis(250);

/// While a request is answered, only silence ends it, and the end of its session, which nobody else wakes it for while
/// the upstream is waited for.
const LOOK: Duration = Duration::from_secs(2);

/// Serves to the end; `read` has been read from the stream already.
pub(super) async fn serve<S>(acceptor: &Acceptor, stream: S, read: Bytes, connection: Arc<Connection>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Limits { header_bytes, header_count, header_timeout, keepalive, .. } = acceptor.limits();
    let watcher = Watcher { connection: Arc::clone(&connection), line_ends: LineEnds::default() };
    let watched = Watched::new(Lingering::new(stream, Arc::clone(&connection)), read, watcher);
    let mut http = Http::new(watched, |stream| {
        let answering = Answering::new(Arc::clone(&connection));
        let service = service_fn(move |request| gateway::handle(answering.worker(), answering.connection(), request));
        let mut http = http1::Builder::new();
        http.header_read_timeout(None).max_buf_size(BUFFER.max(header_bytes)).max_header_size(header_bytes);
        if header_count > FIELDS {
            http.max_headers(header_count);
        }
        http.serve_connection(stream, service)
    });
    let deadline = || connection.activity.deadline(header_timeout, keepalive);
    // And whether it is as late as it may be while nothing is asked.
    let next_look = |now: Instant, look: Duration| {
        let unsettled = connection.rested(now).map(|rested| SETTLED.saturating_sub(rested));
        if let Some(left) = unsettled.filter(|left| !left.is_zero()) {
            return (now + left, false);
        }
        let (look, late) = deadline().map_or((now + look, false), |due| (due, true));
        (connection.activity.rest().map_or(look, |rest| look.min(now + rest)), late)
    };
    let mut moved = instant();
    let (mut armed, mut late) = next_look(moved, LOOK);
    let mut timer = pin!(acceptor.timers.sleep_until(armed));
    let mut ending = pin!(ending(&acceptor.endings, &connection.activity));
    let mut stopping = false;
    // Both wake this task by themselves; asking them again before they have would cost each request 500 instructions.
    let mut waiting = false;

    let served = poll_fn(|cx| {
        if let Poll::Ready(served) = http.poll(cx) {
            return Poll::Ready(Some(served));
        }
        if !stopping && (!waiting || acceptor.endings.leaving.is_cancelled()) && ending.as_mut().poll(cx).is_ready() {
            stopping = true;
            connection.settle();
            http.graceful_shutdown();
            if let Poll::Ready(served) = http.poll(cx) {
                return Poll::Ready(Some(served));
            }
        }
        let sooner = match deadline() {
            // A head that arrives in pieces is due earlier than the rest that it interrupted.
            Some(due) => (due < armed).then_some((due, true)),
            None if late => Some(next_look(instant(), SETTLED)),
            None => None,
        };
        if let Some(sooner) = sooner {
            (armed, late) = sooner;
            timer.as_mut().reset(armed.into());
            waiting = false;
        }
        while (!waiting || timer.is_elapsed()) && timer.as_mut().poll(cx).is_ready() {
            let now = instant();
            if connection.activity.has_moved() {
                moved = now;
            }
            let silence = now.duration_since(moved);
            match deadline() {
                Some(due) if due <= now => return Poll::Ready(None),
                None if connection.rest().is_some_and(|rest| silence >= rest) => return Poll::Ready(None),
                _ => {}
            }
            if !stopping && connection.rested(now).is_some_and(|rested| rested >= SETTLED) {
                http.rest();
                if let Poll::Ready(served) = http.poll(cx) {
                    return Poll::Ready(Some(served));
                }
            }
            (armed, late) = next_look(now, LOOK);
            timer.as_mut().reset(armed.into());
            waiting = false;
        }
        // Out of budget, the timer has not taken the waker.
        waiting = tokio::task::coop::has_budget_remaining();
        Poll::Pending
    })
    .await;

    match served {
        Some(Err(error)) if error.is_parse() => {
            let too_large = error.is_parse_too_large();
            let reason = if too_large { "head_too_large" } else { "unparsable" };
            acceptor.meter.unrouted().refused(reason);
            // hyper does not say which of the two it was.
            let [header_bytes, header_count] = [header_bytes, header_count].map(|limit| too_large.then_some(limit));
            tracing::info!(
                client = %connection.peer.address(), reason, %error,
                server.limits.header_bytes = header_bytes, server.limits.header_count = header_count,
                "a request could not be parsed"
            );
        }
        Some(Err(error)) => tracing::debug!(client = %connection.peer.address(), %error, "a connection broke"),
        Some(Ok(())) => {}
        None => {
            if let Some(reason) = connection.fault() {
                acceptor.meter.connection_cut(reason);
                tracing::debug!(client = %connection.peer.address(), reason, "a connection was cut");
            }
        }
    }
}

/// Notes when bytes come and go, and how the lines of heads end.
struct Watcher {
    connection: Arc<Connection>,
    line_ends: LineEnds,
}

impl Watch for Watcher {
    fn received(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let heard = self.connection.received();
        self.line_ends.check(heard, bytes);
        Ok(())
    }

    fn sending(&mut self) {
        self.connection.activity.sending();
    }

    fn sent(&mut self, _: &[io::IoSlice<'_>], _: usize) {
        self.connection.activity.sent();
    }

    fn flushed(&mut self) {
        self.connection.activity.flushed();
    }
}
