//! How a connection to an upstream comes to stand: TCP or a Unix socket, and TLS where the URL says so.

use std::{
    fmt, io,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::either::Either;

use super::tls;
use crate::config::upstream::{HostPort, UpstreamUrl};

/// What is spoken on a connection. Known before it stands, so that nobody has to look at the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Makes connections to one upstream.
#[derive(Clone)]
pub struct Connector(Arc<Inner>);

struct Inner {
    way: Way,
    authority: String,
}

enum Way {
    Tcp(HostPort),
    Tls {
        to: HostPort,
        name: ServerName<'static>,
        http1: TlsConnector,
        http2: TlsConnector,
    },
    /// In the clear HTTP/2 needs no asking: the URL says that it is known (RFC 9113 §3.3).
    H2c(HostPort),
    Unix(PathBuf),
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.way {
            Way::Tcp(to) => write!(f, "http://{}:{}", to.host, to.port),
            Way::Tls { to, .. } => write!(f, "https://{}:{}", to.host, to.port),
            Way::H2c(to) => write!(f, "h2c://{}:{}", to.host, to.port),
            Way::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Connector {
    /// Prepares for an upstream.
    ///
    /// # Errors
    /// Where TLS cannot use what it is to trust.
    pub fn new(url: &UpstreamUrl) -> io::Result<Self> {
        let way = match url {
            UpstreamUrl::Http(to) => Way::Tcp(to.clone()),
            UpstreamUrl::H2c(to) => Way::H2c(to.clone()),
            UpstreamUrl::Unix(path) => Way::Unix(path.clone()),
            UpstreamUrl::Https(to, tls) => Way::Tls {
                to: to.clone(),
                name: tls.server_name.clone(),
                http1: tls::connector(tls, b"http/1.1")?,
                http2: tls::connector(tls, b"h2")?,
            },
        };
        Ok(Self(Arc::new(Inner { way, authority: url.authority() })))
    }

    /// Whether it is this very one, so that each may use the other's connections.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Host and port, where a request does not name them itself.
    pub(super) fn authority(&self) -> &str {
        &self.0.authority
    }

    /// As `:scheme` has it.
    pub(super) fn scheme(&self) -> http::uri::Scheme {
        match self.0.way {
            Way::Tls { .. } => http::uri::Scheme::HTTPS,
            Way::Tcp(_) | Way::H2c(_) | Way::Unix(_) => http::uri::Scheme::HTTP,
        }
    }

    /// What is spoken with this upstream.
    ///
    /// Over TLS that is HTTP/1.1, as unmodified apps know it (NTLM and upgrades exist in no
    /// other), and HTTP/2 for gRPC, which exists in no other either.
    pub(super) fn protocol<B>(&self, request: &http::Request<B>) -> Protocol {
        match self.0.way {
            Way::H2c(_) => Protocol::Http2,
            Way::Tls { .. } if is_grpc(request.headers()) => Protocol::Http2,
            Way::Tcp(_) | Way::Unix(_) | Way::Tls { .. } => Protocol::Http1,
        }
    }

    /// Whether somebody accepts connections there, with TLS where the URL says so.
    pub async fn reach(&self) -> io::Result<()> {
        let protocol = if matches!(self.0.way, Way::H2c(_)) { Protocol::Http2 } else { Protocol::Http1 };
        self.connect(protocol).await.map(drop)
    }

    /// One new connection; every address of the name is tried.
    pub(super) async fn connect(&self, protocol: Protocol) -> io::Result<Stream> {
        let stream = match &self.0.way {
            Way::Tcp(to) | Way::H2c(to) => Either::Left(tcp(to).await?),
            Way::Unix(path) => Either::Right(Either::Left(UnixStream::connect(path).await?)),
            Way::Tls { to, name, http1, http2 } => {
                let tls = if protocol == Protocol::Http2 { http2 } else { http1 };
                let tls = tls.connect(name.clone(), tcp(to).await?).await?;
                if protocol == Protocol::Http2 && tls.get_ref().1.alpn_protocol() != Some(b"h2") {
                    return Err(io::Error::other("it does not speak HTTP/2, which gRPC needs"));
                }
                Either::Right(Either::Right(Box::new(tls)))
            }
        };
        Ok(Stream { stream, traffic: Arc::default() })
    }
}

async fn tcp(to: &HostPort) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect((to.host.as_str(), to.port)).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// `application/grpc`, `application/grpc+proto`; but not gRPC-Web, which was made for HTTP/1.1.
fn is_grpc(headers: &http::HeaderMap) -> bool {
    let rest =
        headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// What is known of the bytes of a connection.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    heard: AtomicBool,
    unsent: AtomicBool,
}

impl Traffic {
    /// Whether the upstream has said anything since [`Self::forget`].
    pub(super) fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Begins to listen anew.
    pub(super) fn forget(&self) {
        self.heard.store(false, Ordering::Relaxed);
    }

    /// Whether something that we said may not have gone out: the socket takes no more, or TLS has not given it all.
    pub(super) fn has_unsent(&self) -> bool {
        self.unsent.load(Ordering::Relaxed)
    }
}

/// The bytes of a connection.
///
/// Notes when some come in: of a connection that broke, only this tells a request that
/// nobody read from one that somebody had begun to answer. And when some may not have gone out.
#[derive(Debug)]
pub(super) struct Stream {
    stream: Either<TcpStream, Either<UnixStream, Box<TlsStream<TcpStream>>>>,
    traffic: Arc<Traffic>,
}

impl Stream {
    pub(super) fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.traffic.heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.traffic.unsent.store(true, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    /// Whoever flushes has written all that there is.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() {
            self.traffic.unsent.store(false, Ordering::Relaxed);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.traffic.unsent.store(true, Ordering::Relaxed);
        let stream = Pin::new(&mut self.stream);
        match bufs {
            // A head alone, as most requests are: the kernel's way through a list costs 0.2 µs more.
            [only] => stream.poll_write(cx, only),
            _ => stream.poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

    use super::*;

    #[test]
    fn grpc_is_told_from_what_only_sounds_like_it() {
        for (kind, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grpcx", false),
            ("application/json", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            assert_eq!(is_grpc(&headers), expected, "{kind}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
