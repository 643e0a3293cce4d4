//! Every number of `/metrics` moves when its thing happens, and by as much (threat 127 is
//! about their labels, in `life_cycle`).
//!
//! What takes its time is beside the code: a session that expired or was replaced is
//! counted in `src/store/tests`, lines that nobody takes in `src/meter/log_stream`.

use std::{collections::BTreeMap, future::Future, pin::Pin};

use crate::{
    demo::provider::{
        mischief::Answer as Lie,
        people::{ADA, MALLORY},
    },
    harness::{Configuration, Request, Stage, patiently, upstream::Answer},
};

/// Every series with its value; buckets of histograms left out.
async fn numbers(stage: &Stage) -> BTreeMap<String, f64> {
    let metrics = stage.metrics().await;
    let samples = metrics.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket{"));
    let number = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        Some((series.to_owned(), value.parse().ok()?))
    };
    samples.map(|line| number(line).unwrap_or_else(|| panic!("no sample: {line}"))).collect()
}

/// Waits until a series has this value.
async fn counted(stage: &Stage, series: &str, value: f64) {
    patiently(series, async {
        while numbers(stage).await.get(series) != Some(&value) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A sidecar whose background has fetched what it fetches, so that only tests move a number.
async fn at_rest(configuration: Configuration) -> Stage {
    let stage = configuration.start().await;
    counted(&stage, "vestibule_provider_seconds_count{provider=\"company\",call=\"keys\"}", 1.0).await;
    stage
}

type Deed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Does something, and says which counters moved: `series +n`. Left out are the times of
/// histograms, and connections, which come and go in their own time.
async fn moved(stage: &Stage, deed: Deed<'_>) -> Vec<String> {
    let before = numbers(stage).await;
    deed.await;
    let after = numbers(stage).await;
    let grown = after.iter().map(|(series, value)| (series, value - before.get(series).copied().unwrap_or_default()));
    let is_count = |series: &str| !series.contains("_seconds_sum") && series != "vestibule_connections";
    let counted = grown.filter(|(series, by)| *by != 0.0 && is_count(series));
    counted.map(|(series, by)| format!("{} {by:+}", series.trim_start_matches("vestibule_"))).collect()
}

#[tokio::test]
async fn each_counter_moves_when_its_thing_happens_and_no_other_does() {
    let stage = &at_rest(Stage::builder().public("/public/**")).await;
    let send = |request: Request, status: u16| -> Deed<'_> {
        Box::pin(async move {
            let answer = stage.send(request).await;
            assert_eq!(answer.status, status, "{answer:?}");
        })
    };
    let through = |class: &str| {
        vec![
            format!("requests_total{{app=\"wiki\",class=\"{class}\"}} +1"),
            "upstream_seconds_count{app=\"wiki\"} +1".into(),
        ]
    };
    let refused = |class: &str, reason: &str| {
        vec![
            format!("refusals_total{{app=\"wiki\",reason=\"{reason}\"}} +1"),
            format!("requests_total{{app=\"wiki\",class=\"{class}\"}} +1"),
        ]
    };
    let ours = |class: &str| vec![format!("requests_total{{app=\"wiki\",class=\"{class}\"}} +1")];

    stage.upstream.answer(|request| match request.target() {
        "/public/gone" => Answer::with("410 Gone", "", ""),
        "/public/moved" => Answer::with("302 Found", "Location: /\r\n", ""),
        "/public/broken" => Answer::with("500 Oops", "", ""),
        "/public/silent" => Answer::Close(Vec::new()),
        _ => Answer::ok("ok"),
    });
    for (what, deed, expected) in [
        ("an answer of the app", send(Request::get("/public/page"), 200), through("2xx")),
        ("its redirect", send(Request::get("/public/moved"), 302), through("3xx")),
        ("its refusal", send(Request::get("/public/gone"), 410), through("4xx")),
        ("its fault", send(Request::get("/public/broken"), 500), through("5xx")),
        ("none", send(Request::get("/public/silent"), 502), refused("5xx", "upstream_broken")),
        ("somebody anonymous", send(Request::get("/page"), 401), refused("4xx", "anonymous")),
        ("one on the way to the provider", send(Request::get("/page").navigation(), 302), ours("3xx")),
        ("a page of ours", send(Request::get("/_vestibule/signed_out"), 200), ours("2xx")),
        ("a path with two readings", send(Request::get("/a%00"), 400), refused("4xx", "ambiguous_target")),
        (
            "a host of no app",
            send(Request::get("/").header("Host", "elsewhere"), 421),
            vec![
                "refusals_total{app=\"\",reason=\"unknown_host\"} +1".to_owned(),
                "requests_total{app=\"\",class=\"4xx\"} +1".to_owned(),
            ],
        ),
        (
            "a lost callback",
            send(Request::get("/_vestibule/callback?code=x&state=y"), 400),
            refused("4xx", "state_missing"),
        ),
        (
            "no HTTP at all",
            Box::pin(async {
                let answer = stage.send_raw("nonsense\r\n\r\n").await;
                assert_eq!(answer.status, 400);
                // Counted when the connection is over, and the answer is out before that.
                counted(stage, "vestibule_refusals_total{app=\"\",reason=\"unparsable\"}", 1.0).await;
            }),
            vec!["refusals_total{app=\"\",reason=\"unparsable\"} +1".to_owned()],
        ),
    ] {
        assert_eq!(moved(stage, deed).await, expected, "{what}");
    }
}

#[tokio::test]
async fn sign_ins_sessions_and_calls_to_the_provider_are_counted() {
    let stage = &at_rest(Stage::builder()).await;
    let signed_in = moved(stage, Box::pin(async { drop(stage.sign_in(&ADA).await) })).await;
    assert_eq!(
        signed_in,
        [
            "provider_seconds_count{provider=\"company\",call=\"token\"} +1",
            "requests_total{app=\"wiki\",class=\"3xx\"} +2",
            "sessions_opened_total +1",
            "sign_ins_total{provider=\"company\",outcome=\"succeeded\",reason=\"\"} +1",
        ]
    );

    let cookie = stage.sign_in(&ADA).await;
    let sign_out = || Request::post("/_vestibule/sign_out", "").header("Cookie", &cookie);
    let signed_out = moved(stage, Box::pin(async { drop(stage.send(sign_out()).await) })).await;
    assert_eq!(
        signed_out,
        ["requests_total{app=\"wiki\",class=\"3xx\"} +1", "sessions_ended_total{reason=\"signed_out\"} +1"]
    );
    let again = moved(stage, Box::pin(async { drop(stage.send(sign_out()).await) })).await;
    assert_eq!(again, ["requests_total{app=\"wiki\",class=\"3xx\"} +1"], "there was nothing left to end");

    // Another person in the same browser takes the place of the first.
    let mut browser = stage.browser(&MALLORY);
    let callback = browser.up_to_callback(&stage.url("/page")).await;
    let adas = stage.sign_in(&ADA).await;
    browser.set_cookie(&stage.public_url, &format!("{adas}; Path=/"));
    let replaced = moved(stage, Box::pin(async { drop(browser.look_at(callback.as_str()).await) })).await;
    assert!(replaced.contains(&"sessions_ended_total{reason=\"superseded\"} +1".to_owned()), "{replaced:?}");

    stage.provider.lie(|answer| {
        if let Lie::IdToken(token) = answer {
            token.header["kid"] = "unknown".into();
        }
    });
    let mut browser = stage.browser(&ADA);
    let failed = moved(stage, Box::pin(async { drop(browser.open(&stage.url("/page")).await) })).await;
    assert_eq!(
        failed,
        [
            "provider_seconds_count{provider=\"company\",call=\"keys\"} +1",
            "provider_seconds_count{provider=\"company\",call=\"token\"} +1",
            "refusals_total{app=\"wiki\",reason=\"unknown_key\"} +1",
            "requests_total{app=\"wiki\",class=\"3xx\"} +1",
            "requests_total{app=\"wiki\",class=\"5xx\"} +1",
            "sign_ins_total{provider=\"company\",outcome=\"failed\",reason=\"unknown_key\"} +1",
        ]
    );
}

#[tokio::test]
async fn what_the_provider_was_asked_and_whether_it_is_known_is_counted() {
    let stage = at_rest(Stage::builder()).await;
    let known = numbers(&stage).await;
    for (series, value) in [
        ("vestibule_provider_metadata_known{provider=\"company\"}", 1.0),
        ("vestibule_provider_seconds_count{provider=\"company\",call=\"discovery\"}", 1.0),
        ("vestibule_provider_seconds_count{provider=\"company\",call=\"userinfo\"}", 0.0),
        ("vestibule_log_lines_dropped_total", 0.0),
    ] {
        assert_eq!(known.get(series), Some(&value), "{series}: {known:?}");
    }
    assert!(known.keys().any(|series| series.starts_with("vestibule_build_info{version=")), "{known:?}");
    let started = known.get("process_start_time_seconds").copied();
    assert_eq!(started, Some(1_800_000_000.0), "by the clock of this test");

    // Where the ID token lacks something, userinfo is asked.
    stage.provider.lie(|answer| {
        if let Lie::IdToken(token) = answer {
            token.claims.as_object_mut().expect("claims").remove("email");
        }
    });
    stage.sign_in(&ADA).await;
    let asked = numbers(&stage).await;
    let calls = asked.get("vestibule_provider_seconds_count{provider=\"company\",call=\"userinfo\"}");
    assert_eq!(calls, Some(&1.0), "{asked:?}");
}

#[tokio::test]
async fn connections_are_counted_while_they_stand_and_web_sockets_are_some() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    stage.upstream.answer(|_| Answer::Echo);
    let open = async |expected| counted(&stage, "vestibule_connections", expected).await;
    open(0.0).await;
    let resting = stage.connect().await;
    open(1.0).await;
    let mut socket = stage.connect().await;
    let handshake = Request::get("/socket").headers(&[
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Cookie", &cookie),
    ]);
    socket.send(handshake.to_host(stage.authority()).bytes()).await;
    assert_eq!(socket.response().await.expect("an answer").status, 101);
    socket.send("hello").await;
    assert_eq!(patiently("the echo", socket.wire.exactly(5)).await, b"hello");
    open(2.0).await;
    assert_eq!(numbers(&stage).await.get("vestibule_requests_total{app=\"wiki\",class=\"1xx\"}"), Some(&1.0));
    drop(resting);
    open(1.0).await;
    drop(socket);
    open(0.0).await;
}
