//! What a client can rely on.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use super::*;

#[tokio::test]
async fn a_sign_in_goes_from_the_metadata_to_the_sign_out() {
    let stage = Stage::signing_with(SigningAlgorithm::RS256).await;
    let metadata = stage.get("/.well-known/openid-configuration").await.json();
    assert_eq!(metadata["issuer"], stage.provider.issuer());
    let endpoint = |name: &str| metadata[name].as_str().expect("an endpoint").to_owned();

    let page = stage.get(&format!("{}?{}", endpoint("authorization_endpoint"), authorization(&[]))).await;
    for name in ["Ada Lovelace", "Grace Hopper", "Mallory Marsh", "Uma Underhill"] {
        assert!(page.text().contains(name), "the page offers {name}");
    }
    let back = stage.click("grace").await;
    assert_eq!(back.redirect().0, CALLBACK);
    assert_eq!(back.parameter("state").as_deref(), Some("st&te"));
    assert_eq!(back.parameter("iss").as_deref(), Some(stage.provider.issuer()));

    let code = back.parameter("code").expect("a code");
    let tokens = stage.redeem(&code, &[], &[("authorization", &basic())]).await.json();
    let (id_token, access_token) = (tokens["id_token"].as_str(), tokens["access_token"].as_str());
    let (id_token, access_token) = (id_token.expect("an ID token"), access_token.expect("an access token"));
    let claims = part(id_token, 1);
    for (claim, value) in [
        ("iss", json!(stage.provider.issuer())),
        ("aud", json!("wiki")),
        ("sub", json!("grace")),
        ("nonce", json!("n0nce")),
        ("iat", json!(1_800_000_000)),
        ("exp", json!(1_800_000_300)),
        ("email", json!("grace@example.com")),
        ("email_verified", json!(true)),
        ("groups", json!(["staff"])),
    ] {
        assert_eq!(claims[claim], value, "{claim}");
    }

    let userinfo = stage
        .try_send(
            Request::get(endpoint("userinfo_endpoint")).header("authorization", format!("Bearer {access_token}")),
            String::new(),
        )
        .await
        .expect("an answer");
    assert_eq!(userinfo.json()["sub"], "grace");

    let leave = encoded(&[
        ("id_token_hint", id_token),
        ("post_logout_redirect_uri", "http://app.test/_vestibule/signed_out"),
        ("state", "bye"),
    ]);
    let left = stage.get(&format!("{}?{leave}", endpoint("end_session_endpoint"))).await;
    let state = ("state".to_owned(), "bye".to_owned());
    assert_eq!(left.redirect(), ("http://app.test/_vestibule/signed_out".to_owned(), vec![state]));
    assert_eq!(stage.authorize(&[("prompt", "none")]).await.parameter("error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn each_algorithm_signs_by_the_key_that_is_published() {
    // The decoded key, as each verifier of aws-lc-rs wants it.
    let bytes = |jwk: &Value, member: &str| {
        BASE64URL_NOPAD.decode(jwk[member].as_str().expect("a member").as_bytes()).expect("base64url")
    };
    let verifies = |jwk: &Value, algorithm: &'static dyn VerificationAlgorithm, input: &[u8], signature: &[u8]| {
        let point = [vec![4], bytes(jwk, "x"), jwk.get("y").map(|_| bytes(jwk, "y")).unwrap_or_default()].concat();
        let key = if jwk["kty"] == "OKP" { bytes(jwk, "x") } else { point };
        UnparsedPublicKey::new(algorithm, key).verify(input, signature).is_ok()
    };
    for algorithm in SigningAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let stage = Stage::signing_with(algorithm).await;
        let set = stage.get("/oidc/keys").await.json();
        let jwk = &set["keys"][0];
        let tokens = stage.tokens("ada").await;
        let token = tokens["id_token"].as_str().expect("an ID token");
        let header = part(token, 0);
        assert_eq!((&header["alg"], &header["kid"]), (&json!(algorithm.as_str()), &jwk["kid"]));

        let (input, sent) = token.rsplit_once('.').expect("three parts");
        let sent = BASE64URL_NOPAD.decode(sent.as_bytes()).expect("base64url");
        let rsa = |parameters| {
            let key = signature::RsaPublicKeyComponents { n: bytes(jwk, "n"), e: bytes(jwk, "e") };
            key.verify(parameters, input.as_bytes(), &sent).is_ok()
        };
        let verified = match algorithm {
            SigningAlgorithm::RS256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            SigningAlgorithm::RS384 => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            SigningAlgorithm::RS512 => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            SigningAlgorithm::PS256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
            SigningAlgorithm::PS384 => rsa(&signature::RSA_PSS_2048_8192_SHA384),
            SigningAlgorithm::PS512 => rsa(&signature::RSA_PSS_2048_8192_SHA512),
            SigningAlgorithm::ES256 => verifies(jwk, &signature::ECDSA_P256_SHA256_FIXED, input.as_bytes(), &sent),
            SigningAlgorithm::ES384 => verifies(jwk, &signature::ECDSA_P384_SHA384_FIXED, input.as_bytes(), &sent),
            SigningAlgorithm::ES512 => verifies(jwk, &signature::ECDSA_P521_SHA512_FIXED, input.as_bytes(), &sent),
            SigningAlgorithm::EdDSA => verifies(jwk, &signature::ED25519, input.as_bytes(), &sent),
            SigningAlgorithm::HS256 | SigningAlgorithm::HS384 | SigningAlgorithm::HS512 => false,
        };
        assert!(verified, "{}", algorithm.as_str());
    }
}

