//! A relay between two media workers. A worker joins its own streams only; when a call has been
//! made of two whose legs live on different workers, a stream more on each of them carries the
//! audio across, each being the other's far end. Nobody outside sees anything of it.

use std::net::SocketAddr;

use base::{CallId, Duration, Instant, LegId};
use media::{Codec, Command, Direction, Event, OpusSettings, RemoteMedia, StreamId, WorkerId};

use super::Call;
use super::leg::Leg;
use crate::Cause;
use crate::node::Node;
use crate::ports::Place;

/// Ports tried for one end.
const TRIES: u8 = 3;
/// The payload type of keys pressed (RFC 4733) between the two.
const TELEPHONE_EVENT: u8 = 101;
const PTIME: Duration = Duration::from_millis(20);

/// The streams between the workers of two legs.
pub(super) struct Relay {
    legs: [LegId; 2],
    codec: Codec,
    ends: [End; 2],
    /// Whether the leg that is not the caller's is joined with its end.
    carries: bool,
}

/// One of them.
#[derive(Clone, Copy)]
struct End {
    stream: StreamId,
    place: Place,
    tries: u8,
}

impl Relay {
    fn at(&self, worker: WorkerId) -> Option<StreamId> {
        self.ends.iter().find(|end| end.place.worker == worker).map(|end| end.stream)
    }

    fn joins(&self, a: LegId, b: LegId) -> bool {
        self.legs == [a, b] || self.legs == [b, a]
    }

    /// Each end is told where the other one is.
    fn introduce(&self, node: &mut Node) {
        let [one, other] = self.ends;
        for (end, peer) in [(one, other), (other, one)] {
            let host = node.ports.inside(peer.place.worker);
            let at = |above: u16| SocketAddr::new(host, peer.place.port.saturating_add(above));
            let remote = RemoteMedia {
                rtp: at(0),
                rtcp: at(1),
                codec: self.codec,
                payload_type: self.codec.offered_payload_type(),
                opus: OpusSettings::default(),
                telephone_event: Some(TELEPHONE_EVENT),
                events_rate: 8000,
                comfort_noise: None,
                ptime: PTIME,
                maxptime: None,
                xr: Default::default(),
                direction: Direction::SendRecv,
            };
            node.media(
                end.place.worker,
                Command::SetRemote { stream: end.stream, remote, srtp: None },
            );
        }
    }
}

impl Call {
    /// Sees to it that the caller and a leg can be joined, wherever they live. `false` if there is
    /// no port for that.
    pub(super) fn span(&mut self, node: &mut Node, now: Instant, leg: LegId) -> bool {
        let caller = self.caller.id;
        let Some((near, far)) = self.workers_of(leg).filter(|(near, far)| near != far) else {
            return true;
        };
        if self.relay_of(leg).is_some() {
            return true;
        }
        self.close_relays_of(node, leg);
        let codec = self.caller.codec().unwrap_or(Codec::Pcmu);
        let one = open(node, now, near, (self.id, caller), 1);
        let other = open(node, now, far, (self.id, leg), 1);
        match (one, other) {
            (Some(one), Some(other)) => {
                let ends = [one, other];
                let relay = Relay { legs: [caller, leg], codec, ends, carries: false };
                relay.introduce(node);
                self.relays.push(relay);
                true
            }
            (one, other) => {
                one.into_iter().chain(other).for_each(|end| close(node, end));
                false
            }
        }
    }

    fn workers_of(&self, leg: LegId) -> Option<(WorkerId, WorkerId)> {
        let worker = |leg: &Leg| leg.stream.open().map(|(_, place)| place.worker);
        let far = self.far.iter().find(|far| far.id == leg)?;
        Some((worker(&self.caller)?, worker(far)?))
    }

    /// The pairs of streams that are to be joined for the caller and a leg to hear each other: one
    /// on each worker that takes part, the caller's first.
    pub(super) fn pairs_with(&self, leg: LegId) -> [Option<(StreamId, StreamId, WorkerId)>; 2] {
        let far = self.far.iter().find(|far| far.id == leg).and_then(|far| far.stream.open());
        let (Some((a, near)), Some((b, there))) = (self.caller.stream.open(), far) else {
            return [None, None];
        };
        if near.worker == there.worker {
            return [Some((a, b, near.worker)), None];
        }
        let relay = self.relay_of(leg);
        let end = |worker| relay.and_then(|relay| relay.at(worker));
        [
            end(near.worker).map(|end| (a, end, near.worker)),
            end(there.worker).map(|end| (end, b, there.worker)),
        ]
    }

