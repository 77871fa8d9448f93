//! What agents have set for their own phones through the API, in place of what is provisioned.

use std::collections::{BTreeMap, BTreeSet};

use base::{AgentId, CallId, Duration, Instant, TenantId};
use routing::{Agent, Directory, Forward, Input as RouterInput};

use crate::api::{ApiError, ApiReply, ApiRequest, SipToken};
use crate::event::EventKind;
use crate::node::Node;
use crate::switch::Switch;

/// An agent of a tenant.
pub(crate) type Whose = (TenantId, AgentId);

/// Where calls go instead, for agents who have said so. Grows with provisioning only.
#[derive(Debug, Default)]
pub(crate) struct Calling {
    forwards: BTreeMap<Whose, Forward>,
    /// The agents of whom settings are kept outside.
    kept: BTreeSet<Whose>,
    /// Calls that wait for an agent's page to come back.
    adrift: BTreeMap<Whose, BTreeSet<CallId>>,
}

impl Calling {
    /// New provisioning: what an agent had set goes when the agent does, or when the provisioning
    /// says something new about where the agent's calls go. Gives those of whose kept settings
    /// that is true.
    pub(crate) fn review(&mut self, old: &Directory, new: &Directory) -> Vec<Whose> {
        let before = |(tenant, agent): &Whose| old.agent(tenant, agent).map(|agent| &agent.forward);
        let now = |(tenant, agent): &Whose| new.agent(tenant, agent).map(|agent| &agent.forward);
        let has_changed = |whose: &&Whose| now(whose).is_none() || before(whose) != now(whose);
        let changed: Vec<Whose> = self.kept.iter().filter(has_changed).cloned().collect();
        self.forwards.retain(|whose, _| now(whose).is_some() && before(whose) == now(whose));
        self.kept.retain(|whose| now(whose).is_some());
        changed
    }

    /// A call waits for the agent's page.
    pub(crate) fn adrift(&mut self, tenant: &TenantId, agent: &AgentId, call: CallId) {
        self.adrift.entry((tenant.clone(), agent.clone())).or_default().insert(call);
    }

    /// It does no longer.
    pub(crate) fn ashore(&mut self, tenant: &TenantId, agent: &AgentId, call: CallId) {
        let whose = (tenant.clone(), agent.clone());
        let Some(calls) = self.adrift.get_mut(&whose) else { return };
        calls.remove(&call);
        if calls.is_empty() {
            self.adrift.remove(&whose);
        }
    }

    /// The calls that wait for it.
    pub(crate) fn waiting_for(&self, tenant: &TenantId, agent: &AgentId) -> Vec<CallId> {
        if self.adrift.is_empty() {
            return Vec::new();
        }
        let calls = self.adrift.get(&(tenant.clone(), agent.clone()));
        calls.into_iter().flatten().copied().collect()
    }

    /// What an agent has set.
    pub(crate) fn forward(&self, whose: &Whose) -> Option<&Forward> {
        self.forwards.get(whose)
    }

    /// Takes up what an agent had set.
    pub(crate) fn restore(&mut self, whose: Whose, forward: Forward) {
        self.forwards.insert(whose, forward);
    }

    /// Settings of an agent's are kept outside.
    pub(crate) fn note_kept(&mut self, whose: Whose) {
        self.kept.insert(whose);
    }
}

impl Node {
    /// An agent as provisioned, with what they have set themselves.
    pub(crate) fn agent_as_set(
        &self,
        directory: &Directory,
        tenant: &TenantId,
        agent: &AgentId,
    ) -> Option<Agent> {
        let mut known = directory.agent(tenant, agent)?.clone();
        if let Some(forward) = self.calling.forwards.get(&(tenant.clone(), agent.clone())) {
            known.forward = forward.clone();
        }
        Some(known)
    }

