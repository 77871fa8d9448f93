//! The RTP and RTCP sockets of one worker: which slot has which pair, and which pairs rest.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use base::Instant;
use media::{Port, Slot};
use rustix::io::Errno;
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};
use socket2::{Domain, Protocol, Socket, Type};

use super::family::{canonical, mapped};
use super::rest::Rest;
use crate::config::Rtp;
use crate::poller::Poller;

/// The bell's token; no place comes near it.
pub(super) const TOKEN_BELL: u64 = u64::MAX;
/// A second of G.711 packets with the kernel's bookkeeping.
const KERNEL_BUFFER: usize = 64 << 10;

/// A pair's place and which of its two sockets, as epoll's user word.
#[derive(Clone, Copy)]
pub(super) struct Token(pub(super) u64);

impl Token {
    fn new(place: u32, port: Port) -> Self {
        Self((u64::from(place) << 1) | u64::from(port == Port::Rtcp))
    }

    fn place(self) -> u32 {
        u32::try_from(self.0 >> 1).unwrap_or(u32::MAX)
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

/// The two sockets of one pair of ports, which a stream has or which rest until the next one.
struct Pair {
    /// Whose it is; nobody's while it rests.
    slot: Option<Slot>,
    /// The even one.
    port: u16,
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

/// All of a worker's pairs, each at its place for as long as it is bound.
pub(super) struct Sockets {
    places: Places,
    pairs: Vec<Option<Pair>>,
    free: Vec<u32>,
    /// The place of each slot's pair.
    by_slot: Vec<Option<u32>>,
    rest: Rest,
}

impl Sockets {
    /// `most_resting` is how many pairs may stay bound without a stream.
    pub(super) fn new(places: Places, most_resting: usize) -> Self {
        let rest = Rest::new(most_resting);
        Self { places, pairs: Vec::new(), free: Vec::new(), by_slot: Vec::new(), rest }
    }

    /// Gives a slot the pair of `port`: the one that rests there, or new sockets.
    pub(super) fn open(&mut self, poller: &Poller, slot: Slot, port: u16) -> std::io::Result<()> {
        let rested = self.rest.take(port).and_then(|place| self.quiet(place));
        let place = match rested {
            Some(place) => place,
            None => match self.bind(poller, port) {
                Err(error) if is_shortage(&error) && self.close_all_resting() => {
                    self.bind(poller, port)?
                }
                bound => bound?,
            },
        };
        let index = slot.index as usize;
        if self.by_slot.len() <= index {
            self.by_slot.resize(index + 1, None);
        }
        self.by_slot[index] = Some(place);
        if let Some(pair) = self.pair_mut(place) {
            pair.slot = Some(slot);
        }
        Ok(())
    }

    /// The pair at a place, if no late packet waits in it. One that does is not for the next
    /// stream: the pair is closed, and that packet with it.
    fn quiet(&mut self, place: u32) -> Option<u32> {
        let pair = self.pairs.get(place as usize)?.as_ref()?;
        if hears(&pair.rtp) || hears(&pair.rtcp) {
            self.drop_pair(place);
            return None;
        }
        Some(place)
    }

    fn bind(&mut self, poller: &Poller, port: u16) -> std::io::Result<u32> {
        let (address, class) = (self.places.address(port), self.places.traffic_class);
        let pair = Pair {
            slot: None,
            port,
            is_v6: address.is_ipv6(),
            rtp: bind(SocketAddr::new(address, port), class, KERNEL_BUFFER)?,
            rtcp: bind(SocketAddr::new(address, port.saturating_add(1)), class, KERNEL_BUFFER)?,
        };
        if !pair.is_v6 {
            // What is never cut up needs no number that is like no other's: the kernel saves
            // itself to find one for each packet. Without it all goes as well.
            let _ = set_ip_mtu_discover(&pair.rtp, Ipv4PathMtuDiscovery::DO);
        }
        let place = self.free.last().copied().unwrap_or(self.pairs.len() as u32);
        poller.add(&pair.rtp, Token::new(place, Port::Rtp).0)?;
        poller.add(&pair.rtcp, Token::new(place, Port::Rtcp).0)?;
        match self.free.pop() {
            Some(_) => self.pairs[place as usize] = Some(pair),
            None => self.pairs.push(Some(pair)),
        }
        Ok(place)
    }

    /// The slot has its pair no more; it rests, bound, until its ports are wanted again.
    pub(super) fn close(&mut self, now: Instant, slot: Slot) {
        let Some(place) = self.place_of(slot) else { return };
        self.by_slot[slot.index as usize] = None;
        let Some(pair) = self.pair_mut(place) else { return };
        pair.slot = None;
        let port = pair.port;
        if let Some(tired) = self.rest.lay_down(now, port, place) {
            self.drop_pair(tired);
        }
    }

    /// Closes the pairs that rested for so long that nobody counts on them.
    pub(super) fn close_rested(&mut self, now: Instant) {
        while let Some(place) = self.rest.pop_due(now) {
            self.drop_pair(place);
        }
    }

    /// When there is something to close.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.rest.next_due()
    }

    /// False when none rested.
    fn close_all_resting(&mut self) -> bool {
        let resting = self.rest.drain();
        let any = !resting.is_empty();
        resting.into_iter().for_each(|place| self.drop_pair(place));
        any
    }

    /// A socket that is closed is watched no more: nobody else has it (`files::part`).
    fn drop_pair(&mut self, place: u32) {
        if self.pairs.get_mut(place as usize).is_some_and(|pair| pair.take().is_some()) {
            self.free.push(place);
        }
    }

    fn pair_mut(&mut self, place: u32) -> Option<&mut Pair> {
        self.pairs.get_mut(place as usize)?.as_mut()
    }

    /// Where a slot's pair is; none if another stream has the slot now.
    fn place_of(&self, slot: Slot) -> Option<u32> {
        let place = (*self.by_slot.get(slot.index as usize)?)?;
        let pair = self.pairs.get(place as usize)?.as_ref()?;
        (pair.slot == Some(slot)).then_some(place)
    }

    /// Reads one packet; none when there is none after all, the pair was just closed, or it rests:
    /// what comes then is too late for everybody.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        token: Token,
        into: &mut [u8],
    ) -> Option<Received> {
        let place = token.place();
        let pair = self.pairs.get(place as usize)?.as_ref()?;
        let port = token.port();
        let (_, length, source) = recvfrom(pair.of(port), &mut *into, RecvFlags::empty()).ok()?;
        let Some(slot) = pair.slot else {
            if self.rest.is_disturbed(now, pair.port) {
                self.drop_pair(place);
            }
            return None;
        };
        let source = canonical(SocketAddr::try_from(source?).ok()?);
        Some(Received { slot, port, source, length })
    }

    /// False when the kernel took it not: a late packet would be worth nothing.
    pub(super) fn send(&self, slot: Slot, port: Port, to: SocketAddr, bytes: &[u8]) -> bool {
        let pair = self.place_of(slot).and_then(|place| self.pairs.get(place as usize));
        let Some(Some(pair)) = pair else { return false };
        let socket = pair.of(port);
        let send = || sendto(socket, bytes, SendFlags::empty(), &mapped(to, pair.is_v6));
        match send() {
            // Longer than the way's packets may be: this one's are cut up from now on.
            Err(Errno::MSGSIZE) => {
                set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::WANT).is_ok() && send().is_ok()
            }
            sent => sent.is_ok(),
        }
    }
}

/// Whether a packet waits; it is taken out.
fn hears(socket: &UdpSocket) -> bool {
    recvfrom(socket, &mut [0_u8; 1], RecvFlags::empty()).is_ok()
}

/// Whether the system, or the limit of open files, has no more to give.
fn is_shortage(error: &std::io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(number, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// An ordinary socket for one port.
pub(super) fn bind(
    address: SocketAddr,
    traffic_class: u32,
    buffer: usize,
) -> std::io::Result<UdpSocket> {
    let socket = unbound(address, traffic_class, buffer)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// The same before it is bound.
pub(super) fn unbound(
    address: SocketAddr,
    traffic_class: u32,
    buffer: usize,
) -> std::io::Result<Socket> {
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
    Ok(socket)
}

#[cfg(test)]
mod tests;
