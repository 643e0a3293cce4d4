//! From the start to the end of the process: what it says, when it is ready, how it stops.

use http::{Response as Reply, StatusCode};
use serde_json::Value;

use crate::{
    demo::provider::{calls::Endpoint, mischief::Answer as Lie, people::ADA, reply::Reply as Whole},
    harness::{Request, Signal, Stage, binary::Process, patiently, upstream::Answer},
};

fn message(event: &Value) -> &str {
    event["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn health_and_metrics_are_for_operators_only() {
    let stage = Stage::builder().public("/**").start().await;
    for (path, status, content_type) in [
        ("/livez", 200, "text/plain"),
        ("/readyz", 200, "application/json"),
        ("/metrics", 200, "application/openmetrics-text"),
        ("/", 404, "text/plain"),
        ("/debug/pprof", 404, "text/plain"), // CVE-2022-24797
    ] {
        let answer = stage.ops(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.header("content-type").unwrap_or_default().starts_with(content_type), "{path}: {answer:?}");
        assert_eq!(
            stage.send(Request::get(path)).await.text(),
            "hello from the app",
            "{path} is the app's for visitors"
        );
    }
    assert_eq!(stage.ops("/readyz").await.json()["ready"], true);
    let metrics = stage.metrics().await;
    assert!(metrics.contains("vestibule_provider_metadata_known{provider=\"company\"} 1"), "{metrics}");
}

/// The series of a metrics text, without their values.
fn series(metrics: &str) -> Vec<&str> {
    let mut names: Vec<_> =
        metrics.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.rsplit_once(' ')).map(|(s, _)| s).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn threat_127_no_visitor_can_make_a_new_label() {
    let stage = Stage::builder().public("/public/**").start().await;
    let refused = |n: usize| {
        [
            Request::get(&format!("/public/{n}?x={n}")),
            Request::get(&format!("/secret/{n}")).header("User-Agent", &format!("agent/{n}")),
            Request::get("/").header("Host", &format!("h{n}.example")),
            Request::new(&format!("M{n}"), "/public/x"),
            Request::get(&format!("/_vestibule/{n}")),
            Request::get(&format!("/_vestibule/callback?error=e{n}&state={n}")),
            Request::get(&format!("/_vestibule/start?provider=p{n}")).navigation(),
            Request::get(&format!("/%00{n}")),
        ]
    };
    for request in refused(0) {
        stage.send(request).await;
    }
    let before = stage.metrics().await;
    for request in (1..20).flat_map(refused) {
        stage.send(request).await;
    }
    let after = stage.metrics().await;
    assert_eq!(series(&before), series(&after));
    assert_ne!(before, after, "and yet they are counted");
    assert!(after.lines().any(|line| line.contains("requests") && line.contains("app=\"wiki\"")), "{after}");
    assert!(after.ends_with("# EOF\n"), "{after}");
}

#[tokio::test]
async fn sign_ins_are_counted_by_outcome() {
    let stage = Stage::builder().start().await;
    stage.sign_in(&ADA).await;
    stage.provider.lie(|answer| {
        if let Lie::IdToken(token) = answer {
            token.break_signature();
        }
    });
    let mut browser = stage.browser(&ADA);
    let failed = browser.open(&stage.url("/page")).await;
    assert_eq!(failed.response.status, 502, "{failed:?}");
    let metrics = stage.metrics().await;
    let count = |word: &str| metrics.lines().any(|l| l.contains("sign_ins") && l.contains(word) && l.ends_with(" 1"));
    assert!(count("succeeded") && count("signature"), "{metrics}");
}

#[tokio::test]
async fn while_the_provider_is_down_it_lives_serves_what_is_public_and_recovers_by_itself() {
    let stage = Stage::builder().public("/public/**");
    // The provider is there, and says nothing but "not now".
    let stage = {
        let stage = stage.start_with(|provider| {
            provider.lie(|answer| {
                if let Lie::Reply(_, reply) = answer {
                    let mut refusal = Reply::new(bytes::Bytes::from_static(b"not now"));
                    *refusal.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    *reply = Whole::Whole(refusal);
                }
            });
        });
        stage.await
    };
    stage.provider.asked(Endpoint::Discovery, 1).await;
    assert_eq!((stage.ops("/livez").await.status, stage.ops("/readyz").await.status), (200, 503));
    assert_eq!(stage.ops("/readyz").await.json()["ready"], false);
    assert_eq!(stage.send(Request::get("/public/page")).await.status, 200);
    assert_eq!(stage.send(Request::get("/page")).await.status, 401);
    let page = stage.send(Request::get("/page").navigation()).await;
    assert_eq!((page.status, page.header("set-cookie")), (502, None), "{page:?}");
    assert!(!page.text().contains("not now"), "{page:?}");

    stage.provider.tell_the_truth();
    let asked = stage.provider.calls_to(Endpoint::Discovery).len();
    stage.provider.asked(Endpoint::Discovery, asked + 1).await;
    stage.ready().await;
    let cookie = stage.sign_in(&ADA).await;
    assert_eq!(stage.send(Request::get("/page").header("Cookie", &cookie)).await.status, 200);
}

#[tokio::test]
async fn with_the_provider_gone_live_sessions_go_on() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    for silence in [false, true] {
        stage.provider.lie(move |answer| {
            if let Lie::Reply(_, reply) = answer {
                // Hung is not down: connections are accepted and nothing comes (threat 43).
                *reply = if silence { Whole::Silence } else { Whole::Disconnect };
            }
        });
        for _ in 0..10 {
            assert_eq!(stage.send(Request::get("/page").header("Cookie", &cookie)).await.status, 200);
        }
    }
}

