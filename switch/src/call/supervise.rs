//! Supervision: a supervisor hears a conversation, and is heard by nobody (listen), by the agent
//! alone (whisper) or by everybody (barge). Their phone rings, or they dial the tenant's code; they
//! are in the mix in their role from the first packet on. It follows the conversation through hold
//! and transfer, and ends when no agent is in it any more.

use std::sync::Arc;

use base::{AgentId, Duration, Instant, LegId};
use media::Tone;
use routing::Supervision;
use sip::StatusCode;

use super::guests::{Guest, MOST, Part, Supervising};
use super::join::Parted;
use super::model::Party;
use super::takeover::{Purpose, Target};
use super::{Call, Stage};
use crate::Cause;
use crate::api::ApiError;
use crate::event::EventKind;
use crate::node::{Alarm, Node};
use crate::record::Decided;

/// How long a supervisor's phone rings.
const RINGS: Duration = Duration::from_secs(45);

impl Call {
    /// The API has a supervisor's phones ring. Gives the leg.
    ///
    /// # Errors
    /// When no agent talks, the supervisor may not or cannot, or is in the call already.
    pub(crate) fn supervise(
        &mut self,
        node: &mut Node,
        now: Instant,
        by: AgentId,
        mode: Supervision,
        of: Option<AgentId>,
    ) -> Result<LegId, ApiError> {
        let (of, why) = self.may_be_supervised(node, &by, of.as_ref())?;
        let conflict = |what: String| Err(ApiError::Conflict(what));
        if self.guests.len() >= MOST {
            return conflict("too many are in this call".to_owned());
        }
        let targets = self.targets(node, now, &by);
        if targets.is_empty() {
            return conflict(format!("{by} has no phone"));
        }
        let id = self.leg_to_agent(node, &by, targets);
        if let Some(leg) = self.far_mut(id) {
            leg.supervises = true;
        }
        let until = now + RINGS;
        node.alarms.insert((until, Alarm::Guest(self.id, id)));
        let told = Decided::Supervised { by: by.clone(), mode, why };
        let supervising = Supervising { by, mode, of, until: Some(until) };
        let part = Part::Supervisor(supervising);
        self.guests.push(Guest { leg: id, part, joined: false });
        self.narrative.decide(node, now, told);
        if !self.open_stream(node, now, id, self.worker()) {
            self.leaves(node, now, id, Cause::Unavailable);
            let reason = "no media port is free".to_owned();
            return Err(ApiError::Refused { cause: Cause::Unavailable, reason });
        }
        Ok(id)
    }

    /// Whom the supervisor would supervise, and by what right.
    fn may_be_supervised(
        &self,
        node: &Node,
        by: &AgentId,
        of: Option<&AgentId>,
    ) -> Result<(AgentId, String), ApiError> {
        let conflict = |what: &str| ApiError::Conflict(what.to_owned());
        let agents = self.talking_agents();
        // As it is provisioned now: a right that was taken away opens no further call.
        let directory = node.directory.as_ref().unwrap_or(&self.directory);
        let queue = self.narrative.queue.as_ref();
        let right = routing::may_supervise(directory, &self.tenant, by, queue, &agents);
        let why = right.ok_or_else(|| ApiError::Refused {
            cause: Cause::Forbidden,
            reason: format!("{by} does not supervise this call"),
        })?;
        if !matches!(self.stage, Stage::Connected { .. }) {
            return Err(conflict("nobody talks in this call"));
        }
        let of = match of {
            Some(of) => agents.iter().find(|agent| *agent == of),
            None => agents.first(),
        };
        let of = of.ok_or_else(|| conflict("the agent does not talk in this call"))?;
        if self.has(by) {
            return Err(conflict("the supervisor is in this call already"));
        }
        Ok((of.clone(), why))
    }

    /// A supervisor's phone has rung long enough, or a page that was to take a conversation back.
    pub(super) fn on_guest_rang_out(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let is_rung = self.guest(leg).is_some_and(|guest| !guest.joined);
        if is_rung || self.is_returning(leg) {
            self.leaves(node, now, leg, Cause::NoAnswer);
        }
    }

    /// A supervisor's phone has answered.
    pub(super) fn supervisor_answered(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let call = self.id;
        let is_talking = matches!(self.stage, Stage::Connected { .. });
        let guest = self.guests.iter_mut().find(|guest| guest.leg == leg);
        let Some(Guest { part: Part::Supervisor(one), joined, .. }) = guest else { return };
        if let Some(until) = one.until.take() {
            node.alarms.remove(&(until, Alarm::Guest(call, leg)));
        }
        if !is_talking {
            self.leaves(node, now, leg, Cause::Normal);
            return;
        }
        *joined = true;
        let (agent, mode, of) = (one.by.clone(), one.mode, one.of.clone());
        self.engage(node, now, &agent);
        self.tell(node, now, EventKind::CallSupervised { leg: leg.0, agent, mode, of });
        self.tell_agents(node);
    }

