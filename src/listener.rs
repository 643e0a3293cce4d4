//! Where visitors come in: sockets, TLS, and the life of one connection.
//!
//! All workers accept from the same listening sockets. A connection stays on the
//! worker that accepted it, from the handshake to the last byte.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use socket2::{Domain, Socket, Type};
use tokio::{net::TcpListener, net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{config::Limits, gateway::Worker, meter::Meter};

mod http1;
mod http2;
mod lingering;
pub mod ops;
mod protocol;
pub mod tls;
mod watched;

use protocol::Protocol;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// How long to leave a listening socket alone that has just failed: out of descriptors, most likely.
const RESPITE: Duration = Duration::from_millis(100);

/// A listening socket that any runtime can take a share of.
#[derive(Debug)]
pub struct Bound {
    socket: std::net::TcpListener,
    /// Where it really listens: the port is known even where 0 was asked for.
    pub address: SocketAddr,
}

/// Binds an address, so that a fault shows before anything is started.
pub fn bind(address: SocketAddr) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket: std::net::TcpListener = socket.into();
    let address = socket.local_addr()?;
    Ok(Bound { socket, address })
}

impl Bound {
    /// A share of the socket for the runtime that this is called on.
    pub fn share(&self) -> io::Result<TcpListener> {
        TcpListener::from_std(self.socket.try_clone()?)
    }
}

/// What every connection of a worker has in common.
pub struct Acceptor {
    /// Answers the requests.
    pub worker: Arc<Worker>,
    /// `None` = in the clear.
    pub tls: Option<TlsAcceptor>,
    /// How large a head may be, request line and fields together.
    pub header_bytes: usize,
    /// How many fields a head may have.
    pub header_count: usize,
    /// How long a head may take.
    pub header_timeout: Duration,
    /// How long a connection may rest.
    pub keepalive: Duration,
    /// Counts connections.
    pub meter: Meter,
    /// No more connections are accepted, and those that stand end after their request.
    pub stop: CancellationToken,
    /// The connections that stand.
    pub connections: TaskTracker,
}

impl Acceptor {
    /// An acceptor for one worker.
    pub fn new(
        worker: Arc<Worker>,
        tls: Option<TlsAcceptor>,
        limits: &Limits,
        meter: Meter,
        stop: CancellationToken,
    ) -> Self {
        Self {
            worker,
            tls,
            header_bytes: limits.header_bytes,
            header_count: limits.header_count,
            header_timeout: limits.header_timeout,
            keepalive: limits.keepalive,
            meter,
            stop,
            connections: TaskTracker::new(),
        }
    }

    /// Accepts until told to stop; then closes the socket's share.
    pub async fn accept_from(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let acceptor = Arc::clone(&self);
                    self.connections.spawn(async move { acceptor.serve(stream, peer).await });
                }
                // The other side gave up before we came to it.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
                Err(error) => {
                    tracing::error!(%error, "connections cannot be accepted");
                    tokio::time::sleep(RESPITE).await;
                }
            }
        }
    }

    async fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone at once");
            return;
        }
        let connection = Arc::new(self.worker.connection(peer.ip(), self.meter.connection()));
        match &self.tls {
            None => protocol::serve(self, stream, Protocol::Unsaid, connection).await,
            Some(tls) => match timeout(self.header_timeout, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let protocol = Protocol::negotiated(stream.get_ref().1.alpn_protocol());
                    protocol::serve(self, stream, protocol, connection).await;
                }
                Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
                Err(_) => {
                    self.meter.connection_cut("handshake_too_slow");
                    tracing::debug!(%peer, "a TLS handshake took too long");
                }
            },
        }
    }
}
