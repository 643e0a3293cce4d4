//! Signing in at apps below a path: own endpoints, the provider's way back, and where both lead.

use url::Url;

use crate::{
    demo::provider::{calls::Endpoint, clients::Client, people::ADA},
    harness::{CLIENT_ID, CLIENT_SECRET, Configuration, RecordingUpstream, Request, Response, Stage},
};

use super::another;

fn wiki() -> Configuration {
    Stage::builder().public_path("/wiki")
}

/// What the provider was asked to lead back to.
fn redirect_uri(stage: &Stage) -> String {
    let calls = stage.provider.calls_to(Endpoint::Authorization);
    let call = calls.last().expect("somebody has been at the provider");
    call.query.get("redirect_uri").expect("every request has one").to_owned()
}

#[tokio::test]
async fn a_deep_link_below_a_path_is_reached_and_our_endpoints_lie_below_it() {
    let stage = wiki().start().await;
    let mut browser = stage.browser(&ADA);
    let landed = browser.open(&stage.url("/wiki/page?a=%2F&b")).await;
    assert_eq!((landed.response.status, landed.url.as_str()), (200, &*stage.url("/wiki/page?a=%2F&b")));
    assert_eq!(stage.upstream.only().target(), "/wiki/page?a=%2F&b");
    assert_eq!(redirect_uri(&stage), stage.url("/wiki/_vestibule/callback"));

    let me = browser.look_at(&stage.own("/userinfo")).await;
    assert_eq!((me.status, &me.json()["sub"]), (200, &"ada".into()));
    let page = browser.look_at(&stage.own("/sign_out")).await;
    let html = page.html();
    for link in ["\"/wiki/_vestibule/sign_out\"", "\"/wiki/\"", "/wiki/_vestibule/static/"] {
        assert!(html.contains(link), "no {link} in {html}");
    }
    assert!(!html.contains("\"/_vestibule"), "{html}");
    let style = html.split('"').find(|link| link.contains(".css")).expect("a style sheet").to_owned();
    assert_eq!(browser.look_at(&stage.url(&style)).await.status, 200, "{style}");

    let out = browser.submit(&stage.public_url, &stage.own("/sign_out"), &[]).await;
    assert_eq!(out.url.path(), "/wiki/_vestibule/signed_out", "{out:?}");
    assert!(out.response.html().contains("rd=/wiki/\""), "{}", out.response.html());
    let refused = stage.send(Request::get("/wiki/api")).await;
    assert_eq!((refused.status, &refused.json()["sign_in"]), (401, &stage.own("/start").into()));
    let lost = stage.send(Request::get("/wiki/_vestibule/callback?code=a&state=b").navigation()).await;
    assert!(lost.status == 400 && lost.html().contains("/wiki/_vestibule/start?rd=%2Fwiki%2F\""), "{}", lost.html());
}

#[tokio::test]
async fn the_provider_leads_back_to_the_callback_path_and_there_is_no_other_way() {
    let back = "callback_path = \"/oauth2/callback\"";
    for (configuration, path) in [(Stage::builder().app(back), ""), (wiki().app(back), "/wiki")] {
        let stage = configuration.start().await;
        let callback = stage.url(&format!("{path}/oauth2/callback"));
        let mut client = Client::vestibule(CLIENT_ID, CLIENT_SECRET, &stage.public_url);
        client.redirect_uris = vec![Url::parse(&callback).expect("a URL")];
        stage.provider.register(client);
        let landed = stage.browser(&ADA).open(&stage.url(&format!("{path}/page"))).await;
        assert_eq!((landed.response.status, landed.url.path()), (200, &*format!("{path}/page")), "{landed:?}");
        assert_eq!(redirect_uri(&stage), callback);
        stage.upstream.take();
        for (target, status) in [
            ("/oauth2/callback?code=a&state=b", 400),
            ("/_vestibule/callback?code=a&state=b", 404),
            ("/oauth2%2fcallback?code=a&state=b", 400),
            ("/oauth2/Callback?code=a&state=b", 400),
            ("/x/..%2foauth2/callback?code=a&state=b", 400),
        ] {
            let answer = stage.send(Request::get(&format!("{path}{target}")).navigation()).await;
            assert_eq!((answer.status, stage.upstream.take().len()), (status, 0), "{target}: {answer:?}");
        }
        let post = stage.send(Request::post(&format!("{path}/oauth2/callback"), "x")).await;
        assert_eq!((post.status, stage.upstream.take().len()), (405, 0));
        // threat 4
        let start = stage.own(&format!("/start?rd={path}/oauth2/callback"));
        let callback = stage.browser(&ADA).up_to_callback(&start).await;
        assert!(callback.path().ends_with("/oauth2/callback"), "{callback}");
    }
}

/// Where a sign-in at the wiki leads that was begun with this `rd`.
async fn led_to(stage: &Stage, rd: &str) -> Response {
    let mut browser = stage.browser(&ADA);
    let rd: String = url::form_urlencoded::byte_serialize(rd.as_bytes()).collect();
    let callback = browser.up_to_callback(&stage.own(&format!("/start?rd={rd}"))).await;
    browser.look_at(callback.as_str()).await
}

#[tokio::test]
async fn a_sign_in_leads_to_pages_of_apps_by_their_paths_and_never_to_our_endpoints() {
    let (notes, far) = (RecordingUpstream::start().await, RecordingUpstream::start().await);
    let more = another("notes", "http://127.0.0.1:PORT/notes", &notes, "callback_path = \"/back\"")
        + &another("far", "http://localhost:PORT/far", &far, "");
    let stage = wiki().more(&more).start().await;
    let far = format!("http://localhost:{}", stage.public_url.port().expect("a port"));
    for (rd, leads_to) in [
        ("/wiki/page?x=%2F", "/wiki/page?x=%2F"),
        ("/wiki", "/wiki"),
        ("page", "/wiki/page"),
        ("./a/../b", "/wiki/b"),
        ("/notes/page", "/notes/page"),
        ("../notes/x", "/notes/x"),
        // no app has it
        ("/", "/wiki/"),
        ("/page", "/wiki/"),
        ("/wikis", "/wiki/"),
        ("..", "/wiki/"),
        ("/notes/../page", "/wiki/"),
        ("/wiki/..%2fnotes/page", "/wiki/"),
        ("/WIKI/page", "/wiki/"),
        ("//wiki/page", "/wiki/"),
        ("", "/wiki/"),
        // threat 4: own endpoints of whichever app
        ("/wiki/_vestibule/sign_out", "/wiki/"),
        ("/wiki/_VESTIBULE/sign_out", "/wiki/"),
        ("/notes/_vestibule/sign_out", "/wiki/"),
        ("/notes/back?code=x", "/wiki/"),
        ("/notes/b%61ck", "/wiki/"),
        ("/wiki/back", "/wiki/back"),
    ] {
        assert_eq!(led_to(&stage, rd).await.location(), stage.url(leads_to), "{rd}");
    }
    for (rd, leads_to) in [
        (format!("{far}/far/page"), format!("{far}/far/page")),
        (format!("{far}/wiki/page"), stage.url("/wiki/")),
        (format!("{far}/"), stage.url("/wiki/")),
        (format!("{far}/far/_vestibule/sign_out"), stage.url("/wiki/")),
        (stage.url("/notes/x"), stage.url("/notes/x")),
    ] {
        assert_eq!(led_to(&stage, &rd).await.location(), leads_to, "{rd}");
    }
}
