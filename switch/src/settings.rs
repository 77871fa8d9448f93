//! What agents' phones are set to through the API, as it outlives the switch: each change is told to
//! be kept, and what was kept is taken up again at the start.

use base::{AgentId, Instant, TenantId};
use routing::{Forward, Input as RouterInput};
use serde::{Deserialize, Serialize};

use crate::port::Output;
use crate::subscriptions::Waiting;
use crate::switch::Switch;

/// All that one agent's phone is set to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentSettings {
    /// Whose agent.
    pub tenant: TenantId,
    /// The agent.
    pub agent: AgentId,
    /// Whether the agent wants no calls.
    pub do_not_disturb: bool,
    /// Where the agent's direct calls go instead; as provisioned if absent.
    pub forward: Option<SetForward>,
    /// How many messages wait.
    pub waiting: Waiting,
}

/// A forward that an agent has set. It holds as long as the provisioning says nothing new.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetForward {
    /// What was set.
    pub set: Forward,
    /// What was provisioned when it was.
    pub provisioned: Forward,
}

impl Switch {
    /// Has what an agent's phone is set to kept.
    pub(crate) fn keep_settings(&mut self, tenant: &TenantId, agent: &AgentId) {
        let key = (tenant.clone(), agent.clone());
        let presence = self.node.router.presence(tenant, agent);
        let provisioned = self.node.directory.as_ref().and_then(|directory| {
            directory.agent(tenant, agent).map(|agent| agent.forward.clone())
        });
        let set = self.node.calling.forward(&key).cloned();
        let forward =
            set.zip(provisioned).map(|(set, provisioned)| SetForward { set, provisioned });
        let settings = AgentSettings {
            tenant: tenant.clone(),
            agent: agent.clone(),
            do_not_disturb: presence.is_some_and(|presence| presence.do_not_disturb),
            forward,
            waiting: self.waiting_for(tenant, agent),
        };
        self.node.calling.note_kept(key);
        self.node.outbox.push_back(Output::Settings(Box::new(settings)));
    }

    /// Takes up what was kept. Agents who are provisioned no more, and forwards that the
    /// provisioning has changed since, are left out.
    pub(crate) fn restore_settings(&mut self, now: Instant, kept: Vec<AgentSettings>) {
        let Some(directory) = self.node.directory.clone() else { return };
        for settings in kept {
            let AgentSettings { tenant, agent, do_not_disturb, forward, waiting } = settings;
            let Some(known) = directory.agent(&tenant, &agent) else { continue };
            let key = (tenant.clone(), agent.clone());
            self.node.calling.note_kept(key.clone());
            if let Some(forward) = forward.filter(|one| one.provisioned == known.forward) {
                self.node.calling.restore(key, forward.set);
            }
            self.set_waiting(now, &tenant, &agent, waiting);
            if do_not_disturb {
                let input = RouterInput::SetDoNotDisturb { tenant, agent, on: true };
                self.node.router.handle_input(now, input);
            }
        }
    }
}
