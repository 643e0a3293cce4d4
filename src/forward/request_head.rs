//! What of a visitor's head reaches the upstream, and what is added to it (contract section 6).

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, COOKIE, EXPECT, Entry, HOST, UPGRADE},
};

use super::Front;
use crate::{
    access::MethodOverrides,
    request::{Client, HeaderKind, Upgrade, connection_options},
    session::cookie::upstream::{Stripped, strip},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Removes whatever a visitor must not say: who they are, where they come from,
/// what concerns this connection only, and our cookies. One look at each name.
pub(super) fn cleanse(headers: &mut HeaderMap, overrides: MethodOverrides) {
    let mut refused: Vec<HeaderName> = Vec::new();
    let mut cookies = false;
    for name in headers.keys() {
        // hyper has answered it, or will when the upstream reads the body (RFC 9110 §10.1.1).
        if *name == EXPECT {
            refused.push(EXPECT);
        }
        match HeaderKind::of(name) {
            HeaderKind::EndToEnd | HeaderKind::Host | HeaderKind::RequestId => {}
            HeaderKind::Cookie => cookies = true,
            HeaderKind::MethodOverride if overrides == MethodOverrides::Pass => {}
            HeaderKind::HopByHop
            | HeaderKind::Forwarding
            | HeaderKind::Identity
            | HeaderKind::Underscore
            | HeaderKind::MethodOverride => refused.push(name.clone()),
        }
    }
    if refused.contains(&CONNECTION) {
        refused.extend(connection_options(headers));
    }
    for name in refused {
        headers.remove(name);
    }
    if cookies {
        remove_our_cookies(headers);
    }
}

/// Takes our cookies out; the others stay byte for byte (threat 51).
fn remove_our_cookies(headers: &mut HeaderMap) {
    let stripped: Vec<_> = headers.get_all(COOKIE).iter().map(strip).collect();
    if stripped.iter().all(|line| *line == Stripped::Unchanged) {
        return;
    }
    let Entry::Occupied(lines) = headers.entry(COOKIE) else { return };
    let (_, lines) = lines.remove_entry_mult();
    let lines: Vec<_> = lines.collect();
    for (line, stripped) in lines.into_iter().zip(stripped) {
        match stripped {
            Stripped::Unchanged => drop(headers.append(COOKIE, line)),
            Stripped::Remaining(rest) => drop(headers.append(COOKIE, rest)),
            Stripped::Nothing => {}
        }
    }
}

/// Says what the upstream cannot see itself.
pub(super) fn set(headers: &mut HeaderMap, front: &Front, client: &Client<'_>, request_id: HeaderValue) {
    let host = client.forwarded_host_value().or_else(|| headers.get(HOST)).cloned();
    if let Some(host) = host {
        headers.insert(X_FORWARDED_HOST, host);
    }
    if let Some(host) = &front.upstream_host {
        headers.insert(HOST, host.clone());
    }
    headers.insert(X_FORWARDED_FOR, client.forwarded_for());
    headers.insert(X_FORWARDED_PROTO, front.proto.clone());
    headers.insert(X_FORWARDED_PORT, front.port.clone());
    headers.insert(X_REAL_IP, client.real_ip());
    headers.insert(X_REQUEST_ID, request_id);
}

/// Makes the upstream the visitor's offer to change protocols (RFC 9110 §7.8).
pub(super) fn offer(headers: &mut HeaderMap, upgrade: &Upgrade) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, upgrade.value());
}
