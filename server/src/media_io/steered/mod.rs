//! RTP with the kernel's help: all of a worker's datagrams come in through one socket (sk_lookup),
//! dozens at a time, and leave as whole packets by a raw one, dozens at a time.
//!
//! A port of ours is still bound by an ordinary socket: so nobody else gets it, and what is too
//! long for the raw socket leaves by it. It is bound at its first use and stays ours.

mod departures;
mod frame;
mod reserved;
mod routes;
mod steering;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use media::{Datagram, Port, Slot, WorkerId};
use metrics::Counter;
use nix::errno::Errno;
use nix::sys::socket::{SockaddrIn, SockaddrIn6, setsockopt, sockopt};

use self::departures::{Departures, Refused};
use self::reserved::Reserved;
use self::routes::Route;
use self::steering::Lane;
pub(crate) use self::steering::Steering;
use super::arrivals::Arrivals;
use super::sockets::{Places, TOKEN_BELL};
use crate::poller::Poller;

/// The tokens of the sockets that all datagrams come through.
pub(super) const TOKEN_V4: u64 = TOKEN_BELL - 1;
/// The same for IPv6.
pub(super) const TOKEN_V6: u64 = TOKEN_BELL - 2;
/// A tenth of a second of 3,000 calls, with the kernel's bookkeeping.
const KERNEL_BUFFER: usize = 32 << 20;
/// Ports that share a reservation: RTP's and RTCP's.
const PAIRS: usize = 1 << 15;

/// A stream's end here.
struct Leg {
    slot: Slot,
    port: u16,
    bound: IpAddr,
    /// From which of our addresses it was sent last, if all are bound.
    route: Option<Route>,
}

/// What all of a worker's datagrams of one family come through.
struct Receiver {
    socket: UdpSocket,
    arrivals: Arrivals,
}

/// All of a worker's ports.
pub(super) struct Steered {
    places: Places,
    lane: Lane,
    v4: Receiver,
    v6: Option<Receiver>,
    out_v4: Departures<SockaddrIn>,
    out_v6: Option<Departures<SockaddrIn6>>,
    /// By the port's half: what keeps it ours.
    reserved: Vec<Option<Reserved>>,
    /// By the port's half: whose it is now.
    owners: Vec<Option<Slot>>,
    /// By the slot's index.
    legs: Vec<Option<Leg>>,
    stray: Counter,
}

/// How many datagrams were sent, and how many could not be.
#[derive(Default, Clone, Copy)]
pub(super) struct Sent {
    pub(super) sent: u64,
    pub(super) unsent: u64,
}

impl Sent {
    pub(super) fn count(&mut self, was_sent: bool) {
        if was_sent { self.sent += 1 } else { self.unsent += 1 }
    }
}

impl Steered {
    /// # Errors
    /// What the kernel did not allow.
    pub(super) fn start(
        steering: &Arc<Steering>,
        worker: WorkerId,
        places: Places,
        poller: &Poller,
    ) -> Result<Self, String> {
        let mut lane = steering.lane(worker)?;
        let fault = |error: std::io::Error| error.to_string();
        let v4 = Receiver::bind(Ipv4Addr::LOCALHOST.into()).map_err(fault)?;
        poller.add(&v4.socket, TOKEN_V4).map_err(fault)?;
        lane.receive_by(&v4.socket, false)?;
        let class = places.traffic_class();
        let out_v4 = Departures::v4(class).map_err(fault)?;
        let (mut v6, mut out_v6) = (None, None);
        if places.addresses().any(|address| address.is_ipv6()) {
            let receiver = Receiver::bind(Ipv6Addr::LOCALHOST.into()).map_err(fault)?;
            poller.add(&receiver.socket, TOKEN_V6).map_err(fault)?;
            lane.receive_by(&receiver.socket, true)?;
            out_v6 = Some(Departures::v6(class).map_err(fault)?);
            v6 = Some(receiver);
        }
        let stray = metrics::counter!(
            "strowger_rtp_packets_stray_total", "worker" => worker.0.to_string()
        );
        Ok(Self {
            places,
            lane,
            v4,
            v6,
            out_v4,
            out_v6,
            reserved: Vec::new(),
            owners: vec![None; PAIRS],
            legs: Vec::new(),
            stray,
        })
    }

