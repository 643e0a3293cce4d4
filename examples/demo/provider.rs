//! A small OpenID Provider for development: the demo's, and the tests' hostile one.
//!
//! It speaks the code flow of OpenID Connect Core 1.0 with Discovery 1.0, PKCE
//! (RFC 7636), issuer identification (RFC 9207) and RP-Initiated Logout 1.0, and
//! is honest in all of it. A test makes it lie through one hook ([`mischief`]),
//! swaps its keys while it runs, and reads what was asked of it ([`calls`]).
//!
//! It shares nothing with the relying party but the clock, the randomness, the
//! type that hides secrets and the names of the algorithms: a misreading of the
//! specification on one side must not be confirmed by the same on the other.
//! Rejected: a ready-made provider. The real one of the tests is that, and its
//! lies are few; here each lie of the conformance suite is a line of a table.
//!
//! One sign-in, file by file: [`authorize`] shows the page of [`people`] and
//! issues a code, [`token`] redeems it for tokens signed by [`keys`] and answers
//! userinfo, [`end_session`] signs out.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::task::AbortOnDropHandle;
use vestibule::{clock::Clock, random::Random};

use super::serving::{Body, TEXT, respond, serve, whole};

mod authorize;
pub(crate) mod calls;
pub(crate) mod clients;
mod end_session;
mod issued;
pub(crate) mod keys;
pub(crate) mod mischief;
mod pages;
pub(crate) mod people;
pub(crate) mod reply;
#[cfg(test)]
mod tests;
mod token;

use self::{
    calls::{Call, Endpoint},
    clients::Client,
    issued::Issued,
    keys::SigningKey,
    mischief::{Answer, Mischief},
    people::Person,
    reply::Reply,
};

/// What a provider starts with.
pub(crate) struct Options {
    /// Where its time comes from.
    pub(crate) clock: Clock,
    /// Where its codes and tokens come from.
    pub(crate) random: Random,
    /// What it signs with. A key pair takes a while to make: tests that start many providers share theirs.
    pub(crate) signing_key: Arc<SigningKey>,
}

impl Options {
    /// The system's time and randomness.
    pub(crate) fn signing_with(signing_key: Arc<SigningKey>) -> Self {
        Self { clock: Clock::system(), random: Random::system(), signing_key }
    }
}

/// Who answers the sign-in page.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SignInPage {
    /// The visitor, in a browser.
    Shown,
    /// Nobody sees it: this person is there at once, even if asked again.
    AnsweredBy(&'static Person),
}

/// A provider that runs until it is dropped.
pub(crate) struct Provider {
    inner: Arc<Inner>,
    _server: AbortOnDropHandle<()>,
}

struct Inner {
    issuer: String,
    clock: Clock,
    calls: watch::Sender<Vec<Call>>,
    state: Mutex<State>,
}

struct State {
    clients: Vec<Arc<Client>>,
    signing_key: Arc<SigningKey>,
    published: Vec<Arc<SigningKey>>,
    sign_in_page: SignInPage,
    mischief: Option<Arc<Mischief>>,
    issued: Issued,
}

impl Provider {
    /// Serves on a bound listener; its address becomes the issuer.
    pub(crate) fn start(listener: TcpListener, options: Options) -> io::Result<Self> {
        let Options { clock, random, signing_key } = options;
        let inner = Arc::new(Inner {
            issuer: format!("http://{}", listener.local_addr()?),
            clock: clock.clone(),
            calls: watch::Sender::new(Vec::new()),
            state: Mutex::new(State {
                clients: Vec::new(),
                published: vec![Arc::clone(&signing_key)],
                signing_key,
                sign_in_page: SignInPage::Shown,
                mischief: None,
                issued: Issued::new(clock, random),
            }),
        });
        let serving = Arc::clone(&inner);
        let server = serve(listener, move |request| {
            let inner = Arc::clone(&serving);
            async move { inner.answer(request).await }
        });
        Ok(Self { inner, _server: server })
    }

    /// `issuer`
    pub(crate) fn issuer(&self) -> &str {
        &self.inner.issuer
    }

    /// Makes a client known; one of the same id is replaced.
    pub(crate) fn register(&self, client: Client) {
        let mut state = self.inner.state();
        state.clients.retain(|earlier| earlier.id != client.id);
        state.clients.push(Arc::new(client));
    }

    /// Chooses who answers the sign-in page from now on.
    pub(crate) fn sign_in_page(&self, page: SignInPage) {
        self.inner.state().sign_in_page = page;
    }

