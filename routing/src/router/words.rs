//! The router's vocabulary: what it is told, what it says, and the states of an agent.

use std::fmt;
use std::sync::Arc;

use base::{AgentId, Duration, Instant, QueueId, TenantId};
use serde::{Deserialize, Serialize, Serializer};

use crate::{Decision, Directory, QueueAlarm, QueueSnapshot};

/// A work item: the switch gives a call's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkId(pub u128);

/// As a call's number is shown: 32 hexadecimal digits.
impl fmt::Display for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for WorkId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// What an agent does, as everybody sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Not at work, or no phone registered.
    Offline,
    /// Waits for work.
    Available,
    /// Is being rung.
    Ringing,
    /// Talks.
    Busy,
    /// Writes up the call that ended.
    WrapUp,
    /// Away for a reason.
    Break,
}

impl AgentState {
    /// Whether an agent or a supervisor can choose it; the others come from the work.
    #[must_use]
    pub fn can_be_chosen(self) -> bool {
        matches!(self, Self::Offline | Self::Available | Self::Break)
    }

    /// Its name in the API: `wrap_up`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Available => "available",
            Self::Ringing => "ringing",
            Self::Busy => "busy",
            Self::WrapUp => "wrap_up",
            Self::Break => "break",
        }
    }
}

/// As the end of a sentence about an agent: `is on a call`.
impl fmt::Display for AgentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offline => "is offline",
            Self::Available => "is available",
            Self::Ringing => "is being rung",
            Self::Busy => "is on a call",
            Self::WrapUp => "is in wrap-up",
            Self::Break => "is on a break",
        })
    }
}

/// Why an agent who rang did not get the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptFailure {
    /// Rang until the time was over.
    NoAnswer,
    /// Declined.
    Rejected,
    /// The phone said it is busy.
    Busy,
    /// The phone could not be reached.
    Unreachable,
    /// Something else went wrong with the attempt.
    Error,
}

/// As the end of a sentence about an agent: `did not answer`.
impl fmt::Display for AttemptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => "did not answer",
            Self::Rejected => "declined",
            Self::Busy => "was busy",
            Self::Unreachable => "could not be reached",
            Self::Error => "could not be rung",
        })
    }
}

/// Why an attempt is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The agent did not answer within the queue's ring timeout.
    RingTimeout,
    /// The caller is gone.
    Withdrawn,
    /// The agent's last phone unregistered.
    Unreachable,
    /// The agent went on a break or offline.
    StateChanged,
    /// The agent or the tenant is provisioned no more.
    Removed,
    /// The attempt was over before the agent accepted it: hang up on the agent.
    TooLate,
}

/// Why work cannot wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// As many as may wait already wait.
    QueueFull,
    /// The tenant has no such queue.
    UnknownQueue,
    /// The queue it waited in is provisioned no more.
    QueueRemoved,
    /// The same work is here already.
    AlreadyHere,
}

