//! nginx as the front proxy that most people have: TLS ends there, it says who the visitor
//! is, keeps connections to us and lets a `WebSocket` through.

use crate::{
    browser::Browser,
    certificate::certificate,
    curl::curl,
    deployment::{Deployment, Plan},
    nginx::{Nginx, Planned},
    provider::Provider,
};

/// As our documentation has it; `VESTIBULE` stands for where we listen.
const FRONT: &str = "
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    upstream vestibule { server VESTIBULE; keepalive 4; }
    large_client_header_buffers 4 64k;
    server {
        listen ADDRESS LISTEN;
        CERTIFICATE
        client_max_body_size 0;
        location / {
            proxy_pass http://vestibule;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Request-Id $request_id;
            proxy_buffering off;
            proxy_request_buffering off;
        }
    }";

const CERTIFICATE: &str = "ssl_certificate tls.crt; ssl_certificate_key tls.key;";

/// Where nginx comes from. A visitor on the same machine comes from there as well, unless it says otherwise.
fn trusting(plan: Plan) -> Plan {
    plan.server("trusted_proxies = [\"127.0.0.1/32\"]")
}

/// A visitor's own address, which is nobody's proxy.
const ELSEWHERE: &str = "127.203.0.9";

/// nginx in the clear, before us.
async fn plain(planned: Planned, plan: &Plan) -> Nginx {
    let listen = plan.listen().to_string();
    let http = FRONT.replace("VESTIBULE", &listen).replace("LISTEN", "").replace("CERTIFICATE", "");
    planned.start(&http).await
}

/// A public deployment behind nginx in the clear.
async fn public() -> (Deployment, Nginx) {
    let planned = Nginx::plan();
    let plan = trusting(Plan::usual()).public().public_url(&format!("http://{}", planned.address));
    let nginx = plain(planned, &plan).await;
    (plan.start().await, nginx)
}

/// A whole sign-in by a stranger's cookie jar, which believes in `__Host-`, `Secure` and the rest.
#[tokio::test]
async fn somebody_signs_in_through_its_tls_and_the_app_learns_who_and_from_where() {
    let planned = Nginx::plan();
    certificate(planned.folder(), planned.address.ip());
    let ca = planned.folder().join("tls.crt");
    let plan = trusting(Plan::usual()).public_url(&format!("https://{}", planned.address));
    let listen = plan.listen().to_string();
    let http = FRONT.replace("VESTIBULE", &listen).replace("LISTEN", "ssl").replace("CERTIFICATE", CERTIFICATE);
    let nginx = planned.start(&http).await;
    let (deployment, provider): (_, Provider) = plan.start_with_provider().await;
    let jar = nginx.folder().join("jar");
    let (ca, jar) = (ca.to_str().expect("a plain path"), jar.to_str().expect("a plain path"));
    let browse = async |arguments: &[&str]| {
        curl(
            &[
                &[
                    "--interface",
                    ELSEWHERE,
                    "--cacert",
                    ca,
                    "--cookie",
                    jar,
                    "--cookie-jar",
                    jar,
                    "--location",
                    "--header",
                    "Accept: text/html",
                ],
                arguments,
            ]
            .concat(),
        )
        .await
    };

    let page = deployment.url("/page?a=1");
    let form = browse(&["--write-out", "\\n%{url_effective}", &page]).await;
    let text = form.text();
    let action = text.lines().last().expect("where it ended");
    assert!(form.status == 200 && action.starts_with(&provider.issuer()), "the provider's form: {form:?}");
    let landed = browse(&["--data", "login=ada", action]).await;
    assert_eq!((landed.status, &*landed.text()), (200, "app: GET /page?a=1 "), "{landed:?}");

    let asked = deployment.app.asked_for("/page?a=1");
    for (name, value) in [
        ("x-forwarded-user", Some("ada")),
        ("x-forwarded-email", Some("ada@example.com")),
        ("x-forwarded-proto", Some("https")),
        ("x-forwarded-for", Some("127.203.0.9, 127.0.0.1")),
        ("x-real-ip", Some(ELSEWHERE)),
        ("cookie", None),
    ] {
        assert_eq!(asked.header(name), value, "{name}");
    }
    let host = deployment.origin.trim_start_matches("https://");
    assert_eq!((asked.header("host"), asked.header("x-forwarded-host")), (Some(host), Some(host)));
    assert_eq!(asked.header("x-request-id").map(str::len), Some(32), "nginx named it, and the name stays");
    let jar = std::fs::read_to_string(jar).expect("curl keeps its jar");
    let session = jar.lines().find(|line| line.contains("__Host-vestibule\t")).expect("a cookie for this host alone");
    assert!(session.starts_with("#HttpOnly_") && session.split('\t').nth(3) == Some("TRUE"), "Secure: {session}");

    // Signed in, the forged name of a header that nginx hands on is still ours to set.
    let forged = browse(&[
        "--header",
        "X-Forwarded-User: mallory",
        "--header",
        "X_Forwarded_User: mallory",
        &deployment.url("/again"),
    ])
    .await;
    assert_eq!(forged.status, 200, "{forged:?}");
    assert_eq!(deployment.app.asked_for("/again").header("x-forwarded-user"), Some("ada"));
}

