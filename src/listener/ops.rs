//! The operators' listener: `/livez`, `/readyz` and `/metrics`, never where visitors come in.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::capacity::{Complaint, RESPITE};
use crate::meter::{METRICS_CONTENT_TYPE, Meter};

/// What `/readyz` says.
#[derive(Clone, Debug, Serialize)]
pub struct Readiness {
    /// Whether visitors should be sent here.
    pub ready: bool,
    /// Each thing that readiness depends on, and how it is.
    pub checks: Vec<(String, String)>,
}

/// Says how things are at this moment, and has it counted.
pub type Probe = Arc<dyn Fn() -> Readiness + Send + Sync>;

/// Serves until told to stop; `/livez` answers to the last.
pub async fn serve(listener: TcpListener, meter: Meter, probe: Probe, stop: CancellationToken) {
    let failing = Complaint::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let (stream, _) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if failing.is_due() {
                    tracing::error!(%error, "the ops listener cannot accept; it is tried again all the time");
                }
                tokio::time::sleep(RESPITE).await;
                continue;
            }
        };
        let (meter, probe) = (meter.clone(), Arc::clone(&probe));
        tokio::spawn(async move {
            let service =
                service_fn(move |request| std::future::ready(Ok::<_, Infallible>(answer(&request, &meter, &probe))));
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of the ops listener broke");
            }
        });
    }
}

fn answer(request: &Request<Incoming>, meter: &Meter, probe: &Probe) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET or HEAD\n".to_owned());
        refusal.headers_mut().insert(ALLOW, http::HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, "text/plain", "live\n".to_owned()),
        "/readyz" => {
            let readiness = probe();
            let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let checks: serde_json::Map<_, _> =
                readiness.checks.into_iter().map(|(what, how)| (what, serde_json::Value::String(how))).collect();
            let body = serde_json::json!({ "ready": readiness.ready, "checks": checks });
            text(status, "application/json", format!("{body}\n"))
        }
        "/metrics" => {
            // What readiness depends on is counted as well, as it is now.
            probe();
            text(StatusCode::OK, METRICS_CONTENT_TYPE, meter.render())
        }
        _ => text(StatusCode::NOT_FOUND, "text/plain", "/livez, /readyz or /metrics\n".to_owned()),
    }
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}
