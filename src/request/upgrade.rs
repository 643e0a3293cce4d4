//! Which protocols a request offers to change to (RFC 9110 §7.8), and which of them an answer took.
//!
//! Any protocol may pass: WebSocket, the SPDY of `kubectl exec`, the raw stream of
//! `docker attach`. What may not is HTTP in another guise. After an upgrade to `h2c`
//! the visitor would talk to the upstream in requests that nobody has judged, with
//! identity headers of their own making (threat 76); and `TLS/1.0` (RFC 2817) would
//! hide the same from everybody. Such an offer is left out, as a server may that does
//! not know the protocol, and the request goes on as an ordinary one.
//!
//! So does a request with a body. The body would have to be through before the
//! switch, and whoever disagrees about where it ends takes requests for the new
//! protocol, or the other way round.
//!
//! Rejected: a list of known protocols, because an unmodified app must not notice us;
//! the checks of RFC 6455 §4.2.1 on handshakes, because they are the upstream's, and
//! no byte passes before it has agreed.

use http::{HeaderMap, HeaderName, HeaderValue, Version, header, request::Parts};

/// The protocols that a request offers to change to, without those that may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade(HeaderValue);

/// What is spoken after a switch, as far as it concerns us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 6455: it can be told to close.
    WebSocket,
    /// Bytes.
    Other,
}

impl Upgrade {
    /// The offer of a request; `None` where there is none, or none that may pass.
    pub fn of(head: &Parts) -> Option<Self> {
        let headers = &head.headers;
        if !headers.contains_key(header::UPGRADE) || head.version != Version::HTTP_11 {
            return None;
        }
        let announced = items(headers, header::CONNECTION).any(|option| option.eq_ignore_ascii_case(b"upgrade"));
        if !announced || has_body(headers) {
            return None;
        }
        let passing: Vec<_> = items(headers, header::UPGRADE).filter(|protocol| may_pass(protocol)).collect();
        if passing.is_empty() {
            return None;
        }
        HeaderValue::from_bytes(&passing.join(&b", "[..])).ok().map(Self)
    }

    /// The field by which the upstream is asked.
    pub fn value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// What the head of a 101 says is spoken from now on; `None` where nobody has offered that.
    pub fn taken(&self, answer: &HeaderMap) -> Option<Protocol> {
        let offered = |protocol: &[u8]| split(&self.0).any(|offer| offer.eq_ignore_ascii_case(protocol));
        let mut taken = items(answer, header::UPGRADE);
        let first = taken.next().filter(|protocol| offered(protocol))?;
        match taken.next() {
            None if first.eq_ignore_ascii_case(b"websocket") => Some(Protocol::WebSocket),
            None => Some(Protocol::Other),
            // Several, in layers: each must have been offered, and what is on the wire is the lowest.
            Some(second) => (offered(second) && taken.all(offered)).then_some(Protocol::Other),
        }
    }
}

/// `Content-Length: 0` is what clients say that have nothing to say.
fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get_all(header::CONTENT_LENGTH).iter().any(|length| length != "0")
}

/// Whether this is a protocol, and not HTTP or what would hide it.
fn may_pass(protocol: &[u8]) -> bool {
    let mut parts = protocol.splitn(2, |&byte| byte == b'/');
    let (name, version) = (parts.next().unwrap_or_default(), parts.next());
    let hidden = [&b"h2"[..], b"h2c", b"h3", b"http", b"tls"];
    is_token(name) && version.is_none_or(is_token) && !hidden.iter().any(|hidden| name.eq_ignore_ascii_case(hidden))
}

/// RFC 9110 §5.6.2
fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// The members of a list, from all lines of the field (RFC 9110 §5.6.1).
fn items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).into_iter().flat_map(split)
}

