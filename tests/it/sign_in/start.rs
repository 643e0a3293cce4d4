//! `/start`: who may begin a sign-in, and what happens to a session that is there (contract §4).

use url::form_urlencoded;

use super::*;

const START: &str = "/_vestibule/start?rd=/wanted";

#[tokio::test]
async fn only_a_top_level_navigation_begins_a_sign_in() {
    let stage = Stage::builder().start().await;
    let html = ("Accept", "text/html");
    for (row, headers) in [
        ("a script", &[("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"), html][..]),
        ("a script without Fetch Metadata", &[("X-Requested-With", "XMLHttpRequest"), html]),
        ("a frame", &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe"), html]),
        ("an image", &[("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")]),
        (
            "a prefetch",
            &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Sec-Purpose", "prefetch"), html],
        ),
        ("a command line", &[("Accept", "*/*")]),
        ("nothing said", &[]),
    ] {
        let response = stage.send(Request::get(START).headers(headers)).await;
        assert_eq!(response.status, 401, "{row}: {response:?}");
        assert!(response.headers("set-cookie").is_empty(), "{row}: no state is made");
    }
    assert_eq!(stage.provider.calls_to(Endpoint::Authorization).len(), 0);
    for headers in [
        &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Site", "cross-site")][..],
        &[html],
    ] {
        let response = stage.send(Request::get(START).headers(headers)).await;
        assert_eq!((response.status, response.headers("set-cookie").len()), (302, 1), "{response:?}");
        assert!(response.location().starts_with(stage.provider.issuer()), "{response:?}");
    }
}

#[tokio::test]
async fn a_live_session_is_not_replaced_without_asking() {
    let stage = Stage::builder().start().await;
    let mut browser = stage.browser(&ADA);
    let landed = browser.open(&stage.url(PAGE)).await;
    assert_eq!(landed.response.status, 200);
    let adas = cookie(&browser, &stage, SESSION).expect("signed in");
    stage.upstream.take();

    // Typed, followed from the app, or led to by another site: it asks.
    let elsewhere = Url::parse("http://127.0.0.3/").expect("a URL");
    for page in [&landed.url, &elsewhere] {
        let asked = browser.click(page, &stage.url(START)).await;
        let text = asked.response.text();
        assert!(asked.hops.is_empty() && asked.response.headers("set-cookie").is_empty(), "{asked:?}");
        assert!(text.contains("You are already signed in") && text.contains("method=\"post\""), "{text}");
        assert_eq!(asked.response.header("x-frame-options"), Some("DENY"), "threat 108");
    }
    assert_eq!(stage.provider.calls_to(Endpoint::Authorization).len(), 1);
    assert!(opens(&stage, &adas).await);

    // Another site cannot press the button.
    let forged = browser.submit(&elsewhere, &stage.url("/_vestibule/start"), &[("rd", "/wanted")]).await;
    is_page(&forged.response, 403, "This request came from another site");
    for (name, value) in [("Origin", "http://elsewhere.example"), ("Origin", "null"), ("Sec-Fetch-Site", "same-site")] {
        let request = Request::post("/_vestibule/start", "rd=/").header(name, value);
        let response = stage.send(request.header("Cookie", &format!("{SESSION}={adas}"))).await;
        assert_eq!((response.status, response.headers("set-cookie").len()), (403, 0), "{name}: {value}");
    }
    assert!(opens(&stage, &adas).await);

    // The visitor can.
    stage.provider.sign_in_page(SignInPage::AnsweredBy(&GRACE));
    let page = Url::parse(&stage.url(START)).expect("a URL");
    let landed = browser.submit(&page, "/_vestibule/start", &[("rd", "/wanted")]).await;
    assert_eq!((landed.response.status, landed.url.path()), (200, "/wanted"), "{landed:?}");
    let asked = stage.provider.calls_to(Endpoint::Authorization);
    assert_eq!(asked.last().and_then(|call| call.query.get("prompt")), Some("select_account"));
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("grace"));
    assert!(!opens(&stage, &adas).await, "threat 8");
}

/// OpenID Connect Core §4: a portal, or the provider itself, has somebody sign in here.
#[tokio::test]
async fn somebody_else_begins_a_sign_in_by_naming_the_issuer() {
    let notes = "[[app]]\nid = \"notes\"\npublic_url = \"http://127.0.0.9:81\"\nupstream = \"http://127.0.0.1:9\"\n\
                 access = { policy = \"anyone\" }";
    let stage = Stage::builder().provider("prompt = \"consent\"").more(notes).start().await;
    let issuer = stage.provider.issuer().to_owned();
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let elsewhere = Url::parse("http://127.0.0.3/").expect("a URL");
    let page = stage.url("/wiki?a=1&b=%2F");
    for (said, leads_to, login_hint) in [
        (format!("iss={issuer}"), "/", None), // as the conformance suite sends it
        (format!("iss={}&target_link_uri={}", encode(&issuer), encode(&page)), "/wiki?a=1&b=%2F", None),
        (format!("iss={issuer}&login_hint=ada%2Bx%40example.com&rd=/other"), "/", Some("ada+x@example.com")),
        (format!("iss={issuer}&provider=company&login_hint={}", "x".repeat(1025)), "/", None),
        (format!("iss={issuer}&target_link_uri=http://127.0.0.9:81/"), "/", None), // that app begins its own
        // Threats 1 to 4: nowhere but here.
        (format!("iss={issuer}&target_link_uri=https://evil.example/"), "/", None),
        (format!("iss={issuer}&target_link_uri=%2F%2Fevil.example"), "/", None),
        (format!("iss={issuer}&target_link_uri=%2F_vestibule%2Fsign_out"), "/", None),
    ] {
        stage.upstream.take();
        for by_a_form in [false, true] {
            let mut browser = stage.browser(&ADA);
            let landed = if by_a_form {
                let fields: Vec<_> = form_urlencoded::parse(said.as_bytes()).into_owned().collect();
                let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                browser.submit(&elsewhere, &stage.url("/_vestibule/start"), &fields).await
            } else {
                browser.click(&elsewhere, &stage.url(&format!("/_vestibule/start?{said}"))).await
            };
            assert_eq!(landed.url.as_str(), stage.url(leads_to), "{said}: {landed:?}");
            assert_eq!(stage.upstream.take().len(), 1, "{said}");
            assert!(landed.hops.iter().all(|(url, _)| url.as_str().len() < 2048), "{landed:?}");
            let asked = stage.provider.calls_to(Endpoint::Authorization).pop().expect("the provider was asked");
            assert_eq!(
                (asked.query.get("login_hint"), asked.query.get("prompt")),
                (login_hint, Some("consent")),
                "{said}"
            );
        }
    }
}

