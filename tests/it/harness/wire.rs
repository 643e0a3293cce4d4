//! HTTP/1.1 as bytes on a wire (RFC 9112), for the upstream and the client alike.
//!
//! No library: what is tested is what a library would mend or refuse.

use std::{fmt, io};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, WriteHalf};

/// TCP, or TLS over it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// One end of a connection.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

/// A start line with its fields, and exactly how they were spelled.
#[derive(Clone)]
pub(crate) struct Head {
    /// The first line.
    pub(crate) start: String,
    /// Names as they came, values without the space around them; bytes as Latin-1.
    pub(crate) fields: Vec<(String, String)>,
}

/// The text alone: a failing test should be readable.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.start, self.fields)
    }
}

impl Head {
    fn parse(raw: &[u8]) -> Self {
        let text: String = raw.iter().copied().map(char::from).collect();
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let field = |line: &str| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.to_owned(), value.trim().to_owned())
        };
        let fields = lines.map(field).collect();
        Self { start, fields }
    }

    /// The first value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All values of a field, in their order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = |(n, _): &&(String, String)| n.eq_ignore_ascii_case(name);
        self.fields.iter().filter(named).map(|(_, value)| value.as_str()).collect()
    }

    /// How the body of this message is framed; `otherwise` where the head does not say.
    pub(crate) fn framing(&self, otherwise: Framing) -> Framing {
        if self.all("transfer-encoding").iter().any(|coding| coding.to_ascii_lowercase().ends_with("chunked")) {
            return Framing::Chunked;
        }
        self.get("content-length").and_then(|length| length.parse().ok()).map_or(otherwise, Framing::Length)
    }
}

/// RFC 9112 §6.3
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Wire {
    pub(crate) fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), unread: Vec::new() }
    }

    /// Writes bytes as they are; an error where the other side has gone.
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Says that nothing more will be written.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Both directions by themselves; what is left to read with has nothing to write to.
    pub(crate) fn split(self) -> (Self, WriteHalf<Box<dyn Stream>>) {
        let (read, write) = tokio::io::split(self.stream);
        (Self { stream: Box::new(tokio::io::join(read, tokio::io::sink())), unread: self.unread }, write)
    }

    /// Reads once more; `false` at the end, an orderly one or not.
    async fn fill(&mut self) -> bool {
        let mut buffer = vec![0; 16 * 1024];
        match self.stream.read(&mut buffer).await {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.unread.extend_from_slice(&buffer[..n]);
                true
            }
        }
    }

    /// A whole head; `None` where the connection ends first.
    pub(crate) async fn head(&mut self) -> Option<Head> {
        loop {
            if let Some(at) = find(&self.unread, b"\r\n\r\n") {
                let rest = self.unread.split_off(at + 4);
                return Some(Head::parse(&std::mem::replace(&mut self.unread, rest)));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Exactly so many bytes; fewer where the connection ends first.
    pub(crate) async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length && self.fill().await {}
        let rest = self.unread.split_off(length.min(self.unread.len()));
        std::mem::replace(&mut self.unread, rest)
    }

    /// Whatever comes next, at least one byte; nothing at the end.
    pub(crate) async fn some(&mut self) -> Vec<u8> {
        if self.unread.is_empty() {
            self.fill().await;
        }
        std::mem::take(&mut self.unread)
    }

    /// One chunk of a chunked body; empty for the last one, `None` where the connection ends first.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.line().await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size =
            usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("a chunk's size is hexadecimal: {line:?}"));
        if size == 0 {
            while !self.line().await?.is_empty() {}
            return Some(Vec::new());
        }
        let mut chunk = self.exactly(size + 2).await;
        if chunk.len() < size + 2 {
            return None;
        }
        chunk.truncate(size);
        Some(chunk)
    }

    /// A whole body, and whether it came to its end.
    pub(crate) async fn body(&mut self, framing: Framing) -> (Vec<u8>, Complete) {
        let mut body = Vec::new();
        match framing {
            Framing::Length(length) => {
                body = self.exactly(length).await;
                let complete = if body.len() == length { Complete::Yes } else { Complete::CutShort };
                (body, complete)
            }
            Framing::Chunked => loop {
                match self.chunk().await {
                    Some(chunk) if chunk.is_empty() => return (body, Complete::Yes),
                    Some(chunk) => body.extend(chunk),
                    None => return (body, Complete::CutShort),
                }
            },
            Framing::UntilClose => {
                while self.fill().await {}
                body.append(&mut self.unread);
                (body, Complete::Yes)
            }
        }
    }

    /// Reads on to the end and gives what still came.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.unread)
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = find(&self.unread, b"\r\n") {
                let rest = self.unread.split_off(at + 2);
                let line = std::mem::replace(&mut self.unread, rest);
                return Some(line[..at].iter().copied().map(char::from).collect());
            }
            if !self.fill().await {
                return None;
            }
        }
    }
}

/// Whether a body came to its own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complete {
    Yes,
    CutShort,
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
