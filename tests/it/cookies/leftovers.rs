//! Cookies that an earlier configuration has put elsewhere under the same name: they lock nobody out.

use url::Url;

use super::*;
use crate::{
    demo::provider::clients::Client,
    harness::{Browser, CLIENT_ID, CLIENT_SECRET, Configuration},
};

/// An app whose cookies move with a reload.
struct Move {
    before: fn() -> Configuration,
    /// What of the configuration becomes what.
    change: [&'static str; 2],
    /// The app's path and the session's name afterwards.
    path: &'static str,
    session: &'static str,
    /// A page that gets the cookies of both.
    page: &'static str,
}

const MOVES: [Move; 5] = [
    Move {
        before: || Stage::builder().public_path("/wiki"),
        change: ["/wiki\"", "/wiki/v2\""],
        path: "/wiki/v2",
        session: "vestibule-wiki",
        page: "/page",
    },
    Move {
        before: || Stage::builder().public_path("/wiki").behind_tls(),
        change: ["/wiki\"", "/wiki/v2/new\""],
        path: "/wiki/v2/new",
        session: "__Secure-vestibule-wiki",
        page: "/page",
    },
    Move {
        before: || Stage::builder().public_path("/wiki/v2"),
        change: ["/wiki/v2\"", "/wiki\""],
        path: "/wiki",
        session: "vestibule-wiki",
        page: "/v2/page",
    },
    Move {
        before: || below("example.test"),
        change: ["\"example.test\"", "\"team.example.test\""],
        path: "",
        session: "__Secure-vestibule",
        page: "/page",
    },
    Move {
        before: || below("team.example.test"),
        change: ["\"team.example.test\"", "\"example.test\""],
        path: "",
        session: "__Secure-vestibule",
        page: "/page",
    },
];

fn below(domain: &str) -> Configuration {
    Stage::builder()
        .session(&format!("cookie_domain = \"{domain}\"\nidle_timeout = \"1h\""))
        .public_host("wiki.team.example.test")
        .behind_tls()
}

impl Move {
    /// Somebody has signed in, and then the cookies moved.
    async fn start(&self) -> (Stage, Browser) {
        let stage = (self.before)().start().await;
        let old = |path: &str| {
            let base = stage.public_url.as_str().trim_end_matches('/');
            Url::parse(&format!("{base}{path}")).expect("a URL")
        };
        let callbacks = vec![old("/_vestibule/callback"), self.url(&stage, "/_vestibule/callback")];
        stage.provider.register(Client {
            redirect_uris: callbacks,
            ..Client::vestibule(CLIENT_ID, CLIENT_SECRET, &stage.public_url)
        });
        let mut browser = stage.browser(&ADA);
        let landed = browser.open(old("/page").as_str()).await;
        assert_eq!(landed.response.status, 200, "{landed:?}");
        let [before, after] = self.change;
        crate::reload::replace(&stage, before, after).await;
        (stage, browser)
    }

    fn url(&self, stage: &Stage, path: &str) -> Url {
        stage.public_url.join(&format!("{}{path}", self.path)).expect("a URL")
    }

    fn sessions(&self, stage: &Stage, browser: &Browser) -> usize {
        let names = browser.cookie_names(&self.url(stage, self.page));
        names.iter().filter(|name| *name == self.session).count()
    }
}

#[tokio::test]
async fn a_sign_out_takes_the_session_cookie_from_wherever_an_earlier_configuration_has_put_it() {
    for case in MOVES {
        let (stage, mut browser) = case.start().await;
        let page = case.url(&stage, case.page);
        assert_eq!(
            browser.open(page.as_str()).await.hops.len(),
            0,
            "the session counts here as well: {:?}",
            case.change
        );
        browser.submit(&page, case.url(&stage, "/_vestibule/sign_out").path(), &[]).await;
        assert_eq!(case.sessions(&stage, &browser), 0, "{:?}", case.change);
        let landed = browser.open(page.as_str()).await;
        assert_eq!((landed.response.status, landed.hops.len()), (200, 3), "{:?}: {landed:?}", case.change);
        assert_eq!(browser.open(page.as_str()).await.hops.len(), 0, "{:?}", case.change);
    }
}

#[tokio::test]
async fn a_stale_session_cookie_that_is_sent_beside_ours_goes_with_the_next_sign_in() {
    for case in MOVES {
        let (stage, mut browser) = case.start().await;
        let page = case.url(&stage, case.page);
        stage.clock.advance(Duration::from_hours(24 * 30));
        // The second time around the browser has both.
        let landed = browser.open(page.as_str()).await;
        assert_eq!((landed.response.status, landed.hops.len()), (200, 6), "{:?}: {landed:?}", case.change);
        assert_eq!(case.sessions(&stage, &browser), 1, "{:?}", case.change);
        assert_eq!(browser.open(page.as_str()).await.hops.len(), 0, "{:?}", case.change);
    }
}

#[tokio::test]
async fn a_stale_loop_marker_hides_no_loop() {
    for planted in ["AAAAAQ", "AAAAAA", "////", "AA", ""] {
        let (stage, mut browser) = MOVES[0].start().await;
        let page = MOVES[0].url(&stage, "/page");
        browser.set_cookie(&page, &format!("vestibule-wiki.loop={planted}; Path=/wiki"));
        let forget = |browser: &mut Browser| {
            for path in ["/wiki", "/wiki/v2"] {
                browser.set_cookie(&page, &format!("vestibule-wiki=; Path={path}; Max-Age=0"));
            }
        };
        let mut rounds = 0;
        let stopped = loop {
            forget(&mut browser);
            let answer = browser.look_at(page.as_str()).await;
            if answer.status != 302 || rounds > 3 {
                break answer;
            }
            let callback = browser.up_to_callback(page.as_str()).await;
            assert_eq!(browser.look_at(callback.as_str()).await.location(), page.as_str());
            rounds += 1;
        };
        assert_eq!(stopped.status, 400, "{planted:?} after {rounds} rounds: {stopped:?}");
        // Whoever asks for one more gets it, and nothing stays that would stop the next.
        let landed =
            browser.submit(&page, MOVES[0].url(&stage, "/_vestibule/start").path(), &[("rd", page.path())]).await;
        assert_eq!(landed.response.status, 200, "{planted:?}: {landed:?}");
        let markers = browser.cookie_names(&page).iter().filter(|name| name.contains(".loop")).count();
        assert_eq!(markers, 1, "{planted:?}: this sign-in's own");
    }
}
