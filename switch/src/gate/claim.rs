//! Who a request says it comes from, and what it would have to know. Nothing of it is proven.

use base::{AgentId, TenantId, TrunkId};
use routing::{Digest, Directory, Secret};
use sip::digest::{Accepted, Authenticator};
use sip::{Flow, Message};

use super::Authenticated;

/// Who a request says it comes from, as far as provisioning knows somebody like that.
pub(super) struct Claim {
    /// The domain that the credentials are for.
    pub(super) realm: String,
    /// The user that the credentials name; empty without credentials.
    pub(super) user: String,
    /// Whose domain it is.
    pub(super) tenant: Option<TenantId>,
    /// Who it would be.
    pub(super) who: Option<Authenticated>,
    /// What they would have to know; `None` for nobody, which takes as long to find wrong.
    pub(super) password: Option<Secret>,
    pub(super) accepted: Accepted,
}

impl Claim {
    /// An agent's, whose phone is at the end of that flow.
    pub(super) fn of_agent(
        directory: Option<&Directory>,
        realm: String,
        flow: Flow,
        request: &Message,
    ) -> Self {
        let tenant = directory.and_then(|directory| directory.tenant_by_domain(&realm));
        let user = Authenticator::claimed_in(request, &realm).unwrap_or_default();
        let agent = AgentId::new(&user).ok();
        let known = match (directory, tenant, &agent) {
            (Some(directory), Some(tenant), Some(agent)) => directory.agent(&tenant.id, agent),
            _ => None,
        };
        // Whoever comes from where they may not is told what a wrong password is told.
        let known = known.filter(|agent| !agent.loopback_only || flow.remote.ip().is_loopback());
        let accepted = match tenant.map(|tenant| tenant.digest).unwrap_or_default() {
            Digest::Md5AndSha256 => Accepted::Md5AndSha256,
            Digest::Md5 => Accepted::Md5,
            Digest::Sha256 => Accepted::Sha256,
        };
        let tenant = tenant.map(|tenant| tenant.id.clone());
        let who = match (&tenant, known) {
            (Some(tenant), Some(agent)) => {
                Some(Authenticated::Agent { tenant: tenant.clone(), agent: agent.id.clone() })
            }
            _ => None,
        };
        let password = known.map(|agent| agent.password.clone());
        Self { realm, user, tenant, who, password, accepted }
    }

    /// The same, unless one of these trunks has that user.
    pub(super) fn or_trunk(mut self, trunks: &[(TrunkId, String, Secret)]) -> Self {
        if self.who.is_none()
            && let Some((trunk, _, password)) =
                trunks.iter().find(|(_, user, _)| *user == self.user)
        {
            self.who = Some(Authenticated::Trunk(trunk.clone()));
            self.password = Some(password.clone());
        }
        self
    }
}
