//! The port that all browsers' legs of a worker share: one UDP socket, read and written many
//! packets at a time, and TCP connections to the same number for networks that block UDP.

use std::net::{SocketAddr, UdpSocket};

use base::Instant;
use media::dtls::Identity;
use media::{MAX_DATAGRAM, Port};
use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};

use super::family::{canonical, mapped};
use super::sockets::bind;
use super::streams::Streams;
use crate::poller::Poller;

/// Its token; those of others are above it, and no slot's index comes near them.
const TOKEN_DATAGRAMS: u64 = u64::MAX - 8;
/// The listener's, and from which on a token is a connection's.
pub(super) const TOKEN_LISTENER: u64 = u64::MAX - 9;
pub(super) const TOKEN_STREAMS: u64 = 1 << 62;
/// A fifth of a second of 2,000 legs.
const KERNEL_BUFFER: usize = 4 << 20;
/// Packets read before others have their turn.
const AT_ONCE: usize = 64;

/// Whether a token is of anything here.
pub(super) fn is_shared(token: u64) -> bool {
    (TOKEN_STREAMS..=TOKEN_DATAGRAMS).contains(&token)
}

/// Where a worker's browsers come in.
pub(crate) struct Door {
    pub(crate) at: SocketAddr,
    pub(crate) tcp: bool,
    pub(crate) identity: Identity,
}

/// The open door.
pub(super) struct Shared {
    socket: UdpSocket,
    is_v6: bool,
    streams: Option<Streams>,
    packet: Box<[u8; MAX_DATAGRAM]>,
}

impl Shared {
    /// # Errors
    /// When somebody else has the port.
    pub(super) fn open(poller: &Poller, door: &Door, class: u32) -> std::io::Result<Self> {
        let named = |error: std::io::Error| {
            let text = format!("webrtc.port: {} cannot be had: {error}", door.at);
            std::io::Error::new(error.kind(), text)
        };
        let socket = bind(door.at, class, KERNEL_BUFFER).map_err(named)?;
        poller.add(&socket, TOKEN_DATAGRAMS)?;
        let streams = door.tcp.then(|| Streams::listen(poller, door.at, class));
        let streams = streams.transpose().map_err(named)?;
        let packet = Box::new([0; MAX_DATAGRAM]);
        Ok(Self { socket, is_v6: door.at.is_ipv6(), streams, packet })
    }

    /// Reads what there is, up to a fair number of packets.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        poller: &Poller,
        token: u64,
        mut take: impl FnMut(&mut Self, Port, SocketAddr, &mut [u8]),
    ) {
        if token != TOKEN_DATAGRAMS {
            return self.receive_stream(now, poller, token, take);
        }
        let mut packet = [0; MAX_DATAGRAM];
        for _ in 0..AT_ONCE {
            let read = recvfrom(&self.socket, &mut packet, RecvFlags::empty());
            let Ok((_, length, Some(source))) = read else { return };
            let Ok(source) = SocketAddr::try_from(source) else { continue };
            let Some(bytes) = packet.get_mut(..length) else { continue };
            take(self, Port::Shared, canonical(source), bytes);
        }
    }

    fn receive_stream(
        &mut self,
        now: Instant,
        poller: &Poller,
        token: u64,
        mut take: impl FnMut(&mut Self, Port, SocketAddr, &mut [u8]),
    ) {
        let Some(streams) = &mut self.streams else { return };
        if token == TOKEN_LISTENER {
            return streams.accept(now, poller);
        }
        let number = token - TOKEN_STREAMS;
        streams.read(now, number);
        for _ in 0..AT_ONCE {
            let Some(streams) = &mut self.streams else { return };
            let Some((source, length)) = streams.next_packet(number, &mut self.packet) else {
                return;
            };
            let mut packet = *self.packet;
            if let Some(bytes) = packet.get_mut(..length) {
                take(self, Port::Stream, source, bytes);
            }
        }
    }

    /// False when the kernel took it not: a late packet would be worth nothing.
    pub(super) fn send(&mut self, port: Port, to: SocketAddr, bytes: &[u8]) -> bool {
        if port == Port::Stream {
            return self.streams.as_mut().is_some_and(|streams| streams.send(to, bytes));
        }
        sendto(&self.socket, bytes, SendFlags::empty(), &mapped(to, self.is_v6)).is_ok()
    }
}
