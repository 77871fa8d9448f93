//! The data plane of one worker: all its streams, driven by packets, orders and time.
//!
//! The packet path (`packet.rs`) and the ticks (`play.rs`) write into the caller's [`Batch`] and
//! allocate nothing, lock nothing and log nothing. Orders (`order.rs`) may allocate.

mod deadlines;
mod joining;
mod keys;
mod order;
mod packet;
mod play;
mod reel;
mod report;
mod stream;
mod ticks;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use base::{Duration, Instant, Rng, UnixTime};

use crate::{
    Batch, Command, Event, PlaneOutput, Port, Slot, StreamId, StreamStats, TapSender, WorkerId, rtp,
};
use deadlines::Deadlines;
use reel::Reel;
use stream::Stream;
use ticks::Ticks;

/// Datagrams one step may add to the batch.
const ROOM: usize = 4;
/// How soon a Begin or End that found the tap's ring full is tried again.
const TAP_RETRY: Duration = Duration::from_millis(10);
/// While this many events wait to be fetched, strangers and keys are not told of.
const MAX_WAITING: usize = 4096;

/// Whose deadline [`Plane::poll_timeout`] names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// When to send the next packet of something that plays.
    Tick,
    /// When to send an RTCP report, to look for a silence, or to go on with a key.
    Report,
    /// When to offer the recorder again what its full ring did not take.
    Tap,
}

/// All streams of one worker. Both streams of a bridge live in one plane.
pub struct Plane {
    worker: WorkerId,
    streams: Vec<Place>,
    free: Vec<u32>,
    by_id: HashMap<StreamId, Slot>,
    ticks: Ticks,
    deadlines: Deadlines,
    taps: TapSender,
    tap_retry: Option<Instant>,
    events: VecDeque<Event>,
    outputs: VecDeque<PlaneOutput>,
    rng: Rng,
    wall: UnixTime,
}

/// A place of the slab.
struct Place {
    generation: u32,
    stream: Option<Stream>,
}

impl Plane {
    /// A plane without streams. `wall` is the wall clock's time at [`Instant::ZERO`].
    #[must_use]
    pub fn new(worker: WorkerId, taps: TapSender, rng: Rng, wall: UnixTime) -> Self {
        Self {
            worker,
            streams: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            ticks: Ticks::new(),
            deadlines: Deadlines::default(),
            taps,
            tap_retry: None,
            events: VecDeque::with_capacity(256),
            outputs: VecDeque::with_capacity(64),
            rng,
            wall,
        }
    }

    /// The worker it belongs to.
    #[must_use]
    pub fn worker(&self) -> WorkerId {
        self.worker
    }

    /// Streams alive.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Carries out an order; what comes of it is in `poll_event` and `poll_output`.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Open { stream, port, ssrc, cname } => {
                self.open(now, stream, port, (ssrc, cname));
            }
            Command::SetRemote { stream, remote, srtp } => {
                self.set_remote(now, stream, remote, srtp.as_deref());
            }
            Command::Play { stream, play, sounds, looped } => {
                self.play(now, stream, play, Reel::new(sounds, looped));
            }
            Command::StopPlaying { stream } => self.stop_playing(stream),
            Command::Bridge { a, b } => self.bridge(a, b),
            Command::Unbridge { a, b } => self.unbridge(a, b),
            Command::Mix { mix, members } => self.mix(now, mix, members),
            Command::Unmix { mix } => self.unmix(now, mix),
            Command::Copy { from, to } => self.copy(now, from, to),
            Command::Tap { stream, tap, channel } => self.tap(now, stream, tap, channel),
            Command::Untap { stream } => self.untap(now, stream),
            Command::DigitWays { stream, ways } => self.set_digit_ways(stream, ways),
            Command::SendDigits { stream, digits, each, gap } => {
                self.send_digits(now, stream, &digits, (each, gap));
            }
            Command::Mask { stream, masking } => self.mask(stream, masking),
            Command::Close { stream } => self.close(now, stream),
        }
    }

    /// What became of a [`PlaneOutput::OpenPort`]: `Err` says why the ports could not be bound.
    pub fn opened(&mut self, slot: Slot, result: Result<(), String>) {
        let Some(stream) = self.stream_mut(slot) else { return };
        let id = stream.id;
        match result {
            Ok(()) => {
                stream.open = true;
                self.events.push_back(Event::Opened { stream: id });
            }
            Err(reason) => {
                self.remove(slot);
                self.events.push_back(Event::OpenFailed { stream: id, reason });
            }
        }
    }

    /// A datagram came in on a stream's socket. It is rewritten in place. When `out` is full, the
    /// packet is received and tapped, and lost for the far end.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        slot: Slot,
        which: Port,
        source: SocketAddr,
        packet: &mut [u8],
        out: &mut Batch,
    ) {
        if which == Port::Rtcp || rtp::is_rtcp(packet) {
            self.handle_rtcp(now, slot, source, packet);
        } else {
            self.handle_rtp(now, slot, source, packet, out);
        }
    }

    /// Time passed. Stops when `out` is full: send it, clear it, and call again while
    /// [`Plane::poll_timeout`] is not after `now`.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Batch) {
        if self.tap_retry.is_some_and(|at| at <= now) {
            self.flush_taps(now);
        }
        while out.room() >= ROOM {
            let Some(phase) = self.ticks.due_phase(now) else { break };
            self.tick(now, phase, out);
        }
        while out.room() >= ROOM {
            let Some((slot, kind)) = self.deadlines.pop(now) else { break };
            match kind {
                deadlines::Kind::Report => self.send_report(now, slot, out),
                deadlines::Kind::Silence => self.look_for_silence(now, slot),
                deadlines::Kind::Keys => self.handle_keys(now, slot, out),
            }
        }
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next thing the driver must do.
    pub fn poll_output(&mut self) -> Option<PlaneOutput> {
        self.outputs.pop_front()
    }

    /// The next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        let tick = self.ticks.next_due().map(|at| (at, Timer::Tick));
        let report = self.deadlines.next_due().map(|at| (at, Timer::Report));
        let tap = self.tap_retry.map(|at| (at, Timer::Tap));
        [tick, report, tap].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// A stream's totals so far.
    #[must_use]
    pub fn stats(&self, stream: StreamId) -> Option<StreamStats> {
        let slot = self.by_id.get(&stream)?;
        Some(self.streams.get(slot.index as usize)?.stream.as_ref()?.stats())
    }

    fn stream_mut(&mut self, slot: Slot) -> Option<&mut Stream> {
        let place = self.streams.get_mut(slot.index as usize)?;
        if place.generation == slot.generation { place.stream.as_mut() } else { None }
    }

    fn by_id_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        let slot = *self.by_id.get(&id)?;
        self.stream_mut(slot)
    }

    fn flush_taps(&mut self, now: Instant) {
        self.tap_retry = if self.taps.flush() { None } else { Some(now + TAP_RETRY) };
    }
}
