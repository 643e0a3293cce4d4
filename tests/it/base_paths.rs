//! Apps by host and path (contract §3 and §5): whose a request is, what its upstream sees of the path, and where
//! sign-ins lead.

mod health;
mod merged_slashes;
mod sign_ins;
mod stripped;

use crate::harness::{
    Configuration, Recorded, RecordingUpstream, Request, Stage, client::WEB_SOCKET, upstream::Answer,
};

/// One more app at the same port, open to everybody, before an upstream of its own.
fn another(id: &str, public_url: &str, upstream: &RecordingUpstream, lines: &str) -> String {
    format!(
        "\n[[app]]\nid = {id:?}\npublic_url = {public_url:?}\nupstream = \"http://{}\"\n{lines}\n\
         [app.access]\npolicy = \"anyone\"\n[[app.route]]\npath = \"/**\"\naccess = \"public\"\n",
        upstream.address()
    )
}

/// The wiki at `/wiki`, its editors' app below it, and an app that has the rest of the host; each open to everybody.
struct Neighbours {
    stage: Stage,
    edit: RecordingUpstream,
    portal: RecordingUpstream,
}

impl Neighbours {
    async fn start(configuration: Configuration) -> Self {
        let (edit, portal) = (RecordingUpstream::start().await, RecordingUpstream::start().await);
        let more = another("edit", "http://127.0.0.1:PORT/wiki/edit", &edit, "strip_path = true")
            + &another("portal", "http://127.0.0.1:PORT", &portal, "");
        let stage = configuration.public_path("/wiki").public("/**").more(&more).start().await;
        Self { stage, edit, portal }
    }

    /// What each of the three upstreams has seen since it was last asked.
    fn seen(&self) -> [Vec<Recorded>; 3] {
        [&self.stage.upstream, &self.edit, &self.portal].map(RecordingUpstream::take)
    }
}

#[tokio::test]
async fn an_app_is_found_by_the_longest_path_and_sees_what_is_its_own() {
    let neighbours = Neighbours::start(Stage::builder()).await;
    for (sent, app, arrives) in [
        ("/wiki", 0, "/wiki"),
        ("/wiki/", 0, "/wiki/"),
        ("/wiki/Page%2Fone?a=%2F", 0, "/wiki/Page%2Fone?a=%2F"),
        ("//wiki//a", 0, "/wiki/a"),
        ("/wiki/editor", 0, "/wiki/editor"),
        ("/wiki/edit/", 1, "/"),
        ("/wiki/edit/?a=b", 1, "/?a=b"),
        ("/wiki/edit/a%2Fb;c//d/?e=//", 1, "/a%2Fb;c/d/?e=//"),
        ("/wiki/edit/wiki/edit", 1, "/wiki/edit"),
        ("/", 2, "/"),
        ("/wikis", 2, "/wikis"),
        ("/x?/wiki/edit", 2, "/x?/wiki/edit"),
    ] {
        let answer = neighbours.stage.send(Request::get(sent)).await;
        assert_eq!(answer.status, 200, "{sent}: {answer:?}");
        let seen = neighbours.seen().map(|seen| seen.iter().map(|r| r.target().to_owned()).collect::<Vec<_>>());
        let mut expected = [const { Vec::new() }; 3];
        expected[app] = vec![arrives.to_owned()];
        assert_eq!(seen, expected, "{sent}");
    }
}

#[tokio::test]
async fn threat_53_55_59_no_spelling_leads_into_another_app_or_out_of_one() {
    let neighbours = Neighbours::start(Stage::builder()).await;
    for sent in [
        "/wiki/../secret",
        "/wiki/%2e%2e/secret",
        "/wiki/edit/../page",
        "/wiki/edit/../../secret",
        "/wiki/../wiki/page",
        "/wiki/..%2fsecret",
        "/wiki/..%5csecret",
        "/wiki/%252e%252e/secret",
        "/wiki/x/..%2fedit/save",
        "/wiki%2fedit/save",
        "/wiki/edit/..%2fpage",
        "/x/..%2fwiki/page",
        "/WIKI/page",
        "/wiki/Edit/save",
        "/%2577iki/page",
        "/wiki;x/page",
        "/;/wiki/page",
        "/wiki/..;/secret",
        "/wiki%3fpage",
        // out of the root of an upstream that does not know of the path
        "/wiki/edit/..%2fwiki/edit/save",
        "/wiki/edit/a/..%2f..%2fwiki/edit/save",
    ] {
        let answer = neighbours.stage.send(Request::get(sent)).await;
        assert_eq!(answer.status, 400, "{sent}: {answer:?}");
        assert!(neighbours.seen().iter().all(Vec::is_empty), "{sent} reached an upstream");
    }
}

