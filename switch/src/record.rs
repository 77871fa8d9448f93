//! The record of a call that is over: exactly one per call, with its ladder of SIP messages, its
//! routing decisions and the quality of each leg.

use std::fmt;

use base::{
    AgentId, CallId, Duration, FlowId, LegId, QueueId, RecordingId, TenantId, TrunkId, UnixTime,
};
use bytes::Bytes;
use media::srtp::Profile;
use media::{Codec, StreamStats};
use routing::{AttemptFailure, CancelReason, Decision, Supervision};
use serde::Serialize;

use crate::history::QualitySample;
use crate::{Cause, EndedBy};

/// All there is to know about a call that is over.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// Whose call.
    pub tenant: TenantId,
    /// The call.
    pub call: CallId,
    /// Which way it went.
    pub direction: CallDirection,
    /// The trunk it came in on, or went out over.
    pub trunk: Option<TrunkId>,
    /// The provisioned number that was dialled (`+` and digits), when the tenant has it.
    pub number: Option<String>,
    /// The last queue it waited in.
    pub queue: Option<QueueId>,
    /// The agent who took it; of a call that an agent made, that agent.
    pub agent: Option<AgentId>,
    /// The caller's number or name, as the caller's side gave it.
    pub from: String,
    /// The caller's display name, if one was given.
    pub from_name: Option<String>,
    /// What the signature of the caller's number is worth, if it was looked at:
    /// `TN-Validation-Passed`, `TN-Validation-Failed` or `No-TN-Validation`.
    pub verstat: Option<&'static str>,
    /// `A`, `B` or `C`, if the signature is good.
    pub attestation: Option<String>,
    /// Who sent the call on, before it came and here; the earliest first.
    pub diversions: Vec<Diverter>,
    /// What was dialled, as the caller's side gave it.
    pub to: String,
    /// When the INVITE came.
    pub started_at: UnixTime,
    /// When we answered the caller.
    pub answered_at: Option<UnixTime>,
    /// When caller and agent were joined.
    pub connected_at: Option<UnixTime>,
    /// When it ended.
    pub ended_at: UnixTime,
    /// From the INVITE to the end. Durations come from the forward-only clock, never from the
    /// wall's.
    pub duration: Duration,
    /// From the INVITE to the connection with an agent, or to the end without one.
    pub wait: Duration,
    /// From the connection to the end.
    pub talk: Option<Duration>,
    /// Why it ended.
    pub cause: Cause,
    /// The final SIP status that goes with it: the far end's own, if one refused the call.
    pub sip_status: u16,
    /// The Q.850 cause: the far end's own, if it gave one.
    pub q850: u8,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// What the far end said of why, as in a Reason header field (RFC 3326), at most 200
    /// characters.
    pub reason: Option<String>,
    /// The last recording, if one was made.
    pub recording: Option<RecordingId>,
    /// All of them, first to last.
    pub recordings: Vec<RecordingId>,
    /// Every leg that had a media stream, in the order they were made.
    pub legs: Vec<LegRecord>,
    /// Every SIP message of the call, as far as [`CallRecord::ladder_cut`] says.
    pub ladder: Vec<LadderEntry>,
    /// How many further messages the ladder leaves out: it keeps the first 200 messages or 256 kB.
    pub ladder_cut: u32,
    /// The decisions taken for this call, in order: the first 200, and its end.
    pub decisions: Vec<DecisionEntry>,
    /// How many decisions are left out.
    pub decisions_cut: u32,
}

/// Somebody who sent a call on (RFC 5806, RFC 7044).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Diverter {
    /// A number or an agent; `anonymous` if it is not to be shown.
    pub by: String,
    /// Why, in the words of RFC 5806 §4: `no-answer`, `user-busy`, `unconditional`, ...
    pub reason: String,
}

/// One leg of a call that is over.
#[derive(Clone, Debug)]
pub struct LegRecord {
    /// The leg.
    pub leg: LegId,
    /// Which side it was.
    pub kind: LegKind,
    /// The agent, on an agent's leg.
    pub agent: Option<AgentId>,
    /// The trunk, on a leg from or to outside.
    pub trunk: Option<TrunkId>,
    /// The codec it spoke, if it got that far.
    pub codec: Option<Codec>,
    /// What its audio was encrypted with; `None` is in the clear.
    pub srtp: Option<Profile>,
    /// What its stream saw; `None` if the media worker did not say so in time.
    pub stats: Option<StreamStats>,
    /// How it fared, in the order of time; at most 121 samples.
    pub quality: Vec<QualitySample>,
    /// What of its audio did not come, if that was noticed.
    pub audio: Option<AudioLosses>,
}

/// How often, and for how long, nothing was heard of a far end that should have been.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct AudioLosses {
    /// How often.
    pub times: u32,
    /// How many of them were packets without a sound.
    pub silent: u32,
    /// For how long, the losses that ended taken together.
    pub lost_for: Duration,
    /// Whether it came again after the last one.
    pub restored: bool,
}

