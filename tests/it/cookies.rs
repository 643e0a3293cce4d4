//! Our cookies: who may plant them, what a broken one does, how many there are, when they end.

use std::time::Duration;

use crate::{
    demo::provider::people::{ADA, GRACE},
    harness::{Request, Stage},
};

mod kinds;
mod leftovers;
mod neighbours;
mod same_site;
mod siblings;

/// The value of the session's cookie in a `Cookie` header.
fn session_of(cookie: &str) -> &str {
    let of = |name: &str| cookie.split("; ").find_map(|pair| pair.strip_prefix(name));
    of("vestibule=").or_else(|| of("__Host-vestibule=")).unwrap_or_else(|| panic!("no session in {cookie}"))
}

#[tokio::test]
async fn the_session_cookie_can_neither_be_read_by_scripts_nor_sent_by_other_sites() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let landed = browser.open(&stage.url("/page")).await;
    let (_, callback) = landed.hops.last().expect("the callback");
    let cookies = callback.headers("set-cookie");
    let session = cookies.iter().find(|cookie| cookie.starts_with("vestibule=")).expect("a session's cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(session.contains(attribute), "{attribute} in {session}");
    }
    assert!(
        !session.contains("Domain") && !session.contains("Max-Age"),
        "for this host, until the browser closes: {session}"
    );
    assert!(cookies.iter().any(|cookie| cookie.starts_with("vestibule-attempt-") && cookie.contains("Max-Age=0")));
    assert_eq!(callback.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn threat_79_over_https_only_the_host_prefix_counts() {
    let stage = Stage::builder().behind_tls().start().await;
    let answer = stage.send(Request::get("/page").navigation()).await;
    let attempt = answer.header("set-cookie").expect("an attempt");
    assert!(attempt.starts_with("__Host-vestibule-attempt-") && attempt.contains("Secure"), "{attempt}");

    // A session's secret under any other name is nobody's.
    let secret = session_of(&Stage::builder().start().await.sign_in(&ADA).await).to_owned();
    for name in ["vestibule", "__Secure-vestibule", "__host-vestibule", "__HOST-vestibule"] {
        let answer = stage.send(Request::get("/page").navigation().header("Cookie", &format!("{name}={secret}"))).await;
        assert_eq!(answer.status, 302, "{name}");
    }
    assert_eq!(stage.upstream.take().len(), 0);
}

#[tokio::test]
async fn threat_79_two_sessions_in_one_request_are_none() {
    let stage = Stage::builder().start().await;
    let (ada, grace) = (stage.sign_in(&ADA).await, stage.sign_in(&GRACE).await);
    let (ada, grace) = (session_of(&ada), session_of(&grace));
    let both = |a: &str, b: &str| {
        Request::get("/page").navigation().header("Cookie", &format!("vestibule={a}; vestibule={b}"))
    };
    for request in [both(ada, grace), both(grace, ada), both(ada, "x"), both("", ada)] {
        assert_eq!(stage.send(request).await.status, 302, "there is no telling which of them somebody planted");
    }
    assert_eq!(stage.upstream.take().len(), 0);
    assert_eq!(stage.send(both(ada, ada)).await.status, 200);
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("ada"));
}

#[tokio::test]
async fn threat_80_a_cookie_that_is_none_of_ours_is_no_session_and_no_error() {
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let value = session_of(&cookie);
    let (head, tail) = value.split_at(value.len() - 1);
    let flipped = if tail == "A" { "Q" } else { "A" };
    for (id, sent) in [
        ("tampered", format!("vestibule={head}{flipped}")),
        ("truncated", format!("vestibule={head}")),
        ("longer", format!("vestibule={value}A")),
        ("padded", format!("vestibule={value}=")),
        ("quoted", format!("vestibule=\"{value}\"")),
        ("another case", format!("vestibule={}", value.to_ascii_lowercase())),
        ("another name", format!("Vestibule={value}")),
        ("empty", "vestibule=".to_owned()),
        ("no value", "vestibule".to_owned()),
        ("CVE-2021-32785", "vestibule=%s%n%x".to_owned()),
        ("CVE-2021-32785", format!("vestibule={}", "A".repeat(4000))),
        ("CVE-2023-28625", ";=;".to_owned()),
        ("CVE-2024-24814", "vestibule_session_chunks=99999999; vestibule-.loop=99999999".to_owned()),
        ("threat 82", "=; ==; ;;; ,,,; \"".to_owned()),
        ("threat 82", "vestibule-attempt-; vestibule-attempt-x=y; vestibule-.loop".to_owned()),
    ] {
        let answer = stage.send(Request::get("/page").navigation().header("Cookie", &sent)).await;
        assert_eq!(answer.status, 302, "{id}: {sent}: {answer:?}");
        let answer =
            stage.send(Request::get("/_vestibule/callback?code=c&state=s").navigation().header("Cookie", &sent)).await;
        assert_eq!(answer.status, 400, "{id}: {sent}: {answer:?}");
        assert_eq!(stage.upstream.take().len(), 0, "{id}: {sent}");
    }
    // The real one, among all of that.
    let request = Request::get("/page").header("Cookie", ";=; a").header("Cookie", &format!("x=\"; {cookie} ; y"));
    assert_eq!(stage.send(request).await.status, 200, "threat 82");
}

