//! What of an upstream's answer reaches the visitor.
//!
//! Hop-by-hop fields end here (RFC 9110 §7.6.1), our cookies are nobody else's to
//! set, redirects to the upstream's own address are brought back to the public
//! one, and no shared cache may keep what was fetched behind a sign-in.

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONNECTION, LOCATION, SET_COOKIE, UPGRADE},
};

use crate::session::cookie::upstream::sets_ours;

use super::hop_by_hop;

/// Cache instructions meant for shared caches alone (RFC 9213 and the vendors' own).
const CDN_CACHE: [HeaderName; 4] = [
    HeaderName::from_static("cdn-cache-control"),
    HeaderName::from_static("cloudflare-cdn-cache-control"),
    HeaderName::from_static("surrogate-control"),
    HeaderName::from_static("x-accel-expires"),
];

/// Whether the answer was given behind a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// A public route: caches may do as the app says.
    Public,
    /// For this visitor only.
    Protected,
}

/// The origins between which `Location` is rewritten.
#[derive(Debug)]
pub(super) struct Origins {
    /// The upstream's own, without a trailing slash.
    pub(super) upstream: String,
    /// The app's public one, without a trailing slash.
    pub(super) public: String,
}

/// Makes an upstream's head fit for the visitor.
pub(super) fn cleanse<B>(mut response: Response<B>, origins: &Origins, protection: Protection) -> Response<B> {
    let upgrade = match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => response.headers().get(UPGRADE).cloned(),
        _ => None,
    };
    let headers = response.headers_mut();
    hop_by_hop::remove(headers);
    if let Some(upgrade) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, upgrade);
    }
    if headers.contains_key(SET_COOKIE) {
        drop_our_cookies(headers);
    }
    if let Some(location) = headers.get(LOCATION).and_then(|location| rewrite(location, origins)) {
        headers.insert(LOCATION, location);
    }
    if protection == Protection::Protected {
        keep_private(headers);
    }
    response
}

fn drop_our_cookies(headers: &mut HeaderMap) {
    if headers.get_all(SET_COOKIE).iter().any(|cookie| sets_ours(cookie.as_bytes())) {
        let kept: Vec<_> =
            headers.get_all(SET_COOKIE).iter().filter(|cookie| !sets_ours(cookie.as_bytes())).cloned().collect();
        headers.remove(SET_COOKIE);
        for cookie in kept {
            headers.append(SET_COOKIE, cookie);
        }
    }
}

/// The public spelling of a `Location` on the upstream's own origin; `None` leaves it as it is.
fn rewrite(location: &HeaderValue, origins: &Origins) -> Option<HeaderValue> {
    let rest = location.to_str().ok()?.strip_prefix(origins.upstream.as_str())?;
    // `http://app:80` must not match `http://app:8080/` or `http://app.evil/`.
    rest.is_empty().then_some(()).or_else(|| rest.starts_with(['/', '?', '#']).then_some(()))?;
    HeaderValue::from_str(&format!("{}{rest}", origins.public)).ok()
}

/// `public` and `s-maxage` invite shared caches to keep the answer (RFC 9111 §5.2.2).
fn keep_private(headers: &mut HeaderMap) {
    for name in CDN_CACHE {
        headers.remove(name);
    }
    let shared = |directive: &str| {
        let name = directive.split('=').next().unwrap_or_default().trim();
        name.eq_ignore_ascii_case("public") || name.eq_ignore_ascii_case("s-maxage")
    };
    let offending = headers.get_all(CACHE_CONTROL).iter().any(|value| match value.to_str() {
        Ok(text) => text.split(',').any(shared),
        Err(_) => true,
    });
    if offending {
        let mut kept = vec!["private".to_owned()];
        for value in headers.get_all(CACHE_CONTROL) {
            let directives = value.to_str().unwrap_or_default().split(',').map(str::trim);
            kept.extend(
                directives
                    .filter(|d| !d.is_empty() && !shared(d) && !d.eq_ignore_ascii_case("private"))
                    .map(str::to_owned),
            );
        }
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_str(&kept.join(", ")).unwrap_or(HeaderValue::from_static("private")),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleansed(head: &[(&'static str, &str)], protection: Protection) -> Vec<(String, String)> {
        let mut response = Response::new(());
        for (name, value) in head {
            response.headers_mut().append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let origins = Origins { upstream: "http://app:8080".to_owned(), public: "https://wiki.example.com".to_owned() };
        cleanse(response, &origins, protection)
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
        for (sent, received) in [
            ("http://app:8080/login?x=1", "https://wiki.example.com/login?x=1"),
            ("http://app:8080", "https://wiki.example.com"),
            ("http://app:80801/x", "http://app:80801/x"),
            ("http://app:8080.evil.example/", "http://app:8080.evil.example/"),
            ("/relative", "/relative"),
            ("https://other.example.com/", "https://other.example.com/"),
        ] {
            assert_eq!(cleansed(&[("location", sent)], Protection::Public)[0].1, received);
        }
    }

    #[test]
    fn behind_a_sign_in_no_shared_cache_keeps_an_answer() {
        for (sent, received) in [
            ("public, max-age=60", "private, max-age=60"),
            ("max-age=60, s-maxage=600", "private, max-age=60"),
            ("no-store", "no-store"),
            ("Private", "Private"),
        ] {
            assert_eq!(cleansed(&[("cache-control", sent)], Protection::Protected)[0].1, received);
            assert_eq!(cleansed(&[("cache-control", sent)], Protection::Public)[0].1, sent);
        }
        assert!(cleansed(&[("surrogate-control", "max-age=60")], Protection::Protected).is_empty());
    }
}
