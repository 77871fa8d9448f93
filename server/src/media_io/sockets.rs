//! The RTP and RTCP sockets of one worker, by slot.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use media::{Port, Slot};
use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};
use socket2::{Domain, Protocol, Socket, Type};

use crate::poller::Poller;

/// The bell's token; no slot's index comes near it.
pub(super) const TOKEN_BELL: u64 = u64::MAX;
/// Expedited forwarding (RFC 3246), as the traffic class byte.
const DSCP_EF: u32 = 0xb8;
/// A second of G.711 packets with the kernel's bookkeeping.
const KERNEL_BUFFER: usize = 64 << 10;

/// A slot's index and which of its two sockets, as epoll's user word.
#[derive(Clone, Copy)]
pub(super) struct Token(pub(super) u64);

impl Token {
    fn new(slot: Slot, port: Port) -> Self {
        Self((u64::from(slot.index) << 1) | u64::from(port == Port::Rtcp))
    }

    fn index(self) -> usize {
        usize::try_from(self.0 >> 1).unwrap_or(usize::MAX)
    }

    fn port(self) -> Port {
        if self.0 & 1 == 0 { Port::Rtp } else { Port::Rtcp }
    }
}

/// One received packet; its bytes are in the caller's buffer.
pub(super) struct Received {
    pub(super) slot: Slot,
    pub(super) port: Port,
    pub(super) source: SocketAddr,
    pub(super) length: usize,
}

struct Pair {
    slot: Slot,
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Pair {
    fn of(&self, port: Port) -> &UdpSocket {
        match port {
            Port::Rtp => &self.rtp,
            Port::Rtcp => &self.rtcp,
        }
    }
}

/// All of a worker's pairs.
pub(super) struct Sockets {
    address: IpAddr,
    pairs: Vec<Option<Pair>>,
}

impl Sockets {
    pub(super) fn new(address: IpAddr) -> Self {
        Self { address, pairs: Vec::new() }
    }

    pub(super) fn open(&mut self, poller: &Poller, slot: Slot, port: u16) -> std::io::Result<()> {
        let pair = Pair {
            slot,
            rtp: bind(SocketAddr::new(self.address, port))?,
            rtcp: bind(SocketAddr::new(self.address, port.saturating_add(1)))?,
        };
        poller.add(&pair.rtp, Token::new(slot, Port::Rtp).0)?;
        poller.add(&pair.rtcp, Token::new(slot, Port::Rtcp).0)?;
        let index = Token::new(slot, Port::Rtp).index();
        if self.pairs.len() <= index {
            self.pairs.resize_with(index + 1, || None);
        }
        self.pairs[index] = Some(pair);
        Ok(())
    }

    /// A socket that is closed is watched no more: nobody else has it (`files::part`).
    pub(super) fn close(&mut self, slot: Slot) {
        let index = Token::new(slot, Port::Rtp).index();
        if let Some(place) = self.pairs.get_mut(index) {
            place.take_if(|pair| pair.slot == slot);
        }
    }

    /// Reads one packet; none when there is none after all or the pair was just closed.
    pub(super) fn receive(&self, token: Token, into: &mut [u8]) -> Option<Received> {
        let pair = self.pairs.get(token.index())?.as_ref()?;
        let port = token.port();
        let (_, length, source) = recvfrom(pair.of(port), &mut *into, RecvFlags::empty()).ok()?;
        let source = SocketAddr::try_from(source?).ok()?;
        // Over a socket of both families IPv4 comes mapped.
        let source = match source.ip().to_canonical() {
            IpAddr::V4(ip) => (ip, source.port()).into(),
            IpAddr::V6(_) => source,
        };
        Some(Received { slot: pair.slot, port, source, length })
    }

    /// False when the kernel took it not: a late packet would be worth nothing.
    pub(super) fn send(&self, slot: Slot, port: Port, to: SocketAddr, bytes: &[u8]) -> bool {
        let to = match (self.address, to.ip()) {
            // A socket of both families takes IPv4 as mapped addresses (RFC 4291 §2.5.5.2).
            (IpAddr::V6(_), IpAddr::V4(ip)) => (ip.to_ipv6_mapped(), to.port()).into(),
            _ => to,
        };
        let index = Token::new(slot, port).index();
        let pair = self.pairs.get(index).and_then(Option::as_ref);
        pair.filter(|pair| pair.slot == slot)
            .is_some_and(|pair| sendto(pair.of(port), bytes, SendFlags::empty(), &to).is_ok())
    }
}

fn bind(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let kind = Type::DGRAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(KERNEL_BUFFER)?;
    if address.is_ipv4() {
        socket.set_tos_v4(DSCP_EF)?;
    } else {
        socket.set_tclass_v6(DSCP_EF)?;
        let both = address.ip().is_unspecified();
        socket.set_only_v6(!both)?;
        if both {
            socket.set_tos_v4(DSCP_EF)?;
        }
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}
