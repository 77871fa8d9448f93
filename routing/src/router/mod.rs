//! The machine that decides who gets the work, and owns every agent's state.
//!
//! Each tenant has a floor of its own: its seats (agents), its lines (queues) and its work. Nothing
//! is looked for across tenants, and every step costs O(log n) of one tenant's size, so that one
//! tenant's flood is not another's delay.

mod attempt;
mod check;
mod decide;
mod floor;
mod line;
mod provision;
mod seat;
mod snapshot;
mod timers;
mod watch;
mod words;
mod work;

use std::collections::{BTreeMap, VecDeque};

use base::{AgentId, Instant, QueueId, TenantId};

use crate::Presence;

pub use snapshot::{AgentSnapshot, QueueSnapshot, WaitingSnapshot, WrapUpSnapshot};
pub use timers::Timer;
pub use watch::{AlarmSnapshot, QueueAlarm};
pub use words::{AgentState, AttemptFailure, CancelReason, Input, Output, Refusal, WorkId};

use floor::{Floor, Turn};
use timers::Timers;

/// The machine that decides who gets the work.
///
/// The rules: of the agents who are reachable, available and have every skill the queue needs, the
/// one idle longest rings; an agent who becomes free takes the work of highest priority, and of
/// that the first that came. One attempt at a time for each agent and each work. Who did not take
/// a work is spared it for the queue's `retry_pause_s`; who refused is spared all work for two
/// seconds; both go to the end of the idle ones.
#[derive(Debug, Default)]
pub struct Router {
    floors: BTreeMap<TenantId, Floor>,
    timers: Timers,
    outputs: VecDeque<Output>,
}

