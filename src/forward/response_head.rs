//! What of an upstream's answer reaches the visitor.
//!
//! Hop-by-hop fields end here (RFC 9110 §7.6.1), our cookies are nobody else's to
//! set, references to the upstream's own address are brought back to the public
//! one, and no shared cache may keep what was fetched behind a sign-in.
//!
//! A cache in front of us knows nothing of sessions. RFC 9111 §3.5 keeps it from storing
//! answers to requests with `Authorization`; with our cookie it may store whatever has a
//! lifetime (`max-age`, `Expires`) and give it to anybody, without asking us. So such an
//! answer gets `private`, unless `cache = "as_is"` says that the app knows better. One
//! that says nothing passes as it is: a cache that guesses lifetimes (§4.2.2) where
//! requests have cookies leaks behind every sign-in, and the word would have to stand in
//! each answer. `Vary: Cookie` was rejected: it also parts the browser's own cache at each
//! new session, and caches ignore it. What a public route answers, `Set-Cookie` included,
//! is the app's own business.

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version,
    header::{
        CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_LOCATION, LOCATION, REFRESH, SET_COOKIE, TRANSFER_ENCODING,
        UPGRADE,
    },
};

use crate::{
    request::{connection_options, declares_options, is_hop_by_hop},
    session::cookie::upstream::Family,
};

mod location;

pub(super) use location::Origins;

/// Whether shared caches are kept from the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// A public route, or an app that knows better: caches may do as the app says.
    Public,
    /// For this visitor only.
    Protected,
}

/// What the name of an answer's header is to us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    EndToEnd,
    /// Nearly every answer has it.
    Connection,
    HopByHop,
    SetCookie,
    /// `Location`, `Content-Location`, `Refresh`
    Reference,
    CacheControl,
    /// A lifetime for caches that find no `Cache-Control`.
    Expires,
    /// Cache instructions meant for shared caches alone (RFC 9213 and the vendors' own).
    SharedCache,
}

impl Kind {
    fn of(name: &HeaderName) -> Self {
        match name.as_str() {
            "connection" => Self::Connection,
            "set-cookie" => Self::SetCookie,
            "location" | "content-location" | "refresh" => Self::Reference,
            "cache-control" => Self::CacheControl,
            "expires" => Self::Expires,
            "cdn-cache-control" | "cloudflare-cdn-cache-control" | "surrogate-control" | "x-accel-expires" => {
                Self::SharedCache
            }
            name if is_hop_by_hop(name) => Self::HopByHop,
            _ => Self::EndToEnd,
        }
    }
}

/// Makes an upstream's head fit for the visitor. One look at each name; most answers have nothing to change.
pub(super) fn cleanse<B>(
    mut response: Response<B>,
    origins: &Origins,
    own_cookies: &Family,
    protection: Protection,
) -> Response<B> {
    let upgrade = match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => response.headers().get(UPGRADE).cloned(),
        _ => None,
    };
    // Ours, not the upstream's (RFC 9110 §2.5): in HTTP/1.0 every answer would close the visitor's connection.
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    let (mut connection, mut options, mut cookies, mut referring, mut cached) = (false, false, false, false, false);
    let mut dropped = Vec::new();
    for (name, value) in headers.iter() {
        match Kind::of(name) {
            Kind::EndToEnd => {}
            Kind::Connection => {
                connection = true;
                options |= declares_options(value);
            }
            Kind::SetCookie => cookies = true,
            Kind::Reference => referring = true,
            Kind::CacheControl | Kind::Expires => cached = true,
            Kind::SharedCache if protection == Protection::Public => {}
            Kind::HopByHop | Kind::SharedCache => dropped.push(name.clone()),
        }
    }
    if options {
        dropped.extend(connection_options(headers));
    }
    if connection {
        headers.remove(CONNECTION);
    }
    // hyper has read the chunks; the length beside them is void (RFC 9112 §6.3) and would cut them.
    if dropped.contains(&TRANSFER_ENCODING) {
        dropped.push(CONTENT_LENGTH);
    }
    // What follows a switch is no body (RFC 9110 §15.2.2); a length would only mislead (§8.6).
    if upgrade.is_some() {
        dropped.push(CONTENT_LENGTH);
    }
    for name in dropped {
        headers.remove(name);
    }
    if let Some(upgrade) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, upgrade);
    }
    if cookies {
        drop_our_cookies(headers, own_cookies);
    }
    if referring {
        bring_home(headers, origins);
    }
    if cached && protection == Protection::Protected {
        keep_private(headers);
    }
    response
}

/// Makes public what refers to the upstream by its own address.
fn bring_home(headers: &mut HeaderMap, origins: &Origins) {
    for name in [LOCATION, CONTENT_LOCATION] {
        if let Some(public) = headers.get(&name).and_then(|reference| origins.public(reference)) {
            headers.insert(name, public);
        }
    }
    if let Some(public) = headers.get(REFRESH).and_then(|refresh| origins.public_refresh(refresh)) {
        headers.insert(REFRESH, public);
    }
}

fn drop_our_cookies(headers: &mut HeaderMap, ours: &Family) {
    if headers.get_all(SET_COOKIE).iter().any(|cookie| ours.is_set_by(cookie.as_bytes())) {
        let kept: Vec<_> =
            headers.get_all(SET_COOKIE).iter().filter(|cookie| !ours.is_set_by(cookie.as_bytes())).cloned().collect();
        headers.remove(SET_COOKIE);
        for cookie in kept {
            headers.append(SET_COOKIE, cookie);
        }
    }
}

