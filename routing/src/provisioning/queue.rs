//! What a provisioning file says of queues and flows: where callers wait and what happens to them.

use base::{AgentId, FlowId, PromptId, QueueId, SkillId, TrunkId};
use serde::{Deserialize, Serialize};

use super::{Collect, Menu, QueueAlarms, is_default};

/// Where callers wait for an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Its name.
    pub id: QueueId,
    /// What people call it; its id if empty.
    #[serde(default)]
    pub name: String,
    /// What a keypad dials for it: 2 to 8 digits; in one plan with the agents' extensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// The skills an agent must have, all of them.
    #[serde(default)]
    pub needs: Vec<SkillId>,
    /// The agents who may take its calls, if they have the skills; every agent if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<AgentId>>,
    /// What its callers hear.
    pub music: PromptId,
    /// How long an agent rings before the next one does, 1 to 300.
    #[serde(default = "default_ring_timeout_s")]
    pub ring_timeout_s: u32,
    /// How long an agent has after a call before the next one.
    #[serde(default = "default_wrap_up_s")]
    pub wrap_up_s: u32,
    /// By how much an agent may make that longer, in all; not at all if 0.
    #[serde(default)]
    pub wrap_up_extend_s: u32,
    /// What an agent may say a call came to, in the order in which they are shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrap_up_codes: Vec<WrapUpCode>,
    /// How long an agent who did not take a caller is spared that same caller, 1 to 3600.
    #[serde(default = "default_retry_pause_s")]
    pub retry_pause_s: u32,
    /// How long a caller waits at most; then the flow goes on. For ever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait_s: Option<u32>,
    /// How many callers wait at most; the next one's flow goes on at once.
    #[serde(default = "default_max_waiting")]
    pub max_waiting: u32,
    /// The wait that the service level counts as good.
    #[serde(default = "default_service_level_s")]
    pub service_level_s: u32,
    /// Whether its calls are recorded, if the tenant's limits allow it.
    #[serde(default = "default_record")]
    pub record: bool,
    /// The recording servers that get a copy of its calls (SIPREC): trunks, tried one after the
    /// other; none if empty. As the trunk or the tenant says if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub siprec: Option<Vec<TrunkId>>,
    /// From which figures on an alarm is raised.
    #[serde(default, skip_serializing_if = "is_default")]
    pub alarms: QueueAlarms,
}

impl Queue {
    /// A queue of which only the name and the music are said: every other key as if left out.
    #[must_use]
    pub fn new(id: QueueId, music: PromptId) -> Self {
        Self {
            id,
            name: String::new(),
            extension: None,
            needs: Vec::new(),
            agents: None,
            music,
            ring_timeout_s: default_ring_timeout_s(),
            wrap_up_s: default_wrap_up_s(),
            wrap_up_extend_s: 0,
            wrap_up_codes: Vec::new(),
            retry_pause_s: default_retry_pause_s(),
            max_wait_s: None,
            max_waiting: default_max_waiting(),
            service_level_s: default_service_level_s(),
            record: default_record(),
            siprec: None,
            alarms: QueueAlarms::default(),
        }
    }
}

/// One of the things that a call can come to: `{ code = "order", name = "Order taken" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrapUpCode {
    /// What the record of a call says.
    pub code: String,
    /// What people call it; the code if empty.
    #[serde(default)]
    pub name: String,
}

impl WrapUpCode {
    /// What people call it.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.name.is_empty() { &self.code } else { &self.name }
    }
}

fn default_ring_timeout_s() -> u32 {
    15
}

fn default_wrap_up_s() -> u32 {
    0
}

fn default_retry_pause_s() -> u32 {
    5
}

fn default_max_waiting() -> u32 {
    1000
}

fn default_service_level_s() -> u32 {
    20
}

fn default_record() -> bool {
    true
}

/// What happens to a call, step by step; after the last one it ends normally.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Its name.
    pub id: FlowId,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// One step of a flow: `{ do = "play", prompt = "greeting" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Plays a prompt to its end.
    Play {
        /// Which.
        prompt: PromptId,
    },
    /// Says something from recorded fragments, to its end.
    Say {
        /// What kind of thing it is.
        say: Saying,
        /// What: `+49301234`, `1250`, `12.50 EUR`, `2026-07-14`, `15:05`; or `$caller` and
        /// `$called`, the numbers of the call. What cannot be said is passed over.
        value: String,
        /// In which language: `en` or `de`; the tenant's if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<String>,
    },
    /// Asks for digits, which the call keeps.
    Collect(Collect),
    /// Asks where the caller wants to go.
    Menu(Menu),
    /// Waits for an agent. When the queue is full or the longest wait is over, the next step
    /// follows; when the agent hangs up, the call ends.
    Queue {
        /// Which.
        queue: QueueId,
    },
    /// Rings an agent, or calls a number outside. When nobody takes the call, the next step
    /// follows.
    Dial {
        /// Whom: an agent, an extension, a queue or a number, as the tenant would dial it.
        to: String,
        /// For how many seconds at most, 5 to 120; else as long as the agent's forward says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ring_s: Option<u32>,
        /// What is done when a machine answers a number outside; nobody listens if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_machine: Option<OnMachine>,
    },
    /// Goes on in another flow, for good, if the signature of the caller's number is one of these;
    /// else the next step follows.
    Branch {
        /// What it is worth.
        signature: Vec<Signature>,
        /// The flow.
        flow: FlowId,
    },
    /// Ends the call.
    Hangup {
        /// What the caller's side is told.
        #[serde(default)]
        cause: HangupCause,
    },
}

/// What a flow does when a machine answers a number outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMachine {
    /// It is told, and the caller talks with it.
    Tell,
    /// It is hung up on, and the next step follows.
    Next,
}

/// How a value is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saying {
    /// Digit by digit.
    Digits,
    /// As one number.
    Number,
    /// As an amount of money: `12.50 EUR`, `USD` or `GBP`.
    Money,
    /// As a day: `2026-07-14`.
    Date,
    /// As a time of day: `15:05`.
    Time,
}

/// What the signature of a caller's number is worth (RFC 8224, RFC 8588), as flows ask for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signature {
    /// Signed by somebody who knows the caller, and that the number is theirs.
    A,
    /// Signed by somebody who knows the caller.
    B,
    /// Signed by somebody who knows where the call came from.
    C,
    /// Signed, but not for this call, or by nobody who is trusted.
    #[serde(rename = "failed")]
    Failed,
    /// Not signed.
    #[serde(rename = "none")]
    None,
    /// Nobody has looked: the trunk does not verify, or the call came over none.
    #[default]
    #[serde(rename = "unchecked")]
    Unchecked,
}

impl Signature {
    /// As provisioning spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::Failed => "failed",
            Self::None => "none",
            Self::Unchecked => "unchecked",
        }
    }
}

/// What a flow tells the caller's side when it ends the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupCause {
    /// All is said.
    #[default]
    Normal,
    /// Everybody is busy.
    Busy,
    /// Nobody is there.
    Unavailable,
}
