//! Where visitors come in: sockets, the PROXY protocol, TLS, and the life of one connection.
//!
//! All workers accept from the same listening sockets. A connection stays on the
//! worker that accepted it, from the handshake to the last byte.

use std::{io, net::SocketAddr, sync::Arc};

use ipnet::IpNet;
use rustls::ServerConfig;
use thiserror::Error;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, error::Elapsed, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use crate::{
    clock::{Timers, instant},
    config::{Limits, Listen, ProxyProtocol},
    gateway::{Connection, Current},
    meter::Meter,
    request::{Peer, client::Trust},
};

pub mod capacity;
mod ending;
mod http1;
mod http2;
pub(crate) mod line_ends;
mod lingering;
pub mod ops;
mod protocol;
pub mod proxy_protocol;
mod resting;
mod socket;
pub mod systemd;
pub mod tls;
mod watched;

use protocol::Protocol;

pub use capacity::Capacity;
pub use ending::Endings;
pub use socket::{Address, Bound, Listener};
use socket::{Origin, Stream, set_nodelay};
use systemd::Inherited;

/// Why a place to listen at cannot be had.
#[derive(Debug, Error)]
pub enum BindError {
    /// An address or a file is taken, or not ours to take.
    #[error("cannot listen on {place}: {error}")]
    Refused {
        /// What was asked for.
        place: String,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// systemd does not hold what was asked for.
    #[error("cannot listen on {place}: {error}")]
    Systemd {
        /// What was asked for.
        place: String,
        /// Why not.
        #[source]
        error: systemd::Error,
    },
}

/// Binds everything that visitors come in by, so that a fault shows before anything is started.
pub fn bind(listen: &[Listen]) -> Result<Vec<Bound>, BindError> {
    let mut inherited = None;
    let mut bound = Vec::new();
    for listen in listen {
        let refused = |error| BindError::Refused { place: listen.to_string(), error };
        match listen {
            Listen::Tcp(address) => bound.push(Bound::tcp(*address).map_err(refused)?),
            Listen::Unix(socket) => bound.push(Bound::unix(socket).map_err(refused)?),
            Listen::Systemd(name) => {
                let inherited = inherited.get_or_insert_with(Inherited::from_environment);
                let taken = inherited.take(name.as_deref());
                bound.extend(taken.map_err(|error| BindError::Systemd { place: listen.to_string(), error })?);
            }
        }
    }
    for name in inherited.iter().flat_map(Inherited::left) {
        tracing::warn!(name, "systemd passes a socket that `listen` does not take: who connects there waits for ever");
    }
    Ok(bound)
}

/// Binds the address of the ops listener.
pub fn bind_ops(address: SocketAddr) -> Result<std::net::TcpListener, BindError> {
    let refused = |error| BindError::Refused { place: address.to_string(), error };
    Bound::tcp(address).map(Bound::into_tcp).map_err(refused)
}

/// What every connection of a worker has in common.
pub struct Acceptor {
    /// What requests are answered with, and how connections come in.
    pub current: Arc<Current>,
    /// Counts connections.
    meter: Meter,
    capacity: Arc<Capacity>,
    /// What connections at rest wait by.
    pub timers: Timers,
    /// When no more connections are accepted, and those that stand end after their request.
    pub endings: Endings,
    /// The connections that stand, the tunnels that some have become, and those who wait for the next one.
    pub tasks: TaskTracker,
}

impl Acceptor {
    /// An acceptor for one worker.
    pub fn new(current: Arc<Current>, capacity: Arc<Capacity>, meter: Meter, timers: Timers, endings: Endings) -> Self {
        let tasks = current.worker().visitors.clone();
        Self { current, meter, capacity, timers, endings, tasks }
    }

    /// The limits of a connection that begins now.
    fn limits(&self) -> Limits {
        self.current.worker().apps().server.limits.clone()
    }

