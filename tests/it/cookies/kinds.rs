//! Each kind of cookie through the same stories: the promises of contract §4 and §5 hold whatever the cookies are called.

use url::Url;

use super::*;
use crate::{
    demo::provider::clients::Client,
    harness::{Browser, CLIENT_ID, CLIENT_SECRET, Configuration, Response},
};

/// How an operator can have them.
struct Kind {
    session: &'static str,
    app: &'static str,
    scheme: &'static str,
    host: &'static str,
    path: &'static str,
    /// The session's whole `Set-Cookie`, without the value.
    set: &'static str,
    /// What an attempt's name begins with.
    attempt: &'static str,
}

const KINDS: [Kind; 9] = [
    Kind {
        session: "",
        app: "",
        scheme: "http",
        host: "127.0.0.1",
        path: "",
        set: "vestibule; HttpOnly; SameSite=Lax; Path=/",
        attempt: "vestibule-attempt-",
    },
    Kind {
        session: "persistent = true\nlifetime = \"12h\"",
        app: "",
        scheme: "https",
        host: "wiki.example.test",
        path: "",
        set: "__Host-vestibule; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=43200",
        attempt: "__Host-vestibule-attempt-",
    },
    Kind {
        session: "cookie_name = \"Sid\"",
        app: "session = { persistent = true, lifetime = \"30d\" }",
        scheme: "https",
        host: "wiki.example.test",
        path: "",
        set: "__Host-Sid; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000",
        attempt: "__Host-Sid-attempt-",
    },
    Kind {
        session: "cookie_domain = \"example.test\"",
        app: "",
        scheme: "https",
        host: "wiki.example.test",
        path: "",
        set: "__Secure-vestibule; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.test",
        attempt: "__Host-vestibule-attempt-",
    },
    Kind {
        session: "cookie_domain = \"example.test\"",
        app: "callback_url = \"https://wiki.example.test:PORT/_vestibule/callback\"",
        scheme: "https",
        host: "wiki.example.test",
        path: "",
        set: "__Secure-vestibule; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.test",
        attempt: "__Secure-vestibule-attempt-",
    },
    Kind {
        session: "cookie_domain = \"sso.localhost\"\ncookie_name = \"sid\"",
        app: "",
        scheme: "http",
        host: "wiki.sso.localhost",
        path: "",
        set: "sid; HttpOnly; SameSite=Lax; Path=/; Domain=sso.localhost",
        attempt: "sid-attempt-",
    },
    Kind {
        session: "same_site = \"none\"",
        app: "",
        scheme: "https",
        host: "wiki.example.test",
        path: "",
        set: "__Host-vestibule; HttpOnly; SameSite=None; Partitioned; Secure; Path=/",
        attempt: "__Host-vestibule-attempt-",
    },
    Kind {
        session: "",
        app: "",
        scheme: "https",
        host: "wiki.example.test",
        path: "/wiki",
        set: "__Secure-vestibule-wiki; HttpOnly; SameSite=Lax; Secure; Path=/wiki",
        attempt: "__Secure-vestibule-wiki.attempt-",
    },
    Kind {
        session: "cookie_domain = \"example.test\"",
        app: "callback_url = \"https://wiki.example.test:PORT/wiki/sso/callback\"\ncallback_path = \"/sso/callback\"",
        scheme: "https",
        host: "wiki.example.test",
        path: "/wiki",
        set: "__Secure-vestibule; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.test",
        attempt: "__Secure-vestibule-attempt-",
    },
];

impl Kind {
    fn configuration(&self) -> Configuration {
        let usual = Stage::builder().session(self.session).app(self.app).public_host(self.host).public_path(self.path);
        if self.scheme == "https" { usual.behind_tls() } else { usual }
    }

