//! A WebSocket (RFC 6455) that greets by the handshake's identity and says back what it hears.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, handshake::server::create_response_with_body, protocol::Role},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::serving::{TEXT, respond},
    Visitor,
};

/// Switches protocols, if this is a handshake and comes from a page of the app's own origin.
pub(super) fn upgrade(visitor: &Visitor, stop: CancellationToken, mut request: Request<Incoming>) -> Response<Bytes> {
    if !is_same_origin(request.headers()) {
        return respond(StatusCode::FORBIDDEN, TEXT, "This WebSocket is for pages of its own origin.\n".to_owned());
    }
    let response = match create_response_with_body(&request, Bytes::new) {
        Ok(response) => response,
        Err(error) => return respond(StatusCode::BAD_REQUEST, TEXT, format!("Not a WebSocket handshake: {error}\n")),
    };
    let greeting = format!("Hello {}, says the handshake.", visitor.label().unwrap_or("stranger"));
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        // Whoever leaves before the upgrade is done, or in the middle of a message, has left: nothing to do about it.
        if let Ok(connection) = upgraded.await {
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(connection), Role::Server, None).await;
            let _ = echo(socket, greeting).await;
        }
    }));
    response
}

/// Whether `Origin`, which a browser always sends with a handshake, names the `Host` asked for.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    authority.is_some() && authority == host
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    greeting: String,
) -> Result<(), Error> {
    socket.send(Message::text(greeting)).await?;
    while let Some(message) = socket.next().await {
        match message? {
            message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message).await?,
            // The library answers pings and closings by itself.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
        }
    }
    Ok(())
}