    /// Sets where an agent's direct calls go instead; only what the agent may dial is taken.
    pub(crate) fn set_forward(
        &mut self,
        tenant: &TenantId,
        agent: &AgentId,
        forward: Forward,
    ) -> Result<(), ApiError> {
        let directory = self.directory.clone().ok_or(ApiError::NotFound)?;
        let provisioned = directory.agent(tenant, agent).ok_or(ApiError::NotFound)?;
        for to in [&forward.always, &forward.busy, &forward.no_answer].into_iter().flatten() {
            routing::dial(&directory, tenant, Some(agent), to)
                .map_err(|refused| ApiError::Conflict(refused.to_string()))?;
        }
        let key = (tenant.clone(), agent.clone());
        if forward == provisioned.forward {
            self.calling.forwards.remove(&key);
        } else {
            self.calling.forwards.insert(key, forward);
        }
        Ok(())
    }
}

impl Switch {
    /// What the API asks about an agent's phone.
    pub(crate) fn serve_phone(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        request: ApiRequest,
    ) -> Result<ApiReply, ApiError> {
        match request {
            ApiRequest::SetDoNotDisturb { agent, on } => {
                self.known_agent(tenant, &agent)?;
                self.set_do_not_disturb(now, tenant, &agent, on);
                Ok(ApiReply::Accepted)
            }
            ApiRequest::Forward { agent } => {
                let directory = self.node.directory.clone().ok_or(ApiError::NotFound)?;
                let known = self.node.agent_as_set(&directory, tenant, &agent);
                known.map(|agent| ApiReply::Forward(agent.forward)).ok_or(ApiError::NotFound)
            }
            ApiRequest::SetForward { agent, forward } => {
                self.node.set_forward(tenant, &agent, forward)?;
                self.keep_settings(tenant, &agent);
                Ok(ApiReply::Accepted)
            }
            ApiRequest::MessagesWaiting { agent } => {
                self.known_agent(tenant, &agent)?;
                Ok(ApiReply::MessagesWaiting(self.waiting_for(tenant, &agent)))
            }
            ApiRequest::SetMessagesWaiting { agent, waiting } => {
                self.known_agent(tenant, &agent)?;
                self.set_waiting(now, tenant, &agent, waiting);
                self.keep_settings(tenant, &agent);
                Ok(ApiReply::Accepted)
            }
            ApiRequest::SipToken { agent, lifetime } => {
                self.token_for(now, tenant, &agent, lifetime).ok_or(ApiError::NotFound)
            }
            _ => Err(ApiError::NotFound),
        }
    }

    /// Set again as it is, it is no news.
    fn set_do_not_disturb(&mut self, now: Instant, tenant: &TenantId, agent: &AgentId, on: bool) {
        let presence = self.node.router.presence(tenant, agent);
        let is_news = presence.is_some_and(|before| before.do_not_disturb != on);
        if is_news {
            let changed = EventKind::DoNotDisturbChanged { agent: agent.clone(), on };
            self.node.emit(now, tenant, None, changed);
        }
        let (whose, of) = (tenant.clone(), agent.clone());
        let input = RouterInput::SetDoNotDisturb { tenant: whose, agent: of, on };
        self.node.router.handle_input(now, input);
        self.keep_settings(tenant, agent);
    }

    /// Credentials for an agent's page. Nothing of them is kept: the gate makes them again.
    fn token_for(
        &self,
        now: Instant,
        tenant: &TenantId,
        agent: &AgentId,
        lifetime: Duration,
    ) -> Option<ApiReply> {
        let directory = self.node.directory.as_ref()?;
        let (tenant, agent) = (directory.tenant(tenant)?, directory.agent(tenant, agent)?);
        let realm = tenant.domain.to_ascii_lowercase();
        let kept = sip::digest::keep(agent.id.as_str(), &realm, agent.password.as_str());
        let expires = self.node.wall(now).after(lifetime);
        let token = self.node.token_key.issue(&realm, agent.id.as_str(), &kept, expires);
        let name = if agent.name.is_empty() { agent.id.as_str() } else { &agent.name };
        Some(ApiReply::SipToken(SipToken { token, domain: realm, display_name: name.to_owned() }))
    }
}
