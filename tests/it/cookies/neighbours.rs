//! Apps on one host, told apart by their paths: each has a session of its own, and none sees another's cookies.

use url::Url;

use super::*;
use crate::{
    demo::provider::{SignInPage, clients::Client},
    harness::{CLIENT_ID, CLIENT_SECRET},
};

#[tokio::test]
async fn apps_on_one_host_have_sessions_of_their_own_and_hide_all_of_them_from_upstreams() {
    for (scheme, wiki, notes) in
        [("http", "vestibule", "vestibule-notes"), ("https", "__Host-vestibule", "__Secure-vestibule-notes")]
    {
        let more = format!(
            "[[app]]\nid = \"notes\"\npublic_url = \"{scheme}://127.0.0.1:PORT/notes\"\nupstream = \"http://UPSTREAM\"\n\
             [app.access]\npolicy = \"anyone\"\n"
        );
        let usual = Stage::builder().more(&more);
        let stage = if scheme == "https" { usual.behind_tls() } else { usual }.start().await;
        let url = |path: &str| Url::parse(&stage.url(path)).expect("a URL");
        stage.provider.register(Client {
            redirect_uris: vec![url("/_vestibule/callback"), url("/notes/_vestibule/callback")],
            ..Client::vestibule(CLIENT_ID, CLIENT_SECRET, &stage.public_url)
        });
        let mut browser = stage.browser(&ADA);
        assert_eq!(browser.open(&stage.url("/page")).await.hops.len(), 3);
        stage.provider.sign_in_page(SignInPage::AnsweredBy(&GRACE));
        let mut other = stage.browser(&GRACE);
        assert_eq!(other.open(&stage.url("/notes/page")).await.hops.len(), 3);
        let graces = other.cookie_header(&url("/notes"));
        let of_notes = graces.split("; ").find(|pair| pair.starts_with(&format!("{notes}="))).expect("signed in");
        // Both in one browser, as if the second person had signed in to the second app only.
        browser.set_cookie(&url("/notes"), &format!("{of_notes}; Path=/notes; Secure"));
        if scheme == "http" {
            browser.set_cookie(&url("/notes"), &format!("{of_notes}; Path=/notes"));
        }
        stage.upstream.take();
        for (path, person) in [("/page", "ada"), ("/notes/page", "grace"), ("/notesx", "ada"), ("/notes", "grace")] {
            let landed = browser.open(&stage.url(path)).await;
            assert_eq!((landed.response.status, landed.hops.len()), (200, 0), "{scheme} {path}: {landed:?}");
            let seen = stage.upstream.only();
            assert_eq!(
                (seen.header("x-forwarded-user"), seen.header("cookie")),
                (Some(person), None),
                "{scheme} {path}"
            );
        }

        let page = url("/notes/page");
        browser.submit(&page, "/notes/_vestibule/sign_out", &[]).await;
        let names = browser.cookie_names(&url("/notes/"));
        assert!(names.contains(&wiki.to_owned()) && !names.contains(&notes.to_owned()), "{scheme}: {names:?}");
        assert_eq!(browser.open(&stage.url("/page")).await.hops.len(), 0, "{scheme}: the other goes on");
        // The secret of one opens nothing at the other.
        let moved = of_notes.replacen(notes, wiki, 1);
        stage.upstream.take();
        let answer = stage.send(Request::get("/page").navigation().header("Cookie", &moved)).await;
        assert_eq!((answer.status, stage.upstream.take().len()), (302, 0), "{scheme}");
    }
}

#[tokio::test]
async fn an_app_may_be_called_loop() {
    let more = "[[app]]\nid = \"loop\"\npublic_url = \"http://127.0.0.1:PORT/loop\"\nupstream = \"http://UPSTREAM\"\n\
                [app.access]\npolicy = \"anyone\"\n";
    let stage = Stage::builder().more(more).start().await;
    let url = |path: &str| Url::parse(&stage.url(path)).expect("a URL");
    stage.provider.register(Client {
        redirect_uris: vec![url("/_vestibule/callback"), url("/loop/_vestibule/callback")],
        ..Client::vestibule(CLIENT_ID, CLIENT_SECRET, &stage.public_url)
    });
    let mut browser = stage.browser(&ADA);
    for (path, hops) in [("/page", 3), ("/loop/page", 3), ("/page", 0), ("/loop/page", 0)] {
        let landed = browser.open(&stage.url(path)).await;
        assert_eq!((landed.response.status, landed.hops.len()), (200, hops), "{path}: {landed:?}");
    }
}
