//! The real program sees by itself that its files have changed, however that came about, and says what became of it.
//! Which changes there are to see is in `src/config/tests/changed_files`; here they are seen with time that passes.

use std::{fs, os::unix::fs::symlink};

use serde_json::Value;

use crate::harness::{Binary, Request, Signal, Stage, patiently};

/// Without access lines: nothing but events is of interest here.
async fn stage() -> Stage<Binary> {
    Stage::builder().public("/page").log("access = false").limits("connections = 100").start_binary().await
}

/// The configuration with another public route.
fn with_route(stage: &Stage<Binary>, route: &str) -> String {
    stage.door.configuration().replace("path = \"/page\"", &format!("path = \"{route}\""))
}

/// Waits until the process says that it has taken a configuration, in which this route is public.
async fn is_taken(stage: &Stage<Binary>, route: &str) {
    said(stage, "info", "was read again").await;
    assert_eq!(stage.send(Request::get(route)).await.status, 200);
    assert_eq!(stage.send(Request::get("/page")).await.status, 401, "what was public is not");
}

/// Waits until the process says that it has refused a configuration, and gives the whole message.
async fn is_refused(stage: &Stage<Binary>) -> String {
    let message = said(stage, "error", "is not used").await;
    assert_eq!(stage.send(Request::get("/page")).await.status, 200, "the one before goes on");
    message
}

async fn said(stage: &Stage<Binary>, level: &str, part: &str) -> String {
    stage.door.process.event(part, |event| message(event, level, part)).await
}

fn message(event: &Value, level: &str, part: &str) -> Option<String> {
    let message = event["message"].as_str().filter(|message| event["level"] == level && message.contains(part))?;
    Some(message.to_owned())
}

/// How often the process has said it so far.
fn times(stage: &Stage<Binary>, level: &str, part: &str) -> usize {
    let output = stage.door.process.output();
    let events = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| message(event, level, part).is_some()).count()
}

#[tokio::test]
async fn a_file_that_an_editor_renames_into_its_place_is_taken() {
    let stage = stage().await;
    stage.door.rewrite(&with_route(&stage, "/renamed"));
    is_taken(&stage, "/renamed").await;
    assert_eq!(times(&stage, "info", "was read again"), 1);
}

#[tokio::test]
async fn the_link_that_kubernetes_swaps_is_followed() {
    let stage = stage().await;
    let at = |name: &str| stage.door.process.folder().join(name);
    for (version, text) in [("..1", stage.door.configuration().to_owned()), ("..2", with_route(&stage, "/swapped"))] {
        fs::create_dir(at(version)).expect("a folder");
        fs::write(at(version).join("vestibule.toml"), text).expect("a file");
    }
    symlink("..1", at("..data")).expect("a link");
    symlink("..data/vestibule.toml", at("next")).expect("a link");
    fs::rename(at("next"), at("vestibule.toml")).expect("a link");
    symlink("..2", at("..data_tmp")).expect("a link");
    fs::rename(at("..data_tmp"), at("..data")).expect("a link");
    is_taken(&stage, "/swapped").await;
}

#[tokio::test]
async fn a_half_written_file_is_told_of_once_and_the_next_good_one_is_taken() {
    let stage = stage().await;
    let whole = with_route(&stage, "/whole");
    let file = stage.door.process.folder().join("vestibule.toml");
    fs::write(&file, &whole[..whole.len() / 2]).expect("a file");
    let message = is_refused(&stage).await;
    assert!(message.contains("the one before goes on"), "{message}");
    fs::write(&file, &whole).expect("a file");
    is_taken(&stage, "/whole").await;
    assert_eq!(times(&stage, "error", "configuration"), 1);
}

#[tokio::test]
async fn a_deleted_file_changes_nothing_until_it_is_there_again() {
    let stage = stage().await;
    fs::remove_file(stage.door.process.folder().join("vestibule.toml")).expect("a file");
    is_refused(&stage).await;
    stage.door.rewrite(&with_route(&stage, "/again"));
    is_taken(&stage, "/again").await;
}

#[tokio::test]
async fn all_faults_of_a_refused_configuration_are_in_one_line_of_the_log() {
    let stage = stage().await;
    let faulty = stage.door.configuration().replace("[server]", "[sever]");
    stage.door.rewrite(&faulty.replace("[[app]]", "[[app]]\nupsteam = \"\""));
    stage.door.process.signal(Signal::HangUp).await;
    let message = is_refused(&stage).await;
    for part in ["--> vestibule.toml:1:2", "unknown key `sever`", "unknown key `upsteam`", "the configuration has"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!message.contains("canary"), "no secret: {message}");
}

#[tokio::test]
async fn what_needs_a_restart_is_named_stays_as_it_is_and_hinders_nothing_else() {
    let stage = stage().await;
    let changed = with_route(&stage, "/new")
        .replace("listen = [\"", "listen = [\"127.0.0.1:0\", \"")
        .replace("workers = 1", "workers = 2")
        .replace("connections = 100", "connections = 7")
        .replace("[log]", "[log]\nformat = \"human\"");
    stage.door.rewrite(&changed);
    stage.door.process.signal(Signal::HangUp).await;
    let named = |event: &Value| Some(event["settings"].as_str()?.to_owned());
    let settings = stage.door.process.event("what stays", named).await;
    assert_eq!(settings, "server.listen, server.workers, server.limits.connections, log.format");
    is_taken(&stage, "/new").await;
}

#[tokio::test]
async fn levels_and_access_lines_are_those_of_the_new_configuration() {
    let stage = stage().await;
    let debug = stage.door.configuration().replace("access = false", "access = true\nlevel = \"debug\"");
    stage.door.rewrite(&debug);
    stage.door.process.signal(Signal::HangUp).await;
    said(&stage, "info", "was read again").await;
    assert_eq!(times(&stage, "info", "request"), 0);
    assert_eq!(stage.send(Request::get("/page")).await.status, 200);
    said(&stage, "info", "request").await;
    stage.door.rewrite(&debug.replace("access = true", "access = false").replace("\"debug\"", "\"error\""));
    stage.door.process.signal(Signal::HangUp).await;
    let twice = "vestibule_config_reloads_total{outcome=\"taken\"} 2\n";
    patiently("the reload", async { while !stage.metrics().await.contains(twice) {} }).await;
    assert_eq!(times(&stage, "info", "was read again"), 1, "{}", stage.door.process.output());
}
