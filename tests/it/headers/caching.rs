//! What caches may do with answers (RFC 9111): nothing that lets one visitor see another's.

use crate::{
    demo::provider::people::ADA,
    harness::{Request, Stage, upstream::Answer},
};

/// Fields of an answer, and what `Cache-Control` becomes behind a sign-in.
const ANSWERS: [(&str, &[&str]); 7] = [
    ("", &[]),
    ("Cache-Control: public, max-age=60\r\n", &["private, max-age=60"]),
    ("Cache-Control: max-age=60, s-maxage=600\r\nCDN-Cache-Control: max-age=600\r\n", &["private, max-age=60"]),
    ("Cache-Control: max-age=60\r\nSurrogate-Control: max-age=600\r\n", &["private, max-age=60"]),
    ("Cache-Control: no-store\r\n", &["no-store"]),
    ("Expires: Fri, 15 Jan 2027 09:00:00 GMT\r\n", &["private"]),
    ("Last-Modified: Thu, 14 Jan 2027 08:00:00 GMT\r\n", &["private"]),
];

const SHARED: [&str; 4] = ["cdn-cache-control", "surrogate-control", "cloudflare-cdn-cache-control", "x-accel-expires"];

#[tokio::test]
async fn behind_a_sign_in_no_shared_cache_keeps_an_answer_unless_the_app_knows_better() {
    for as_is in [false, true] {
        let app = if as_is { "cache = \"as_is\"" } else { "" };
        let stage = Stage::builder().app(app).public("/public").start().await;
        let cookie = stage.sign_in(&ADA).await;
        for (fields, private) in ANSWERS {
            stage.upstream.answer(move |_| Answer::with("200 OK", &format!("Set-Cookie: sid=1\r\n{fields}"), "ok"));
            for path in ["/page", "/public"] {
                let answer = stage.send(Request::get(path).header("Cookie", &cookie)).await;
                assert_eq!(answer.status, 200);
                assert_eq!(answer.headers("set-cookie"), ["sid=1"], "the app's own business");
                let shared = SHARED.iter().filter(|name| answer.header(name).is_some()).count();
                let given: Vec<_> = fields.lines().filter_map(|line| line.strip_prefix("Cache-Control: ")).collect();
                if as_is || path == "/public" {
                    assert_eq!(answer.headers("cache-control"), given, "{app} {path} {fields}");
                    let said = SHARED.iter().filter(|name| fields.to_lowercase().contains(**name)).count();
                    assert_eq!(shared, said, "{app} {path} {fields}");
                } else {
                    assert_eq!(answer.headers("cache-control"), private, "{fields}");
                    assert_eq!(shared, 0, "{fields}");
                }
            }
        }
    }
}
