//! A leg's media stream: opened, opened on another port if somebody had that one, closed, and its
//! totals kept.

use std::net::IpAddr;
use std::sync::Arc;

use base::{CallId, Instant, LegId};
use media::{Command, Event, StreamId, StreamStats, WorkerId};
use routing::AttemptFailure;

use super::dial::Failure;
use super::digits::Digit;
use super::leg::{Leg, Role, Signalling};
use super::web::{self, is_only_web};
use super::{Call, Stage};
use crate::node::Node;
use crate::port::SecurityKind;
use crate::ports::Place;
use crate::{Cause, EndedBy};

/// Ports tried for one stream.
const TRIES: u8 = 3;

/// Where a leg's stream stands.
pub(super) enum Stream {
    /// The leg has none.
    None,
    /// Its ports are being bound.
    Opening { id: StreamId, place: Place, tries: u8 },
    /// It flows, or will.
    Open { id: StreamId, place: Place },
    /// Its totals are being waited for.
    Closing { id: StreamId },
    /// It is over; the worker may not have told its totals.
    Closed { stats: Option<StreamStats> },
}

impl Stream {
    /// The stream and its place, while it can be told something.
    pub(super) fn open(&self) -> Option<(StreamId, Place)> {
        match self {
            Self::Opening { id, place, .. } | Self::Open { id, place } => Some((*id, *place)),
            Self::None | Self::Closing { .. } | Self::Closed { .. } => None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::None | Self::Closed { .. })
    }

    pub(super) fn stats(&self) -> Option<StreamStats> {
        match self {
            Self::Closed { stats } => *stats,
            _ => None,
        }
    }

    fn id(&self) -> Option<StreamId> {
        match self {
            Self::Opening { id, .. } | Self::Open { id, .. } | Self::Closing { id } => Some(*id),
            Self::None | Self::Closed { .. } => None,
        }
    }
}

impl Call {
    /// The worker that the caller's stream lives on; both legs of a bridge share one.
    pub(super) fn worker(&self) -> Option<WorkerId> {
        self.caller.stream.open().map(|(_, place)| place.worker)
    }

    pub(super) fn on_media(&mut self, node: &mut Node, now: Instant, leg: LegId, event: Event) {
        if self.on_relay_media(node, now, &event) {
            return;
        }
        let stream = crate::ports::stream_of(&event);
        let is_dialling = matches!(self.stage, Stage::Dialling);
        let is_silent = self.is_silent_guest(leg);
        let is_lost = self.is_lost(leg);
        let Some(known) = self.leg_mut(leg).filter(|known| known.stream.id() == stream) else {
            node.ignored += 1;
            return;
        };
        match event {
            Event::Opened { .. } => {
                if let Stream::Opening { id, place, .. } = known.stream {
                    known.stream = Stream::Open { id, place };
                    self.on_opened(node, now, leg);
                }
            }
            Event::OpenFailed { .. } => self.on_open_failed(node, now, leg),
            Event::KeyDown { .. } => self.on_pressing(node, now, leg),
            Event::Digit { digit, duration, masked, .. } => {
                let digit = Digit::of_media(digit, duration, masked);
                self.on_key(node, now, leg, digit);
            }
            Event::PlayFinished { play, .. } => self.on_play_finished(node, now, play),
            // Who only listens before the answer need not send anything.
            Event::Unheard { stream, quiet, heard } => {
                self.on_unheard(node, now, leg, stream, (quiet, heard));
            }
            Event::HeardAgain { .. } | Event::SoundAgain { .. } => {
                self.on_heard_again(node, now, leg);
                self.on_reached_again(node, now, leg);
            }
            Event::Soundless { heard, .. } => self.on_soundless(node, now, leg, heard),
            Event::RtpTimeout { .. } if is_dialling => {}
            // Nor need a supervisor whom nobody hears.
            Event::RtpTimeout { .. } if is_silent => {}
            Event::RtpTimeout { .. } => self.lose(node, now, leg, Cause::MediaTimeout),
            Event::Figures { stats, .. } => self.on_figures(node, now, leg, stats),
            Event::Talking { talking, .. } => self.on_talking(node, now, leg, talking),
            Event::Closed { stats, .. } => {
                known.stream = Stream::Closed { stats: Some(stats) };
                self.on_last_figures(now, leg, &stats);
            }
            Event::SourceRefused { source, .. } => {
                let tenant = Some(self.tenant.clone());
                node.security(now, SecurityKind::MediaStranger, source, tenant);
            }
            // What it began to negotiate went with its page.
            Event::Unreachable { .. } if is_lost => {}
            Event::Unreachable { why, .. } => {
                let Some(cause) = web::cause_of(why) else { return };
                let may_come_back = cause == Cause::MediaTimeout;
                let is_awaited = may_come_back
                    && (self.goes_adrift(node, now, leg) || self.restart_ice(node, now, leg));
                if !is_awaited {
                    self.lose(node, now, leg, cause);
                }
            }
            Event::Progress { verdict, after, .. } => {
                self.on_heard(node, now, leg, (verdict, after));
            }
            Event::Secured { profile, .. } => {
                if let Some(web) = &mut known.web {
                    web.profile = Some(profile);
                }
                self.on_reached_again(node, now, leg);
            }
            Event::Latched { .. } | Event::MixRefused { .. } | Event::Confirmed { .. } => {}
        }
    }

