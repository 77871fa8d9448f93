//! ICE over TCP (RFC 6544), its passive end: connections to the shared port, whose packets are
//! framed by their lengths (RFC 4571).

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use base::{Duration, Instant};
use media::MAX_DATAGRAM;
use socket2::{Domain, Protocol, Socket, Type};

use super::family::canonical;
use super::shared::{TOKEN_LISTENER, TOKEN_STREAMS};
use crate::poller::Poller;

/// Connections of one worker.
const MOST: usize = 4096;
/// A connection over which nothing came for so long is closed: browsers check every few seconds.
const IDLE: Duration = Duration::from_secs(35);
/// How often that is looked for, when new ones come.
const SWEEP: Duration = Duration::from_secs(5);
/// Bytes of a frame's length.
const HEAD: usize = 2;
/// What is read and not yet a whole packet.
const ROOM: usize = 2 * (HEAD + MAX_DATAGRAM);
/// What waits to be sent; a packet that finds more is lost, as it would be over UDP.
const UNSENT: usize = 32 << 10;

/// The listener and its connections.
pub(super) struct Streams {
    listener: TcpListener,
    connections: HashMap<u64, Connection>,
    by_address: HashMap<SocketAddr, u64>,
    last: u64,
    swept: Instant,
}

struct Connection {
    socket: TcpStream,
    peer: SocketAddr,
    /// What is read and not yet taken stands between the two.
    received: Box<[u8; ROOM]>,
    taken: usize,
    filled: usize,
    /// What the kernel has not taken yet.
    unsent: Vec<u8>,
    heard: Instant,
}

impl Streams {
    pub(super) fn listen(
        poller: &Poller,
        at: SocketAddr,
        traffic_class: u32,
        is_one_of_many: bool,
    ) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(is_one_of_many)?;
        if at.is_ipv4() {
            socket.set_tos_v4(traffic_class)?;
        } else {
            socket.set_only_v6(!at.ip().is_unspecified())?;
            socket.set_tclass_v6(traffic_class)?;
        }
        socket.bind(&at.into())?;
        socket.listen(256)?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from(socket);
        poller.add(&listener, TOKEN_LISTENER)?;
        let (connections, by_address) = (HashMap::new(), HashMap::new());
        Ok(Self { listener, connections, by_address, last: 0, swept: Instant::ZERO })
    }

    /// Takes new connections in; when there are too many, only once others have gone.
    pub(super) fn accept(&mut self, now: Instant, poller: &Poller) {
        self.sweep(now);
        while let Ok((socket, peer)) = self.listener.accept() {
            if self.connections.len() >= MOST || socket.set_nonblocking(true).is_err() {
                continue;
            }
            let _ = socket.set_nodelay(true);
            self.last += 1;
            let number = self.last;
            if poller.add(&socket, TOKEN_STREAMS + number).is_err() {
                continue;
            }
            let peer = canonical(peer);
            let connection = Connection {
                socket,
                peer,
                received: Box::new([0; ROOM]),
                taken: 0,
                filled: 0,
                unsent: Vec::new(),
                heard: now,
            };
            self.connections.insert(number, connection);
            self.by_address.insert(peer, number);
        }
    }

    /// Reads what a connection has; it is closed when it ended or is not what it should be.
    pub(super) fn read(&mut self, now: Instant, number: u64) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        match connection.read() {
            Ok(length) if length > 0 => connection.heard = now,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            _ => self.close(number),
        }
    }

    /// The next whole packet of a connection, and whose it is. One whose packets are longer than
    /// any of ours is closed.
    pub(super) fn next_packet(&mut self, number: u64) -> Option<(SocketAddr, &mut [u8])> {
        let length = self.connections.get(&number)?.next_length()?;
        if length > MAX_DATAGRAM {
            self.close(number);
            return None;
        }
        let connection = self.connections.get_mut(&number)?;
        let start = connection.taken + HEAD;
        if start + length > connection.filled {
            return None;
        }
        connection.taken = start + length;
        Some((connection.peer, connection.received.get_mut(start..start + length)?))
    }

    /// Sends a packet whole, or not at all; `None`: there is no connection to there.
    pub(super) fn send(&mut self, to: SocketAddr, bytes: &[u8]) -> Option<bool> {
        let number = self.by_address.get(&to).copied()?;
        let sent = self.connections.get_mut(&number)?.send(bytes);
        if sent.is_err() {
            self.close(number);
        }
        Some(sent.unwrap_or(false))
    }

    fn close(&mut self, number: u64) {
        let Some(connection) = self.connections.remove(&number) else { return };
        if self.by_address.get(&connection.peer) == Some(&number) {
            self.by_address.remove(&connection.peer);
        }
    }

    /// Closes what has been silent for too long.
    fn sweep(&mut self, now: Instant) {
        if now.since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        self.connections.retain(|_, connection| now.since(connection.heard) < IDLE);
        let connections = &self.connections;
        self.by_address.retain(|_, number| connections.contains_key(number));
    }
}

impl Connection {
    /// The length of the packet that comes next, when that is known.
    fn next_length(&self) -> Option<usize> {
        let head = self.received.get(self.taken..self.filled)?.first_chunk::<HEAD>()?;
        Some(usize::from(u16::from_be_bytes(*head)))
    }

    /// Reads behind what is there, which moves to the beginning first: less than a packet.
    fn read(&mut self) -> std::io::Result<usize> {
        self.received.copy_within(self.taken..self.filled, 0);
        (self.taken, self.filled) = (0, self.filled - self.taken);
        let room = self.received.get_mut(self.filled..).unwrap_or_default();
        let length = self.socket.read(room)?;
        self.filled += length;
        Ok(length)
    }

    fn send(&mut self, bytes: &[u8]) -> std::io::Result<bool> {
        self.flush()?;
        let Ok(length) = u16::try_from(bytes.len()) else { return Ok(false) };
        if self.unsent.len() + HEAD + bytes.len() > UNSENT {
            return Ok(false);
        }
        self.unsent.extend_from_slice(&length.to_be_bytes());
        self.unsent.extend_from_slice(bytes);
        self.flush()?;
        Ok(true)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
