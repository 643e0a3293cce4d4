//! What follows a protocol switch (RFC 9110 §7.8): bytes, both ways, until one side or the session ends.

use std::{
    io,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A tunnel through which nothing has come for this long is closed: its visitor may be gone without a word.
const MAX_IDLE: Duration = Duration::from_hours(1);

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Joins the visitor's side and the upstream's until both have closed, nothing comes
/// any more, or `over` resolves. Says `in_use` every few seconds in which something came.
pub async fn tunnel(visitor: OnUpgrade, upstream: OnUpgrade, in_use: impl Fn(), over: impl Future<Output = ()>) {
    let join = async {
        // Either side may be gone before the switch is complete; then nobody is left to tell.
        let (Ok(visitor), Ok(upstream)) = tokio::join!(visitor, upstream) else { return };
        join(TokioIo::new(visitor), TokioIo::new(upstream), in_use).await;
    };
    tokio::select! {
        () = join => {}
        () = over => {}
    }
}

async fn join(
    visitor: impl AsyncRead + AsyncWrite + Unpin,
    mut upstream: impl AsyncRead + AsyncWrite + Unpin,
    in_use: impl Fn(),
) {
    let moved = AtomicBool::new(false);
    let mut visitor = Noted { stream: visitor, moved: &moved };
    let idle = async {
        let mut quiet = Duration::ZERO;
        while quiet < MAX_IDLE {
            tokio::time::sleep(LOOK_EVERY).await;
            if moved.swap(false, Ordering::Relaxed) {
                in_use();
                quiet = Duration::ZERO;
            } else {
                quiet += LOOK_EVERY;
            }
        }
    };
    tokio::select! {
        copied = tokio::io::copy_bidirectional(&mut visitor, &mut upstream) => {
            if let Err(error) = copied {
                tracing::debug!(%error, "a tunnel broke");
            }
        }
        () = idle => tracing::debug!("a tunnel was closed: nothing came through it for {MAX_IDLE:?}"),
    }
}

/// The visitor's side, through which all bytes come.
struct Noted<'m, S> {
    stream: S,
    moved: &'m AtomicBool,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<'_, S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.moved.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if written.is_ready() {
            self.moved.store(true, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicU32};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::{Instant, sleep},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn traffic_is_use_and_a_tunnel_without_any_is_closed() {
        let ((mut visitor, ours), (theirs, mut app)) = (tokio::io::duplex(64), tokio::io::duplex(64));
        let uses = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&uses);
        let begun = Instant::now();
        let in_use = move || {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        let tunnel = tokio::spawn(join(ours, theirs, in_use));
        let mut byte = [0];
        for _ in 0..3 {
            app.write_all(b"x").await.expect("the tunnel stands");
            visitor.read_exact(&mut byte).await.expect("what the app says arrives");
            sleep(LOOK_EVERY * 6).await;
        }
        assert_eq!(uses.load(Ordering::Relaxed), 3, "once for each time in which something came");
        assert_eq!(visitor.read(&mut byte).await.expect("an orderly end"), 0);
        tunnel.await.expect("it ends by itself");
        let open = begun.elapsed();
        assert!(open > MAX_IDLE && open < MAX_IDLE + LOOK_EVERY * 14, "{open:?}");
    }
}
