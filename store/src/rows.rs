//! The rows that go in and out: plain values, each with its tenant first.

use std::borrow::Cow;
use std::sync::Arc;

use base::{AgentId, CallId, PromptId, QueueId, RecordingId, TenantId, TrunkId, UnixTime};
use routing::Role;
use serde::{Deserialize, Serialize};

/// One event of a tenant's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Whose log.
    pub tenant: TenantId,
    /// 1, 2, 3, ... without a gap, per tenant.
    pub sequence: u64,
    /// The call it tells of, if it tells of one.
    pub call: Option<CallId>,
    /// When it happened.
    pub at: UnixTime,
    /// Its type, such as `call.started`.
    pub kind: Cow<'static, str>,
    /// Its payload: one JSON object as text.
    pub data: String,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CallState {
    /// Not answered yet.
    Setup,
    /// The caller hears the flow's prompts.
    Flow,
    /// Waiting in a queue.
    Queued,
    /// An agent's phone is being rung.
    Ringing,
    /// Caller and agent talk.
    Connected,
    /// Over.
    Ended,
}

impl CallState {
    const ALL: [Self; 6] =
        [Self::Setup, Self::Flow, Self::Queued, Self::Ringing, Self::Connected, Self::Ended];

    /// The word the API and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Flow => "flow",
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::Connected => "connected",
            Self::Ended => "ended",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A call as the list shows it: live (projected from its events) or ended (its record).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRow {
    /// Whose call.
    pub tenant: TenantId,
    /// Its number.
    pub id: CallId,
    /// Where it stands.
    pub state: CallState,
    /// `inbound` or `outbound`.
    pub direction: Cow<'static, str>,
    /// The trunk it came over.
    pub trunk: Option<TrunkId>,
    /// The caller's number or address, as it came.
    pub from: String,
    /// The caller's display name, if one was given.
    pub from_name: Option<String>,
    /// The dialled number or address, as it came.
    pub to: String,
    /// What the signature of the caller's number is worth, such as `TN-Validation-Passed`, if it
    /// was looked at.
    pub verstat: Option<String>,
    /// `A`, `B` or `C`, if the signature is good.
    pub attestation: Option<String>,
    /// Who sent the call on, the earliest first: a JSON array as text.
    #[serde(default = "empty_array")]
    pub diversions: String,
    /// The (last) queue it was in.
    pub queue: Option<QueueId>,
    /// The agent who talks or talked.
    pub agent: Option<AgentId>,
    /// When the INVITE came.
    pub started_at: UnixTime,
    /// When we answered the caller.
    pub answered_at: Option<UnixTime>,
    /// When caller and agent were joined.
    pub connected_at: Option<UnixTime>,
    /// When it was over.
    pub ended_at: Option<UnixTime>,
    /// Milliseconds from start to end, measured by the engine's steady clock.
    pub duration_ms: Option<u64>,
    /// Milliseconds it waited for an agent.
    pub wait_ms: Option<u64>,
    /// Milliseconds caller and agent talked.
    pub talk_ms: Option<u64>,
    /// Why it ended, such as `normal` or `caller_abandoned`.
    pub cause: Option<String>,
    /// The SIP status that goes with the cause.
    pub sip_status: Option<u16>,
    /// The Q.850 cause that goes with the cause.
    pub q850: Option<u8>,
    /// Who ended it: `caller`, `agent`, `engine` or `api`.
    pub ended_by: Option<String>,
    /// What the far end said of why, as in a Reason header field.
    pub reason: Option<String>,
    /// Its last recording.
    pub recording: Option<RecordingId>,
    /// All of its recordings, first to last. Read from the table of recordings, which their events
    /// fill; what stands here when a call is written is not looked at.
    #[serde(default)]
    pub recordings: Vec<RecordingId>,
    /// Its legs with codec and quality: a JSON array as text, `[]` while it runs.
    pub legs: String,
}

/// What rows of an earlier version's journal do not say.
fn empty_array() -> String {
    "[]".to_owned()
}

/// One SIP message of a call's ladder, secrets already masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LadderRow {
    /// When it was sent or received.
    pub at: UnixTime,
    /// True when we sent it.
    pub sent: bool,
    /// `udp`, `tcp`, ...
    pub transport: Arc<str>,
    /// Our address and port.
    pub local: Arc<str>,
    /// The far end's address and port.
    pub remote: Arc<str>,
    /// The message as it was on the wire.
    pub bytes: Vec<u8>,
}

/// One decision of the routing about a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRow {
    /// When it was made.
    pub at: UnixTime,
    /// What was decided, in a sentence.
    pub summary: String,
    /// The candidates and why not the others: one JSON object as text.
    pub detail: String,
}

/// What is left of a call when it is over: written once, replaces the projected row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalRecord {
    /// The call, in state `ended`.
    pub call: CallRow,
    /// Every SIP message of it, in order.
    pub ladder: Vec<LadderRow>,
    /// Every decision about it, in order.
    pub decisions: Vec<DecisionRow>,
    /// The codecs that its legs spoke, in small letters, with commas between.
    #[serde(default)]
    pub codecs: String,
    /// The lowest estimated quality of a leg, in hundredths; `None` if nothing was measured.
    #[serde(default)]
    pub lowest_mos: Option<u16>,
    /// How each leg fared while it was up: a JSON array as text, empty if nothing was measured.
    #[serde(default)]
    pub quality: String,
}

/// What somebody wrote about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteRow {
    /// 1, 2, 3, ... of its call.
    pub position: u64,
    /// When it was written.
    pub at: UnixTime,
    /// Who wrote it.
    pub author: String,
    /// What.
    pub text: String,
}