    pub(super) fn open(&mut self, slot: Slot, port: u16) -> std::io::Result<()> {
        let half = usize::from(port >> 1);
        let (place, bound) = self.places.of_port(port);
        if self.reserved.len() <= half {
            self.reserved.resize_with(half + 1, || None);
        }
        if self.reserved[half].is_none() {
            let class = self.places.traffic_class();
            let reserved = match Reserved::bind(bound, port, class) {
                Err(error) if is_shortage(&error) && self.let_one_go() => {
                    Reserved::bind(bound, port, class)?
                }
                bound => bound?,
            };
            self.lane.claim(port, place)?;
            self.lane.claim(port | 1, place)?;
            self.reserved[half] = Some(reserved);
        }
        self.owners[half] = Some(slot);
        let index = slot.index as usize;
        if self.legs.len() <= index {
            self.legs.resize_with(index + 1, || None);
        }
        self.legs[index] = Some(Leg { slot, port, bound, route: None });
        Ok(())
    }

    /// Gives up a pair of ports that no stream has; false when each has one.
    fn let_one_go(&mut self) -> bool {
        let pairs = self.reserved.iter().zip(&self.owners);
        let unused = |(reserved, owner): (&Option<Reserved>, &Option<Slot>)| {
            reserved.is_some() && owner.is_none()
        };
        let Some(half) = pairs.into_iter().position(unused) else { return false };
        let Ok(port) = u16::try_from(half << 1) else { return false };
        let released = self.lane.release(port).and_then(|()| self.lane.release(port | 1));
        self.reserved[half] = None;
        released.is_ok()
    }

    /// The port stays bound; what comes for it until it is opened again goes to nobody.
    pub(super) fn close(&mut self, slot: Slot) {
        let Some(place) = self.legs.get_mut(slot.index as usize) else { return };
        let Some(leg) = place.take_if(|leg| leg.slot == slot) else { return };
        if let Some(owner) = self.owners.get_mut(usize::from(leg.port >> 1)) {
            owner.take_if(|owner| *owner == slot);
        }
    }

    /// Takes what came in, up to a batch: how many datagrams to ask for with [`Steered::arrival`].
    pub(super) fn receive(&mut self, token: u64) -> usize {
        let receiver = if token == TOKEN_V6 { self.v6.as_mut() } else { Some(&mut self.v4) };
        receiver.map_or(0, |receiver| receiver.arrivals.receive(&receiver.socket))
    }

    /// One of them: whose it is and who sent it. None if it is nobody's.
    pub(super) fn arrival(
        &mut self,
        token: u64,
        number: usize,
    ) -> Option<(Slot, Port, SocketAddr, &mut [u8])> {
        let receiver = if token == TOKEN_V6 { self.v6.as_mut()? } else { &mut self.v4 };
        let arrival = receiver.arrivals.get(number)?;
        let to = arrival.to?;
        let owner = self.owners.get(usize::from(to.port() >> 1)).copied().flatten();
        let leg = owner.and_then(|slot| self.legs.get(slot.index as usize)?.as_ref());
        let Some(leg) = leg.filter(|leg| leg.bound.is_unspecified() || leg.bound == to.ip()) else {
            self.stray.increment(1);
            return None;
        };
        let port = if to.port() & 1 == 0 { Port::Rtp } else { Port::Rtcp };
        Some((leg.slot, port, arrival.source, arrival.bytes))
    }

    /// Sends one datagram.
    pub(super) fn send(&mut self, datagram: &Datagram<'_>) -> bool {
        let mut sent = Sent::default();
        let added = self.add(datagram, &mut sent);
        self.send_gathered(&mut sent);
        added && sent.sent > 0
    }

    /// Adds a datagram to those that [`Steered::send_gathered`] sends.
    pub(super) fn gather(&mut self, datagram: &Datagram<'_>, sent: &mut Sent) {
        if !self.add(datagram, sent) {
            sent.unsent += 1;
        }
    }

    fn add(&mut self, datagram: &Datagram<'_>, sent: &mut Sent) -> bool {
        let Some(leg) = leg_mut(&mut self.legs, datagram.slot) else { return false };
        let port = match datagram.port {
            Port::Rtp => leg.port,
            Port::Rtcp => leg.port | 1,
            Port::Shared(_) | Port::Stream => return false,
        };
        let Some(ip) = leg.source_towards(datagram.to) else { return false };
        let from = SocketAddr::new(ip, port);
        let (added, is_full) = match (from, &mut self.out_v6) {
            (SocketAddr::V4(_), _) => (self.out_v4.push(from, datagram), self.out_v4.is_full()),
            (SocketAddr::V6(_), Some(out)) => (out.push(from, datagram), out.is_full()),
            (SocketAddr::V6(_), None) => (false, false),
        };
        if is_full {
            self.send_gathered(sent);
        }
        added
    }

