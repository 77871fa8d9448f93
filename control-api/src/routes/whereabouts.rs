//! `/api/v1/agents/{name}/calls/{id}`: where a call is now that rang an agent, or that the agent was
//! in: what a page asks that comes back too late for it.

use axum::extract::{Path, State};
use base::{AgentId, CallId};
use serde::Serialize;
use store::{CallRow, CallState};
use switch::{ApiReply, ApiRequest, LiveCall, LiveState};
use utoipa::ToSchema;

use super::calling::own;
use super::own::is_in;
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::Fault;
use crate::own_events::names;
use crate::params::path_id;
use crate::state::{Api, Shared};

/// Where a call is that was an agent's.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhereaboutsView {
    /// The call.
    id: String,
    /// `setup`, `flow`, `queued`, `ringing`, `connected` or `ended`.
    state: &'static str,
    /// Whether it is this agent's still: rings the agent, has the agent in it, or waits for the
    /// agent's page.
    is_here: bool,
    /// The queue that it waits in, or waited in last.
    queue: Option<String>,
}

/// Where a call is now that rang an agent, or that the agent was in.
///
/// Who has it now, and what becomes of it there, is not said.
#[utoipa::path(get, path = "/api/v1/agents/{name}/calls/{id}", tag = "agents",
    params(("name" = String, Path, description = "The agent"),
        ("id" = String, Path, description = "The call")),
    responses((status = 200, description = "Where it is", body = Answer<WhereaboutsView>)))]
pub(crate) async fn whereabouts(
    State(api): State<Api>,
    scoped: Scoped,
    Path((name, id)): Path<(String, String)>,
) -> Result<Answer<WhereaboutsView>, Fault> {
    let agent = own(&api, &scoped, &name)?;
    let call: CallId = path_id("call", &id)?;
    let row = api.store.call(&scoped.tenant, call).await?;
    let row = row.ok_or_else(|| Fault::not_found("call"))?;
    if !was_theirs(&api, &scoped, &row, &agent).await? {
        return Err(Fault::not_found("call"));
    }
    let live = match row.state {
        CallState::Ended => None,
        _ => live(&api, &scoped, call).await?,
    };
    let view = WhereaboutsView {
        id: call.to_string(),
        // What the engine knows no more ended a moment ago, and so is what is being hung up.
        state: live.as_ref().map_or("ended", |live| live.state.as_str()),
        is_here: live.as_ref().is_some_and(|live| has(live, &agent)),
        queue: live.and_then(|live| live.queue).map(|queue| queue.to_string()),
    };
    Ok(Answer::new(view, "where the call is"))
}

/// Whether a call rang the agent, or had the agent in it.
async fn was_theirs(
    api: &Shared,
    scoped: &Scoped,
    row: &CallRow,
    agent: &AgentId,
) -> Result<bool, Fault> {
    if row.agent.as_ref() == Some(agent) {
        return Ok(true);
    }
    let events = api.store.call_events(&scoped.tenant, row.id).await?;
    Ok(events.iter().any(|event| names(event, agent)))
}

/// What the engine knows of it; `None` when it is over.
async fn live(api: &Shared, scoped: &Scoped, call: CallId) -> Result<Option<Box<LiveCall>>, Fault> {
    match api.engine.ask(&scoped.tenant, "call", ApiRequest::Call { call }).await {
        Ok(ApiReply::Call(live)) => Ok(Some(live).filter(|live| live.state != LiveState::Ending)),
        Ok(_) => Err(Fault::internal("asking the engine", &"unexpected reply")),
        Err(fault) if fault.is_not_found() => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// A page that is gone before anybody has answered has no leg until it is back.
fn has(live: &LiveCall, agent: &AgentId) -> bool {
    live.agent.as_ref() == Some(agent) || is_in(live, agent)
}
