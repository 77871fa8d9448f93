//! What goes into a switch and what comes out of it.

use std::net::SocketAddr;
use std::sync::Arc;

use base::{CallId, Instant, RecordingId, TenantId, TrunkId, UnixTime};
use bytes::Bytes;
use media::{TapId, WorkerId};
use routing::Directory;

use crate::{AgentSettings, ApiError, ApiReply, ApiRequest, CallRecord, Event, Prompts, RequestId};

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// A datagram, or one framed message of a stream.
    Received {
        /// Where from.
        flow: sip::Flow,
        /// The message.
        bytes: Bytes,
    },
    /// Something came over a flow that is no message: a keep-alive of the peer's, which the driver
    /// has answered, or the answer to one of ours.
    KeepAlive {
        /// Which.
        flow: sip::Flow,
        /// The answer, if it is one.
        answer: Option<sip::stun::Answer>,
    },
    /// A connection closed, or a datagram could not be sent.
    FlowClosed {
        /// Which.
        flow: sip::Flow,
    },
    /// The names in the client certificate of a connection, verified; before its first message.
    FlowIdentity {
        /// The connection.
        flow: sip::Flow,
        /// The names.
        names: Vec<String>,
    },
    /// The domain name system answers.
    Dns(sip::resolve::Answer),
    /// What came of [`Output::Connect`].
    Connected {
        /// Which.
        id: ConnectId,
        /// The way there, or why there is none.
        result: Result<sip::Flow, String>,
    },
    /// Who certifies those that sign caller numbers. Without any nothing is verified.
    StirRoots(sip::stir::Roots),
    /// What came of [`Output::Fetch`].
    Fetched {
        /// Which.
        url: String,
        /// What was there and for how long it holds, or why there is nothing.
        result: Result<(Bytes, base::Duration), String>,
    },
    /// A media worker reports.
    Media {
        /// Which.
        worker: WorkerId,
        /// What.
        event: media::Event,
    },
    /// A media worker has ended: nothing that it was told and has not confirmed is obeyed.
    MediaGone {
        /// Which.
        worker: WorkerId,
    },
    /// New provisioning. Calls that are up keep what they started with.
    Provision {
        /// Who has which number, flow, queue.
        directory: Arc<Directory>,
        /// Their prompts.
        prompts: Arc<Prompts>,
        /// The last event number each tenant's log already has; read only for tenants not seen
        /// before.
        last_sequence: Vec<(TenantId, u64)>,
    },
    /// What agents' phones were set to when the engine stopped; once, after the first
    /// [`Input::Provision`].
    Settings(Vec<AgentSettings>),
    /// How busy the driver is: 100 when it does all it can, 200 when it falls behind.
    Load {
        /// In percent.
        percent: u32,
    },
    /// The API asks.
    Request {
        /// Comes back in the reply.
        id: RequestId,
        /// On whose behalf.
        tenant: TenantId,
        /// What.
        request: ApiRequest,
    },
    /// The recorder reports.
    Recording(RecordingReport),
    /// Refuse new calls from now on; calls that are up go on.
    Drain,
    /// The drain's deadline has passed: end the calls that are up.
    EndCalls,
}

/// Names an [`Output::Connect`] until its answer. Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnectId(pub u64);

/// What became of a recording.
#[derive(Clone, Debug)]
pub struct RecordingReport {
    /// Whose.
    pub tenant: TenantId,
    /// Of which call.
    pub call: CallId,
    /// Which.
    pub recording: RecordingId,
    /// What became of it.
    pub outcome: RecordingOutcome,
}

/// What became of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingOutcome {
    /// It is whole in the object store.
    Completed {
        /// Its length in milliseconds.
        duration_ms: u64,
        /// Its stored size in bytes.
        bytes: u64,
        /// Where it is.
        location: String,
        /// Silence in place of frames we dropped ourselves, in milliseconds.
        gaps_ms: u64,
    },
    /// It could not be kept.
    Failed {
        /// Why.
        why: String,
    },
}

