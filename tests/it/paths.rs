//! One path, one verdict: what is judged is what is forwarded (contract section 5).
//!
//! The field's worst bugs are one bug, a policy that judged another path than the one
//! that was served (CVE-2023-33189, GHSA-5wcc-hf24-rf5h, CVE-2026-40575). In each row
//! below something opens `/public/**` and the request wants something else.

use crate::{
    demo::provider::people::ADA,
    harness::{Request, Stage},
};

/// What a visitor without a session is told about whatever is not public.
const REFUSALS: [u16; 4] = [302, 400, 401, 404];

#[tokio::test]
async fn no_spelling_of_a_path_leads_past_the_door() {
    let stage = Stage::builder().public("/public/**").start().await;
    for (id, target) in [
        ("threat 53", "/public/../secret"),
        ("threat 53", "/public/%2e%2e/secret"),
        ("threat 53", "/public/.%2E/secret"),
        ("threat 53", "/public/%252e%252e/secret"),
        ("threat 53", "/public/%25252e%25252e/secret"),
        ("threat 53", "/public/x/../../secret"),
        ("threat 53", "/public/../../../../secret"),
        ("threat 54", "/public/..;/secret"),
        ("threat 54", "/public/..;x=1/secret"),
        ("threat 54", "/public/%2e%2e;/secret"),
        ("threat 54", "/public/..%3b/secret"),
        ("threat 54", "/public;/../secret"),
        ("threat 55", "/public/..%2fsecret"),
        ("threat 55", "/public/..%2Fsecret"),
        ("threat 55", "/public%2f..%2fsecret"),
        ("threat 55", "/public/%2e%2e%2fsecret"),
        ("threat 55", "/public/..%5csecret"),
        ("threat 55", "/public%5c..%5csecret"),
        ("threat 55", "/public/..%252fsecret"),
        ("threat 55", "/public/..\\secret"),
        ("threat 56", "//secret"),
        ("threat 56", "/./secret"),
        ("threat 56", "/public//../secret"),
        ("threat 56", "/public/./../secret"),
        ("threat 56", "//public/../secret"),
        ("CVE-2026-33494", "/public/../../secret"),
        ("CVE-2026-33494", "/public/%2e%2e%2f%2e%2e%2fsecret"),
        ("CVE-2023-33189", "/public/../secret?/public/x"),
        ("CVE-2023-33189", "/./public/../secret/.?/"),
        ("CVE-2021-39206", "/secret#/public/x"),
        ("CVE-2021-39206", "/public/..%2fsecret#/public/x"),
        ("threat 57", "/secret?/public/"),
        ("threat 57", "/secret?/../public/x"),
        ("CVE-2025-54576", "/secret?x=/public/"),
        ("threat 58", "/secret%23/public/x"),
        ("threat 58", "/public/../secret%23"),
        ("CVE-2026-41059", "/public%23/../secret"),
        ("threat 58", "/public/..%2fsecret%3f"),
        ("CVE-2023-47106", "/secret#/public/"),
        ("threat 59", "/PUBLIC/x"),
        ("threat 59", "/Public/x"),
        ("threat 59", "/%73ecret"),
        ("CVE-2026-27587", "/public/..%2F%53ECRET"),
        ("threat 63", "/public/%c0%ae%c0%ae/secret"),
        ("threat 63", "/public/..%c0%afsecret"),
        ("threat 63", "/public/%00"),
        ("threat 63", "/public/x%2500"),
        ("threat 63", "/secret%00/public/"),
        ("CVE-2021-32637", "/public/%"),
        ("CVE-2021-32637", "/public/%zz"),
        ("threat 65", "/_vestibule/..%2fsecret"),
        ("threat 65", "/_vestibule/../secret"),
        ("threat 65", "/_vestibulex"),
        ("threat 65", "/_vestibule;/secret"),
        ("threat 65", "/_VESTIBULE/start"),
        ("threat 65", "/public/..%2f_vestibule/start"),
        ("threat 65", "/_vestibule/no-such-thing"),
        ("CVE-2022-24797", "/_vestibule/debug/pprof"),
        ("threat 65", "/_auth/..%2fsecret"),
        ("a segment is whole", "/publicity"),
        ("a segment is whole", "/public-secret/x"),
    ] {
        let answer = stage.send(Request::get(target).navigation()).await;
        assert!(REFUSALS.contains(&answer.status), "{id} {target}: {answer:?}");
        assert_eq!(stage.upstream.take().len(), 0, "{id} {target} reached the upstream");
    }
}

