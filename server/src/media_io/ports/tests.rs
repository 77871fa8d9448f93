//! Both ways behave alike on the wire. The kernel's is left out, and that is said, where the
//! process may not take it.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use base::Instant;
use media::MAX_DATAGRAM;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::*;
use crate::config::Interface;
use crate::media_io::sockets::Token;

const STREAM: Slot = Slot { index: 3, generation: 1 };
const OTHER: Slot = Slot { index: 4, generation: 0 };

struct Rig {
    ports: Ports,
    poller: Poller,
    /// For as long as the worker.
    _way: Way,
}

type Heard = (Slot, Port, SocketAddr, Vec<u8>);

impl Rig {
    fn start(rtp: &Rtp) -> Result<Self, String> {
        let way = Way::choose(rtp)?;
        let poller = Poller::new().unwrap();
        let ports = way.ports(WorkerId(0), &poller, 16, || Places::of(rtp))?;
        Ok(Self { ports, poller, _way: way })
    }

    fn open(&mut self, slot: Slot, port: u16) -> std::io::Result<()> {
        self.ports.open(&self.poller, slot, port)
    }

    fn send(&mut self, slot: Slot, port: Port, to: SocketAddr, bytes: &[u8]) -> bool {
        self.ports.send(None, &Datagram { slot, port, to, bytes })
    }

    /// All that comes until there were `count`, or nothing for a while.
    fn hear(&mut self, count: usize) -> Vec<Heard> {
        let patience = if count == 0 { 100 } else { 2000 };
        let mut heard = Vec::new();
        let mut ready = Vec::new();
        while heard.len() < count.max(1) {
            let until = Some(Instant::from_millis(patience));
            self.poller.wait(Instant::ZERO, until, &mut ready).unwrap();
            if ready.is_empty() {
                break;
            }
            ready.drain(..).for_each(|token| self.take(token, &mut heard));
        }
        heard
    }

    fn take(&mut self, token: u64, heard: &mut Vec<Heard>) {
        match &mut self.ports {
            Ports::Own(sockets) => {
                let mut bytes = [0; MAX_DATAGRAM];
                let Some(it) = sockets.receive(Instant::ZERO, Token(token), &mut bytes) else {
                    return;
                };
                heard.push((it.slot, it.port, it.source, bytes[..it.length].to_vec()));
            }
            Ports::Steered(steered) => {
                for number in 0..steered.receive(token) {
                    let Some((slot, port, source, bytes)) = steered.arrival(token, number) else {
                        continue;
                    };
                    heard.push((slot, port, source, bytes.to_vec()));
                }
            }
        }
    }
}

/// Runs a test in both ways.
fn in_both_ways(rtp: &Rtp, test: impl Fn(Rig)) {
    for kernel in [KernelPath::Off, KernelPath::Require] {
        match Rig::start(&Rtp { kernel, ..rtp.clone() }) {
            Ok(rig) => {
                eprintln!("rtp.kernel = {kernel:?}");
                test(rig);
            }
            Err(why) => eprintln!("left out: {why}"),
        }
    }
}

fn at(address: &str) -> Rtp {
    Rtp { address: address.parse().unwrap(), ..Rtp::default() }
}

/// An even port that nobody has, nor the one above it, at any address.
fn free_port() -> u16 {
    loop {
        let port = UdpSocket::bind("[::]:0").unwrap().local_addr().unwrap().port() & !1;
        let pair = [port, port + 1].map(|port| UdpSocket::bind(("::", port)));
        if pair.iter().all(Result::is_ok) {
            return port;
        }
    }
}

fn peer(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    socket
}

fn told(peer: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    let mut bytes = [0; 2000];
    let (length, from) = peer.recv_from(&mut bytes).ok()?;
    Some((bytes[..length].to_vec(), from))
}

