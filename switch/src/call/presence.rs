//! What colleagues may see of a call: the dialogs of agents in it.

use base::LegId;
use sip::DialogId;

use super::leg::{Leg, Role, Signalling};
use super::{Call, Stage};
use crate::subscriptions::{AgentDialog, AgentDialogState};

impl Call {
    /// The dialogs of agents that ring or are up.
    pub(crate) fn agent_dialogs(&self) -> Vec<AgentDialog> {
        let legs = std::iter::once(&self.caller).chain(&self.far);
        legs.filter_map(|leg| self.agent_dialog(leg)).collect()
    }

    fn agent_dialog(&self, leg: &Leg) -> Option<AgentDialog> {
        let agent = leg.role.agent()?.clone();
        let state = match &leg.signalling {
            Signalling::Invited { .. } | Signalling::Preparing { .. } | Signalling::Ringing(_) => {
                AgentDialogState::Early
            }
            Signalling::Up(_) => AgentDialogState::Confirmed,
            _ => return None,
        };
        let initiator = !leg.called;
        let remote = self.at_other_end(leg);
        let id = format!("{}-{}", self.id, leg.id.0);
        let dialog = self.dialog_for_pickup(leg);
        Some(AgentDialog { agent, id, initiator, state, remote, dialog })
    }

    /// The number or name of whoever an agent talks with, calls or is called by.
    fn at_other_end(&self, leg: &Leg) -> String {
        match &self.stage {
            _ if !self.is_caller(leg.id) => self.number_of(self.caller.id),
            Stage::Connected { talk } => self.number_of(talk.leg),
            _ => self.to.clone(),
        }
    }

    /// The number or name of whoever is on a leg.
    pub(super) fn number_of(&self, leg: LegId) -> String {
        let Some(leg) = self.leg(leg) else { return self.to.clone() };
        match (&leg.role, &leg.number) {
            (Role::Agent(agent), _) => agent.to_string(),
            (_, Some(number)) => number.clone(),
            (Role::Caller(_), None) => self.from.number.clone(),
            (Role::Trunk(_), None) => self.to.clone(),
        }
    }

    /// What a ringing dialog is called, if there are colleagues who may pick it up.
    fn dialog_for_pickup(&self, leg: &Leg) -> Option<DialogId> {
        let Signalling::Ringing(forks) = &leg.signalling else { return None };
        let agent = self.directory.agent(&self.tenant, leg.role.agent()?)?;
        if agent.pickup_groups.is_empty() {
            return None;
        }
        forks.invites.iter().find_map(|fork| fork.early.dialogs.ids().next())
    }
}
