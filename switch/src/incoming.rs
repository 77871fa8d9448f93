//! Requests that the gate let pass, and responses to requests of ours: whose are they?

use std::sync::Arc;

use base::{AgentId, Instant, TenantId, TrunkId};
use routing::{Directory, Trunk};
use sip::stir::Verdict;
use sip::{ClientTx, Dialog, DialogId, Flow, Message, Method, Name, ServerTx, StatusCode, Uri};

use crate::Cause;
use crate::call::{AgentInvitation, Call, Destination, Invitation, Inviter, Refusal, Signal};
use crate::gate::Authenticated;
use crate::index::LegRef;
use crate::node::bad_extension;
use crate::port::SecurityKind;
use crate::stir::Verified;
use crate::strays::cseq_of;
use crate::switch::Switch;

impl Switch {
    /// A request that began a transaction; neither ACK nor CANCEL.
    pub(crate) fn on_request(&mut self, now: Instant, tx: ServerTx, flow: Flow, request: Message) {
        if request.method() != Method::Invite && request.header(Name::REPLACES).is_some() {
            // RFC 3891 §3.
            return self.node.reply(now, tx, StatusCode::BAD_REQUEST);
        }
        let is_in_dialog = request.to_tag().is_some();
        // A call that is refused has its record; and nobody insists on anything to hang up.
        let may_insist = match request.method() {
            Method::Invite => !is_in_dialog,
            Method::Bye => true,
            _ => false,
        };
        if !may_insist && let Some(refusal) = bad_extension(&request) {
            return self.node.endpoint.respond(now, tx, refusal);
        }
        if is_in_dialog {
            return self.on_in_dialog(now, tx, flow, request);
        }
        match (request.method(), self.node.gate.take_proven()) {
            (Method::Invite, Some(Authenticated::Trunk(trunk))) => {
                self.on_trunk_invite(now, tx, flow, request, &trunk);
            }
            (Method::Invite, Some(Authenticated::Agent { tenant, agent })) => {
                self.on_agent_invite(now, tx, flow, request, (tenant, agent));
            }
            (Method::Register, Some(Authenticated::Agent { tenant, agent })) => {
                self.on_register(now, tx, flow, &request, (tenant, agent));
            }
            (Method::Subscribe, Some(Authenticated::Agent { tenant, agent })) => {
                self.on_subscribe(now, tx, flow, &request, (tenant, agent));
            }
            (Method::Message, Some(Authenticated::Agent { tenant, agent })) => {
                self.on_message(now, tx, &request, (tenant, agent));
            }
            // The gate lets nothing else pass.
            _ => self.node.reply(now, tx, StatusCode::FORBIDDEN),
        }
    }

    fn on_in_dialog(&mut self, now: Instant, tx: ServerTx, flow: Flow, request: Message) {
        let dialog = DialogId::of_request(&request);
        if dialog.as_ref().is_some_and(|dialog| self.node.subscriptions.peer(dialog).is_some()) {
            return self.on_resubscribe(now, tx, flow, &request);
        }
        let owner = dialog.and_then(|dialog| self.node.index.dialogs.get(&dialog).copied());
        match owner {
            Some(LegRef { call, leg }) => {
                self.signal(now, call, Signal::Request(leg, tx, request));
            }
            None => self.node.reply(now, tx, StatusCode::CALL_DOES_NOT_EXIST),
        }
    }

    /// An INVITE of a trunk's that begins a call.
    fn on_trunk_invite(
        &mut self,
        now: Instant,
        tx: ServerTx,
        flow: Flow,
        invite: Message,
        trunk: &TrunkId,
    ) {
        let Some(directory) = self.node.directory.clone() else { return };
        let Some(known) = directory.trunk(trunk) else { return };
        if let Verified::Now(verdict) = self.verify_caller(now, (tx, flow, &invite), known) {
            self.admit_trunk_invite(now, (tx, flow, invite), trunk, verdict);
        }
    }

