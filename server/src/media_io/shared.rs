//! The port that all browsers' legs share: a UDP socket of each worker, read and written many
//! packets at a time, and TCP connections to the same number for networks that block UDP.

use std::io::IoSlice;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use base::Instant;
use media::dtls::Identity;
use media::ice::TransportAddress;
use media::{Batch, Datagram, Port, WorkerId};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg, setsockopt, sockopt};
use rustix::net::{SendFlags, sendto};

use super::arrivals::{ARRIVALS, Arrivals};
use super::family::mapped;
use super::neighbours::{Neighbourhood, Neighbours, Taken};
use super::sockets::unbound;
use super::steered::Sent;
use super::streams::Streams;
use crate::poller::Poller;

/// Its token; those of others are above it, and no slot's index comes near them.
const TOKEN_DATAGRAMS: u64 = u64::MAX - 8;
/// The listener's, and from which on a token is a connection's.
pub(super) const TOKEN_LISTENER: u64 = u64::MAX - 9;
pub(super) const TOKEN_STREAMS: u64 = 1 << 62;
/// A fifth of a second of 2,000 legs.
const KERNEL_BUFFER: usize = 4 << 20;
/// Datagrams sent by one system call.
const DEPARTURES: usize = 64;

/// Whether a token is of anything here.
pub(super) fn is_shared(token: u64) -> bool {
    (TOKEN_STREAMS..=TOKEN_DATAGRAMS).contains(&token)
}

/// Where a worker's browsers come in.
pub(crate) struct Door {
    pub(crate) at: SocketAddr,
    pub(crate) tcp: bool,
    pub(crate) identity: Identity,
    /// The other workers at the same port.
    pub(crate) neighbours: Option<Neighbourhood>,
}

/// The open door.
pub(super) struct Shared {
    socket: UdpSocket,
    is_v6: bool,
    arrivals: Arrivals,
    /// Of those that came last, which is next.
    next: usize,
    departures: Departures,
    streams: Option<Streams>,
    neighbours: Option<Neighbours>,
}

/// What is read next.
pub(super) enum Next<'a> {
    /// Nothing any more.
    Nothing,
    /// A packet that was another worker's.
    HandedOver,
    /// A packet for the plane. If it was a good check, say so ([`Shared::settle`]).
    Own(TransportAddress, &'a mut [u8]),
}

impl Shared {
    /// # Errors
    /// When somebody else has the port.
    pub(super) fn open(
        poller: &Poller,
        worker: WorkerId,
        door: &Door,
        class: u32,
    ) -> std::io::Result<Self> {
        let named = |error: std::io::Error| {
            let text = format!("webrtc.port: {} cannot be had: {error}", door.at);
            std::io::Error::new(error.kind(), text)
        };
        let is_one_of_many = door.neighbours.is_some();
        let socket = bind(door.at, class, is_one_of_many).map_err(named)?;
        poller.add(&socket, TOKEN_DATAGRAMS)?;
        let listen = || Streams::listen(poller, door.at, class, is_one_of_many);
        let streams = door.tcp.then(listen).transpose().map_err(named)?;
        let neighbours = door.neighbours.clone().map(|all| Neighbours::new(worker, all));
        Ok(Self {
            socket,
            is_v6: door.at.is_ipv6(),
            arrivals: Arrivals::new(),
            next: 0,
            departures: Departures::new(),
            streams,
            neighbours,
        })
    }

    /// Reads what there is, up to a fair number of packets, for [`Shared::next`]; whether there
    /// may be more.
    pub(super) fn receive(&mut self, now: Instant, poller: &Poller, token: u64) -> bool {
        self.next = 0;
        match (token, &mut self.streams) {
            (TOKEN_DATAGRAMS, _) => self.arrivals.receive(&self.socket) == ARRIVALS,
            (TOKEN_LISTENER, Some(streams)) => {
                streams.accept(now, poller);
                false
            }
            (_, Some(streams)) => {
                streams.read(now, token - TOKEN_STREAMS);
                false
            }
            (_, None) => false,
        }
    }