#[test]
fn what_comes_to_a_streams_ports_is_the_streams_and_what_it_says_comes_from_them() {
    for (address, theirs) in [("127.0.0.1", "127.0.0.1"), ("::1", "::1")] {
        in_both_ways(&at(address), |mut rig| {
            let port = free_port();
            rig.open(STREAM, port).unwrap();
            let peer = peer(theirs);
            let from = peer.local_addr().unwrap();
            for (port, which) in [(port, Port::Rtp), (port + 1, Port::Rtcp)] {
                peer.send_to(b"to us", (address, port)).unwrap();
                assert_eq!(rig.hear(1), [(STREAM, which, from, b"to us".to_vec())]);
                for length in [0, 1, 12, 172, MAX_DATAGRAM] {
                    let bytes = vec![0xa5; length];
                    assert!(rig.send(STREAM, which, from, &bytes));
                    let ours = (address.parse::<IpAddr>().unwrap(), port).into();
                    assert_eq!(told(&peer), Some((bytes, ours)));
                }
            }
        });
    }
}

#[test]
fn a_burst_comes_in_order_and_a_batch_leaves_in_order_and_whole() {
    in_both_ways(&at("127.0.0.1"), |mut rig| {
        let ports = [free_port(), free_port()];
        for (slot, port) in [STREAM, OTHER].into_iter().zip(ports) {
            rig.open(slot, port).unwrap();
        }
        let peer = peer("127.0.0.1");
        let to = peer.local_addr().unwrap();
        for n in 0..200_u8 {
            peer.send_to(&[n], ("127.0.0.1", ports[usize::from(n % 2)])).unwrap();
        }
        let heard = rig.hear(200);
        for (stream, odd) in [(STREAM, 0), (OTHER, 1)] {
            let of_stream = heard.iter().filter(|(slot, ..)| *slot == stream);
            let numbers: Vec<u8> = of_stream.map(|(_, _, _, bytes)| bytes[0]).collect();
            assert_eq!(numbers, (0..200).filter(|n| n % 2 == odd).collect::<Vec<u8>>());
        }
        let mut batch = Batch::new(150);
        for n in 0..150_u8 {
            let stream = if n % 2 == 0 { STREAM } else { OTHER };
            assert!(batch.push(stream, Port::Rtp, to, &[n]));
        }
        let sent = rig.ports.send_all(None, &batch);
        assert_eq!((sent.sent, sent.unsent), (150, 0));
        for n in 0..150_u8 {
            let (bytes, from) = told(&peer).unwrap();
            assert_eq!((bytes[0], from.port()), (n, ports[usize::from(n % 2)]));
        }
    });
}

#[test]
fn one_that_cannot_be_sent_is_counted_and_holds_up_nobody() {
    in_both_ways(&at("127.0.0.1"), |mut rig| {
        rig.open(STREAM, free_port()).unwrap();
        let peer = peer("127.0.0.1");
        let mut batch = Batch::new(16);
        // Nobody speaks to all of a network at once, nor does what has no stream go anywhere.
        let nowhere = "255.255.255.255:4000".parse().unwrap();
        batch.push(STREAM, Port::Rtp, nowhere, b"lost");
        batch.push(OTHER, Port::Rtp, peer.local_addr().unwrap(), b"nobody's");
        batch.push(STREAM, Port::Rtp, peer.local_addr().unwrap(), b"well");
        batch.push(STREAM, Port::Rtp, nowhere, b"lost");
        let sent = rig.ports.send_all(None, &batch);
        assert_eq!((sent.sent, sent.unsent), (1, 3));
        assert_eq!(told(&peer).unwrap().0, b"well");
    });
}

#[test]
fn a_closed_streams_port_hears_nothing_and_is_the_next_streams_after_it_is_opened_again() {
    in_both_ways(&at("127.0.0.1"), |mut rig| {
        let port = free_port();
        rig.open(STREAM, port).unwrap();
        let peer = peer("127.0.0.1");
        rig.ports.close(Instant::ZERO, STREAM);
        assert!(!rig.send(STREAM, Port::Rtp, peer.local_addr().unwrap(), b"late"));
        let _ = peer.send_to(b"late", ("127.0.0.1", port));
        assert_eq!(rig.hear(0), []);
        rig.open(OTHER, port).unwrap();
        // It was somebody else's when it was told to close.
        rig.ports.close(Instant::ZERO, STREAM);
        // What the kernel said of the closed port is waiting at the peer's socket.
        let _ = told(&peer_without_patience(&peer));
        peer.send_to(b"new", ("127.0.0.1", port)).unwrap();
        let heard = rig.hear(1);
        assert_eq!((heard[0].0, &heard[0].3[..]), (OTHER, &b"new"[..]));
    });
}

