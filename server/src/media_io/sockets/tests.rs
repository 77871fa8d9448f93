//! Pairs of ports on the loopback interface.

use super::*;
use crate::config::Interface;

const RESTING: usize = 4;

fn slot(index: u32, generation: u32) -> Slot {
    Slot { index, generation }
}

/// A pair of ports that nobody has.
fn free_pair() -> u16 {
    loop {
        let free = UdpSocket::bind("127.0.0.9:0").unwrap().local_addr().unwrap().port() & !1;
        let both = [free, free + 1].map(|port| UdpSocket::bind(("127.0.0.9", port)));
        if both.iter().all(Result::is_ok) {
            return free;
        }
    }
}

fn sockets(most_resting: usize) -> (Poller, Sockets) {
    let rtp = Rtp { address: "127.0.0.9".parse().unwrap(), ..Rtp::default() };
    (Poller::new().unwrap(), Sockets::new(Places::of(&rtp), most_resting))
}

/// What is ready now, read.
fn hear(poller: &Poller, sockets: &mut Sockets, now: Instant) -> Vec<(Slot, Vec<u8>)> {
    let (mut ready, mut bytes) = (Vec::new(), [0; 16]);
    poller.wait(now, Some(now), &mut ready).unwrap();
    let came = ready.into_iter().filter_map(|token| {
        let received = sockets.receive(now, Token(token), &mut bytes)?;
        Some((received.slot, bytes[..received.length].to_vec()))
    });
    came.collect()
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

#[test]
fn a_port_is_bound_to_its_interface_and_marked_with_the_class_of_service() {
    let free = free_pair();
    let inside = Interface {
        address: "127.0.0.9".parse().unwrap(),
        advertised: None,
        ports: format!("{free}-{}", free + 1),
        networks: vec!["10.0.0.0/8".to_owned()],
    };
    let address = "127.0.0.1".parse().unwrap();
    let rtp = Rtp { address, dscp: 34, interfaces: vec![inside], ..Rtp::default() };
    let poller = Poller::new().unwrap();
    let mut sockets = Sockets::new(Places::of(&rtp), RESTING);
    sockets.open(&poller, slot(0, 0), free).unwrap();
    let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
    listener.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let to = listener.local_addr().unwrap();
    assert!(sockets.send(slot(0, 0), Port::Rtp, to, b"hello"));
    let (_, from) = listener.recv_from(&mut [0; 16]).unwrap();
    assert_eq!(from, SocketAddr::new("127.0.0.9".parse().unwrap(), free));
    let pair = sockets.pairs[0].as_ref().unwrap();
    let class = socket2::SockRef::from(&pair.rtp).tos_v4().unwrap();
    assert_eq!(class, 34 << 2);
    assert_eq!(sockets.places.address(free.wrapping_sub(2)), rtp.address);
}

#[test]
fn a_rested_pair_serves_the_next_stream_of_its_port_and_the_last_one_no_more() {
    let (free, (poller, mut sockets)) = (free_pair(), sockets(RESTING));
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let to = peer.local_addr().unwrap();
    sockets.open(&poller, slot(3, 0), free).unwrap();
    sockets.close(at(0), slot(3, 0));
    assert!(!sockets.send(slot(3, 0), Port::Rtp, to, b"late"), "it is nobody's");
    assert!(UdpSocket::bind(("127.0.0.9", free)).is_err(), "it is bound still");
    sockets.open(&poller, slot(5, 1), free).unwrap();
    assert_eq!(sockets.pairs.len(), 1, "the same pair");
    sockets.close(at(0), slot(3, 0));
    assert!(sockets.send(slot(5, 1), Port::Rtcp, to, b"new"));
    let (_, from) = peer.recv_from(&mut [0; 16]).unwrap();
    assert_eq!(from.port(), free + 1);
    peer.send_to(b"to the new one", ("127.0.0.9", free)).unwrap();
    let came = hear(&poller, &mut sockets, at(1));
    assert_eq!(came, [(slot(5, 1), b"to the new one".to_vec())]);
}

#[test]
fn a_packet_for_the_last_call_is_never_heard_in_the_next() {
    let (free, (poller, mut sockets)) = (free_pair(), sockets(RESTING));
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    sockets.open(&poller, slot(0, 0), free).unwrap();
    sockets.close(at(0), slot(0, 0));
    for port in [free, free + 1] {
        // Under way when the call ended, and read while the pair rests.
        peer.send_to(b"last", ("127.0.0.9", port)).unwrap();
    }
    assert_eq!(hear(&poller, &mut sockets, at(500)), []);
    // Waiting when the next stream comes, at either port.
    for (generation, port) in [(1, free), (2, free + 1)] {
        peer.send_to(b"very late", ("127.0.0.9", port)).unwrap();
        sockets.open(&poller, slot(0, generation), free).unwrap();
        assert_eq!(hear(&poller, &mut sockets, at(3_000)), []);
        sockets.close(at(3_000), slot(0, generation));
    }
}

#[test]
fn who_speaks_on_to_a_resting_pair_finds_it_closed() {
    let (free, (poller, mut sockets)) = (free_pair(), sockets(RESTING));
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    sockets.open(&poller, slot(0, 0), free).unwrap();
    sockets.close(at(0), slot(0, 0));
    peer.send_to(b"still here", ("127.0.0.9", free)).unwrap();
    assert_eq!(hear(&poller, &mut sockets, at(1_500)), []);
    assert!(UdpSocket::bind(("127.0.0.9", free)).is_ok());
    assert_eq!(sockets.next_due(), None);
    sockets.open(&poller, slot(0, 1), free).unwrap();
}

#[test]
fn pairs_that_nobody_wants_are_closed_in_time_and_when_descriptors_run_short() {
    let (poller, mut sockets) = sockets(RESTING);
    let ports = [free_pair(), free_pair()];
    for (index, port) in (0..).zip(ports) {
        sockets.open(&poller, slot(index, 0), port).unwrap();
        sockets.close(at(u64::from(index) * 1_000), slot(index, 0));
    }
    assert_eq!(sockets.next_due(), Some(at(10_000)));
    sockets.close_rested(at(10_000));
    assert!(UdpSocket::bind(("127.0.0.9", ports[0])).is_ok());
    assert!(UdpSocket::bind(("127.0.0.9", ports[1])).is_err());
    assert!(sockets.close_all_resting() && !sockets.close_all_resting());
    assert!(UdpSocket::bind(("127.0.0.9", ports[1])).is_ok());
}
