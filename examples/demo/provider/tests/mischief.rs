//! What a test can bend, swap and read back.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

use super::{super::mischief::Signature, *};

#[tokio::test]
async fn each_stage_of_a_sign_in_can_be_bent_and_made_straight_again() {
    let stage = Stage::new().await;
    let forged = Arc::new(SigningKey::shared(SigningAlgorithm::HS256, b"guessed").expect("a shared key"));
    stage.provider.lie(move |answer| match answer {
        Answer::Discovery(metadata) => metadata["issuer"] = json!("https://elsewhere.test"),
        Answer::Keys(set) => set["keys"] = json!(keys::junk()),
        Answer::Authorization(response) => response.set("state", None),
        Answer::IdToken(token) => {
            token.drop_claim("sub");
            token.sign_with(&forged);
        }
        Answer::Token(tokens) => tokens["token_type"] = json!("mac"),
        Answer::UserInfo(claims) => claims["sub"] = json!("ada"),
        Answer::Reply(endpoint, Reply::Whole(response)) => {
            response.headers_mut().insert("x-endpoint", HeaderValue::from_static(endpoint.path()));
        }
        Answer::Reply(..) => {}
    });
    let metadata = stage.get("/.well-known/openid-configuration").await;
    assert_eq!(metadata.json()["issuer"], "https://elsewhere.test");
    assert_eq!(metadata.headers["x-endpoint"], "/.well-known/openid-configuration");
    assert_eq!(stage.get("/oidc/keys").await.json()["keys"][0]["crv"], "secp256k1");
    assert_eq!(stage.click("grace").await.parameter("state"), None);
    let tokens = stage.tokens("grace").await;
    assert_eq!(tokens["token_type"], "mac");
    let token = tokens["id_token"].as_str().expect("an ID token");
    assert_eq!((part(token, 0)["alg"].as_str(), part(token, 1).get("sub")), (Some("HS256"), None));
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().expect("a token"));
    assert_eq!(stage.post("/oidc/userinfo", &[], &[("authorization", &bearer)]).await.json()["sub"], "ada");

    stage.provider.tell_the_truth();
    assert_eq!(stage.tokens("grace").await["token_type"], "Bearer");
}

#[tokio::test]
async fn a_signature_can_be_broken_or_left_out() {
    let stage = Stage::signing_with(SigningAlgorithm::EdDSA).await;
    let token = |tokens: Value| tokens["id_token"].as_str().map(str::to_owned).expect("an ID token");
    let public = stage.provider.inner.state().signing_key.public_bytes().to_vec();
    let verifies = |token: &str| {
        let (input, signature) = token.rsplit_once('.').expect("three parts");
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
        UnparsedPublicKey::new(&ED25519, &public).verify(input.as_bytes(), &signature).is_ok()
    };
    assert!(verifies(&token(stage.tokens("grace").await)));
    stage.provider.lie(|answer| {
        if let Answer::IdToken(token) = answer {
            token.break_signature();
        }
    });
    assert!(!verifies(&token(stage.tokens("grace").await)));
    stage.provider.lie(|answer| {
        if let Answer::IdToken(token) = answer {
            token.header["alg"] = json!("none");
            token.signature = Signature::Absent;
        }
    });
    assert!(token(stage.tokens("grace").await).ends_with('.'));
}

#[tokio::test]
async fn keys_rotate_while_it_runs() {
    let stage = Stage::new().await;
    let published = async || stage.get("/oidc/keys").await.json()["keys"].clone();
    let before = published().await;
    stage.provider.rotate_keys();
    let after = published().await;
    assert_eq!((before.as_array().map(Vec::len), after.as_array().map(Vec::len)), (Some(1), Some(1)));
    assert_ne!(before[0]["kid"], after[0]["kid"]);
    let tokens = stage.tokens("ada").await;
    assert_eq!(part(tokens["id_token"].as_str().expect("an ID token"), 0)["kid"], after[0]["kid"]);
}

