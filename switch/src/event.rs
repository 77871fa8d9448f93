//! What happened, told to the outside: the only way anything leaves a call. Numbers are dense per
//! tenant, so that a subscriber can resume after the last one it saw.

use std::collections::BTreeMap;

use base::{AgentId, CallId, FlowId, PromptId, QueueId, RecordingId, TenantId, TrunkId, UnixTime};
use routing::{AgentState, Decision, QueueAlarm, QueueSnapshot, Supervision};
use serde::Serialize;

use crate::api::WrapUp;
use crate::{AttemptEnd, CallDirection, Cause, Diverter, EndedBy, LegKind, TrunkState};

mod names;
mod words;

pub use words::{
    CaptureEnd, DigitsEnd, HoldSide, Quality, QueueExit, ResumeWhy, SignedDiversion, Who,
};

/// One event of a tenant's log.
#[derive(Clone, Debug)]
pub struct Event {
    /// Whose log.
    pub tenant: TenantId,
    /// Its number in that log: 1 more than the one before, without gaps.
    pub sequence: u64,
    /// The call it is about, if it is about one.
    pub call: Option<CallId>,
    /// When it happened.
    pub at: UnixTime,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. Serialises to the event's `data` object alone; [`EventKind::type_name`] is its
/// type. Numbers and names are the real ones: subscribers need them, logs must not print them.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum EventKind {
    /// A call begins.
    CallStarted {
        /// Which way it goes, as far as its beginning says so.
        direction: CallDirection,
        /// The trunk it came in on, if it did.
        #[serde(skip_serializing_if = "Option::is_none")]
        trunk: Option<TrunkId>,
        /// The agent who calls, if one does.
        #[serde(skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
        /// The caller's number or name, as the caller's side gave it.
        from: String,
        /// The caller's display name, if one was given.
        #[serde(skip_serializing_if = "Option::is_none")]
        from_name: Option<String>,
        /// What was dialled.
        to: String,
        /// Who sent the call on before it came here, the earliest first.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        diversions: Vec<Diverter>,
    },
    /// The signature of the caller's number was looked at.
    CallerVerified {
        /// `TN-Validation-Passed`, `TN-Validation-Failed` or `No-TN-Validation`.
        verdict: &'static str,
        /// `A`, `B` or `C`: how much the signer knows of the caller.
        #[serde(skip_serializing_if = "Option::is_none")]
        attestation: Option<String>,
        /// Where the call came from, as the signer names it.
        #[serde(skip_serializing_if = "Option::is_none")]
        origid: Option<String>,
        /// The signer's provider code.
        #[serde(skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
        /// Why it failed, in a sentence.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// The numbers that have sent the call on and signed for that, the first one called first.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        diverted: Vec<SignedDiversion>,
    },
    /// The dialled number has a flow.
    CallRouted {
        /// The flow.
        flow: FlowId,
        /// Why this flow, in sentences.
        reasons: Vec<String>,
    },
    /// We answered the caller.
    CallAnswered {},
    /// The caller begins to hear a prompt of the flow.
    PromptStarted {
        /// The prompt.
        prompt: PromptId,
    },
    /// The caller was asked for digits.
    CallDigits {
        /// The attribute that keeps them; none for a menu.
        #[serde(skip_serializing_if = "Option::is_none")]
        into: Option<String>,
        /// What came of it.
        outcome: DigitsEnd,
        /// How many came.
        count: u32,
        /// They themselves, where provisioning says that they may be shown, and a menu's choice.
        #[serde(skip_serializing_if = "Option::is_none")]
        digits: Option<String>,
    },
    /// What one side presses is kept from everybody from now on.
    CallSecured {
        /// Its leg.
        leg: u64,
        /// Whether what it says is, too.
        speech: bool,
    },
    /// The call's RTP is captured from now on.
    CaptureStarted {
        /// The capture's number, of this run of the engine.
        capture: u64,
        /// Whose wish it is: the key's name.
        by: String,
        /// One leg alone, if that was wished for.
        #[serde(skip_serializing_if = "Option::is_none")]
        leg: Option<u64>,
        /// `audio`, or `headers` alone.
        payload: &'static str,
    },
    /// It is captured no more.
    CaptureStopped {
        /// The capture.
        capture: u64,
        /// Why.
        why: CaptureEnd,
    },
    /// It is heard again.
    CallUnsecured {
        /// Its leg.
        leg: u64,
        /// How many digits were kept.
        count: u32,
    },
    /// The call waits in a queue.
    CallQueued {
        /// The queue.
        queue: QueueId,
        /// Its place in the queue, 1 being next.
        position: u32,
    },
    /// It waits there no more, and goes on without an agent.
    LeftQueue {
        /// The queue.
        queue: QueueId,
        /// Why.
        why: QueueExit,
    },
    /// It waits with another priority.
    PriorityChanged {
        /// The queue.
        queue: QueueId,
        /// 255 before 0.
        priority: u8,
        /// What it was.
        was: u8,
        /// Its place now; none while an agent rings.
        position: Option<u32>,
        /// Whose wish it is: the key's name.
        by: String,
    },
    /// An agent was chosen for the call.
    CallOffered {
        /// The queue it waits in.
        queue: QueueId,
        /// The agent.
        agent: AgentId,
        /// Who was considered, and why this one.
        decision: Decision,
    },
    /// Somebody is called directly: an agent, or a number over a trunk.
    CallDialled {
        /// The agent, if one is called.
        #[serde(skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
        /// The trunk, if the call goes outside.
        #[serde(skip_serializing_if = "Option::is_none")]
        trunk: Option<TrunkId>,
        /// Who is called: the agent, or the number.
        to: String,
    },
    /// The agent's phone, or the number over the trunk, rings.
    CallRinging {
        /// The agent, if one is called.
        #[serde(skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
        /// The trunk, if the call goes outside.
        #[serde(skip_serializing_if = "Option::is_none")]
        trunk: Option<TrunkId>,
    },
    /// Something was heard of how a call outside comes along.
    CallProgress {
        /// Its leg.
        leg: u64,
        /// `ringback`, `busy`, `congestion`, `sit`, `fax`, `beep` or `greeting_over`.
        heard: &'static str,
        /// What a `sit` says: `intercept`, `vacant_number`, `no_circuit`, `reorder` or `other`.
        #[serde(skip_serializing_if = "Option::is_none")]
        which: Option<&'static str>,
        /// How long it was listened before, in milliseconds.
        after_ms: u64,
    },
    /// It is known who has answered outside.
    AnsweredBy {
        /// Their leg.
        leg: u64,
        /// `human`, `machine`, `fax` or `unknown`.
        by: &'static str,
        /// Why: `waits`, `talks_on`, `beep`, `fax_tone`, `silence` or `timeout`.
        reason: &'static str,
        /// Whether something else had been told before.
        revised: bool,
        /// How likely a machine is by the figures below.
        machine_percent: u8,
        /// From the answer to the first word, in milliseconds.
        initial_silence_ms: u64,
        /// From the first word to the last.
        greeting_ms: u64,
        /// Stretches of speech.
        words: u16,
        /// The pause since the last.
        pause_ms: u64,
        /// From the answer to this.
        after_ms: u64,
    },
    /// An answering machine has heard the message.
    MessageLeft {
        /// The prompt.
        prompt: PromptId,
    },
    /// Who was called directly did not take the call, or the trunk did not.
    DialFailed {
        /// The agent, if one was called.
        #[serde(skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
        /// The trunk, if it went as far as that.
        #[serde(skip_serializing_if = "Option::is_none")]
        trunk: Option<TrunkId>,
        /// Why not.
        cause: Cause,
        /// The SIP status that the far end gave, if it gave one.
        status: Option<u16>,
        /// Its Q.850 cause.
        q850: Option<u8>,
    },
    /// An agent's calls go elsewhere, and this one does.
    CallForwarded {
        /// The agent.
        agent: AgentId,
        /// Where to, as the agent would dial it.
        to: String,
        /// Why: `unconditional`, `user-busy`, `do-not-disturb`, `no-answer`, `unavailable`, or
        /// `deflection` where the phone said so.
        reason: &'static str,
    },
    /// The chosen agent did not take the call.
    AttemptFailed {
        /// The agent.
        agent: AgentId,
        /// Why not.
        why: AttemptEnd,
        /// The SIP status the agent's phone gave, if it gave one.
        status: Option<u16>,
    },
    /// Caller and called hear each other.
    CallConnected {
        /// The queue the call came from, if it came from one.
        #[serde(skip_serializing_if = "Option::is_none")]
        queue: Option<QueueId>,
        /// The agent: who took the call, or who made it.
        #[serde(skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
        /// How long the caller had waited since the call started, in milliseconds.
        wait_ms: u64,
    },
    /// An agent took a call over that rang a colleague, or that they were talking in.
    CallPickedUp {
        /// Who took it.
        by: AgentId,
        /// Whose phone rang, or who talked.
        from: AgentId,
    },
    /// An agent's page is gone in mid-call; the other side hears music.
    AgentLost {
        /// Whose.
        agent: AgentId,
    },
    /// A page of that agent's has the call again.
    AgentReturned {
        /// Whose.
        agent: AgentId,
    },
    /// One side put the other on hold.
    CallHeld {
        /// Which side.
        by: HoldSide,
        /// The leg that is held aside, when the API holds one of several.
        #[serde(skip_serializing_if = "Option::is_none")]
        leg: Option<u64>,
    },
    /// That side took the call back.
    CallResumed {
        /// Which side.
        by: HoldSide,
        /// The leg that was held aside, when the API held one of several.
        #[serde(skip_serializing_if = "Option::is_none")]
        leg: Option<u64>,
    },
    /// A supervisor is in the conversation.
    CallSupervised {
        /// Their leg.
        leg: u64,
        /// Who.
        agent: AgentId,
        /// How.
        mode: Supervision,
        /// Which agent's part of it.
        of: AgentId,
    },
    /// A supervisor takes part in another way.
    SupervisionChanged {
        /// Their leg.
        leg: u64,
        /// Who.
        agent: AgentId,
        /// How from here on.
        mode: Supervision,
    },
    /// A supervisor has left.
    SupervisionEnded {
        /// Their leg.
        leg: u64,
        /// Who.
        agent: AgentId,
        /// How they took part last.
        mode: Supervision,
        /// Why: `normal` if they hung up, or nobody was left to supervise.
        cause: Cause,
    },
    /// A supervisor did not come.
    SupervisionFailed {
        /// Who.
        agent: AgentId,
        /// How they were to take part.
        mode: Supervision,
        /// Why not.
        cause: Cause,
    },
    /// A further party talks.
    ParticipantJoined {
        /// Who.
        #[serde(flatten)]
        who: Who,
    },
    /// One of several parties has left; the others go on.
    ParticipantLeft {
        /// Who.
        #[serde(flatten)]
        who: Who,
        /// Why: `normal` if they hung up.
        cause: Cause,
    },
    /// Whoever was called into the conversation did not come.
    ParticipantFailed {
        /// Who was called.
        to: String,
        /// Why not.
        cause: Cause,
    },
    /// What somebody says is heard by nobody.
    CallMuted {
        /// Who.
        #[serde(flatten)]
        who: Who,
    },
    /// It is heard again.
    CallUnmuted {
        /// Who.
        #[serde(flatten)]
        who: Who,
    },
    /// Somebody in a mix begins or ceases to talk; told to tenants who want it.
    CallTalking {
        /// Who.
        #[serde(flatten)]
        who: Who,
        /// Whether they talk now.
        talking: bool,
    },
    /// The audio that comes from a leg has become poor, or good again.
    CallQuality {
        /// Whose.
        #[serde(flatten)]
        who: Who,
        /// Which of the two.
        quality: Quality,
        /// The estimated listening quality, 1 to 4.5.
        mos: f64,
        /// What was lost in the last seconds.
        loss_percent: f64,
        /// The jitter now.
        jitter_ms: f64,
        /// The round trip, if the far end tells it.
        round_trip_ms: Option<f64>,
    },
    /// Nothing comes any more from one who should send; the engine tries to mend it.
    AudioLost {
        /// Whose leg.
        leg: u64,
        /// Which side that is.
        kind: LegKind,
        /// For how long nothing has come, in milliseconds.
        quiet_ms: u64,
    },
    /// Packets come, but nothing is to be heard in them while the other side speaks.
    AudioSilent {
        /// Whose leg.
        leg: u64,
        /// Which side that is.
        kind: LegKind,
        /// Whether it was heard before: it may be muted.
        heard_before: bool,
    },
    /// That leg is heard again.
    AudioRestored {
        /// Whose leg.
        leg: u64,
        /// Which side that is.
        kind: LegKind,
        /// For how long nothing came, in milliseconds.
        lost_ms: u64,
        /// Whether its phone had been asked by a re-INVITE.
        asked: bool,
    },
    /// Somebody who talks sends the other one on; nobody has taken the call yet.
    TransferStarted {
        /// The agent who sends it, if it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<AgentId>,
        /// Where to.
        to: String,
    },
    /// The new one has the call, or a queue has; who sent it is out of it.
    CallTransferred {
        /// The agent who sent it, if it was one.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<AgentId>,
        /// Where to.
        to: String,
    },
    /// Nobody took it.
    TransferFailed {
        /// The agent who sent it, if it was one.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<AgentId>,
        /// Where to.
        to: String,
        /// Why not.
        cause: Cause,
    },
    /// The call is over and its record complete. The last event of a call, but for what becomes of
    /// its recording.
    CallEnded {
        /// Why.
        cause: Cause,
        /// Who ended it.
        ended_by: EndedBy,
        /// From the INVITE to the end, in milliseconds.
        duration_ms: u64,
        /// From connecting caller and agent to the end, in milliseconds.
        talk_ms: Option<u64>,
        /// The agent who had the call.
        agent: Option<AgentId>,
        /// The last recording, if one was made.
        recording: Option<RecordingId>,
        /// What the far end said of why, as in a Reason header field.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// All of them, first to last.
        recordings: Vec<RecordingId>,
    },
    /// What a program knows about the call, all of it; the agent is shown it.
    CallKnown {
        /// By name.
        known: BTreeMap<String, String>,
    },
    /// An agent says what a call came to; that may be long after its end, and again.
    CallWrappedUp {
        /// What.
        #[serde(flatten)]
        wrap_up: WrapUp,
    },
    /// Recording began.
    RecordingStarted {
        /// The recording.
        recording: RecordingId,
    },
    /// Nothing of the conversation is recorded from now on, because somebody wants that.
    RecordingPaused {
        /// The recording; none where a recording server alone has a copy.
        #[serde(skip_serializing_if = "Option::is_none")]
        recording: Option<RecordingId>,
        /// Whose wish it is: the key's name.
        by: String,
        /// After how many seconds it goes on by itself.
        lasts_s: u32,
    },
    /// It is recorded again, or over.
    RecordingResumed {
        /// The recording.
        #[serde(skip_serializing_if = "Option::is_none")]
        recording: Option<RecordingId>,
        /// Why.
        why: ResumeWhy,
        /// Whose wish it is, if it was one.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// How long it was paused, in milliseconds.
        paused_ms: u64,
    },
    /// The recording is whole in the object store.
    RecordingCompleted {
        /// The recording.
        recording: RecordingId,
        /// Its length in milliseconds.
        duration_ms: u64,
        /// Its stored size in bytes.
        bytes: u64,
        /// Where it is.
        location: String,
        /// Silence that stands for audio we lost ourselves, in milliseconds.
        gaps_ms: u64,
    },
    /// The recording could not be kept.
    RecordingFailed {
        /// The recording.
        recording: RecordingId,
        /// Why.
        why: String,
    },
    /// A recording server takes a copy of the conversation (SIPREC, RFC 7866).
    SiprecStarted {
        /// The trunk that leads there.
        server: TrunkId,
    },
    /// It does not. The next one is asked, if there is one.
    SiprecFailed {
        /// The trunk that leads there.
        server: TrunkId,
        /// Why, in a sentence.
        why: String,
        /// The SIP status that it gave, if it gave one.
        status: Option<u16>,
    },
    /// It gets no more of it.
    SiprecEnded {
        /// The trunk that leads there.
        server: TrunkId,
        /// How long it had it, in milliseconds.
        duration_ms: u64,
        /// Why, in a sentence.
        why: String,
    },
    /// An agent's state changed.
    AgentStateChanged {
        /// The agent.
        agent: AgentId,
        /// The state it is in now.
        state: AgentState,
        /// Why, when somebody said so.
        reason: Option<String>,
    },
    /// An agent wants no calls from now on, or wants them again.
    DoNotDisturbChanged {
        /// The agent.
        agent: AgentId,
        /// Whether calls are not wanted.
        on: bool,
    },
    /// An agent has a phone that can be called.
    AgentRegistered {
        /// The agent.
        agent: AgentId,
    },
    /// An agent's last phone is gone: unregistered, expired, or its connection closed.
    AgentUnregistered {
        /// The agent.
        agent: AgentId,
    },
    /// A trunk that the tenant uses can be reached, or no longer.
    TrunkStateChanged {
        /// The trunk.
        trunk: TrunkId,
        /// Whether calls to it have a chance.
        state: TrunkState,
        /// Whether we are registered with it, if it wants that.
        registered: Option<bool>,
        /// Why the last registration failed, if it did.
        why: Option<String>,
    },
    /// A figure of a queue is over its threshold.
    AlarmRaised {
        /// The queue.
        queue: QueueId,
        /// What is wrong.
        alarm: QueueAlarm,
        /// The threshold, if it is a number.
        limit: Option<u32>,
    },
    /// The figure has been in order again for a while.
    AlarmCleared {
        /// The queue.
        queue: QueueId,
        /// What was wrong.
        alarm: QueueAlarm,
    },
    /// A queue's numbers changed.
    QueueStats {
        /// The queue.
        queue: QueueId,
        /// Its figures now.
        #[serde(flatten)]
        stats: Box<QueueSnapshot>,
    },
}
