//! NTLM and Negotiate sign in a connection: it belongs to one visitor from then on.

use crate::{
    demo::provider::people::{ADA, GRACE},
    harness::{
        RawClient, Request, Response, Stage,
        upstream::{Answer, Recorded},
    },
};

const CHALLENGE: &str = "401 Unauthorized";
const OFFER: &str = "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n";

async fn ask(stage: &Stage, client: &mut RawClient, path: &str, authorization: Option<&str>) -> Response {
    let request =
        authorization.into_iter().fold(Request::get(path), |request, value| request.header("Authorization", value));
    client.exchange(&request.to_host(stage.authority())).await
}

/// On which connection each request since the record began came, by its target.
fn connections(stage: &Stage) -> Vec<(String, usize)> {
    let place = |request: &Recorded| (request.target().to_owned(), request.connection);
    stage.upstream.take().iter().map(place).collect()
}

#[tokio::test]
async fn a_connection_that_saw_ntlm_is_its_visitors_and_nobody_elses() {
    for (scheme, offered) in [("NTLM", true), ("NTLM", false), ("Negotiate", true), ("negotiate", false)] {
        let stage = Stage::builder().public("/**").start().await;
        stage.upstream.answer(|request| match request.header("authorization") {
            None if request.target() == "/login" => Answer::with(CHALLENGE, OFFER, "who are you?"),
            _ => Answer::ok("page"),
        });
        let (mut ada, mut bob) = (stage.connect().await, stage.connect().await);
        // Somebody was here before, so there is a connection that everybody may use.
        assert_eq!(ask(&stage, &mut bob, "/bob/0", None).await.status, 200);
        if offered {
            assert_eq!(ask(&stage, &mut ada, "/login", None).await.status, 401);
        }
        let token = format!("{scheme} YIIB");
        for n in 0..2 {
            assert_eq!(ask(&stage, &mut ada, &format!("/ada/{n}"), Some(&token)).await.status, 200);
        }
        // Signed in: nothing need be said any more.
        assert_eq!(ask(&stage, &mut ada, "/ada/2", None).await.status, 200);
        for n in 1..3 {
            assert_eq!(ask(&stage, &mut bob, &format!("/bob/{n}"), None).await.status, 200);
        }
        assert_eq!(ask(&stage, &mut ada, "/ada/3", None).await.status, 200);
        let seen = connections(&stage);
        let of =
            |who: &str| seen.iter().filter(|(path, _)| path.starts_with(who)).map(|(_, on)| *on).collect::<Vec<_>>();
        let hers = of("/ada")[0];
        assert_eq!(of("/ada"), [hers; 4], "{scheme}: her connection is one and the same: {seen:?}");
        let his = of("/bob");
        assert!(his[1..].iter().all(|on| *on != hers), "{scheme}: and nobody else's: {seen:?}");
        if offered {
            assert_eq!(of("/login"), [hers], "{scheme}: from the challenge on: {seen:?}");
        }

        // Her connection to us closes, and so does hers to the app.
        drop(ada);
        let mut next = stage.connect().await;
        assert_eq!(ask(&stage, &mut next, "/next", None).await.status, 200);
        assert!(connections(&stage).iter().all(|(_, on)| *on != hers), "{scheme}");
    }
}

#[tokio::test]
async fn on_one_connection_of_a_proxy_each_person_is_served_on_their_own() {
    for proxies in ["", "trusted_proxies = [\"127.0.0.0/8\"]"] {
        let stage = Stage::builder().server(proxies).start().await;
        let cookies = [stage.sign_in(&ADA).await, stage.sign_in(&GRACE).await];
        stage.upstream.take();
        let mut client = stage.connect().await;
        // Ada signs in her connection to the app; then both go on, in turns, on the same connection to us.
        for (path, person, token) in
            [("/a/0", 0, Some("NTLM x")), ("/g/0", 1, None), ("/a/1", 0, None), ("/g/1", 1, None)]
        {
            let request = Request::get(path).header("Cookie", &cookies[person]);
            let request = token.into_iter().fold(request, |request, token| request.header("Authorization", token));
            assert_eq!(client.exchange(&request.to_host(stage.authority())).await.status, 200, "{path}");
        }
        let seen = connections(&stage);
        let on = |path: &str| seen.iter().find(|(target, _)| target == path).map(|(_, on)| *on);
        assert_eq!(on("/a/0"), on("/a/1"), "hers is hers: {seen:?}");
        assert!(on("/g/0") != on("/a/0") && on("/g/1") != on("/a/0"), "and nobody else's: {seen:?}");
    }
}

#[tokio::test]
async fn it_closes_with_its_visitors_connection() {
    let stage = Stage::builder().public("/**").start().await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    let request = Request::get("/login").header("Authorization", "NTLM TlRM").to_host(stage.authority());
    client.send(request.bytes()).await;
    let mut conversation = conversations.next().await;
    conversation.expect_head().await;
    conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert_eq!(client.response().await.expect("an answer").text(), "ok");
    drop(client);
    assert_eq!(conversation.until_closed().await, b"");
}

#[tokio::test]
async fn other_schemes_share_connections() {
    let stage = Stage::builder().public("/**").start().await;
    stage.upstream.answer(|_| Answer::with(CHALLENGE, "WWW-Authenticate: Basic realm=\"ntlm\"\r\n", "who are you?"));
    for n in 0..3 {
        let mut client = stage.connect().await;
        ask(&stage, &mut client, &format!("/{n}"), Some("Basic YXBwOmFwcA==")).await;
    }
    assert!(connections(&stage).iter().all(|(_, on)| *on == 0));
}
