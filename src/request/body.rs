//! A visitor's body on its way in: counted where it has a limit, and never lost sight of.
//!
//! Two things depend on how far a body has come, long after its request was handed
//! on: whether the visitor or the upstream is waited for, and whether an answer is
//! followed by an ending in which the rest of the body is taken and thrown away
//! (RFC 9112 §9.6). So each body keeps a [`Receipt`] of its own and counts into the
//! [`Bodies`] of its connection. A request without a body costs nothing of it.

use std::{
    num::NonZeroU64,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use thiserror::Error;

use super::ReservedNames;

/// The bodies of one connection.
#[derive(Debug, Default)]
pub struct Bodies {
    arriving: AtomicU32,
    abandoned: AtomicBool,
}

impl Bodies {
    /// A body of this connection.
    pub fn begin(self: &Arc<Self>, incoming: Incoming) -> Body {
        let receipt = (!incoming.is_end_stream()).then(|| {
            self.arriving.fetch_add(1, Ordering::Relaxed);
            Receipt { fate: Arc::default(), connection: Arc::clone(self) }
        });
        Body { incoming, left: u64::MAX, receipt, reserved: None }
    }

    /// Whether more of one is to come, and somebody wants it.
    pub fn are_arriving(&self) -> bool {
        self.arriving.load(Ordering::Relaxed) > 0
    }

    /// Forgets what was left behind.
    pub fn settle(&self) {
        self.abandoned.store(false, Ordering::Relaxed);
    }

    /// Whether nobody wanted the rest of one: it may still be on its way.
    pub fn was_one_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }
}

/// One body, or none.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    /// How many bytes may still come.
    left: u64,
    receipt: Option<Receipt>,
    /// What must not come after it.
    reserved: Option<Arc<ReservedNames>>,
}

/// Why a body does not come to its end.
#[derive(Debug, Error)]
pub enum BodyError {
    /// It is larger than the app takes (`app.limits.body_bytes`).
    #[error("the request's body is larger than app.limits.body_bytes")]
    TooLarge,
    /// The visitor left, or what came is no chunk (RFC 9112 §7.1).
    #[error("the request's body broke off: {0}")]
    Broken(#[source] hyper::Error),
}

impl Body {
    /// Bounds it; an error at once where it says itself that it is larger (RFC 9110 §15.5.14).
    pub fn limited(mut self, limit: Option<NonZeroU64>) -> Result<Self, BodyError> {
        let Some(limit) = limit else { return Ok(self) };
        if self.incoming.size_hint().lower() > limit.get() {
            return Err(BodyError::TooLarge);
        }
        self.left = limit.get();
        Ok(self)
    }

    /// Takes these names out of its trailers (threat 48).
    #[must_use]
    pub fn without_trailers(self, reserved: Option<&Arc<ReservedNames>>) -> Self {
        Self { reserved: reserved.cloned(), ..self }
    }

    /// What has become of it, for whoever has given it away.
    pub fn fate(&self) -> Option<Fate> {
        self.receipt.as_ref().map(|receipt| Fate(Arc::clone(&receipt.fate)))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.incoming).poll_frame(cx));
        let (frame, fate) = match frame {
            Some(Ok(mut frame)) => {
                if let (Some(reserved), Some(trailers)) = (&this.reserved, frame.trailers_mut()) {
                    reserved.remove_from(trailers);
                }
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                match this.left.checked_sub(length) {
                    Some(left) => {
                        this.left = left;
                        let fate = if this.incoming.is_end_stream() { WHOLE } else { ARRIVING };
                        (Some(Ok(frame)), fate)
                    }
                    None => (Some(Err(BodyError::TooLarge)), TOO_LARGE),
                }
            }
            Some(Err(error)) => (Some(Err(BodyError::Broken(error))), BROKEN),
            None => (None, WHOLE),
        };
        if fate != ARRIVING
            && let Some(receipt) = this.receipt.take()
        {
            receipt.fate.store(fate, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

const ARRIVING: u8 = 0;
const WHOLE: u8 = 1;
const TOO_LARGE: u8 = 2;
const BROKEN: u8 = 3;

/// What became of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet, or nobody wanted it to its end.
    Open,
    /// It came to its end.
    Whole,
    /// See [`BodyError::TooLarge`].
    TooLarge,
    /// See [`BodyError::Broken`].
    Broken,
}

/// Knows what became of a body.
#[derive(Debug)]
pub struct Fate(Arc<AtomicU8>);

impl Fate {
    /// What it is by now.
    pub fn outcome(&self) -> Outcome {
        match self.0.load(Ordering::Relaxed) {
            WHOLE => Outcome::Whole,
            TOO_LARGE => Outcome::TooLarge,
            BROKEN => Outcome::Broken,
            _ => Outcome::Open,
        }
    }
}

/// Is given up when the body is: at its end, or before.
#[derive(Debug)]
struct Receipt {
    fate: Arc<AtomicU8>,
    connection: Arc<Bodies>,
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if self.fate.load(Ordering::Relaxed) != WHOLE {
            self.connection.abandoned.store(true, Ordering::Relaxed);
        }
        self.connection.arriving.fetch_sub(1, Ordering::Relaxed);
    }
}
