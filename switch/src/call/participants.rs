//! Further parties of a conversation: called into it, brought along from another call of the same
//! agent's, taken out, muted, or held aside while the others talk.

use base::{AgentId, Instant, LegId};
use routing::Dialled;

use super::dial::Failure;
use super::guests::MOST;
use super::hold::held;
use super::join::Parted;
use super::model::{Dial, Goal, Party, Then};
use super::{Call, Stage};
use crate::Cause;
use crate::api::ApiError;
use crate::event::{EventKind, HoldSide};
use crate::node::Node;
use crate::record::Decided;

impl Call {
    /// The API calls somebody into the conversation.
    ///
    /// # Errors
    /// When nobody talks, somebody is being called already, or that may not be dialled.
    pub(crate) fn add_participant(
        &mut self,
        node: &mut Node,
        now: Instant,
        to: &str,
    ) -> Result<(), ApiError> {
        self.may_grow()?;
        if self.dialling.is_some() {
            return Err(ApiError::Conflict("somebody is being called already".to_owned()));
        }
        let refused = |cause, reason: String| ApiError::Refused { cause, reason };
        let dialled = routing::dial(&self.directory, &self.tenant, None, to).map_err(|error| {
            let forbidden = error.is_forbidden();
            let cause = if forbidden { Cause::Forbidden } else { Cause::NoRoute };
            refused(cause, error.to_string())
        })?;
        let goal = match dialled {
            Dialled::Agent(agent) if self.has(&agent) => {
                return Err(ApiError::Conflict(format!("{agent} is in this call already")));
            }
            Dialled::Agent(agent) => Goal::Agent(agent),
            Dialled::Outside(to) => Goal::Outside(to),
            Dialled::Queue(_) | Dialled::OwnNumber { .. } => {
                let reason = "a queue or a flow cannot talk; transfer the call there".to_owned();
                return Err(refused(Cause::NoRoute, reason));
            }
        };
        let dial = Dial { from: self.shown_to_guest(), ..Dial::new(goal.clone(), Then::Guest) };
        self.dialling = Some(Box::new(dial));
        self.dial_goal(node, now, goal);
        self.settle_if_done(node);
        Ok(())
    }

    /// Whether somebody more may come in.
    fn may_grow(&self) -> Result<(), ApiError> {
        let conflict = |what: &str| Err(ApiError::Conflict(what.to_owned()));
        match &self.stage {
            Stage::Connected { .. } if self.transfer.is_some() => {
                conflict("the call is being transferred")
            }
            Stage::Connected { .. } if self.guests.len() >= MOST => {
                conflict("too many are in this call")
            }
            Stage::Connected { .. } => Ok(()),
            _ => conflict("nobody talks in this call"),
        }
    }

    /// Whether an agent has a leg in it, whatever for.
    pub(super) fn has(&self, agent: &AgentId) -> bool {
        self.legs().filter(|leg| leg.is_up()).any(|leg| leg.role.agent() == Some(agent))
    }

    /// Who a further party sees calling: the agent who has the call, else whoever called.
    pub(super) fn shown_to_guest(&self) -> Option<Party> {
        let agents = self.talking_agents();
        let known = self.directory.agent(&self.tenant, agents.first()?)?;
        Some(Party { number: known.id.to_string(), display: known.name.clone() })
    }

    /// Whoever was called into the conversation has answered.
    pub(super) fn participant_answered(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        self.stop_dialling(node);
        self.receive(node, now, leg);
    }

    /// Nobody took it.
    pub(super) fn participant_failed(
        &mut self,
        node: &mut Node,
        now: Instant,
        to: &Goal,
        why: &Failure,
    ) {
        let (to, cause) = (to.to_string(), why.cause);
        self.tell(node, now, EventKind::ParticipantFailed { to, cause });
    }

    /// The call ends when that agent leaves, however many are left.
    pub(crate) fn set_host(&mut self, ends_with_host: bool) {
        let agents = self.talking_agents();
        let is_host = |leg: &LegId| self.agent_of(*leg) == agents.first();
        let host = self.parties().into_iter().find(is_host);
        self.host = host.filter(|_| ends_with_host);
    }

