use proptest::prelude::*;

use super::*;
use crate::config::{
    Condition, Written,
    access::{PathPattern, SegmentPattern},
};
use crate::request::TargetError;

mod oracle;

fn pattern(text: &str) -> PathPattern {
    let (path, and_below) = text.strip_suffix("/**").map_or((text, false), |path| (path, true));
    let segment = |text: &str| match text {
        "*" => SegmentPattern::Any,
        _ => SegmentPattern::Literal(text.to_owned()),
    };
    PathPattern { segments: path.split('/').skip(1).map(segment).collect(), and_below }
}

fn route(path: &str, methods: Option<&[Method]>) -> Route {
    let methods = methods.map(<[Method]>::to_vec);
    Route { path: pattern(path), methods, access: RouteAccess::Public, written: Written::default() }
}

/// A table of its own for each name.
fn narrowed(group: &str) -> RouteAccess {
    let condition = Condition { group: Some(group.to_owned()), ..Condition::default() };
    RouteAccess::Narrowed(Narrowing { allow: Some(vec![condition]), deny: Vec::new() })
}

fn compile(policy: Policy, routes: &[Route]) -> Routes {
    let mut tables = 0..;
    Routes::compile(policy, routes, |_| tables.next().expect("a number"))
}

/// Routes that open, in an app that is for the listed.
fn routes(paths: &[&str]) -> Routes {
    compile(Policy::Listed, &paths.iter().map(|path| route(path, None)).collect::<Vec<_>>())
}

/// `Err` where the target is refused before any rule is asked.
fn demand(routes: &Routes, method: &Method, target: &str) -> Result<Demand, TargetError> {
    let target = Target::parse(&target.parse().expect(target))?;
    let demand = routes.demand(method, &target);
    assert_eq!(
        demand,
        routes.by_all_readings(method, &target, &mut |_| {}),
        "the short way and the long one: {target:?}"
    );
    Ok(demand)
}

/// The route that opens a target, if one does.
fn first_open(routes: &Routes, method: &Method, target: &str) -> Result<Option<usize>, TargetError> {
    let demand = demand(routes, method, target)?;
    assert_eq!(demand.word == Word::Public, demand.route().is_some(), "{target}: {demand:?}");
    Ok(demand.route())
}

#[test]
fn patterns_match_whole_segments() {
    for (pattern, matching, others) in [
        (
            "/metrics",
            &["/metrics", "/metrics?x", "/a/../metrics"][..],
            &["/metrics/", "/metrics/x", "/metricsx", "/"][..],
        ),
        ("/", &["/", "//", "/?x", "/a/.."], &["/a"]),
        ("/a/", &["/a/", "/a//"], &["/a", "/a/b"]),
        ("/api/**", &["/api", "/api/", "/api/x/y/"], &["/apix", "/", "/x/api", "/ap"]),
        ("/**", &["/", "/a", "/a/b/c/"], &[]),
        ("/a/*", &["/a/b", "/a/b.c"], &["/a", "/a/", "/a/b/", "/a/b/c"]),
        ("/*/b/**", &["/a/b", "/a/b/c"], &["/b", "/a/c", "/a/x/b"]),
        ("/u/*/avatar", &["/u/7/avatar"], &["/u//avatar", "/u/7/8/avatar"]),
    ] {
        let routes = routes(&[pattern]);
        for path in matching {
            assert_eq!(first_open(&routes, &Method::GET, path), Ok(Some(0)), "{pattern} matches {path}");
        }
        for path in others {
            assert_eq!(first_open(&routes, &Method::GET, path), Ok(None), "{pattern} does not match {path}");
        }
    }
}

#[test]
fn the_first_match_in_the_file_wins_not_the_most_specific() {
    let routes = routes(&["/a/b/c", "/a/**", "/a/b", "/*/b", "/a/*/c", "/**"]);
    for (path, first) in
        [("/a/b/c", 0), ("/a/b", 1), ("/a/x/c", 1), ("/x/b", 3), ("/x", 5), ("/A/b", 3), ("/x%20/b", 3), ("/x/y%20", 5)]
    {
        assert_eq!(first_open(&routes, &Method::GET, path), Ok(Some(first)), "{path}");
    }
}

#[test]
fn threat_64_methods_are_judged_and_get_includes_head() {
    let routes = compile(
        Policy::Listed,
        &[
            route("/hook", Some(&[Method::POST])),
            route("/hook", Some(&[Method::GET])),
            route("/put", Some(&[Method::PUT, Method::HEAD])),
        ],
    );
    for (method, path, first) in [
        (Method::POST, "/hook", Some(0)),
        (Method::GET, "/hook", Some(1)),
        (Method::HEAD, "/hook", Some(1)),
        (Method::OPTIONS, "/hook", None),
        (Method::DELETE, "/hook", None),
        (Method::HEAD, "/put", Some(2)),
        (Method::GET, "/put", None),
        (Method::GET, "/HOOK", None),
    ] {
        assert_eq!(first_open(&routes, &method, path), Ok(first), "{method} {path}");
    }
    assert!(routes.name_methods());
    assert!(!super::tests::routes(&["/a"]).name_methods());
}

