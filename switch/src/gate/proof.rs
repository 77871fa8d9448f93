//! Who a request comes from. A trunk is known by its network, by the names in its certificate, by
//! its password, or by several of these, as provisioned. An agent is known by password, or by the
//! connection over which a live binding of theirs was made: whoever holds the other end of it has
//! proven the password before. A datagram's source proves nothing about an agent, because anybody
//! can write it: over UDP every request of an agent's is challenged.

use base::{AgentId, Instant, TenantId, TrunkId};
use routing::{Directory, Secret, Trunk};
use sip::digest::Authenticator;
use sip::{Flow, Message, Method, Name, Response, StatusCode};

use super::claim::{Claim, Tokens};
use super::{Authenticated, Ruling, identity};
use crate::port::SecurityKind;
use crate::register::aor;
use crate::switch::Switch;

impl Switch {
    /// The trunks that the flow alone proves: it is the one to a registrar that has our contact, or
    /// its source, its certificate, and no password asked.
    pub(super) fn trunks_at(&self, flow: &Flow) -> Vec<TrunkId> {
        let Some(directory) = &self.node.directory else { return Vec::new() };
        let fitting = directory.trunks_for(flow.remote.ip(), self.node.gate.names_of(flow));
        let open = fitting.into_iter().filter(|trunk| trunk.credentials.is_none());
        let mut trunks = self.node.trunk_states.registered_over(flow);
        for trunk in open {
            if !trunks.contains(&trunk.id) {
                trunks.push(trunk.id.clone());
            }
        }
        trunks
    }

    /// The trunks that a password would prove, with what they would have to know.
    fn trunks_by_password(&self, flow: &Flow) -> Vec<(TrunkId, String, Secret)> {
        let Some(directory) = &self.node.directory else { return Vec::new() };
        let fitting = directory.trunks_for(flow.remote.ip(), self.node.gate.names_of(flow));
        let secret = |trunk: &Trunk| {
            let known = trunk.credentials.as_ref()?;
            Some((trunk.id.clone(), known.user.clone(), known.password.clone()))
        };
        fitting.into_iter().filter_map(secret).collect()
    }

    /// A REGISTER: always by password, for the domain of its Request-URI.
    pub(super) fn prove_registrant(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Message,
    ) -> Ruling {
        let Ok(uri) = request.uri() else { return Ruling::status(StatusCode::BAD_REQUEST) };
        let realm = uri.host().to_ascii_lowercase();
        if realm.is_empty() {
            return Ruling::status(StatusCode::UNSUPPORTED_URI_SCHEME);
        }
        let directory = self.node.directory.clone();
        let claim = Claim::of_agent(directory.as_deref(), self.tokens(now), realm, flow, request);
        if !claims(request, &claim.realm) {
            return self.challenge(now, request, &claim, false);
        }
        match self.check_credentials(now, flow, request, &claim) {
            Ok(who) => self.proven(who),
            Err(ruling) => ruling,
        }
    }

    /// INVITE, SUBSCRIBE and MESSAGE: from a trunk or an agent, or not at all.
    pub(super) fn prove_caller(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Message,
        trunks: &[TrunkId],
    ) -> Ruling {
        // We are a back-to-back user agent: what has gone round too often ends here (RFC 7332).
        if request.max_forwards() == Some(0) {
            self.node.security(now, SecurityKind::Loop, flow.remote, None);
            return Ruling::status(StatusCode::TOO_MANY_HOPS);
        }
        let Some(directory) = self.node.directory.clone() else {
            let response = Response::new(StatusCode::SERVICE_UNAVAILABLE);
            return Ruling::answer(response.header(Name::RETRY_AFTER, 5));
        };
        let realm = realm_of(request);
        let bound = self.bound_agent(now, &directory, &realm, flow, request);
        if let Some((tenant, agent)) = &bound
            && flow.transport.is_reliable()
        {
            let (tenant, agent) = (tenant.clone(), agent.clone());
            return self.agent_proven(now, flow, request, Authenticated::Agent { tenant, agent });
        }
        if !claims(request, &realm) {
            let at_contact = self.node.trunk_states.of_contact(trunks, request);
            return match at_contact.or_else(|| choose(&directory, trunks, request)) {
                Some(trunk) if bound.is_none() => self.trunk_proven(now, flow, request, trunk),
                _ => self.challenge_or_refuse(now, flow, request, realm),
            };
        }
        let by_password = self.trunks_by_password(&flow);
        let claim = Claim::of_agent(Some(&directory), self.tokens(now), realm, flow, request)
            .or_trunk(&by_password);
        match self.check_credentials(now, flow, request, &claim) {
            Ok(Authenticated::Trunk(trunk)) => self.trunk_proven(now, flow, request, trunk),
            Ok(agent) => self.agent_proven(now, flow, request, agent),
            Err(ruling) => ruling,
        }
    }

