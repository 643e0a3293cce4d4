//! Apps below a path of their host, which somebody else wrote: one that makes absolute links and redirects, and nginx
//! with its own. Whatever they lead to must still be theirs.

use std::{fs, path::Path, process::Command};

use url::Url;

use crate::{
    address::own_address,
    curl::curl,
    deployment::{Deployment, Plan},
    nginx::Nginx,
    process::Process,
    visitor::{Answer, Visitor},
};

/// Debian's.
const PYTHON: &str = "/usr/bin/python3";

/// The links and forms of a page, as a browser reads them.
fn references(page: &Answer) -> Vec<Url> {
    let after = |attribute: &str| {
        let parts = page.text().split(attribute).skip(1).map(str::to_owned).collect::<Vec<_>>();
        parts.into_iter().filter_map(|part| page.url.join(part.split('"').next()?).ok()).collect::<Vec<_>>()
    };
    [after("href=\""), after("action=\"")].concat()
}

async fn old_app(knows: &str) -> (Process, String) {
    let address = own_address();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/below_a_path/old_app.py");
    let mut command = Command::new(PYTHON);
    command.arg(script).args([&address.ip().to_string(), &address.port().to_string(), knows]);
    let app = Process::start("the old app", &mut command);
    app.line("that it listens", |line| (line == "listening").then_some(())).await;
    (app, format!("http://{address}"))
}

#[tokio::test]
async fn an_old_fashioned_app_leads_to_itself_whatever_it_knows_of_its_path() {
    for (knows, lines) in [("/wiki", ""), ("told", "strip_path = true"), ("ignorant", "strip_path = true")] {
        let (app, upstream) = old_app(knows).await;
        let plan = Plan::usual().public_path("/wiki").upstream(&upstream).app(lines);
        let (deployment, _provider) = plan.start_with_provider().await;
        let mut ada = Visitor::default();
        let start = ada.sign_in(deployment.url("/"), "ada").await;
        assert_eq!((start.status.as_u16(), start.url.as_str()), (200, &*deployment.url("/pages/start")), "{knows}");

        let references = references(&start);
        assert_eq!(references.len(), 3, "{knows}: {start:?}");
        for link in &references[..2] {
            let page = ada.follow(link).await;
            assert_eq!(page.status, 200, "{knows}: {link}: {page:?}");
            assert!(page.url.as_str().starts_with(&deployment.url("/pages/")), "{knows}: {}", page.url);
        }
        let note = ada.submit(&references[2], &[("note", "x")]).await;
        assert_eq!((note.status.as_u16(), note.url.as_str()), (200, &*deployment.url("/notes/1")), "{knows}");

        let later = ada.open(deployment.url("/later")).await;
        let field = |name: &str| later.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        assert_eq!(field("refresh"), Some(format!("0; url={}", deployment.url("/pages/start"))), "{knows}");
        assert_eq!(field("content-location"), Some(deployment.url("/later")), "{knows}");

        let asked = if knows == "/wiki" { "asked POST /wiki/notes" } else { "asked POST /notes" };
        app.line("the form", |line| (line == asked).then_some(())).await;
    }
}

/// Files, and redirects in each of nginx' ways; it listens on another port than the visitors see.
const SITE: &str = r"
    server {
        listen ADDRESS;
        root html;
        location = BASE/moved/absolute { return 302 http://$http_host$BASE/target?x=1; }
        location = BASE/moved/to-itself { return 302 http://ADDRESS$BASE/target?x=1; }
        location = BASE/moved/elsewhere { return 302 https://elsewhere.example/target; }
        location = BASE/moved/relative { absolute_redirect off; return 301 $BASE/target; }
        location = BASE/moved/later { add_header Refresh '1; url=$BASE/target'; return 200 later; }
    }";

async fn nginx_below(base: &str, lines: &str) -> (Deployment, Nginx) {
    let planned = Nginx::plan();
    let folder = planned.folder().join("html").join(base.trim_start_matches('/')).join("folder");
    fs::create_dir_all(&folder).expect("a folder of our own");
    fs::write(folder.join("index.html"), "an index").expect("a file of our own");
    let nginx = planned.start(&SITE.replace("$BASE", base).replace("BASE", base)).await;
    let plan = Plan::usual().public_path("/wiki").public().app(lines);
    (plan.upstream(&format!("http://{}", nginx.address)).start().await, nginx)
}

#[tokio::test]
async fn nginx_below_a_path_leads_to_its_own_folders() {
    for (base, lines) in [("/wiki", ""), ("", "strip_path = true")] {
        let (deployment, nginx) = nginx_below(base, lines).await;
        let path = "/wiki";
        for (asked, location) in [
            ("/folder", deployment.url("/folder/")),
            ("/folder?x=1", deployment.url("/folder/?x=1")),
            ("/moved/absolute", deployment.url("/target?x=1")),
            ("/moved/to-itself", deployment.url("/target?x=1")),
            ("/moved/elsewhere", "https://elsewhere.example/target".to_owned()),
            ("/moved/relative", format!("{path}/target")),
        ] {
            let moved = curl(&[&deployment.url(asked)]).await;
            assert_eq!(moved.header("location"), Some(&*location), "{asked} {lines}: {}", moved.heads);
            let line = format!("GET {base}{asked} HTTP/1.1");
            nginx.asked("the request", |record| (record["asked"] == line).then_some(())).await;
        }
        let later = curl(&[&deployment.url("/moved/later")]).await;
        assert_eq!(later.header("refresh"), Some("1; url=/wiki/target"), "{lines}: {}", later.heads);
        let landed = curl(&["--location", &deployment.url("/folder")]).await;
        assert_eq!((landed.status, &*landed.text()), (200, "an index"), "{lines}");
    }
}
