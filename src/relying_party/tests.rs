use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::Instant;
use url::form_urlencoded;

use super::{
    testing::{Answer, CLIENT_SECRET, DISCOVERY, NOW, Server, Signer, claims, provider, relying_party},
    *,
};
use crate::config::provider::{ClientAuth, SigningAlgorithm};

fn redemption() -> Redemption {
    Redemption {
        code: AuthorizationCode::new("the-code".into()),
        redirect_uri: "https://wiki.example/_vestibule/callback".into(),
        code_verifier: PkceCodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into()),
        nonce: Nonce::new("n".into()),
        begun: Timestamp::from_unix(NOW),
        iss: None,
    }
}

/// A provider that answers a redemption with an ID token with these claims.
async fn honest(change: impl FnOnce(&mut Value)) -> Server {
    let server = Server::start().await;
    let signer = Signer::rsa();
    server.set_keys(&[signer.jwk_as("k")]);
    let mut claims = claims(&server.issuer());
    change(&mut claims);
    let tokens = json!({
        "id_token": signer.token(Some("k"), &claims), "access_token": "access", "token_type": "Bearer",
        "refresh_token": "refresh", "expires_in": 300,
    });
    server.set("/token", Answer::json(&tokens));
    server
}

/// Runs a future on a task, which proves that it is `Send`.
async fn spawned<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(future).await.expect("it did not panic")
}

async fn redeem(party: &Arc<RelyingParty>, redemption: Redemption) -> Result<SignedIn, Error> {
    let party = Arc::clone(party);
    spawned(async move { party.redeem(redemption).await }).await
}

#[tokio::test]
async fn a_code_becomes_a_visitor() {
    let server = honest(|claims| claims["sid"] = "sid-1".into()).await;
    let (party, _, mut calls) = relying_party(provider(&server.issuer()));
    let signed_in = redeem(&party, redemption()).await.expect("signed in");

    assert_eq!(signed_in.visitor.subject.as_str(), "248289761001");
    assert_eq!(signed_in.visitor.issuer.as_str(), server.issuer());
    assert_eq!(signed_in.visitor.trusted_email().expect("an address").as_str(), "ann@example.com");
    assert_eq!(signed_in.visitor.groups, ["staff"]);
    assert_eq!(signed_in.sid.expect("a sid").as_str(), "sid-1");
    assert_eq!(signed_in.access_token.expose(), "access");
    assert_eq!(signed_in.refresh_token.expect("a token").expose(), "refresh");
    assert_eq!(signed_in.expires_in, Some(Duration::from_mins(5)));

    let seen = server.seen("/token");
    let form: BTreeMap<_, _> = form_urlencoded::parse(seen[0].body.as_bytes()).into_owned().collect();
    let expected = [
        ("code", "the-code"),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ("grant_type", "authorization_code"),
        ("redirect_uri", "https://wiki.example/_vestibule/callback"),
    ];
    assert_eq!(form, BTreeMap::from(expected.map(|(name, value)| (name.to_owned(), value.to_owned()))));
    assert_eq!(seen[0].headers["accept"], "application/json");
    assert_eq!(seen[0].headers["accept-encoding"], "identity");
    let observed: Vec<_> = std::iter::from_fn(|| calls.try_recv().ok()).collect();
    assert_eq!(observed, [Call::Discovery, Call::Token, Call::Keys]);
}

#[tokio::test]
async fn claims_that_the_id_token_lacks_come_from_userinfo() {
    let server = honest(|claims| claims["email"] = Value::Null).await;
    let userinfo = json!({ "sub": "248289761001", "email": "ann@example.com", "email_verified": true });
    server.set("/userinfo", Answer::json(&userinfo));
    let (party, _, _) = relying_party(provider(&server.issuer()));
    let signed_in = redeem(&party, redemption()).await.expect("signed in");
    assert_eq!(signed_in.visitor.trusted_email().expect("an address").as_str(), "ann@example.com");
    assert_eq!(server.seen("/userinfo")[0].headers["authorization"], "Bearer access");

    server.set("/userinfo", Answer::json(&json!({ "sub": "another", "email": "ann@example.com" }))); // threat 40
    assert_eq!(redeem(&party, redemption()).await.expect_err("refused").reason(), "userinfo_sub");
    server.set("/userinfo", Answer::status(503)); // an error is not a permit
    assert_eq!(redeem(&party, redemption()).await.expect_err("refused").reason(), "status");
}

