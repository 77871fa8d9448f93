//! Media workers: one pinned thread per core, each with a `media::Plane` and its sockets.
//!
//! Plain level-triggered epoll, one receive and one send a packet on the leg's own ports: of the
//! portable designs the cheapest, if it wakes up for many packets at once (`pace.rs`). Where the
//! process may, packets come and go by the dozen instead (`steered/`). On the way of a packet
//! nothing is allocated, locked or logged.

mod arrivals;
mod family;
mod files;
mod load;
mod neighbours;
mod pace;
mod ports;
mod rest;
mod shared;
mod sockets;
mod steered;
mod streams;
mod thread;

use base::{Duration, Instant, Rng};
use media::{Batch, CaptureSender, Datagram, Plane, PlaneOutput, Slot, TapSender, WorkerId};
use metrics::Counter;
use tokio::sync::mpsc;

use self::arrivals::ARRIVALS;
pub(crate) use self::files::raise_limit;
use self::load::Load;
pub(crate) use self::neighbours::Neighbourhood;
use self::pace::{Nap, Pace};
use self::ports::Ports;
pub(crate) use self::ports::Way;
pub(crate) use self::shared::Door;
use self::shared::{Next, Shared};
use self::sockets::{Places, TOKEN_BELL, Token};
use self::steered::{Sent, TOKEN_V4, TOKEN_V6};
use crate::clock::Clock;
use crate::config::Rtp;
use crate::poller::Poller;
use crate::signalling::Idleness;
use crate::wake::{self, Bell};

/// Commands that may wait for one worker; then the signalling thread waits, for microseconds.
const COMMANDS: usize = 16_384;
/// Ready sockets taken from one wait.
const READY: usize = 256;
/// Batches taken from one socket in a row; then others have their turn.
const IN_A_ROW: usize = 4;
/// When the signalling thread's queue is full, events are offered again after this.
const RETRY: Duration = Duration::from_millis(1);

/// A worker that has its queue but no thread yet.
pub(crate) struct Worker {
    id: WorkerId,
    bell: Bell,
    commands: mpsc::Receiver<media::Command>,
    queue: wake::Sender<media::Command>,
    idleness: Idleness,
    /// How long packets may gather.
    longest: Duration,
}

/// The depths of all workers' command queues.
pub(crate) struct Depths(Vec<wake::WeakSender<media::Command>>);

impl Depths {
    pub(crate) fn of(workers: &[Worker]) -> Self {
        Self(workers.iter().map(|worker| worker.queue.downgrade()).collect())
    }

    /// The deepest.
    pub(crate) fn deepest(&self) -> usize {
        self.0.iter().map(wake::WeakSender::depth).max().unwrap_or(0)
    }
}

/// Tells the signalling thread that a worker has ended, however it did: it finds the queue closed.
struct Obituary(Bell);

impl Drop for Obituary {
    fn drop(&mut self) {
        self.0.ring();
    }
}

/// A running worker. It ends when all senders of its queue are gone and its bell rings.
pub(crate) struct Running {
    bell: Bell,
    thread: std::thread::JoinHandle<()>,
    /// What the workers have from the kernel lasts until the last one ends.
    _way: Way,
}

impl Running {
    /// Waits for the thread's end; call it when the senders of its queue are dropped.
    pub(crate) fn join(self) {
        self.bell.ring();
        if self.thread.join().is_err() {
            tracing::error!("a media worker had panicked");
        }
    }
}

