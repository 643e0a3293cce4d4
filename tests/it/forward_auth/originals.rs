//! Which request a question is about, and that the answer is the one which that request would have got from us.

use super::*;

/// What a visitor who asks for it directly is answered, and whether the app saw it.
async fn directly(stage: &Stage, original: &str, cookie: &str) -> (u16, usize) {
    let (method, target) = original.split_once(' ').expect("a method and a target");
    let answer = stage.send(Request::new(method, target).navigation().header("Cookie", cookie)).await;
    (answer.status, stage.upstream.take().len())
}

/// One row for each way of saying one thing and being read as another. The app of these rows is open below
/// `/public` and closed elsewhere; nobody is signed in.
#[tokio::test]
async fn what_is_decided_about_a_path_is_what_would_be_decided_directly() {
    let stage = Stage::builder().server(TRUSTING).public("/public/**").public_for("/feed", "[\"GET\"]").start().await;
    let ada = stage.sign_in(&ADA).await;
    for (what, original) in [
        ("plain", "GET /public/page?x"),
        ("plain", "GET /secret"),
        ("a method", "GET /feed"),
        ("threat 64", "HEAD /feed"),
        ("threat 64", "POST /feed"),
        ("threat 53", "GET /public/%252e%252e/secret"),
        ("threat 54", "GET /public/..;/secret"),
        ("threat 55", "GET /public/..%2fsecret"),
        ("threat 55", "GET /public/..%5csecret"),
        ("threat 55", "GET /public\\..\\secret"),
        ("threat 57", "GET /secret?/public/"),
        ("CVE-2025-54576", "GET /secret?x=/public"),
        ("threat 58", "GET /public/%23/page"),
        ("CVE-2026-41059", "GET /public/..%2fsecret%23/x"),
        ("threat 59", "GET /PUBLIC/page"),
        ("CVE-2026-27587", "GET /%73ecret"),
        ("threat 61", "CONNECT /public/page"),
        ("threat 61", "TRACE /public/page"),
        ("threat 63", "GET /public/%00"),
        ("threat 63", "GET /public/%c0%ae%c0%ae/secret"),
        ("a bad escape", "GET /public/%zz"),
        ("a method in small letters", "get /public/page"),
    ] {
        for (who, cookie) in [("nobody", ""), ("ada", &*ada)] {
            let (direct, reached) = directly(&stage, original, cookie).await;
            for way in WAYS {
                let question = question(&stage, way, original).navigation().header("Cookie", cookie);
                let answer = ask(&stage, question).await;
                let expected = if direct == 302 { 401 } else { direct };
                assert_eq!(answer.status, expected, "{what}: {original} by {way:?} for {who}: {answer:?}");
                assert_eq!(answer.status == 200, reached == 1, "{what}: {original} by {way:?} for {who}");
            }
        }
    }
    assert_eq!(stage.upstream.take().len(), 0, "questions are no requests");
}

