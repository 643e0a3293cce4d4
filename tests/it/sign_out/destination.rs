//! Where a sign-out leads: `rd`, `post_logout_url`, `post_logout_urls` (threat 5).

use super::*;

const URLS: &str = "post_logout_url = \"https://www.example.com/bye?from=wiki\"\n\
                    post_logout_urls = [\"https://www.example.com/\", \"https://intranet.example.com/start\"]";

/// What `rd` says, and what it comes to: a place of ours, a configured URL, or nothing.
const ASKED: [(&str, Asked); 16] = [
    ("/goodbye?x=1", Asked::Ours("/goodbye?x=1")),
    ("/", Asked::Ours("/")),
    ("https://www.example.com/", Asked::Configured("https://www.example.com/")),
    ("https://www.example.com", Asked::Configured("https://www.example.com/")),
    ("https://intranet.example.com/start", Asked::Configured("https://intranet.example.com/start")),
    ("https://www.example.com/bye?from=wiki", Asked::Configured("https://www.example.com/bye?from=wiki")),
    ("", Asked::Nothing),
    // threat 5, CVE-2024-52289, CVE-2026-41569: neither a prefix nor a pattern
    ("https://www.example.com/bye", Asked::Nothing),
    ("https://www.example.com/bye?from=wiki&x=1", Asked::Nothing),
    ("https://www.example.com/start", Asked::Nothing),
    ("https://intranet.example.com/start/..", Asked::Nothing),
    ("https://intranet-example.com/start", Asked::Nothing),
    ("https://www.example.com@evil.example/", Asked::Nothing),
    ("http://www.example.com/", Asked::Nothing),
    ("//evil.example/", Asked::Nothing),
    ("/_vestibule/start", Asked::Nothing),
];

#[derive(Clone, Copy)]
enum Asked {
    Ours(&'static str),
    Configured(&'static str),
    Nothing,
}

async fn sign_out(stage: &Stage, rd: &str) -> Response {
    let cookie = stage.sign_in(&ADA).await;
    let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("rd", rd).finish();
    let request = Request::post("/_vestibule/sign_out", form).header("Sec-Fetch-Site", "same-origin");
    let answer = stage.send(request.header("Cookie", &cookie)).await;
    assert_eq!((answer.status, opens(stage, &cookie).await), (303, false), "{rd}: {answer:?}");
    answer
}

fn without_end_session(provider: &Provider) {
    provider.lie(|answer| {
        if let Bent::Discovery(metadata) = answer {
            metadata["end_session_endpoint"] = serde_json::Value::Null;
        }
    });
}

#[tokio::test]
async fn threat_5_without_the_providers_sign_out_it_leads_to_what_is_configured_or_ours() {
    for (app, default) in [("", None), (URLS, Some("https://www.example.com/bye?from=wiki"))] {
        let stage = Stage::builder().app(app).start_with(without_end_session).await;
        stage.ready().await;
        let default = default.map_or_else(|| stage.url("/_vestibule/signed_out"), str::to_owned);
        for (rd, asked) in ASKED {
            let expected = match asked {
                Asked::Ours(path) => stage.url(path),
                Asked::Configured(url) if !app.is_empty() => url.to_owned(),
                Asked::Configured(_) | Asked::Nothing => default.clone(),
            };
            assert_eq!(sign_out(&stage, rd).await.location(), expected, "{rd}");
        }
    }
}

#[tokio::test]
async fn threat_5_the_provider_is_asked_to_lead_back_to_what_is_configured_or_to_our_page() {
    let stage = Stage::builder().app(URLS).start().await;
    for (rd, asked) in ASKED {
        let answer = sign_out(&stage, rd).await;
        let url = Url::parse(answer.location()).expect("a URL");
        assert!(url.as_str().starts_with(stage.provider.issuer()), "{rd}: {url}");
        let back = url.query_pairs().find(|(name, _)| name == "post_logout_redirect_uri").expect("a way back").1;
        let expected = match asked {
            Asked::Ours(_) => stage.url("/_vestibule/signed_out"),
            Asked::Configured(url) => url.to_owned(),
            Asked::Nothing => "https://www.example.com/bye?from=wiki".to_owned(),
        };
        assert_eq!(back, expected, "{rd}");
        assert!(url.query_pairs().any(|(name, state)| name == "state" && state.len() >= 20), "{rd}");
    }
}

#[tokio::test]
async fn a_configured_url_is_where_the_browser_ends_by_way_of_the_provider() {
    let stage = Stage::builder().app("post_logout_url = \"http://localhost:PORT/bye\"");
    let more = "[[app]]\nid = \"door\"\npublic_url = \"http://localhost:PORT\"\nupstream = \"http://UPSTREAM\"\n\
                [app.access]\npolicy = \"anyone\"\n[[app.route]]\npath = \"/**\"\naccess = \"public\"\n";
    let stage = stage.more(more).start().await;
    let bye = Url::parse(&format!("http://localhost:{}/bye", stage.public_url.port().expect("a port"))).expect("a URL");
    stage.provider.register(Client {
        post_logout_redirect_uris: vec![bye.clone()],
        ..Client::vestibule(CLIENT_ID, CLIENT_SECRET, &stage.public_url)
    });
    let mut browser = stage.browser(&ADA);
    let landed = browser.open(&stage.url("/page")).await;
    let question = browser.click(&landed.url, "/_vestibule/sign_out").await;
    let policy = question.response.header("content-security-policy").expect("a policy").to_owned();
    assert!(policy.contains(&bye.origin().ascii_serialization()), "browsers hold the form to it: {policy}");
    let left = browser.submit(&question.url, "/_vestibule/sign_out", &[]).await;
    assert_eq!(
        (left.response.status, left.url.host_str(), left.url.path()),
        (200, Some("localhost"), "/bye"),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_place_of_ours_is_a_link_on_the_page_that_the_provider_leads_back_to() {
    let stage = Stage::builder().start().await;
    for (rd, link) in [("/goodbye?x=%2F&y", Some("/goodbye?x=%2F&y")), ("", None), ("//evil.example", None)] {
        let mut browser = stage.browser(&ADA);
        let landed = browser.open(&stage.url("/page")).await;
        let left = browser.submit(&landed.url, "/_vestibule/sign_out", &[("rd", rd)]).await;
        assert_eq!((left.response.status, left.url.path()), (200, "/_vestibule/signed_out"), "{left:?}");
        let page = left.response.html();
        assert_eq!(page.contains("Go on"), link.is_some(), "{rd}: {page}");
        assert!(link.is_none_or(|link| page.contains(&format!("href=\"{link}\""))), "{rd}: {page}");
        assert!(!page.contains("evil"), "{page}");

        // Bent, or brought to another app, it says nothing.
        let state = left.url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
        for bent in [format!("{state}A"), state[1..].to_owned(), state.to_uppercase(), "A".repeat(4000)] {
            let answer = stage.send(Request::get(&format!("/_vestibule/signed_out?state={bent}")).navigation()).await;
            assert!(answer.status == 200 && !answer.text().contains("Go on"), "{bent}: {answer:?}");
        }
    }
}
