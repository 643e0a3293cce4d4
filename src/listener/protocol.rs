//! Which HTTP a connection speaks.
//!
//! HTTP/2 is spoken where TLS has negotiated it (RFC 7301, RFC 9113 §3.2) and in the
//! clear where the first bytes are its preface (RFC 9113 §3.3); `Upgrade: h2c`, which
//! that RFC has given up, is not taken. Everything else is HTTP/1.1.
//!
//! Rejected: `hyper_util`'s automatic server, whose boxed bodies and double state cost
//! every HTTP/1.1 request 1.5 µs. Here the decision falls once, before either server is made.

use std::sync::Arc;

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::{Acceptor, ending::too_late, http1, http2};
use crate::gateway::Connection;

pub(super) mod preface;

use preface::Opening;

/// Which HTTP a connection is known to speak before its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Nobody has said: the first bytes will.
    Unsaid,
    /// HTTP/1.1, or HTTP/1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// What TLS has negotiated; a client that negotiates nothing speaks HTTP/1.1 (RFC 9113 §3.2).
    pub(super) fn negotiated(alpn: Option<&[u8]>) -> Self {
        if alpn == Some(b"h2") { Self::Http2 } else { Self::Http1 }
    }
}

/// Serves one connection to its end.
///
/// HTTP/2 is boxed: the other kind need not keep room for it as long as it stands.
pub(super) async fn serve<S>(acceptor: &Acceptor, mut stream: S, protocol: Protocol, connection: Arc<Connection>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match protocol {
        Protocol::Http1 => http1::serve(acceptor, stream, Bytes::new(), connection).await,
        Protocol::Http2 => Box::pin(http2::serve(acceptor, stream, Bytes::new(), connection)).await,
        Protocol::Unsaid => {
            let opening = timeout(acceptor.limits().header_timeout, preface::read(&mut stream));
            let opening = tokio::select! {
                opening = opening => opening,
                () = too_late(&acceptor.endings) => return,
            };
            match opening {
                Ok(Ok(Opening::Http1(read))) => http1::serve(acceptor, stream, read, connection).await,
                Ok(Ok(Opening::Http2(read))) => Box::pin(http2::serve(acceptor, stream, read, connection)).await,
                // Out of time, or gone: nothing has been asked.
                Err(_) | Ok(Err(_)) => {}
            }
        }
    }
}