#[tokio::test]
async fn no_header_changes_what_is_judged() {
    let stage = Stage::builder().server("trusted_proxies = [\"127.0.0.9\"]").public("/public/**").start().await;
    for (id, name, value) in [
        ("CVE-2026-40575", "X-Forwarded-Uri", "/public/x"),
        ("GHSA-5wcc-hf24-rf5h", "X-Original-URI", "/public/x"),
        ("threat 49", "X-Original-URL", "/public/x"),
        ("threat 49", "X-Rewrite-URL", "/public/x"),
        ("threat 49", "X-Forwarded-Prefix", "/public"),
        ("threat 64", "X-HTTP-Method-Override", "OPTIONS"),
        ("CVE-2026-34457", "User-Agent", "GoogleHC/1.0"),
        ("CVE-2026-34457", "User-Agent", "kube-probe/1.31"),
        ("CVE-2024-47616", "Authorization", "Bearer e30.e30.e30"),
        ("CVE-2026-33495", "X-Forwarded-Proto", "https"),
        ("CVE-2023-36456", "X-Forwarded-For", "a"),
    ] {
        for own in [[127, 0, 0, 1], [127, 0, 0, 9]] {
            let mut client = crate::harness::RawClient::connect_from(own.into(), stage.door_address()).await;
            let request = Request::get("/secret").navigation().header(name, value).to_host(stage.authority());
            let answer = client.exchange(&request).await;
            assert_eq!(answer.status, 302, "{id} {name}: {answer:?}");
            assert_eq!(stage.upstream.take().len(), 0, "{id} {name} reached the upstream");
        }
    }
}

