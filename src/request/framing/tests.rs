use http::Request;

use super::*;

fn head(method: &str, target: &str, version: Version, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target).version(version);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn refused(method: &str, target: &str, version: Version, headers: &[(&str, &str)]) -> Option<FramingError> {
    let head = head(method, target, version, headers);
    check(&head, &Fields::read(&head.headers)).err()
}

const HOST: (&str, &str) = ("host", "wiki.example.com");

#[test]
fn an_ordinary_request_gives_its_host() {
    let parts = head("GET", "/", Version::HTTP_11, &[("host", "Wiki.example.com:8443")]);
    let host = check(&parts, &Fields::read(&parts.headers)).expect("a host");
    assert_eq!((host.name(), host.port()), ("wiki.example.com", Some(8443)));
    for headers in [
        &[HOST, ("content-length", "0")][..],
        &[HOST, ("transfer-encoding", "chunked")],
        &[HOST, ("transfer-encoding", "Chunked"), ("expect", "100-Continue")],
    ] {
        assert_eq!(refused("POST", "/", Version::HTTP_11, headers), None, "{headers:?}");
    }
}

#[test]
fn a_request_is_for_exactly_one_host() {
    let malformed = Some(FramingError::Host(InvalidHost));
    for (version, target, headers, error) in [
        (Version::HTTP_11, "/", &[][..], Some(FramingError::NoHost)),
        (Version::HTTP_10, "/", &[], Some(FramingError::NoHost)),
        (Version::HTTP_10, "/", &[HOST], None),
        (Version::HTTP_11, "/", &[HOST, HOST], Some(FramingError::SeveralHosts)), // threat 62
        (Version::HTTP_11, "/", &[HOST, ("host", "evil.example")], Some(FramingError::SeveralHosts)),
        (Version::HTTP_11, "/", &[("host", "")], malformed),
        (Version::HTTP_11, "/", &[("host", "a@wiki.example.com")], malformed),
        // threat 60: absolute-form
        (Version::HTTP_11, "http://wiki.example.com/", &[HOST], None),
        (Version::HTTP_11, "http://WIKI.example.com:80/", &[HOST], None),
        (Version::HTTP_11, "https://wiki.example.com:443/", &[HOST], None),
        (Version::HTTP_11, "http://wiki.example.com:443/", &[HOST], Some(FramingError::HostMismatch)),
        (Version::HTTP_11, "http://evil.example/", &[HOST], Some(FramingError::HostMismatch)),
        (Version::HTTP_11, "http://a@wiki.example.com/", &[HOST], malformed),
        (Version::HTTP_11, "http://wiki.example.com/", &[], Some(FramingError::NoHost)),
        (Version::HTTP_2, "https://wiki.example.com/", &[HOST], None),
        (Version::HTTP_2, "https://wiki.example.com/", &[("host", "evil.example")], Some(FramingError::HostMismatch)),
    ] {
        assert_eq!(refused("GET", target, version, headers), error, "{version:?} {target} {headers:?}");
    }
}

#[test]
fn a_body_has_one_length_that_everybody_reads_alike() {
    use FramingError::{ContentLength, TransferEncoding, TransferEncodingInHttp10, TwoLengths};
    for (version, headers, error) in [
        // threats 66 and 67: both lengths
        (Version::HTTP_11, &[HOST, ("content-length", "5"), ("transfer-encoding", "chunked")][..], TwoLengths),
        // threat 68: codings around or instead of one `chunked` (hyper takes the first two)
        (Version::HTTP_11, &[HOST, ("transfer-encoding", "gzip, chunked")], TransferEncoding),
        (Version::HTTP_11, &[HOST, ("transfer-encoding", "x"), ("transfer-encoding", "chunked")], TransferEncoding),
        (Version::HTTP_11, &[HOST, ("transfer-encoding", "chunked, chunked")], TransferEncoding),
        (Version::HTTP_11, &[HOST, ("transfer-encoding", "chunked;x=y")], TransferEncoding),
        (Version::HTTP_11, &[HOST, ("transfer-encoding", "identity")], TransferEncoding),
        (Version::HTTP_11, &[HOST, ("transfer-encoding", "")], TransferEncoding),
        (Version::HTTP_11, &[HOST, ("transfer-encoding", "\"chunked\"")], TransferEncoding),
        (Version::HTTP_10, &[HOST, ("transfer-encoding", "chunked")], TransferEncodingInHttp10), // CVE-2026-2835
        // threat 71 and CVE-2021-32715
        (Version::HTTP_11, &[HOST, ("content-length", "5"), ("content-length", "5")], ContentLength),
        (Version::HTTP_11, &[HOST, ("content-length", "+5")], ContentLength),
        (Version::HTTP_11, &[HOST, ("content-length", "0x5")], ContentLength),
        (Version::HTTP_11, &[HOST, ("content-length", "5,5")], ContentLength),
        (Version::HTTP_11, &[HOST, ("content-length", "-1")], ContentLength),
        (Version::HTTP_11, &[HOST, ("content-length", "")], ContentLength),
    ] {
        assert_eq!(refused("POST", "/", version, headers), Some(error), "{version:?} {headers:?}");
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
    }
}

#[test]
fn threats_61_64_and_70_methods_and_expectations_that_are_not_served() {
    for (method, target, headers, status) in [
        ("TRACE", "/", &[HOST][..], 405),
        ("CONNECT", "wiki.example.com:443", &[HOST], 405),
        ("GET", "/", &[HOST, ("expect", "200-ok")], 417),
        ("GET", "/", &[HOST, ("expect", "100-continue, x")], 417),
        ("GET", "/", &[HOST, ("expect", "100-continue"), ("expect", "x")], 417),
    ] {
        let error = refused(method, target, Version::HTTP_11, headers).expect(method);
        assert_eq!(error.status().as_u16(), status, "{method} {headers:?}");
    }
}

#[test]
fn a_websocket_handshake_is_told_from_other_upgrades() {
    const FULL: &[(&str, &str)] =
        &[HOST, ("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket"), ("sec-websocket-key", "x")];
    let with = |more: &[(&'static str, &'static str)]| [FULL, more].concat();
    let without = |name: &str| FULL.iter().copied().filter(|(n, _)| *n != name).collect::<Vec<_>>();
    let replaced = |name: &'static str, value: &'static str| [without(name), vec![(name, value)]].concat();
    for (method, version, headers, is) in [
        ("GET", Version::HTTP_11, FULL.to_vec(), true),
        ("GET", Version::HTTP_11, with(&[("content-length", "0")]), true),
        ("GET", Version::HTTP_11, with(&[("content-length", "7")]), false),
        ("GET", Version::HTTP_11, with(&[("transfer-encoding", "chunked")]), false),
        ("POST", Version::HTTP_11, FULL.to_vec(), false),
        ("GET", Version::HTTP_10, FULL.to_vec(), false),
        ("GET", Version::HTTP_11, without("connection"), false),
        ("GET", Version::HTTP_11, without("upgrade"), false),
        ("GET", Version::HTTP_11, without("sec-websocket-key"), false),
        ("GET", Version::HTTP_11, replaced("upgrade", "h2c"), false), // threat 76
        ("GET", Version::HTTP_11, replaced("upgrade", "websocketx"), false),
    ] {
        assert_eq!(
            is_websocket_handshake(&head(method, "/", version, &headers)),
            is,
            "{method} {version:?} {headers:?}"
        );
    }
}
