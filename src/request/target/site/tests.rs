use proptest::prelude::*;

use super::*;
use crate::{
    config::Config,
    request::{Place, target::tests::targets},
};

/// The apps of one host, by their public URLs' paths and further lines; each is known by its path.
fn site(apps: &[(&'static str, &str)]) -> Site<&'static str> {
    let provider = "[[provider]]\nid = \"company\"\nissuer = \"https://id.example.com\"\nclient_id = \"x\"\n";
    let app = |(n, (path, lines)): (usize, &(&str, &str))| {
        format!(
            "[[app]]\nid = \"app-{n}\"\npublic_url = \"https://example.com{path}\"\nupstream = \"http://127.0.0.1:1\"\n\
             access = {{ policy = \"anyone\" }}\n{lines}\n"
        )
    };
    let text = format!("{provider}{}", apps.iter().enumerate().map(app).collect::<String>());
    let config = Config::parse("vestibule.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
    let mut placed = config.apps.iter().map(|app| Arc::new(Premises::new(app, "/_vestibule"))).zip(apps);
    let (premises, (path, _)) = placed.next().expect("an app");
    placed.fold(Site::of(premises, *path), |site, (premises, (path, _))| site.and(premises, *path))
}

/// Whose a target is, what its rules see, and what its upstream gets.
fn found(site: &Site<&'static str>, sent: &str) -> Result<Option<(&'static str, String, String)>, TargetError> {
    let found = site.find(&sent.parse().expect(sent))?;
    Ok(found.map(|Found { app, target, .. }| (*app, target.path().to_owned(), target.forwarded().to_string())))
}

#[test]
fn the_longest_path_has_a_target_and_what_is_judged_begins_there() {
    let site = site(&[("/wiki", ""), ("", ""), ("/wiki/admin", ""), ("/files", "strip_path = true")]);
    for (sent, app, path, forwarded) in [
        ("/", "", "/", "/"),
        ("/wikis?a", "", "/wikis", "/wikis?a"),
        ("/wik", "", "/wik", "/wik"),
        ("/a/wiki/b", "", "/a/wiki/b", "/a/wiki/b"),
        ("/wiki", "/wiki", "/", "/wiki"),
        ("/wiki?a=/files", "/wiki", "/", "/wiki?a=/files"),
        ("/wiki/", "/wiki", "/", "/wiki/"),
        ("/wiki/wiki/x", "/wiki", "/wiki/x", "/wiki/wiki/x"),
        ("/wiki/Page%2Fone", "/wiki", "/Page%2Fone", "/wiki/Page%2Fone"),
        ("//wiki//a", "/wiki", "/a", "/wiki/a"),
        ("/%77iki/a", "/wiki", "/a", "/wiki/a"),
        ("/a/../wiki/b", "/wiki", "/b", "/wiki/b"),
        ("/wiki/a/../b", "/wiki", "/b", "/wiki/b"),
        ("/wiki/administrator", "/wiki", "/administrator", "/wiki/administrator"),
        ("/wiki/admin/x", "/wiki/admin", "/x", "/wiki/admin/x"),
        ("/files", "/files", "/", "/"),
        ("/files?a=b", "/files", "/", "/?a=b"),
        ("/files/", "/files", "/", "/"),
        ("/files/a%2Fb?c=%2e", "/files", "/a%2Fb", "/a%2Fb?c=%2e"),
        ("/files/files", "/files", "/files", "/files"),
        ("/files/wiki", "/files", "/wiki", "/wiki"),
        ("http://example.com/files/a", "/files", "/a", "/a"),
    ] {
        assert_eq!(found(&site, sent), Ok(Some((app, path.to_owned(), forwarded.to_owned()))), "{sent}");
    }
}

#[test]
fn a_name_without_its_slash_is_seen_where_the_upstream_cannot_see_it() {
    for (lines, sent, lacks) in [
        ("strip_path = true", "/files", true),
        ("strip_path = true", "/files?a=/", true),
        ("strip_path = true", "/files/", false),
        ("strip_path = true", "/files/a", false),
        ("", "/files", false),
    ] {
        let site = site(&[("/files", lines)]);
        let found = site.find(&sent.parse().expect(sent)).expect(sent).expect("an app");
        assert_eq!(found.target.lacks_slash(), lacks, "{sent} with {lines:?}");
    }
}

#[test]
fn a_path_that_no_app_has_is_nobodys() {
    let site = site(&[("/wiki", ""), ("/notes", "")]);
    for sent in ["/", "/wikis", "/Wikis", "/_vestibule/start", "/a%2fwiki", "/?/wiki"] {
        assert_eq!(found(&site, sent), Ok(None), "{sent}");
    }
}

#[test]
fn threat_53_55_59_a_target_is_one_apps_in_all_readings_or_refused() {
    use TargetError::{AmbiguousApp, ClimbsOut, DotsWithParameter};
    let site = site(&[("/wiki", ""), ("", ""), ("/wiki/admin", ""), ("/files", "strip_path = true")]);
    for (sent, error) in [
        // into another app in some readings
        ("/wiki/..%2fsecret", AmbiguousApp),
        ("/wiki/..%2f", AmbiguousApp),
        ("/wiki/..%5csecret", AmbiguousApp),
        ("/wiki/%252e%252e/secret", AmbiguousApp),
        ("/wiki/%252e%252e%252fsecret", AmbiguousApp),
        ("/x/..%2fwiki/page", AmbiguousApp),
        ("/x/..%5cwiki", AmbiguousApp),
        ("/wiki%2fpage", AmbiguousApp),
        ("/wiki/x/..%2fadmin/y", AmbiguousApp),
        ("/wiki%2fadmin/y", AmbiguousApp),
        ("/wiki/admin/..%2fy", AmbiguousApp),
        ("/%2577iki/page", AmbiguousApp),
        ("/WIKI/page", AmbiguousApp),
        ("/Wiki", AmbiguousApp),
        ("/wiki/Admin/page", AmbiguousApp),
        ("/wiki;x/page", AmbiguousApp),
        ("/;/wiki/page", AmbiguousApp),
        ("/wiki%3fpage", AmbiguousApp),
        ("/wiki%23page", AmbiguousApp),
        // out of an app by dots that everybody resolves
        ("/wiki/../secret", ClimbsOut),
        ("/wiki/..", ClimbsOut),
        ("/wiki//../secret", ClimbsOut),
        ("/wiki/./../secret", ClimbsOut),
        ("/wiki/%2e%2e/secret", ClimbsOut),
        ("/Wiki/../secret", ClimbsOut),
        ("/wiki/a/../../secret", ClimbsOut),
        ("/wiki/../wiki/page", ClimbsOut),
        ("/wiki/admin/../page", ClimbsOut),
        ("/files/../wiki", ClimbsOut),
        ("/wiki/..;/secret", DotsWithParameter),
        // out of the upstream's root, which is not the visitor's
        ("/files/..%2ffiles/x", ClimbsOut),
        ("/files/a/..%2f..%2ffiles/x", ClimbsOut),
        ("/files/%252e%252e/files/x", ClimbsOut),
    ] {
        assert_eq!(found(&site, sent), Err(error), "{sent}");
    }
    assert_eq!(found(&site, "/wiki/..%2fwiki/x").map(|found| found.map(|f| f.0)), Ok(Some("/wiki")), "stays inside");
}

#[test]
fn an_app_whose_path_has_capitals_is_found_by_that_spelling_only() {
    let site = site(&[("/Wiki", "")]);
    assert_eq!(found(&site, "/Wiki/a"), Ok(Some(("/Wiki", "/a".to_owned(), "/Wiki/a".to_owned()))));
    assert_eq!(found(&site, "/wiki/a"), Err(TargetError::AmbiguousApp));
}

#[test]
fn slashes_that_an_app_keeps_are_read_in_both_ways() {
    use TargetError::{AmbiguousApp, ClimbsOut, DotsAfterEmptySegment};
    let kept = "merge_slashes = false";
    let apps = site(&[("/repo", kept), ("/bare", "merge_slashes = false\nstrip_path = true"), ("/wiki", "")]);
    for (sent, forwarded) in [
        ("/repo//a///b//?c=//", Ok("/repo//a///b//?c=//")),
        ("/repo//", Ok("/repo//")),
        ("/repo//./a", Ok("/repo//a")),
        ("/repo/a/../b//c", Ok("/repo/b//c")),
        ("/bare//a", Ok("//a")),
        ("/bare//", Ok("//")),
        ("/wiki//a", Ok("/wiki/a")),
        ("//wiki/a", Ok("/wiki/a")),
        // Whoever merges finds an app there, and whoever does not finds none.
        ("//repo/a", Err(AmbiguousApp)),
        // Whoever merges first climbs one name higher.
        ("/repo/a//../b", Err(DotsAfterEmptySegment)),
        ("/repo/a//b/../../c", Err(DotsAfterEmptySegment)),
        ("/repo/a//%2e%2e/c", Err(DotsAfterEmptySegment)),
        ("/repo/a//./../c", Err(DotsAfterEmptySegment)),
        ("/repo//../c", Err(ClimbsOut)),
    ] {
        assert_eq!(found(&apps, sent).map(|found| found.expect(sent).2), forwarded.map(str::to_owned), "{sent}");
    }
    let whole = site(&[("", kept)]);
    let readings = |sent: &str| {
        let found = whole.find(&sent.parse().expect(sent)).expect(sent).expect("its app");
        let mut all: Vec<_> = found.target.readings().map(|r| String::from_utf8_lossy(r.path).into_owned()).collect();
        all[1..].sort_unstable();
        all
    };
    for (sent, all) in [
        ("/public//admin", &["/public//admin", "/public/admin"][..]),
        ("/public/admin", &["/public/admin"]),
        // escaped, both ways of resolving are somebody's
        ("/public/%2f..%2fadmin", &["/public/%2f..%2fadmin", "/admin", "/public/admin"]),
        ("/public/;/admin", &["/public/;/admin", "/public//admin", "/public/admin"]),
    ] {
        assert_eq!(readings(sent), all, "{sent}");
    }
}

#[test]
fn threat_65_our_own_endpoints_lie_below_the_apps_path() {
    const AMBIGUOUS: Result<Place<'static>, TargetError> = Err(TargetError::AmbiguousPlace);
    for lines in ["", "strip_path = true", "merge_slashes = false"] {
        let site = site(&[("/wiki", &format!("callback_path = \"/oauth2/callback\"\n{lines}")), ("", "")]);
        for (sent, place) in [
            ("/wiki/_vestibule/start?rd=/", Ok(Place::Own("/start"))),
            ("/wiki/_vestibule", Ok(Place::Own(""))),
            ("/wiki/page", Ok(Place::App)),
            ("/wiki/wiki/_vestibule/start", Ok(Place::App)),
            ("/_vestibule/start", Ok(Place::Own("/start"))),
            ("/wiki/_VESTIBULE/start", AMBIGUOUS),
            ("/wiki/_vestibule%2fstart", AMBIGUOUS),
            ("/wiki/a/..%2f_vestibule/start", AMBIGUOUS),
            ("/wiki/_vestibule;x/start", AMBIGUOUS),
            // the provider's way back: exactly there, and nowhere else
            ("/wiki/oauth2/callback?code=x", Ok(Place::Own("/callback"))),
            ("/wiki/_vestibule/callback", Ok(Place::Own(""))),
            ("/wiki/oauth2/callback/", Ok(Place::App)),
            ("/wiki/oauth2/callback/x", Ok(Place::App)),
            ("/wiki/oauth2", Ok(Place::App)),
            ("/oauth2/callback", Ok(Place::App)),
            ("/wiki/oauth2%2fcallback", AMBIGUOUS),
            ("/wiki/OAuth2/Callback", AMBIGUOUS),
            ("/wiki/oauth2/callback;x", AMBIGUOUS),
            ("/wiki/oauth2/callback%3fx", AMBIGUOUS),
        ] {
            let found = site.find(&sent.parse().expect(sent)).expect(sent).expect("an app");
            assert_eq!(found.premises.place(&found.target), place, "{sent} with {lines:?}");
        }
    }
}

proptest! {
    /// Of each target: what the app's rules see are the readings of what its upstream gets, and no reading is another
    /// app's.
    #[test]
    fn what_is_judged_is_what_is_forwarded_whatever_the_app(
        sent in targets(),
        base in prop::sample::select(vec!["", "/public", "/a", "/a/secret"]),
        slashes in prop::sample::select(vec!["", "merge_slashes = false"]),
    ) {
        let stripping = format!("strip_path = true\n{slashes}");
        let site = site(&[("/a", slashes), ("/public", &stripping), ("", slashes), ("/a/secret", slashes)]);
        let sent = format!("{base}{sent}");
        let Ok(found) = site.find(&sent.parse().expect("a target")) else { return Ok(()) };
        let Found { app, premises, target } = found.expect("one app has the whole host");
        let forwarded = target.forwarded().as_str();
        let own_path = if *app == "/public" { "" } else { app };
        let again = Target::parse_with(&forwarded.parse().expect("it was forwarded"), premises.slashes);
        let again = again.expect("what is forwarded is a target");
        prop_assert_eq!(again.path_and_query().as_str(), forwarded);
        let judged: Vec<_> = target.readings().map(|r| (r.path.to_vec(), r.readers)).collect();
        let read: Vec<_> = again.readings().map(|reading| {
            let (start, rest) = reading.path.split_at(own_path.len());
            assert!(start.eq_ignore_ascii_case(own_path.as_bytes()), "{reading:?} is not the app's");
            (if rest.is_empty() { b"/".to_vec() } else { rest.to_vec() }, reading.readers)
        }).collect();
        prop_assert_eq!(judged, read);
        if own_path.is_empty() && app.is_empty() {
            for reading in again.readings() {
                let others = ["/a", "/public"];
                prop_assert!(!others.iter().any(|other| reading.enters(other)), "{:?} is another app's", reading);
            }
        }
    }
}
