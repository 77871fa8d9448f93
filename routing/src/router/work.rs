//! Work's way through a queue: it arrives, waits, and leaves for whatever cause.

use base::{AgentId, Instant, QueueId};

use super::floor::{Floor, Turn, seconds};
use super::seat::{Doing, Idle};
use super::timers::Timer;
use super::{AttemptFailure, CancelReason, Output, Refusal, WorkId};

/// A work item.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) queue: QueueId,
    pub(super) priority: u8,
    pub(super) caller: String,
    /// Its place among all the tenant's work that ever arrived.
    pub(super) arrival: u64,
    pub(super) enqueued_at: Instant,
    /// When it may wait no longer.
    pub(super) gives_up_at: Option<Instant>,
    pub(super) stage: Stage,
    /// The agents who were tried and are spared for a while.
    pub(super) tried: Vec<Tried>,
}

/// Where a work item is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    Ringing(AgentId),
    Talking(AgentId),
}

/// An agent who was tried and did not take the work.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) agent: AgentId,
    pub(super) why: AttemptFailure,
    pub(super) until: Instant,
}

impl Work {
    pub(super) fn tried(&self, agent: &AgentId) -> Option<AttemptFailure> {
        self.tried.iter().find(|t| t.agent == *agent).map(|t| t.why)
    }
}

impl Floor {
    pub(super) fn enqueue(
        &mut self,
        turn: &mut Turn,
        id: WorkId,
        queue: QueueId,
        priority: u8,
        caller: String,
    ) {
        if self.work.contains_key(&id) {
            return refuse(turn, id, queue, Refusal::AlreadyHere);
        }
        let Some(line) = self.lines.get_mut(&queue) else {
            return refuse(turn, id, queue, Refusal::UnknownQueue);
        };
        if line.idle.is_empty() && line.waiting_count() >= line.queue.max_waiting {
            line.tally.refused += 1;
            line.figures_changed(turn);
            return refuse(turn, id, queue, Refusal::QueueFull);
        }
        self.arrivals += 1;
        let gives_up_at = line.queue.max_wait_s.map(|s| turn.now + seconds(s));
        if let Some(at) = gives_up_at {
            turn.timers.set(Timer::MaxWait(turn.tenant(), id), at);
        }
        line.figures_changed(turn);
        let work = Work {
            queue,
            priority,
            caller,
            arrival: self.arrivals,
            enqueued_at: turn.now,
            gives_up_at,
            stage: Stage::Waiting,
            tried: Vec::new(),
        };
        self.work.insert(id, work);
        self.line_up(turn, id);
    }

    /// Puts work into its line and rings an agent for it, or says that it waits.
    pub(super) fn line_up(&mut self, turn: &mut Turn, id: WorkId) {
        let Some(work) = self.work.get_mut(&id) else { return };
        work.stage = Stage::Waiting;
        if let Some(until) = work.tried.iter().map(|t| t.until).min() {
            turn.timers.set(Timer::RetryPause(turn.tenant(), id), until);
        }
        let Some(line) = self.lines.get_mut(&work.queue) else {
            return self.refuse_removed(turn, id);
        };
        line.insert(id, work);
        if work.gives_up_at.is_some_and(|at| at <= turn.now) {
            return self.waited_out(turn, id);
        }
        if self.offer_work(turn, id) {
            return;
        }
        let (Some(work), Some(decision)) = (self.work.get(&id), self.decide(turn.now, id, None))
        else {
            return;
        };
        let position = self.lines.get(&work.queue).map_or(1, |line| line.position(id, work));
        turn.say(Output::Waiting {
            tenant: turn.tenant(),
            work: id,
            queue: work.queue.clone(),
            position,
            decision,
        });
    }

    /// The work waited as long as its queue allows. An agent who is being rung may still take it.
    pub(super) fn waited_out(&mut self, turn: &mut Turn, id: WorkId) {
        if self.work.get(&id).is_none_or(|work| work.stage != Stage::Waiting) {
            return;
        }
        let Some(work) = self.forget(turn, id) else { return };
        if let Some(line) = self.lines.get_mut(&work.queue) {
            line.tally.expired += 1;
        }
        turn.say(Output::Expired { tenant: turn.tenant(), work: id, queue: work.queue });
    }

    /// The agents spared long enough may be tried again.
    pub(super) fn retry(&mut self, turn: &mut Turn, id: WorkId) {
        let Some(work) = self.work.get_mut(&id) else { return };
        work.tried.retain(|t| t.until > turn.now);
        if work.stage != Stage::Waiting {
            return;
        }
        if let Some(until) = work.tried.iter().map(|t| t.until).min() {
            turn.timers.set(Timer::RetryPause(turn.tenant(), id), until);
        }
        self.offer_work(turn, id);
    }

    /// The work is over: its caller is gone, or caller and agent have talked.
    pub(super) fn leave(&mut self, turn: &mut Turn, id: WorkId) {
        let Some(work) = self.forget(turn, id) else { return };
        match work.stage {
            Stage::Waiting => self.count_abandoned(&work.queue),
            Stage::Ringing(agent) => {
                self.count_abandoned(&work.queue);
                turn.say(Output::CancelAttempt {
                    tenant: turn.tenant(),
                    work: id,
                    agent: agent.clone(),
                    why: CancelReason::Withdrawn,
                });
                // No fault of the agent's: they keep their place among the idle ones.
                self.set_doing(turn, &agent, Doing::Nothing, Idle::Keeps);
                self.offer_agent(turn, &agent);
            }
            Stage::Talking(agent) => self.call_over(turn, &agent),
        }
    }

    /// The queue is provisioned no more.
    pub(super) fn refuse_removed(&mut self, turn: &mut Turn, id: WorkId) {
        if let Some(work) = self.forget(turn, id) {
            refuse(turn, id, work.queue, Refusal::QueueRemoved);
        }
    }

    pub(super) fn position(&self, id: WorkId) -> Option<u32> {
        let work = self.work.get(&id).filter(|work| work.stage == Stage::Waiting)?;
        Some(self.lines.get(&work.queue)?.position(id, work))
    }

    fn count_abandoned(&mut self, queue: &QueueId) {
        if let Some(line) = self.lines.get_mut(queue) {
            line.tally.abandoned += 1;
        }
    }

    /// Removes all that is known of the work, except what its agent does.
    fn forget(&mut self, turn: &mut Turn, id: WorkId) -> Option<Work> {
        let work = self.work.remove(&id)?;
        turn.stop(|tenant| Timer::MaxWait(tenant, id));
        turn.stop(|tenant| Timer::RetryPause(tenant, id));
        turn.stop(|tenant| Timer::RingTimeout(tenant, id));
        if let Some(line) = self.lines.get_mut(&work.queue) {
            match work.stage {
                Stage::Waiting => line.remove(id, &work),
                Stage::Ringing(_) => line.ringing = line.ringing.saturating_sub(1),
                Stage::Talking(_) => {}
            }
            line.figures_changed(turn);
        }
        Some(work)
    }
}

fn refuse(turn: &mut Turn, work: WorkId, queue: QueueId, why: Refusal) {
    let tenant = turn.tenant();
    turn.say(Output::Refused { tenant, work, queue, why });
}
