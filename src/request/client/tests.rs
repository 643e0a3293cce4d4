use http::HeaderName;

use super::*;

fn proxies() -> Vec<IpNet> {
    ["10.0.0.0/8", "2001:db8:1::/48"].iter().map(|net| net.parse().expect("a network")).collect()
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        (name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"))
    };
    let mut map = HeaderMap::new();
    for (name, value) in lines.iter().map(line) {
        map.append(name, value);
    }
    map
}

/// The client's address, and the `X-Forwarded-For` and `X-Real-IP` that go on.
fn resolved(peer: &str, lines: &[(&str, &str)]) -> (String, String, String) {
    let peer = Peer::new(peer.parse().expect("an address"), &proxies());
    let client = Client::resolve(&peer, &headers(lines), &proxies());
    let text = |value: HeaderValue| value.to_str().expect("text").to_owned();
    (client.address().to_string(), text(client.forwarded_for()), text(client.real_ip()))
}

#[test]
fn a_proxy_on_a_unix_socket_is_no_hop_of_the_list_and_alone_it_is_this_host() {
    let (trusted, stranger) = (Peer::on_this_host(Trust::Trusted), Peer::on_this_host(Trust::Untrusted));
    for (peer, lines, client, forwarded_for) in [
        (&trusted, &[("x-forwarded-for", "192.0.2.7")][..], "192.0.2.7", "192.0.2.7"),
        (&trusted, &[("x-forwarded-for", "192.0.2.7, 10.0.0.1")], "192.0.2.7", "192.0.2.7, 10.0.0.1"),
        (&trusted, &[("forwarded", "for=192.0.2.7")], "192.0.2.7", "192.0.2.7"),
        (&trusted, &[("x-forwarded-for", "unix:")], "0.0.0.0", "0.0.0.0"),
        (&trusted, &[], "0.0.0.0", "0.0.0.0"),
        (&stranger, &[("x-forwarded-for", "192.0.2.7")], "0.0.0.0", "0.0.0.0"),
        (&stranger, &[], "0.0.0.0", "0.0.0.0"),
    ] {
        let resolved = Client::resolve(peer, &headers(lines), &proxies());
        let found = (resolved.address().to_string(), resolved.forwarded_for());
        assert_eq!(found, (client.to_owned(), HeaderValue::from_static(forwarded_for)), "{lines:?}");
    }
}

#[test]
fn threat_49_a_peer_that_is_not_trusted_speaks_for_itself_only() {
    let peer = Peer::new("192.0.2.7".parse().expect("an address"), &proxies());
    let lies = headers(&[
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"), // Oathkeeper CVE-2026-33495
        ("x-forwarded-port", "443"),
        ("forwarded", "for=10.0.0.1;host=evil.example"),
        ("x-real-ip", "10.0.0.1"),
    ]);
    let client = Client::resolve(&peer, &lies, &proxies());
    assert_eq!(client.peer_trust(), Trust::Untrusted);
    assert_eq!(client.address(), peer.address());
    assert_eq!(client.forwarded_host(), None);
    assert_eq!(client.forwarded_proto(), None);
    assert_eq!(client.forwarded_port(), None);
    assert_eq!((client.forwarded_for(), client.real_ip()), (peer.text.clone(), peer.text.clone()));
}

#[test]
fn the_client_is_the_nearest_hop_that_is_not_trusted() {
    const XFF: &str = "x-forwarded-for";
    for (peer, lines, address, forwarded_for) in [
        ("10.0.0.1", &[][..], "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", &[(XFF, "192.0.2.7")], "192.0.2.7", "192.0.2.7, 10.0.0.1"),
        ("10.0.0.1", &[(XFF, "192.0.2.7, 10.9.9.9")], "192.0.2.7", "192.0.2.7, 10.9.9.9, 10.0.0.1"),
        // what the client says about others stands left of it
        ("10.0.0.1", &[(XFF, "127.0.0.1, 192.0.2.7")], "192.0.2.7", "192.0.2.7, 10.0.0.1"),
        ("10.0.0.1", &[(XFF, "10.1.1.1, 192.0.2.7 ,10.9.9.9")], "192.0.2.7", "192.0.2.7, 10.9.9.9, 10.0.0.1"),
        ("10.0.0.1", &[(XFF, "10.1.1.1"), (XFF, "192.0.2.7")], "192.0.2.7", "192.0.2.7, 10.0.0.1"),
        ("10.0.0.1", &[(XFF, "192.0.2.7,, ")], "192.0.2.7", "192.0.2.7, 10.0.0.1"),
        // everyone is trusted: the farthest is the client
        ("10.0.0.1", &[(XFF, "10.2.2.2, 10.1.1.1")], "10.2.2.2", "10.2.2.2, 10.1.1.1, 10.0.0.1"),
        // what is no address ends it at the hop that wrote it
        ("10.0.0.1", &[(XFF, "a")], "10.0.0.1", "10.0.0.1"), // CVE-2023-36456
        ("10.0.0.1", &[(XFF, "192.0.2.7, a")], "10.0.0.1", "10.0.0.1"), // CVE-2024-47070
        ("10.0.0.1", &[(XFF, "192.0.2.7, a, 10.9.9.9")], "10.9.9.9", "10.9.9.9, 10.0.0.1"),
        ("10.0.0.1", &[(XFF, "192.0.2.7, \u{e9}")], "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", &[(XFF, "unknown")], "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", &[(XFF, "192.0.2.07")], "10.0.0.1", "10.0.0.1"),
        // spellings
        ("10.0.0.1", &[(XFF, "192.0.2.7:4711")], "192.0.2.7", "192.0.2.7, 10.0.0.1"),
        ("10.0.0.1", &[(XFF, "[2001:db8::7]:4711")], "2001:db8::7", "2001:db8::7, 10.0.0.1"),
        ("10.0.0.1", &[(XFF, "[2001:db8::7]")], "2001:db8::7", "2001:db8::7, 10.0.0.1"),
        ("::ffff:10.0.0.1", &[(XFF, "::ffff:192.0.2.7")], "192.0.2.7", "192.0.2.7, 10.0.0.1"),
        ("2001:db8:1::1", &[(XFF, "192.0.2.7")], "192.0.2.7", "192.0.2.7, 2001:db8:1::1"),
        ("::ffff:192.0.2.7", &[(XFF, "1.1.1.1")], "192.0.2.7", "192.0.2.7"),
    ] {
        let expected = (address.to_owned(), forwarded_for.to_owned(), address.to_owned());
        assert_eq!(resolved(peer, lines), expected, "{peer} {lines:?}");
    }
}

