//! The compiled routes against two that know nothing of tries: a plain reading of the rule in
//! the head of [`routes`](super::super), and servers that take a path as theirs do.
//!
//! The seed is fixed, so that a run on one machine is the run on every other; a failure is shrunk as usual.

use proptest::{
    prelude::*,
    test_runner::{Config as Runs, RngSeed},
};

use super::*;

/// What a route of a generated file says.
#[derive(Clone, Debug)]
struct Line {
    path: String,
    methods: Option<Vec<Method>>,
    access: RouteAccess,
}

fn runs(cases: u32) -> Runs {
    Runs { cases, rng_seed: RngSeed::Fixed(0x7265_6164), failure_persistence: None, ..Runs::default() }
}

/// Compiles a file; the table of each route has the number of the route.
fn compile_lines(policy: Policy, lines: &[Line]) -> (Vec<Route>, Routes) {
    let routes: Vec<Route> = lines
        .iter()
        .map(|line| Route {
            path: pattern(&line.path),
            methods: line.methods.clone(),
            access: line.access.clone(),
            written: Written::default(),
        })
        .collect();
    let mut narrowing = (0..lines.len()).filter(|place| matches!(lines[*place].access, RouteAccess::Narrowed(_)));
    let compiled = Routes::compile(policy, &routes, |_| narrowing.next().expect("one for each route that narrows"));
    drop(narrowing);
    (routes, compiled)
}

/// Whether whoever satisfies a demand satisfies a route too, or the policy alone.
fn satisfies(demand: &Demand, policy: Policy, route: Option<(usize, &RouteAccess)>) -> bool {
    match route {
        None => demand.word >= Word::Policy(policy),
        Some((_, RouteAccess::Public)) => true,
        Some((_, RouteAccess::Optional)) => demand.word >= Word::Optional,
        Some((_, RouteAccess::Policy(word))) => demand.word >= Word::Policy(*word),
        Some((place, RouteAccess::Narrowed(_))) => {
            demand.word >= Word::Policy(policy) && demand.tables().any(|table| table == place)
        }
    }
}

fn opens(policy: Policy, access: &RouteAccess) -> bool {
    match access {
        RouteAccess::Public | RouteAccess::Optional => true,
        RouteAccess::Policy(word) => *word < policy,
        RouteAccess::Narrowed(_) => false,
    }
}

fn serves(policy: Policy, line: &Line, method: &Method) -> bool {
    line.methods.as_ref().is_none_or(|methods| {
        methods.iter().any(|known| {
            let same = if opens(policy, &line.access) {
                known == method
            } else {
                known.as_str().eq_ignore_ascii_case(method.as_str())
            };
            same || known == Method::GET && method == Method::HEAD
        })
    })
}

/// One server's way with a path, and with the names that rules are written in.
#[derive(Clone, Copy, Debug)]
struct Server {
    /// What it does, in this order, and then as long as it changes anything if `again`.
    steps: &'static [Step],
    again: bool,
    /// Whether case matters to it.
    folds: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Decode,
    CutParameters,
    TurnBackslashes,
    CutQuery,
    Resolve,
}

impl Server {
    fn read(self, path: &str) -> Vec<u8> {
        let mut path = path.as_bytes().to_vec();
        loop {
            let before = path.clone();
            for step in self.steps {
                path = step.take(&path);
            }
            if !self.again || path == before {
                break;
            }
        }
        // Whatever looks files or routes up does that in the end.
        path = Step::Resolve.take(&path);
        if self.folds { path.to_ascii_lowercase() } else { path }
    }

    /// A literal of a pattern, as the name of what it finds there.
    fn name(self, literal: &str) -> Vec<u8> {
        let mut name = literal.as_bytes().to_vec();
        let layers = self.steps.iter().filter(|step| **step == Step::Decode).count();
        for _ in 0..if self.again { 9 } else { layers } {
            name = Step::Decode.take(&name);
        }
        if self.folds { name.to_ascii_lowercase() } else { name }
    }

    /// What it serves a path as: the first route of the file.
    fn route(self, path: &str, method: &Method, policy: Policy, lines: &[Line], routes: &[Route]) -> Option<usize> {
        let path = self.read(path);
        let segments: Vec<&[u8]> = path.split(|byte| *byte == b'/').skip(1).collect();
        routes.iter().zip(lines).position(|(route, line)| {
            let wanted = &route.path.segments;
            let length =
                if route.path.and_below { segments.len() >= wanted.len() } else { segments.len() == wanted.len() };
            let fits = |(wanted, segment): (&SegmentPattern, &&[u8])| match wanted {
                SegmentPattern::Literal(text) => self.name(text) == *segment,
                SegmentPattern::Any => !segment.is_empty(),
            };
            length && wanted.iter().zip(&segments).all(fits) && serves(policy, line, method)
        })
    }
}