#[tokio::test]
async fn a_shared_secret_signs_only_where_it_is_configured_threat_21() {
    let server = honest(|_| ()).await;
    let token = testing::hs(SigningAlgorithm::HS256, CLIENT_SECRET.as_bytes(), &claims(&server.issuer()));
    server.set("/token", Answer::json(&json!({ "id_token": token, "access_token": "access" })));
    let (party, _, _) = relying_party(provider(&server.issuer()));
    assert_eq!(redeem(&party, redemption()).await.expect_err("refused").reason(), "alg");

    let mut configured = provider(&server.issuer());
    configured.id_token_alg = Some(SigningAlgorithm::HS256);
    let (party, _, _) = relying_party(configured);
    redeem(&party, redemption()).await.expect("signed in");
    assert!(server.seen("/jwks").is_empty());

    let mut rotated = provider(&server.issuer());
    rotated.id_token_alg = Some(SigningAlgorithm::HS256);
    rotated.next_client_auth = Some(rotated.client_auth.clone());
    rotated.client_auth = ClientAuth::Basic(Secret::new("the one before".to_owned()));
    let (party, _, _) = relying_party(rotated.clone());
    redeem(&party, redemption()).await.expect("signed by the next secret");
    rotated.next_client_auth = None;
    let (party, _, _) = relying_party(rotated);
    assert_eq!(redeem(&party, redemption()).await.expect_err("another secret").reason(), "signature");

    let mut public = provider(&server.issuer());
    (public.id_token_alg, public.client_auth) = (Some(SigningAlgorithm::HS256), ClientAuth::None);
    let (party, _, _) = relying_party(public);
    assert_eq!(redeem(&party, redemption()).await.expect_err("no secret").reason(), "alg");
}

#[tokio::test]
async fn a_wrong_issuer_parameter_is_refused_before_the_code_is_redeemed_threat_38() {
    let server = honest(|_| ()).await;
    let (party, _, _) = relying_party(provider(&server.issuer()));
    let mixed_up = Redemption { iss: Some("https://evil.example".into()), ..redemption() };
    assert_eq!(redeem(&party, mixed_up).await.expect_err("refused").reason(), "iss_parameter");
    assert!(server.seen("/token").is_empty());
    let right = Redemption { iss: Some(server.issuer()), ..redemption() };
    redeem(&party, right).await.expect("signed in");
}

#[tokio::test]
async fn a_token_that_expires_by_the_clock_is_refused_threat_26() {
    let server = honest(|claims| claims["exp"] = (NOW + 10).into()).await;
    let (party, hand, _) = relying_party(provider(&server.issuer()));
    hand.advance(Duration::from_secs(69));
    redeem(&party, redemption()).await.expect("within the leeway");
    hand.advance(Duration::from_secs(1));
    assert_eq!(redeem(&party, redemption()).await.expect_err("refused").reason(), "exp");
}

#[tokio::test]
async fn an_answer_that_is_not_worth_its_body_is_refused() {
    let large = vec![b' '; (1 << 20) + 1];
    let elsewhere = "http://169.254.169.254/latest/meta-data";
    for (answer, reason) in [
        (Answer::status(302).with("location", elsewhere), "redirect"), // threat 42
        (Answer::status(307).with("location", "/elsewhere"), "redirect"), // threat 42
        (Answer::json(&json!({})).with("content-encoding", "gzip"), "content_encoding"), // threat 121
        (Answer::json(&json!({})).with("content-encoding", "br"), "content_encoding"), // threat 121
        (Answer::body(http_status(200), "application/json", large), "too_large"), // threat 34
        (Answer::status(404), "status"),
    ] {
        for path in [DISCOVERY, "/token", "/jwks"] {
            let server = honest(|_| ()).await;
            server.set(path, answer.clone());
            let (party, _, _) = relying_party(provider(&server.issuer()));
            assert_eq!(redeem(&party, redemption()).await.expect_err(path).reason(), reason, "{path}");
            assert!(server.seen("/elsewhere").is_empty());
        }
    }
}

