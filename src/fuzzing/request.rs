//! Whose request it is and what it is for: target, host, client.

use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::request::{Client, Host, Peer, Place, Target};

const PREFIX: &str = "/_vestibule";

/// What is judged is what is forwarded, and reading it again changes nothing.
pub(super) fn target(bytes: &[u8]) {
    let Ok(uri) = Uri::try_from(bytes) else { return };
    let Ok(target) = Target::parse(&uri) else { return };
    let (path, query) = (target.path(), target.query());
    assert!(path.starts_with('/') && !path.contains(['\\', '#', '?']), "{path:?}");
    assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?}");
    assert!(!path.contains("//") && !path.split('/').any(|segment| matches!(segment, "." | "..")), "{path:?}");
    let sent = bytes.split(|byte| *byte == b'#').next().unwrap_or_default();
    let sent_query = sent.iter().position(|byte| *byte == b'?').map(|at| &sent[at + 1..]);
    assert_eq!(query.map(str::as_bytes), sent_query, "the query is opaque");

    let forwarded: Uri = target.path_and_query().clone().into();
    let again = Target::parse(&forwarded).expect("what is forwarded is a target");
    assert_eq!(again.path_and_query(), target.path_and_query());
    let readings = |target: &Target| target.readings().map(|r| (r.path.to_vec(), r.readers)).collect::<Vec<_>>();
    assert_eq!(readings(&again), readings(&target));
    assert_eq!(again.place(PREFIX), target.place(PREFIX));

    assert_eq!(target.readings().next().map(|reading| reading.path), Some(path.as_bytes()));
    for reading in target.readings() {
        assert_eq!(reading.path.first(), Some(&b'/'), "{reading:?}");
        let dots = reading.segments().any(|segment| matches!(segment, b"." | b".."));
        assert!(!dots && !reading.path.contains(&0), "{reading:?}");
        let inside = reading.path.to_ascii_lowercase().starts_with(b"/_vestibule/");
        let place = target.place(PREFIX);
        assert!(!inside || !matches!(place, Ok(Place::App)), "{reading:?} enters {place:?}");
    }
}

/// A host is in lower case, has no dot at its ends, and reads the same when it is written again.
pub(super) fn host(bytes: &[u8]) {
    let Ok(host) = Host::parse(bytes) else { return };
    let name = host.name();
    assert!(!name.is_empty() && !name.starts_with('.') && !name.ends_with('.'), "{name:?}");
    assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()), "{name:?}");
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    assert!(plain, "{name:?}");
    let written = host.port().map_or(name.to_owned(), |port| format!("{name}:{port}"));
    assert_eq!(Host::parse(written.as_bytes()).as_ref(), Ok(&host));
}

/// Nobody is believed to the left of the first who is not trusted, and only addresses are passed on.
pub(super) fn forwarded(bytes: &[u8]) {
    let headers = headers(bytes);
    let trusted = ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a network"));
    for address in ["127.0.0.1", "192.0.2.1", "::ffff:10.0.0.1"] {
        let peer = Peer::new(address.parse().expect("an address"), &trusted);
        let client = Client::resolve(&peer, &headers, &trusted);
        let is_trusted = |address: std::net::IpAddr| trusted.iter().any(|net: &ipnet::IpNet| net.contains(&address));
        let hops: Vec<std::net::IpAddr> = client
            .forwarded_for()
            .to_str()
            .expect("addresses are text")
            .split(", ")
            .map(|hop| hop.parse().expect("an address"))
            .collect();
        assert_eq!(hops.last(), Some(&peer.address()), "the peer has the last word");
        assert_eq!(hops.first(), Some(&client.address()));
        assert!(hops[1..].iter().all(|hop| is_trusted(*hop)), "{hops:?}");
        assert_eq!(client.real_ip().to_str().ok(), Some(client.address().to_string().as_str()));
        if is_trusted(peer.address()) {
            assert_eq!(client.forwarded_host().is_some(), client.forwarded_host_value().is_some());
        } else {
            assert_eq!(hops.len(), 1, "an untrusted peer speaks for itself");
            assert!(client.forwarded_host_value().is_none() && client.forwarded_proto().is_none());
            assert!(client.forwarded_port().is_none());
        }
    }
}

/// Lines `name: value`, as far as they are fields.
pub(super) fn headers(bytes: &[u8]) -> HeaderMap {
    let field = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in bytes.split(|byte| *byte == b'\n').filter_map(field) {
        headers.append(name, value);
    }
    headers
}
