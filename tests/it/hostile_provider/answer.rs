//! Lies in the authorization response, which anybody's browser carries (RFC 6749 §4.1.2, RFC 9207).

use super::*;
use crate::demo::provider::mischief::AuthorizationResponse;

type Bend = fn(&mut AuthorizationResponse);

fn lie((id, what, reason, bend): (&'static str, &'static str, &'static str, Bend)) -> Lie {
    Lie {
        id,
        what,
        tell: Box::new(move |answer| {
            if let Answer::Authorization(response) = answer {
                bend(response);
            }
        }),
        caught: Caught::InTheAnswer,
        status: StatusCode::BAD_GATEWAY,
        reason,
    }
}

/// An answer that is no answer to any sign-in of this browser: 400, and no sign-in has failed by it.
fn no_answer(row: (&'static str, &'static str, &'static str, Bend)) -> Lie {
    Lie { caught: Caught::AtTheCallback, status: StatusCode::BAD_REQUEST, ..lie(row) }
}

/// A refusal in OAuth's words.
fn refusal(status: StatusCode, id: &'static str, what: &'static str, bend: Bend) -> Lie {
    Lie { status, ..lie((id, what, "provider_refused", bend)) }
}

fn refuse(response: &mut AuthorizationResponse, error: &str, description: &str) {
    response.set("code", None);
    response.set("error", Some(error));
    response.set("error_description", Some(description));
}

fn again(response: &mut AuthorizationResponse, name: &str, value: &str) {
    response.parameters.push((name.to_owned(), value.to_owned()));
}

fn issuer(response: &AuthorizationResponse) -> String {
    let issuer = response.parameters.iter().find(|(name, _)| name == "iss").map(|(_, value)| value.clone());
    issuer.expect("the provider says who it is")
}

#[tokio::test]
async fn threat_38_an_answer_of_another_issuer_is_not_redeemed() {
    let rows: [(_, _, _, Bend); 6] = [
        ("threat 38", "iss of another provider", "iss_parameter", |r| r.set("iss", Some("https://id.example"))),
        ("threat 38", "iss with a slash at its end", "iss_parameter", |r| r.set("iss", Some(&(issuer(r) + "/")))),
        ("threat 38", "an empty iss", "iss_parameter", |r| r.set("iss", Some(""))),
        ("threat 38", "no iss, although it is announced", "iss_parameter_missing", |r| r.set("iss", None)),
        ("threat 38", "a refusal of another provider", "iss_parameter", |r| {
            refuse(r, "access_denied", CANARY);
            r.set("iss", Some("https://id.example"));
        }),
        ("threat 38", "a refusal without iss", "iss_parameter_missing", |r| {
            refuse(r, "server_error", CANARY);
            r.set("iss", None);
        }),
    ];
    all_are_refused(rows.map(lie).into()).await;
}

#[tokio::test]
async fn an_answer_that_can_be_read_in_two_ways_is_read_in_none() {
    let rows: [(_, _, _, Bend); 12] = [
        ("threat 14", "state twice", "callback_duplicate", |r| again(r, "state", "another")),
        ("threat 14", "the same state twice", "callback_duplicate", |r| {
            let state = r.parameters.iter().find(|(name, _)| name == "state").expect("a state").1.clone();
            again(r, "state", &state);
        }),
        ("threat 14", "code twice", "callback_duplicate", |r| again(r, "code", "another")),
        ("threat 14", "iss twice", "callback_duplicate", |r| again(r, "iss", "https://id.example")),
        ("RFC 6749 §4.1.2.1", "code and error", "callback_outcome", |r| again(r, "error", "access_denied")),
        ("RFC 6749 §4.1.2", "neither code nor error", "callback_outcome", |r| r.set("code", None)),
        ("RFC 6749 §4.1.2", "no state", "callback_state", |r| r.set("state", None)),
        ("RFC 6749 §4.1.2", "an empty code", "callback_characters", |r| r.set("code", Some(""))),
        ("threat 2", "a code with line breaks", "callback_characters", |r| r.set("code", Some("a\r\nX-Injected: 1"))),
        ("RFC 6749 §A.5", "a state beyond ASCII", "callback_characters", |r| r.set("state", Some("\u{212a}\u{0}"))),
        ("threat 13", "a state that nobody asked with", "state_missing", |r| r.set("state", Some(CANARY))),
        ("threat 13", "a state cut by one character", "state_missing", |r| {
            let state = r.parameters.iter().find(|(name, _)| name == "state").expect("a state").1.clone();
            r.set("state", Some(&state[..state.len() - 1]));
        }),
    ];
    all_are_refused(rows.map(no_answer).into()).await;
}

#[tokio::test]
async fn threat_17_the_words_of_a_refusal_are_not_repeated() {
    const SCRIPT: &str = "canary-of-the-provider<script>alert(1)</script>\r\n\u{1b}[31m";
    all_are_refused(vec![
        refusal(StatusCode::FORBIDDEN, "threat 17", "access_denied with a script", |r| {
            refuse(r, "access_denied", SCRIPT)
        }),
        refusal(StatusCode::BAD_REQUEST, "threat 17", "server_error with a script", |r| {
            refuse(r, "server_error", SCRIPT)
        }),
        refusal(StatusCode::BAD_REQUEST, "CVE-2017-6059", "an error that is a script", |r| refuse(r, SCRIPT, SCRIPT)),
        refusal(StatusCode::BAD_REQUEST, "threat 17", "an empty error", |r| refuse(r, "", "")),
        refusal(StatusCode::BAD_REQUEST, "threat 17", "an error of 4 KiB", |r| refuse(r, &"x".repeat(4096), SCRIPT)),
        refusal(StatusCode::BAD_REQUEST, "threat 17", "error_uri with a script", |r| {
            refuse(r, "temporarily_unavailable", SCRIPT);
            again(r, "error_uri", "javascript:alert('canary-of-the-provider')");
        }),
    ])
    .await;
}

/// An attacker's provider that leads its visitors on to an honest one, to be brought that one's codes.
#[tokio::test]
async fn threat_39_a_code_of_one_provider_is_not_brought_to_another() {
    let (honest, _) = provider(signing_key()).await;
    honest.sign_in_page(SignInPage::AnsweredBy(&ADA));
    let page_of_the_honest_one = format!("{}{}", honest.issuer(), Endpoint::Authorization.path());
    let set = Set::lying(move |answer| {
        if let Answer::Discovery(metadata) = answer {
            metadata["authorization_endpoint"] = page_of_the_honest_one.as_str().into();
            metadata["authorization_response_iss_parameter_supported"] = false.into();
        }
    })
    .await;
    honest.register(Client::vestibule(CLIENT_ID, CLIENT_SECRET, &set.stage.public_url));
    let mut browser = set.stage.browser(&ADA);
    let landed = browser.open(&set.stage.url(PAGE)).await;

    assert_eq!(honest.calls_to(Endpoint::Authorization).len(), 1, "the honest one was asked");
    assert_eq!((landed.response.status, landed.url.path()), (502, "/_vestibule/callback"), "{landed:?}");
    let metrics = set.stage.metrics().await;
    assert!(metrics.contains("reason=\"iss_parameter\"} 1"), "{}", counted(&metrics));
    assert_eq!(set.provider.calls_to(Endpoint::Token).len(), 0, "the attacker is not brought the code");
    assert_eq!(honest.calls_to(Endpoint::Token).len(), 0);
    assert!(set.stage.upstream.requests().is_empty());
}
