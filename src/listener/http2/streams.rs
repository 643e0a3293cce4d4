//! The requests of one HTTP/2 connection, answered side by side within the connection's own task.
//!
//! hyper would spawn a task for each. Here they stay with their connection: whatever ends
//! it ends them, the drain that waits for it waits for them, its one timer serves them all,
//! and how many there are is known without counting.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_util::stream::{FuturesUnordered, Stream as _};
use hyper::rt::Executor;

type Answering = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where hyper leaves new streams while it is polled.
#[derive(Clone, Default)]
pub(super) struct Arrivals(Arc<Mutex<Vec<Answering>>>);

impl Arrivals {
    fn lock(&self) -> MutexGuard<'_, Vec<Answering>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Arrivals {
    fn execute(&self, answering: F) {
        self.lock().push(Box::pin(answering));
    }
}

/// The streams that are being answered.
#[derive(Default)]
pub(super) struct Streams {
    arrivals: Arrivals,
    open: FuturesUnordered<Stream>,
}

struct Stream {
    answering: Answering,
    /// How to have it polled again, once it has waited for something.
    waker: Option<Waker>,
}

impl Future for Stream {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.answering.as_mut().poll(cx);
        if polled.is_pending() && self.waker.is_none() {
            self.waker = Some(cx.waker().clone()); // its own for as long as it is in the set
        }
        polled
    }
}

impl Streams {
    /// What hyper is given to leave new streams at.
    pub(super) fn arrivals(&self) -> Arrivals {
        self.arrivals.clone()
    }

    /// Takes in what has arrived and goes on with whatever can go on; says how many have ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> usize {
        self.open.extend(self.arrivals.lock().drain(..).map(|answering| Stream { answering, waker: None }));
        let before = self.open.len();
        while let Poll::Ready(Some(())) = Pin::new(&mut self.open).poll_next(cx) {}
        before - self.open.len()
    }

    /// Whether none is open.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Has each look at the clock: an upstream's time to answer has no timer of its own.
    pub(super) fn look(&self) {
        self.open.iter().filter_map(|stream| stream.waker.as_ref()).for_each(Waker::wake_by_ref);
    }
}