/// We forward what we have judged; a proxy forwards what it got (threats 53 and 56, CVE-2026-33494).
#[tokio::test]
async fn a_path_that_would_reach_the_app_in_another_spelling_is_refused() {
    let stage = Stage::builder().server(TRUSTING).public("/public/**").start().await;
    for target in [
        "/secret/../public/page",
        "/secret/%2e%2e/public/page",
        "/public/./page",
        "/public//page",
        "//public/page",
        "/public/x/..",
    ] {
        let original = format!("GET {target}");
        assert_eq!(directly(&stage, &original, "").await, (200, 1), "{target}: the app is asked for the plain path");
        for way in WAYS {
            let answer = ask(&stage, question(&stage, way, &original)).await;
            assert_eq!(answer.status, 400, "{target} by {way:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn our_own_endpoints_are_not_the_proxys_to_let_through() {
    let stage = asked_only().start().await;
    let ada = stage.sign_in(&ADA).await;
    for (status, target) in [
        (403, "/_vestibule/callback?code=x"), // GHSA-5wcc-hf24-rf5h
        (403, "/_vestibule/auth"),
        (403, "/_vestibule"),
        (403, "/_vestibule/static/x"),
        (400, "/_VESTIBULE/start"),
        (400, "/page/..%2f_vestibule/start"),
        (400, "/_vestibule/..%2fsecret"), // threat 65
        (200, "/_vestibulex"),
    ] {
        for way in WAYS {
            let question = question(&stage, way, &format!("GET {target}")).header("Cookie", &ada);
            let answer = ask(&stage, question).await;
            assert_eq!(answer.status, status, "{target} by {way:?}: {answer:?}");
        }
    }
}

/// A visitor's own words among those of the proxy.
#[tokio::test]
async fn what_a_visitor_adds_to_a_question_can_only_spoil_it() {
    let stage = Stage::builder().server(TRUSTING).public("/public/**").start().await;
    let other_host = "http://elsewhere.example/secret";
    for (what, way, field, status) in [
        ("CVE-2026-40575", Way::Original, ("X-Forwarded-Uri", "/public/page"), 400),
        ("CVE-2026-40575", Way::Forwarded, ("X-Forwarded-Uri", "/public/page"), 400),
        ("CVE-2026-40575", Way::Forwarded, ("X-Original-URL", "/public/page"), 400),
        ("another host", Way::Forwarded, ("X-Original-URL", other_host), 400),
        ("another host", Way::Original, ("X-Forwarded-Host", "elsewhere.example"), 400),
        ("another method", Way::Original, ("X-Forwarded-Method", "OPTIONS"), 400),
        ("another scheme", Way::Original, ("X-Forwarded-Proto", "https"), 400),
        ("two hosts", Way::Forwarded, ("X-Forwarded-Host", "elsewhere.example"), 400),
        ("GHSA-5wcc-hf24-rf5h", Way::Original, ("X-Original-URI", "/_vestibule/auth"), 401),
        ("GHSA-5wcc-hf24-rf5h", Way::Forwarded, ("X-Original-URI", "/public/page"), 401),
        ("threat 49", Way::Forwarded, ("X-Rewrite-URL", "/public/page"), 401),
        ("threat 49", Way::Forwarded, ("Forwarded", "host=elsewhere.example;proto=https"), 401),
        ("threat 64", Way::Forwarded, ("X-HTTP-Method-Override", "OPTIONS"), 401),
        ("CVE-2026-39858", Way::Original, ("X_Forwarded_Uri", "/public/page"), 401),
        ("CVE-2026-34457", Way::Forwarded, ("User-Agent", "GoogleHC/1.0"), 401),
    ] {
        let answer = ask(&stage, question(&stage, way, "GET /secret").headers(&[field])).await;
        assert_eq!(answer.status, status, "{what}: {field:?} by {way:?}: {answer:?}");
        assert_eq!(answer.headers("set-cookie"), [""; 0], "{what}: {field:?}");
    }
    assert_eq!(stage.upstream.connections(), 0);
}

#[tokio::test]
async fn a_question_that_does_not_say_about_what_is_400_and_about_no_app_421() {
    let stage = asked_only().start().await;
    let ada = stage.sign_in(&ADA).await;
    let cookie = |request: Request| request.header("Cookie", &ada).header("Host", stage.authority());
    for (status, request) in [
        (400, Request::get("/_vestibule/auth")),
        (400, Request::get("/_vestibule/auth").header("X-Forwarded-Uri", "/page")),
        (400, Request::get("/_vestibule/auth").header("X-Original-URL", &stage.url("/page"))),
        (400, Request::get("/_vestibule/auth").headers(&[("X-Original-Method", "GET"), ("X-Original-URL", "/page")])),
        (
            421,
            Request::get("/_vestibule/auth")
                .headers(&[("X-Original-Method", "GET"), ("X-Original-URL", "http://elsewhere.example/page")]),
        ),
        (
            414,
            Request::get("/_vestibule/auth").headers(&[
                ("X-Original-Method", "GET"),
                ("X-Original-URL", &stage.url(&format!("/{}", "a".repeat(17 * 1024)))),
            ]),
        ),
    ] {
        let answer = ask(&stage, cookie(request)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

/// CVE-2023-36456, CVE-2024-47070: what cannot be read as an address is no way past a rule on addresses.
#[tokio::test]
async fn a_rule_on_addresses_means_the_visitors_by_the_proxys_word() {
    let access = "policy = \"listed\"\nallow = [{ ip = \"203.0.113.0/24\" }]";
    let stage = Stage::builder().server(TRUSTING).access(access).start().await;
    let ada = stage.sign_in(&ADA).await;
    for (status, chain) in [
        (200, Some("203.0.113.7")),
        (200, Some("198.51.100.1, 203.0.113.7")),
        (403, Some("198.51.100.1")),
        (403, Some("203.0.113.7, 198.51.100.1")),
        (403, Some("a")),
        (403, Some("203.0.113.7, a")),
        (403, Some("")),
        (403, None),
    ] {
        let mut question = question(&stage, Way::Forwarded, "GET /page").header("Cookie", &ada);
        if let Some(chain) = chain {
            question = question.header("X-Forwarded-For", chain);
        }
        assert_eq!(ask(&stage, question).await.status, status, "{chain:?}");
    }
}

#[tokio::test]
async fn a_web_sockets_handshake_is_known_without_its_upgrade() {
    let stage = asked_only().start().await;
    let ada = stage.sign_in(&ADA).await;
    let origin = stage.origin();
    for (status, origin, cookie) in [
        (200, Some(&*origin), &*ada),
        (200, None, &*ada),                         // no browser
        (403, Some("https://evil.example"), &*ada), // threat 114
        (403, Some("null"), &*ada),
        (401, Some(&*origin), ""), // threat 113
    ] {
        let mut question = question(&stage, Way::Forwarded, "GET /socket").headers(&[
            ("Cookie", cookie),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]);
        if let Some(origin) = origin {
            question = question.header("Origin", origin);
        }
        let answer = ask(&stage, question).await;
        assert_eq!(answer.status, status, "{origin:?}: {answer:?}");
        if status != 200 {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{origin:?}");
        }
    }
}

/// The app is that of the original host and path, wherever the question comes in.
#[tokio::test]
async fn an_app_below_a_path_is_found_by_the_original_path() {
    let portal = "\n[[app]]\nid = \"portal\"\npublic_url = \"http://127.0.0.1:PORT\"\n[app.access]\npolicy = \"anyone\"\n\
                  [[app.route]]\npath = \"/open/**\"\naccess = \"public\"\n";
    let wiki = asked_only().app("upstream = \"\"\nmerge_slashes = false").public_path("/wiki").public("/open/**");
    let stage = wiki.more(portal).start().await;
    for (status, original) in [
        (200, "GET /wiki/open/page"),
        (401, "GET /wiki/page"),
        (401, "GET /wiki"),
        (200, "GET /open/page"),
        (401, "GET /wikis/open/page"),
        (403, "GET /wiki/_vestibule/start"),
        (403, "GET /_vestibule/start"),
        (400, "GET /open/..%2fwiki/page"),
        (400, "GET /wiki/open/..%2f..%2f..%2fopen/page"),
        // The wiki wants its slashes, and gets them from the proxy, too; the portal does not.
        (200, "GET /wiki/open//page"),
        (401, "GET /wiki//open/page"),
        (400, "GET /open//page"),
        (400, "GET /wiki/open/../page"),
    ] {
        for (host, endpoint) in [
            (stage.authority(), "/_vestibule/auth"),
            (stage.authority(), "/wiki/_vestibule/auth"),
            ("vestibule.internal", "/_vestibule/auth"),
        ] {
            for way in WAYS {
                let answer = ask(&stage, question(&stage, way, original).at(endpoint).to_host(host)).await;
                assert_eq!(answer.status, status, "{original} by {way:?} at {host}{endpoint}: {answer:?}");
            }
        }
    }
}
