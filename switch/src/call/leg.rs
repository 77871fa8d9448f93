//! A leg: one dialog and one media stream of a call (RFC 3261 §12), and where each of the two
//! stands.

use base::{AgentId, CallId, Instant, LegId, TrunkId};
use bytes::Bytes;
use media::sdp::{Description, LocalKeys};
use media::srtp::SrtpKeys;
use media::{Codec, DigitWays, Masking, RemoteMedia};
use sip::{
    ClientTx, Dialog, DialogId, Flow, Message, Request, ServerTx, SessionTimer, SessionTimerConfig,
    UriBuf,
};

use super::digits::Digits;
use super::far_end::FarEnd;
use super::keys::Secured;
use super::one_codec::FarCodecs;
use super::quality::Live;
use super::refresh::Refreshing;
use super::reliable::{Early, Reliably};
use super::stream::Stream;
use super::terms::Terms;
use super::watchdog::AudioWatch;
use super::web::Web;
use crate::index::LegRef;
use crate::node::Node;
use crate::record::{LegKind, LegRecord};

/// One leg of a call.
pub(super) struct Leg {
    pub(super) id: LegId,
    pub(super) role: Role,
    pub(super) signalling: Signalling,
    pub(super) stream: Stream,
    /// Whether we called it.
    pub(super) called: bool,
    /// Its number, when the call does not say: that of a leg that came from another one.
    pub(super) number: Option<String>,
    /// What our SDP says of itself (RFC 8866 §5.2); the version counts our descriptions.
    pub(super) origin_id: u64,
    pub(super) version: u64,
    /// The far end's media, once negotiated.
    pub(super) remote: Option<RemoteMedia>,
    /// What else its description says of codecs.
    pub(super) far_codecs: FarCodecs,
    /// The keys of its encryption, if it is encrypted.
    pub(super) srtp: Option<Box<SrtpKeys>>,
    /// What it has for browsers; nothing once it is known to be none.
    pub(super) web: Option<Box<Web>>,
    /// What may be negotiated, and what we would encrypt with.
    pub(super) terms: Terms,
    pub(super) keys: LocalKeys,
    /// The codec that its offer would give, before anything is negotiated.
    pub(super) prefers: Option<Codec>,
    /// Its Call-IDs: one, or one for each phone that was rung.
    pub(super) sip_calls: Vec<Box<str>>,
    /// INVITEs that were given up, and BYEs to phones that answered them all the same: their end
    /// is still to come.
    pub(super) strays: Vec<ClientTx>,
    /// Its session timer, when that is due, and our refresh that is out.
    pub(super) timer: SessionTimer,
    pub(super) timer_due: Option<Instant>,
    pub(super) refreshing: Option<Refreshing>,
    /// Responses to its INVITE that must arrive.
    pub(super) reliably: Option<Box<Reliably>>,
    /// The dialog that our first provisional response to its INVITE made.
    pub(super) early: Option<DialogId>,
    /// The digits that it sends on.
    pub(super) digits: Digits,
    /// Whether it is a supervisor's.
    pub(super) supervises: bool,
    /// What it says is heard by nobody.
    pub(super) muted: bool,
    /// It is kept out of the conversation, and hears music.
    pub(super) aside: bool,
    /// Its side of the recording that runs.
    pub(super) side: Option<media::Channel>,
    /// How its audio fares, and whether it talks.
    pub(super) live: Live,
    /// Whether its audio comes.
    pub(super) watch: AudioWatch,
    /// Whether it has sent digits by INFO.
    pub(super) sends_info: bool,
    /// What the plane knows of how keys are exchanged with it, and keeps back of it.
    pub(super) ways: DigitWays,
    pub(super) masking: Masking,
    /// What it keeps to itself.
    pub(super) secured: Secured,
}

/// Which side a leg is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Whoever called in over this trunk.
    Caller(TrunkId),
    /// An agent of the tenant.
    Agent(AgentId),
    /// A number outside that we call over this trunk.
    Trunk(TrunkId),
}