    /// Bends every answer from now on, instead of what bent it before.
    pub(crate) fn lie(&self, mischief: impl Fn(Answer<'_>) + Send + Sync + 'static) {
        self.inner.state().mischief = Some(Arc::new(mischief));
    }

    /// Is honest again.
    pub(crate) fn tell_the_truth(&self) {
        self.inner.state().mischief = None;
    }

    /// Signs with the first key and publishes all of them, in this order.
    pub(crate) fn use_keys(&self, signing_key: Arc<SigningKey>, others: impl IntoIterator<Item = Arc<SigningKey>>) {
        let mut state = self.inner.state();
        state.published = std::iter::once(Arc::clone(&signing_key)).chain(others).collect();
        state.signing_key = signing_key;
    }

    /// A fresh key of the same algorithm takes the place of all keys.
    pub(crate) fn rotate_keys(&self) {
        let algorithm = self.inner.state().signing_key.algorithm();
        if let Some(key) = SigningKey::generate(algorithm) {
            self.use_keys(Arc::new(key), []);
        }
    }

    /// Every request so far, in the order of their coming.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.inner.calls.borrow().clone()
    }

    /// Those to one endpoint.
    pub(crate) fn calls_to(&self, endpoint: Endpoint) -> Vec<Call> {
        self.inner.calls.borrow().iter().filter(|call| call.endpoint == endpoint).cloned().collect()
    }

    /// Resolves once an endpoint has been asked so many times; at once where it has.
    ///
    /// A call counts as soon as it has been read, before it is answered.
    pub(crate) async fn asked(&self, endpoint: Endpoint, times: usize) -> Vec<Call> {
        let enough = |calls: &Vec<Call>| calls.iter().filter(|call| call.endpoint == endpoint).count() >= times;
        let mut calls = self.inner.calls.subscribe();
        // The sender lives as long as we do, so that waiting cannot fail.
        let _ = calls.wait_for(enough).await;
        self.calls_to(endpoint)
    }

    /// Starts the record anew.
    pub(crate) fn forget_calls(&self) {
        self.inner.calls.send_replace(Vec::new());
    }
}

impl Inner {
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let call = match Call::read(request).await {
            Ok(call) => call,
            Err(refusal) => return Ok(refusal.map(whole)),
        };
        self.calls.send_modify(|calls| calls.push(call.clone()));
        let mut reply = Reply::Whole(self.respond(&call));
        self.bend(Answer::Reply(call.endpoint, &mut reply));
        reply.send().await
    }

    fn respond(&self, call: &Call) -> Response<Bytes> {
        let methods = call.endpoint.methods();
        if call.endpoint != Endpoint::Unknown && !methods.split(", ").any(|method| method == call.method.as_str()) {
            let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, format!("Allowed here: {methods}\n"));
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
            return response;
        }
        match call.endpoint {
            Endpoint::Discovery => self.discovery(),
            Endpoint::Keys => self.keys(),
            Endpoint::Authorization => self.authorize(call),
            Endpoint::SignIn => self.sign_in(call),
            Endpoint::Token => self.token(call),
            Endpoint::UserInfo => self.userinfo(call),
            Endpoint::EndSession => self.end_session(call),
            Endpoint::Unknown => {
                let metadata = Endpoint::Discovery.path();
                respond(StatusCode::NOT_FOUND, TEXT, format!("A development OpenID Provider; see {metadata}\n"))
            }
        }
    }

    /// The metadata (OpenID Connect Discovery §3).
    fn discovery(&self) -> Response<Bytes> {
        let at = |endpoint: Endpoint| format!("{}{}", self.issuer, endpoint.path());
        let algorithms: BTreeSet<_> = self.state().published.iter().map(|key| key.algorithm().as_str()).collect();
        let mut metadata = json!({
            "issuer": self.issuer,
            "authorization_endpoint": at(Endpoint::Authorization),
            "token_endpoint": at(Endpoint::Token),
            "userinfo_endpoint": at(Endpoint::UserInfo),
            "jwks_uri": at(Endpoint::Keys),
            "end_session_endpoint": at(Endpoint::EndSession),
            "scopes_supported": ["openid", "profile", "email"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login", "select_account"],
            "claims_supported": [
                "sub", "name", "given_name", "family_name", "preferred_username",
                "groups", "email", "email_verified", "auth_time", "sid",
            ],
            "authorization_response_iss_parameter_supported": true,
        });
        self.bend(Answer::Discovery(&mut metadata));
        reply::json(StatusCode::OK, &metadata)
    }

    /// The key set (RFC 7517 §5).
    fn keys(&self) -> Response<Bytes> {
        let keys: Vec<Value> = self.state().published.iter().filter_map(|key| key.jwk()).collect();
        let mut set = json!({ "keys": keys });
        self.bend(Answer::Keys(&mut set));
        reply::json(StatusCode::OK, &set)
    }

    fn client(&self, id: &str) -> Option<Arc<Client>> {
        self.state().clients.iter().find(|client| client.id == id).cloned()
    }

    /// Never called with the state locked, so that a lie may look at the provider.
    fn bend(&self, answer: Answer<'_>) {
        let mischief = self.state().mischief.clone();
        if let Some(mischief) = mischief {
            mischief(answer);
        }
    }

    /// What a panicking lie leaves behind is whole: nothing is changed half-way under this lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
