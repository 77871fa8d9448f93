//! SIP over UDP: batches in, single datagrams out. Each flow has the address of ours that its peer
//! sent to, also when the socket is bound to all of them, and what we send leaves from there.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use bytes::Bytes;
use nix::libc::{in_pktinfo, in6_pktinfo};
use nix::sys::socket::{MsgFlags, SockaddrStorage, recvmsg, sendmsg};
use sip::{Datagram, Flow};
use socket2::{Domain, Protocol, Socket, Type};
use switch::Input;

use crate::pktinfo::{self, LeavesFrom};

/// Datagrams read from one socket before the others get their turn.
const BATCH: usize = 64;
/// The kernel holds a burst of about 3000 INVITEs.
const KERNEL_BUFFER: usize = 4 << 20;
/// A UDP datagram's largest payload.
const LARGEST: usize = 65_535;

/// One SIP UDP socket.
pub(super) struct UdpPort {
    socket: UdpSocket,
    local: SocketAddr,
}

impl UdpPort {
    pub(super) fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_recv_buffer_size(KERNEL_BUFFER)?;
        socket.set_send_buffer_size(KERNEL_BUFFER)?;
        socket.set_nonblocking(true)?;
        if address.is_ipv6() {
            // IPv4 peers have sockets of their own: a mapped address would be no trunk's.
            socket.set_only_v6(true)?;
        }
        if address.ip().is_unspecified() {
            pktinfo::ask(&socket, address)?;
        }
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    fn is_of_all_addresses(&self) -> bool {
        self.local.ip().is_unspecified()
    }

    /// Hands at most one batch of datagrams to `take`; answers keep-alives itself.
    pub(super) fn receive(&self, buffer: &mut DatagramBuffer, mut take: impl FnMut(Input)) {
        for _ in 0..BATCH {
            let (flow, datagram) = match self.next(buffer) {
                Ok(Some(received)) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // ICMP errors of earlier sends arrive here too: the transactions' timers handle
                // an unreachable peer, and the next datagram is not to be delayed by it.
                Ok(None) | Err(_) => continue,
            };
            match sip::datagram(datagram, flow.remote) {
                Datagram::Message => {
                    take(Input::Received { flow, bytes: Bytes::copy_from_slice(datagram) });
                }
                Datagram::KeepAlive(answer) => {
                    if let Some(answer) = answer {
                        self.send(&flow, &answer);
                    }
                    take(Input::KeepAlive { flow, answer: None });
                }
                Datagram::Answer(answer) => {
                    take(Input::KeepAlive { flow, answer: Some(answer) });
                }
            }
        }
    }

    /// The next datagram and the path it came on; none when the kernel does not say which.
    fn next<'b>(
        &self,
        buffer: &'b mut DatagramBuffer,
    ) -> std::io::Result<Option<(Flow, &'b [u8])>> {
        let DatagramBuffer { datagram, control } = buffer;
        if !self.is_of_all_addresses() {
            let (length, remote) = self.socket.recv_from(datagram)?;
            return Ok(Some((Flow::udp(self.local, remote), &datagram[..length])));
        }
        let mut parts = [IoSliceMut::new(datagram)];
        let received = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(control),
            MsgFlags::empty(),
        )?;
        let own = received.cmsgs()?.find_map(|said| pktinfo::came_to(&said));
        let remote = received.address.as_ref().and_then(address);
        let length = received.bytes;
        let (Some(own), Some(remote)) = (own, remote) else { return Ok(None) };
        let local = SocketAddr::new(own, self.local.port());
        Ok(Some((Flow::udp(local, remote), &datagram[..length])))
    }

    /// Whether a flow begins at this socket.
    pub(super) fn is_end_of(&self, flow: &Flow) -> bool {
        let any = self.is_of_all_addresses()
            && self.local.is_ipv4() == flow.local.is_ipv4()
            && self.local.port() == flow.local.port();
        any || self.local == flow.local
    }

    /// Sends from the flow's own end, or drops when the kernel's buffer is full: SIP over UDP
    /// retransmits.
    pub(super) fn send(&self, flow: &Flow, bytes: &[u8]) -> bool {
        if !self.is_of_all_addresses() {
            return self.socket.send_to(bytes, flow.remote).is_ok();
        }
        let fd = self.socket.as_raw_fd();
        let (parts, to) = ([IoSlice::new(bytes)], SockaddrStorage::from(flow.remote));
        let from = LeavesFrom::address(flow.local.ip(), self.local.is_ipv6());
        sendmsg(fd, &parts, &[from.told()], MsgFlags::empty(), Some(&to)).is_ok()
    }
}

