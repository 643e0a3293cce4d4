//! A connection that speaks HTTP/2 (RFC 9113): requests side by side, one timer, an end.
//!
//! How it rests and stalls is judged by its frames ([`Frames`]), not by
//! [`Activity`](crate::gateway::Activity), which knows one request at a time.
//!
//! What one connection can hold, at the most: [`WINDOW`] of bodies that no upstream has read
//! yet, [`SEND_BUFFER`] and one piece of the upstream's answer for each of [`STREAMS`] answers
//! that the visitor does not read, a head of [`MAX_HEAD`], a compression table of 4 KiB. The
//! windows are fixed: adaptive ones (hyper's) need a PING and a clock for every few bodies, and
//! let a visitor grow what we hold.

use std::{
    error::Error,
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Acceptor, watched::Watched};
use crate::{
    clock::instant,
    config::Limits,
    gateway::{self, Answering, Connection},
    request,
};

mod frames;
mod streams;

use frames::Frames;
use streams::Streams;

/// How many requests may be under way: what RFC 9113 §6.5.2 recommends, and browsers expect.
const STREAMS: u32 = 100;

/// The largest head, as RFC 9113 §6.5.2 counts it: names and values and 32 bytes for each field.
const MAX_HEAD: u32 = 64 * 1024;

/// What may be on its way to us: for one request, and for all of a connection. 256 KiB fill a line of
/// 100 Mbit/s at 20 ms.
const STREAM_WINDOW: u32 = 256 * 1024;
const WINDOW: u32 = 1024 * 1024;

/// What is taken of an answer before the visitor has read it, beside the piece that is being sent.
const SEND_BUFFER: usize = 64 * 1024;

/// How many requests that break the rules, each answered by a reset, one connection may send.
const BROKEN_STREAMS: usize = 100;

/// A connection with requests of which no part has come or gone for this long is cut.
const MAX_IDLE: Duration = Duration::from_hours(1);

/// How far its end has come.
#[derive(Clone, Copy)]
enum Ending {
    /// New requests are taken.
    NotYet,
    /// Since then the visitor has been told to send no more (RFC 9113 §6.8).
    Announced(Instant),
}

/// Serves to the end; `read` has been read from the stream already.
pub(super) async fn serve<S>(acceptor: &Acceptor, stream: S, read: Bytes, connection: Arc<Connection>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Limits { header_timeout, keepalive, .. } = acceptor.limits();
    let frames = Arc::new(Frames::new());
    let mut streams = Streams::default();
    let answering = Answering::new(Arc::clone(&connection));
    let service = service_fn(move |mut request| {
        request::http2::settle(&mut request);
        gateway::handle(answering.worker(), answering.connection(), request)
    });
    let http = http2::Builder::new(streams.arrivals())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(MAX_HEAD)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_local_error_reset_streams(BROKEN_STREAMS)
        .serve_connection(TokioIo::new(Watched::new(stream, read, Arc::clone(&frames))), service);
    let mut http = pin!(http);
    let deadline = |streams: &Streams, ending| match ending {
        _ if !streams.is_empty() => frames.deadline(MAX_IDLE, header_timeout),
        Ending::NotYet => frames.deadline(keepalive, header_timeout),
        // It has nothing to do but to go; a visitor who does not hear that is not waited for.
        Ending::Announced(since) => frames.deadline(header_timeout, header_timeout).max(since + header_timeout),
    };
    let mut ending = Ending::NotYet;
    let mut armed = instant() + header_timeout;
    let mut timer = pin!(acceptor.timers.sleep_until(armed));
    let mut stop = pin!(acceptor.endings.leaving.cancelled());

    let served = poll_fn(|cx| {
        loop {
            if let Poll::Ready(served) = http.as_mut().poll(cx) {
                return Poll::Ready(Some(served));
            }
            if matches!(ending, Ending::NotYet) && stop.as_mut().poll(cx).is_ready() {
                ending = Ending::Announced(instant());
                http.as_mut().graceful_shutdown();
                continue;
            }
            if streams.poll(cx) > 0 {
                frames.answered();
            }
            // What arrives or comes to rest can be due earlier than the next look.
            let due = deadline(&streams, ending);
            if due < armed {
                armed = due;
                timer.as_mut().reset(armed.into());
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = instant();
            if deadline(&streams, ending) <= now {
                if matches!(ending, Ending::Announced(_)) || !streams.is_empty() || frames.is_partial() {
                    return Poll::Ready(None);
                }
                ending = Ending::Announced(now);
                http.as_mut().graceful_shutdown();
            }
            streams.look();
            report_malformed(acceptor, &connection, &frames);
            armed = deadline(&streams, ending).min(now + header_timeout);
            timer.as_mut().reset(armed.into());
        }
    })
    .await;

    report_malformed(acceptor, &connection, &frames);
    let client = connection.peer.address();
    let error = match served {
        Some(Ok(())) => return,
        Some(Err(error)) => error,
        None => {
            // Without a stream and a head it was at rest, which is nobody's fault.
            let reason =
                if frames.is_partial() { Some("head_too_slow") } else { (!streams.is_empty()).then_some("idle") };
            if let Some(reason) = reason {
                acceptor.meter.connection_cut(reason);
                tracing::debug!(%client, reason, "a connection was cut");
            }
            return;
        }
    };
    if let Some(flood) = frames.flood() {
        acceptor.meter.connection_cut("http2_flood");
        tracing::info!(%client, error = %flood, "a connection was cut");
    } else if let Some(broken) = broken_rule(&error) {
        acceptor.meter.unrouted().refused("unparsable");
        tracing::info!(%client, error = %broken, "a connection broke the rules of HTTP/2");
    } else {
        tracing::debug!(%client, %error, "a connection broke");
    }
}

/// Counts and logs what the `h2` crate has refused without asking: now and then, not one by one.
fn report_malformed(acceptor: &Acceptor, connection: &Connection, frames: &Frames) {
    let malformed = frames.take_malformed();
    if malformed > 0 {
        (0..malformed).for_each(|_| acceptor.meter.unrouted().refused("unparsable"));
        tracing::info!(client = %connection.peer.address(), requests = malformed, "requests broke the rules of HTTP/2");
    }
}

/// What the `h2` crate ended the connection for, where it was not the network or the visitor.
fn broken_rule(error: &hyper::Error) -> Option<&h2::Error> {
    let error = error.source()?.downcast_ref::<h2::Error>()?;
    (error.is_library() && (error.is_go_away() || error.is_reset())).then_some(error)
}
