//! Calls as the API shows them: rows, ladders and reasons, of calls that are over or still up.

use base::UnixTime;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use store::{CallRow, DecisionRow, LadderRow};
use switch::{DecisionEntry, Direction, LadderEntry};
use utoipa::ToSchema;

use super::recording_pause::PauseView;
use super::wrap_up::WrapUpView;
use crate::clock;
use crate::ladder_text::label;

/// A call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallView {
    /// Its number: 32 hexadecimal digits, in the order of time.
    pub(crate) id: String,
    /// Whose call.
    pub(crate) tenant: String,
    /// `setup`, `flow`, `queued`, `ringing`, `connected` or `ended`.
    #[schema(example = "connected")]
    pub(crate) state: String,
    /// `inbound`, `outbound` or `internal`.
    pub(crate) direction: String,
    /// Who calls, as it came.
    pub(crate) from: String,
    /// The caller's display name, if one came.
    pub(crate) from_name: Option<String>,
    /// What the signature of the caller's number is worth: `TN-Validation-Passed`,
    /// `TN-Validation-Failed` or `No-TN-Validation`; null where nobody has looked.
    pub(crate) verstat: Option<String>,
    /// How much the signer knows of the caller, `A`, `B` or `C`; null without a good signature.
    pub(crate) attestation: Option<String>,
    /// Who sent the call on, the earliest first: `by` (a number, an agent, or `anonymous`) and
    /// `reason` (`no-answer`, `user-busy`, `unconditional`, ...).
    #[schema(value_type = Vec<Object>)]
    pub(crate) diversions: Box<RawValue>,
    /// What was dialled, as it came.
    pub(crate) to: String,
    /// The trunk it came in on, or went out over.
    pub(crate) trunk: Option<String>,
    /// The (last) queue it waited in.
    pub(crate) queue: Option<String>,
    /// The agent who rings, talks or talked.
    pub(crate) agent: Option<String>,
    /// When it came in, RFC 3339 in UTC as all times here.
    pub(crate) started_at: String,
    /// When we answered.
    pub(crate) answered_at: Option<String>,
    /// When caller and agent were joined.
    pub(crate) connected_at: Option<String>,
    /// When it was over.
    pub(crate) ended_at: Option<String>,
    /// Seconds from its start to its end, or until now.
    pub(crate) duration_s: f64,
    /// Seconds it waited for an agent.
    pub(crate) wait_s: Option<f64>,
    /// Seconds that caller and agent talked.
    pub(crate) talk_s: Option<f64>,
    /// Why it ended, such as `normal` or `caller_abandoned`.
    pub(crate) cause: Option<String>,
    /// The SIP status that a caller was refused with; null for a call that was answered.
    pub(crate) sip_status: Option<u16>,
    /// The Q.850 cause that goes with the cause.
    pub(crate) q850: Option<u8>,
    /// `caller`, `agent`, `engine` or `api`.
    pub(crate) ended_by: Option<String>,
    /// What the far end said of why, as in its `Reason` header field.
    pub(crate) reason: Option<String>,
    /// Its last recording.
    pub(crate) recording_id: Option<String>,
    /// All of its recordings, first to last: a transfer begins another one.
    pub(crate) recording_ids: Vec<String>,
    /// Whether it is recorded now: `on`, `paused` or `off`; told of one call that is up.
    pub(crate) recording_state: Option<&'static str>,
    /// When a paused recording goes on by itself.
    pub(crate) recording_paused_until: Option<String>,
    /// Where its recordings were paused; told of one call.
    pub(crate) recording_pauses: Option<Vec<PauseView>>,
    /// What it came to, as its agents say.
    pub(crate) wrap_ups: Vec<WrapUpView>,
    /// Whether somebody in it hears music in place of the others; told of one call that is up.
    pub(crate) held: Option<bool>,
    /// Its legs with codec and quality: of a call that is over, and of one that is asked for alone.
    #[schema(value_type = Vec<Object>)]
    pub(crate) legs: Box<RawValue>,
}

