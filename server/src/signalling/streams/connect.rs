//! Connecting out: TCP, TLS and WebSocket over either to a hop that the switch has chosen, with its
//! time limits.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::TrunkId;
use rustls::pki_types::ServerName;
use sip::Flow;
use sip::resolve::Hop;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;

use super::carry::carry;
use super::websocket_client::{self, Refusal};
use super::{StreamInput, Streams, framed, settle};
use crate::tls::Keeper;

/// TCP answers within this time, or the next hop is tried.
const CONNECT: Duration = Duration::from_secs(2);
/// So do TLS and WebSocket.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// Where a connection goes and who we are on it: what is alike can be shared (RFC 5923).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::signalling) struct Way {
    pub(in crate::signalling) hop: Hop,
    pub(in crate::signalling) identity: Option<TrunkId>,
}

/// Makes a connection and carries it to its end. `from` is our address on it, if it matters;
/// `shown` makes of its path the one that the switch and the peer are to know.
pub(in crate::signalling) async fn connect(
    streams: Streams,
    keeper: Keeper,
    way: Way,
    from: Option<IpAddr>,
    shown: impl Fn(Flow) -> Flow,
) {
    let opened = open(&keeper, &way, from).await;
    let outcome = if opened.is_ok() { "made" } else { "failed" };
    let transport = way.hop.transport.name();
    metrics::counter!("strowger_sip_connects_total", "transport" => transport, "outcome" => outcome)
        .increment(1);
    let (local, stream) = match opened {
        Ok(opened) => opened,
        Err(why) => {
            tracing::info!(hop = %way.hop, why, "no connection");
            // The signalling thread may have ended meanwhile.
            let _ = streams.tell(StreamInput::Unreached { way, why }).await;
            return;
        }
    };
    let Hop { transport, remote, .. } = way.hop;
    let flow = shown(Flow { transport, local, remote, connection: streams.number() });
    // The one name that its certificate was verified for.
    let names = way.hop.server_name.as_deref().map(str::to_ascii_lowercase);
    let names: Vec<String> = names.filter(|_| transport.is_secure()).into_iter().collect();
    match stream {
        Opened::Plain(stream) => {
            carry(&streams, flow, names, Some(way), framed::halves(stream)).await;
        }
        Opened::Tls(stream) => {
            carry(&streams, flow, names, Some(way), framed::halves(*stream)).await;
        }
        Opened::Ws(socket) => {
            carry(&streams, flow, names, Some(way), websocket_client::halves(*socket)).await;
        }
        Opened::Wss(socket) => {
            carry(&streams, flow, names, Some(way), websocket_client::halves(*socket)).await;
        }
    }
}

enum Opened {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Ws(Box<WebSocketStream<TcpStream>>),
    Wss(Box<WebSocketStream<TlsStream<TcpStream>>>),
}

async fn open(
    keeper: &Keeper,
    way: &Way,
    from: Option<IpAddr>,
) -> Result<(SocketAddr, Opened), String> {
    if !way.hop.transport.is_websocket() {
        return open_stream(keeper, way, from).await;
    }
    for path in websocket_client::PATHS {
        let (local, stream) = open_stream(keeper, way, from).await?;
        let opened = timeout(HANDSHAKE, upgrade(&way.hop, path, stream));
        match opened.await.map_err(|_| late("WebSocket handshake", HANDSHAKE))? {
            Ok(opened) => return Ok((local, opened)),
            Err(Refusal::NotFound) => {}
            Err(Refusal::Other(why)) => return Err(why),
        }
    }
    let paths = websocket_client::PATHS.join(", ");
    Err(format!("no WebSocket at any of {paths}"))
}

async fn upgrade(hop: &Hop, path: &str, stream: Opened) -> Result<Opened, Refusal> {
    let port = hop.remote.port();
    let host = match hop.server_name.as_deref() {
        Some(name) => format!("{name}:{port}"),
        None => hop.remote.to_string(),
    };
    Ok(match stream {
        Opened::Plain(stream) => {
            Opened::Ws(Box::new(websocket_client::handshake(stream, false, &host, path).await?))
        }
        Opened::Tls(stream) => {
            Opened::Wss(Box::new(websocket_client::handshake(*stream, true, &host, path).await?))
        }
        socket => socket,
    })
}

/// The connection, and TLS on it where the hop asks for that.
async fn open_stream(
    keeper: &Keeper,
    way: &Way,
    from: Option<IpAddr>,
) -> Result<(SocketAddr, Opened), String> {
    let text = |error: std::io::Error| error.to_string();
    let Way { hop, identity } = way;
    let stream = timeout(CONNECT, reach(hop.remote, from))
        .await
        .map_err(|_| late("connection", CONNECT))?
        .map_err(text)?;
    settle(&stream);
    let local = stream.local_addr().map_err(text)?;
    if !hop.transport.is_secure() {
        return Ok((local, Opened::Plain(stream)));
    }
    let name = server_name(hop)?;
    let (tls, trunk) = (keeper.borrow().clone(), identity.clone());
    let trunk = move || tls.client(trunk.as_ref().map(TrunkId::as_str));
    // Its first use reads the system's authorities from the disk.
    let config = tokio::task::spawn_blocking(trunk).await.map_err(|error| error.to_string())?;
    let config = Arc::new(config.map_err(|fault| fault.to_string())?);
    let stream = timeout(HANDSHAKE, TlsConnector::from(config).connect(name, stream))
        .await
        .map_err(|_| late("TLS handshake", HANDSHAKE))?
        .map_err(text)?;
    Ok((local, Opened::Tls(Box::new(stream))))
}

fn late(what: &str, limit: Duration) -> String {
    format!("no {what} within {} s", limit.as_secs())
}

async fn reach(remote: SocketAddr, from: Option<IpAddr>) -> std::io::Result<TcpStream> {
    let socket = if remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    socket.connect(remote).await
}

/// Whom the certificate must be for (RFC 5922 §7.2): the name that was asked for, or the address.
fn server_name(hop: &Hop) -> Result<ServerName<'static>, String> {
    match hop.server_name.as_deref() {
        Some(name) => ServerName::try_from(name.trim_matches(['[', ']']).to_owned())
            .map_err(|_| format!("{name} is no name that a certificate can be for")),
        None => Ok(ServerName::IpAddress(hop.remote.ip().into())),
    }
}
