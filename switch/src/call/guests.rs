//! Those who are in a call besides the two who talk: further parties and supervisors. They join and
//! leave, and the call goes on; when one of the two leaves, a further party takes the place.

use base::{AgentId, Instant, LegId};
use routing::{Input, Supervision};

use super::leg::Role;
use super::{Call, Stage};
use crate::event::{EventKind, Who};
use crate::node::{Alarm, Node};
use crate::record::Decided;
use crate::{Cause, EndedBy};

/// At most so many are in a call besides the two; the next one is refused.
pub(super) const MOST: usize = 30;

/// Somebody who is in a call, or rings to be, besides the two who talk.
pub(super) struct Guest {
    pub(super) leg: LegId,
    pub(super) part: Part,
    /// Whether they have answered.
    pub(super) joined: bool,
}

/// What they are in it for.
pub(super) enum Part {
    /// To talk, as everybody.
    Party,
    /// To supervise.
    Supervisor(Supervising),
}

/// A supervisor in a call.
pub(super) struct Supervising {
    pub(super) by: AgentId,
    pub(super) mode: Supervision,
    /// The agent who is supervised, as long as that one is in the call.
    pub(super) of: AgentId,
    /// When ringing is given up.
    pub(super) until: Option<Instant>,
}

impl Guest {
    pub(super) fn is_party(&self) -> bool {
        matches!(self.part, Part::Party)
    }

    pub(super) fn supervising(&self) -> Option<&Supervising> {
        match &self.part {
            Part::Party => None,
            Part::Supervisor(supervising) => Some(supervising),
        }
    }
}

impl Call {
    pub(super) fn guest(&self, leg: LegId) -> Option<&Guest> {
        self.guests.iter().find(|guest| guest.leg == leg)
    }

    pub(super) fn is_guest(&self, leg: LegId) -> bool {
        self.guest(leg).is_some()
    }

    /// Whether more than two talk.
    pub(crate) fn is_conference(&self) -> bool {
        self.guests.iter().any(|guest| guest.joined && guest.is_party())
    }

    /// The two who talk, and the further parties.
    pub(super) fn parties(&self) -> Vec<LegId> {
        let Stage::Connected { talk } = &self.stage else { return Vec::new() };
        let guests = self.guests.iter().filter(|guest| guest.joined && guest.is_party());
        let further = guests.map(|guest| guest.leg);
        // Who sent the call on may have left, and nobody has come yet.
        let far = (!self.is_sent_on()).then_some(talk.leg);
        std::iter::once(self.caller.id).chain(far).chain(further).collect()
    }

    /// The agents among them, the one who has the call first.
    pub(super) fn talking_agents(&self) -> Vec<AgentId> {
        let mut parties = self.parties();
        parties.sort_by_key(|leg| self.is_caller(*leg));
        parties.iter().filter_map(|leg| self.agent_of(*leg).cloned()).collect()
    }

    /// Who is on a leg, as events name them.
    pub(super) fn who(&self, leg: LegId) -> Who {
        let (agent, trunk) = self.leg(leg).map_or((None, None), |known| known.role.names());
        let number = agent.is_none().then(|| self.number_of(leg));
        Who { leg: leg.0, agent, trunk, number }
    }

    /// A leg is over, or is to be, and the call goes on without it. `false` if the call does not.
    /// One that was to take another's place has not.
    pub(super) fn leaves(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        cause: Cause,
    ) -> bool {
        if self.is_returning(leg) {
            self.return_failed(node, now, leg);
            return true;
        }
        if let Some(at) = self.guests.iter().position(|guest| guest.leg == leg) {
            let guest = self.guests.remove(at);
            self.forget_adrift(node, now, leg);
            self.see_off(node, now, &guest, cause);
            self.hang_up(node, now, leg, cause);
            self.review_music(node);
            return true;
        }
        self.gives_way(node, now, leg, cause)
    }

    /// A guest is no longer in it: told, and counted no more.
    fn see_off(&mut self, node: &mut Node, now: Instant, guest: &Guest, cause: Cause) {
        let who = self.who(guest.leg);
        if let Some(Supervising { until: Some(until), .. }) = guest.supervising() {
            node.alarms.remove(&(*until, Alarm::Guest(self.id, guest.leg)));
        }
        if guest.joined
            && let Some(agent) = &who.agent
        {
            self.disengage_one(node, now, &agent.clone());
        }
        if let Some(trunk) = &who.trunk {
            self.release_trunk(node, &trunk.clone());
        }
        let kind = match &guest.part {
            Part::Party => {
                let told = Decided::Left { who: who.to_string(), cause };
                self.narrative.decide(node, now, told);
                EventKind::ParticipantLeft { who, cause }
            }
            Part::Supervisor(Supervising { by, mode, .. }) if guest.joined => {
                let told = Decided::Left { who: format!("the supervisor {by}"), cause };
                self.narrative.decide(node, now, told);
                EventKind::SupervisionEnded { leg: who.leg, agent: by.clone(), mode: *mode, cause }
            }
            Part::Supervisor(Supervising { by, mode, .. }) => {
                EventKind::SupervisionFailed { agent: by.clone(), mode: *mode, cause }
            }
        };
        self.tell(node, now, kind);
    }

