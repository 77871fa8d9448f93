//! Whose place an agent's INVITE takes: by Replaces (RFC 3891), or by the tenant's pickup code.
//! Only within the tenant, only a phone's place, and only who may.

use base::{AgentId, CallId, Instant, TenantId};
use routing::{Dialled, Pickup, picks_up};
use sip::header::{ReferredBy, Replaces};
use sip::{Flow, Message, Name, StatusCode};

use crate::Cause;
use crate::api::ApiError;
use crate::call::{Call, Named, Purpose, Refusal, Target};
use crate::gate::agent_named;
use crate::index::LegRef;
use crate::port::SecurityKind;
use crate::switch::Switch;

impl Switch {
    /// The leg whose place an agent's INVITE takes, or why it may not; `None` if it is an ordinary
    /// call.
    pub(crate) fn pickup(
        &mut self,
        now: Instant,
        flow: Flow,
        invite: &Message,
        (tenant, agent): (&TenantId, &AgentId),
    ) -> Option<Result<Target, Refusal>> {
        let wanted = if invite.header(Name::REPLACES).is_some() {
            if self.is_help(tenant, agent, invite) {
                return None;
            }
            self.replaced(invite, tenant, agent)
        } else {
            let directory = self.node.directory.as_ref()?;
            let text = invite.uri_text();
            if let Some(code) = routing::supervision_code(directory, tenant, text) {
                // Who rings and who talks is told to nobody who may not supervise.
                let found = self.supervised(code, tenant, agent);
                return Some(found.map_err(Refusal::of_supervision));
            }
            self.coded(routing::pickup(directory, tenant, invite.uri_text())?, tenant, agent)
        };
        if wanted == Err(StatusCode::FORBIDDEN) {
            let tenant = Some(tenant.clone());
            self.node.security(now, SecurityKind::DialogHijack, flow.remote, tenant);
        }
        Some(wanted.map_err(Refusal::of_pickup))
    }

    /// The API has an agent rung who takes a ringing call over. Gives the call that rings them.
    pub(crate) fn pick_up(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        of: CallId,
        by: AgentId,
        own_wish: bool,
    ) -> Result<CallId, ApiError> {
        let conflict = |why: &str| ApiError::Conflict(why.to_owned());
        self.known_agent(tenant, &by)?;
        let call = self.calls.of_tenant(tenant, of).ok_or(ApiError::NotFound)?;
        let nobody = "nobody rings in this call who could be relieved of it";
        let (leg, rung) = call.rings().ok_or_else(|| conflict(nobody))?;
        if *rung == by {
            return Err(conflict("it rings that agent already"));
        }
        if own_wish && !self.may_pick_up(tenant, &by, rung) {
            let reason = format!("{by} may not pick up what rings {rung}");
            return Err(ApiError::Refused { cause: Cause::Forbidden, reason });
        }
        let target = call.target(leg, true).map_err(|_| conflict(nobody))?;
        let directory = self.node.directory.clone().ok_or(ApiError::NotFound)?;
        let (who, what) = ((tenant.clone(), by), (target, call.shown_to_taker()));
        let taker = Call::originate_pickup(&mut self.node, now, directory, who, what);
        let id = taker.id;
        self.calls.insert(taker);
        Ok(id)
    }

    /// Nothing stands before a call for help.
    fn is_help(&self, tenant: &TenantId, agent: &AgentId, invite: &Message) -> bool {
        let dial = |directory| routing::dial(directory, tenant, Some(agent), invite.uri_text());
        let dialled = self.node.directory.as_deref().map(dial);
        matches!(dialled, Some(Ok(Dialled::Outside(to))) if to.is_emergency())
    }

    /// The leg that a Replaces names, if its sender may take it over.
    fn replaced(
        &self,
        invite: &Message,
        tenant: &TenantId,
        agent: &AgentId,
    ) -> Result<Target, StatusCode> {
        let replaces = Replaces::of(invite).map_err(|_| StatusCode::BAD_REQUEST)?;
        let replaces = replaces.ok_or(StatusCode::BAD_REQUEST)?;
        // Whether another tenant has such a dialog is not told.
        let call = self.node.index.sip_calls.get(&*replaces.call_id);
        let call = call.and_then(|call| self.calls.of_tenant(tenant, *call));
        let leg = match call.and_then(|call| call.named(&replaces)) {
            Some(Named::Leg(leg)) => leg,
            Some(Named::Over) => return Err(StatusCode::DECLINE),
            None if self.node.index.has_ended(tenant, &replaces) => {
                return Err(StatusCode::DECLINE);
            }
            Some(Named::Unanswered(_)) | None => return Err(StatusCode::CALL_DOES_NOT_EXIST),
        };
        let call = call.ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        let of = call.agent_of(leg).ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        // A conversation is its owner's, or whose the owner has sent.
        if agent == of || self.was_sent_by(of, invite, tenant) {
            return call.target(leg, replaces.early_only);
        }
        if !self.may_pick_up(tenant, agent, of) {
            return Err(StatusCode::FORBIDDEN);
        }
        call.target(leg, true)
    }

