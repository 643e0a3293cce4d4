//! What a reload leaves as it is: connections to upstreams, what is known of providers, sign-ins under way, limits.

use vestibule::meter::Reload;

use super::replace;
use crate::{
    demo::provider::{calls::Endpoint, mischief::Answer, people::ADA, reply::Reply},
    harness::{RecordingUpstream, Request, Stage},
};

#[tokio::test]
async fn connections_to_an_upstream_that_did_not_change_are_used_again_whatever_else_did() {
    let stage = Stage::builder().public("/**").app_tables("[app.limits]\nconnect = \"5s\"\n").start().await;
    let other = RecordingUpstream::start().await;
    let get = async || assert_eq!(stage.send(Request::get("/page")).await.status, 200);
    get().await;
    for (old, new) in [
        ("[server]", "[server]\nprefix = \"/own\""),
        ("connect = \"5s\"", "connect = \"6s\""),
        ("id = \"wiki\"", "id = \"renamed\""),
        ("path = \"/**\"", "path = \"/page\""),
    ] {
        replace(&stage, old, new).await;
        get().await;
        assert_eq!(stage.upstream.connections(), 1, "{new}");
    }
    let (ours, theirs) = (stage.upstream.address().to_string(), other.address().to_string());
    replace(&stage, &format!("http://{ours}"), &format!("http://{theirs}")).await;
    get().await;
    assert_eq!((stage.upstream.take().len(), other.take().len()), (5, 1));
}

#[tokio::test]
async fn a_provider_that_did_not_change_is_not_asked_again_and_one_that_did_is_not_forgotten() {
    let stage = Stage::builder().start().await;
    stage.provider.asked(Endpoint::Keys, 1).await;
    stage.provider.forget_calls();
    replace(&stage, "[server]", "[server]\nprefix = \"/own\"").await;
    assert_eq!(stage.ops("/readyz").await.status, 200);
    assert!(stage.provider.calls().is_empty(), "nothing of it changed");

    // The provider is down, and what differs is nothing that it was asked about.
    stage.provider.lie(|answer| {
        if let Answer::Reply(_, reply) = answer {
            *reply = Reply::Disconnect;
        }
    });
    replace(&stage, "[[provider]]", "[[provider]]\ndisplay_name = \"Company\"").await;
    assert_eq!(stage.ops("/readyz").await.status, 200);
    let begun = stage.send(Request::get("/own/start").navigation()).await;
    assert!(begun.location().starts_with(stage.provider.issuer()), "sign-ins go on: {begun:?}");
}

#[tokio::test]
async fn a_provider_that_comes_by_a_reload_does_not_make_the_process_unready() {
    let stage = Stage::builder().app("providers = [\"company\"]").start().await;
    let another = "[[provider]]\nid = \"partners\"\nissuer = \"http://127.0.0.1:1\"\nclient_id = \"x\"\n\n[[app]]";
    replace(&stage, "[[app]]", another).await;
    let ready = stage.ops("/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["checks"]["provider partners"], "metadata not fetched yet");
    let unknown = "vestibule_provider_metadata_known{provider=\"partners\"} 0\n";
    assert!(stage.metrics().await.contains(unknown));
    replace(&stage, another, "[[app]]").await;
    assert!(!stage.metrics().await.contains("vestibule_provider_metadata_known{provider=\"partners\"}"));
}

#[tokio::test]
async fn a_sign_in_that_began_under_one_configuration_ends_under_the_next_and_counts_once() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url("/page?x=1")).await;
    replace(&stage, "name = \"Team wiki\"", "name = \"Wiki\"").await;
    let before = browser.clone();
    let landed = browser.open(callback.as_str()).await;
    assert_eq!((landed.response.status, stage.upstream.only().target()), (200, "/page?x=1"));
    replace(&stage, "name = \"Wiki\"", "name = \"Team wiki\"").await;
    let replayed = before.clone().look_at(callback.as_str()).await;
    assert_eq!(replayed.status, 400, "what was answered once stays so: {replayed:?}");
    assert_eq!(stage.provider.calls_to(Endpoint::Token).len(), 1);
}

#[tokio::test]
async fn threat_124_a_reload_is_no_way_around_the_limit_of_sign_ins() {
    let stage = Stage::builder().limits("sign_ins_per_client = \"2/min\"").start().await;
    let begin = async || stage.send(Request::get("/page").navigation()).await.status;
    assert_eq!((begin().await, begin().await, begin().await), (302, 302, 429));
    replace(&stage, "[server]", "[server]\nprefix = \"/own\"").await;
    assert_eq!(begin().await, 429);
    replace(&stage, "2/min", "3/min").await;
    assert_eq!(begin().await, 302, "another limit is counted anew");
}

#[tokio::test]
async fn nobody_waits_for_a_reload() {
    let stage = Stage::builder().public("/page").start().await;
    let (mut client, cookie) = (stage.connect().await, stage.sign_in(&ADA).await);
    let meanwhile = async {
        for request in [Request::get("/page"), Request::get("/other").header("Cookie", &cookie)] {
            let answer = client.exchange(&request.to_host(stage.authority())).await;
            assert_eq!(answer.status, 200);
        }
        stage.sign_in(&ADA).await;
        assert_eq!(stage.ops("/readyz").await.status, 200);
    };
    assert_eq!(stage.door.while_it_is_read(meanwhile).await, Reload::Taken);
}
