//! The mix of a call: whenever more than two are in it, or one of the two is muted or held aside,
//! everybody's audio comes to the caller's media worker and is mixed there. After each input the
//! worker is told who is in the mix now, all at once: nobody is ever in it in another role than
//! theirs, not for one packet.

use base::{Instant, LegId};
use media::{Command, Member, MixId, Role as Place, StreamId, WorkerId};
use routing::Supervision;

use super::guests::{Guest, Part};
use super::{Call, Stage};
use crate::node::Node;

/// A mix as its worker knows it.
pub(super) struct Mixing {
    id: MixId,
    worker: WorkerId,
    members: Vec<Member>,
}

impl Call {
    /// The same after something that was not told by a signal.
    pub(crate) fn settle_media(&mut self, node: &mut Node, now: Instant) {
        self.arrange(node, now);
        self.settle_if_done(node);
    }

    /// Has the media follow what the call is now.
    pub(crate) fn arrange(&mut self, node: &mut Node, now: Instant) {
        self.review_supervision(node, now);
        if self.wants_mix() {
            self.mix(node, now);
        } else if self.mixing.is_some() {
            self.end_mix(node);
            if let Some(leg) = self.talks_plainly() {
                self.bridge(node, now, leg);
                self.review_relays(node, leg);
            }
        }
        self.review_taps(node);
        self.review_capture(node);
        self.review_codecs(node, now);
    }

    /// Whether a plain bridge would not do.
    fn wants_mix(&self) -> bool {
        let Stage::Connected { talk } = &self.stage else { return false };
        let is_special = |leg: &LegId| self.leg(*leg).is_some_and(|leg| leg.muted || leg.aside);
        self.guests.iter().any(|guest| guest.joined)
            || [self.caller.id, talk.leg].iter().any(is_special)
    }

    /// Whether the mix decides who hears whom, and no bridge.
    pub(super) fn is_mixed(&self) -> bool {
        self.mixing.is_some() || self.guests.iter().any(|guest| guest.joined)
    }

    /// The other one of the two, if nothing keeps them apart.
    fn talks_plainly(&self) -> Option<LegId> {
        let Stage::Connected { talk } = &self.stage else { return None };
        (self.apart().is_none()).then_some(talk.leg)
    }

    /// Which of the two hears music in place of the other.
    fn apart(&self) -> Option<LegId> {
        let Stage::Connected { talk } = &self.stage else { return None };
        match &self.transfer {
            Some(transfer) if transfer.has_parted() => Some(self.caller.id),
            _ => self.customer().filter(|_| talk.held.is_by_api()),
        }
    }

    fn mix(&mut self, node: &mut Node, now: Instant) {
        let Some(worker) = self.worker() else { return };
        let present = self.present();
        for leg in &present {
            self.span(node, now, *leg);
            self.carry(node, *leg);
        }
        let members: Vec<Member> = present.iter().filter_map(|leg| self.member(*leg)).collect();
        if self.mixing.as_ref().is_some_and(|mixing| mixing.worker != worker) {
            self.end_mix(node);
        }
        let next = || node.next_mix();
        let id = self.mixing.as_ref().map_or_else(next, |mixing| mixing.id);
        let is_new = self.mixing.as_ref().is_none_or(|mixing| mixing.members != members);
        if is_new {
            node.media(worker, Command::Mix { mix: id, members: members.clone() });
        }
        self.mixing = Some(Mixing { id, worker, members });
    }

    /// What the worker knows of the mix is to be said anew.
    pub(super) fn forget_mix(&mut self) {
        if let Some(mixing) = &mut self.mixing {
            mixing.members.clear();
        }
    }

    pub(super) fn end_mix(&mut self, node: &mut Node) {
        if let Some(Mixing { id, worker, .. }) = self.mixing.take() {
            node.media(worker, Command::Unmix { mix: id });
        }
    }

    /// Those who are to hear each other now.
    fn present(&self) -> Vec<LegId> {
        let apart = self.apart();
        let guests = self.guests.iter().filter(|guest| guest.joined && !guest.is_party());
        let all = self.parties().into_iter().chain(guests.map(|guest| guest.leg));
        let is_there =
            |leg: &LegId| apart != Some(*leg) && self.leg(*leg).is_some_and(|known| !known.aside);
        all.filter(is_there).collect()
    }

    /// A leg's place in the mix, by what stands for it on the caller's worker.
    fn member(&self, leg: LegId) -> Option<Member> {
        let known = self.leg(leg)?;
        let role = match self.guest(leg).map(|guest| &guest.part) {
            Some(Part::Supervisor(one)) => match one.mode {
                Supervision::Barge => Place::Party,
                Supervision::Listen => Place::Listener,
                Supervision::Whisper => match self.coached(&one.of).and_then(|of| self.heard(of)) {
                    Some(of) => Place::Coach { of },
                    None => Place::Listener,
                },
            },
            Some(Part::Party) | None => Place::Party,
        };
        let muted = known.muted || known.holds();
        Some(Member { stream: self.heard(leg)?, role, muted })
    }

    /// The leg of the agent whom a whisper is for: the one it began with, else the next agent.
    fn coached(&self, of: &base::AgentId) -> Option<LegId> {
        let present = self.present();
        let is_party = |leg: &&LegId| self.guest(**leg).is_none_or(Guest::is_party);
        let agents = || present.iter().filter(is_party).filter(|leg| self.is_agents(**leg));
        let same = agents().find(|leg| self.agent_of(**leg) == Some(of));
        same.or_else(|| agents().find(|leg| !self.is_caller(**leg)))
            .or_else(|| agents().next())
            .copied()
    }

    pub(super) fn is_agents(&self, leg: LegId) -> bool {
        self.agent_of(leg).is_some()
    }

    /// The stream on the caller's worker that a leg's audio comes by.
    pub(super) fn heard(&self, leg: LegId) -> Option<StreamId> {
        if self.is_caller(leg) {
            return self.caller.stream.open().map(|(stream, _)| stream);
        }
        self.streams_with(leg).map(|(_, beside, _)| beside)
    }
}
