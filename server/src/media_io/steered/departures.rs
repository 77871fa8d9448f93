//! Whole IP packets, gathered and handed over to a raw socket at once (sendmmsg(2)).

use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use media::{Datagram, MAX_DATAGRAM, Port, Slot};
use nix::errno::Errno;
use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, sendmmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::frame::{HEADERS_V4, HEADERS_V6, Marks, write_v4, write_v6};

/// Packets of one system call.
const GATHERED: usize = 64;
/// What may wait for the network card.
const KERNEL_BUFFER: usize = 4 << 20;
/// A raw socket that carries whole packets (`IPPROTO_RAW`, raw(7)).
const WHOLE_PACKETS: i32 = 255;

/// A datagram that the raw socket did not take.
pub(super) struct Refused<'a> {
    pub(super) slot: Slot,
    pub(super) port: Port,
    pub(super) to: SocketAddr,
    pub(super) bytes: &'a [u8],
    pub(super) error: Errno,
}

struct Entry {
    slot: Slot,
    port: Port,
    to: SocketAddr,
    start: usize,
    end: usize,
}

/// Packets of one family on their way out.
pub(super) struct Departures<Address> {
    socket: Socket,
    marks: Marks,
    number: u16,
    headers_length: usize,
    headers: MultiHeaders<Address>,
    to: Vec<Option<Address>>,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

impl Departures<SockaddrIn> {
    /// # Errors
    /// The kernel's, above all without `CAP_NET_RAW`.
    pub(super) fn v4(traffic_class: u32) -> std::io::Result<Self> {
        let socket = raw(Domain::IPV4)?;
        // It gives packets their place in the card's queues, as it would an ordinary socket's.
        socket.set_tos_v4(traffic_class)?;
        let hops = socket.ttl_v4()?;
        Ok(Self::new(socket, traffic_class, hops, HEADERS_V4))
    }

    /// Adds a datagram from `from`; false when it is of another family.
    pub(super) fn push(&mut self, from: SocketAddr, datagram: &Datagram<'_>) -> bool {
        let (SocketAddr::V4(from), SocketAddr::V4(to)) = (from, datagram.to) else { return false };
        self.number = self.number.wrapping_add(1);
        let start = self.bytes.len();
        let (marks, number) = (self.marks, self.number);
        write_v4(&mut self.bytes, (from, to), marks, number, datagram.bytes)
            && self.note(start, datagram, to.into())
    }
}

impl Departures<SockaddrIn6> {
    /// # Errors
    /// The kernel's, above all without `CAP_NET_RAW`.
    pub(super) fn v6(traffic_class: u32) -> std::io::Result<Self> {
        let socket = raw(Domain::IPV6)?;
        socket.set_tclass_v6(traffic_class)?;
        let hops = socket.unicast_hops_v6()?;
        Ok(Self::new(socket, traffic_class, hops, HEADERS_V6))
    }

    /// Adds a datagram from `from`; false when it is of another family.
    pub(super) fn push(&mut self, from: SocketAddr, datagram: &Datagram<'_>) -> bool {
        let (SocketAddr::V6(from), SocketAddr::V6(mut to)) = (from, datagram.to) else {
            return false;
        };
        let start = self.bytes.len();
        if !write_v6(&mut self.bytes, (from, to), self.marks, datagram.bytes) {
            return false;
        }
        // Here a port would be a protocol's number (raw(7)).
        to.set_port(0);
        self.note(start, datagram, to.into())
    }
}

impl<Address: SockaddrLike + Copy> Departures<Address> {
    fn new(socket: Socket, traffic_class: u32, hops: u32, headers_length: usize) -> Self {
        let traffic_class = u8::try_from(traffic_class).unwrap_or_default();
        let marks = Marks { traffic_class, hops: u8::try_from(hops).unwrap_or(64) };
        Self {
            socket,
            marks,
            number: 0,
            headers_length,
            headers: MultiHeaders::preallocate(GATHERED, None),
            to: Vec::with_capacity(GATHERED),
            entries: Vec::with_capacity(GATHERED),
            bytes: Vec::with_capacity(GATHERED * (headers_length + MAX_DATAGRAM)),
        }
    }

    fn note(&mut self, start: usize, datagram: &Datagram<'_>, to: Address) -> bool {
        let (slot, port) = (datagram.slot, datagram.port);
        let end = self.bytes.len();
        self.entries.push(Entry { slot, port, to: datagram.to, start, end });
        self.to.push(Some(to));
        true
    }

    /// Whether it must be sent before anything else is added.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= GATHERED
    }

    /// Sends what is there; `refuse` hears what the kernel did not take. How many it took.
    pub(super) fn send(&mut self, mut refuse: impl FnMut(Refused<'_>)) -> usize {
        let (mut next, mut taken) = (0, 0);
        while next < self.entries.len() {
            match self.send_from(next) {
                Ok(sent) => {
                    next += sent.max(1);
                    taken += sent;
                }
                // The first one is at fault; those behind it may be well.
                Err(error) => {
                    if let Some(entry) = self.entries.get(next) {
                        let start = entry.start + self.headers_length;
                        let bytes = self.bytes.get(start..entry.end).unwrap_or_default();
                        let Entry { slot, port, to, .. } = *entry;
                        refuse(Refused { slot, port, to, bytes, error });
                    }
                    next += 1;
                }
            }
        }
        self.entries.clear();
        self.to.clear();
        self.bytes.clear();
        taken
    }

    fn send_from(&mut self, first: usize) -> nix::Result<usize> {
        let waiting = self.entries.get(first..).unwrap_or_default();
        let mut packets: [[IoSlice<'_>; 1]; GATHERED] =
            std::array::from_fn(|_| [IoSlice::new(&[])]);
        for (packet, entry) in packets.iter_mut().zip(waiting) {
            let bytes = self.bytes.get(entry.start..entry.end).unwrap_or_default();
            *packet = [IoSlice::new(bytes)];
        }
        let packets = packets.get(..waiting.len()).unwrap_or_default();
        let to = self.to.get(first..).unwrap_or_default();
        let number = self.socket.as_raw_fd();
        let sent = sendmmsg(number, &mut self.headers, packets, to, [], MsgFlags::MSG_DONTWAIT)?;
        Ok(sent.count())
    }
}

fn raw(domain: Domain) -> std::io::Result<Socket> {
    let whole = Some(Protocol::from(WHOLE_PACKETS));
    let socket = Socket::new(domain, Type::RAW.nonblocking(), whole)?;
    if setsockopt(&socket, sockopt::SndBufForce, &KERNEL_BUFFER).is_err() {
        socket.set_send_buffer_size(KERNEL_BUFFER)?;
    }
    Ok(socket)
}