impl From<CallRow> for CallView {
    fn from(row: CallRow) -> Self {
        let so_far = clock::now().as_millis() - row.started_at.as_millis();
        let duration_ms = row.duration_ms.unwrap_or(u64::try_from(so_far).unwrap_or(0));
        Self {
            id: row.id.to_string(),
            tenant: row.tenant.to_string(),
            state: row.state.as_str().to_owned(),
            direction: row.direction.into_owned(),
            from: row.from,
            from_name: row.from_name,
            verstat: row.verstat,
            attestation: row.attestation,
            diversions: RawValue::from_string(row.diversions).unwrap_or_default(),
            to: row.to,
            trunk: row.trunk.map(|trunk| trunk.to_string()),
            queue: row.queue.map(|queue| queue.to_string()),
            agent: row.agent.map(|agent| agent.to_string()),
            started_at: row.started_at.to_string(),
            answered_at: text(row.answered_at),
            connected_at: text(row.connected_at),
            ended_at: text(row.ended_at),
            duration_s: seconds(duration_ms),
            wait_s: row.wait_ms.map(seconds),
            talk_s: row.talk_ms.map(seconds),
            cause: row.cause,
            sip_status: row.sip_status.filter(|_| row.answered_at.is_none()),
            q850: row.q850,
            ended_by: row.ended_by,
            reason: row.reason,
            recording_id: row.recording.map(|recording| recording.to_string()),
            recording_state: None,
            recording_paused_until: None,
            recording_pauses: None,
            wrap_ups: Vec::new(),
            held: None,
            recording_ids: row.recordings.iter().map(ToString::to_string).collect(),
            legs: RawValue::from_string(row.legs).unwrap_or_default(),
        }
    }
}

/// A time of a row as the API spells it.
pub(crate) fn text(at: Option<UnixTime>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// Milliseconds as seconds with three decimals.
pub(crate) fn seconds(millis: u64) -> f64 {
    // Exact up to 285,000 years.
    millis as f64 / 1000.0
}

/// One SIP message of a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LadderView {
    /// When it was sent or received.
    at: String,
    /// `in` to us or `out` from us.
    #[schema(example = "in")]
    direction: &'static str,
    /// `udp`, `tcp`, ...
    transport: String,
    /// Our address.
    local: String,
    /// The far end's address.
    remote: String,
    /// The method, or the status with its reason.
    #[schema(example = "200 OK")]
    summary: String,
    /// The message as it was on the wire, secrets masked; what is no UTF-8 stands as U+FFFD.
    message: String,
}

impl From<LadderRow> for LadderView {
    fn from(row: LadderRow) -> Self {
        Self {
            at: row.at.to_string(),
            direction: if row.sent { "out" } else { "in" },
            summary: label(&row.bytes),
            transport: row.transport.as_ref().to_owned(),
            local: row.local.as_ref().to_owned(),
            remote: row.remote.as_ref().to_owned(),
            message: String::from_utf8_lossy(&row.bytes).into_owned(),
        }
    }
}

/// A message of a call that is still up, as the store will keep it.
pub(crate) fn live_ladder_row(entry: LadderEntry) -> LadderRow {
    LadderRow {
        at: entry.at,
        sent: entry.direction == Direction::Out,
        transport: format!("{:?}", entry.flow.transport).to_lowercase().into(),
        local: entry.flow.local.to_string().into(),
        remote: entry.flow.remote.to_string().into(),
        bytes: entry.bytes.to_vec(),
    }
}

/// One decision: `at`, `summary` (a sentence), `decided` (`route`, `agent`, `wait`, `attempt`, ...)
/// and what belongs to it: the candidates, and why not the others.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub(crate) struct DecisionView(Value);

pub(crate) fn decision(row: &DecisionRow) -> DecisionView {
    let mut shown = json!({"at": row.at.to_string(), "summary": row.summary});
    if let Some(shown) = shown.as_object_mut()
        && let Ok(Value::Object(detail)) = serde_json::from_str(&row.detail)
    {
        shown.extend(detail);
    }
    DecisionView(shown)
}

/// A decision about a call that is still up, as the store will keep it.
pub(crate) fn live_decision(entry: &DecisionEntry) -> DecisionRow {
    DecisionRow {
        at: entry.at,
        summary: entry.decided.to_string(),
        // Our own plain types into memory: it cannot fail.
        detail: serde_json::to_string(&entry.decided).unwrap_or_default(),
    }
}
