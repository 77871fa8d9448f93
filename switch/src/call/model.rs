//! What a call is made of: who began it, where it stands, who talks with whom.

use std::collections::VecDeque;
use std::fmt;

use base::{AgentId, Duration, Instant, LegId, QueueId, RecordingId, TrunkId};
use media::{PlayId, TapId};
use routing::{Destination, Dialled};

use super::collect::Collecting;
use super::hold::Held;
use super::leg::Role;
use super::listening::Waiting;
use super::takeover::Target;
use super::{ending, setup};
use crate::paths::PathId;
use crate::record::CallDirection;

/// Who began a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Somebody outside, over a trunk.
    Inbound {
        /// Which.
        trunk: TrunkId,
    },
    /// An agent, from a phone of theirs.
    Agent {
        /// Who.
        agent: AgentId,
    },
    /// The API.
    Api,
}

impl Origin {
    /// The trunk it came in on.
    pub(crate) fn trunk(&self) -> Option<&TrunkId> {
        match self {
            Self::Inbound { trunk } => Some(trunk),
            Self::Agent { .. } | Self::Api => None,
        }
    }

    /// The agent whose phone began it.
    pub(crate) fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Agent { agent } => Some(agent),
            Self::Inbound { .. } | Self::Api => None,
        }
    }

    /// Which way the call goes, as far as its beginning says so: an agent's call is internal until
    /// it goes outside.
    pub(crate) fn direction(&self) -> CallDirection {
        match self {
            Self::Inbound { .. } => CallDirection::Inbound,
            Self::Agent { .. } => CallDirection::Internal,
            Self::Api => CallDirection::Outbound,
        }
    }
}

/// Whose INVITE begins a call, as it has been proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inviter {
    /// A trunk's.
    Trunk(TrunkId),
    /// An agent's phone's.
    Agent(AgentId),
}

impl Inviter {
    pub(super) fn origin(&self) -> Origin {
        match self.clone() {
            Self::Trunk(trunk) => Origin::Inbound { trunk },
            Self::Agent(agent) => Origin::Agent { agent },
        }
    }

    /// Whose the caller's leg is.
    pub(super) fn role(&self) -> Role {
        match self.clone() {
            Self::Trunk(trunk) => Role::Caller(trunk),
            Self::Agent(agent) => Role::Agent(agent),
        }
    }
}

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    /// The number, or the name where there is no number.
    pub(super) number: String,
    /// The display name, if one was given.
    pub(super) display: String,
}

impl Party {
    /// The display name; none if it is empty.
    pub(super) fn name(&self) -> Option<String> {
        (!self.display.is_empty()).then(|| self.display.clone())
    }
}

/// Where a call stands.
pub(super) enum Stage {
    /// The caller's media port is being opened; nothing has been answered.
    Opening(setup::Opening),
    /// Answered without knowing the caller's media: the ACK brings it.
    AwaitingMedia { pickup: Option<Target> },
    /// Answered, and on its way to a step of the flow; never for longer than one input.
    BetweenSteps,
    /// The caller hears a prompt of the flow.
    Prompt { step: usize, play: PlayId },
    /// The caller is asked for digits.
    Collecting(Box<Collecting>),
    /// The caller waits, and hears music.
    Queued { step: usize, queue: QueueId, announced: bool },
    /// An agent rings; the caller hears music.
    Ringing { step: usize, queue: QueueId, ring: Ring },
    /// Somebody is called directly ([`Dial`]); the caller waits for that, answered or not.
    Dialling,
    /// The API's call: its first leg has answered, and it is listened to who that is.
    Listening(Waiting),
    /// They talk.
    Connected { talk: Talk },
    /// Hung up; the last responses and figures are being waited for.
    Ending(ending::Ending),
}

/// An agent being rung for a queue.
pub(super) struct Ring {
    pub(super) agent: AgentId,
    pub(super) leg: LegId,
}

/// A conversation between the caller's leg and another one.
pub(super) struct Talk {
    /// The other one.
    pub(super) leg: LegId,
    /// Whose it is.
    pub(super) with: Role,
    /// Whether a queue brought them together: the router waits to hear that it is over.
    pub(super) of_queue: bool,
    pub(super) recording: Recording,
    /// Who holds whom.
    pub(super) held: Held,
}

/// Whether a conversation is recorded.
pub(super) enum Recording {
    Off,
    On { recording: RecordingId, tap: TapId },
}

/// Who is called directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// An agent.
    Agent(AgentId),
    /// A number outside.
    Outside(Destination),
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(agent) => agent.fmt(f),
            Self::Outside(to) => to.fmt(f),
        }
    }
}

/// A direct call under way.
pub(super) struct Dial {
    pub(super) goal: Goal,
    /// Who the one called is shown, if not the call's caller.
    pub(super) from: Option<Party>,
    /// The leg that is rung now.
    pub(super) leg: Option<LegId>,
    /// The trunk it is rung over.
    pub(super) trunk: Option<TrunkId>,
    /// The trunks that may be tried after it.
    pub(super) trunks: VecDeque<TrunkId>,
    /// The way to the trunk that is looked for or used.
    pub(super) path: Option<PathId>,
    /// Host and port of the trunk's server that a redirection named: it is asked first.
    pub(super) server: Option<(String, Option<u16>)>,
    /// Whether the far end has said that it rings, or has been heard.
    pub(super) alerting: bool,
    /// Whether the caller hears it already.
    pub(super) heard: bool,
    /// Whether the caller hears our ringing tone.
    pub(super) tone: bool,
    /// When ringing is given up.
    pub(super) until: Option<Instant>,
    /// For how long it may ring, if not as long as usual.
    pub(super) most: Option<Duration>,
    /// How often the call was sent on.
    pub(super) forwards: u8,
    pub(super) then: Then,
}

impl Dial {
    pub(super) fn new(goal: Goal, then: Then) -> Self {
        Self {
            goal,
            from: None,
            leg: None,
            trunk: None,
            trunks: VecDeque::new(),
            path: None,
            server: None,
            alerting: false,
            heard: false,
            tone: false,
            until: None,
            most: None,
            forwards: 0,
            then,
        }
    }
}

impl Then {
    /// Whether the leg that is rung is the call's first: the API began it.
    pub(super) fn is_first(&self) -> bool {
        matches!(self, Self::Dial(_) | Self::TakeOver(_))
    }
}

/// What comes after a direct call.
#[derive(Default)]
pub(super) enum Then {
    /// It is all there is to the call: caller and called talk, or it ends.
    #[default]
    Join,
    /// It is a step of a flow: if nobody takes it, the next one follows.
    Step(usize),
    /// The API's call: this was its first leg; that is dialled next.
    Dial(Dialled),
    /// The API's call: its first leg takes the place of that one.
    TakeOver(Target),
    /// Somebody is called in place of one who talks, whose conversation stands meanwhile.
    Beside,
    /// Somebody else is to join a conversation, which goes on meanwhile.
    Guest,
}
