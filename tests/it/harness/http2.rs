//! HTTP/2 (RFC 9113): a well-behaved client, and one that writes any frames at all.
//!
//! [`Http2Client`] is the `h2` crate, which keeps the rules. [`FrameClient`] keeps none: what it
//! sends is what `h2` would refuse to send.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use h2::{RecvStream, client::SendRequest};
use http::{HeaderMap, Request};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Door, Stage,
    browser::client_config,
    client::tcp,
    patiently,
    wire::{Stream, Wire},
};

/// Frame types (RFC 9113 §6).
pub(crate) const DATA: u8 = 0x0;
pub(crate) const HEADERS: u8 = 0x1;
pub(crate) const PRIORITY: u8 = 0x2;
pub(crate) const RST_STREAM: u8 = 0x3;
pub(crate) const SETTINGS: u8 = 0x4;
pub(crate) const PING: u8 = 0x6;
pub(crate) const GOAWAY: u8 = 0x7;
pub(crate) const WINDOW_UPDATE: u8 = 0x8;
pub(crate) const CONTINUATION: u8 = 0x9;

/// Flags of frames.
pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;

/// Error codes (RFC 9113 §7).
pub(crate) const NO_ERROR: u32 = 0x0;
pub(crate) const PROTOCOL_ERROR: u32 = 0x1;
pub(crate) const CANCEL: u32 = 0x8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 0xb;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A flood that nobody has stopped by then is not stopped.
const MOST_OFTEN: u32 = 2_000_000;

/// A client that keeps the rules.
pub(crate) struct Http2Client {
    pub(crate) sender: SendRequest<Bytes>,
    _connection: AbortOnDropHandle<Result<(), h2::Error>>,
}

/// An answer with all that came after its head.
#[derive(Debug)]
pub(crate) struct Http2Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Http2Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Http2Client {
    pub(crate) async fn over(stream: impl Stream + 'static) -> Self {
        let (sender, connection) =
            patiently("an HTTP/2 connection", h2::client::handshake(stream)).await.expect("a preface is answered");
        Self { sender, _connection: AbortOnDropHandle::new(tokio::spawn(connection)) }
    }

    /// One request without a body.
    pub(crate) async fn exchange(&mut self, request: Request<()>) -> Http2Response {
        self.ready().await;
        let (response, _) = self.sender.send_request(request, true).expect("a request that keeps the rules");
        let (head, body) = patiently("an answer", response).await.expect("an answer").into_parts();
        let (body, trailers) = whole(body).await.expect("a whole answer");
        Http2Response { status: head.status.as_u16(), headers: head.headers, body, trailers }
    }

    /// Waits until one more stream may be opened.
    pub(crate) async fn ready(&mut self) {
        patiently("room for a stream", std::future::poll_fn(|cx| self.sender.poll_ready(cx)))
            .await
            .expect("the connection stands");
    }
}

/// The rest of an answer.
pub(crate) async fn whole(mut body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut bytes = Vec::new();
    while let Some(data) = patiently("the rest of an answer", body.data()).await {
        let data = data?;
        bytes.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len())?;
    }
    let trailers = patiently("the end of an answer", body.trailers()).await?;
    Ok((bytes, trailers))
}

/// TLS that offers these protocols, in this order.
pub(crate) async fn tls(
    address: SocketAddr,
    name: &str,
    root: &CertificateDer<'static>,
    protocols: &[&str],
) -> TlsStream<TcpStream> {
    let mut config = client_config(std::slice::from_ref(root));
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).expect("a name for TLS");
    let stream = tcp([127, 0, 0, 1].into(), address).await;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
    patiently("a TLS handshake", connected).await.expect("a handshake")
}

impl<D: Door> Stage<D> {
    /// A connection in the clear, by prior knowledge.
    pub(crate) async fn http2(&self) -> Http2Client {
        Http2Client::over(tcp([127, 0, 0, 1].into(), self.door.address()).await).await
    }

    /// A GET of the app.
    pub(crate) fn http2_get(&self, path: &str) -> http::request::Builder {
        Request::get(format!("{}{path}", self.origin()))
    }

    /// A connection whose frames the test writes; preface and SETTINGS are exchanged.
    pub(crate) async fn frames(&self) -> FrameClient {
        let mut client = self.raw_frames().await;
        client.send_raw(PREFACE).await;
        client.send(SETTINGS, 0, 0, b"").await;
        client
    }

    /// The same, with nothing sent yet.
    pub(crate) async fn raw_frames(&self) -> FrameClient {
        FrameClient { wire: Wire::new(tcp([127, 0, 0, 1].into(), self.door.address()).await) }
    }

    /// The pseudo-header fields of a GET of the app.
    pub(crate) fn pseudo<'a>(&'a self, path: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![(":method", "GET"), (":scheme", "http"), (":authority", self.authority()), (":path", path)]
    }
}