impl Step {
    fn take(self, path: &[u8]) -> Vec<u8> {
        match self {
            Self::Decode => percent_encoding::percent_decode(path).collect(),
            Self::TurnBackslashes => path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect(),
            Self::CutQuery => path.split(|byte| b"?#".contains(byte)).next().unwrap_or_default().to_vec(),
            Self::CutParameters => {
                let names = path.split(|byte| *byte == b'/').map(|segment| segment.split(|byte| *byte == b';').next());
                names.map(Option::unwrap_or_default).collect::<Vec<_>>().join(&b'/')
            }
            Self::Resolve => {
                let mut kept: Vec<&[u8]> = Vec::new();
                let segments: Vec<&[u8]> = path.split(|byte| *byte == b'/').skip(1).collect();
                for segment in &segments {
                    match *segment {
                        b"" | b"." => {}
                        b".." => drop(kept.pop()),
                        name => kept.push(name),
                    }
                }
                let is_folder = segments.last().is_none_or(|last| matches!(*last, b"" | b"." | b".."));
                let mut path: Vec<u8> = kept.iter().flat_map(|name| [b"/", *name].concat()).collect();
                if is_folder {
                    path.push(b'/');
                }
                path
            }
        }
    }
}

const SERVERS: [Server; 11] = {
    use Step::{CutParameters, CutQuery, Decode, Resolve, TurnBackslashes};
    const fn server(steps: &'static [Step]) -> Server {
        Server { steps, again: false, folds: false }
    }
    [
        server(&[]),
        server(&[Decode]),
        server(&[Decode, Decode]),
        server(&[Resolve, Decode, Resolve]),
        server(&[CutParameters, Decode]),
        server(&[Decode, CutParameters]),
        server(&[Decode, CutQuery, Decode]),
        server(&[Decode, TurnBackslashes]),
        server(&[TurnBackslashes, CutParameters, Resolve, Decode, CutParameters]),
        Server { again: true, ..server(&[Decode, TurnBackslashes, CutParameters]) },
        Server { folds: true, ..server(&[]) },
    ]
};

fn all_servers() -> impl Iterator<Item = Server> {
    SERVERS.into_iter().flat_map(|server| [server, Server { folds: true, ..server }])
}

fn access() -> impl Strategy<Value = RouteAccess> {
    prop_oneof![
        3 => Just(RouteAccess::Public),
        1 => Just(RouteAccess::Optional),
        2 => Just(RouteAccess::Policy(Policy::Anyone)),
        1 => Just(RouteAccess::Policy(Policy::Listed)),
        4 => Just(narrowed("ops")),
    ]
}

fn lines(paths: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<Line>> {
    let methods = prop_oneof![
        4 => Just(None),
        1 => Just(Some(vec![Method::GET])),
        1 => Just(Some(vec![Method::POST, Method::PUT])),
    ];
    let line = (paths, any::<bool>(), methods, access()).prop_map(|(path, below, methods, access)| Line {
        path: if below { path + "/**" } else { path },
        methods,
        access,
    });
    prop::collection::vec(line, 0..8)
}

/// Patterns in lower case and without escapes: who reads them differs about nothing.
fn plain_patterns() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["public", "admin", "a", "b", "*"]);
    prop::collection::vec(segment, 1..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn patterns() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec![
        "public",
        "admin",
        "Admin",
        "a",
        "B",
        "*",
        "a%20b",
        "A%21",
        "%2F",
        "%25",
        "x%3F",
        "x%23y",
        "%3Bv",
        "%2A",
        "caf%C3%A9",
    ]);
    prop::collection::vec(segment, 1..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn targets() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/",
        "/",
        "/",
        "//",
        "/../",
        "/./",
        "..",
        ".",
        "%2e",
        "%2f",
        "%2F",
        "%5c",
        "%25",
        "%252f",
        "%252e",
        "%3b",
        ";",
        ";x=1",
        "%23",
        "%3f",
        "%2a",
        "*",
        "public",
        "public",
        "admin",
        "admin",
        "Admin",
        "ADMIN",
        "PUBLIC",
        "%61dmin",
        "%41dmin",
        "%2561dmin",
        "a",
        "A",
        "b",
        "B",
        "%62",
        "a%20b",
        "A%20b",
        "A!",
        "a%21",
        "a%2521",
        "x%3f",
        "x%3Fy",
        "%c3%a9",
        "caf%c3%a9",
        "caf%C3%A9",
    ]);
    prop::collection::vec(piece, 0..9).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn policies() -> impl Strategy<Value = Policy> {
    prop_oneof![Just(Policy::Anyone), Just(Policy::Listed)]
}

