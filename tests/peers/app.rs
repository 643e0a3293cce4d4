//! The app behind Vestibule: what it was asked is kept for the test, a page has a form
//! and a WebSocket, some paths stream, and everything else is answered with a line that
//! says what it is.
//!
//! | path | answer |
//! |---|---|
//! | `/` | the page |
//! | `/events` | server-sent events, as the test says them ([`App::say`]) |
//! | `/zeros/N` | N bytes, never more than one block in memory |
//! | `/count` | how many bytes came, none of them kept |
//! | any, with a WebSocket's handshake | what it hears |

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
    upgrade,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role},
};

const PAGE: &str = r#"<!doctype html>
<title>The app</title>
<h1>The app</h1>
<form method="post" action="/notes"><input name="note"><button>Keep</button></form>
<output></output>
<script>
  const socket = new WebSocket('/echo')
  socket.onopen = () => socket.send('is anybody there?')
  socket.onmessage = ({ data }) => { document.querySelector('output').textContent = data }
</script>
"#;

/// What is answered with.
type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A piece of a long answer.
const BLOCK: usize = 64 * 1024;

/// The running app; it ends with this value.
#[derive(Debug)]
pub(crate) struct App {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared {
    asked: Mutex<Vec<Asked>>,
    events: watch::Sender<Vec<String>>,
}

/// A request that reached it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Path and query as they came.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    /// A header's value, if it came exactly once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).into_iter();
        let first = values.next()?;
        assert!(values.next().is_none(), "{name} came twice: {self:?}");
        first.to_str().ok()
    }
}

impl App {
    /// Starts it on an address.
    pub(crate) async fn start(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("the app's own address is free");
        let shared = Arc::<Shared>::default();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&shared)));
        Self { address, shared, _serving: serving }
    }

    /// One more event for all who listen.
    pub(crate) fn say(&self, event: &str) {
        self.shared.events.send_modify(|events| events.push(event.to_owned()));
    }

    /// What it was asked so far, oldest first.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last request for a target, which must have come.
    pub(crate) fn asked_for(&self, target: &str) -> Asked {
        let asked = self.asked();
        let found = asked.iter().rfind(|asked| asked.target == target).cloned();
        found.unwrap_or_else(|| panic!("the app was never asked for {target}, only for {asked:#?}"))
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
        // A connection that breaks is its client's business; the test sees the answer that is missing.
        connections.spawn(async move {
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

async fn answer(mut request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, hyper::Error> {
    let upgraded = upgrade::on(&mut request);
    let (head, mut body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let (mut kept, mut count) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let data = frame?.into_data().unwrap_or_default();
        count += data.len();
        if path != "/count" {
            kept.extend_from_slice(&data);
        }
    }
    let accept = head.headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let text = format!("app: {} {target} {}", head.method, String::from_utf8_lossy(&kept));
    shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked {
        method: head.method,
        target,
        headers: head.headers,
        body: kept.into(),
    });
    if let Some(accept) = accept {
        tokio::spawn(echo(upgraded));
        let mut answer = Response::new(whole(Bytes::new()));
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        answer.headers_mut().extend([
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, accept.parse().expect("base64 is ASCII")),
        ]);
        return Ok(answer);
    }
    let (media_type, body) = match path.as_str() {
        "/" => ("text/html", whole(Bytes::from_static(PAGE.as_bytes()))),
        "/events" => ("text/event-stream", events(shared.events.subscribe())),
        "/count" => ("text/plain", whole(format!("{count} bytes").into())),
        path => match path.strip_prefix("/zeros/").and_then(|length| length.parse().ok()) {
            Some(length) => ("application/octet-stream", zeros(length)),
            None => ("text/plain", whole(text.into())),
        },
    };
    let mut answer = Response::new(body);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    Ok(answer)
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).boxed_unsync()
}

/// So many bytes; chunked, since nobody says how many.
fn zeros(length: usize) -> Body {
    let block = Bytes::from(vec![0; BLOCK]);
    let blocks = stream::unfold(length, move |left| {
        let piece = block.slice(..left.min(BLOCK));
        async move { (left > 0).then(|| (Ok(Frame::data(piece.clone())), left - piece.len())) }
    });
    StreamBody::new(blocks).boxed_unsync()
}

/// Every event as soon as it is said, for as long as somebody listens.
fn events(said: watch::Receiver<Vec<String>>) -> Body {
    let events = stream::unfold((said, 0), |(mut said, heard)| async move {
        let event = said.wait_for(|events| events.len() > heard).await.ok()?[heard].clone();
        Some((Ok(Frame::data(format!("data: {event}\n\n").into())), (said, heard + 1)))
    });
    StreamBody::new(events).boxed_unsync()
}

/// Says back what it hears, until the other side has gone.
async fn echo(upgraded: upgrade::OnUpgrade) {
    let Ok(upgraded) = upgraded.await else { return };
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}
