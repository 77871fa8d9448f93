//! Attempts: work and agent find each other, the agent rings, and takes it or does not.

use base::{AgentId, Duration};

use super::floor::{Floor, Turn, seconds};
use super::seat::{Doing, Idle};
use super::timers::Timer;
use super::work::{Stage, Tried};
use super::{AttemptFailure, CancelReason, Output, WorkId};

impl Floor {
    /// Rings the agent idle longest for work that waits; false if nobody may take it now.
    pub(super) fn offer_work(&mut self, turn: &mut Turn, id: WorkId) -> bool {
        let Some(work) = self.work.get(&id).filter(|work| work.stage == Stage::Waiting) else {
            return false;
        };
        let Some(line) = self.lines.get(&work.queue) else { return false };
        // Few are passed over: who refused rests, so the tried ones among the idle are few.
        let longest_idle = line.idle.iter().find(|(_, agent)| work.tried(agent).is_none());
        let Some(agent) = longest_idle.map(|(_, agent)| agent.clone()) else { return false };
        self.begin_attempt(turn, id, &agent);
        true
    }

    /// Rings a free agent for the first work, of all their queues, that may have them.
    pub(super) fn offer_agent(&mut self, turn: &mut Turn, agent: &AgentId) {
        let Some(seat) = self.seats.get(agent).filter(|seat| seat.free_since.is_some()) else {
            return;
        };
        let lines = seat.lines.iter().filter_map(|queue| self.lines.get(queue));
        let first_of_each = lines.filter_map(|line| {
            line.waiting()
                .find(|(_, id)| self.work.get(id).is_some_and(|work| work.tried(agent).is_none()))
        });
        if let Some((_, id)) = first_of_each.min() {
            self.begin_attempt(turn, id, agent);
        }
    }

    fn begin_attempt(&mut self, turn: &mut Turn, id: WorkId, agent: &AgentId) {
        let Some(decision) = self.decide(turn.now, id, Some(agent)) else { return };
        let Some(work) = self.work.get_mut(&id) else { return };
        let Some(line) = self.lines.get_mut(&work.queue) else { return };
        line.remove(id, work);
        line.ringing += 1;
        line.figures_changed(turn);
        work.stage = Stage::Ringing(agent.clone());
        turn.stop(|tenant| Timer::RetryPause(tenant, id));
        turn.set(|tenant| Timer::RingTimeout(tenant, id), seconds(line.queue.ring_timeout_s));
        turn.say(Output::Attempt {
            tenant: turn.tenant(),
            work: id,
            queue: work.queue.clone(),
            agent: agent.clone(),
            decision,
        });
        self.set_doing(turn, agent, Doing::Ringing(id), Idle::StartsAgain);
    }

    pub(super) fn accepted(&mut self, turn: &mut Turn, id: WorkId, agent: &AgentId) {
        match self.work.get_mut(&id) {
            Some(work) if work.stage == Stage::Ringing(agent.clone()) => {
                work.stage = Stage::Talking(agent.clone());
                let wait = turn.now.since(work.enqueued_at);
                let queue = work.queue.clone();
                let (mut wrap_up, mut extend) = (Duration::ZERO, Duration::ZERO);
                if let Some(line) = self.lines.get_mut(&queue) {
                    line.ringing = line.ringing.saturating_sub(1);
                    line.count_answered(turn.now, wait);
                    line.figures_changed(turn);
                    wrap_up = seconds(line.queue.wrap_up_s);
                    extend = seconds(line.queue.wrap_up_extend_s);
                }
                if let Some(seat) = self.seats.get(agent) {
                    wrap_up = seat.profile.wrap_up(wrap_up);
                }
                turn.stop(|tenant| Timer::RingTimeout(tenant, id));
                turn.stop(|tenant| Timer::MaxWait(tenant, id));
                let doing = Doing::Talking { work: id, wrap_up, extend };
                self.set_doing(turn, agent, doing, Idle::StartsAgain);
            }
            Some(work) if work.stage == Stage::Talking(agent.clone()) => {}
            _ => turn.say(Output::CancelAttempt {
                tenant: turn.tenant(),
                work: id,
                agent: agent.clone(),
                why: CancelReason::TooLate,
            }),
        }
    }

    /// The switch says that an attempt failed; a word about one that is over is passed over.
    pub(super) fn reported(
        &mut self,
        turn: &mut Turn,
        id: WorkId,
        agent: &AgentId,
        why: AttemptFailure,
    ) {
        if self.rung_for(id).as_ref() == Some(agent) {
            if why != AttemptFailure::NoAnswer {
                self.rest(turn, agent);
            }
            self.failed(turn, id, agent, why);
        }
    }

    pub(super) fn rang_out(&mut self, turn: &mut Turn, id: WorkId) {
        self.cancelled(turn, id, AttemptFailure::NoAnswer, CancelReason::RingTimeout);
    }

    /// We end the attempt ourselves.
    pub(super) fn cancelled(
        &mut self,
        turn: &mut Turn,
        id: WorkId,
        failure: AttemptFailure,
        why: CancelReason,
    ) {
        let Some(agent) = self.rung_for(id) else { return };
        turn.say(Output::CancelAttempt {
            tenant: turn.tenant(),
            work: id,
            agent: agent.clone(),
            why,
        });
        self.failed(turn, id, &agent, failure);
    }

    /// The attempt is over: the work goes to the next agent, the agent to the next work.
    fn failed(&mut self, turn: &mut Turn, id: WorkId, agent: &AgentId, why: AttemptFailure) {
        let Some(work) = self.work.get_mut(&id) else { return };
        let mut pause = Duration::ZERO;
        if let Some(line) = self.lines.get_mut(&work.queue) {
            line.ringing = line.ringing.saturating_sub(1);
            line.figures_changed(turn);
            pause = seconds(line.queue.retry_pause_s);
        }
        work.stage = Stage::Waiting;
        work.tried.retain(|t| t.until > turn.now && t.agent != *agent);
        work.tried.push(Tried { agent: agent.clone(), why: Some(why), until: turn.now + pause });
        turn.stop(|tenant| Timer::RingTimeout(tenant, id));
        self.set_doing(turn, agent, Doing::Nothing, Idle::StartsAgain);
        self.line_up(turn, id);
        self.offer_agent(turn, agent);
    }

    fn rung_for(&self, id: WorkId) -> Option<AgentId> {
        match &self.work.get(&id)?.stage {
            Stage::Ringing(agent) => Some(agent.clone()),
            Stage::Waiting | Stage::Talking(_) => None,
        }
    }
}