    /// The same when its signature has been looked at.
    pub(crate) fn admit_trunk_invite(
        &mut self,
        now: Instant,
        (tx, flow, invite): (ServerTx, Flow, Message),
        trunk: &TrunkId,
        verdict: Option<Verdict>,
    ) {
        let Some(directory) = self.node.directory.clone() else { return };
        let Some(trunk) = directory.trunk(trunk) else {
            // Taken out of provisioning while the call waited.
            return self.node.reply(now, tx, StatusCode::FORBIDDEN);
        };
        if self.refuse_unsigned(now, (tx, flow, &invite), trunk, verdict.as_ref()) {
            return;
        }
        if self.node.index.sip_calls.contains_key(invite.call_id()) {
            // The same request by another way (RFC 3261 §8.2.2.2).
            self.node.security(now, SecurityKind::Loop, flow.remote, None);
            return self.node.reply(now, tx, StatusCode::LOOP_DETECTED);
        }
        if invite.header(Name::REPLACES).is_some() {
            // Who is outside takes nobody's place.
            let refusal = Refusal::new(Cause::Forbidden, "a trunk takes no dialog over");
            self.node.security(now, SecurityKind::DialogHijack, flow.remote, only_tenant(trunk));
            return self.turn_away(now, tx, flow, &invite, &refusal);
        }
        let called = self.node.trunk_states.called(&trunk.id, &invite);
        let called = called.or_else(|| invite.uri().ok().map(|uri| uri.to_buf()));
        let Some((dialled, called)) = called.and_then(|uri| Some((dialled(&uri.as_uri())?, uri)))
        else {
            return self.node.reply(now, tx, StatusCode::UNSUPPORTED_URI_SCHEME);
        };
        let (tenant, destination) = match find(&directory, trunk, called.as_str()) {
            Ok(found) => found,
            Err(refusal) => {
                let tenant = only_tenant(trunk);
                self.node.security(now, SecurityKind::UnknownNumber, flow.remote, tenant.clone());
                match tenant {
                    Some(tenant) => (tenant, Destination::Nowhere(refusal)),
                    None => return self.turn_away(now, tx, flow, &invite, &refusal),
                }
            }
        };
        let inviter = Inviter::Trunk(trunk.id.clone());
        let from = None;
        let invitation = Invitation {
            tx,
            flow,
            invite,
            inviter,
            tenant,
            dialled,
            from,
            verdict,
            directory,
            destination,
        };
        self.calls.insert(Call::begin(&mut self.node, now, invitation));
    }

    /// An INVITE of an agent's phone.
    fn on_agent_invite(
        &mut self,
        now: Instant,
        tx: ServerTx,
        flow: Flow,
        invite: Message,
        (tenant, agent): (TenantId, AgentId),
    ) {
        let Some(directory) = self.node.directory.clone() else { return };
        if self.node.index.sip_calls.contains_key(invite.call_id()) {
            self.node.security(now, SecurityKind::Loop, flow.remote, Some(tenant));
            return self.node.reply(now, tx, StatusCode::LOOP_DETECTED);
        }
        let pickup = self.pickup(now, flow, &invite, (&tenant, &agent));
        let invitation = AgentInvitation { tx, flow, invite, tenant, agent, directory, pickup };
        let call = Call::begin_from_agent(&mut self.node, now, invitation);
        self.node.subscriptions.touch(&call.tenant, call.id);
        self.calls.insert(call);
    }

    /// Refuses an INVITE that is no tenant's call.
    fn turn_away(
        &mut self,
        now: Instant,
        tx: ServerTx,
        flow: Flow,
        invite: &Message,
        refusal: &Refusal,
    ) {
        let response = refusal.response();
        self.node.note_refused(now, flow, invite, &response);
        self.node.endpoint.respond(now, tx, response);
    }