#[tokio::test]
async fn rules_of_an_app_begin_at_its_public_url() {
    for lines in ["", "strip_path = true"] {
        let stage = Stage::builder().app(lines).public_path("/wiki").public("/public/**").start().await;
        for (sent, opens) in [
            ("/wiki/public/page", true),
            ("/wiki/public", true),
            ("/wiki/private", false),
            ("/wiki/public/..%2fprivate", false),
            ("/wiki/wiki/public/page", false),
            ("/public/page", false),
        ] {
            let answer = stage.send(Request::get(sent)).await;
            assert_eq!(
                (answer.status == 200, stage.upstream.take().len()),
                (opens, usize::from(opens)),
                "{sent} {lines}"
            );
        }
    }
}

#[tokio::test]
async fn where_no_app_has_the_path_nobody_is_asked() {
    let stage = Stage::builder().public_path("/wiki").public("/**").start().await;
    for sent in ["/", "/wikis", "/_vestibule/start", "/_vestibule/static/icon.svg", "/x%2fwiki"] {
        for request in [Request::get(sent), Request::get(sent).navigation()] {
            let answer = stage.send(request).await;
            assert_eq!((answer.status, stage.upstream.take().len()), (421, 0), "{sent}: {answer:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    assert!(stage.metrics().await.contains("reason=\"unknown_path\""));
}

#[tokio::test]
async fn a_star_in_hosts_is_one_label_and_a_name_that_is_written_out_wins() {
    let named = RecordingUpstream::start().await;
    let more = another("named", "http://named.review.example.com", &named, "insecure_http = true");
    let stage = Stage::builder().app("hosts = [\"*.review.example.com\"]").public("/**").more(&more).start().await;
    for (host, status, wildcard, written_out) in [
        ("a.review.example.com", 200, 1, 0),
        ("Feature-42.REVIEW.example.com:8443", 200, 1, 0),
        ("named.review.example.com", 200, 0, 1),
        ("review.example.com", 421, 0, 0),
        ("a.b.review.example.com", 421, 0, 0),
        ("a.review.example.com.evil.example", 421, 0, 0),
        ("xreview.example.com", 421, 0, 0), // CVE-2021-21291
        ("a.review.example.com.", 400, 0, 0),
        (".review.example.com", 400, 0, 0),
    ] {
        let answer = stage.send(Request::get("/x").header("Host", host)).await;
        let seen = (stage.upstream.take().len(), named.take().len());
        assert_eq!((answer.status, seen), (status, (wildcard, written_out)), "{host}: {answer:?}");
    }
    // Its people sign in at the public URL, as under any further name.
    let private =
        stage.send(Request::get("/_vestibule/start").navigation().header("Host", "a.review.example.com")).await;
    assert_eq!((private.status, private.location()), (302, &*stage.own("/start")));
}

#[tokio::test]
async fn pages_of_the_hosts_that_a_star_stands_for_may_open_web_sockets() {
    let stage = Stage::builder().app("hosts = [\"*.review.example.com\"]").public("/**").start().await;
    stage.upstream.answer(|_| Answer::Echo);
    let port = stage.public_url.port().expect("a port of the tests");
    for (origin, status) in [
        (stage.origin(), 101),
        (format!("http://a.review.example.com:{port}"), 101),
        ("http://a.review.example.com".to_owned(), 403),
        (format!("https://a.review.example.com:{port}"), 403),
        (format!("http://review.example.com:{port}"), 403),
        (format!("http://a.b.review.example.com:{port}"), 403),
        (format!("http://a.review.example.com:{port}:{port}"), 403),
        (format!("http://evil.example#.review.example.com:{port}"), 403),
        (format!("http://evil@a.review.example.com:{port}"), 403),
        ("null".to_owned(), 403),
    ] {
        let request = Request::get("/socket")
            .header("Host", "a.review.example.com")
            .headers(&WEB_SOCKET)
            .header("Origin", &origin);
        let answer = stage.connect().await.exchange(&request).await;
        assert_eq!(answer.status, status, "{origin}: {answer:?}");
        assert_eq!(stage.upstream.take().len(), usize::from(status == 101), "{origin}");
    }
}
