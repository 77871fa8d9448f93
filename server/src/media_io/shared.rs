//! The port that all browsers' legs share: a UDP socket of each worker, read and written many
//! packets at a time, and TCP connections to the same number for networks that block UDP.
//!
//! Where the sockets are bound to all addresses, each packet says which one it came to, and what is
//! sent leaves from the one that the far end has checked: browsers believe nothing else. Checks of
//! our own leave from the one that the far end was told, if it is this host's.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;

use base::Instant;
use media::dtls::Identity;
use media::ice::TransportAddress;
use media::{Batch, Datagram, Port, WorkerId};
use nix::libc::{in_pktinfo, in6_pktinfo};
use nix::sys::socket::{
    MsgFlags, MultiHeaders, MultiResults, SockaddrStorage, sendmmsg, setsockopt, sockopt,
};
use rustix::net::{SendFlags, sendto};

use super::arrivals::{ARRIVALS, Arrivals};
use super::family::mapped;
use super::neighbours::{Neighbourhood, Neighbours, Taken};
use super::sockets::unbound;
use super::steered::Sent;
use super::streams::Streams;
use crate::pktinfo::{self, LeavesFrom};
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
    /// Of the addresses that far ends are told those that are not this host's (NAT).
    pub(crate) elsewhere: Arc<[IpAddr]>,
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
    ours: Ours,
    /// From which of our addresses a batch's packets have been sent.
    owns: Vec<Option<IpAddr>>,
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
            departures: Departures::new(door.at),
            ours: Ours {
                is_everywhere: door.at.ip().is_unspecified(),
                elsewhere: Arc::clone(&door.elsewhere),
            },
            owns: Vec::with_capacity(DEPARTURES),
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
                let from =
                    TransportAddress { port: Port::Shared(arrival.at), address: arrival.source };
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
        let Self { socket, is_v6, departures, ours, streams, neighbours, .. } = self;
        match (port, ours.of(port).flatten()) {
            (Port::Stream, _) => {}
            (_, Some(own)) => {
                let mut sent = Sent::default();
                departures.send(socket, Some(own), std::iter::once((to, bytes)), &mut sent);
                return sent.sent > 0;
            }
            _ => return sendto(socket, bytes, SendFlags::empty(), &mapped(to, *is_v6)).is_ok(),
        }
        match streams.as_mut().and_then(|streams| streams.send(to, bytes)) {
            Some(sent) => sent,
            None => neighbours.as_mut().is_some_and(|others| others.hand_out(to, bytes)),
        }
    }

    /// Sends all of a batch that leaves by datagrams.
    pub(super) fn send_all(&mut self, batch: &Batch, sent: &mut Sent) {
        self.owns.clear();
        let mut next = batch.iter().find_map(|one| self.ours.of(one.port));
        while let Some(own) = next {
            self.send_all_from(own, batch, sent);
            if !self.departures.is_marked() {
                return;
            }
            self.owns.push(own);
            let mut others = batch.iter().filter_map(|one| self.ours.of(one.port));
            next = others.find(|other| !self.owns.contains(other));
        }
    }

    /// The same of what leaves from one address of ours.
    fn send_all_from(&mut self, own: Option<IpAddr>, batch: &Batch, sent: &mut Sent) {
        let Self { socket, departures, ours, .. } = self;
        let is_its = |one: &Datagram<'_>| ours.of(one.port) == Some(own);
        let mut waiting = batch.iter().filter(is_its).peekable();
        while let Some(first) = waiting.next() {
            if waiting.peek().is_none() {
                sent.count(self.send(Port::Shared(own), first.to, first.bytes));
                return;
            }
            let many = std::iter::once(first).chain(waiting.by_ref().take(DEPARTURES - 1));
            let many = many.map(|one| (one.to, one.bytes));
            departures.send(socket, own, many, sent);
        }
    }
}

/// Which addresses of ours packets may leave from.
struct Ours {
    /// All that there are are bound, and not but one.
    is_everywhere: bool,
    elsewhere: Arc<[IpAddr]>,
}