#[tokio::test]
async fn threat_81_too_many_or_too_long_cookies_are_431_and_no_loop() {
    let stage = Stage::builder().start().await;
    let many = (0..200).fold(Request::get("/page").navigation(), |r, n| r.header("Cookie", &format!("c{n}=x")));
    let long = Request::get("/page").navigation().header("Cookie", &format!("c={}", "x".repeat(160 * 1024)));
    for request in [many, long] {
        let mut client = stage.connect().await;
        // The rest of a head that is refused may find nobody to take it.
        client.wire.write(request.to_host(stage.authority()).bytes()).await.ok();
        let answer = client.response().await.expect("an answer");
        assert_eq!(answer.status, 431, "{answer:?}");
        assert_eq!((answer.header("location"), answer.header("set-cookie")), (None, None));
    }
    assert_eq!(stage.upstream.take().len(), 0);
}

#[tokio::test]
async fn threat_83_a_key_that_is_rolled_over_opens_what_it_sealed_and_a_key_that_is_gone_does_not() {
    const OLD: &str = "b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2w=";
    const NEW: &str = "bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU=";
    let ring = |keys: &[&str]| format!("secret = \"\"\"\n{}\"\"\"", keys.join("\n"));
    // Attempts live in the browser alone, so another process with the same ring takes them up.
    for (sealed_by, opened_by, opens) in
        [(&[OLD][..], &[NEW, OLD][..], true), (&[NEW, OLD], &[OLD, NEW], true), (&[OLD], &[NEW], false)]
    {
        let before = Stage::builder().keys(&ring(sealed_by)).start().await;
        let after = Stage::builder().keys(&ring(opened_by)).start().await;
        let mut browser = before.browser(&ADA);
        let callback = browser.up_to_callback(&before.url("/page")).await;
        let query = callback.query().expect("a query");
        let answer = browser.look_at(&after.url(&format!("/_vestibule/callback?{query}"))).await;
        // The other process has another provider, so it gets no further than that; but a seal that does not open is 400.
        assert_eq!(answer.status != 400, opens, "{sealed_by:?} {opened_by:?}: {answer:?}");
        assert_ne!(answer.status, 302, "{answer:?}");
    }
}

#[tokio::test]
async fn threat_7_a_session_that_somebody_planted_is_replaced_at_sign_in() {
    let stage = Stage::builder().start().await;
    for planted in ["A".repeat(43), session_of(&stage.sign_in(&GRACE).await).to_owned()] {
        let mut browser = stage.browser(&ADA);
        let callback = browser.up_to_callback(&stage.url("/page")).await;
        browser.set_cookie(&stage.public_url, &format!("vestibule={planted}; Path=/"));
        let answer = browser.look_at(callback.as_str()).await;
        assert_eq!(answer.status, 302, "{answer:?}");
        let cookie = browser.cookie_header(&stage.public_url);
        assert_ne!(session_of(&cookie), planted);
        assert_eq!(stage.send(Request::get("/page").header("Cookie", &cookie)).await.status, 200);
        assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("ada"));
        // Threat 8: another person's session, which was here before, is over.
        let answer = stage.send(Request::get("/page").header("Cookie", &format!("vestibule={planted}"))).await;
        assert_eq!((answer.status, stage.upstream.take().len()), (401, 0));
    }
}