/// Which side of a call a leg is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LegKind {
    /// Whoever called in.
    Caller,
    /// An agent.
    Agent,
    /// A number outside that was called.
    Trunk,
    /// A supervisor.
    Supervisor,
}

impl LegKind {
    /// As records spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Agent => "agent",
            Self::Trunk => "trunk",
            Self::Supervisor => "supervisor",
        }
    }
}

/// Which way a call goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallDirection {
    /// From outside to the tenant.
    Inbound,
    /// From the tenant to a number outside.
    Outbound,
    /// Within the tenant.
    Internal,
}

impl CallDirection {
    /// As records, events and the API spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Internal => "internal",
        }
    }
}

/// Which way a message went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
}

/// One SIP message of a call's ladder.
#[derive(Clone, Debug)]
pub struct LadderEntry {
    /// When it was received or sent.
    pub at: UnixTime,
    /// Which way.
    pub direction: Direction,
    /// Between which addresses.
    pub flow: sip::Flow,
    /// The message, byte for byte, but for the answers in `Authorization` and
    /// `Proxy-Authorization`, which are masked.
    pub bytes: Bytes,
}

/// One decision taken for a call.
#[derive(Clone, Debug, Serialize)]
pub struct DecisionEntry {
    /// When.
    pub at: UnixTime,
    /// What was decided.
    #[serde(flatten)]
    pub decided: Decided,
}

/// What was decided, and why.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "decided", rename_all = "snake_case")]
pub enum Decided {
    /// The number has this flow.
    Route {
        /// The flow.
        flow: FlowId,
        /// Why, in sentences.
        reasons: Vec<String>,
    },
    /// The call was refused before it got anywhere.
    Refusal {
        /// Why.
        cause: Cause,
        /// In a sentence.
        reason: String,
    },
    /// This agent is to ring.
    Agent {
        /// The queue.
        queue: QueueId,
        /// The agent.
        agent: AgentId,
        /// Who was considered.
        decision: Decision,
    },
    /// Nobody can take it now.
    Wait {
        /// The queue.
        queue: QueueId,
        /// Its place in the queue, 1 being next.
        position: u32,
        /// Who was considered.
        decision: Decision,
    },
    /// It waits with another priority.
    Priority {
        /// The queue.
        queue: QueueId,
        /// What it was.
        was: u8,
        /// 255 before 0.
        priority: u8,
        /// Its place now; none while an agent rings.
        position: Option<u32>,
        /// Whose wish it is.
        by: String,
    },
    /// What became of ringing an agent.
    Attempt {
        /// The agent.
        agent: AgentId,
        /// What became of it.
        outcome: AttemptOutcome,
    },
    /// Somebody is called directly.
    Dial {
        /// Who.
        to: String,
        /// Over which trunks, or on which phones, and why.
        why: String,
    },
    /// They, or a trunk, did not take it.
    DialFailed {
        /// Who.
        to: String,
        /// Why the call would end with it.
        cause: Cause,
        /// In a sentence.
        reason: String,
    },
    /// They took it.
    Answered {
        /// Who.
        to: String,
    },
    /// It is known who has answered outside.
    AnsweredBy {
        /// `human`, `machine`, `fax` or `unknown`.
        by: &'static str,
        /// Why, in a word.
        reason: &'static str,
        /// Whether something else had been thought before.
        revised: bool,
    },
    /// An agent's calls go elsewhere.
    Forward {
        /// Whose.
        agent: AgentId,
        /// Where to.
        to: String,
        /// Why.
        why: String,
    },
    /// Somebody who talks sends the other one on.
    Transfer {
        /// The agent who does; the API, if none.
        by: Option<AgentId>,
        /// Where to.
        to: String,
    },
    /// An agent took the call over that rang another, or that they talked in.
    PickedUp {
        /// Who took it.
        by: AgentId,
        /// From whom.
        from: AgentId,
    },
    /// A recording server takes a copy of the conversation (SIPREC).
    CopyStarted {
        /// Which.
        server: TrunkId,
    },
    /// It does not.
    CopyFailed {
        /// Which.
        server: TrunkId,
        /// Why, in a sentence.
        reason: String,
    },
    /// It gets no more of it.
    CopyEnded {
        /// Which.
        server: TrunkId,
        /// Why, in a sentence.
        reason: String,
    },
    /// A side was offered the other's codec, so that nothing has to be converted.
    OneCodec {
        /// Which side.
        to: String,
        /// The codec.
        codec: &'static str,
        /// Whether it took it.
        taken: bool,
    },
    /// A supervisor is to take part.
    Supervised {
        /// Who.
        by: AgentId,
        /// How.
        mode: Supervision,
        /// By what right.
        why: String,
    },
    /// A further party has come in.
    Joined {
        /// Who.
        who: String,
    },
    /// One of several has left.
    Left {
        /// Who.
        who: String,
        /// Why.
        cause: Cause,
    },
    /// The flow went on without the queue.
    LeftQueue {
        /// The queue.
        queue: QueueId,
        /// Why.
        reason: String,
    },
    /// The call ended.
    End {
        /// Why.
        cause: Cause,
        /// By whom.
        ended_by: EndedBy,
    },
}

