//! nginx as the app: static files with all that HTTP has for them, its own redirects, and
//! what it passes on unbuffered.

use std::{fs, io::Write as _};

use crate::{
    curl::{Curled, curl, curl_reading},
    deployment::{Deployment, Plan},
    nginx::Nginx,
    provider::Provider,
    visitor::Visitor,
};

/// A site of a few files and odd redirects.
const SITE: &str = r"
    gzip on; gzip_min_length 100; gzip_types text/plain; types { text/plain txt; }
    server {
        listen ADDRESS;
        root html;
        location = /moved/absolute { return 302 http://$http_host/target?x=1; }
        location = /moved/to-itself { return 302 http://ADDRESS/target?x=1; }
        location = /moved/elsewhere { return 302 https://elsewhere.example/target; }
        location = /moved/relative { absolute_redirect off; return 301 /target; }
        location /portless/ { port_in_redirect off; }
        location = /nothing { return 204; }
        location = /refused { return 418 teapot; }
    }";

const LINES: usize = 5_000;

fn text() -> String {
    "a line of a text that compresses well\n".repeat(LINES)
}

/// Vestibule before such a site, a signed-in visitor's cookie, and who keeps it all running.
async fn site() -> (Deployment, Nginx, String, Provider) {
    let planned = Nginx::plan();
    let html = planned.folder().join("html");
    for folder in ["folder", "portless/folder"] {
        fs::create_dir_all(html.join(folder)).expect("a folder of our own");
        fs::write(html.join(folder).join("index.html"), "an index").expect("a file of our own");
    }
    fs::write(html.join("file.txt"), text()).expect("a file of our own");
    let nginx = planned.start(SITE).await;
    let (deployment, provider) =
        Plan::usual().upstream(&format!("http://{}", nginx.address)).start_with_provider().await;
    let mut ada = Visitor::default();
    let landed = ada.sign_in(deployment.url("/folder/"), "ada").await;
    assert_eq!(landed.text(), "an index");
    let cookie = ada.cookie(&deployment.origin);
    (deployment, nginx, cookie, provider)
}

#[tokio::test]
async fn a_file_comes_whole_in_parts_compressed_or_not_at_all_if_it_is_known() {
    let (deployment, nginx, cookie, _provider) = site().await;
    let url = deployment.url("/file.txt");
    let get = async |arguments: &[&str]| curl(&[&["--cookie", &*cookie, &*url], arguments].concat()).await;
    let text = text();
    let length = text.len().to_string();

    let whole = get(&[]).await;
    assert_eq!((whole.status, whole.text() == text), (200, true), "{}", whole.heads);
    assert_eq!((whole.header("content-length"), whole.header("accept-ranges")), (Some(&*length), Some("bytes")));
    let etag = whole.header("etag").expect("nginx makes one").to_owned();
    let modified = whole.header("last-modified").expect("and says when").to_owned();
    let asked = |range: &'static str| {
        move |line: &serde_json::Value| (line["range"] == range && line["user"] == "ada").then_some(())
    };
    nginx.asked("the request with ada's name", asked("")).await;

    let head = get(&["--head"]).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some(&*length)));
    for (range, from, to) in [("0-9", 0, 10), ("100-", 100, text.len()), ("-7", text.len() - 7, text.len())] {
        let part = get(&["--range", range]).await;
        assert_eq!((part.status, &*part.text()), (206, &text[from..to]), "{range}");
        let content_range = format!("bytes {from}-{}/{length}", to - 1);
        assert_eq!(part.header("content-range"), Some(&*content_range));
    }
    nginx.asked("the range as it was asked for", asked("bytes=-7")).await;
    let parts = get(&["--range", "0-4,10-14"]).await;
    assert!(
        parts.header("content-type").is_some_and(|media| media.starts_with("multipart/byteranges")),
        "{}",
        parts.heads
    );
    assert!(parts.status == 206 && parts.text().contains(&text[10..15]), "{}", parts.text());
    let beyond = get(&["--range", "99999999-"]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some(&*format!("bytes */{length}"))));
    let other = get(&["--range", "0-9", "--header", "If-Range: \"another\""]).await;
    assert_eq!((other.status, other.body.len()), (200, text.len()), "another version comes whole");

    for condition in [format!("If-None-Match: {etag}"), format!("If-Modified-Since: {modified}")] {
        let known = get(&["--header", &condition]).await;
        assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, Some(&*etag)), "{condition}");
    }
    let changed = get(&["--header", "If-Match: \"another\""]).await;
    assert_eq!(changed.status, 412);

    let compressed = get(&["--compressed"]).await;
    assert_eq!((compressed.status, compressed.text() == text), (200, true));
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert_eq!((compressed.header("transfer-encoding"), compressed.header("content-length")), (Some("chunked"), None));
    assert!(compressed.header("etag").is_some_and(|weak| weak == format!("W/{etag}")), "{}", compressed.heads);
}

