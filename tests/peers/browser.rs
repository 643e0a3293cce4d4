//! A headless Chromium, driven through `chromedriver`: one driver for all tests that run at the same
//! time, one browser with an empty profile for each.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
    process::{self, Command},
    sync::{Arc, Weak},
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Mutex;
use url::Url;

use crate::process::{PATIENCE, Process};

/// The driver, for as long as any test holds it: statics are never dropped, and a
/// driver that is not killed outlives the tests.
static DRIVER: Mutex<Weak<Driver>> = Mutex::const_new(Weak::new());

#[derive(Debug)]
struct Driver {
    port: u16,
    _process: Process,
    _temporary: TempDir,
}

impl Driver {
    async fn shared() -> Arc<Self> {
        let mut shared = DRIVER.lock().await;
        if let Some(running) = shared.upgrade() {
            return running;
        }
        // Profiles, sockets and what crashed browsers leave: all gone with the driver.
        let temporary = tempfile::tempdir().expect("a temporary folder can be made");
        let port = port_that_nobody_is_given();
        let mut command = Command::new("chromedriver");
        let process =
            Process::start("chromedriver", command.arg(format!("--port={port}")).env("TMPDIR", temporary.path()));
        let started = |line: &str| line.contains("started successfully on port").then_some(());
        process.line("that it listens", started).await;
        let driver = Arc::new(Self { port, _process: process, _temporary: temporary });
        *shared = Arc::downgrade(&driver);
        driver
    }
}

/// A port for the driver, which listens on both loopback addresses: told to find one by
/// itself it takes one that is free on `::1`, and gives up where somebody has the same on
/// 127.0.0.1. So it gets one below those that the kernel hands out, free on both; where
/// the search begins follows from the process id, so that test runs side by side do not
/// meet.
fn port_that_nobody_is_given() -> u16 {
    /// Below are the ports that services are known by.
    const LOWEST: u16 = 10_000;
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("this is Linux");
    let handed_out: u16 = range.split_whitespace().next().and_then(|from| from.parse().ok()).expect("two numbers");
    let mut candidates: Vec<u16> = (LOWEST..handed_out).collect();
    assert!(!candidates.is_empty(), "the kernel hands out every port above {LOWEST}: {range}");
    let begin = process::id() as usize % candidates.len();
    candidates.rotate_left(begin);
    let is_free_on_both =
        |port: &u16| is_free(Ipv4Addr::LOCALHOST.into(), *port) && is_free(Ipv6Addr::LOCALHOST.into(), *port);
    candidates.into_iter().find(is_free_on_both).expect("not all ports are taken")
}

/// Whether a port could be listened on; an address that this machine does not have is in nobody's way.
fn is_free(address: IpAddr, port: u16) -> bool {
    match TcpListener::bind((address, port)) {
        Ok(_) => true,
        Err(e) => e.kind() != io::ErrorKind::AddrInUse,
    }
}

/// One person's browser; it is closed with this value.
#[derive(Debug)]
pub(crate) struct Browser {
    /// For what has no name here.
    pub(crate) client: Client,
    session: String,
    driver: Arc<Driver>,
}

impl Browser {
    /// Opens a browser that has never been anywhere.
    pub(crate) async fn open() -> Self {
        let driver = Driver::shared().await;
        let arguments = [
            "--headless",
            "--no-sandbox", // needed by root; it shows our own pages only
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage", // containers give it 64 MiB
            "--no-first-run",
            "--no-proxy-server",
            // It asks nobody but us: a test machine may have no network.
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let capabilities = json!({ "browserName": "chrome", "goog:chromeOptions": { "args": arguments } });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().expect("written as an object").clone())
            .connect(&format!("http://127.0.0.1:{}", driver.port))
            .await
            .expect("Chromium starts; tests/run installs it where it is missing");
        let session = client.session_id().await.expect("the driver answers").expect("a session has an id");
        Self { client, session, driver }
    }

    /// Types an address.
    pub(crate) async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|e| panic!("{url} does not open: {e}"));
    }

    /// The address in the address bar.
    pub(crate) async fn url(&self) -> Url {
        self.client.current_url().await.expect("the driver answers")
    }

    /// Waits until that is this very address.
    pub(crate) async fn arrives_at(&self, url: &str) {
        let expected = Url::parse(url).expect("tests name valid URLs");
        let waited = self.client.wait().at_most(PATIENCE).for_url(&expected).await;
        assert!(waited.is_ok(), "not at {url}, but at {}: {}", self.url().await, self.text().await);
    }

    /// What the page says.
    pub(crate) async fn text(&self) -> String {
        self.element("body").await.text().await.expect("the driver answers")
    }

    /// The status that the page came with.
    pub(crate) async fn status(&self) -> u64 {
        let script = "return performance.getEntriesByType('navigation')[0].responseStatus";
        let status = self.client.execute(script, Vec::new()).await.expect("the driver answers");
        status.as_u64().expect("a status is a number")
    }

    /// An element, as soon as there is one.
    pub(crate) async fn element(&self, selector: &str) -> Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await {
            Ok(element) => element,
            Err(e) => {
                let page = self.client.source().await.unwrap_or_else(|e| e.to_string());
                panic!("no {selector} ({e}) at {}: {page}", self.url().await)
            }
        }
    }

    /// Clicks on it, and goes where that leads.
    pub(crate) async fn click(&self, selector: &str) {
        self.element(selector).await.click().await.unwrap_or_else(|e| panic!("{selector} takes no click: {e}"));
    }

    /// Types into a field.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let field = self.element(selector).await;
        field.send_keys(text).await.unwrap_or_else(|e| panic!("{selector} takes no text: {e}"));
    }

    /// At the provider's form: says who one is.
    pub(crate) async fn sign_in_as(&self, person: &str) {
        self.fill("input[name=login]", person).await;
        self.click("button").await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // By hand and blocking, since a test that failed has no runtime left to await in;
        // the driver answers when Chromium is gone and its profile removed.
        let close = || {
            let mut driver = TcpStream::connect(("127.0.0.1", self.driver.port))?;
            driver.set_read_timeout(Some(PATIENCE))?;
            write!(driver, "DELETE /session/{} HTTP/1.1\r\nHost: localhost\r\n\r\n", self.session)?;
            driver.read(&mut [0])
        };
        if let Err(e) = close() {
            eprintln!("Chromium may be left running: {e}");
        }
    }
}