#[tokio::test]
async fn threat_60_61_62_a_request_line_that_means_two_things_is_refused() {
    let stage = Stage::builder().public("/**").start().await;
    let host = stage.authority();
    for (id, bytes, statuses) in [
        ("60", format!("GET http://other.example/x HTTP/1.1\r\nHost: {host}\r\n\r\n"), &[400, 421][..]),
        ("60", format!("GET http://{host}/x HTTP/1.1\r\nHost: other.example\r\n\r\n"), &[400, 421]),
        ("60", format!("GET ftp://{host}/x HTTP/1.1\r\nHost: {host}\r\n\r\n"), &[400]),
        ("61", format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"), &[400, 405]),
        ("61", format!("OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n"), &[400]),
        ("61", format!("GET {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"), &[400]),
        ("61", format!("GET x HTTP/1.1\r\nHost: {host}\r\n\r\n"), &[400]),
        ("62", format!("GET /x HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n"), &[400]),
        ("62", format!("GET /x HTTP/1.1\r\nHost: {host}\r\nHost: other.example\r\n\r\n"), &[400]),
        ("62", format!("GET /x HTTP/1.1\r\nHost: {host}, other.example\r\n\r\n"), &[400]),
        ("62", format!("GET /x HTTP/1.1\r\nHost: user@{host}\r\n\r\n"), &[400]),
        ("62", format!("GET http://user@{host}/x HTTP/1.1\r\nHost: {host}\r\n\r\n"), &[400]),
        ("62", format!("GET /x HTTP/1.1\r\nHost: {host}/x\r\n\r\n"), &[400]),
        ("62", "GET /x HTTP/1.1\r\nHost: \r\n\r\n".to_owned(), &[400]),
        ("62", "GET /x HTTP/1.1\r\n\r\n".to_owned(), &[400]),
        ("62", "GET /x HTTP/1.0\r\n\r\n".to_owned(), &[400]),
        ("64", format!("TRACE /x HTTP/1.1\r\nHost: {host}\r\n\r\n"), &[405]),
    ] {
        let answer = stage.send_raw(&bytes).await;
        assert!(statuses.contains(&answer.status), "threat {id} {bytes:?}: {answer:?}");
        assert_eq!(stage.upstream.take().len(), 0, "threat {id} {bytes:?} reached the upstream");
    }
}

#[tokio::test]
async fn threat_60_62_other_spellings_of_the_same_host_are_the_same_app() {
    let stage = Stage::builder().public_host("localhost").public("/**").start().await;
    let port = stage.public_url.port().expect("a port of the tests");
    for host in ["localhost".to_owned(), "LOCALHOST".to_owned(), "localhost:1".to_owned(), format!("LocalHost:{port}")]
    {
        let answer = stage.send(Request::get("/x").header("Host", &host)).await;
        assert_eq!((answer.status, stage.upstream.take().len()), (200, 1), "{host} (CVE-2026-48794)");
    }
    let absolute = format!("GET http://localhost:{port}/x?y HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    assert_eq!(stage.send_raw(&absolute).await.status, 200);
    assert_eq!(stage.upstream.only().target(), "/x?y", "the upstream sees the origin form");
}

#[tokio::test]
async fn threat_64_a_rule_for_methods_holds_for_the_method_that_is_served() {
    let stage = Stage::builder().public_for("/form", "[\"GET\"]").start().await;
    for (method, passes) in
        [("GET", true), ("HEAD", true), ("POST", false), ("OPTIONS", false), ("PUT", false), ("get", false)]
    {
        let answer = stage.send(Request::new(method, "/form").header("Content-Length", "0")).await;
        assert_eq!(stage.upstream.take().len(), usize::from(passes), "{method}: {answer:?}");
        assert_eq!(answer.status == 200, passes, "{method}: {answer:?}");
    }
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        assert_eq!(stage.send(Request::get("/form").header(name, "DELETE")).await.status, 200);
        assert_eq!(stage.upstream.only().headers(name), [""; 0], "the app must not serve another method: {name}");
    }
}

#[tokio::test]
async fn once_signed_in_every_app_gets_its_own_spelling() {
    let stage = Stage::builder().public("/public/**").start().await;
    let cookie = stage.sign_in(&ADA).await;
    for (app, sent, arrives) in [
        ("RabbitMQ", "/api/queues/%2F/orders%2Feu%20100%25", "/api/queues/%2F/orders%2Feu%20100%25"),
        ("npm", "/@scope%2fname", "/@scope%2fname"),
        (
            "GitLab",
            "/api/v4/projects/group%2Fproject/repository/files/a%2Fb.rs?ref=x%2Fy",
            "/api/v4/projects/group%2Fproject/repository/files/a%2Fb.rs?ref=x%2Fy",
        ),
        ("matrix parameters", "/cars;colour=red/x", "/cars;colour=red/x"),
        ("backslashes", "/share%5Cfile", "/share%5Cfile"),
        ("bytes beyond ASCII", "/caf%C3%A9/%E9", "/caf%C3%A9/%E9"),
        ("case", "/README/ReadMe.MD", "/README/ReadMe.MD"),
        (
            "an opaque query",
            "/search?q=%zz&x=//..;/../&y=a+b&z=%2e%2e&&=",
            "/search?q=%zz&x=//..;/../&y=a+b&z=%2e%2e&&=",
        ),
        ("an empty query", "/x?", "/x?"),
        ("dots are resolved", "/a/../b//c/./d", "/b/c/d"),
        ("unreserved escapes", "/%61%2D%7e", "/a-~"),
        ("below a public path and back", "/public/../page", "/page"),
    ] {
        let answer = stage.send(Request::get(sent).header("Cookie", &cookie)).await;
        assert_eq!(answer.status, 200, "{app}: {sent}");
        assert_eq!(stage.upstream.only().target(), arrives, "{app}: {sent}");
    }
}

#[tokio::test]
async fn a_deep_link_comes_back_exactly_with_its_query() {
    let stage = Stage::builder().start().await;
    for deep in [
        "/articles/2026/doors?page=2&q=a%20b%26c",
        "/group%2Fproject/-/tree?ref=x%2Fy&z=%zz&w=a+b&&=&e=",
        "/x?",
        "/search?q=https://elsewhere.example/&rd=//evil.example",
        "/",
    ] {
        let landed = stage.browser(&ADA).open(&stage.url(deep)).await;
        assert_eq!(landed.response.status, 200, "{deep}: {landed:?}");
        assert_eq!(stage.upstream.only().target(), deep);
    }
}
