//! Tokens of the provider that an app is handed, and those that are not even kept.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;

use super::SPOOFED;
use crate::{
    demo::provider::{mischief::Answer as Lie, people::ADA},
    harness::{Recorded, Request, Stage},
};

/// What the provider gave at the last sign-in: the access token and the ID token.
fn given(stage: &Stage) -> Arc<Mutex<(String, String)>> {
    let given = Arc::new(Mutex::new(Default::default()));
    let caught = Arc::clone(&given);
    stage.provider.lie(move |answer| {
        if let Lie::Token(reply) = answer {
            let text = |name: &str| reply[name].as_str().expect("a token").to_owned();
            *caught.lock().expect("no lie panics") = (text("access_token"), text("id_token"));
        }
    });
    given
}

async fn seen(stage: &Stage, cookie: &str) -> Recorded {
    let spoofed = [("Authorization", SPOOFED), ("X-Forwarded-Access-Token", SPOOFED), ("Cookie", cookie)];
    assert_eq!(stage.send(Request::get("/page").headers(&spoofed)).await.status, 200);
    stage.upstream.only()
}

#[tokio::test]
async fn the_app_gets_the_token_that_it_wants_in_place_of_the_visitors_word() {
    for (settings, access_token, authorization) in [
        ("access_token = true", true, None),
        ("authorization = \"access_token\"", false, Some("access")),
        ("authorization = \"id_token\"", false, Some("id")),
        ("access_token = true\nauthorization = \"id_token\"", true, Some("id")),
    ] {
        let stage =
            Stage::builder().app_tables(&format!("[app.headers]\n{settings}\n")).public("/public").start().await;
        let given = given(&stage);
        let cookie = stage.sign_in(&ADA).await;
        let (access, id) = given.lock().expect("no lie panics").clone();
        let seen = seen(&stage, &cookie).await;
        let expected = if access_token { vec![access.as_str()] } else { vec![] };
        assert_eq!(seen.headers("x-forwarded-access-token"), expected, "{settings}");
        let bearer = match authorization {
            Some("access") => format!("Bearer {access}"),
            Some(_) => format!("Bearer {id}"),
            None => SPOOFED.to_owned(),
        };
        assert_eq!(seen.headers("authorization"), [bearer], "{settings}");

        // On a public route there is no session whose token it could be, and a visitor's is no token of ours.
        let spoofed = [("Authorization", SPOOFED), ("X-Forwarded-Access-Token", SPOOFED), ("Cookie", &cookie)];
        assert_eq!(stage.send(Request::get("/public").headers(&spoofed)).await.status, 200);
        let seen = stage.upstream.only();
        assert_eq!(seen.headers("x-forwarded-access-token"), [""; 0], "{settings}");
        let left = if authorization.is_some() { vec![] } else { vec![SPOOFED] };
        assert_eq!(seen.headers("authorization"), left, "{settings}");
    }
}

#[tokio::test]
async fn an_expired_token_is_not_handed_over_and_the_visitors_word_is_no_stand_in() {
    let settings = "[app.headers]\naccess_token = true\nauthorization = \"id_token\"\n";
    let stage = Stage::builder().app_tables(settings).start().await;
    stage.provider.lie(|answer| match answer {
        Lie::IdToken(token) => token.claims["exp"] = json!(token.claims["iat"].as_i64().expect("a date") + 120),
        Lie::Token(reply) => reply["expires_in"] = json!(60),
        _ => {}
    });
    let cookie = stage.sign_in(&ADA).await;
    for (seconds, access_token, authorization) in [(0, 1, 1), (59, 1, 1), (1, 0, 1), (59, 0, 1), (1, 0, 0)] {
        stage.clock.advance(Duration::from_secs(seconds));
        let seen = seen(&stage, &cookie).await;
        let counts = (seen.headers("x-forwarded-access-token").len(), seen.headers("authorization").len());
        assert_eq!(counts, (access_token, authorization), "{seen:?}");
        super::assert_nothing_spoofed(&seen);
        assert_eq!(seen.headers("x-forwarded-user"), ["ada"], "the session goes on without them");
    }
}

#[tokio::test]
async fn who_signed_in_learns_no_token_from_us() {
    let settings = "[app.headers]\naccess_token = true\nauthorization = \"id_token\"\n";
    let stage = Stage::builder().app_tables(settings).start().await;
    let given = given(&stage);
    let cookie = stage.sign_in(&ADA).await;
    let (access, id) = given.lock().expect("no lie panics").clone();
    // CVE-2024-39315: a page about the visitor showed tokens.
    for path in ["/_vestibule/userinfo", "/_vestibule/sign_out"] {
        let answer = stage.send(Request::get(path).navigation().header("Cookie", &cookie)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text().contains(&access) && !answer.text().contains(&id), "{path}");
    }
}
