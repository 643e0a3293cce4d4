//! What the name of a request header is to us.
//!
//! `forward` passes once over a request's names and asks for each. Whatever we set
//! ourselves is removed first, in every spelling that an upstream may take for it:
//! CGI and WSGI fold `-` and `_` into one (CVE-2025-64484, CVE-2026-39858), so a name
//! with an underscore never passes. Whole families go rather than the names in use
//! today: a rule for one app or preset must not open a hole in the next
//! (CVE-2017-6413, CVE-2026-30851).

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// What happens to a request header on its way to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderKind {
    /// The app's: passes as it is.
    EndToEnd,
    /// About this connection (RFC 9110 §7.6.1): removed.
    HopByHop,
    /// `Connection`: removed, with what it names.
    Connection,
    /// `Upgrade`: removed; one that we take is asked for anew.
    Upgrade,
    /// `Transfer-Encoding`: removed; bodies are framed anew.
    TransferEncoding,
    /// `TE`: removed, and asked anew where the visitor reads trailers.
    TransferCodings,
    /// `Content-Length`: passes, once.
    ContentLength,
    /// `Expect`: removed.
    Expect,
    /// About where the request comes from and went: removed, ours is set.
    Forwarding,
    /// Who the visitor is, in some preset: removed, ours is set (threats 45 and 46).
    Identity,
    /// A name with `_`, or one that could be taken for ours where every odd byte becomes a `_`: removed.
    Underscore,
    /// Another method than the request's: removed where a rule of the app names methods (threat 64).
    MethodOverride,
    /// `Cookie`: loses ours.
    Cookie,
    /// `Host`: the app's choice of ours or its own.
    Host,
    /// `X-Request-Id`: ours is set.
    RequestId,
    /// `Sec-Fetch-Mode`: passes; says what our own answer must be like, as do the next three.
    FetchMode,
    /// `Sec-Fetch-Dest`
    FetchDestination,
    /// `Sec-Purpose` and its forerunners.
    Purpose,
    /// `X-Requested-With`
    RequestedWith,
}

impl HeaderKind {
    /// Classifies a name in a few comparisons: most names are let go at their first byte.
    pub fn of(name: &HeaderName) -> Self {
        let name = name.as_str();
        let kind = match name.as_bytes().first() {
            Some(b'x') => name.strip_prefix("x-").map_or(Self::EndToEnd, extension),
            Some(b's') => match name {
                "sec-fetch-mode" => Self::FetchMode,
                "sec-fetch-dest" => Self::FetchDestination,
                "sec-purpose" => Self::Purpose,
                _ => Self::EndToEnd,
            },
            Some(b'c') => match name {
                "cookie" => Self::Cookie,
                "connection" => Self::Connection,
                "content-length" => Self::ContentLength,
                _ => Self::EndToEnd,
            },
            Some(b'e') if name == "expect" => Self::Expect,
            Some(b'h') if name == "host" => Self::Host,
            Some(b't') if name == "te" => Self::TransferCodings,
            Some(b't') if name == "transfer-encoding" => Self::TransferEncoding,
            Some(b'u') if name == "upgrade" => Self::Upgrade,
            Some(b'p') if name == "purpose" => Self::Purpose,
            Some(b'h' | b'k' | b'p') if is_hop_by_hop(name) => Self::HopByHop,
            Some(b'f') if name == "forwarded" => Self::Forwarding,
            Some(b'r') if name.starts_with("remote-") => Self::Identity,
            _ => Self::EndToEnd,
        };
        match kind {
            Self::EndToEnd if has_underscore(name.as_bytes()) || could_become_ours(name.as_bytes()) => Self::Underscore,
            kind => kind,
        }
    }
}

impl HeaderKind {
    /// Whether it says something to the app alone, so that `Connection` may declare it away.
    pub const fn is_the_apps(self) -> bool {
        match self {
            Self::EndToEnd | Self::FetchMode | Self::FetchDestination | Self::Purpose | Self::RequestedWith => true,
            Self::HopByHop
            | Self::Connection
            | Self::Upgrade
            | Self::TransferEncoding
            | Self::TransferCodings
            | Self::ContentLength
            | Self::Expect
            | Self::Forwarding
            | Self::Identity
            | Self::Underscore
            | Self::MethodOverride
            | Self::Cookie
            | Self::Host
            | Self::RequestId => false,
        }
    }
}

