//! An agent's seat: what they chose, what they do, and what everybody sees of it.
//!
//! What is shown follows from the rest and is computed in one place, `Floor::settle`: an agent is
//! never shown ringing or busy without live work behind it.

use std::collections::BTreeSet;

use base::{AgentId, Duration, Instant, QueueId, SkillId};

use super::floor::{Floor, Turn, seconds};
use super::snapshot::{WrapUpSnapshot, millis};
use super::timers::Timer;
use super::{AgentState, AttemptFailure, CancelReason, Output, WorkId};
use crate::{Agent, Presence};

/// How long an agent whose phone refused is spared all work, so that a phone that always refuses
/// is not rung a thousand times a second.
pub(super) const REST: Duration = Duration::from_secs(2);

/// An agent at work.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) profile: Profile,
    /// The queues whose work they may take, by name.
    pub(super) lines: Vec<QueueId>,
    /// What they chose: offline, available or a break.
    pub(super) chosen: AgentState,
    /// Why, for a break.
    reason: Option<String>,
    pub(super) reachable: bool,
    pub(super) doing: Doing,
    /// The calls they are on that no queue gave them.
    pub(super) direct: BTreeSet<WorkId>,
    /// Whether they want no calls, neither a queue's nor direct ones.
    pub(super) do_not_disturb: bool,
    /// Whether they refused an attempt a moment ago.
    pub(super) resting: bool,
    /// Provisioned no more; the seat goes when the call is over.
    pub(super) removed: bool,
    /// Since when they have been idle, while they are free; this is their place in their lines.
    pub(super) free_since: Option<Instant>,
    /// The place they had when they were last rung.
    idle_since: Instant,
    pub(super) shown: AgentState,
    pub(super) shown_reason: Option<String>,
    pub(super) shown_since: Instant,
}

/// What the router must know of a provisioned agent.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) skills: Vec<SkillId>,
    available_on_register: bool,
    wrap_up: Option<Duration>,
}

/// What an agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Nothing,
    Ringing(WorkId),
    Talking {
        work: WorkId,
        /// How long they have afterwards.
        wrap_up: Duration,
        /// By how much they may make that longer.
        extend: Duration,
    },
    WrapUp {
        /// What they write up.
        of: WorkId,
        /// When it is over.
        until: Instant,
        /// By how much they may still make it longer.
        extend: Duration,
    },
}

/// Whether an agent who becomes free goes to the end of the idle ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Idle {
    StartsAgain,
    Keeps,
}

impl Doing {
    pub(super) fn work(self) -> Option<WorkId> {
        match self {
            Self::Ringing(work) | Self::Talking { work, .. } => Some(work),
            Self::Nothing | Self::WrapUp { .. } => None,
        }
    }

    pub(super) fn is_wrap_up(self) -> bool {
        matches!(self, Self::WrapUp { .. })
    }
}

impl Profile {
    pub(super) fn of(agent: &Agent) -> Self {
        Self {
            name: agent.name.clone(),
            skills: agent.skills.clone(),
            available_on_register: agent.available_on_register,
            wrap_up: agent.wrap_up_s.map(seconds),
        }
    }

    /// How long they have after a call of a queue that gives `of_queue`.
    pub(super) fn wrap_up(&self, of_queue: Duration) -> Duration {
        self.wrap_up.unwrap_or(of_queue)
    }
}

impl Seat {
    pub(super) fn new(profile: Profile, now: Instant) -> Self {
        Self {
            profile,
            lines: Vec::new(),
            chosen: AgentState::Offline,
            reason: None,
            reachable: false,
            doing: Doing::Nothing,
            direct: BTreeSet::new(),
            do_not_disturb: false,
            resting: false,
            removed: false,
            free_since: None,
            idle_since: now,
            shown: AgentState::Offline,
            shown_reason: None,
            shown_since: now,
        }
    }

    /// The state they are in when no work keeps them.
    pub(super) fn at_rest(&self) -> AgentState {
        match self.chosen {
            AgentState::Available if self.removed || !self.reachable => AgentState::Offline,
            chosen => chosen,
        }
    }

    /// Chose to be available, but no phone of theirs is registered.
    pub(super) fn is_missed(&self) -> bool {
        self.doing == Doing::Nothing
            && self.direct.is_empty()
            && self.chosen == AgentState::Available
            && !self.reachable
    }

    /// Could take work, but wants none.
    pub(super) fn refuses_all(&self) -> bool {
        self.do_not_disturb
            && self.doing == Doing::Nothing
            && self.direct.is_empty()
            && self.at_rest() == AgentState::Available
    }

    /// Whether a call keeps them.
    pub(super) fn talks(&self) -> bool {
        matches!(self.doing, Doing::Talking { .. }) || !self.direct.is_empty()
    }