impl AsFd for UdpPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), v4.port()));
    }
    // With its scope: a link-local peer is reached through one interface only.
    storage.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()))
}

/// Room for the largest datagram, shared by all ports of a thread.
pub(super) struct DatagramBuffer {
    datagram: Box<[u8]>,
    control: Vec<u8>,
}

impl DatagramBuffer {
    pub(super) fn new() -> Self {
        let control = nix::cmsg_space!(in6_pktinfo, in_pktinfo);
        Self { datagram: vec![0; LARGEST].into_boxed_slice(), control }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;
    use std::time::Duration;

    fn exchange(bound: &str, reached: &str, from: &str) -> Option<()> {
        let Ok(port) = UdpPort::bind(bound.parse().unwrap()) else { return None };
        let server = SocketAddr::new(reached.parse().unwrap(), port.local().port());
        let peer = UdpSocket::bind((from.parse::<IpAddr>().unwrap(), 0)).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut buffer = DatagramBuffer::new();
        // Twice, because what the kernel leaves in the buffers must not spoil the next time.
        for text in ["first", "the second one"] {
            peer.send_to(text.as_bytes(), server).unwrap();
            let mut came = Vec::new();
            while came.is_empty() {
                port.receive(&mut buffer, |input| came.extend(message(input)));
            }
            let (flow, bytes) = came.remove(0);
            assert_eq!(bytes, text.as_bytes());
            assert_eq!(flow, Flow::udp(server, peer.local_addr().unwrap()));
            assert!(port.is_end_of(&flow) && port.send(&flow, &bytes));
            let mut answer = [0; 64];
            let (length, source) = peer.recv_from(&mut answer).unwrap();
            assert_eq!((&answer[..length], source), (text.as_bytes(), server), "as it was asked");
        }
        Some(())
    }

    #[test]
    fn what_came_to_one_of_our_addresses_is_answered_from_that_one() {
        assert!(exchange("0.0.0.0:0", "127.0.0.1", "127.0.0.2").is_some());
        assert!(exchange("0.0.0.0:0", "127.0.0.77", "127.0.0.2").is_some());
        assert!(exchange("127.0.0.5:0", "127.0.0.5", "127.0.0.2").is_some());
        // Where there is no IPv6 at all there is nothing to show.
        let _ = exchange("[::]:0", "::1", "::1");
    }

    fn message(input: Input) -> Option<(Flow, Bytes)> {
        let Input::Received { flow, bytes } = input else { return None };
        Some((flow, bytes))
    }

    #[test]
    fn keep_alives_are_told_from_messages_and_stun_is_answered() {
        let port = UdpPort::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let server = SocketAddr::new("127.0.0.1".parse().unwrap(), port.local().port());
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let binding = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], b"transaction1"].concat();
        let answer = [&[1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], b"transaction2"].concat();
        for datagram in [&b"\r\n\r\n"[..], b"", &binding, &answer, b"OPTIONS"] {
            peer.send_to(datagram, server).unwrap();
        }
        let (mut buffer, mut came) = (DatagramBuffer::new(), Vec::new());
        while came.len() < 5 {
            port.receive(&mut buffer, |input| came.push(input));
        }
        let answers = came.iter().filter_map(|input| match input {
            Input::KeepAlive { answer, .. } => Some(answer.map(|answer| answer.transaction)),
            _ => None,
        });
        assert_eq!(answers.collect::<Vec<_>>(), [None, None, None, Some(*b"transaction2")]);
        assert_eq!(came.into_iter().find_map(message).unwrap().1, "OPTIONS");
        let mut answer = [0; 64];
        let (length, source) = peer.recv_from(&mut answer).unwrap();
        assert_eq!((source, &answer[..2]), (server, &[1, 1][..]));
        assert_eq!(&answer[8..20], b"transaction1");
        assert!(length > 20, "with the address we see");
    }
}
