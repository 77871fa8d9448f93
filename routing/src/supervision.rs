//! Supervising an agent's conversation: who may, and how it is dialled.

use base::{AgentId, QueueId, TenantId};
use serde::{Deserialize, Serialize};

use crate::number::Written;
use crate::{Directory, Supervises};

/// How a supervisor takes part in a conversation. Hearing all of it is common to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supervision {
    /// Heard by nobody.
    Listen,
    /// Heard by the agent alone.
    Whisper,
    /// Heard by everybody.
    Barge,
}

impl Supervision {
    /// As events and the API spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Whisper => "whisper",
            Self::Barge => "barge",
        }
    }
}

/// What one of the tenant's supervision codes asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisionCode {
    /// How.
    pub mode: Supervision,
    /// Whose conversation; `None` if the code is followed by what names no agent.
    pub of: Option<AgentId>,
}

/// Reads what an agent dialled: `None` unless it begins with one of the tenant's codes.
#[must_use]
pub fn supervision_code(
    directory: &Directory,
    tenant: &TenantId,
    text: &str,
) -> Option<SupervisionCode> {
    let known = directory.tenant(tenant)?;
    let codes = [
        (Supervision::Listen, &known.listen_code),
        (Supervision::Whisper, &known.whisper_code),
        (Supervision::Barge, &known.barge_code),
    ];
    let written = Written::read(text);
    let name = written.name();
    let begins = |(mode, code): &(Supervision, &Option<String>)| {
        Some((*mode, name.strip_prefix(code.as_deref()?)?))
    };
    let (mode, whom) = codes.iter().find_map(begins)?;
    let lower = whom.to_ascii_lowercase();
    let named = |agent: &&crate::Agent| {
        agent.id.as_str() == lower || agent.extension.as_deref() == Some(whom)
    };
    let of = known.agents.iter().find(named).map(|agent| agent.id.clone());
    Some(SupervisionCode { mode, of })
}

/// Whether an agent may supervise a conversation of these agents, which came from that queue if
/// it came from one. Says by what right, in a sentence.
#[must_use]
pub fn may_supervise(
    directory: &Directory,
    tenant: &TenantId,
    by: &AgentId,
    queue: Option<&QueueId>,
    agents: &[AgentId],
) -> Option<String> {
    let queues = match &directory.agent(tenant, by)?.supervises {
        Supervises::Nothing => return None,
        Supervises::Everything => return Some(format!("{by} supervises everything")),
        Supervises::Queues(queues) => queues,
    };
    if let Some(queue) = queue.filter(|queue| queues.contains(queue)) {
        return Some(format!("{by} supervises the queue {queue} that the call came from"));
    }
    let served = |queue: &&QueueId| agents.iter().any(|of| directory.serves(tenant, of, queue));
    let queue = queues.iter().find(served)?;
    Some(format!("{by} supervises the queue {queue} that an agent in the call serves"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "they are tests")]
    use super::*;
    use crate::Provisioning;

    const TENANTS: &str = r#"
[[tenants]]
id = "acme"
domain = "acme.example"
listen_code = "*3"
whisper_code = "*4"
prompts = [{ id = "music", file = "music.wav" }]
skills = [{ id = "sales" }, { id = "claims" }]
agents = [
    { id = "alice", password = "a", extension = "101", skills = ["sales"] },
    { id = "bob", password = "b", extension = "102", skills = ["claims"] },
    { id = "zoe", password = "z", supervises = ["sales"] },
    { id = "yves", password = "y", supervises = "everything" },
]
queues = [
    { id = "sales", needs = ["sales"], music = "music" },
    { id = "claims", needs = ["claims"], music = "music" },
]

[[tenants]]
id = "globex"
domain = "globex.example"
agents = [{ id = "gina", password = "g", supervises = "everything" }]
"#;

    fn directory() -> (Directory, TenantId) {
        let provisioning: Provisioning = toml::from_str(TENANTS).unwrap();
        (Directory::build(provisioning).unwrap(), TenantId::new("acme").unwrap())
    }

    fn agent(name: &str) -> AgentId {
        AgentId::new(name).unwrap()
    }

    #[test]
    fn a_code_stands_before_a_name_or_an_extension() {
        let (directory, acme) = directory();
        let read = |text: &str| supervision_code(&directory, &acme, text);
        let code = |mode, of: Option<&str>| Some(SupervisionCode { mode, of: of.map(agent) });
        assert_eq!(read("sip:*3102@acme.example"), code(Supervision::Listen, Some("bob")));
        assert_eq!(read("sip:%2A3Bob@acme.example"), code(Supervision::Listen, Some("bob")));
        assert_eq!(read("sip:*4101@192.0.2.1"), code(Supervision::Whisper, Some("alice")));
        assert_eq!(read("sip:*3999@acme.example"), code(Supervision::Listen, None));
        assert_eq!(read("sip:101@acme.example"), None);
        let globex = TenantId::new("globex").unwrap();
        assert_eq!(supervision_code(&directory, &globex, "sip:*3gina@globex.example"), None);
    }

    #[test]
    fn the_right_is_over_queues_their_agents_or_everything_and_never_over_another_tenant() {
        let (directory, acme) = directory();
        let (sales, claims) = (QueueId::new("sales").unwrap(), QueueId::new("claims").unwrap());
        let may = |by: &str, queue: Option<&QueueId>, of: &str| {
            may_supervise(&directory, &acme, &agent(by), queue, &[agent(of)]).is_some()
        };
        assert!(may("zoe", Some(&sales), "bob"), "the queue is hers");
        assert!(may("zoe", None, "alice") && may("zoe", Some(&claims), "alice"), "her agent");
        assert!(!may("zoe", Some(&claims), "bob") && !may("zoe", None, "bob"));
        assert!(may("yves", None, "bob"));
        assert!(!may("alice", Some(&sales), "bob") && !may("gina", Some(&sales), "alice"));
    }
}
