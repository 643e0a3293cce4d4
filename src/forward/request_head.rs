//! What of a visitor's head reaches the upstream, and what is added to it (contract section 6).

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, COOKIE, Entry, HOST, TE, UPGRADE},
};

use super::Front;
use crate::{
    access::MethodOverrides,
    request::{Client, Presence, Removals, Upgrade, connection_options},
    session::cookie::upstream::{Family, Stripped},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Removes whatever a visitor must not say: who they are, where they come from,
/// what concerns this connection only, and our cookies.
pub(super) fn cleanse(headers: &mut HeaderMap, removals: Removals, overrides: MethodOverrides, own_cookies: &Family) {
    let Removals { names, method_overrides, connection, connection_options: options, trailers, cookies } = removals;
    if options == Presence::Present {
        let declared: Vec<_> = connection_options(headers).collect();
        for name in declared {
            headers.remove(name);
        }
    }
    if connection == Presence::Present {
        headers.remove(CONNECTION);
    }
    for name in names {
        headers.remove(name);
    }
    if overrides == MethodOverrides::Drop {
        for name in method_overrides {
            headers.remove(name);
        }
    }
    if trailers == Presence::Present {
        // They pass to whoever reads them; the field itself is about the connection (RFC 9110 §10.1.4).
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    if cookies == Presence::Present {
        remove_our_cookies(headers, own_cookies);
    }
}

/// Takes our cookies out; the others stay byte for byte (threat 51).
fn remove_our_cookies(headers: &mut HeaderMap, ours: &Family) {
    let Entry::Occupied(mut lines) = headers.entry(COOKIE) else { return };
    if lines.iter().nth(1).is_none() {
        // One line, as browsers send it (RFC 6265 §5.4).
        match ours.strip(lines.get()) {
            Stripped::Unchanged => {}
            Stripped::Remaining(rest) => drop(lines.insert(rest)),
            Stripped::Nothing => drop(lines.remove()),
        }
        return;
    }
    let (_, lines) = lines.remove_entry_mult();
    for line in lines.collect::<Vec<_>>() {
        match ours.strip(&line) {
            Stripped::Unchanged => drop(headers.append(COOKIE, line)),
            Stripped::Remaining(rest) => drop(headers.append(COOKIE, rest)),
            Stripped::Nothing => {}
        }
    }
}

/// Says what the upstream cannot see itself.
pub(super) fn set(headers: &mut HeaderMap, front: &Front, client: &Client<'_>, request_id: HeaderValue) {
    let forwarded = client.forwarded_host_value().cloned();
    if let Some(host) = forwarded.as_ref().or_else(|| headers.get(HOST)).cloned() {
        headers.insert(X_FORWARDED_HOST, host);
    }
    // The app was found by the host that a proxy forwards; an upstream of several apps must not find another by `Host`.
    if let Some(host) = front.upstream_host.as_ref().or(forwarded.as_ref()) {
        headers.insert(HOST, host.clone());
    }
    headers.insert(X_FORWARDED_FOR, client.forwarded_for());
    headers.insert(X_FORWARDED_PROTO, front.proto.clone());
    headers.insert(X_FORWARDED_PORT, front.port.clone());
    if let Some(prefix) = &front.prefix {
        headers.insert(X_FORWARDED_PREFIX, prefix.clone());
    }
    headers.insert(X_REAL_IP, client.real_ip());
    headers.insert(X_REQUEST_ID, request_id);
}

/// Makes the upstream the visitor's offer to change protocols (RFC 9110 §7.8).
pub(super) fn offer(headers: &mut HeaderMap, upgrade: &Upgrade) {
    headers.remove(TE); // `Connection` names it no more
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, upgrade.value());
}