#[tokio::test]
async fn somebody_else_replaces_no_session_and_names_no_strange_issuer() {
    let stage = Stage::builder().start().await;
    let issuer = stage.provider.issuer().to_owned();
    let elsewhere = Url::parse("http://127.0.0.3/").expect("a URL");
    for said in [
        "iss=https://evil.example".to_owned(),
        format!("iss={issuer}/"),
        "iss=".to_owned(),
        format!("iss={issuer}&provider=another"),
    ] {
        let refused = stage.browser(&ADA).click(&elsewhere, &stage.url(&format!("/_vestibule/start?{said}"))).await;
        is_page(&refused.response, 400, "");
        assert!(refused.hops.is_empty() && refused.response.headers("set-cookie").is_empty(), "{said}: {refused:?}");
    }
    assert!(stage.provider.calls_to(Endpoint::Authorization).is_empty());
    // What a form says goes no further unless it is known, and no longer than it may be.
    let long = "\u{fffd}".repeat(700);
    for (iss, status) in [("https://evil.example", 400), (issuer.as_str(), 303)] {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("iss", iss), ("login_hint", &long), ("target_link_uri", &long)])
            .finish();
        let answer =
            stage.send(Request::post("/_vestibule/start", &form).header("Origin", "https://evil.example")).await;
        assert_eq!((answer.status, answer.headers("set-cookie").len()), (status, 0), "{answer:?}");
        if status == 303 {
            assert_eq!(answer.location(), stage.url("/_vestibule/start?rd=%2F&provider=company"));
        }
    }

    let mut browser = stage.browser(&ADA);
    browser.open(&stage.url(PAGE)).await;
    let adas = cookie(&browser, &stage, SESSION).expect("signed in");
    stage.provider.sign_in_page(SignInPage::AnsweredBy(&GRACE));
    let start = stage.url("/_vestibule/start");
    let fields = [("iss", issuer.as_str()), ("login_hint", "grace@example.com"), ("target_link_uri", "/wanted")];
    let asked = browser.submit(&elsewhere, &start, &fields).await;
    let text = asked.response.text();
    assert!(text.contains("You are already signed in") && text.contains("value=\"grace@example.com\""), "{asked:?}");
    assert!(opens(&stage, &adas).await);
    // The visitor says yes, and that is what the page sends.
    let fields = [("rd", "/wanted"), ("provider", "company"), ("login_hint", "grace@example.com")];
    let landed = browser.submit(&asked.url, "/_vestibule/start", &fields).await;
    assert_eq!((landed.response.status, landed.url.path()), (200, "/wanted"), "{landed:?}");
    let asked = stage.provider.calls_to(Endpoint::Authorization).pop().expect("the provider was asked");
    let asked = |name| asked.query.get(name);
    assert_eq!((asked("login_hint"), asked("prompt")), (Some("grace@example.com"), Some("login")));
    assert!(!opens(&stage, &adas).await, "threat 8");
}

#[tokio::test]
async fn a_provider_that_the_app_does_not_have_is_no_choice() {
    let stage = Stage::builder().start().await;
    for provider in ["nobody", "company%00", "COMPANY", "company/../x"] {
        let path = format!("/_vestibule/start?provider={provider}&rd={PAGE}");
        let response = stage.send(Request::get(&path).navigation()).await;
        assert_eq!((response.status, response.headers("set-cookie").len()), (400, 0), "{provider}: {response:?}");
    }
    assert_eq!(stage.provider.calls_to(Endpoint::Authorization).len(), 0);
}

/// Threat 124: counted by client, told by page, and nobody else is kept out.
#[tokio::test]
async fn one_client_begins_so_many_sign_ins_a_minute() {
    let stage = Stage::builder().limits("sign_ins_per_client = \"3/min\"").start().await;
    let begin = |path| stage.send(Request::get(path).navigation());
    assert_eq!([begin("/a").await.status, begin(START).await.status, begin("/b").await.status], [302; 3]);
    for path in ["/c", START] {
        let refused = begin(path).await;
        is_page(&refused, 429, "Too many sign-ins");
        assert!(refused.headers("set-cookie").is_empty() && refused.header("retry-after").is_some(), "{refused:?}");
    }
    let mut other =
        crate::harness::RawClient::connect_from([127, 0, 0, 9].into(), crate::harness::Door::address(&stage.door))
            .await;
    let response = other.exchange(&Request::get("/a").navigation().to_host(stage.authority())).await;
    assert_eq!(response.status, 302, "{response:?}");
}
