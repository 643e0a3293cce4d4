//! Proxies that have the way to the app and ask us about each request, configured by the
//! files of `deploy/forward-auth` with nothing changed but addresses, paths and TLS.
//!
//! Traefik and Envoy are no packages of Debian, so they do not run here; that their files
//! say the same is what [`files`] checks.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    address::own_address,
    curl::{Curled, curl},
    deployment::{Deployment, Plan},
    nginx::{Nginx, Planned},
    process::{PATIENCE, Process},
    visitor::Visitor,
};

mod files;

/// Vestibule and the app as the samples have them.
const VESTIBULE: &str = "127.0.0.1:4180";
const APP: &str = "127.0.0.1:8080";

/// A proxy that asks; it ends with this value.
enum Front {
    Nginx(#[expect(dead_code, reason = "kept running")] Nginx),
    Other(#[expect(dead_code, reason = "kept running")] Process, #[expect(dead_code, reason = "kept")] TempDir),
}

/// A file of `deploy/forward-auth`, with other places for things.
fn sample(name: &str, places: &[(&str, &str)]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/forward-auth").join(name);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    places.iter().fold(text, |text, (there, here)| {
        assert!(text.contains(there), "{name} has no {there:?} any more");
        text.replace(there, here)
    })
}

/// Another app's host, at the same address: everything is public there.
fn blog(front: SocketAddr) -> String {
    format!("localhost:{}", front.port())
}

/// What has to be in place before the proxy: us, who know it by its address and know another app besides, and the
/// app, which only the proxy knows.
async fn behind(front: SocketAddr) -> (Deployment, crate::provider::Provider, SocketAddr) {
    let blog = format!(
        "[[app]]\nid = \"blog\"\npublic_url = \"http://{}\"\n[app.access]\npolicy = \"anyone\"\n\
         [[app.route]]\npath = \"/**\"\naccess = \"public\"\n",
        blog(front)
    );
    let plan = Plan::usual()
        .server("trusted_proxies = [\"127.0.0.1/32\"]")
        .upstream("")
        .routes(&format!("[[app.route]]\npath = \"/public/**\"\naccess = \"public\"\n{blog}"))
        .public_url(&format!("http://{front}"));
    let listen = plan.listen();
    let (deployment, provider) = plan.start_with_provider().await;
    (deployment, provider, listen)
}

async fn nginx(planned: Planned, vestibule: SocketAddr, app: SocketAddr) -> Front {
    let (vestibule, app, host) = (vestibule.to_string(), app.to_string(), planned.address.ip().to_string());
    let port = ("$server_name", "$server_name:$server_port");
    let headers = planned.folder().join("nginx-headers.conf");
    fs::write(&headers, sample("nginx-headers.conf", &[port])).expect("a file in a folder of our own");
    let places = [
        (VESTIBULE, vestibule.as_str()),
        (APP, &app),
        ("listen 443 ssl", "listen ADDRESS"),
        ("    ssl_certificate     /etc/nginx/tls.crt;\n    ssl_certificate_key /etc/nginx/tls.key;\n", ""),
        ("/etc/nginx/nginx-headers.conf", headers.to_str().expect("a plain path")),
        port,
        ("wiki.example.com", &host),
    ];
    Front::Nginx(planned.start(&sample("nginx.conf", &places)).await)
}

async fn caddy(address: SocketAddr, vestibule: SocketAddr, app: SocketAddr) -> Front {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (vestibule, app) = (vestibule.to_string(), app.to_string());
    let site = format!("{{\n\tadmin off\n}}\nhttp://{address} {{\n\tbind {}\n", address.ip());
    let places = [(VESTIBULE, vestibule.as_str()), (APP, &app), ("wiki.example.com {\n", &site)];
    let file = folder.path().join("Caddyfile");
    fs::write(&file, sample("Caddyfile", &places)).expect("a file in a folder of our own");
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
    command.env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path()).env("XDG_DATA_HOME", folder.path());
    let process = Process::start("caddy", &mut command);
    process.line("that it serves", |line| line.contains("serving initial configuration").then_some(())).await;
    Front::Other(process, folder)
}