/// One thing to do, in order.
#[derive(Debug)]
pub enum Output {
    /// Send this message.
    Transmit {
        /// Where to.
        flow: sip::Flow,
        /// The message.
        bytes: Bytes,
    },
    /// Ask the domain name system; [`Input::Dns`] answers, in its own time.
    Dns {
        /// What.
        question: sip::resolve::Question,
    },
    /// Find a way to a hop: for datagrams the socket that reaches it, for streams a live connection
    /// to it with the same identity (RFC 5923) or else a new one. [`Input::Connected`] answers.
    Connect {
        /// Comes back in the answer.
        id: ConnectId,
        /// Where to.
        hop: sip::resolve::Hop,
        /// Whose client certificate to show, if the peer asks for one.
        identity: Option<TrunkId>,
    },
    /// Fetch a certificate by HTTP: from no network of our own, within 2 s, 64 kB at most.
    /// [`Input::Fetched`] answers.
    Fetch {
        /// An `https` URL.
        url: String,
    },
    /// Tell a media worker.
    Media {
        /// Which.
        worker: WorkerId,
        /// What.
        command: media::Command,
    },
    /// Tell the recorder.
    Record(RecordCommand),
    /// Keep this for the next start: all that an agent's phone is set to.
    Settings(Box<AgentSettings>),
    /// Append to the tenant's log.
    Event(Event),
    /// A call is over: exactly one per call, just before its `call.ended`.
    CallEnded(Box<CallRecord>),
    /// Answer the API.
    Reply {
        /// Which request.
        id: RequestId,
        /// The answer.
        reply: Result<ApiReply, ApiError>,
    },
    /// Somebody did what they should not.
    Security(SecurityEvent),
}

/// What the recorder is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordCommand {
    /// Record what comes through this tap.
    Start {
        /// Whose.
        tenant: TenantId,
        /// Which call.
        call: CallId,
        /// The recording's name.
        recording: RecordingId,
        /// The tap its frames come through.
        tap: TapId,
        /// When it starts.
        at: UnixTime,
        /// The same on the clock that frames are stamped with.
        now: Instant,
    },
    /// What is said from here on is not recorded; the recording's time goes on.
    Pause {
        /// The recording.
        recording: RecordingId,
        /// Its tap.
        tap: TapId,
        /// Since when.
        now: Instant,
    },
    /// It is recorded again.
    Resume {
        /// The recording.
        recording: RecordingId,
        /// Its tap.
        tap: TapId,
        /// From when on.
        now: Instant,
    },
    /// No more frames come.
    Stop {
        /// The recording.
        recording: RecordingId,
        /// Its tap.
        tap: TapId,
    },
}

/// Somebody did what they should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityEvent {
    /// When.
    pub at: UnixTime,
    /// What.
    pub kind: SecurityKind,
    /// Where it came from, as far as the transport can tell.
    pub source: SocketAddr,
    /// Whose number, agent or domain it was about, when that is known.
    pub tenant: Option<TenantId>,
    /// How often: 1 the first time, at once; what follows within a minute is one event then.
    pub count: u64,
}

/// What somebody did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum SecurityKind {
    /// A call from an address that is no trunk.
    StrangerCall,
    /// A call to a number that nobody has.
    UnknownNumber,
    /// A registration with a wrong password, an unknown name or an unknown domain.
    WrongCredentials,
    /// A registration for a name other than the one that was proven.
    ForeignRegistration,
    /// A call over a tenant's limit.
    OverLimit,
    /// Audio to a call's port from somebody who is not in the call; nobody heard it.
    MediaStranger,
    /// A request other than a call from somebody who may not make it.
    StrangerRequest,
    /// An agent's request in another's name.
    ForgedIdentity,
    /// A request within a dialog that came from elsewhere than its peer.
    DialogHijack,
    /// So many wrong passwords that no more are looked at for a while.
    Guessing,
    /// More requests than a source may send; they were dropped.
    Flood,
    /// New calls turned away because there was too much to do.
    Overload,
    /// A call that had gone round too often.
    Loop,
    /// A call without a valid signature over a trunk whose calls must have one.
    UnsignedCall,
}

impl SecurityKind {
    /// As logs and metrics spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StrangerCall => "stranger_call",
            Self::UnknownNumber => "unknown_number",
            Self::WrongCredentials => "wrong_credentials",
            Self::ForeignRegistration => "foreign_registration",
            Self::OverLimit => "over_limit",
            Self::MediaStranger => "media_stranger",
            Self::StrangerRequest => "stranger_request",
            Self::ForgedIdentity => "forged_identity",
            Self::DialogHijack => "dialog_hijack",
            Self::Guessing => "guessing",
            Self::Flood => "flood",
            Self::Overload => "overload",
            Self::Loop => "loop",
            Self::UnsignedCall => "unsigned_call",
        }
    }
}

/// Whose deadline is next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// When to send a SIP message again, or give up on one.
    Transaction,
    /// When a binding expires.
    Binding,
    /// When the router moves on.
    Router,
    /// When a request's next hop is tried.
    Path,
    /// When a trunk is probed, or registered.
    Trunk,
    /// When a call that has ended stops waiting for its last messages.
    Call,
    /// When what strangers did for a minute is told.
    Security,
    /// When a subscription is over.
    Subscription,
    /// When a message has not been answered in time.
    Message,
}
