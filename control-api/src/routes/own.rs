//! The calls that an agent's own key may see and steer: those that its agent is in, or was.

use base::{AgentId, CallId};
use routing::Role;
use serde::Deserialize;
use store::{CallRow, CallState};
use switch::{ApiReply, ApiRequest, LegKind, LiveCall};

use crate::auth::Scoped;
use crate::fault::Fault;
use crate::params::path_id;
use crate::state::Shared;

/// The number of a call that the caller may steer: any of the tenant's, or with the role `agent`
/// one that its agent is in.
pub(crate) async fn own_call(api: &Shared, scoped: &Scoped, id: &str) -> Result<CallId, Fault> {
    let call: CallId = path_id("call", id)?;
    let Some(agent) = scoped.only_agent() else { return Ok(call) };
    match api.engine.ask(&scoped.tenant, "call", ApiRequest::Call { call }).await? {
        ApiReply::Call(live) if is_in(&live, agent) => Ok(call),
        _ => Err(Fault::not_found("call")),
    }
}

/// Whether the caller may see a call: any of the tenant's, or with the role `agent` one that its
/// agent has, is in, or was in before sending it on.
pub(crate) async fn sees(api: &Shared, scoped: &Scoped, row: &CallRow) -> bool {
    let Some(agent) = scoped.only_agent() else { return true };
    if row.agent.as_ref() == Some(agent) {
        return true;
    }
    if row.state == CallState::Ended {
        return was_in(row, agent);
    }
    let asked = ApiRequest::Call { call: row.id };
    match api.engine.ask(&scoped.tenant, "call", asked).await {
        Ok(ApiReply::Call(live)) => is_in(&live, agent),
        _ => false,
    }
}

/// The agent of the caller's key, whom the engine then lets do it in their own calls alone.
pub(crate) fn acting(scoped: &Scoped) -> Option<AgentId> {
    (scoped.caller.role == Role::Agent).then(|| scoped.caller.agent.clone()).flatten()
}

/// As an agent, not as a supervisor.
pub(super) fn is_in(live: &LiveCall, agent: &AgentId) -> bool {
    let is_theirs =
        |kind: LegKind, of: Option<&AgentId>| kind != LegKind::Supervisor && of == Some(agent);
    live.legs.iter().any(|leg| is_theirs(leg.kind, leg.agent.as_ref()))
}

/// A leg of a record.
#[derive(Deserialize)]
struct PastLeg {
    kind: String,
    agent: Option<String>,
}

fn was_in(row: &CallRow, agent: &AgentId) -> bool {
    if !row.legs.contains(agent.as_str()) {
        return false;
    }
    let legs: Vec<PastLeg> = serde_json::from_str(&row.legs).unwrap_or_default();
    legs.iter().any(|leg| leg.kind != "supervisor" && leg.agent.as_deref() == Some(agent.as_str()))
}