    /// A short tone for each agent who talks, if the tenant wants them told.
    fn tell_agents(&mut self, node: &mut Node) {
        if !self.directory.tenant(&self.tenant).is_some_and(|tenant| tenant.tells_supervision) {
            return;
        }
        for leg in self.parties() {
            let is_told = self.is_agents(leg) && !self.waits(leg);
            if is_told {
                let sounds = Arc::from([Arc::new(Tone::Beep.cadence(None))]);
                self.play_sounds(node, leg, sounds, false);
            }
        }
    }

    /// Another mode for a supervisor who is in the call, or rings.
    ///
    /// # Errors
    /// When that agent does not supervise it.
    pub(crate) fn change_supervision(
        &mut self,
        by: &AgentId,
        mode: Supervision,
    ) -> Result<(), ApiError> {
        let leg = self.supervisor(by).ok_or(ApiError::NotFound)?;
        let guest = self.guests.iter_mut().find(|guest| guest.leg == leg);
        let Some(Guest { part: Part::Supervisor(one), joined, .. }) = guest else {
            return Err(ApiError::NotFound);
        };
        if std::mem::replace(&mut one.mode, mode) != mode && *joined {
            let agent = by.clone();
            self.tell_when_obeyed(EventKind::SupervisionChanged { leg: leg.0, agent, mode });
        }
        Ok(())
    }

    /// A supervisor leaves, or no longer rings.
    ///
    /// # Errors
    /// When that agent does not supervise it.
    pub(crate) fn end_supervision(
        &mut self,
        node: &mut Node,
        now: Instant,
        by: &AgentId,
    ) -> Result<(), ApiError> {
        let leg = self.supervisor(by).ok_or(ApiError::NotFound)?;
        self.leaves(node, now, leg, Cause::ApiRequest);
        Ok(())
    }

    fn supervisor(&self, by: &AgentId) -> Option<LegId> {
        let is_theirs = |guest: &&Guest| guest.supervising().is_some_and(|one| one.by == *by);
        self.guests.iter().find(is_theirs).map(|guest| guest.leg)
    }

    /// Supervision ends when nobody talks any more, or no agent does; while the call is being sent
    /// on it waits for whoever comes.
    pub(super) fn review_supervision(&mut self, node: &mut Node, now: Instant) {
        let is_moving = self.transfer.is_some() && matches!(self.stage, Stage::Connected { .. });
        if self.guests.is_empty() || is_moving || !self.talking_agents().is_empty() {
            return;
        }
        let supervisors = self.guests.iter().filter(|guest| !guest.is_party());
        for leg in supervisors.map(|guest| guest.leg).collect::<Vec<_>>() {
            self.leaves(node, now, leg, Cause::Normal);
        }
    }

    /// Who a supervisor's phone shows as calling: the agent, and what it is about.
    pub(super) fn shown_to_supervisor(&self, leg: LegId) -> Option<Party> {
        let Supervising { mode, of, .. } = self.guest(leg)?.supervising()?;
        let name = self.directory.agent(&self.tenant, of).map(|agent| agent.name.as_str());
        let name = name.filter(|name| !name.is_empty()).unwrap_or(of.as_str());
        let display = format!("{name} ({})", mode.as_str());
        Some(Party { number: of.to_string(), display })
    }

    /// The conversation of an agent's as a supervisor's target who has dialled a code.
    pub(crate) fn supervision_target(
        &self,
        node: &Node,
        by: &AgentId,
        of: &AgentId,
        mode: Supervision,
    ) -> Result<Target, StatusCode> {
        let status = |error: ApiError| match error {
            ApiError::Refused { .. } => StatusCode::FORBIDDEN,
            ApiError::Conflict(_) | ApiError::NotFound => StatusCode::TEMPORARILY_UNAVAILABLE,
        };
        self.may_be_supervised(node, by, Some(of)).map_err(status)?;
        let is_theirs = |leg: &LegId| self.agent_of(*leg) == Some(of);
        let leg = self.parties().into_iter().find(is_theirs);
        let leg = self.leg_ref(leg.ok_or(StatusCode::TEMPORARILY_UNAVAILABLE)?);
        let purpose = Purpose::Supervise(mode);
        Ok(Target { leg, worker: self.worker(), while_early: false, purpose })
    }

    /// Whether an agent talks in it.
    pub(crate) fn talks(&self, agent: &AgentId) -> bool {
        self.talking_agents().contains(agent)
    }

    /// A supervisor who has dialled the code comes in.
    pub(crate) fn admit_supervisor(
        &mut self,
        node: &mut Node,
        now: Instant,
        (of, mode): (LegId, Supervision),
        parted: Parted,
    ) {
        let Some(by) = parted.leg.role.agent().cloned() else { return };
        let found = self.agent_of(of).cloned();
        let right = self.may_be_supervised(node, &by, found.as_ref()).ok();
        let leg = self.welcome(node, parted);
        let Some((of, why)) = right else {
            return self.hang_up(node, now, leg, Cause::Forbidden);
        };
        self.narrative.decide(node, now, Decided::Supervised { by: by.clone(), mode, why });
        if let Some(known) = self.leg_mut(leg) {
            known.supervises = true;
        }
        let part = Part::Supervisor(Supervising { by, mode, of, until: None });
        self.guests.push(Guest { leg, part, joined: false });
        self.supervisor_answered(node, now, leg);
        self.arrange(node, now);
        self.settle_if_done(node);
    }
}
