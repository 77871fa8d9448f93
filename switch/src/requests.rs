//! Requests of the API. Whatever is another tenant's is not found.

use base::{AgentId, Instant, TenantId};
use routing::{AgentState, Input as RouterInput};

use crate::api::{ApiError, ApiReply, ApiRequest, RequestId};
use crate::call::{Call, Origination, Signal};
use crate::switch::Switch;

impl Switch {
    pub(crate) fn on_api(
        &mut self,
        now: Instant,
        id: RequestId,
        tenant: &TenantId,
        request: ApiRequest,
    ) {
        self.answer(now, id, tenant, request);
    }

    /// Ends every call that is up.
    pub(crate) fn end_calls(&mut self, now: Instant) {
        for call in self.calls.ids() {
            self.signal(now, call, Signal::Drained);
        }
    }

    /// Does what is asked.
    pub(crate) fn serve(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        request: ApiRequest,
    ) -> Result<ApiReply, ApiError> {
        let find = |call| self.calls.of_tenant(tenant, call).ok_or(ApiError::NotFound);
        match request {
            ApiRequest::ListLive => {
                let calls = self.calls.all_of(tenant);
                Ok(ApiReply::Calls(calls.map(|call| call.live(&self.node, now)).collect()))
            }
            ApiRequest::Call { call } => {
                Ok(ApiReply::Call(Box::new(find(call)?.live(&self.node, now))))
            }
            ApiRequest::Ladder { call } => {
                Ok(ApiReply::Ladder(find(call)?.narrative.ladder.entries().to_vec()))
            }
            ApiRequest::Why { call } => {
                Ok(ApiReply::Why(find(call)?.narrative.decisions().to_vec()))
            }
            ApiRequest::Transfer { call, to } => self.within(now, tenant, call, |call, node| {
                call.transfer(node, now, &to).map(|()| ApiReply::Accepted)
            }),
            ApiRequest::SetPriority { call, priority, by } => {
                self.within(now, tenant, call, |call, node| {
                    call.set_priority(node, now, priority, by).map(|()| ApiReply::Accepted)
                })
            }
            request @ (ApiRequest::Hold { .. }
            | ApiRequest::Supervise { .. }
            | ApiRequest::ChangeSupervision { .. }
            | ApiRequest::EndSupervision { .. }
            | ApiRequest::AddParticipant { .. }
            | ApiRequest::Merge { .. }
            | ApiRequest::RemoveParticipant { .. }
            | ApiRequest::Mute { .. }
            | ApiRequest::HoldParticipant { .. }) => self.serve_mix(now, tenant, request),
            request @ (ApiRequest::SendDigits { .. }
            | ApiRequest::Secure { .. }
            | ApiRequest::Digits { .. }) => self.serve_digits(now, tenant, request),
            ApiRequest::EndCall { call } => {
                find(call)?;
                self.signal(now, call, Signal::End);
                Ok(ApiReply::Accepted)
            }
            ApiRequest::Originate(asked) => {
                let directory = self.node.directory.clone().ok_or(ApiError::NotFound)?;
                let asked = Origination::new(&directory, tenant, asked)?;
                let call = Call::originate(&mut self.node, now, asked)?;
                let id = call.id;
                self.calls.insert(call);
                Ok(ApiReply::Originated(id))
            }
            ApiRequest::PickUp { call, agent, own_wish } => {
                self.pick_up(now, tenant, call, agent, own_wish).map(ApiReply::Originated)
            }
            ApiRequest::Agents => Ok(ApiReply::Agents(self.node.router.agents(now, tenant))),
            request @ (ApiRequest::SetDoNotDisturb { .. }
            | ApiRequest::Forward { .. }
            | ApiRequest::SetForward { .. }
            | ApiRequest::MessagesWaiting { .. }
            | ApiRequest::SetMessagesWaiting { .. }
            | ApiRequest::SipToken { .. }) => self.serve_phone(now, tenant, request),
            ApiRequest::RefusedCalls => {
                Ok(ApiReply::RefusedCalls(self.node.refused.all().cloned().collect()))
            }
            ApiRequest::Queues => Ok(ApiReply::Queues(self.node.router.queues(now, tenant))),
            ApiRequest::Trunks => Ok(ApiReply::Trunks(self.node.trunk_views())),
            ApiRequest::SetAgentState { agent, state, reason } => {
                self.set_agent_state(now, tenant, agent, state, reason)
            }
            request => self.serve_desk(now, tenant, request),
        }
    }

    fn set_agent_state(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        agent: AgentId,
        state: AgentState,
        reason: Option<String>,
    ) -> Result<ApiReply, ApiError> {
        self.known_agent(tenant, &agent)?;
        if !state.can_be_chosen() {
            return Err(ApiError::Conflict(format!(
                "an agent cannot choose the state {}; choose available, break or offline",
                state.as_str()
            )));
        }
        let tenant = tenant.clone();
        let input = RouterInput::SetState { tenant, agent, state, reason };
        self.node.router.handle_input(now, input);
        Ok(ApiReply::Accepted)
    }

    /// What is asked of a call's keys.
    fn serve_digits(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        request: ApiRequest,
    ) -> Result<ApiReply, ApiError> {
        match request {
            ApiRequest::SendDigits { call, leg, digits, each, gap } => {
                self.within(now, tenant, call, |call, node| {
                    call.press(node, now, leg, &digits.0, (each, gap))?;
                    Ok(ApiReply::Accepted)
                })
            }
            ApiRequest::Secure { call, leg, speech } => {
                self.within(now, tenant, call, |call, node| {
                    call.secure(node, leg, speech).map(|()| ApiReply::Accepted)
                })
            }
            ApiRequest::Digits { call } => {
                let call = self.calls.of_tenant(tenant, call).ok_or(ApiError::NotFound)?;
                Ok(ApiReply::Digits(call.kept_digits()))
            }
            _ => Err(ApiError::NotFound),
        }
    }

    /// What is asked of a call's capture.
    pub(crate) fn serve_capture(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        request: ApiRequest,
    ) -> Result<ApiReply, ApiError> {
        match request {
            ApiRequest::Capture { call, wish } => self.within(now, tenant, call, |call, node| {
                call.capture(node, now, wish).map(ApiReply::Capturing)
            }),
            ApiRequest::EndCapture { call, capture, why } => {
                self.within(now, tenant, call, |call, node| {
                    call.end_capture(node, now, (capture, why));
                    Ok(ApiReply::Accepted)
                })
            }
            _ => Err(ApiError::NotFound),
        }
    }

    /// Whether the tenant has that agent.
    pub(crate) fn known_agent(&self, tenant: &TenantId, agent: &AgentId) -> Result<(), ApiError> {
        let directory = self.node.directory.as_ref().ok_or(ApiError::NotFound)?;
        directory.agent(tenant, agent).map(|_| ()).ok_or(ApiError::NotFound)
    }
}
