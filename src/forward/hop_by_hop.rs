//! Fields that concern one connection only (RFC 9110 §7.6.1).

use http::{
    HeaderMap, HeaderName,
    header::{CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};

use crate::request::connection_options;

const ALWAYS: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Removes the hop-by-hop fields of an answer and those that `Connection` declares to be such.
pub(super) fn remove(headers: &mut HeaderMap) {
    remove_options(headers);
    for name in ALWAYS {
        headers.remove(name);
    }
}

/// Removes what `Connection` declares hop-by-hop.
pub(super) fn remove_options(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let options: Vec<_> = connection_options(headers).collect();
        for name in options {
            headers.remove(name);
        }
    }
}