#[test]
fn threats_53_to_59_no_spelling_opens_what_a_rule_does_not() {
    let routes = routes(&["/public/**", "/exact", "/foo/*/bar"]);
    for (id, target) in [
        ("threat 53", "/public/../secret"),
        ("threat 53", "/public/%2e%2e/secret"),
        ("threat 53", "/public/%252e%252e/secret"),
        ("threat 53", "/public/%252e%252e%252fsecret"),
        ("threat 53", "/public/%25252e%25252e/secret"),
        ("threat 54", "/public/..;/secret"),
        ("threat 54", "/public/..;x/secret"),
        ("threat 54", "/public/..%3b/secret"),
        ("threat 54", "/public/x;%2f..%2f..%2f/secret"),
        ("threat 55", "/public/..%2fsecret"),
        ("threat 55", "/public/..%2Fsecret"),
        ("threat 55", "/public/..%5csecret"),
        ("threat 55", "/public%2f..%2fsecret"),
        ("threat 55", "/public/x%2f..%2f..%2fsecret"),
        ("threat 55", "/public/..\\secret"),
        // whoever decodes once is elsewhere than whoever decodes to the end
        ("threat 55", "/public/..%2fsecret%2f%252e%252e%2fpublic/x"),
        ("threat 55", "/public/..%2fsecret%2fx%5c..%5c..%5cpublic%2fy"),
        ("threat 56", "//secret"),
        ("threat 56", "/./secret"),
        ("threat 56", "/public/.//../secret"),
        ("threat 57, CVE-2025-54576", "/secret?/public/"),
        ("threat 57, CVE-2025-54576", "/secret?x=/public"),
        ("threat 58", "/secret#/public/"),
        ("threat 58", "/secret%23/public/"),
        ("threat 58", "/exact%23x"),
        ("threat 58", "/exact%3fx"),
        ("CVE-2026-41059", "/foo/secret%23/bar"),
        ("CVE-2026-41059", "/foo/secret%3f/bar"),
        ("CVE-2026-41059", "/foo/secret%2523/bar"),
        ("CVE-2026-41059", "/foo/a%2fb/bar"),
        ("threat 59", "/PUBLIC/x"),
        ("threat 59", "/Exact"),
        ("threat 59", "/%73ecret"),
        ("threat 59", "/%70UBLIC/x"),
        ("threat 63", "/public/%c0%ae%c0%ae/secret"),
        ("threat 63", "/public/%00/../secret"),
        ("threat 65", "/publicx/y"),
    ] {
        let opened = first_open(&routes, &Method::GET, target);
        assert!(matches!(opened, Ok(None) | Err(_)), "{id}: {target} opened {opened:?}");
    }
}

#[test]
fn unusual_spellings_open_where_every_reading_is_open() {
    let routes = routes(&["/public/**", "/Docs/**", "/a%20b/*", "/q/%2F/**"]);
    for (target, first) in [
        ("/public/;x", Some(0)),
        ("/public/My%20File.PDF", Some(0)),
        ("/public/@scope%2fname", Some(0)),
        ("/public/what%3f.png", Some(0)),
        ("/public/%c3%a9", Some(0)),
        ("/public/a;v=1/B", Some(0)),
        ("/public/../public/x", Some(0)),
        // a rule with capitals is a rule for those who tell case, and for those who do not
        ("/Docs/Start", Some(1)),
        ("/Docs/start", Some(1)),
        ("/docs/start", None),
        ("/DOCS/start", None),
        // a rule with an escape is read as a path is
        ("/a%20b/c", Some(2)),
        ("/a%20b/C%20d", Some(2)),
        ("/a%2520b/c", None),
        ("/q/%2F/orders", Some(3)),
        ("/q/%2f/orders", None),
        ("/q/orders", None),
        ("/q/%2F/a%2f..%2forders", Some(3)),
        ("/q/%2F/..%2forders", None), // the slashes merge, so that `..` takes `q` away
    ] {
        assert_eq!(first_open(&routes, &Method::GET, target), Ok(first), "{target}");
    }
}