/// Some CGI servers fold every byte of a name but letters and digits: `X.Forwarded-User` would be ours there.
fn could_become_ours(name: &[u8]) -> bool {
    matches!(name, [b'x' | b'r' | b'f', ..]) && !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// Looks at eight bytes at a time, some of them twice: a name is too short for the library's search to pay.
fn has_underscore(name: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const UNDERSCORES: u64 = u64::from_ne_bytes([b'_'; 8]);
    let marks = |word: &[u8; 8]| {
        let differs = u64::from_ne_bytes(*word) ^ UNDERSCORES;
        differs.wrapping_sub(ONES) & !differs & HIGH // not zero where a byte of `differs` is
    };
    match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) if name.len() <= 16 => marks(first) | marks(last) != 0,
        (_, Some(last)) => name.as_chunks().0.iter().fold(marks(last), |marked, word| marked | marks(word)) != 0,
        _ => name.contains(&b'_'),
    }
}

/// Whether a field is about one connection only (RFC 9110 §7.6.1), in requests and answers. `Trailer` is not:
/// what it announces passes through to the other end.
pub fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// The names that begin with `x-`, without it.
fn extension(name: &str) -> HeaderKind {
    if let Some(name) = name.strip_prefix("forwarded-") {
        return match name {
            "user" | "email" | "preferred-username" | "groups" | "access-token" => HeaderKind::Identity,
            _ => HeaderKind::Forwarding,
        };
    }
    match name {
        "request-id" => HeaderKind::RequestId,
        "real-ip" => HeaderKind::Forwarding,
        "requested-with" => HeaderKind::RequestedWith,
        "purpose" | "moz" => HeaderKind::Purpose,
        "http-method-override" | "http-method" | "method-override" => HeaderKind::MethodOverride,
        _ if name.starts_with("original-") || name.starts_with("rewrite-") => HeaderKind::Forwarding,
        _ if ["auth-request-", "remote-", "vestibule-"].iter().any(|family| name.starts_with(family)) => {
            HeaderKind::Identity
        }
        _ => HeaderKind::EndToEnd,
    }
}

/// Whether a `Connection` says more than what becomes of the connection itself, which nearly none does.
pub fn declares_options(connection: &HeaderValue) -> bool {
    !matches!(connection.as_bytes(), b"keep-alive" | b"close")
}

