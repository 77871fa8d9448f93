//! SIP over UDP: batches in, single datagrams out. Each flow has the address of ours that its peer
//! can reach, also when the socket is bound to all of them.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use bytes::Bytes;
use sip::{Flow, Transport};
use socket2::{Domain, Protocol, Socket, Type};

use super::paths::Paths;

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
    /// Of a socket that is bound to all our addresses.
    paths: Option<RefCell<Paths>>,
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
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let local = socket.local_addr()?;
        let paths = local.ip().is_unspecified().then(|| RefCell::new(Paths::new()));
        Ok(Self { socket, local, paths })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Hands at most one batch of datagrams to `take`.
    pub(super) fn receive(&self, buffer: &mut DatagramBuffer, mut take: impl FnMut(Flow, Bytes)) {
        for _ in 0..BATCH {
            match self.socket.recv_from(&mut buffer.0) {
                Ok((length, remote)) => {
                    let flow = self.flow(remote);
                    take(flow, Bytes::copy_from_slice(&buffer.0[..length]));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // ICMP errors of earlier sends arrive here too: the transactions' timers handle
                // an unreachable peer, and the next datagram is not to be delayed by it.
                Err(_) => {}
            }
        }
    }

    fn flow(&self, remote: SocketAddr) -> Flow {
        let own = self.paths.as_ref().and_then(|paths| paths.borrow_mut().toward(remote.ip()));
        let local = own.map_or(self.local, |ip| SocketAddr::new(ip, self.local.port()));
        Flow { transport: Transport::Udp, local, remote, connection: 0 }
    }

    /// Whether a flow begins at this socket.
    pub(super) fn is_end_of(&self, flow: &Flow) -> bool {
        let any = self.paths.is_some()
            && self.local.is_ipv4() == flow.local.is_ipv4()
            && self.local.port() == flow.local.port();
        any || self.local == flow.local
    }

    /// Sends, or drops when the kernel's buffer is full: SIP over UDP retransmits.
    pub(super) fn send(&self, remote: SocketAddr, bytes: &[u8]) -> bool {
        self.socket.send_to(bytes, remote).is_ok()
    }
}

impl AsFd for UdpPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Room for the largest datagram, shared by all ports of a thread.
pub(super) struct DatagramBuffer(Box<[u8]>);

impl DatagramBuffer {
    pub(super) fn new() -> Self {
        Self(vec![0; LARGEST].into_boxed_slice())
    }
}
