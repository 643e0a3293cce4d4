//! Several providers: the choice among them, and what one's sessions count for elsewhere (contract §3).

use super::*;
use crate::{
    demo::provider::clients::Client,
    harness::{CLIENT_ID, CLIENT_SECRET, another_provider, signing_key},
};

/// A second provider, and a second app that takes nobody but its people.
async fn stage() -> (Stage, Provider) {
    let (partner, _) = another_provider(signing_key()).await;
    partner.sign_in_page(SignInPage::AnsweredBy(&GRACE));
    let more = format!(
        "[[provider]]\nid = \"partner\"\nissuer = {:?}\nclient_id = {CLIENT_ID:?}\nclient_secret = {CLIENT_SECRET:?}\n\
         display_name = \"Partner & Sons\"\n\
         [[app]]\nid = \"notes\"\nname = \"Notes\"\npublic_url = \"http://localhost:PORT\"\nupstream = \"http://UPSTREAM\"\n\
         providers = [\"partner\"]\n[app.access]\npolicy = \"anyone\"\n",
        partner.issuer()
    );
    let stage = Stage::builder().app("providers = [\"company\", \"partner\"]").more(&more).start().await;
    partner.register(Client::vestibule(CLIENT_ID, CLIENT_SECRET, &stage.public_url));
    (stage, partner)
}

#[tokio::test]
async fn the_visitor_chooses_among_several_providers() {
    let (stage, partner) = stage().await;
    for (choice, user) in [("company", "ada"), ("partner", "grace")] {
        let mut browser = stage.browser(&ADA);
        let page = browser.open(&stage.url(PAGE)).await;
        assert_eq!((page.response.status, page.url.path()), (200, "/_vestibule/sign_in"), "{page:?}");
        let rd = page.url.query_pairs().find(|(name, _)| name == "rd").expect("where to").1.into_owned();
        assert_eq!(rd, PAGE);
        let text = page.response.text();
        assert!(text.contains("Sign in with company") && text.contains("Sign in with Partner &amp; Sons"), "{text}");
        assert!(page.response.headers("set-cookie").is_empty(), "nothing has begun");

        let start = format!(
            "/_vestibule/start?provider={choice}&rd={}",
            url::form_urlencoded::byte_serialize(rd.as_bytes()).collect::<String>()
        );
        let landed = browser.click(&page.url, &start).await;
        assert_eq!((landed.response.status, landed.url.as_str()), (200, &*stage.url(PAGE)), "{landed:?}");
        assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some(user));
    }
    assert_eq!((redemptions(&stage.provider), redemptions(&partner)), (1, 1));

    // The links of the page lead where the test has gone.
    let page = stage.send(Request::get("/_vestibule/sign_in?rd=/x").navigation()).await.text().replace("&#x2f;", "/");
    for choice in ["company", "partner"] {
        assert!(page.contains("/_vestibule/start?") && page.contains(&format!("provider={choice}")), "{page}");
    }
    let unchosen = stage.send(Request::get("/_vestibule/start?rd=/x").navigation()).await;
    assert_eq!((unchosen.status, unchosen.location()), (302, &*stage.url("/_vestibule/sign_in?rd=%2Fx")));
}

#[tokio::test]
async fn a_session_of_a_provider_that_an_app_does_not_list_does_not_count_there() {
    let (stage, partner) = stage().await;
    let notes = format!("localhost:{}", stage.public_url.port().expect("a port"));
    for choice in ["company", "partner"] {
        let mut browser = stage.browser(&ADA);
        let landed = browser.open(&stage.url(&format!("/_vestibule/start?provider={choice}&rd=/"))).await;
        assert_eq!(landed.response.status, 200, "{landed:?}");
        stage.upstream.take();
        let session = browser.cookie_header(&stage.public_url);
        let elsewhere =
            stage.send(Request::get("/note").navigation().header("Host", &notes).header("Cookie", &session)).await;
        assert_eq!(elsewhere.status, 302, "{choice}: a session is one app's: {elsewhere:?}");
        assert!(elsewhere.location().starts_with(partner.issuer()), "{choice}: {elsewhere:?}");
        let as_program = stage.send(Request::get("/note").header("Host", &notes).header("Cookie", &session)).await;
        assert_eq!(as_program.status, 401, "{choice}");
        assert!(stage.upstream.requests().is_empty(), "{choice}");
    }
    let start = Request::get("/_vestibule/start?provider=company&rd=/").navigation().header("Host", &notes);
    assert_eq!(stage.send(start).await.status, 400, "nor can anybody ask for it there");
}

/// Threat 39: the answer of one is not brought to the other, whichever was asked.
#[tokio::test]
async fn an_answer_counts_for_the_provider_that_was_asked() {
    let (stage, partner) = stage().await;
    let start = |choice| stage.url(&format!("/_vestibule/start?provider={choice}&rd={PAGE}"));
    let mut browser = stage.browser(&ADA);
    let of_partner = browser.up_to_callback(&start("partner")).await;
    let parameter = |name: &str| of_partner.query_pairs().find(|(n, _)| n == name).expect("it is there").1.into_owned();
    let (code, iss) = (parameter("code"), parameter("iss"));
    stage.provider.lie(move |answer| {
        if let Answer::Authorization(response) = answer {
            response.set("code", Some(&code));
            response.set("iss", Some(&iss));
        }
    });
    let landed = browser.open(&start("company")).await;
    is_page(&landed.response, 502, "The sign-in could not be verified");
    assert_eq!((redemptions(&stage.provider), redemptions(&partner)), (0, 0));
    assert_eq!(refusals(&stage, "iss_parameter").await, 1);
    assert_eq!(browser.open(of_partner.as_str()).await.response.status, 200, "and the partner's own still counts");
    assert_eq!(stage.upstream.only().header("x-forwarded-user"), Some("grace"));
}
