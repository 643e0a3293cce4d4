//! Where a head ends and what frames its body.

use http::{Method, Request, Uri, Version, header};

use super::request::headers;
use crate::{
    gateway::Heard,
    listener::{
        line_ends::LineEnds,
        proxy_protocol::{self, Parsed},
    },
    request::{Fields, HeaderKind, connection_options, framing, is_hop_by_hop},
};

/// What is taken has one host and at most one length, which everybody reads alike.
///
/// The first line is `METHOD TARGET VERSION`, each further one a field.
pub(super) fn framing(bytes: &[u8]) {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let [method, target, version] = line.split(|byte| *byte == b' ').collect::<Vec<_>>()[..] else { return };
    let (Ok(method), Ok(target)) = (Method::from_bytes(method), Uri::try_from(target)) else { return };
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = target;
    *request.version_mut() = if version == b"HTTP/1.0" { Version::HTTP_10 } else { Version::HTTP_11 };
    *request.headers_mut() = headers(&bytes[line.len()..]);
    let parts = request.into_parts().0;
    let Ok(host) = framing::check(&parts, &Fields::read(&parts.headers)) else { return };

    assert!(!host.name().is_empty());
    assert!(!parts.method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()), "{:?}", parts.method);
    let all = |name: header::HeaderName| parts.headers.get_all(name).iter().collect::<Vec<_>>();
    let (lengths, codings) = (all(header::CONTENT_LENGTH), all(header::TRANSFER_ENCODING));
    assert!(lengths.len() + codings.len() <= 1, "{parts:?}");
    for length in lengths {
        let text = length.to_str().expect("digits");
        assert_eq!(text.trim_start_matches('0').len().max(1), text.len(), "one spelling: {text}");
        assert!(text.bytes().all(|byte| byte.is_ascii_digit()), "{text}");
    }
    assert!(codings.iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")), "{codings:?}");
    assert_eq!(all(header::HOST).len(), 1, "{parts:?}");
    for name in connection_options(&parts.headers) {
        assert!(HeaderKind::of(&name).is_the_apps() && !is_hop_by_hop(name.as_str()), "{name}");
        assert!(name != header::CONTENT_LENGTH && name != header::HOST, "{name}");
    }
}

/// Nothing but a line feed that stands alone is ever changed, and wherever a head is cut, it is the same one.
/// Behind its end nothing continues it: by then the request is being answered.
///
/// The first byte says where.
pub(super) fn line_ends(bytes: &[u8]) {
    let Some((&cut, head)) = bytes.split_first() else { return };
    let check = |pieces: &[&[u8]]| {
        let (mut line_ends, mut read) = (LineEnds::default(), Vec::new());
        for piece in pieces {
            let mut piece = piece.to_vec();
            let heard = if read.is_empty() { Heard::Beginning } else { Heard::Continuation };
            line_ends.check(heard, &mut piece);
            read.extend(piece);
        }
        read
    };
    let whole = check(&[head]);
    for (at, (sent, read)) in head.iter().zip(&whole).enumerate() {
        let alone = *sent == b'\n' && (at == 0 || head[at - 1] != b'\r');
        assert!(sent == read || (alone && *read == 0), "byte {at} became {read}: {head:?}");
    }
    let first = |read: &[u8]| read.iter().zip(head).position(|(read, sent)| read != sent);
    let (left, right) = head.split_at(usize::from(cut).min(head.len()));
    let begun = left.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(left.len());
    let is_over = left[begun..].windows(4).any(|four| four == b"\r\n\r\n");
    if !left.is_empty() && !is_over {
        assert_eq!(first(&check(&[left, right])), first(&whole), "cut at {cut}: {head:?}");
    }
}

/// A PROXY header is the same wherever the bytes are cut: the beginning of one is never refused and never another
/// one, what is still missing is never more than there is, and what follows it changes nothing.
pub(super) fn proxy_header(bytes: &[u8]) {
    let Ok(Parsed::Header { length, source }) = proxy_protocol::parse(bytes) else { return };
    assert!((1..=bytes.len()).contains(&length), "{length} of {}", bytes.len());
    for end in 0..length {
        match proxy_protocol::parse(&bytes[..end]) {
            Ok(Parsed::Incomplete { needs }) => assert!((1..=length - end).contains(&needs), "{needs} more than {end}"),
            other => panic!("the first {end} bytes of {length} are {other:?}"),
        }
    }
    let followed = [&bytes[..length], b"GET / HTTP/1.1\r\n"].concat();
    match proxy_protocol::parse(&followed) {
        Ok(Parsed::Header { length: same, source: as_well }) => assert_eq!((same, as_well), (length, source)),
        other => panic!("with a request behind it is {other:?}"),
    }
}