    /// A response to a request of ours.
    pub(crate) fn on_response(&mut self, now: Instant, tx: ClientTx, response: Message) {
        self.node.paths.heard(now, tx, &response);
        if let Some(LegRef { call, leg }) = self.node.index.clients.get(&tx).copied() {
            if response.status().is_some_and(StatusCode::is_final) {
                self.node.index.clients.remove(&tx);
            }
            self.signal(now, call, Signal::Response(leg, tx, response));
        } else if !self.node.on_errand_response(now, tx, &response)
            && !self.on_notified(now, tx, response.status())
            && !self.on_message_answered(now, tx, response.status())
        {
            self.on_stray_response(now, tx, &response);
        }
    }

    /// No response to a request of ours, and none will come.
    pub(crate) fn on_no_response(
        &mut self,
        now: Instant,
        tx: ClientTx,
        signal: fn(base::LegId, ClientTx) -> Signal,
    ) {
        if let Some(owner) = self.node.index.clients.remove(&tx) {
            self.signal(now, owner.call, signal(owner.leg, tx));
        } else if !self.node.on_errand_unanswered(now, tx)
            && !self.on_notified(now, tx, None)
            && !self.on_message_answered(now, tx, None)
        {
            self.forget_stray(now, tx);
        }
    }

    /// A response to an INVITE that no call waits for: a 2xx is acknowledged and hung up.
    fn on_stray_response(&mut self, now: Instant, tx: ClientTx, response: &Message) {
        let Some(stray) = self.node.strays.get(tx) else {
            self.node.ignored += 1;
            return;
        };
        let Some(status) = response.status().filter(|status| status.is_final()) else { return };
        if !status.is_success() {
            return self.forget_stray(now, tx);
        }
        if stray.taken.as_deref() == response.to_tag() {
            return;
        }
        let (call, leg, flow) = (stray.call, stray.leg, stray.flow);
        let Ok(mut dialog) = Dialog::uac(&stray.invite, response) else { return };
        let ack = dialog.ack(cseq_of(&stray.invite));
        self.node.endpoint.acknowledge(now, tx, flow, ack);
        let bye = self.node.endpoint.request(now, flow, dialog.request(Method::Bye));
        if let Some(call) = self.calls.get_mut(call) {
            self.node.index.clients.insert(bye, LegRef { call: call.id, leg });
            call.handle(&mut self.node, now, Signal::StrayAnswered(leg, tx, bye));
        }
    }

    /// Nothing more can come for it.
    pub(crate) fn forget_stray(&mut self, now: Instant, tx: ClientTx) {
        let Some(stray) = self.node.strays.remove(tx) else { return };
        self.node.alarms.remove(&(stray.until, crate::node::Alarm::Stray(tx)));
        if stray.taken.is_none() && self.calls.get_mut(stray.call).is_some() {
            self.signal(now, stray.call, Signal::StrayOver(tx));
        }
    }
}

/// What was dialled: the user of the Request-URI, without `tel:` parameters.
fn dialled(uri: &Uri<'_>) -> Option<String> {
    if !uri.is_sip() && !uri.is_tel() {
        return None;
    }
    let user = uri.user_unescaped().unwrap_or_default();
    Some(user.split(';').next().unwrap_or_default().to_owned())
}

/// The number's tenant and flow.
fn find(
    directory: &Arc<Directory>,
    trunk: &Trunk,
    dialled: &str,
) -> Result<(TenantId, Destination), Refusal> {
    let route = routing::route(directory, trunk, dialled)
        .map_err(|refused| Refusal::new(Cause::NoRoute, refused.to_string()))?;
    let steps = directory
        .flow(&route.tenant, &route.flow)
        .map(|flow| flow.steps.clone())
        .ok_or_else(|| Refusal::new(Cause::InternalError, "the flow is not there"))?;
    let number = route.number.to_string();
    let (flow, reasons) = (route.flow, route.reasons);
    Ok((route.tenant, Destination::Flow { number, flow, reasons, steps }))
}

/// The one tenant a trunk is for, if it is for one only.
fn only_tenant(trunk: &Trunk) -> Option<TenantId> {
    match trunk.tenants.as_deref() {
        Some([tenant]) => Some(tenant.clone()),
        _ => None,
    }
}