fn methods() -> impl Strategy<Value = Method> {
    let post = Method::from_bytes(b"post").expect("a method");
    prop::sample::select(vec![Method::GET, Method::HEAD, Method::POST, post])
}

fn parsed(sent: &str) -> Option<Target> {
    Target::parse(&sent.parse().ok()?).ok()
}

proptest! {
    #![proptest_config(runs(1000))]

    #[test]
    fn the_trie_agrees_with_the_rule_as_it_is_worded(
        policy in policies(), lines in lines(plain_patterns()), method in methods(), sent in targets(),
    ) {
        let (routes, compiled) = compile_lines(policy, &lines);
        let Some(target) = parsed(&sent) else { return Ok(()) };
        let demand = compiled.demand(&method, &target);
        prop_assert_eq!(&demand, &compiled.by_all_readings(&method, &target, &mut |_| {}));

        let readings: Vec<String> = target.readings().map(|r| String::from_utf8_lossy(r.path).into_owned()).collect();
        let meets = |place: usize, path: &str| matches(&routes[place].path, path) && serves(policy, &lines[place], &method);
        let (mut word, mut tables) = (Word::Public, std::collections::BTreeSet::new());
        for path in &readings {
            let mut search = (0..lines.len()).filter(|place| meets(*place, path));
            let ends = loop {
                let Some(place) = search.next() else { break false };
                match &lines[place].access {
                    RouteAccess::Public => {}
                    RouteAccess::Optional => word = word.max(Word::Optional),
                    RouteAccess::Policy(policy) => word = word.max(Word::Policy(*policy)),
                    RouteAccess::Narrowed(_) => {
                        word = word.max(Word::Policy(policy));
                        tables.insert(place);
                    }
                }
                if !opens(policy, &lines[place].access) || readings.iter().all(|path| meets(place, path)) {
                    break true;
                }
            };
            if !ends {
                word = word.max(Word::Policy(policy));
            }
        }
        prop_assert_eq!(demand.word, word);
        prop_assert_eq!(demand.tables().collect::<std::collections::BTreeSet<_>>(), tables);
    }

    #[test]
    fn whatever_a_server_makes_of_a_path_the_route_for_that_is_satisfied(
        policy in policies(), mut lines in lines(patterns()), method in methods(), sent in targets(),
    ) {
        // What it means to open a name that has another shape to some servers has rows of its own.
        let changes_shape = |line: &Line| ["%2F", "%3", "%23"].iter().any(|escape| line.path.contains(escape));
        lines.retain(|line| !(opens(policy, &line.access) && changes_shape(line)));
        let (routes, compiled) = compile_lines(policy, &lines);
        let Some(target) = parsed(&sent) else { return Ok(()) };
        let demand = compiled.demand(&method, &target);
        prop_assert_eq!(&demand, &compiled.by_all_readings(&method, &target, &mut |_| {}));
        for server in all_servers() {
            // What was judged is what it is sent.
            let route = server.route(target.path(), &method, policy, &lines, &routes);
            let served = route.map(|place| (place, &lines[place].access));
            // A server that folds methods as well meets rules for `POST` with `post`; those that open do not count then.
            prop_assert!(satisfies(&demand, policy, served), "{server:?} serves {served:?} for {demand:?}");
        }
    }
}

#[test]
fn the_servers_are_those_that_people_run() {
    let served = |server: usize, path: &str| String::from_utf8(SERVERS[server].read(path)).expect("ASCII");
    for (server, path, read) in [
        (0, "/public/..%2fadmin", "/public/..%2fadmin"),
        (1, "/public/..%2fadmin", "/admin"),
        (1, "/public/%252e%252e/admin", "/public/%2e%2e/admin"),
        (2, "/public/%252e%252e%252fadmin", "/admin"),
        (4, "/admin;x/y", "/admin/y"),
        (4, "/admin%3bx/y", "/admin;x/y"),
        (5, "/admin%3bx/y", "/admin/y"),
        (6, "/admin%23/public", "/admin"),
        (7, "/public%5c..%5cadmin", "/admin"),
        (10, "/ADMIN", "/admin"),
    ] {
        assert_eq!(served(server, path), read, "{server}: {path}");
    }
}
