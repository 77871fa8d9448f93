//! From calls to what watchers see: after each input the calls that it touched are looked at, and
//! whoever watches an agent whose dialogs have changed is told.

use std::collections::BTreeSet;

use base::{AgentId, CallId, Instant, TenantId};

use super::{AgentDialog, Package, Waiting};
use crate::switch::Switch;

impl Switch {
    /// Tells watchers what has changed. True if there was anything to look at.
    pub(crate) fn publish_presence(&mut self, now: Instant) -> bool {
        let touched = std::mem::take(&mut self.node.subscriptions.touched);
        if touched.is_empty() {
            return false;
        }
        let mut changed = BTreeSet::new();
        for (tenant, call) in touched {
            for agent in self.look_at(&tenant, call) {
                changed.insert((tenant.clone(), agent));
            }
        }
        for (tenant, agent) in changed {
            self.node.subscriptions.mark(&tenant, &agent, Package::Dialog);
            self.notify_watchers(now, &tenant, &agent, Package::Dialog);
        }
        true
    }

    /// Looks at a call again; gives the agents whose dialogs have changed.
    fn look_at(&mut self, tenant: &TenantId, call: CallId) -> Vec<AgentId> {
        let new = self.calls.of_tenant(tenant, call).map_or_else(Vec::new, |c| c.agent_dialogs());
        let Some(live) = self.node.subscriptions.live.get_mut(tenant) else { return Vec::new() };
        let old = live.remove(&call).unwrap_or_default();
        let differs = |dialog: &&AgentDialog| !(old.contains(dialog) && new.contains(dialog));
        let changed = old.iter().chain(&new).filter(differs).map(|dialog| dialog.agent.clone());
        let changed: Vec<AgentId> = changed.collect();
        if !new.is_empty() {
            live.insert(call, new);
        }
        changed
    }

    /// Somebody begins to watch dialogs of a tenant: what is up now.
    pub(super) fn begin_presence(&mut self, tenant: &TenantId) {
        if self.node.subscriptions.live.contains_key(tenant) {
            return;
        }
        let of_call = |call: &crate::call::Call| (call.id, call.agent_dialogs());
        let live = self.calls.all_of(tenant).map(of_call);
        let live = live.filter(|(_, dialogs)| !dialogs.is_empty()).collect();
        self.node.subscriptions.live.insert(tenant.clone(), live);
    }

    /// The API says how many messages wait for an agent.
    pub(crate) fn set_waiting(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        agent: &AgentId,
        waiting: Waiting,
    ) {
        let key = (tenant.clone(), agent.clone());
        let subscriptions = &mut self.node.subscriptions;
        if waiting == Waiting::default() {
            subscriptions.waiting.remove(&key);
        } else {
            subscriptions.waiting.insert(key, waiting);
        }
        subscriptions.mark(tenant, agent, Package::MessageSummary);
        self.notify_watchers(now, tenant, agent, Package::MessageSummary);
    }

    /// How many messages wait for an agent.
    pub(crate) fn waiting_for(&self, tenant: &TenantId, agent: &AgentId) -> Waiting {
        self.node.subscriptions.waiting_for(tenant, agent)
    }
}
