//! `vestibule check --online` before a certified provider: what it finds is what is there.

use std::{fs, process::Command};

use serde_json::Value;

use crate::{
    address::own_address,
    app::App,
    deployment::Plan,
    provider::{CLIENT_SECRET, Provider},
};

/// What `check --online --json` says of a plan, whose file is changed first.
fn check(plan: &Plan, app: &App, change: impl Fn(String) -> String) -> (Option<i32>, Vec<Value>) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("vestibule.toml");
    fs::write(&file, change(plan.configuration(app.address))).expect("a file in a folder of our own");
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    let output = command.args(["check", "--online", "--json", "--config"]).arg(&file).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains(CLIENT_SECRET), "{said}");
    let rows = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code(), rows)
}

/// The verdicts on one side, in their order.
fn verdicts<'r>(rows: &'r [Value], what: &str) -> Vec<&'r str> {
    let of_this = rows.iter().filter(|row| row["what"] == what);
    of_this.map(|row| row["verdict"].as_str().expect("a verdict is a word")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_right_and_each_thing_wrong_shows_in_its_row() {
    let (plan, app) = (Plan::usual(), App::start(own_address()).await);
    let provider = Provider::start(plan.provider_address(), plan.origin()).await;
    let (exit, rows) = check(&plan, &app, |text| text);
    assert_eq!(exit, Some(0), "{rows:?}");
    for what in ["metadata", "PKCE", "keys", "client", "clock", "upstream"] {
        assert_eq!(verdicts(&rows, what), ["ok"], "{what}: {rows:?}");
    }
    let redirect = rows.iter().find(|row| row["what"] == "redirect URI").expect("it says what to register");
    assert_eq!(redirect["finding"], format!("{}/_vestibule/callback", plan.origin()));
    assert!(provider.calls_to("/auth").await.is_empty(), "nobody was sent to sign in");

    let wrong_secret = |text: String| text.replace(CLIENT_SECRET, "another-secret");
    let (exit, rows) = check(&plan, &app, wrong_secret);
    assert_eq!((exit, verdicts(&rows, "client")), (Some(1), vec!["fail"]), "{rows:?}");
    assert_eq!(verdicts(&rows, "metadata"), ["ok"]);

    let with_slash = |text: String| {
        let line = text.lines().find(|line| line.starts_with("issuer = ")).expect("an issuer").to_owned();
        text.replace(&line, &format!("{}/\"", line.trim_end_matches('"')))
    };
    let (exit, rows) = check(&plan, &app, with_slash);
    assert_eq!((exit, verdicts(&rows, "metadata")), (Some(1), vec!["fail"]), "{rows:?}");
    assert!(rows[0]["finding"].as_str().is_some_and(|finding| finding.contains("to the letter")), "{rows:?}");

    let nobody = own_address();
    let (exit, rows) = check(&plan, &app, |text| text.replace(&app.address.to_string(), &nobody.to_string()));
    assert_eq!((exit, verdicts(&rows, "upstream")), (Some(1), vec!["fail"]), "{rows:?}");

    drop(provider);
    let (exit, rows) = check(&plan, &app, |text| text);
    assert_eq!((exit, verdicts(&rows, "metadata")), (Some(1), vec!["fail"]), "{rows:?}");
    assert_eq!((verdicts(&rows, "client"), verdicts(&rows, "upstream")), (vec![], vec!["ok"]), "{rows:?}");
}
