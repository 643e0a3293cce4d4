//! A provider that takes its time: one deadline of 10 s a step, and nobody else waits with whoever meets it.
//!
//! The deadline is time that really passes, on a runtime of Vestibule's own, so that no
//! test can move it: these wait for it once, all at the same time.

use futures_util::future::join_all;
use serde_json::json;
use vestibule::clock;

use super::*;
use crate::{
    demo::provider::{mischief::IdToken, reply::Reply},
    harness::{Request, patiently},
};

/// Nobody waits longer than this for a page: the deadline, and what a busy machine adds.
const PAGE_WITHIN: Duration = Duration::from_secs(14);

/// Which reply never comes, or comes a byte a second.
struct Slow {
    id: &'static str,
    what: &'static str,
    endpoint: Endpoint,
    bend: fn(&mut Reply),
    /// Another lie that leads there.
    token: fn(&mut IdToken),
}

const SLOW: [Slow; 6] = [
    Slow { id: "threat 43", what: "a silent token endpoint", endpoint: Endpoint::Token, bend: silent, token: |_| {} },
    Slow { id: "threat 43", what: "silent userinfo", endpoint: Endpoint::UserInfo, bend: silent, token: |_| {} },
    Slow { id: "threat 43", what: "silent keys", endpoint: Endpoint::Keys, bend: silent, token: unknown_kid },
    Slow {
        id: "threat 34",
        what: "a byte of a token a second",
        endpoint: Endpoint::Token,
        bend: Reply::drip,
        token: |_| {},
    },
    Slow {
        id: "threat 34",
        what: "a byte of userinfo a second",
        endpoint: Endpoint::UserInfo,
        bend: Reply::drip,
        token: |_| {},
    },
    Slow {
        id: "threat 34",
        what: "a byte of a key a second",
        endpoint: Endpoint::Keys,
        bend: Reply::drip,
        token: unknown_kid,
    },
];

fn silent(reply: &mut Reply) {
    *reply = Reply::Silence;
}

fn unknown_kid(token: &mut IdToken) {
    token.header["kid"] = json!("unheard-of");
}

impl Slow {
    async fn is_given_up(&self) {
        let Self { id, what, endpoint, bend, token } = *self;
        let row = format!("{id}: {what}");
        let set = Set::honest().await;
        let mut earlier = set.stage.browser(&ADA);
        let page = set.stage.url(PAGE);
        assert_eq!(earlier.open(&page).await.response.status, 200, "{row}");
        let calls = set.provider.calls_to(endpoint).len();
        set.provider.lie(move |answer| match answer {
            Answer::Reply(asked, reply) if asked == endpoint => bend(reply),
            Answer::IdToken(bent) => token(bent),
            _ => {}
        });

        let begun = clock::instant();
        let mut browser = set.stage.browser(&ADA);
        let waiting = browser.open(&page);
        let living = async {
            patiently("the slow endpoint to be asked", set.provider.asked(endpoint, calls + 1)).await;
            let others = earlier.open(&page).await.response.status;
            (others, begun.elapsed())
        };
        let (landed, (others, at)) = tokio::join!(waiting, living);
        assert!(others == 200 && at < PAGE_WITHIN / 2, "{row}: a live session meanwhile: {others} after {at:?}");
        assert_eq!((landed.response.status, landed.url.path()), (504, "/_vestibule/callback"), "{row}: {landed:?}");
        assert!(begun.elapsed() < PAGE_WITHIN, "{row}: {:?}", begun.elapsed());
        set.says_nothing_internal(&row, &landed);
        let metrics = set.stage.metrics().await;
        assert!(metrics.contains("outcome=\"failed\",reason=\"too_slow\"} 1"), "{row}: {}", counted(&metrics));
        assert!(!browser.cookie_names(&set.stage.public_url).contains(&"vestibule".to_owned()), "{row}: a session");
    }
}

/// The first thing that is ever asked of the provider: nobody can have a session, but public routes are served.
async fn silent_metadata_is_given_up() {
    let tell = |answer: Answer<'_>| {
        if let Answer::Reply(Endpoint::Discovery, reply) = answer {
            *reply = Reply::Silence;
        }
    };
    let set = Set::with(OPERATOR, |configuration| configuration.public("/open"), signing_key(), tell).await;
    let begun = clock::instant();
    let mut browser = set.stage.browser(&ADA);
    let page = set.stage.url(PAGE);
    let (landed, open) = tokio::join!(browser.open(&page), async {
        set.provider.asked(Endpoint::Discovery, 1).await;
        let status = set.stage.send(Request::get("/open").navigation()).await.status;
        (status, begun.elapsed())
    });
    assert!(open.0 == 200 && open.1 < PAGE_WITHIN / 2, "a public route meanwhile: {open:?}");
    assert_eq!(landed.response.status, 504, "{landed:?}");
    assert!(begun.elapsed() < PAGE_WITHIN, "{:?}", begun.elapsed());
    assert_eq!(set.stage.upstream.only().target(), "/open");
}

#[tokio::test]
async fn a_slow_provider_keeps_its_visitors_ten_seconds_and_nobody_else() {
    tokio::join!(join_all(SLOW.iter().map(Slow::is_given_up)), silent_metadata_is_given_up());
}