impl Role {
    /// The trunk that it is behind.
    pub(super) fn trunk(&self) -> Option<&TrunkId> {
        match self {
            Self::Caller(trunk) | Self::Trunk(trunk) => Some(trunk),
            Self::Agent(_) => None,
        }
    }
}

/// Where a leg's dialog stands.
pub(super) enum Signalling {
    /// The peer's INVITE waits for our final response.
    Invited { tx: ServerTx, flow: Flow, invite: Message, pending: Box<Pending> },
    /// The peer's INVITE was refused; its ACK is still to come by.
    Refused,
    /// Our INVITEs wait for our own media port.
    Preparing { targets: Vec<Target> },
    /// Our INVITEs are out.
    Ringing(Forks),
    /// The dialog is up.
    Up(Established),
    /// Our BYE is out.
    Leaving { bye: ClientTx, dialog: Box<Dialog>, flow: Flow },
    /// Nothing more is to come.
    Gone,
}

/// What our responses to a peer's INVITE are made of.
pub(super) struct Pending {
    /// Our tag, the same in all of them.
    pub(super) tag: String,
    /// Its offer; `None` if we are to make one.
    pub(super) offer: Option<Description>,
    /// Our answer, if a provisional response has carried it: the final one repeats it.
    pub(super) early: Option<Bytes>,
    /// The highest CSeq of its requests in the early dialog.
    pub(super) cseq: u32,
}

impl Pending {
    pub(super) const fn new(tag: String) -> Self {
        Self { tag, offer: None, early: None, cseq: 0 }
    }
}

/// A phone to be rung: a binding's contact, and the flow it registered over.
pub(super) struct Target {
    pub(super) contact: UriBuf,
    pub(super) flow: Flow,
    /// The Route that leads there, for a phone behind a proxy (RFC 3327 §5.1).
    pub(super) path: Option<Box<str>>,
}

/// The INVITEs to the phones of one agent, or the one to a trunk.
#[derive(Default)]
pub(super) struct Forks {
    pub(super) invites: Vec<Fork>,
    /// Whether a phone has said that it rings.
    pub(super) rings: bool,
    /// The most telling refusal so far, if all should refuse.
    pub(super) refused: Option<FarEnd>,
}

/// One INVITE to one phone.
pub(super) struct Fork {
    pub(super) tx: ClientTx,
    pub(super) flow: Flow,
    pub(super) invite: Request,
    /// What it offered.
    pub(super) offer: Bytes,
    /// What its provisional responses have made.
    pub(super) early: Early,
}

/// A dialog that is up.
pub(super) struct Established {
    pub(super) dialog: Box<Dialog>,
    /// The flow that requests within it go out over.
    pub(super) flow: Flow,
    pub(super) ack: Ack,
}

/// Whether a 2xx of ours to the peer's INVITE has been confirmed (RFC 3261 §13.3.1.4).
pub(super) enum Ack {
    /// No INVITE of the peer's is open.
    Confirmed,
    /// The ACK is still to come.
    Awaited {
        tx: ServerTx,
        /// Our offer, when the INVITE had none: the ACK carries the answer.
        offer: Option<Bytes>,
        /// Hang up as soon as it has come: no BYE may overtake it (RFC 3261 §15).
        then_bye: bool,
        /// Whether the INVITE made the dialog; after a later one nothing keeps a BYE back.
        first: bool,
    },
}

impl Signalling {
    /// The flow of the one peer there is, if there is one.
    pub(super) fn flow(&self) -> Option<Flow> {
        match self {
            Self::Invited { flow, .. } | Self::Leaving { flow, .. } => Some(*flow),
            Self::Up(up) => Some(up.flow),
            Self::Refused | Self::Preparing { .. } | Self::Ringing(_) | Self::Gone => None,
        }
    }
}

