//! Which HTTP somebody speaks in the clear, by their first bytes (RFC 9113 §3.4).
//!
//! The bytes are read, not peeked at, so that any kind of stream can be asked; whoever
//! serves the connection gets them first. No HTTP/1.1 request begins as the preface does:
//! RFC 9113 chose it so, and methods that begin with `P` differ at the second or third byte.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What every HTTP/2 client says first.
pub(in crate::listener) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// As much as hyper's HTTP/1.1 server asks for at first: an ordinary request is read at once.
const FIRST_READ: usize = 8 * 1024;

/// What was read, and what it is the beginning of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Anything but the preface, perhaps nothing.
    Http1(Bytes),
    /// The preface, and what came with it.
    Http2(Bytes),
}

/// Reads until it is decided, which is nearly always once.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Opening> {
    let mut read = BytesMut::with_capacity(FIRST_READ);
    loop {
        let more = stream.read_buf(&mut read).await?;
        let length = read.len().min(PREFACE.len());
        if more == 0 || read[..length] != PREFACE[..length] {
            return Ok(Opening::Http1(read.freeze()));
        }
        if length == PREFACE.len() {
            return Ok(Opening::Http2(read.freeze()));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    /// What is made of these pieces, each of which arrives by itself.
    async fn opening(pieces: &[&[u8]]) -> Opening {
        let (mut client, mut server) = duplex(1); // one byte at a time, whatever is written
        let sent = async {
            for piece in pieces {
                // What nobody reads any more is not wanted.
                if client.write_all(piece).await.is_err() {
                    break;
                }
            }
            drop(client);
        };
        let read = async {
            let opening = read(&mut server).await.expect("it can be read");
            drop(server);
            opening
        };
        tokio::join!(sent, read).1
    }

    #[tokio::test]
    async fn the_preface_is_known_in_pieces_and_nothing_else_is_taken_for_it() {
        assert_eq!(opening(&[PREFACE]).await, Opening::Http2(Bytes::from_static(PREFACE)));
        for (sent, read) in [
            ("GET / HTTP/1.1\r\n", "G"),
            ("POST / HTTP/1.1\r\n", "PO"),
            ("PROPFIND / HTTP/1.1\r\n", "PRO"),
            ("PRI * HTTP/1.1\r\n\r\n", "PRI * HTTP/1"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"),
            ("PRI * HTTP", "PRI * HTTP"), // and no more
            ("pri", "p"),
            ("\x16\x03\x01", "\x16"),
            ("", ""),
        ] {
            assert_eq!(opening(&[sent.as_bytes()]).await, Opening::Http1(read.into()), "{sent:?}");
        }
    }

    #[tokio::test]
    async fn what_comes_with_the_first_bytes_is_handed_on() {
        for (sent, expected) in [
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".as_slice(), true),
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", false),
        ] {
            let (mut client, mut server) = duplex(1024);
            client.write_all(sent).await.expect("there is room");
            let whole = Bytes::copy_from_slice(sent);
            let expected = if expected { Opening::Http2(whole) } else { Opening::Http1(whole) };
            assert_eq!(read(&mut server).await.expect("it can be read"), expected);
        }
    }
}
