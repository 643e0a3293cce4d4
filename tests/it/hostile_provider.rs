//! Every lie that a provider can tell in the code flow, and what must come of it: nobody is signed in.
//!
//! The lies are those of the OpenID Foundation's conformance suite for relying parties
//! (its modules of the code flow) and of our list of threats, whose numbers and advisories
//! stand in the rows. A row says what is bent, how far the sign-in may then get, and what
//! the visitor and the operator are told. Each is played against a whole sidecar of its
//! own, and each demands the same beside its own columns ([`Lie::play`]): no
//! session, not a byte for the upstream, no further call to the provider once the lie is
//! seen, nothing of the lie on the page, and an honest sign-in right afterwards.
//!
//! The provider is [asked for userinfo](OPERATOR) at every sign-in, so that a token that
//! must not be believed shows by the silence after it, as the suite has it.

use std::{sync::Arc, time::Duration};

use http::StatusCode;

use crate::{
    demo::provider::{
        Provider,
        calls::Endpoint,
        keys::SigningKey,
        mischief::{Answer, Mischief},
        people::ADA,
    },
    harness::{CLIENT_ID, CLIENT_SECRET, Configuration, Stage, browser::Landed, patiently, signing_key},
};

mod accepted;
mod answer;
mod id_token;
mod keys;
mod metadata;
mod slow;
mod tokens;

/// What the operator of all these stages has written below `[[provider]]`.
const OPERATOR: &str = "userinfo = \"always\"";

/// Where every visitor wants to go.
const PAGE: &str = "/page?from=a%2Fdeep+link";

/// How long a key set that lacked a key stays unasked.
const COOL_DOWN: Duration = Duration::from_mins(1);

/// One lie and what must come of it.
struct Lie {
    /// Whose number: a threat, an advisory, or the specification's section.
    id: &'static str,
    /// What is said.
    what: &'static str,
    tell: Box<Mischief>,
    caught: Caught,
    status: StatusCode,
    /// What log and metrics call it.
    reason: &'static str,
}

/// Where a lie is seen through, which is also the last endpoint that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caught {
    /// Before the visitor leaves for the provider.
    InTheMetadata,
    /// At the callback, by the request alone: it belongs to no sign-in that could have failed.
    AtTheCallback,
    /// At the callback, before the code is redeemed.
    InTheAnswer,
    /// When the code has been redeemed, keys included.
    InTheTokens,
    /// When userinfo has been asked.
    InTheUserInfo,
}

impl Caught {
    const fn last_endpoint(self) -> Endpoint {
        match self {
            Self::InTheMetadata => Endpoint::Discovery,
            Self::AtTheCallback | Self::InTheAnswer => Endpoint::Authorization,
            Self::InTheTokens => Endpoint::Token,
            Self::InTheUserInfo => Endpoint::UserInfo,
        }
    }

    /// Where the visitor then stands.
    const fn path(self) -> &'static str {
        match self {
            Self::InTheMetadata => "/page",
            Self::AtTheCallback | Self::InTheAnswer | Self::InTheTokens | Self::InTheUserInfo => "/_vestibule/callback",
        }
    }

    /// Whether it counts as a sign-in that came back from the provider and failed.
    const fn is_a_failed_sign_in(self) -> bool {
        matches!(self, Self::InTheAnswer | Self::InTheTokens | Self::InTheUserInfo)
    }
}

/// What a sign-in asks of a provider, in this order; keys come at any time.
const ORDER: [Endpoint; 4] = [Endpoint::Discovery, Endpoint::Authorization, Endpoint::Token, Endpoint::UserInfo];

