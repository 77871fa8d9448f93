//! What colleagues may see of a call: the dialogs of agents in it.

use super::Call;
use super::leg::{Leg, Signalling};
use crate::subscriptions::{AgentDialog, AgentDialogState};

impl Call {
    /// The dialogs of agents that ring or are up.
    pub(crate) fn agent_dialogs(&self) -> Vec<AgentDialog> {
        let legs = std::iter::once((&self.caller, true)).chain(self.far.iter().map(|l| (l, false)));
        legs.filter_map(|(leg, calls)| self.agent_dialog(leg, calls)).collect()
    }

    fn agent_dialog(&self, leg: &Leg, initiator: bool) -> Option<AgentDialog> {
        let agent = leg.role.agent()?.clone();
        let state = match &leg.signalling {
            Signalling::Invited { .. } | Signalling::Preparing { .. } | Signalling::Ringing(_) => {
                AgentDialogState::Early
            }
            Signalling::Up(_) => AgentDialogState::Confirmed,
            _ => return None,
        };
        let remote = if initiator { &self.to } else { &self.from.number };
        let id = format!("{}-{}", self.id, leg.id.0);
        Some(AgentDialog { agent, id, initiator, state, remote: remote.clone() })
    }
}
