//! Answers that arrive bit by bit: a page that is written while it is read, and
//! server-sent events (HTML Living Standard §9.2).

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    stream::{self, Stream},
};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::{
    super::serving::{Body, HTML, respond},
    Visitor,
    pages::Pages,
};

const STEPS: u32 = 8;
const STEP: Duration = Duration::from_millis(500);

/// Begins at once and grows by a line each half second; the template marks where.
pub(super) fn slow_page(pages: &Pages, visitor: &Visitor) -> Response<Body> {
    let (before, after) = pages.slow(visitor);
    let lines = (1..=STEPS).map(|step| format!("<li>Line {step} of {STEPS} has arrived.</li>\n"));
    let slowly = stream::iter(lines).then(|line| async move {
        tokio::time::sleep(STEP).await;
        line
    });
    streamed(HTML, stream::iter([before]).chain(slowly).chain(stream::iter([after])))
}

/// One event a second, for as long as somebody listens.
pub(super) fn events(visitor: &Visitor) -> Response<Body> {
    let label = visitor.label().unwrap_or("nobody in particular").to_owned();
    let events = stream::unfold(1_u32, move |number| {
        let event = format!("id: {number}\ndata: event {number} for {label}\n\n");
        async move {
            if number > 1 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Some((event, number.wrapping_add(1)))
        }
    });
    streamed("text/event-stream", events)
}

fn streamed(content_type: &'static str, texts: impl Stream<Item = String> + Send + 'static) -> Response<Body> {
    let frames = texts.map(|text| Ok::<_, io::Error>(Frame::data(Bytes::from(text))));
    respond(StatusCode::OK, content_type, String::new()).map(|_| StreamBody::new(frames).boxed_unsync())
}
