//! What a provisioning file says, key by key. Texts that a person can mistype in many places
//! (numbers, networks) stay texts here, so that `Directory::build` can report them all at once.

mod agent;
mod alarms;
mod digits;
mod limits;
mod queue;
mod supervises;
mod tenant;
mod trunk;

use base::AgentId;
use serde::{Deserialize, Serialize};

use crate::Secret;

pub use agent::{Agent, DialPolicy, Forward};
pub use alarms::QueueAlarms;
pub use digits::{Choice, Collect, Dtmf, Menu, Patience};
pub use limits::Limits;
pub use queue::{Flow, HangupCause, OnMachine, Queue, Saying, Signature, Step, WrapUpCode};
pub use supervises::Supervises;
pub use tenant::{Digest, Number, OutboundRoute, PromptFile, Skill, Tenant};
pub use trunk::{
    Credentials, Direction, DiversionHeader, HeaderAction, HeaderRule, NumberFormat, NumberPlace,
    NumberRule, StirKey, Trunk, TrunkRegistration, TrunkStir, TrunkTarget,
};

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

/// Whether audio is encrypted with keys in SDP (SRTP, RFC 4568). Keys in SDP are as secret as the
/// SIP that carries them: with TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// Never; who insists on it is refused.
    Off,
    /// When the other end offers keys; none are offered to it.
    #[default]
    Accepted,
    /// Keys are offered for plain RTP, and taken or not (RFC 8643).
    Preferred,
    /// Always; who cannot is refused.
    Required,
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
    /// The agent it speaks for: always with the role `agent`; with others the one whose phone
    /// its holder talks on.
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

impl Role {
    /// Its name in files and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Admin => "admin",
            Self::Supervisor => "supervisor",
            Self::Agent => "agent",
        }
    }
}

fn is_false(value: &bool) -> bool {
    !*value
}

fn is_true(value: &bool) -> bool {
    *value
}

fn yes() -> bool {
    true
}

/// Whether a key is as if it were left out.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