/// In each row, the first of two routes for some readings of the target is `/admin/**` or the like.
#[test]
fn no_spelling_slips_past_a_route_that_narrows() {
    let file = |pattern: &str| {
        let routes =
            [route("/public/**", None), Route { access: narrowed("ops"), ..route(pattern, None) }, route("/**", None)];
        compile(Policy::Anyone, &routes)
    };
    for (pattern, targets) in [
        (
            "/admin/**",
            &[
                "/admin",
                "/admin/",
                "/admin/x",
                "/admin;x/",
                "/admin;x",
                "/ADMIN/",
                "/Admin/x",
                "/%61dmin",
                "/%2561dmin",
                "/%41DMIN/x",
                "/public/..%2fadmin",
                "/public/..%2Fadmin/x",
                "/public/..%5cadmin",
                "/public%2f..%2fadmin",
                "/public/%252e%252e/admin",
                "/public/%252e%252e%252fadmin",
                "/x%2f..%2fadmin",
                "/admin%2fx",
                "/admin%3bx",
                "/admin%23x",
                "/admin%3fx",
                "/admin%2523x",
                "/%2fadmin",
                "//admin",
                "/./admin",
                "/x/../admin",
                "/admin/..%2fpublic",
                "/public/x;%2f..%2f..%2fADMIN",
            ][..],
        ),
        ("/Admin/**", &["/Admin/x", "/admin/x", "/ADMIN/x", "/%61dmin", "/public/..%2fadmin", "/admin;x/y"]),
        ("/a%20b/c", &["/a%20b/c", "/A%20B/C", "/a%2520b/c", "/a%20b%2fc", "/a%20b;x/c"]),
        ("/a%21/**", &["/a%21", "/a!", "/A!/x", "/a%2521/x"]),
        ("/x/%2A", &["/x/%2A", "/x/*", "/x/%2a", "/X/*"]),
        ("/*/settings", &["/u/settings", "/u/SETTINGS", "/u;x/settings", "/u%2fsettings", "/a%2f..%2fu/settings"]),
        ("/q/%2F/**", &["/q/%2F/x", "/q/%2f/x", "/Q/%2F/x", "/q/%252F/x"]),
    ] {
        let routes = file(pattern);
        for target in targets {
            let demand = demand(&routes, &Method::GET, target).unwrap_or_else(|error| panic!("{target}: {error}"));
            assert!(demand.tables().any(|table| table == 0), "{target} slips past {pattern}: {demand:?}");
            assert_eq!(demand.word, Word::Policy(Policy::Anyone), "{target}");
        }
    }
    for (pattern, targets) in [
        ("/admin/**", &["/adminx", "/public/admin", "/x/admin", "/admin%20", "/?/admin", "/x?y=/admin"][..]),
        ("/q/%2F/**", &["/q/x", "/q", "/q/other/x"]),
        ("/a%20b/c", &["/a+b/c", "/a%20b", "/a/b/c"]),
        ("/x/%2A", &["/x/y", "/x"]),
    ] {
        let routes = file(pattern);
        for target in targets {
            let demand = demand(&routes, &Method::GET, target).unwrap_or_else(|error| panic!("{target}: {error}"));
            assert_eq!((demand.word, demand.tables().count()), (Word::Public, 0), "{target} is none of {pattern}");
        }
    }
}

#[test]
fn what_opens_less_closes_to_what_opens_more_after_it() {
    let anyone = Route { access: RouteAccess::Policy(Policy::Anyone), ..route("/docs/internal/**", None) };
    let routes = compile(Policy::Listed, &[anyone, route("/docs/**", None)]);
    let word = |target: &str| demand(&routes, &Method::GET, target).map(|demand| demand.word);
    for (target, expected) in [
        ("/docs/x", Word::Public),
        ("/docs/X", Word::Public),
        ("/docs/internal/x", Word::Policy(Policy::Anyone)),
        ("/docs/internal/X", Word::Policy(Policy::Anyone)),
        ("/docs/INTERNAL/x", Word::Policy(Policy::Anyone)),
        ("/docs/x%2f..%2finternal/x", Word::Policy(Policy::Anyone)),
        ("/docs/internal/..%2fx", Word::Policy(Policy::Anyone)),
        ("/docs/internal/..%2f..%2fx", Word::Policy(Policy::Listed)),
    ] {
        assert_eq!(word(target), Ok(expected), "{target}");
    }
}

#[test]
fn threat_64_a_route_that_narrows_a_method_narrows_its_every_spelling() {
    let narrows = |methods: &[Method]| Route { access: narrowed("ops"), ..route("/form", Some(methods)) };
    let routes = compile(Policy::Anyone, &[narrows(&[Method::POST]), narrows(&[Method::GET])]);
    for (method, table) in [("POST", Some(0)), ("post", Some(0)), ("GET", Some(1)), ("HEAD", Some(1)), ("PUT", None)] {
        let method = Method::from_bytes(method.as_bytes()).expect(method);
        assert_eq!(demand(&routes, &method, "/form").map(|demand| demand.tables().next()), Ok(table), "{method}");
    }
}

