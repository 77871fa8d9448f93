//! Picking a colleague's call up: who may, and how it is dialled.

use base::{AgentId, TenantId};

use crate::Directory;
use crate::number::Written;

/// Whose ringing call is to be picked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pickup {
    /// Of those that ring for somebody of the agent's groups, the one that has rung longest.
    Any,
    /// The one that rings for this agent.
    Of(AgentId),
    /// Nobody's: the code is followed by what names no agent.
    Nobody,
}

/// Reads what an agent dialled: `None` unless it begins with the tenant's pickup code.
#[must_use]
pub fn pickup(directory: &Directory, tenant: &TenantId, text: &str) -> Option<Pickup> {
    let known = directory.tenant(tenant)?;
    let code = known.pickup_code.as_deref()?;
    let written = Written::read(text);
    let name = written.name();
    let whom = name.strip_prefix(code)?;
    if whom.is_empty() {
        return Some(Pickup::Any);
    }
    let lower = whom.to_ascii_lowercase();
    let named = |agent: &&crate::Agent| {
        agent.id.as_str() == lower || agent.extension.as_deref() == Some(whom)
    };
    let found = known.agents.iter().find(named);
    Some(found.map_or(Pickup::Nobody, |agent| Pickup::Of(agent.id.clone())))
}

/// Whether an agent may take the calls that ring another: one of a group they share, or themself.
#[must_use]
pub fn picks_up(directory: &Directory, tenant: &TenantId, by: &AgentId, of: &AgentId) -> bool {
    let groups = |agent| directory.agent(tenant, agent).map(|agent| &*agent.pickup_groups);
    let (Some(own), Some(theirs)) = (groups(by), groups(of)) else { return false };
    by == of || own.iter().any(|group| theirs.contains(group))
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
pickup_code = "*8"
agents = [
    { id = "alice", password = "a", extension = "101", pickup_groups = ["front"] },
    { id = "bob", password = "b", extension = "102", pickup_groups = ["back", "front"] },
    { id = "carol", password = "c", extension = "103" },
]

[[tenants]]
id = "globex"
domain = "globex.example"
agents = [{ id = "gina", password = "g", pickup_groups = ["front"] }]
"#;

    fn agent(name: &str) -> AgentId {
        AgentId::new(name).unwrap()
    }

    fn directory() -> (Directory, TenantId) {
        let provisioning: Provisioning = toml::from_str(TENANTS).unwrap();
        (Directory::build(provisioning).unwrap(), TenantId::new("acme").unwrap())
    }

    #[test]
    fn the_code_stands_alone_or_before_a_name_or_an_extension() {
        let (directory, acme) = directory();
        let read = |text: &str| pickup(&directory, &acme, text);
        assert_eq!(read("sip:*8@acme.example"), Some(Pickup::Any));
        assert_eq!(read("sip:*8101@acme.example;user=phone"), Some(Pickup::Of(agent("alice"))));
        assert_eq!(read("sip:%2A8Bob@192.0.2.1"), Some(Pickup::Of(agent("bob"))));
        assert_eq!(read("sip:*8999@acme.example"), Some(Pickup::Nobody));
        assert_eq!(read("sip:8101@acme.example"), None);
        let globex = TenantId::new("globex").unwrap();
        assert_eq!(pickup(&directory, &globex, "sip:*8@globex.example"), None);
    }

    #[test]
    fn only_who_shares_a_group_picks_up_and_only_within_the_tenant() {
        let (directory, acme) = directory();
        let may = |by: &str, of: &str| picks_up(&directory, &acme, &agent(by), &agent(of));
        assert!(may("alice", "bob") && may("bob", "alice") && may("carol", "carol"));
        assert!(!may("carol", "alice") && !may("alice", "carol"));
        assert!(!may("gina", "alice") && !may("alice", "gina"));
    }
}