#[tokio::test]
async fn an_interrupted_download_is_resumed() {
    let (deployment, nginx, cookie, _provider) = site().await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("file.txt");
    let text = text();
    fs::write(&file, &text[..1_234]).expect("a file of our own");
    let path = file.to_str().expect("a plain path");
    let resumed =
        curl(&["--cookie", &cookie, "--continue-at", "-", "--output", path, &deployment.url("/file.txt")]).await;
    assert_eq!((resumed.exit, resumed.status), (Some(0), 206), "{resumed:?}");
    assert!(fs::read_to_string(&file).is_ok_and(|read| read == text));
    nginx.asked("what was missing", |line| (line["range"] == "bytes=1234-").then_some(())).await;
}

#[tokio::test]
async fn its_redirects_lead_to_the_public_url_with_and_without_its_port() {
    let (deployment, nginx, cookie, _provider) = site().await;
    let public = &deployment.origin;
    for (path, location) in [
        ("/folder", format!("{public}/folder/")),
        ("/moved/absolute", format!("{public}/target?x=1")),
        ("/moved/to-itself", format!("{public}/target?x=1")),
        ("/moved/elsewhere", "https://elsewhere.example/target".to_owned()),
        ("/moved/relative", "/target".to_owned()),
    ] {
        let moved = curl(&["--cookie", &cookie, &deployment.url(path)]).await;
        assert_eq!(moved.header("location"), Some(&*location), "{path}: {}", moved.heads);
        let line =
            nginx.asked(path, |line| (line["asked"] == format!("GET {path} HTTP/1.1")).then(|| line.clone())).await;
        assert_eq!(line["host"], *public.trim_start_matches("http://"), "{line}");
    }
    let landed = curl(&["--cookie", &cookie, "--location", &deployment.url("/folder")]).await;
    assert_eq!((landed.status, &*landed.text()), (200, "an index"));
}

#[tokio::test]
async fn what_it_says_without_a_body_or_of_its_own_comes_as_it_is() {
    let (deployment, _nginx, cookie, _provider) = site().await;
    let two = async |path: &str, arguments: &[&str]| -> Curled {
        // Twice on one connection: the first answer must have ended where curl thinks it has.
        let url = deployment.url(path);
        let curled = curl(&[&["--cookie", &*cookie, "--fail-early", &*url, &*url], arguments].concat()).await;
        assert_eq!(curled.exit, Some(0), "{path}: {curled:?}");
        assert_eq!(curled.heads.matches("HTTP/1.1 ").count(), 2, "{path}: {}", curled.heads);
        curled
    };
    for (path, arguments, status, body) in [
        ("/nothing", &[][..], 204, ""),
        ("/refused", &[], 418, "teapotteapot"),
        ("/refused", &["--head"], 418, ""),
        ("/folder/", &["--head"], 200, ""),
    ] {
        let curled = two(path, arguments).await;
        assert_eq!(curled.status, status, "{path}");
        if arguments.is_empty() {
            assert_eq!(curled.text(), body, "{path}");
        }
    }
    let missing = two("/missing", &[]).await;
    assert!(missing.status == 404 && missing.text().contains("nginx"), "its own page: {}", missing.text());
    assert_eq!(two("/file.txt", &["--data", "x"]).await.status, 405, "static files take no POST");
}

