//! What the program writes, and what it never writes (contract section 5, threats 125 and 126).

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::{
    demo::provider::{SignInPage, mischief::Answer as Lie, people::ADA},
    harness::{Binary, CLIENT_SECRET, Request, Signal, Stage},
};

#[tokio::test]
async fn threat_125_no_secret_is_in_log_metrics_or_pages_not_even_at_trace() {
    for client_auth in ["client_secret_basic", "client_secret_post"] {
        // The app is handed every token and password that there is.
        let handed = "[app.headers]\nassertion = true\naccess_token = true\nauthorization = \"id_token\"\n\
                      set = { X-Service = { basic = { username = \"svc\", password = \"canary-service-password\" } } }\n";
        let stage = Stage::builder().log("level = \"trace\"").provider(&format!("client_auth = {client_auth:?}"));
        let stage = stage.app_tables(handed);
        nothing_leaks(stage.start_binary().await).await;
    }
}

async fn nothing_leaks(mut stage: Stage<Binary>) {
    let canaries = Arc::new(Mutex::new(vec![CLIENT_SECRET.to_owned(), "canary-client-secret".to_owned()]));
    let caught = Arc::clone(&canaries);
    stage.provider.lie(move |answer| {
        let mut canaries = caught.lock().expect("no lie panics");
        match answer {
            Lie::Authorization(response) => {
                let secrets = response.parameters.iter().filter(|(name, _)| name == "code" || name == "state");
                canaries.extend(secrets.map(|(_, value)| value.clone()));
            }
            Lie::IdToken(token) => {
                token.claims["email"] = json!("canary-address@example.com");
                canaries.extend(token.claims["nonce"].as_str().map(str::to_owned));
            }
            Lie::Token(reply) => {
                reply["refresh_token"] = json!("canary-refresh-token");
                let tokens =
                    ["access_token", "id_token", "refresh_token"].iter().filter_map(|name| reply[*name].as_str());
                canaries.extend(tokens.map(str::to_owned));
            }
            _ => {}
        }
    });
    let mut pages = String::new();
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url("/page?token=canary-of-the-query")).await;
    let attempt = browser.cookie_header(&stage.public_url);
    pages += &browser.look_at(callback.as_str()).await.text();
    let cookie = browser.cookie_header(&stage.public_url);
    for path in ["/_vestibule/userinfo", "/_vestibule/sign_out", "/_vestibule/sign_in", "/_vestibule/nothing"] {
        pages += &stage.send(Request::get(path).navigation().header("Cookie", &cookie)).await.text();
    }
    stage
        .send(
            Request::get("/page?x=canary-of-the-query")
                .header("Cookie", &cookie)
                .header("Authorization", "Bearer canary-of-a-visitor"),
        )
        .await;
    // A replayed answer, a foreign one, one that the provider refuses, a head that is no head.
    pages += &stage
        .send(Request::get(&format!("/_vestibule/callback?{}", callback.query().expect("a query"))).navigation())
        .await
        .text();
    pages += &browser
        .look_at(&stage.url("/_vestibule/callback?code=canary-of-a-stranger&state=canary-of-a-stranger"))
        .await
        .text();
    let mut client = stage.connect().await;
    client.send("GET /x?canary-of-the-query HTTP/1.1\r\nAuthorization : canary-of-a-visitor\r\n\r\n").await;
    pages += &String::from_utf8_lossy(&client.until_closed().await);
    stage.provider.sign_in_page(SignInPage::AnsweredBy(&ADA));
    let signed_out = browser.submit(&stage.public_url, "/_vestibule/sign_out", &[]).await;
    pages += &signed_out.response.text();
    let metrics = stage.metrics().await;
    let told = stage.upstream.take();
    stage.door.process.signal(Signal::Terminate).await;
    let (status, log) = stage.door.process.end().await;
    assert_eq!(status.code(), Some(0));

    let value_of = |header: &str| {
        header.split("; ").filter_map(|pair| pair.split_once('=')).map(|(_, v)| v.to_owned()).collect::<Vec<_>>()
    };
    let mut canaries = canaries.lock().expect("no lie panics").clone();
    canaries.extend(value_of(&attempt));
    canaries.extend(value_of(&cookie));
    for header in ["x-vestibule-assertion", "x-service", "x-forwarded-access-token", "authorization"] {
        let values: Vec<_> = told.iter().flat_map(|request| request.headers(header)).map(str::to_owned).collect();
        assert!(!values.is_empty(), "the app was told {header}");
        canaries.extend(values);
    }
    canaries.push("canary-service-password".to_owned());
    canaries.extend(["canary-of-the-query", "canary-of-a-visitor", "canary-of-a-stranger"].map(str::to_owned));
    assert!(canaries.len() > 10, "all of them were caught: {}", canaries.len());
    for canary in canaries.iter().filter(|canary| canary.len() > 8) {
        for (place, text) in [("the log", &log), ("the metrics", &metrics), ("a page", &pages)] {
            let line = text.lines().find(|line| line.contains(canary.as_str()));
            assert_eq!(line, None, "{canary} is in {place}");
        }
    }
    assert!(log.lines().count() > 20, "trace says a lot: {log}");
}