/// What the router is told; exactly one thing happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// New provisioning. What waits, rings and talks goes on where it still has a place.
    Provision(Arc<Directory>),
    /// Work arrives at a queue. Answered by [`Output::Attempt`], [`Output::Waiting`] or
    /// [`Output::Refused`].
    Enqueue {
        /// Whose.
        tenant: TenantId,
        /// Its number, not one that is here already.
        work: WorkId,
        /// Where it waits.
        queue: QueueId,
        /// 255 before 0.
        priority: u8,
        /// Who calls, for the snapshots.
        caller: String,
    },
    /// The caller is gone, whatever the work is doing. Nothing more is said about it, but for the
    /// [`Output::CancelAttempt`] of an agent being rung.
    Withdraw {
        /// Whose.
        tenant: TenantId,
        /// Which.
        work: WorkId,
    },
    /// The agent being rung took the work.
    AttemptAccepted {
        /// Whose.
        tenant: TenantId,
        /// Which.
        work: WorkId,
        /// Who.
        agent: AgentId,
    },
    /// Somebody whom the queue did not choose took the work, while it waited or rang an agent: it
    /// counts as answered, and is here no more.
    PickedUp {
        /// Whose.
        tenant: TenantId,
        /// Which.
        work: WorkId,
    },
    /// The agent being rung did not take the work. Not the answer to a `CancelAttempt`: that
    /// attempt is over already.
    AttemptFailed {
        /// Whose.
        tenant: TenantId,
        /// Which.
        work: WorkId,
        /// Who.
        agent: AgentId,
        /// How it failed.
        why: AttemptFailure,
    },
    /// The work goes elsewhere, whatever it is doing: it is here no more, and counts neither as
    /// answered nor as abandoned. Who rings for it is let go.
    TakenOut {
        /// Whose.
        tenant: TenantId,
        /// Which.
        work: WorkId,
    },
    /// The work's priority is another from here on: it waits behind what has that priority and came
    /// before it.
    SetPriority {
        /// Whose.
        tenant: TenantId,
        /// Which; work that is not here is passed over.
        work: WorkId,
        /// 255 before 0.
        priority: u8,
    },
    /// The agent's work is done: wrap-up begins.
    WorkFinished {
        /// Whose.
        tenant: TenantId,
        /// Which.
        work: WorkId,
    },
    /// The work goes to another queue, whatever it is doing: at the end of its priority there, and
    /// under its own number. Who talks on it wraps up; an attempt is taken back. Answered like
    /// `Enqueue`: if the queue cannot have it ([`Router::may_wait`](super::Router::may_wait) says
    /// before), it is refused and here no more.
    Move {
        /// Whose.
        tenant: TenantId,
        /// Which; work that is not here is passed over.
        work: WorkId,
        /// Where it waits now.
        queue: QueueId,
        /// 255 before 0.
        priority: u8,
    },
    /// A call that no queue gave them keeps the agent: they dialled, answered a direct call, or
    /// are being rung for a call that they asked for. No work rings them until it ends.
    DirectBegan {
        /// Whose.
        tenant: TenantId,
        /// Who.
        agent: AgentId,
        /// Its number; an agent may have several.
        call: WorkId,
    },
    /// That call keeps the agent no more.
    DirectEnded {
        /// Whose.
        tenant: TenantId,
        /// Who.
        agent: AgentId,
        /// Its number.
        call: WorkId,
    },
    /// The agent wants no calls, neither a queue's nor direct ones, or wants them again. A call
    /// that rings them is taken back; what they talk on goes on.
    SetDoNotDisturb {
        /// Whose.
        tenant: TenantId,
        /// Who.
        agent: AgentId,
        /// Whether they want none.
        on: bool,
    },
    /// The agent's first phone registered, or the last one is gone.
    Reachable {
        /// Whose.
        tenant: TenantId,
        /// Who.
        agent: AgentId,
        /// Whether a phone is registered.
        reachable: bool,
    },
    /// The agent is done with the wrap-up before its time: what they chose holds. Passed over
    /// outside of a wrap-up.
    FinishWrapUp {
        /// Whose.
        tenant: TenantId,
        /// Who.
        agent: AgentId,
    },
    /// The agent needs more time for the wrap-up: as much of it as the queue still permits.
    /// Passed over outside of a wrap-up.
    ExtendWrapUp {
        /// Whose.
        tenant: TenantId,
        /// Who.
        agent: AgentId,
        /// How much.
        by: Duration,
    },
    /// The agent, or a supervisor for them, chooses a state; others than those of
    /// [`AgentState::can_be_chosen`] are passed over. On a call it takes effect after the call;
    /// in wrap-up it ends the wrap-up; ringing, a break takes the attempt back.
    SetState {
        /// Whose.
        tenant: TenantId,
        /// Who.
        agent: AgentId,
        /// What they chose.
        state: AgentState,
        /// Why, for a break.
        reason: Option<String>,
    },
}

/// What the router says, in the order in which it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ring this agent for this work.
    Attempt {
        /// Whose.
        tenant: TenantId,
        /// Which.
        work: WorkId,
        /// Where it waited.
        queue: QueueId,
        /// Who rings.
        agent: AgentId,
        /// Why they do and others do not.
        decision: Decision,
    },
    /// Stop ringing this agent. The attempt is over; nothing is to be reported about it.
    CancelAttempt {
        /// Whose.
        tenant: TenantId,
        /// Which.
        work: WorkId,
        /// Who.
        agent: AgentId,
        /// Why.
        why: CancelReason,
    },
    /// The work waits: it arrived and nobody was free, or its attempt failed.
    Waiting {
        /// Whose.
        tenant: TenantId,
        /// Which.
        work: WorkId,
        /// Where.
        queue: QueueId,
        /// 1 is next.
        position: u32,
        /// Why nobody rings.
        decision: Decision,
    },
    /// The work waited as long as the queue allows; it is here no more.
    Expired {
        /// Whose.
        tenant: TenantId,
        /// Which.
        work: WorkId,
        /// Where it waited.
        queue: QueueId,
    },
    /// The work cannot wait here, or no longer; it is here no more.
    Refused {
        /// Whose.
        tenant: TenantId,
        /// Which.
        work: WorkId,
        /// Where it wanted to wait.
        queue: QueueId,
        /// Why not.
        why: Refusal,
    },
    /// What an agent does has changed.
    AgentChanged {
        /// Whose.
        tenant: TenantId,
        /// Who.
        agent: AgentId,
        /// What they do now.
        state: AgentState,
        /// Why, for a break.
        reason: Option<String>,
        /// Since when: the `now` of the change.
        since: Instant,
    },
    /// A queue's figures have changed; at most one a second and queue.
    QueueStats {
        /// Whose.
        tenant: TenantId,
        /// Which.
        queue: QueueId,
        /// Its figures now.
        stats: QueueSnapshot,
    },
    /// A figure of a queue is over its threshold, or has been in order again for a while.
    QueueAlarm {
        /// Whose.
        tenant: TenantId,
        /// Which.
        queue: QueueId,
        /// What is wrong.
        alarm: QueueAlarm,
        /// Whether it is now; else it is in order again.
        is_raised: bool,
        /// The threshold, if it is a number.
        limit: Option<u32>,
    },
}
