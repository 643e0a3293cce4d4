//! Finding and setting our cookies; what the upstream sees is tested beside its rules.

use super::*;
use crate::config::session::Persistence;

const HTTPS: Scheme = Scheme::Https;

/// The cookies of the app `wiki` at `wiki.example.com`, as an operator would have them.
struct Kind {
    scheme: Scheme,
    path: &'static str,
    name: &'static str,
    domain: Option<&'static str>,
    same_site: SameSite,
    sign_in: SignInReach,
}

const USUAL: Kind = Kind {
    scheme: HTTPS,
    path: "",
    name: "vestibule",
    domain: None,
    same_site: SameSite::Lax,
    sign_in: SignInReach::App,
};

impl Kind {
    fn names(&self) -> CookieNames {
        let host = "wiki.example.com".to_owned();
        let port = self.scheme.default_port();
        let public_url = PublicUrl { scheme: self.scheme, host, port, path: self.path.to_owned() };
        let cookie = SessionCookie {
            name: self.name.to_owned(),
            reach: self.domain.map_or(CookieReach::App, |domain| CookieReach::Siblings(domain.to_owned())),
            same_site: self.same_site,
            persistence: Persistence::UntilBrowserCloses,
        };
        CookieNames::new(&AppId::new("wiki"), &public_url, &cookie, self.sign_in)
    }
}

fn over(scheme: Scheme) -> CookieNames {
    Kind { scheme, ..USUAL }.names()
}

fn headers(values: &[&str]) -> HeaderMap {
    values.iter().map(|value| (header::COOKIE, HeaderValue::from_bytes(value.as_bytes()).expect("a value"))).collect()
}

fn random() -> Random {
    Random::seeded(1)
}

#[test]
fn threats_79_and_82_only_one_undisputed_cookie_of_the_exact_name_is_the_session() {
    let secret = CookieSecret::generate(&random());
    let mine = BASE64URL_NOPAD.encode(secret.expose());
    let other = BASE64URL_NOPAD.encode(&[7; 32]);
    let host = format!("__Host-vestibule={mine}");
    // (the Cookie headers, whether the session is found)
    let cases: &[(&[&str], bool)] = &[
        (&[&host], true),
        (&[&format!("a=1; {host}; b=2")], true),
        (&[&format!("a=1;{host};b=2")], true),
        (&[&format!(";=;;{host};")], true),
        (&[&format!("a=1; __Host-vestibule = {mine} ")], true),
        (&["a=1", &host, "b=2"], true),
        (&[&format!("{host}; {host}")], true),
        (&[&host, &host], true),
        // threat 79: what a sibling domain can set does not carry the prefix
        (&[&format!("vestibule={mine}")], false),
        (&[&format!("__Secure-vestibule={mine}")], false),
        (&[&format!("__host-vestibule={mine}")], false),
        (&[&format!("vestibule={other}; {host}")], true),
        // ambiguous
        (&[&format!("{host}; __Host-vestibule={other}")], false),
        (&[&host, "__Host-vestibule="], false),
        (&[&host, "__Host-vestibule=garbage"], false),
        // tampered or cut: threat 80
        (&[&host[..host.len() - 1]], false),
        (&[&format!("{host}A")], false),
        (&[&format!("__Host-vestibule=\"{mine}\"")], false),
        // CVE-2023-28625 and its kind
        (&[";=;"], false),
        (&[""], false),
        (&["__Host-vestibule"], false),
        (&["="], false),
        (&[], false),
        // CVE-2024-24814: nothing here counts chunks
        (&["__Host-vestibule_chunks=99999999"], false),
    ];
    let names = USUAL.names();
    for (sent, found) in cases {
        let read = names.session_secret(&headers(sent));
        assert_eq!(read.map(|read| read.id()), found.then(|| secret.id()), "{sent:?}");
    }
}

#[test]
fn over_plain_http_names_have_no_prefix() {
    let secret = CookieSecret::generate(&random());
    let text = BASE64URL_NOPAD.encode(secret.expose());
    let names = over(Scheme::Http);
    assert!(names.session_secret(&headers(&[&format!("vestibule={text}")])).is_some());
    assert!(names.session_secret(&headers(&[&format!("__Host-vestibule={text}")])).is_none());
}

#[test]
fn threat_81_many_cookies_are_walked_once() {
    let many = (0..200).map(|i| format!("c{i}={}", "x".repeat(300))).collect::<Vec<_>>().join("; ");
    let names = USUAL.names();
    assert!(names.session_secret(&headers(&[&many])).is_none());
    assert_eq!(names.attempts(&headers(&[&many])).count(), 0);
}

