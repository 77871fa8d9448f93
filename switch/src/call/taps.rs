//! What of a conversation is recorded: what each party says, on the side of the customers or on
//! that of the agents. A supervisor is on it only while everybody hears them; who is muted or held
//! aside is not.

use base::LegId;
use media::{Channel, Command, StreamId, TapId, WorkerId};
use routing::Supervision;

use super::guests::{Guest, Part};
use super::leg::Leg;
use super::{Call, Recording, Stage};
use crate::node::Node;

/// A stream whose far end is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tapped {
    pub(super) stream: StreamId,
    pub(super) worker: WorkerId,
    pub(super) channel: Channel,
}

impl Call {
    pub(super) fn tap(&mut self, node: &mut Node, tap: TapId, tapped: Tapped) {
        let Tapped { stream, worker, channel } = tapped;
        node.media(worker, Command::Tap { stream, tap, channel });
        self.tapped.push(tapped);
    }

    /// Another recording begins: who is on which side of it is open again.
    pub(super) fn clear_sides(&mut self) {
        std::iter::once(&mut self.caller).chain(&mut self.far).for_each(|leg| leg.side = None);
    }

    /// Nothing of it is recorded any more.
    pub(super) fn untap_all(&mut self, node: &mut Node) {
        for tapped in std::mem::take(&mut self.tapped) {
            self.untap(node, tapped);
        }
    }

    /// A stream that is being closed needs no order.
    fn untap(&self, node: &mut Node, Tapped { stream, worker, .. }: Tapped) {
        let mut open = self.legs().filter_map(|leg| leg.stream.open());
        if open.any(|(known, _)| known == stream) || self.is_relays(stream) {
            node.media(worker, Command::Untap { stream });
        }
    }

    /// Has the taps follow who is in the conversation.
    pub(super) fn review_taps(&mut self, node: &mut Node) {
        let Stage::Connected { talk } = &self.stage else { return };
        let Recording::On { tap, .. } = talk.recording else { return };
        if self.is_paused() {
            return self.untap_all(node);
        }
        let guests = self.guests.iter().filter(|guest| is_recorded(guest));
        let supervisors = guests.filter(|guest| !guest.is_party()).map(|guest| guest.leg);
        let mut wanted = Vec::new();
        for leg in self.parties().into_iter().chain(supervisors).collect::<Vec<_>>() {
            let side = self.side(leg);
            if let Some(known) = self.leg_mut(leg) {
                known.side = Some(side);
            }
            wanted.extend(self.tapped(leg, side));
        }
        let gone: Vec<Tapped> = self.tapped.extract_if(.., |old| !wanted.contains(old)).collect();
        gone.into_iter().for_each(|gone| self.untap(node, gone));
        for new in wanted {
            if !self.tapped.contains(&new) {
                self.tap(node, tap, new);
            }
        }
    }

    /// The side of a leg: where it has been, else where those of its kind are.
    fn side(&self, leg: LegId) -> Channel {
        let known = self.leg(leg);
        if let Some(side) = known.and_then(|known| known.side) {
            return side;
        }
        let is_agent = |leg: &Leg| leg.role.agent().is_some();
        let agents = self.legs().filter(|leg| is_agent(leg)).find_map(|leg| leg.side);
        let others = self.legs().filter(|leg| !is_agent(leg)).find_map(|leg| leg.side);
        match known.is_some_and(is_agent) {
            true => agents.or(others.map(opposite)).unwrap_or(Channel::Right),
            false => others.or(agents.map(opposite)).unwrap_or(Channel::Left),
        }
    }

    /// How a leg is recorded, if it is to be now.
    fn tapped(&self, leg: LegId, channel: Channel) -> Option<Tapped> {
        self.leg(leg).filter(|known| !known.muted && !known.aside)?;
        let (stream, worker) = (self.heard(leg)?, self.worker()?);
        Some(Tapped { stream, worker, channel })
    }
}

fn is_recorded(guest: &Guest) -> bool {
    match &guest.part {
        Part::Party => guest.joined,
        Part::Supervisor(one) => guest.joined && one.mode == Supervision::Barge,
    }
}

fn opposite(side: Channel) -> Channel {
    match side {
        Channel::Left => Channel::Right,
        Channel::Right => Channel::Left,
    }
}
