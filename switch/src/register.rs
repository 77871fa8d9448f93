//! REGISTER (RFC 3261 §10.3): an agent's phone says where it is. The domain gives the tenant, the
//! user the agent. What a stranger learns is the same whether tenant and agent exist or not.

use base::{AgentId, Instant, TenantId};
use routing::{Digest, Secret};
use sip::digest::{Accepted, Authenticator, Verdict};
use sip::{Flow, Message, Name, Response, ServerTx, StatusCode};

use crate::port::SecurityKind;
use crate::switch::Switch;

/// The registrar's key of an agent.
pub(crate) fn aor(tenant: &TenantId, agent: &AgentId) -> String {
    format!("{tenant}/{agent}")
}

/// The agent of such a key.
pub(crate) fn agent_of_aor(aor: &str) -> Option<(TenantId, AgentId)> {
    let (tenant, agent) = aor.split_once('/')?;
    Some((TenantId::new(tenant).ok()?, AgentId::new(agent).ok()?))
}

/// The agent that a REGISTER is for, as far as provisioning knows one.
struct Claim {
    tenant: Option<TenantId>,
    agent: Option<AgentId>,
    password: Option<Secret>,
    accepted: Accepted,
}

/// Phones that fail on any challenge but MD5's instead of passing over it: libre before 2.0.
const MD5_ONLY_PHONES: [&str; 2] = ["baresip v0.", "baresip v1."];

impl Switch {
    pub(crate) fn on_register(
        &mut self,
        now: Instant,
        tx: ServerTx,
        flow: Flow,
        request: &Message,
    ) {
        let Ok(uri) = request.uri() else {
            return self.node.reply(now, tx, StatusCode::BAD_REQUEST);
        };
        let realm = uri.host().to_ascii_lowercase();
        if realm.is_empty() {
            return self.node.reply(now, tx, StatusCode::UNSUPPORTED_URI_SCHEME);
        }
        let claim = self.claim(&realm, flow, request);
        let password = claim.password.as_ref().map(Secret::as_str);
        let verdict =
            self.node.authenticator.verify(now, request, &realm, claim.accepted, password);
        match verdict {
            Verdict::Ok { user } => self.register(now, tx, flow, request, &claim, &user),
            Verdict::Wrong => {
                let kind = SecurityKind::WrongCredentials;
                self.node.security(now, kind, flow.remote, claim.tenant);
                self.node.reply(now, tx, StatusCode::FORBIDDEN);
            }
            Verdict::Challenge => self.challenge(now, tx, request, (&realm, &claim), false),
            Verdict::Stale => self.challenge(now, tx, request, (&realm, &claim), true),
        }
    }

    /// Who it says it is. Nothing of it is proven yet.
    fn claim(&self, domain: &str, flow: Flow, request: &Message) -> Claim {
        let directory = self.node.directory.as_deref();
        let tenant = directory.and_then(|directory| directory.tenant_by_domain(domain));
        let user = Authenticator::claimed_user(request).map(|(user, _)| user);
        let agent = user.and_then(|user| AgentId::new(&user).ok());
        let known = match (directory, tenant, &agent) {
            (Some(directory), Some(tenant), Some(agent)) => directory.agent(&tenant.id, agent),
            _ => None,
        };
        // Whoever registers from where it may not is told what a wrong password is told.
        let password = known
            .filter(|agent| !agent.loopback_only || flow.remote.ip().is_loopback())
            .map(|agent| agent.password.clone());
        let accepted = match tenant.map(|tenant| tenant.digest).unwrap_or_default() {
            Digest::Md5AndSha256 => Accepted::Md5AndSha256,
            Digest::Md5 => Accepted::Md5,
            Digest::Sha256 => Accepted::Sha256,
        };
        Claim { tenant: tenant.map(|tenant| tenant.id.clone()), agent, password, accepted }
    }

    fn challenge(
        &mut self,
        now: Instant,
        tx: ServerTx,
        request: &Message,
        (realm, claim): (&str, &Claim),
        stale: bool,
    ) {
        let phone = request.header(Name::USER_AGENT).unwrap_or("");
        let is_md5_only = MD5_ONLY_PHONES.iter().any(|known| phone.starts_with(known));
        let accepted = match claim.accepted {
            Accepted::Md5AndSha256 if is_md5_only => Accepted::Md5,
            accepted => accepted,
        };
        let mut response = Response::new(StatusCode::UNAUTHORIZED);
        let authenticator = &mut self.node.authenticator;
        let challenges = if stale {
            authenticator.stale_challenges(now, realm, accepted)
        } else {
            authenticator.challenges(now, realm, accepted)
        };
        for challenge in challenges {
            response = response.header(Name::WWW_AUTHENTICATE, challenge);
        }
        self.node.endpoint.respond(now, tx, response);
    }

    /// It has proven who it is; the address it registers must be its own.
    fn register(
        &mut self,
        now: Instant,
        tx: ServerTx,
        flow: Flow,
        request: &Message,
        claim: &Claim,
        user: &str,
    ) {
        let (Some(tenant), Some(agent)) = (&claim.tenant, &claim.agent) else {
            return self.node.reply(now, tx, StatusCode::FORBIDDEN);
        };
        if !is_own_address(request, user) {
            let kind = SecurityKind::ForeignRegistration;
            self.node.security(now, kind, flow.remote, Some(tenant.clone()));
            return self.node.reply(now, tx, StatusCode::FORBIDDEN);
        }
        let registered = self.node.registrar.register(now, &aor(tenant, agent), flow, request);
        let response = match registered {
            Ok(registered) => registered.response(),
            Err((status, reason)) => self.not_registered(status, reason),
        };
        self.node.endpoint.respond(now, tx, response);
    }
}

impl Switch {
    /// The registrar's refusal; one of too short a time says which would do (RFC 3261 §21.4.17).
    fn not_registered(&self, status: StatusCode, reason: &str) -> Response {
        let response = Response::new(status).reason(reason);
        if status == StatusCode::INTERVAL_TOO_BRIEF {
            let seconds = self.node.registrar.config().min_expires.as_secs();
            return response.header(Name::MIN_EXPIRES, seconds);
        }
        response
    }
}

/// Whether To names the user itself, in the domain of the Request-URI.
fn is_own_address(request: &Message, user: &str) -> bool {
    let (Ok(to), Ok(domain)) = (request.to(), request.uri()) else { return false };
    let own = to.uri();
    own.user_unescaped().as_deref() == Some(user) && own.host().eq_ignore_ascii_case(domain.host())
}