/// Says `private` where nothing keeps shared caches from storing the answer (RFC 9111 §3), and takes out what
/// invites them (§5.2.2).
fn keep_private(headers: &mut HeaderMap) {
    let values = || headers.get_all(CACHE_CONTROL).iter().map(HeaderValue::to_str);
    let directives = || values().filter_map(Result::ok).flat_map(|value| value.split(',').map(str::trim));
    let is_kept_from_all =
        directives().any(|directive| ["private", "no-store"].iter().any(|alone| directive.eq_ignore_ascii_case(alone)));
    if is_kept_from_all && values().all(|value| value.is_ok()) && !directives().any(invites_shared_caches) {
        return;
    }
    let mut kept = "private".to_owned();
    for directive in directives() {
        if !directive.is_empty() && !invites_shared_caches(directive) && !directive.eq_ignore_ascii_case("private") {
            kept.push_str(", ");
            kept.push_str(directive);
        }
    }
    let kept = HeaderValue::try_from(kept).unwrap_or(HeaderValue::from_static("private"));
    headers.insert(CACHE_CONTROL, kept);
}

fn invites_shared_caches(directive: &str) -> bool {
    let name = directive.split('=').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("public") || name.eq_ignore_ascii_case("s-maxage")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleansed(head: &[(&'static str, &str)], protection: Protection) -> Vec<(String, String)> {
        let mut response = Response::new(());
        for (name, value) in head {
            response.headers_mut().append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let origins = Origins::of("http://app:8080", "https://wiki.example.com");
        cleanse(response, &origins, &Family::default(), protection)
            .headers()
            .iter()
            .map(|(n, v)| (n.to_string(), v.to_str().expect("ASCII").to_owned()))
            .collect()
    }

    #[test]
    fn hop_by_hop_fields_and_what_connection_names_end_here() {
        let out = cleansed(
            &[("connection", "close, X-Hop"), ("x-hop", "1"), ("keep-alive", "timeout=5"), ("x-stays", "1")],
            Protection::Public,
        );
        assert_eq!(out, [("x-stays".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn a_length_beside_chunks_is_void_and_alone_it_stays() {
        let both = [("content-length", "2"), ("transfer-encoding", "chunked")];
        assert!(cleansed(&both, Protection::Public).is_empty());
        assert_eq!(cleansed(&both[..1], Protection::Public), [("content-length".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn the_version_of_an_answer_is_ours() {
        let mut response = Response::new(());
        *response.version_mut() = Version::HTTP_10;
        let origins = Origins::of("http://app:8080", "https://wiki.example.com");
        assert_eq!(cleanse(response, &origins, &Family::default(), Protection::Public).version(), Version::HTTP_11);
    }

    #[test]
    fn the_app_cannot_set_our_cookies_and_its_own_pass() {
        let out = cleansed(
            &[
                ("set-cookie", "a=1; Path=/"),
                ("set-cookie", "__Host-vestibule=evil; Path=/; Secure"),
                ("set-cookie", "vestibule-attempt-x=evil"),
                ("set-cookie", "b=2"),
            ],
            Protection::Public,
        );
        let cookies: Vec<_> = out.iter().map(|(_, v)| v.as_str()).collect();
        assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
    }

    #[test]
    fn a_location_on_the_upstreams_own_origin_becomes_the_public_url() {
        for (name, sent, received) in [
            ("location", "http://app:8080/login?x=1", "https://wiki.example.com/login?x=1"),
            ("location", "https://other.example.com/", "https://other.example.com/"),
            ("content-location", "http://app:8080/login.html", "https://wiki.example.com/login.html"),
            ("refresh", "0;url=http://app:8080/login", "0;url=https://wiki.example.com/login"),
            ("link", "<http://app:8080/login>", "<http://app:8080/login>"),
        ] {
            assert_eq!(cleansed(&[(name, sent)], Protection::Public)[0].1, received, "{name}");
        }
    }

    #[test]
    fn behind_a_sign_in_no_shared_cache_keeps_an_answer() {
        for (sent, received) in [
            ("public, max-age=60", "private, max-age=60"),
            ("max-age=60, s-maxage=600", "private, max-age=60"),
            ("no-store", "no-store"),
            ("Private", "Private"),
            ("private, max-age=60", "private, max-age=60"),
            ("no-store, public", "private, no-store"),
            ("max-age=31536000, immutable", "private, max-age=31536000, immutable"),
            ("no-cache", "private, no-cache"),
            ("private=\"x-user, x-org\", max-age=60", "private, private=\"x-user, x-org\", max-age=60"),
            ("", "private"),
        ] {
            assert_eq!(cleansed(&[("cache-control", sent)], Protection::Protected)[0].1, received);
            assert_eq!(cleansed(&[("cache-control", sent)], Protection::Public)[0].1, sent);
        }
        assert!(cleansed(&[("surrogate-control", "max-age=60")], Protection::Protected).is_empty());
    }

    #[test]
    fn an_answer_with_a_lifetime_of_the_old_kind_is_private() {
        let expires = ("expires", "Fri, 15 Jan 2027 09:00:00 GMT");
        let given = (expires.0.to_owned(), expires.1.to_owned());
        let private = ("cache-control".to_owned(), "private".to_owned());
        assert_eq!(cleansed(&[expires], Protection::Protected), [given.clone(), private]);
        assert_eq!(cleansed(&[expires], Protection::Public), [given]);
        for silent in [("content-type", "text/html"), ("last-modified", "Thu, 14 Jan 2027 08:00:00 GMT")] {
            assert_eq!(cleansed(&[silent], Protection::Protected).len(), 1, "{silent:?}");
        }
    }
}
