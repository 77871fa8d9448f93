//! One tenant's floor: its seats, its lines and its work; and the turn in which it acts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base::{AgentId, Duration, Instant, QueueId, TenantId};

use super::line::Line;
use super::seat::Seat;
use super::timers::{Timer, Timers};
use super::work::Work;
use super::{Output, WorkId};
use crate::Directory;

/// A tenant's agents, queues and work.
#[derive(Debug, Default)]
pub(super) struct Floor {
    /// The directory it was provisioned from last.
    pub(super) directory: Option<Arc<Directory>>,
    pub(super) seats: BTreeMap<AgentId, Seat>,
    pub(super) lines: BTreeMap<QueueId, Line>,
    pub(super) work: BTreeMap<WorkId, Work>,
    /// How much work has arrived so far: its order within a priority.
    pub(super) arrivals: u64,
}

impl Floor {
    /// Whether the tenant is provisioned no more and its last work is done.
    pub(super) fn is_deserted(&self) -> bool {
        self.directory.is_none() && self.work.is_empty() && self.seats.is_empty()
    }
}

/// One tenant's turn: what time it is, and where its words go.
pub(super) struct Turn<'a> {
    pub(super) now: Instant,
    pub(super) tenant: &'a TenantId,
    pub(super) timers: &'a mut Timers,
    pub(super) outputs: &'a mut VecDeque<Output>,
}

impl Turn<'_> {
    pub(super) fn say(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn tenant(&self) -> TenantId {
        self.tenant.clone()
    }

    /// Sets a deadline `after` from now.
    pub(super) fn set(&mut self, timer: impl FnOnce(TenantId) -> Timer, after: Duration) {
        self.timers.set(timer(self.tenant.clone()), self.now + after);
    }

    pub(super) fn stop(&mut self, timer: impl FnOnce(TenantId) -> Timer) {
        self.timers.stop(timer(self.tenant.clone()));
    }
}

/// Seconds as provisioned.
pub(super) fn seconds(count: u32) -> Duration {
    Duration::from_secs(u64::from(count))
}
