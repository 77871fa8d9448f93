//! Datagrams of one socket, up to 64 at a time (recvmmsg(2)): for sockets that many streams share.

use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd as _};

use media::MAX_DATAGRAM;
use nix::libc::sockaddr_in6;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrIn, SockaddrIn6, SockaddrStorage,
    recvmmsg,
};

use super::family::canonical;
use crate::pktinfo;

/// Datagrams of one system call: what costs a call of its own no longer counts.
pub(super) const ARRIVALS: usize = 64;
/// One byte more than is taken: what fills it was longer.
const ROOM: usize = MAX_DATAGRAM + 1;

/// One datagram; it may be rewritten in place.
pub(super) struct Arrival<'a> {
    pub(super) source: SocketAddr,
    /// Where it was sent to, if the socket says so (`IP_RECVORIGDSTADDR`).
    pub(super) to: Option<SocketAddr>,
    /// Which address of ours it came to, if the socket says so (`crate::pktinfo`).
    pub(super) at: Option<IpAddr>,
    pub(super) bytes: &'a mut [u8],
}

#[derive(Clone, Copy)]
struct Envelope {
    source: SocketAddr,
    to: Option<SocketAddr>,
    at: Option<IpAddr>,
    length: usize,
}

/// Room for [`ARRIVALS`] datagrams, allocated once. It is for one socket alone: a header has no more
/// room than what came last by it took, and addresses of another family may need more.
pub(super) struct Arrivals {
    headers: MultiHeaders<SockaddrStorage>,
    room: Box<[[u8; ROOM]]>,
    envelopes: Vec<Option<Envelope>>,
}

impl Arrivals {
    pub(super) fn new() -> Self {
        Self {
            headers: headers(),
            room: vec![[0; ROOM]; ARRIVALS].into_boxed_slice(),
            envelopes: Vec::with_capacity(ARRIVALS),
        }
    }

    /// Takes what is there, without waiting: how many datagrams, at most [`ARRIVALS`]. Those of the
    /// call before are gone.
    pub(super) fn receive(&mut self, socket: impl AsFd) -> usize {
        self.envelopes.clear();
        let mut room = self.room.iter_mut();
        let mut slices: [[IoSliceMut<'_>; 1]; ARRIVALS] = std::array::from_fn(|_| {
            let room = room.next().map(<[u8; ROOM]>::as_mut_slice);
            [IoSliceMut::new(room.unwrap_or_default())]
        });
        let number = socket.as_fd().as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        match recvmmsg(number, &mut self.headers, slices.iter_mut(), flags, None) {
            Ok(messages) => self.envelopes.extend(messages.map(|message| read(&message))),
            Err(_) => return 0,
        }
        // The kernel leaves in a header how much of its room it used. What used none, for whatever
        // reason, would never have any again.
        if self.envelopes.iter().any(Option::is_none) {
            self.headers = headers();
        }
        self.envelopes.len()
    }

    /// How many the last call took.
    pub(super) fn len(&self) -> usize {
        self.envelopes.len()
    }

    /// The datagram of that number; none if it was longer than any that is relayed.
    pub(super) fn get(&mut self, number: usize) -> Option<Arrival<'_>> {
        let Envelope { source, to, at, length } = (*self.envelopes.get(number)?)?;
        let bytes = self.room.get_mut(number)?.get_mut(..length)?;
        Some(Arrival { source, to, at, bytes })
    }
}

fn headers() -> MultiHeaders<SockaddrStorage> {
    MultiHeaders::preallocate(ARRIVALS, Some(nix::cmsg_space!(sockaddr_in6)))
}

