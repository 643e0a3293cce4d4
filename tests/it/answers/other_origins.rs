//! What pages of other origins may do: preflights (`cors_preflight`) and handshakes of `WebSocket` (`allowed_origins`).

use super::{PROBLEM, WEB_SOCKET};
use crate::{
    demo::provider::people::ADA,
    harness::{Request, Stage, upstream::Answer},
};

const PREFLIGHT: [(&str, &str); 4] = [
    ("Origin", "https://notes.example.com"),
    ("Access-Control-Request-Method", "PUT"),
    ("Access-Control-Request-Headers", "content-type"),
    ("Sec-Fetch-Mode", "cors"),
];

#[tokio::test]
async fn a_preflight_passes_only_where_the_app_answers_them_and_then_as_nobodys() {
    let forwarding = Stage::builder().app("cors_preflight = \"forward\"").start().await;
    let refusing = Stage::builder().start().await;
    let cors = "Access-Control-Allow-Origin: https://notes.example.com\r\nVary: Origin\r\n";
    forwarding.upstream.answer(|_| Answer::with("204 No Content", cors, ""));
    for (stage, status) in [(&forwarding, 204), (&refusing, 401)] {
        let ada = stage.sign_in(&ADA).await;
        // A browser sends no credentials with it; who sends them all the same is nobody, too.
        for cookie in ["", &ada] {
            let forged = [
                ("Cookie", cookie),
                ("X-Forwarded-User", "admin"),
                ("X_Forwarded_User", "admin"),
                ("X-HTTP-Method-Override", "DELETE"),
                ("Connection", "X-Forwarded-User"),
            ];
            let answer = stage.send(Request::new("OPTIONS", "/api").headers(&PREFLIGHT).headers(&forged)).await;
            let status = if status == 401 && !cookie.is_empty() { 200 } else { status };
            assert_eq!(answer.status, status, "{answer:?}");
            assert_eq!(answer.headers("set-cookie"), [""; 0]);
            if status == 401 {
                assert_eq!(answer.header("content-type"), Some(PROBLEM));
                assert_eq!(stage.upstream.take().len(), 0);
                continue;
            }
            let seen = stage.upstream.only();
            assert_eq!((seen.method(), seen.header("origin")), ("OPTIONS", Some(PREFLIGHT[0].1)));
            let told = seen.headers("x-forwarded-user");
            assert_eq!(told, if status == 204 { vec![] } else { vec!["ada"] }, "threat 46");
            assert_eq!((seen.header("cookie").unwrap_or_default(), seen.header("x_forwarded_user")), ("", None));
            if status == 204 {
                assert_eq!(seen.header("x-http-method-override"), None, "threat 64");
                assert_eq!(answer.header("access-control-allow-origin"), Some(PREFLIGHT[0].1));
            }
        }
    }
}

/// What a browser would never send as a preflight is judged like everything else.
#[tokio::test]
async fn what_is_no_preflight_does_not_pass_as_one() {
    let stage = Stage::builder().app("cors_preflight = \"forward\"").start().await;
    for (what, request) in [
        ("no origin", Request::new("OPTIONS", "/api").headers(&PREFLIGHT[1..])),
        ("no question", Request::new("OPTIONS", "/api").headers(&PREFLIGHT[..1])),
        ("two origins", Request::new("OPTIONS", "/api").headers(&PREFLIGHT).header("Origin", "https://evil.example")),
        ("a body", Request::new("OPTIONS", "/api").headers(&PREFLIGHT).header("Transfer-Encoding", "chunked")),
        ("an upgrade", Request::new("OPTIONS", "/api").headers(&PREFLIGHT).headers(&WEB_SOCKET)),
        ("another method", Request::get("/api").headers(&PREFLIGHT)),
    ] {
        let answer = stage.send(request).await;
        assert_eq!((answer.status, stage.upstream.take().len()), (401, 0), "{what}: {answer:?}");
    }
    let own = Request::new("OPTIONS", "/_vestibule/start").headers(&PREFLIGHT);
    assert_eq!(stage.send(own).await.status, 405, "our own endpoints are not the app's to open");
}

#[tokio::test]
async fn threat_114_only_pages_of_allowed_origins_open_a_web_socket() {
    let allowed = "allowed_origins = [\"https://Notes.example.com\", \"http://intern.example:8080\"]\n\
                   hosts = [\"further.example\"]";
    let stage = Stage::builder().app(allowed).start().await;
    stage.upstream.answer(|_| Answer::Echo);
    let ada = stage.sign_in(&ADA).await;
    let further = stage.origin().replace("127.0.0.1", "further.example");
    for (status, origin) in [
        (101, stage.origin().as_str()),
        (101, &further),
        (101, "https://notes.example.com"),
        (101, "http://intern.example:8080"),
        (403, "http://notes.example.com"),
        (403, "https://notes.example.com:8443"),
        (403, "https://notes.example.com.evil.example"),
        (403, "https://x.notes.example.com"),
        (403, "https://notes.example.com/"),
        (403, "http://intern.example"),
        (403, "null"),
        (403, "*"),
        (403, ""),
    ] {
        let handshake = Request::get("/socket").headers(&WEB_SOCKET).headers(&[("Cookie", &ada), ("Origin", origin)]);
        let answer = stage.send(handshake).await;
        assert_eq!(answer.status, status, "{origin}: {answer:?}");
        assert_eq!(stage.upstream.take().len(), usize::from(status == 101), "{origin}");
        if status == 403 {
            assert_eq!(answer.header("content-type"), Some(PROBLEM), "{origin}");
        }
    }
}
