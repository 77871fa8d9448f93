//! What a provisioning file says of agents: who they are, where their calls go, whom they may dial.

use base::{AgentId, SkillId};
use serde::{Deserialize, Serialize};

use super::{Dtmf, Encryption, Supervises, is_default, is_false, is_true, yes};
use crate::Secret;

/// A person who takes calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Its name, and the user part of its address: `alice` in `sip:alice@acme.example`.
    pub id: AgentId,
    /// What people call them; the id if empty.
    #[serde(default)]
    pub name: String,
    /// What its phone registers with.
    pub password: Secret,
    /// What it can do.
    #[serde(default)]
    pub skills: Vec<SkillId>,
    /// Whether registering makes it available. If not, it says so itself.
    #[serde(default)]
    pub available_on_register: bool,
    /// Seconds of wrap-up after each call, instead of the queue's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrap_up_s: Option<u32>,
    /// Whether its phone registers only from the engine's own machine: for trials, whose passwords
    /// everybody knows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub loopback_only: bool,
    /// What a keypad dials for them: 2 to 8 digits; in one plan with the queues' extensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Where calls to them go instead.
    #[serde(default, skip_serializing_if = "Forward::is_none")]
    pub forward: Forward,
    /// Whether a direct call rings them while they are on a call; if not, they are busy.
    #[serde(default, skip_serializing_if = "is_false")]
    pub call_waiting: bool,
    /// The number that those they call are shown; the tenant's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<String>,
    /// The codecs of their phones, best first; as the tenant says if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codecs: Vec<String>,
    /// Whether the audio of their phones is encrypted; as the tenant says if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// How keys are exchanged with their phones.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dtmf: Dtmf,
    /// Whether their phones may send, and get, comfort noise in place of silence (RFC 3389).
    #[serde(default, skip_serializing_if = "is_false")]
    pub comfort_noise: bool,
    /// Whether their phones may be sent an offer in a conversation, once, so that nothing has to be
    /// converted.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub avoid_transcoding: bool,
    /// Whom they may dial, within the tenant's limits. Emergency numbers always.
    #[serde(default, skip_serializing_if = "DialPolicy::is_everything")]
    pub may_dial: DialPolicy,
    /// The groups of whose agents each may pick up the calls that ring another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pickup_groups: Vec<String>,
    /// Whose conversations they may listen to, whisper into and join as a supervisor.
    #[serde(default, skip_serializing_if = "Supervises::is_nothing")]
    pub supervises: Supervises,
}

impl Agent {
    /// An agent of whom only name and password are said: every other key as if left out.
    #[must_use]
    pub fn new(id: AgentId, password: Secret) -> Self {
        Self {
            id,
            name: String::new(),
            password,
            skills: Vec::new(),
            available_on_register: false,
            wrap_up_s: None,
            loopback_only: false,
            extension: None,
            forward: Forward::default(),
            call_waiting: false,
            caller_id: None,
            codecs: Vec::new(),
            encryption: None,
            dtmf: Dtmf::default(),
            comfort_noise: false,
            avoid_transcoding: true,
            may_dial: DialPolicy::default(),
            pickup_groups: Vec::new(),
            supervises: Supervises::default(),
        }
    }
}

/// Where direct calls to an agent go instead: an agent, an extension, a queue or a number, as the
/// agent would dial it. Calls from queues are never forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forward {
    /// Every call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub always: Option<String>,
    /// Calls that come while they are on a call, do not want to be disturbed, or whose phone says
    /// that it is busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<String>,
    /// Calls that are not answered, and those that come while no phone is registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_answer: Option<String>,
    /// How many seconds their phones ring before that, 5 to 120.
    pub no_answer_s: u32,
}

impl Default for Forward {
    fn default() -> Self {
        Self { always: None, busy: None, no_answer: None, no_answer_s: 20 }
    }
}

impl Forward {
    /// For how many seconds a direct call rings: until it is forwarded, or a minute.
    #[must_use]
    pub fn rings_s(&self) -> u32 {
        if self.no_answer.is_some() { self.no_answer_s } else { 60 }
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Whom an agent may dial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DialPolicy {
    /// Nobody.
    None,
    /// Agents, queues and numbers of their own tenant.
    Internal,
    /// Whatever the tenant's limits allow.
    #[default]
    Everything,
    /// What is internal, and outside numbers that start with one of these: `+49`, `+4930`.
    Prefixes(Vec<String>),
}

impl DialPolicy {
    fn is_everything(&self) -> bool {
        *self == Self::Everything
    }
}

/// A policy in the file: a word or a list of prefixes.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "`\"none\"`, `\"internal\"`, `\"everything\"` or a list of prefixes")]
enum WrittenPolicy {
    Word(PolicyWord),
    Prefixes(Vec<String>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PolicyWord {
    None,
    Internal,
    Everything,
}

impl Serialize for DialPolicy {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => WrittenPolicy::Word(PolicyWord::None),
            Self::Internal => WrittenPolicy::Word(PolicyWord::Internal),
            Self::Everything => WrittenPolicy::Word(PolicyWord::Everything),
            Self::Prefixes(prefixes) => WrittenPolicy::Prefixes(prefixes.clone()),
        }
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for DialPolicy {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match WrittenPolicy::deserialize(from)? {
            WrittenPolicy::Word(PolicyWord::None) => Self::None,
            WrittenPolicy::Word(PolicyWord::Internal) => Self::Internal,
            WrittenPolicy::Word(PolicyWord::Everything) => Self::Everything,
            WrittenPolicy::Prefixes(prefixes) => Self::Prefixes(prefixes),
        })
    }
}
