//! A visitor's stream whose bytes somebody watches as they come and go.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much of a request is read by a connection that rested: most heads whole.
const FIRST: usize = 2048;

/// Sees the bytes of one connection.
pub(super) trait Watch {
    /// These came in, and nobody else has seen them; an error cuts the connection.
    fn received(&mut self, bytes: &mut [u8]) -> io::Result<()>;

    /// Bytes are to go out; perhaps not yet.
    fn sending(&mut self);

    /// Of these slices, one after the other, so many bytes went out.
    fn sent(&mut self, slices: &[IoSlice<'_>], length: usize);

    /// Whoever writes has no more to write, and all of it is out.
    fn flushed(&mut self);
}

/// A stream, what was read from it before, and who watches it.
pub(super) struct Watched<S, W> {
    stream: S,
    read_before: Bytes,
    watch: W,
}

impl<S, W> Watched<S, W> {
    /// Reads `read_before` first.
    pub(super) fn new(stream: S, read_before: Bytes, watch: W) -> Self {
        Self { stream, read_before, watch }
    }
}

impl<S: AsyncRead + Unpin, W> Watched<S, W> {
    /// Reads these first: they were read already, but nothing was made of them.
    pub(super) fn put_back(&mut self, read: Bytes) {
        if !read.is_empty() {
            self.read_before = read; // nothing, too, would hold the buffer that it was read into
        }
    }

    /// Ready as soon as there is something to read, an end or a fault included. Keeps no buffer while it waits.
    pub(super) fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.read_before.is_empty() {
            let mut first = [MaybeUninit::uninit(); FIRST];
            let mut first = ReadBuf::uninit(&mut first);
            // Whoever reads next meets the same end, or the same fault.
            if ready!(Pin::new(&mut self.stream).poll_read(cx, &mut first)).is_ok() {
                self.read_before = Bytes::copy_from_slice(first.filled());
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin, W: Watch + Unpin> AsyncRead for Watched<S, W> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if this.read_before.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        } else {
            let length = this.read_before.len().min(buf.remaining());
            buf.put_slice(&this.read_before[..length]);
            this.read_before.advance(length);
            if this.read_before.is_empty() {
                this.read_before = Bytes::new(); // lets go of its buffer
            }
        }
        let received = &mut buf.filled_mut()[before..];
        if !received.is_empty() {
            this.watch.received(received)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin, W: Watch + Unpin> AsyncWrite for Watched<S, W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.watch.sending();
        let length = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.watch.sent(&[IoSlice::new(buf)], length);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.watch.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watch.sending();
        let length = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.watch.sent(slices, length);
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
