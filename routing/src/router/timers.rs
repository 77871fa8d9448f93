//! The router's deadlines, at most one of each kind for each work, agent and queue.

use std::collections::{BTreeMap, BTreeSet};

use base::{AgentId, Instant, QueueId, TenantId};

use super::WorkId;

/// When to ...
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// ... stop ringing the agent for this work.
    RingTimeout(TenantId, WorkId),
    /// ... give up waiting.
    MaxWait(TenantId, WorkId),
    /// ... let the agents who were tried for this work be tried again.
    RetryPause(TenantId, WorkId),
    /// ... end the agent's wrap-up.
    WrapUp(TenantId, AgentId),
    /// ... let the agent who refused be rung again.
    Rest(TenantId, AgentId),
    /// ... tell the queue's figures.
    QueueStats(TenantId, QueueId),
    /// ... look at the queue's figures for alarms.
    QueueAlarms(TenantId, QueueId),
}

/// All deadlines, by time and by owner. Deadlines of the same moment come in the order of `Timer`.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Instant, Timer)>,
    by_owner: BTreeMap<Timer, Instant>,
}

impl Timers {
    /// Sets the deadline, in place of the one it had.
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(before) = self.by_owner.insert(timer.clone(), at) {
            self.by_time.remove(&(before, timer.clone()));
        }
        self.by_time.insert((at, timer));
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        if let Some(at) = self.by_owner.remove(&timer) {
            self.by_time.remove(&(at, timer));
        }
    }

    /// Takes the earliest deadline that is not after `now`.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        if self.by_time.first()?.0 > now {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.by_owner.remove(&timer);
        Some(timer)
    }

    pub(super) fn next(&self) -> Option<(Instant, &Timer)> {
        self.by_time.first().map(|(at, timer)| (*at, timer))
    }

    pub(super) fn is_set(&self, timer: &Timer) -> bool {
        self.by_owner.contains_key(timer)
    }

    /// When it is due, if it is set.
    pub(super) fn at(&self, timer: &Timer) -> Option<Instant> {
        self.by_owner.get(timer).copied()
    }

    /// Every deadline's owner.
    pub(super) fn owners(&self) -> impl Iterator<Item = &Timer> {
        self.by_owner.keys()
    }

    /// How many there are, in both orders.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.by_time.len(), self.by_owner.len())
    }
}