fn read(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<Envelope> {
    let length = message.bytes;
    if length > MAX_DATAGRAM || message.flags.contains(MsgFlags::MSG_CTRUNC) {
        return None;
    }
    let source = message.address.as_ref()?;
    let source = source
        .as_sockaddr_in()
        .map(|v4| SocketAddr::V4((*v4).into()))
        .or_else(|| source.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))?;
    let mut envelope = Envelope { source: canonical(source), to: None, at: None, length };
    for said in message.cmsgs().ok()? {
        let to = match said {
            ControlMessageOwned::Ipv4OrigDstAddr(to) => SocketAddr::V4(SockaddrIn::from(to).into()),
            ControlMessageOwned::Ipv6OrigDstAddr(to) => {
                SocketAddr::V6(SockaddrIn6::from(to).into())
            }
            said => {
                envelope.at = envelope.at.or(pktinfo::came_to(&said));
                continue;
            }
        };
        envelope.to = Some(canonical(to));
    }
    Some(envelope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{setsockopt, sockopt};
    use std::net::UdpSocket;

    #[test]
    fn each_datagram_comes_with_its_source_and_the_address_that_it_was_sent_to() {
        for (address, wildcard) in [("127.0.0.1", "0.0.0.0:0"), ("::1", "[::]:0")] {
            let ours = UdpSocket::bind(wildcard).unwrap();
            if ours.local_addr().unwrap().is_ipv4() {
                setsockopt(&ours, sockopt::Ipv4OrigDstAddr, &true).unwrap();
            } else {
                setsockopt(&ours, sockopt::Ipv6OrigDstAddr, &true).unwrap();
            }
            let to = SocketAddr::new(address.parse().unwrap(), ours.local_addr().unwrap().port());
            let theirs = UdpSocket::bind((address, 0)).unwrap();
            let mut arrivals = Arrivals::new();
            assert_eq!(arrivals.receive(&ours), 0, "nothing was sent");
            // Twice, as the headers are used again.
            for round in 0..3_u8 {
                for n in 0..100_u8 {
                    theirs.send_to(&vec![n ^ round; usize::from(n)], to).unwrap();
                }
                let mut expected = 0..100_u8;
                for count in [64, 36, 0] {
                    assert_eq!(arrivals.receive(&ours), count);
                    for (n, expected) in (0..count).zip(&mut expected) {
                        let arrival = arrivals.get(n).unwrap();
                        assert_eq!(arrival.source, theirs.local_addr().unwrap());
                        assert_eq!(arrival.to, Some(to));
                        assert_eq!(arrival.bytes, vec![expected ^ round; usize::from(expected)]);
                    }
                    assert!(arrivals.get(count).is_none());
                }
            }
        }
    }

    #[test]
    fn over_a_socket_of_all_addresses_each_comes_with_the_one_of_ours_that_it_came_to() {
        let ways = [
            ("0.0.0.0:0", &["127.0.0.1", "127.0.0.5", "127.0.0.1"][..]),
            ("[::]:0", &["::1", "127.0.0.5", "::1", "127.0.0.1"]),
        ];
        for (wildcard, reached) in ways {
            // Of both families, as a worker's: std's socket is so as well.
            let ours = UdpSocket::bind(wildcard).unwrap();
            let local = ours.local_addr().unwrap();
            pktinfo::ask(&ours, local).unwrap();
            let mut arrivals = Arrivals::new();
            // Again and again, as the headers are used again.
            for _ in 0..3 {
                for at in reached {
                    let at: IpAddr = at.parse().unwrap();
                    let theirs = UdpSocket::bind((at, 0)).unwrap();
                    theirs.send_to(b"one", (at, local.port())).unwrap();
                    assert_eq!(arrivals.receive(&ours), 1);
                    let arrival = arrivals.get(0).unwrap();
                    assert_eq!((arrival.at, arrival.to), (Some(at), None));
                    assert_eq!(arrival.source, theirs.local_addr().unwrap());
                }
            }
        }
    }

    #[test]
    fn what_is_too_long_to_be_relayed_is_left_out_and_the_others_are_not() {
        let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
        let theirs = UdpSocket::bind("127.0.0.1:0").unwrap();
        for length in [MAX_DATAGRAM + 1, MAX_DATAGRAM] {
            theirs.send_to(&vec![7; length], ours.local_addr().unwrap()).unwrap();
        }
        let mut arrivals = Arrivals::new();
        assert_eq!(arrivals.receive(&ours), 2);
        assert!(arrivals.get(0).is_none());
        let arrival = arrivals.get(1).unwrap();
        assert_eq!((arrival.bytes.len(), arrival.to), (MAX_DATAGRAM, None), "nobody asked");
        assert_eq!(arrival.at, None, "nor for this");
    }
}
