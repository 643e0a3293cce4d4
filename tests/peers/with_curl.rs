//! The door as `curl` finds it: every method, old HTTP, uploads of all kinds, odd paths.

use crate::{
    curl::{curl, curl_reading},
    deployment::{Deployment, Plan},
};

async fn public() -> Deployment {
    Plan::usual().public().start().await
}

#[tokio::test]
async fn every_method_reaches_the_app_but_for_those_that_are_no_request_for_it() {
    let deployment = public().await;
    for method in
        ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "MKCOL", "LOCK", "REPORT", "PURGE", "QUERY"]
    {
        let target = format!("/method/{method}");
        let answer = curl(&["--request", method, &deployment.url(&target)]).await;
        assert_eq!((answer.status, answer.text()), (200, format!("app: {method} {target} ")), "{method}: {answer:?}");
    }
    let head = curl(&["--head", &deployment.url("/method/HEAD")]).await;
    assert_eq!((head.status, head.body.as_slice()), (200, head.heads.replace('\n', "\r\n").as_bytes()), "{head:?}");
    assert_eq!(deployment.app.asked_for("/method/HEAD").method, "HEAD");
    let before = deployment.app.asked().len();
    for method in ["CONNECT", "TRACE"] {
        let refused = curl(&["--request", method, &deployment.url("/method/none")]).await;
        assert_eq!(refused.status, 405, "{method}: {refused:?}");
    }
    assert_eq!(deployment.app.asked().len(), before);
}

#[tokio::test]
async fn http_1_0_and_requests_that_want_no_second_one_are_answered_and_closed() {
    let deployment = public().await;
    for (arguments, version) in [
        (&["--http1.0"][..], "HTTP/1.0 200 OK"),
        (&["--http1.0", "--header", "Connection: keep-alive"], "HTTP/1.0 200 OK"),
        (&["--header", "Connection: close"], "HTTP/1.1 200 OK"),
    ] {
        let url = deployment.url("/page");
        let answer = curl(&[arguments, &[&*url, &*url]].concat()).await;
        assert_eq!((answer.exit, answer.text()), (Some(0), "app: GET /page ".repeat(2)), "{arguments:?}: {answer:?}");
        assert!(answer.heads.starts_with(version), "{arguments:?}: {}", answer.heads);
        assert!(answer.header("content-length").is_some(), "{arguments:?}: {}", answer.heads);
    }
    // What has no length is read to the end of the connection.
    let answer = curl(&["--http1.0", &deployment.url("/zeros/100000")]).await;
    assert_eq!((answer.exit, answer.body.len(), answer.header("transfer-encoding")), (Some(0), 100_000, None));
}

#[tokio::test]
async fn uploads_arrive_whole_however_they_are_framed_and_announced() {
    let deployment = public().await;
    let url = deployment.url("/count");
    let upload = vec![b'u'; 5 * 1024 * 1024];
    for (what, arguments, expectation, chunked) in [
        ("a length, and a question first", &["--data-binary", "@-"][..], true, false),
        ("a length at once", &["--data-binary", "@-", "--header", "Expect:"], false, false),
        ("chunks, and a question first", &["--upload-file", "-"], true, true),
        ("chunks at once", &["--upload-file", "-", "--header", "Expect:"], false, true),
        ("a form of parts", &["--form", "file=@-"], true, false),
    ] {
        let answer = curl_reading(&[arguments, &[&*url]].concat(), upload.clone()).await;
        assert_eq!((answer.exit, answer.status), (Some(0), 200), "{what}: {answer:?}");
        let counted: usize = answer.text().trim_end_matches(" bytes").parse().expect("a number");
        let exact = !what.contains("form");
        assert!(counted == upload.len() || !exact && counted > upload.len(), "{what}: {counted}");
        assert_eq!(answer.heads.starts_with("HTTP/1.1 100 Continue\n"), expectation, "{what}: {}", answer.heads);
        let asked = deployment.app.asked_for("/count");
        let expects = asked.header("expect") == Some("100-continue");
        assert_eq!(expects, expectation, "{what}: the app is the one who says go on: {asked:?}");
        assert_eq!(asked.header("transfer-encoding").is_some(), chunked, "{what}: {asked:?}");
        assert_eq!(asked.header("content-length").is_some(), !chunked, "{what}: {asked:?}");
    }
}