    /// One of the two who talk leaves; a further party takes the place.
    fn gives_way(&mut self, node: &mut Node, now: Instant, leg: LegId, cause: Cause) -> bool {
        let Stage::Connected { talk } = &self.stage else { return false };
        let is_caller = self.is_caller(leg);
        if !is_caller && talk.leg != leg || self.host == Some(leg) {
            return false;
        }
        let further = self.guests.iter().position(|guest| guest.joined && guest.is_party());
        let Some(at) = further else { return false };
        let next = self.guests.remove(at).leg;
        let who = self.who(leg);
        self.forget_adrift(node, now, leg);
        self.release_leaving(node, now, leg);
        self.hang_up(node, now, leg, cause);
        if let Some(trunk) = &who.trunk {
            self.release_trunk(node, trunk);
        }
        if is_caller {
            self.change_hub(node, next);
        }
        let role = self.leg(next).map(|known| known.role.clone());
        if let (Stage::Connected { talk }, false, Some(role)) = (&mut self.stage, is_caller, role) {
            (talk.leg, talk.with) = (next, role);
        }
        self.renew_held();
        let told = Decided::Left { who: who.to_string(), cause };
        self.narrative.decide(node, now, told);
        self.tell(node, now, EventKind::ParticipantLeft { who, cause });
        self.review_music(node);
        true
    }

    /// A leg takes the caller's place, to whose worker everybody's audio comes.
    fn change_hub(&mut self, node: &mut Node, next: LegId) {
        self.forget_mix();
        self.close_relays(node);
        if let Some(far) = self.far.iter_mut().find(|far| far.id == next) {
            std::mem::swap(&mut self.caller, far);
        }
    }

    /// The router hears that an agent among the two who talk is free.
    fn release_leaving(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let Some(agent) = self.agent_of(leg).cloned() else { return };
        if self.engaged.contains(&agent) {
            return self.disengage_one(node, now, &agent);
        }
        let Stage::Connected { talk } = &mut self.stage else { return };
        if std::mem::replace(&mut talk.of_queue, false) {
            let (tenant, work) = (self.tenant.clone(), self.work());
            node.router.handle_input(now, Input::WorkFinished { tenant, work });
        }
    }

    /// An INVITE to a guest, or to a page that was to take a conversation back, has come to
    /// nothing. `false` if the leg is neither's.
    pub(super) fn guest_failed(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        cause: Cause,
    ) -> bool {
        let is_beside = self.is_guest(leg) || self.is_returning(leg);
        is_beside && self.leaves(node, now, leg, cause)
    }

    /// Whether a leg is a supervisor's whom nobody hears.
    pub(super) fn is_silent_guest(&self, leg: LegId) -> bool {
        let supervising = self.guest(leg).and_then(Guest::supervising);
        supervising.is_some_and(|one| one.mode == Supervision::Listen)
    }

    /// Ends the call, unless it goes on without that leg.
    pub(super) fn lose(&mut self, node: &mut Node, now: Instant, leg: LegId, cause: Cause) {
        if !self.leaves(node, now, leg, cause) {
            self.end(node, now, cause, EndedBy::Engine);
        }
    }

    /// The call ends for all of them.
    pub(super) fn end_guests(&mut self, node: &mut Node, now: Instant, cause: Cause) {
        for guest in std::mem::take(&mut self.guests) {
            self.see_off(node, now, &guest, cause);
        }
        self.end_mix(node);
    }

    /// Whoever is called beside the two who talk has answered.
    pub(super) fn admit_guest(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        if let Some(Role::Agent(agent)) = self.leg(leg).map(|known| known.role.clone()) {
            self.engage(node, now, &agent);
        }
        self.guests.push(Guest { leg, part: Part::Party, joined: true });
        let who = self.who(leg);
        let told = Decided::Joined { who: who.to_string() };
        self.narrative.decide(node, now, told);
        self.tell(node, now, EventKind::ParticipantJoined { who });
        self.review_music(node);
    }
}
