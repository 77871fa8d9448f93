//! Datagrams by the batch: one system call takes many in, one sends many out, and the kernel stamps
//! what comes with the time it came.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, recvmmsg, sendmmsg, setsockopt,
};
use nix::sys::time::TimeSpec;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, Socket, Type};

use benches::clock::{self, Nanos};

/// Datagrams of one system call.
const BATCH: usize = 64;
/// No SIP message here is longer.
const LARGEST: usize = 4096;
/// The port for audio on each address of ours.
pub(crate) const AUDIO: u16 = 4_000;
/// What a burst of a second needs; the kernel gives as much as `net.core.rmem_max` allows.
const KERNEL_BUFFER: usize = 8 << 20;

/// A socket with one peer, and what waits to be sent to it.
struct End {
    socket: UdpSocket,
    local: SocketAddr,
    /// Takes audio, and is never read: the kernel drops it at the lowest price.
    _sink: UdpSocket,
    bytes: Vec<u8>,
    /// Where each waiting datagram ends in `bytes`.
    ends: Vec<usize>,
}

/// All sockets of the generator.
pub(crate) struct Wire {
    ends: Vec<End>,
    incoming: MultiHeaders<()>,
    outgoing: MultiHeaders<()>,
    buffer: Box<[u8]>,
    /// Datagrams that the kernel did not take.
    pub(crate) unsent: usize,
}

impl Wire {
    pub(crate) fn new() -> Self {
        let control = nix::cmsg_space!(TimeSpec);
        Self {
            ends: Vec::new(),
            incoming: MultiHeaders::preallocate(BATCH, Some(control)),
            outgoing: MultiHeaders::preallocate(BATCH, None),
            buffer: vec![0; BATCH * LARGEST].into_boxed_slice(),
            unsent: 0,
        }
    }

    /// Adds a socket on an address that has none yet; its number is the place in this order.
    pub(crate) fn add(&mut self, address: IpAddr) -> Result<usize, String> {
        let at = SocketAddr::new(address, 0);
        let bound = || -> std::io::Result<End> {
            let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
            socket.set_recv_buffer_size(KERNEL_BUFFER)?;
            socket.set_send_buffer_size(KERNEL_BUFFER)?;
            socket.set_nonblocking(true)?;
            setsockopt(&socket, ReceiveTimestampns, &true)?;
            socket.bind(&at.into())?;
            let socket = UdpSocket::from(socket);
            let local = socket.local_addr()?;
            let sink = UdpSocket::bind((address, AUDIO))?;
            Ok(End { socket, local, _sink: sink, bytes: Vec::new(), ends: Vec::new() })
        };
        self.ends.push(bound().map_err(|error| format!("{at}: {error}"))?);
        Ok(self.ends.len() - 1)
    }

    pub(crate) fn local(&self, end: usize) -> SocketAddr {
        self.ends[end].local
    }

    /// Everything that this socket sends goes there, and nobody else is heard.
    pub(crate) fn connect(&self, end: usize, peer: SocketAddr) -> Result<(), String> {
        self.ends[end].socket.connect(peer).map_err(|error| format!("{peer}: {error}"))
    }