/// In one sentence.
impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route { flow, reasons } => write!(f, "flow {flow}: {}", reasons.join("; ")),
            Self::Refusal { cause, reason } => write!(f, "refused ({cause}): {reason}"),
            Self::Agent { queue, agent, decision } => {
                write!(f, "queue {queue} offers the call to {agent}: {decision}")
            }
            Self::Wait { queue, position, decision } => {
                write!(f, "the call waits in queue {queue} at place {position}: {decision}")
            }
            Self::Priority { queue, was, priority, position, by } => {
                write!(f, "{by} changed its priority in queue {queue} from {was} to {priority}")?;
                position.map_or(Ok(()), |place| write!(f, ": it is at place {place}"))
            }
            Self::Attempt { agent, outcome } => outcome.tell_of(f, agent.as_str()),
            Self::Dial { to, why } => write!(f, "{to} is called: {why}"),
            Self::DialFailed { to, cause, reason } => {
                write!(f, "{to} did not take the call ({cause}): {reason}")
            }
            Self::Answered { to } => write!(f, "{to} took the call"),
            Self::AnsweredBy { by, reason, revised: false } => {
                write!(f, "{by} answered outside ({reason})")
            }
            Self::AnsweredBy { by, reason, revised: true } => {
                write!(f, "{by} answered outside after all ({reason})")
            }
            Self::Forward { agent, to, why } => {
                write!(f, "the calls of {agent} go to {to} ({why})")
            }
            Self::Transfer { by: Some(by), to } => write!(f, "{by} sends the call on to {to}"),
            Self::Transfer { by: None, to } => write!(f, "the call is sent on to {to}"),
            Self::PickedUp { by, from } => write!(f, "{by} took the call over from {from}"),
            Self::OneCodec { to, codec, taken: true } => {
                write!(f, "{to} has changed to {codec}: nothing is converted")
            }
            Self::OneCodec { to, codec, taken: false } => {
                write!(f, "{to} does not change to {codec}: it is converted")
            }
            Self::CopyStarted { server } => write!(f, "{server} takes a copy of it"),
            Self::CopyFailed { server, reason } => {
                write!(f, "{server} takes no copy of it: {reason}")
            }
            Self::CopyEnded { server, reason } => {
                write!(f, "{server} gets no more copies: {reason}")
            }
            Self::Supervised { by, mode, why } => write!(f, "{by} is to {}: {why}", mode.as_str()),
            Self::Joined { who } => write!(f, "{who} came into the conversation"),
            Self::Left { who, cause } => write!(f, "{who} left the conversation ({cause})"),
            Self::LeftQueue { queue, reason } => write!(f, "the call left queue {queue}: {reason}"),
            Self::End { cause, ended_by } => {
                write!(f, "the call ended ({cause}), by {}", ended_by.as_str())
            }
        }
    }
}

impl AttemptOutcome {
    fn tell_of(&self, f: &mut fmt::Formatter<'_>, who: &str) -> fmt::Result {
        match self {
            Self::Accepted => write!(f, "{who} took the call"),
            Self::Failed { why, status: Some(status) } => {
                write!(f, "{who} did not take the call: {why:?} ({status})")
            }
            Self::Failed { why, status: None } => {
                write!(f, "{who} did not take the call: {why:?}")
            }
            Self::Withdrawn => write!(f, "the call went away while {who} was rung"),
        }
    }
}

/// What became of ringing an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The agent took the call.
    Accepted,
    /// The agent did not.
    Failed {
        /// Why.
        why: AttemptEnd,
        /// The SIP status the phone gave, if it gave one.
        status: Option<u16>,
    },
    /// The caller went away first.
    Withdrawn,
}

/// Why an agent who was to ring did not get the call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// Rang until the time was over.
    NoAnswer,
    /// Declined.
    Rejected,
    /// The phone said it is busy.
    Busy,
    /// The phone could not be reached, or is gone.
    Unreachable,
    /// Something else went wrong.
    Error,
    /// Chose another state while ringing.
    StateChanged,
    /// Is provisioned no more.
    Removed,
}

impl From<AttemptFailure> for AttemptEnd {
    fn from(why: AttemptFailure) -> Self {
        match why {
            AttemptFailure::NoAnswer => Self::NoAnswer,
            AttemptFailure::Rejected => Self::Rejected,
            AttemptFailure::Busy => Self::Busy,
            AttemptFailure::Unreachable => Self::Unreachable,
            AttemptFailure::Error => Self::Error,
        }
    }
}

impl AttemptEnd {
    /// What the router took an attempt back for; `None` if the caller was gone.
    pub(crate) fn of_cancel(why: CancelReason) -> Option<Self> {
        match why {
            CancelReason::RingTimeout => Some(Self::NoAnswer),
            CancelReason::Unreachable => Some(Self::Unreachable),
            CancelReason::StateChanged => Some(Self::StateChanged),
            CancelReason::Removed => Some(Self::Removed),
            CancelReason::TooLate => Some(Self::Error),
            CancelReason::Withdrawn => None,
        }
    }
}

/// Whole milliseconds, as events count.
pub(crate) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