#[test]
fn attempts_are_listed_with_their_ids() {
    let names = USUAL.names();
    let (a, b) = (AttemptId::generate(&random()), AttemptId::parse("A".repeat(22).as_bytes()).expect("canonical"));
    let sent = headers(&[
        &format!("x=1; {}=one", names.attempt(a).as_str()),
        &format!("__Host-vestibule-attempt-={b}; vestibule-attempt-{b}=tossed; {}= two ", names.attempt(b).as_str()),
        "__Host-vestibule-attempt-AAAAAAAAAAAAAAAAAAAAAB=three; __Host-vestibule-attempt-short=four",
    ]);
    let found: Vec<_> = names.attempts(&sent).collect();
    assert_eq!(found, [AttemptCookie { id: a, value: b"one" }, AttemptCookie { id: b, value: b"two" }]);
    assert_eq!(names.attempt(a).find(&sent), Some(&b"one"[..]));
    assert_eq!(names.loop_marker().find(&sent), None);
}

#[test]
fn an_attempt_id_comes_back_from_its_text() {
    let id = AttemptId::generate(&random());
    assert_eq!(AttemptId::parse(id.to_string().as_bytes()), Some(id));
    assert!(!id.digest().contains(&id.to_string()));
}

#[test]
fn set_cookie_values_carry_every_attribute_that_protects_them() {
    let https = USUAL.names();
    let http = over(Scheme::Http);
    let id = AttemptId::parse("A".repeat(22).as_bytes()).expect("canonical");
    let week = Keep::For(Duration::from_hours(168));
    let cases = [
        (
            https.set(&https.session(), &[0; 3], Keep::UntilBrowserCloses),
            "__Host-vestibule=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/",
        ),
        (
            http.set(&http.session(), &[0; 3], Keep::UntilBrowserCloses),
            "vestibule=AAAA; HttpOnly; SameSite=Lax; Path=/",
        ),
        (
            https.set(&https.attempt(id), &[255], Keep::UntilBrowserCloses),
            "__Host-vestibule-attempt-AAAAAAAAAAAAAAAAAAAAAA=_w; HttpOnly; SameSite=Lax; Secure; Path=/",
        ),
        (
            https.set(&https.loop_marker(), &[0; 3], week),
            "__Host-vestibule-.loop=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=604800",
        ),
        (https.remove(&https.session()), "__Host-vestibule=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"),
        (http.remove(&http.session()), "vestibule=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"),
    ];
    for (made, expected) in cases {
        assert_eq!(made, expected);
        assert!(upstream::Family::default().is_set_by(made.as_bytes()), "what we set is ours: {expected}");
    }
}

#[test]
fn what_was_set_comes_back() {
    let names = USUAL.names();
    let set = names.set(&names.loop_marker(), b"\x00\xffpayload", Keep::UntilBrowserCloses);
    let pair = set.to_str().expect("ASCII").split(';').next().expect("a pair").to_owned();
    let sent = headers(&[&pair]);
    assert_eq!(names.loop_marker().find(&sent).and_then(decode), Some(b"\x00\xffpayload".to_vec()));
}

#[test]
fn each_kind_of_cookie_reaches_as_far_as_its_name_says() {
    let id = AttemptId::parse("A".repeat(22).as_bytes()).expect("canonical");
    let below = Kind { path: "/wiki", ..USUAL };
    let shared = Kind { domain: Some("example.com"), ..USUAL };
    let by_one_callback = Kind { sign_in: SignInReach::Siblings, ..shared };
    let named = Kind { name: "Sid", ..USUAL };
    let framed = Kind { same_site: SameSite::None, ..USUAL };
    // (the session, an attempt, the loop marker)
    let cases = [
        (
            &below,
            "__Secure-vestibule-wiki=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/wiki",
            "__Secure-vestibule-wiki.attempt-AAAAAAAAAAAAAAAAAAAAAA=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/wiki",
            "__Secure-vestibule-wiki.loop",
        ),
        (
            &shared,
            "__Secure-vestibule=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com",
            "__Host-vestibule-attempt-AAAAAAAAAAAAAAAAAAAAAA=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/",
            "__Host-vestibule-.loop",
        ),
        (
            &Kind { path: "/wiki", ..shared },
            "__Secure-vestibule=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com",
            "__Secure-vestibule-wiki.attempt-AAAAAAAAAAAAAAAAAAAAAA=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/wiki",
            "__Secure-vestibule-wiki.loop",
        ),
        (
            &by_one_callback,
            "__Secure-vestibule=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com",
            "__Secure-vestibule-attempt-AAAAAAAAAAAAAAAAAAAAAA=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com",
            "__Secure-vestibule-.loop",
        ),
        (
            &named,
            "__Host-Sid=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/",
            "__Host-Sid-attempt-AAAAAAAAAAAAAAAAAAAAAA=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/",
            "__Host-Sid-.loop",
        ),
        (
            &framed,
            "__Host-vestibule=AAAA; HttpOnly; SameSite=None; Partitioned; Secure; Path=/",
            "__Host-vestibule-attempt-AAAAAAAAAAAAAAAAAAAAAA=AAAA; HttpOnly; SameSite=Lax; Secure; Path=/",
            "__Host-vestibule-.loop",
        ),
        (
            &Kind { scheme: Scheme::Http, ..below },
            "vestibule-wiki=AAAA; HttpOnly; SameSite=Lax; Path=/wiki",
            "vestibule-wiki.attempt-AAAAAAAAAAAAAAAAAAAAAA=AAAA; HttpOnly; SameSite=Lax; Path=/wiki",
            "vestibule-wiki.loop",
        ),
        (
            &Kind { scheme: Scheme::Http, ..by_one_callback },
            "vestibule=AAAA; HttpOnly; SameSite=Lax; Path=/; Domain=example.com",
            "vestibule-attempt-AAAAAAAAAAAAAAAAAAAAAA=AAAA; HttpOnly; SameSite=Lax; Path=/; Domain=example.com",
            "vestibule-.loop",
        ),
    ];
    for (kind, session, attempt, loop_marker) in cases {
        let names = kind.names();
        let ours = upstream::Family::new(kind.name);
        for (name, expected) in [(names.session(), session), (names.attempt(id), attempt)] {
            let set = names.set(&name, &[0; 3], Keep::UntilBrowserCloses);
            assert_eq!(set, expected);
            assert!(ours.is_set_by(set.as_bytes()), "{expected}");
            let removed = names.remove(&name);
            assert_eq!(removed, expected.replace("=AAAA;", "=;") + "; Max-Age=0", "only this way a browser finds it");
        }
        assert_eq!(names.loop_marker().as_str(), loop_marker);
        assert!(ours.is_set_by(loop_marker.as_bytes()), "{loop_marker}");
        assert_eq!(names.attempts(&headers(&[attempt])).count(), 1, "{attempt}");
    }
}