fn peer_without_patience(peer: &UdpSocket) -> UdpSocket {
    let peer = peer.try_clone().unwrap();
    peer.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    peer
}

#[test]
fn a_port_that_another_has_is_not_ours_and_ours_is_nobody_elses() {
    in_both_ways(&at("127.0.0.1"), |mut rig| {
        let taken = free_port();
        let other = UdpSocket::bind(("127.0.0.1", taken + 1)).unwrap();
        other.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        assert!(rig.open(STREAM, taken).is_err(), "RTCP's is taken");
        peer("127.0.0.1").send_to(b"theirs", ("127.0.0.1", taken + 1)).unwrap();
        assert_eq!(told(&other).unwrap().0, b"theirs");
        let port = free_port();
        rig.open(STREAM, port).unwrap();
        assert!(UdpSocket::bind(("127.0.0.1", port)).is_err());
        assert!(UdpSocket::bind(("0.0.0.0", port + 1)).is_err());
    });
}

#[test]
fn the_same_port_of_another_address_is_not_ours() {
    in_both_ways(&at("127.0.0.7"), |mut rig| {
        let port = free_port();
        rig.open(STREAM, port).unwrap();
        let other = UdpSocket::bind(("127.0.0.8", port)).unwrap();
        other.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let peer = peer("127.0.0.1");
        peer.send_to(b"theirs", ("127.0.0.8", port)).unwrap();
        peer.send_to(b"ours", ("127.0.0.7", port)).unwrap();
        assert_eq!(told(&other).unwrap().0, b"theirs");
        assert_eq!(rig.hear(1)[0].3, b"ours");
    });
}

#[test]
fn a_port_is_bound_to_its_interface_and_marked_with_the_class_of_service() {
    let free = free_port();
    let inside = Interface {
        address: "127.0.0.9".parse().unwrap(),
        advertised: None,
        ports: format!("{free}-{}", free + 1),
        networks: vec!["10.0.0.0/8".to_owned()],
    };
    let rtp = Rtp { dscp: 34, interfaces: vec![inside], ..at("127.0.0.1") };
    in_both_ways(&rtp, |mut rig| {
        rig.open(STREAM, free).unwrap();
        let peer = peer("127.0.0.1");
        setsockopt(&peer, sockopt::IpRecvTos, &true).ok();
        assert!(rig.send(STREAM, Port::Rtp, peer.local_addr().unwrap(), b"hello"));
        let (class, from) = class_and_source(&peer);
        assert_eq!(from, SocketAddr::new("127.0.0.9".parse().unwrap(), free));
        assert_eq!(class, Some(34 << 2));
        peer.send_to(b"there", ("127.0.0.9", free)).unwrap();
        assert_eq!(rig.hear(1)[0].3, b"there");
        // What is not of the interface is bound where all else is.
        let port = free_port();
        rig.open(OTHER, port).unwrap();
        assert!(rig.send(OTHER, Port::Rtp, peer.local_addr().unwrap(), b"hello"));
        assert_eq!(told(&peer).unwrap().1, SocketAddr::new("127.0.0.1".parse().unwrap(), port));
    });
}

#[test]
fn one_wildcard_carries_both_families_and_answers_from_the_address_of_the_route() {
    in_both_ways(&at("::"), |mut rig| {
        let port = free_port();
        rig.open(STREAM, port).unwrap();
        for address in ["127.0.0.1", "::1"] {
            let peer = peer(address);
            let from = peer.local_addr().unwrap();
            peer.send_to(b"hello", (address, port)).unwrap();
            assert_eq!(rig.hear(1), [(STREAM, Port::Rtp, from, b"hello".to_vec())]);
            assert!(rig.send(STREAM, Port::Rtp, from, b"well"));
            assert_eq!(told(&peer), Some((b"well".to_vec(), (from.ip(), port).into())));
        }
    });
}

