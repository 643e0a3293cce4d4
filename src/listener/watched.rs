//! A visitor's stream whose bytes somebody watches as they come and go.

use std::{
    io::{self, IoSlice},
    mem::{self, MaybeUninit},
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

/// A stream, what was met on it before, and who watches it.
pub(super) struct Watched<S, W> {
    stream: S,
    read_before: Bytes,
    /// What was met where nobody could be told.
    fault: Option<io::Error>,
    watch: W,
}

impl<S, W> Watched<S, W> {
    /// Reads `read_before` first.
    pub(super) fn new(stream: S, read_before: Bytes, watch: W) -> Self {
        Self { stream, read_before, fault: None, watch }
    }
}

impl<S: AsyncRead + Unpin, W> Watched<S, W> {
    /// Reads these first: they were read already, but nothing was made of them.
    pub(super) fn put_back(&mut self, read: Bytes) {
        match (read.is_empty(), self.read_before.is_empty()) {
            (true, _) => {} // nothing, too, would hold the buffer that it was read into
            (false, true) => self.read_before = read,
            (false, false) => self.read_before = [read, mem::take(&mut self.read_before)].concat().into(),
        }
    }

    /// Ready as soon as there is something to read, an end or a fault included. Keeps no buffer while it waits.
    pub(super) fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.read_before.is_empty() {
            let mut first = [MaybeUninit::uninit(); FIRST];
            let mut first = ReadBuf::uninit(&mut first);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut first)) {
                // Whoever reads next meets the same end.
                Ok(()) => self.read_before = Bytes::copy_from_slice(first.filled()),
                // TLS says what is wrong only once.
                Err(fault) => self.fault = Some(fault),
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
            if let Some(fault) = this.fault.take() {
                return Poll::Ready(Err(fault));
            }
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
        self.watch.sending(); // the end is something to say as well, and TLS may have to wait with it
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// Notes whether something is still to go out.
    #[derive(Default)]
    struct Owes(bool);

    impl Watch for Owes {
        fn received(&mut self, _: &mut [u8]) -> io::Result<()> {
            Ok(())
        }

        fn sending(&mut self) {
            self.0 = true;
        }

        fn sent(&mut self, _: &[IoSlice<'_>], _: usize) {}

        fn flushed(&mut self) {
            self.0 = false;
        }
    }

    /// A peer that says what is wrong once and takes nothing, the end included.
    #[derive(Default)]
    struct Stuck {
        has_told: bool,
    }

    impl AsyncRead for Stuck {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if mem::replace(&mut self.has_told, true) {
                return Poll::Pending;
            }
            Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
        }
    }

    impl AsyncWrite for Stuck {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[test]
    fn what_does_not_go_out_is_owed_and_so_is_the_end() {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut watched = Watched::new(Stuck::default(), Bytes::new(), Owes::default());
        assert!(Pin::new(&mut watched).poll_write(cx, b"x").is_pending() && watched.watch.0);
        assert!(Pin::new(&mut watched).poll_flush(cx).is_ready() && !watched.watch.0);
        assert!(Pin::new(&mut watched).poll_write_vectored(cx, &[IoSlice::new(b"x")]).is_pending() && watched.watch.0);
        assert!(Pin::new(&mut watched).poll_flush(cx).is_ready() && !watched.watch.0);
        assert!(Pin::new(&mut watched).poll_shutdown(cx).is_pending() && watched.watch.0);
    }

    #[tokio::test]
    async fn a_fault_that_was_met_at_rest_is_told_to_whoever_reads() {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut watched = Watched::new(Stuck::default(), Bytes::new(), Owes::default());
        assert!(watched.poll_heard(cx).is_ready());
        assert_eq!(watched.read_u8().await.expect_err("a fault").kind(), io::ErrorKind::InvalidData);
    }

    #[tokio::test]
    async fn what_is_put_back_comes_before_what_was_there() {
        let mut watched = Watched::new(tokio::io::empty(), Bytes::from_static(b"three"), Owes::default());
        for piece in ["", "two ", "", "one "] {
            watched.put_back(Bytes::from_static(piece.as_bytes()));
        }
        let mut text = String::new();
        watched.read_to_string(&mut text).await.expect("a text");
        assert_eq!(text, "one two three");
    }
}