impl Router {
    /// A router that knows nobody, until [`Input::Provision`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Exactly one thing happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Provision(directory) => self.provision(now, &directory),
            Input::Enqueue { tenant, work, queue, priority, caller } => {
                self.on(now, &tenant, |floor, turn| {
                    floor.enqueue(turn, work, queue, priority, caller);
                });
            }
            Input::Withdraw { tenant, work } | Input::WorkFinished { tenant, work } => {
                self.on(now, &tenant, |floor, turn| floor.leave(turn, work));
            }
            Input::AttemptAccepted { tenant, work, agent } => {
                self.on(now, &tenant, |floor, turn| floor.accepted(turn, work, &agent));
            }
            Input::PickedUp { tenant, work } => {
                self.on(now, &tenant, |floor, turn| floor.picked_up(turn, work));
            }
            Input::TakenOut { tenant, work } => {
                self.on(now, &tenant, |floor, turn| floor.taken_out(turn, work));
            }
            Input::SetPriority { tenant, work, priority } => {
                self.on(now, &tenant, |floor, turn| floor.set_priority(turn, work, priority));
            }
            Input::AttemptFailed { tenant, work, agent, why } => {
                self.on(now, &tenant, |floor, turn| floor.reported(turn, work, &agent, why));
            }
            Input::Move { tenant, work, queue, priority } => {
                self.on(now, &tenant, |floor, turn| floor.pass_on(turn, work, queue, priority));
            }
            Input::DirectBegan { tenant, agent, call } => {
                self.on(now, &tenant, |floor, turn| floor.direct_began(turn, &agent, call));
            }
            Input::DirectEnded { tenant, agent, call } => {
                self.on(now, &tenant, |floor, turn| floor.direct_ended(turn, &agent, call));
            }
            Input::SetDoNotDisturb { tenant, agent, on } => {
                self.on(now, &tenant, |floor, turn| floor.do_not_disturb(turn, &agent, on));
            }
            Input::Reachable { tenant, agent, reachable } => {
                self.on(now, &tenant, |floor, turn| floor.reachable(turn, &agent, reachable));
            }
            Input::FinishWrapUp { tenant, agent } => {
                self.on(now, &tenant, |floor, turn| floor.finish_wrap_up(turn, &agent));
            }
            Input::ExtendWrapUp { tenant, agent, by } => {
                self.on(now, &tenant, |floor, turn| floor.extend_wrap_up(turn, &agent, by));
            }
            Input::SetState { tenant, agent, state, reason } => {
                self.on(now, &tenant, |floor, turn| floor.choose(turn, &agent, state, reason));
            }
        }
    }

    /// Time passed: everything due by `now` happens, in the order in which it was due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::RingTimeout(tenant, work) => {
                    self.on(now, &tenant, |floor, turn| floor.rang_out(turn, work));
                }
                Timer::MaxWait(tenant, work) => {
                    self.on(now, &tenant, |floor, turn| floor.waited_out(turn, work));
                }
                Timer::RetryPause(tenant, work) => {
                    self.on(now, &tenant, |floor, turn| floor.retry(turn, work));
                }
                Timer::WrapUp(tenant, agent) => {
                    self.on(now, &tenant, |floor, turn| floor.wrapped_up(turn, &agent));
                }
                Timer::Rest(tenant, agent) => {
                    self.on(now, &tenant, |floor, turn| floor.rested(turn, &agent));
                }
                Timer::QueueStats(tenant, queue) => {
                    self.on(now, &tenant, |floor, turn| floor.tell_stats(turn, &queue));
                }
                Timer::QueueAlarms(tenant, queue) => {
                    self.on(now, &tenant, |floor, turn| floor.look_for_alarms(turn, &queue));
                }
            }
        }
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next deadline, and whose it is.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &Timer)> {
        self.timers.next()
    }

    /// The tenant's agents, by name.
    #[must_use]
    pub fn agents(&self, now: Instant, tenant: &TenantId) -> Vec<AgentSnapshot> {
        self.floors.get(tenant).map_or_else(Vec::new, |floor| floor.agent_snapshots(now))
    }

    /// What is known of an agent at this moment, for a direct call to them.
    #[must_use]
    pub fn presence(&self, tenant: &TenantId, agent: &AgentId) -> Option<Presence> {
        Some(self.floors.get(tenant)?.seats.get(agent)?.presence())
    }

    /// An agent's wrap-up, if they are in one.
    #[must_use]
    pub fn wrap_up(
        &self,
        now: Instant,
        tenant: &TenantId,
        agent: &AgentId,
    ) -> Option<WrapUpSnapshot> {
        self.floors.get(tenant)?.seats.get(agent)?.wrap_up(now)
    }

    /// Whether work may wait in this queue now.
    ///
    /// # Errors
    /// Why it may not.
    pub fn may_wait(&self, tenant: &TenantId, queue: &QueueId) -> Result<(), Refusal> {
        self.floors.get(tenant).ok_or(Refusal::UnknownQueue)?.may_wait(queue)
    }

    /// The tenant's queues, by name.
    #[must_use]
    pub fn queues(&self, now: Instant, tenant: &TenantId) -> Vec<QueueSnapshot> {
        self.floors.get(tenant).map_or_else(Vec::new, |floor| floor.queue_snapshots(now))
    }

    /// The work that waits in a queue, next first, at most `most` items.
    #[must_use]
    pub fn waiting(
        &self,
        now: Instant,
        tenant: &TenantId,
        queue: &QueueId,
        most: usize,
    ) -> Vec<WaitingSnapshot> {
        let floor = self.floors.get(tenant);
        floor.map_or_else(Vec::new, |floor| floor.waiting_snapshots(now, queue, most))
    }

    /// The work's place in its queue, 1 being next; nothing unless it waits.
    #[must_use]
    pub fn position(&self, tenant: &TenantId, work: WorkId) -> Option<u32> {
        self.floors.get(tenant)?.position(work)
    }

    /// The queue that the work waits in, or rings an agent for, and its priority.
    #[must_use]
    pub fn standing(&self, tenant: &TenantId, work: WorkId) -> Option<(QueueId, u8)> {
        self.floors.get(tenant)?.standing(work)
    }

    /// Lets one tenant's floor have its turn. A tenant that is not provisioned has an empty one,
    /// which knows no queue, no agent and no work.
    fn on(&mut self, now: Instant, tenant: &TenantId, step: impl FnOnce(&mut Floor, &mut Turn)) {
        let mut nowhere = Floor::default();
        let floor = self.floors.get_mut(tenant).unwrap_or(&mut nowhere);
        let mut turn = Turn { now, tenant, timers: &mut self.timers, outputs: &mut self.outputs };
        step(floor, &mut turn);
        if floor.is_deserted() {
            self.floors.remove(tenant);
        }
    }
}
