//! The app's server: keeps every byte that reaches it, and answers as the test likes.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::{
    patiently,
    wire::{Complete, Framing, Head, Stream, Wire},
};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// On which connection, counted from 0.
    pub(crate) connection: usize,
    /// Its head, as it was spelled.
    pub(crate) head: Head,
    /// Its body, as far as it has been read.
    pub(crate) body: Vec<u8>,
}

impl Recorded {
    pub(crate) fn method(&self) -> &str {
        self.head.start.split(' ').next().unwrap_or_default()
    }

    /// Exactly as it was sent.
    pub(crate) fn target(&self) -> &str {
        self.head.start.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.head.all(name)
    }
}

/// What is answered.
pub(crate) enum Answer {
    /// These bytes; the connection stays open.
    Keep(Vec<u8>),
    /// These bytes, perhaps none, and the end of the connection.
    Close(Vec<u8>),
    /// A switch of protocols, and every byte back.
    Echo,
}

impl Answer {
    /// 200 with a text.
    pub(crate) fn ok(text: &str) -> Self {
        Self::with("200 OK", "", text)
    }

    /// A status, further fields (each line with its CR LF), and a text.
    pub(crate) fn with(status: &str, fields: &str, text: &str) -> Self {
        Self::Keep(format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n{text}", text.len()).into_bytes())
    }
}

/// The answer to a WebSocket handshake; whoever checks `Sec-WebSocket-Accept` is not in these tests.
pub(crate) const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

type Handler = dyn Fn(&Recorded) -> Answer + Send + Sync;

enum Mode {
    Handler(Arc<Handler>),
    ByHand(mpsc::UnboundedSender<Conversation>),
}

struct Shared {
    requests: watch::Sender<Vec<Recorded>>,
    connections: AtomicUsize,
    mode: Mutex<Mode>,
}

impl Shared {
    fn mode(&self) -> std::sync::MutexGuard<'_, Mode> {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until it is dropped.
pub(crate) struct RecordingUpstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: AbortOnDropHandle<()>,
}

impl RecordingUpstream {
    /// Answers everything with 200.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        Self::serve(Listener::Tcp(listener), None, address)
    }

    /// The same over TLS.
    pub(crate) async fn start_tls(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        Self::serve(Listener::Tcp(listener), Some(TlsAcceptor::from(Arc::new(config))), address)
    }

    /// The same on a socket of the file system; its address is none.
    pub(crate) fn start_unix(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("a path of our own");
        Self::serve(Listener::Unix(listener), None, SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    fn serve(listener: Listener, tls: Option<TlsAcceptor>, address: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            requests: watch::Sender::new(Vec::new()),
            connections: AtomicUsize::new(0),
            mode: Mutex::new(Mode::Handler(Arc::new(|_| Answer::ok("hello from the app")))),
        });
        let serving = Arc::clone(&shared);
        let server = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let stream = accepted.expect("the tests open few sockets");
                        connections.spawn(greet(stream, tls.clone(), Arc::clone(&serving)));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        }));
        Self { address, shared, _server: server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers by `handler` from now on.
    pub(crate) fn answer(&self, handler: impl Fn(&Recorded) -> Answer + Send + Sync + 'static) {
        *self.shared.mode() = Mode::Handler(Arc::new(handler));
    }

    /// Hands every further connection to the test.
    pub(crate) fn by_hand(&self) -> Conversations {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.shared.mode() = Mode::ByHand(sender);
        Conversations(receiver)
    }

    /// What has come so far, in the order of the heads.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.shared.requests.borrow().clone()
    }

    /// The same, and starts the record anew.
    pub(crate) fn take(&self) -> Vec<Recorded> {
        self.shared.requests.send_replace(Vec::new())
    }

    /// The only request since the record began; it begins anew.
    pub(crate) fn only(&self) -> Recorded {
        let mut requests = self.take();
        assert_eq!(requests.len(), 1, "one request and no more should have come: {requests:?}");
        requests.remove(0)
    }

    /// How many connections have been accepted.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Acquire)
    }
}