    fn on_opened(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        if self.is_caller(leg) && self.is_unanswered() {
            self.go(node, now);
        } else if self.is_to_trunk(leg) {
            self.seek_trunk(node, now, leg);
        } else {
            self.invite_agent(node, now, leg);
        }
    }

    /// Opens a leg's stream; an agent's is known by its agent. `false` if no port is left.
    pub(super) fn open_stream(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        worker: Option<WorkerId>,
    ) -> bool {
        let (call, tenant) = (self.id, self.tenant.clone());
        let Some(known) = self.leg_mut(leg) else { return false };
        if !open(node, now, call, worker, known) {
            return false;
        }
        if let (Some(agent), Some((stream, _))) = (known.role.agent(), known.stream.open()) {
            node.ports.belongs_to(stream, tenant, agent.clone());
        }
        true
    }

    /// The worker of another call of the agent whose leg is the first, so that the two can be
    /// joined.
    pub(super) fn home(&self, node: &Node) -> Option<WorkerId> {
        let agent = self.caller.role.agent()?;
        node.ports.worker_of(&self.tenant, agent)
    }

    /// Somebody else has the port: another one, a few times.
    fn on_open_failed(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let worker = self.worker();
        let ending = matches!(self.stage, Stage::Ending(_));
        let is_caller = self.is_caller(leg);
        let Some(known) = self.leg_mut(leg) else { return };
        let again = matches!(known.stream, Stream::Opening { tries, .. } if tries < TRIES);
        if again && !ending && self.open_stream(node, now, leg, worker) {
            return;
        }
        if let Some(known) = self.leg_mut(leg) {
            known.stream = Stream::Closed { stats: None };
        }
        match (ending, is_caller) {
            (true, _) => {}
            (false, true) => self.end(node, now, Cause::MediaFailed, EndedBy::Engine),
            (false, false) if self.guest_failed(node, now, leg, Cause::MediaFailed) => {}
            (false, false) if self.is_dialling(leg) => {
                let failure = Failure::new(Cause::MediaFailed, "no media port could be opened");
                self.dial_failed(node, now, failure);
            }
            (false, false) => self.fail_attempt(node, now, leg, AttemptFailure::Error, None),
        }
    }
}

/// Opens a stream for the leg, on that worker or on the one with the fewest streams. `false` if no
/// port is left there.
fn open(
    node: &mut Node,
    now: Instant,
    call: CallId,
    worker: Option<WorkerId>,
    leg: &mut Leg,
) -> bool {
    let tries = match &leg.stream {
        Stream::Opening { tries, .. } => tries + 1,
        _ => 1,
    };
    if leg.web.is_none() {
        leg.meet_targets(node);
    }
    if leg.terms.webrtc && leg.web.is_none() {
        // WebRTC is off here: what is to be encrypted does not go in the clear.
        return false;
    }
    let peer = peer(node, leg);
    let taken = if is_only_web(leg) {
        node.ports.take_shared(worker, (call, leg.id))
    } else {
        node.ports.take(now, worker, peer, (call, leg.id))
    };
    let Some((id, place)) = taken else { return false };
    // RFC 7022 §4.2: a name per stream, which tells nothing about the machine or the caller.
    let (ssrc, cname) = match &leg.web {
        Some(web) => (web.ssrc, Arc::clone(&web.cname)),
        None => (node.rng.next_u32(), node.rng.hex::<8>().into()),
    };
    let open = if is_only_web(leg) {
        Command::OpenShared { stream: id, ssrc, cname }
    } else {
        Command::Open { stream: id, port: place.port, ssrc, cname }
    };
    node.media(place.worker, open);
    leg.tell_ice(node, id, place);
    leg.stream = Stream::Opening { id, place, tries };
    true
}

/// Where a leg's peer is, as far as it can be told before anything is sent: whence it called or
/// registered, or the trunk's first target, if that is an address.
fn peer(node: &Node, leg: &Leg) -> Option<IpAddr> {
    let ip = match (&leg.signalling, &leg.role) {
        (Signalling::Preparing { targets }, Role::Trunk(trunk)) if targets.is_empty() => {
            node.trunk_states.address(trunk)?
        }
        (Signalling::Preparing { targets }, _) => targets.first()?.flow.remote.ip(),
        (signalling, _) => signalling.flow()?.remote.ip(),
    };
    Some(ip)
}

/// Tells the worker to close a leg's stream, if it is open.
pub(super) fn close(node: &mut Node, leg: &mut Leg) {
    if let Some((id, place)) = leg.stream.open() {
        node.media(place.worker, Command::Close { stream: id });
        leg.stream = Stream::Closing { id };
    }
}
