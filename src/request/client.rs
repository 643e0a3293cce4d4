//! Who sent a request, and what we tell the upstream about it.
//!
//! A peer that is no trusted proxy is the client, and nothing that it says about
//! others is believed (threat 49). From a trusted proxy, `X-Forwarded-For` is read
//! from its right end: each hop was written by the server to the right of it, so
//! the first one that is not trusted is the client, and what stands left of it
//! is its own word. An entry that is no address ends the walk at the hop that
//! wrote it (CVE-2023-36456, CVE-2024-47070): never at something further left.
//!
//! `Forwarded` (RFC 7239) is read only where no `X-Forwarded-*` came, since most
//! proxies that write these pass a visitor's `Forwarded` through unseen.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
};

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use super::Host;
use crate::config::app::Scheme;

mod forwarded;

/// The other end of a connection, made once and asked for every request on it.
#[derive(Debug)]
pub struct Peer {
    address: IpAddr,
    kind: Kind,
    /// Whether it is one of our proxies: changed where a new configuration says otherwise.
    trusted: AtomicBool,
    text: HeaderValue,
}

/// What the trust in a peer goes by.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Address,
    UnixSocket,
    /// Nothing: it speaks for somebody whom nobody names.
    Unnamed,
}

/// Whether a peer's forwarding headers are believed (`server.trusted_proxies`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is one of our proxies.
    Trusted,
    /// It speaks for itself only.
    Untrusted,
}

impl Peer {
    /// The peer at an address. IPv4 in IPv6 clothes (`::ffff:192.0.2.1`) is IPv4.
    pub fn new(address: IpAddr, trusted_proxies: &[IpNet]) -> Self {
        let address = address.to_canonical();
        let trusted = AtomicBool::new(trust(address, trusted_proxies) == Trust::Trusted);
        Self { address, kind: Kind::Address, trusted, text: address_value(address) }
    }

    /// The peer on a Unix socket, which has no address. It goes by 0.0.0.0, "this host on this network" (RFC 1122
    /// §3.2.1.3): no range of an `ip` condition holds it by accident, as one with 127.0.0.1 would, and an upstream
    /// that parses `X-Forwarded-For` can read it.
    pub fn on_this_host(trust: Trust) -> Self {
        let address = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let trusted = AtomicBool::new(trust == Trust::Trusted);
        Self { address, kind: Kind::UnixSocket, trusted, text: address_value(address) }
    }

    /// The same peer, speaking for somebody whom it does not name.
    #[must_use]
    pub fn on_behalf_of_a_stranger(self) -> Self {
        Self { kind: Kind::Unnamed, trusted: AtomicBool::new(false), ..self }
    }

    /// Its address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether it is one of our proxies.
    pub fn trust(&self) -> Trust {
        if self.trusted.load(Ordering::Relaxed) { Trust::Trusted } else { Trust::Untrusted }
    }

    /// Judges it by other rules, for the requests that follow on its connection.
    pub fn judge_again(&self, trusted_proxies: &[IpNet], unix_peers: Trust) {
        let trust = match self.kind {
            Kind::Address => trust(self.address, trusted_proxies),
            Kind::UnixSocket => unix_peers,
            Kind::Unnamed => Trust::Untrusted,
        };
        self.trusted.store(trust == Trust::Trusted, Ordering::Relaxed);
    }
}

/// Where a request comes from, as far as that is believed.
#[derive(Clone, Debug)]
pub struct Client<'p> {
    peer: &'p Peer,
    proxied: Option<Proxied>,
}

/// What a trusted proxy said.
#[derive(Clone, Debug)]
struct Proxied {
    address: IpAddr,
    forwarded_for: HeaderValue,
    proto: Option<Scheme>,
    host: Option<HeaderValue>,
    port: Option<u16>,
}

impl<'p> Client<'p> {
    /// Resolves the client of one request.
    pub fn resolve(peer: &'p Peer, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Self {
        let proxied = match peer.trust() {
            Trust::Untrusted => None,
            Trust::Trusted => Some(Proxied::read(peer, headers, trusted_proxies)),
        };
        Self { peer, proxied }
    }

    /// The client's address: what `ip` conditions, limits and log lines mean.
    pub fn address(&self) -> IpAddr {
        self.proxied.as_ref().map_or(self.peer.address, |p| p.address)
    }

    /// Whether a trusted proxy stands between.
    pub fn peer_trust(&self) -> Trust {
        // As it was when the client was resolved.
        if self.proxied.is_some() { Trust::Trusted } else { Trust::Untrusted }
    }

