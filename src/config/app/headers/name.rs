//! Names of request headers that an operator may set or drop.
//!
//! RFC 9110 §5.1 allows any token. Apps behind CGI, WSGI and PHP fold every byte that is
//! no letter or digit into `_`, so a name of other bytes than letters, digits and `-`
//! is two names there; visitors' are removed, and none can be chosen here.

use std::fmt;

use http::HeaderName;

use crate::config::section::Wrong;

/// The longest name; what is longer is none that any app reads.
const MAX_NAME: usize = 64;

/// What a name is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Set,
    Drop,
}

/// Why a name cannot be had, worded to follow it.
#[derive(Debug)]
pub(super) struct Refused {
    what: &'static str,
    why: &'static str,
    help: Option<String>,
}

impl Refused {
    /// The same, after other words.
    pub(super) fn after(self, before: impl fmt::Display) -> Wrong {
        let wrong = Wrong::new(format_args!("{before}{}", self.what)).why(self.why);
        self.help.into_iter().fold(wrong, Wrong::help)
    }
}

/// Names that are decided elsewhere: which, what they are, and why they are nobody's.
const DECIDED: [(&[&str], &str, &str); 6] = [
    (
        &[
            "connection",
            "http2-settings",
            "keep-alive",
            "proxy-authenticate",
            "proxy-authorization",
            "proxy-connection",
            "te",
            "trailer",
            "upgrade",
        ],
        "is about one connection only",
        "such fields end at each proxy (RFC 9110 §7.6.1): ours to the app are Vestibule's own business",
    ),
    (&["content-length", "expect", "transfer-encoding"], "frames the request", "two requests could come out of one"),
    (&["host"], "says which host is asked for", "`preserve_host` decides it"),
    (&["cookie"], "holds the app's own cookies", "they pass byte for byte, without ours"),
    (
        &[
            "forwarded",
            "x-forwarded-client-cert",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-method",
            "x-forwarded-port",
            "x-forwarded-prefix",
            "x-forwarded-proto",
            "x-forwarded-server",
            "x-forwarded-uri",
            "x-original-method",
            "x-original-uri",
            "x-original-url",
            "x-real-ip",
            "x-request-id",
            "x-rewrite-url",
        ],
        "says where a request came from or went",
        "Vestibule removes what visitors say there and tells the app itself what it knows",
    ),
    (
        &["x-http-method", "x-http-method-override", "x-method-override"],
        "asks the app for another method",
        "one method would be judged and another served",
    ),
];

/// Ours, whatever it is today.
const OURS: &str = "x-vestibule-";

/// The name, if it may be used so.
pub(super) fn parse_name(text: &str, wanted: Use) -> Result<HeaderName, Refused> {
    if text.contains('_') {
        return Err(Refused {
            what: "has a `_`",
            why: "many servers take `_` for `-` and others drop such names: they are removed from every request",
            help: Some(format!("write \"{}\"", text.replace('_', "-"))),
        });
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let name = HeaderName::from_bytes(text.as_bytes()).ok().filter(|_| plain && text.len() <= MAX_NAME);
    let name = name.ok_or(Refused {
        what: "is no name of a header",
        why: "it must be 1 to 64 letters, digits and `-`",
        help: None,
    })?;
    let decided = DECIDED.iter().find(|(names, ..)| names.contains(&name.as_str()));
    match decided {
        // Which method is asked for may well be kept from the app.
        Some((names, ..)) if wanted == Use::Drop && names.contains(&"x-http-method") => Ok(name),
        Some((_, what, why)) => Err(Refused { what, why, help: None }),
        None if name.as_str().starts_with(OURS) => Err(Refused {
            what: "is one of our own",
            why: "apps believe that nobody but Vestibule sets what begins with `X-Vestibule-`",
            help: None,
        }),
        None => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::is_hop_by_hop;

    #[test]
    fn names_of_apps_are_anybodys_and_those_of_the_protocol_nobodys() {
        for (name, may_be_set, may_be_dropped) in [
            ("X-WEBAUTH-USER", true, true),
            ("authorization", true, true),
            ("X-Forwarded-User", true, true),
            ("X-Forwarded-Ssl", true, true),
            ("Remote-User", true, true),
            ("Accept-Encoding", true, true),
            ("X-HTTP-Method-Override", false, true),
            ("X_User", false, false),
            ("X.User", false, false),
            ("X User", false, false),
            ("", false, false),
            ("Host", false, false),
            ("COOKIE", false, false),
            ("Content-Length", false, false),
            ("X-Forwarded-For", false, false),
            ("X-Request-Id", false, false),
            ("X-Vestibule-Assertion", false, false),
        ] {
            assert_eq!(parse_name(name, Use::Set).is_ok(), may_be_set, "set {name}");
            assert_eq!(parse_name(name, Use::Drop).is_ok(), may_be_dropped, "drop {name}");
        }
        assert!(parse_name(&"x".repeat(65), Use::Set).is_err());
    }

    #[test]
    fn what_ends_here_is_nobodys_to_set() {
        let (names, ..) = DECIDED[0];
        assert!(names.iter().all(|name| is_hop_by_hop(name) || *name == "trailer"));
        assert!(is_hop_by_hop("transfer-encoding"), "that one frames the request as well");
    }
}
