use super::*;

const PREFIX: &str = "/_vestibule";

/// Would end an attribute, an element and a comment, and run as a script.
const HOSTILE: &str = "\"'--><img src=x onerror=alert(1)><script>alert(2)</script>&amp;";

#[test]
fn each_page_looks_as_reviewed() {
    let pages = Pages::new(PREFIX);
    for (name, html) in pages.samples() {
        // A new style is not a new page.
        let html = html.replace(pages.assets.stylesheet(), "STYLESHEET").replace(pages.assets.icon(), "ICON");
        insta::assert_snapshot!(name, html);
    }
}

#[test]
fn threats_17_and_107_no_field_of_any_page_becomes_markup() {
    let pages = Pages::new(PREFIX);
    let actions = [
        Action::link(HOSTILE, &format!("/{HOSTILE}")),
        Action::post(HOSTILE, &format!("https://id.example.com/{HOSTILE}")).with_field("rd", HOSTILE),
    ];
    let rendered = [
        pages.refusal(&RefusalPage {
            app_name: HOSTILE,
            heading: HOSTILE,
            explanation: HOSTILE,
            account: Some(HOSTILE),
            actions: &actions,
            request_id: HOSTILE,
        }),
        pages.sign_in(&SignInPage {
            app_name: HOSTILE,
            providers: &[ProviderChoice { id: HOSTILE, name: HOSTILE }],
            return_to: HOSTILE,
        }),
        pages.sign_out(&SignOutPage { app_name: HOSTILE, account: Some(HOSTILE), return_to: Some(HOSTILE) }),
        pages.signed_out(&SignedOutPage { app_name: HOSTILE, return_to: Some(HOSTILE) }),
        pages.unauthorized(&UnauthorizedPage { app_name: HOSTILE, return_to: HOSTILE, request_id: HOSTILE }),
        pages.confirm_replace(&ConfirmReplacePage {
            app_name: HOSTILE,
            account: HOSTILE,
            sign_in: &actions[1],
            return_to: &format!("/{HOSTILE}"),
        }),
    ];
    for html in rendered {
        for markup in ["<script", "<img", "-->", "alert(1)>"] {
            assert!(!html.contains(markup), "{markup} in\n{html}");
        }
        // Each attribute still ends where the template ends it.
        assert_eq!(html.matches('"').count() % 2, 0, "{html}");
        assert!(!html.contains('\''), "{html}");
        assert!(html.contains("&lt;script&gt;alert(2)"), "the field is shown as text\n{html}");
    }
}

#[test]
fn threat_2_no_link_of_a_page_leads_to_another_site_by_its_return_address() {
    let pages = Pages::new(PREFIX);
    for return_to in ["https://evil.example/", "//evil.example", "javascript:alert(1)"] {
        let html = pages.unauthorized(&UnauthorizedPage { app_name: "Wiki", return_to, request_id: "1" });
        assert_eq!(html.matches("<a href=\"&#x2f;_vestibule&#x2f;start?rd=").count(), 1, "{html}");
        assert_eq!(html.matches("<a ").count(), 1);
    }
}

#[test]
fn nothing_on_a_page_needs_more_than_its_policy_allows() {
    for (name, html) in Pages::new(PREFIX).samples() {
        assert_eq!(html.matches("<a ").count(), html.matches(" rel=\"noreferrer\"").count(), "{name}");
        for forbidden in ["<script", "<style", " style=", " onclick=", "javascript:", "data:", "http:"] {
            assert!(!html.contains(forbidden), "{forbidden} in {name}");
        }
    }
}

#[test]
fn a_page_links_the_assets_that_are_served() {
    let pages = Pages::new(PREFIX);
    let (_, html) = pages.samples().remove(0);
    for (name, content_type) in
        [(pages.assets.stylesheet(), "text/css; charset=utf-8"), (pages.assets.icon(), "image/svg+xml")]
    {
        assert!(html.contains(&format!("static&#x2f;{name}")), "{name} in\n{html}");
        let asset = pages.asset(name).unwrap();
        assert!(!asset.bytes.is_empty());
        let [(_, served_as), (_, kept), _] = asset.headers();
        assert_eq!(served_as, content_type);
        assert!(kept.to_str().unwrap().ends_with("immutable"));
    }
    for unknown in ["", "vestibule.css", "../page.html", "vestibule-0000000000000000.css"] {
        assert!(pages.asset(unknown).is_none(), "{unknown}");
    }
}

#[test]
fn every_sample_takes_less_than_a_hundredth_of_the_budget() {
    let mut pages = Pages::new(PREFIX);
    pages.environment.set_fuel(Some(FUEL / 100));
    for (name, html) in pages.samples() {
        assert_ne!(html, text::UNRENDERABLE, "{name}");
    }
}

#[test]
fn a_page_beyond_its_budget_is_still_an_answer() {
    let pages = Pages::new(PREFIX);
    let actions = vec![Action::link("again", "/"); 100_000];
    let html = pages.refusal(&RefusalPage {
        app_name: "Wiki",
        heading: "h",
        explanation: "e",
        account: None,
        actions: &actions,
        request_id: "1",
    });
    assert_eq!(html, text::UNRENDERABLE);
}

#[test]
fn every_text_is_a_heading_and_whole_sentences() {
    for (name, refusal) in text::REFUSALS {
        assert!(!refusal.heading.is_empty() && !refusal.heading.ends_with('.'), "{name}");
        assert!(refusal.explanation.ends_with('.') && !refusal.explanation.contains("  "), "{name}");
    }
}
