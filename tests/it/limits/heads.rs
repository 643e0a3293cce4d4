//! How large a head may be (RFC 6585 §5, RFC 9110 §15.5.15).

use super::*;
use crate::harness::Signal;

/// A GET whose head is exactly so long.
fn head_of(length: usize, stage: &Stage) -> Request {
    let request = |padding: usize| Request::get("/x").header("X-Padding", &"x".repeat(padding));
    let least = request(0).to_host(stage.authority()).bytes().len();
    request(length - least).to_host(stage.authority())
}

/// A GET with exactly so many fields.
fn fields(count: usize, stage: &Stage) -> Request {
    (1..count).fold(Request::get("/x"), |request, n| request.header(&format!("X-{n}"), "x")).to_host(stage.authority())
}

#[tokio::test]
async fn threat_117_a_head_is_taken_up_to_its_last_byte_and_not_one_beyond() {
    for limit in [8 * 1024, 64 * 1024, 100 * 1024] {
        let stage = Stage::builder().public("/**").limits(&format!("header_bytes = \"{limit}B\"")).start().await;
        let answer = stage.send(head_of(limit, &stage)).await;
        assert_eq!((answer.status, stage.upstream.take().len()), (200, 1), "{limit}: {answer:?}");
        for beyond in [1, 2, limit] {
            let answer = stage.send(head_of(limit + beyond, &stage)).await;
            assert_eq!((answer.status, stage.upstream.take().len()), (431, 0), "{limit} + {beyond}: {answer:?}");
        }
        counted(&stage, "vestibule_refusals_total{app=\"\",reason=\"head_too_large\"} 3").await;
    }
}

#[tokio::test]
async fn heads_that_come_together_are_measured_one_by_one() {
    let stage = Stage::builder().public("/**").limits("header_bytes = \"8KiB\"").start().await;
    let mut client = stage.connect().await;
    client.send(head_of(6 * 1024, &stage).bytes().repeat(5)).await;
    for _ in 0..5 {
        assert_eq!(client.response().await.expect("an answer").status, 200);
    }
    client.send(head_of(8 * 1024 + 1, &stage).bytes()).await;
    assert_eq!(client.response().await.expect("an answer").status, 431);
    client.until_closed().await;
    assert_eq!(stage.upstream.take().len(), 5);
}

#[tokio::test]
async fn threat_117_a_head_that_never_ends_is_answered_and_cut() {
    let stage = Stage::builder().public("/**").start().await;
    let mut client = stage.connect().await;
    client.send("GET /x HTTP/1.1\r\nHost: x\r\n").await;
    let field = format!("X: {}\r\n", "x".repeat(1000));
    let mut taken = 0;
    while client.wire.write(&field).await.is_ok() {
        taken += field.len();
        assert!(taken < 64 * 1024 * 1024, "it is still listening");
    }
    assert_eq!(stage.upstream.connections(), 0);
    counted(&stage, "vestibule_refusals_total{app=\"\",reason=\"head_too_large\"} 1").await;
}

#[tokio::test]
async fn threat_117_only_so_many_fields_are_taken() {
    for (limit, by_us) in [(16, true), (100, false), (150, false)] {
        let stage = Stage::builder().public("/**").limits(&format!("header_count = {limit}")).start().await;
        assert_eq!(stage.send(fields(limit, &stage)).await.status, 200, "{limit}");
        assert_eq!(stage.upstream.only().headers(&format!("X-{}", limit - 1)), ["x"], "{limit}");
        let answer = stage.send(fields(limit + 1, &stage)).await;
        assert_eq!((answer.status, stage.upstream.take().len()), (431, 0), "{limit}: {answer:?}");
        // What the parser refuses is answered bare.
        assert_eq!(answer.header("content-type").is_some(), by_us, "{limit}: {answer:?}");
        let reason = if by_us { "too_many_fields" } else { "head_too_large" };
        counted(&stage, &format!("vestibule_refusals_total{{app=\"\",reason=\"{reason}\"}} 1")).await;
    }
}

#[tokio::test]
async fn threat_117_a_target_is_taken_up_to_its_last_byte_and_not_one_beyond() {
    let stage = Stage::builder().public("/**").limits("uri_bytes = \"1KiB\"").start().await;
    let target = |length: usize| format!("/x?{}", "a".repeat(length - 3));
    assert_eq!(stage.send(Request::get(&target(1024))).await.status, 200);
    assert_eq!(stage.upstream.only().target().len(), 1024);
    for length in [1025, 2048, 60_000] {
        let problem = stage.send(Request::get(&target(length))).await;
        assert_eq!((problem.status, problem.json()["status"].as_u64()), (414, Some(414)), "{length}");
        let page = stage.send(Request::get(&target(length)).navigation()).await;
        assert_eq!((page.status, page.header("content-type")), (414, Some("text/html; charset=utf-8")), "{length}");
        for answer in [problem, page] {
            let id = |line: &serde_json::Value| {
                line["request_id"].as_str().filter(|id| answer.text().contains(id)).map(|_| line["status"].clone())
            };
            assert_eq!(stage.door.access_line("the line of the refused request", id).await, 414, "{length}");
        }
    }
    assert_eq!(stage.upstream.take().len(), 0);
    counted(&stage, "vestibule_refusals_total{app=\"\",reason=\"target_too_long\"} 6").await;
}

/// Whoever runs it need not guess which key to raise.
#[tokio::test]
async fn the_log_names_the_limit_that_a_refused_request_was_over() {
    let limits = "header_bytes = \"8KiB\"\nheader_count = 20\nuri_bytes = \"1KiB\"";
    let builder = Stage::builder().public("/**").limits(limits).app_tables("[app.limits]\nbody_bytes = \"1KiB\"\n");
    let mut stage = builder.start_binary().await;
    for (status, request) in [
        (414, Request::get(&format!("/{}", "a".repeat(1024)))),
        (431, (1..21).fold(Request::get("/x"), |request, n| request.header(&format!("X-{n}"), "x"))),
        (431, Request::get("/x").header("X-Padding", &"x".repeat(8 * 1024))),
        (413, Request::post("/form", "x".repeat(1025))),
    ] {
        assert_eq!(stage.send(request).await.status, status);
    }
    stage.door.process.signal(Signal::Terminate).await;
    let (_, output) = stage.door.process.end().await;
    for named in [
        "1025 bytes long, and server.limits.uri_bytes is 1024",
        "21 header fields, and server.limits.header_count is 20",
        "\"server.limits.header_bytes\":8192",
        "larger than app.limits.body_bytes",
    ] {
        assert!(output.contains(named), "{named}: {output}");
    }
}

#[tokio::test]
async fn what_is_refused_before_an_app_is_known_is_counted_with_its_reason() {
    let stage = Stage::builder().start().await;
    for (status, request, reason) in [
        (421, Request::get("/").header("Host", "elsewhere.example"), "unknown_host"),
        (400, Request::get("/").header("Host", "a b"), "ambiguous_framing"),
        (400, Request::get("/ /"), "unparsable"),
    ] {
        assert_eq!(stage.send(request).await.status, status, "{reason}");
        counted(&stage, &format!("vestibule_refusals_total{{app=\"\",reason=\"{reason}\"}} 1")).await;
    }
    counted(&stage, "vestibule_requests_total{app=\"\",class=\"4xx\"} 2").await;
}