    fn relay_of(&self, leg: LegId) -> Option<&Relay> {
        self.relays.iter().find(|relay| relay.joins(self.caller.id, leg))
    }

    /// Joins a leg of another worker with its end of the relay, for a mix on the caller's.
    pub(super) fn carry(&mut self, node: &mut Node, leg: LegId) {
        let [_, beyond] = self.pairs_with(leg);
        let Some((a, b, worker)) = beyond else { return };
        let caller = self.caller.id;
        let relay = self.relays.iter_mut().find(|relay| relay.joins(caller, leg));
        if relay.is_some_and(|relay| !std::mem::replace(&mut relay.carries, true)) {
            node.media(worker, Command::Bridge { a, b });
        }
    }

    /// Notes that a bridge joins a leg with its end, or no longer.
    pub(super) fn note_carried(&mut self, leg: LegId, carries: bool) {
        let caller = self.caller.id;
        if let Some(relay) = self.relays.iter_mut().find(|relay| relay.joins(caller, leg)) {
            relay.carries = carries;
        }
    }

    /// Whether a stream is one of the relays'.
    pub(super) fn is_relays(&self, stream: StreamId) -> bool {
        self.relays.iter().any(|relay| relay.ends.iter().any(|end| end.stream == stream))
    }

    /// The workers that the ends live on.
    pub(super) fn relay_workers(&self) -> impl Iterator<Item = WorkerId> {
        self.relays.iter().flat_map(|relay| relay.ends.iter().map(|end| end.place.worker))
    }

    /// Relays for others than the caller and this leg, or a guest, are no longer needed.
    pub(super) fn review_relays(&mut self, node: &mut Node, leg: LegId) {
        let caller = self.caller.id;
        let guests: Vec<LegId> = self.guests.iter().map(|guest| guest.leg).collect();
        let is_needed = |relay: &Relay| {
            relay.joins(caller, leg) || guests.iter().any(|guest| relay.joins(caller, *guest))
        };
        let spare: Vec<Relay> = self.relays.extract_if(.., |relay| !is_needed(relay)).collect();
        spare.into_iter().flat_map(|relay| relay.ends).for_each(|end| close(node, end));
    }

    fn close_relays_of(&mut self, node: &mut Node, leg: LegId) {
        let spare: Vec<Relay> =
            self.relays.extract_if(.., |relay| relay.legs.contains(&leg)).collect();
        spare.into_iter().flat_map(|relay| relay.ends).for_each(|end| close(node, end));
    }

    pub(super) fn close_relays(&mut self, node: &mut Node) {
        let relays = std::mem::take(&mut self.relays);
        relays.into_iter().flat_map(|relay| relay.ends).for_each(|end| close(node, end));
    }

    /// What a worker says of one of the relay's streams. `false` if it is not about one.
    pub(super) fn on_relay_media(&mut self, node: &mut Node, now: Instant, event: &Event) -> bool {
        let Some(stream) = crate::ports::stream_of(event) else { return false };
        let is_its = |relay: &Relay| relay.ends.iter().any(|end| end.stream == stream);
        let Some(relay) = self.relays.iter_mut().find(|relay| is_its(relay)) else { return false };
        if !matches!(event, Event::OpenFailed { .. }) {
            return true;
        }
        let Some(end) = relay.ends.iter_mut().find(|end| end.stream == stream) else { return true };
        let (legs, old) = (relay.legs, *end);
        let owner = (self.id, old.place.leg);
        let leg = legs.into_iter().find(|leg| *leg != self.caller.id);
        let again = if old.tries < TRIES {
            open(node, now, old.place.worker, owner, old.tries + 1)
        } else {
            None
        };
        match again {
            Some(new) => {
                *end = new;
                relay.carries = false;
                relay.introduce(node);
                leg.into_iter().for_each(|leg| self.bridge(node, now, leg));
            }
            None => self.lose(node, now, leg.unwrap_or(old.place.leg), Cause::MediaFailed),
        }
        true
    }
}

/// Opens one end.
fn open(
    node: &mut Node,
    now: Instant,
    worker: WorkerId,
    (call, leg): (CallId, LegId),
    tries: u8,
) -> Option<End> {
    let (stream, place) = node.ports.take(now, Some(worker), None, (call, leg))?;
    let (ssrc, cname) = (node.rng.next_u32(), node.rng.hex::<8>().into());
    node.media(worker, Command::Open { stream, port: place.port, ssrc, cname });
    Some(End { stream, place, tries })
}

fn close(node: &mut Node, end: End) {
    node.media(end.place.worker, Command::Close { stream: end.stream });
}