impl Worker {
    /// A worker whose packets gather for at most `longest`.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub(crate) fn new(id: WorkerId, longest: Duration) -> std::io::Result<Self> {
        let bell = Bell::new()?;
        let (queue, commands) = wake::queue(COMMANDS, &bell);
        Ok(Self { id, bell, commands, queue, idleness: Idleness::default(), longest })
    }

    pub(crate) fn queue(&self) -> wake::Sender<media::Command> {
        self.queue.clone()
    }

    /// What wakes it.
    pub(crate) fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// How long it has had nothing to do.
    pub(crate) fn idleness(&self) -> Idleness {
        self.idleness.clone()
    }

    /// Starts the thread; sockets bind as `rtp` says, and where browsers come in is the `door`.
    ///
    /// # Errors
    /// When the system gives no thread or descriptor, or not the way that is required.
    pub(crate) fn start(
        self,
        clock: Clock,
        (rtp, way, door): (&Rtp, Way, Option<Door>),
        (taps, captures): (TapSender, CaptureSender),
        rng: Rng,
        events: wake::Sender<(WorkerId, media::Event)>,
    ) -> std::io::Result<Running> {
        let Self { id, bell, commands, queue, idleness, longest } = self;
        drop(queue);
        let running_bell = bell.clone();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let (rtp, way_there) = (rtp.clone(), way.clone());
        let thread = std::thread::Builder::new().name(format!("media-{}", id.0));
        let thread = thread.spawn(move || {
            // Dropped last, when nobody reads the queue any more.
            let _obituary = Obituary(events.bell());
            thread::settle(id, rtp.nice);
            let most_resting = files::part();
            let opened = watching(&bell).and_then(|poller| {
                let ports = way_there.ports(id, &poller, most_resting, || Places::of(&rtp));
                let ports = ports.map_err(std::io::Error::other)?;
                let class = Places::of(&rtp).traffic_class();
                let shared = door.as_ref().map(|door| Shared::open(&poller, id, door, class));
                Ok((poller, ports, shared.transpose()?))
            });
            // The last one that has it must be a thread that has the process's files.
            drop(way_there);
            let (poller, ports, shared) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    let _ = tell.send(Err(error));
                    return;
                }
            };
            let _ = tell.send(Ok(()));
            let plane = Plane::new(id, taps, rng, clock.wall_at_zero());
            let mut plane = plane.with_captures(captures);
            if let Some(door) = door {
                plane.set_identity(door.identity);
            }
            let meters = Meters::new(id);
            let load = Load::new(clock.now(), id);
            let batch = Batch::new(READY);
            let held = None;
            let drive = Drive {
                id,
                clock,
                poller,
                bell,
                commands,
                events,
                plane,
                ports,
                shared,
                batch,
                held,
                meters,
                idleness,
                load,
            };
            drive.run(longest);
        })?;
        told.recv().unwrap_or_else(|_| Err(std::io::Error::other("a media worker ended")))?;
        Ok(Running { bell: running_bell, thread, _way: way })
    }
}

/// A poller in this thread's own table of files.
fn watching(bell: &Bell) -> std::io::Result<Poller> {
    let poller = Poller::new()?;
    poller.add(bell, TOKEN_BELL)?;
    Ok(poller)
}

/// What a worker's packets come to, told once an awakening: atomic additions are dear.
struct Meters {
    received: Meter,
    sent: Meter,
    unsent: Meter,
}

struct Meter {
    counter: Counter,
    untold: u64,
}

impl Meter {
    fn tell(&mut self) {
        if self.untold > 0 {
            self.counter.increment(std::mem::take(&mut self.untold));
        }
    }
}

impl Meters {
    fn new(id: WorkerId) -> Self {
        let counter = |name: &'static str| {
            let counter = metrics::counter!(name, "worker" => id.0.to_string());
            Meter { counter, untold: 0 }
        };
        Self {
            received: counter("strowger_rtp_packets_received_total"),
            sent: counter("strowger_rtp_packets_sent_total"),
            unsent: counter("strowger_rtp_packets_unsent_total"),
        }
    }

    fn tell(&mut self) {
        self.received.tell();
        self.sent.tell();
        self.unsent.tell();
    }
}

