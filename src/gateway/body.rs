//! What we answer with: nothing, a text of our own, or the upstream's stream.
//!
//! One concrete type instead of boxed ones: it is polled for every request. When
//! it is dropped, sent or not, the request is over, and its access line is written;
//! but for a switch of protocols, where that comes with the end of the tunnel.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use thiserror::Error;

use super::worker::Finish;
use crate::{
    apart::apart,
    forward::Tunnel,
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
    /// None: a tunnel follows.
    Tunnel(Box<Tunnel>),
}

/// The upstream's body, for as long as whoever gets it may have it.
struct Stream {
    body: ResponseBody,
    /// What could end it otherwise. Made when the stream first makes us wait: a short answer never does.
    news: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whether a part of it is out: what follows is passed on only as long as it may be.
    begun: bool,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("body", &self.body).finish_non_exhaustive()
    }
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
    /// A configuration that is newer than the answer's beginning does not let its visitor have it.
    #[error("its visitor is not admitted any more")]
    NotAdmitted,
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
        Self { content: Content::Upstream(Stream { body, news: None, begun: false }), finish: None }
    }

    /// None: a tunnel follows.
    pub fn tunnel(tunnel: Box<Tunnel>) -> Self {
        Self { content: Content::Tunnel(tunnel), finish: None }
    }

    /// Has something done when the answer is over, and what follows it, if anything.
    #[must_use]
    pub(super) fn finishing(mut self, finish: Box<Finish>) -> Self {
        match self.content {
            Content::Tunnel(tunnel) => {
                finish.follow(tunnel);
                Self::empty()
            }
            Content::Empty | Content::Own(_) | Content::Upstream(_) => {
                self.finish = Some(finish);
                self
            }
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let frame = match &mut this.content {
            Content::Empty | Content::Tunnel(_) => Poll::Ready(None),
            Content::Own(bytes) => {
                let bytes = std::mem::take(bytes);
                this.content = Content::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Content::Upstream(stream) => stream.poll_frame(cx, this.finish.as_deref_mut()),
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
            Content::Empty | Content::Tunnel(_) => true,
            Content::Own(bytes) => bytes.is_empty(),
            Content::Upstream(stream) => stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty | Content::Tunnel(_) => SizeHint::with_exact(0),
            Content::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Upstream(stream) => stream.body.size_hint(),
        }
    }
}

impl Stream {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        mut finish: Option<&mut Finish>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        // An upstream that never makes us wait is cut here. `forward` has looked before the first part,
        // so that a short answer costs no further look.
        if self.begun
            && let Some(Err(broken)) = finish.as_deref_mut().map(Finish::may_go_on)
        {
            return Poll::Ready(Some(Err(broken)));
        }
        self.begun = true;
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Broken::Upstream))),
            Poll::Pending => {
                let Some(finish) = finish else { return Poll::Pending };
                while self.news.get_or_insert_with(|| apart(|| finish.news())).as_mut().poll(cx).is_ready() {
                    self.news = None;
                    if let Err(broken) = finish.may_go_on() {
                        return Poll::Ready(Some(Err(broken)));
                    }
                }
                Poll::Pending
            }
        }
    }
}
