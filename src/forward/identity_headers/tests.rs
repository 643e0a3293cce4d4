use serde_json::json;

use super::*;
use crate::{
    clock::Clock,
    config::Config,
    identity::{EmailTrust, Issuer, ProviderId, Subject},
    random::Random,
    seal::KeyRing,
};

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

fn telling(headers: &str) -> Telling {
    let text = format!(
        "[[provider]]\nid = \"company\"\nissuer = \"https://id.example.com\"\nclient_id = \"wiki\"\n\
         [[app]]\nid = \"wiki\"\npublic_url = \"https://wiki.example.com\"\nupstream = \"http://127.0.0.1:8080\"\n\
         [app.access]\npolicy = \"anyone\"\n[app.headers]\n{headers}\n"
    );
    let config = Config::parse("test.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let signer = AssertionSigner::new(&KeyRing::generated(&Random::seeded(1)), runtime.handle().clone());
    Telling::new(&config.apps[0], &Arc::new(signer))
}

fn visitor() -> Visitor {
    Visitor {
        provider: ProviderId::new("company"),
        issuer: Issuer::new("https://id.example.com"),
        subject: Subject::new("248289761001"),
        user: Some("248289761001".to_owned()),
        email: Some(EmailAddress::parse("jane@example.com").expect("an address")),
        email_trust: EmailTrust::Trusted,
        name: Some("Jane Doe".to_owned()),
        preferred_username: Some("jané doe".to_owned()),
        groups: vec!["staff".to_owned(), "a,b".to_owned(), "100%".to_owned()],
        claims: vec![
            ("employee".to_owned(), json!(4711)),
            ("contractor".to_owned(), json!(false)),
            ("roles".to_owned(), json!(["x,y", 2, { "no": "text" }])),
            ("address".to_owned(), json!({ "country": "FR" })),
            ("email".to_owned(), json!("jane@example.com")),
            ("groups".to_owned(), json!(["staff", "secret"])),
        ],
    }
}

fn tokens() -> Tokens {
    Tokens {
        access_token: Some(Secret::new("at-secret".to_owned())),
        access_token_expires_at: Some(NOW),
        id_token: Some(Secret::new("it-secret".to_owned())),
        id_token_expires_at: Some(NOW),
        refresh_token: None,
    }
}

/// What is said at a time, by name.
fn said_at(now: Timestamp, telling: &Telling, visitor: &Visitor, tokens: Option<&Tokens>) -> Vec<(String, String)> {
    let mut headers = HeaderMap::new();
    let (clock, _) = Clock::manual(now);
    telling.prepare(visitor, tokens).put_into(&mut headers, clock.moment());
    let text = |value: &HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect::<String>();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn said(headers: &str, visitor: &Visitor) -> Vec<(String, String)> {
    said_at(NOW, &telling(headers), visitor, None)
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[test]
fn each_preset_has_its_names_and_lists_are_joined_by_commas() {
    for (preset, expected) in [
        (
            "forwarded",
            &[
                ("x-forwarded-user", "248289761001"),
                ("x-forwarded-email", "jane@example.com"),
                ("x-forwarded-preferred-username", "jan%C3%A9 doe"),
                ("x-forwarded-groups", "staff,a%2Cb,100%25"),
            ][..],
        ),
        (
            "auth_request",
            &[
                ("x-auth-request-user", "248289761001"),
                ("x-auth-request-email", "jane@example.com"),
                ("x-auth-request-preferred-username", "jan%C3%A9 doe"),
                ("x-auth-request-groups", "staff,a%2Cb,100%25"),
            ],
        ),
        (
            "remote",
            &[
                ("remote-user", "248289761001"),
                ("remote-email", "jane@example.com"),
                ("remote-name", "Jane Doe"),
                ("remote-groups", "staff,a%2Cb,100%25"),
            ],
        ),
        ("none", &[]),
    ] {
        let said = said(&format!("preset = \"{preset}\""), &visitor());
        let said: Vec<_> = said.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(said, expected, "{preset}");
    }
}

#[test]
fn the_values_have_the_encoding_of_the_app() {
    for (encoding, expected) in [("percent", "jan%C3%A9 doe"), ("utf8", "jan\u{c3}\u{a9} doe"), ("latin1", "jané doe")]
    {
        let said = said(&format!("encoding = \"{encoding}\""), &visitor());
        assert_eq!(said[2], ("x-forwarded-preferred-username".to_owned(), expected.to_owned()));
    }
}

#[test]
fn threat_47_an_absent_claim_is_an_absent_header() {
    let anonymous =
        Visitor { user: None, email: None, preferred_username: Some(String::new()), groups: vec![], ..visitor() };
    assert_eq!(said("set = { X-Missing = { claim = \"missing\" } }", &anonymous), []);
}

#[test]
fn an_address_that_does_not_count_is_not_handed_over_under_any_name() {
    let settings = "set = { X-Mail = { claim = \"email\" } }";
    let mail = |visitor: &Visitor| said(settings, visitor).into_iter().filter(|(_, value)| value.contains('@')).count();
    assert_eq!(mail(&visitor()), 2);
    assert_eq!(mail(&Visitor { email_trust: EmailTrust::Untrusted, ..visitor() }), 0);
}

#[test]
fn a_header_of_set_has_what_its_claim_says() {
    let settings = "preset = \"none\"\n[app.headers.set]\nX-A = { claim = \"employee\" }\nX-B = { claim = \"contractor\" }\n\
                    X-C = { claim = \"roles\" }\nX-D = { claim = \"address\" }\nX-E = { value = \"the same for all\" }";
    // Constants are no visitor's, and an object is no text.
    assert_eq!(said(settings, &visitor()), pairs([("x-a", "4711"), ("x-b", "false"), ("x-c", "x%2Cy,2")]));
}

#[test]
fn groups_that_may_not_pass_are_told_under_no_name() {
    let settings = "pass_groups = [\"st*\", \"*%\"]\nset = { X-Teams = { claim = \"groups\" } }";
    let said = said(settings, &visitor());
    assert_eq!(said[3..], pairs([("x-forwarded-groups", "staff,100%25"), ("x-teams", "staff,100%25")]));
    let none = self::said("pass_groups = [\"nothing\"]", &visitor());
    assert!(none.iter().all(|(name, _)| name != "x-forwarded-groups"));
}

#[test]
fn a_value_above_4_kib_is_left_out_and_never_cut() {
    for (length, count) in [(4096, 1), (4097, 0)] {
        let long = Visitor { user: Some("x".repeat(length)), ..visitor() };
        let said = said("", &long);
        assert_eq!(said.iter().filter(|(name, _)| name == "x-forwarded-user").count(), count);
        assert_eq!(said.len(), 3 + count, "the others are there");
    }
}

#[test]
fn tokens_are_handed_over_where_the_app_wants_them_and_until_they_expire() {
    let just_before = Timestamp::from_unix(NOW.as_unix() - 1);
    for (settings, expected) in [
        ("preset = \"none\"", &[][..]),
        ("preset = \"none\"\naccess_token = true", &[("x-forwarded-access-token", "at-secret")]),
        ("preset = \"none\"\nauthorization = \"id_token\"", &[("authorization", "Bearer it-secret")]),
        (
            "preset = \"none\"\naccess_token = true\nauthorization = \"access_token\"",
            &[("x-forwarded-access-token", "at-secret"), ("authorization", "Bearer at-secret")],
        ),
    ] {
        let telling = telling(settings);
        let said = said_at(just_before, &telling, &visitor(), Some(&tokens()));
        let said: Vec<_> = said.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(said, expected, "{settings}");
        assert_eq!(said_at(NOW, &telling, &visitor(), Some(&tokens())), [], "{settings}, expired");
        assert_eq!(said_at(NOW, &telling, &visitor(), None), [], "{settings}, none");
        let endless = Tokens { access_token_expires_at: None, id_token_expires_at: None, ..tokens() };
        assert_eq!(said_at(NOW, &telling, &visitor(), Some(&endless)).len(), expected.len(), "{settings}");
    }
}

#[test]
fn a_token_that_no_header_can_hold_is_left_out() {
    let telling = telling("preset = \"none\"\naccess_token = true");
    for (token, count) in
        [("a".repeat(8192), 1), ("a".repeat(8193), 0), ("a b".to_owned(), 0), ("é".to_owned(), 0), (String::new(), 0)]
    {
        let tokens =
            Tokens { access_token: Some(Secret::new(token)), access_token_expires_at: None, ..Tokens::default() };
        assert_eq!(said_at(NOW, &telling, &visitor(), Some(&tokens)).len(), count);
    }
}

#[test]
fn the_names_of_an_app_are_known_without_a_visitor() {
    let all = telling(
        "preset = \"remote\"\nassertion = true\naccess_token = true\nauthorization = \"id_token\"\nset = { X-A = { claim = \"a\" }, X-B = { value = \"b\" } }",
    );
    let names: Vec<_> = all.names().map(HeaderName::as_str).collect();
    let expected = [
        "remote-user",
        "remote-email",
        "remote-name",
        "remote-groups",
        "x-a",
        "x-b",
        "x-forwarded-access-token",
        "authorization",
        "x-vestibule-assertion",
    ];
    assert_eq!(names, expected);
    assert_eq!(telling("preset = \"none\"").names().count(), 0);
}

#[test]
fn debug_shows_no_token() {
    let telling = telling("access_token = true\nauthorization = \"id_token\"\nassertion = true");
    let shown = format!("{:?}", telling.prepare(&visitor(), Some(&tokens())));
    assert!(!shown.contains("at-secret") && !shown.contains("it-secret"), "{shown}");
}
