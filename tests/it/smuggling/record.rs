//! What really went to the app: every byte of every connection, read by the strict reader.
//!
//! The app records later than the visitor is answered, so nothing is judged while
//! Vestibule runs. When it is gone, all that it sent has been sent: each connection
//! is read to its end, and the record is final.

use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;

use super::strict::{self, Message, Read, Rest};
use crate::harness::{
    Stage, patiently,
    upstream::{Conversation, Conversations},
};

/// The fields that Vestibule sets in each request of an anonymous visitor.
const OURS: [&str; 6] =
    ["x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip", "x-request-id"];

/// What the last connection says, which is not Vestibule's.
const LAST: &[u8] = b"that was all";

/// Answers every request with its id, and keeps all that comes.
pub(super) struct App {
    server: AbortOnDropHandle<Vec<Connection>>,
}

/// One connection from Vestibule to the app.
#[derive(Debug)]
pub(super) struct Connection {
    /// The requests that came to their end.
    pub(super) requests: Vec<Message>,
    /// What followed them.
    pub(super) rest: Rest,
    /// All of it.
    pub(super) bytes: Vec<u8>,
}

/// All requests that were answered and all that broke off, when nothing more can come.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) requests: Vec<Message>,
    /// The bytes of requests that Vestibule gave up in the middle.
    pub(super) broken_off: Vec<Vec<u8>>,
}

impl App {
    pub(super) fn start(stage: &Stage) -> Self {
        let conversations = stage.upstream.by_hand();
        Self { server: AbortOnDropHandle::new(tokio::spawn(serve(conversations))) }
    }

    /// Stops Vestibule and gives what the app has seen. Fails where any of it is not in canonical form.
    pub(super) async fn record(self, stage: Stage) -> Record {
        let Stage { door, upstream, .. } = stage;
        drop(door);
        // Connections are accepted in the order in which they came, so this one is the last.
        let mut last = TcpStream::connect(upstream.address()).await.expect("the app listens");
        last.write_all(LAST).await.expect("the app reads");
        drop(last);
        let connections = patiently("the end of all connections to the app", self.server).await;
        let mut record = Record { requests: Vec::new(), broken_off: Vec::new() };
        for connection in connections.expect("the app does not panic") {
            let text = String::from_utf8_lossy(&connection.bytes).into_owned();
            assert!(!matches!(connection.rest, Rest::Malformed(_)), "{:?} went to the app: {text:?}", connection.rest);
            for request in connection.requests {
                assert_canonical(&request);
                record.requests.push(request);
            }
            if connection.rest == Rest::Incomplete {
                let taken: usize = strict_length(&connection.bytes);
                record.broken_off.push(connection.bytes[taken..].to_vec());
            }
        }
        record
    }
}

/// How many bytes the complete requests take.
fn strict_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Read::Request(_, taken) = strict::read(&bytes[at..]) {
        at += taken;
    }
    at
}

/// Serves until the last connection has come, and all others have ended.
async fn serve(mut conversations: Conversations) -> Vec<Connection> {
    let mut connections = JoinSet::new();
    let mut ended = Vec::new();
    loop {
        tokio::select! {
            biased;
            conversation = conversations.next() => drop(connections.spawn(converse(conversation))),
            Some(connection) = connections.join_next() => {
                let connection: Connection = connection.expect("reading does not panic");
                if connection.bytes == LAST {
                    break;
                }
                ended.push(connection);
            }
        }
    }
    ended.extend(connections.join_all().await);
    ended
}

async fn converse(mut conversation: Conversation) -> Connection {
    let (mut bytes, mut answered) = (Vec::new(), 0);
    loop {
        let more = conversation.wire.some().await;
        if more.is_empty() {
            let (requests, rest) = strict::read_all(&bytes);
            return Connection { requests, rest, bytes };
        }
        bytes.extend(more);
        while let Read::Request(request, taken) = strict::read(&bytes[answered..]) {
            answered += taken;
            // An error means that Vestibule has gone; what it sent counts all the same.
            let _ = conversation.wire.write(answer(&request)).await;
        }
    }
}

/// The request's id comes back, so that each answer is known for the answer to one recorded request.
fn answer(request: &Message) -> String {
    let id = request.all("x-request-id").first().copied().unwrap_or_default().to_owned();
    let body = if request.method == "HEAD" { "" } else { "ok" };
    format!("HTTP/1.1 200 OK\r\nX-Echo: {id}\r\nContent-Length: 2\r\n\r\n{body}")
}

/// Whatever came in, what goes out leaves no server a choice how to read it.
fn assert_canonical(request: &Message) {
    assert_eq!(request.leniencies, Vec::<&str>::new(), "{request:?}");
    for (name, _) in &request.trailers {
        let decides =
            ["host", "content-length", "transfer-encoding", "authorization", "cookie", "connection", "trailer"];
        let ours = ["x-forwarded-", "x-real-ip", "x-auth-request-", "remote-", "x-vestibule-"];
        assert!(!decides.contains(&name.as_str()) && !name.contains('_'), "{request:?}");
        assert!(!ours.iter().any(|family| name.starts_with(family)), "{request:?}");
    }
    assert!(request.target.starts_with('/') && !request.target.contains('#'), "origin-form, no fragment: {request:?}");
    assert!(
        request.method.bytes().all(|byte| byte.is_ascii_uppercase() || b"-_".contains(&byte) || byte.is_ascii_digit()),
        "{request:?}"
    );
    assert_eq!(request.minor_version, 1, "{request:?}");
    for once in OURS.iter().chain(&["host"]) {
        assert_eq!(request.all(once).len(), 1, "{once}: {request:?}");
    }
    assert!(request.all("content-length").len() + request.all("transfer-encoding").len() <= 1, "{request:?}");
    for hop in ["keep-alive", "proxy-connection", "upgrade", "http2-settings"] {
        assert_eq!(request.all(hop), Vec::<&str>::new(), "{request:?}");
    }
    for (field, only) in [("connection", "te"), ("te", "trailers"), ("expect", "100-continue")] {
        assert!(matches!(request.all(field)[..], []) || request.all(field) == [only], "{field}: {request:?}");
    }
    let names = request.fields.iter().map(|(name, _)| name);
    assert!(names.clone().all(|name| !name.contains('_') && *name == name.to_ascii_lowercase()), "{request:?}");
}

/// What [`assert_canonical`] has looked at, and what says only that trailers are read.
const SETTLED: [&str; 5] = ["host", "connection", "te", "trailer", "expect"];

/// A request as the app saw it, without what is in every request; fields of different names in no order of theirs,
/// those after the body with a plus.
pub(super) fn told(request: &Message) -> String {
    let own = |name: &str| !SETTLED.contains(&name) && !OURS.contains(&name);
    let mut fields: Vec<_> = request.fields.iter().filter(|(name, _)| own(name)).collect();
    fields.sort_by_key(|(name, _)| name);
    let mut text = format!("{} {}\n", request.method, request.target);
    for (name, value) in fields {
        text.extend([name, ": ", value, "\n"]);
    }
    text = text + "\n" + &String::from_utf8_lossy(&request.body);
    for (name, value) in &request.trailers {
        text.extend(["\n+", name, ": ", value]);
    }
    text
}