#[test]
fn two_servers_share_a_machine() {
    let port = free_port();
    let rigs = ["127.0.0.5", "127.0.0.6"].map(|address| {
        (address, Rig::start(&Rtp { kernel: KernelPath::Auto, ..at(address) }).unwrap())
    });
    let peer = peer("127.0.0.1");
    for (address, mut rig) in rigs {
        rig.open(STREAM, port).unwrap();
        peer.send_to(address.as_bytes(), (address, port)).unwrap();
        assert_eq!(rig.hear(1)[0].3, address.as_bytes());
    }
}

#[test]
fn what_is_too_long_for_the_way_is_cut_up_and_comes_whole() {
    // In a network of its own, whose packets are short.
    let thread = std::thread::spawn(|| {
        if unshare(CloneFlags::CLONE_NEWNET).is_err() {
            return eprintln!("left out: no network of its own");
        }
        let up = ["link", "set", "lo", "mtu", "600", "up"];
        if !Command::new("ip").args(up).status().is_ok_and(|status| status.success()) {
            return eprintln!("left out: no `ip` here");
        }
        in_both_ways(&at("127.0.0.1"), |mut rig| {
            rig.open(STREAM, 20_000).unwrap();
            let peer = peer("127.0.0.1");
            for length in [500, 572, 573, 1400, MAX_DATAGRAM] {
                let bytes = vec![7; length];
                let to = peer.local_addr().unwrap();
                assert!(rig.send(STREAM, Port::Rtp, to, &bytes), "{length}");
                assert_eq!(told(&peer), Some((bytes, "127.0.0.1:20000".parse().unwrap())));
            }
        });
    });
    thread.join().unwrap();
}

/// Runs in a thread that may do no more than `capabilities` allow.
fn with(capabilities: CapabilitySet, test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        let has = rustix::thread::capabilities(None).unwrap();
        if !has.permitted.contains(capabilities) {
            return eprintln!("left out: {capabilities:?} are not ours to keep");
        }
        let sets = CapabilitySets {
            effective: capabilities,
            permitted: capabilities,
            inheritable: CapabilitySet::empty(),
        };
        rustix::thread::set_capabilities(None, sets).unwrap();
        test();
    });
    thread.join().unwrap();
}

#[test]
fn three_capabilities_are_enough_for_the_kernels_help_and_without_one_of_them_all_goes_plainly() {
    let needed = [CapabilitySet::BPF, CapabilitySet::NET_ADMIN, CapabilitySet::NET_RAW];
    let all = needed.into_iter().fold(CapabilitySet::empty(), |all, one| all | one);
    let rtp = |kernel| Rtp { kernel, ..at("127.0.0.1") };
    with(all, move || {
        let rig = Rig::start(&rtp(KernelPath::Require));
        assert!(matches!(rig.unwrap().ports, Ports::Steered(_)));
    });
    for one in needed {
        with(all - one, move || {
            let rig = Rig::start(&rtp(KernelPath::Auto)).unwrap();
            assert!(matches!(rig.ports, Ports::Own(_)), "without {one:?}");
            let why = Rig::start(&rtp(KernelPath::Require)).err().unwrap();
            assert!(why.starts_with("rtp.kernel is \"require\", but: "), "{why}");
            assert!(why.contains("not permitted"), "{why}");
        });
    }
}

/// The byte that came with a datagram in its IP header.
fn class_and_source(peer: &UdpSocket) -> (Option<u8>, SocketAddr) {
    use std::os::fd::AsRawFd as _;
    let mut bytes = [0; 64];
    let mut slices = [std::io::IoSliceMut::new(&mut bytes)];
    let mut room = nix::cmsg_space!(i32);
    let flags = MsgFlags::empty();
    let message = recvmsg::<nix::sys::socket::SockaddrIn>(
        peer.as_raw_fd(),
        &mut slices,
        Some(&mut room),
        flags,
    );
    let message = message.unwrap();
    let class = message.cmsgs().unwrap().find_map(|control| match control {
        ControlMessageOwned::Ipv4Tos(class) => Some(class),
        _ => None,
    });
    let from: std::net::SocketAddrV4 = message.address.unwrap().into();
    (class, from.into())
}
