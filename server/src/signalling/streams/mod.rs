//! SIP over connections (RFC 3261 §18, RFC 7118): TCP, TLS and WebSocket, on tokio. What differs
//! between them is how bytes become messages; one implementation carries all of them.

mod accept;
mod carry;
mod connect;
mod framed;
mod websocket;
mod websocket_client;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpUserTimeout;
use sip::Flow;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

pub(super) use self::accept::{accept_tcp, accept_tls};
pub(super) use self::connect::{Way, connect};
pub(crate) use self::websocket::gate;
use crate::config::Limits;
use crate::quota::Quota;
use crate::wake;

/// TLS handshakes under way at once, all sources and one: each costs a signature.
const HANDSHAKES: usize = 512;
const HANDSHAKES_PER_SOURCE: usize = 64;
/// Lines about failed handshakes in a minute.
const LINES: u32 = 30;
/// The kernel asks a peer that was silent for this long whether it is there, and how often.
const SILENCE: Duration = Duration::from_secs(60);
const PROBE: Duration = Duration::from_secs(10);
/// What it has not acknowledged for so long, in milliseconds, was lost with the path: sooner than a
/// transaction gives up (Timer B, 32 s).
const UNACKNOWLEDGED: u32 = 20_000;

/// What happened on a connection, in order.
#[derive(Debug)]
pub(super) enum StreamInput {
    /// It is there. `names` are those of the peer's verified certificate; `way` is where it was
    /// asked to go, if we made it.
    Opened { flow: Flow, writer: mpsc::Sender<Bytes>, names: Vec<String>, way: Option<Way> },
    /// It was asked for and cannot be had.
    Unreached { way: Way, why: String },
    /// A message came.
    Message { flow: Flow, bytes: Bytes },
    /// The peer, who made it, pinged or answered a ping.
    KeptAlive { flow: Flow },
    /// It is gone; told once for each that was opened.
    Closed { flow: Flow },
}

/// What all connections share: their limits, their numbers and the way to the signalling thread.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Shared>);

struct Shared {
    inputs: wake::Sender<StreamInput>,
    connections: Arc<Quota>,
    handshakes: Arc<Quota>,
    idle: Duration,
    keep_alive: Option<Duration>,
    next: AtomicU64,
    lines: Mutex<Lines>,
}

/// Lines about failures that were logged in this minute: the others are only counted.
struct Lines {
    since: Instant,
    logged: u32,
}

impl Streams {
    /// `keep_alive` is how often peers are pinged over the connections that we make.
    pub(super) fn new(
        limits: &Limits,
        keep_alive: Option<Duration>,
        inputs: wake::Sender<StreamInput>,
    ) -> Self {
        Self(Arc::new(Shared {
            inputs,
            connections: Quota::new(limits.tcp_connections, limits.tcp_connections_per_source),
            handshakes: Quota::new(HANDSHAKES, HANDSHAKES_PER_SOURCE),
            idle: Duration::from_secs(limits.tcp_idle_s),
            keep_alive,
            next: AtomicU64::new(1),
            lines: Mutex::new(Lines { since: Instant::now(), logged: 0 }),
        }))
    }

    /// Whether a peer's failure may be logged: no flood of them fills the disk.
    fn may_log(&self) -> bool {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.since.elapsed() >= Duration::from_secs(60) {
            *lines = Lines { since: Instant::now(), logged: 0 };
        }
        lines.logged += 1;
        lines.logged <= LINES
    }

    /// A connection's number, never given twice.
    fn number(&self) -> u64 {
        self.0.next.fetch_add(1, Ordering::Relaxed)
    }

    async fn tell(&self, input: StreamInput) -> Result<(), wake::Ended> {
        self.0.inputs.send(input).await
    }
}

/// Small messages go at once; a peer that vanished without a word is noticed.
fn settle(stream: &TcpStream) {
    let beats = TcpKeepalive::new().with_time(SILENCE).with_interval(PROBE).with_retries(3);
    // Fails only on a connection that is already gone; reading finds that out.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&beats);
    let _ = setsockopt(stream, TcpUserTimeout, &UNACKNOWLEDGED);
}

/// A connection that its source may not have.
fn refused(transport: sip::Transport) {
    let transport = transport.name();
    metrics::counter!("strowger_sip_connections_refused_total", "transport" => transport)
        .increment(1);
}