/// The end-to-end headers that `Connection` declares hop-by-hop for this request: to be removed as well.
///
/// Only what is the app's can be declared away: naming our own headers there removes
/// nothing (CVE-2024-45410, CVE-2025-48865; threat 48), nor does naming what frames the message.
pub fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let lines = headers.get_all(header::CONNECTION).into_iter();
    let options = lines.flat_map(|line| line.as_bytes().split(|&b| b == b',').map(<[u8]>::trim_ascii));
    options
        .filter(|option| !option.is_empty() && !option.eq_ignore_ascii_case(b"keep-alive"))
        .filter_map(|option| HeaderName::from_bytes(option).ok())
        .filter(|name| HeaderKind::of(name).is_the_apps())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> HeaderKind {
        HeaderKind::of(&HeaderName::from_bytes(name.as_bytes()).expect(name))
    }

    #[test]
    fn an_underscore_is_found_wherever_it_stands() {
        for length in 1..=26 {
            let plain = "a".repeat(length);
            assert!(
                !has_underscore(plain.as_bytes()) && !has_underscore("^`~\u{df}".repeat(length).as_bytes()),
                "{length}"
            );
            for place in 0..length {
                let mut name = plain.clone().into_bytes();
                name[place] = b'_';
                assert!(has_underscore(&name), "{length} {place}");
            }
        }
    }

    #[test]
    fn threat_45_every_name_has_its_kind_in_every_case() {
        use HeaderKind::{
            Connection, ContentLength, Cookie, EndToEnd, Expect, FetchDestination, FetchMode, Forwarding, HopByHop,
            Host, Identity, MethodOverride, Purpose, RequestId, RequestedWith, TransferCodings, TransferEncoding,
            Underscore, Upgrade,
        };
        for (names, expected) in [
            (
                "Accept Accept-Encoding Accept-Language Authorization Cache-Control Content-Type Cookie2 DNT \
                 Host-Name Origin Pragma Priority Range Referer Sec-CH-UA Sec-Fetch-Site Sec-WebSocket-Key Te-St \
                 Traceparent Trailer Upgrade-Insecure-Requests User-Agent X-CSRF-Token X X- X-Auth X-Forward X-Remote Remote Forwarded-By Keep-Alive-X",
                EndToEnd,
            ),
            ("Keep-Alive Proxy-Authenticate Proxy-Authorization Proxy-Connection HTTP2-Settings", HopByHop),
            ("TE", TransferCodings),
            ("Connection", Connection),
            ("Upgrade", Upgrade),
            ("Transfer-Encoding", TransferEncoding),
            ("Content-Length", ContentLength),
            ("Expect", Expect),
            ("Sec-Fetch-Mode", FetchMode),
            ("Sec-Fetch-Dest", FetchDestination),
            ("Sec-Purpose Purpose X-Purpose X-Moz", Purpose),
            ("X-Requested-With", RequestedWith),
            (
                "Forwarded X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port X-Forwarded-Uri \
                 X-Forwarded-Method X-Forwarded-Prefix X-Forwarded-Server X-Forwarded-Client-Cert X-Real-IP \
                 X-Original-URL X-Original-URI X-Original-Method X-Rewrite-URL",
                Forwarding,
            ),
            (
                "X-Forwarded-User X-Forwarded-Email X-Forwarded-Preferred-Username X-Forwarded-Groups \
                 X-Forwarded-Access-Token", // preset forwarded
                Identity,
            ),
            (
                "X-Auth-Request-User X-Auth-Request-Email X-Auth-Request-Preferred-Username X-Auth-Request-Groups \
                 X-Auth-Request-Access-Token", // preset auth_request
                Identity,
            ),
            ("Remote-User Remote-Email Remote-Groups Remote-Name X-Remote-User X-Remote-Groups", Identity), // preset remote
            ("X-Vestibule-Assertion X-Vestibule-Anything", Identity),
            ("X-HTTP-Method-Override X-HTTP-Method X-Method-Override", MethodOverride),
            ("Cookie", Cookie),
            ("Host", Host),
            ("X-Request-Id", RequestId),
        ] {
            for name in names.split_whitespace() {
                for spelling in [name.to_owned(), name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
                    assert_eq!(kind(&spelling), expected, "{spelling}");
                }
                if let Some(at) = name.find('-') {
                    // One underscore is enough for what CGI makes of it (CVE-2025-64484, CVE-2026-39858).
                    let mixed = format!("{}_{}", &name[..at], &name[at + 1..]);
                    for spelling in [mixed, name.replace('-', "_")] {
                        let kind = kind(&spelling);
                        assert!(matches!(kind, Underscore | Identity | Forwarding), "{spelling} is {kind:?}");
                    }
                }
            }
        }
        for name in ["X.Forwarded-User", "x-forwarded!user", "Remote~User", "Forwarded.", "X-Auth-Request'User"] {
            assert_eq!(kind(name), HeaderKind::Underscore, "{name}");
        }
        assert_eq!(kind("Sec.Odd"), HeaderKind::EndToEnd);
        assert_eq!(kind("plain_name"), HeaderKind::Underscore);
        assert_eq!(kind("_"), HeaderKind::Underscore);
    }

    #[test]
    fn threat_48_connection_takes_only_what_is_the_apps() {
        let mut headers = HeaderMap::new();
        let lines = [
            "keep-alive, X-Hop, x-auth-request-user, Upgrade",
            "Content-Length,Host , cookie,X-Forwarded-For, x y, ,X-Other",
        ];
        for line in lines {
            headers.append(header::CONNECTION, HeaderValue::from_static(line));
        }
        let names: Vec<_> = connection_options(&headers).map(|name| name.as_str().to_owned()).collect();
        assert_eq!(names, ["x-hop", "x-other"]);
    }
}