#[tokio::test]
async fn each_sign_in_has_a_new_secret_and_a_signed_out_one_is_dead() {
    let stage = Stage::builder().start().await;
    let (first, second) = (stage.sign_in(&ADA).await, stage.sign_in(&ADA).await);
    assert_ne!(session_of(&first), session_of(&second));
    let answer = stage.send(Request::post("/_vestibule/sign_out", "").header("Cookie", &first)).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(
        answer.headers("set-cookie").iter().any(|c| c.starts_with("vestibule=;") && c.contains("Max-Age=0")),
        "{answer:?}"
    );
    // CVE-2024-21492, CVE-2025-29928: what is over is over, not only in this browser.
    assert_eq!(stage.send(Request::get("/page").header("Cookie", &first)).await.status, 401);
    assert_eq!(stage.upstream.take().len(), 0);
    assert_eq!(
        stage.send(Request::get("/page").header("Cookie", &second)).await.status,
        200,
        "each browser has its own"
    );
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_too_long_or_old_whatever_is_done() {
    let stage = Stage::builder().session("idle_timeout = \"1h\"\nlifetime = \"3h\"").start().await;
    let (idle, busy) = (stage.sign_in(&ADA).await, stage.sign_in(&GRACE).await);
    let status = async |cookie: &str| stage.send(Request::get("/page").header("Cookie", cookie)).await.status;
    for _ in 0..5 {
        stage.clock.advance(Duration::from_mins(35));
        assert_eq!(status(&busy).await, 200);
    }
    assert_eq!(status(&idle).await, 401, "an hour without use");
    stage.clock.advance(Duration::from_mins(10));
    assert_eq!(status(&busy).await, 401, "three hours are three hours");
}

#[tokio::test]
async fn threat_10_twelve_tabs_sign_in_at_once_and_each_lands_where_it_was_going() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let mut callbacks = Vec::new();
    for tab in 0..12 {
        callbacks.push(browser.up_to_callback(&stage.url(&format!("/tab?n={tab}"))).await);
    }
    // The last one first: a person signs in once, and the other tabs come back.
    for (tab, callback) in callbacks.iter().enumerate().rev() {
        let landed = browser.open(callback.as_str()).await;
        assert_eq!((landed.response.status, landed.url.as_str()), (200, stage.url(&format!("/tab?n={tab}")).as_str()));
    }
    assert_eq!(stage.upstream.take().len(), 12);
    let names = browser.cookie_names(&stage.public_url);
    assert!(names.iter().all(|name| !name.contains("attempt")), "nothing is left over: {names:?}");
}

#[tokio::test]
async fn threat_19_the_seventeenth_sign_in_takes_the_place_of_the_oldest() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let mut callbacks = Vec::new();
    for tab in 0..17 {
        callbacks.push(browser.up_to_callback(&stage.url(&format!("/tab?n={tab}"))).await);
        stage.clock.advance(Duration::from_secs(1));
    }
    let attempts = browser.cookie_names(&stage.public_url).iter().filter(|name| name.contains("attempt")).count();
    assert_eq!(attempts, 16);
    let oldest = browser.clone().look_at(callbacks[0].as_str()).await;
    assert_eq!(oldest.status, 400, "{oldest:?}");
    for tab in [1, 16] {
        let landed = browser.clone().open(callbacks[tab].as_str()).await;
        assert_eq!((landed.response.status, landed.url.as_str()), (200, stage.url(&format!("/tab?n={tab}")).as_str()));
    }
}

#[tokio::test]
async fn threat_19_long_deep_links_give_way_before_the_cookies_fill_a_head() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    for tab in 0..20 {
        let deep = format!("/tab?n={tab}&x={}", "x".repeat(1800));
        browser.up_to_callback(&stage.url(&deep)).await;
        stage.clock.advance(Duration::from_secs(1));
        let cookies = browser.cookie_header(&stage.public_url);
        assert!(cookies.len() < 9 * 1024, "{} bytes of cookies after {tab} tabs", cookies.len());
    }
    let landed = browser.open(&stage.url("/page")).await;
    assert_eq!(landed.response.status, 200);
}

#[tokio::test]
async fn threat_9_another_site_can_lead_somebody_here_and_do_nothing_in_their_name() {
    let stage = Stage::builder().start().await;
    let evil = url::Url::parse("https://evil.example/page").expect("a URL");
    let mut browser = stage.browser(&ADA);
    let landed = browser.click(&evil, &stage.url("/page")).await;
    assert_eq!(landed.response.status, 200, "a link from elsewhere signs in like any other: {landed:?}");
    assert_eq!(stage.upstream.only().header("sec-fetch-site"), Some("cross-site"));
    for path in ["/_vestibule/sign_out", "/_vestibule/sign_out?rd=/", "/_vestibule/start?rd=/page"] {
        let page = browser.click(&evil, &stage.url(path)).await;
        assert_eq!((page.response.status, page.hops.len()), (200, 0), "a page that asks first: {page:?}");
    }
    for path in ["/_vestibule/sign_out", "/_vestibule/start"] {
        let refused = browser.submit(&evil, &stage.url(path), &[("rd", "/page")]).await;
        assert_eq!((refused.response.status, refused.hops.len()), (403, 0), "{refused:?}");
    }
    assert_eq!(browser.open(&stage.url("/page")).await.hops.len(), 0, "still signed in");
}
