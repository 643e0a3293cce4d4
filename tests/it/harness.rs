//! One stage for all tests: a provider, a recording upstream, Vestibule between them, and visitors.
//!
//! ```ignore
//! let stage = Stage::builder().access("policy = \"listed\"\nallow = [{ group = \"staff\" }]").start().await;
//! let cookie = stage.sign_in(&ADA).await;
//! let answer = stage.send(Request::get("/page").header("Cookie", &cookie)).await;
//! assert_eq!((answer.status, stage.upstream.take().len()), (200, 1));
//! ```
//!
//! [`configuration`] is what an operator would write, [`sidecar`] runs it in this
//! process and [`binary`] as the real program, [`upstream`] records and answers,
//! [`client`] writes any bytes at all and [`browser`] behaves like one. The provider is
//! the demo's, and its lies are told through
//! [`Provider::lie`](crate::demo::provider::Provider::lie).

use std::{future::Future, net::SocketAddr, sync::Arc, sync::LazyLock, time::Duration};

use tokio::{net::TcpListener, time::timeout};
use url::Url;
use vestibule::{
    clock::{Clock, ManualClock, Timestamp},
    config::provider::SigningAlgorithm,
    random::Random,
};

use crate::demo::provider::{
    Options, Provider, SignInPage, calls::Endpoint, clients::Client, keys::SigningKey, people::Person,
};

pub(crate) mod binary;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod configuration;
pub(crate) mod http2;
pub(crate) mod http2_upstream;
pub(crate) mod pki;
pub(crate) mod sidecar;
pub(crate) mod upstream;
pub(crate) mod wire;

pub(crate) use self::{
    binary::{Binary, Signal, Surroundings},
    browser::Browser,
    client::{RawClient, Request, Response},
    configuration::{CLIENT_ID, CLIENT_SECRET, Configuration},
    sidecar::Sidecar,
    upstream::{Recorded, RecordingUpstream},
};

/// How long anything may take that a test waits for. Never reached by a passing test.
const PATIENCE: Duration = Duration::from_secs(20);

/// When the clocks of the tests begin: 2027-01-15.
pub(crate) const START: Timestamp = Timestamp::from_unix(1_800_000_000);