impl Lie {
    /// Plays it, and looks at everything that must come of it.
    async fn play(self) {
        let Self { id, what, tell, caught, status, reason } = self;
        let row = format!("{id}: {what}");
        let stage = lying(tell).await;
        let mut browser = stage.browser(&ADA);
        let landed = browser.open(&stage.url(PAGE)).await;

        assert_eq!((landed.response.status, landed.url.path()), (status.as_u16(), caught.path()), "{row}: {landed:?}");
        assert!(stage.upstream.requests().is_empty(), "{row}: {:?}", stage.upstream.requests());
        assert!(!browser.cookie_names(&stage.public_url).contains(&"vestibule".to_owned()), "{row}: a session");
        says_nothing_internal(&stage, &row, &landed);

        let calls = |endpoint| stage.provider.calls_to(endpoint).len();
        let (asked, unasked) = ORDER.split_at(1 + ORDER.iter().position(|e| *e == caught.last_endpoint()).unwrap_or(0));
        assert!(asked.iter().all(|endpoint| calls(*endpoint) >= 1), "{row}: {:?}", stage.provider.calls());
        assert!(unasked.iter().all(|endpoint| calls(*endpoint) == 0), "{row}: {:?}", stage.provider.calls());
        assert_eq!(calls(Endpoint::Unknown), 0, "{row}: an address that nobody advertised");
        assert!(calls(Endpoint::Token) <= 1, "{row}: a code is redeemed once");

        let metrics = stage.metrics().await;
        let refusal = format!("vestibule_refusals_total{{app=\"wiki\",reason=\"{reason}\"}} 1");
        assert!(metrics.contains(&refusal), "{row}: {}", counted(&metrics));
        let failure = format!("{{provider=\"company\",outcome=\"failed\",reason=\"{reason}\"}} 1");
        assert_eq!(metrics.contains(&failure), caught.is_a_failed_sign_in(), "{row}: {}", counted(&metrics));
        assert!(!metrics.contains("outcome=\"succeeded\""), "{row}: {}", counted(&metrics));

        stage.provider.tell_the_truth();
        // What was learnt from a lie about keys is asked again only so often.
        stage.clock.advance(COOL_DOWN);
        let landed = browser.open(&stage.url(PAGE)).await;
        assert_eq!(landed.response.status, 200, "{row}: an honest sign-in afterwards: {landed:?}");
        assert_eq!(stage.upstream.only().target(), PAGE, "{row}");
    }
}

/// A stage whose provider is bent from its first word on. `operator` is what stands below
/// `[[provider]]`, beside who it is.
async fn stage_with(
    operator: &str,
    configure: impl FnOnce(Configuration) -> Configuration,
    signing_key: Arc<SigningKey>,
    tell: impl Fn(Answer<'_>) + Send + Sync + 'static,
) -> Stage {
    let configuration = configure(Stage::builder().provider(operator));
    let prepare = |provider: &Provider| {
        provider.use_keys(signing_key, []);
        provider.lie(tell);
    };
    configuration.start_with(prepare).await
}

/// The same, as the operator usually has it.
async fn lying(tell: impl Fn(Answer<'_>) + Send + Sync + 'static) -> Stage {
    stage_with(OPERATOR, |configuration| configuration, signing_key(), tell).await
}

/// The same, and all of it true; returns when metadata and keys have been asked for.
async fn honest() -> Stage {
    let stage = lying(|_| {}).await;
    patiently("keys to be asked for", stage.provider.asked(Endpoint::Keys, 1)).await;
    stage
}

/// A page of ours: never cached, no script, no word of the provider's.
fn says_nothing_internal(stage: &Stage, row: &str, landed: &Landed) {
    let (response, text) = (&landed.response, landed.response.text());
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"), "{row}");
    assert_eq!(response.header("cache-control"), Some("no-store"), "{row}");
    assert!(text.contains("Request ID:"), "{row}: {text}");
    for word in ["<script", CANARY, stage.provider.issuer(), "127.0.0.2", "error_description", "panicked"] {
        assert!(!text.contains(word), "{row}: {word} in {text}");
    }
}

/// What lies say where they say anything at all.
const CANARY: &str = "canary-of-the-provider";

/// The lines of the metrics that these tests are about.
fn counted(metrics: &str) -> String {
    let lines = metrics.lines().filter(|line| line.contains("_sign_ins_total{") || line.contains("_refusals_total{"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Plays a table.
async fn all_are_refused(lies: Vec<Lie>) {
    for lie in lies {
        lie.play().await;
    }
}
