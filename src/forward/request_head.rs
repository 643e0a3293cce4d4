//! What of a visitor's head reaches the upstream, and what is added to it (contract section 6).

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, COOKIE, EXPECT, HOST, UPGRADE},
};

use super::{Front, hop_by_hop};
use crate::{
    request::{Client, HeaderKind, classify},
    session::cookie::{self, Rest},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Removes whatever a visitor must not say: who they are, where they come from,
/// and what concerns this connection only. One look at each name.
pub(super) fn cleanse(headers: &mut HeaderMap) {
    let mut refused: Vec<HeaderName> = Vec::new();
    for name in headers.keys() {
        match classify(name) {
            HeaderKind::EndToEnd => {}
            HeaderKind::HopByHop | HeaderKind::Forwarded | HeaderKind::Identity | HeaderKind::Underscore => {
                refused.push(name.clone());
            }
        }
    }
    if refused.contains(&CONNECTION) {
        hop_by_hop::remove_named_by_connection(headers);
    }
    for name in refused {
        headers.remove(name);
    }
    // hyper has answered it, or will when the upstream reads the body (RFC 9110 §10.1.1).
    headers.remove(EXPECT);
}

/// Takes our cookies out; the others stay byte for byte (threat 51).
pub(super) fn remove_our_cookies(headers: &mut HeaderMap) {
    match cookie::rest(headers) {
        Rest::Unchanged => {}
        Rest::Changed(values) => {
            headers.remove(COOKIE);
            for value in values {
                headers.append(COOKIE, value);
            }
        }
    }
}

/// Says what the upstream cannot see itself.
pub(super) fn set(headers: &mut HeaderMap, front: &Front, client: &Client, request_id: HeaderValue) {
    if let Some(host) = headers.get(HOST).cloned() {
        headers.insert(X_FORWARDED_HOST, host);
    }
    if let Some(host) = &front.upstream_host {
        headers.insert(HOST, host.clone());
    }
    headers.insert(X_FORWARDED_FOR, client.forwarded_for.clone());
    headers.insert(X_FORWARDED_PROTO, front.proto.clone());
    headers.insert(X_FORWARDED_PORT, front.port.clone());
    headers.insert(X_REAL_IP, client.real_ip.clone());
    headers.insert(X_REQUEST_ID, request_id);
}

/// Asks the upstream to switch protocols as the visitor did.
pub(super) fn ask_to_switch(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}
