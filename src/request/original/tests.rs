use http::Request;

use super::*;

type Fields<'a> = &'a [(&'a str, &'a str)];

const TRAEFIK: Fields<'_> = &[
    ("x-forwarded-method", "PUT"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "wiki.example.com"),
    ("x-forwarded-uri", "/page?a=1"),
];
const NGINX: Fields<'_> = &[("x-original-method", "PUT"), ("x-original-url", "https://wiki.example.com/page?a=1")];

/// Method, host and target of what is asked about.
fn restored(fields: Fields<'_>) -> Result<(String, String, String), OriginalError> {
    let mut request = Request::builder().uri("/_vestibule/auth?mode=redirect").header(HOST, "vestibule:4180");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let mut head = request.body(()).expect("a request").into_parts().0;
    restore(&mut head)?;
    let hosts: Vec<_> = head.headers.get_all(HOST).iter().map(|host| host.to_str().expect("ASCII")).collect();
    Ok((head.method.to_string(), hosts.join(" and "), head.uri.to_string()))
}

/// Some fields, with one in the place of its namesake.
fn with<'a>(fields: Fields<'a>, name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    fields.iter().copied().filter(|(other, _)| *other != name).chain([(name, value)]).collect()
}

#[test]
fn either_way_of_saying_it_will_do_and_so_will_both() {
    let both = [TRAEFIK, NGINX].concat();
    for fields in [TRAEFIK, NGINX, &both] {
        let original = restored(fields).unwrap_or_else(|error| panic!("{fields:?}: {error}"));
        assert_eq!(original, ("PUT".to_owned(), "wiki.example.com".to_owned(), "/page?a=1".to_owned()), "{fields:?}");
    }
    for (name, same) in [
        ("x-forwarded-host", "wiki.example.com:443"),
        ("x-forwarded-host", "WIKI.example.com"),
        ("x-forwarded-proto", "wss"),
        ("x-original-url", "HTTPS://wiki.example.com:443/page?a=1"),
    ] {
        assert!(restored(&with(&both, name, same)).is_ok(), "{name}: {same}");
    }
}

#[test]
fn cve_2026_40575_what_is_said_twice_must_be_the_same() {
    let both = [TRAEFIK, NGINX].concat();
    for (name, other, part) in [
        ("x-forwarded-uri", "/public", Part::Target),
        ("x-forwarded-uri", "/page", Part::Target),
        ("x-forwarded-uri", "/page?a=2", Part::Target),
        ("x-forwarded-uri", "/page?a=1&", Part::Target),
        ("x-forwarded-uri", "/%70age?a=1", Part::Target),
        ("x-forwarded-uri", "//page?a=1", Part::Target),
        ("x-forwarded-method", "GET", Part::Method),
        ("x-forwarded-method", "put", Part::Method),
        ("x-forwarded-proto", "http", Part::Scheme),
        ("x-forwarded-host", "notes.example.com", Part::Host),
        ("x-forwarded-host", "wiki.example.com:8443", Part::Host),
    ] {
        assert_eq!(restored(&with(&both, name, other)), Err(OriginalError::Disagreement(part)), "{name}: {other}");
        // A proxy that names its own way only in part has the rest filled in by the visitor: also then.
        let part_of_both = with(NGINX, name, other);
        assert_eq!(restored(&part_of_both), Err(OriginalError::Disagreement(part)), "{name}: {other}");
    }
}

#[test]
fn nothing_is_guessed() {
    for (fields, missing) in [(TRAEFIK, 0), (TRAEFIK, 1), (TRAEFIK, 2), (TRAEFIK, 3), (NGINX, 0), (NGINX, 1)] {
        let mut fields = fields.to_vec();
        let (name, _) = fields.remove(missing);
        assert!(matches!(restored(&fields), Err(OriginalError::Missing(_))), "without {name}");
    }
    // Not by what other products call it (GHSA-5wcc-hf24-rf5h).
    for name in ["x-original-uri", "x-rewrite-url", "x-forwarded-url", "x-auth-request-redirect"] {
        let fields = [&TRAEFIK[..3], &[(name, "/public")]].concat();
        assert_eq!(restored(&fields), Err(OriginalError::Missing(Part::Target)), "{name}");
        assert_eq!(
            restored(&[TRAEFIK, &[(name, "/public")]].concat()).map(|original| original.2).as_deref(),
            Ok("/page?a=1")
        );
    }
}

#[test]
fn a_second_line_of_a_field_is_refused() {
    for (name, value) in TRAEFIK.iter().chain(NGINX) {
        let twice = [TRAEFIK, NGINX, &[(*name, *value)]].concat();
        assert!(matches!(restored(&twice), Err(OriginalError::Repeated(repeated)) if repeated == *name), "{name}");
    }
}

#[test]
fn what_is_no_plain_value_is_refused() {
    for (name, values) in [
        ("x-forwarded-method", &["", "GET, PUT", "G T"][..]),
        ("x-forwarded-proto", &["", "ftp", "https, http", "https://"]),
        ("x-forwarded-host", &["", "a, b", "user@wiki.example.com", "wiki.example.com/", "wiki.example.com."]),
        (
            "x-forwarded-uri",
            &["", "page", "*", "https://wiki.example.com/page", "/page#x", "/public#/../secret", "/a b"],
        ),
    ] {
        for value in values {
            assert_eq!(restored(&with(TRAEFIK, name, value)), Err(OriginalError::Malformed(name)), "{name}: {value}");
        }
    }
    for url in [
        "",
        "/page",
        "wiki.example.com/page",
        "https:/wiki.example.com/page",
        "https:///page",
        "https://wiki.example.com",
        "https://user@wiki.example.com/page",
        "https://wiki.example.com?/page",
        "https://wiki.example.com#/page",
        "https://wiki.example.com/page#x",
        "ftp://wiki.example.com/page",
        "https://wiki.example.com\\@evil.example/page",
    ] {
        assert_eq!(
            restored(&with(NGINX, "x-original-url", url)),
            Err(OriginalError::Malformed("x-original-url")),
            "{url}"
        );
    }
}

#[test]
fn a_path_that_the_app_gets_in_another_spelling_than_was_judged_is_known() {
    for (path, same) in [
        ("/", true),
        ("/page/", true),
        ("/%7Eann/%2Fetc;x/.well-known/a..b/...", true),
        ("/a%252e%252e/b", true),
        ("/a?b=/../c//d", true),
        ("/a/../b", false),
        ("/a/./b", false),
        ("/a/.", false),
        ("/a/..", false),
        ("/.", false),
        ("/secret/%2e%2e/public", false),
        ("/secret/.%2E/public", false),
        ("/a//b", false),
        ("//a", false),
        ("/a//", false),
    ] {
        let uri: Uri = path.parse().expect(path);
        let target = Target::parse(&uri).expect(path);
        assert_eq!(is_handed_on_as_judged(&uri, &target), same, "{path}");
    }
}
