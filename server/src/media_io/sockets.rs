//! The RTP and RTCP sockets of one worker, by slot.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use media::{Port, Slot};
use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Rtp;
use crate::poller::Poller;

/// The bell's token; no slot's index comes near it.
pub(super) const TOKEN_BELL: u64 = u64::MAX;
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

/// Which address a port is bound to, and with which class of service.
pub(crate) struct Places {
    /// For all ports that are not of `others`.
    address: IpAddr,
    others: Vec<(RangeInclusive<u16>, IpAddr)>,
    /// The byte that IP carries (RFC 2474 §3).
    traffic_class: u32,
}

impl Places {
    pub(crate) fn of(config: &Rtp) -> Self {
        let others = config.interfaces.iter();
        let others = others.filter_map(|of| Some((of.range()?, of.address))).collect();
        Self { address: config.address, others, traffic_class: u32::from(config.dscp) << 2 }
    }

    /// The byte that IP carries.
    pub(super) fn traffic_class(&self) -> u32 {
        self.traffic_class
    }

    fn address(&self, port: u16) -> IpAddr {
        let own = self.others.iter().find(|(ports, _)| ports.contains(&port));
        own.map_or(self.address, |(_, address)| *address)
    }

    /// All addresses that ports are bound to.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        std::iter::once(self.address).chain(self.others.iter().map(|(_, address)| *address))
    }

    /// A port's address, and which of [`Places::addresses`] that is.
    pub(super) fn of_port(&self, port: u16) -> (u16, IpAddr) {
        let own = (1..).zip(&self.others).find(|(_, (ports, _))| ports.contains(&port));
        own.map_or((0, self.address), |(number, (_, address))| (number, *address))
    }
}

struct Pair {
    slot: Slot,
    is_v6: bool,
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Pair {
    fn of(&self, port: Port) -> &UdpSocket {
        match port {
            Port::Rtcp => &self.rtcp,
            _ => &self.rtp,
        }
    }
}

/// All of a worker's pairs.
pub(super) struct Sockets {
    places: Places,
    pairs: Vec<Option<Pair>>,
}

impl Sockets {
    pub(super) fn new(places: Places) -> Self {
        Self { places, pairs: Vec::new() }
    }

    pub(super) fn open(&mut self, poller: &Poller, slot: Slot, port: u16) -> std::io::Result<()> {
        let (address, class) = (self.places.address(port), self.places.traffic_class);
        let pair = Pair {
            slot,
            is_v6: address.is_ipv6(),
            rtp: bind(SocketAddr::new(address, port), class, KERNEL_BUFFER)?,
            rtcp: bind(SocketAddr::new(address, port.saturating_add(1)), class, KERNEL_BUFFER)?,
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
        let index = Token::new(slot, port).index();
        let pair = self.pairs.get(index).and_then(Option::as_ref);
        let Some(pair) = pair.filter(|pair| pair.slot == slot) else { return false };
        let to = match to.ip() {
            // A socket of both families takes IPv4 as mapped addresses (RFC 4291 §2.5.5.2).
            IpAddr::V4(ip) if pair.is_v6 => (ip.to_ipv6_mapped(), to.port()).into(),
            _ => to,
        };
        sendto(pair.of(port), bytes, SendFlags::empty(), &to).is_ok()
    }
}

/// An ordinary socket for one port.
pub(super) fn bind(
    address: SocketAddr,
    traffic_class: u32,
    buffer: usize,
) -> std::io::Result<UdpSocket> {
    let kind = Type::DGRAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(buffer)?;
    if address.is_ipv4() {
        socket.set_tos_v4(traffic_class)?;
    } else {
        socket.set_tclass_v6(traffic_class)?;
        let both = address.ip().is_unspecified();
        socket.set_only_v6(!both)?;
        if both {
            socket.set_tos_v4(traffic_class)?;
        }
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Interface;

    #[test]
    fn a_port_is_bound_to_its_interface_and_marked_with_the_class_of_service() {
        let free = UdpSocket::bind("127.0.0.9:0").unwrap().local_addr().unwrap().port() & !1;
        let inside = Interface {
            address: "127.0.0.9".parse().unwrap(),
            advertised: None,
            ports: format!("{free}-{}", free + 1),
            networks: vec!["10.0.0.0/8".to_owned()],
        };
        let address = "127.0.0.1".parse().unwrap();
        let rtp = Rtp { address, dscp: 34, interfaces: vec![inside], ..Rtp::default() };
        let poller = Poller::new().unwrap();
        let mut sockets = Sockets::new(Places::of(&rtp));
        let slot = Slot { index: 0, generation: 0 };
        sockets.open(&poller, slot, free).unwrap();
        let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        assert!(sockets.send(slot, Port::Rtp, to, b"hello"));
        let (_, from) = listener.recv_from(&mut [0; 16]).unwrap();
        assert_eq!(from, SocketAddr::new("127.0.0.9".parse().unwrap(), free));
        let pair = sockets.pairs[0].as_ref().unwrap();
        let class = socket2::SockRef::from(&pair.rtp).tos_v4().unwrap();
        assert_eq!(class, 34 << 2);
        assert_eq!(sockets.places.address(free.wrapping_sub(2)), rtp.address);
    }
}
