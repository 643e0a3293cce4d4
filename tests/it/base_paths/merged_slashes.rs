//! `merge_slashes = false`: `//` survives on the way, and a route holds in both spellings.

use crate::{
    demo::provider::people::ADA,
    harness::{Request, Stage},
};

#[tokio::test]
async fn slashes_arrive_as_they_came() {
    let stage = Stage::builder().app("merge_slashes = false").start().await;
    let cookie = stage.sign_in(&ADA).await;
    for (sent, arrives) in [
        ("/artifactory//repo///a//?b=//", "/artifactory//repo///a//?b=//"),
        ("//repo/a", "//repo/a"),
        ("//", "//"),
        ("/a/./b//c", "/a/b//c"),
        ("/a/../b//c", "/b//c"),
        ("/a%2F//b", "/a%2F//b"),
    ] {
        let answer = stage.send(Request::get(sent).header("Cookie", &cookie)).await;
        assert_eq!(answer.status, 200, "{sent}: {answer:?}");
        assert_eq!(stage.upstream.only().target(), arrives, "{sent}");
    }
}

#[tokio::test]
async fn threat_56_two_slashes_lead_past_no_route() {
    let stage = Stage::builder().app("merge_slashes = false").public("/public/**").public("/*/open").start().await;
    for (sent, status) in [
        ("/public/a", 200),
        ("/public//a", 200),
        ("/public//", 200),
        ("/x/open", 200),
        // open in one spelling only
        ("//public/a", 401),
        ("/x//open", 401),
        ("//x/open", 401),
        ("/public/%2f..%2fadmin", 401),
        ("/public//..%2fadmin", 401),
        ("/public//%2e%2e%2fadmin", 401),
        ("/public/;/..%2fadmin", 401),
        // who merges first climbs higher than who does not
        ("/public//../admin", 400),
        ("/public//%2e%2e/admin", 400),
        ("/public/a//../../admin", 400),
        ("/public/a///.././../admin", 400),
        ("//../admin", 400),
        // our own endpoints are nobody else's in either spelling
        ("//_vestibule/start", 400),
        ("/_vestibule//start", 404),
        ("/a//../_vestibule/start", 400),
    ] {
        let answer = stage.send(Request::get(sent)).await;
        let seen = stage.upstream.take().len();
        assert_eq!((answer.status, seen), (status, usize::from(status == 200)), "{sent}: {answer:?}");
    }
}
