//! Who a request says it comes from, and what it would have to know. Nothing of it is proven.

use base::{AgentId, TenantId, TrunkId, UnixTime};
use routing::{Digest, Directory, Secret};
use sip::digest::{Accepted, Algorithm, Authenticator, TokenKey, keep, token_of};
use sip::{Flow, Message};

use super::Authenticated;
use crate::call::is_page;

/// In the order of RFC 8760 §2.3: the stronger first.
const MD5_LAST: Accepted = Accepted::These(&[Algorithm::Sha256, Algorithm::Md5]);

/// Who a request says it comes from, as far as provisioning knows somebody like that.
pub(super) struct Claim {
    /// The domain that the credentials are for.
    pub(super) realm: String,
    /// The user that the credentials name; empty without credentials.
    pub(super) user: String,
    /// Who is trying, however often under another token's name.
    pub(super) tries: String,
    /// Whose domain it is.
    pub(super) tenant: Option<TenantId>,
    /// Who it would be.
    pub(super) who: Option<Authenticated>,
    /// What they would have to know; `None` for nobody, which takes as long to find wrong.
    pub(super) password: Option<Secret>,
    pub(super) accepted: Accepted,
}

impl Claim {
    /// An agent's, whose phone is at the end of that flow: by password, or by a token.
    pub(super) fn of_agent(
        directory: Option<&Directory>,
        tokens: Tokens<'_>,
        realm: String,
        flow: Flow,
        request: &Message,
    ) -> Self {
        let tenant = directory.and_then(|directory| directory.tenant_by_domain(&realm));
        let user = Authenticator::claimed_in(request, &realm).unwrap_or_default();
        let tries = token_of(&user).map_or(user.as_str(), |(_, agent)| agent).to_owned();
        let agent = AgentId::new(&tries).ok();
        let known = match (directory, tenant, &agent) {
            (Some(directory), Some(tenant), Some(agent)) => directory.agent(&tenant.id, agent),
            _ => None,
        };
        // Whoever comes from where they may not is told what a wrong password is told.
        let known = known.filter(|agent| !agent.loopback_only || flow.remote.ip().is_loopback());
        let accepted = match tenant.map(|tenant| tenant.digest).unwrap_or_default() {
            // JsSIP and SIP.js see the last challenge alone, and know MD5 alone.
            Digest::Md5AndSha256 if is_page(&flow) => MD5_LAST,
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
        let password = tokens.password(&realm, &user, known.map(|agent| &agent.password));
        Self { realm, user, tries, tenant, who, password, accepted }
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

/// What a token's password is made of, and when it is now.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    pub(super) key: &'a TokenKey,
    pub(super) now: UnixTime,
}

impl Tokens<'_> {
    /// What the user of that name would have to know: their password, or the password of the token
    /// that the name is. Nothing when the token is over, nobody has it, or it could not be ours.
    fn password(self, realm: &str, user: &str, known: Option<&Secret>) -> Option<Secret> {
        let Some((expires, agent)) = token_of(user) else { return known.cloned() };
        // The same work for whoever is nobody.
        let kept = keep(agent, realm, known.map_or("", Secret::as_str));
        let password = self.key.password(realm, user, &kept);
        known.filter(|_| expires > self.now).map(|_| Secret::new(password))
    }
}
