//! Requests within a dialog (RFC 3261 §12.2.2): from the peer the dialog was made with, or not at
//! all. Call-ID and tags are no secret to those who can listen.
//!
//! A trunk's come from its network, whichever of its hosts sends them. An agent's come over the
//! dialog's flow, or over one that a live binding of theirs was made over (a phone that has moved,
//! a page that was loaded again); over any other path they take the password.

use base::{AgentId, Instant, TenantId, TrunkId};
use sip::{DialogId, Flow, Message, Response, StatusCode};

use super::claim::Claim;
use super::{Authenticated, Ruling};
use crate::index::LegRef;
use crate::port::SecurityKind;
use crate::register::aor;
use crate::switch::Switch;

/// Whom a dialog was made with.
pub(crate) struct Peer {
    /// The path that is in use.
    pub(crate) flow: Option<Flow>,
    /// The tenant whose call it is.
    pub(crate) tenant: TenantId,
    /// The agent, on an agent's leg.
    pub(crate) agent: Option<AgentId>,
    /// The trunk, on a trunk's.
    pub(crate) trunk: Option<TrunkId>,
}

impl Switch {
    pub(super) fn rule_in_dialog(&mut self, now: Instant, flow: Flow, request: &Message) -> Ruling {
        let Some(dialog) = DialogId::of_request(request) else { return no_dialog() };
        if let Some(peer) = self.node.subscriptions.peer(&dialog) {
            return self.rule_peer(now, flow, request, &peer, None);
        }
        let leg = self.node.index.dialogs.get(&dialog).copied();
        let peer = leg.and_then(|leg| self.calls.get_mut(leg.call)?.peer(leg.leg, &dialog));
        let Some(peer) = peer else {
            return if self.may_ask(now, flow) { no_dialog() } else { Ruling::Silence };
        };
        self.rule_peer(now, flow, request, &peer, leg)
    }

    fn rule_peer(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Message,
        peer: &Peer,
        leg: Option<LegRef>,
    ) -> Ruling {
        let Some(own) = peer.flow else { return Ruling::Pass };
        if is_same(own, flow) {
            return Ruling::Pass;
        }
        if !self.is_at(now, peer, own, flow) {
            match &peer.agent {
                Some(agent) => {
                    let proof = self.prove_moved(now, flow, request, &peer.tenant, agent);
                    if let Err(ruling) = proof {
                        return ruling;
                    }
                }
                None => {
                    let tenant = Some(peer.tenant.clone());
                    self.node.security(now, SecurityKind::DialogHijack, flow.remote, tenant);
                    return no_dialog();
                }
            }
        }
        if let (Some(leg), Some(_)) = (leg, &peer.agent)
            && let Some(call) = self.calls.get_mut(leg.call)
        {
            call.move_leg(&mut self.node, now, leg.leg, flow);
        }
        Ruling::Pass
    }

    /// The ACK of a 2xx, which may bring the answer to our offer: from the peer, or not at all.
    /// Nothing answers an ACK, so nobody can be challenged; a phone behind an address translator
    /// may have another port by now.
    pub(super) fn rule_ack(&mut self, now: Instant, flow: Flow, ack: &Message) -> Ruling {
        let dialog = DialogId::of_request(ack);
        let known = dialog.as_ref().and_then(|dialog| self.node.index.dialogs.get(dialog).copied());
        let peer = known
            .zip(dialog.as_ref())
            .and_then(|(leg, dialog)| self.calls.get_mut(leg.call)?.peer(leg.leg, dialog));
        let Some(peer) = peer else { return Ruling::Pass };
        let Some(own) = peer.flow else { return Ruling::Pass };
        if own.remote.ip() == flow.remote.ip() || self.is_at(now, &peer, own, flow) {
            return Ruling::Pass;
        }
        self.node.security(now, SecurityKind::DialogHijack, flow.remote, Some(peer.tenant));
        Ruling::Silence
    }

    /// Whether a peer, whose dialog goes over its own flow, may just as well be at another.
    fn is_at(&self, now: Instant, peer: &Peer, own: Flow, flow: Flow) -> bool {
        let source = flow.remote.ip();
        match (&peer.agent, &peer.trunk) {
            (Some(agent), _) => self.has_binding(now, &peer.tenant, agent, flow),
            (None, Some(trunk)) => {
                own.remote.ip() == source
                    || self.trunks_at(&flow).contains(trunk)
                    || self.node.trunk_states.is_server(trunk, source)
            }
            (None, None) => own.remote.ip() == source,
        }
    }

    /// Whether a binding of the agent's was made over that flow.
    fn has_binding(&self, now: Instant, tenant: &TenantId, agent: &AgentId, flow: Flow) -> bool {
        let aor = aor(tenant, agent);
        self.node.registrar.bindings(now, &aor).any(|binding| is_same(binding.flow, flow))
    }

    /// The agent's phone at another address has to know the password.
    fn prove_moved(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Message,
        tenant: &TenantId,
        agent: &AgentId,
    ) -> Result<(), Ruling> {
        if !self.may_ask(now, flow) {
            return Err(Ruling::Silence);
        }
        let directory = self.node.directory.clone();
        let domain = directory.as_ref().and_then(|d| Some(d.tenant(tenant)?.domain.clone()));
        let Some(realm) = domain.map(|domain| domain.to_ascii_lowercase()) else {
            return Err(no_dialog());
        };
        let claim = Claim::of_agent(directory.as_deref(), self.tokens(now), realm, flow, request);
        if claim.user.is_empty() {
            let tenant = Some(tenant.clone());
            self.node.security(now, SecurityKind::DialogHijack, flow.remote, tenant);
            return Err(self.challenge(now, request, &claim, false));
        }
        match self.check_credentials(now, flow, request, &claim)? {
            Authenticated::Agent { agent: proven, .. } if proven == *agent => Ok(()),
            _ => Err(Ruling::status(StatusCode::FORBIDDEN)),
        }
    }
}

/// The same connection; for datagrams the same address and port.
fn is_same(a: Flow, b: Flow) -> bool {
    (a.transport, a.remote, a.connection) == (b.transport, b.remote, b.connection)
}

fn no_dialog() -> Ruling {
    Ruling::answer(Response::new(StatusCode::CALL_DOES_NOT_EXIST))
}
