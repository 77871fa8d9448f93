//! What the API may ask of a running switch, and what it is told.

use std::collections::BTreeMap;

use base::{AgentId, CallId, Duration, LegId, PromptId, QueueId, RecordingId, TrunkId, UnixTime};
use media::progress::AnswerTimes;
use media::srtp::Profile;
use media::{CaptureId, Codec, StreamStats};
use routing::{AgentSnapshot, AgentState, Forward, QueueSnapshot, Supervision};
use serde::Serialize;

use crate::Cause;
use crate::TrunkView;
use crate::event::CaptureEnd;
use crate::history::QualitySample;
use crate::record::{CallDirection, DecisionEntry, LadderEntry, LegKind};
use crate::subscriptions::Waiting;

/// Names a request until its reply.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RequestId(pub u64);

/// A request of one tenant; nothing of another tenant's is ever in its reply.
#[derive(Clone, Debug)]
pub enum ApiRequest {
    /// The calls that are up, newest first.
    ListLive,
    /// One call that is up.
    Call {
        /// Which.
        call: CallId,
    },
    /// End a call: BYE to both legs, or a final response if it is not answered yet.
    EndCall {
        /// Which.
        call: CallId,
    },
    /// Give a caller who waits in a queue another priority.
    SetPriority {
        /// Which call.
        call: CallId,
        /// 255 before 0.
        priority: u8,
        /// Whose wish it is, for the event.
        by: String,
    },
    /// Send the customer of a conversation on, or a caller who waits: to an agent, a queue or a
    /// number.
    Transfer {
        /// Which call.
        call: CallId,
        /// Where to, as an agent would dial it.
        to: String,
    },
    /// Hold the customer of a conversation, or take the customer back.
    Hold {
        /// Which call.
        call: CallId,
        /// Whether to hold.
        holds: bool,
    },
    /// Have a supervisor's phones ring, and let them take part in a conversation.
    Supervise {
        /// Which call.
        call: CallId,
        /// The supervisor.
        agent: AgentId,
        /// How.
        mode: Supervision,
        /// Which agent's part of it; of the one who has the call if absent.
        of: Option<AgentId>,
    },
    /// Let a supervisor take part in another way.
    ChangeSupervision {
        /// Which call.
        call: CallId,
        /// The supervisor.
        agent: AgentId,
        /// How from here on.
        mode: Supervision,
    },
    /// Let a supervisor go.
    EndSupervision {
        /// Which call.
        call: CallId,
        /// The supervisor.
        agent: AgentId,
    },
    /// Call somebody into a conversation.
    AddParticipant {
        /// Which call.
        call: CallId,
        /// Whom, as an agent would dial it.
        to: String,
        /// Whether the call ends when the agent who has it leaves; as it was if absent.
        ends_with_host: Option<bool>,
    },
    /// Bring whoever talks with the same agent in another call into this one.
    Merge {
        /// Which call.
        call: CallId,
        /// The other call, which ends with it.
        other: CallId,
        /// As of [`ApiRequest::AddParticipant`].
        ends_with_host: Option<bool>,
    },
    /// Take somebody out of a conversation.
    RemoveParticipant {
        /// Which call.
        call: CallId,
        /// Their leg.
        leg: LegId,
    },
    /// Let nobody hear what somebody in a conversation says, or let them again.
    Mute {
        /// Which call.
        call: CallId,
        /// Their leg.
        leg: LegId,
        /// Whether to mute.
        muted: bool,
    },
    /// Hold one party aside, who hears music while the others talk, or take them back.
    HoldParticipant {
        /// Which call.
        call: CallId,
        /// Their leg.
        leg: LegId,
        /// Whether to hold.
        holds: bool,
    },
    /// Press keys towards one side.
    SendDigits {
        /// Which call.
        call: CallId,
        /// Which side.
        leg: Side,
        /// `0`-`9`, `*`, `#`, `A`-`D`; `,` is a pause of a second.
        digits: Keys,
        /// How long each is held.
        each: Duration,
        /// The pause after each.
        gap: Duration,
    },
    /// Keep what one side presses from everybody, or let it be heard again.
    Secure {
        /// Which call.
        call: CallId,
        /// Which side.
        leg: Side,
        /// Whether what it says is kept as well; `None` lets it be heard again.
        speech: Option<bool>,
    },
    /// Record nothing more of a conversation for a while.
    PauseRecording {
        /// Which call.
        call: CallId,
        /// The agent who wants it and must talk in it; anybody's call if absent.
        agent: Option<AgentId>,
        /// Whose wish it is, for the event.
        by: String,
        /// After how long it goes on by itself.
        lasts: Duration,
    },
    /// Record it again.
    ResumeRecording {
        /// Which call.
        call: CallId,
        /// As of [`ApiRequest::PauseRecording`].
        agent: Option<AgentId>,
        /// Whose wish it is, for the event.
        by: String,
    },
    /// What has been collected from a call, and kept of a secured side; for those who may know.
    Digits {
        /// Which call.
        call: CallId,
    },
    /// Capture a call's RTP and RTCP.
    Capture {
        /// Which call.
        call: CallId,
        /// What of it.
        wish: CaptureWish,
    },
    /// End a capture; accepted also when it is over.
    EndCapture {
        /// Of which call.
        call: CallId,
        /// Which.
        capture: CaptureId,
        /// Why.
        why: CaptureEnd,
    },
    /// Call an agent and somebody else, and join them.
    Originate(Originate),
    /// Ring an agent, who takes a call over that rings another one.
    PickUp {
        /// Which call.
        call: CallId,
        /// Who takes it.
        agent: AgentId,
        /// Whether the agent asks, who may pick up within their groups only.
        own_wish: bool,
    },
    /// The SIP messages so far of a call that is up.
    Ladder {
        /// Which.
        call: CallId,
    },
    /// The decisions so far of a call that is up.
    Why {
        /// Which.
        call: CallId,
    },
    /// The tenant's agents.
    Agents,
    /// The tenant's queues.
    Queues,
    /// Whether an agent wants no calls.
    SetDoNotDisturb {
        /// Who.
        agent: AgentId,
        /// Whether not.
        on: bool,
    },
    /// Where an agent's direct calls go instead.
    Forward {
        /// Whose.
        agent: AgentId,
    },
    /// Says where an agent's direct calls go instead; what the agent may not dial is a conflict.
    SetForward {
        /// Whose.
        agent: AgentId,
        /// Where to.
        forward: Forward,
    },
    /// How many messages wait for an agent: what its phones are told that subscribed to it.
    MessagesWaiting {
        /// For whom.
        agent: AgentId,
    },
    /// Says how many messages wait for an agent.
    SetMessagesWaiting {
        /// For whom.
        agent: AgentId,
        /// How many.
        waiting: Waiting,
    },
    /// What an agent's page registers with in place of the password, for a time.
    SipToken {
        /// Whose.
        agent: AgentId,
        /// For how long.
        lifetime: Duration,
    },
    /// The last calls that were refused before they were any tenant's, newest first. They are the
    /// platform's: only it may ask.
    RefusedCalls,
    /// The whole platform's trunks; for the platform's own keys only.
    Trunks,
    /// An agent is done with the wrap-up, or needs more time for it; it is a conflict outside of
    /// one, and where the queue permits no more.
    WrapUp {
        /// Who.
        agent: AgentId,
        /// How much more time; none ends it.
        more: Option<Duration>,
    },
    /// Tell what a call came to. Whoever asks has seen to it that there is such a call, and that
    /// its queue has such a code.
    WrappedUp {
        /// The call, which may be over.
        call: CallId,
        /// What it came to.
        wrap_up: WrapUp,
    },
    /// Tell what a program knows about a call that is up.
    Tell {
        /// Which.
        call: CallId,
        /// All of it, by name.
        known: BTreeMap<String, String>,
    },
    /// Put an agent into a state.
    SetAgentState {
        /// Which.
        agent: AgentId,
        /// The state; only those an agent can choose are accepted.
        state: AgentState,
        /// Why, for reports.
        reason: Option<String>,
    },
}