/// Where a recording stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RecordingState {
    /// Being written.
    Recording,
    /// All of it is where `location` says.
    Completed,
    /// Lost, or cut short; `failure` says why.
    Failed,
    /// Kept as long as it was to be kept: its audio is gone.
    Deleted,
}

impl RecordingState {
    /// The word the API and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Recording, Self::Completed, Self::Failed, Self::Deleted]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// One recording of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingRow {
    /// Whose recording.
    pub tenant: TenantId,
    /// Its number.
    pub id: RecordingId,
    /// The call it is of.
    pub call: CallId,
    /// Where it stands.
    pub state: RecordingState,
    /// When it began.
    pub started_at: UnixTime,
    /// When it was all in place, or given up.
    pub completed_at: Option<UnixTime>,
    /// Where the encrypted object lies, in the archive's own words.
    pub location: Option<String>,
    /// The data key, wrapped by the tenant's key; never the data key itself.
    pub wrapped_key: Option<Vec<u8>>,
    /// Length of the audio.
    pub duration_ms: Option<u64>,
    /// Size of the encrypted object.
    pub bytes: Option<u64>,
    /// Milliseconds that are missing and stand as silence.
    pub gaps_ms: Option<u64>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// One thing to store; see [`crate::Store::append`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Append {
    /// The next event of a tenant's log. Events about a call also move its row along.
    Event(EventRow),
    /// The record of a call that is over.
    Call(Box<FinalRecord>),
    /// A recording's state, inserted or replaced.
    Recording(Box<RecordingRow>),
    /// What an agent's phone is set to, inserted or replaced.
    Settings(AgentSettingsRow),
}

/// What an agent's phone is set to through the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSettingsRow {
    /// Whose agent.
    pub tenant: TenantId,
    /// The agent.
    pub agent: AgentId,
    /// Whether the agent wants no calls.
    pub do_not_disturb: bool,
    /// Where the agent's direct calls go instead, one JSON object as text: what the agent has set,
    /// and what was provisioned then. As provisioned if absent.
    pub forward: Option<String>,
    /// Messages that wait and were not heard yet.
    pub waiting_new: u32,
    /// Messages that were heard and kept.
    pub waiting_old: u32,
}

/// What a call came to, as one of its agents says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrapUpRow {
    /// The call.
    pub call: CallId,
    /// The agent who had it.
    pub agent: AgentId,
    /// When that was said last.
    pub at: UnixTime,
    /// The queue whose code it is.
    pub queue: Option<QueueId>,
    /// What it came to.
    pub code: Option<String>,
    /// What else there is to say.
    pub notes: Option<String>,
    /// Who said so, if it was not the agent.
    pub by: Option<String>,
}

/// Which calls a list wants; `None` is "any".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Only calls in this state.
    pub state: Option<CallState>,
    /// Only calls of this queue.
    pub queue: Option<QueueId>,
    /// Only calls of this agent.
    pub agent: Option<AgentId>,
    /// Only calls that started at this time or later.
    pub started_from: Option<UnixTime>,
    /// Only calls that started before this time.
    pub started_until: Option<UnixTime>,
    /// Only calls with this in the caller's or the dialled number.
    pub number: Option<String>,
    /// Only calls that went this way: `inbound`, `outbound` or `internal`.
    pub direction: Option<String>,
    /// Only calls that ended with this cause.
    pub cause: Option<String>,
    /// Only calls with a recording, or only those without.
    pub is_recorded: Option<bool>,
    /// Only calls that are over and took this long or longer.
    pub shortest_ms: Option<u64>,
    /// Only calls that are over and took this long or less.
    pub longest_ms: Option<u64>,
    /// Only calls that are over and in which a leg spoke this codec.
    pub codec: Option<String>,
    /// Only calls in which a leg's estimated quality was below this, in hundredths.
    pub mos_below: Option<u16>,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The calls, newest first.
    pub rows: Vec<CallRow>,
    /// Whether there are older ones that fit.
    pub has_more: bool,
    /// How many fit in all; told with the first of them alone.
    pub total: Option<u64>,
    /// Whether `total` is all: past 10,000 they are not counted.
    pub total_is_exact: bool,
}

/// Which recordings a list wants; `None` is "any".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingFilter {
    /// Only recordings of this call.
    pub call: Option<CallId>,
    /// Only recordings in this state.
    pub state: Option<RecordingState>,
}

/// A page of a list: from 1, of `per_page` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The page's number, from 1.
    pub page: u32,
    /// Rows on a full page, from 1.
    pub per_page: u32,
}

impl Page {
    /// How many rows stand before it, and how many on it at the most.
    pub(crate) fn window(self) -> (u64, u64) {
        let most = u64::from(self.per_page.max(1));
        (most * u64::from(self.page.max(1) - 1), most)
    }
}

/// The rows of one page and how many there are on all pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The page's rows.
    pub rows: Vec<T>,
    /// Rows on all pages.
    pub total: u64,
}

/// A tenant as the platform's list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRow {
    /// Its identifier.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// Its SIP domain.
    pub domain: String,
    /// The tenant above it.
    pub parent: Option<TenantId>,
    /// False once a provisioning no longer names it; its history stays.
    pub active: bool,
    /// The sequence of its last event.
    pub last_sequence: u64,
}

/// A prompt's audio file as it was provisioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptRow {
    /// Whose prompt.
    pub tenant: TenantId,
    /// Its identifier.
    pub id: PromptId,
    /// The WAV file.
    pub wav: Vec<u8>,
}

/// What an API key may see and do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// The tenant it belongs to; `None` is the platform's.
    pub tenant: Option<TenantId>,
    /// What its holder calls it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The agent it speaks for, with the role `agent`.
    pub agent: Option<AgentId>,
    /// Accepted from loopback addresses only (demo keys).
    pub loopback_only: bool,
    /// SHA-256 of the key.
    pub digest: [u8; 32],
}