/// The thread's state.
struct Drive {
    id: WorkerId,
    clock: Clock,
    poller: Poller,
    bell: Bell,
    commands: mpsc::Receiver<media::Command>,
    events: wake::Sender<(WorkerId, media::Event)>,
    plane: Plane,
    ports: Ports,
    /// Where browsers come in.
    shared: Option<Shared>,
    batch: Batch,
    /// An event that found the signalling thread's queue full.
    held: Option<(WorkerId, media::Event)>,
    meters: Meters,
    idleness: Idleness,
    load: Load,
}

impl Drive {
    fn run(mut self, longest: Duration) {
        let mut ready = Vec::with_capacity(READY);
        let mut packet = [0; media::MAX_DATAGRAM];
        let mut pace = Pace::new(self.clock.now(), longest);
        let mut nap = None;
        loop {
            let now = self.wait(nap, &mut ready);
            let (mut served, mut has_rung) = (0, false);
            for token in ready.drain(..) {
                served += match token {
                    TOKEN_BELL => {
                        self.bell.answer();
                        has_rung = true;
                        1 + self.take_over(now)
                    }
                    TOKEN_V4 | TOKEN_V6 => self.relay_many(token),
                    token if shared::is_shared(token) => self.relay_shared(token),
                    token => {
                        self.relay(now, Token(token), &mut packet);
                        1
                    }
                };
            }
            nap = pace.nap(now, served, has_rung);
            if !self.take_commands() {
                return;
            }
            if self.plane.poll_timeout().is_some_and(|(at, _)| at <= now) {
                self.plane.handle_timeout(now, &mut self.batch);
                self.flush();
            }
            self.carry_out(now);
            self.ports.close_rested(now);
            self.meters.tell();
            self.tell();
        }
    }

    /// Rests, then waits until there is something to do: since when there is.
    fn wait(&mut self, nap: Option<Nap>, ready: &mut Vec<u64>) -> Instant {
        let began = self.clock.now();
        self.idleness.begin(began);
        let deadline = self.deadline(began);
        let mut rested = began;
        if let Some(nap) = nap {
            let until_due = |nap: Duration| deadline.map_or(nap, |at| nap.min(at.since(began)));
            match nap {
                Nap::Deep(nap) => std::thread::sleep(until_due(nap)),
                Nap::Light(nap) => self.bell.sleep(until_due(nap)),
            }
            rested = self.clock.now();
        }
        if let Err(error) = self.poller.wait(rested, deadline, ready) {
            tracing::error!(%error, "a media worker cannot wait for its sockets");
            std::thread::sleep(Duration::from_millis(10));
        }
        let now = self.clock.now();
        self.idleness.end(now);
        if let Some(busy) = self.load.rested(began, now) {
            self.plane.handle_load(now, busy);
            self.load.tell(self.plane.effort());
        }
        now
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        let timer = self.plane.poll_timeout().map(|(at, _)| at);
        let retry = self.held.as_ref().map(|_| now + RETRY);
        let rested = self.ports.next_due();
        [timer, retry, rested].into_iter().flatten().min()
    }

    /// One packet in, at most a few out.
    fn relay(&mut self, now: Instant, token: Token, packet: &mut [u8]) {
        let Ports::Own(sockets) = &mut self.ports else { return };
        let Some(received) = sockets.receive(now, token, packet) else { return };
        self.meters.received.untold += 1;
        let Some(bytes) = packet.get_mut(..received.length) else { return };
        let (slot, port, source) = (received.slot, received.port, received.source);
        self.plane.handle_packet(now, slot, port, source, bytes, &mut self.batch);
        self.flush();
    }