#[test]
fn forwarded_counts_where_no_x_forwarded_header_came() {
    const F: &str = "forwarded";
    for (lines, address) in [
        (&[(F, "for=192.0.2.7")][..], "192.0.2.7"),
        (&[(F, "for=127.0.0.1, for=192.0.2.7;proto=https, For=\"10.9.9.9:80\"")], "192.0.2.7"),
        (&[(F, "for=127.0.0.1"), (F, "for=\"[2001:db8::7]:4711\"")], "2001:db8::7"),
        (&[(F, "for=192.0.2.7"), ("x-forwarded-for", "192.0.2.8")], "192.0.2.8"),
        (&[(F, "for=192.0.2.7"), ("x-forwarded-host", "wiki.example.com")], "10.0.0.1"),
        (&[(F, "for=_hidden")], "10.0.0.1"),
        (&[(F, "for=192.0.2.7, proto=https")], "10.0.0.1"),
        // the visitor's open quote does not swallow the proxy's own element
        (&[(F, "for=\"127.0.0.1, for=192.0.2.7")], "192.0.2.7"),
        (&[(F, "for=127.0.0.1;x=\", for=192.0.2.7")], "192.0.2.7"),
    ] {
        assert_eq!(resolved("10.0.0.1", lines).0, address, "{lines:?}");
    }
}

#[test]
fn host_scheme_and_port_come_from_the_last_proxy() {
    let peer = Peer::new("10.0.0.1".parse().expect("an address"), &proxies());
    for (lines, proto, host, port) in [
        (&[][..], None, None, None),
        (
            &[
                ("x-forwarded-proto", "HTTPS"),
                ("x-forwarded-host", "Wiki.example.com:8443"),
                ("x-forwarded-port", "8443"),
            ],
            Some(Scheme::Https),
            Some(("wiki.example.com", "Wiki.example.com:8443")),
            Some(8443),
        ),
        (
            &[("x-forwarded-proto", "http, https"), ("x-forwarded-host", "a.example, b.example")],
            Some(Scheme::Https),
            Some(("b.example", "b.example")),
            None,
        ),
        (
            &[("x-forwarded-host", "a.example"), ("x-forwarded-host", "b.example")],
            None,
            Some(("b.example", "b.example")),
            None,
        ),
        (
            &[("forwarded", "for=1.1.1.1;host=a.example, for=1.1.1.1;host=b.example;proto=http")],
            Some(Scheme::Http),
            Some(("b.example", "b.example")),
            None,
        ),
        (
            &[("x-forwarded-proto", "gopher"), ("x-forwarded-host", "a@b"), ("x-forwarded-port", "99999")],
            None,
            None,
            None,
        ),
    ] {
        let client = Client::resolve(&peer, &headers(lines), &proxies());
        assert_eq!(client.forwarded_proto(), proto, "{lines:?}");
        assert_eq!(client.forwarded_port(), port, "{lines:?}");
        let named = client.forwarded_host().map(|h| h.name().to_owned());
        assert_eq!(named.as_deref(), host.map(|(name, _)| name), "{lines:?}");
        let value = client.forwarded_host_value().map(|v| v.to_str().expect("text").to_owned());
        assert_eq!(value.as_deref(), host.map(|(_, value)| value), "{lines:?}");
    }
}

#[test]
fn a_new_configuration_judges_who_is_there_already() {
    let peer = |address: &str| Peer::new(address.parse().expect("an address"), &proxies());
    let (proxy, other) = (peer("10.0.0.1"), peer("192.0.2.7"));
    let (unix, unnamed) = (Peer::on_this_host(Trust::Trusted), peer("10.0.0.1").on_behalf_of_a_stranger());
    let known = headers(&[("x-forwarded-for", "198.51.100.7")]);
    let under_way = Client::resolve(&proxy, &known, &proxies());
    let networks = ["192.0.2.0/24".parse().expect("a network")];
    for (peer, before, after) in [
        (&proxy, Trust::Trusted, Trust::Untrusted),
        (&other, Trust::Untrusted, Trust::Trusted),
        (&unix, Trust::Trusted, Trust::Untrusted),
        (&unnamed, Trust::Untrusted, Trust::Untrusted),
    ] {
        assert_eq!(peer.trust(), before, "{peer:?}");
        peer.judge_again(&networks, Trust::Untrusted);
        assert_eq!(peer.trust(), after, "{peer:?}");
    }
    assert_eq!(under_way.peer_trust(), Trust::Trusted, "a request ends as it began");
    assert_eq!(Client::resolve(&proxy, &known, &networks).address(), proxy.address());
}
