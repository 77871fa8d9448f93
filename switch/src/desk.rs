//! What agents' desks ask: to record nothing for a while, what a call came to, time to write that
//! down, and what a program knows about whoever calls.

use base::{AgentId, Duration, Instant, TenantId};
use routing::Input as RouterInput;

use crate::api::{ApiError, ApiReply, ApiRequest};
use crate::event::EventKind;
use crate::switch::Switch;

impl Switch {
    /// What an agent's desk asks; what is about captures is served as such.
    pub(crate) fn serve_desk(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        request: ApiRequest,
    ) -> Result<ApiReply, ApiError> {
        match request {
            ApiRequest::PauseRecording { call, agent, by, lasts } => {
                self.within(now, tenant, call, |call, node| {
                    call.pause_recording(node, now, agent.as_ref(), (by, lasts))?;
                    Ok(ApiReply::Accepted)
                })
            }
            ApiRequest::ResumeRecording { call, agent, by } => {
                self.within(now, tenant, call, |call, node| {
                    call.resume_recording(node, now, agent.as_ref(), by)?;
                    Ok(ApiReply::Accepted)
                })
            }
            ApiRequest::WrapUp { agent, more } => self.wrap_up(now, tenant, agent, more),
            ApiRequest::Tell { call, known } => {
                self.calls.of_tenant(tenant, call).ok_or(ApiError::NotFound)?;
                self.node.emit(now, tenant, Some(call), EventKind::CallKnown { known });
                Ok(ApiReply::Accepted)
            }
            ApiRequest::WrappedUp { call, wrap_up } => {
                self.known_agent(tenant, &wrap_up.agent)?;
                let kind = EventKind::CallWrappedUp { wrap_up };
                self.node.emit(now, tenant, Some(call), kind);
                Ok(ApiReply::Accepted)
            }
            request => self.serve_capture(now, tenant, request),
        }
    }

    /// Ends an agent's wrap-up, or makes it longer.
    fn wrap_up(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        agent: AgentId,
        more: Option<Duration>,
    ) -> Result<ApiReply, ApiError> {
        self.known_agent(tenant, &agent)?;
        let conflict = |what: &str| Err(ApiError::Conflict(what.to_owned()));
        let Some(wrap_up) = self.node.router.wrap_up(now, tenant, &agent) else {
            return conflict("the agent is not in wrap-up");
        };
        let tenant = tenant.clone();
        let input = match more {
            Some(_) if wrap_up.may_extend_ms == 0 => {
                return conflict("the queue permits no more time");
            }
            Some(by) => RouterInput::ExtendWrapUp { tenant, agent, by },
            None => RouterInput::FinishWrapUp { tenant, agent },
        };
        self.node.router.handle_input(now, input);
        Ok(ApiReply::Accepted)
    }
}
