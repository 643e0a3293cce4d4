//! What the tests of these rooms share: keys that sign, a configuration, and a
//! provider on the loopback that answers what it is told to.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, LazyLock, Mutex},
};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::{Notify, mpsc},
};
use tokio_rustls::TlsAcceptor;

use super::{Call, RelyingParty};
use crate::{
    clock::{Clock, ManualClock, Timestamp},
    config::{
        Provider,
        provider::{
            AuthorizationParameters, ClaimNames, ClientAuth, Endpoints, OutboundProxy, SigningAlgorithm, TrustEmail,
            UserInfo,
        },
    },
    identity::{Issuer, ProviderId},
    secret::Secret,
};

/// The moment at which all tests happen.
pub(super) const NOW: i64 = 1_800_000_000;

pub(super) const CLIENT_SECRET: &str = "s3cret: äöü&=+%";

/// `[[provider]]` with its defaults.
pub(super) fn provider(issuer: &str) -> Provider {
    Provider {
        id: ProviderId::new("company"),
        issuer: Issuer::new(issuer),
        discovery_url: Some(format!("{issuer}/.well-known/openid-configuration").parse().expect("a URL")),
        endpoints: Endpoints::default(),
        client_id: "wiki".into(),
        client_auth: ClientAuth::Basic(Secret::new(CLIENT_SECRET.into())),
        next_client_auth: None,
        scopes: ["openid", "profile", "email"].map(str::to_owned).into(),
        parameters: AuthorizationParameters::default(),
        require_auth_time: false,
        id_token_alg: None,
        claims: ClaimNames {
            user: "sub".into(),
            email: "email".into(),
            name: "name".into(),
            groups: "groups".into(),
            preferred_username: "preferred_username".into(),
        },
        kept_claims: Vec::new(),
        kept_tokens: Vec::new(),
        trust_email: TrustEmail::Verified,
        userinfo: UserInfo::Auto,
        display_name: "Company".into(),
        // Not that of whoever runs the tests; and all is on the loopback.
        proxy: OutboundProxy::OfTheEnvironment,
        extra_roots: Vec::new(),
    }
}

/// A metadata document with what every provider has.
pub(super) fn document(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "end_session_endpoint": format!("{issuer}/end"),
        "response_types_supported": ["code", "code id_token"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    })
}

/// Claims with which every check is content, for `provider(issuer)` and the nonce "n".
pub(super) fn claims(issuer: &str) -> Value {
    json!({
        "iss": issuer, "aud": "wiki", "sub": "248289761001", "nonce": "n",
        "iat": NOW, "exp": NOW + 300,
        "email": "ann@example.com", "email_verified": true, "name": "Ann", "preferred_username": "ann",
        "groups": ["staff"],
    })
}

/// A key pair of a provider.
pub(super) struct Signer {
    algorithm: SigningAlgorithm,
    pair: Pair,
}