#[tokio::test]
async fn connections_between_nginx_and_us_are_kept_and_few() {
    let (deployment, _nginx) = public().await;
    let urls: Vec<_> = (0..40).map(|n| deployment.url(&format!("/{n}"))).collect();
    for urls in urls.chunks(10) {
        let urls: Vec<_> = urls.iter().map(String::as_str).collect();
        let answers = curl(&urls).await;
        assert_eq!(answers.exit, Some(0), "{answers:?}");
    }
    assert_eq!(deployment.app.asked().len(), 40);
    assert!((deployment.metric("vestibule_connections").await - 1.0).abs() < 0.1, "all of them came on one");
}

#[tokio::test]
async fn what_a_visitor_forges_behind_nginx_is_not_believed() {
    let (deployment, _nginx) = public().await;
    let host = deployment.origin.trim_start_matches("http://");
    for sent in [
        "X-Forwarded-For: 203.0.113.9",
        "X-Real-IP: 203.0.113.9",
        "Forwarded: for=203.0.113.9",
        "X-Original-URL: /admin",
    ] {
        let answer = curl(&["--interface", ELSEWHERE, "--header", sent, &deployment.url("/page")]).await;
        assert_eq!(answer.status, 200, "{sent}: {answer:?}");
        let asked = deployment.app.asked_for("/page");
        assert_eq!(
            (asked.header("x-real-ip"), asked.header("x-forwarded-host")),
            (Some(ELSEWHERE), Some(host)),
            "{sent}"
        );
        assert_eq!((asked.header("forwarded"), asked.header("x-original-url")), (None, None), "{sent}");
        let chain = asked.header("x-forwarded-for").expect("a chain");
        assert!(
            chain.ends_with("127.203.0.9, 127.0.0.1"),
            "{sent}: whoever reads it from its end finds the truth: {chain}"
        );
    }
    // nginx as configured hands this on, and we trust nginx: the host is no app of ours.
    let answer = curl(&["--header", "X-Forwarded-Host: evil.example", &deployment.url("/page")]).await;
    assert_eq!((answer.status, deployment.app.asked().len()), (421, 4), "{answer:?}");
}

#[tokio::test]
async fn large_heads_uploads_and_downloads_pass_both() {
    let (deployment, _nginx) = public().await;
    let long = format!("X-Long: {}", "x".repeat(40 * 1024));
    let answer = curl(&["--header", &long, &deployment.url("/head")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(deployment.app.asked_for("/head").header("x-long").map(str::len), Some(40 * 1024));
    let upload = vec![b'u'; 4 * 1024 * 1024];
    let answer = crate::curl::curl_reading(&["--upload-file", "-", &deployment.url("/count")], upload).await;
    assert_eq!(answer.text(), "4194304 bytes", "{answer:?}");
    assert_eq!(curl(&[&deployment.url("/zeros/4194304")]).await.body.len(), 4_194_304);
}

#[tokio::test]
async fn a_page_in_chromium_has_its_web_socket_through_both() {
    let planned = Nginx::plan();
    let plan = trusting(Plan::usual()).public_url(&format!("http://{}", planned.address));
    let nginx = plain(planned, &plan).await;
    let (deployment, _provider) = plan.start_with_provider().await;
    let browser = Browser::open().await;
    browser.goto(&deployment.url("/")).await;
    browser.sign_in_as("grace").await;
    browser.arrives_at(&deployment.url("/")).await;
    let echoed = browser.element("output:not(:empty)").await.text().await.expect("the driver answers");
    assert_eq!(echoed, "is anybody there?");
    let handshake = deployment.app.asked_for("/echo");
    assert_eq!(handshake.header("x-forwarded-email"), Some("grace@example.com"));
    assert_eq!(handshake.header("host"), Some(deployment.origin.trim_start_matches("http://")));
    drop(browser);
    let is_over = |line: &serde_json::Value| (line["asked"] == "GET /echo HTTP/1.1").then(|| line["status"].clone());
    assert_eq!(nginx.asked("the end of the WebSocket", is_over).await, "101");
}