/// A frame as it came.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// A client that keeps no rules.
pub(crate) struct FrameClient {
    pub(crate) wire: Wire,
}

/// What becomes of a stream first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The head of an answer.
    Status(u16),
    /// `RST_STREAM` with this code.
    Reset(u32),
    /// GOAWAY with this code.
    GoAway(u32),
    /// The connection ended without a word.
    Closed,
}

impl FrameClient {
    pub(crate) async fn send_raw(&mut self, bytes: impl AsRef<[u8]>) {
        patiently("bytes to be taken", self.wire.write(bytes)).await.expect("the connection stands");
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.send_raw(frame(kind, flags, stream, payload)).await;
    }

    /// A head in one frame.
    pub(crate) async fn head(&mut self, stream: u32, flags: u8, fields: &[(&str, &str)]) {
        self.send(HEADERS, END_HEADERS | flags, stream, &block(fields)).await;
    }

    /// The next frame that is not about settings; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = patiently("a frame", self.read()).await?;
            match frame.kind {
                SETTINGS if frame.flags & ACK == 0 => {
                    // Whoever floods does not care whether anybody still listens.
                    let _ = self.wire.write(self::frame(SETTINGS, ACK, 0, b"")).await;
                }
                SETTINGS => {}
                _ => return Some(frame),
            }
        }
    }

    /// The next frame, whatever it is.
    pub(crate) async fn read(&mut self) -> Option<Frame> {
        let header = self.wire.exactly(9).await;
        let [high, middle, low, kind, flags, stream @ ..] = <[u8; 9]>::try_from(header).ok()?;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let payload = self.wire.exactly(length).await;
        (payload.len() == length).then_some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// What becomes of this stream, or of the whole connection.
    pub(crate) async fn outcome(&mut self, stream: u32) -> Outcome {
        while let Some(frame) = self.next().await {
            match frame.kind {
                HEADERS if frame.stream == stream => return Outcome::Status(status(&frame.payload)),
                RST_STREAM if frame.stream == stream => return Outcome::Reset(number(&frame.payload)),
                GOAWAY => return Outcome::GoAway(number(&frame.payload[4..])),
                _ => {}
            }
        }
        Outcome::Closed
    }

    /// Writes this over and over, reading whatever comes, until the connection is closed; gives how often, and the
    /// code of its GOAWAY, if there was one.
    pub(crate) async fn flood(self, mut bytes: impl FnMut(u32) -> Vec<u8>) -> (u32, Option<u32>) {
        let (read, mut write) = self.wire.split();
        let reading = async move { Self { wire: read }.until_closed().await };
        let writing = async move {
            for n in 0..MOST_OFTEN {
                if write.write_all(&bytes(n)).await.is_err() {
                    return n;
                }
            }
            panic!("{MOST_OFTEN} times, and nobody minds");
        };
        patiently("a flood to be stopped", async { tokio::join!(writing, reading) }).await
    }

    /// Reads to the end of the connection; the code of its GOAWAY, if there was one.
    pub(crate) async fn until_closed(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                code = Some(number(&frame.payload[4..]));
            }
        }
        code
    }
}

/// A frame in bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame of a test").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Header fields as literals that are kept in no table (RFC 7541 §6.2.2), spelled as they are.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            // One character is one byte.
            let bytes: Vec<_> = text.chars().map(|c| u8::try_from(c).expect("a character of Latin-1")).collect();
            // RFC 7541 §5.1, with a prefix of seven bits.
            let mut rest = bytes.len();
            block.push(u8::try_from(rest.min(127)).unwrap_or_default());
            if rest >= 127 {
                rest -= 127;
                while rest >= 128 {
                    block.push(u8::try_from(rest % 128).unwrap_or_default() | 128);
                    rest /= 128;
                }
                block.push(u8::try_from(rest).unwrap_or_default());
            }
            block.extend(bytes);
        }
    }
    block
}

fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[..4].try_into().expect("four bytes"))
}

/// `:status`, as a server writes it first on a connection (RFC 7541, Appendices A and B).
fn status(block: &[u8]) -> u16 {
    match block {
        [indexed @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        [0x08 | 0x18 | 0x48, length, rest @ ..] if length & 0x80 != 0 => {
            let mut bits = rest[..3].iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << 8;
            let mut status = 0;
            for _ in 0..3 {
                // 0 to 2 have five bits, 3 to 9 six.
                let (digit, length) = if bits >> 27 < 3 { (bits >> 27, 5) } else { ((bits >> 26) - 22, 6) };
                status = status * 10 + digit;
                bits <<= length;
            }
            u16::try_from(status).expect("three digits")
        }
        [0x08 | 0x18 | 0x48, 3, rest @ ..] => {
            std::str::from_utf8(&rest[..3]).ok().and_then(|text| text.parse().ok()).expect("a status")
        }
        _ => panic!("no status that this reads: {block:x?}"),
    }
}
