//! A new configuration under visitors who are there already: each request is answered by one configuration, the old one
//! or the new one, and none is lost; what did not change survives, and what is not allowed any more ends.
//!
//! In this process the configuration is read again when a test says so; [`watching`] and [`under_load`] run the real
//! program, with its own eyes on its files and with SIGHUP.

mod live;
mod secrets;
mod survivors;
mod terms;
mod under_load;
mod watching;

use vestibule::meter::Reload;

use crate::{
    demo::provider::people::{ADA, GRACE},
    harness::{RawClient, Request, Stage, client::connect_tls, pki::Authority, upstream::Answer},
};

/// Takes a configuration in which one text stands for another.
pub(crate) async fn replace(stage: &Stage, old: &str, new: &str) {
    let change = |text: &str| {
        assert!(text.contains(old), "{old} is not in the configuration");
        text.replace(old, new)
    };
    assert_eq!(stage.door.reload(change).await, Reload::Taken, "{old} -> {new}");
}

#[test]
fn the_readme_lists_what_needs_a_restart() {
    let readme = std::fs::read_to_string("README.md").expect("the README is at the root");
    let (_, list) = readme.split_once("**These need a restart**").expect("the list");
    let list = list.split_once("until then:").and_then(|(_, list)| list.split_once(".\n")).expect("its end").0;
    let said = list.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ");
    let known: Vec<_> = vestibule::sidecar::NEED_A_RESTART.iter().map(|(setting, _)| *setting).collect();
    assert_eq!(said, known.join(", "));
}

const ADA_ONLY: &str = "policy = \"listed\"\nallow = [{ claim = \"sub\", is = \"ada\" }]";

async fn status(stage: &Stage, client: &mut RawClient, request: &Request) -> u16 {
    client.exchange(&request.to_host(stage.authority())).await.status
}

