//! A client that writes exactly what it is told to.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};

use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, ServerName},
};
use serde_json::Value;
use tokio::net::{TcpSocket, UnixStream};
use tokio_rustls::TlsConnector;

use super::{
    browser::client_config,
    patiently,
    wire::{Complete, Framing, Head, Wire},
};

/// What a browser asks for a WebSocket with (RFC 6455 §4.1), but for its origin.
pub(crate) const WEB_SOCKET: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// A request in plain text, in its making.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    target: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), fields: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST with a body of known length.
    pub(crate) fn post(target: &str, body: impl AsRef<[u8]>) -> Self {
        let mut request = Self::new("POST", target).header("Content-Length", &body.as_ref().len().to_string());
        request.body = body.as_ref().to_vec();
        request
    }

    /// One more field, also where there is one of this name.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn headers(self, fields: &[(&str, &str)]) -> Self {
        fields.iter().fold(self, |request, (name, value)| request.header(name, value))
    }

    /// What a browser says when somebody goes there.
    pub(crate) fn navigation(self) -> Self {
        self.headers(&[
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "document"),
            ("Sec-Fetch-Site", "none"),
            ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
        ])
    }

    /// The same for another target.
    pub(crate) fn at(self, target: &str) -> Self {
        Self { target: target.to_owned(), ..self }
    }

    /// To this host, unless one is named already.
    pub(crate) fn to_host(&self, host: &str) -> Self {
        let mut request = self.clone();
        if !request.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request.fields.insert(0, ("Host".to_owned(), host.to_owned()));
        }
        request
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.fields {
            for part in [name, ": ", value, "\r\n"] {
                text.push_str(part);
            }
        }
        text += "\r\n";
        // One character is one byte, so that a test can write bytes beyond ASCII.
        let mut bytes: Vec<_> = text.chars().map(|c| u8::try_from(c).expect("a character of Latin-1")).collect();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// An answer as it came.
#[derive(Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    pub(crate) complete: Complete,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:?}", self.head, self.text(), self.complete)
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.head.all(name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A page with its entities read, as a browser shows it and follows its links.
    pub(crate) fn html(&self) -> String {
        let entities =
            [("&#x2f;", "/"), ("&#x27;", "'"), ("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
        entities.iter().fold(self.text(), |text, (entity, character)| text.replace(entity, character))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("no Location: {self:?}"))
    }
}

/// One connection.
pub(crate) struct RawClient {
    /// For whatever is not an exchange of messages.
    pub(crate) wire: Wire,
}

impl RawClient {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::connect_from(IpAddr::from([127, 0, 0, 1]), address).await
    }

    /// From an address of its own: all of 127.0.0.0/8 is this machine.
    pub(crate) async fn connect_from(own: IpAddr, address: SocketAddr) -> Self {
        Self { wire: Wire::new(tcp(own, address).await) }
    }

    /// By a Unix socket.
    pub(crate) async fn connect_unix(path: &Path) -> Self {
        let stream = patiently("a connection", UnixStream::connect(path)).await.expect("somebody listens");
        Self { wire: Wire::new(stream) }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        patiently("bytes to be taken", self.wire.write(bytes)).await.expect("the connection stands");
    }

    /// One answer to anything but HEAD; `None` where the connection ends without one.
    pub(crate) async fn response(&mut self) -> Option<Response> {
        self.response_to("GET").await
    }

    /// One answer, its body read as the request's method has it.
    pub(crate) async fn response_to(&mut self, method: &str) -> Option<Response> {
        let head = self.head().await?;
        let status = status(&head);
        let bodiless = method == "HEAD" || status < 200 || status == 204 || status == 304;
        let framing = if bodiless { Framing::Length(0) } else { head.framing(Framing::UntilClose) };
        let (body, complete) = patiently("the rest of an answer", self.wire.body(framing)).await;
        Some(Response { status, head, body, complete })
    }

    /// The head of an answer whose body is read by hand.
    pub(crate) async fn head(&mut self) -> Option<Head> {
        patiently("an answer", self.wire.head()).await
    }

    pub(crate) async fn exchange(&mut self, request: &Request) -> Response {
        self.send(request.bytes()).await;
        let response = self.response_to(&request.method).await;
        response.unwrap_or_else(|| panic!("no answer to {} {}", request.method, request.target))
    }

    /// Waits for the end of the connection and gives what still came.
    pub(crate) async fn until_closed(&mut self) -> Vec<u8> {
        patiently("the connection to be closed", self.wire.rest()).await
    }
}

/// The status of a status line.
pub(crate) fn status(head: &Head) -> u16 {
    let code = head.start.split(' ').nth(1).and_then(|code| code.parse().ok());
    code.unwrap_or_else(|| panic!("no status line: {:?}", head.start))
}

pub(super) async fn tcp(own: IpAddr, address: SocketAddr) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((own, 0).into()).expect("an address of this machine");
    let stream = patiently("a connection", socket.connect(address)).await.expect("somebody listens");
    stream.set_nodelay(true).expect("a connected socket takes options");
    stream
}

/// A handshake for `name`, and the certificate that was shown; an error where `root` does not vouch for it.
pub(crate) async fn connect_tls(
    address: SocketAddr,
    name: &str,
    root: &CertificateDer<'static>,
) -> io::Result<(RawClient, CertificateDer<'static>)> {
    handshake(address, name, client_config(std::slice::from_ref(root))).await
}

/// The same, as this client does it.
pub(crate) async fn handshake(
    address: SocketAddr,
    name: &str,
    config: ClientConfig,
) -> io::Result<(RawClient, CertificateDer<'static>)> {
    let connector = TlsConnector::from(Arc::new(config));
    let stream = tcp([127, 0, 0, 1].into(), address).await;
    let name = ServerName::try_from(name.to_owned()).expect("a name for TLS");
    let stream = patiently("a TLS handshake", connector.connect(name, stream)).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).cloned();
    Ok((RawClient { wire: Wire::new(stream) }, shown.expect("a server shows its certificate")))
}