enum Pair {
    Rsa(Arc<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// RSA keys take long to make; tests that need another one than this use [`Signer::other_rsa`].
static RSA: LazyLock<[Arc<RsaKeyPair>; 2]> =
    LazyLock::new(|| [(); 2].map(|()| Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"))));

impl Signer {
    /// A key for any asymmetric algorithm: of RSA always the same, else a fresh one.
    pub(super) fn new(algorithm: SigningAlgorithm) -> Self {
        let ec = |parameters| Pair::Ec(EcdsaKeyPair::generate(parameters).expect("a key"));
        let pair = match algorithm {
            SigningAlgorithm::ES256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            SigningAlgorithm::ES384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            SigningAlgorithm::ES512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            SigningAlgorithm::EdDSA => Pair::Ed(Ed25519KeyPair::generate().expect("a key")),
            SigningAlgorithm::HS256 | SigningAlgorithm::HS384 | SigningAlgorithm::HS512 => {
                panic!("signed by hs() instead")
            }
            _ => Pair::Rsa(Arc::clone(&RSA[0])),
        };
        Self { algorithm, pair }
    }

    pub(super) fn rsa() -> Self {
        Self::new(SigningAlgorithm::RS256)
    }

    pub(super) fn other_rsa() -> Self {
        Self { algorithm: SigningAlgorithm::RS256, pair: Pair::Rsa(Arc::clone(&RSA[1])) }
    }

    /// The public key as a member of a set, without `kid`, `alg` and `use`.
    pub(super) fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        match &self.pair {
            Pair::Rsa(pair) => {
                let (n, e) = rsa_components(pair.public_key().as_ref());
                json!({ "kty": "RSA", "n": encode(n), "e": encode(e) })
            }
            Pair::Ec(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = match self.algorithm {
                    SigningAlgorithm::ES256 => "P-256",
                    SigningAlgorithm::ES384 => "P-384",
                    _ => "P-521",
                };
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Pair::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) }),
        }
    }

    /// The public key under a name.
    pub(super) fn jwk_as(&self, kid: &str) -> Value {
        let mut jwk = self.jwk();
        jwk["kid"] = kid.into();
        jwk
    }

    /// A token with any header.
    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        compact(header, claims, |input| {
            let random = SystemRandom::new();
            match &self.pair {
                Pair::Rsa(pair) => {
                    let encoding: &dyn signature::RsaEncoding = match self.algorithm {
                        SigningAlgorithm::RS384 => &signature::RSA_PKCS1_SHA384,
                        SigningAlgorithm::RS512 => &signature::RSA_PKCS1_SHA512,
                        SigningAlgorithm::PS256 => &signature::RSA_PSS_SHA256,
                        SigningAlgorithm::PS384 => &signature::RSA_PSS_SHA384,
                        SigningAlgorithm::PS512 => &signature::RSA_PSS_SHA512,
                        _ => &signature::RSA_PKCS1_SHA256,
                    };
                    let mut signature = vec![0; pair.public_modulus_len()];
                    pair.sign(encoding, &random, input, &mut signature).expect("a signature");
                    signature
                }
                Pair::Ec(pair) => pair.sign(&random, input).expect("a signature").as_ref().to_vec(),
                Pair::Ed(pair) => pair.sign(input).as_ref().to_vec(),
            }
        })
    }

    /// A token as an honest provider signs it.
    pub(super) fn token(&self, kid: Option<&str>, claims: &Value) -> String {
        let mut header = json!({ "alg": self.algorithm.as_str(), "typ": "JWT" });
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        self.sign(&header, claims)
    }

    /// The DER of an RSA public key: what an attacker would take as a shared secret.
    pub(super) fn rsa_der() -> Vec<u8> {
        RSA[0].public_key().as_ref().to_vec()
    }
}

