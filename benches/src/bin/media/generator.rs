//! All far ends of all calls, in one thread that never sleeps: each leg's packets evenly in time,
//! all legs' evenly among each other, and each packet that comes back is measured.
//!
//! A packet carries the time when it was written, or is known by its frame, and the kernel stamps
//! when it came back: of the generator's own work no more than the other packets of its system call
//! are in the difference.
//! What one socket owes is sent at once, and sockets are read in turns: both cost less by the batch,
//! and it is the generator that must not be what limits. A browser's own socket is read whenever it
//! has spoken.

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;

use benches::clock::{self, MILLISECOND, Nanos};
use media::rtp::Header;
use media::srtp::{Opener, Sealer};
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt,
};
use nix::sys::time::TimeSpec;

use crate::describe::Side;
use crate::figures::Figures;
use crate::speech::{STAMP, Speech};
use crate::web::{self, Browser};

/// Sockets a side: far ends that share one are told apart by the relay's own port.
const SOCKETS: u8 = 4;
/// Datagrams received by one system call.
const BATCH: usize = 64;
const LARGEST: usize = 512;
/// Bytes of all that waits while the generator is not scheduled.
const KERNEL_BUFFER: usize = 16 << 20;
const PTIME: Nanos = 20 * MILLISECOND;
/// Packets sent in a row before it is looked for what came: of one socket, if so many are due.
const BURST: usize = 16;

/// Frames of a far end whose times are remembered: five seconds.
const REMEMBERED: usize = 256;
/// Datagrams of a browser's socket received by one system call.
const OF_BROWSER: usize = 8;

/// One far end.
struct Leg {
    /// Which of the ears it has; a browser has its own.
    socket: usize,
    browser: Option<(Box<Browser>, Opener)>,
    to: SockaddrIn,
    header: Header,
    sealer: Option<Sealer>,
    frame: usize,
    /// When its last packet came.
    heard: Option<Nanos>,
    /// Whether it tells how long what comes to it was under way.
    reads_time: bool,
    /// When it sent the last of its frames, by their numbers.
    sent: Box<[Nanos]>,
    /// The number of the other side's frame that comes next.
    next: usize,
}

/// What a new far end is like.
pub(crate) struct Plug {
    /// The place it was given by [`Generator::place`].
    pub(crate) place: usize,
    /// A browser, which has a place of its own, and what opens what comes to it.
    pub(crate) browser: Option<(Box<Browser>, Opener)>,
    /// Where the relay wants its audio.
    pub(crate) to: SocketAddrV4,
    pub(crate) payload_type: u8,
    pub(crate) sealer: Option<Sealer>,
    pub(crate) reads_time: bool,
}

/// Packets of one socket that leave together.
struct Outgoing {
    socket: usize,
    count: usize,
    packets: [Vec<u8>; BURST],
    to: [Option<SockaddrIn>; BURST],
    headers: MultiHeaders<SockaddrIn>,
}

struct Ear {
    socket: UdpSocket,
    local: SocketAddr,
    /// Takes RTCP and is never read.
    _sink: UdpSocket,
}

pub(crate) struct Generator {
    ears: Vec<Ear>,
    legs: Vec<Leg>,
    /// Legs by the relay's port: one address relays.
    by_port: Box<[u32]>,
    speech: [Speech; 2],
    /// Far ends that have a place, by their sides.
    placed: [usize; 2],
    /// Whose packet comes after whose; the next of them, and when.
    order: Vec<u32>,
    turn: usize,
    due: Nanos,
    /// Packets leave at the beats of a clock of this period, as many as are due.
    beat: Nanos,
    incoming: MultiHeaders<SockaddrIn>,
    buffer: Box<[u8]>,
    outgoing: Outgoing,
    /// The socket that is read next.
    heard: usize,
    /// When all fell silent.
    silent: Option<Nanos>,
}