    async fn start(&self) -> Stage {
        let stage = self.configuration().start().await;
        let below = |path: &str| Url::parse(&self.url(&stage, path)).expect("a URL");
        let callback = if self.app.contains("callback_path") { "/sso/callback" } else { "/_vestibule/callback" };
        stage.provider.register(Client {
            redirect_uris: vec![below(callback)],
            post_logout_redirect_uris: vec![below("/_vestibule/signed_out")],
            ..Client::vestibule(CLIENT_ID, CLIENT_SECRET, &stage.public_url)
        });
        stage
    }

    /// A place of the app.
    fn url(&self, stage: &Stage, path: &str) -> String {
        stage.url(&format!("{}{path}", self.path))
    }

    /// A navigation with these cookies.
    async fn with_cookies(&self, stage: &Stage, cookies: &str) -> Response {
        stage.send(Request::get(&format!("{}/page", self.path)).navigation().header("Cookie", cookies)).await
    }

    fn name(&self) -> &str {
        self.set.split(';').next().expect("a name")
    }

    /// The value of the session's cookie that a browser would send.
    fn session(&self, browser: &Browser, stage: &Stage) -> Option<String> {
        let header = browser.cookie_header(&stage.public_url);
        let mut pairs = header.split("; ").filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| *name == self.name()).map(|(_, value)| value.to_owned())
    }

    fn attempts(&self, browser: &Browser, stage: &Stage) -> usize {
        let names = browser.cookie_names(&stage.public_url).into_iter();
        names.filter(|name| name.starts_with(self.attempt)).count()
    }

    /// A `Set-Cookie` like ours with another value.
    fn planted(&self, value: &str) -> String {
        self.set.replacen(self.name(), &format!("{}={value}", self.name()), 1)
    }
}

#[tokio::test]
async fn a_session_comes_in_the_cookie_that_is_configured_and_stays_from_the_upstream() {
    for kind in KINDS {
        let stage = kind.start().await;
        let mut browser = stage.browser(&ADA);
        browser.set_cookie(&stage.public_url, "theme=dark; Path=/");
        let landed = browser.open(&kind.url(&stage, "/page")).await;
        assert_eq!((landed.response.status, landed.hops.len()), (200, 3), "{}: {landed:?}", kind.set);
        let (_, callback) = landed.hops.last().expect("the callback");
        let set: Vec<_> = callback
            .headers("set-cookie")
            .into_iter()
            .filter_map(|line| {
                line.split_once('=').map(|(name, rest)| (name, rest.split_once(';').map_or("", |r| r.1)))
            })
            .filter(|(name, _)| *name == kind.name())
            .map(|(name, attributes)| format!("{name};{attributes}"))
            .collect();
        assert_eq!(set, [kind.set]);
        let seen = stage.upstream.only();
        assert_eq!((seen.header("x-forwarded-user"), seen.headers("cookie")), (Some("ada"), vec!["theme=dark"]));

        // Nor may the upstream set it, in any spelling.
        let name = kind.name().to_owned();
        stage.upstream.answer(move |_| {
            let lines =
                [name.clone(), name.to_uppercase(), format!("{name}-attempt-x"), "__Secure-vestibule".to_owned()];
            let lines = lines.map(|name| format!("Set-Cookie: {name}=planted; Path=/; Secure\r\n")).concat();
            crate::harness::upstream::Answer::with("200 OK", &format!("{lines}Set-Cookie: theme=light\r\n"), "")
        });
        let answer = kind.with_cookies(&stage, &browser.cookie_header(&stage.public_url)).await;
        assert_eq!((answer.status, answer.headers("set-cookie")), (200, vec!["theme=light"]), "{}", kind.set);
    }
}

