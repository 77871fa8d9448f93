//! Provisioning, checked and indexed: every question a call asks is answered in O(log n).
//!
//! Immutable, and shared as an `Arc`: new provisioning is a new directory.

mod build;
mod checks;
mod dial_checks;
mod dialling;
mod digit_checks;
mod flow_checks;
mod names;
mod sound_checks;
mod trunk_checks;
mod trunks;

use std::collections::BTreeMap;
use std::fmt;

use base::{AgentId, FlowId, PromptId, QueueId, SkillId, TenantId, TrunkId};

use crate::{
    Agent, ApiKey, E164, Encryption, Flow, Limits, Number, PromptFile, Provisioning, Queue, Tenant,
    Trunk,
};

/// One thing wrong with a provisioning file, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{path}: {problem}; {cure}")]
pub struct ProvisioningError {
    /// Where: `tenants.acme.numbers[1].number`.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What would put it right.
    pub cure: String,
}

/// Checked provisioning.
pub struct Directory {
    provisioning: Provisioning,
    tenants: BTreeMap<TenantId, TenantIndex>,
    domains: BTreeMap<String, usize>,
    numbers: BTreeMap<E164, (usize, usize)>,
    trunks: BTreeMap<TrunkId, usize>,
    proofs: trunks::Proofs,
}

/// Where a tenant's things stand in its lists.
struct TenantIndex {
    at: usize,
    /// The tenant itself, its parent, its parent's parent, ...
    line: Vec<usize>,
    limits: Limits,
    agents: BTreeMap<AgentId, usize>,
    queues: BTreeMap<QueueId, usize>,
    flows: BTreeMap<FlowId, usize>,
    prompts: BTreeMap<PromptId, usize>,
    dialling: dialling::Dialling,
}

impl Directory {
    /// Checks the whole of it and indexes it.
    ///
    /// # Errors
    /// Everything that is wrong, sorted by key path.
    pub fn build(provisioning: Provisioning) -> Result<Self, Vec<ProvisioningError>> {
        build::build(provisioning)
    }

    /// What it was built from.
    #[must_use]
    pub fn provisioning(&self) -> &Provisioning {
        &self.provisioning
    }

    /// A trunk by its name.
    #[must_use]
    pub fn trunk(&self, trunk: &TrunkId) -> Option<&Trunk> {
        self.provisioning.trunks.get(*self.trunks.get(trunk)?)
    }

    /// Whose number it is, written in any of the ways that [`E164::normalise`] reads.
    #[must_use]
    pub fn number(&self, dialled: &str) -> Option<(&Tenant, &Number)> {
        self.number_of(&E164::normalise(dialled).ok()?)
    }

    /// Whose number it is.
    #[must_use]
    pub fn number_of(&self, number: &E164) -> Option<(&Tenant, &Number)> {
        let (tenant, at) = self.numbers.get(number)?;
        let tenant = self.provisioning.tenants.get(*tenant)?;
        Some((tenant, tenant.numbers.get(*at)?))
    }