#[test]
fn a_name_is_expired_wherever_an_earlier_configuration_may_have_put_it() {
    let of = |kind: &Kind| -> Vec<String> {
        let (names, session) = (kind.names(), kind.names().session());
        let all = names.remove_leftovers(&session).map(|value| value.to_str().expect("ASCII").to_owned());
        all.map(|value| value.split_once("SameSite=").expect("each has one").1.to_owned()).collect()
    };
    let path = Kind { path: "/a/b", ..USUAL };
    let domain = Kind { domain: Some("example.com"), ..USUAL };
    assert_eq!(of(&USUAL), ["None; Partitioned; Secure; Path=/; Max-Age=0"]);
    assert_eq!(of(&Kind { same_site: SameSite::None, ..USUAL }), ["Lax; Secure; Path=/; Max-Age=0"]);
    assert_eq!(
        of(&path),
        [
            "Lax; Secure; Path=/; Max-Age=0",
            "Lax; Secure; Path=/a; Max-Age=0",
            "None; Partitioned; Secure; Path=/a/b; Max-Age=0",
        ]
    );
    assert_eq!(of(&Kind { scheme: Scheme::Http, ..path }), ["Lax; Path=/; Max-Age=0", "Lax; Path=/a; Max-Age=0"]);
    assert_eq!(
        of(&domain),
        [
            "Lax; Secure; Path=/; Max-Age=0",
            "Lax; Secure; Path=/; Domain=wiki.example.com; Max-Age=0",
            "None; Partitioned; Secure; Path=/; Domain=example.com; Max-Age=0",
        ],
        "and nothing for `com`"
    );
    assert_eq!(
        of(&Kind { scheme: Scheme::Http, ..USUAL }),
        ["Lax; Path=/; Domain=wiki.example.com; Max-Age=0", "Lax; Path=/; Domain=example.com; Max-Age=0"]
    );
}

#[test]
fn threats_79_to_82_no_kind_of_cookie_is_taken_for_another_or_from_two() {
    let secret = CookieSecret::generate(&random());
    let mine = BASE64URL_NOPAD.encode(secret.expose());
    let other = BASE64URL_NOPAD.encode(&[7; 32]);
    let kinds = [
        ("__Host-vestibule", USUAL),
        ("vestibule", Kind { scheme: Scheme::Http, ..USUAL }),
        ("__Secure-vestibule-wiki", Kind { path: "/wiki", ..USUAL }),
        ("__Secure-vestibule", Kind { domain: Some("example.com"), ..USUAL }),
        ("__Host-Sid", Kind { name: "Sid", ..USUAL }),
    ];
    for (own, kind) in &kinds {
        let names = kind.names();
        let found = |sent: &[&str]| names.session_secret(&headers(sent)).map(|read| read.id()) == Some(secret.id());
        for (name, _) in &kinds {
            assert_eq!(found(&[&format!("{name}={mine}")]), name == own, "{name} where {own} is ours");
            let beside = format!("{name}={other}; {own}={mine}");
            assert_eq!(found(&[&beside]), name != own, "{beside}");
        }
        assert!(found(&[&format!(";=; a ; {own} = {mine} ;;"), "b=\""]), "{own}");
        assert!(!found(&[&format!("{own}={mine}"), &format!("{own}=")]), "{own}");
        assert!(!found(&[&format!("{own}={}", &mine[..42])]), "{own}");
        assert!(!found(&[&format!("{}={mine}", own.to_uppercase())]), "{own}");
    }
}