#[tokio::test]
async fn threats_79_to_82_only_one_undisputed_cookie_of_each_kind_counts() {
    for kind in KINDS {
        let stage = kind.start().await;
        let (name, mut browser) = (kind.name(), stage.browser(&ADA));
        browser.open(&kind.url(&stage, "/page")).await;
        let value = kind.session(&browser, &stage).expect("signed in");
        stage.upstream.take();
        for cookies in [
            format!("{name}={value}; {name}=tossed"),
            format!("{name}=tossed; {name}={value}"),
            format!("{name}={value}; {name}="),
            format!("{name}={}", &value[..42]),
            format!("{name}={value}A"),
            format!("{}={value}", name.to_uppercase()),
            format!("__Http-{name}={value}"),
            format!("{name}-2={value}"),
        ] {
            let answer = kind.with_cookies(&stage, &cookies).await;
            assert_eq!((answer.status, stage.upstream.take().len()), (302, 0), "{cookies}");
        }
        let many = (0..80).map(|n| format!("c{n}=x")).collect::<Vec<_>>().join("; ");
        for cookies in [
            format!("{many}; {name}={value}; {name}={value}"),
            format!(";=; x ;{name} = {value} ;;\"; __Secure-{name}-x=tossed"),
        ] {
            let answer = kind.with_cookies(&stage, &cookies).await;
            assert_eq!((answer.status, stage.upstream.take().len()), (200, 1), "{cookies}");
        }
    }
}

#[tokio::test]
async fn threats_7_and_8_what_was_planted_is_replaced_and_somebody_elses_session_ends() {
    for kind in KINDS {
        let stage = kind.start().await;
        let mut grace = stage.browser(&GRACE);
        grace.open(&kind.url(&stage, "/page")).await;
        let graces = kind.session(&grace, &stage).expect("signed in");
        for planted in ["A".repeat(43), graces] {
            let mut browser = stage.browser(&ADA);
            let callback = browser.up_to_callback(&kind.url(&stage, "/page")).await;
            browser.set_cookie(&stage.public_url, &kind.planted(&planted));
            stage.upstream.take();
            let landed = browser.open(callback.as_str()).await;
            assert_eq!(landed.response.status, 200, "{}: {landed:?}", kind.set);
            assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("ada"));
            assert_ne!(kind.session(&browser, &stage), Some(planted.clone()), "{}", kind.set);
            let answer = kind.with_cookies(&stage, &format!("{}={planted}", kind.name())).await;
            assert_eq!((answer.status, stage.upstream.take().len()), (302, 0), "{}", kind.set);
        }
    }
}

#[tokio::test]
async fn threats_10_and_13_tabs_do_not_disturb_each_other_and_none_takes_anothers_answer() {
    for kind in KINDS {
        let stage = kind.start().await;
        let mut browser = stage.browser(&ADA);
        let mut callbacks = Vec::new();
        for tab in 0..3 {
            callbacks.push(browser.up_to_callback(&kind.url(&stage, &format!("/tab/{tab}"))).await);
        }
        assert_eq!(kind.attempts(&browser, &stage), 3, "{}", kind.set);
        // Threats 6 and 13: in another browser, which has an attempt of its own, it is nobody's.
        let mut victim = stage.browser(&GRACE);
        victim.up_to_callback(&kind.url(&stage, "/page")).await;
        let refused = victim.look_at(callbacks[0].as_str()).await;
        assert_eq!((refused.status, kind.session(&victim, &stage)), (400, None), "{}", kind.set);
        for (tab, callback) in callbacks.iter().enumerate().rev() {
            let landed = browser.open(callback.as_str()).await;
            let expected = kind.url(&stage, &format!("/tab/{tab}"));
            assert_eq!((landed.response.status, landed.url.as_str()), (200, &*expected), "{}", kind.set);
        }
        assert_eq!(kind.attempts(&browser, &stage), 0, "{}: nothing is left over", kind.set);
        assert_eq!(stage.upstream.take().len(), 3);
    }
}

