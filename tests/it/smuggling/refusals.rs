//! Whatever is refused is answered, counted and logged once, whoever refused it (contract section 5).

use serde_json::Value;

use crate::harness::{RawClient, Request, Signal, Stage, wire::Complete};

/// Heads that hyper does not parse, with the bare answer that it gives; `canary` is in all of them.
const UNPARSABLE: [(&str, u16); 5] = [
    ("GET /canary HTTP/1.1\r\nHost : HOST\r\n\r\n", 400),
    ("GET /canary HTTP/1.1\nHost: HOST\n\n", 400),
    ("GET /canary HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: canary\r\n\r\n", 400),
    ("GET /canary HTTP/1.1\r\nHost: HOST\r\nContent-Length: canary\r\n\r\n", 400),
    ("CANARY canary canary HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
];

/// Heads that we refuse, with the status.
const REFUSED: [(&str, u16); 4] = [
    ("GET /canary HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n", 400),
    ("GET /canary HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: canary, chunked\r\n\r\n", 400),
    ("TRACE /canary HTTP/1.1\r\nHost: HOST\r\n\r\n", 405),
    ("GET /canary HTTP/1.1\r\nHost: HOST\r\nExpect: canary\r\n\r\n", 417),
];

#[tokio::test]
async fn what_the_parser_refuses_is_answered_bare_counted_and_logged() {
    let mut stage = Stage::builder().public("/**").start_binary().await;
    assert!(!stage.metrics().await.contains("reason=\"unparsable\""));
    for (head, status) in UNPARSABLE {
        let mut client: RawClient = stage.connect().await;
        client.send(head.replace("HOST", stage.authority())).await;
        let answer = client.response().await.expect("an answer");
        assert_eq!((answer.status, answer.complete, answer.body.len()), (status, Complete::Yes, 0), "{head:?}");
        assert!(client.until_closed().await.is_empty(), "{head:?}");
    }
    assert_eq!(stage.upstream.take().len(), 0);
    // A visitor sees the end a moment before it is counted, by the one worker that now answers this.
    assert_eq!(stage.send(Request::get("/")).await.status, 200);
    let counted = format!("vestibule_refusals_total{{app=\"\",reason=\"unparsable\"}} {}\n", UNPARSABLE.len());
    let metrics = stage.metrics().await;
    assert!(metrics.contains(&counted), "{metrics}");
    stage.door.process.signal(Signal::Terminate).await;
    let (_, log) = stage.door.process.end().await;
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let lines: Vec<_> = lines.iter().filter(|line| line["message"] == "a request could not be parsed").collect();
    assert_eq!(lines.len(), UNPARSABLE.len(), "{log}");
    for line in lines {
        assert_eq!((&line["level"], &line["client"]), (&"info".into(), &"127.0.0.1".into()), "{line}");
        assert!(line["error"].as_str().is_some_and(|error| !error.is_empty()), "{line}");
    }
    assert!(!log.to_lowercase().contains("canary"), "nothing of a head that nobody understood is repeated: {log}");
}

#[tokio::test]
async fn what_we_refuse_is_named_to_the_visitor_and_in_the_log() {
    let mut stage = Stage::builder().public("/**").start_binary().await;
    let mut ids = Vec::new();
    for (head, status) in REFUSED {
        let mut client = stage.connect().await;
        client.send(head.replace("HOST", stage.authority())).await;
        let answer = client.response().await.expect("an answer");
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, Some("application/problem+json")),
            "{head:?}"
        );
        assert_eq!(answer.header("allow").is_some(), status == 405, "RFC 9110 §15.5.6: {answer:?}");
        assert!(client.until_closed().await.is_empty(), "{head:?}");
        ids.push(answer.json()["request_id"].as_str().expect("an id").to_owned());
    }
    assert_eq!(stage.upstream.take().len(), 0);
    stage.door.process.signal(Signal::Terminate).await;
    let (_, log) = stage.door.process.end().await;
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for (id, (head, status)) in ids.iter().zip(REFUSED) {
        let of = |message: &str| -> Vec<&Value> {
            lines.iter().filter(|line| line["message"] == message && line["request_id"] == id.as_str()).collect()
        };
        let (refused, requests) = (of("refused"), of("request"));
        assert_eq!((refused.len(), requests.len()), (1, 1), "{head:?}: {log}");
        assert_eq!(
            (&refused[0]["reason"], &refused[0]["status"]),
            (&"ambiguous_framing".into(), &status.into()),
            "{head:?}"
        );
        assert_eq!(requests[0]["status"], status, "{head:?}");
    }
}
