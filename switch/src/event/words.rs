//! What events say in one word, and in a few.

use std::fmt;

use base::{AgentId, TrunkId};
use serde::Serialize;

/// Whether a leg's audio is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Its estimated quality is 3.6 or more again.
    Good,
    /// It has fallen below 3.1.
    Poor,
}

/// Why a caller waits in a queue no more, whom no agent took and who is still there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueExit {
    /// Waited as long as the queue allows.
    Expired,
    /// The queue did not take the call, or is no more.
    Refused,
    /// Was moved elsewhere.
    Moved,
}

/// Why a capture ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureEnd {
    /// The API ended it.
    Stopped,
    /// It has lasted as long as it should.
    Seconds,
    /// It has as many bytes as it should.
    Bytes,
    /// It has as many packets as it should.
    Packets,
    /// The call is over.
    CallEnded,
}

impl CaptureEnd {
    /// As events and the API spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Packets => "packets",
            Self::CallEnded => "call_ended",
        }
    }
}

/// Why a recording that was paused goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResumeWhy {
    /// Somebody wants it.
    Request,
    /// It was paused for as long as it was to be.
    Limit,
    /// It does not: the conversation is over, and the recording with it.
    Ended,
}

/// What came of asking for digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DigitsEnd {
    /// They are what was asked for.
    Collected,
    /// None came in time.
    Timeout,
    /// They are not what was asked for.
    Invalid,
}

/// Which side of a call holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldSide {
    /// The caller.
    Caller,
    /// The agent.
    Agent,
    /// Whoever outside was called.
    Callee,
    /// The API.
    Api,
}

/// A number that has sent a signed call on, and signed for that (RFC 8946).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SignedDiversion {
    /// The number, as it was called.
    pub by: String,
    /// The provider code of whoever signed for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// Somebody in a call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Who {
    /// Their leg.
    pub leg: u64,
    /// The agent, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The trunk they are behind, if they are outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<TrunkId>,
    /// Their number then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
}

/// The agent, else the number.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.agent, &self.number) {
            (Some(agent), _) => agent.fmt(f),
            (None, Some(number)) => number.fmt(f),
            (None, None) => write!(f, "leg {}", self.leg),
        }
    }
}
