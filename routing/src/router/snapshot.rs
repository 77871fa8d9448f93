//! What the wallboard shows: agents and queues at one moment.

use base::{AgentId, QueueId, SkillId};
use serde::Serialize;

use crate::{AgentState, WorkId};

/// An agent at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentSnapshot {
    /// Who.
    pub id: AgentId,
    /// What people call them.
    pub name: String,
    /// What they do.
    pub state: AgentState,
    /// Why, for a break.
    pub reason: Option<String>,
    /// For how long, in milliseconds.
    pub state_ms: u64,
    /// Whether a phone of theirs is registered.
    pub reachable: bool,
    /// The state that follows the call or the wrap-up.
    pub next: AgentState,
    /// The work they are rung for or talk on.
    pub work: Option<WorkId>,
    /// What they can do.
    pub skills: Vec<SkillId>,
    /// The queues whose work they may take.
    pub queues: Vec<QueueId>,
}

/// A queue at one moment. Counts are since the router began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueSnapshot {
    /// Which.
    pub id: QueueId,
    /// What people call it.
    pub name: String,
    /// Work that waits.
    pub waiting: u32,
    /// Work for which an agent is being rung.
    pub ringing: u32,
    /// Agents who could be rung at once.
    pub agents_free: u32,
    /// Agents who have the skills and are in the queue, in whatever state.
    pub agents: u32,
    /// How long the work that waits the longest has waited, in milliseconds.
    pub longest_wait_ms: u64,
    /// Work that an agent took.
    pub answered: u64,
    /// Work whose caller left before.
    pub abandoned: u64,
    /// Work that waited as long as the queue allows.
    pub expired: u64,
    /// Work that found the queue full.
    pub refused: u64,
    /// The mean wait of answered work, in milliseconds.
    pub average_wait_ms: u64,
    /// The wait that counts as good, in seconds.
    pub service_level_s: u32,
    /// Of all work that left the queue, how much was answered within `service_level_s`, in
    /// percent; none left yet, no figure.
    pub service_level_percent: Option<u8>,
}