#[tokio::test]
async fn threat_126_whatever_somebody_is_called_a_line_stays_one_line() {
    for format in ["json", "human"] {
        let mut stage = Stage::builder()
            .log(&format!("format = \"{format}\"\nlevel = \"debug\""))
            .public("/public/**")
            .start_binary()
            .await;
        stage.provider.lie(|answer| {
            let evil = json!("ada\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\n\u{1b}[31m\u{9b}31m\u{2028}");
            match answer {
                Lie::IdToken(token) => token.claims["sub"] = evil,
                Lie::UserInfo(claims) => claims["sub"] = evil,
                _ => {}
            }
        });
        let cookie = stage.sign_in(&ADA).await;
        stage.send(Request::get("/page").header("Cookie", &cookie)).await;
        stage.send(Request::get("/public/%0d%0aforged%1b[31m")).await;
        stage
            .send(Request::get("/public/x").header("User-Agent", "a\u{9b}31m").header("Host", "forged\u{9b}31m"))
            .await;
        stage.send(Request::get("/_vestibule/callback?error=forged%0aline&state=x%1b[31m").navigation()).await;
        stage.door.process.signal(Signal::Terminate).await;
        let (_, log) = stage.door.process.end().await;
        assert!(!log.contains(['\u{1b}', '\u{9b}', '\r', '\u{2028}']), "{format}: {log:?}");
        for line in log.lines() {
            if format == "json" {
                let event: Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"));
                assert!(event.is_object() && event["message"] != "forged", "{line}");
            } else {
                assert!(!line.starts_with("{\"level\"") && !line.starts_with("forged"), "{line}");
            }
        }
    }
}

#[tokio::test]
async fn each_line_is_one_json_object_and_each_request_has_one() {
    let mut stage = Stage::builder().public("/public/**").start_binary().await;
    let cookie = stage.sign_in(&ADA).await;
    stage.send(Request::get("/page?secret=1").header("Cookie", &cookie)).await;
    stage.send(Request::get("/public/page")).await;
    let ids: Vec<_> =
        stage.upstream.take().iter().map(|r| r.header("x-request-id").expect("an id").to_owned()).collect();
    stage.door.process.signal(Signal::Terminate).await;
    let (_, log) = stage.door.process.end().await;
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}")))
        .collect();
    for event in &events {
        for field in ["level", "message"] {
            assert!(event[field].is_string(), "{field} in {event}");
        }
    }
    for (id, path, user) in [(&ids[0], "/page", json!("ada")), (&ids[1], "/public/page", Value::Null)] {
        let lines: Vec<_> =
            events.iter().filter(|e| e["message"] == "request" && e["request_id"] == id.as_str()).collect();
        assert_eq!(lines.len(), 1, "{id}: {log}");
        let line = lines[0];
        assert_eq!((&line["path"], &line["user"], &line["status"]), (&json!(path), &user, &json!(200)));
        assert_eq!(
            (&line["app"], &line["method"], &line["client"]),
            (&json!("wiki"), &json!("GET"), &json!("127.0.0.1"))
        );
        assert_eq!(line["bytes"], 18);
        assert!(line["duration_ms"].is_number(), "{line}");
    }
    let signed_in: Vec<_> = events.iter().filter(|event| event["message"] == "signed in").collect();
    assert_eq!(signed_in.len(), 1, "{log}");
}
