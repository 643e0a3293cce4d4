//! The app behind Vestibule: what it was asked is kept for the test, a page has a form
//! and a WebSocket, and everything else is answered with a line that says what it is.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn, upgrade};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};
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

/// The running app; it ends with this value.
#[derive(Debug)]
pub(crate) struct App {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _serving: JoinSet<()>,
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
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&asked)));
        Self { address, asked, _serving: serving }
    }

    /// What it was asked so far, oldest first.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last request for a target, which must have come.
    pub(crate) fn asked_for(&self, target: &str) -> Asked {
        let asked = self.asked();
        let found = asked.iter().rfind(|asked| asked.target == target).cloned();
        found.unwrap_or_else(|| panic!("the app was never asked for {target}, only for {asked:#?}"))
    }
}

async fn serve(listener: TcpListener, asked: Arc<Mutex<Vec<Asked>>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let asked = Arc::clone(&asked);
        let service = service_fn(move |request| answer(request, Arc::clone(&asked)));
        // A connection that breaks is its client's business; the test sees the answer that is missing.
        connections.spawn(async move {
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

async fn answer(
    mut request: Request<Incoming>,
    asked: Arc<Mutex<Vec<Asked>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let upgraded = upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let accept = head.headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let text = format!("app: {} {target} {}", head.method, String::from_utf8_lossy(&body));
    let path = head.uri.path().to_owned();
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked {
        method: head.method,
        target,
        headers: head.headers,
        body,
    });
    if let Some(accept) = accept {
        tokio::spawn(echo(upgraded));
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        answer.headers_mut().extend([
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, accept.parse().expect("base64 is ASCII")),
        ]);
        return Ok(answer);
    }
    let (media_type, body) =
        if path == "/" { ("text/html", Bytes::from_static(PAGE.as_bytes())) } else { ("text/plain", text.into()) };
    let mut answer = Response::new(Full::new(body));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    Ok(answer)
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
