//! Answers that come to the callback from the wrong browser, twice, late, or bent (threats 6, 11, 13, 14).

use futures_util::future::join_all;

use super::*;

#[tokio::test]
async fn threat_6_an_attackers_answer_signs_nobody_in() {
    let stage = Stage::builder().start().await;
    let attackers = stage.browser(&MALLORY).up_to_callback(&stage.url(PAGE)).await;

    // Flowfin/jellyfin-plugin-sso#326, CVE-2017-1000069: the victim has begun nothing.
    let response = carry(&stage, &attackers, "theme=dark").await;
    is_page(&response, 400, "This sign-in could not be finished");
    assert!(response.headers("set-cookie").is_empty(), "{response:?}");

    // The victim has begun a sign-in of their own, which stays as it is.
    let mut victim = stage.browser(&ADA);
    let own = victim.up_to_callback(&stage.url(PAGE)).await;
    is_page(&victim.look_at(attackers.as_str()).await, 400, "This sign-in could not be finished");
    assert_eq!(cookie(&victim, &stage, SESSION), None);
    assert_eq!((redemptions(&stage.provider), refusals(&stage, "state_missing").await), (0, 2));
    assert_eq!(victim.open(own.as_str()).await.response.status, 200);
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("ada"));

    // The victim is signed in: nothing is redeemed, and they stay who they are.
    let response = victim.look_at(attackers.as_str()).await;
    assert_eq!((response.status, response.location()), (302, &*stage.url("/")));
    assert!(response.headers("set-cookie").is_empty(), "{response:?}");
    assert_eq!(redemptions(&stage.provider), 1);
}

/// Where it leads is in the sealed attempt, and nowhere else.
#[tokio::test]
async fn cve_2021_29651_an_answer_says_nothing_about_where_it_leads() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url(PAGE)).await;
    let bent = format!("{callback}&redirect_uri=https%3A%2F%2Fevil.example%2F&rd=//evil.example/&next=//evil.example/");
    let strangers = carry(&stage, &bent.parse().expect("a URL"), "theme=dark").await;
    is_page(&strangers, 400, "This sign-in could not be finished");
    let response = browser.look_at(&bent).await;
    assert_eq!((response.status, response.location()), (302, &*stage.url(PAGE)), "{response:?}");
}

#[tokio::test]
async fn threat_11_an_answer_counts_once() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url(PAGE)).await;
    let old_cookies = browser.cookie_header(&stage.public_url);
    assert_eq!(browser.look_at(callback.as_str()).await.status, 302);

    let replayed = carry(&stage, &callback, &old_cookies).await;
    is_page(&replayed, 400, "This sign-in could not be finished");
    assert!(replayed.headers("set-cookie").is_empty(), "{replayed:?}");
    is_page(&carry(&stage, &callback, "theme=dark").await, 400, "This sign-in could not be finished");
    assert_eq!((refusals(&stage, "state_replayed").await, refusals(&stage, "state_missing").await), (1, 1));
    assert_eq!(redemptions(&stage.provider), 1);
    assert!(stage.upstream.requests().is_empty());
}

#[tokio::test]
async fn threat_11_of_ten_that_come_at_once_one_counts() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url(PAGE)).await;
    let cookies = browser.cookie_header(&stage.public_url);
    let responses = join_all((0..10).map(|_| carry(&stage, &callback, &cookies))).await;
    let mut statuses: Vec<_> = responses.iter().map(|response| response.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [302, 400, 400, 400, 400, 400, 400, 400, 400, 400]);
    assert_eq!(redemptions(&stage.provider), 1);
}

#[tokio::test]
async fn threat_13_the_state_of_one_tab_does_not_fit_the_cookie_of_another() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let a = browser.up_to_callback(&stage.url("/a")).await;
    let b = browser.up_to_callback(&stage.url("/b")).await;
    let names: Vec<_> =
        browser.cookie_names(&stage.public_url).into_iter().filter(|n| n.starts_with(ATTEMPT)).collect();
    let [first, second] = &names[..] else { panic!("two attempts: {names:?}") };
    let value = |name: &str| cookie(&browser, &stage, name).expect("it was just listed");

    let other_alone = format!("{second}={}", value(second));
    is_page(&carry(&stage, &a, &other_alone).await, 400, "This sign-in could not be finished");
    let exchanged = format!("{first}={}; {second}={}", value(second), value(first));
    for callback in [&a, &b] {
        is_page(&carry(&stage, callback, &exchanged).await, 400, "This sign-in could not be finished");
    }
    assert_eq!((redemptions(&stage.provider), refusals(&stage, "state_missing").await), (0, 3));

    // Nothing of this has used the attempts up.
    for (callback, page) in [(a, "/a"), (b, "/b")] {
        assert_eq!(browser.open(callback.as_str()).await.response.status, 200);
        assert_eq!(stage.upstream.only().target(), page);
    }
}

