//! The machine that decides who gets the work.

mod snapshot;
mod words;

use base::{AgentId, Instant, QueueId, TenantId};

pub use snapshot::{AgentSnapshot, QueueSnapshot};
pub use words::{AgentState, AttemptFailure, CancelReason, Input, Output, Refusal, WorkId};

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
}

/// The machine that decides who gets the work, and owns every agent's state.
#[derive(Debug, Default)]
pub struct Router {
    outputs: std::collections::VecDeque<Output>,
}

impl Router {
    /// A router without provisioning.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Exactly one thing happened.
    pub fn handle_input(&mut self, _now: Instant, _input: Input) {}

    /// Time passed.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next deadline, and whose it is.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        None
    }

    /// The tenant's agents, by name.
    #[must_use]
    pub fn agents(&self, _now: Instant, _tenant: &TenantId) -> Vec<AgentSnapshot> {
        Vec::new()
    }

    /// The tenant's queues, by name.
    #[must_use]
    pub fn queues(&self, _now: Instant, _tenant: &TenantId) -> Vec<QueueSnapshot> {
        Vec::new()
    }
}