async fn haproxy(address: SocketAddr, vestibule: SocketAddr, app: SocketAddr) -> Front {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (vestibule, app, listen, host) =
        (vestibule.to_string(), app.to_string(), address.to_string(), address.ip().to_string());
    let forwarded_host = format!("X-Forwarded-Host {address}");
    let (lua, file) = (folder.path().join("vestibule.lua"), folder.path().join("haproxy.cfg"));
    fs::write(&lua, sample("vestibule.lua", &[(VESTIBULE, &vestibule)])).expect("a file in a folder of our own");
    let places = [
        (VESTIBULE, vestibule.as_str()),
        (APP, &app),
        ("/etc/haproxy/vestibule.lua", lua.to_str().expect("a plain path")),
        (":443 ssl crt /etc/haproxy/wiki.pem alpn h2,http/1.1", &listen),
        ("X-Forwarded-Host wiki.example.com", &forwarded_host),
        ("wiki.example.com", &host),
    ];
    fs::write(&file, sample("haproxy.cfg", &places)).expect("a file in a folder of our own");
    let process = Process::start("haproxy", Command::new("haproxy").args(["-W", "-db", "-f"]).arg(&file));
    process.line("that it serves", |line| line.contains("Loading success").then_some(())).await;
    Front::Other(process, folder)
}

#[tokio::test]
async fn nginx_asks_and_lets_through_whom_it_should() {
    let planned = Nginx::plan();
    let (deployment, _provider, vestibule) = behind(planned.address).await;
    let _front = nginx(planned, vestibule, deployment.app.address).await;
    whom_it_should_gets_through(&deployment, vestibule).await;
}

#[tokio::test]
async fn caddy_asks_and_lets_through_whom_it_should() {
    let address = own_address();
    let (deployment, _provider, vestibule) = behind(address).await;
    let _front = caddy(address, vestibule, deployment.app.address).await;
    whom_it_should_gets_through(&deployment, vestibule).await;
}

#[tokio::test]
async fn haproxy_asks_and_lets_through_whom_it_should() {
    let address = own_address();
    let (deployment, _provider, vestibule) = behind(address).await;
    let _front = haproxy(address, vestibule, deployment.app.address).await;
    whom_it_should_gets_through(&deployment, vestibule).await;
}

