//! The end of a connection whose visitor may still be sending.
//!
//! A socket that is closed while bytes of its peer are unread, or on their way, is
//! reset, and a reset can overtake the answer: whoever is told that a body is too large
//! would never hear it. So the writing side is closed first and what still comes is thrown
//! away, up to so many bytes and for so long (RFC 9112 §9.6). Where nothing is owed, the
//! end is what it was before.
//!
//! It stands in `poll_shutdown`, which hyper calls when the last answer is out: nowhere
//! else is there both the stream and the moment.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{clock::instant, gateway::Connection};

/// So much is thrown away at most: what a fast sender has under way before it hears of the answer.
const MOST: usize = 16 * 1024 * 1024;

/// How much is read at a time.
const PIECE: usize = 8 * 1024;

/// A visitor's stream that ends in order. How long its end may take is for the timer of the connection.
pub(super) struct Lingering<S> {
    stream: S,
    connection: Arc<Connection>,
    ending: Ending,
}

enum Ending {
    /// There is more to say.
    Ahead,
    /// All is said; so many bytes more are taken.
    Taking(usize),
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S, connection: Arc<Connection>) -> Self {
        Self { stream, connection, ending: Ending::Ahead }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match this.ending {
                Ending::Ahead => {
                    ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                    if !this.connection.may_still_be_sending() {
                        return Poll::Ready(Ok(()));
                    }
                    this.connection.activity.ending(instant());
                    this.ending = Ending::Taking(MOST);
                }
                Ending::Taking(left) => {
                    let mut piece = [0; PIECE];
                    let mut piece = ReadBuf::new(&mut piece);
                    let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut piece));
                    let length = piece.filled().len();
                    // Gone, in order or not: either way nothing is owed any more.
                    if read.is_err() || length == 0 || length >= left {
                        return Poll::Ready(Ok(()));
                    }
                    this.ending = Ending::Taking(left - length);
                }
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