impl Leg {
    pub(super) fn new(node: &mut Node, role: Role, terms: Terms, signalling: Signalling) -> Self {
        Self {
            id: node.next_leg(),
            role,
            signalling,
            stream: Stream::None,
            called: false,
            number: None,
            origin_id: u64::from(node.rng.next_u32()),
            version: 0,
            remote: None,
            far_codecs: FarCodecs::default(),
            srtp: None,
            web: None,
            terms,
            keys: LocalKeys::draw(&mut node.rng),
            prefers: None,
            sip_calls: Vec::new(),
            strays: Vec::new(),
            timer: SessionTimer::new(SessionTimerConfig::default()),
            timer_due: None,
            refreshing: None,
            reliably: None,
            early: None,
            digits: Digits::default(),
            supervises: false,
            muted: false,
            aside: false,
            side: None,
            live: Live::default(),
            watch: AudioWatch::default(),
            sends_info: false,
            ways: DigitWays::default(),
            masking: Masking::Off,
            secured: Secured::default(),
        }
    }

    /// The codec to offer to whoever is to hear it.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.remote.map(|remote| remote.codec).or(self.prefers)
    }

    /// Whether an offer of ours is on its way, to be answered by an ACK.
    pub(super) fn awaits_answer(&mut self) -> bool {
        let Signalling::Up(up) = &self.signalling else { return false };
        matches!(up.ack, Ack::Awaited { offer: Some(_), .. })
    }

    /// Whether its last description says that it wants to hear nothing: it holds who talks to it.
    pub(super) fn holds(&self) -> bool {
        self.remote.is_some_and(|remote| !remote.direction.receives())
    }

    /// Whether its dialog is up, or being made.
    pub(super) fn is_up(&self) -> bool {
        !matches!(
            self.signalling,
            Signalling::Refused | Signalling::Leaving { .. } | Signalling::Gone
        )
    }

    /// Whether neither SIP nor media have anything more to say about it.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.signalling, Signalling::Gone)
            && self.stream.is_done()
            && self.strays.is_empty()
    }

    /// Whether nothing was ever done with it.
    pub(super) fn is_unused(&self) -> bool {
        self.is_done() && self.sip_calls.is_empty() && matches!(self.stream, Stream::None)
    }

    /// Takes part in the ladder of its call under this Call-ID.
    pub(super) fn name(&mut self, node: &mut Node, call: CallId, sip_call: &str) {
        node.index.sip_calls.insert(sip_call.into(), call);
        self.sip_calls.push(sip_call.into());
    }

    /// No longer, nor does it depend on any connection.
    pub(super) fn forget_names(&mut self, node: &mut Node, call: CallId) {
        node.index.forget_leg(LegRef { call, leg: self.id });
        for sip_call in self.sip_calls.drain(..) {
            node.index.sip_calls.remove(&sip_call);
        }
        for stray in self.strays.drain(..) {
            node.index.clients.remove(&stray);
        }
    }

    /// Which side it is, as records say.
    pub(super) fn kind(&self) -> LegKind {
        match &self.role {
            Role::Agent(_) if self.supervises => LegKind::Supervisor,
            Role::Caller(_) => LegKind::Caller,
            Role::Agent(_) => LegKind::Agent,
            Role::Trunk(_) => LegKind::Trunk,
        }
    }

    /// For the call's record; `None` for a leg that was called and never got media.
    pub(super) fn record(&self) -> Option<LegRecord> {
        let (kind, (agent, trunk)) = (self.kind(), self.role.names());
        let codec = self.remote.map(|remote| remote.codec);
        if kind != LegKind::Caller && codec.is_none() || matches!(self.stream, Stream::None) {
            return None;
        }
        let stats = self.stream.stats();
        let by_dtls = self.web.as_ref().and_then(|web| web.profile);
        let srtp = self.srtp.as_ref().map(|keys| keys.ours.profile()).or(by_dtls);
        let audio = self.watch.losses();
        let quality = self.live.history.samples();
        Some(LegRecord { leg: self.id, kind, agent, trunk, codec, srtp, stats, quality, audio })
    }
}

impl Role {
    /// Its agent and its trunk, as events name them.
    pub(super) fn names(&self) -> (Option<AgentId>, Option<TrunkId>) {
        match self {
            Self::Agent(agent) => (Some(agent.clone()), None),
            Self::Caller(trunk) | Self::Trunk(trunk) => (None, Some(trunk.clone())),
        }
    }

    /// The agent whose leg it is.
    pub(super) fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Agent(agent) => Some(agent),
            Self::Caller(_) | Self::Trunk(_) => None,
        }
    }
}
