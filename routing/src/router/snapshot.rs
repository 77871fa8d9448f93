//! What the wallboard shows: agents and queues at one moment.

use base::{AgentId, Duration, Instant, QueueId, SkillId};
use serde::Serialize;

use super::floor::Floor;
use super::line::Line;
use crate::{AgentState, AlarmSnapshot, WorkId};

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
    /// The calls they are on that no queue gave them.
    pub direct_calls: Vec<WorkId>,
    /// The wrap-up they are in.
    pub wrap_up: Option<WrapUpSnapshot>,
    /// Whether they want no calls.
    pub do_not_disturb: bool,
    /// What they can do.
    pub skills: Vec<SkillId>,
    /// The queues whose work they may take.
    pub queues: Vec<QueueId>,
}

/// An agent's wrap-up at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WrapUpSnapshot {
    /// The work that is written up.
    pub work: WorkId,
    /// How long it lasts yet, in milliseconds.
    pub left_ms: u64,
    /// By how much it may still be made longer.
    pub may_extend_ms: u64,
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
    /// The alarms that are raised.
    pub alarms: Vec<AlarmSnapshot>,
}

/// Work that waits, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitingSnapshot {
    /// Which.
    pub work: WorkId,
    /// Who calls.
    pub caller: String,
    /// Its priority.
    pub priority: u8,
    /// How long it has waited, in milliseconds.
    pub waited_ms: u64,
}

impl Floor {
    pub(super) fn agent_snapshots(&self, now: Instant) -> Vec<AgentSnapshot> {
        let seats = self.seats.iter();
        seats
            .map(|(id, seat)| AgentSnapshot {
                id: id.clone(),
                name: seat.profile.name.clone(),
                state: seat.shown,
                reason: seat.shown_reason.clone(),
                state_ms: millis(now.since(seat.shown_since)),
                reachable: seat.reachable,
                next: seat.at_rest(),
                work: seat.doing.work(),
                direct_calls: seat.direct.iter().copied().collect(),
                wrap_up: seat.wrap_up(now),
                do_not_disturb: seat.do_not_disturb,
                skills: seat.profile.skills.clone(),
                queues: seat.lines.clone(),
            })
            .collect()
    }

    pub(super) fn queue_snapshots(&self, now: Instant) -> Vec<QueueSnapshot> {
        self.lines.values().map(|line| self.queue_snapshot(now, line)).collect()
    }

    pub(super) fn queue_snapshot(&self, now: Instant, line: &Line) -> QueueSnapshot {
        let tally = &line.tally;
        let longest = line.longest_waiting().and_then(|id| self.work.get(&id));
        let left = tally.answered + tally.abandoned + tally.expired;
        QueueSnapshot {
            id: line.queue.id.clone(),
            name: line.queue.name.clone(),
            waiting: line.waiting_count(),
            ringing: line.ringing,
            agents_free: count(line.idle.len()),
            agents: count(line.members.len()),
            longest_wait_ms: longest.map_or(0, |work| millis(now.since(work.enqueued_at))),
            answered: tally.answered,
            abandoned: tally.abandoned,
            expired: tally.expired,
            refused: tally.refused,
            average_wait_ms: millis(tally.wait_of_answered)
                .checked_div(tally.answered)
                .unwrap_or(0),
            service_level_s: line.queue.service_level_s,
            service_level_percent: (tally.answered_in_time * 100)
                .checked_div(left)
                .and_then(|percent| u8::try_from(percent).ok()),
            alarms: line.watch.raised(now, &line.queue.alarms),
        }
    }

    pub(super) fn waiting_snapshots(
        &self,
        now: Instant,
        queue: &QueueId,
        most: usize,
    ) -> Vec<WaitingSnapshot> {
        let waiting = self.lines.get(queue).into_iter().flat_map(Line::waiting);
        let found = waiting.filter_map(|(_, id)| Some((id, self.work.get(&id)?)));
        found
            .take(most)
            .map(|(id, work)| WaitingSnapshot {
                work: id,
                caller: work.caller.clone(),
                priority: work.priority,
                waited_ms: millis(now.since(work.enqueued_at)),
            })
            .collect()
    }
}

pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn count(things: usize) -> u32 {
    u32::try_from(things).unwrap_or(u32::MAX)
}