/// Waits for something that must happen.
pub(crate) async fn patiently<T>(what: &str, event: impl Future<Output = T>) -> T {
    timeout(PATIENCE, event).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// A key pair of 2,048 bits takes a while to make, so all providers sign with the same one.
pub(crate) fn signing_key() -> Arc<SigningKey> {
    static KEY: LazyLock<Arc<SigningKey>> = LazyLock::new(|| {
        Arc::new(SigningKey::generate(SigningAlgorithm::RS256).expect("RS256 is signed by a key pair"))
    });
    Arc::clone(&KEY)
}

/// Where Vestibule can be reached, however it runs.
pub(crate) trait Door {
    /// Where visitors come in.
    fn address(&self) -> SocketAddr;
    /// `/livez`, `/readyz`, `/metrics`
    fn ops(&self) -> SocketAddr;
}

/// Everything that a test needs around Vestibule.
pub(crate) struct Stage<D = Sidecar> {
    /// Signs people in; lies on demand.
    pub(crate) provider: Provider,
    /// What the app would have seen.
    pub(crate) upstream: RecordingUpstream,
    /// Vestibule.
    pub(crate) door: D,
    /// `public_url` of the first app.
    pub(crate) public_url: Url,
    /// Moves the time of Vestibule (in process) and of the provider.
    pub(crate) clock: ManualClock,
    /// How a browser trusts a public URL over TLS.
    roots: Vec<rustls::pki_types::CertificateDer<'static>>,
}

impl Stage {
    /// The usual configuration: one provider, one app `wiki` that lets anyone in who signs in.
    pub(crate) fn builder() -> Configuration {
        Configuration::usual()
    }
}

impl Configuration {
    /// Runs Vestibule in this process; returns when the provider's metadata is known to it.
    pub(crate) async fn start(self) -> Stage {
        let stage = self.start_without_metadata().await;
        stage.ready().await;
        stage
    }

    /// As [`Configuration::start`], but does not wait for the provider to be discovered.
    pub(crate) async fn start_without_metadata(self) -> Stage {
        self.start_with(|_| {}).await
    }

    /// The same, with a provider that is prepared before Vestibule knows of it.
    pub(crate) async fn start_with(self, prepare: impl FnOnce(&Provider)) -> Stage {
        let (clock, hand) = Clock::manual(START);
        let scenery = Scenery::new(&self, clock.clone()).await;
        prepare(&scenery.provider);
        let sidecar = Sidecar::start(&scenery.text, clock);
        scenery.stage(sidecar, hand, self)
    }

    /// Runs the real binary; returns when the provider's metadata is known to it.
    pub(crate) async fn start_binary(self) -> Stage<Binary> {
        self.start_binary_in(|_| Surroundings::default()).await
    }

    /// The same, started by something else than a test, which learns the port of the public URL.
    pub(crate) async fn start_binary_in(self, surroundings: impl FnOnce(u16) -> Surroundings) -> Stage<Binary> {
        // The binary has the system's time, so the provider has it too.
        let (_, hand) = Clock::manual(START);
        let scenery = Scenery::new(&self, Clock::system()).await;
        let port = scenery.public_url.port().expect("a port of the tests");
        let binary = Binary::serve(surroundings(port), &scenery.text).await;
        let stage = scenery.stage(binary, hand, self);
        stage.ready().await;
        stage
    }
}

/// What stands before Vestibule comes.
struct Scenery {
    provider: Provider,
    upstream: RecordingUpstream,
    public_url: Url,
    text: String,
    /// Held until Vestibule listens there.
    _reservation: configuration::Reservation,
}

impl Scenery {
    async fn new(configuration: &Configuration, clock: Clock) -> Self {
        // Another address than the app's, so that cookies and Fetch Metadata see two sites.
        let listener = TcpListener::bind("127.0.0.2:0").await.expect("a free port");
        let options = Options { clock, random: Random::system(), signing_key: signing_key() };
        let provider = Provider::start(listener, options).expect("a bound listener has an address");
        let upstream = RecordingUpstream::start().await;
        let reservation = configuration::Reservation::make();
        let public_url = configuration.public_url(reservation.port());
        provider.register(Client::vestibule(CLIENT_ID, CLIENT_SECRET, &public_url));
        let text = configuration.text(reservation.port(), provider.issuer(), upstream.address());
        Self { provider, upstream, public_url, text, _reservation: reservation }
    }

    fn stage<D>(self, door: D, clock: ManualClock, configuration: Configuration) -> Stage<D> {
        let Self { provider, upstream, public_url, .. } = self;
        Stage { provider, upstream, door, public_url, clock, roots: configuration.roots }
    }
}

impl<D: Door> Stage<D> {
    /// Waits until `/readyz` says so.
    pub(crate) async fn ready(&self) {
        // What makes Vestibule ready is an answer of the provider: nothing is asked before there can be one.
        self.provider.asked(Endpoint::Discovery, 1).await;
        patiently("readiness", async {
            while self.ops("/readyz").await.status != 200 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// `host[:port]` of the app, as a browser sends it.
    pub(crate) fn authority(&self) -> &str {
        &self.public_url[url::Position::BeforeHost..url::Position::AfterPort]
    }

    /// The app's origin.
    pub(crate) fn origin(&self) -> String {
        self.public_url.origin().ascii_serialization()
    }

    /// An absolute URL on the app.
    pub(crate) fn url(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.origin())
    }

    /// The URL of one of our own endpoints at the app, as `/start`.
    pub(crate) fn own(&self, endpoint: &str) -> String {
        format!("{}_vestibule{endpoint}", self.public_url)
    }

    /// Where visitors come in.
    pub(crate) fn door_address(&self) -> SocketAddr {
        self.door.address()
    }

    /// Writes and reads raw bytes, on a connection of its own.
    pub(crate) async fn connect(&self) -> RawClient {
        RawClient::connect(self.door.address()).await
    }

    /// One request on a connection of its own; `Host` is the app's unless it says otherwise.
    pub(crate) async fn send(&self, request: Request) -> Response {
        self.connect().await.exchange(&request.to_host(self.authority())).await
    }

    /// Whatever these bytes bring.
    pub(crate) async fn send_raw(&self, bytes: impl AsRef<[u8]>) -> Response {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.response().await.expect("an answer")
    }

    /// Asks the ops listener.
    pub(crate) async fn ops(&self, path: &str) -> Response {
        let mut client = RawClient::connect(self.door.ops()).await;
        client.exchange(&Request::get(path).to_host("ops")).await
    }

    /// The metrics, as text.
    pub(crate) async fn metrics(&self) -> String {
        self.ops("/metrics").await.text()
    }

    /// A browser that has never been here; the next who signs in is `person`, at once.
    pub(crate) fn browser(&self, person: &'static Person) -> Browser {
        self.provider.sign_in_page(SignInPage::AnsweredBy(person));
        Browser::trusting(&self.roots)
    }

    /// Signs in as `person` and gives the `Cookie` that a client sends from then on. The upstream sees nothing of it.
    pub(crate) async fn sign_in(&self, person: &'static Person) -> String {
        let mut browser = self.browser(person);
        let callback = browser.up_to_callback(&self.own("/start")).await;
        let answer = browser.look_at(callback.as_str()).await;
        assert_eq!(answer.status, 302, "signed in as {}: {answer:?}", person.username);
        browser.cookie_header(&self.public_url)
    }
}

/// A provider beside the stage's own, at the time of day at which each stage begins.
pub(crate) async fn another_provider(signing_key: Arc<SigningKey>) -> (Provider, ManualClock) {
    // The address of the stage's own: to a browser, all of them are one site, and the app another.
    let listener = TcpListener::bind("127.0.0.2:0").await.expect("a free port");
    let (clock, hand) = Clock::manual(START);
    let options = Options { clock, random: Random::system(), signing_key };
    (Provider::start(listener, options).expect("a bound listener has an address"), hand)
}
