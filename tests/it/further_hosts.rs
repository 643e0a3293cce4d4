//! The further `hosts` of an app (contract §3): each reaches it, and all sign-ins happen at the public URL.

use crate::{
    demo::provider::{calls::Endpoint, people::ADA},
    harness::{Configuration, Request, Stage},
};

const ALIAS: &str = "alias.example.com";

fn with_an_alias() -> Configuration {
    Stage::builder().app(&format!("hosts = [{ALIAS:?}]")).public("/public/**")
}

#[tokio::test]
async fn a_navigation_under_a_further_host_goes_to_the_public_url_before_it_signs_in() {
    let stage = with_an_alias().start().await;
    let alias = format!("{ALIAS}:{}", stage.door_address().port());
    for (asked, leads_to) in [
        ("/page?a=%2F&b", "/page?a=%2F&b"),
        ("/", "/"),
        ("/a/../b", "/b"),
        ("/_vestibule/start?rd=/page", "/_vestibule/start?rd=/page"),
        ("/_vestibule/sign_out", "/_vestibule/sign_out"),
        ("/_vestibule/callback?code=x&state=y", "/_vestibule/callback?code=x&state=y"),
    ] {
        let answer = stage.send(Request::get(asked).navigation().header("Host", &alias)).await;
        assert_eq!((answer.status, answer.location()), (302, &*stage.url(leads_to)), "{asked}: {answer:?}");
        assert!(
            answer.headers("set-cookie").is_empty(),
            "{asked}: a cookie of this host would be of no use: {answer:?}"
        );
    }
    assert!(stage.upstream.take().is_empty());
    assert!(stage.provider.calls_to(Endpoint::Authorization).is_empty());

    let landed = stage.browser(&ADA).open(&stage.url("/page")).await;
    assert_eq!((landed.response.status, stage.upstream.only().target()), (200, "/page"), "and there it goes on");
}

#[tokio::test]
async fn what_is_no_navigation_is_told_where_to_sign_in_and_what_is_public_is_served() {
    let stage = with_an_alias().start().await;
    let api = stage.send(Request::get("/api").header("Host", ALIAS)).await;
    assert_eq!(api.status, 401);
    assert_eq!(api.json()["sign_in"], stage.url("/_vestibule/start"));
    assert!(stage.upstream.take().is_empty());

    let public = stage.send(Request::get("/public/page").navigation().header("Host", ALIAS)).await;
    assert_eq!(public.status, 200);
    let seen = stage.upstream.only();
    assert_eq!((seen.headers("host"), seen.headers("x-forwarded-host")), (vec![ALIAS], vec![ALIAS]));
    // A session of the public URL counts here as well, where a browser would send it.
    let cookie = stage.sign_in(&ADA).await;
    assert_eq!(stage.send(Request::get("/page").header("Host", ALIAS).header("Cookie", &cookie)).await.status, 200);
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("ada"));
}

/// An upstream that serves several apps by `Host` would otherwise serve another app than was judged.
#[tokio::test]
async fn the_upstream_is_asked_for_the_host_that_a_trusted_proxy_forwards() {
    let trusting = "trusted_proxies = [\"127.0.0.0/8\", \"::1\"]";
    let stage = with_an_alias().server(trusting).start().await;
    let request = Request::get("/public/page").header("Host", "inside:8080").header("X-Forwarded-Host", ALIAS);
    assert_eq!(stage.send(request.clone()).await.status, 200);
    let seen = stage.upstream.only();
    assert_eq!((seen.headers("host"), seen.headers("x-forwarded-host")), (vec![ALIAS], vec![ALIAS]));

    let untrusting = with_an_alias().start().await;
    let answer = untrusting.send(request).await;
    assert_eq!(answer.status, 421, "and nobody else forwards one: {answer:?}");
}

/// `xn--alias-` decodes to `alias`: compared after decoding, it was the same host.
#[tokio::test]
async fn cve_2024_12224_a_host_that_decodes_to_another_is_not_that_host() {
    let stage = with_an_alias().start().await;
    for host in ["xn--alias-.example.com", "alias.xn--example-.com", "XN--ALIAS-.example.com"] {
        let answer = stage.send(Request::get("/public/page").header("Host", host)).await;
        assert_eq!(answer.status, 421, "{host}: {answer:?}");
    }
    assert!(stage.upstream.take().is_empty());
}