    pub(super) fn presence(&self) -> Presence {
        let talks = matches!(self.doing, Doing::Talking { .. });
        let direct = u32::try_from(self.direct.len()).unwrap_or(u32::MAX);
        Presence {
            reachable: self.reachable,
            calls: direct.saturating_add(u32::from(talks)),
            rings: matches!(self.doing, Doing::Ringing(_)),
            do_not_disturb: self.do_not_disturb,
            state: self.shown,
        }
    }

    pub(super) fn wrap_up(&self, now: Instant) -> Option<WrapUpSnapshot> {
        let Doing::WrapUp { of, until, extend } = self.doing else { return None };
        Some(WrapUpSnapshot {
            work: of,
            left_ms: millis(until.since(now)),
            may_extend_ms: millis(extend),
        })
    }

    /// What everybody is to see.
    pub(super) fn state(&self) -> AgentState {
        match self.doing {
            Doing::Nothing | Doing::WrapUp { .. } if !self.direct.is_empty() => AgentState::Busy,
            Doing::Nothing => self.at_rest(),
            Doing::Ringing(_) => AgentState::Ringing,
            Doing::Talking { .. } => AgentState::Busy,
            Doing::WrapUp { .. } => AgentState::WrapUp,
        }
    }

    /// Whether work may ring them at once.
    pub(super) fn is_free(&self) -> bool {
        self.doing == Doing::Nothing
            && self.at_rest() == AgentState::Available
            && self.direct.is_empty()
            && !self.do_not_disturb
            && !self.removed
            && !self.resting
    }
}

impl Floor {
    pub(super) fn reachable(&mut self, turn: &mut Turn, agent: &AgentId, reachable: bool) {
        let Some(seat) = self.seats.get_mut(agent) else { return };
        if seat.reachable == reachable {
            return;
        }
        seat.reachable = reachable;
        if reachable && seat.profile.available_on_register && seat.chosen == AgentState::Offline {
            seat.chosen = AgentState::Available;
        }
        if let Doing::Ringing(work) = seat.doing {
            self.cancelled(turn, work, AttemptFailure::Unreachable, CancelReason::Unreachable);
        } else {
            self.settle(turn, agent, Idle::StartsAgain);
            self.offer_agent(turn, agent);
        }
    }

    pub(super) fn choose(
        &mut self,
        turn: &mut Turn,
        agent: &AgentId,
        state: AgentState,
        reason: Option<String>,
    ) {
        let Some(seat) = self.seats.get_mut(agent).filter(|_| state.can_be_chosen()) else {
            return;
        };
        seat.chosen = state;
        seat.reason = reason.filter(|_| state == AgentState::Break);
        seat.resting = false;
        turn.stop(|tenant| Timer::Rest(tenant, agent.clone()));
        match seat.doing {
            Doing::Ringing(work) if state != AgentState::Available => {
                self.cancelled(turn, work, AttemptFailure::Rejected, CancelReason::StateChanged);
            }
            Doing::WrapUp { .. } => self.wrapped_up(turn, agent),
            _ => {
                self.settle(turn, agent, Idle::StartsAgain);
                self.offer_agent(turn, agent);
            }
        }
    }

    /// The call is over: wrap-up, if there is any.
    pub(super) fn call_over(&mut self, turn: &mut Turn, agent: &AgentId) {
        let Some(seat) = self.seats.get(agent) else { return };
        let Doing::Talking { work, wrap_up, extend } = seat.doing else { return };
        if seat.removed {
            if seat.direct.is_empty() {
                return self.vacate(turn, agent);
            }
            return self.set_doing(turn, agent, Doing::Nothing, Idle::StartsAgain);
        }
        if wrap_up.is_zero() {
            return self.wrapped_up(turn, agent);
        }
        turn.set(|tenant| Timer::WrapUp(tenant, agent.clone()), wrap_up);
        let doing = Doing::WrapUp { of: work, until: turn.now + wrap_up, extend };
        self.set_doing(turn, agent, doing, Idle::StartsAgain);
    }

    pub(super) fn finish_wrap_up(&mut self, turn: &mut Turn, agent: &AgentId) {
        if self.seats.get(agent).is_some_and(|seat| seat.doing.is_wrap_up()) {
            self.wrapped_up(turn, agent);
        }
    }

    /// As much longer as the queue still permits.
    pub(super) fn extend_wrap_up(&mut self, turn: &mut Turn, agent: &AgentId, by: Duration) {
        let Some(seat) = self.seats.get_mut(agent) else { return };
        let Doing::WrapUp { until, extend, .. } = &mut seat.doing else { return };
        let by = by.min(*extend);
        (*until, *extend) = (*until + by, extend.saturating_sub(by));
        let left = until.since(turn.now);
        turn.set(|tenant| Timer::WrapUp(tenant, agent.clone()), left);
    }

