use proptest::prelude::*;

use super::*;

fn target(sent: &str) -> Result<Target, TargetError> {
    Target::parse(&sent.parse().expect(sent))
}

fn normal(sent: &str) -> Result<String, TargetError> {
    Ok(target(sent)?.path_and_query().as_str().to_owned())
}

#[test]
fn the_normal_form_resolves_what_means_the_same_everywhere() {
    for (sent, forwarded) in [
        ("/", "/"),
        ("/wiki/start?x=1", "/wiki/start?x=1"),
        // threat 56
        ("//", "/"),
        ("//a///b//", "/a/b/"),
        ("/a/./b/.", "/a/b/"),
        ("/a/b/../c", "/a/c"),
        ("/a/b/..", "/a/"),
        ("/a/..", "/"),
        ("/a//../b", "/b"),
        ("/a/../b?x=/../..", "/b?x=/../.."),
        // threat 53: escapes of unreserved characters, of dots too
        ("/public/%2e%2e/secret", "/secret"),
        ("/public/.%2E/secret", "/secret"),
        ("/%73ecret/%41%7e%2d%5F", "/secret/A~-_"),
        ("/a/%2e/b", "/a/b"),
        // no dot segments
        ("/.well-known/openid", "/.well-known/openid"),
        ("/...", "/..."),
        ("/a/..b/.c", "/a/..b/.c"),
        // what stays, in its spelling
        ("/api/queues/%2F/orders%2Feu%20100%25", "/api/queues/%2F/orders%2Feu%20100%25"), // RabbitMQ
        ("/@scope%2fname", "/@scope%2fname"),                                             // npm
        ("/api/v4/projects/group%2Fproject/issues", "/api/v4/projects/group%2Fproject/issues"), // GitLab
        ("/a%5Cb;v=1/C", "/a%5Cb;v=1/C"),
        ("/%E9t%c3%a9", "/%E9t%c3%a9"),
        ("/public/%252e%252e/x", "/public/%252e%252e/x"),
        ("/{a}|b^\"[]", "/{a}|b^\"[]"),
        // the query is opaque, bad escapes included
        ("/a?", "/a?"),
        ("/a/../?%zz&b=\\&c=%00&d=//..;/&e=%2e", "/?%zz&b=\\&c=%00&d=//..;/&e=%2e"),
        ("/%61?\u{e9}", "/a?\u{e9}"),
        ("http://wiki.example.com", "/"),
        ("http://wiki.example.com?x=1", "/?x=1"),
        ("https://wiki.example.com/a/../b?x", "/b?x"),
        // fragments end the target before anybody judges it (CVE-2023-47106, threat 58)
        ("/secret#/public", "/secret"),
        ("/a?x=1#y", "/a?x=1"),
    ] {
        assert_eq!(normal(sent).as_deref(), Ok(forwarded), "{sent}");
    }
}

#[test]
fn what_servers_disagree_about_is_refused() {
    use TargetError::{
        AsteriskForm, AuthorityForm, Backslash, BadEscape, ClimbsOut, DotsWithParameter, Nul, Overlong, RawByte,
        Scheme, TooManyReadings,
    };
    for (sent, error) in [
        // threat 61
        ("*", AsteriskForm),
        ("wiki.example.com:443", AuthorityForm),
        ("ftp://wiki.example.com/", Scheme),
        // threat 53
        ("/..", ClimbsOut),
        ("/a/../../b", ClimbsOut),
        ("/%2e%2e/a", ClimbsOut),
        ("/a/%252e%252e/%252e%252e/b", ClimbsOut),
        ("/a/..%2f..%2f..%2fetc", ClimbsOut),
        ("/a%5c..%5c..%5cb", ClimbsOut),
        // threat 54
        ("/public/..;/secret", DotsWithParameter),
        ("/public/..;x=1/secret", DotsWithParameter),
        ("/public/%2e%2e;/secret", DotsWithParameter),
        ("/public/..%3b/secret", DotsWithParameter),
        ("/public/..%253b/secret", DotsWithParameter),
        // threat 55
        ("/public/..\\secret", Backslash),
        ("/\\evil.example", Backslash),
        // threat 63
        ("/a%00", Nul),
        ("/a%2500", Nul),
        ("/public/%c0%ae%c0%ae/secret", Overlong),
        ("/public/%C0%AF", Overlong),
        ("/%e0%80%af", Overlong),
        ("/%f0%80%80%af", Overlong),
        ("/%f8%80%80%80%af", Overlong),
        ("/%fc%80%80%80%80%af", Overlong),
        ("/%25c0%25ae", Overlong),
        ("/a\u{e9}", RawByte),
        // CVE-2021-32637
        ("/%", BadEscape),
        ("/%2", BadEscape),
        ("/%zz", BadEscape),
        ("/%%32e", BadEscape),
        ("/%u002e", BadEscape),
        ("/%+1", BadEscape),
    ] {
        assert_eq!(normal(sent), Err(error), "{sent}");
    }
    let nested = format!("/%{}", "25".repeat(40));
    assert_eq!(normal(&nested), Err(TooManyReadings));
}