    pub(super) fn send_gathered(&mut self, sent: &mut Sent) {
        let reserved = &self.reserved;
        let legs = &self.legs;
        let mut by_socket = 0;
        let mut unsent = 0;
        let mut refuse = |refused: Refused<'_>| {
            if send_by_socket(legs, reserved, &refused) { by_socket += 1 } else { unsent += 1 }
        };
        let mut taken = self.out_v4.send(&mut refuse);
        if let Some(out) = &mut self.out_v6 {
            taken += out.send(&mut refuse);
        }
        sent.sent += taken as u64 + by_socket;
        sent.unsent += unsent;
    }
}

impl Leg {
    /// The address of ours that packets to `to` leave from, as an ordinary socket would choose it.
    fn source_towards(&mut self, to: SocketAddr) -> Option<IpAddr> {
        if !self.bound.is_unspecified() {
            return Some(self.bound);
        }
        let known = self.route.as_mut().and_then(|route| route.towards(to));
        if known.is_none() {
            self.route = Route::find(to);
        }
        known.or(self.route.as_ref().map(Route::from))
    }
}

/// Whether it is for want of file descriptors.
fn is_shortage(error: &std::io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw);
    matches!(number, Some(Errno::EMFILE | Errno::ENFILE))
}

fn leg_mut(legs: &mut [Option<Leg>], slot: Slot) -> Option<&mut Leg> {
    legs.get_mut(slot.index as usize)?.as_mut().filter(|leg| leg.slot == slot)
}

/// What is longer than the way's packets may be is cut up by an ordinary socket.
fn send_by_socket(
    legs: &[Option<Leg>],
    reserved: &[Option<Reserved>],
    refused: &Refused<'_>,
) -> bool {
    if refused.error != Errno::EMSGSIZE {
        return false;
    }
    let leg = legs.get(refused.slot.index as usize).and_then(Option::as_ref);
    let leg = leg.filter(|leg| leg.slot == refused.slot);
    let pair = leg.and_then(|leg| reserved.get(usize::from(leg.port >> 1))?.as_ref());
    pair.is_some_and(|pair| pair.send(refused.port, refused.to, refused.bytes))
}

impl Receiver {
    /// Its own port is never told to anybody.
    fn bind(address: IpAddr) -> std::io::Result<Self> {
        let socket = UdpSocket::bind((address, 0))?;
        socket.set_nonblocking(true)?;
        if setsockopt(&socket, sockopt::RcvBufForce, &KERNEL_BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &KERNEL_BUFFER)?;
        }
        if address.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4OrigDstAddr, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv6OrigDstAddr, &true)?;
        }
        Ok(Self { socket, arrivals: Arrivals::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rtp;

    #[test]
    fn for_want_of_files_a_port_that_no_stream_has_is_given_up() {
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        let steering = match Steering::start(&[address]) {
            Ok(steering) => Arc::new(steering),
            Err(why) => return eprintln!("left out: {why}"),
        };
        let places = Places::of(&Rtp { address, ..Rtp::default() });
        let poller = Poller::new().unwrap();
        let mut steered = Steered::start(&steering, WorkerId(0), places, &poller).unwrap();
        // Above all ports that are given out by themselves.
        let [used, unused] = [61_000, 61_002];
        let slots = [0, 1].map(|index| Slot { index, generation: 0 });
        steered.open(slots[0], used).unwrap();
        steered.open(slots[1], unused).unwrap();
        assert!(!steered.let_one_go(), "each has a stream");
        steered.close(slots[1]);
        assert!(UdpSocket::bind((address, unused)).is_err(), "it stays ours until then");
        assert!(steered.let_one_go());
        for port in [unused, unused + 1] {
            let theirs = UdpSocket::bind((address, port)).unwrap();
            theirs.send_to(b"mine", (address, port)).unwrap();
            assert_eq!(theirs.recv(&mut [0; 8]).unwrap(), 4, "nothing of it is steered");
        }
        assert!(UdpSocket::bind((address, used)).is_err());
        assert!(is_shortage(&std::io::Error::from_raw_os_error(Errno::EMFILE as i32)));
    }
}
