//! SIP over TCP (RFC 3261 §18.3): accepts, frames and writes on tokio; bounded queues both ways.
//!
//! Reading slows down with the signalling thread (its queue is awaited); a peer that does not read
//! what we write is disconnected when its queue is full. A framing fault closes its connection only.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base::Duration;
use bytes::Bytes;
use sip::framing::{Frame, Framer};
use sip::{Flow, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::config::Limits;
use crate::wake;

/// Messages that may wait for a slow reader of ours before it is disconnected.
const OUTBOUND: usize = 256;
/// A new connection must deliver its first whole message within this time.
const FIRST_MESSAGE: Duration = Duration::from_secs(32);
/// A write that makes no progress for this long means a dead peer.
const WRITE: Duration = Duration::from_secs(32);

/// A connection with broken framing stays open this long for the answer.
const LAST_ANSWER: Duration = Duration::from_millis(500);

/// What happened on a connection, in order.
#[derive(Debug)]
pub(super) enum StreamInput {
    Opened { flow: Flow, writer: mpsc::Sender<Bytes> },
    Message { flow: Flow, bytes: Bytes },
    Closed { flow: Flow },
}

/// Counts connections and gives them numbers; shared by all listeners.
pub(super) struct Connections {
    limits: Limits,
    next: AtomicU64,
    open: Mutex<BTreeMap<IpAddr, usize>>,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, next: AtomicU64::new(1), open: Mutex::default() })
    }

    /// A place for one more connection of this source, if its limits allow it.
    fn admit(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.get(&source).copied().unwrap_or(0);
        if all >= self.limits.tcp_connections || own >= self.limits.tcp_connections_per_source {
            return None;
        }
        open.insert(source, own + 1);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Some(Place { connections: self.clone(), source, number })
    }
}

/// A connection's place in the limits; dropping it gives the place back.
struct Place {
    connections: Arc<Connections>,
    source: IpAddr,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.source) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.source);
            }
        }
    }
}

/// Accepts until the signalling thread has ended.
pub(super) async fn accept(
    listener: TcpListener,
    connections: Arc<Connections>,
    inputs: wake::Sender<StreamInput>,
) {
    let Ok(local) = listener.local_addr() else { return };
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => match connections.admit(remote.ip()) {
                Some(place) => {
                    tokio::spawn(serve(stream, local, remote, place, inputs.clone()));
                }
                None => metrics::counter!("strowger_sip_tcp_refused_total").increment(1),
            },
            // Out of descriptors: wait for some to come back instead of spinning.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve(
    stream: TcpStream,
    local: SocketAddr,
    remote: SocketAddr,
    place: Place,
    inputs: wake::Sender<StreamInput>,
) {
    // Fails only on a connection that is already gone; reading finds that out.
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().unwrap_or(local);
    let flow = Flow { transport: Transport::Tcp, local, remote, connection: place.number };
    let (reader, socket) = stream.into_split();
    let (writer, queue) = mpsc::channel(OUTBOUND);
    // Weak: when the signalling thread drops its end, the writer ends, and with it the connection.
    let pings = writer.downgrade();
    let opened = StreamInput::Opened { flow, writer };
    if inputs.send(opened).await.is_err() {
        return;
    }
    let idle = Duration::from_secs(place.connections.limits.tcp_idle_s);
    tokio::select! {
        () = read(reader, flow, idle, &pings, &inputs) => {}
        () = write(socket, queue) => {}
    }
    // The signalling thread may have ended meanwhile; then nobody needs to know.
    let _ = inputs.send(StreamInput::Closed { flow }).await;
}

/// Reads frames until the peer closes, idles or breaks the framing.
async fn read(
    mut reader: OwnedReadHalf,
    flow: Flow,
    idle: Duration,
    pings: &mpsc::WeakSender<Bytes>,
    inputs: &wake::Sender<StreamInput>,
) {
    let mut framer = Framer::new();
    let mut buffer = vec![0; 16 << 10];
    let mut last = tokio::time::Instant::now();
    let mut patience = FIRST_MESSAGE.min(idle);
    loop {
        let Ok(Ok(length)) =
            tokio::time::timeout_at(last + patience, reader.read(&mut buffer)).await
        else {
            return;
        };
        if length == 0 {
            return;
        }
        framer.push(&buffer[..length]);
        while let Some(frame) = framer.poll() {
            (last, patience) = (tokio::time::Instant::now(), idle);
            match frame {
                Ok(Frame::Message(bytes)) => {
                    if inputs.send(StreamInput::Message { flow, bytes }).await.is_err() {
                        return;
                    }
                }
                // RFC 5626 §4.4.1: the keep-alive's answer.
                Ok(Frame::Ping) => {
                    let Some(pings) = pings.upgrade() else { return };
                    if pings.try_send(Bytes::from_static(b"\r\n")).is_err() {
                        return;
                    }
                }
                Ok(Frame::Pong) => {}
                // The transaction layer answers what can be answered, then the peer goes.
                Err(fault) => {
                    metrics::counter!("strowger_sip_tcp_framing_faults_total").increment(1);
                    if let Some(bytes) = fault.head
                        && inputs.send(StreamInput::Message { flow, bytes }).await.is_ok()
                    {
                        tokio::time::sleep(LAST_ANSWER).await;
                    }
                    return;
                }
            }
        }
    }
}

/// Writes what is queued until the signalling thread drops its end or the peer stops reading.
async fn write(mut socket: OwnedWriteHalf, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = queue.recv().await {
        let written = tokio::time::timeout(WRITE, socket.write_all(&bytes)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}
