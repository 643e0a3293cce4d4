//! Lies of whole replies: what the token and userinfo endpoints say, and how any endpoint says it.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde_json::{Value, json};

use super::*;
use crate::{demo::provider::reply::Reply, harness::RecordingUpstream};

fn lie(
    caught: Caught,
    (id, what, reason): (&'static str, &'static str, &'static str),
    tell: impl Fn(Answer<'_>) + Send + Sync + 'static,
) -> Lie {
    Lie { id, what, tell: Box::new(tell), caught, status: StatusCode::BAD_GATEWAY, reason }
}

#[tokio::test]
async fn a_token_response_that_is_not_one_is_refused() {
    let rows: [(_, _, _, fn(&mut Value)); 18] = [
        ("RFC 6749 §5.1", "no ID token", "id_token_missing", |t| t["id_token"] = Value::Null),
        ("RFC 6749 §5.1", "an empty ID token", "id_token_missing", |t| t["id_token"] = json!("")),
        ("threat 119", "an ID token that is an object", "malformed", |t| t["id_token"] = json!({ "sub": "ada" })),
        ("RFC 7515 §7.1", "an ID token of one part", "token_format", |t| t["id_token"] = json!("eyJ")),
        ("RFC 7515 §7.1", "an ID token of two parts", "token_format", |t| cut_signature(t, "")),
        ("RFC 7515 §7.1", "an ID token of four parts", "token_format", |t| append(t, ".eyJ")),
        ("RFC 7516 §7.1", "an ID token of five parts", "encrypted", |t| append(t, ".eyJ.eyJ")),
        ("RFC 7515 §2", "a padded part", "token_format", |t| append(t, "==")),
        ("RFC 7515 §2", "white space after the token", "token_format", |t| append(t, "\n")),
        ("threat 20", "a signature cut off", "signature", |t| cut_signature(t, ".")),
        ("RFC 6749 §5.1", "no access token", "access_token", |t| t["access_token"] = Value::Null),
        ("RFC 6749 §5.1", "an empty access token", "access_token", |t| t["access_token"] = json!("")),
        ("threat 29", "an access token of somebody else", "at_hash", |t| t["access_token"] = json!("another")),
        ("RFC 6749 §7.1", "token_type mac", "token_type", |t| t["token_type"] = json!("mac")),
        ("RFC 9449 §5", "token_type DPoP", "token_type", |t| t["token_type"] = json!("DPoP")),
        ("RFC 6749 §5.2", "an error with status 200", "invalid_grant", |t| *t = json!({ "error": "invalid_grant" })),
        ("threat 17", "an error that is a script", "other", |t| {
            *t = json!({ "error": "<script>", "error_description": CANARY });
        }),
        ("threat 119", "a list", "malformed", |t| *t = json!([t.clone()])),
    ];
    let rows = rows.map(|(id, what, reason, bend)| {
        lie(Caught::InTheTokens, (id, what, reason), move |answer| {
            if let Answer::Token(tokens) = answer {
                bend(tokens);
            }
        })
    });
    all_are_refused(rows.into()).await;
}

fn append(tokens: &mut Value, more: &str) {
    tokens["id_token"] = json!(tokens["id_token"].as_str().expect("a text").to_owned() + more);
}

fn cut_signature(tokens: &mut Value, end: &str) {
    let token = tokens["id_token"].as_str().expect("a text");
    let (input, _) = token.rsplit_once('.').expect("three parts");
    tokens["id_token"] = json!(format!("{input}{end}"));
}

/// A code is good for 60 seconds at this provider, and a token for the header that carries it.
#[tokio::test]
async fn a_code_that_the_provider_does_not_take_is_a_failed_sign_in() {
    let rows: [(_, _, _, fn(Answer<'_>)); 2] = [
        ("RFC 6749 §5.2", "a code that the provider never gave", "invalid_grant", |answer| {
            if let Answer::Authorization(response) = answer {
                response.set("code", Some("guessed"));
            }
        }),
        ("threat 2", "an access token with line breaks", "access_token", |answer| match answer {
            Answer::IdToken(token) => token.drop_claim("at_hash"),
            Answer::Token(tokens) => tokens["access_token"] = json!("a\r\nX-Injected: 1"),
            _ => {}
        }),
    ];
    all_are_refused(rows.map(|(id, what, reason, tell)| lie(Caught::InTheTokens, (id, what, reason), tell)).into())
        .await;
}

#[tokio::test]
async fn threat_40_userinfo_is_of_the_same_person() {
    let rows: [(_, _, _, fn(&mut Value)); 6] = [
        ("threat 40", "another sub", "userinfo_sub", |c| c["sub"] = json!("grace")),
        ("threat 40", "sub in another case", "userinfo_sub", |c| c["sub"] = json!("Ada")),
        ("threat 40", "no sub", "userinfo_sub", |c| c["sub"] = Value::Null),
        ("threat 40", "sub in a list", "userinfo_sub", |c| c["sub"] = json!(["ada"])),
        ("threat 119", "a list", "malformed", |c| *c = json!([c.clone()])),
        ("threat 119", "a text", "malformed", |c| *c = json!("ada")),
    ];
    let rows = rows.map(|(id, what, reason, bend)| {
        lie(Caught::InTheUserInfo, (id, what, reason), move |answer| {
            if let Answer::UserInfo(claims) = answer {
                bend(claims);
            }
        })
    });
    all_are_refused(rows.into()).await;
}

#[tokio::test]
async fn userinfo_in_a_form_that_was_not_asked_for_is_refused() {
    let rows: [(_, _, _, fn(&mut Response<Bytes>)); 2] = [
        ("Core §5.3.2", "a signed answer", "userinfo_signed", |r| {
            r.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jwt"));
        }),
        ("RFC 6750 §3.1", "the token is not taken", "status", |r| *r.status_mut() = StatusCode::UNAUTHORIZED),
    ];
    let rows = rows.map(|(id, what, reason, bend)| {
        lie(Caught::InTheUserInfo, (id, what, reason), move |answer| {
            if let Answer::Reply(Endpoint::UserInfo, Reply::Whole(response)) = answer {
                bend(response);
            }
        })
    });
    all_are_refused(rows.into()).await;
}

/// Where a reply is asked for, and where its fault is seen.
const ASKED: [(Endpoint, Caught); 4] = [
    (Endpoint::Discovery, Caught::InTheMetadata),
    (Endpoint::Keys, Caught::InTheTokens),
    (Endpoint::Token, Caught::InTheTokens),
    (Endpoint::UserInfo, Caught::InTheUserInfo),
];

#[tokio::test]
async fn no_reply_is_followed_elsewhere_inflated_or_held_beyond_its_bounds() {
    let faults: [(_, _, _, fn(&mut Reply)); 13] = [
        ("threat 42", "a redirect to the metadata of a cloud", "redirect", |r| {
            *r = Reply::redirect("http://169.254.169.254/latest/meta-data/");
        }),
        ("threat 42", "a redirect by GET", "redirect", |r| {
            *r = Reply::redirect("/elsewhere");
            status(r, StatusCode::SEE_OTHER);
        }),
        ("threat 34", "2 MiB", "too_large", |r| r.pad(2 << 20)),
        ("threat 34", "an answer without an end", "too_large", |r| *r = Reply::Endless),
        ("threat 121", "8 MiB in 8 KiB of gzip", "content_encoding", |r| r.gzip_bomb(8 << 20)),
        ("threat 121", "gzip that was not asked for", "content_encoding", |r| r.gzip_bomb(0)),
        ("threat 43", "half of what was promised", "unreachable", Reply::cut_short),
        ("threat 43", "the end of the connection", "unreachable", |r| *r = Reply::Disconnect),
        ("threat 43", "500 with a page", "status", |r| {
            status(r, StatusCode::INTERNAL_SERVER_ERROR);
            text(r, "<h1>canary-of-the-provider</h1>");
        }),
        ("threat 43", "404", "status", |r| status(r, StatusCode::NOT_FOUND)),
        ("threat 119", "a page", "malformed", |r| text(r, "<!doctype html><title>canary-of-the-provider</title>")),
        ("threat 119", "nothing", "malformed", |r| text(r, "")),
        ("threat 119", "100,000 lists in each other", "malformed", |r| text(r, &"[".repeat(100_000))),
    ];
    for (endpoint, caught) in ASKED {
        let rows = faults.map(|(id, what, reason, bend)| {
            lie(caught, (id, what, reason), move |answer| {
                if let Answer::Reply(asked, reply) = answer
                    && asked == endpoint
                {
                    bend(reply);
                }
            })
        });
        all_are_refused(rows.into()).await;
    }
}

fn status(reply: &mut Reply, status: StatusCode) {
    if let Reply::Whole(response) = reply {
        *response.status_mut() = status;
    }
}

fn text(reply: &mut Reply, text: &str) {
    if let Reply::Whole(response) = reply {
        *response.body_mut() = Bytes::copy_from_slice(text.as_bytes());
    }
}

/// The redirect leads to a server that would have kept what came.
#[tokio::test]
async fn threat_42_a_redirect_of_any_endpoint_is_not_followed() {
    let elsewhere = RecordingUpstream::start().await;
    for (endpoint, _) in ASKED {
        let location = HeaderValue::from_str(&format!("http://{}/", elsewhere.address())).expect("an address");
        let tell = move |answer: Answer<'_>| {
            if let Answer::Reply(asked, reply) = answer
                && asked == endpoint
            {
                *reply = Reply::redirect("/");
                if let Reply::Whole(response) = reply {
                    response.headers_mut().insert(header::LOCATION, location.clone());
                }
            }
        };
        let set = Set::lying(tell).await;
        let landed = set.stage.browser(&ADA).open(&set.stage.url(PAGE)).await;
        assert_eq!((landed.response.status, elsewhere.connections()), (502, 0), "{endpoint:?}: {landed:?}");
    }
}
