//! Who is in a conversation besides the two who talk: what the API asks about it, the codes that
//! supervisors dial, and two calls of one agent's that become one.

use base::{AgentId, CallId, Instant, TenantId};
use routing::SupervisionCode;
use sip::StatusCode;

use crate::api::{ApiError, ApiReply, ApiRequest};
use crate::call::{Call, Target};
use crate::node::Node;
use crate::switch::Switch;

impl Switch {
    /// What the API asks about those in a call.
    pub(crate) fn serve_mix(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        request: ApiRequest,
    ) -> Result<ApiReply, ApiError> {
        let accepted = |()| ApiReply::Accepted;
        match request {
            ApiRequest::Supervise { call, agent, mode, of } => {
                self.known_agent(tenant, &agent)?;
                self.within(now, tenant, call, |call, node| {
                    call.supervise(node, now, agent, mode, of).map(ApiReply::Rings)
                })
            }
            ApiRequest::ChangeSupervision { call, agent, mode } => {
                self.within(now, tenant, call, |call, _| {
                    call.change_supervision(&agent, mode).map(accepted)
                })
            }
            ApiRequest::Hold { call, holds } => self
                .within(now, tenant, call, |call, node| call.hold(node, now, holds).map(accepted)),
            ApiRequest::EndSupervision { call, agent } => {
                self.within(now, tenant, call, |call, node| {
                    call.end_supervision(node, now, &agent).map(accepted)
                })
            }
            ApiRequest::AddParticipant { call, to, ends_with_host } => {
                self.within(now, tenant, call, |call, node| {
                    call.add_participant(node, now, &to)?;
                    ends_with_host.into_iter().for_each(|ends| call.set_host(ends));
                    Ok(ApiReply::Accepted)
                })
            }
            ApiRequest::Merge { call, other, ends_with_host } => {
                self.merge(now, tenant, (call, other), ends_with_host).map(accepted)
            }
            ApiRequest::RemoveParticipant { call, leg } => {
                self.within(now, tenant, call, |call, node| {
                    call.remove_participant(node, now, leg).map(accepted)
                })
            }
            ApiRequest::Mute { call, leg, muted } => {
                self.within(now, tenant, call, |call, _| call.mute(leg, muted).map(accepted))
            }
            ApiRequest::HoldParticipant { call, leg, holds } => {
                self.within(now, tenant, call, |call, node| {
                    call.hold_aside(node, leg, holds).map(accepted)
                })
            }
            _ => Err(ApiError::NotFound),
        }
    }

    /// Does something to a call of the tenant's; its media follow.
    pub(crate) fn within(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        call: CallId,
        what: impl FnOnce(&mut Call, &mut Node) -> Result<ApiReply, ApiError>,
    ) -> Result<ApiReply, ApiError> {
        self.calls.of_tenant(tenant, call).ok_or(ApiError::NotFound)?;
        let known = self.calls.get_mut(call).ok_or(ApiError::NotFound)?;
        let reply = what(known, &mut self.node);
        known.settle_media(&mut self.node, now);
        self.touch(now, [call]);
        reply
    }

    /// Whoever talks with an agent in the second call comes into the first one, where the same
    /// agent talks; the second one ends.
    fn merge(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        (first, second): (CallId, CallId),
        ends_with_host: Option<bool>,
    ) -> Result<(), ApiError> {
        let find = |call| self.calls.of_tenant(tenant, call).ok_or(ApiError::NotFound);
        let agents = find(first)?.may_take_along()?;
        let conflict = |what: &str| ApiError::Conflict(what.to_owned());
        if first == second {
            return Err(conflict("it is the same call"));
        }
        let leg = find(second)?.may_be_taken_along(&agents);
        let leg = leg.ok_or_else(|| conflict("no agent talks in both calls, with nobody else"))?;
        let node = &mut self.node;
        let parted = self.calls.get_mut(second).and_then(|call| call.part(node, now, leg));
        if let (Some(parted), Some(call)) = (parted, self.calls.get_mut(first)) {
            call.take_along(node, now, parted);
            ends_with_host.into_iter().for_each(|ends| call.set_host(ends));
        }
        self.touch(now, [first, second]);
        Ok(())
    }

    /// The conversation that a supervisor's code means.
    pub(crate) fn supervised(
        &self,
        code: SupervisionCode,
        tenant: &TenantId,
        by: &AgentId,
    ) -> Result<Target, StatusCode> {
        let of = code.of.ok_or(StatusCode::NOT_FOUND)?;
        let call = self.calls.all_of(tenant).find(|call| call.talks(&of));
        let call = call.ok_or(StatusCode::TEMPORARILY_UNAVAILABLE)?;
        call.supervision_target(&self.node, by, &of, code.mode)
    }
}