    /// Every tenant, by name.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.values().filter_map(|index| self.provisioning.tenants.get(index.at))
    }

    /// A tenant.
    #[must_use]
    pub fn tenant(&self, tenant: &TenantId) -> Option<&Tenant> {
        self.provisioning.tenants.get(self.tenants.get(tenant)?.at)
    }

    /// The tenant whose agents register in this domain; capitals do not count (RFC 4343).
    #[must_use]
    pub fn tenant_by_domain(&self, domain: &str) -> Option<&Tenant> {
        self.provisioning.tenants.get(*self.domains.get(&domain.to_ascii_lowercase())?)
    }

    /// What a tenant may use: its own limits within all its parents'.
    #[must_use]
    pub fn limits(&self, tenant: &TenantId) -> Option<&Limits> {
        Some(&self.tenants.get(tenant)?.limits)
    }

    /// The tenant itself, its parent, its parent's parent, ..., each with the limits of its own: a
    /// call counts at every one of them.
    pub fn line(&self, tenant: &TenantId) -> impl Iterator<Item = (&TenantId, &Limits)> {
        let line = self.tenants.get(tenant).into_iter().flat_map(|index| &index.line);
        let tenants = line.filter_map(|at| self.provisioning.tenants.get(*at));
        tenants.map(|tenant| (&tenant.id, &tenant.limits))
    }

    /// What those hear whom one of the tenant's calls puts on hold: the tenant's own choice, else
    /// the nearest parent's.
    #[must_use]
    pub fn hold_music(&self, tenant: &TenantId) -> Option<&PromptId> {
        let line = self.tenants.get(tenant).into_iter().flat_map(|index| &index.line);
        let mut tenants = line.filter_map(|at| self.provisioning.tenants.get(*at));
        tenants.find_map(|tenant| tenant.hold_music.as_ref())
    }

    /// The language that a tenant's callers are told values in, if it or a parent says one.
    #[must_use]
    pub fn language(&self, tenant: &TenantId) -> Option<&str> {
        let line = self.tenants.get(tenant).into_iter().flat_map(|index| &index.line);
        let mut tenants = line.filter_map(|at| self.provisioning.tenants.get(*at));
        tenants.find_map(|tenant| tenant.language.as_deref())
    }

    /// The codecs of an agent's phones, best first: as the agent says, else the tenant, else the
    /// nearest parent; empty if none says any.
    #[must_use]
    pub fn codecs(&self, tenant: &TenantId, agent: &AgentId) -> &[String] {
        let line = self.tenants.get(tenant).into_iter().flat_map(|index| &index.line);
        let tenants = line.filter_map(|at| self.provisioning.tenants.get(*at));
        let own = self.agent(tenant, agent).map(|agent| &agent.codecs);
        let mut said = own.into_iter().chain(tenants.map(|tenant| &tenant.codecs));
        said.find(|codecs| !codecs.is_empty()).map_or(&[], Vec::as_slice)
    }

    /// Whether the audio of an agent's phones is encrypted: as the agent says, else the tenant,
    /// else the nearest parent.
    #[must_use]
    pub fn encryption(&self, tenant: &TenantId, agent: &AgentId) -> Encryption {
        let line = self.tenants.get(tenant).into_iter().flat_map(|index| &index.line);
        let mut tenants = line.filter_map(|at| self.provisioning.tenants.get(*at));
        let own = self.agent(tenant, agent).and_then(|agent| agent.encryption);
        own.or_else(|| tenants.find_map(|tenant| tenant.encryption)).unwrap_or_default()
    }

    /// An agent of a tenant.
    #[must_use]
    pub fn agent(&self, tenant: &TenantId, agent: &AgentId) -> Option<&Agent> {
        let index = self.tenants.get(tenant)?;
        self.provisioning.tenants.get(index.at)?.agents.get(*index.agents.get(agent)?)
    }

    /// A queue of a tenant.
    #[must_use]
    pub fn queue(&self, tenant: &TenantId, queue: &QueueId) -> Option<&Queue> {
        let index = self.tenants.get(tenant)?;
        self.provisioning.tenants.get(index.at)?.queues.get(*index.queues.get(queue)?)
    }

    /// A flow of a tenant.
    #[must_use]
    pub fn flow(&self, tenant: &TenantId, flow: &FlowId) -> Option<&Flow> {
        let index = self.tenants.get(tenant)?;
        self.provisioning.tenants.get(index.at)?.flows.get(*index.flows.get(flow)?)
    }

    /// A prompt as a tenant sees it, and whose it is: its own, else the nearest parent's.
    #[must_use]
    pub fn prompt(&self, tenant: &TenantId, prompt: &PromptId) -> Option<(&TenantId, &PromptFile)> {
        self.tenants.get(tenant)?.line.iter().find_map(|at| {
            let owner = self.provisioning.tenants.get(*at)?;
            let place = self.tenants.get(&owner.id)?.prompts.get(prompt)?;
            Some((&owner.id, owner.prompts.get(*place)?))
        })
    }

    /// Whether calls of this queue are recorded: it wants to and the tenant's limits let it.
    #[must_use]
    pub fn records(&self, tenant: &TenantId, queue: &QueueId) -> bool {
        self.queue(tenant, queue).is_some_and(|q| q.record)
            && self.limits(tenant).is_some_and(|l| l.recording)
    }

    /// Whether the tenant, or a tenant above it, has no service for now.
    #[must_use]
    pub fn is_suspended(&self, tenant: &TenantId) -> bool {
        let line = self.tenants.get(tenant).into_iter().flat_map(|index| &index.line);
        line.filter_map(|at| self.provisioning.tenants.get(*at)).any(|tenant| tenant.suspended)
    }

    /// The recording servers that get a copy of a tenant's call (SIPREC), in the order to try them:
    /// as its queue says, else the trunk it came or went over, else the tenant, else the nearest
    /// parent. None where the tenant's limits forbid recording, and none that is not for the
    /// tenant.
    pub fn siprec(
        &self,
        tenant: &TenantId,
        queue: Option<&QueueId>,
        trunk: Option<&TrunkId>,
    ) -> impl Iterator<Item = &TrunkId> {
        let of_queue = queue.and_then(|queue| self.queue(tenant, queue)?.siprec.as_ref());
        let of_trunk = trunk.and_then(|trunk| self.trunk(trunk)).map(|trunk| &trunk.siprec);
        let line = self.tenants.get(tenant).into_iter().flat_map(|index| &index.line);
        let mut line = line.filter_map(|at| self.provisioning.tenants.get(*at));
        let servers = of_queue
            .or(of_trunk.filter(|servers| !servers.is_empty()))
            .or_else(|| line.find(|tenant| !tenant.siprec.is_empty()).map(|t| &t.siprec))
            .filter(|_| self.limits(tenant).is_some_and(|limits| limits.recording));
        let serves = |server: &&TrunkId| {
            self.trunk(server).is_some_and(|trunk| self.trunk_serves(trunk, tenant))
        };
        servers.into_iter().flatten().filter(serves)
    }

    /// Every key to the API, and whose it is; the platform's have no tenant.
    pub fn api_keys(&self) -> impl Iterator<Item = (Option<&TenantId>, &ApiKey)> {
        let platform = self.provisioning.platform_keys.iter().map(|key| (None, key));
        let tenants = self.provisioning.tenants.iter();
        platform.chain(tenants.flat_map(|t| t.api_keys.iter().map(move |key| (Some(&t.id), key))))
    }

    /// Whether a queue's calls may come to that agent.
    #[must_use]
    pub fn serves(&self, tenant: &TenantId, agent: &AgentId, queue: &QueueId) -> bool {
        let (Some(queue), Some(agent)) = (self.queue(tenant, queue), self.agent(tenant, agent))
        else {
            return false;
        };
        queue.agents.as_ref().is_none_or(|agents| agents.contains(&agent.id))
            && Self::lacking(agent, &queue.needs).is_none()
    }

    /// The first of these skills that the agent lacks.
    pub(crate) fn lacking(agent: &Agent, needs: &[SkillId]) -> Option<SkillId> {
        needs.iter().find(|skill| !agent.skills.contains(skill)).cloned()
    }
}

/// Provisioning holds passwords and numbers: only the counts are shown.
impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("tenants", &self.tenants.len())
            .field("numbers", &self.numbers.len())
            .field("trunks", &self.trunks.len())
            .finish_non_exhaustive()
    }
}