    pub(super) fn tokens(&self, now: Instant) -> Tokens<'_> {
        Tokens { key: &self.node.token_key, now: self.node.wall(now) }
    }

    /// The agent whom From names, if a binding of theirs was made over this very flow, by the phone
    /// itself: a proxy's connection carries other agents' requests too, and proves nothing.
    fn bound_agent(
        &self,
        now: Instant,
        directory: &Directory,
        realm: &str,
        flow: Flow,
        request: &Message,
    ) -> Option<(TenantId, AgentId)> {
        let tenant = directory.tenant_by_domain(realm)?;
        let from = request.from().ok()?;
        let agent = identity::agent_named(tenant, &from.uri().user_unescaped()?)?;
        let same = |other: Flow| {
            (other.transport, other.remote, other.connection)
                == (flow.transport, flow.remote, flow.connection)
        };
        let aor = aor(&tenant.id, &agent.id);
        let is_direct = request.vias().take(2).count() == 1;
        let own = |binding: &sip::Binding| binding.path.is_none() && same(binding.flow);
        let bound = is_direct && self.node.registrar.bindings(now, &aor).any(own);
        bound.then(|| (tenant.id.clone(), agent.id.clone()))
    }

    /// Nobody yet: a challenge, for whoever may be somebody here. Whose domain it is, and whether
    /// anybody has it, makes no difference; that nobody calls from a bare address does.
    fn challenge_or_refuse(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Message,
        realm: String,
    ) -> Ruling {
        let directory = self.node.directory.clone();
        let is_address = request.from().is_ok_and(|from| from.uri().ip().is_some());
        let is_domain = directory.as_ref().is_some_and(|d| d.tenant_by_domain(&realm).is_some());
        let may_be_trunk = !self.trunks_by_password(&flow).is_empty();
        if realm.is_empty() || is_address && !is_domain && !may_be_trunk {
            let kind = match request.method() {
                Method::Invite => SecurityKind::StrangerCall,
                _ => SecurityKind::StrangerRequest,
            };
            self.node.security(now, kind, flow.remote, None);
            return Ruling::status(StatusCode::FORBIDDEN);
        }
        let claim = Claim::of_agent(directory.as_deref(), self.tokens(now), realm, flow, request);
        self.challenge(now, request, &claim, false)
    }

    fn trunk_proven(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Message,
        trunk: TrunkId,
    ) -> Ruling {
        if request.method() == Method::Invite {
            return self.proven(Authenticated::Trunk(trunk));
        }
        self.node.security(now, SecurityKind::StrangerRequest, flow.remote, None);
        Ruling::status(StatusCode::FORBIDDEN)
    }

    /// An agent speaks in their own name alone.
    fn agent_proven(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Message,
        who: Authenticated,
    ) -> Ruling {
        let Authenticated::Agent { tenant, agent } = &who else { return self.proven(who) };
        let directory = self.node.directory.clone();
        let is_own = directory
            .and_then(|directory| {
                let (tenant, agent) = (directory.tenant(tenant)?, directory.agent(tenant, agent)?);
                Some(identity::is_own(&directory, tenant, agent, request))
            })
            .unwrap_or(false);
        if !is_own {
            let tenant = Some(tenant.clone());
            self.node.security(now, SecurityKind::ForgedIdentity, flow.remote, tenant);
            return Ruling::status(StatusCode::FORBIDDEN);
        }
        self.proven(who)
    }

    fn proven(&mut self, who: Authenticated) -> Ruling {
        self.node.gate.proven = Some(who);
        Ruling::Pass
    }
}

/// The domain a caller's password would be for: From's, or for a caller who hides theirs
/// (RFC 3323 §4.1) the one that is called.
fn realm_of(request: &Message) -> String {
    let from = request.from().map(|from| from.uri().host().to_ascii_lowercase());
    match from {
        Ok(host) if !host.is_empty() && !identity::is_hidden(&host) => host,
        _ => request.uri().map(|uri| uri.host().to_ascii_lowercase()).unwrap_or_default(),
    }
}

/// Whether there are credentials for that realm.
fn claims(request: &Message, realm: &str) -> bool {
    Authenticator::claimed_in(request, realm).is_some()
}

/// Of several trunks at one source, the one that may call the dialled number's tenant.
fn choose(directory: &Directory, trunks: &[TrunkId], request: &Message) -> Option<TrunkId> {
    let (first, rest) = trunks.split_first()?;
    if rest.is_empty() {
        return Some(first.clone());
    }
    let all: Vec<&Trunk> = trunks.iter().filter_map(|id| directory.trunk(id)).collect();
    let chosen = routing::route_among(directory, &all, request.uri_text());
    chosen.map_or(Some(first), |(trunk, _)| Some(&trunk.id)).cloned()
}