/// What nobody but the proxy and Vestibule may say to the app (contract section 6), in Vestibule's spelling.
const NOT_THE_VISITORS: [&str; 32] = [
    // Who they are.
    "remote-email",
    "remote-groups",
    "remote-name",
    "remote-user",
    "x-auth-request-access-token",
    "x-auth-request-email",
    "x-auth-request-groups",
    "x-auth-request-preferred-username",
    "x-auth-request-user",
    "x-forwarded-access-token",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-user",
    "x-remote-groups",
    "x-remote-user",
    "x-vestibule-assertion",
    // Which request it is, and where it comes from.
    "forwarded",
    "x-forwarded-client-cert",
    "x-forwarded-method",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-forwarded-uri",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// Other spellings that an app may take for some of these, and what would have the proxy's own dropped.
const SPELLINGS: [&str; 5] = [
    "X_Forwarded_User: forged",
    "X-Forwarded_Groups: forged",
    "X-Forwarded-For: 192.0.2.66",
    "X-Forwarded-Host: forged",
    "Connection: X-Forwarded-User, Remote-User",
];

/// Asks with curl as this visitor.
async fn ask(visitor: &Visitor, arguments: &[&str], url: &str) -> Curled {
    let cookie = format!("Cookie: {}", visitor.cookie(url));
    curl(&[&["--path-as-is", "--header", &cookie], arguments, &[url]].concat()).await
}

async fn whom_it_should_gets_through(deployment: &Deployment, vestibule: SocketAddr) {
    a_deep_link_is_reached_by_signing_in(deployment).await;
    what_a_visitor_makes_up_does_not_arrive(deployment).await;
    our_cookies_are_not_the_apps_business(deployment).await;
    only_web_sockets_are_more_than_one_request(deployment).await;
    who_is_not_admitted_is_told_so(deployment).await;
    another_apps_rules_do_not_open_this_one(deployment).await;
    nobody_gets_around_the_question(deployment).await;
    // Past the proxy there is no way either.
    let direct = curl(&["--header", "Host: x", &format!("http://{vestibule}/public/page")]).await;
    assert_eq!(direct.status, 421, "{direct:?}");
}

async fn signed_in(deployment: &Deployment, person: &str) -> (Visitor, crate::visitor::Answer) {
    let mut visitor = Visitor::default();
    let form = visitor.follow(deployment.url("/page?a=1&b=%2F&c=d+e")).await;
    assert!(form.status == 200 && form.text().contains("Who are you?"), "the provider's form: {form:?}");
    let landed = visitor.submit(form.url.as_str(), &[("login", person)]).await;
    (visitor, landed)
}

async fn a_deep_link_is_reached_by_signing_in(deployment: &Deployment) {
    let (visitor, landed) = signed_in(deployment, "ada").await;
    let target = "/page?a=1&b=%2F&c=d+e";
    assert_eq!((landed.status.as_u16(), landed.text()), (200, &*format!("app: GET {target} ")), "{landed:?}");
    let asked = deployment.app.asked_for(target);
    for (name, value) in [
        ("x-forwarded-user", "ada"),
        ("x-forwarded-email", "ada@example.com"),
        ("x-forwarded-groups", "admins,staff"),
        ("host", deployment.origin.trim_start_matches("http://")),
    ] {
        assert_eq!(asked.header(name), Some(value), "{name}: {asked:?}");
    }
    let told = asked.header("cookie").unwrap_or_default();
    assert!(!told.contains("vestibule="), "our cookie opens the app to whoever reads it: {told}");

    let posted = ask(&visitor, &["--data", "a=1", "--cookie", "own=1"], &deployment.url("/form")).await;
    assert_eq!((posted.status, &*posted.text()), (200, "app: POST /form a=1"), "{posted:?}");
}

async fn what_a_visitor_makes_up_does_not_arrive(deployment: &Deployment) {
    let (ada, _) = signed_in(deployment, "ada").await;
    let nobody = Visitor::default();
    let named = NOT_THE_VISITORS.iter().map(|name| format!("{name}: forged"));
    // Every byte but `-`, letters and digits that a name may have (RFC 9110 §5.6.2).
    let odd = "!#$%&'*+.^_`|~".chars().map(|odd| format!("X{odd}Forwarded-User: forged"));
    let lines: Vec<_> = named.chain(odd).collect();
    let lines = lines.iter().map(String::as_str).chain(SPELLINGS);
    let forged: Vec<_> = lines.flat_map(|line| ["--header", line]).collect();
    for (visitor, target, user) in
        [(&ada, "/forged", Some("ada")), (&ada, "/public/forged", None), (&nobody, "/public/forged", None)]
    {
        let answer = ask(visitor, &forged, &deployment.url(target)).await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        let asked = deployment.app.asked_for(target);
        let told = |name| asked.header(name).filter(|value| !value.is_empty());
        assert_eq!(told("x-forwarded-user"), user, "{target}: {asked:?}");
        assert_eq!(told("x-forwarded-groups"), user.map(|_| "admins,staff"), "{target}: {asked:?}");
        assert_eq!(told("x-forwarded-for"), Some("127.0.0.1"), "{target}: {asked:?}");
        assert_eq!(told("x-real-ip"), Some("127.0.0.1"), "{target}: {asked:?}");
        for (name, value) in &asked.headers {
            let plain = name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let value = String::from_utf8_lossy(value.as_bytes()).to_lowercase();
            assert!(plain && !value.contains("forged"), "{target}: {name} in {asked:?}");
            assert!(name != "connection" || !value.contains("user"), "{target}: {asked:?}");
        }
    }
}

/// Threat 51, in all the names that Vestibule gives its cookies.
async fn our_cookies_are_not_the_apps_business(deployment: &Deployment) {
    for (target, sent, left) in [
        ("/public/1", "vestibule=a", ""),
        ("/public/2", "__Host-vestibule=a; own=1", "own=1"),
        (
            "/public/3",
            "own=1; __Secure-vestibule-w=a; vestibule-attempt-x=b; __Host-vestibule=c; more=2",
            "own=1; more=2",
        ),
        ("/public/4", "vestibule=a; own=1; __Secure-vestibule-w.attempt-x=b", "own=1"),
        ("/public/5", "vestibules=1;my-vestibule=2; vestibule2=3", "vestibules=1;my-vestibule=2; vestibule2=3"),
    ] {
        let answer = curl(&["--header", &format!("Cookie: {sent}"), &deployment.url(target)]).await;
        assert_eq!(answer.status, 200, "{sent}: {answer:?}");
        let asked = deployment.app.asked_for(target);
        let told = asked.header("cookie").unwrap_or_default().trim_end_matches("; ").trim_end_matches(';');
        assert_eq!(told, left, "{sent}");
    }
    // nginx counts the places, and keeps none of the cookies where it cannot be sure.
    let scattered = "vestibule=a; own=1; vestibule-x=b; own=2; __Host-vestibule=c; own=3; __Secure-vestibule=d";
    let answer = curl(&["--header", &format!("Cookie: {scattered}"), &deployment.url("/public/6")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let asked = deployment.app.asked_for("/public/6");
    assert!(!asked.header("cookie").unwrap_or_default().contains("vestibule"), "{asked:?}");
}

/// Of another protocol's requests, h2c's say, nobody would be asked about the second.
async fn only_web_sockets_are_more_than_one_request(deployment: &Deployment) {
    let answer = curl(&["--http2", &deployment.url("/public/h2c")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let asked = deployment.app.asked_for("/public/h2c");
    assert_eq!(asked.header("upgrade"), None, "{asked:?}");

    let host = deployment.origin.trim_start_matches("http://");
    let mut socket = TcpStream::connect(host).await.expect("the proxy listens");
    let handshake = format!(
        "GET /public/echo HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Origin: {}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        deployment.origin
    );
    socket.write_all(handshake.as_bytes()).await.expect("it reads");
    let mut start = [0; 12];
    timeout(PATIENCE, socket.read_exact(&mut start)).await.expect("it answers").expect("in full");
    assert_eq!(String::from_utf8_lossy(&start), "HTTP/1.1 101");
    let asked = deployment.app.asked_for("/public/echo");
    assert_eq!(asked.header("upgrade"), Some("websocket"), "in the proxy's words: {asked:?}");
}

async fn who_is_not_admitted_is_told_so(deployment: &Deployment) {
    let (mallory, landed) = signed_in(deployment, "mallory").await;
    assert_eq!(landed.status, 403, "{landed:?}");
    assert!(landed.text().contains("mallory@example.net") && landed.text().contains("another account"), "{landed:?}");
    let before = deployment.app.asked().len();
    for (visitor, status) in [(&mallory, 403), (&Visitor::default(), 401)] {
        let answer = ask(visitor, &["--header", "Accept: application/json"], &deployment.url("/api")).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, Some("application/problem+json")),
            "{answer:?}"
        );
        assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
        let challenge = (status == 401).then_some("Bearer realm=\"app\"");
        assert_eq!(answer.header("www-authenticate"), challenge, "{answer:?}");
    }
    assert_eq!(deployment.app.asked().len(), before);
}

/// The host says which app is judged, and the proxy always asks this one.
async fn another_apps_rules_do_not_open_this_one(deployment: &Deployment) {
    let before = deployment.app.asked().len();
    let wiki = deployment.origin.trim_start_matches("http://");
    let blog = blog(wiki.parse().expect("an address"));
    let (at_wiki, at_blog) = (format!("http://{wiki}/secret"), format!("http://{blog}/secret"));
    for (host, target) in [
        (&*blog, "/secret"),
        (&blog, &at_wiki),
        (wiki, &at_blog),
        (&blog.to_uppercase(), "/secret"),
        ("localhost", "/secret"),
        (&format!("{wiki},{blog}"), "/secret"),
        (&format!("{blog},{wiki}"), "/secret"),
    ] {
        let host = format!("Host: {host}");
        for more in ["X-Other: 1", &format!("X-Forwarded-Host: {blog}"), &format!("Forwarded: host=\"{blog}\"")] {
            let arguments = ["--request-target", target, "--header", &host, "--header", more];
            let answer = ask(&Visitor::default(), &arguments, &deployment.url("/secret")).await;
            // Caddy has nothing to say where it knows no site: 200, and no byte.
            assert!(answer.status >= 400 || answer.body.is_empty(), "{host} {target} {more}: {answer:?}");
            let is_anothers = target == "/secret" && !host.contains(wiki);
            assert!(!is_anothers || answer.status == 421 || answer.body.is_empty(), "{host} {more}: {answer:?}");
            assert_eq!(deployment.app.asked().len(), before, "{host} {target} {more}: {answer:?}");
        }
    }
}

/// Every row is anonymous and may at most be sent to sign in.
async fn nobody_gets_around_the_question(deployment: &Deployment) {
    let before = deployment.app.asked().len();
    let url = deployment.url("/public/page");
    let original = format!("X-Original-URL: {url}");
    for (what, target, fields) in [
        ("CVE-2026-40575", "/secret", vec!["X-Forwarded-Uri: /public/page"]),
        ("CVE-2026-40575", "/secret", vec!["X-Original-Method: GET", &*original]),
        ("GHSA-5wcc-hf24-rf5h", "/secret", vec!["X-Original-URI: /_vestibule/start"]),
        ("another method", "/secret", vec!["X-Forwarded-Method: OPTIONS"]),
        ("another host", "/secret", vec!["X-Forwarded-Host: elsewhere.example"]),
        ("threat 49", "/secret", vec!["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1"]),
        ("threat 53", "/public/../secret", vec![]),
        ("threat 53", "/public/%2e%2e/secret", vec![]),
        ("threat 54", "/public/..;/secret", vec![]),
        ("threat 55", "/public/..%2fsecret", vec![]),
        ("threat 56", "//secret", vec![]),
        ("threat 57", "/secret?/public/", vec![]),
        ("threat 59", "/PUBLIC/page", vec![]),
        ("threat 65", "/_vestibule/..%2fsecret", vec![]),
        ("threat 65", "/_vestibulex", vec![]),
        ("GHSA-5wcc-hf24-rf5h", "/_vestibule/../secret", vec![]),
    ] {
        let arguments: Vec<_> = fields.iter().flat_map(|field| ["--header", field]).collect();
        let answer = ask(&Visitor::default(), &arguments, &deployment.url(target)).await;
        assert!((400..500).contains(&answer.status), "{what}: {target} {fields:?}: {answer:?}");
        assert_eq!(deployment.app.asked().len(), before, "{what}: {target} {fields:?}");
    }

    // Nor does the proxy make a fault of its own of what it cannot be told.
    let unreadable = curl(&["--path-as-is", &deployment.url("/public/..;/page")]).await;
    assert_eq!(unreadable.status, 400, "{unreadable:?}");

    // Asking is for the proxy: whoever is signed in learns nothing that is meant for the app.
    let (ada, _) = signed_in(deployment, "ada").await;
    for spelling in [
        "/_vestibule/auth",
        "/_vestibule/auth?mode=redirect",
        "/_vestibule/%61uth",
        "/_vestibule/./auth",
        "/_vestibule//auth",
    ] {
        let page = deployment.url("/page");
        let answer = ask(
            &ada,
            &["--header", "X-Original-Method: GET", "--header", &format!("X-Original-URL: {page}")],
            &deployment.url(spelling),
        )
        .await;
        assert!(answer.status >= 400 && !answer.heads.contains("x-forwarded-"), "{spelling}: {answer:?}");
    }
}