    /// Where datagrams are queued until the next [`Self::flush`].
    pub(crate) fn queue(&mut self) -> Queue<'_> {
        Queue { ends: &mut self.ends }
    }

    /// Sends what is queued.
    pub(crate) fn flush(&mut self) {
        for end in self.ends.iter_mut().filter(|end| !end.ends.is_empty()) {
            let mut starts = 0;
            let datagrams: Vec<[IoSlice<'_>; 1]> = end
                .ends
                .iter()
                .map(|ends| {
                    [IoSlice::new(&end.bytes[std::mem::replace(&mut starts, *ends)..*ends])]
                })
                .collect();
            for batch in datagrams.chunks(BATCH) {
                self.unsent += batch.len() - send(&end.socket, &mut self.outgoing, batch);
            }
            end.bytes.clear();
            end.ends.clear();
        }
    }

    /// Waits for datagrams, at most so long; hands each to `take`, with its socket and the time it
    /// came.
    pub(crate) fn receive(
        &mut self,
        most: Nanos,
        mut take: impl FnMut(&mut Queue<'_>, usize, Nanos, &[u8]),
    ) {
        for end in self.ready(most) {
            loop {
                let came = self.batch(end);
                let mut queue = Queue { ends: &mut self.ends };
                for (at, (stamp, length)) in came.iter().enumerate() {
                    take(&mut queue, end, *stamp, &self.buffer[at * LARGEST..][..*length]);
                }
                if came.len() < BATCH {
                    break;
                }
            }
        }
    }

    /// The sockets with something to read, when there are any in time.
    fn ready(&self, most: Nanos) -> Vec<usize> {
        let mut fds: Vec<PollFd<'_>> =
            self.ends.iter().map(|end| PollFd::new(&end.socket, PollFlags::IN)).collect();
        let limit = Timespec {
            tv_sec: i64::try_from(most / clock::SECOND).unwrap_or(0),
            tv_nsec: i64::try_from(most % clock::SECOND).unwrap_or(0),
        };
        if poll(&mut fds, Some(&limit)).is_err() {
            return Vec::new();
        }
        let ready = fds.iter().enumerate().filter(|(_, fd)| !fd.revents().is_empty());
        ready.map(|(end, _)| end).collect()
    }

    /// One batch into the buffer; the time and length of each.
    fn batch(&mut self, end: usize) -> Vec<(Nanos, usize)> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffer.chunks_mut(LARGEST).map(|chunk| [IoSliceMut::new(chunk)]).collect();
        let fd = self.ends[end].socket.as_raw_fd();
        let received =
            recvmmsg(fd, &mut self.incoming, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None);
        let Ok(received) = received else { return Vec::new() };
        let stamp = |message: ControlMessageOwned| match message {
            ControlMessageOwned::ScmTimestampns(at) => Some(clock::of(&at)),
            _ => None,
        };
        received
            .map(|message| {
                let mut control = message.cmsgs().ok().into_iter().flatten();
                (control.find_map(stamp).unwrap_or_else(clock::now), message.bytes)
            })
            .collect()
    }
}

/// What waits to be sent.
pub(crate) struct Queue<'a> {
    ends: &'a mut [End],
}

impl Queue<'_> {
    /// Queues a datagram: `write` is given the socket's own address and appends it.
    pub(crate) fn send(&mut self, end: usize, write: impl FnOnce(SocketAddr, &mut Vec<u8>)) {
        let end = &mut self.ends[end];
        write(end.local, &mut end.bytes);
        end.ends.push(end.bytes.len());
    }
}

/// How many of a batch were sent.
fn send(socket: &UdpSocket, headers: &mut MultiHeaders<()>, batch: &[[IoSlice<'_>; 1]]) -> usize {
    let mut sent = 0;
    // A peer that was not there yet leaves an error for the next sender, which is us.
    let mut faults = 0;
    while sent < batch.len() && faults < 100 {
        let rest = &batch[sent..];
        let nowhere = vec![None; rest.len()];
        match sendmmsg(socket.as_raw_fd(), headers, rest, nowhere, [], MsgFlags::empty()) {
            Ok(results) => sent += results.count(),
            Err(Errno::EAGAIN) => {
                faults += 1;
                std::thread::yield_now();
            }
            Err(_) => faults += 1,
        }
    }
    sent
}

/// A free port on an address, for a server that must be told its own.
pub(crate) fn free_port(address: IpAddr) -> Result<u16, String> {
    for port in 5_070..5_999 {
        match UdpSocket::bind((address, port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(format!("{address}: {error}")),
        }
    }
    Err(format!("{address} has no free port from 5070 to 5999"))
}
