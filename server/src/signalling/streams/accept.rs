//! Listeners of TCP and TLS: who is let in, and the TLS handshake before anything else.

use std::net::SocketAddr;
use std::time::Duration;

use sip::{Flow, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::carry::carry;
use super::{Streams, framed, refused, settle};
use crate::tls::{self, Keeper};

/// A peer has this long for its half of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Accepts plain connections until the task is ended.
pub(in crate::signalling) async fn accept_tcp(listener: TcpListener, streams: Streams) {
    loop {
        let (stream, remote) = next(&listener).await;
        let Some(place) = streams.0.connections.take(remote.ip()) else {
            refused(Transport::Tcp);
            continue;
        };
        let streams = streams.clone();
        tokio::spawn(async move {
            let Some(flow) = flow(&streams, Transport::Tcp, &stream, remote) else { return };
            carry(&streams, flow, Vec::new(), None, framed::halves(stream)).await;
            drop(place);
        });
    }
}

/// Accepts TLS connections with the certificates of the moment until the task is ended.
pub(in crate::signalling) async fn accept_tls(
    listener: TcpListener,
    streams: Streams,
    keeper: Keeper,
) {
    loop {
        let (stream, remote) = next(&listener).await;
        let place = streams.0.connections.take(remote.ip());
        let handshake = streams.0.handshakes.take(remote.ip());
        let (Some(place), Some(handshake)) = (place, handshake) else {
            refused(Transport::Tls);
            continue;
        };
        let streams = streams.clone();
        let acceptor = TlsAcceptor::from(keeper.borrow().sip());
        tokio::spawn(async move {
            let Some(flow) = flow(&streams, Transport::Tls, &stream, remote) else { return };
            let shaken = timeout(HANDSHAKE, acceptor.accept(stream)).await;
            drop(handshake);
            let stream = match shaken {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return failed(&streams, remote, &error.to_string()),
                Err(_) => return failed(&streams, remote, "no handshake in time"),
            };
            let certificates = stream.get_ref().1.peer_certificates();
            let names = certificates.and_then(<[_]>::first).map(tls::names_of).unwrap_or_default();
            carry(&streams, flow, names, None, framed::halves(stream)).await;
            drop(place);
        });
    }
}

async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // Out of descriptors: wait for some to come back instead of spinning.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// None when the connection is gone already.
fn flow(
    streams: &Streams,
    transport: Transport,
    stream: &TcpStream,
    remote: SocketAddr,
) -> Option<Flow> {
    settle(stream);
    let local = stream.local_addr().ok()?;
    Some(Flow { transport, local, remote, connection: streams.number() })
}

/// A stranger's certificate, an old version, or no TLS at all.
fn failed(streams: &Streams, remote: SocketAddr, why: &str) {
    metrics::counter!("strowger_tls_handshakes_failed_total").increment(1);
    if streams.may_log() {
        tracing::info!(source = %remote, why, "a TLS handshake failed");
    }
}