impl Generator {
    /// What callers and callees say is given.
    pub(crate) fn new(speech: [Speech; 2], beat: Nanos) -> Result<Self, String> {
        let mut ears = Vec::new();
        for side in [Side::Caller, Side::Callee] {
            for n in 0..SOCKETS {
                let at = format!("{side:?} {n}");
                ears.push(ear(side, n).map_err(|error| format!("{at}: {error}"))?);
            }
        }
        Ok(Self {
            ears,
            legs: Vec::new(),
            by_port: vec![u32::MAX; 1 << 16].into_boxed_slice(),
            speech,
            placed: [0; 2],
            order: Vec::new(),
            turn: 0,
            due: 0,
            beat: beat.max(1),
            incoming: MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec))),
            buffer: vec![0; BATCH * LARGEST].into_boxed_slice(),
            outgoing: Outgoing {
                socket: 0,
                count: 0,
                packets: std::array::from_fn(|_| Vec::with_capacity(LARGEST)),
                to: [None; BURST],
                headers: MultiHeaders::preallocate(BURST, None),
            },
            heard: 0,
            silent: None,
        })
    }

    /// Where the next far end of a side hears.
    pub(crate) fn place(&mut self, side: Side) -> (usize, SocketAddr) {
        let (first, placed) = match side {
            Side::Caller => (0, &mut self.placed[0]),
            Side::Callee => (usize::from(SOCKETS), &mut self.placed[1]),
        };
        let place = first + (*placed / BURST) % usize::from(SOCKETS);
        *placed += 1;
        (place, self.ears[place].local)
    }

    /// A far end speaks from now on.
    pub(crate) fn plug(&mut self, plug: Plug) {
        let number = self.legs.len() as u32;
        let payload_type = plug.payload_type;
        let is_browser = plug.browser.is_some();
        if !is_browser {
            self.by_port[usize::from(plug.to.port())] = number;
        }
        self.legs.push(Leg {
            socket: if is_browser { self.ears.len() } else { plug.place },
            browser: plug.browser,
            to: plug.to.into(),
            header: Header {
                payload_type,
                marker: true,
                sequence: 1,
                timestamp: number.wrapping_mul(7919),
                ssrc: 0x5000_0000 | number,
            },
            sealer: plug.sealer,
            frame: first_frame(number as usize),
            heard: None,
            reads_time: plug.reads_time,
            sent: vec![0; REMEMBERED].into_boxed_slice(),
            next: first_frame(number as usize ^ 1),
        });
    }

    /// All browsers say that they are still there, as far as it is time to.
    pub(crate) fn consent(&mut self) {
        let now = clock::now();
        for (browser, _) in self.legs.iter_mut().filter_map(|leg| leg.browser.as_mut()) {
            browser.consent(now);
        }
    }

    /// Talks and listens for so long.
    pub(crate) fn run(&mut self, time: Nanos) -> Figures {
        let mut figures = Figures::default();
        let until = clock::now() + time;
        let now = clock::now();
        self.due = now - now % self.beat;
        if let Some(silent) = self.silent {
            self.pass(now.saturating_sub(silent));
        }
        self.settle_order();
        let spacing = PTIME as f64 / self.legs.len().max(1) as f64;
        loop {
            let now = clock::now();
            if now >= until {
                self.silent = Some(now);
                return figures;
            }
            let beat = now - now % self.beat;
            let behind = beat.saturating_sub(self.due);
            let owed = (behind as f64 / spacing) as usize;
            for _ in 0..owed.min(if self.beat > 1 { usize::MAX } else { BURST }) {
                figures.late(clock::now().saturating_sub(self.due));
                self.say(&mut figures);
                self.turn = (self.turn + 1) % self.legs.len();
                self.due += spacing as Nanos;
            }
            self.send(&mut figures);
            self.heard = (self.heard + 1) % self.ears.len();
            while self.listen(self.heard, &mut figures) == BATCH {}
        }
    }

    /// Time passes for all far ends, though they say nothing: what they say next is no later than it
    /// was before.
    fn pass(&mut self, time: Nanos) {
        for (number, leg) in self.legs.iter_mut().enumerate() {
            let ticks = time * Nanos::from(self.speech[number % 2].ticks()) / PTIME;
            leg.header.timestamp = leg.header.timestamp.wrapping_add(ticks as u32);
        }
    }

    /// Far ends of one socket speak one after the other, then some of the next socket's.
    fn settle_order(&mut self) {
        // Behind the last socket all browsers.
        let sockets = 0..=self.ears.len();
        let mut of_sockets: Vec<Vec<u32>> = sockets.map(|_| Vec::new()).collect();
        for (number, leg) in self.legs.iter().enumerate() {
            of_sockets[leg.socket].push(number as u32);
        }
        let mut bursts: Vec<_> = of_sockets.iter().map(|legs| legs.chunks(BURST)).collect();
        self.order.clear();
        while self.order.len() < self.legs.len() {
            let next = bursts.iter_mut().filter_map(Iterator::next);
            self.order.extend(next.flatten());
        }
    }

    fn say(&mut self, figures: &mut Figures) {
        let number = self.order[self.turn] as usize;
        let socket = self.legs[number].socket;
        if self.outgoing.count == BURST || self.outgoing.socket != socket {
            self.send(figures);
            self.outgoing.socket = socket;
        }
        let leg = &mut self.legs[number];
        let packet = &mut self.outgoing.packets[self.outgoing.count];
        leg.write(&self.speech[number % 2], packet);
        let Some((browser, _)) = &mut leg.browser else {
            self.outgoing.to[self.outgoing.count] = Some(leg.to);
            self.outgoing.count += 1;
            return;
        };
        let sent = browser.socket().send(packet).is_ok();
        figures.sent += u64::from(sent);
        figures.unsent += u64::from(!sent);
        browser.consent(clock::now());
        self.hear(number, figures);
    }

    /// Sends what one socket has to send. What the kernel takes not is lost, and counted.
    fn send(&mut self, figures: &mut Figures) {
        let Outgoing { socket, count, packets, to, headers } = &mut self.outgoing;
        // A browser's packets do not wait here: behind the last socket nothing does.
        let Some(ear) = self.ears.get(*socket) else { return };
        let fd = ear.socket.as_raw_fd();
        let slices: [[IoSlice<'_>; 1]; BURST] =
            std::array::from_fn(|n| [IoSlice::new(&packets[n])]);
        let mut done = 0;
        while done < *count {
            let (rest, to) = (&slices[done..*count], &to[done..*count]);
            let sent = match sendmmsg(fd, headers, rest, to, [], MsgFlags::MSG_DONTWAIT) {
                Ok(results) => results.count(),
                Err(_) => 0,
            };
            figures.sent += sent as u64;
            figures.unsent += u64::from(sent == 0);
            done += sent.max(1);
        }
        *count = 0;
    }

    /// One batch of one socket; how many came.
    fn listen(&mut self, ear: usize, figures: &mut Figures) -> usize {
        let fd = self.ears[ear].socket.as_raw_fd();
        let came = self.receive::<BATCH>(fd);
        let mut count = 0;
        for (at, (port, stamp, length)) in came.into_iter().flatten().enumerate() {
            count += 1;
            let bytes = &self.buffer[at * LARGEST..][..length.min(LARGEST)];
            let number = self.by_port[usize::from(port)] as usize;
            let sent = sent_at(&mut self.legs, &self.speech, number, bytes);
            if let Some(leg) = self.legs.get_mut(number) {
                leg.take(figures, stamp, sent);
            }
        }
        count
    }

    /// What has come to a browser.
    fn hear(&mut self, number: usize, figures: &mut Figures) {
        let Some((browser, _)) = &self.legs[number].browser else { return };
        let fd = browser.socket().as_raw_fd();
        let came = self.receive::<OF_BROWSER>(fd);
        for (at, (_, stamp, length)) in came.into_iter().flatten().enumerate() {
            let bytes = &mut self.buffer[at * LARGEST..][..length.min(LARGEST)];
            let leg = &mut self.legs[number];
            let Some((_, opener)) = &mut leg.browser else { return };
            if let Some(length) = web::open(opener, bytes) {
                let sent = sent_at(&mut self.legs, &self.speech, number, &bytes[..length]);
                self.legs[number].take(figures, stamp, sent);
            }
        }
    }

    /// Up to so many datagrams of a socket: from which port, when, and how long.
    fn receive<const MOST: usize>(&mut self, fd: i32) -> [Option<(u16, Nanos, usize)>; MOST] {
        let mut chunks = self.buffer.chunks_mut(LARGEST);
        let mut slices: [[IoSliceMut<'_>; 1]; MOST] =
            std::array::from_fn(|_| [IoSliceMut::new(chunks.next().unwrap_or_default())]);
        let mut all = [None; MOST];
        let flags = MsgFlags::MSG_DONTWAIT;
        let came = recvmmsg(fd, &mut self.incoming, slices.iter_mut(), flags, None);
        let Ok(came) = came else { return all };
        for (place, message) in all.iter_mut().zip(came) {
            let port = message.address.map_or(0, |from| from.port());
            let stamp = message.cmsgs().ok().into_iter().flatten().find_map(|of| match of {
                ControlMessageOwned::ScmTimestampns(at) => Some(clock::of(&at)),
                _ => None,
            });
            *place = Some((port, stamp.unwrap_or_else(clock::now), message.bytes));
        }
        all
    }
}

impl Leg {
    /// Writes its next packet.
    fn write(&mut self, speech: &Speech, packet: &mut Vec<u8>) {
        packet.clear();
        packet.extend_from_slice(&self.header.to_bytes());
        packet.extend_from_slice(speech.frame(self.frame));
        let now = clock::now();
        self.sent[self.frame % REMEMBERED] = now;
        if let (true, Some(stamp)) = (speech.is_stamped(), packet.last_chunk_mut::<STAMP>()) {
            *stamp = now.to_be_bytes();
        }
        if let Some(sealer) = &mut self.sealer {
            let _ = sealer.seal_rtp(packet, 0);
        }
        self.frame += 1;
        self.header.marker = false;
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(speech.ticks());
    }

    /// A packet of audio has come that was sent then, if that is known.
    fn take(&mut self, figures: &mut Figures, stamp: Nanos, sent: Option<Nanos>) {
        figures.received += 1;
        if let Some(sent) = sent {
            figures.delay(stamp.saturating_sub(sent));
        }
        if let Some(before) = self.heard.replace(stamp) {
            figures.gap(stamp.saturating_sub(before));
        }
    }
}

/// Where in the music a far end begins.
fn first_frame(number: usize) -> usize {
    number * 7
}

/// When what has come to a far end was sent by the other one of its call: the packet says it, or
/// it is known by its frame, which is the one that comes next or, if some are lost, one after it.
fn sent_at(legs: &mut [Leg], speech: &[Speech; 2], number: usize, packet: &[u8]) -> Option<Nanos> {
    legs.get(number).filter(|leg| leg.reads_time)?;
    let other = number ^ 1;
    let speech = &speech[other % 2];
    if speech.is_stamped() {
        return packet.last_chunk::<STAMP>().map(|sent| Nanos::from_be_bytes(*sent));
    }
    let payload = packet.get(12..)?;
    let said = legs.get(other)?.frame;
    let first = legs[number].next.max(said.saturating_sub(REMEMBERED));
    let frame = (first..said).find(|frame| speech.frame(*frame) == payload)?;
    legs[number].next = frame + 1;
    Some(legs[other].sent[frame % REMEMBERED])
}

/// A socket on an address of its side, with a sink for RTCP above it.
fn ear(side: Side, number: u8) -> std::io::Result<Ear> {
    let last = if side == Side::Caller { 2 } else { 3 };
    let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    let local = SocketAddr::new(address, 4_000 + 2 * u16::from(number));
    let socket = UdpSocket::bind(local)?;
    socket.set_nonblocking(true)?;
    if setsockopt(&socket, RcvBufForce, &KERNEL_BUFFER).is_err() {
        setsockopt(&socket, RcvBuf, &KERNEL_BUFFER)?;
    }
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    let sink = UdpSocket::bind((address, local.port() + 1))?;
    Ok(Ear { socket, local, _sink: sink })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::Kind;

    fn leg(number: usize) -> Leg {
        Leg {
            socket: 0,
            browser: None,
            to: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into(),
            header: Header {
                payload_type: 0,
                marker: false,
                sequence: 1,
                timestamp: 0,
                ssrc: number as u32,
            },
            sealer: None,
            frame: first_frame(number),
            heard: None,
            reads_time: true,
            sent: vec![0; REMEMBERED].into_boxed_slice(),
            next: first_frame(number ^ 1),
        }
    }

    #[test]
    fn when_a_packet_was_sent_is_told_by_itself_or_known_by_its_frame_though_some_are_lost() {
        for (kind, is_stamped) in [(Kind::Relay, true), (Kind::WebrtcOpus, false)] {
            let speech = [Side::Caller, Side::Callee].map(|side| Speech::of(kind, side, true));
            assert_eq!(speech[0].is_stamped(), is_stamped);
            let mut legs = [2, 3, 2, 3].map(leg);
            let mut packet = Vec::new();
            for n in 0..600 {
                legs[2].write(&speech[0], &mut packet);
                let sent = legs[2].sent[(legs[2].frame - 1) % REMEMBERED];
                assert!(sent > 0);
                if n % 10 < 7 {
                    assert_eq!(sent_at(&mut legs, &speech, 3, &packet), Some(sent), "{n}");
                }
            }
            legs[3].reads_time = false;
            assert_eq!(sent_at(&mut legs, &speech, 3, &packet), None);
        }
    }
}