fn readings(sent: &str) -> Vec<(String, Readers)> {
    let target = target(sent).expect(sent);
    target.readings().map(|r| (String::from_utf8_lossy(r.path).into_owned(), r.readers)).collect()
}

#[test]
fn a_plain_path_has_one_reading_for_everybody() {
    for sent in ["/", "/wiki/start", "/.well-known/x", "/a_b-c~d.e/@x:y", "/a?B=%2f;C"] {
        assert!(target(sent).expect(sent).is_plain(), "{sent}");
        assert_eq!(readings(sent).len(), 1, "{sent}");
        assert_eq!(readings(sent)[0].1, Readers::ALL, "{sent}");
    }
}

#[test]
fn a_path_is_read_in_every_way_an_upstream_may() {
    for (sent, others) in [
        ("/API", &["/api"][..]),
        ("/public/..%2fsecret", &["/secret"]),
        ("/public/..%2Fsecret", &["/secret", "/public/..%2fsecret"]),
        ("/public%5c..%5csecret", &["/public\\..\\secret", "/secret"]),
        // whoever takes the backslash for a name, and whoever does not
        ("/a/b%5c..%2f..%2fc", &["/a/c", "/c"]),
        // one layer, two layers
        ("/public/%252e%252e%252fsecret", &["/public/%2e%2e%2fsecret", "/secret"]),
        ("/public/..%2fsecret%2f%252e%252e%2fpublic", &["/secret/%2e%2e/public", "/public"]),
        // a lone `%` stands for itself
        ("/%2f/x%20100%25", &["/x 100%"]),
        ("/a%25zz", &["/a%zz"]),
        // parameters: cut before decoding, after, or never
        ("/admin;x=1/a", &["/admin/a"]),
        ("/admin%3bx/a", &["/admin;x/a", "/admin/a"]),
        ("/a;x%2fb/c", &["/a;x/b/c", "/a/c", "/a/b/c"]),
        ("/a/.;/b", &["/a/b"]),
        ("/;/admin", &["/admin"]),
        // CVE-2026-41059: a decoded `#` or `?` ends it for whoever parses again
        ("/foo/secret%23/bar", &["/foo/secret#/bar", "/foo/secret"]),
        ("/foo/secret%3f/bar", &["/foo/secret?/bar", "/foo/secret"]),
    ] {
        let found = readings(sent);
        assert_eq!(found[0].0, sent);
        let mut found: Vec<_> = found[1..].iter().map(|(path, _)| path.as_str()).collect();
        let mut others = others.to_vec();
        found.sort_unstable();
        others.sort_unstable();
        assert_eq!(found, others, "{sent}");
    }
}

#[test]
fn readings_know_their_readers() {
    assert_eq!(
        readings("/Public/a"),
        [("/Public/a".to_owned(), Readers::AS_SENT.and(Readers::RESPELLED)), ("/public/a".to_owned(), Readers::FOLDED),]
    );
    assert_eq!(
        readings("/Public/%2fa"),
        [
            ("/Public/%2fa".to_owned(), Readers::AS_SENT),
            ("/Public/a".to_owned(), Readers::RESPELLED),
            ("/public/%2fa".to_owned(), Readers::FOLDED),
            ("/public/a".to_owned(), Readers::FOLDED),
        ]
    );
    assert_eq!(
        readings("/public/%2fa"),
        [
            ("/public/%2fa".to_owned(), Readers::AS_SENT.and(Readers::FOLDED)),
            ("/public/a".to_owned(), Readers::RESPELLED.and(Readers::FOLDED)),
        ]
    );
}