fn split(list: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    list.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    type Fields = [(&'static str, &'static str)];

    fn headers(fields: &Fields) -> HeaderMap {
        fields.iter().fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(*name, HeaderValue::from_static(value));
            headers
        })
    }

    fn offer(method: &str, version: Version, fields: &Fields) -> Option<String> {
        let mut request = Request::builder().method(method).version(version).body(()).expect(method);
        *request.headers_mut() = headers(fields);
        let upgrade = Upgrade::of(&request.into_parts().0)?;
        Some(upgrade.value().to_str().expect("tokens").to_owned())
    }

    #[test]
    fn any_protocol_is_offered_on_and_http_in_no_guise() {
        for (asked, passes) in [
            ("websocket", Some("websocket")),
            ("WebSocket", Some("WebSocket")),
            ("SPDY/3.1", Some("SPDY/3.1")),
            ("tcp", Some("tcp")),
            ("connect-udp", Some("connect-udp")),
            ("h2c", None), // threat 76
            ("H2C", None),
            ("h2c/1", None),
            ("h2", None),
            ("h3", None),
            ("HTTP/2.0", None),
            ("http/1.1", None),
            ("TLS/1.0", None),
            ("tls", None),
            ("websocket, h2c", Some("websocket")),
            ("h2c,websocket,TLS/1.2 , ,tcp", Some("websocket, tcp")),
            ("h2c\twebsocket", None),
            ("\"h2c\"", None),
            ("a/b/c", None),
            ("/1", None),
            ("a/", None),
            ("", None),
            (",", None),
        ] {
            let offered = offer("GET", Version::HTTP_11, &[("connection", "Upgrade"), ("upgrade", asked)]);
            assert_eq!(offered.as_deref(), passes, "{asked:?}");
        }
    }

    #[test]
    fn an_offer_is_one_of_http_1_1_announced_and_without_a_body() {
        const PLAIN: &Fields = &[("connection", "keep-alive, Upgrade"), ("upgrade", "tcp")];
        let with = |more: &Fields| [PLAIN, more].concat();
        for (method, version, fields, is) in [
            ("GET", Version::HTTP_11, PLAIN.to_vec(), true),
            ("POST", Version::HTTP_11, PLAIN.to_vec(), true), // `kubectl exec`, `docker attach`
            ("POST", Version::HTTP_11, with(&[("content-length", "0")]), true),
            ("POST", Version::HTTP_11, with(&[("content-length", "7")]), false),
            ("POST", Version::HTTP_11, with(&[("content-length", "00")]), false),
            ("POST", Version::HTTP_11, with(&[("transfer-encoding", "chunked")]), false),
            ("GET", Version::HTTP_10, PLAIN.to_vec(), false),
            ("GET", Version::HTTP_2, PLAIN.to_vec(), false),
            ("GET", Version::HTTP_11, PLAIN[1..].to_vec(), false),
            ("GET", Version::HTTP_11, PLAIN[..1].to_vec(), false),
            ("GET", Version::HTTP_11, vec![("connection", "upgrades"), ("upgrade", "tcp")], false),
            ("GET", Version::HTTP_11, vec![("connection", "x"), ("connection", "upgrade"), ("upgrade", "tcp")], true),
        ] {
            assert_eq!(offer(method, version, &fields).is_some(), is, "{method} {version:?} {fields:?}");
        }
        let lines = [("connection", "upgrade"), ("upgrade", "a/1, h2c"), ("upgrade", "b")];
        assert_eq!(offer("GET", Version::HTTP_11, &lines).as_deref(), Some("a/1, b"));
    }

    #[test]
    fn an_answer_can_only_take_what_was_offered() {
        let upgrade = Upgrade(HeaderValue::from_static("websocket, SPDY/3.1"));
        for (answer, taken) in [
            (&[("upgrade", "websocket")][..], Some(Protocol::WebSocket)),
            (&[("upgrade", "WebSocket")], Some(Protocol::WebSocket)),
            (&[("upgrade", "spdy/3.1")], Some(Protocol::Other)),
            (&[("upgrade", "SPDY/3.1, websocket")], Some(Protocol::Other)),
            (&[("upgrade", "websocket"), ("upgrade", "h2c")], None),
            (&[("upgrade", "websocket, SPDY/3.1, tcp")], None),
            (&[("upgrade", "SPDY")], None),
            (&[("upgrade", "h2c")], None),
            (&[("upgrade", "")], None),
            (&[], None),
        ] {
            assert_eq!(upgrade.taken(&headers(answer)), taken, "{answer:?}");
        }
    }
}
