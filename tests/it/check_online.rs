//! `vestibule check --online` before a provider that is not as it should be (contract §2).

use http::{HeaderValue, header::DATE};
use serde_json::json;

use crate::{
    demo::provider::{Provider, calls::Endpoint, clients::Client, mischief::Answer, reply::Reply},
    harness::{CLIENT_ID, CLIENT_SECRET, another_provider, binary::Process, signing_key},
};

/// The exit status and the table, before this provider.
async fn check(provider: &Provider) -> (Option<i32>, String) {
    check_as(provider, CLIENT_SECRET, "").await
}

/// The same with further lines below `[[provider]]`, where it knows us by this secret.
async fn check_as(provider: &Provider, secret: &str, lines: &str) -> (Option<i32>, String) {
    let issuer = provider.issuer();
    let public_url = "http://localhost:4180".parse().expect("a URL");
    provider.register(Client::vestibule(CLIENT_ID, secret, &public_url));
    // The provider's own address stands for an app that is there.
    let upstream = issuer;
    let text = format!(
        "[[provider]]\nid = \"company\"\nissuer = {issuer:?}\nclient_id = {CLIENT_ID:?}\nclient_secret = {CLIENT_SECRET:?}\n\
         {lines}\n[[app]]\nid = \"wiki\"\npublic_url = \"http://localhost:4180\"\nupstream = {upstream:?}\n\
         [app.access]\npolicy = \"anyone\"\n"
    );
    let mut process = Process::run(&["check", "--online", "--config", "vestibule.toml"], &[("vestibule.toml", &text)]);
    let (status, output) = process.end().await;
    assert!(!output.contains(CLIENT_SECRET), "{output}");
    (status.code(), output)
}

/// The row of one side: its first line.
fn row<'o>(output: &'o str, what: &str) -> &'o str {
    let found = output.lines().find(|line| line.contains(&format!("  {what}  ")));
    found.unwrap_or_else(|| panic!("no row for {what}:\n{output}"))
}

#[tokio::test]
async fn of_two_client_secrets_the_one_that_the_provider_knows_is_enough() {
    let (provider, _) = another_provider(signing_key()).await;
    for (known, first, second, exit) in
        [(CLIENT_SECRET, "ok", "note", 0), ("canary-next", "WARN", "ok", 0), ("a third one", "FAIL", "note", 1)]
    {
        let (status, output) = check_as(&provider, known, "client_secret_next = \"canary-next\"").await;
        assert_eq!(status, Some(exit), "{known}: {output}");
        assert!(row(&output, "client").starts_with(first), "{known}: {output}");
        assert!(row(&output, "next secret").starts_with(second), "{known}: {output}");
        assert!(!output.contains("canary-next"), "{output}");
    }
}

#[tokio::test]
async fn each_thing_that_a_provider_has_wrong_fails_its_row_and_says_what_to_do() {
    let (provider, _) = another_provider(signing_key()).await;
    let (exit, output) = check(&provider).await;
    assert_eq!(exit, Some(0), "{output}");
    assert!(row(&output, "client").starts_with("ok"), "{output}");
    assert!(row(&output, "redirect URI").ends_with("http://localhost:4180/_vestibule/callback"), "{output}");

    provider.lie(|answer| {
        if let Answer::Keys(keys) = answer {
            *keys = json!({ "keys": [] });
        }
    });
    let (exit, output) = check(&provider).await;
    assert!(exit == Some(1) && row(&output, "keys").starts_with("FAIL"), "{output}");
    assert!(output.contains("-> compare `id_token_signed_response_alg`"), "{output}");

    provider.lie(|answer| {
        if let Answer::Reply(Endpoint::Token, reply) = answer {
            *reply = Reply::Disconnect;
        }
    });
    let (exit, output) = check(&provider).await;
    assert!(exit == Some(1) && row(&output, "client").starts_with("FAIL"), "{output}");

    provider.lie(|answer| {
        if let Answer::Reply(Endpoint::Token, Reply::Whole(response)) = answer {
            response.headers_mut().insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        }
    });
    let (exit, output) = check(&provider).await;
    assert!(exit == Some(1) && row(&output, "clock").starts_with("FAIL"), "{output}");
    assert!(row(&output, "clock").contains(" s ahead of the provider's"), "{output}");
}
