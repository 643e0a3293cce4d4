//! `[[app.route]]` by whole requests: who passes where, as whom, and what no spelling of a path changes about that.
//!
//! What the rules mean is tested beside them (`src/access`). Here is that the sidecar
//! obeys: rows ask the upstream what it has seen.

use std::net::IpAddr;

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use crate::{
    demo::provider::people::{ADA, GRACE, MALLORY, Person, UMA},
    harness::{RawClient, Request, Stage, binary::Process, upstream::Answer},
};

const LISTED: &str = "policy = \"listed\"\nallow = [{ email_domain = \"example.com\" }]";

/// One route of each kind, for Ada (admins, staff), Grace (staff) and whoever else comes.
async fn stage() -> Stage {
    Stage::builder()
        .access(LISTED)
        .route("path = \"/open/**\"\naccess = \"public\"")
        .route("path = \"/maybe/**\"\naccess = \"optional\"")
        .route("path = \"/talk/**\"\naccess = \"anyone\"")
        .route("path = \"/admin/**\"\naccess = { allow = [{ group = \"admins\" }] }")
        .route("path = \"/office/**\"\naccess = { allow = [{ ip = \"127.0.0.9\" }] }")
        .route("path = \"/closed/**\"\naccess = { deny = [{ email = \"grace@example.com\" }] }")
        .start()
        .await
}

/// What becomes of somebody's request.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// The upstream got it, and was told of this user, if any.
    Passed(Option<String>),
    /// It did not.
    Refused(u16),
}

async fn fate_from(stage: &Stage, own: [u8; 4], request: Request) -> Fate {
    let mut client = RawClient::connect_from(IpAddr::from(own), stage.door_address()).await;
    let answer = client.exchange(&request.to_host(stage.authority())).await;
    let mut seen = stage.upstream.take();
    match (answer.status, seen.pop()) {
        (200, Some(arrived)) if seen.is_empty() => Fate::Passed(arrived.header("x-forwarded-user").map(str::to_owned)),
        (status, None) => Fate::Refused(status),
        (status, some) => panic!("{status}, and the upstream saw {some:?} after {seen:?}"),
    }
}

async fn fate(stage: &Stage, request: Request) -> Fate {
    fate_from(stage, [127, 0, 0, 1], request).await
}

fn passed(user: &str) -> Fate {
    Fate::Passed(Some(user.to_owned()))
}

