//! Bodies on their way: never collected, with the back-pressure of the side that reads.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::pool::Lease;
use crate::request::{self, BodyError};

/// What goes to the upstream: the visitor's body, or none.
#[derive(Debug, Default)]
pub struct RequestBody {
    visitors: Option<request::Body>,
    end: Option<DropGuard>,
}

impl RequestBody {
    /// No body at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Whether there never was anything to send.
    pub fn is_empty(&self) -> bool {
        self.visitors.is_none()
    }

    /// A token that is cancelled once the body has been sent or given up; `None` where there is no body.
    pub(super) fn watch_end(&mut self) -> Option<CancellationToken> {
        self.visitors.as_ref()?;
        let sent = CancellationToken::new();
        self.end = Some(sent.clone().drop_guard());
        Some(sent)
    }
}

impl From<request::Body> for RequestBody {
    fn from(body: request::Body) -> Self {
        Self { visitors: (!body.is_end_stream()).then_some(body), end: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(body) = &mut self.visitors else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.end = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.visitors.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.visitors.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// What comes from the upstream. At its end the connection goes back to the pool;
/// dropped earlier, it closes the connection and so cancels the rest.
#[derive(Debug)]
pub struct ResponseBody {
    incoming: Incoming,
    lease: Option<Lease>,
}

impl ResponseBody {
    pub(super) fn pooled(incoming: Incoming, lease: Lease) -> Self {
        let mut body = Self { incoming, lease: Some(lease) };
        body.release_at_end();
        body
    }

    pub(super) fn unpooled(incoming: Incoming) -> Self {
        Self { incoming, lease: None }
    }

    fn release_at_end(&mut self) {
        if self.incoming.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.incoming).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(_))) => self.release_at_end(),
            Poll::Ready(None) => {
                if let Some(lease) = self.lease.take() {
                    lease.give_back();
                }
            }
            Poll::Ready(Some(Err(_))) => self.lease = None,
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
