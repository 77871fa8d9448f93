//! Work's way through a queue: it arrives, waits, and leaves for whatever cause.

use base::{AgentId, Instant, QueueId};

use super::floor::{Floor, Turn, seconds};
use super::seat::{Doing, Idle};
use super::timers::Timer;
use super::{AttemptFailure, CancelReason, Output, Refusal, WorkId};
use crate::Verdict;

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

/// An agent who did not take the work, or passed it on, and is spared it for a while.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) agent: AgentId,
    /// How their attempt ended; nothing if they had the work and passed it on.
    pub(super) why: Option<AttemptFailure>,
    pub(super) until: Instant,
}

impl Tried {
    pub(super) fn verdict(&self) -> Verdict {
        self.why.map_or(Verdict::PassedOn, |why| Verdict::TriedAlready { why })
    }
}

impl Work {
    pub(super) fn tried(&self, agent: &AgentId) -> Option<&Tried> {
        self.tried.iter().find(|t| t.agent == *agent)
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
        self.arrive(turn, id, queue, priority, caller, Vec::new());
    }

    /// Whether work may wait in this queue now.
    pub(super) fn may_wait(&self, queue: &QueueId) -> Result<(), Refusal> {
        let line = self.lines.get(queue).ok_or(Refusal::UnknownQueue)?;
        let full = line.idle.is_empty() && line.waiting_count() >= line.queue.max_waiting;
        if full { Err(Refusal::QueueFull) } else { Ok(()) }
    }

    fn arrive(
        &mut self,
        turn: &mut Turn,
        id: WorkId,
        queue: QueueId,
        priority: u8,
        caller: String,
        tried: Vec<Tried>,
    ) {
        let may_wait = self.may_wait(&queue);
        let Some(line) = self.lines.get_mut(&queue) else {
            return refuse(turn, id, queue, Refusal::UnknownQueue);
        };
        if let Err(why) = may_wait {
            line.tally.refused += 1;
            line.figures_changed(turn);
            return refuse(turn, id, queue, why);
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
            tried,
        };
        self.work.insert(id, work);
        self.line_up(turn, id);
    }

    /// The work goes on to another queue, at the end of its priority there. Whoever talks on it
    /// is done with it, and spared it for a while.
    pub(super) fn pass_on(&mut self, turn: &mut Turn, id: WorkId, queue: QueueId, priority: u8) {
        let Some(work) = self.forget(turn, id) else { return };
        let pause = self.lines.get(&queue).map_or(0, |line| line.queue.retry_pause_s);
        let mut tried = Vec::new();
        match &work.stage {
            Stage::Talking(agent) => {
                let until = turn.now + seconds(pause);
                tried.push(Tried { agent: agent.clone(), why: None, until });
                self.call_over(turn, agent);
            }
            Stage::Ringing(agent) => self.let_go(turn, id, agent),
            Stage::Waiting => {}
        }
        self.arrive(turn, id, queue, priority, work.caller, tried);
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
            line.count_missed(turn.now);
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
            Stage::Waiting => self.count_abandoned(turn.now, &work.queue),
            Stage::Ringing(agent) => {
                self.count_abandoned(turn.now, &work.queue);
                self.let_go(turn, id, &agent);
            }
            Stage::Talking(agent) => self.call_over(turn, &agent),
        }
    }

    /// Somebody whom the queue did not choose took the work.
    pub(super) fn picked_up(&mut self, turn: &mut Turn, id: WorkId) {
        if !self.work.get(&id).is_some_and(|work| !matches!(work.stage, Stage::Talking(_))) {
            return;
        }
        let Some(work) = self.forget(turn, id) else { return };
        if let Some(line) = self.lines.get_mut(&work.queue) {
            line.count_answered(turn.now, turn.now.since(work.enqueued_at));
        }
        if let Stage::Ringing(agent) = work.stage {
            self.let_go(turn, id, &agent);
        }
    }

    /// The work goes elsewhere.
    pub(super) fn taken_out(&mut self, turn: &mut Turn, id: WorkId) {
        let Some(work) = self.forget(turn, id) else { return };
        match work.stage {
            Stage::Waiting => {}
            Stage::Ringing(agent) => self.let_go(turn, id, &agent),
            Stage::Talking(agent) => self.call_over(turn, &agent),
        }
    }

    /// Who waits moves to the new place; nobody is free for it, or would ring already.
    pub(super) fn set_priority(&mut self, turn: &mut Turn, id: WorkId, priority: u8) {
        let Some(work) = self.work.get_mut(&id) else { return };
        let line = self.lines.get_mut(&work.queue);
        match line.filter(|_| work.stage == Stage::Waiting) {
            Some(line) => {
                line.remove(id, work);
                work.priority = priority;
                line.insert(id, work);
                line.figures_changed(turn);
            }
            None => work.priority = priority,
        }
    }

    /// Where work stands that no agent has yet.
    pub(super) fn standing(&self, id: WorkId) -> Option<(QueueId, u8)> {
        let work = self.work.get(&id)?;
        let is_here = !matches!(work.stage, Stage::Talking(_));
        is_here.then(|| (work.queue.clone(), work.priority))
    }

    /// The work that rings the agent is gone: no fault of theirs, so they keep their place among
    /// the idle ones.
    fn let_go(&mut self, turn: &mut Turn, id: WorkId, agent: &AgentId) {
        turn.say(Output::CancelAttempt {
            tenant: turn.tenant(),
            work: id,
            agent: agent.clone(),
            why: CancelReason::Withdrawn,
        });
        self.set_doing(turn, agent, Doing::Nothing, Idle::Keeps);
        self.offer_agent(turn, agent);
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

    fn count_abandoned(&mut self, now: Instant, queue: &QueueId) {
        if let Some(line) = self.lines.get_mut(queue) {
            line.tally.abandoned += 1;
            line.count_missed(now);
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