    /// Takes the other side of another call of the same agent's in.
    pub(crate) fn take_along(&mut self, node: &mut Node, now: Instant, parted: Parted) {
        let leg = self.welcome(node, parted);
        self.receive(node, now, leg);
        self.arrange(node, now);
        self.settle_if_done(node);
    }

    /// Whether such a one may come in, and which agent would bring them.
    pub(crate) fn may_take_along(&self) -> Result<Vec<AgentId>, ApiError> {
        self.may_grow()?;
        Ok(self.talking_agents())
    }

    /// The leg of an agent whose two sides may be parted for another call.
    pub(crate) fn may_be_taken_along(&self, agents: &[AgentId]) -> Option<LegId> {
        let is_plain = matches!(self.stage, Stage::Connected { .. })
            && self.transfer.is_none()
            && self.dialling.is_none()
            && !self.is_conference();
        let is_theirs =
            |leg: &LegId| self.agent_of(*leg).is_some_and(|agent| agents.contains(agent));
        self.parties().into_iter().find(is_theirs).filter(|_| is_plain)
    }

    /// Takes one out.
    ///
    /// # Errors
    /// When there is no such leg, or only two are left.
    pub(crate) fn remove_participant(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
    ) -> Result<(), ApiError> {
        let rings = |dial: &Dial| matches!(dial.then, Then::Guest) && dial.leg == Some(leg);
        if self.dialling.as_deref().is_some_and(rings) {
            let Some(dial) = self.stop_dialling(node) else { return Err(ApiError::NotFound) };
            if let Some(trunk) = &dial.trunk {
                self.release_trunk(node, trunk);
            }
            self.hang_up(node, now, leg, Cause::ApiRequest);
            let to = dial.goal.to_string();
            self.tell(node, now, EventKind::ParticipantFailed { to, cause: Cause::ApiRequest });
            return Ok(());
        }
        if !self.is_in(leg) && !self.is_guest(leg) {
            return Err(ApiError::NotFound);
        }
        if self.leaves(node, now, leg, Cause::ApiRequest) {
            return Ok(());
        }
        Err(ApiError::Conflict("only two are left: end the call".to_owned()))
    }

    fn is_in(&self, leg: LegId) -> bool {
        let supervises = self.guest(leg).is_some_and(|guest| guest.joined);
        supervises || self.parties().contains(&leg)
    }

    /// What a leg says is heard by nobody, or again.
    ///
    /// # Errors
    /// When there is no such leg in the conversation.
    pub(crate) fn mute(&mut self, leg: LegId, muted: bool) -> Result<(), ApiError> {
        if !self.is_in(leg) {
            return Err(ApiError::NotFound);
        }
        let known = self.leg_mut(leg).ok_or(ApiError::NotFound)?;
        if std::mem::replace(&mut known.muted, muted) != muted {
            let who = self.who(leg);
            let kind =
                if muted { EventKind::CallMuted { who } } else { EventKind::CallUnmuted { who } };
            self.tell_when_obeyed(kind);
        }
        Ok(())
    }

    /// Holds one party aside, who hears music while the others talk; or takes them back.
    ///
    /// # Errors
    /// When there is no such party, or it is so already.
    pub(crate) fn hold_aside(
        &mut self,
        node: &mut Node,
        leg: LegId,
        holds: bool,
    ) -> Result<(), ApiError> {
        if !self.parties().contains(&leg) {
            return Err(ApiError::NotFound);
        }
        if self.transfer.is_some() {
            return Err(ApiError::Conflict("the call is being transferred".to_owned()));
        }
        let known = self.leg_mut(leg).ok_or(ApiError::NotFound)?;
        if std::mem::replace(&mut known.aside, holds) == holds {
            let already = if holds { "it is held already" } else { "it is not held" };
            return Err(ApiError::Conflict(already.to_owned()));
        }
        self.update_music(node, leg);
        self.tell_when_obeyed(held(HoldSide::Api, holds, Some(leg)));
        Ok(())
    }

    /// Told of a party that has been called in, or brought along.
    fn receive(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        if let Some(trunk) = self.leg(leg).and_then(|known| known.role.trunk()).cloned() {
            self.narrative.decide(node, now, Decided::Answered { to: trunk.to_string() });
        }
        self.admit_guest(node, now, leg);
    }
}