impl Ours {
    /// From which one something leaves, if it does by datagrams; `Some(None)` is the one that the
    /// system chooses.
    fn of(&self, port: Port) -> Option<Option<IpAddr>> {
        let Port::Shared(own) = port else { return None };
        Some(own.filter(|own| self.is_everywhere && !self.elsewhere.contains(own)))
    }
}

/// Datagrams that leave together (sendmmsg(2)).
struct Departures {
    is_v6: bool,
    headers: MultiHeaders<SockaddrStorage>,
    /// With room for the address of ours that they leave from, if all are bound.
    marked: Option<MultiHeaders<SockaddrStorage>>,
    to: Vec<Option<SockaddrStorage>>,
}

impl Departures {
    fn new(at: SocketAddr) -> Self {
        let is_v6 = at.is_ipv6();
        // No more room than is used: the kernel reads on to its end.
        let room = || {
            if is_v6 { nix::cmsg_space!(in6_pktinfo) } else { nix::cmsg_space!(in_pktinfo) }
        };
        let headers = |room| MultiHeaders::preallocate(DEPARTURES, room);
        Self {
            is_v6,
            headers: headers(None),
            marked: at.ip().is_unspecified().then(|| headers(Some(room()))),
            to: Vec::with_capacity(DEPARTURES),
        }
    }

    /// Whether they may leave from this or that address of ours.
    fn is_marked(&self) -> bool {
        self.marked.is_some()
    }

