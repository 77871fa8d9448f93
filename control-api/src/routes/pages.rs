//! What stands beside the API: health, readiness, metrics, and the document with its page.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::auth::{authenticate, is_loopback};
use crate::docs_page;
use crate::fault::Fault;
use crate::openapi::document;
use crate::state::Api;

/// A database that takes longer is not there.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// Says that the process lives.
#[utoipa::path(get, path = "/healthz", tag = "operation",
    responses((status = 200, description = "It does", body = Object)))]
pub(crate) async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Says whether the engine takes calls: its store answers, and it is not draining.
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses((status = 200, description = "It does", body = Object),
        (status = 503, description = "It does not; the body says why", body = Object)))]
pub(crate) async fn ready(State(api): State<Api>) -> (StatusCode, Json<Value>) {
    let takes_calls = *api.ready.borrow();
    let reachable = timeout(STORE_PATIENCE, api.store.is_reachable()).await.unwrap_or(false);
    let status =
        if takes_calls && reachable { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if status == StatusCode::OK { "ready" } else { "not ready" };
    (status, Json(json!({"status": word, "takes_calls": takes_calls, "store": reachable})))
}

/// The metrics in Prometheus' text form.
///
/// To this machine's own programs, and to platform keys.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "The metrics", body = String,
        content_type = "text/plain")))]
pub(crate) async fn metrics(
    State(api): State<Api>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, Fault> {
    if !is_loopback(&headers, &extensions) {
        authenticate(&api, &headers, &extensions).await?.platform()?;
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, (api.metrics)()).into_response())
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn openapi() -> Json<&'static Value> {
    Json(document())
}

/// This document as a page to read.
#[utoipa::path(get, path = "/docs", tag = "operation",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")))]
pub(crate) async fn docs() -> Response {
    let page = docs_page::page();
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, page.policy.as_str()),
    ];
    (headers, page.html.as_str()).into_response()
}
