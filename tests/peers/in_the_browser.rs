//! What a person does with a browser.

use crate::{browser::Browser, deployment::Deployment};

#[tokio::test]
async fn a_deep_link_leads_through_the_sign_in_to_exactly_where_it_pointed() {
    let (deployment, provider) = Deployment::start().await;
    let browser = Browser::open().await;
    let target = "/reports/2026?sort=name&q=a%20b+c&empty=";

    browser.goto(&deployment.url(target)).await;
    assert!(browser.url().await.as_str().starts_with(&provider.issuer()), "an anonymous visitor goes to the provider");
    browser.sign_in_as("ada").await;

    browser.arrives_at(&deployment.url(target)).await;
    assert_eq!(browser.status().await, 200);
    let asked = deployment.app.asked_for(target);
    assert_eq!(asked.header("x-forwarded-user"), Some("ada"));
    assert_eq!(asked.header("x-forwarded-email"), Some("ada@example.com"));
    assert_eq!(asked.header("x-forwarded-groups"), Some("admins,staff"));
    assert_eq!(asked.header("cookie"), None, "our cookies are ours");
}

#[tokio::test]
async fn the_apps_form_and_websocket_work_behind_the_door() {
    let (deployment, _provider) = Deployment::start().await;
    let browser = Browser::open().await;
    browser.goto(&deployment.url("/")).await;
    browser.sign_in_as("grace").await;
    browser.arrives_at(&deployment.url("/")).await;

    let echoed = browser.element("output:not(:empty)").await.text().await.expect("the driver answers");
    assert_eq!(echoed, "is anybody there?");
    assert_eq!(deployment.app.asked_for("/echo").header("x-forwarded-email"), Some("grace@example.com"));

    browser.fill("input[name=note]", "1 + 1 = 2 & so on").await;
    browser.click("form button").await;
    browser.arrives_at(&deployment.url("/notes")).await;
    let note = deployment.app.asked_for("/notes");
    assert_eq!((note.method.as_str(), &note.body[..]), ("POST", &b"note=1+%2B+1+%3D+2+%26+so+on"[..]));
}

#[tokio::test]
async fn tabs_opened_before_the_first_sign_in_all_end_where_they_were_going() {
    let (deployment, provider) = Deployment::start().await;
    let browser = Browser::open().await;
    let targets = ["/one?n=1", "/two?n=2", "/three?n=3", "/four?n=4"];

    let mut tabs = Vec::new();
    for target in targets {
        let tab = browser.client.new_window(true).await.expect("a tab opens").handle;
        browser.client.switch_to_window(tab.clone()).await.expect("it comes to the front");
        browser.goto(&deployment.url(target)).await;
        tabs.push((tab, target));
    }
    // In another order than they were opened, each by its own form.
    tabs.rotate_left(2);
    for (tab, target) in tabs {
        browser.client.switch_to_window(tab).await.expect("it comes to the front");
        browser.sign_in_as("ada").await;
        browser.arrives_at(&deployment.url(target)).await;
        assert_eq!(browser.status().await, 200, "{target}");
        assert_eq!(deployment.app.asked_for(target).header("x-forwarded-user"), Some("ada"));
    }
    assert_eq!(provider.calls_to("/token").await.len(), targets.len(), "one call for each sign-in");
}

#[tokio::test]
async fn the_back_button_and_a_replayed_callback_lead_on_and_redeem_nothing() {
    let (deployment, provider) = Deployment::start().await;
    let browser = Browser::open().await;
    let page = deployment.url("/page?from=a+link");
    browser.goto(&page).await;
    browser.sign_in_as("ada").await;
    browser.arrives_at(&page).await;

    // Back to the provider's form, and forth.
    browser.client.back().await.expect("there is a page to go back to");
    browser.element("input[name=login]").await;
    browser.client.forward().await.expect("and one to return to");
    browser.arrives_at(&page).await;

    // The callback from the history, as a browser restores it.
    let callback = format!("{}/_vestibule/callback?", deployment.origin);
    let calls = provider.calls().await;
    let answered = calls.iter().find(|call| call.location.starts_with(&callback)).expect("the provider sent us back");
    browser.goto(&answered.location).await;
    browser.arrives_at(&page).await;
    assert_eq!(browser.status().await, 200);
    assert_eq!(provider.calls_to("/token").await.len(), 1, "the code was redeemed once");
}

#[tokio::test]
async fn signing_out_ends_both_sessions_and_the_next_visit_asks_again() {
    let (deployment, provider) = Deployment::start().await;
    let browser = Browser::open().await;
    browser.goto(&deployment.url("/")).await;
    browser.sign_in_as("ada").await;
    browser.arrives_at(&deployment.url("/")).await;

    browser.goto(&deployment.url("/_vestibule/sign_out")).await;
    browser.click("form[method=post] button").await;
    browser.click("button[name=logout][value=yes]").await; // the provider's own question
    let signed_out = deployment.url("/_vestibule/signed_out");
    browser.element("link[href^='/_vestibule/static/']").await; // a page of ours again
    let landed = browser.url().await;
    assert!(landed.as_str().starts_with(&signed_out), "not {landed}");

    let calls = provider.calls_to("/session/end").await;
    let asked = calls.first().expect("the provider was asked to end its session");
    let parameter = |name| asked.query.get(name).or_else(|| asked.form.get(name)).map(String::as_str);
    assert_eq!(parameter("post_logout_redirect_uri"), Some(&*signed_out));
    assert_eq!(parameter("id_token_hint").map(|token| token.split('.').count()), Some(3));
    let state = parameter("state").expect("state is sent where the provider will return it");
    assert!(landed.query_pairs().any(|(name, value)| name == "state" && value == state), "{landed} has {state}");

    browser.goto(&deployment.url("/")).await;
    browser.element("input[name=login]").await;
}

#[tokio::test]
async fn an_outsider_is_told_who_they_are_and_can_come_back_as_somebody_else() {
    let (deployment, provider) = Deployment::start().await;
    let browser = Browser::open().await;
    let page = deployment.url("/plans?year=2027");
    browser.goto(&page).await;
    browser.sign_in_as("mallory").await;

    browser.arrives_at(&page).await;
    assert_eq!(browser.status().await, 403);
    let text = browser.text().await;
    assert!(text.contains("mallory@example.net"), "the page names the account: {text}");
    assert!(deployment.app.asked().is_empty(), "nothing of theirs reaches the app");

    browser.click("form[action$='/_vestibule/start'] button").await; // another account
    browser.sign_in_as("grace").await;
    browser.arrives_at(&page).await;
    assert_eq!(browser.status().await, 200);
    let asked = provider.calls_to("/auth").await;
    let prompt = asked.last().and_then(|call| call.query.get("prompt"));
    assert_eq!(prompt.map(String::as_str), Some("select_account"));
    assert_eq!(deployment.app.asked_for("/plans?year=2027").header("x-forwarded-user"), Some("grace"));
}