#[tokio::test]
async fn a_whole_response_can_be_replaced() {
    let stage = Stage::new().await;
    let keys = async || stage.try_send(Request::get(stage.at("/oidc/keys")), String::new()).await;
    let lie = |change: fn(&mut Reply)| {
        stage.provider.lie(move |answer| {
            if let Answer::Reply(Endpoint::Keys, reply) = answer {
                change(reply);
            }
        });
    };

    lie(|reply| *reply = Reply::redirect("http://169.254.169.254/"));
    assert_eq!(keys().await.expect("an answer").status, StatusCode::TEMPORARY_REDIRECT);

    lie(|reply| reply.pad(1 << 20));
    let padded = keys().await.expect("an answer");
    assert!(padded.body.len() > 1 << 20 && padded.json()["keys"].is_array());

    lie(|reply| reply.gzip_bomb(1 << 20));
    let packed = keys().await.expect("an answer");
    assert!(packed.body.len() < 1 << 14 && packed.headers[header::CONTENT_ENCODING] == "gzip");

    lie(Reply::cut_short);
    assert!(keys().await.is_err(), "half of the promised bytes");

    lie(|reply| *reply = Reply::Disconnect);
    assert!(keys().await.is_err(), "no bytes at all");
}

#[tokio::test(start_paused = true)]
async fn a_response_can_take_its_time_or_never_come() {
    let stage = Stage::new().await;
    let keys = async || stage.try_send(Request::get(stage.at("/oidc/keys")), String::new()).await;
    let length = keys().await.expect("an answer").body.len();
    let within = async |seconds| tokio::time::timeout(Duration::from_secs(seconds), keys()).await;

    stage.provider.lie(|answer| {
        if let Answer::Reply(Endpoint::Keys, reply) = answer {
            reply.drip();
        }
    });
    assert!(within(60).await.is_err(), "a byte a second is {length} seconds");
    assert_eq!(within(600).await.expect("its time").expect("an answer").body.len(), length);

    stage.provider.lie(|answer| {
        if let Answer::Reply(Endpoint::Keys, reply) = answer {
            *reply = Reply::Silence;
        }
    });
    assert!(within(3600).await.is_err());
}

#[tokio::test]
async fn a_body_can_be_endless() {
    let stage = Stage::new().await;
    stage.provider.lie(|answer| {
        if let Answer::Reply(Endpoint::Keys, reply) = answer {
            *reply = Reply::Endless;
        }
    });
    let request = Request::get(stage.at("/oidc/keys")).body(Full::default()).expect("a request");
    let mut body = stage.http.request(request).await.expect("an answer").into_body();
    let mut read = 0;
    while read < 4 << 20 {
        read += body.frame().await.expect("more").expect("a frame").data_ref().map_or(0, Bytes::len);
    }
}

#[tokio::test]
async fn every_call_is_recorded_and_can_be_awaited() {
    let stage = Stage::new().await;
    stage.get("/.well-known/openid-configuration").await;
    stage.get("/nowhere?a=1").await;
    let recorded: Vec<_> = stage.provider.calls().into_iter().map(|call| (call.endpoint, call.path)).collect();
    assert_eq!(
        recorded,
        [
            (Endpoint::Discovery, "/.well-known/openid-configuration".to_owned()),
            (Endpoint::Unknown, "/nowhere".to_owned())
        ]
    );
    stage.provider.forget_calls();
    let (token_calls, ()) = tokio::join!(stage.provider.asked(Endpoint::Token, 2), async {
        stage.tokens("ada").await;
        stage.tokens("grace").await;
    });
    assert_eq!(token_calls.len(), 2);
    assert_eq!(token_calls[0].form.get("code_verifier"), Some(VERIFIER));
    assert_eq!(token_calls[0].headers["authorization"], basic());
    assert!(!format!("{token_calls:?}").contains(VERIFIER), "a failing test prints names, not values");
    assert_eq!(stage.provider.calls_to(Endpoint::Keys).len(), 0);
}
