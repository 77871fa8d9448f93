//! The data plane of one worker: all its streams, driven by packets, orders and time.

use std::net::SocketAddr;

use base::{Instant, Rng, UnixTime};

use crate::{Batch, Command, Event, PlaneOutput, Port, Slot, TapSender, WorkerId};

/// Whose deadline [`Plane::poll_timeout`] names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// When to send the next packet of something that plays.
    Tick,
    /// When to send an RTCP report or to notice a silence.
    Report,
}

/// All streams of one worker.
pub struct Plane {}

impl Plane {
    /// A plane without streams. `wall` is the wall clock's time at [`Instant::ZERO`].
    #[must_use]
    pub fn new(_worker: WorkerId, _taps: TapSender, _rng: Rng, _wall: UnixTime) -> Self {
        Self {}
    }
    /// Carries out an order; its outcome comes from `poll_event` and `poll_output`.
    pub fn handle_command(&mut self, _now: Instant, _command: Command) {}
    /// What became of an [`PlaneOutput::OpenPort`].
    pub fn opened(&mut self, _slot: Slot, _result: Result<(), String>) {}
    /// A datagram came in on a stream's socket.
    pub fn handle_packet(
        &mut self,
        _now: Instant,
        _slot: Slot,
        _which: Port,
        _source: SocketAddr,
        _packet: &mut [u8],
        _out: &mut Batch,
    ) {
    }
    /// Time passed. Stops when `out` is full: send it, clear it, and ask `poll_timeout` again.
    pub fn handle_timeout(&mut self, _now: Instant, _out: &mut Batch) {}
    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
    /// The next thing the driver must do.
    pub fn poll_output(&mut self) -> Option<PlaneOutput> {
        None
    }
    /// The next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        None
    }
}