    /// Accepts until told to stop; then serves whoever is waiting already, and closes the socket's share.
    pub async fn accept_from(self: Arc<Self>, listener: Listener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.endings.stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, origin)) => self.admit(stream, origin).await,
                // The other side gave up before we came to it.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
                Err(error) => self.capacity.recover(&error).await,
            }
        }
        match listener.close() {
            Ok(waiting) => {
                for (stream, origin) in waiting {
                    self.admit(stream, origin).await;
                }
            }
            Err(error) => tracing::error!(%error, "connections that waited to be accepted are lost"),
        }
    }

    /// Serves a connection as soon as there is a place for it; until then nobody else is accepted.
    async fn admit(self: &Arc<Self>, stream: Stream, origin: Origin) {
        let place = self.capacity.place().await;
        let acceptor = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Err(refusal) = acceptor.serve(stream, origin, place).await {
                acceptor.refuse(origin, &refusal);
            }
        });
    }

    async fn serve(&self, mut stream: Stream, origin: Origin, place: OwnedSemaphorePermit) -> Result<(), Refusal> {
        set_nodelay(&stream).map_err(Refusal::Gone)?;
        let worker = self.current.worker();
        let apps = worker.apps();
        let mut peer = match origin {
            Origin::Tcp(address) => Peer::new(address.ip(), &apps.trusted_proxies),
            Origin::Unix => Peer::on_this_host(apps.unix_peers()),
        };
        let deadline = Instant::from_std(instant()) + apps.server.limits.header_timeout;
        if apps.server.proxy_protocol == ProxyProtocol::Required {
            let behind = behind(peer, &mut stream, &apps.trusted_proxies);
            peer = timeout_at(deadline, behind).await.map_err(Refusal::no_header)??;
        }
        let connection = Connection::new(peer, Arc::clone(&self.current), self.meter.connection(), place);
        let (connection, tls) = (Arc::new(connection), apps.tls.clone());
        // A connection may outlive many configurations, and must not keep the one that it came under.
        drop(worker);
        match tls {
            None => protocol::serve(self, stream, Protocol::Unsaid, connection).await,
            // Boxed, so that a connection in the clear does not carry the room for it.
            Some(tls) => Box::pin(self.serve_tls(tls, stream, deadline, connection)).await?,
        }
        Ok(())
    }

    async fn serve_tls(
        &self,
        tls: Arc<ServerConfig>,
        stream: Stream,
        deadline: Instant,
        connection: Arc<Connection>,
    ) -> Result<(), Refusal> {
        let handshake = TlsAcceptor::from(tls).accept(stream);
        let stream = timeout_at(deadline, handshake).await.map_err(Refusal::no_handshake)?;
        let stream = stream.map_err(Refusal::Handshake)?;
        let protocol = Protocol::negotiated(stream.get_ref().1.alpn_protocol());
        // Boxed: it is large, and each future that it passes through would keep room for it.
        protocol::serve(self, Box::new(stream), protocol, connection).await;
        Ok(())
    }

    fn refuse(&self, origin: Origin, refusal: &Refusal) {
        if let Some(reason) = refusal.reason() {
            self.meter.connection_refused(reason);
        }
        match refusal {
            Refusal::Gone(_) | Refusal::ProxyHeader(proxy_protocol::Error::Empty) | Refusal::Handshake(_) => {
                tracing::debug!(peer = %origin, "a connection came to nothing: {refusal}");
            }
            Refusal::Stranger | Refusal::ProxyHeader(_) | Refusal::NoProxyHeader | Refusal::NoHandshake => {
                tracing::info!(peer = %origin, "a connection was closed: {refusal}");
            }
        }
    }
}

/// Whom a load balancer relays, by its header.
async fn behind(peer: Peer, stream: &mut Stream, trusted_proxies: &[IpNet]) -> Result<Peer, Refusal> {
    if peer.trust() == Trust::Untrusted {
        return Err(Refusal::Stranger);
    }
    Ok(match proxy_protocol::read(stream).await? {
        proxy_protocol::Source::Address(address) => Peer::new(address, trusted_proxies),
        // What comes is not the load balancer's own word, so it is not believed as such.
        proxy_protocol::Source::Unnamed => peer.on_behalf_of_a_stranger(),
        proxy_protocol::Source::Peer => peer,
    })
}

/// Why a connection was closed before its first request.
#[derive(Debug, Error)]
enum Refusal {
    #[error("it was gone at once: {0}")]
    Gone(#[source] io::Error),
    #[error("server.proxy_protocol is on, and its peer is not one of server.trusted_proxies")]
    Stranger,
    #[error(transparent)]
    ProxyHeader(#[from] proxy_protocol::Error),
    #[error("its PROXY header took too long")]
    NoProxyHeader,
    #[error("its TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
    #[error("its TLS handshake took too long")]
    NoHandshake,
}

impl Refusal {
    fn no_header(_: Elapsed) -> Self {
        Self::NoProxyHeader
    }

    fn no_handshake(_: Elapsed) -> Self {
        Self::NoHandshake
    }

    /// What it is counted as; `None` where nothing was wrong.
    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Gone(_) | Self::ProxyHeader(proxy_protocol::Error::Empty) => None,
            Self::Stranger => Some("stranger"),
            Self::ProxyHeader(_) => Some("proxy_header"),
            Self::NoProxyHeader => Some("proxy_header_timeout"),
            Self::Handshake(_) => Some("handshake"),
            Self::NoHandshake => Some("handshake_timeout"),
        }
    }
}