#[tokio::test]
async fn a_request_ends_as_it_began_and_the_next_on_its_connection_is_judged_anew() {
    let stage = Stage::builder().public("/page").start().await;
    let mut conversations = stage.upstream.by_hand();
    let (mut busy, mut idle) = (stage.connect().await, stage.connect().await);
    let page = Request::get("/page").to_host(stage.authority());
    busy.send(page.bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    assert_eq!(idle.exchange(&Request::get("/other").to_host(stage.authority())).await.status, 401);

    replace(&stage, "path = \"/page\"", "path = \"/other\"").await;
    conversation.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nold").await;
    assert_eq!(busy.response().await.expect("an answer").text(), "old");
    assert_eq!(status(&stage, &mut busy, &page).await, 401, "the same connection, the next request");
    stage.upstream.answer(|_| Answer::ok("new"));
    assert_eq!(status(&stage, &mut idle, &Request::get("/other")).await, 200);
    assert_eq!(stage.upstream.take().len(), 2);
}

#[tokio::test]
async fn who_is_taken_off_the_list_is_refused_with_the_next_request_and_let_in_again_with_the_same_session() {
    let stage = Stage::builder().access(ADA_ONLY).start().await;
    let (ada, grace) = (stage.sign_in(&ADA).await, stage.sign_in(&GRACE).await);
    let request = |cookie: &str| Request::get("/page").header("Cookie", cookie);
    let mut clients = [stage.connect().await, stage.connect().await];
    let mut listed = "ada";
    for (who, [of_ada, of_grace]) in [("ada", [200, 403]), ("grace", [403, 200]), ("ada", [200, 403])] {
        replace(&stage, &format!("is = \"{listed}\""), &format!("is = \"{who}\"")).await;
        listed = who;
        let [first, second] = &mut clients;
        assert_eq!(status(&stage, first, &request(&ada)).await, of_ada, "{who} is on the list");
        assert_eq!(status(&stage, second, &request(&grace)).await, of_grace, "{who} is on the list");
    }
    assert_eq!(stage.upstream.take().len(), 3);
}

#[tokio::test]
async fn sessions_in_use_live_by_the_times_of_the_new_configuration() {
    let stage = Stage::builder().session("idle_timeout = \"8h\"\nlifetime = \"24h\"").start().await;
    let (old, busy) = (stage.sign_in(&ADA).await, stage.sign_in(&GRACE).await);
    let mut client = stage.connect().await;
    let mut used =
        async |cookie: &str| status(&stage, &mut client, &Request::get("/page").header("Cookie", cookie)).await;
    let minutes = |minutes| stage.clock.advance(std::time::Duration::from_mins(minutes));

    minutes(40);
    assert_eq!(used(&busy).await, 200);
    replace(&stage, "idle_timeout = \"8h\"", "idle_timeout = \"30m\"").await;
    assert_eq!((used(&old).await, used(&busy).await), (401, 200), "one was not used for 40 minutes");
    minutes(25);
    assert_eq!(used(&busy).await, 200);
    replace(&stage, "lifetime = \"24h\"", "lifetime = \"1h\"").await;
    assert_eq!(used(&busy).await, 401, "it is 65 minutes old");
}

#[tokio::test]
async fn a_faulty_configuration_is_refused_and_the_old_one_goes_on() {
    let stage = Stage::builder().public("/page").start().await;
    for (old, new) in [
        ("policy = \"anyone\"", "policy = \"nobody\""),
        ("[server]", "[sever]"),
        ("access = \"public\"", "access = \"public"),
        ("[[app]]", "[[app]]\nupstream_tls = { ca_file = \"no-such-file.pem\" }"),
    ] {
        let good = stage.door.text();
        assert_eq!(stage.door.reload(|text| text.replace(old, new)).await, Reload::Refused, "{new}");
        assert_eq!(stage.send(Request::get("/page")).await.status, 200, "{new}");
        assert_eq!(stage.send(Request::get("/other")).await.status, 401, "{new}");
        assert_eq!(stage.door.reload(|_| good).await, Reload::Taken, "{old}");
    }
    let metrics = stage.metrics().await;
    for (outcome, times) in [("taken", 4), ("refused", 4)] {
        let line = format!("vestibule_config_reloads_total{{outcome=\"{outcome}\"}} {times}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn the_metrics_tell_when_the_configuration_was_read_that_is_in_use() {
    let stage = Stage::builder().start().await;
    let time = async || {
        let metrics = stage.metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("vestibule_config_last_good_time_seconds "));
        line.and_then(|time| time.parse::<i64>().ok()).expect("a time")
    };
    let started = time().await;
    stage.clock.advance(std::time::Duration::from_mins(1));
    assert_eq!(stage.door.reload(|text| text.replace("[server]", "[sever]")).await, Reload::Refused);
    assert_eq!(time().await, started, "it is the old one that is in use");
    replace(&stage, "[sever]", "[server]").await;
    assert_eq!(time().await, started + 60);
}

#[tokio::test]
async fn whoever_is_a_proxy_by_the_new_rules_is_believed_on_the_connections_that_stand() {
    let stage = Stage::builder().public("/**").server("trusted_proxies = [\"127.0.0.0/8\"]").start().await;
    let mut client = stage.connect().await;
    let request = Request::get("/page").header("X-Forwarded-For", "198.51.100.7");
    let proxies = "trusted_proxies = [\"127.0.0.0/8\"]";
    for (old, new, seen) in [
        (proxies, proxies, "198.51.100.7"),
        (proxies, "trusted_proxies = []", "127.0.0.1"),
        ("trusted_proxies = []", proxies, "198.51.100.7"),
    ] {
        replace(&stage, old, new).await;
        assert_eq!(status(&stage, &mut client, &request).await, 200);
        assert_eq!(stage.upstream.only().header("x-real-ip"), Some(seen), "{new}");
    }
}

#[tokio::test]
async fn limits_prefix_and_hosts_are_those_of_the_new_configuration() {
    let stage = Stage::builder()
        .public("/**")
        .server("prefix = \"/_vestibule\"")
        .app("hosts = [\"old.test\"]")
        .limits("uri_bytes = \"16KiB\"")
        .start()
        .await;
    let mut client = stage.connect().await;
    let long = Request::get(&format!("/{}", "x".repeat(2000)));
    let (old, new) = (Request::get("/").header("Host", "old.test"), Request::get("/").header("Host", "new.test"));
    let pages = [Request::get("/_vestibule/sign_out"), Request::get("/own/sign_out")];
    let mut found = Vec::new();
    for round in 0..2 {
        if round == 1 {
            let change = |text: &str| {
                text.replace("16KiB", "1KiB").replace("old.test", "new.test").replace("/_vestibule", "/own")
            };
            assert_eq!(stage.door.reload(change).await, Reload::Taken);
        }
        let mut statuses = Vec::new();
        for request in [&long, &old, &new] {
            statuses.push(status(&stage, &mut client, request).await);
        }
        let mut ours = Vec::new();
        for page in &pages {
            let answer = client.exchange(&page.to_host(stage.authority())).await;
            ours.push(answer.header("x-frame-options").is_some());
        }
        found.push((statuses, ours));
    }
    assert_eq!(found, [(vec![200, 200, 421], vec![true, false]), (vec![414, 421, 200], vec![false, true])]);
}

#[tokio::test]
async fn tls_neither_begins_nor_ends_by_a_line_that_comes_or_goes() {
    let authority = Authority::new();
    let identity = authority.issue("wiki.test");
    let section = format!("[server.tls]\n{}", identity.lines());
    let stage = Stage::builder().public_host("wiki.test").public("/**");
    let stage = stage.tls(&identity.lines(), authority.root.clone()).start().await;
    let request = Request::get("/page").to_host(stage.authority());
    replace(&stage, &section, "").await;
    let (mut client, shown) =
        connect_tls(stage.door_address(), "wiki.test", &authority.root).await.expect("TLS, as before");
    assert_eq!((client.exchange(&request).await.status, &shown), (200, &identity.certificate));
    let mut clear = stage.connect().await;
    clear.send(request.bytes()).await;
    assert!(!clear.until_closed().await.starts_with(b"HTTP/1.1 200"), "nothing is said in the clear");

    let stage = Stage::builder().public("/**").start().await;
    assert_eq!(stage.door.reload(|text| format!("{text}\n{section}")).await, Reload::Taken);
    assert_eq!(stage.send(Request::get("/page")).await.status, 200, "in the clear, as before");
}