    /// The host that a trusted proxy was asked for, in place of our own `Host`.
    pub fn forwarded_host(&self) -> Option<Host<'_>> {
        Host::parse(self.forwarded_host_value()?.as_bytes()).ok()
    }

    /// The same as it was written, port included: the upstream's `X-Forwarded-Host`.
    pub fn forwarded_host_value(&self) -> Option<&HeaderValue> {
        self.proxied.as_ref()?.host.as_ref()
    }

    /// The scheme that the visitor used towards a trusted proxy, by its word.
    pub fn forwarded_proto(&self) -> Option<Scheme> {
        self.proxied.as_ref()?.proto
    }

    /// The port that the visitor used towards a trusted proxy, by its word.
    pub fn forwarded_port(&self) -> Option<u16> {
        self.proxied.as_ref()?.port
    }

    /// The upstream's `X-Forwarded-For`: the hops that are believed, the peer last.
    pub fn forwarded_for(&self) -> HeaderValue {
        self.proxied.as_ref().map_or(&self.peer.text, |p| &p.forwarded_for).clone()
    }

    /// The upstream's `X-Real-IP`.
    pub fn real_ip(&self) -> HeaderValue {
        match &self.proxied {
            Some(proxied) if proxied.address != self.peer.address => address_value(proxied.address),
            _ => self.peer.text.clone(),
        }
    }
}

impl Proxied {
    fn read(peer: &Peer, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Self {
        let legacy = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"];
        if !headers.contains_key("forwarded") || legacy.iter().any(|name| headers.contains_key(*name)) {
            let hops = list(headers, "x-forwarded-for").map(|entry| entry.and_then(hop));
            let (address, forwarded_for) = believed(peer, hops, trusted_proxies);
            Self {
                address,
                forwarded_for,
                proto: last(headers, "x-forwarded-proto").and_then(scheme),
                host: last(headers, "x-forwarded-host").and_then(host_value),
                port: last(headers, "x-forwarded-port").and_then(|port| port.parse().ok()),
            }
        } else {
            let elements = || list(headers, "forwarded").map(|entry| entry.and_then(forwarded::Element::parse));
            let hops = elements().map(|element| element?.node.and_then(hop));
            let (address, forwarded_for) = believed(peer, hops, trusted_proxies);
            let nearest = elements().next().flatten().unwrap_or_default();
            Self {
                address,
                forwarded_for,
                proto: nearest.proto.and_then(scheme),
                host: nearest.host.and_then(host_value),
                port: None,
            }
        }
    }
}

/// Walks the hops, the nearest first, while the one before is trusted.
fn believed(
    peer: &Peer,
    hops: impl Iterator<Item = Option<IpAddr>>,
    trusted_proxies: &[IpNet],
) -> (IpAddr, HeaderValue) {
    let mut chain = vec![peer.address];
    for hop in hops {
        let Some(address) = hop else { break };
        chain.push(address);
        if trust(address, trusted_proxies) == Trust::Untrusted {
            break;
        }
    }
    let client = chain.last().copied().unwrap_or(peer.address);
    // A hop without an address is not one of a list of addresses, unless it is all that is known.
    let named = if chain.len() > 1 && peer.address.is_unspecified() { &chain[1..] } else { &chain[..] };
    let text = named.iter().rev().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    (client, HeaderValue::try_from(text).unwrap_or_else(|_| peer.text.clone()))
}

/// The entries of a list header over all of its lines, from the right end; `None` for one that is no text.
fn list<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = Option<&'h str>> {
    let lines = headers.get_all(name).into_iter().rev();
    lines
        .flat_map(|line| line.as_bytes().rsplit(|&b| b == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|entry| !entry.is_empty())
        .map(|entry| str::from_utf8(entry).ok())
}

/// What the peer itself wrote where it appended to a list.
fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    list(headers, name).next().flatten()
}

/// An address as proxies write it: plain, in brackets, with a port.
fn hop(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|a| a.ip()))?;
    Some(address.to_canonical())
}

fn scheme(text: &str) -> Option<Scheme> {
    [Scheme::Http, Scheme::Https].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
}

fn host_value(text: &str) -> Option<HeaderValue> {
    Host::parse(text.as_bytes()).ok()?;
    HeaderValue::from_str(text).ok()
}

fn trust(address: IpAddr, trusted_proxies: &[IpNet]) -> Trust {
    if trusted_proxies.iter().any(|net| net.contains(&address)) { Trust::Trusted } else { Trust::Untrusted }
}

fn address_value(address: IpAddr) -> HeaderValue {
    HeaderValue::try_from(address.to_string()).expect("an address is written in visible ASCII")
}

#[cfg(test)]
mod tests;
