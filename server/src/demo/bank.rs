//! A thread that owns many phones, their sockets and their timers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use base::{Instant, Rng};
use bytes::Bytes;
use media::Port;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::poller::Poller;
use crate::wake::{self, Bell, Ended};
use phone::{Phone, PhoneConfig, PhoneEvent, PhoneOutput};

const TOKEN_BELL: u64 = u64::MAX;
/// Datagrams read from one socket before the others get their turn.
const BATCH: usize = 32;
const ORDERS: usize = 4096;

/// Which phone of a bank.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct PhoneId(pub usize);

/// What a phone is told.
pub enum Order {
    /// Register.
    Register,
    /// Take the binding away.
    Unregister,
    /// Call a number.
    Dial(String),
    /// Say something, once.
    Speak(Arc<[i16]>),
    /// Hang up.
    HangUp,
    /// Give what was heard.
    TakeHeard(tokio::sync::oneshot::Sender<Vec<i16>>),
    /// End the thread.
    Stop,
    /// Give what was counted.
    TakeStats(tokio::sync::oneshot::Sender<media::softphone::SoftphoneStats>),
}

/// Three sockets of a phone that is to be.
pub struct Sockets {
    sip: UdpSocket,
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Sockets {
    /// Free ports of an address; RTP on an even one.
    ///
    /// # Errors
    /// When the system has none left.
    pub fn bind(address: IpAddr) -> std::io::Result<Self> {
        let sip = UdpSocket::bind((address, 0))?;
        let mut taken = Vec::new();
        for _ in 0..200 {
            let rtp = UdpSocket::bind((address, 0))?;
            let port = rtp.local_addr()?.port();
            if port.is_multiple_of(2)
                && let Ok(rtcp) = UdpSocket::bind((address, port + 1))
            {
                for socket in [&sip, &rtp, &rtcp] {
                    socket.set_nonblocking(true)?;
                }
                return Ok(Self { sip, rtp, rtcp });
            }
            // Kept until a pair is found, so that the next try gets another port.
            taken.push(rtp);
        }
        Err(std::io::Error::new(std::io::ErrorKind::AddrInUse, "no free pair of RTP ports"))
    }

    /// Where SIP is received.
    ///
    /// # Errors
    /// None on a bound socket.
    pub fn sip(&self) -> std::io::Result<SocketAddr> {
        self.sip.local_addr()
    }

    /// Where RTP is received.
    ///
    /// # Errors
    /// None on a bound socket.
    pub fn rtp(&self) -> std::io::Result<SocketAddr> {
        self.rtp.local_addr()
    }
}

/// The running thread; dropping it ends the thread.
pub struct Bank {
    orders: wake::Sender<(PhoneId, Order)>,
    events: mpsc::UnboundedReceiver<(PhoneId, PhoneEvent)>,
}

impl Bank {
    /// Starts the thread with its phones; they do nothing until they are told.
    ///
    /// # Errors
    /// When the system gives no thread or descriptor.
    pub fn start(phones: Vec<(PhoneConfig, Sockets)>, mut rng: Rng) -> std::io::Result<Self> {
        let bell = Bell::new()?;
        let (orders, order_queue) = wake::queue(ORDERS, &bell);
        let (event_sender, events) = mpsc::unbounded_channel();
        let poller = Poller::new()?;
        poller.add(&bell, TOKEN_BELL)?;
        let mut lines = Vec::with_capacity(phones.len());
        for ((config, sockets), index) in phones.into_iter().zip(0_u64..) {
            for (socket, which) in [&sockets.sip, &sockets.rtp, &sockets.rtcp].into_iter().zip(0..)
            {
                poller.add(socket, index * 4 + which)?;
            }
            lines.push(Line { phone: Phone::new(config, rng.fork()), sockets, due: None });
        }
        let clock = Clock::start();
        let drive = Drive {
            clock,
            poller,
            bell,
            orders: order_queue,
            events: event_sender,
            lines,
            timers: BinaryHeap::new(),
        };
        std::thread::Builder::new().name("phones".into()).spawn(move || drive.run())?;
        Ok(Self { orders, events })
    }

    /// Tells a phone.
    ///
    /// # Errors
    /// When the thread has ended.
    pub async fn tell(&self, phone: PhoneId, order: Order) -> Result<(), Ended> {
        self.orders.send((phone, order)).await
    }

    /// The next thing that happened to one of them.
    pub async fn next_event(&mut self) -> Option<(PhoneId, PhoneEvent)> {
        self.events.recv().await
    }

    /// What a phone heard since the last call of this.
    pub async fn heard(&self, phone: PhoneId) -> Vec<i16> {
        let (sender, heard) = tokio::sync::oneshot::channel();
        match self.tell(phone, Order::TakeHeard(sender)).await {
            Ok(()) => heard.await.unwrap_or_default(),
            Err(Ended) => Vec::new(),
        }
    }

