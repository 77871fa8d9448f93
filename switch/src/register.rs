//! REGISTER (RFC 3261 §10.3): an agent's phone says where it is. The domain gives the tenant, the
//! user the agent. The gate has seen to it that it is the agent who speaks.

use base::{AgentId, Instant, TenantId};
use sip::{Flow, Message, Name, Response, ServerTx, StatusCode};

use crate::call::{SUSPENDED, Signal};
use crate::pages;
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

impl Switch {
    /// A REGISTER whose sender has proven who it is; the address it registers must be its own.
    pub(crate) fn on_register(
        &mut self,
        now: Instant,
        tx: ServerTx,
        flow: Flow,
        request: &Message,
        (tenant, agent): (TenantId, AgentId),
    ) {
        if !is_own_address(request, &agent) {
            let kind = SecurityKind::ForeignRegistration;
            self.node.security(now, kind, flow.remote, Some(tenant));
            return self.node.reply(now, tx, StatusCode::FORBIDDEN);
        }
        if self.is_suspended(&tenant) && !takes_back(request) {
            return self.node.endpoint.respond(now, tx, suspended());
        }
        let aor = aor(&tenant, &agent);
        let left = self.node.connection_left(now, &aor, flow, request);
        let registered = self.node.registrar.register(now, &aor, flow, request);
        let response = match registered {
            Ok(registered) => registered.response(),
            Err((status, reason)) => self.not_registered(status, reason),
        };
        self.node.endpoint.respond(now, tx, response);
        self.review_pages(now, &aor, Some((flow.connection, pages::age(request))));
        if let Some(left) = left {
            for leg in self.node.index.legs_of(left) {
                self.signal(now, leg.call, Signal::PageMoved(leg.leg, left));
            }
        }
        for call in self.node.calling.waiting_for(&tenant, &agent) {
            self.signal(now, call, Signal::AgentBack(agent.clone()));
        }
    }

    /// Whether a tenant has no service for now.
    pub(crate) fn is_suspended(&self, tenant: &TenantId) -> bool {
        self.node.directory.as_ref().is_some_and(|directory| directory.is_suspended(tenant))
    }

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

/// The refusal of one whose tenant has no service for now.
pub(crate) fn suspended() -> Response {
    Response::new(StatusCode::FORBIDDEN)
        .header(Name::WARNING, format_args!("399 strowger \"{SUSPENDED}\""))
}

/// Whether a REGISTER takes bindings back, and makes none.
fn takes_back(request: &Message) -> bool {
    let all = request.header(Name::CONTACT).is_some_and(|contact| contact.trim() == "*");
    let ends = |contact: &sip::Address<'_>| match contact.params().value("expires") {
        Some(seconds) => seconds.trim() == "0",
        None => request.expires() == Some(0),
    };
    let mut contacts = request.contacts().filter_map(Result::ok);
    all || contacts.all(|contact| ends(&contact))
}

/// Whether To names the agent itself, in the domain of the Request-URI.
fn is_own_address(request: &Message, agent: &AgentId) -> bool {
    let (Ok(to), Ok(domain)) = (request.to(), request.uri()) else { return false };
    let own = to.uri();
    own.user_unescaped().as_deref() == Some(agent.as_str())
        && own.host().eq_ignore_ascii_case(domain.host())
}