    /// What browsers sent: how many packets.
    fn relay_shared(&mut self, token: u64) -> usize {
        let mut served = 0;
        for _ in 0..IN_A_ROW {
            let now = self.clock.now();
            let Some(shared) = &mut self.shared else { break };
            let is_more = shared.receive(now, &self.poller, token);
            self.take_over(now);
            let Self { shared: Some(shared), plane, batch, meters, ports, .. } = self else {
                break;
            };
            loop {
                match shared.next(token) {
                    Next::Nothing => break,
                    Next::HandedOver => {}
                    Next::Own(from, packet) => {
                        if plane.handle_shared(now, from.port, from.address, packet, batch) {
                            shared.settle(now, from);
                        }
                    }
                }
                served += 1;
                meters.received.untold += 1;
                if batch.room() < Batch::MIN_CAPACITY {
                    send(batch, ports, Some(shared), meters);
                }
            }
            shared.ring();
            self.flush();
            if !is_more {
                break;
            }
        }
        served.max(1)
    }

    /// What browsers of ours sent that came to other workers: how many packets.
    fn take_over(&mut self, now: Instant) -> usize {
        let Self { shared: Some(shared), plane, batch, meters, ports, .. } = self else { return 0 };
        // What comes meanwhile has its turn later.
        let waiting = shared.waiting();
        for _ in 0..waiting {
            shared.take_over(now, |from, packet| {
                plane.handle_shared(now, from.port, from.address, packet, batch)
            });
            if batch.room() < Batch::MIN_CAPACITY {
                send(batch, ports, Some(shared), meters);
            }
        }
        if waiting > 0 {
            shared.ring();
            self.flush();
        }
        waiting
    }

    /// All that waits in the socket of all ports: how many packets.
    fn relay_many(&mut self, token: u64) -> usize {
        let mut served = 0;
        for _ in 0..IN_A_ROW {
            let now = self.clock.now();
            let Ports::Steered(steered) = &mut self.ports else { break };
            let received = steered.receive(token);
            for number in 0..received {
                let Ports::Steered(steered) = &mut self.ports else { break };
                if let Some((slot, port, source, bytes)) = steered.arrival(token, number) {
                    self.plane.handle_packet(now, slot, port, source, bytes, &mut self.batch);
                }
                if self.batch.room() < Batch::MIN_CAPACITY {
                    self.flush();
                }
            }
            self.flush();
            self.meters.received.untold += received as u64;
            served += received;
            if received < ARRIVALS {
                break;
            }
        }
        served
    }

    fn flush(&mut self) {
        send(&mut self.batch, &mut self.ports, self.shared.as_mut(), &mut self.meters);
    }

    /// False when nobody can send commands any more.
    fn take_commands(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(command) => {
                    let now = self.clock.now();
                    self.plane.handle_command(now, command);
                    self.carry_out(now);
                }
                Err(mpsc::error::TryRecvError::Empty) => return true,
                Err(mpsc::error::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn carry_out(&mut self, now: Instant) {
        while let Some(output) = self.plane.poll_output() {
            match output {
                PlaneOutput::OpenPort { slot, stream: _, port } => self.open(slot, port),
                PlaneOutput::Send { slot, port, to, bytes } => {
                    self.ports
                        .send(self.shared.as_mut(), &Datagram { slot, port, to, bytes: &bytes });
                }
                PlaneOutput::ClosePort { slot } => self.ports.close(now, slot),
            }
        }
    }

    fn open(&mut self, slot: Slot, port: u16) {
        let opened = self.ports.open(&self.poller, slot, port);
        let opened = opened.map_err(|error| error.to_string());
        self.plane.opened(slot, opened);
    }

    fn tell(&mut self) {
        loop {
            let next = self.held.take().or_else(|| Some((self.id, self.plane.poll_event()?)));
            let Some(event) = next else { return };
            if let Err(event) = self.events.try_send(event) {
                self.held = Some(event);
                return;
            }
        }
    }
}

/// Sends what the batch holds.
fn send(batch: &mut Batch, ports: &mut Ports, shared: Option<&mut Shared>, meters: &mut Meters) {
    let Sent { sent, unsent } = ports.send_all(shared, batch);
    meters.sent.untold += sent;
    meters.unsent.untold += unsent;
    batch.clear();
}

#[cfg(test)]
mod tests;