    pub(super) fn wrapped_up(&mut self, turn: &mut Turn, agent: &AgentId) {
        turn.stop(|tenant| Timer::WrapUp(tenant, agent.clone()));
        self.set_doing(turn, agent, Doing::Nothing, Idle::StartsAgain);
        self.offer_agent(turn, agent);
    }

    /// Spares the agent all work for a moment.
    pub(super) fn rest(&mut self, turn: &mut Turn, agent: &AgentId) {
        if let Some(seat) = self.seats.get_mut(agent) {
            seat.resting = true;
            turn.set(|tenant| Timer::Rest(tenant, agent.clone()), REST);
        }
    }

    pub(super) fn rested(&mut self, turn: &mut Turn, agent: &AgentId) {
        if let Some(seat) = self.seats.get_mut(agent) {
            seat.resting = false;
            self.settle(turn, agent, Idle::StartsAgain);
            self.offer_agent(turn, agent);
        }
    }

    /// A call that no queue gave them begins: no work rings them while it lasts.
    pub(super) fn direct_began(&mut self, turn: &mut Turn, agent: &AgentId, call: WorkId) {
        let Some(seat) = self.seats.get_mut(agent) else { return };
        seat.direct.insert(call);
        if let Doing::Ringing(work) = seat.doing {
            self.cancelled(turn, work, AttemptFailure::Busy, CancelReason::StateChanged);
        } else {
            self.settle(turn, agent, Idle::StartsAgain);
        }
    }

    /// ... and ends.
    pub(super) fn direct_ended(&mut self, turn: &mut Turn, agent: &AgentId, call: WorkId) {
        let Some(seat) = self.seats.get_mut(agent) else { return };
        if !seat.direct.remove(&call) {
            return;
        }
        if seat.removed && !seat.talks() {
            return self.vacate(turn, agent);
        }
        self.settle(turn, agent, Idle::StartsAgain);
        self.offer_agent(turn, agent);
    }

    pub(super) fn do_not_disturb(&mut self, turn: &mut Turn, agent: &AgentId, on: bool) {
        let Some(seat) = self.seats.get_mut(agent) else { return };
        seat.do_not_disturb = on;
        match seat.doing {
            Doing::Ringing(work) if on => {
                self.cancelled(turn, work, AttemptFailure::Rejected, CancelReason::StateChanged);
            }
            _ => {
                self.settle(turn, agent, Idle::StartsAgain);
                self.offer_agent(turn, agent);
            }
        }
    }

    /// Takes the seat away.
    pub(super) fn vacate(&mut self, turn: &mut Turn, agent: &AgentId) {
        let Some(seat) = self.seats.get_mut(agent) else { return };
        seat.chosen = AgentState::Offline;
        self.set_doing(turn, agent, Doing::Nothing, Idle::StartsAgain);
        turn.stop(|tenant| Timer::WrapUp(tenant, agent.clone()));
        turn.stop(|tenant| Timer::Rest(tenant, agent.clone()));
        self.seats.remove(agent);
    }

    pub(super) fn set_doing(&mut self, turn: &mut Turn, agent: &AgentId, doing: Doing, idle: Idle) {
        if let Some(seat) = self.seats.get_mut(agent) {
            seat.doing = doing;
            self.settle(turn, agent, idle);
        }
    }

    /// Brings what follows from an agent's choice and work up to date: their place in the lines
    /// and what everybody sees.
    pub(super) fn settle(&mut self, turn: &mut Turn, agent: &AgentId, idle: Idle) {
        let Some(seat) = self.seats.get_mut(agent) else { return };
        match (seat.free_since, seat.is_free()) {
            (None, true) => {
                if idle == Idle::StartsAgain {
                    seat.idle_since = turn.now;
                }
                seat.free_since = Some(seat.idle_since);
                for queue in &seat.lines {
                    if let Some(line) = self.lines.get_mut(queue) {
                        line.idle.insert((seat.idle_since, agent.clone()));
                    }
                }
            }
            (Some(since), false) => {
                seat.free_since = None;
                for queue in &seat.lines {
                    if let Some(line) = self.lines.get_mut(queue) {
                        line.idle.remove(&(since, agent.clone()));
                    }
                }
            }
            _ => {}
        }
        let state = seat.state();
        let reason = seat.reason.clone().filter(|_| state == AgentState::Break);
        if (state, &reason) != (seat.shown, &seat.shown_reason) {
            seat.shown = state;
            seat.shown_reason.clone_from(&reason);
            seat.shown_since = turn.now;
            for line in seat.lines.iter().filter_map(|queue| self.lines.get(queue)) {
                line.agents_changed(turn);
            }
            turn.say(Output::AgentChanged {
                tenant: turn.tenant(),
                agent: agent.clone(),
                state,
                reason,
                since: turn.now,
            });
        }
    }
}
