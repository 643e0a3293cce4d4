//! `[app.headers]`: what the app hears under which names, and that nobody else can say it.

use http::Request as Http2Request;
use serde_json::json;

use super::{IDENTITY, SPELLINGS, SPOOFED, assert_nothing_spoofed, identity, with_everything_spoofed};
use crate::{
    demo::provider::{
        calls::Endpoint,
        mischief::Answer as Lie,
        people::{ADA, MALLORY, UMA},
    },
    harness::{Recorded, Request, Stage, upstream::SWITCHING},
};

/// An app with names of its own, each in another way.
const OWN_NAMES: &str = "[app.headers]
drop = [\"X-Internal\", \"Webauth-Debug\"]
[app.headers.set]
Webauth-User = { claim = \"preferred_username\" }
X-Staff-Number = { claim = \"staff_number\" }
Org = { value = \"wiki\" }
Authorization = { basic = { username = \"svc\", password = \"päss:word\" } }
";

/// What visitors must not say to it, beside what they must not say to any.
const RESERVED: [&str; 6] = ["X-Internal", "Webauth-Debug", "Webauth-User", "X-Staff-Number", "Org", "Authorization"];

fn with_own_names_spoofed(request: Request, spelling: fn(&str) -> String) -> Request {
    let request = with_everything_spoofed(request, spelling);
    RESERVED.iter().fold(request, |request, name| {
        request
            .header(&spelling(name), SPOOFED)
            .header(&spelling(name), SPOOFED)
            .header(&name.replace('-', "."), SPOOFED)
    })
}

/// What the app is told there, whoever asks.
fn assert_constants(seen: &Recorded) {
    assert_eq!(seen.headers("org"), ["wiki"]);
    // base64 of `svc:päss:word` in UTF-8 (RFC 7617)
    assert_eq!(seen.headers("authorization"), ["Basic c3ZjOnDDpHNzOndvcmQ="]);
    assert_eq!((seen.headers("x-internal"), seen.headers("webauth-debug")), (vec![], vec![]));
}

#[tokio::test]
async fn each_preset_tells_the_same_under_its_own_names() {
    for (preset, expected) in [
        (
            "forwarded",
            &[
                ("x-forwarded-user", "ada"),
                ("x-forwarded-email", "ada@example.com"),
                ("x-forwarded-preferred-username", "ada"),
                ("x-forwarded-groups", "admins,staff"),
            ][..],
        ),
        (
            "auth_request",
            &[
                ("x-auth-request-user", "ada"),
                ("x-auth-request-email", "ada@example.com"),
                ("x-auth-request-preferred-username", "ada"),
                ("x-auth-request-groups", "admins,staff"),
            ],
        ),
        (
            "remote",
            &[
                ("remote-user", "ada"),
                ("remote-email", "ada@example.com"),
                ("remote-name", "Ada Lovelace"),
                ("remote-groups", "admins,staff"),
            ],
        ),
        ("none", &[]),
    ] {
        let stage = Stage::builder().app_tables(&format!("[app.headers]\npreset = {preset:?}\n")).start().await;
        let cookie = stage.sign_in(&ADA).await;
        for spelling in SPELLINGS {
            let request = with_everything_spoofed(Request::get("/page"), spelling);
            assert_eq!(stage.send(request.header("Cookie", &cookie)).await.status, 200);
            let seen = stage.upstream.only();
            assert_nothing_spoofed(&seen);
            assert_eq!(identity(&seen).len(), expected.len(), "{preset}: {seen:?}");
            for (name, value) in expected {
                assert_eq!(seen.headers(name), [*value], "{preset}: {name}");
            }
        }
    }
}

#[tokio::test]
async fn threat_45_cve_2017_6413_names_of_an_app_are_nobody_elses_on_any_route_and_in_any_spelling() {
    let stage = Stage::builder().app_tables(OWN_NAMES).public("/public/**").start().await;
    let cookie = stage.sign_in(&ADA).await;
    for spelling in SPELLINGS {
        for method in ["GET", "OPTIONS", "DELETE"] {
            for (path, user) in [("/page", vec!["ada"]), ("/public/page", vec![])] {
                let request = with_own_names_spoofed(Request::new(method, path), spelling).header("Cookie", &cookie);
                assert_eq!(stage.send(request).await.status, 200, "{method} {path}");
                let seen = stage.upstream.only();
                assert_nothing_spoofed(&seen);
                assert_constants(&seen);
                assert_eq!(seen.headers("webauth-user"), user, "{method} {path}");
                assert_eq!(seen.headers("x-staff-number"), [""; 0], "threat 47: the provider knows none");
            }
        }
    }
}

#[tokio::test]
async fn threat_45_they_are_nobody_elses_over_http_2_and_in_upgrades() {
    let stage = Stage::builder().app_tables(OWN_NAMES).start().await;
    let cookie = stage.sign_in(&ADA).await;

    let mut client = stage.http2().await;
    client.ready().await;
    let spoofed = Http2Request::get(stage.url("/page")).header("cookie", &cookie);
    let spoofed = RESERVED.iter().chain(&IDENTITY).fold(spoofed, |request, name| request.header(*name, SPOOFED));
    let spoofed = spoofed.header("webauth.user", SPOOFED).body(()).expect("a request");
    let (answer, _) = client.sender.send_request(spoofed, true).expect("a stream");
    assert_eq!(answer.await.expect("an answer").status(), 200);
    let seen = stage.upstream.only();
    assert_nothing_spoofed(&seen);
    assert_constants(&seen);
    assert_eq!(seen.headers("webauth-user"), ["ada"]);

    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    let handshake = with_own_names_spoofed(Request::get("/socket"), str::to_owned).headers(&[
        ("Cookie", &cookie),
        ("Connection", "Upgrade, Webauth-User"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]);
    client.send(handshake.to_host(stage.authority()).bytes()).await;
    let mut conversation = conversations.next().await;
    let head = conversation.expect_head().await;
    assert!(!head.fields.iter().any(|(_, value)| value.contains(SPOOFED)), "{head:?}");
    assert_eq!((head.all("webauth-user"), head.all("org")), (vec!["ada"], vec!["wiki"]));
    conversation.send(SWITCHING).await;
    assert_eq!(client.response().await.expect("an answer").status, 101);
}

#[tokio::test]
async fn threat_48_connection_takes_none_of_an_apps_own_names_away() {
    let stage = Stage::builder().app_tables(OWN_NAMES).start().await;
    let cookie = stage.sign_in(&ADA).await;
    for line in ["webauth-user", "Authorization, Org, Webauth-User", "close, ORG"] {
        // CVE-2024-45410, GO-2023-1747, CVE-2025-48865
        let request = Request::get("/page").header("Connection", line).header("Cookie", &cookie);
        assert_eq!(stage.send(request).await.status, 200, "{line}");
        let seen = stage.upstream.only();
        assert_constants(&seen);
        assert_eq!(seen.headers("webauth-user"), ["ada"], "{line}");
    }
}

#[tokio::test]
async fn threat_48_no_trailer_speaks_for_an_apps_own_names() {
    let stage = Stage::builder().app_tables(OWN_NAMES).start().await;
    let cookie = stage.sign_in(&ADA).await;
    let mut conversations = stage.upstream.by_hand();
    let mut client = stage.connect().await;
    let head = Request::new("POST", "/form").headers(&[
        ("Cookie", &cookie),
        ("Transfer-Encoding", "chunked"),
        ("Trailer", "Webauth-User, Webauth.User, X-Internal, X-Sum"),
    ]);
    client.send(head.to_host(stage.authority()).bytes()).await;
    let trailers =
        format!("Webauth-User: {SPOOFED}\r\nwebauth.user: {SPOOFED}\r\nX-Internal: {SPOOFED}\r\nX-Sum: 1\r\n");
    client.send(format!("2\r\nok\r\n0\r\n{trailers}\r\n")).await;
    let mut conversation = conversations.next().await;
    assert_eq!(conversation.expect_head().await.all("webauth-user"), ["ada"]);
    let mut body = Vec::new();
    while !body.ends_with(b"\r\n\r\n") {
        let more = conversation.wire.some().await;
        assert!(!more.is_empty(), "the body ended early: {:?}", String::from_utf8_lossy(&body));
        body.extend(more);
    }
    let body = String::from_utf8(body).expect("ASCII").to_lowercase();
    assert!(body.contains("x-sum: 1") && !body.contains(SPOOFED), "{body}");
}

#[tokio::test]
async fn what_is_nobodys_name_passes() {
    let stage = Stage::builder().app_tables(OWN_NAMES).start().await;
    let cookie = stage.sign_in(&ADA).await;
    let others = [("Webauth-Users", "1"), ("X-Org", "2"), ("Orgs", "3"), ("X.Odd", "4"), ("Webauth-Usar", "5")];
    let request = Request::get("/page").headers(&others).header("Cookie", &cookie);
    assert_eq!(stage.send(request).await.status, 200);
    let seen = stage.upstream.only();
    for (name, value) in others.into_iter().filter(|(name, _)| *name != "X.Odd") {
        assert_eq!(seen.headers(name), [value], "{name}");
    }
    // Without names of its own, an app gets the visitor's Authorization as it came.
    let stage = Stage::builder().start().await;
    let cookie = stage.sign_in(&ADA).await;
    let request = Request::get("/page").header("Authorization", "Basic YXBwOmFwcA==").header("Cookie", &cookie);
    assert_eq!(stage.send(request).await.status, 200);
    assert_eq!(stage.upstream.only().headers("authorization"), ["Basic YXBwOmFwcA=="]);
}

#[tokio::test]
async fn a_claim_that_a_header_wants_is_kept_and_asked_for_where_the_id_token_lacks_it() {
    let settings = "[app.headers]\npreset = \"none\"\n[app.headers.set]\nX-Number = { claim = \"staff.number\" }\n\
                    X-Roles = { claim = \"roles\" }\nX-Mail = { claim = \"email\" }\nX-Teams = { claim = \"groups\" }\n";
    let stage = Stage::builder().app_tables(settings).start().await;
    stage.provider.lie(|answer| match answer {
        Lie::IdToken(token) => token.claims["roles"] = json!(["a,b", true, 7]),
        Lie::UserInfo(claims) => claims["staff"] = json!({ "number": 4711 }),
        _ => {}
    });
    let cookie = stage.sign_in(&ADA).await;
    assert_eq!(stage.send(Request::get("/").header("Cookie", &cookie)).await.status, 200);
    let seen = stage.upstream.only();
    assert_eq!(seen.headers("x-number"), ["4711"]);
    assert_eq!(seen.headers("x-roles"), ["a%2Cb,true,7"]);
    assert_eq!(seen.headers("x-mail"), ["ada@example.com"]);
    assert_eq!(seen.headers("x-teams"), ["admins,staff"]);
    assert_eq!(stage.provider.calls_to(Endpoint::UserInfo).len(), 1, "the ID token had no `staff`");

    let cookie = stage.sign_in(&UMA).await;
    assert_eq!(stage.send(Request::get("/").header("Cookie", &cookie)).await.status, 200);
    assert_eq!(stage.upstream.only().headers("x-mail"), [""; 0], "nobody verified that address");
}

#[tokio::test]
async fn groups_that_do_not_pass_are_told_nowhere() {
    let settings = "[app.headers]\npass_groups = [\"ad*\", \"wiki\"]\nassertion = true\n";
    let stage = Stage::builder().app_tables(settings).start().await;
    for (person, groups) in [(&ADA, vec!["admins"]), (&MALLORY, vec![])] {
        let cookie = stage.sign_in(person).await;
        assert_eq!(stage.send(Request::get("/").header("Cookie", &cookie)).await.status, 200);
        let seen = stage.upstream.only();
        assert_eq!(seen.headers("x-forwarded-groups"), groups, "{}", person.username);
        let claims = super::assertion::unverified_claims(&seen);
        assert_eq!(claims.get("groups"), (!groups.is_empty()).then(|| json!(groups)).as_ref());
    }
}

#[tokio::test]
async fn threat_50_no_encoding_lets_a_claim_end_a_header() {
    // The stage shows each byte of a field as one character.
    for (encoding, name, groups) in [
        ("percent", "jan%C3%A9%0D%0AX-Admin: 1%00 %2541 %E6%97%A5", "a%2Cb,%C3%A9"),
        ("utf8", "jan\u{c3}\u{a9}%0D%0AX-Admin: 1%00 %2541 \u{e6}\u{97}\u{a5}", "a%2Cb,\u{c3}\u{a9}"),
        ("latin1", "jané%0D%0AX-Admin: 1%00 %2541 %E6%97%A5", "a%2Cb,é"),
    ] {
        let stage = Stage::builder().app_tables(&format!("[app.headers]\nencoding = {encoding:?}\n")).start().await;
        stage.provider.lie(|answer| {
            if let Lie::IdToken(token) = answer {
                token.claims["preferred_username"] = json!("jané\r\nX-Admin: 1\0 %41 日");
                token.claims["groups"] = json!(["a,b", "é"]);
            }
        });
        let cookie = stage.sign_in(&ADA).await;
        assert_eq!(stage.send(Request::get("/").header("Cookie", &cookie)).await.status, 200, "{encoding}");
        let seen = stage.upstream.only();
        assert_eq!(seen.headers("x-forwarded-preferred-username"), [name], "{encoding}");
        assert_eq!(seen.headers("x-forwarded-groups"), [groups], "{encoding}");
        assert_eq!(seen.headers("x-admin"), [""; 0], "{encoding}");
    }
}

#[tokio::test]
async fn cve_2026_30851_a_rule_of_one_app_opens_nothing_at_another() {
    // The second app tells under other names: those of the first, and every preset's, stay closed there.
    let second = "[[app]]\nid = \"files\"\npublic_url = \"http://files.localhost:PORT\"\nupstream = \"http://UPSTREAM\"\n\
                  [app.access]\npolicy = \"anyone\"\n[app.headers]\npreset = \"remote\"\n\
                  [[app.route]]\npath = \"/**\"\naccess = \"public\"\n";
    let stage = Stage::builder().app_tables("[app.headers]\npreset = \"auth_request\"\n").more(second).start().await;
    let host = format!("files.localhost:{}", stage.door_address().port());
    for spelling in SPELLINGS {
        let request = with_everything_spoofed(Request::get("/page"), spelling).header("Host", &host);
        assert_eq!(stage.send(request).await.status, 200);
        let seen = stage.upstream.only();
        assert_nothing_spoofed(&seen);
        assert_eq!(identity(&seen), [""; 0]);
    }
}
