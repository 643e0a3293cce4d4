//! What we answer with: nothing, a text of our own, or the upstream's stream.
//!
//! One concrete type instead of boxed ones: it is polled for every request. When
//! it is dropped, sent or not, the request is over, and its access line is written.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use thiserror::Error;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{guest::Guest, worker::Finish};
use crate::{
    session::Pulse,
    upstream::{BrokenBody, ResponseBody},
};

/// The body of an answer.
#[derive(Debug)]
pub struct Body {
    content: Content,
    /// Apart from the rest, which moves about a lot on its way to the wire.
    finish: Option<Box<Finish>>,
}

#[derive(Debug)]
enum Content {
    Empty,
    Own(Bytes),
    Upstream(Stream),
}

/// The upstream's body, for as long as the session lives.
#[derive(Debug)]
struct Stream {
    body: ResponseBody,
    /// Made when the stream first makes us wait: a short answer never does.
    at_end: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Whether a part of it is out: what follows is passed on only as long as the session lives.
    begun: bool,
}

/// Why an answer breaks off.
#[derive(Debug, Error)]
pub enum Broken {
    /// The upstream broke off.
    #[error(transparent)]
    Upstream(#[from] BrokenBody),
    /// The session ended while the answer was on its way.
    #[error("the session ended")]
    SessionEnded,
}

impl Body {
    /// No content.
    pub fn empty() -> Self {
        Self { content: Content::Empty, finish: None }
    }

    /// Content of our own.
    pub fn own(content: impl Into<Bytes>) -> Self {
        Self { content: Content::Own(content.into()), finish: None }
    }

    /// The upstream's, for as long as the session lives that the request came with.
    pub fn upstream(body: ResponseBody) -> Self {
        Self { content: Content::Upstream(Stream { body, at_end: None, begun: false }), finish: None }
    }

    /// Has something done when the answer is over.
    #[must_use]
    pub(super) fn finishing(mut self, finish: Box<Finish>) -> Self {
        self.finish = Some(finish);
        self
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let frame = match &mut this.content {
            Content::Empty => Poll::Ready(None),
            Content::Own(bytes) => {
                let bytes = std::mem::take(bytes);
                this.content = Content::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Content::Upstream(stream) => {
                let guest = this.finish.as_ref().and_then(|finish| finish.trace.guest.as_deref());
                stream.poll_frame(cx, guest.map(Guest::pulse))
            }
        };
        if let (Poll::Ready(Some(frame)), Some(finish)) = (&frame, &mut this.finish) {
            match frame {
                Ok(frame) => finish.sent(frame.data_ref().map_or(0, Bytes::len)),
                Err(broken) => finish.broke_off(broken),
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Own(bytes) => bytes.is_empty(),
            Content::Upstream(stream) => stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Upstream(stream) => stream.body.size_hint(),
        }
    }
}

impl Stream {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        session: Option<&Pulse>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        // An upstream that never makes us wait is cut here. `forward` has looked before the first part,
        // so that a short answer costs no further look.
        if self.begun && session.is_some_and(Pulse::has_ended) {
            return Poll::Ready(Some(Err(Broken::SessionEnded)));
        }
        self.begun = true;
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Broken::Upstream))),
            Poll::Pending => {
                let Some(session) = session else { return Poll::Pending };
                let at_end = self.at_end.get_or_insert_with(|| Box::pin(session.ended().ended()));
                at_end.as_mut().poll(cx).map(|()| Some(Err(Broken::SessionEnded)))
            }
        }
    }
}
