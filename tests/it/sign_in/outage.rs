//! A provider that is away: before the start, during a sign-in, and what goes on meanwhile (contract §5).

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::*;
use crate::{
    demo::provider::{Options, clients::Client},
    harness::{CLIENT_ID, CLIENT_SECRET, patiently, signing_key},
};

/// An address of this machine that no other test uses, so that nobody takes the port while the provider is away.
const ITS_OWN: &str = "127.0.0.4:0";

async fn provider_at(address: impl tokio::net::ToSocketAddrs, stage: Option<&Stage>) -> (Provider, SocketAddr) {
    let listener = TcpListener::bind(address).await.expect("an address of this machine");
    let address = listener.local_addr().expect("a bound listener has an address");
    let (clock, _) = vestibule::clock::Clock::manual(crate::harness::START);
    let options = Options { clock, ..Options::signing_with(signing_key()) };
    let provider = Provider::start(listener, options).expect("a bound listener has an address");
    provider.sign_in_page(SignInPage::AnsweredBy(&ADA));
    if let Some(stage) = stage {
        provider.register(Client::vestibule(CLIENT_ID, CLIENT_SECRET, &stage.public_url));
    }
    (provider, address)
}

async fn stage_with(address: SocketAddr) -> Stage {
    let lines = format!("issuer = \"http://{address}\"");
    Stage::builder().provider(&lines).public("/open/**").start_with(|_| {}).await
}

#[tokio::test]
async fn an_outage_keeps_nobody_out_who_is_in_and_ends_by_itself() {
    let (provider, address) = provider_at(ITS_OWN, None).await;
    let stage = stage_with(address).await;
    provider.register(Client::vestibule(CLIENT_ID, CLIENT_SECRET, &stage.public_url));
    let mut inside = stage.browser(&ADA);
    assert_eq!(inside.open(&stage.url(PAGE)).await.response.status, 200);
    let session = cookie(&inside, &stage, SESSION).expect("signed in");
    let mut outside = stage.browser(&ADA);
    let callback = outside.up_to_callback(&stage.url(PAGE)).await;
    stage.upstream.take();

    drop(provider);
    let refused = outside.look_at(callback.as_str()).await;
    is_page(&refused, 502, "The service that you sign in with cannot be reached");
    assert_eq!(cookie(&outside, &stage, SESSION), None);
    assert!(stage.metrics().await.contains("outcome=\"failed\",reason=\"unreachable\"} 1"));
    assert!(opens(&stage, &session).await, "who is in stays in");
    assert_eq!(stage.ops("/readyz").await.status, 200, "a later outage is no fault of ours");
    assert_eq!(stage.ops("/livez").await.status, 200);

    let (_provider, _) = provider_at(address, Some(&stage)).await;
    let landed = outside.open(&stage.url(PAGE)).await;
    assert_eq!(landed.response.status, 200, "{landed:?}");
    assert_eq!(stage.upstream.only().target(), PAGE);
}

#[tokio::test]
async fn a_process_starts_without_its_provider_and_recovers_by_itself() {
    let (provider, address) = provider_at(ITS_OWN, None).await;
    drop(provider);
    let stage = stage_with(address).await;

    assert_eq!((stage.ops("/livez").await.status, stage.ops("/readyz").await.status), (200, 503));
    let open = stage.send(Request::get("/open/page?x").navigation()).await;
    assert_eq!((open.status, stage.upstream.only().target()), (200, "/open/page?x"));
    let refused = stage.send(Request::get(PAGE).navigation()).await;
    is_page(&refused, 502, "The service that you sign in with cannot be reached");
    assert!(refused.headers("set-cookie").is_empty() && refused.text().contains("Sign in"), "a way on: {refused:?}");
    assert_eq!(refusals(&stage, "unreachable").await, 1);
    let as_program = stage.send(Request::get("/api")).await;
    assert_eq!((as_program.status, stage.upstream.requests().len()), (401, 0), "nobody is let in unchecked");

    // Nobody asks: it comes back by its own attempts.
    let (provider, _) = provider_at(address, Some(&stage)).await;
    patiently("an attempt in the background", provider.asked(Endpoint::Keys, 1)).await;
    assert_eq!(stage.ops("/readyz").await.status, 200);
    assert_eq!(stage.browser(&ADA).open(&stage.url(PAGE)).await.response.status, 200);
    assert_eq!(provider.calls_to(Endpoint::Discovery).len(), 1);
}

/// Whoever cannot wait for the next attempt in the background makes one.
#[tokio::test]
async fn the_first_visitor_after_an_outage_need_not_wait() {
    let (provider, address) = provider_at(ITS_OWN, None).await;
    drop(provider);
    let stage = stage_with(address).await;
    for _ in 0..3 {
        assert_eq!(stage.send(Request::get(PAGE).navigation()).await.status, 502);
    }
    let (_provider, _) = provider_at(address, Some(&stage)).await;
    let landed = stage.browser(&ADA).open(&stage.url(PAGE)).await;
    assert_eq!((landed.response.status, stage.upstream.only().target()), (200, PAGE), "{landed:?}");
}