#[test]
fn threat_65_own_endpoints_are_ours_in_every_reading_or_not_at_all() {
    const AMBIGUOUS: Result<Place<'static>, TargetError> = Err(TargetError::AmbiguousPlace);
    for (sent, place) in [
        ("/_vestibule", Ok(Place::Own(""))),
        ("/_vestibule/", Ok(Place::Own("/"))),
        ("/_vestibule/start?rd=/x", Ok(Place::Own("/start"))),
        ("/x/../_vestibule//start", Ok(Place::Own("/start"))),
        ("/%5fvestibule/start", Ok(Place::Own("/start"))),
        ("/_vestibule/invitations/AbC%2f", Ok(Place::Own("/invitations/AbC%2f"))),
        ("/_vestibule/../secret", Ok(Place::App)),
        ("/_vestibulex", Ok(Place::App)),
        ("/_vestibul", Ok(Place::App)),
        ("/x/_vestibule/start", Ok(Place::App)),
        ("/?/_vestibule/start", Ok(Place::App)),
        ("/_vestibule/..%2fsecret", AMBIGUOUS),
        ("/_vestibule%2fstart", AMBIGUOUS),
        ("/_vestibule%3fx", AMBIGUOUS),
        ("/_VESTIBULE/start", AMBIGUOUS),
        ("/_Vestibule", AMBIGUOUS),
        ("/x/..%2f_vestibule/start", AMBIGUOUS),
        ("/x/..%5c_vestibule/start", AMBIGUOUS),
        ("/%255fvestibule/start", AMBIGUOUS),
        ("/_vestibule;x/start", AMBIGUOUS),
        ("/;/_vestibule/start", AMBIGUOUS),
    ] {
        assert_eq!(target(sent).expect(sent).place("/_vestibule"), place, "{sent}");
    }
    assert_eq!(target("/_vestibule/start").expect("a target").place("/_Vestibule"), AMBIGUOUS);
}

/// Targets made of what matters, with enough ordinary letters between.
pub(super) fn targets() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/",
        "//",
        ".",
        "..",
        "/../",
        "/./",
        "%2e",
        "%2E",
        "%2f",
        "%2F",
        "%5c",
        "%25",
        "%252e",
        "%252f",
        "%3b",
        ";",
        "%23",
        "%3f",
        "a",
        "B",
        "secret",
        "public",
        "%41",
        "%7e",
        "%20",
        "%c3%a9",
        "~",
        "_vestibule",
    ]);
    (prop::collection::vec(piece, 0..12), prop::option::of("[a-z%/.;=]{0,8}")).prop_map(|(pieces, query)| {
        let query = query.map_or(String::new(), |q| format!("?{q}"));
        format!("/{}{query}", pieces.concat())
    })
}

proptest! {
    #[test]
    fn normalising_is_idempotent(sent in targets()) {
        if let Ok(once) = normal(&sent) {
            prop_assert_eq!(normal(&once), Ok(once.clone()));
        }
    }

    #[test]
    fn what_is_judged_is_what_is_forwarded(sent in targets()) {
        if let Ok(target) = target(&sent) {
            let forwarded: Uri = target.path_and_query().clone().into();
            prop_assert_eq!(target.path(), forwarded.path());
            prop_assert_eq!(target.query(), forwarded.query());
            prop_assert_eq!(target.query(), sent.split_once('?').map(|(_, query)| query));
            prop_assert_eq!(target.readings().next().map(|r| r.path), Some(forwarded.path().as_bytes()));
        }
    }

    #[test]
    fn every_reading_is_settled_and_reading_it_again_brings_nothing_new(sent in targets()) {
        if let Ok(target) = target(&sent) {
            let all: Vec<_> = target.readings().map(|r| r.path.to_vec()).collect();
            for reading in target.readings() {
                prop_assert_eq!(normal::resolve(reading.path), Ok(None));
                let Ok(text) = str::from_utf8(reading.path) else { continue };
                let Ok((_, further)) = reading::all(text, Slashes::Merged) else { continue };
                for again in &further {
                    prop_assert!(all.iter().any(|known| known == again.reading_from(0).path), "{:?}", again);
                }
            }
        }
    }

    #[test]
    fn no_target_whatever_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut sent = vec![b'/'];
        sent.extend(bytes);
        if let Ok(uri) = Uri::try_from(sent) {
            let place = Target::parse(&uri).map(|target| target.place("/_vestibule").is_ok());
            prop_assert!(place.is_ok() || place.is_err_and(|error| !error.to_string().is_empty()));
        }
    }
}
