//! `health_path`: what load balancers ask at the visitors' listener.

use crate::harness::{Request, Stage};

#[tokio::test]
async fn it_answers_for_any_host_and_nobody_else_hears_of_it() {
    let stage = Stage::builder().server("health_path = \"/healthz\"").public("/**").start().await;
    let authority = stage.authority();
    for (what, request) in [
        ("the app's host", format!("GET /healthz HTTP/1.1\r\nHost: {authority}\r\n\r\n")),
        ("another host", "GET /healthz HTTP/1.1\r\nHost: 10.0.0.7\r\n\r\n".to_owned()),
        ("an odd host", "GET /healthz HTTP/1.1\r\nHost: .\r\n\r\n".to_owned()),
        ("no host", "GET /healthz HTTP/1.1\r\n\r\n".to_owned()),
        ("HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n".to_owned()),
        ("a query", "GET /healthz?now HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("an absolute form", "GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
    ] {
        let answer = stage.send_raw(&request).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{what}: {answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    }
    let head = stage.send(Request::new("HEAD", "/healthz").header("Host", "x")).await;
    assert_eq!(head.status, 200);
    for (what, request, status) in [
        ("a POST", "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405),
        ("two hosts", "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        ("two lengths", "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", 400),
    ] {
        let answer = stage.send_raw(request).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
    }
    assert!(stage.upstream.take().is_empty());

    // CVE-2026-34457: nothing but the path makes a probe; other spellings of it are the app's.
    for sent in ["/healthz/", "/healthz/x", "/%68ealthz", "//healthz", "/HEALTHZ", "/x?/healthz"] {
        assert_eq!(stage.send(Request::get(sent).header("User-Agent", "kube-probe/1.33")).await.status, 200, "{sent}");
        assert_eq!(stage.upstream.take().len(), 1, "{sent} is the app's");
    }
}

#[tokio::test]
async fn it_leaves_no_line_and_is_counted() {
    let stage = Stage::builder().server("health_path = \"/healthz\"").public("/**").start().await;
    assert_eq!(stage.send(Request::get("/healthz")).await.status, 200);
    assert_eq!(stage.send(Request::get("/page")).await.status, 200);
    // One worker writes its lines in their order.
    let first = |line: &serde_json::Value| line["path"].as_str().map(str::to_owned);
    assert_eq!(stage.door.access_line("the first line", first).await, "/page");
    let metrics = stage.metrics().await;
    let counted = metrics.lines().any(|l| l.starts_with("vestibule_requests_total{app=\"\"") && l.ends_with(" 1"));
    assert!(counted, "{metrics}");
}

#[tokio::test]
async fn it_says_when_visitors_should_go_elsewhere() {
    let server = "health_path = \"/healthz\"\ndrain_delay = \"1h\"\ndrain_timeout = \"1h\"";
    let stage = Stage::builder().server(server).public("/**").start().await;
    assert_eq!(stage.send(Request::get("/healthz")).await.status, 200);
    stage.door.running().shut_down();
    assert_eq!(stage.send(Request::get("/healthz")).await.status, 503);
    assert_eq!(stage.send(Request::get("/page")).await.status, 200, "whoever still comes is served");
}