#[test]
fn two_open_routes_do_not_add_up_to_a_third_place() {
    let routes = routes(&["/a/**", "/b/**"]);
    assert_eq!(first_open(&routes, &Method::GET, "/a/..%2fb/x"), Ok(None));
    let wide = self::routes(&["/a/**", "/**"]);
    assert_eq!(first_open(&wide, &Method::GET, "/a/..%2fb/x"), Ok(Some(1)));
}

#[test]
fn a_literal_that_reads_as_a_wildcard_is_none() {
    let routes = routes(&["/a/%2A/**"]);
    assert_eq!(first_open(&routes, &Method::GET, "/a/%2A/x"), Ok(Some(0)));
    assert_eq!(first_open(&routes, &Method::GET, "/a/b/x"), Ok(None));
    assert_eq!(first_open(&routes, &Method::GET, "/a/*/x"), Ok(None));
}

#[test]
fn without_routes_nothing_is_open() {
    assert_eq!(first_open(&routes(&[]), &Method::GET, "/"), Ok(None));
}

/// Routes as an app of that many parts would have them.
fn large(count: usize) -> Vec<Route> {
    let mut routes: Vec<_> = (0..count - 1)
        .map(|n| match n % 4 {
            0 => route(&format!("/api/v{n}/**"), None),
            1 => Route { access: narrowed("ops"), ..route(&format!("/team{n}/*/settings"), None) },
            2 => Route { access: RouteAccess::Optional, ..route(&format!("/Docs{n}/a%20b"), None) },
            _ => route(&format!("/static/{n}/img"), Some(&[Method::GET])),
        })
        .collect();
    routes.push(Route { access: narrowed("admins"), ..route("/admin/**", None) });
    routes
}

#[test]
fn matching_costs_the_same_for_one_route_and_for_ten_thousand() {
    for path in
        ["/", "/wiki/Some_page", "/admin/users/7", "/api/v4/x/y/z", "/api/none/x", "/team5/a/settings", "/static/3/img"]
    {
        let target = Target::parse(&path.parse().expect(path)).expect(path);
        let visited = |count: usize| -> usize {
            let routes = compile(Policy::Listed, &large(count));
            target.readings().map(|reading| routes.trie.walk(reading.segments(), &mut |_| {})).sum()
        };
        let (few, many) = (visited(10), visited(10_000));
        assert_eq!(visited(1_000), many, "{path}");
        assert!(many <= few + 3, "{path}: {few} nodes of ten routes, {many} of ten thousand");
    }
}

#[test]
fn what_a_path_costs_is_bounded_by_the_patterns_and_not_by_the_path() {
    let routes = compile(Policy::Listed, &large(1_000));
    let long = format!("/team5/{}", "a/".repeat(8_000));
    let target = Target::parse(&long.parse().expect("a target")).expect("a target");
    let visited: usize = target.readings().map(|r| routes.trie.walk(r.segments(), &mut |_| {})).sum();
    assert!(visited <= 4, "{visited}");
    // A thousand routes for one path: the first that serves the method ends the look at them.
    let same: Vec<_> = (0..1_000).map(|_| route("/a/**", None)).collect();
    assert_eq!(first_open(&compile(Policy::Listed, &same), &Method::GET, "/a/b"), Ok(Some(0)));
}

/// What a pattern means, without any trie.
fn matches(pattern: &PathPattern, path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let fits = |(wanted, segment): (&SegmentPattern, &&str)| match wanted {
        SegmentPattern::Literal(text) => text == segment,
        SegmentPattern::Any => !segment.is_empty(),
    };
    (segments.len() == pattern.segments.len() || pattern.and_below && segments.len() > pattern.segments.len())
        && pattern.segments.iter().zip(&segments).all(fits)
}

fn paths(wildcard: &'static str) -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "b", "ab", "cd", wildcard]);
    prop::collection::vec(segment, 1..5).prop_map(|segments| format!("/{}", segments.join("/")))
}

proptest! {
    #[test]
    fn the_trie_finds_the_first_of_a_plain_list(
        patterns in prop::collection::vec((paths("*"), any::<bool>()), 0..30),
        path in paths("e"),
    ) {
        let patterns: Vec<_> =
            patterns.into_iter().map(|(path, below)| if below { path + "/**" } else { path }).collect();
        let routes = routes(&patterns.iter().map(String::as_str).collect::<Vec<_>>());
        let first = patterns.iter().position(|text| matches(&pattern(text), &path));
        prop_assert_eq!(first_open(&routes, &Method::GET, &path), Ok(first));
    }
}