/// What a request is answered with.
#[derive(Clone, Debug)]
pub enum ApiReply {
    /// To [`ApiRequest::ListLive`].
    Calls(Vec<LiveCall>),
    /// To [`ApiRequest::Call`].
    Call(Box<LiveCall>),
    /// To [`ApiRequest::Originate`] and [`ApiRequest::PickUp`]: the call has begun.
    Originated(CallId),
    /// To [`ApiRequest::Supervise`]: the supervisor's leg rings.
    Rings(LegId),
    /// To [`ApiRequest::EndCall`], [`ApiRequest::Transfer`], [`ApiRequest::Hold`] and
    /// [`ApiRequest::SetAgentState`]: it is being done.
    Accepted,
    /// To [`ApiRequest::Capture`]: it runs. The legs so far.
    Capturing(Vec<CapturedLeg>),
    /// To [`ApiRequest::Digits`].
    Digits(CallDigits),
    /// To [`ApiRequest::Ladder`].
    Ladder(Vec<LadderEntry>),
    /// To [`ApiRequest::Why`].
    Why(Vec<DecisionEntry>),
    /// To [`ApiRequest::Agents`].
    Agents(Vec<AgentSnapshot>),
    /// To [`ApiRequest::Queues`].
    Queues(Vec<QueueSnapshot>),
    /// To [`ApiRequest::Forward`].
    Forward(Forward),
    /// To [`ApiRequest::MessagesWaiting`].
    MessagesWaiting(Waiting),
    /// To [`ApiRequest::SipToken`].
    SipToken(SipToken),
    /// To [`ApiRequest::RefusedCalls`].
    RefusedCalls(Vec<RefusedCall>),
    /// To [`ApiRequest::Trunks`].
    Trunks(Vec<TrunkView>),
}