#[tokio::test]
async fn an_anonymous_upload_is_refused_before_it_is_sent() {
    let deployment = Plan::usual().start().await;
    let upload = vec![b'u'; 5 * 1024 * 1024];
    let answer = curl_reading(&["--data-binary", "@-", &deployment.url("/count")], upload).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(answer.heads.starts_with("HTTP/1.1 401 "), "no 100 came before: {}", answer.heads);
    assert!(deployment.app.asked().is_empty());
}

#[tokio::test]
async fn paths_are_judged_and_forwarded_in_one_spelling_or_refused() {
    let deployment = public().await;
    for (sent, forwarded) in [
        ("/a/../b", Some("/b")),
        ("/a/./b//c", Some("/a/b/c")),
        ("/%61%2Fb", Some("/a%2Fb")),
        ("/a;v=1/b", Some("/a;v=1/b")),
        ("/a?b=../c&d=%00&%zz", Some("/a?b=../c&d=%00&%zz")),
        ("/../a", None),
        ("/%2e%2e/a", None),
        ("/a/..;/b", None),
        ("/a%00b", None),
        ("/a%zz", None),
        ("/a\\b", None),
        ("/_VESTIBULE/start", None),
        ("/x/..%2f_vestibule/start", None),
    ] {
        let before = deployment.app.asked().len();
        // As it is, and with nothing taken for a pattern or a fragment.
        let answer = curl(&["--path-as-is", "--globoff", &deployment.url(sent)]).await;
        let asked: Vec<_> = deployment.app.asked()[before..].iter().map(|asked| asked.target.clone()).collect();
        assert_eq!(asked, forwarded.into_iter().collect::<Vec<_>>(), "{sent}: {answer:?}");
        assert_eq!(answer.status, if forwarded.is_some() { 200 } else { 400 }, "{sent}: {answer:?}");
    }
    // The same by curl's own flag for what stands in the request line.
    for (target, status) in [("http://elsewhere.example/", 400), ("*", 400), ("//elsewhere.example/a", 200)] {
        let answer = curl(&["--request-target", target, &deployment.origin]).await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
    }
    assert_eq!(
        deployment.app.asked().last().map(|asked| asked.target.clone()).as_deref(),
        Some("/elsewhere.example/a")
    );
}

#[tokio::test]
async fn heads_pass_up_to_their_limit_and_not_beyond() {
    let deployment = public().await;
    // In two halves, since a single argument of a program has a limit too.
    for (kib, status) in [(4, 200), (16, 200), (100, 431)] {
        let [long, more] = ["X-Long", "X-More"].map(|name| format!("{name}: {}", "x".repeat(kib * 1024)));
        let answer = curl(&["--header", &long, "--header", &more, &deployment.url("/head")]).await;
        assert_eq!(answer.status, status, "2 x {kib} KiB: {} {}", answer.heads, answer.complaint);
    }
    assert_eq!(deployment.app.asked_for("/head").header("x-long").map(str::len), Some(16 * 1024));
    assert_eq!(deployment.app.asked().len(), 2);
}

#[tokio::test]
async fn a_kept_connection_serves_many_requests() {
    let deployment = public().await;
    let urls: Vec<_> = (0..50).map(|n| deployment.url(&format!("/{n}"))).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let verbose = curl(&[&["--verbose"], &*urls].concat()).await;
    assert_eq!((verbose.exit, deployment.app.asked().len()), (Some(0), 50));
    assert_eq!(verbose.complaint.matches("Re-using existing connection").count(), 49, "{}", verbose.complaint);
}
