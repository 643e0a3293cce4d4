//! Sign-ins that somebody begins and never ends (threats 118 and 124).

use super::*;
use crate::{demo::provider::people::ADA, harness::Signal};

const FORWARDED: &str = "X-Forwarded-For";

#[tokio::test]
async fn threat_124_behind_a_trusted_proxy_each_client_is_counted_by_its_own_address() {
    let stage = Stage::builder()
        .limits("sign_ins_per_client = \"3/min\"")
        .server("trusted_proxies = [\"127.0.0.0/8\"]")
        .start()
        .await;
    let begin = |client: &str| stage.send(Request::get("/page").navigation().header(FORWARDED, client));
    for _ in 0..3 {
        assert_eq!(begin("198.51.100.7").await.status, 302);
        assert_eq!(begin("2001:db8::7").await.status, 302);
    }
    for (client, status) in [
        ("198.51.100.7", 429),
        ("10.1.2.3, 198.51.100.7", 429), // what a visitor says of others changes nothing
        ("2001:db8::7", 429),
        ("2001:db8::8", 429), // the same subscriber
        ("198.51.100.8", 302),
        ("2001:db8:0:1::7", 302),
    ] {
        let answer = begin(client).await;
        assert_eq!(
            (answer.status, answer.headers("set-cookie").len()),
            (status, usize::from(status == 302)),
            "{client}"
        );
        let wait = answer.header("retry-after").map(|seconds| seconds.parse::<u64>().expect("a number of seconds"));
        assert_eq!(wait.is_some_and(|wait| (1..=20).contains(&wait)), status == 429, "{client}: {answer:?}");
    }
    counted(&stage, "vestibule_refusals_total{app=\"wiki\",reason=\"too_many_sign_ins\"} 4").await;
}

#[tokio::test]
async fn threat_118_thousands_of_sign_ins_that_nobody_ends_end_no_session() {
    let stage = Stage::builder().limits("sign_ins_per_client = \"\"").start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut flood = stage.connect().await;
    let begin = Request::get("/page").navigation().to_host(stage.authority());
    for _ in 0..2000 {
        assert_eq!(flood.exchange(&begin).await.status, 302);
    }
    assert_eq!(stage.send(Request::get("/page").header("Cookie", &cookie)).await.status, 200);
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("ada"));
}

#[tokio::test]
async fn a_private_peer_that_looks_like_a_proxy_is_named_once_and_not_throttled() {
    let mut stage = Stage::builder().limits("sign_ins_per_client = \"3/min\"").start_binary().await;
    for n in 0..10 {
        let begin = Request::get("/page").navigation().header(FORWARDED, &format!("198.51.100.{n}"));
        assert_eq!(stage.send(begin).await.status, 302);
    }
    stage.door.process.signal(Signal::Terminate).await;
    let (_, output) = stage.door.process.end().await;
    let named: Vec<_> = output.lines().filter(|line| line.contains("server.trusted_proxies")).collect();
    assert!(named.len() == 1 && named[0].contains("127.0.0.1"), "{named:?}");
}
