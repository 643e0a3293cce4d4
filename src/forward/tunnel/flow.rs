//! One direction of a tunnel: bytes as they come, with the back-pressure of the side that reads.
//!
//! A tunnel rests for nearly all of its life, and thousands rest at the same time. So
//! one that rests holds no buffer: bytes are read onto the stack and written at once,
//! and only what the receiver does not take is kept, until it does.
//!
//! Rejected: `tokio::io::copy_bidirectional`, which keeps two buffers a tunnel and
//! cannot stop at the end of a frame.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::frames::Frames;

/// How much is read in one go: a TLS record's worth.
const CHUNK: usize = 16 * 1024;

/// How much is read in one go once nothing is passed on any more. That waits across polls, so it costs memory.
const LAST_CHUNK: usize = 512;

/// From one side to the other.
#[derive(Debug)]
pub(super) struct Flow {
    state: State,
    /// Read, and not taken by the receiver yet.
    held: Bytes,
    flushed: Flushed,
    /// How much the receiver has taken.
    passed: u64,
    /// Of a WebSocket.
    frames: Option<Frames>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The sender has finished, and the receiver is not told yet.
    Finishing,
    Finished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flushed {
    Yes,
    /// Something that was written may still be with us (TLS).
    No,
}

impl Flow {
    /// Nothing has passed yet. `frames` where what passes is WebSocket frames.
    pub(super) fn new(frames: Option<Frames>) -> Self {
        Self { state: State::Open, held: Bytes::new(), flushed: Flushed::Yes, passed: 0, frames }
    }

    /// How many bytes have passed.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Passes on what there is; ready once the sender has finished and the receiver knows.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_held(cx, to))?;
            match self.state {
                State::Open => {}
                State::Finishing => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.state = State::Finished;
                }
                State::Finished => return Poll::Ready(Ok(())),
            }
            if self.state == State::Open {
                let mut space = [const { MaybeUninit::uninit() }; CHUNK];
                let mut chunk = ReadBuf::uninit(&mut space);
                if Pin::new(&mut *from).poll_read(cx, &mut chunk)?.is_pending() {
                    if self.flushed == Flushed::No {
                        ready!(Pin::new(&mut *to).poll_flush(cx))?;
                        self.flushed = Flushed::Yes;
                    }
                    return Poll::Pending;
                }
                if chunk.filled().is_empty() {
                    self.state = State::Finishing;
                    continue;
                }
                let taken = self.write(cx, to, chunk.filled())?;
                self.held = Bytes::copy_from_slice(&chunk.filled()[taken..]);
            }
        }
    }

    /// Ready once the receiver has taken everything that was kept for it.
    fn poll_held(&mut self, cx: &mut Context<'_>, to: &mut (impl AsyncWrite + Unpin)) -> Poll<io::Result<()>> {
        if self.held.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let held = std::mem::take(&mut self.held);
        let taken = self.write(cx, to, &held)?;
        if taken == held.len() {
            return Poll::Ready(Ok(()));
        }
        self.held = held;
        self.held.advance(taken);
        Poll::Pending
    }

    /// Writes for as long as the receiver takes anything; how much that was.
    fn write(&mut self, cx: &mut Context<'_>, to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() {
            match Pin::new(&mut *to).poll_write(cx, &bytes[taken..])? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(more) => {
                    self.note(&bytes[taken..taken + more]);
                    taken += more;
                }
                Poll::Pending => break,
            }
        }
        Ok(taken)
    }

    fn note(&mut self, taken: &[u8]) {
        self.passed += taken.len() as u64;
        self.flushed = Flushed::No;
        if let Some(frames) = &mut self.frames {
            frames.pass(taken);
        }
    }

    /// Ends it from our side: the frame that is under way comes to its end, `farewell` follows,
    /// and the receiver knows that nothing else will. What the sender still says is heard, so
    /// that no reset destroys what it has been told, and passed to nobody.
    pub(super) async fn end(
        mut self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        farewell: Bytes,
    ) -> io::Result<()> {
        if self.state != State::Finished {
            if self.finish_frame(&mut from, &mut to).await? == Frame::Whole {
                to.write_all(&farewell).await?;
            }
            to.shutdown().await?;
        }
        let mut ignored = [0; LAST_CHUNK];
        while from.read(&mut ignored).await? > 0 {}
        Ok(())
    }

    /// Passes on what is missing of the frame that is under way, if this is a WebSocket.
    async fn finish_frame(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<Frame> {
        let Some(frames) = &mut self.frames else { return Ok(Frame::None) };
        let mut rest = std::mem::take(&mut self.held);
        while !frames.at_boundary() {
            rest.truncate(frames.rest_of_frame(&rest));
            to.write_all(&rest).await?;
            frames.pass(&rest);
            if frames.at_boundary() {
                break;
            }
            let mut chunk = [0; LAST_CHUNK];
            let read = if self.state == State::Open { from.read(&mut chunk).await? } else { 0 };
            if read == 0 {
                return Ok(Frame::None);
            }
            rest = Bytes::copy_from_slice(&chunk[..read]);
        }
        Ok(if frames.closed() { Frame::None } else { Frame::Whole })
    }
}

/// What came before the place where a farewell could stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// A whole frame: another may follow.
    Whole,
    /// No frame, half a frame, or one after which nothing may follow.
    None,
}
