//! Around every request: its id, the headers that keep browsers safe, and the metrics.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use crate::state::Api;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 128;

/// JSON is never a page: nothing may load, frame, sniff or cache it.
const SAFE: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// The layer.
pub(crate) async fn watch(State(api): State<Api>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = metric_method(request.method().as_str());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let route = route.to_owned();
    let id = request_id(&api, request.headers().get(REQUEST_ID));
    let span = tracing::debug_span!("request", id = id.to_str().unwrap_or_default(), method, route);
    let mut response = next.run(request).instrument(span).await;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    for (name, value) in SAFE {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let status = response.status().as_u16().to_string();
    metrics::counter!(
        "strowger_http_requests_total",
        "method" => method, "route" => route.clone(), "status" => status
    )
    .increment(1);
    metrics::histogram!("strowger_http_request_seconds", "route" => route)
        .record(began.elapsed().as_secs_f64());
    response
}

/// The client's, if it is fit for a log line; else ours.
fn request_id(api: &Api, given: Option<&HeaderValue>) -> HeaderValue {
    let fits = |value: &&HeaderValue| {
        let fine = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(byte);
        (1..=LONGEST_REQUEST_ID).contains(&value.len()) && value.as_bytes().iter().all(fine)
    };
    if let Some(given) = given.filter(fits) {
        return given.clone();
    }
    let ours = api.random_hex::<16>().ok().and_then(|id| HeaderValue::from_str(&id).ok());
    ours.unwrap_or(HeaderValue::from_static("none"))
}

/// A stranger's method must not become a metric of its own.
fn metric_method(method: &str) -> &'static str {
    ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