/// `proxy_request_buffering off`: nginx hands on each piece of a body as it gets it.
#[tokio::test]
async fn bodies_and_events_pass_through_it_without_a_buffer_in_between() {
    let planned = Nginx::plan();
    let app = crate::app::App::start(crate::address::own_address()).await;
    let passing = format!(
        "server {{ listen ADDRESS; client_max_body_size 0;\n\
         location / {{ proxy_pass http://{}; proxy_http_version 1.1; proxy_request_buffering off;\n\
         proxy_buffering off; proxy_set_header Host $http_host; proxy_set_header Connection \"\"; }} }}",
        app.address
    );
    let nginx = planned.start(&passing).await;
    let deployment = Plan::usual().public().upstream(&format!("http://{}", nginx.address)).start_before(app).await;

    let chunked = curl_reading(
        &["--upload-file", "-", "--header", "Expect:", &deployment.url("/echo-of-an-upload")],
        b"first and second".to_vec(),
    )
    .await;
    assert_eq!((chunked.status, &*chunked.text()), (200, "app: PUT /echo-of-an-upload first and second"));
    let line = nginx.asked("the upload", |line| (line["coding"] == "chunked").then(|| line.clone())).await;
    assert_eq!((&line["length"], &line["asked"]), (&"".into(), &"PUT /echo-of-an-upload HTTP/1.1".into()), "{line}");

    let mut curl = std::process::Command::new("curl");
    curl.args(["--disable", "--silent", "--no-buffer", "--noproxy", "*", &deployment.url("/events")]);
    let listener = crate::process::Process::start("curl", &mut curl);
    for n in 0..3 {
        let event = format!("event {n}");
        deployment.app.say(&event);
        // The next is said only when this one has come.
        listener.line("the event", |line| (line == format!("data: {event}")).then_some(())).await;
    }
    drop(listener);
    // nginx writes the line when it is over, and it is over only because it heard that nobody listens.
    let is_over = |line: &serde_json::Value| line["asked"].as_str()?.starts_with("GET /events ").then_some(());
    nginx.asked("that the listener has gone", is_over).await;
}

/// The body is still on its way when the answer comes, and nginx lingers so that it is heard.
#[tokio::test]
async fn an_upload_that_it_refuses_early_is_told_so() {
    let planned = Nginx::plan();
    let nginx =
        planned.start("server { listen ADDRESS; client_max_body_size 1m; location / { return 200 fine; } }").await;
    let deployment = Plan::usual().public().upstream(&format!("http://{}", nginx.address)).start().await;
    let upload = vec![b'u'; 8 * 1024 * 1024];
    for (what, arguments) in [
        ("a length, and a question first", &["--data-binary", "@-"][..]),
        ("a length at once", &["--data-binary", "@-", "--header", "Expect:"]),
    ] {
        let url = deployment.url("/upload");
        let answer = curl_reading(&[arguments, &[&*url]].concat(), upload.clone()).await;
        assert!(answer.status == 413 && answer.text().contains("nginx"), "{what}: its own words: {answer:?}");
        // Whatever became of that connection, the next request is one of its own.
        let next = deployment.url("/next");
        assert_eq!(curl(&[&*next]).await.text(), "fine", "{what}");
        nginx.asked("the next request", |line| (line["asked"] == "GET /next HTTP/1.1").then_some(())).await;
    }
    let statuses: Vec<_> = nginx.record().iter().map(|line| line["status"].clone()).collect();
    assert!(
        statuses.iter().all(|status| status == "413" || status == "200"),
        "nothing of a body was taken for a request: {statuses:?}"
    );
}

/// nginx answers a request of HTTP/1.0 and closes; whatever comes of it, we go on.
#[tokio::test]
async fn an_nginx_that_closes_after_each_answer_costs_nobody_an_error() {
    let planned = Nginx::plan();
    fs::create_dir_all(planned.folder().join("html")).expect("a folder of our own");
    let mut file = fs::File::create(planned.folder().join("html/file.txt")).expect("a file of our own");
    file.write_all(b"short").expect("it can be written to");
    let nginx = planned.start("keepalive_timeout 0; server { listen ADDRESS; root html; }").await;
    let deployment = Plan::usual().public().upstream(&format!("http://{}", nginx.address)).start().await;
    let url = deployment.url("/file.txt");
    let curled = curl(&[&*url; 20]).await;
    assert_eq!((curled.exit, &*curled.text()), (Some(0), &*"short".repeat(20)), "{curled:?}");
    assert_eq!(curled.heads.matches("HTTP/1.1 200 OK").count(), 20, "{}", curled.heads);
    assert!(!curled.heads.to_ascii_lowercase().contains("connection: close"), "ours stays open: {}", curled.heads);
    curl(&[&deployment.url("/last")]).await;
    nginx.asked("the last request", |line| (line["asked"] == "GET /last HTTP/1.1").then_some(())).await;
    assert_eq!(nginx.record().len(), 21, "each was asked for once");
}