#[tokio::test]
async fn threats_12_and_19_attempts_are_few_small_and_restart_once() {
    for kind in KINDS {
        let stage = kind.start().await;
        let mut browser = stage.browser(&ADA);
        let mut last = None;
        for tab in 0..18 {
            let deep = format!("/tab?n={tab}&x={}", "x".repeat(if tab % 2 == 0 { 10 } else { 900 }));
            last = Some(browser.up_to_callback(&kind.url(&stage, &deep)).await);
            stage.clock.advance(Duration::from_secs(1));
            let header = browser.cookie_header(&stage.public_url);
            let own: usize =
                header.split("; ").filter(|pair| pair.starts_with(kind.attempt)).map(|p| p.len() + 2).sum();
            assert!(own <= 8 * 1024 && kind.attempts(&browser, &stage) <= 16, "{}: {own} bytes", kind.set);
        }
        stage.clock.advance(Duration::from_secs(301));
        let landed = browser.open(last.expect("the last").as_str()).await;
        assert_eq!(
            (landed.response.status, stage.upstream.only().target().len()),
            (200, 912 + kind.path.len()),
            "{}",
            kind.set
        );
        assert_eq!(stage.provider.calls_to(crate::demo::provider::calls::Endpoint::Token).len(), 1, "threat 12");
    }
}

#[tokio::test]
async fn a_loop_is_stopped_after_three_rounds_with_each_kind_of_cookie() {
    for kind in KINDS {
        let stage = kind.start().await;
        let mut browser = stage.browser(&ADA);
        for _ in 0..3 {
            let callback = browser.up_to_callback(&kind.url(&stage, "/page")).await;
            assert_eq!(browser.look_at(callback.as_str()).await.location(), kind.url(&stage, "/page"), "{}", kind.set);
            browser.set_cookie(&stage.public_url, &format!("{}; Max-Age=0", kind.planted("")));
        }
        let stopped = browser.look_at(&kind.url(&stage, "/page")).await;
        assert!(
            stopped.status == 400 && stopped.text().contains("The browser does not seem to keep our cookie"),
            "{}: {stopped:?}",
            kind.set
        );
        assert_eq!(stage.upstream.requests().len(), 0);
        // Whoever then presses the button means it.
        let landed = browser.open(&kind.url(&stage, "/_vestibule/start?rd=again")).await;
        assert_eq!(
            (landed.response.status, stage.upstream.only().target()),
            (200, &*format!("{}/again", kind.path)),
            "{}",
            kind.set
        );
    }
}

#[tokio::test]
async fn a_sign_out_removes_each_kind_of_cookie_and_another_account_replaces_it() {
    for kind in KINDS {
        let stage = kind.start().await;
        let mut browser = stage.browser(&ADA);
        let landed = browser.open(&kind.url(&stage, "/page")).await;
        let adas = kind.session(&browser, &stage).expect("signed in");

        // A link only asks; the button asks the provider for another account.
        let question = browser.open(&kind.url(&stage, "/_vestibule/start?rd=as-grace")).await;
        assert!(question.response.text().contains("Use another account"), "{}: {question:?}", kind.set);
        stage.provider.sign_in_page(crate::demo::provider::SignInPage::AnsweredBy(&GRACE));
        stage.upstream.take();
        let switched = browser
            .submit(&question.url, &kind.url(&stage, "/_vestibule/start"), &[("rd", &kind.url(&stage, "/as-grace"))])
            .await;
        assert_eq!(
            (switched.response.status, switched.url.as_str()),
            (200, &*kind.url(&stage, "/as-grace")),
            "{}: {switched:?}",
            kind.set
        );
        let asked = stage.provider.calls_to(crate::demo::provider::calls::Endpoint::Authorization);
        assert_eq!(asked.last().and_then(|call| call.query.get("prompt")), Some("select_account"));
        assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("grace"));
        assert_eq!(kind.with_cookies(&stage, &format!("{}={adas}", kind.name())).await.status, 302, "threat 8");

        let graces = kind.session(&browser, &stage).expect("signed in");
        browser.submit(&landed.url, &kind.url(&stage, "/_vestibule/sign_out"), &[]).await;
        assert_eq!(kind.session(&browser, &stage), None, "{}", kind.set);
        assert_eq!(kind.with_cookies(&stage, &format!("{}={graces}", kind.name())).await.status, 302);
        assert_eq!(stage.upstream.requests().len(), 0);
    }
}