#[tokio::test]
async fn it_stops_in_order_not_ready_then_deaf_then_done() {
    let stage = Stage::builder().public("/**").server("drain_delay = \"1h\"\ndrain_timeout = \"1h\"").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    client.send(Request::get("/slow").to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;

    stage.door.running().shut_down();
    patiently("the end of readiness", async { while stage.ops("/readyz").await.status == 200 {} }).await;
    assert_eq!(stage.ops("/livez").await.status, 200, "not ready is not dead");
    assert_eq!(stage.send(Request::get("/_vestibule/signed_out")).await.status, 200, "still accepting");
    conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow").await;
    assert_eq!(client.response().await.expect("an answer").text(), "slow");
}

#[tokio::test]
async fn what_is_under_way_at_the_end_is_finished() {
    let stage = Stage::builder().public("/**").server("drain_delay = \"0s\"\ndrain_timeout = \"1h\"").start().await;
    let mut conversations = stage.upstream.by_hand();
    let (mut busy, mut resting) = (stage.connect().await, stage.connect().await);
    busy.send(Request::get("/slow").to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    assert_eq!(resting.exchange(&Request::get("/_vestibule/signed_out").to_host(stage.authority())).await.status, 200);

    stage.door.running().shut_down();
    resting.until_closed().await;
    let refused = tokio::net::TcpStream::connect(stage.door_address()).await;
    assert!(refused.is_err(), "nobody listens there any more");
    conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow").await;
    let answer = busy.response().await.expect("an answer");
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("slow", Some("close")));
    busy.until_closed().await;
    patiently("the end", stage.door.running().stopped()).await;
}

#[tokio::test]
async fn a_connection_that_is_used_while_it_leaves_ends_with_that_answer() {
    let stage = Stage::builder().public("/**").server("drain_delay = \"1h\"\ndrain_timeout = \"1h\"").start().await;
    let request = Request::get("/page").to_host(stage.authority());
    let (mut used, mut unused) = (stage.connect().await, stage.connect().await);
    for client in [&mut used, &mut unused] {
        let answer = client.exchange(&request).await;
        assert_eq!((answer.status, answer.header("connection")), (200, None));
    }
    stage.door.running().shut_down();
    patiently("the end of readiness", async { while stage.ops("/readyz").await.status == 200 {} }).await;
    let answer = used.exchange(&request).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    used.until_closed().await;
    let answer = stage.send(Request::get("/new")).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "who comes now does not stay");
    // What rests is not closed as long as others are accepted: somebody may be about to use it.
    let answer = unused.exchange(&request).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(stage.upstream.take().len(), 5);
}

#[tokio::test]
async fn who_waits_to_be_accepted_at_the_end_or_is_in_the_middle_of_a_head_is_served() {
    let stage = Stage::builder()
        .public("/**")
        .limits("connections = 2")
        .server("drain_delay = \"0s\"\ndrain_timeout = \"1h\"")
        .start()
        .await;
    let mut conversations = stage.upstream.by_hand();
    let request = Request::get("/slow").to_host(stage.authority()).bytes();
    let (mut busy, mut half) = (stage.connect().await, stage.connect().await);
    busy.send(&request).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    half.send(&request[..10]).await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let mut client = stage.connect().await;
        client.send(&request).await;
        waiting.push(client);
    }
    // Both places are taken, and the first who waits has been seen to wait.
    patiently("the pause", async { while !stage.metrics().await.contains("accept_pauses_total{") {} }).await;

    stage.door.running().shut_down();
    patiently("the end of readiness", async { while stage.ops("/readyz").await.status == 200 {} }).await;
    stage.upstream.answer(|_| Answer::ok("served"));
    conversation.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nslow").await;
    assert_eq!(busy.response().await.expect("an answer").text(), "slow");
    half.send(&request[10..]).await;
    for mut client in [half].into_iter().chain(waiting) {
        let answer = client.response().await.expect("an answer");
        assert_eq!((answer.text().as_str(), answer.header("connection")), ("served", Some("close")));
        client.until_closed().await;
    }
    patiently("the end", stage.door.running().stopped()).await;
    assert_eq!(stage.upstream.take().len(), 7);
}

