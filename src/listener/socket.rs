//! Listening sockets and the connections that come out of them: TCP, Unix, or taken over from systemd.
//!
//! A Unix socket has its final mode from the moment that its file exists: the mode is
//! set on the socket before it is bound, and Linux gives the file that, less the umask
//! (unix(7)); what the umask took is added afterwards. So there is no moment at which
//! more people could connect than later. Rejected: changing the umask, which belongs
//! to the whole process.
//!
//! A connection is one type of either kind, and not a type parameter: hyper and TLS
//! would be compiled for each, to save one predictable branch a read.

use std::{
    fmt, fs, io,
    net::SocketAddr,
    os::{
        fd::OwnedFd,
        unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

use crate::config::UnixSocket;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// A listening socket that any runtime can take a share of. A file that it made goes away with it.
#[derive(Debug)]
pub struct Bound {
    socket: Socket,
    queue: Queue,
    /// Where it really listens: the port is known even where 0 was asked for.
    pub address: Address,
    _file: Option<SocketFile>,
}

/// What becomes of those who wait to be accepted when nobody accepts any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// The last to close the socket closes their connections.
    Ours,
    /// They wait for the next process that systemd passes the socket to.
    Systemds,
}

/// Where a socket listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A file; empty where the socket has no name.
    Unix(PathBuf),
}

impl Address {
    /// The address and port, where it has them.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Bound {
    /// Binds an address.
    pub(super) fn tcp(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Self::of(socket, Queue::Ours, None)
    }

    /// Makes a socket in the file system, in place of one that a dead process left.
    pub(super) fn unix(wanted: &UnixSocket) -> io::Result<Self> {
        let (socket, file) = make_file(wanted)?;
        // What the umask took.
        fs::set_permissions(&wanted.path, fs::Permissions::from_mode(wanted.mode))?;
        socket.listen(BACKLOG)?;
        Self::of(socket, Queue::Ours, Some(file))
    }

    /// Takes over a socket that systemd has bound; an error names what cannot be a listener of ours.
    pub(super) fn inherited(socket: Socket) -> io::Result<Self> {
        if !socket.is_listener()? {
            return Err(io::Error::other("it does not listen (Accept=yes is not for servers like this one)"));
        }
        Self::of(socket, Queue::Systemds, None)
    }

    pub(super) fn into_tcp(self) -> std::net::TcpListener {
        self.socket.into()
    }

    fn of(socket: Socket, queue: Queue, file: Option<SocketFile>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        let address = match local.as_socket() {
            Some(address) => Address::Tcp(address),
            None => Address::Unix(local.as_pathname().unwrap_or(Path::new("")).to_owned()),
        };
        Ok(Self { socket, queue, address, _file: file })
    }

    /// A share of the socket for the runtime that this is called on.
    pub fn share(&self) -> io::Result<Listener> {
        let socket = self.socket.try_clone()?;
        let kind = match self.address {
            Address::Tcp(_) => Kind::Tcp(TcpListener::from_std(socket.into())?),
            Address::Unix(_) => Kind::Unix(UnixListener::from_std(socket.into())?),
        };
        Ok(Listener { kind, queue: self.queue })
    }
}

/// Binds a socket whose file has at most the mode that is wanted, from the beginning.
fn make_file(wanted: &UnixSocket) -> io::Result<(Socket, SocketFile)> {
    let socket = fs::File::from(OwnedFd::from(Socket::new(Domain::UNIX, Type::STREAM, None)?));
    socket.set_permissions(fs::Permissions::from_mode(wanted.mode))?;
    let socket = Socket::from(OwnedFd::from(socket));
    let address = SockAddr::unix(&wanted.path)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_if_dead(&wanted.path, &address)?;
            socket.bind(&address)?;
        }
        bound => bound?,
    }
    Ok((socket, SocketFile::at(&wanted.path)?))
}

/// Removes a socket's file if nobody listens there.
fn remove_if_dead(path: &Path, address: &SockAddr) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::other("there is a file that is no socket, and it is left alone"));
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A living server whose queue is full would let us wait.
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
    }
}

/// The file of a Unix socket; removed at the end, unless somebody has put another one there.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the file of the socket stays behind");
        }
    }
}

/// What tells a file from another one of its name.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// One runtime's share of a listening socket.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    queue: Queue,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    Tcp(SocketAddr),
    Unix,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix:"),
        }
    }
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<(Stream, Origin)> {
        match &self.kind {
            Kind::Tcp(listener) => listener.accept().await.map(|(s, peer)| (Either::Left(s), Origin::Tcp(peer))),
            Kind::Unix(listener) => listener.accept().await.map(|(s, _)| (Either::Right(s), Origin::Unix)),
        }
    }

    /// Closes this share, and gives those first whom the closing would turn away: they have been told that they are
    /// connected. Asked of the system, not of the runtime, which may not have heard of the latest.
    pub(super) fn close(self) -> io::Result<Vec<(Stream, Origin)>> {
        let mut waiting = Vec::new();
        if self.queue == Queue::Systemds {
            return Ok(waiting);
        }
        match self.kind {
            Kind::Tcp(listener) => {
                let listener = listener.into_std()?;
                while let Ok((stream, peer)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    waiting.push((Either::Left(TcpStream::from_std(stream)?), Origin::Tcp(peer)));
                }
            }
            Kind::Unix(listener) => {
                let listener = listener.into_std()?;
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    waiting.push((Either::Right(UnixStream::from_std(stream)?), Origin::Unix));
                }
            }
        }
        Ok(waiting)
    }
}

/// A visitor's connection, before TLS.
pub(super) type Stream = Either<TcpStream, UnixStream>;

/// Small answers go out at once, where that is a question.
pub(super) fn set_nodelay(stream: &Stream) -> io::Result<()> {
    match stream {
        Either::Left(tcp) => tcp.set_nodelay(true),
        Either::Right(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_socket_never_has_a_wider_mode_than_it_is_to_have() {
        let folder = tempfile::tempdir().expect("a folder");
        for mode in [0o600, 0o640, 0o660] {
            let wanted = UnixSocket { path: folder.path().join("v.sock"), mode };
            // Before anything is corrected: any other way to bind gives 0777 less the umask.
            let (_socket, _file) = make_file(&wanted).expect("a socket");
            let found = fs::metadata(&wanted.path).expect("a file").permissions().mode() & 0o777;
            assert_eq!(found & !mode, 0, "{found:o} is wider than {mode:o}");
        }
    }

    #[test]
    fn a_file_that_is_somebody_elses_by_now_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let wanted = UnixSocket { path: folder.path().join("v.sock"), mode: 0o600 };
        let first = Bound::unix(&wanted).expect("a socket");
        // While the first socket is held, its file's number is given to no other.
        fs::remove_file(&wanted.path).expect("a file");
        let second = Bound::unix(&wanted).expect("a socket");
        drop(first);
        assert!(wanted.path.exists());
        drop(second);
        assert!(!wanted.path.exists());
    }
}