#[tokio::test]
async fn each_kind_of_route_lets_the_right_people_pass_as_whom_they_are() {
    let stage = stage().await;
    let people: [Option<&'static Person>; 5] = [None, Some(&ADA), Some(&GRACE), Some(&MALLORY), Some(&UMA)];
    let nobody = || Fate::Passed(None);
    let refused = Fate::Refused;
    let rows = [
        ("/page", [refused(401), passed("ada"), passed("grace"), refused(403), refused(403)]),
        ("/open/page", [nobody(), nobody(), nobody(), nobody(), nobody()]),
        ("/maybe/page", [nobody(), passed("ada"), passed("grace"), nobody(), nobody()]),
        ("/talk/page", [refused(401), passed("ada"), passed("grace"), passed("mallory"), passed("uma")]),
        ("/admin/page", [refused(401), passed("ada"), refused(403), refused(403), refused(403)]),
        ("/office/page", [refused(401), refused(403), refused(403), refused(403), refused(403)]),
        ("/closed/page", [refused(401), passed("ada"), refused(403), refused(403), refused(403)]),
    ];
    let mut cookies = Vec::new();
    for person in people {
        cookies.push(match person {
            Some(person) => stage.sign_in(person).await,
            None => "a=b".to_owned(),
        });
    }
    for (path, expected) in rows {
        for ((person, cookie), expected) in people.iter().zip(&cookies).zip(expected) {
            let who = person.map_or("nobody", |person| person.username);
            // A second time: what a session remembers says the same.
            for _ in 0..2 {
                let request = Request::get(path).header("Cookie", cookie);
                assert_eq!(fate(&stage, request).await, expected, "{who} at {path}");
            }
        }
    }
    let metrics = stage.metrics().await;
    for reason in ["not_listed", "email_not_verified", "not_listed_for_route", "denied_by_route"] {
        assert!(
            metrics.contains(&format!("vestibule_refusals_total{{app=\"wiki\",reason=\"{reason}\"}}")),
            "{metrics}"
        );
    }
}

#[tokio::test]
async fn where_a_request_comes_from_is_asked_at_each_request() {
    let stage = stage().await;
    let ada = stage.sign_in(&ADA).await;
    for (own, expected) in
        [([127, 0, 0, 9], passed("ada")), ([127, 0, 0, 1], Fate::Refused(403)), ([127, 0, 0, 9], passed("ada"))]
    {
        let request = Request::get("/office/x").header("Cookie", &ada).header("X-Forwarded-For", "127.0.0.9");
        assert_eq!(fate_from(&stage, own, request).await, expected, "{own:?}");
    }
}

#[tokio::test]
async fn who_may_enter_but_not_by_this_route_is_told_so_and_can_come_as_somebody_else() {
    let stage = stage().await;
    let grace = stage.sign_in(&GRACE).await;
    let page = stage.send(Request::get("/admin/").navigation().header("Cookie", &grace)).await;
    let text = page.text();
    assert_eq!((page.status, page.header("content-type")), (403, Some("text/html; charset=utf-8")), "{page:?}");
    for part in ["You do not have access to this part", "grace@example.com", "Use another account"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let problem = stage.send(Request::get("/admin/api").header("Cookie", &grace)).await;
    assert_eq!((problem.status, problem.header("content-type")), (403, Some("application/problem+json")));
    assert_eq!(stage.upstream.take().len(), 0);
}

#[tokio::test]
async fn a_word_narrows_where_the_app_is_for_anyone() {
    let stage = Stage::builder()
        .access("policy = \"anyone\"\nallow = [{ group = \"staff\" }]")
        .route("path = \"/staff/**\"\naccess = \"listed\"")
        .start()
        .await;
    let (grace, mallory) = (stage.sign_in(&GRACE).await, stage.sign_in(&MALLORY).await);
    for (path, cookie, expected) in [
        ("/page", &grace, passed("grace")),
        ("/page", &mallory, passed("mallory")),
        ("/staff/page", &grace, passed("grace")),
        ("/staff/page", &mallory, Fate::Refused(403)),
        ("/STAFF;x/page", &mallory, Fate::Refused(403)),
    ] {
        assert_eq!(fate(&stage, Request::get(path).header("Cookie", cookie)).await, expected, "{path}");
    }
}

#[tokio::test]
async fn shared_caches_may_keep_what_is_public_and_nothing_that_differs_by_visitor() {
    let stage = stage().await;
    stage.upstream.answer(|_| Answer::with("200 OK", "Cache-Control: public, max-age=60\r\n", "hello"));
    let ada = stage.sign_in(&ADA).await;
    for (path, cookie, is_shared) in [
        ("/open/x", "a=b", true),
        ("/maybe/x", "a=b", false),
        ("/maybe/x", ada.as_str(), false),
        ("/page", ada.as_str(), false),
    ] {
        let answer = stage.send(Request::get(path).header("Cookie", cookie)).await;
        let cached = answer.header("cache-control").unwrap_or_default();
        assert_eq!((answer.status, cached.contains("public")), (200, is_shared), "{path}: {answer:?}");
    }
}

/// What a visitor says about themselves never arrives, whatever the route and whoever they are.
#[tokio::test]
async fn no_route_lets_a_visitor_say_who_they_are() {
    let stage = stage().await;
    let spoofed = [
        ("CVE-2025-64484", "X_Forwarded_User", "admin"),
        ("CVE-2017-6062, CVE-2017-6413", "X-Forwarded-User", "admin"),
        ("CVE-2026-30851", "X-Forwarded-Groups", "admins"),
        ("CVE-2026-30851", "X-Auth-Request-Groups", "admins"),
        ("threat 45", "x-forwarded-USER", "admin"),
        ("threat 47", "X-Forwarded-Email", "admin@example.com"),
        ("threat 46", "Remote-User", "admin"),
    ];
    let mallory = stage.sign_in(&MALLORY).await;
    for (path, cookie, user) in [
        ("/open/x", "a=b", None),
        ("/open/x", &*mallory, None),
        ("/maybe/x", "a=b", None),
        ("/maybe/x", &*mallory, None),
        ("/talk/x", &*mallory, Some("mallory")),
    ] {
        for method in ["GET", "OPTIONS"] {
            let request = Request::new(method, path).header("Cookie", cookie);
            let request = spoofed.iter().fold(request, |request, (_, name, value)| request.header(name, value));
            assert_eq!(stage.send(request).await.status, 200, "{method} {path}");
            let arrived = stage.upstream.only();
            assert_eq!(arrived.header("x-forwarded-user"), user, "{method} {path}");
            for (id, name, value) in spoofed {
                let values: Vec<_> = arrived.headers(name).into_iter().filter(|found| *found == value).collect();
                assert!(values.is_empty(), "{id}: {name} by {method} {path} reached the upstream: {arrived:?}");
            }
        }
    }
}

/// `/admin/**` is for admins; the app around it is open, or for whoever signs in.
#[tokio::test]
async fn no_spelling_of_a_path_slips_past_a_route_that_narrows() {
    let stage = Stage::builder()
        .public("/public/**")
        .route("path = \"/admin/**\"\naccess = { allow = [{ group = \"admins\" }] }")
        .public("/**")
        .start()
        .await;
    let (ada, grace) = (stage.sign_in(&ADA).await, stage.sign_in(&GRACE).await);
    for (id, target, arrives) in [
        ("as it is", "/admin", "/admin"),
        ("below", "/admin/users?x=/public/", "/admin/users?x=/public/"),
        ("threat 53", "/public/../admin", "/admin"),
        ("threat 53", "/public/%2e%2e/admin", "/admin"),
        ("threat 53", "/public/%252e%252e/admin", "/public/%252e%252e/admin"),
        ("threat 53, CVE-2026-33494", "/public/%252e%252e%252fadmin", "/public/%252e%252e%252fadmin"),
        ("threat 54", "/admin;x/", "/admin;x/"),
        ("threat 54", "/admin%3bx/", "/admin%3bx/"),
        ("threat 54", "/public/x;%2f..%2f..%2fadmin", "/public/x;%2f..%2f..%2fadmin"),
        ("threat 55, CVE-2026-33494", "/public/..%2fadmin", "/public/..%2fadmin"),
        ("threat 55", "/public%2f..%2fadmin/x", "/public%2f..%2fadmin/x"),
        ("threat 55", "/public/..%5cadmin", "/public/..%5cadmin"),
        ("threat 55", "/admin%2fusers", "/admin%2fusers"),
        ("threat 56", "//admin", "/admin"),
        ("threat 56", "/./admin//x", "/admin/x"),
        ("threat 56", "/public/%2fadmin/..%2f..%2fadmin", "/public/%2fadmin/..%2f..%2fadmin"),
        ("threat 57, CVE-2023-33189", "/admin?/public/", "/admin?/public/"),
        ("threat 58, CVE-2026-41059", "/admin%23/public", "/admin%23/public"),
        ("threat 58, CVE-2026-41059", "/admin%3f/public", "/admin%3f/public"),
        ("threat 58, CVE-2021-39206", "/admin#/public/", "/admin"),
        ("threat 59", "/ADMIN/", "/ADMIN/"),
        ("threat 59", "/%61dmin", "/admin"),
        ("threat 59, CVE-2026-27587", "/%41DMIN/x", "/ADMIN/x"),
        ("threat 59, CVE-2026-27587", "/public/..%2F%41dmin", "/public/..%2FAdmin"),
        ("threat 59", "/%2561dmin", "/%2561dmin"),
    ] {
        let request = || Request::get(target).navigation();
        let anonymous = fate(&stage, request()).await;
        assert_eq!(anonymous, Fate::Refused(302), "{id}: {target} by nobody");
        let outsider = fate(&stage, request().header("Cookie", &grace)).await;
        assert_eq!(outsider, Fate::Refused(403), "{id}: {target} by Grace");
        let answer = stage.send(request().header("Cookie", &ada)).await;
        assert_eq!(answer.status, 200, "{id}: {target} by Ada");
        assert_eq!(stage.upstream.only().target(), arrives, "{id}: {target}");
    }
    for (id, target) in [
        ("threat 54", "/public/..;/admin"),
        ("threat 55", "/public/..\\admin"),
        ("threat 58", "/admin%00/public"),
        ("threat 63", "/public/%c0%ae%c0%ae/admin"),
        ("threat 63", "/public/..%c0%afadmin"),
        ("out of the root", "/public/..%2f..%2fadmin"),
    ] {
        assert_eq!(
            fate(&stage, Request::get(target).header("Cookie", &ada)).await,
            Fate::Refused(400),
            "{id}: {target}"
        );
    }
    for open in ["/", "/public/x", "/adminx", "/x/admin", "/public/admin", "/?/admin", "/Public/..%2fx"] {
        assert_eq!(fate(&stage, Request::get(open)).await, Fate::Passed(None), "{open}");
    }
}

#[tokio::test]
async fn apps_with_unusual_paths_keep_them_under_routes_of_every_kind() {
    let stage = Stage::builder()
        .access(LISTED)
        .route("path = \"/api/queues/%2F/**\"\naccess = { allow = [{ group = \"admins\" }] }")
        .route("path = \"/api/v4/projects/group%2Fproject/**\"\naccess = { allow = [{ group = \"staff\" }] }")
        .public("/@scope%2fname")
        .public("/packages/**")
        .start()
        .await;
    let (ada, grace) = (stage.sign_in(&ADA).await, stage.sign_in(&GRACE).await);
    for (app, target, of_ada, of_grace, of_nobody) in [
        ("RabbitMQ", "/api/queues/%2F/orders%2Feu%20100%25", 200, 403, 401),
        ("RabbitMQ", "/api/queues/%2F", 200, 403, 401),
        ("RabbitMQ, another spelling", "/api/queues/%2f/x", 200, 403, 401),
        ("RabbitMQ, another vhost", "/api/queues/dev/orders%25", 200, 200, 401),
        ("GitLab", "/api/v4/projects/group%2Fproject/files/a%2Fb.rs?ref=x%2Fy", 200, 200, 401),
        ("GitLab, another project", "/api/v4/projects/group%2Fother", 200, 200, 401),
        ("npm", "/@scope%2fname", 200, 200, 200),
        ("npm, below what is open", "/packages/@scope%2fname", 200, 200, 200),
        ("npm, another package", "/@scope%2fother", 200, 200, 401),
    ] {
        for (cookie, status) in [(&ada, of_ada), (&grace, of_grace), (&"a=b".to_owned(), of_nobody)] {
            let answer = stage.send(Request::get(target).header("Cookie", cookie)).await;
            assert_eq!(answer.status, status, "{app}: {target}: {answer:?}");
            let arrived: Vec<_> = stage.upstream.take().iter().map(|request| request.target().to_owned()).collect();
            let expected: &[&str] = if status == 200 { &[target] } else { &[] };
            assert_eq!(arrived, expected, "{app}: unchanged or not at all");
        }
    }
}

/// Everything that some server may take a path for: the forms of it, each as a list of names in lower case.
fn forms(path: &str) -> Vec<Vec<String>> {
    let decode = |path: &str| percent_encoding::percent_decode_str(path).map(char::from).collect::<String>();
    let cut = |path: &str| {
        let names = path.split('/').map(|name| name.split(';').next().unwrap_or_default());
        names.collect::<Vec<_>>().join("/")
    };
    let turn = |path: &str| path.replace('\\', "/");
    let end = |path: &str| path.split(['?', '#']).next().unwrap_or_default().to_owned();
    let mut texts = vec![path.to_owned()];
    for _ in 0..3 {
        let more: Vec<String> = texts
            .iter()
            .flat_map(|text| [decode(text), cut(text), turn(text), end(text), decode(&cut(text))])
            .collect();
        texts.extend(more);
        texts.sort();
        texts.dedup();
    }
    let names = |text: &String| {
        let mut names: Vec<String> = Vec::new();
        for name in text.split('/') {
            match name {
                "" | "." => {}
                ".." => drop(names.pop()),
                name => names.push(name.to_ascii_lowercase()),
            }
        }
        names
    };
    texts.iter().map(names).collect()
}

/// Whatever bytes a visitor thinks of, what arrives is closed to nobody's eyes if it was let through as open.
#[tokio::test]
async fn nothing_arrives_that_some_server_would_take_for_what_is_closed() {
    let stage = Stage::builder()
        .public("/public/**")
        .route("path = \"/admin/**\"\naccess = { allow = [{ group = \"admins\" }] }")
        .start()
        .await;
    let grace = stage.sign_in(&GRACE).await;
    let pieces = vec![
        "/",
        "/",
        "/",
        "//",
        "/../",
        "/..",
        "/./",
        "%2e%2e",
        "%2f",
        "%2F",
        "%5c",
        "%252f",
        "%252e%252e",
        ";",
        ";x=1",
        "%3b",
        "%23",
        "%3f",
        "public",
        "public",
        "admin",
        "admin",
        "ADMIN",
        "%61dmin",
        "%41dmin",
        "%2561dmin",
        "x",
        "y",
        "%20",
    ];
    let targets = prop::collection::vec(prop::sample::select(pieces), 1..8);
    let mut runner = TestRunner::new_with_rng(
        proptest::test_runner::Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, b"the same targets in every run :-"),
    );
    let (mut open, mut signed_in) = (0, 0);
    let mut client = stage.connect().await;
    for turn in 0..600 {
        let target = format!(
            "{}{}",
            ["/", "/public/"][turn / 2 % 2],
            targets.new_tree(&mut runner).expect("a list").current().concat()
        );
        let request = Request::get(&target).to_host(stage.authority());
        let anonymous = turn % 2 == 0;
        let answer = client.exchange(&if anonymous { request } else { request.header("Cookie", &grace) }).await;
        for arrived in stage.upstream.take() {
            let path = arrived.target().split('?').next().unwrap_or_default().to_owned();
            for form in forms(&path) {
                let first = form.first().map(String::as_str);
                assert_ne!(first, Some("admin"), "{target} arrived as {path}");
                assert!(!anonymous || first == Some("public"), "{target} arrived as {path} from nobody");
            }
            if anonymous { open += 1 } else { signed_in += 1 }
        }
        if answer.header("connection") == Some("close") {
            client = stage.connect().await;
        }
    }
    assert!(open > 20 && signed_in > 40, "{open} and {signed_in} requests say too little");
}

#[tokio::test]
async fn explain_answers_from_the_file_and_its_status_says_whether_it_could() {
    let file = "[[provider]]\nid = \"company\"\nissuer = \"https://id.example.com\"\nclient_id = \"wiki\"\n\
                [[app]]\nid = \"wiki\"\npublic_url = \"https://wiki.example.com\"\nupstream = \"http://127.0.0.1:1\"\n\
                [app.access]\npolicy = \"anyone\"\n[[app.route]]\npath = \"/admin/**\"\n\
                access = { allow = [{ group = \"admins\" }] }\n";
    let ask = |file: &str, words: &str| {
        let words: Vec<_> = ["explain"].into_iter().chain(words.split(' ')).collect();
        Process::run(&words, &[("vestibule.toml", file)])
    };
    for (file, words, status, part) in [
        (file, "--app wiki GET /admin", 0, "a navigation is sent to sign in"),
        (file, "--app wiki --as ann@example.com GET /public/..%2fadmin", 0, "not_listed_for_route"), // the README's
        (file, "--app wiki --as ann@example.com GET /ADMIN;x", 0, "not_listed_for_route"),
        (file, "--app wiki --as ann@example.com --group admins GET /admin", 0, "vestibule.toml:13"),
        (file, "--app wiki GET /%00", 0, "400"),
        (file, "--app docs GET /admin", 2, "the apps are: wiki"),
        (file, "--app wiki GET", 2, "required arguments"),
        (file, "--config none.toml --app wiki GET /", 78, "none.toml"),
        ("[[app]]\n", "--app wiki GET /", 78, "faults"),
    ] {
        let (ended, said) = ask(file, words).end().await;
        assert_eq!(ended.code(), Some(status), "{words}: {said}");
        assert!(said.contains(part), "{words}: {said}");
    }
}
