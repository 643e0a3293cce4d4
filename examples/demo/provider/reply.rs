//! A response as a whole, and the ways in which a hostile or broken server fails to give one.

use std::{io, io::Write, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::stream;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::Value;

use super::super::serving::{Body, HTML, JSON, respond, whole};

/// What leaves the provider.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The response; its status, headers and bytes are all open to be bent.
    Whole(Response<Bytes>),
    /// The same, one byte after each pause.
    Drip(Response<Bytes>, Duration),
    /// The same, but the connection closes half-way through the promised bytes.
    CutShort(Response<Bytes>),
    /// A body that goes on for ever.
    Endless,
    /// The connection stays open and nothing comes.
    Silence,
    /// The connection closes and nothing has come.
    Disconnect,
}

impl Reply {
    /// A redirect to somewhere else (threat 42).
    pub(crate) fn redirect(location: &'static str) -> Self {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(location));
        Self::Whole(response)
    }

    /// What was to be said, after so many bytes of white space: JSON still, and far too much of it (threat 34).
    pub(crate) fn pad(&mut self, size: usize) {
        if let Self::Whole(response) = self {
            let mut padded = vec![b' '; size];
            padded.extend_from_slice(response.body());
            *response.body_mut() = padded.into();
        }
    }

    /// What was to be said after so many bytes of white space, compressed: small on the wire only (threat 121).
    pub(crate) fn gzip_bomb(&mut self, inflated: usize) {
        self.pad(inflated);
        if let Self::Whole(response) = self {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            // Writing into memory does not fail.
            let packed = encoder.write_all(response.body()).and_then(|()| encoder.finish()).unwrap_or_default();
            *response.body_mut() = packed.into();
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }

    /// One byte a second (threat 34).
    pub(crate) fn drip(&mut self) {
        if let Self::Whole(response) = self {
            *self = Self::Drip(std::mem::take(response), Duration::from_secs(1));
        }
    }

    /// Promises all of it and gives half.
    pub(crate) fn cut_short(&mut self) {
        if let Self::Whole(response) = self {
            *self = Self::CutShort(std::mem::take(response));
        }
    }

    /// Gives it, or does not.
    pub(super) async fn send(self) -> io::Result<Response<Body>> {
        match self {
            Self::Whole(response) => Ok(response.map(whole)),
            Self::Drip(response, pause) => Ok(promised(response, |bytes| {
                streamed(stream::unfold(bytes, move |mut rest| async move {
                    if rest.is_empty() {
                        return None;
                    }
                    tokio::time::sleep(pause).await;
                    Some((Ok(rest.split_to(1)), rest))
                }))
            })),
            Self::CutShort(response) => Ok(promised(response, |mut bytes| {
                let half = bytes.split_to(bytes.len() / 2);
                streamed(stream::iter([Ok(half), Err(io::ErrorKind::ConnectionAborted.into())]))
            })),
            Self::Endless => {
                let spaces = Bytes::from(vec![b' '; 64 * 1024]);
                let body = streamed(stream::repeat_with(move || Ok(spaces.clone())));
                let mut response = Response::new(body);
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
                Ok(response)
            }
            Self::Silence => std::future::pending().await,
            Self::Disconnect => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

/// The same response with its full length promised and its bytes given by `make`.
fn promised(response: Response<Bytes>, make: impl FnOnce(Bytes) -> Body) -> Response<Body> {
    let (mut head, bytes) = response.into_parts();
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    Response::from_parts(head, make(bytes))
}

fn streamed(chunks: impl stream::Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    use futures_util::TryStreamExt as _;
    StreamBody::new(chunks.map_ok(Frame::data)).boxed_unsync()
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, value: &Value) -> Response<Bytes> {
    respond(status, JSON, value.to_string())
}

/// A page.
pub(super) fn page(status: StatusCode, html: String) -> Response<Bytes> {
    respond(status, HTML, html)
}

/// On to another address by GET, whatever the method was (RFC 9700 §4.12: never 307 here).
pub(super) fn see_other(location: &url::Url) -> Response<Bytes> {
    let mut response = respond(StatusCode::SEE_OTHER, HTML, String::new());
    let location = HeaderValue::from_str(location.as_str()).expect("a parsed URL is printable ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    response
}