/// What a call came to, as the agent says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WrapUp {
    /// The agent who had the call.
    pub agent: AgentId,
    /// The queue, whose code it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueId>,
    /// One of the queue's codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Who says so, if it is not the agent: the key's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Keys to press: they may be a secret, and `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys(pub String);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(***)")
    }
}

/// What an agent's page registers with.
#[derive(Clone, Debug)]
pub struct SipToken {
    /// Its name and password, and until when they are good.
    pub token: sip::digest::Token,
    /// The tenant's domain: the realm, and the host of the agent's address.
    pub domain: String,
    /// What people call the agent.
    pub display_name: String,
}

/// What is to be captured of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaptureWish {
    /// The capture, as whoever keeps it knows it.
    pub capture: CaptureId,
    /// One side alone; every leg, also those that come later, if absent.
    pub leg: Option<Side>,
    /// What far ends send.
    pub received: bool,
    /// What they are sent.
    pub sent: bool,
    /// Whole packets; else of RTP the headers alone.
    pub payload: bool,
    /// Whose wish it is, for the event.
    pub by: String,
}

/// A leg that is captured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CapturedLeg {
    /// The leg.
    pub leg: LegId,
    /// Which side it is.
    pub kind: LegKind,
    /// Our RTP address towards it.
    pub local: std::net::SocketAddr,
}

/// A side of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Whoever is no agent; the one called, if both are.
    Customer,
    /// The agent.
    Agent,
    /// Whoever is on that leg.
    Leg(LegId),
}

/// What callers have pressed for the call's own use. It is secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct CallDigits {
    /// What flows have collected, by name.
    pub attributes: Vec<(String, String)>,
    /// What secured sides have pressed.
    pub secured: Vec<SecuredDigits>,
}

/// What a secured side has pressed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecuredDigits {
    /// Its leg.
    pub leg: LegId,
    /// Whether it is still secured.
    pub is_on: bool,
    /// What it pressed since it was.
    pub digits: String,
}

impl std::fmt::Debug for CallDigits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CallDigits({} attributes, {} sides)", self.attributes.len(), self.secured.len())
    }
}

impl std::fmt::Debug for SecuredDigits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecuredDigits({:?})", self.leg)
    }
}

/// A call that was refused before it was any tenant's.
#[derive(Clone, Debug)]
pub struct RefusedCall {
    /// Its name; nothing else has it.
    pub id: CallId,
    /// When the INVITE came.
    pub at: UnixTime,
    /// Where from.
    pub source: std::net::SocketAddr,
    /// The trunk of that source, if it is one's.
    pub trunk: Option<TrunkId>,
    /// The user of From.
    pub from: String,
    /// What was dialled.
    pub to: String,
    /// The SIP status it was refused with.
    pub status: u16,
    /// What came and what was answered.
    pub ladder: Vec<LadderEntry>,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The tenant has no such call, agent or queue (whether another tenant has is not told).
    #[error("not found")]
    NotFound,
    /// It cannot be done in the state things are in.
    #[error("{0}")]
    Conflict(String),
    /// The call that was asked for is not made.
    #[error("{reason}")]
    Refused {
        /// Why, as a call's record would say.
        cause: Cause,
        /// In a sentence.
        reason: String,
    },
}

