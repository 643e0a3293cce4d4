//! Bodies on their way: never collected, with the back-pressure of the side that reads.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use thiserror::Error;

use super::{
    http2,
    patience::{Looks, Patience},
    pool::Lease,
    trailers,
};
use crate::request::{self, BodyError};

/// What goes to the upstream: the visitor's body, or none.
///
/// Boxed, because most requests have none and all are moved about.
#[derive(Debug, Default)]
pub struct RequestBody(Option<Box<Outgoing>>);

#[derive(Debug)]
struct Outgoing {
    visitors: request::Body,
    upload: Option<Uploading>,
    hold: Option<Hold>,
}

impl RequestBody {
    /// No body at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Whether there never was anything to send.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How far it comes from now on; `None` where there is no body.
    pub(super) fn watch(&mut self) -> Option<Arc<Upload>> {
        let body = self.0.as_mut()?;
        let upload = Arc::new(Upload::default());
        body.upload = Some(Uploading(Arc::clone(&upload)));
        Some(upload)
    }

    /// Lets nobody ask the visitor for it until `until` is over.
    pub(super) fn hold(&mut self, until: impl Future<Output = ()> + Send + 'static) {
        if let Some(body) = &mut self.0 {
            body.hold = Some(Hold(Box::pin(until)));
        }
    }
}

impl From<request::Body> for RequestBody {
    fn from(body: request::Body) -> Self {
        Self((!body.is_end_stream()).then(|| Box::new(Outgoing { visitors: body, upload: None, hold: None })))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        if let Some(Hold(until)) = &mut body.hold {
            ready!(until.as_mut().poll(cx));
            body.hold = None;
        }
        let mut frame = Pin::new(&mut body.visitors).poll_frame(cx);
        if let Some(Uploading(upload)) = &body.upload {
            upload.note(match &frame {
                Poll::Pending => Stage::AwaitsVisitor,
                Poll::Ready(Some(Ok(_))) => Stage::Moves,
                Poll::Ready(None | Some(Err(_))) => Stage::Over,
            });
        }
        if let Poll::Ready(Some(Ok(frame))) = &mut frame
            && let Some(fields) = frame.trailers_mut()
        {
            trailers::cleanse_request(fields);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.visitors.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.visitors.size_hint())
    }
}

/// What a body waits for before it is asked for.
struct Hold(Pin<Box<dyn Future<Output = ()> + Send>>);

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

/// How far a request's body has come: told by the body, read by whoever waits for the answer.
#[derive(Debug, Default)]
pub(super) struct Upload(AtomicU32);

/// What happens to a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Moves,
    AwaitsVisitor,
    Over,
}

/// The two lowest bits are the stage, the others count what has come.
const STEP: u32 = 4;
const AWAITS_VISITOR: u32 = 1;
const OVER: u32 = 2;

impl Upload {
    fn note(&self, stage: Stage) {
        let counted = self.0.load(Ordering::Relaxed) & !(STEP - 1);
        self.0.store(
            match stage {
                Stage::Moves => counted.wrapping_add(STEP),
                Stage::AwaitsVisitor => counted | AWAITS_VISITOR,
                Stage::Over => counted | OVER,
            },
            Ordering::Relaxed,
        );
    }

    /// Whether the visitor has been asked for it.
    pub(super) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Whether all of it has been sent, or given up.
    pub(super) fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) & OVER != 0
    }

    /// Whether it is the visitor who keeps everybody waiting.
    pub(super) fn awaits_visitor(&self) -> bool {
        self.0.load(Ordering::Relaxed) & AWAITS_VISITOR != 0
    }

    /// As it is when the body is dropped.
    #[cfg(test)]
    pub(super) fn give_up(&self) {
        self.note(Stage::Over);
    }

    /// Another number after each part of it.
    pub(super) fn mark(&self) -> u32 {
        self.0.load(Ordering::Relaxed) & !(STEP - 1)
    }
}

/// Says that a body is over when it is dropped, sent or not.
#[derive(Debug)]
struct Uploading(Arc<Upload>);

impl Drop for Uploading {
    fn drop(&mut self) {
        self.0.note(Stage::Over);
    }
}

