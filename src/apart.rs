//! Ways that few requests go, kept out of the way of the others.
//!
//! A compiler puts what is called in one place into its caller. For a future that is
//! made, polled and dropped in the middle of what every request runs through, this
//! means that its kilobytes lie between theirs: on the stack, in the room that a
//! request takes, and in the program itself.

use std::pin::Pin;

/// A future in a place of its own. `make` calls for it, so that it is not made in the caller's place either.
#[cold]
#[inline(never)]
pub(crate) fn apart<'f, F>(make: impl FnOnce() -> F) -> Pin<Box<dyn Future<Output = F::Output> + Send + 'f>>
where
    F: Future + Send + 'f,
{
    Box::pin(make())
}
