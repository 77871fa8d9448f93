//! What a provisioning file says, key by key. Texts that a person can mistype in many places
//! (numbers, networks) stay texts here, so that `Directory::build` can report them all at once.

use std::path::PathBuf;

use base::{AgentId, FlowId, PromptId, QueueId, SkillId, TenantId, TrunkId};
use serde::{Deserialize, Serialize};

use crate::Secret;

/// Everything that is provisioned on an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provisioning {
    /// The carriers' trunks. A call from any other source is a stranger's.
    #[serde(default)]
    pub trunks: Vec<Trunk>,
    /// Keys for the whole platform; their role is [`Role::Platform`].
    #[serde(default)]
    pub platform_keys: Vec<ApiKey>,
    /// The tenants and subtenants, in any order.
    #[serde(default)]
    pub tenants: Vec<Tenant>,
}

/// A carrier's trunk: calls from its sources are that carrier's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trunk {
    /// Its name.
    pub id: TrunkId,
    /// What people call it; its id if empty.
    #[serde(default)]
    pub name: String,
    /// The addresses it sends from: `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`. The longest
    /// prefix wins; two trunks cannot have the same one.
    pub sources: Vec<String>,
    /// The tenants whose numbers it may call; every tenant if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<TenantId>>,
    /// How many calls it may have at once; no limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_calls: Option<u32>,
    /// How many calls it may start in a second; no limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<u32>,
}

/// A tenant, or a subtenant when it has a parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// What people call it; its id if empty.
    #[serde(default)]
    pub name: String,
    /// The domain its agents register in, such as `acme.example`. No two tenants share one.
    pub domain: String,
    /// The digest algorithms that its agents' phones may use.
    #[serde(default)]
    pub digest: Digest,
    /// The tenant above it, whose limits, skills and prompts it inherits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TenantId>,
    /// What it may use; never more than its parent's.
    #[serde(default)]
    pub limits: Limits,
    /// The skills that its queues may need and its agents have.
    #[serde(default)]
    pub skills: Vec<Skill>,
    /// The people who take its calls.
    #[serde(default)]
    pub agents: Vec<Agent>,
    /// The recordings it plays.
    #[serde(default)]
    pub prompts: Vec<PromptFile>,
    /// Where its callers wait.
    #[serde(default)]
    pub queues: Vec<Queue>,
    /// What happens to its calls, step by step.
    #[serde(default)]
    pub flows: Vec<Flow>,
    /// The numbers that reach it.
    #[serde(default)]
    pub numbers: Vec<Number>,
    /// Keys for its part of the API.
    #[serde(default)]
    pub api_keys: Vec<ApiKey>,
}

/// The digest algorithms (RFC 8760) that a tenant's phones are challenged for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Digest {
    /// Both: the phone chooses.
    #[default]
    #[serde(rename = "md5-and-sha-256")]
    Md5AndSha256,
    /// MD5 alone, for phones that a second challenge confuses.
    #[serde(rename = "md5")]
    Md5,
    /// SHA-256 alone.
    #[serde(rename = "sha-256")]
    Sha256,
}

/// What a tenant may use. Absent means no limit of its own: the parent's holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_calls: Option<u32>,
    /// Calls started in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<u32>,
    /// Agents provisioned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<u32>,
    /// Whether calls may be recorded at all.
    pub recording: bool,
    /// Days a recording is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent_calls: None,
            calls_per_second: None,
            agents: None,
            recording: true,
            retention_days: None,
        }
    }
}

impl Limits {
    /// These limits under a parent's: of each pair the narrower.
    #[must_use]
    pub fn within(&self, parent: &Self) -> Self {
        let narrower = |own: Option<u32>, above: Option<u32>| match (own, above) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            concurrent_calls: narrower(self.concurrent_calls, parent.concurrent_calls),
            calls_per_second: narrower(self.calls_per_second, parent.calls_per_second),
            agents: narrower(self.agents, parent.agents),
            recording: self.recording && parent.recording,
            retention_days: narrower(self.retention_days, parent.retention_days),
        }
    }
}

/// A skill. A tenant that lists none lets queues and agents name any; one that lists some has
/// each use checked against the list, its parents' lists included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skill {
    /// Its name.
    pub id: SkillId,
    /// What people call it; its id if empty.
    #[serde(default)]
    pub name: String,
}

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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loopback_only: bool,
}

/// Where callers wait for an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Its name.
    pub id: QueueId,
    /// What people call it; its id if empty.
    #[serde(default)]
    pub name: String,
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
    /// Waits for an agent. When the queue is full or the longest wait is over, the next step
    /// follows; when the agent hangs up, the call ends.
    Queue {
        /// Which.
        queue: QueueId,
    },
    /// Ends the call.
    Hangup {
        /// What the caller's side is told.
        #[serde(default)]
        cause: HangupCause,
    },
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

/// A number that reaches a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// In E.164 form, `+15550100`; separators may stand in it.
    pub number: String,
    /// What happens to its calls.
    pub flow: FlowId,
}

/// A recording to be played: a WAV file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptFile {
    /// Its name.
    pub id: PromptId,
    /// Where it lies, relative to the provisioning file and not above it.
    pub file: PathBuf,
}

/// A key to the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// What it is for.
    #[serde(default)]
    pub name: String,
    /// The key: at least 24 characters unless it is for loopback only.
    pub key: Secret,
    /// What its bearer may do.
    #[serde(default)]
    pub role: Role,
    /// The agent it speaks for, with the role `agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Whether it opens the API only to this machine's own programs.
    #[serde(default)]
    pub loopback_only: bool,
}

/// What a key's bearer may do, most first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything in every tenant, and provisioning.
    Platform,
    /// Everything in the key's tenant.
    #[default]
    Admin,
    /// Reads all, ends calls and sets agents' states in the key's tenant.
    Supervisor,
    /// Its own state and its own calls.
    Agent,
}
