//! The PROXY protocol, versions 1 and 2: who is behind a load balancer that passes bytes on unread.
//!
//! Specification: `doc/proxy-protocol.txt` of HAProxy (2020/03/05). The header comes
//! before TLS, and after it comes what the visitor sends; so not one byte beyond it
//! may be read, and [`parse`] says how many more it needs at the least.
//!
//! Rejected: `proxy-header` and `ppp`. Both take spellings that the specification does
//! not have (`PROXYxTCP4`, ports with a sign), neither checks the checksum or says how
//! much is missing, and all that we need of a header is one address.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest header of version 1 (§2.1), CR LF included.
const MAX_V1: usize = 107;

/// The shortest: `PROXY UNKNOWN` with CR LF. Version 2 is longer at its least.
const MIN_V1: usize = 15;

/// How much of the 64 KiB that version 2 could have is taken: room for a client's certificate in a TLV.
const MAX_V2: usize = 8 * 1024;

/// What version 2 begins with (§2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The signature, version and command, family, length.
const HEAD_V2: usize = 16;

/// `PP2_TYPE_CRC32C`
const CRC32C: u8 = 0x03;

/// Who is at the other end, by a header's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Whoever the load balancer relays.
    Address(IpAddr),
    /// The load balancer relays somebody whom it cannot name: `UNKNOWN`, an unspecified family, a Unix socket.
    Unnamed,
    /// The load balancer itself, on its own business: `LOCAL`.
    Peer,
}

/// What a beginning of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// So far it can become a header; at least so many further bytes belong to it.
    Incomplete {
        /// Never 0.
        needs: usize,
    },
    /// A whole header.
    Header {
        /// How many bytes it has.
        length: usize,
        /// Whom it names.
        source: Source,
    },
}

/// Why a connection does not begin with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Invalid {
    /// Something else: HTTP or TLS, most likely.
    #[error("it does not begin with a PROXY header")]
    NoHeader,
    /// Version 1 without its end, or version 2 beyond what we take.
    #[error("its PROXY header is too long")]
    TooLong,
    /// Version 1 whose line is not what §2.1 has.
    #[error("its PROXY header of version 1 is malformed")]
    Line,
    /// Version 2 with a version, command or family that §2.2 does not have.
    #[error("its PROXY header of version 2 has an unknown version, command or family")]
    Command,
    /// Version 2 that speaks of datagrams.
    #[error("its PROXY header says that datagrams are relayed")]
    Datagrams,
    /// Version 2 whose addresses or TLVs are longer than it is.
    #[error("its PROXY header of version 2 is shorter than what it holds")]
    Truncated,
    /// Version 2 with a checksum that does not fit.
    #[error("its PROXY header has a wrong checksum")]
    Checksum,
}

/// Why no header could be read.
#[derive(Debug, Error)]
pub(super) enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("it ended within its PROXY header")]
    Ended,
    /// A load balancer that looks whether the port is open does this all day.
    #[error("it ended without a byte")]
    Empty,
    #[error("it broke within its PROXY header: {0}")]
    Broken(#[from] io::Error),
}

/// Reads the header that a connection begins with, and no byte beyond it.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Source, Error> {
    let mut header = Vec::with_capacity(MAX_V1);
    loop {
        let needs = match parse(&header)? {
            Parsed::Header { source, .. } => return Ok(source),
            Parsed::Incomplete { needs } => needs,
        };
        let begun = header.len();
        header.resize(begun + needs, 0);
        match stream.read(&mut header[begun..]).await? {
            0 if begun == 0 => return Err(Error::Empty),
            0 => return Err(Error::Ended),
            more => header.truncate(begun + more),
        }
    }
}

/// Parses the beginning of a connection; what follows a header is not looked at.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Invalid> {
    let begins_like = |magic: &[u8]| bytes.iter().zip(magic).all(|(byte, expected)| byte == expected);
    if begins_like(b"PROXY ") {
        // Also where nothing has come yet.
        return if bytes.len() < MIN_V1 {
            Ok(Parsed::Incomplete { needs: MIN_V1 - bytes.len() })
        } else {
            parse_v1(bytes)
        };
    }
    if !begins_like(SIGNATURE) {
        return Err(Invalid::NoHeader);
    }
    match bytes.split_first_chunk::<HEAD_V2>() {
        None => Ok(Parsed::Incomplete { needs: HEAD_V2 - bytes.len() }),
        Some((head, rest)) => parse_v2(bytes, head, rest),
    }
}