/// A call that the API wants made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Originate {
    /// The agent, whose dial policy and caller id hold.
    pub agent: AgentId,
    /// Whom to call, as the agent would dial it.
    pub to: String,
    /// Who is rung first.
    pub first: First,
    /// The number that the one called sees: one of the tenant's own. The agent's if absent.
    pub caller_id: Option<String>,
    /// How long the first may take to answer, in seconds; 45 if absent.
    pub timeout_s: Option<u32>,
    /// What is done when a machine answers outside; nobody listens if absent.
    pub answering_machine: Option<AnsweringMachine>,
}

/// Listening to who answers a call outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnsweringMachine {
    /// What is done when it is a machine.
    pub action: MachineAction,
    /// Whether the agent is rung only when it is known who has answered, where the customer is
    /// called first.
    pub wait: bool,
    /// What decides it.
    pub times: AnswerTimes,
    /// How long after the answer a machine is waited for, its message included.
    pub longest: Duration,
}

/// What is done when a machine has answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MachineAction {
    /// It is told.
    Detect,
    /// The call is ended.
    HangUp,
    /// After its beep, or when its greeting is over, it hears a prompt; then the call is ended.
    LeaveMessage {
        /// Which.
        prompt: PromptId,
    },
}

/// Whom the API's call rings first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum First {
    /// The agent: the customer's phone rings when somebody is there to talk.
    #[default]
    Agent,
    /// The customer.
    Customer,
}

/// Where a call that is up stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveState {
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
    /// Hung up; the last messages and figures are coming in.
    Ending,
}

impl LiveState {
    /// As the API spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Flow => "flow",
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::Connected => "connected",
            Self::Ending => "ending",
        }
    }
}

/// A call that is up.
#[derive(Clone, Debug, Serialize)]
pub struct LiveCall {
    /// The call.
    pub id: CallId,
    /// Where it stands.
    pub state: LiveState,
    /// Which way it goes.
    pub direction: CallDirection,
    /// The trunk it came in on, or goes out over.
    pub trunk: Option<TrunkId>,
    /// The caller's number or name.
    pub from: String,
    /// What was dialled.
    pub to: String,
    /// The last queue it waited in.
    pub queue: Option<QueueId>,
    /// The agent who rings or talks.
    pub agent: Option<AgentId>,
    /// When the INVITE came.
    pub started_at: UnixTime,
    /// When we answered.
    pub answered_at: Option<UnixTime>,
    /// When caller and agent were joined.
    pub connected_at: Option<UnixTime>,
    /// How long it has been up, in milliseconds.
    pub duration_ms: u64,
    /// The recording that runs, if one does.
    pub recording: Option<RecordingId>,
    /// When it goes on by itself, while nothing is recorded because somebody wanted that.
    pub paused_until: Option<UnixTime>,
    /// Whether somebody in it hears music in place of the others.
    pub held: bool,
    /// Its legs that ring or are up, the caller's first.
    pub legs: Vec<LiveLeg>,
}

/// A leg that rings or is up.
#[derive(Clone, Debug, Serialize)]
pub struct LiveLeg {
    /// The leg.
    pub leg: LegId,
    /// Which side it is.
    pub kind: LegKind,
    /// The agent, on an agent's leg.
    pub agent: Option<AgentId>,
    /// The trunk, on a leg from or to outside.
    pub trunk: Option<TrunkId>,
    /// The number or name of whoever is on it.
    pub number: String,
    /// Whether it has been answered; it rings if not.
    pub answered: bool,
    /// How a supervisor takes part, on a supervisor's leg.
    pub mode: Option<Supervision>,
    /// Whether what it says is heard by nobody.
    pub muted: bool,
    /// Whether it hears music in place of the others.
    pub held: bool,
    /// Whether its phone holds the others.
    pub holds: bool,
    /// The codec it speaks, if it got that far.
    #[serde(skip)]
    pub codec: Option<Codec>,
    /// What its audio is encrypted with; `None` is in the clear.
    #[serde(skip)]
    pub srtp: Option<Profile>,
    /// What its stream has seen so far, some seconds old at most.
    #[serde(skip)]
    pub stats: Option<Box<StreamStats>>,
    /// How it fared so far, in the order of time.
    #[serde(skip)]
    pub quality: Vec<QualitySample>,
}
