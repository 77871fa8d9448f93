//! WebSocket towards others (RFC 6455, RFC 7118 §4.1): the handshake on a connection of ours, and
//! its frames, masked.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sip::framing::Frame;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::carry::{Reader, Received, Writer};
use super::websocket::{BEAT, LARGEST, SUBPROTOCOL};

/// Where servers take SIP: ours and many proxies' `/sip`, Asterisk's `/ws`, any path. The next one
/// is tried where one is not found.
pub(super) const PATHS: [&str; 3] = ["/sip", "/ws", "/"];

/// Why there is no WebSocket.
pub(super) enum Refusal {
    /// The server has nothing at that path.
    NotFound,
    /// Anything else.
    Other(String),
}

/// Asks for a WebSocket that carries SIP on a connection to `host` (with its port).
pub(super) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    secure: bool,
    host: &str,
    path: &str,
) -> Result<WebSocketStream<S>, Refusal> {
    let other = |error: &dyn std::fmt::Display| Refusal::Other(error.to_string());
    let scheme = if secure { "wss" } else { "ws" };
    let request = format!("{scheme}://{host}{path}").into_client_request();
    let mut request = request.map_err(|error| other(&error))?;
    let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST))
        .read_buffer_size(4 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * LARGEST);
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, answer)) => {
            let chosen = answer.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
            if chosen.is_some_and(|chosen| chosen.as_bytes().eq_ignore_ascii_case(b"sip")) {
                return Ok(socket);
            }
            Err(Refusal::Other("its WebSocket does not carry SIP".to_owned()))
        }
        Err(Error::Http(answer)) if answer.status() == StatusCode::NOT_FOUND => {
            Err(Refusal::NotFound)
        }
        Err(Error::Http(answer)) => {
            Err(Refusal::Other(format!("no WebSocket: HTTP {}", answer.status())))
        }
        Err(error) => Err(other(&error)),
    }
}

/// Both halves.
pub(super) fn halves<S: AsyncRead + AsyncWrite + Unpin + Send>(
    socket: WebSocketStream<S>,
) -> (Incoming<S>, Outgoing<S>) {
    let (sink, stream) = socket.split();
    (Incoming(stream), Outgoing(sink))
}

/// The receiving half.
pub(super) struct Incoming<S>(SplitStream<WebSocketStream<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Reader for Incoming<S> {
    async fn next(&mut self) -> Received {
        let bytes = match self.0.next().await {
            Some(Ok(Message::Text(text))) => Bytes::from(text),
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                return Received::Pong;
            }
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

/// The sending half.
pub(super) struct Outgoing<S>(SplitSink<WebSocketStream<S>, Message>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Outgoing<S> {
    async fn put(&mut self, message: Message) -> io::Result<()> {
        self.0.send(message).await.map_err(io::Error::other)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Writer for Outgoing<S> {
    const BEAT: Option<Duration> = Some(BEAT);

    async fn send(&mut self, bytes: Bytes) -> io::Result<()> {
        let message = match Utf8Bytes::try_from(bytes.clone()) {
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
