//! A copy of all signalling for Homer (HEP3 over UDP), made beside the calls: what does not fit into
//! its queue is dropped and counted, and no call waits for it.

mod packet;

use std::net::SocketAddr;

use base::UnixTime;
use bytes::Bytes;
use metrics::Counter;
use sip::Flow;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use self::packet::Packet;
use crate::config;

/// Messages that may wait for the network.
const WAITING: usize = 4_096;
/// Messages taken from the queue at once.
const BATCH: usize = 64;

/// One message as it was on the wire.
#[derive(Debug, Clone)]
struct Seen {
    at: UnixTime,
    flow: Flow,
    direction: Direction,
    bytes: Bytes,
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
}

/// The signalling thread's end.
pub(crate) struct Hep {
    queue: mpsc::Sender<Seen>,
    dropped: Counter,
}

impl Hep {
    /// Starts copying to `server` on the current tokio runtime; ends when it is dropped.
    ///
    /// # Errors
    /// When there is no socket to send from.
    pub(crate) fn start(config: &config::Hep) -> std::io::Result<Option<Self>> {
        let Some(server) = config.server else { return Ok(None) };
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
            SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
        };
        let socket = std::net::UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let (queue, seen) = mpsc::channel(WAITING);
        tokio::spawn(copy(socket, server, config.clone(), seen));
        let dropped = metrics::counter!("strowger_hep_packets_total", "outcome" => "dropped");
        Ok(Some(Self { queue, dropped }))
    }

    /// Has a copy of a message sent, or drops it.
    pub(crate) fn copy(&self, at: UnixTime, flow: Flow, direction: Direction, bytes: Bytes) {
        if self.queue.try_send(Seen { at, flow, direction, bytes }).is_err() {
            self.dropped.increment(1);
        }
    }
}

async fn copy(
    socket: UdpSocket,
    server: SocketAddr,
    config: config::Hep,
    mut queue: mpsc::Receiver<Seen>,
) {
    let packet = Packet::new(config.capture_id, config.password.as_deref());
    let count = |outcome| metrics::counter!("strowger_hep_packets_total", "outcome" => outcome);
    let (sent, unsent) = (count("sent"), count("unsent"));
    let (mut batch, mut buffer) = (Vec::with_capacity(BATCH), Vec::new());
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        for seen in batch.drain(..) {
            packet.write(&seen, &mut buffer);
            // A server that is not there is its operator's to notice; calls go on.
            let counter = match socket.send_to(&buffer, server).await {
                Ok(_) => &sent,
                Err(_) => &unsent,
            };
            counter.increment(1);
        }
    }
}
