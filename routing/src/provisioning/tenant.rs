//! What a provisioning file says of tenants: their part of the engine, numbers, prompts, routes.

use std::path::PathBuf;

use base::{FlowId, PromptId, SkillId, TenantId, TrunkId};
use serde::{Deserialize, Serialize};

use super::{Agent, ApiKey, Encryption, Flow, Limits, Queue, is_false};

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
    /// Its country, for numbers dialled without a country code: `DE` (ISO 3166-1). The nearest
    /// parent's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The language that its callers are told numbers in: `en` or `de`. The nearest parent's if
    /// absent, else English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Where its calls to outside numbers go. The nearest parent's that has some if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<OutboundRoute>,
    /// The number that those it calls are shown. The nearest parent's if absent; if none says one,
    /// the first of its own numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<String>,
    /// What those hear who are put on hold, when their call came from no queue. The nearest
    /// parent's if absent; silence if none says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_music: Option<PromptId>,
    /// The codecs of its agents' phones, best first; as the nearest parent says if empty; `opus`,
    /// `G722`, `PCMA`, `PCMU` if none says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codecs: Vec<String>,
    /// Whether the audio of its agents' phones is encrypted; as the nearest parent says if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Emergency numbers besides 112, 911 and its country's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emergency_numbers: Vec<String>,
    /// What its agents dial to pick a colleague's ringing call up: alone, or before the colleague's
    /// name or extension. Two to four characters that begin with `*` or `#`; no code if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pickup_code: Option<String>,
    /// The recording servers that get a copy of its calls (SIPREC, RFC 7866): trunks, tried one
    /// after the other. The nearest parent's that has some if empty; its limits must allow
    /// recording.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub siprec: Vec<TrunkId>,
    /// What a supervisor dials before an agent's name or extension to listen to the agent's
    /// conversation; of the same form as the pickup code, no code if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen_code: Option<String>,
    /// The same to be heard by that agent alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whisper_code: Option<String>,
    /// The same to be heard by everybody in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barge_code: Option<String>,
    /// Whether agents are told that a supervisor is in their conversation: a short tone when one
    /// comes, and its leg where their own keys to the API see the call.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub tells_supervision: bool,
    /// Whether its events tell who talks in a mix, when they begin and cease.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub tells_talking: bool,
    /// Whether it has no service for now, nor has any tenant under it: no registrations and no new
    /// calls, but for emergency calls. Calls that are up go on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspended: bool,
}

impl Tenant {
    /// A tenant of which only name and domain are said: every other key as if left out.
    #[must_use]
    pub fn new(id: TenantId, domain: &str) -> Self {
        Self {
            id,
            name: String::new(),
            domain: domain.to_owned(),
            digest: Digest::default(),
            parent: None,
            limits: Limits::default(),
            skills: Vec::new(),
            agents: Vec::new(),
            prompts: Vec::new(),
            queues: Vec::new(),
            flows: Vec::new(),
            numbers: Vec::new(),
            api_keys: Vec::new(),
            country: None,
            language: None,
            routes: Vec::new(),
            caller_id: None,
            hold_music: None,
            codecs: Vec::new(),
            encryption: None,
            emergency_numbers: Vec::new(),
            pickup_code: None,
            siprec: Vec::new(),
            listen_code: None,
            whisper_code: None,
            barge_code: None,
            tells_supervision: false,
            tells_talking: false,
            suspended: false,
        }
    }
}

/// Which trunk takes calls to which numbers. The longest prefix wins, then the lowest priority,
/// then the lowest cost; what is left is tried when that fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboundRoute {
    /// What the number starts with: `+49`; digits alone for short numbers: `116`. Every number if
    /// empty.
    #[serde(default)]
    pub prefix: String,
    /// The trunk that takes them.
    pub trunk: TrunkId,
    /// What a call costs over it, in any unit, for comparing.
    #[serde(default)]
    pub cost: u32,
    /// The lowest goes first.
    #[serde(default)]
    pub priority: u16,
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

/// A number that reaches a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// In E.164 form, `+15550100`; separators may stand in it.
    pub number: String,
    /// What happens to its calls.
    pub flow: FlowId,
}

/// Something to be played: a WAV file, other prompts one after the other, or a tone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptFile {
    /// Its name.
    pub id: PromptId,
    /// Where the file lies, relative to the provisioning file and not above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The prompts it is made of, without a gap between them; each is a file or a tone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub playlist: Vec<PromptId>,
    /// A tone as the tenant's country plays it: `dial`, `ringing`, `busy`, `congestion`,
    /// `call_waiting`, `information` or `beep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tone: Option<String>,
}

impl PromptFile {
    /// One that is a file.
    #[must_use]
    pub fn of_file(id: PromptId, file: PathBuf) -> Self {
        Self { id, file: Some(file), playlist: Vec::new(), tone: None }
    }
}