#[tokio::test]
async fn threat_14_a_parameter_that_comes_twice_redeems_nothing_and_spends_nothing() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url(PAGE)).await;
    let cookies = browser.cookie_header(&stage.public_url);
    let value = |name: &str| callback.query_pairs().find(|(n, _)| n == name).expect("it is there").1.into_owned();
    let (state, code) = (value("state"), value("code"));
    for more in [
        format!("&state={state}"),
        "&state=another".to_owned(),
        "&%73tate=another".to_owned(),
        "&state".to_owned(),
        format!("&code={code}"),
        "&code=another".to_owned(),
        "&c%6fde=another".to_owned(),
        "&iss=https://elsewhere.example".to_owned(),
        "&error=a&error=b".to_owned(),
    ] {
        let twice = Url::parse(&format!("{callback}{more}")).expect("a URL");
        is_page(&carry(&stage, &twice, &cookies).await, 400, "This sign-in could not be finished");
    }
    assert_eq!((redemptions(&stage.provider), refusals(&stage, "callback_duplicate").await), (0, 9));
    assert_eq!(carry(&stage, &callback, &cookies).await.location(), stage.url(PAGE));
}

#[tokio::test]
async fn the_back_button_leads_to_where_the_sign_in_led() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url(PAGE)).await;
    assert_eq!(browser.open(callback.as_str()).await.response.status, 200);
    let session = cookie(&browser, &stage, SESSION);
    for _ in 0..2 {
        let response = browser.look_at(callback.as_str()).await;
        assert_eq!((response.status, response.location()), (302, &*stage.url(PAGE)));
        assert!(response.headers("set-cookie").is_empty(), "{response:?}");
    }
    // Also with a code that nobody gave, since nothing is redeemed.
    let bent = callback.as_str().replace("code=", "code=x");
    assert_eq!(browser.look_at(&bent).await.location(), stage.url(PAGE));
    assert_eq!((redemptions(&stage.provider), cookie(&browser, &stage, SESSION)), (1, session));
    assert_eq!(stage.upstream.take().len(), 1);
}

/// Fuzzing has its own place; this is what people and scanners really send.
#[tokio::test]
async fn odd_requests_to_our_own_endpoints_get_a_plain_answer_and_harm_nobody() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let callback = browser.up_to_callback(&stage.url(PAGE)).await;
    let cookies = browser.cookie_header(&stage.public_url);
    let long = "x".repeat(15_000);
    let queries = [
        "",
        "?",
        "?&&&===",
        "?code",
        "?state",
        "?code=&state=",
        "?%",
        "?%zz=%",
        "?code=%00&state=%00",
        "?state=%F0%28%8C%BC&code=1",
        "?code=1&state=AAAAAAAAAAAAAAAAAAAAAA",
        "?code=1&state=AAAAAAAAAAAAAAAAAAAAAB",
        "?code=1&state=../../x",
        "?error=%3Cscript%3E&state=1",
        "?rd=%00&provider=%00",
        "?provider=",
        "?provider=nobody",
        "?provider=company&provider=x",
        "?rd=javascript:alert(1)",
        "?iss=%ff&login_hint=%0d%0a&target_link_uri=//x",
    ];
    let jars = [
        String::new(),
        cookies.clone(),
        format!("{SESSION}="),
        format!("{SESSION}=%00; {SESSION}=AAAA; {ATTEMPT}=; {ATTEMPT}AAAAAAAAAAAAAAAAAAAAAA=!; vestibule-.loop=////"),
        format!("{SESSION}={}; {ATTEMPT}AAAAAAAAAAAAAAAAAAAAAA={}; =; ;;=;", "A".repeat(43), "A".repeat(3000)),
    ];
    let mut client = stage.connect().await;
    for endpoint in ["start", "callback", "sign_in", "sign_out", "signed_out", "userinfo", "nothing", "static/../x", ""]
    {
        for query in queries.iter().copied().chain([&*format!("?state={long}"), &*format!("?code=1&{long}")]) {
            for jar in &jars {
                let request =
                    Request::get(&format!("/_vestibule/{endpoint}{query}")).navigation().header("Cookie", jar);
                let response = client.exchange(&request.to_host(stage.authority())).await;
                assert!((200..500).contains(&response.status), "{endpoint}{query} with {jar}: {response:?}");
                assert!(!response.text().contains("<script"), "{endpoint}{query}: {response:?}");
            }
        }
    }
    // CVE-2021-20718, CVE-2025-3891: a POST without a type and without a body.
    for endpoint in ["start", "callback", "sign_in", "sign_out", "signed_out", "userinfo"] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"] {
            let request = Request::new(method, &format!("/_vestibule/{endpoint}"));
            let status = stage.send(request).await.status;
            assert!((200..500).contains(&status), "{method} {endpoint}: {status}");
        }
    }
    assert_eq!((redemptions(&stage.provider), stage.upstream.requests().len()), (0, 0));
    assert_eq!(carry(&stage, &callback, &cookies).await.location(), stage.url(PAGE));
}
