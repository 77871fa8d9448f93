//! The data plane of one worker: all its streams, driven by packets, orders and time.
//!
//! The packet path (`packet.rs`) and the ticks (`speak.rs`, `mixing.rs`) write into the caller's
//! [`Batch`] and allocate nothing, lock nothing and log nothing. Orders (`order.rs`, `joining.rs`)
//! may allocate: they choose (`arrange.rs`) by which way (`feed.rs`) each direction is heard.

mod arrange;
mod capturing;
mod chime;
mod deadlines;
mod desk;
mod exertion;
mod extended;
mod feed;
mod figures;
mod glimpse;
mod hush;
mod joining;
mod keys;
mod limit;
mod mix;
mod mixing;
mod mouth;
mod order;
mod packet;
mod pass;
mod play;
mod progress;
mod recent;
mod reel;
mod report;
mod shortcut;
mod speak;
mod stillness;
mod stream;
mod talker;
mod ticks;
mod vigil;
mod voice;
mod web;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use base::{Duration, Instant, Rng, UnixTime};

use crate::codec::Glance;
use crate::pcm::MAX_PER_TICK;
use crate::{
    Batch, Command, Event, MAX_MEMBERS, PlaneOutput, PlayId, Port, Slot, StreamId, StreamStats,
    TapSender, WorkerId, rtp,
};
use capturing::Captures;
use deadlines::Deadlines;
use desk::Desk;
use exertion::Exertion;
use joining::Mixes;
use reel::Reel;
pub use shortcut::Shortcut;
use stream::Stream;
use ticks::{TICK, Ticks};

/// Datagrams one step may add to the batch.
const ROOM: usize = Batch::MIN_CAPACITY;
/// Lateness of the driver up to which ticks are caught up; beyond, they are left out.
const CATCH_UP: Duration = Duration::from_millis(100);
/// Bytes of the longest payload we make.
const MAX_PAYLOAD: usize = 1500;
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
    mixes: Mixes,
    desk: Box<Desk>,
    shared: Box<web::Shared>,
    exertion: Exertion,
    /// For looks at what is relayed, once something is.
    glance: Option<Box<Glance>>,
    /// What played its last sample in the ticker at work.
    finished: Vec<(Slot, PlayId)>,
    /// Room for a tick of samples, and for a payload.
    scratch: Box<[i16]>,
    payload: Vec<u8>,
    taps: TapSender,
    tap_retry: Option<Instant>,
    captures: Captures,
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
            mixes: Mixes::default(),
            desk: Box::default(),
            shared: Box::default(),
            exertion: Exertion::default(),
            glance: None,
            finished: Vec::with_capacity(MAX_MEMBERS),
            scratch: vec![0; MAX_PER_TICK].into_boxed_slice(),
            payload: Vec::with_capacity(MAX_PAYLOAD),
            taps,
            tap_retry: None,
            captures: Captures::default(),
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
            Command::OpenShared { stream, ssrc, cname } => {
                self.open_shared(now, stream, (ssrc, cname));
            }
            Command::SetIce { stream, ice, full } => self.set_ice(stream, ice, full),
            Command::SetPeer { stream, peer } => self.set_peer(now, stream, *peer),
            Command::ExpectHost { stream, host } => {
                if let Some(known) = self.by_id_mut(stream) {
                    known.latch.expect_host(host);
                }
            }
            Command::SetRemote { stream, remote, srtp } => {
                self.set_remote(now, stream, remote, srtp.as_deref());
            }
            Command::Play { stream, play, sounds, looped } => {
                self.play(now, stream, play, Reel::new(sounds, looped));
            }
            Command::StopPlaying { stream } => self.stop_playing(now, stream),
            Command::Bridge { a, b } => self.bridge(now, a, b),
            Command::Unbridge { a, b } => self.unbridge(now, a, b),
            Command::Mix { mix, members } => self.mix(now, mix, &members),
            Command::Unmix { mix } => self.unmix(now, mix),
            Command::Copy { from, to } => self.copy(now, from, to),
            Command::Tap { stream, tap, channel } => self.tap(now, stream, tap, channel),
            Command::Untap { stream } => self.untap(now, stream),
            Command::Capture { stream, order } => self.capture(now, stream, order),
            Command::DigitWays { stream, ways } => self.set_digit_ways(stream, ways),
            Command::SendDigits { stream, digits, each, gap } => {
                self.send_digits(now, stream, &digits, (each, gap));
            }
            Command::Mask { stream, masking } => self.mask(now, stream, masking),
            Command::Progress { stream, listening } => {
                self.listen(now, stream, listening.as_deref());
            }
            Command::Relatch { stream } => self.relatch(stream),
            Command::Close { stream } => self.close(now, stream),
            Command::Confirm { order } => self.events.push_back(Event::Confirmed { order }),
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
                // It has not been heard or spoken to: no time passed for anybody.
                let now = stream.heard_at;
                self.remove(now, slot);
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
            self.handle_rtcp(now, slot, (which, source), packet);
        } else {
            self.handle_rtp(now, slot, (which, source), packet, out);
        }
    }

    /// Time passed. Stops when `out` is full, and after all that speak in one millisecond, so that
    /// after a delay what is said first does not wait for the rest: send it, clear it, and call
    /// again while [`Plane::poll_timeout`] is not after `now`.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Batch) {
        if self.tap_retry.is_some_and(|at| at <= now) {
            self.flush_taps(now);
        }
        if out.room() >= ROOM
            && let Some(phase) = self.ticks.due_phase(now)
        {
            self.tick(now, phase, out);
        }
        while out.room() >= ROOM {
            let Some((slot, kind)) = self.deadlines.pop(now) else { break };
            match kind {
                deadlines::Kind::Report => self.send_report(now, slot, out),
                deadlines::Kind::Silence => self.look_for_silence(now, slot),
                deadlines::Kind::Vigil => self.look_after(now, slot),
                deadlines::Kind::Keys => self.handle_keys(now, slot, out),
                deadlines::Kind::Web => self.handle_web_timeout(now, slot, out),
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

/// Ticks that are left out when the driver is so late.
fn late_ticks(now: Instant, due: Instant, most: Duration) -> u32 {
    let late = now.since(due);
    if late <= most {
        return 0;
    }
    u32::try_from(late.as_nanos() / TICK.as_nanos()).unwrap_or(u32::MAX)
}
