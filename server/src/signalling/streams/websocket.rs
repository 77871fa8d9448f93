//! SIP over WebSocket (RFC 7118): `/sip` on the HTTP port, one message a frame.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sip::framing::Frame;
use sip::{Flow, Transport};

use super::carry::{Reader, Received, Writer, carry};
use super::{Streams, refused};
use crate::http::Ends;
use crate::quota::Place;

/// What a browser must ask for (RFC 7118 §4.1).
pub(super) const SUBPROTOCOL: &str = "sip";
/// The longest message: all that a stranger can have us keep. One byte more than SIP's own bound,
/// so that what is just too long is answered (513) and not cut off.
pub(super) const LARGEST: usize = 64 << 10;
/// Proxies and NATs forget a connection that is silent for longer (RFC 7118 §6).
pub(super) const BEAT: Duration = Duration::from_secs(25);

#[derive(Clone)]
struct Gate {
    streams: Streams,
    origins: Arc<[String]>,
}

/// The route `/sip`. `origins` are the other sites whose pages may use it.
pub(crate) fn gate(streams: Streams, origins: &[String]) -> Router {
    let origins = origins.iter().map(|origin| origin.to_ascii_lowercase()).collect();
    Router::new().route("/sip", any(upgrade)).with_state(Gate { streams, origins })
}

async fn upgrade(
    State(gate): State<Gate>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let transport = if ends.secure { Transport::Wss } else { Transport::Ws };
    if !is_allowed(&headers, &gate.origins) {
        refused(transport);
        return (StatusCode::FORBIDDEN, "this page's origin is not in http.sip_origins\n")
            .into_response();
    }
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(LARGEST)
        .max_frame_size(LARGEST)
        .read_buffer_size(4 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * LARGEST);
    if upgrade.selected_protocol().is_none() {
        refused(transport);
        return (StatusCode::BAD_REQUEST, "Sec-WebSocket-Protocol: sip is needed\n")
            .into_response();
    }
    // Whoever stands in X-Forwarded-For, the socket's source is who is counted and answered.
    let Some(place) = gate.streams.0.connections.take(ends.remote.ip()) else {
        refused(transport);
        return (StatusCode::SERVICE_UNAVAILABLE, "too many connections\n").into_response();
    };
    let Ends { local, remote, .. } = ends;
    let flow = Flow { transport, local, remote, connection: gate.streams.number() };
    upgrade.on_upgrade(move |socket| serve(gate.streams, flow, socket, place))
}

async fn serve(streams: Streams, flow: Flow, socket: WebSocket, place: Place) {
    let (sink, stream) = socket.split();
    carry(&streams, flow, Vec::new(), None, (Incoming(stream), Outgoing(sink))).await;
    drop(place);
}

/// Programs send no origin. A page may use what it came from, and what it is allowed to.
fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str().map(str::to_ascii_lowercase) else { return false };
    if allowed.iter().any(|one| *one == "*" || *one == origin) {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (origin.split_once("://"), host) {
        (Some((_, of_page)), Some(host)) => host.eq_ignore_ascii_case(of_page),
        _ => false,
    }
}

struct Incoming(SplitStream<WebSocket>);

impl Reader for Incoming {
    async fn next(&mut self) -> Received {
        let bytes = match self.0.next().await {
            Some(Ok(Message::Text(text))) => Bytes::from(text),
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Received::Pong,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Received::End,
        };
        match sip::websocket(bytes) {
            Ok(Some(Frame::Message(bytes))) => Received::Message(bytes),
            Ok(Some(Frame::Ping)) => Received::Ping,
            Ok(Some(Frame::Pong) | None) => Received::Pong,
            Err(fault) => Received::Broken(fault.head),
        }
    }
}

struct Outgoing(SplitSink<WebSocket, Message>);

impl Outgoing {
    async fn put(&mut self, message: Message) -> io::Result<()> {
        self.0.send(message).await.map_err(io::Error::other)
    }
}

impl Writer for Outgoing {
    const BEAT: Option<Duration> = Some(BEAT);

    async fn send(&mut self, bytes: Bytes) -> io::Result<()> {
        // Browsers' libraries want text; what is no text can only go as bytes (RFC 7118 §5).
        let message = match axum::extract::ws::Utf8Bytes::try_from(bytes.clone()) {
            Ok(text) => Message::Text(text),
            Err(_) => Message::Binary(bytes),
        };
        self.put(message).await
    }

    async fn beat(&mut self) -> io::Result<()> {
        self.put(Message::Ping(Bytes::new())).await
    }

    async fn close(&mut self) {
        let _ = self.0.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origin: Option<&str>, host: &str, list: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        is_allowed(&headers, &list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_page_may_speak_sip_to_where_it_came_from_and_others_only_when_they_are_listed() {
        assert!(allowed(None, "pbx.example:8080", &[]), "no browser");
        assert!(allowed(Some("https://pbx.example:8080"), "pbx.example:8080", &[]));
        assert!(!allowed(Some("https://evil.example"), "pbx.example:8080", &[]));
        assert!(!allowed(Some("null"), "pbx.example:8080", &[]), "a sandboxed page");
        assert!(allowed(Some("https://CRM.example"), "pbx.example", &["https://crm.example"]));
        assert!(!allowed(Some("http://crm.example"), "pbx.example", &["https://crm.example"]));
        assert!(allowed(Some("https://evil.example"), "pbx.example", &["*"]));
    }
}
