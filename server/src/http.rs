//! HTTP: the API's router, the console's pages and SIP over WebSocket on one listener, and the
//! tasks that carry API requests to the signalling thread.

mod listen;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use control_api::{ApiState, Engine, EngineRequest, ProvisionRequest, Welcome};
use metrics_exporter_prometheus::PrometheusHandle;
use recorder::Archive;
use routing::Directory;
use store::{EventRow, Store};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;

use self::listen::Door;
pub(crate) use self::listen::Ends;
use crate::capturing::Collector;
use crate::provision::{Bundle, Provisioner};
use crate::signalling::{Control, Handle};
use crate::tls::Keeper;

/// API requests that may wait for the signalling thread; then their clients do.
const REQUESTS: usize = 256;
/// Provisionings that may wait for their turn.
const PROVISIONINGS: usize = 4;

/// What the API shows and reaches.
pub(crate) struct Site {
    pub(crate) store: Store,
    pub(crate) archive: Archive,
    pub(crate) capturing: Collector,
    pub(crate) committed: broadcast::Sender<Arc<EventRow>>,
    pub(crate) signalling: Handle,
    pub(crate) provisioner: Provisioner,
    pub(crate) directory: watch::Receiver<Arc<Directory>>,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) ready: watch::Receiver<bool>,
    pub(crate) welcome: Welcome,
}

/// Where requests come in.
pub(crate) struct Entrance {
    pub(crate) listener: TcpListener,
    /// `/sip`.
    pub(crate) websocket: Router,
    /// For HTTPS.
    pub(crate) tls: Option<Keeper>,
}

/// Serves until `stop` turns true; the other tasks end when they are aborted.
///
/// # Errors
/// The listener's.
pub(crate) fn serve(
    entrance: Entrance,
    site: Site,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<(JoinHandle<()>, Vec<JoinHandle<()>>)> {
    let https = entrance.tls.is_some();
    let door = Door::open(entrance.listener, entrance.tls)?;
    let (requests, request_queue) = mpsc::channel(REQUESTS);
    let (provision, provision_queue) = mpsc::channel(PROVISIONINGS);
    let captures = site.capturing.captures();
    let tasks = vec![
        tokio::spawn(carry_requests(request_queue, site.signalling)),
        tokio::spawn(site.capturing.collect(requests.clone())),
        tokio::spawn(carry_provisionings(provision_queue, site.provisioner)),
    ];
    let metrics = site.metrics;
    let state = ApiState {
        store: site.store,
        engine: Engine { requests, committed: site.committed, provision },
        archive: site.archive,
        captures,
        directory: site.directory,
        metrics: Arc::new(move || metrics.render()),
        ready: site.ready,
        https,
        welcome: site.welcome,
    };
    let router = with_console(control_api::router(state))
        .merge(entrance.websocket)
        .layer(axum::middleware::map_request(tell_source));
    let service = router.into_make_service_with_connect_info::<Ends>();
    let http = tokio::spawn(async move {
        let stopped = async move {
            // A dropped sender means the node is gone: stop then, too.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        if let Err(error) = axum::serve(door, service).with_graceful_shutdown(stopped).await {
            tracing::error!(%error, "the HTTP listener failed");
        }
    });
    Ok((http, tasks))
}

/// The API knows its clients by address alone.
async fn tell_source(mut request: Request) -> Request {
    if let Some(ConnectInfo(ends)) = request.extensions().get::<ConnectInfo<Ends>>() {
        let source = ConnectInfo::<SocketAddr>(ends.remote);
        request.extensions_mut().insert(source);
    }
    request
}

async fn carry_requests(mut queue: mpsc::Receiver<EngineRequest>, signalling: Handle) {
    while let Some(EngineRequest { tenant, request, reply }) = queue.recv().await {
        let control = Control::Request { tenant, request, reply };
        if signalling.control.send(control).await.is_err() {
            return;
        }
    }
}

async fn carry_provisionings(mut queue: mpsc::Receiver<ProvisionRequest>, to: Provisioner) {
    while let Some(ProvisionRequest { provisioning, prompts, reply }) = queue.recv().await {
        let applied = to.apply(Bundle { provisioning, prompts }).await;
        // Whoever asked may have gone; it is applied all the same.
        let _ = reply.send(applied.map_err(|fault| fault.to_string()));
    }
}

fn with_console(api: Router) -> Router {
    api.fallback(page)
}

/// A page of the console, for every path that the API does not have.
async fn page(uri: Uri, headers: HeaderMap) -> Response {
    let Some(asset) = console::asset(uri.path()) else {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let etag = (header::ETAG, asset.etag.to_string());
    if known.is_some_and(|known| asset.etag.matches(known)) {
        // RFC 9110 §15.4.5: what a 200 would say of caching, a 304 says too.
        let caching = (header::CACHE_CONTROL, console::CACHE_CONTROL);
        return (StatusCode::NOT_MODIFIED, [etag], [caching]).into_response();
    }
    let fixed = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, console::CACHE_CONTROL),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, console::CONTENT_SECURITY_POLICY),
    ];
    ([etag], fixed, asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_that_the_browser_has_is_not_sent_again_and_may_be_kept_as_long_as_before() {
        let root = Uri::from_static("/");
        let first = page(root.clone(), HeaderMap::new()).await;
        assert_eq!(first.status(), StatusCode::OK);
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        let again = page(root, headers).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        for name in [header::ETAG, header::CACHE_CONTROL] {
            assert_eq!(again.headers().get(&name), first.headers().get(&name), "{name}");
        }
    }
}