    /// The next packet of those that were read.
    pub(super) fn next(&mut self, token: u64) -> Next<'_> {
        let Self { arrivals, next, streams, neighbours, .. } = self;
        let (from, bytes) = match (token, streams) {
            (TOKEN_DATAGRAMS, _) => {
                if *next >= arrivals.len() {
                    return Next::Nothing;
                }
                *next += 1;
                // One that was too long is passed over like one that is another's.
                let Some(arrival) = arrivals.get(*next - 1) else { return Next::HandedOver };
                let from = TransportAddress { port: Port::Shared, address: arrival.source };
                (from, arrival.bytes)
            }
            (TOKEN_LISTENER, _) | (_, None) => return Next::Nothing,
            (_, Some(streams)) => match streams.next_packet(token - TOKEN_STREAMS) {
                Some((address, bytes)) => (TransportAddress { port: Port::Stream, address }, bytes),
                None => return Next::Nothing,
            },
        };
        if neighbours.as_mut().is_some_and(|others| others.hand_over(from, bytes)) {
            return Next::HandedOver;
        }
        Next::Own(from, bytes)
    }

    /// A packet that came in here was a good check.
    pub(super) fn settle(&mut self, now: Instant, from: TransportAddress) {
        if let Some(neighbours) = &mut self.neighbours {
            neighbours.settle(now, None, from);
        }
    }

    /// How much other workers have for this one.
    pub(super) fn waiting(&self) -> usize {
        self.neighbours.as_ref().map_or(0, Neighbours::waiting)
    }

    /// Takes over the next of what came to other workers. `take` gives a packet to the plane, and
    /// says whether it was a good check.
    pub(super) fn take_over(
        &mut self,
        now: Instant,
        take: impl FnOnce(TransportAddress, &mut [u8]) -> bool,
    ) {
        let Self { neighbours: Some(neighbours), streams, .. } = self else { return };
        neighbours.take_over(now, |neighbours, taken| match taken {
            Taken::In { by, from, bytes } => {
                if take(from, bytes) {
                    neighbours.settle(now, Some(by), from);
                }
            }
            Taken::Out { to, bytes } => {
                if let Some(streams) = streams {
                    streams.send(to, bytes);
                }
            }
        });
    }

    /// Wakes the workers whom something was handed over to.
    pub(super) fn ring(&mut self) {
        if let Some(neighbours) = &mut self.neighbours {
            neighbours.ring();
        }
    }

    /// False when the kernel took it not: a late packet would be worth nothing.
    pub(super) fn send(&mut self, port: Port, to: SocketAddr, bytes: &[u8]) -> bool {
        if port != Port::Stream {
            let to = mapped(to, self.is_v6);
            return sendto(&self.socket, bytes, SendFlags::empty(), &to).is_ok();
        }
        let Self { streams, neighbours, .. } = self;
        match streams.as_mut().and_then(|streams| streams.send(to, bytes)) {
            Some(sent) => sent,
            None => neighbours.as_mut().is_some_and(|others| others.hand_out(to, bytes)),
        }
    }

    /// Sends all of a batch that leaves by datagrams.
    pub(super) fn send_all(&mut self, batch: &Batch, sent: &mut Sent) {
        let mut waiting = batch.iter().filter(|one| one.port == Port::Shared).peekable();
        while let Some(first) = waiting.next() {
            if waiting.peek().is_none() {
                sent.count(self.send(Port::Shared, first.to, first.bytes));
                return;
            }
            let many = std::iter::once(first).chain(waiting.by_ref().take(DEPARTURES - 1));
            self.departures.send(&self.socket, self.is_v6, many, sent);
        }
    }
}

/// Datagrams that leave together (sendmmsg(2)).
struct Departures {
    headers: MultiHeaders<SockaddrStorage>,
    to: Vec<Option<SockaddrStorage>>,
}

impl Departures {
    fn new() -> Self {
        let headers = MultiHeaders::preallocate(DEPARTURES, None);
        Self { headers, to: Vec::with_capacity(DEPARTURES) }
    }

    /// Sends up to [`DEPARTURES`].
    fn send<'a>(
        &mut self,
        socket: &UdpSocket,
        is_v6: bool,
        datagrams: impl Iterator<Item = Datagram<'a>>,
        sent: &mut Sent,
    ) {
        let mut packets: [[IoSlice<'_>; 1]; DEPARTURES] =
            std::array::from_fn(|_| [IoSlice::new(&[])]);
        self.to.clear();
        for (packet, datagram) in packets.iter_mut().zip(datagrams) {
            *packet = [IoSlice::new(datagram.bytes)];
            self.to.push(Some(mapped(datagram.to, is_v6).into()));
        }
        let mut done = 0;
        while done < self.to.len() {
            let (rest, to) = (packets.get(done..self.to.len()), self.to.get(done..));
            let (Some(rest), Some(to)) = (rest, to) else { return };
            let flags = MsgFlags::MSG_DONTWAIT;
            match sendmmsg(socket.as_raw_fd(), &mut self.headers, rest, to, [], flags) {
                Ok(taken) => {
                    let taken = taken.count().max(1);
                    sent.sent += taken as u64;
                    done += taken;
                }
                // The first one is at fault; those behind it may be well.
                Err(_) => {
                    sent.unsent += 1;
                    done += 1;
                }
            }
        }
    }
}

/// A socket at the port; one of many if other workers have it too.
fn bind(at: SocketAddr, class: u32, is_one_of_many: bool) -> std::io::Result<UdpSocket> {
    let socket = unbound(at, class, KERNEL_BUFFER)?;
    // More than everybody may have, if we may.
    let _ = setsockopt(&socket, sockopt::RcvBufForce, &KERNEL_BUFFER);
    socket.set_reuse_port(is_one_of_many)?;
    socket.bind(&at.into())?;
    Ok(socket.into())
}
