//! `strip_path`: an upstream that lives at its own root.

use crate::{
    demo::provider::people::ADA,
    harness::{Configuration, Request, Stage, upstream::Answer},
};

fn stripping() -> Configuration {
    Stage::builder().public_path("/wiki").app("strip_path = true")
}

#[tokio::test]
async fn the_upstream_is_told_of_the_path_by_us_alone() {
    for (configuration, told) in [
        (stripping(), vec!["/wiki"]),
        (Stage::builder().public_path("/wiki"), vec![]),
        (Stage::builder().app("strip_path = true"), vec![]),
    ] {
        let stage = configuration.public("/**").start().await;
        let path = format!("{}page", stage.public_url.path());
        for (name, value) in [
            ("X-Forwarded-Prefix", "/evil"),
            ("x-forwarded-prefix", "/evil"),
            ("X_Forwarded_Prefix", "/evil"), // CVE-2026-39858
            ("X-Forwarded_Prefix", "/evil"),
            ("X-Original-URL", "/secret"),
            ("X-Forwarded-Uri", "/secret"),
        ] {
            let answer = stage.send(Request::get(&path).header(name, value)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let seen = stage.upstream.only();
            assert_eq!(seen.headers("x-forwarded-prefix"), told, "threat 49: {name}");
            assert!(!seen.head.fields.iter().any(|(_, seen)| seen == value), "threat 49: {name}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn its_redirects_come_back_below_the_path() {
    let stage = stripping().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let (origin, upstream) = (stage.origin(), stage.upstream.address());
    let portless = origin.rsplit_once(':').expect("a port").0;
    for (said, heard) in [
        ("/login?next=/x".to_owned(), "/wiki/login?next=/x".to_owned()),
        ("/".to_owned(), "/wiki/".to_owned()),
        (format!("http://{upstream}/login"), format!("{origin}/wiki/login")),
        (format!("{origin}/login"), format!("{origin}/wiki/login")),
        (format!("{portless}/login"), format!("{portless}/login")), // somebody else's port
        ("/wiki/login".to_owned(), "/wiki/login".to_owned()),
        ("login".to_owned(), "login".to_owned()),
        ("https://elsewhere.example/".to_owned(), "https://elsewhere.example/".to_owned()),
    ] {
        for (name, before) in [("Location", ""), ("Content-Location", ""), ("Refresh", "0; url=")] {
            let field = format!("{name}: {before}{said}\r\n");
            stage.upstream.answer(move |_| Answer::with("302 Found", &field, ""));
            let answer = stage.send(Request::get("/wiki/page").header("Cookie", &cookie)).await;
            assert_eq!(answer.header(name), Some(&*format!("{before}{heard}")), "{said}");
        }
    }
}

#[tokio::test]
async fn a_whole_visit_stays_below_the_path() {
    let stage = stripping().start().await;
    stage.upstream.answer(|request| match request.target() {
        "/old" => Answer::with("302 Found", "Location: /new\r\nSet-Cookie: theirs=1; Path=/\r\n", ""),
        target => Answer::ok(target),
    });
    let landed = stage.browser(&ADA).open(&stage.url("/wiki/old")).await;
    assert_eq!((landed.response.status, &*landed.response.text()), (200, "/new"), "{landed:?}");
    assert_eq!(landed.url.as_str(), stage.url("/wiki/new"));
    let seen: Vec<_> = stage.upstream.take().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(seen, ["/old", "/new"]);
    let cookie = &landed.hops.last().expect("the app's redirect").1;
    assert_eq!(cookie.headers("set-cookie"), ["theirs=1; Path=/"], "the app's cookies are its own affair");
}

/// What the app's root page says of itself would be looked for beside the app otherwise.
#[tokio::test]
async fn the_public_url_without_its_slash_leads_to_the_folder() {
    let stage = stripping().public("/**").start().await;
    for (sent, leads_to) in [("/wiki", "/wiki/"), ("/wiki?a=/b", "/wiki/?a=/b"), ("/wiki?", "/wiki/?")] {
        for method in ["GET", "HEAD"] {
            let answer = stage.send(Request::new(method, sent)).await;
            assert_eq!((answer.status, answer.location()), (302, leads_to), "{method} {sent}");
            assert!(stage.upstream.take().is_empty());
        }
    }
    assert_eq!(stage.send(Request::post("/wiki", "x")).await.status, 200, "a form is not sent twice");
    assert_eq!(stage.upstream.only().target(), "/");
    let knowing = Stage::builder().public_path("/wiki").public("/**").start().await;
    assert_eq!(knowing.send(Request::get("/wiki")).await.status, 200, "who knows of the path says it better");
    assert_eq!(knowing.upstream.only().target(), "/wiki");
}
