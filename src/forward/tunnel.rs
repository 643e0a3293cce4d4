//! What follows a switch of protocols (RFC 9110 §7.8): bytes, both ways, until both sides or the session ends.
//!
//! No byte of it is read as HTTP, and none passes before the upstream has agreed. A
//! side that finishes is passed on as just that, the other direction goes on; a side
//! that breaks ends both. Where we end it, the two ends of a WebSocket are told why
//! (RFC 6455 §7.4.1); other protocols have no word for it and are closed.
//!
//! It lives here and not in `upstream`, because it belongs to both sides, and to the
//! session that it may not outlive.

use std::{
    fmt,
    future::{pending, poll_fn},
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    identity::Ended,
    random::Random,
    request::Protocol,
    session::{Pulse, Sessions},
};

mod flow;
mod frames;

use flow::Flow;
use frames::{Frames, Reason};

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long the two ends have to take in that it is over: to finish a frame, and to close on their part.
const FAREWELL: Duration = Duration::from_secs(2);

/// A switch of protocols that both sides have agreed on.
pub struct Tunnel {
    pub(super) visitor: OnUpgrade,
    pub(super) upstream: OnUpgrade,
    pub(super) protocol: Protocol,
    /// Whose it is, as the permit says; `None` on public routes.
    pub(super) session_end: Option<Ended>,
    /// The same, to be told that it is in use.
    pub(super) pulse: Option<Pulse>,
    pub(super) sessions: Arc<Sessions>,
    /// When nothing has come through it for so long, it is closed: its visitor may be gone without a word.
    pub(super) idle: Option<Duration>,
}

impl Tunnel {
    /// Carries bytes to the end, or until `refused`, when its visitor is not admitted any more. Once `stop` is
    /// cancelled, a WebSocket is told to come back later; what cannot be told goes on. `sent` counts what the visitor
    /// gets.
    pub async fn carry(
        self,
        refused: impl Future<Output = ()>,
        stop: CancellationToken,
        random: Random,
        sent: &mut u64,
    ) {
        let Self { visitor, upstream, protocol, session_end, pulse, sessions, idle } = self;
        let over = async {
            let session_end = async {
                match &session_end {
                    Some(ended) => ended.ended().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = session_end => Over::SessionEnded,
                () = refused => Over::NotAdmitted,
            }
        };
        let mut over = pin!(over);
        let switched = async { tokio::join!(visitor, upstream) };
        let switched = tokio::select! {
            switched = switched => switched,
            _ = &mut over => return,
        };
        // Either side may be gone before the switch is complete; then nobody is left to tell.
        let (Ok(visitor), Ok(upstream)) = switched else { return };
        let mut joined = Joined::new(TokioIo::new(visitor), TokioIo::new(upstream), protocol, sent);
        let in_use = || pulse.iter().for_each(|pulse| sessions.touch(pulse));
        let ending = joined.carry(idle, in_use, over, stop.cancelled()).await;
        match &ending {
            Ending::Broken(error) => tracing::debug!(?protocol, %error, "a tunnel broke"),
            ending => tracing::debug!(?protocol, ?ending, "a tunnel ended"),
        }
        if let Some(reason) = ending.reason() {
            // On the heap, because it needs more room than the tunnel ever did.
            Box::pin(joined.end(reason, random.bytes())).await;
        }
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// Why nobody may have it any more.
#[derive(Clone, Copy, Debug)]
enum Over {
    SessionEnded,
    /// A new configuration does not let it through.
    NotAdmitted,
}

/// Why a tunnel ends.
#[derive(Debug)]
enum Ending {
    /// Both sides have finished.
    Finished,
    /// One of them broke.
    Broken(io::Error),
    Over(Over),
    Stopping,
    /// Nothing came through any more.
    Idle,
}

impl Ending {
    /// What the two ends are told; `None` where it was they who ended it.
    fn reason(&self) -> Option<Reason> {
        match self {
            Self::Finished | Self::Broken(_) => None,
            // 1008: policy violation, 1001: going away
            Self::Over(Over::SessionEnded) => Some(Reason { code: 1008, text: "session ended" }),
            Self::Over(Over::NotAdmitted) => Some(Reason { code: 1008, text: "not admitted any more" }),
            Self::Stopping => Some(Reason { code: 1001, text: "server restarts" }),
            Self::Idle => Some(Reason { code: 1001, text: "idle for too long" }),
        }
    }
}

/// Both sides with what passes between them.
struct Joined<'s, V, U> {
    visitor: V,
    upstream: U,
    protocol: Protocol,
    to_visitor: Flow,
    to_upstream: Flow,
    sent: &'s mut u64,
}

impl<'s, V, U> Joined<'s, V, U>
where
    V: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    fn new(visitor: V, upstream: U, protocol: Protocol, sent: &'s mut u64) -> Self {
        let flow = || Flow::new((protocol == Protocol::WebSocket).then(Frames::default));
        Self { visitor, upstream, protocol, to_visitor: flow(), to_upstream: flow(), sent }
    }

    /// Passes on what comes, until something ends it. Says `in_use` every few seconds in which something came.
    async fn carry(
        &mut self,
        idle: Option<Duration>,
        in_use: impl Fn(),
        mut over: impl Future<Output = Over> + Unpin,
        stop: impl Future<Output = ()>,
    ) -> Ending {
        let mut stop = pin!(stop);
        let can_be_told = self.protocol == Protocol::WebSocket;
        let look_every = idle.map_or(LOOK_EVERY, |idle| idle.min(LOOK_EVERY));
        let (mut quiet, mut seen) = (Duration::ZERO, 0);
        loop {
            tokio::select! {
                biased; // what comes together with the end comes after it
                over = &mut over => return Ending::Over(over),
                passed = poll_fn(|cx| self.poll(cx)) => return passed.map_or_else(Ending::Broken, |()| Ending::Finished),
                () = &mut stop, if can_be_told => return Ending::Stopping,
                () = sleep(look_every) => {}
            }
            let passed = self.to_visitor.passed() + self.to_upstream.passed();
            if passed > seen {
                (quiet, seen) = (Duration::ZERO, passed);
                in_use();
            } else {
                quiet += look_every;
            }
            if idle.is_some_and(|idle| quiet >= idle) {
                return Ending::Idle;
            }
        }
    }

    /// Ready once both directions have finished, or one has broken.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let to_visitor = self.to_visitor.poll(cx, &mut self.upstream, &mut self.visitor)?;
        *self.sent = self.to_visitor.passed();
        let to_upstream = self.to_upstream.poll(cx, &mut self.visitor, &mut self.upstream)?;
        if to_visitor.is_ready() && to_upstream.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Tells both sides that it is over, and waits for them to close as well; not for long.
    async fn end(self, reason: Reason, key: [u8; 4]) {
        let (from_visitor, to_visitor) = tokio::io::split(self.visitor);
        let (from_upstream, to_upstream) = tokio::io::split(self.upstream);
        let both = async {
            tokio::join!(
                self.to_visitor.end(from_upstream, to_visitor, reason.frame()),
                self.to_upstream.end(from_visitor, to_upstream, reason.masked_frame(key)),
            )
        };
        // Who does not close in time, or breaks, is closed: either way there is nobody left to tell.
        drop(timeout(FAREWELL, both).await);
    }
}

#[cfg(test)]
mod tests;