    /// Sends up to [`DEPARTURES`], from that address of ours or from one that the system chooses.
    fn send<'a>(
        &mut self,
        socket: &UdpSocket,
        own: Option<IpAddr>,
        datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>,
        sent: &mut Sent,
    ) {
        let mut packets: [[IoSlice<'_>; 1]; DEPARTURES] =
            std::array::from_fn(|_| [IoSlice::new(&[])]);
        self.to.clear();
        for (packet, (to, bytes)) in packets.iter_mut().zip(datagrams) {
            *packet = [IoSlice::new(bytes)];
            self.to.push(Some(mapped(to, self.is_v6).into()));
        }
        let own = own.map(|own| LeavesFrom::address(own, self.is_v6));
        let mut done = 0;
        while done < self.to.len() {
            let (rest, to) = (packets.get(done..self.to.len()), self.to.get(done..));
            let (Some(rest), Some(to)) = (rest, to) else { return };
            let (number, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
            let taken = match (&own, &mut self.marked) {
                (Some(own), Some(marked)) => {
                    sendmmsg(number, marked, rest, to, [own.told()], flags).map(count)
                }
                _ => sendmmsg(number, &mut self.headers, rest, to, [], flags).map(count),
            };
            match taken {
                Ok(taken) => {
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

fn count(taken: MultiResults<'_, SockaddrStorage>) -> usize {
    taken.count().max(1)
}

/// A socket at the port; one of many if other workers have it too.
fn bind(at: SocketAddr, class: u32, is_one_of_many: bool) -> std::io::Result<UdpSocket> {
    let socket = unbound(at, class, KERNEL_BUFFER)?;
    // More than everybody may have, if we may.
    let _ = setsockopt(&socket, sockopt::RcvBufForce, &KERNEL_BUFFER);
    socket.set_reuse_port(is_one_of_many)?;
    if at.ip().is_unspecified() {
        pktinfo::ask(&socket, at)?;
    }
    socket.bind(&at.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;
    use crate::media_io::neighbours::tests::check;
    use crate::wake::Bell;
    use base::UnixTime;

    /// A worker at the port, and what came in for it.
    struct Worker {
        poller: Poller,
        shared: Shared,
        taken: Vec<(TransportAddress, Vec<u8>)>,
    }

    /// So many workers at one port.
    fn workers(count: u16) -> (SocketAddr, Vec<Worker>) {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let bells = (0..count).map(|_| Bell::new().unwrap()).collect();
        let neighbours = Neighbourhood::of(bells);
        let identity = Identity::draw(UnixTime::from_micros(0), std::time::Instant::now()).unwrap();
        let open = |number| {
            let poller = Poller::new().unwrap();
            let (identity, neighbours) = (identity.clone(), neighbours.clone());
            let door =
                Door { at: free, tcp: true, identity, elsewhere: Arc::default(), neighbours };
            let shared = Shared::open(&poller, WorkerId(number), &door, 0).unwrap();
            Worker { poller, shared, taken: Vec::new() }
        };
        (free, (0..count).map(open).collect())
    }

    /// All do what there is to do, until nothing comes any more. Checks are good.
    fn run(workers: &mut [Worker]) {
        let now = Instant::from_millis(1000);
        let mut quiet = 0;
        while quiet < 3 {
            quiet += 1;
            for Worker { poller, shared, taken } in &mut *workers {
                let mut ready = Vec::new();
                poller.wait(now, Some(now + base::Duration::from_millis(20)), &mut ready).unwrap();
                let mut take = |from: TransportAddress, bytes: &[u8]| {
                    taken.push((from, bytes.to_vec()));
                    bytes.first() == Some(&0)
                };
                for token in ready {
                    shared.receive(now, poller, token);
                    loop {
                        match shared.next(token) {
                            Next::Nothing => break,
                            Next::HandedOver => quiet = 0,
                            Next::Own(from, bytes) => {
                                quiet = 0;
                                if take(from, bytes) {
                                    shared.settle(now, from);
                                }
                            }
                        }
                    }
                }
                for _ in 0..shared.waiting() {
                    quiet = 0;
                    shared.take_over(now, |from, bytes| take(from, bytes));
                }
            }
        }
    }

    fn framed(packets: &[&[u8]]) -> Vec<u8> {
        let frame = |packet: &&[u8]| [&(packet.len() as u16).to_be_bytes()[..], packet].concat();
        packets.iter().flat_map(frame).collect()
    }

    #[test]
    fn browsers_come_to_their_worker_by_one_port_whichever_socket_the_kernel_gives_them() {
        let (at, mut workers) = workers(3);
        let browsers: Vec<UdpSocket> =
            (0..24).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let audio = [128_u8; 172];
        for packet in 0..2 {
            for (number, browser) in (0..).zip(&browsers) {
                let bytes = if packet == 0 { check(number % 3) } else { audio.to_vec() };
                browser.send_to(&bytes, at).unwrap();
            }
            run(&mut workers);
        }
        for (worker, number) in workers.iter().zip(0..) {
            for kind in [0, 128] {
                let mut from: Vec<SocketAddr> = (worker.taken.iter())
                    .filter(|(_, bytes)| bytes[0] == kind)
                    .map(|(from, _)| from.address)
                    .collect();
                let own = browsers.iter().skip(number).step_by(3);
                let mut own: Vec<SocketAddr> = own.map(|one| one.local_addr().unwrap()).collect();
                from.sort_unstable();
                own.sort_unstable();
                assert_eq!(from, own, "{kind} to worker {number}");
            }
        }
    }

    #[test]
    fn packets_of_a_connection_are_whole_however_they_come_and_answers_find_their_way_back() {
        for worker in [0, 1] {
            let (at, mut workers) = workers(2);
            let mut browser = TcpStream::connect(at).unwrap();
            browser.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let own =
                TransportAddress { port: Port::Stream, address: browser.local_addr().unwrap() };
            let (first, long) = (check(worker), vec![129; media::MAX_DATAGRAM]);
            browser.write_all(&framed(&[&first])).unwrap();
            run(&mut workers);
            let rest = framed(&[&[128; 172], &long, &[22; 100], &[], &[130; 60]]);
            for part in [&rest[..1], &rest[1..90], &rest[90..400], &rest[400..]] {
                browser.write_all(part).unwrap();
                run(&mut workers);
            }
            let taken = &workers[usize::from(worker)].taken;
            assert!(taken.iter().all(|(from, _)| *from == own));
            let lengths: Vec<usize> = taken.iter().map(|(_, bytes)| bytes.len()).collect();
            let firsts: Vec<u8> =
                taken.iter().filter_map(|(_, bytes)| bytes.first().copied()).collect();
            assert_eq!(firsts, [0, 128, 129, 22, 130], "{lengths:?}");
            assert!(lengths.contains(&media::MAX_DATAGRAM));
            let shared = &mut workers[usize::from(worker)].shared;
            assert!(shared.send(Port::Stream, own.address, b"an answer"));
            shared.ring();
            run(&mut workers);
            let mut answer = [0; 11];
            browser.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"\0\x09an answer");
        }
    }

    #[test]
    fn a_whole_batch_leaves_by_the_dozen_each_to_its_own() {
        let (_, mut workers) = workers(1);
        let browsers: Vec<UdpSocket> =
            (0..5).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        for count in [1, 5, 64, 65, 130] {
            let mut batch = Batch::new(256);
            let slot = media::Slot { index: 0, generation: 0 };
            for (n, browser) in (0..count).zip(browsers.iter().cycle()) {
                let to = browser.local_addr().unwrap();
                assert!(batch.push(slot, Port::Shared(None), to, &[n; 20]));
            }
            let mut sent = Sent::default();
            workers[0].shared.send_all(&batch, &mut sent);
            assert_eq!((sent.sent, sent.unsent), (u64::from(count), 0));
            for (n, browser) in (0..count).zip(browsers.iter().cycle()) {
                let mut bytes = [0; 30];
                assert_eq!(browser.recv(&mut bytes).unwrap(), 20);
                assert_eq!(bytes[..20], [n; 20]);
            }
        }
    }

    #[test]
    fn where_all_addresses_are_bound_each_packet_leaves_from_the_one_that_it_is_to() {
        let v6: IpAddr = "::1".parse().unwrap();
        let v4 = [1, 5, 6].map(|n| IpAddr::from([127, 0, 0, n]));
        for everywhere in ["0.0.0.0:0", "[::]:0"] {
            let at = UdpSocket::bind(everywhere).unwrap().local_addr().unwrap();
            let identity =
                Identity::draw(UnixTime::from_micros(0), std::time::Instant::now()).unwrap();
            let nat = IpAddr::from([203, 0, 113, 1]);
            let elsewhere = Arc::from([nat]);
            let door = Door { at, tcp: false, identity, elsewhere, neighbours: None };
            let poller = Poller::new().unwrap();
            let mut shared = Shared::open(&poller, WorkerId(0), &door, 0).unwrap();
            let mut owns = v4.map(Some).to_vec();
            if at.is_ipv6() {
                owns.push(Some(v6));
            }
            // What has no address of this host's leaves from the one that the system chooses.
            owns.extend([None, Some(nat)]);
            let browser = |own: &Option<IpAddr>| {
                let host = own.filter(IpAddr::is_ipv6).unwrap_or(v4[0]);
                let socket = UdpSocket::bind((host, 0)).unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                socket
            };
            let browsers: Vec<UdpSocket> = owns.iter().map(browser).collect();
            for count in [1, 4, 64, 200] {
                let mut batch = Batch::new(256);
                let slot = media::Slot { index: 0, generation: 0 };
                let turns = || (0..count).zip(browsers.iter().zip(&owns).cycle());
                for (n, (browser, own)) in turns() {
                    let to = browser.local_addr().unwrap();
                    assert!(batch.push(slot, Port::Shared(*own), to, &[n; 20]));
                }
                let mut sent = Sent::default();
                shared.send_all(&batch, &mut sent);
                assert_eq!((sent.sent, sent.unsent), (u64::from(count), 0));
                for (n, (browser, own)) in turns() {
                    let mut bytes = [0; 30];
                    let (length, from) = browser.recv_from(&mut bytes).unwrap();
                    assert_eq!((length, bytes[0]), (20, n), "each browser's in their order");
                    let own = own.filter(|own| *own != nat).unwrap_or(v4[0]);
                    assert_eq!(from, SocketAddr::new(own, at.port()));
                }
            }
            let mut sent = Sent::default();
            let mut batch = Batch::new(16);
            let slot = media::Slot { index: 0, generation: 0 };
            for own in [IpAddr::from([192, 0, 2, 1]), v4[1]] {
                let to = browsers[0].local_addr().unwrap();
                assert!(batch.push(slot, Port::Shared(Some(own)), to, b"one"));
            }
            shared.send_all(&batch, &mut sent);
            assert_eq!((sent.sent, sent.unsent), (1, 1), "what is ours no more sends nothing");
        }
    }
}
