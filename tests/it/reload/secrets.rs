//! What is secret: files count from the next reload on, and what browsers know from before stays between us.

use std::{fs, path::Path};

use tempfile::TempDir;
use vestibule::meter::Reload;

use crate::{
    demo::provider::{clients::Client, people::ADA},
    harness::{CLIENT_ID, RecordingUpstream, Request, Stage, pki::Authority, upstream::Answer},
};

use super::replace;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(folder: &TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content).expect("a file in a folder of our own");
    path.display().to_string()
}

/// What is written in the files counts from now on.
async fn read_again(stage: &Stage) {
    assert_eq!(stage.door.running().reload().await, Reload::Taken);
}

#[tokio::test]
async fn a_new_client_secret_is_used_for_the_next_code() {
    let folder = folder();
    let file = write(&folder, "secret", "the-first\n");
    let text = format!("client_secret_file = {file:?}");
    let stage = Stage::builder().provider(&text).start().await;
    for secret in ["the-first", "the-second", "the-third"] {
        stage.provider.register(Client::vestibule(CLIENT_ID, secret, &stage.public_url));
        write(&folder, "secret", secret);
        read_again(&stage).await;
        assert_eq!(stage.browser(&ADA).open(&stage.url("/page")).await.response.status, 200, "{secret}");
    }
    stage.provider.register(Client::vestibule(CLIENT_ID, "the-fourth", &stage.public_url));
    assert_eq!(stage.browser(&ADA).open(&stage.url("/page")).await.response.status, 502, "nobody told us");
    assert_eq!(stage.upstream.take().len(), 3);
}

#[tokio::test]
async fn threat_83_a_key_ring_rolls_over_while_sign_ins_are_under_way() {
    const OLD: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let folder = folder();
    let file = write(&folder, "keys", OLD);
    let stage = Stage::builder().keys(&format!("secret_file = {file:?}")).start().await;
    let rings = [OLD.to_owned(), format!("{OLD}\n{NEW}"), format!("{NEW}\n{OLD}"), NEW.to_owned()];
    for [begun, ended] in [[0, 1], [1, 2], [2, 3]] {
        write(&folder, "keys", &rings[begun]);
        read_again(&stage).await;
        let mut browser = stage.browser(&ADA);
        let callback = browser.up_to_callback(&stage.url("/page")).await;
        write(&folder, "keys", &rings[ended]);
        read_again(&stage).await;
        assert_eq!(browser.open(callback.as_str()).await.response.status, 200, "{begun} -> {ended}");
    }
    write(&folder, "keys", &rings[0]);
    read_again(&stage).await;
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url("/page")).await;
    write(&folder, "keys", &rings[3]);
    read_again(&stage).await;
    assert_eq!(browser.look_at(callback.as_str()).await.status, 400, "a key that is gone opens nothing");
}

#[tokio::test]
async fn an_upstream_is_trusted_by_the_authority_and_shown_the_certificate_that_the_files_have_now() {
    let (right, wrong, ours) = (Authority::new(), Authority::new(), Authority::new());
    let server = right.issue("127.0.0.1");
    let upstream = RecordingUpstream::start_tls(server.server_config_for(&ours)).await;
    let (unknown, known) = (wrong.issue("vestibule"), ours.issue("vestibule"));
    let stage = Stage::builder()
        .public("/**")
        .app(&format!("upstream = \"https://{}\"", upstream.address()))
        .app_tables(&format!("[app.upstream_tls]\nca_file = {:?}\n{}", wrong.file(), unknown.lines()))
        .start()
        .await;
    let get = async || stage.send(Request::get("/page")).await.status;
    assert_eq!(get().await, 502, "another authority");
    copy(&right.file(), &wrong.file());
    read_again(&stage).await;
    assert_eq!(get().await, 502, "a certificate that the upstream does not know");
    unknown.replace_with(&known);
    read_again(&stage).await;
    assert_eq!((get().await, upstream.take().len()), (200, 1));
}

#[tokio::test]
async fn threat_51_no_app_sees_or_sets_a_cookie_by_a_name_that_a_reload_has_changed() {
    let stage = Stage::builder().public("/public").session("cookie_name = \"sso\"").start().await;
    let old = stage.sign_in(&ADA).await;
    for name in ["door", "gate"] {
        let last = stage.door.text().lines().find(|line| line.starts_with("cookie_name")).expect("a name").to_owned();
        replace(&stage, &last, &format!("cookie_name = {name:?}")).await;
        let cookies = format!("a=1; {old}; ssox=\"2; __Host-sso-wiki=x");
        stage.upstream.answer(|_| Answer::with("200 OK", "Set-Cookie: sso=planted\r\nSet-Cookie: b=1\r\n", ""));
        let answer = stage.send(Request::get("/public").header("Cookie", &cookies)).await;
        assert_eq!(answer.headers("set-cookie"), ["b=1"], "{name}");
        assert_eq!(stage.upstream.only().header("cookie"), Some("a=1; ssox=\"2"), "{name}");
        assert_eq!(stage.send(Request::get("/page").header("Cookie", &old)).await.status, 401, "{name}");
    }
    // The secret that no app has seen still opens its session where the name is back.
    replace(&stage, "cookie_name = \"gate\"", "cookie_name = \"sso\"").await;
    assert_eq!(stage.send(Request::get("/page").header("Cookie", &old)).await.status, 200);
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).expect("files in folders of our own");
}