/// The connections that come while the test answers by hand.
pub(crate) struct Conversations(mpsc::UnboundedReceiver<Conversation>);

impl Conversations {
    pub(crate) async fn next(&mut self) -> Conversation {
        patiently("a connection at the upstream", self.0.recv()).await.expect("the upstream is still there")
    }
}

impl Conversations {
    /// The next one, unless `otherwise` happens first.
    pub(crate) async fn next_before<T>(&mut self, otherwise: impl Future<Output = T>) -> Option<Conversation> {
        tokio::select! {
            biased;
            conversation = self.next() => Some(conversation),
            _ = otherwise => None,
        }
    }
}

/// One connection of the sidecar, from the app's end.
pub(crate) struct Conversation {
    /// For whatever is not a message.
    pub(crate) wire: Wire,
    number: usize,
    shared: Arc<Shared>,
}

impl Conversation {
    /// The next head; it is on the record. `None` where the connection ends instead.
    pub(crate) async fn head(&mut self) -> Option<Head> {
        let head = self.wire.head().await?;
        let recorded = Recorded { connection: self.number, head: head.clone(), body: Vec::new() };
        self.shared.requests.send_modify(|requests| requests.push(recorded));
        Some(head)
    }

    /// The next request with its body; `None` where the connection ends instead.
    async fn request(&mut self) -> Option<Recorded> {
        let head = self.head().await?;
        let (body, complete) = self.wire.body(head.framing(Framing::Length(0))).await;
        let recorded = Recorded { connection: self.number, head, body };
        self.shared.requests.send_modify(|requests| {
            // A test may have begun the record anew in between.
            if let Some(this) = requests.iter_mut().rfind(|r| r.connection == recorded.connection) {
                this.body.clone_from(&recorded.body);
            }
        });
        (complete == Complete::Yes).then_some(recorded)
    }

    /// The next head, which must come.
    pub(crate) async fn expect_head(&mut self) -> Head {
        patiently("a request at the upstream", self.head()).await.expect("a request, not the end of the connection")
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        patiently("bytes to be taken", self.wire.write(bytes)).await.expect("the connection stands");
    }

    /// Waits until the sidecar has closed its side, and gives what still came.
    pub(crate) async fn until_closed(&mut self) -> Vec<u8> {
        patiently("the connection to be closed", self.wire.rest()).await
    }
}

/// Where connections come in.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, _)| Box::new(stream) as Box<dyn Stream>),
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| Box::new(stream) as Box<dyn Stream>),
        }
    }
}

async fn greet(stream: Box<dyn Stream>, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let number = shared.connections.fetch_add(1, Ordering::AcqRel);
    let wire = match tls {
        None => Wire::new(stream),
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => Wire::new(stream),
            Err(_) => return,
        },
    };
    let conversation = Conversation { wire, number, shared: Arc::clone(&shared) };
    if let Mode::ByHand(test) = &*shared.mode() {
        // A test that no longer listens has seen what it wanted.
        let _ = test.send(conversation);
        return;
    }
    converse(conversation).await;
}

async fn converse(mut conversation: Conversation) {
    while let Some(request) = conversation.request().await {
        let handler = match &*conversation.shared.mode() {
            Mode::Handler(handler) => Arc::clone(handler),
            Mode::ByHand(_) => return,
        };
        let sent = match handler(&request) {
            Answer::Keep(bytes) => conversation.wire.write(bytes).await,
            Answer::Close(bytes) => {
                let _ = conversation.wire.write(bytes).await;
                return;
            }
            Answer::Echo => {
                echo(&mut conversation.wire).await;
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn echo(wire: &mut Wire) {
    let mut sent = wire.write(SWITCHING).await;
    while sent.is_ok() {
        let bytes = wire.some().await;
        if bytes.is_empty() {
            return;
        }
        sent = wire.write(bytes).await;
    }
}