fn http_status(status: u16) -> ::http::StatusCode {
    ::http::StatusCode::from_u16(status).expect("a status")
}

#[tokio::test]
async fn a_provider_that_hangs_costs_one_deadline_whatever_it_hangs_at_threats_34_and_43() {
    let places = [DISCOVERY, "/token", "/jwks"];
    for (path, answer) in places.into_iter().flat_map(|path| [(path, Answer::Hang), (path, Answer::Stall)]) {
        let server = honest(|_| ()).await;
        server.set(path, answer);
        let (party, _, _) = relying_party(provider(&server.issuer()));
        let begun = Instant::now();
        let waiting = tokio::spawn({
            let party = Arc::clone(&party);
            async move { party.redeem(redemption()).await }
        });
        while server.seen(path).is_empty() {
            server.arrived().await;
        }
        tokio::time::pause(); // nothing is on the wire any more: only the deadline can fire
        let error = waiting.await.expect("it did not panic").expect_err("too slow");
        assert_eq!(error.reason(), "too_slow", "{path}");
        assert!(begun.elapsed() <= Duration::from_secs(11), "{path}: {:?}", begun.elapsed());
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_named_with_the_cause() {
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        listener.local_addr().expect("an address")
    };
    let (party, _, _) = relying_party(provider(&format!("http://{closed}")));
    let error = party.metadata_or_fetch().await.expect_err("nobody listens");
    assert_eq!(error.reason(), "unreachable");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn those_who_wait_for_metadata_share_one_fetch() {
    let server = Server::start().await;
    let (party, _, _) = relying_party(provider(&server.issuer()));
    assert!(party.metadata().is_none());
    for outcome in futures_util::future::join_all((0..100).map(|_| party.metadata_or_fetch())).await {
        outcome.expect("metadata");
    }
    assert_eq!(server.seen(DISCOVERY).len(), 1);
    assert!(party.metadata().is_some());
    party.metadata_or_fetch().await.expect("known");
    assert_eq!(server.seen(DISCOVERY).len(), 1);
}

#[test]
fn pauses_double_from_one_second_to_half_a_minute() {
    let pauses: Vec<_> = std::iter::successors(Some(FIRST_PAUSE), |&pause| Some(longer(pause))).take(7).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30].map(Duration::from_secs));
}

#[tokio::test]
async fn the_keeper_recovers_by_itself_refreshes_hourly_and_ends_with_its_token() {
    let server = honest(|_| ()).await;
    server.set(DISCOVERY, Answer::status(503));
    let (party, _, mut calls) = relying_party(provider(&server.issuer()));
    let stop = CancellationToken::new();
    let keeper = tokio::spawn(Arc::clone(&party).keep_metadata(stop.clone()));

    // A call that is finished means that the keeper sleeps.
    for _ in 0..3 {
        assert_eq!(calls.recv().await, Some(Call::Discovery));
        assert!(party.metadata().is_none());
        pass(LONGEST_PAUSE).await;
    }
    assert_eq!(calls.recv().await, Some(Call::Discovery));
    server.set(DISCOVERY, Answer::json(&testing::document(&server.issuer())));
    pass(LONGEST_PAUSE).await;
    assert_eq!(calls.recv().await, Some(Call::Discovery));
    assert_eq!(calls.recv().await, Some(Call::Keys));
    assert!(party.metadata().is_some());

    // Until the hour is over only sign-ins talk to the provider.
    pass(REFRESH / 2).await;
    redeem(&party, redemption()).await.expect("signed in");
    assert_eq!(calls.recv().await, Some(Call::Token));

    // An outage later does not take away what is known.
    server.set(DISCOVERY, Answer::status(503));
    pass(REFRESH / 2).await;
    assert_eq!(calls.recv().await, Some(Call::Discovery));
    assert!(party.metadata().is_some());
    redeem(&party, redemption()).await.expect("signed in");

    stop.cancel();
    keeper.await.expect("it ended");
}

/// Lets the time of sleeping tasks pass; the clock runs on while the network works.
async fn pass(duration: Duration) {
    tokio::time::pause();
    tokio::time::advance(duration).await;
    tokio::time::resume();
}