    /// What a phone counted in its call, or its last one.
    pub async fn stats(&self, phone: PhoneId) -> media::softphone::SoftphoneStats {
        let (sender, stats) = tokio::sync::oneshot::channel();
        match self.tell(phone, Order::TakeStats(sender)).await {
            Ok(()) => stats.await.unwrap_or_default(),
            Err(Ended) => media::softphone::SoftphoneStats::default(),
        }
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        // A thread that does not take orders any more has ended already.
        let _ = self.orders.try_send((PhoneId(0), Order::Stop));
    }
}

struct Line {
    phone: Phone,
    sockets: Sockets,
    /// The deadline that is in the heap.
    due: Option<Instant>,
}

struct Drive {
    clock: Clock,
    poller: Poller,
    bell: Bell,
    orders: mpsc::Receiver<(PhoneId, Order)>,
    events: mpsc::UnboundedSender<(PhoneId, PhoneEvent)>,
    lines: Vec<Line>,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl Drive {
    fn run(mut self) {
        let mut ready = Vec::new();
        let mut buffer = vec![0; 65_535];
        loop {
            let now = self.clock.now();
            let deadline = self.timers.peek().map(|Reverse((at, _))| *at);
            if self.poller.wait(now, deadline, &mut ready).is_err() {
                return;
            }
            for token in ready.drain(..) {
                if token == TOKEN_BELL {
                    self.bell.answer();
                } else {
                    self.receive(token, &mut buffer);
                }
            }
            loop {
                match self.orders.try_recv() {
                    Ok((_, Order::Stop)) => return,
                    Ok((phone, order)) => self.order(phone, order),
                    Err(mpsc::error::TryRecvError::Empty) => break,
                    Err(mpsc::error::TryRecvError::Disconnected) => return,
                }
            }
            self.wake_due();
        }
    }

    fn receive(&mut self, token: u64, buffer: &mut [u8]) {
        let Ok(index) = usize::try_from(token / 4) else { return };
        for _ in 0..BATCH {
            let now = self.clock.now();
            let Some(line) = self.lines.get_mut(index) else { return };
            let socket = match token % 4 {
                0 => &line.sockets.sip,
                1 => &line.sockets.rtp,
                _ => &line.sockets.rtcp,
            };
            let Ok((length, source)) = socket.recv_from(buffer) else { break };
            let bytes = &buffer[..length];
            match token % 4 {
                0 => line.phone.handle_sip(now, source, Bytes::copy_from_slice(bytes)),
                1 => line.phone.handle_media(now, Port::Rtp, bytes),
                _ => line.phone.handle_media(now, Port::Rtcp, bytes),
            }
        }
        self.settle(index);
    }

    fn order(&mut self, phone: PhoneId, order: Order) {
        let now = self.clock.now();
        let Some(line) = self.lines.get_mut(phone.0) else { return };
        let refused = PhoneEvent::Refused(0);
        match order {
            Order::Register => {
                if line.phone.register(now).is_err() {
                    let _ = self.events.send((phone, PhoneEvent::NotRegistered(0)));
                }
            }
            Order::Unregister => {
                if line.phone.unregister(now).is_err() {
                    let _ = self.events.send((phone, PhoneEvent::NotRegistered(0)));
                }
            }
            Order::Dial(number) => {
                if line.phone.dial(now, &number).is_err() {
                    let _ = self.events.send((phone, refused));
                }
            }
            Order::Stop => {}
            Order::Speak(speech) => line.phone.speak(speech),
            Order::HangUp => line.phone.hang_up(now),
            Order::TakeHeard(reply) => {
                let _ = reply.send(line.phone.take_heard());
            }
            Order::TakeStats(reply) => {
                let _ =
                    reply.send(line.phone.audio().map(|audio| audio.stats()).unwrap_or_default());
            }
        }
        self.settle(phone.0);
    }

    fn wake_due(&mut self) {
        loop {
            let now = self.clock.now();
            match self.timers.peek() {
                Some(Reverse((at, _))) if *at <= now => {}
                _ => return,
            }
            let Some(Reverse((at, index))) = self.timers.pop() else { return };
            let Some(line) = self.lines.get_mut(index) else { continue };
            if line.due == Some(at) {
                line.due = None;
                line.phone.handle_timeout(now);
                self.settle(index);
            }
        }
    }

    /// Sends what the phone wants sent and notes its next deadline.
    fn settle(&mut self, index: usize) {
        let Some(line) = self.lines.get_mut(index) else { return };
        while let Some(output) = line.phone.poll_output() {
            // A datagram that the kernel does not take is lost, as any datagram may be.
            match output {
                PhoneOutput::Sip { to, bytes } => {
                    let _ = line.sockets.sip.send_to(&bytes, to);
                }
                PhoneOutput::Media(transmit) => {
                    let socket = match transmit.port {
                        Port::Rtcp => &line.sockets.rtcp,
                        _ => &line.sockets.rtp,
                    };
                    let _ = socket.send_to(&transmit.bytes, transmit.to);
                }
                PhoneOutput::Event(event) => {
                    let _ = self.events.send((PhoneId(index), event));
                }
            }
        }
        if let Some(at) = line.phone.poll_timeout()
            && line.due.is_none_or(|due| at < due)
        {
            line.due = Some(at);
            self.timers.push(Reverse((at, index)));
        }
    }
}