    /// The leg that a pickup code means.
    fn coded(
        &self,
        pickup: Pickup,
        tenant: &TenantId,
        agent: &AgentId,
    ) -> Result<Target, StatusCode> {
        let nobody = StatusCode::TEMPORARILY_UNAVAILABLE;
        let may = |of: &AgentId| self.may_pick_up(tenant, agent, of);
        let whom = match pickup {
            Pickup::Any => None,
            Pickup::Of(of) if !may(&of) => return Err(StatusCode::FORBIDDEN),
            Pickup::Of(of) => Some(of),
            Pickup::Nobody => return Err(StatusCode::NOT_FOUND),
        };
        let is_meant = |of: &AgentId| match &whom {
            Some(whom) => of == whom,
            None => of != agent && may(of),
        };
        // The newest call comes first; who has rung longest is meant.
        let ringing = self.calls.all_of(tenant).filter_map(|call| {
            let (leg, of) = call.rings()?;
            is_meant(of).then(|| call.target(leg, true))
        });
        ringing.last().ok_or(nobody)?
    }

    fn may_pick_up(&self, tenant: &TenantId, by: &AgentId, of: &AgentId) -> bool {
        let directory = self.node.directory.as_ref();
        directory.is_some_and(|directory| picks_up(directory, tenant, by, of))
    }

    /// Whether the INVITE says that the one whose dialog it names has sent it (RFC 3892).
    fn was_sent_by(&self, of: &AgentId, invite: &Message, tenant: &TenantId) -> bool {
        let Ok(Some(ReferredBy(by))) = ReferredBy::of(invite) else { return false };
        let uri = by.uri.as_uri();
        let known = self.node.directory.as_ref().and_then(|directory| directory.tenant(tenant));
        let Some(known) = known.filter(|known| uri.host().eq_ignore_ascii_case(&known.domain))
        else {
            return false;
        };
        let named = uri.user_unescaped().and_then(|user| agent_named(known, &user));
        named.is_some_and(|agent| agent.id == *of)
    }

    /// The caller of one call takes a leg of another one over, which may have gone meanwhile.
    pub(crate) fn take_over(&mut self, now: Instant, by: base::CallId, of: LegRef) {
        let Some(target) = self.calls.get(by).and_then(|taker| taker.pickup()) else { return };
        let verdict = match self.calls.get(of.call) {
            Some(call) => call.may_be_taken(&target).map(|_| ()),
            None => Err(StatusCode::DECLINE),
        };
        let node = &mut self.node;
        let Some(taker) = self.calls.get_mut(by) else { return };
        if !taker.answer_taker(node, now, verdict) {
            return;
        }
        let parted = taker.give_caller(node);
        if let Some(call) = self.calls.get_mut(of.call) {
            match target.purpose {
                Purpose::TakeOver => call.take_over(node, now, of.leg, parted),
                Purpose::Supervise(mode) => {
                    call.admit_supervisor(node, now, (of.leg, mode), parted);
                }
            }
            node.subscriptions.touch(&call.tenant, call.id);
        }
        if let Some(taker) = self.calls.get_mut(by) {
            taker.end_taker(node, now);
        }
        self.touch(now, [by, of.call]);
    }
}

impl Refusal {
    /// Why a supervisor's code opens nothing.
    fn of_supervision(status: StatusCode) -> Self {
        let (cause, reason) = match status.as_u16() {
            403 => (Cause::Forbidden, "the agent does not supervise that call"),
            404 => (Cause::NoRoute, "the code is followed by nobody's name"),
            _ => (Cause::NoAnswer, "that agent does not talk"),
        };
        Self::new(cause, reason).with_status(status)
    }

    /// Why an agent's INVITE takes nobody's place.
    pub(crate) fn of_pickup(status: StatusCode) -> Self {
        let (cause, reason) = match status.as_u16() {
            400 => (Cause::BadRequest, "the Replaces is none, or there are several"),
            403 => (Cause::Forbidden, "the agent may not take that call over"),
            404 => (Cause::NoRoute, "the code is followed by nobody's name"),
            481 => (Cause::NoRoute, "there is no such dialog"),
            486 => (Cause::Busy, "the call has been answered"),
            603 => (Cause::Rejected, "the dialog is over"),
            _ => (Cause::NoAnswer, "nothing rings that could be picked up"),
        };
        Self::new(cause, reason).with_status(status)
    }
}