fn parse_v1(bytes: &[u8]) -> Result<Parsed, Invalid> {
    let bytes = &bytes[..bytes.len().min(MAX_V1)];
    let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        // CR LF at the least, and each field that is still to come with the space before it.
        let spaces = memchr::memchr_iter(b' ', bytes).count();
        let fields = if bytes[6..].starts_with(b"UNKNOWN") { 0 } else { 5_usize.saturating_sub(spaces) };
        let needs = (2 * fields + 2).min(MAX_V1 - bytes.len());
        return if needs == 0 { Err(Invalid::TooLong) } else { Ok(Parsed::Incomplete { needs }) };
    };
    match &bytes[end..] {
        [b'\r'] if bytes.len() < MAX_V1 => return Ok(Parsed::Incomplete { needs: 1 }),
        [b'\r', b'\n', ..] => {}
        _ => return Err(Invalid::Line),
    }
    let line = str::from_utf8(&bytes[..end]).map_err(|_| Invalid::Line)?;
    let source = parse_line(line).ok_or(Invalid::Line)?;
    Ok(Parsed::Header { length: end + 2, source })
}

fn parse_line(line: &str) -> Option<Source> {
    if let Some(rest) = line.strip_prefix("PROXY UNKNOWN") {
        // Whatever follows is to be ignored (§2.1).
        return (rest.is_empty() || rest.starts_with(' ')).then_some(Source::Unnamed);
    }
    let mut fields = line.split(' ').skip(1);
    let family = fields.next()?;
    let mut address = || -> Option<IpAddr> {
        let text = fields.next()?;
        match family {
            "TCP4" => text.parse().ok().map(IpAddr::V4),
            "TCP6" => text.parse().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (source, _destination) = (address()?, address()?);
    let (_source, _destination) = (port(fields.next()?)?, port(fields.next()?)?);
    fields.next().is_none().then_some(Source::Address(source))
}

/// One spelling each: no sign, no leading zero.
fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port: &u16| port.to_string() == text)
}

fn parse_v2(bytes: &[u8], head: &[u8; HEAD_V2], rest: &[u8]) -> Result<Parsed, Invalid> {
    let body = usize::from(u16::from_be_bytes([head[14], head[15]]));
    let length = HEAD_V2 + body;
    if length > MAX_V2 {
        return Err(Invalid::TooLong);
    }
    let is_local = match head[12] {
        0x20 => true,
        0x21 => false,
        _ => return Err(Invalid::Command),
    };
    let Some(body) = rest.get(..body) else { return Ok(Parsed::Incomplete { needs: length - bytes.len() }) };
    let source = if is_local { Source::Peer } else { parse_addresses(head[13], body, &bytes[..length])? };
    Ok(Parsed::Header { length, source })
}

fn parse_addresses(family: u8, body: &[u8], header: &[u8]) -> Result<Source, Invalid> {
    let (source, tlvs) = match family {
        // Nothing is said, and nothing can be looked for (§2.2).
        0x00 => return Ok(Source::Unnamed),
        0x11 => {
            let ([a, b, c, d, ..], tlvs) = body.split_first_chunk::<12>().ok_or(Invalid::Truncated)?;
            (Source::Address(Ipv4Addr::new(*a, *b, *c, *d).into()), tlvs)
        }
        0x21 => {
            let (addresses, tlvs) = body.split_at_checked(36).ok_or(Invalid::Truncated)?;
            let (source, _) = addresses.split_first_chunk::<16>().ok_or(Invalid::Truncated)?;
            (Source::Address(Ipv6Addr::from(*source).into()), tlvs)
        }
        0x31 => (Source::Unnamed, body.get(216..).ok_or(Invalid::Truncated)?),
        0x12 | 0x22 | 0x32 => return Err(Invalid::Datagrams),
        _ => return Err(Invalid::Command),
    };
    check_tlvs(tlvs, header)?;
    Ok(source)
}

/// Walks what else the header holds; only a checksum matters.
fn check_tlvs(mut tlvs: &[u8], header: &[u8]) -> Result<(), Invalid> {
    while !tlvs.is_empty() {
        let ([kind, high, low], rest) = tlvs.split_first_chunk::<3>().ok_or(Invalid::Truncated)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = rest.split_at_checked(length).ok_or(Invalid::Truncated)?;
        if *kind == CRC32C {
            let stated = value.try_into().map(u32::from_be_bytes).map_err(|_| Invalid::Checksum)?;
            // It is made over the header with the checksum itself as zeros.
            let place = header.len() - rest.len() - value.len();
            let zeroed = header.iter().enumerate();
            let zeroed = zeroed.map(|(at, byte)| if (place..place + value.len()).contains(&at) { 0 } else { *byte });
            if crc32c(zeroed) != stated {
                return Err(Invalid::Checksum);
            }
        }
        tlvs = rest;
    }
    Ok(())
}

/// RFC 9260 appendix A, bit by bit: one header a connection is worth no table.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    !bytes.fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests;