/// Why an answer breaks off.
#[derive(Debug, Error)]
pub enum BrokenBody {
    /// The connection broke, or its framing did.
    #[error("the upstream broke off: {0}")]
    Http1(#[source] hyper::Error),
    /// The stream was reset, or the connection broke.
    #[error("the upstream broke off: {0}")]
    Http2(#[source] h2::Error),
    /// Nothing came for too long, in either direction.
    #[error("nothing came from the upstream or went to it for {0:?} (limits.idle)")]
    Idle(Duration),
}

/// What comes from the upstream. At its end the connection goes back to the pool;
/// dropped earlier, it ends the request there as well.
#[derive(Debug)]
pub struct ResponseBody {
    source: Source,
    /// `None` where it is for others to judge.
    silence: Option<Box<Silence>>,
}

#[derive(Debug)]
enum Source {
    Http1 { incoming: Incoming, lease: Option<Lease> },
    Http2(Box<http2::Incoming>),
}

/// How long nothing has come.
///
/// Of a visitor in HTTP/1.1 that is for their connection to judge, on which nothing else can
/// come meanwhile (`gateway::Connection::rest`); in HTTP/2 only the stream itself can know.
#[derive(Debug)]
pub(super) struct Silence {
    limit: Duration,
    patience: Patience,
    upload: Option<Arc<Upload>>,
    parts: u32,
}

impl Silence {
    pub(super) fn new(limit: Option<Duration>, looks: Looks, upload: Option<Arc<Upload>>) -> Option<Box<Self>> {
        let limit = limit.filter(|_| looks == Looks::Once)?;
        Some(Box::new(Self { limit, patience: Patience::new(looks), upload, parts: 0 }))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        let sent = self.upload.as_ref().map_or(0, |upload| upload.mark());
        let mark = self.parts.wrapping_add(sent);
        self.patience.poll_end(cx, Some(self.limit), mark).map(|()| self.limit)
    }
}

impl ResponseBody {
    pub(super) fn pooled(incoming: Incoming, lease: Lease, silence: Option<Box<Silence>>) -> Self {
        if incoming.is_end_stream() {
            lease.give_back();
            return Self::unpooled(incoming, silence);
        }
        Self { source: Source::Http1 { incoming, lease: Some(lease) }, silence }
    }

    pub(super) fn unpooled(incoming: Incoming, silence: Option<Box<Silence>>) -> Self {
        Self { source: Source::Http1 { incoming, lease: None }, silence }
    }

    pub(super) fn multiplexed(incoming: http2::Incoming, silence: Option<Box<Silence>>) -> Self {
        Self { source: Source::Http2(Box::new(incoming)), silence }
    }
}

impl Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        match self {
            Self::Http1 { incoming, lease } => {
                let frame = match lease {
                    Some(lease) => lease.connection().poll_frame(incoming, cx),
                    None => Pin::new(&mut *incoming).poll_frame(cx),
                };
                let is_over = match &frame {
                    // Nothing follows trailers, and nobody asks whether.
                    Poll::Ready(Some(Ok(frame))) => frame.is_trailers() || incoming.is_end_stream(),
                    Poll::Ready(None) => true,
                    Poll::Ready(Some(Err(_))) => {
                        *lease = None;
                        false
                    }
                    Poll::Pending => false,
                };
                if is_over && let Some(lease) = lease.take() {
                    lease.give_back();
                }
                frame.map_err(BrokenBody::Http1)
            }
            Self::Http2(incoming) => incoming.poll_frame(cx).map_err(BrokenBody::Http2),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BrokenBody;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        let this = &mut *self;
        let mut frame = this.source.poll_frame(cx);
        match &mut frame {
            Poll::Pending => {
                let Some(silence) = &mut this.silence else { return Poll::Pending };
                return silence.poll_end(cx).map(|limit| Some(Err(BrokenBody::Idle(limit))));
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(silence) = &mut this.silence {
                    silence.parts = silence.parts.wrapping_add(1);
                }
                if let Some(fields) = frame.trailers_mut() {
                    trailers::cleanse_response(fields);
                }
            }
            Poll::Ready(None | Some(Err(_))) => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Http1 { incoming, .. } => incoming.is_end_stream(),
            Source::Http2(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Http1 { incoming, .. } => incoming.size_hint(),
            Source::Http2(incoming) => incoming.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_tells_how_far_it_has_come_and_who_is_waited_for() {
        let upload = Upload::default();
        assert!(!upload.has_begun() && !upload.is_over() && !upload.awaits_visitor());
        let begun = upload.mark();
        upload.note(Stage::AwaitsVisitor);
        assert!(upload.has_begun() && upload.awaits_visitor() && upload.mark() == begun, "waiting is no progress");
        upload.note(Stage::Moves);
        assert!(!upload.awaits_visitor() && upload.mark() != begun);
        drop(Uploading(Arc::new(Upload::default())));
        upload.note(Stage::Over);
        assert!(upload.is_over());
    }
}