/// A token authenticated by a shared secret.
pub(super) fn hs(algorithm: SigningAlgorithm, secret: &[u8], claims: &Value) -> String {
    let hash = match algorithm {
        SigningAlgorithm::HS384 => hmac::HMAC_SHA384,
        SigningAlgorithm::HS512 => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let header = json!({ "alg": algorithm.as_str() });
    compact(&header, claims, |input| hmac::sign(&hmac::Key::new(hash, secret), input).as_ref().to_vec())
}

fn compact(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let input = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(input.as_bytes());
    format!("{input}.{}", BASE64URL_NOPAD.encode(&signature))
}

/// `RSAPublicKey` (RFC 8017 §A.1.1) of a 2048-bit key, taken apart; the sign octet of `n` stays off.
fn rsa_components(der: &[u8]) -> (&[u8], &[u8]) {
    let n = 4 + 4..4 + 4 + 257;
    assert_eq!(der[4..8], [0x02, 0x82, 0x01, 0x01], "an integer of 257 octets");
    (&der[n.start + 1..n.end], &der[n.end + 2..])
}

/// What the loopback provider answers at a path.
#[derive(Clone)]
pub(super) enum Answer {
    /// This.
    Reply(StatusCode, HeaderMap, Bytes),
    /// Nothing, for ever.
    Hang,
    /// The beginning of an answer, and nothing more.
    Stall,
}

impl Answer {
    pub(super) fn json(value: &Value) -> Self {
        Self::body(StatusCode::OK, "application/json", value.to_string())
    }

    pub(super) fn body(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::Reply(status, HeaderMap::new(), body.into()).with("content-type", content_type)
    }

    pub(super) fn status(status: u16) -> Self {
        Self::Reply(StatusCode::from_u16(status).expect("a status"), HeaderMap::new(), Bytes::new())
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Reply(_, headers, _) = &mut self {
            headers.insert(name, value.parse().expect("a header"));
        }
        self
    }
}

/// A request that the loopback provider got.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// A provider on the loopback.
pub(super) struct Server {
    scheme: &'static str,
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<&'static str, Answer>>,
    seen: Mutex<Vec<Seen>>,
    arrived: Notify,
}

pub(super) const DISCOVERY: &str = "/.well-known/openid-configuration";

impl Server {
    /// Listens on a free port, with a valid metadata document and no keys.
    pub(super) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// The same over TLS.
    pub(super) async fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::start_with(Some(acceptor)).await
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = Self { scheme, address, shared: Arc::default() };
        server.set(DISCOVERY, Answer::json(&document(&server.issuer())));
        server.set("/jwks", Answer::json(&json!({ "keys": [] })));
        let shared = Arc::clone(&server.shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(shared, stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(shared, stream).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    pub(super) fn issuer(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(super) fn set(&self, path: &'static str, answer: Answer) {
        self.shared.answers.lock().expect("no test panicked").insert(path, answer);
    }

    pub(super) fn set_keys(&self, keys: &[Value]) {
        self.set("/jwks", Answer::json(&json!({ "keys": keys })));
    }

    pub(super) fn seen(&self, path: &str) -> Vec<Seen> {
        self.shared.seen.lock().expect("no test panicked").iter().filter(|seen| seen.path == path).cloned().collect()
    }

    /// Waits until one more request has arrived whole.
    pub(super) async fn arrived(&self) {
        self.shared.arrived.notified().await;
    }
}

async fn serve(shared: Arc<Shared>, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
    // How a connection ends is the client's affair.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = String::from_utf8(body.collect().await?.to_bytes().to_vec()).expect("text");
    let path = head.uri.path().to_owned();
    let answer = shared.answers.lock().expect("no test panicked").get(&*path).cloned();
    shared.seen.lock().expect("no test panicked").push(Seen { path, headers: head.headers, body });
    shared.arrived.notify_one();
    match answer.unwrap_or_else(|| Answer::status(404)) {
        Answer::Reply(status, headers, body) => {
            let mut response = Response::new(Full::new(body).boxed());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        }
        Answer::Stall => {
            let begun = stream::iter([Ok(Frame::data(Bytes::from_static(b"{")))]);
            Ok(Response::new(BodyExt::boxed(StreamBody::new(begun.chain(stream::pending())))))
        }
        Answer::Hang => std::future::pending().await,
    }
}

/// A relying party whose clock stands at [`NOW`], and the calls that it finishes.
pub(super) fn relying_party(provider: Provider) -> (Arc<RelyingParty>, ManualClock, mpsc::UnboundedReceiver<Call>) {
    let (clock, hand) = Clock::manual(Timestamp::from_unix(NOW));
    let (finished, calls) = mpsc::unbounded_channel();
    let observe = Arc::new(move |call, _| {
        let _ = finished.send(call); // a test that does not look at calls has dropped the receiver
    });
    let party = RelyingParty::new(Arc::new(provider), clock, observe).expect("a client");
    (Arc::new(party), hand, calls)
}