#[tokio::test]
async fn an_authorization_request_that_is_wrong_gets_no_code() {
    let stage = Stage::new().await;
    stage.provider.sign_in_page(SignInPage::AnsweredBy(&people::GRACE));
    for (changes, error) in [
        (&[("response_type", "token")][..], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("scope", "email")], "invalid_scope"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("max_age", "soon")], "invalid_request"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("nonce", "one"), ("nonce", "two")], "invalid_request"),
    ] {
        let back = stage.authorize(changes).await;
        assert_eq!(back.parameter("error").as_deref(), Some(error), "{changes:?}");
        assert_eq!(back.parameter("code"), None);
        assert_eq!(back.parameter("state").as_deref(), Some("st&te"));
    }
    for changes in [("client_id", "other"), ("redirect_uri", "http://app.test/_vestibule/callback/")] {
        let refused = stage.authorize(&[changes]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(!refused.headers.contains_key(header::LOCATION), "nobody is sent to an address that is not registered");
    }
}

#[tokio::test]
async fn a_session_answers_until_a_prompt_asks_again() {
    let stage = Stage::new().await;
    assert_eq!(stage.authorize(&[("prompt", "none")]).await.parameter("error").as_deref(), Some("login_required"));
    stage.click("uma").await;
    for (changes, shown) in [
        (&[][..], false),
        (&[("prompt", "none")], false),
        (&[("max_age", "100")], false),
        (&[("max_age", "0")], true),
        (&[("prompt", "login")], true),
        (&[("prompt", "select_account")], true),
    ] {
        let answer = stage.authorize(changes).await;
        assert_eq!(answer.status == StatusCode::OK, shown, "{changes:?}");
        assert_eq!(answer.text().contains("signed in here"), shown, "{changes:?}");
    }
    stage.hand.advance(Duration::from_secs(101));
    assert_eq!(stage.authorize(&[("max_age", "100")]).await.status, StatusCode::OK);
    let hinted = stage.authorize(&[("prompt", "login"), ("login_hint", "ada@example.com")]).await;
    assert!(hinted.text().contains("suggested"));
    assert_eq!(stage.click("nobody").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_code_is_redeemed_only_by_its_client_with_its_verifier_in_its_time() {
    let stage = Stage::new().await;
    let other = Client {
        secret: None,
        redirect_uris: vec![Url::parse(CALLBACK).expect("a URL")],
        ..Client::vestibule("other", "", &Url::parse("http://other.test").expect("a URL"))
    };
    stage.provider.register(other);
    let authorization = basic();
    let as_wiki = [("authorization", authorization.as_str())];
    let wrong_secret = format!("Basic {}", BASE64.encode(b"wiki:guess"));
    for (changes, headers, error) in [
        (&[][..], &[][..], "invalid_client"),
        (&[], &[("authorization", wrong_secret.as_str())], "invalid_client"),
        (&[], &[("authorization", "Bearer wiki")], "invalid_client"),
        (&[("client_id", "wiki")], &[], "invalid_client"),
        (&[("client_id", "wiki"), ("client_secret", "guess")], &[], "invalid_client"),
        (&[("client_secret", "s3cret+/:%")], &as_wiki, "invalid_request"),
        (&[("client_id", "other")], &as_wiki, "invalid_request"),
        (&[("code", "one"), ("code", "two")], &as_wiki, "invalid_request"),
        (&[("code", "")], &as_wiki, "invalid_request"),
        (&[("grant_type", "password")], &as_wiki, "unsupported_grant_type"),
        (&[("code", "invented")], &as_wiki, "invalid_grant"),
        (&[("client_id", "other")], &[], "invalid_grant"),
        (&[("redirect_uri", "http://app.test/")], &as_wiki, "invalid_grant"),
        (&[("code_verifier", "")], &as_wiki, "invalid_grant"),
        (&[("code_verifier", CHALLENGE)], &as_wiki, "invalid_grant"),
    ] {
        let code = stage.code("grace").await;
        let answer = stage.redeem(&code, changes, headers).await;
        assert_eq!(answer.json()["error"], error, "{changes:?}");
    }
    let code = stage.code("grace").await;
    stage.hand.advance(Duration::from_secs(61));
    assert_eq!(stage.redeem(&code, &[], &as_wiki).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_client_authenticates_by_header_or_by_form() {
    let stage = Stage::new().await;
    let authorization = basic();
    for (form, headers) in [
        (&[][..], &[("authorization", authorization.as_str())][..]),
        (&[("client_id", "wiki")], &[("authorization", authorization.as_str())]),
        (&[("client_id", "wiki"), ("client_secret", "s3cret+/:%")], &[]),
    ] {
        let code = stage.code("grace").await;
        let answer = stage.redeem(&code, form, headers).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_code_that_comes_twice_takes_its_token_with_it() {
    let stage = Stage::new().await;
    let authorization = basic();
    let headers = [("authorization", authorization.as_str())];
    let code = stage.code("grace").await;
    let tokens = stage.redeem(&code, &[], &headers).await.json();
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().expect("a token"));
    let userinfo = async || stage.post("/oidc/userinfo", &[], &[("authorization", &bearer)]).await;
    assert_eq!(userinfo().await.status, StatusCode::OK);
    assert_eq!(stage.redeem(&code, &[], &headers).await.json()["error"], "invalid_grant");
    assert_eq!(userinfo().await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn nobody_is_signed_out_by_a_stranger_nor_sent_to_one() {
    let stage = Stage::new().await;
    let tokens = stage.tokens("grace").await;
    let hint = tokens["id_token"].as_str().expect("an ID token");
    let leave = |pairs: &[(&str, &str)]| format!("/oidc/end_session?{}", encoded(pairs));

    let asked = stage.get(&leave(&[("state", "\"><script>")])).await;
    assert!(asked.text().contains("Sign out?"), "{}", asked.text());
    assert!(!asked.text().contains("<script>"), "what is carried on is escaped");
    for pairs in [
        &[("id_token_hint", hint), ("post_logout_redirect_uri", "http://evil.test/")][..],
        &[("post_logout_redirect_uri", "http://app.test/_vestibule/signed_out")],
        &[("id_token_hint", hint), ("client_id", "other")],
    ] {
        assert_eq!(stage.get(&leave(pairs)).await.status, StatusCode::BAD_REQUEST, "{pairs:?}");
    }
    assert!(stage.authorize(&[]).await.parameter("code").is_some(), "the session is still there");

    let left = stage.post("/oidc/end_session", &[("confirmed", "yes")], &[]).await;
    assert!(left.text().contains("Signed out"));
    assert!(stage.authorize(&[]).await.text().contains("Who are you today?"));
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let stage = Stage::new().await;
    let answer = stage.get("/oidc/token").await;
    assert_eq!(
        (answer.status, &answer.headers[header::ALLOW]),
        (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().expect("a value"))
    );
    let large = "a=".to_owned() + &"b".repeat(70_000);
    let answer = stage.try_send(Request::post(stage.at("/oidc/token")), large).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}