#[tokio::test]
async fn a_signal_stops_the_program_and_it_exits_with_0() {
    for signal in [Signal::Terminate, Signal::Interrupt] {
        let mut stage = Stage::builder().public("/**").start_binary().await;
        assert_eq!(stage.send(Request::get("/page")).await.status, 200);
        stage.door.process.signal(signal).await;
        let (status, output) = stage.door.process.end().await;
        assert_eq!(status.code(), Some(0), "{signal:?}: {output}");
    }
}

#[tokio::test]
async fn a_second_signal_hurries_it() {
    let mut stage = Stage::builder().server("drain_delay = \"1h\"").start_binary().await;
    stage.door.process.signal(Signal::HangUp).await;
    stage.door.process.signal(Signal::Terminate).await;
    let stopping = |event: &Value| message(event).starts_with("stopping").then_some(());
    stage.door.process.event("the beginning of the end", stopping).await;
    assert_eq!(stage.ops("/livez").await.status, 200, "the first one only begins it");
    stage.door.process.signal(Signal::Terminate).await;
    let (status, output) = stage.door.process.end().await;
    assert_eq!(status.code(), Some(0), "{output}");
}

#[tokio::test]
async fn an_output_that_takes_nothing_keeps_it_neither_from_serving_nor_from_stopping() {
    let mut stage = Stage::builder().public("/**").start_binary().await;
    stage.door.process.stop_listening();
    // A line each, and more of them than a pipe and its reader hold.
    for _ in 0..600 {
        assert_eq!(stage.send(Request::get("/page")).await.status, 200);
    }
    stage.door.process.signal(Signal::Terminate).await;
    assert_eq!(stage.door.process.exit().await.code(), Some(0));
}

#[tokio::test]
async fn an_invalid_configuration_exits_with_78_and_says_all_that_is_wrong() {
    let text = "[server]\nlisten = [\"nowhere\"]\nworkerz = 2\n[[provider]]\nid = \"company\"\nissuer = \"not a url\"\nclient_id = \"x\"\n\
                [[app]]\nid = \"wiki\"\npublic_url = \"ftp://wiki\"\nupstream = \"http://127.0.0.1:1\"\n";
    let mut process = Process::run(&["serve", "--config", "vestibule.toml"], &[("vestibule.toml", text)]);
    let (status, output) = process.end().await;
    assert_eq!(status.code(), Some(78), "{output}");
    for part in ["vestibule.toml:3", "workerz", "workers", "nowhere", "not a url", "ftp://wiki", "policy"] {
        assert!(output.contains(part), "{part}: {output}");
    }
    let mut missing = Process::run(&["serve", "--config", "no-such.toml"], &[]);
    let (status, output) = missing.end().await;
    assert_eq!(status.code(), Some(78), "{output}");
    assert!(output.contains("no-such.toml"), "{output}");
}

#[tokio::test]
async fn an_address_that_is_taken_exits_with_1_and_names_it() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let text = format!(
        "[server]\nlisten = [\"{address}\"]\nops_listen = \"\"\n[[provider]]\nid = \"company\"\nissuer = \"http://127.0.0.2:1\"\n\
         client_id = \"x\"\n[[app]]\nid = \"wiki\"\npublic_url = \"http://{address}\"\nupstream = \"http://127.0.0.1:1\"\n\
         [app.access]\npolicy = \"anyone\"\n"
    );
    let mut process = Process::run(&["serve", "--config", "vestibule.toml"], &[("vestibule.toml", &text)]);
    let (status, output) = process.end().await;
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(output.contains(&address), "{output}");
}

#[tokio::test]
async fn threat_116_a_head_that_does_not_come_and_a_rest_that_is_too_long_end_the_connection() {
    let stage =
        Stage::builder().public("/**").limits("header_timeout = \"100ms\"\nkeepalive = \"100ms\"").start().await;
    for begun in ["", "G", "GET /x HTTP/1.1\r\nHost: "] {
        let mut client = stage.connect().await;
        client.send(begun).await;
        client.until_closed().await;
    }
    let mut client = stage.connect().await;
    assert_eq!(client.exchange(&Request::get("/x").to_host(stage.authority())).await.status, 200);
    client.until_closed().await;
    assert_eq!(stage.upstream.take().len(), 1);
}
